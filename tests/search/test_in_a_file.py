"""Searching a file: what comes back, and what other processes do to it meanwhile."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from ai_memory_integrations import Memory, Passage

SAID = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
PASSAGES = [
    Passage(text="tea", created_at=SAID),
    Passage(
        text="tea with milk é 猫",
        id="mine",
        tags=("a", "b"),
        metadata={"source": "x", "deep": [{"n": 1.5}, None]},
        created_at=SAID,
        role="user",
        name="Sarah",
        thread_id="t",
        message_id="m",
    ),
    Passage(text="tea and rum", role="assistant", created_at=datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "memory.db")


def test_a_passage_that_is_read_equals_one_that_was_checked_in_every_way(path: str) -> None:
    with Memory(path, subject_id="sarah", embedder=False) as memory:
        memory.add_passages(PASSAGES)
        assert memory.list_passages() == PASSAGES
        for found in memory.search_passages("tea", tags=[], explain=True):
            fields = found.model_dump()
            checked = Passage(**fields)
            assert (found, repr(found)) == (checked, repr(checked))
            assert found.model_fields_set == checked.model_fields_set
            assert found.model_dump_json() == checked.model_dump_json()
            assert pickle.loads(pickle.dumps(found)) == checked
            assert found.model_copy(update={"score": None}) == checked.model_copy(update={"score": None})
            assert type(found.tags) is tuple
            with pytest.raises(ValidationError, match="frozen"):
                found.text = "coffee"  # type: ignore[misc]
        assert [found.model_copy(update={"score": None}) for found in memory.search_passages("milk")] == [PASSAGES[1]]


def test_what_one_caller_does_to_a_passage_no_other_sees(path: str) -> None:
    with Memory(path, subject_id="sarah", embedder=False) as memory:
        memory.add_passages(PASSAGES)
        first = memory.search_passages("milk")[0]
        first.metadata["source"] = "changed"
        first.model_fields_set.clear()
        again = memory.search_passages("milk")[0]
        assert again.metadata["source"] == "x"
        assert again.model_fields_set == set(Passage.model_fields)


def test_many_passages_are_found_in_one_search(path: str) -> None:
    with Memory(path, subject_id="sarah", embedder=False) as memory:
        memory.add_passages([f"tea {number}" for number in range(250)])
        assert {found.text for found in memory.search_passages("tea", limit=1000)} == {f"tea {n}" for n in range(250)}


@pytest.mark.parametrize("others", [2, 1200])
def test_what_somebody_else_changes_is_seen_at_once_and_whole(path: str, others: int) -> None:
    with Memory(path, subject_id="sarah", embedder=False) as memory, Memory(path, embedder=False) as other:
        memory.add_passages([f"bread {number}" for number in range(others)])
        memory.add_passages(PASSAGES)
        assert len(memory.search_passages("tea", tags=[])) == 3
        replaced = PASSAGES[1].model_copy(update={"metadata": {"source": "y"}, "name": "Sue", "message_id": None})
        other.add_passages([replaced], subject_id="sarah")
        assert memory.search_passages("milk")[0].model_copy(update={"score": None}) == replaced
        other.add_passages(["milk and honey"], subject_id="sarah")
        assert {found.text for found in memory.search_passages("milk")} == {replaced.text, "milk and honey"}
        other.delete_passage("mine", subject_id="sarah")
        assert memory.search("milk") == ["milk and honey"]
        assert [found.text for found in memory.search_passages(limit=1)] == ["milk and honey"]


def test_a_subject_that_somebody_else_deleted_is_empty_and_may_begin_anew(path: str) -> None:
    with Memory(path, embedder=False) as memory, Memory(path, embedder=False) as other:
        memory.add_passages(["tea in the morning"], subject_id="sarah")
        assert memory.search("sarah", "tea") == ["tea in the morning"]
        other.delete_subject("sarah")
        assert memory.search("sarah", "tea") == []
        other.add_passages(["tea at night"], subject_id="sarah")
        assert memory.search("sarah", "tea") == ["tea at night"]


def test_a_search_inside_a_transaction_sees_its_writes_and_keeps_nothing_of_them(path: str) -> None:
    with Memory(path, embedder=False) as memory:
        memory.add_passages(["tea"], subject_id="sarah")

        def add_in_vain() -> None:
            with memory._core.store.journal.transaction():
                memory.add_passages(["tea in vain"], subject_id="sarah")
                assert set(memory.search("sarah", "tea")) == {"tea", "tea in vain"}
                assert memory.search("nobody", "tea") == []
                raise LookupError

        with pytest.raises(LookupError):
            add_in_vain()
        assert memory.search("sarah", "tea") == ["tea"]
