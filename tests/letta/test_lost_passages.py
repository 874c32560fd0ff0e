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
        other.outbox._clock = lambda: 4_000_000_000.0  # the turn of the first is over
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


def erased(memory: Memory) -> int:
    """How many passages the receipt counts, and the first of this file."""
    receipt = memory.delete_subject("sarah")
    assert receipt is not None
    return receipt.passages - 1


def test_a_receipt_counts_a_passage_once_whose_answer_was_lost(memory: Memory, fake: LossyLetta) -> None:
    with fake.losing(*BATCH):
        memory.add_passages(["likes tea", "has a cat"])
    assert erased(memory) == 2
    assert at_letta(fake) == []


def test_a_receipt_counts_a_passage_once_that_is_twice_at_letta(memory: Memory, fake: LossyLetta) -> None:
    memory.add_passages(["likes tea", "has a cat"])
    twin = {**list(fake.passages.values())[-1], "id": "passage-twin"}
    fake.passages["passage-twin"] = twin
    assert erased(memory) == 2


def test_a_receipt_counts_a_passage_once_of_which_a_newer_version_waits(memory: Memory, fake: LossyLetta) -> None:
    first = Passage(text="likes tea")
    memory.add_passages([first])
    with fake.away():
        memory.add_passages([first.model_copy(update={"text": "likes coffee"}), Passage(text="has a cat")])
    assert erased(memory) == 2


def test_a_receipt_does_not_count_what_was_removed_before(memory: Memory, fake: LossyLetta) -> None:
    ids = memory.add_passages(["likes tea", "has a cat"])
    with fake.losing("DELETE", "/v1/archives/.*/passages/.*", arrives=False):
        memory.delete_passage(ids[0])
    assert at_letta(fake) == ["likes tea", "has a cat"]
    assert erased(memory) == 1


def test_nothing_whose_answer_was_lost_stays_in_an_archive_that_others_have(memory: Memory, fake: LossyLetta) -> None:
    (archive,) = fake.archives
    with fake.client() as client:
        other = client.agents.create(name="other", model="openai/gpt-4.1")
        client.agents.archives.attach(archive, agent_id=other.id)
        client.archives.passages.create_many(archive, passages=[{"text": "somebody else's"}])
    with fake.losing(*BATCH):
        memory.add_passages(["a secret"])
    assert erased(memory) == 1
    assert [each["text"] for each in fake.passages.values()] == ["somebody else's"]


def test_what_is_archived_when_agent_and_archive_were_removed_at_letta_waits_and_arrives(
    memory: Memory, fake: LossyLetta
) -> None:
    fake.agents.clear()
    fake.archives.clear()
    fake.passages.clear()
    for text in ("likes tea", "has a cat", "has a dog", "has a bird"):
        memory.add_passages([text])
    assert [each["text"] for each in fake.passages.values()] == ["likes tea", "has a cat", "has a dog", "has a bird"]
    assert len(fake.agents) == 1


def test_what_is_removed_of_a_batch_in_doubt_does_not_have_the_rest_sent_twice(
    memory: Memory, store: LettaStore, fake: LossyLetta
) -> None:
    batch = [Passage(text=text) for text in ("a secret", "likes tea", "has a cat")]
    with fake.losing(*BATCH):
        memory.add_passages(batch)
    assert memory.delete_passage(batch[0].id)
    store.backend.send_passages("sarah")
    assert texts(memory) == at_letta(fake) == ["likes tea", "has a cat"]
    assert memory.delete_passage(batch[1].id)
    assert texts(memory) == at_letta(fake) == ["has a cat"]
