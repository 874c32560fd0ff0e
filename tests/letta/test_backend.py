"""The public contracts on a Letta server, and what is Letta's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from letta.fake_server import FakeLetta
from letta.server import Place

from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.backends.urls import open_store
from ai_memory_integrations.ports import Backend, Store
from ai_memory_integrations.testing.contracts.backend import BackendContract
from ai_memory_integrations.testing.contracts.journal import JournalContract
from ai_memory_integrations.testing.contracts.notes import NotesContract
from ai_memory_integrations.types import Passage, PassageQuery


def opened(server: LettaServer, path: Path, **more: Any) -> LettaStore:
    return LettaStore(server, SQLiteStore(str(path / "journal.db")), url=server.url, **more)


class OnLetta:
    """Each test has subjects of its own, by a namespace; nothing of it stays on the server."""

    @pytest.fixture
    def store(self, letta_server: Place, tmp_path: Path) -> Iterator[Store]:
        server = LettaServer(letta_server.url, api_key="none")
        store = opened(server, tmp_path, namespace=uuid4().hex)
        yield store
        for subject in store.record.backend.list_subjects():
            store.backend.delete_subject(subject.subject_id)
        store.close()


class OnAFake:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = opened(LettaServer(client=FakeLetta().client()), tmp_path)
        yield store
        store.close()


class ContractOfLetta(BackendContract):
    """Letta finds by meaning: something is always the nearest, and what was asked for comes first."""

    def test_a_passage_is_found_directly_after_it_was_added(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        for number in range(5):
            backend.add_passages("sarah", [Passage(text=f"number{number} of the cats")])
            found = backend.search_passages("sarah", PassageQuery(text=f"number{number}"))
            assert found[0].text == f"number{number} of the cats"
            assert len(found) == number + 1

    def test_a_passage_with_a_known_id_replaces_the_old_one(self, backend: Backend) -> None:
        backend.create_subject("sarah")
        passage = Passage(text="cats")
        backend.add_passages("sarah", [passage])
        assert len(backend.search_passages("sarah", PassageQuery(text="cats"))) == 1
        backend.add_passages("sarah", [passage.model_copy(update={"text": "dogs"})])
        assert [each.text for each in backend.list_passages("sarah")] == ["dogs"]
        assert [each.text for each in backend.search_passages("sarah", PassageQuery(text="cats"))] == ["dogs"]


class TestBackendOnLetta(OnLetta, ContractOfLetta):
    pass


class TestJournalOnLetta(OnLetta, JournalContract):
    pass


class TestNotesOnLetta(OnLetta, NotesContract):
    pass


class TestBackendOnAFake(OnAFake, ContractOfLetta):
    pass


class TestJournalOnAFake(OnAFake, JournalContract):
    pass


class TestNotesOnAFake(OnAFake, NotesContract):
    pass


class OnAFakeWithPostgres:
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        server = LettaServer(client=FakeLetta().client())
        store = LettaStore(server, open_store(postgres_url), url=server.url)
        yield store
        store.close()


class TestBackendOnAFakeWithPostgres(OnAFakeWithPostgres, ContractOfLetta):
    pass


class TestNotesOnAFakeWithPostgres(OnAFakeWithPostgres, NotesContract):
    pass
