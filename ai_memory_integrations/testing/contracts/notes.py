"""What a store's notes about subjects have to do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ai_memory_integrations.errors import SubjectNotFoundError
from ai_memory_integrations.ports import Notes, Store


class NotesContract:
    """Tests of `Notes`. Give it a `store` fixture with an empty store."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        raise NotImplementedError("give the contract a `store` fixture")

    @pytest.fixture
    def notes(self, store: Store) -> Notes:
        for subject in ("sarah", "bob"):
            store.backend.create_subject(subject)
        return store.notes

    def test_a_note_comes_back_as_it_was(self, notes: Notes) -> None:
        note = {"id": "é 🐈", "n": [1, None, {"deep": 1.5}], "yes": True}
        notes.put("sarah", "agent", note)
        assert notes.get("sarah", "agent") == note
        notes.put("sarah", "agent", {"id": "other"})
        assert notes.get("sarah", "agent") == {"id": "other"}

    def test_settings_are_of_the_store_and_the_last_of_each_name_stay(self, store: Store) -> None:
        assert store.recorded_settings() is None
        store.record_settings({"blocks": ["é 🐈"], "learning": "inline"})
        store.record_settings({"learning": {"batch": 3}})
        store.backend.create_subject("sarah")
        store.backend.delete_subject("sarah")
        assert store.recorded_settings() == {"blocks": ["é 🐈"], "learning": {"batch": 3}}

    def test_settings_that_several_record_at_once_are_all_there(self, store: Store) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: store.record_settings({f"s{number}": number}), range(24)))
        assert store.recorded_settings() == {f"s{number}": number for number in range(24)}

    def test_notes_of_subjects_are_apart(self, notes: Notes) -> None:
        notes.put("sarah", "agent", {"n": 1})
        assert notes.get("bob", "agent") is None
        assert notes.list("bob") == {}

    def test_none_removes_a_note(self, notes: Notes) -> None:
        notes.put("sarah", "agent", {"n": 1})
        notes.put("sarah", "agent", None)
        notes.put("sarah", "never there", None)
        assert notes.list("sarah") == {}

    def test_notes_are_listed_by_the_beginning_of_their_keys(self, notes: Notes) -> None:
        for key in ("block/summary", "block/human", "blocks", "agent", "block%"):
            notes.put("sarah", key, {"key": key})
        assert list(notes.list("sarah", "block/")) == ["block/human", "block/summary"]
        assert list(notes.list("sarah")) == ["agent", "block%", "block/human", "block/summary", "blocks"]

    def test_the_subjects_with_a_note_are_known(self, notes: Notes) -> None:
        notes.put("sarah", "unsent", {})
        notes.put("bob", "unsent", {})
        notes.put("bob", "agent", {})
        assert list(notes.subjects("unsent")) == ["bob", "sarah"]
        assert list(notes.subjects("agent")) == ["bob"]
        assert list(notes.subjects("nothing")) == []

    def test_one_of_many_concurrent_calls_adds_a_note(self, notes: Notes) -> None:
        with ThreadPoolExecutor(8) as pool:
            added = list(pool.map(lambda n: notes.add("sarah", "agent", {"n": n}), range(8)))
        assert added.count(True) == 1
        assert notes.get("sarah", "agent") == {"n": added.index(True)}

    def test_an_unknown_subject_has_no_notes_and_takes_none(self, notes: Notes) -> None:
        assert notes.get("nobody", "agent") is None
        assert notes.list("nobody") == {}
        notes.put("nobody", "agent", None)
        for write in (notes.put, notes.add):
            with pytest.raises(SubjectNotFoundError):
                write("nobody", "agent", {})

    def test_notes_are_written_and_undone_with_their_transaction(self, store: Store, notes: Notes) -> None:
        with pytest.raises(RuntimeError, match="crash"), store.journal.transaction():
            notes.put("sarah", "agent", {"n": 1})
            raise RuntimeError("crash")
        assert notes.get("sarah", "agent") is None

    def test_notes_go_with_their_subject(self, store: Store, notes: Notes) -> None:
        notes.put("sarah", "agent", {"n": 1})
        store.backend.delete_subject("sarah")
        store.backend.create_subject("sarah")
        assert notes.list("sarah") == {}
        assert list(notes.subjects("agent")) == []
