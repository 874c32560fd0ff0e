"""The public contracts on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("psycopg")

from ai_memory_integrations.backends.postgres.store import PostgresStore
from ai_memory_integrations.ports import Store
from ai_memory_integrations.testing.contracts.backend import BackendContract
from ai_memory_integrations.testing.contracts.journal import JournalContract
from ai_memory_integrations.testing.contracts.notes import NotesContract


class OnPostgres:
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        store = PostgresStore(postgres_url)
        yield store
        store.close()


class TestBackendOnPostgres(OnPostgres, BackendContract):
    pass


class TestJournalOnPostgres(OnPostgres, JournalContract):
    pass


class TestNotesOnPostgres(OnPostgres, NotesContract):
    pass
