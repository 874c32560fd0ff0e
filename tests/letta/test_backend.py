"""The public contracts on a Letta server, and what is Letta's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from letta.server import Place

from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.ports import Store
from ai_memory_integrations.testing.contracts.backend import BackendContract
from ai_memory_integrations.testing.contracts.journal import JournalContract
from ai_memory_integrations.testing.contracts.notes import NotesContract


class OnLetta:
    @pytest.fixture
    def store(self, letta_server: Place, tmp_path: Path) -> Iterator[Store]:
        store = LettaStore(
            LettaServer(letta_server.url, api_key="x"),
            SQLiteStore(str(tmp_path / "journal.db")),
            url=letta_server.url,
            namespace=uuid4().hex,
        )
        yield store
        for subject in store.backend.list_subjects():
            store.backend.delete_subject(subject.subject_id)
        store.close()


class TestBackendOnLetta(OnLetta, BackendContract):
    pass


class TestJournalOnLetta(OnLetta, JournalContract):
    pass


class TestNotesOnLetta(OnLetta, NotesContract):
    pass
