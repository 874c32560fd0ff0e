"""The public contracts on SQLite: on a file and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.ports import Store
from ai_memory_integrations.testing.contracts.backend import BackendContract
from ai_memory_integrations.testing.contracts.journal import JournalContract
from ai_memory_integrations.testing.contracts.notes import NotesContract


class OnSQLite:
    @pytest.fixture(params=["file", "memory"])
    def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
        store = SQLiteStore(":memory:" if request.param == "memory" else str(tmp_path / "memory.db"))
        yield store
        store.close()


class TestBackendOnSQLite(OnSQLite, BackendContract):
    pass


class TestJournalOnSQLite(OnSQLite, JournalContract):
    pass


class TestNotesOnSQLite(OnSQLite, NotesContract):
    pass
