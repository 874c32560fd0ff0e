"""What happens when the process forks while this package has threads and files.

A child inherits memory and no threads, so a lock that another thread held is never released there; and not only our
locks: those inside SQLite and inside every library a learner uses. Before a fork our threads therefore come to rest
and files are closed. The parent goes on where it was; the child begins with its own.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

FORK_SECONDS = 10.0
"""How long a fork waits for what is at work, such as a model's answer, before it goes ahead all the same. Our own work
takes milliseconds, but a busy machine may stand still for seconds."""


class Forkable(Protocol):
    def before_fork(self) -> None: ...

    def after_fork_in_parent(self) -> None: ...

    def after_fork_in_child(self) -> None: ...


_files: weakref.WeakSet[Forkable] = weakref.WeakSet()


def register(file: Forkable) -> None:
    """Tell *file* of every fork, as long as it lives."""
    _files.add(file)


class _Gate:
    """Counts the threads at work, and keeps them from beginning while the process forks."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._working = 0
        self._forking = False
        self._inside = threading.local()

    def enter(self) -> None:
        if getattr(self._inside, "depth", 0) == 0:
            with self._condition:
                self._condition.wait_for(lambda: not self._forking)
                self._working += 1
        self._inside.depth = getattr(self._inside, "depth", 0) + 1

    def leave(self) -> None:
        self._inside.depth -= 1
        if self._inside.depth == 0:
            with self._condition:
                self._working -= 1
                self._condition.notify_all()

    def close(self, seconds: float) -> None:
        with self._condition:
            self._forking = True
            own = int(getattr(self._inside, "depth", 0) > 0)  # a fork from within does not wait for itself
            self._condition.wait_for(lambda: self._working <= own, timeout=seconds)

    def open(self) -> None:
        with self._condition:
            self._forking = False
            self._condition.notify_all()


_gate = _Gate()


@contextmanager
def at_work() -> Iterator[None]:
    """Around a piece of work in a thread of this package: a fork waits for its end."""
    gate = _gate
    gate.enter()
    try:
        yield
    finally:
        gate.leave()


def _before() -> None:
    _gate.close(FORK_SECONDS)
    for file in list(_files):
        file.before_fork()


def _in_parent() -> None:
    for file in list(_files):
        file.after_fork_in_parent()
    _gate.open()


def _in_child() -> None:
    global _gate
    _gate = _Gate()
    for file in list(_files):
        file.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # absent on Windows, which cannot fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
