"""`ai-memory doctor`: what is used here and why, what waits, what to do."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from ai_memory_integrations.backends.sqlite.examination import library
from ai_memory_integrations.backends.urls import URL_VARIABLE
from ai_memory_integrations.cli.place import Place
from ai_memory_integrations.cli.screen import counted, moment, one_line
from ai_memory_integrations.cli.settings import told
from ai_memory_integrations.errors import DISTRIBUTION, AIMemoryError
from ai_memory_integrations.recorded import recorded
from ai_memory_integrations.types import Finding

if TYPE_CHECKING:
    from ai_memory_integrations import Memory


def examine(url: str | None, *, fix: bool = False) -> list[Finding]:
    """Everything there is to say, the most general first. Makes no file, and changes nothing but with *fix* what can
    be repaired without asking."""
    return list(_findings(url, fix=fix))


def _findings(url: str | None, *, fix: bool) -> Iterator[Finding]:
    python = f"Python {platform.python_version()} in {sys.prefix}, {platform.system()}"
    yield Finding(level="fact", name="package", text=f"{DISTRIBUTION} {version(DISTRIBUTION)}, {python}")
    yield from _extras()
    try:
        place = Place.of(url)
        yield Finding(level="fact", name="memory", text=f"{place.shown} (from {place.source})")
        yield from _letta(place)
        yield from _contents(place, fix=fix)
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
            text="LETTA_API_KEY is set, but memory is kept in a file",
            remedy=f"set {URL_VARIABLE}=letta:// for memory on Letta, or to a file's path",
        )


def _contents(place: Place, *, fix: bool) -> Iterator[Finding]:
    if not place.exists:
        yield library()
        yield Finding(level="fact", name="file", text="not there yet; it is made with the first message")
        return
    with place.open(learning="off") as memory:
        yield from memory._core.store.examine(fix=fix)
        yield from _history(memory)
        yield from _settings(memory)
        yield from _waiting(memory)
        yield from _failed(memory)
        if memory._core.store.vectors is not None:
            yield from _embedder(memory)


def _history(memory: Memory) -> Iterator[Finding]:
    """What `ai-memory prune` could make less."""
    size = memory._core.store.journal.history_size()
    since = "" if size.oldest is None else f", the oldest of {moment(size.oldest)}"
    text = f"{counted(size.versions, 'version')} of {counted(size.blocks, 'block')}"
    yield Finding(level="fact", name="history", text=f"{text}, {counted(size.characters, 'character')}{since}")


def _settings(memory: Memory) -> Iterator[Finding]:
    """What a memory is opened with where nothing is said of it but its place."""
    said, unknown = recorded(memory._core.store)
    if parts := told(said):
        yield Finding(level="fact", name="settings", text=f"recorded by an application: {'; '.join(parts)}")
    if unknown:
        yield Finding(
            level="note",
            name="settings",
            text=f"{' and '.join(unknown)}, recorded by a later release, cannot be read by this one and is left out",
            remedy=f"pip install --upgrade {DISTRIBUTION}",
        )


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
