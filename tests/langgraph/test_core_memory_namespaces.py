"""Blocks and passages as namespaces of the store: the same ones that `Memory` reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import InvalidNamespaceError, PutOp

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import (
    BlockLimitError,
    InvalidInputError,
    InvalidSubjectError,
    ReadOnlyBlockError,
    VersionConflictError,
)
from ai_memory_integrations.langgraph import CoreMemoryStore, core_memory_namespace
from ai_memory_integrations.langgraph.namespaces import decoded

SUBJECT = "alice@example.com"
BLOCKS = core_memory_namespace(SUBJECT, "blocks")
PASSAGES = core_memory_namespace(SUBJECT, "passages")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(str(tmp_path / "memory.db"), learning="off") as memory:
        yield memory


@pytest.fixture
def store(memory: Memory) -> CoreMemoryStore:
    return CoreMemoryStore(memory)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip))
def test_every_subject_has_a_namespace_of_its_own_that_langgraph_allows(subject_id: str) -> None:
    label = core_memory_namespace(subject_id)[1]
    assert label
    assert not set(".*\0") & set(label)
    assert decoded(label) == subject_id


def test_a_namespace_is_readable_and_refuses_what_is_no_subject() -> None:
    assert BLOCKS == ("core_memory", "alice@example%2Ecom", "blocks")
    assert core_memory_namespace(7) == ("core_memory", "7")
    with pytest.raises(InvalidSubjectError):
        core_memory_namespace(" ")
    with pytest.raises(ValueError, match="part"):
        core_memory_namespace("x", "notes")  # type: ignore[arg-type]


@pytest.mark.parametrize("label", ["a%2e", "a%", "%61", "*", "%C3%A9", "%"])
def test_a_label_that_no_subject_encodes_to_is_refused(store: CoreMemoryStore, label: str) -> None:
    with pytest.raises(InvalidNamespaceError, match="core_memory_namespace"):
        store.get(("core_memory", label, "blocks"), "human")


async def test_a_block_is_the_same_through_the_store_and_the_memory(store: CoreMemoryStore, memory: Memory) -> None:
    store.put(BLOCKS, "human", {"value": "Likes tea.", "description": "The user.", "limit": 50})
    assert memory.get_memory("human", subject_id=SUBJECT) == "Likes tea."
    memory.append_memory("human", "Has a cat.", subject_id=SUBJECT)
    item = await store.aget(BLOCKS, "human")
    assert item is not None
    assert item.value == {"value": "Likes tea.\nHas a cat.", "description": "The user.", "limit": 50, "version": 2}
    assert (item.namespace, item.key) == (BLOCKS, "human")
    assert item.created_at < item.updated_at
    await store.adelete(BLOCKS, "human")
    assert memory.get_block("human", SUBJECT) is None


def test_a_version_that_is_given_must_be_the_one_that_is_there(store: CoreMemoryStore) -> None:
    store.put(BLOCKS, "human", {"value": "one"})
    item = store.get(BLOCKS, "human")
    assert item is not None
    store.put(BLOCKS, "human", {**item.value, "value": "two"})
    with pytest.raises(VersionConflictError):
        store.put(BLOCKS, "human", {**item.value, "value": "three"})
    store.put(BLOCKS, "human", {"value": "four"})
    with pytest.raises(VersionConflictError):
        store.put(BLOCKS, "gone", {"value": "x", "version": 1})


def test_limits_and_read_only_blocks_hold_and_undo_the_whole_batch(store: CoreMemoryStore, memory: Memory) -> None:
    memory.initialize_memory("human", char_limit=5, subject_id=SUBJECT)
    memory.initialize_memory("rules", value="Be kind.", read_only=True, subject_id=SUBJECT)
    other = PutOp(("mine",), "k", {"n": 1})
    passage = PutOp(PASSAGES, "p1", {"text": "a cat"})
    for op, error in (
        (PutOp(BLOCKS, "human", {"value": "too long"}), BlockLimitError),
        (PutOp(BLOCKS, "rules", {"value": "x"}), ReadOnlyBlockError),
        (PutOp(BLOCKS, "rules", None), ReadOnlyBlockError),
        (PutOp(BLOCKS, "human", {"value": "x", "limit": 6}), InvalidInputError),
    ):
        with pytest.raises(error):
            store.batch([other, passage, op])
    assert store.get(("mine",), "k") is None
    assert memory.list_passages(subject_id=SUBJECT) == []
    CoreMemoryStore(memory, admin=True).put(BLOCKS, "rules", {"value": "x"})


@pytest.mark.parametrize(
    ("op", "said"),
    [
        (PutOp(BLOCKS, "human", {"content": "x"}), "'content' is not known"),
        (PutOp(BLOCKS, "human", {"description": "x"}), "'value' is missing"),
        (PutOp(BLOCKS, "human", {"value": 1}), "value"),
        (PutOp(BLOCKS, "human", {"value": "x", "limit": 0}), "limit"),
        (PutOp(BLOCKS, "human", {"value": "x", "version": "1"}), "version"),
        (PutOp(BLOCKS, "a b", {"value": "x"}), "label"),
        (PutOp(BLOCKS, "human", {"value": "x"}, ttl=5), "ttl"),
        (PutOp(BLOCKS, "human", {"value": "x"}, index=False), "index"),
        (PutOp(PASSAGES, "p", {"text": "x", "score": 1}), "'score' is not known"),
        (PutOp(PASSAGES, "p", {"text": " "}), "text is empty"),
        (PutOp(PASSAGES, "p", {"text": "x", "tags": "x"}), "tags"),
        (PutOp(PASSAGES, "p", {"text": "x"}, index=["text"]), "index"),
        (PutOp(BLOCKS[:2], "human", {"value": "x"}), "blocks"),
        (PutOp((*BLOCKS, "x"), "human", {"value": "x"}), "blocks"),
        (PutOp((*BLOCKS[:2], "notes"), "n", {"value": "x"}), "blocks"),
        (PutOp(("core_memory",), "n", {"value": "x"}), "no subject"),
    ],
)
def test_other_values_a_time_to_live_and_an_index_are_refused_by_name(
    store: CoreMemoryStore, op: PutOp, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        store.batch([PutOp(("mine",), "k", {"n": 1}), op])
    assert store.get(("mine",), "k") is None


def test_a_default_time_to_live_does_not_concern_the_core_memory(memory: Memory) -> None:
    store = CoreMemoryStore(memory, ttl={"default_ttl": 0.001})
    store.put(BLOCKS, "human", {"value": "x"})
    assert store.sweep_ttl() == 0
    assert store.get(BLOCKS, "human") is not None


def test_a_passage_is_the_same_through_the_store_and_the_memory(store: CoreMemoryStore, memory: Memory) -> None:
    store.put(PASSAGES, "p1", {"text": "She has a cat.", "tags": ["pet"], "metadata": {"n": 1}})
    passage = memory.get_passage("p1", subject_id=SUBJECT)
    assert passage is not None
    assert (passage.text, passage.tags, passage.metadata) == ("She has a cat.", ("pet",), {"n": 1})
    first = store.get(PASSAGES, "p1")
    assert first is not None
    store.put(PASSAGES, "p1", {**first.value, "text": "She has two cats."})
    second = store.get(PASSAGES, "p1")
    assert second is not None
    assert second.value["text"] == "She has two cats."
    assert second.created_at == first.created_at
    store.delete(PASSAGES, "p1")
    assert memory.list_passages(subject_id=SUBJECT) == []


def test_a_message_can_be_read_and_written_back_as_a_passage(store: CoreMemoryStore, memory: Memory) -> None:
    memory.add_messages(SUBJECT, [{"role": "user", "content": "I like tea", "name": "Alice"}], thread_id="t1")
    item = store.search(PASSAGES)[0]
    assert item.value.keys() == {"text", "tags", "metadata", "role", "name", "thread_id", "message_id"}
    store.put(PASSAGES, item.key, item.value)
    assert store.search(PASSAGES)[0].value == item.value


def test_a_search_below_a_subject_finds_blocks_and_passages(
    store: CoreMemoryStore, memory: Memory, ranks_all: bool
) -> None:
    store.put(BLOCKS, "human", {"value": "Plays the cello."})
    store.put(BLOCKS, "plans", {"value": "A journey to Rome."})
    store.put(PASSAGES, "p1", {"text": "The cello was made in Rome.", "tags": ["music"]})
    store.put(PASSAGES, "p2", {"text": "It rained."})
    found = store.search(BLOCKS[:2], query="cello")
    assert {item.key for item in found[:2]} == {"human", "p1"}
    assert all(item.score is not None and 0 < item.score <= 1 for item in found[:2])
    scored = [item.key for item in found[2:] if item.score is not None]
    assert scored == (["p2"] if ranks_all else [])
    assert [item.key for item in store.search(PASSAGES, query="cello")] == (["p1", "p2"] if ranks_all else ["p1"])
    assert [item.key for item in store.search(BLOCKS, query="rome")] == ["plans", "human"]
    assert [item.key for item in store.search(BLOCKS[:2], filter={"tags": ["music"]})] == ["p1"]
    whole = [item.key for item in store.search(BLOCKS[:2])]
    assert len(whole) == 4
    assert [store.search(BLOCKS[:2], limit=1, offset=n)[0].key for n in range(4)] == whole
    assert store.list_namespaces(prefix=BLOCKS[:2]) == [BLOCKS, PASSAGES]
    assert store.list_namespaces(prefix=BLOCKS[:2], suffix=("passages",)) == [PASSAGES]


def test_one_subject_never_sees_another(store: CoreMemoryStore) -> None:
    store.put(PASSAGES, "p1", {"text": "a secret"})
    bob = core_memory_namespace("bob")
    assert store.search(bob, query="secret") == []
    assert store.get((*bob, "passages"), "p1") is None
    store.delete((*bob, "passages"), "p1")
    assert store.get(PASSAGES, "p1") is not None
    assert store.list_namespaces(prefix=bob) == []


@pytest.mark.parametrize("way", ["search", "list", "wild", "get"])
def test_the_root_without_a_subject_is_refused(store: CoreMemoryStore, way: str) -> None:
    calls: dict[str, Any] = {
        "search": lambda: store.search(("core_memory",), query="x"),
        "list": lambda: store.list_namespaces(prefix=("core_memory",)),
        "wild": lambda: store.list_namespaces(prefix=("core_memory", "*", "blocks")),
        "get": lambda: store.get(("core_memory",), "k"),
    }
    with pytest.raises(InvalidNamespaceError, match="admin=True"):
        calls[way]()


def test_searching_everything_gives_the_items_only(store: CoreMemoryStore) -> None:
    store.put(BLOCKS, "human", {"value": "x"})
    store.put(("mine",), "k", {"value": "x"})
    assert [item.key for item in store.search((), query="x")] == ["k"]
    assert store.list_namespaces() == [("mine",)]
    assert store.list_namespaces(suffix=("blocks",)) == []


def test_an_administrator_looks_through_everybody(memory: Memory) -> None:
    store = CoreMemoryStore(memory, admin=True)
    for subject_id in ("a.b", "c"):
        store.put(core_memory_namespace(subject_id, "blocks"), "human", {"value": f"about {subject_id}"})
    assert {item.value["value"] for item in store.search(("core_memory",))} == {"about a.b", "about c"}
    assert store.list_namespaces(prefix=("core_memory", "*", "blocks")) == [
        ("core_memory", "a%2Eb", "blocks"),
        ("core_memory", "c", "blocks"),
    ]


def test_a_bound_memory_serves_its_subject_only(memory: Memory) -> None:
    store = CoreMemoryStore(memory.for_subject(SUBJECT))
    store.put(BLOCKS, "human", {"value": "x"})
    with pytest.raises(InvalidNamespaceError, match="bound"):
        store.get(core_memory_namespace("bob", "blocks"), "human")


def test_the_root_can_have_another_name(memory: Memory) -> None:
    store = CoreMemoryStore(memory, root="remembered")
    store.put(core_memory_namespace(SUBJECT, "blocks", root="remembered"), "human", {"value": "x"})
    store.put(("core_memory",), "k", {"n": 1})
    assert memory.get_memory("human", subject_id=SUBJECT) == "x"
    with pytest.raises(InvalidNamespaceError):
        CoreMemoryStore(memory, root="a.b")


def test_a_deleted_subject_leaves_nothing_in_the_store(store: CoreMemoryStore, memory: Memory) -> None:
    store.put(BLOCKS, "human", {"value": "x"})
    store.put(PASSAGES, "p1", {"text": "x"})
    memory.delete_subject(SUBJECT)
    assert store.search(BLOCKS[:2]) == []
    assert store.list_namespaces(prefix=BLOCKS[:2]) == []
