"""The parts of a memory that one schema of a PostgreSQL database holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.postgres.address import Address
from ai_memory_integrations.backends.postgres.backend import PostgresBackend
from ai_memory_integrations.backends.postgres.connection import Database
from ai_memory_integrations.backends.postgres.items import PostgresItemStore
from ai_memory_integrations.backends.postgres.journal import PostgresJournal
from ai_memory_integrations.backends.postgres.notes import PostgresNotes

if TYPE_CHECKING:
    from ai_memory_integrations.ports import Learner, Transfer, VectorIndex
    from ai_memory_integrations.types import Finding


class PostgresStore:
    """Subjects, blocks, passages, messages, runs and items in one PostgreSQL schema, connected to on first use.

    *url* is what libpq takes, and may say `schema=`, `connections=` (at most so many, 10) and `prepared=off` (for a
    pooler that cannot keep prepared statements). Raises: UnknownURLError.
    """

    def __init__(self, url: str) -> None:
        self.database = Database(Address.of(url))
        self.url = self.database.address.shown
        self.backend = PostgresBackend(self.database)
        self.journal = PostgresJournal(self.database)
        self.items = PostgresItemStore(self.database)
        self.notes = PostgresNotes(self.database)
        self.learner: Learner | None = None

    @cached_property
    def vectors(self) -> VectorIndex:
        from ai_memory_integrations.backends.postgres.index import PostgresVectorIndex

        return PostgresVectorIndex(self.database)

    @cached_property
    def transfer(self) -> Transfer:
        from ai_memory_integrations.backends.postgres.transfer import PostgresTransfer

        return PostgresTransfer(self.database, self.backend)

    @property
    def schema_version(self) -> int:
        """The version of the tables."""
        with self.database.read() as session:
            return int(session.value("SELECT value FROM ai_memory.meta WHERE key = 'schema_version'"))

    def recorded_settings(self) -> dict[str, Any] | None:
        with self.database.read() as session:
            found = session.value("SELECT value FROM ai_memory.meta WHERE key = 'settings'")
        return None if found is None else json.loads(found)

    def record_settings(self, settings: Mapping[str, Any]) -> None:
        with self.database.transaction() as session:
            session.execute("INSERT INTO ai_memory.meta VALUES ('settings', '{}') ON CONFLICT DO NOTHING")
            kept = session.value("SELECT value FROM ai_memory.meta WHERE key = 'settings' FOR UPDATE")
            merged = rows.merged(kept, settings)
            session.execute("UPDATE ai_memory.meta SET value = %s WHERE key = 'settings'", (merged,))

    def examine(self, *, fix: bool = False) -> tuple[Finding, ...]:
        from ai_memory_integrations.backends.postgres.examination import examine

        return tuple(examine(self))

    def close(self) -> None:
        self.backend.close()
