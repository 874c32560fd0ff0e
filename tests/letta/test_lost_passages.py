"""Passages that are removed or changed while they are sent: what was said here last stands, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from letta.lossy_server import LossyLetta
from letta.opening import said

from ai_memory_integrations import Memory, Passage
from ai_memory_integrations.backends.letta.store import LettaStore, open_letta
from ai_memory_integrations.backends.sqlite import SQLiteStore

BATCH = ("POST", "/v1/archives/.*/passages/batch")


@pytest.fixture
def fake() -> LossyLetta:
    return LossyLetta()


@pytest.fixture
def store(fake: LossyLetta, tmp_path: Path) -> Iterator[LettaStore]:
    store = open_letta("letta://fake?retries=0", client=fake.client(), journal=SQLiteStore(str(tmp_path / "j.db")))
    yield store
    store.close()


@pytest.fixture
def memory(store: LettaStore) -> Iterator[Memory]:
    with Memory(backend=store, learning="off", subject_id="sarah") as memory:
        memory.initialize_user_memory()
        memory.add_passages(["the first makes the archive"])
        yield memory


def texts(memory: Memory) -> list[str]:
    return [each.text for each in memory.list_passages()][1:]


def at_letta(fake: LossyLetta) -> list[str]:
    return [each["text"] for each in fake.passages.values()][1:]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_passage_that_is_removed_while_it_is_sent_does_not_come_back(
    memory: Memory, store: LettaStore, fake: LossyLetta, when: str
) -> None:
    passage = Passage(text="a secret")
    with fake.meanwhile(*BATCH, lambda: store.backend.delete_passages("sarah", [passage.id]), when=when):
        memory.add_passages([passage, "likes tea"])
    assert texts(memory) == ["likes tea"]
    assert next(each.text for each in memory.search_passages("a secret")) != "a secret"
    store.backend.send_passages("sarah")
    assert at_letta(fake) == ["likes tea"]


def test_a_passage_that_is_removed_after_its_answer_was_lost_does_not_come_back(
    memory: Memory, store: LettaStore, fake: LossyLetta
) -> None:
    passage = Passage(text="a secret")
    with fake.losing(*BATCH):
        memory.add_passages([passage, "likes tea"])
    late, fake.passages = fake.passages, {}  # they are not to be seen yet
    assert memory.delete_passage(passage.id)
    fake.passages = late
    store.backend.send_passages("sarah")
    assert texts(memory) == at_letta(fake) == ["likes tea"]


def test_what_a_passage_is_changed_to_after_its_answer_was_lost_stands(
    memory: Memory, store: LettaStore, fake: LossyLetta
) -> None:
    first = Passage(text="likes tea", tags=("old",), metadata={"n": 1})
    with fake.losing(*BATCH, and_then_away=True):
        memory.add_passages([first])
        memory.add_passages([first.model_copy(update={"tags": ("new",), "metadata": {"n": 2}})])
    store.backend.send_passages("sarah")
    (found,) = memory.list_passages()[1:]
    assert (found.tags, found.metadata) == (("new",), {"n": 2})
    assert at_letta(fake) == ["likes tea"]


def test_a_text_that_is_replaced_after_its_answer_was_lost_is_not_found_any_more(
    memory: Memory, store: LettaStore, fake: LossyLetta
) -> None:
    first = Passage(text="a secret")
    with fake.losing(*BATCH, and_then_away=True):
        memory.add_passages([first])
        memory.add_passages([first.model_copy(update={"text": "likes tea"})])
    store.backend.send_passages("sarah")
    assert texts(memory) == at_letta(fake) == ["likes tea"]


def test_who_answers_last_does_not_remove_what_another_process_has_settled(
    memory: Memory, store: LettaStore, fake: LossyLetta, tmp_path: Path
) -> None:
    other = open_letta("letta://fake?retries=0", client=fake.client(), journal=SQLiteStore(str(tmp_path / "j.db")))

    def settle() -> None:
        other.backend._archive._clock = lambda: 4_000_000_000.0  # the turn of the first is over
        other.backend.send_passages("sarah")

    with fake.meanwhile(*BATCH, settle):
        memory.add_passages(["likes tea"])
    other.close()
    store.backend.send_passages("sarah")
    assert texts(memory) == at_letta(fake) == ["likes tea"]


def test_what_was_said_and_is_deleted_while_it_is_sent_does_not_come_back(
    memory: Memory, store: LettaStore, fake: LossyLetta
) -> None:
    memory.add_messages(said("I love cats", "I have a secret"), skip_vector_storage=False)
    ids = [each.id for each in memory.list_passages()[1:]]
    with fake.meanwhile(*BATCH, lambda: store.backend.delete_passages("sarah", [ids[1]]), when="before"):
        store.backend.send_passages("sarah")
    assert texts(memory) == ["I love cats"]
