"""`ai-memory doctor`: what is used here and why, what waits, what to do."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Literal

from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.backends.urls import URL_VARIABLE
from ai_memory_integrations.cli.place import Place
from ai_memory_integrations.cli.screen import counted, moment, one_line, size
from ai_memory_integrations.errors import DISTRIBUTION, AIMemoryError
from ai_memory_integrations.types import Value

if TYPE_CHECKING:
    from ai_memory_integrations import Memory

# SQLite before 3.51.3 can, in a rare race of a commit with a checkpoint by another connection, damage a WAL file.
WAL_FIXED = (3, 51, 3)


class Finding(Value):
    """One line of the report. A `problem` needs somebody; `remedy` is what to type or do, "" when there is nothing."""

    level: Literal["fact", "note", "problem"]
    name: str
    text: str
    remedy: str = ""


def examine(url: str | None) -> list[Finding]:
    """Everything there is to say, the most general first. Reads only; makes no file."""
    return list(_findings(url))


def _findings(url: str | None) -> Iterator[Finding]:
    python = f"Python {platform.python_version()} in {sys.prefix}, {platform.system()}"
    yield Finding(level="fact", name="package", text=f"{DISTRIBUTION} {version(DISTRIBUTION)}, {python}")
    yield from _extras()
    try:
        place = Place.of(url)
        yield Finding(level="fact", name="memory", text=f"{place.shown} (from {place.source})")
        yield from _letta(place)
        yield from _sqlite()
        yield from _contents(place)
    except AIMemoryError as error:
        yield Finding(level="problem", name="memory", text=str(error))


def _extras() -> Iterator[Finding]:
    """Each extra with what of it is installed."""
    wanted: dict[str, list[str]] = {}
    for line in requires(DISTRIBUTION) or ():
        found = re.match(r"([\w.-]+).*;.*extra == ['\"]([\w-]+)['\"]", line)
        if found and found[1] != DISTRIBUTION and found[2] != "all":
            wanted.setdefault(found[2], []).append(found[1])
    for extra, distributions in wanted.items():
        there = [f"{name} {known}" for name in distributions if (known := _installed(name)) is not None]
        if len(there) == len(distributions):
            yield Finding(level="fact", name="extra", text=f"{extra}: {', '.join(there)}")
        else:
            install = f"pip install '{DISTRIBUTION}[{extra}]'"
            text = f"{extra}: not installed" if not there else f"{extra}: only {', '.join(there)}"
            yield Finding(level="fact", name="extra", text=f"{text} ({install})")


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _letta(place: Place) -> Iterator[Finding]:
    if os.environ.get("LETTA_API_KEY") and not place.is_named:
        yield Finding(
            level="note",
            name="letta",
            text="LETTA_API_KEY is set, but memory is kept in a file: this release has no Letta backend",
            remedy=f"set {URL_VARIABLE} to say where memory belongs",
        )


def _sqlite() -> Iterator[Finding]:
    if sqlite3.sqlite_version_info >= WAL_FIXED:
        yield Finding(level="fact", name="sqlite", text=sqlite3.sqlite_version)
        return
    yield Finding(
        level="note",
        name="sqlite",
        text=f"{sqlite3.sqlite_version}: before {'.'.join(map(str, WAL_FIXED))} a rare race between processes can "
        "damage a file in WAL mode",
        remedy="keep backups of files that several processes write, or use a Python with a newer SQLite",
    )


def _contents(place: Place) -> Iterator[Finding]:
    path = place.path
    if path is None or not place.exists:
        yield Finding(level="fact", name="file", text="not there yet; it is made with the first message")
        return
    log = path.with_name(f"{path.name}-wal")
    waiting_log = f", write-ahead log {size(log.stat().st_size)}" if log.exists() else ""
    with place.open(learning="off") as memory:
        stats = memory.stats()
        text = f"{size(path.stat().st_size)}{waiting_log}, {counted(stats.subjects, 'subject')}"
        store = memory._core.store
        if isinstance(store, SQLiteStore):
            text += f", schema version {store.schema_version}"
        yield Finding(level="fact", name="file", text=text)
        if not os.access(path, os.W_OK):
            yield Finding(level="problem", name="file", text=f"{path} cannot be written by this user")
        yield from _waiting(memory)
        yield from _failed(memory)
        yield from _embedder(memory)


def _waiting(memory: Memory) -> Iterator[Finding]:
    mine = memory._core.learner.name
    oldest = memory.stats().oldest
    since = f", the oldest since {moment(oldest)}" if oldest is not None else ""
    waiting = memory._core.store.journal.waiting_learners()
    if not waiting:
        yield Finding(level="fact", name="learning", text=f"by {mine}; nothing waits")
    for learner, number in waiting.items():
        if learner == mine:
            text, remedy = f"{counted(number, 'message')} for {mine}{since}", "ai-memory learn"
            yield Finding(level="note", name="waiting", text=text, remedy=remedy)
        else:
            yield Finding(
                level="problem",
                name="waiting",
                text=f"{counted(number, 'message')} for the learner {learner!r}; here is {mine!r}, which leaves them",
                remedy=f"start the application with that learner, or: ai-memory learn --adopt {shlex.quote(learner)}",
            )


def _failed(memory: Memory) -> Iterator[Finding]:
    for run in memory.list_runs(state="failed"):
        error = one_line(run.error or "", 200)
        yield Finding(
            level="problem",
            name="failed",
            text=f"{run.id} of {run.subject_id!r}, {counted(run.messages, 'message')}: {error}",
            remedy="ai-memory learn --retry",
        )


def _embedder(memory: Memory) -> Iterator[Finding]:
    vectors, here = memory._core.store.vectors, memory._core.embedder
    stored = None if vectors is None else vectors.embedder()
    if here is None and stored is None:
        yield Finding(level="fact", name="search", text="by terms; there is no embedder here and none in the store")
    elif here is None and stored is not None:
        yield Finding(
            level="note",
            name="search",
            text=f"by terms: the store's vectors are by {stored.name}, there is no embedder here",
            remedy=f"pip install '{DISTRIBUTION}[embeddings]', or pass the application's embedder",
        )
    elif here is not None and stored is not None and stored.name == here.name:
        left = counted(memory.stats().embedding, "passage")
        yield Finding(level="fact", name="search", text=f"by terms and meaning ({here.name}); {left} without a vector")
    elif here is not None:
        by = "without an embedder" if stored is None else f"by {stored.name}"
        yield Finding(
            level="note",
            name="search",
            text=f"by terms: the store was filled {by}, the embedder here is {here.name}",
            remedy="ai-memory reindex",
        )
