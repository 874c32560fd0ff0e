"""What `ai-memory doctor` says of an SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ai_memory_integrations.types import Finding

if TYPE_CHECKING:
    from ai_memory_integrations.backends.sqlite.store import SQLiteStore

# SQLite before 3.51.3 can, in a rare race of a commit with a checkpoint by another connection, damage a WAL file.
WAL_FIXED = (3, 51, 3)


def examine(store: SQLiteStore) -> Iterator[Finding]:
    """The library's version, the file and its size."""
    yield library()
    path = Path(store.path)
    log = path.with_name(f"{path.name}-wal")
    waiting_log = f", write-ahead log {_size(log)}" if log.exists() else ""
    subjects = store.journal.stats().subjects
    text = f"{_size(path)}{waiting_log}, {subjects:,} subject{'' if subjects == 1 else 's'}"
    yield Finding(level="fact", name="file", text=f"{text}, schema version {store.schema_version}")
    if store.immutable:
        yield Finding(level="fact", name="file", text="opened with immutable=1: only read, and nobody may write it")
    elif not os.access(path, os.W_OK):
        yield Finding(level="problem", name="file", text=f"{path} cannot be written by this user")


def library() -> Finding:
    """The SQLite that this Python has."""
    if sqlite3.sqlite_version_info >= WAL_FIXED:
        return Finding(level="fact", name="sqlite", text=sqlite3.sqlite_version)
    return Finding(
        level="note",
        name="sqlite",
        text=f"{sqlite3.sqlite_version}: before {'.'.join(map(str, WAL_FIXED))} a rare race between processes can "
        "damage a file in WAL mode",
        remedy="keep backups of files that several processes write, or use a Python with a newer SQLite",
    )


def _size(path: Path) -> str:
    count: float = path.stat().st_size
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
