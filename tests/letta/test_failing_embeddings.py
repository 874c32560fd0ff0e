"""Passages over which Letta fails (500): one that no embedding model takes does not keep the others, an outage costs
none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from letta.lossy_server import POISON, LossyLetta
from letta.opening import agent_of, store_at
from letta.server import Place
from letta_client import Letta

from ai_memory_integrations import Memory, Passage
from ai_memory_integrations.backends.letta import refusals
from ai_memory_integrations.backends.letta.store import LettaStore, open_letta
from ai_memory_integrations.backends.sqlite import SQLiteStore

MINUTE = 61.0


class At:
    """A memory at a fake server; each call is by a process of its own, a minute after the one before."""

    def __init__(self, fake: LossyLetta, journal: Path) -> None:
        self.fake = fake
        self._journal = journal
        self._now = 1_800_000_000.0

    @contextmanager
    def opened(self) -> Iterator[tuple[LettaStore, Memory]]:
        self._now += MINUTE
        store = open_letta("letta://fake?retries=0", client=self.fake.client(), journal=SQLiteStore(str(self._journal)))
        store.outbox._clock = lambda: self._now
        with Memory(backend=store, learning="off", subject_id="sarah", embedder=False) as memory:
            yield store, memory
        store.close()

    def add(self, *texts: str) -> list[str]:
        with self.opened() as (_, memory):
            return memory.add_passages(texts)

    def waiting(self) -> list[str]:
        with self.opened() as (store, _):
            return [passage.text for passage in store.record.backend.list_passages("sarah")]

    def there(self) -> list[str]:
        return sorted(each["text"] for each in self.fake.passages.values())

    def findings(self, *, fix: bool = False) -> str:
        with self.opened() as (store, _):
            return " ".join(
                each.text for each in store.examine(fix=fix) if (each.level, each.name) == ("note", "letta")
            )


@pytest.fixture
def at(tmp_path: Path) -> At:
    return At(LossyLetta(), tmp_path / "journal.db")


def several(first: int, last: int) -> list[str]:
    return [f"fact {number:03}" for number in range(first, last)]


@pytest.mark.parametrize("place", [0, 13, 29])
def test_one_that_is_never_taken_keeps_the_others_for_three_turns(at: At, place: int) -> None:
    texts = several(0, 29)
    texts.insert(place, POISON)
    at.add(*texts)
    for number in range(refusals.BATCHES - 1):
        assert at.there() == []
        at.add(f"more {number}")
    at.add("the last")
    assert at.there() == sorted([*several(0, 29), "more 0", "more 1", "the last"])
    assert at.waiting() == [POISON]


def test_it_is_given_up_when_it_alone_has_failed_again_and_again_and_is_found_by_its_words(
    at: At, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "ai_memory_integrations")
    at.add("likes tea", POISON)
    for number in range(refusals.BATCHES + refusals.ALONE - 1):
        assert "again and again" not in caplog.text
        at.add(f"fact {number}")
    assert "again and again, and takes others" in caplog.text
    assert at.waiting() == [POISON]
    asked = len(at.fake.batches)
    at.add("one more")
    assert at.fake.batches[asked:] == [["one more"]]
    with at.opened() as (_, memory):
        assert POISON in [each.text for each in memory.search_passages("no embedding model takes")]
        assert POISON in [each.text for each in memory.list_passages()]
    assert "does not take 1 passages" in at.findings()


def test_an_outage_of_the_provider_costs_no_passage_however_long_it_takes(at: At) -> None:
    at.add("before it")
    at.fake.is_failing = True
    texts = several(0, 40)
    for text in texts:
        at.add(text)
    asked = len(at.fake.batches)
    at.add("during it")
    assert len(at.fake.batches) - asked <= 2
    assert len(at.waiting()) == 41
    assert "wait" in at.findings()
    at.fake.is_failing = False
    asked = len(at.fake.batches)
    at.add("after it")
    assert at.there() == sorted([*texts, "before it", "during it", "after it"])
    assert at.waiting() == []
    assert len(at.fake.batches) - asked <= 2
    assert at.findings() == ""


def test_an_outage_does_not_count_against_what_is_sent_apart(at: At) -> None:
    at.add("likes tea", POISON)
    for number in range(refusals.BATCHES):
        at.add(f"fact {number}")
    assert at.waiting() == [POISON]
    at.fake.is_failing = True
    for number in range(3 * refusals.ALONE):
        at.add(f"during {number}")
    with at.opened() as (store, _):
        assert store.outbox.kept("sarah") == []
    at.fake.is_failing = False
    at.add("after it")
    assert at.waiting() == [POISON]


def test_a_passage_that_is_all_there_is_waits_and_is_not_given_up(at: At) -> None:
    at.add(POISON)
    for _ in range(20):
        with at.opened() as (store, _memory):
            store.backend.send("sarah")
    assert at.waiting() == [POISON]
    with at.opened() as (store, _memory):
        assert store.outbox.kept("sarah") == []


def test_what_fails_is_tried_apart_once_a_minute(at: At) -> None:
    at.add("likes tea", POISON)
    for number in range(refusals.BATCHES):
        at.add(f"fact {number}")
    with at.opened() as (store, memory):
        memory.add_passages(["a"])
        asked = len(at.fake.batches)
        for text in ("b", "c", "d"):
            memory.add_passages([text])
        assert at.fake.batches[asked:] == [["b"], ["c"], ["d"]]
        assert store.outbox.kept("sarah") == []


def test_what_is_changed_or_tried_again_is_taken_when_it_can_be(at: At) -> None:
    first = Passage(text=POISON)
    with at.opened() as (_, memory):
        memory.add_passages(["likes tea", first, Passage(text=f"{POISON} either")])
    for number in range(refusals.BATCHES + refusals.ALONE):
        at.add(f"fact {number}")
    assert "does not take 2 passages" in at.findings()
    with at.opened() as (_, memory):
        memory.add_passages([first.model_copy(update={"text": "what every model takes"})])
    assert at.waiting() == [f"{POISON} either"]
    assert "what every model takes" in at.there()
    assert "fails over passages of 1 subjects" in at.findings(fix=True)
    assert at.waiting() == [f"{POISON} either"]


def test_many_that_are_never_taken_keep_nobody_for_ever(at: At) -> None:
    bad = [f"{POISON} {number:02}" for number in range(20)]
    good = several(0, 60)
    at.add(*bad[:10], *good[:30], *bad[10:], *good[30:])
    for number in range(refusals.BATCHES + 10):
        at.add(f"more {number:02}")
    assert at.waiting() == bad
    assert at.there() == sorted([*good, *(f"more {number:02}" for number in range(refusals.BATCHES + 10))])


def test_what_arrived_though_the_server_failed_with_its_answer_is_there_once(at: At) -> None:
    at.add("the first makes the archive")
    texts = several(0, 5)
    with at.fake.failing_with_the_answer():
        at.add(*texts)
        for number in range(refusals.BATCHES + 1):
            at.add(f"more {number}")
    at.add("the last")
    assert len(at.there()) == len(set(at.there())) == 5 + refusals.BATCHES + 1 + 2
    assert at.waiting() == []


@pytest.fixture
def opened(letta_server: Place, tmp_path: Path) -> Iterator[Callable[[], Memory]]:
    with ExitStack() as held:

        def open_() -> Memory:
            store = store_at(letta_server.url, tmp_path / "journal.db")
            held.callback(store.close)
            return held.enter_context(Memory(backend=store, learning="off", embedder=False))

        yield open_


def test_on_a_real_server_what_its_provider_refuses_does_not_keep_the_others(
    opened: Callable[[], Memory], letta_client: Letta, subject: str
) -> None:
    memory = opened()
    memory.add_passages(["I love cats"], subject_id=subject)
    bad = "I love mice [[status=400]]"
    memory.add_passages(["I love dogs", bad, "I love birds"], subject_id=subject)
    for text in ("I love horses", "I love fish", "I love bees"):
        memory.add_passages([text], subject_id=subject)
    agent = agent_of(memory, subject)
    there = {each.content for each in letta_client.agents.passages.search(agent, query="animals", top_k=20).results}
    assert there == {f"I love {each}" for each in ("cats", "dogs", "birds", "horses", "fish", "bees")}
    found = [each.text for each in memory.list_passages(subject_id=subject)]
    assert sorted(found) == sorted([*there, bad])
    memory.delete_subject(subject)
