"""The parts of a memory that one SQLite file holds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.sqlite.backend import SQLiteBackend
from ai_memory_integrations.backends.sqlite.connection import MEMORY, Database, Synchronous
from ai_memory_integrations.backends.sqlite.erasure import VACUUM_BYTES
from ai_memory_integrations.backends.sqlite.items import SQLiteItemStore
from ai_memory_integrations.backends.sqlite.journal import SQLiteJournal
from ai_memory_integrations.backends.sqlite.notes import SQLiteNotes
from ai_memory_integrations.backends.urls import sqlite_url

if TYPE_CHECKING:
    from ai_memory_integrations.ports import Learner, Transfer, VectorIndex
    from ai_memory_integrations.types import Finding

_SETTINGS = "SELECT value FROM meta WHERE key = 'settings'"


class SQLiteStore:
    """Subjects, blocks, passages, messages, runs and items in one SQLite file, opened on first use.

    *path* may be `:memory:`, which lasts as long as this object. *clock* gives seconds since 1970. *immutable* says
    that nobody writes the file, here or elsewhere; it can only be read then, from any medium. A file with more
    than *vacuum_bytes* in use is written anew in steps after a subject was deleted, so that others can write meanwhile;
    a smaller one at once.
    """

    def __init__(
        self,
        path: str,
        *,
        synchronous: Synchronous = "full",
        clock: Callable[[], float] = time.time,
        vacuum_bytes: int = VACUUM_BYTES,
        immutable: bool = False,
    ) -> None:
        make: Callable[..., Database] = Database
        if immutable:
            from ai_memory_integrations.backends.sqlite.sealed import SealedDatabase

            make = SealedDatabase
        self.database = make(path, synchronous=synchronous, clock=clock, vacuum_bytes=vacuum_bytes)
        self.immutable = immutable
        self.url = MEMORY if path == MEMORY else sqlite_url(self.database.path, "immutable=1" if immutable else "")
        self.backend = SQLiteBackend(self.database)
        self.journal = SQLiteJournal(self.database)
        self.items = SQLiteItemStore(self.database)
        self.notes = SQLiteNotes(self.database)
        self.learner: Learner | None = None

    @cached_property
    def vectors(self) -> VectorIndex:
        from ai_memory_integrations.backends.sqlite.index import SQLiteVectorIndex

        return SQLiteVectorIndex(self.database)

    @cached_property
    def transfer(self) -> Transfer:
        from ai_memory_integrations.backends.sqlite.transfer import SQLiteTransfer

        return SQLiteTransfer(self.database, self.backend)

    @property
    def path(self) -> str:
        """The file's absolute path, or `:memory:`."""
        return self.database.path

    @property
    def schema_version(self) -> int:
        """The version of the file's tables."""
        with self.database.read() as connection:
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version

    def recorded_settings(self) -> dict[str, Any] | None:
        with self.database.read() as connection:
            row = connection.execute(_SETTINGS).fetchone()
        return None if row is None else json.loads(row[0])

    def record_settings(self, settings: Mapping[str, Any]) -> None:
        with self.database.transaction() as connection:
            row = connection.execute(_SETTINGS).fetchone()
            merged = rows.merged(None if row is None else row[0], settings)
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('settings', ?)", (merged,))

    def examine(self, *, fix: bool = False) -> tuple[Finding, ...]:
        from ai_memory_integrations.backends.sqlite.examination import examine

        return tuple(examine(self))

    def close(self) -> None:
        self.backend.close()
