"""What the tests of the LlamaIndex room share: the ways callers reach an object, and a storage that can be away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from blockbuster import blockbuster_ctx

from ai_memory_integrations.backends.sqlite.store import SQLiteStore
from ai_memory_integrations.errors import BackendUnavailableError

T = TypeVar("T")

WAYS = ("sync", "async", "sync in a running loop", "in a worker thread")


def reach(way: str, call: Callable[[], T], acall: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of *call*, or of *acall* on a loop that nothing may block."""
    if way == "sync":
        return call()
    if way == "async":
        return asyncio.run(_unblocked(acall))
    if way == "sync in a running loop":
        return asyncio.run(_inside(call))
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


async def _inside(call: Callable[[], T]) -> T:
    return call()


async def _unblocked(acall: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with blockbuster_ctx():
        return await acall()


class _Part:
    """A part of a store that answers as long as the store is there."""

    def __init__(self, part: Any, store: InterruptibleStore) -> None:
        self._part, self._store = part, store

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if not callable(value) or name == "close":
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._store.away:
                raise BackendUnavailableError("the storage is away")
            return value(*args, **kwargs)

        return call


class InterruptibleStore:
    """An SQLite store that can be away for a while, as a database server can."""

    def __init__(self, path: Path) -> None:
        self._store = SQLiteStore(str(path))
        self.away = False
        self.url = self._store.url
        self.backend: Any = _Part(self._store.backend, self)
        self.journal: Any = _Part(self._store.journal, self)
        self.items = self._store.items
        self.vectors = None
        self.transfer = self._store.transfer
        self.notes = self._store.notes
        self.learner = None

    def close(self) -> None:
        self._store.close()

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.away = True
        try:
            yield
        finally:
            self.away = False
