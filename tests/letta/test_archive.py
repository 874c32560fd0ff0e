"""Passages on a Letta server: many in one request, found again as they were, by meaning, words, tags and times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from letta.fake_server import FakeLetta
from letta.opening import agent_of, said, store_at
from letta.proxy import Proxy
from letta_client import Letta
from patience import wait_until

from ai_memory_integrations import Memory, Passage
from ai_memory_integrations.backends.letta.store import open_letta
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.types import PassageQuery

DAY = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def memory(letta_proxy: Proxy, tmp_path: Path) -> Iterator[Memory]:
    store = store_at(letta_proxy.url, tmp_path / "journal.db")
    with Memory(backend=store, learning="off") as memory:
        yield memory
    store.close()


def texts(passages: list[Passage]) -> list[str]:
    return [passage.text for passage in passages]


def test_any_number_of_passages_is_one_request(memory: Memory, letta_proxy: Proxy, subject: str) -> None:
    memory.add_passages(["The first makes the archive"], subject_id=subject)
    letta_proxy.forget()
    memory.add_passages([f"number {number}" for number in range(40)], subject_id=subject)
    assert letta_proxy.lines() == Counter({"POST /v1/archives/{archive}/passages/batch": 1})
    letta_proxy.forget()
    assert len(memory.list_passages(subject_id=subject)) == 41
    assert letta_proxy.lines().total() == 1


def test_what_is_meant_is_found_and_what_is_said_comes_first(memory: Memory, letta_proxy: Proxy, subject: str) -> None:
    memory.add_passages(["I love cats", "The weather is fine", "My bicycle is red"], subject_id=subject)
    letta_proxy.forget()
    assert memory.search_passages("animals", subject_id=subject)[0].text == "I love cats"
    assert letta_proxy.lines().total() == 1
    found = memory.search_passages("a red bicycle", subject_id=subject, limit=2, explain=True)
    assert found[0].text == "My bicycle is red"
    assert len(found) == 2
    first = found[0].explanation or {}
    assert found[0].score == pytest.approx(first["meaning"] + first["words"]) == pytest.approx(1.0)


def test_a_tag_is_found_among_many_others(memory: Memory, subject: str) -> None:
    many = [Passage(text=f"filler number {number}", tags=("filler",)) for number in range(260)]
    memory.add_passages([*many, Passage(text="the needle", tags=("wanted", "rare"), role="user")], subject_id=subject)
    assert texts(memory.search_passages("filler number", subject_id=subject, tags=["wanted"])) == ["the needle"]
    assert texts(memory.list_passages(subject_id=subject, tags=["rare"])) == ["the needle"]


def test_times_narrow_a_search(memory: Memory, subject: str) -> None:
    days = [Passage(text=f"day {number}", created_at=DAY + timedelta(days=number)) for number in range(5)]
    memory.add_passages(days, subject_id=subject)
    found = memory.search_passages(
        "day", subject_id=subject, after=DAY + timedelta(days=1), before=DAY + timedelta(days=3)
    )
    assert sorted(texts(found)) == ["day 1", "day 2"]


def test_what_letta_cannot_hold_stays_here_and_is_found(memory: Memory, letta_client: Letta, subject: str) -> None:
    long = f"The long story of the needle {'and more of it ' * 2000}"
    memory.add_passages([Passage(text="short"), Passage(text=long)], subject_id=subject)
    assert sorted(texts(memory.list_passages(subject_id=subject))) == sorted(["short", long])
    assert texts(memory.search_passages("needle", subject_id=subject, limit=5))[0] in (long, "short")
    assert long in texts(memory.search_passages("needle", subject_id=subject, limit=5))
    there = letta_client.agents.passages.search(agent_of(memory, subject), query="story", top_k=10).results
    assert [each.content for each in there] == ["short"]


def test_a_passage_that_is_removed_or_replaced_leaves_nothing_at_letta(
    memory: Memory, letta_client: Letta, subject: str
) -> None:
    one, two = memory.add_passages(["cats", "dogs"], subject_id=subject)
    assert memory.get_passage(two, subject_id=subject).text == "dogs"  # type: ignore[union-attr]
    memory.add_passages([Passage(id=two, text="horses")], subject_id=subject)
    assert memory.delete_passage(one, subject_id=subject)
    assert memory.get_passage(one, subject_id=subject) is None
    assert texts(memory.list_passages(subject_id=subject)) == ["horses"]
    there = letta_client.agents.passages.search(agent_of(memory, subject), query="animals", top_k=10).results
    assert [each.content for each in there] == ["horses"]


def test_a_passage_that_was_replaced_and_is_removed_in_transactions_is_gone(
    memory: Memory, letta_client: Letta, subject: str
) -> None:
    backend, journal = memory._core.store.backend, memory._core.store.journal
    (one,) = memory.add_passages(["cats"], subject_id=subject)
    with journal.transaction():
        assert backend.get_passage(subject, one) is not None
        backend.add_passages(subject, [Passage(id=one, text="horses")])
    with journal.transaction():
        assert [each.text for each in backend.list_passages(subject)] == ["horses"]
        assert backend.delete_passages(subject, [one]) == 1
        assert backend.list_passages(subject) == []
    assert memory.list_passages(subject_id=subject) == []
    assert letta_client.agents.passages.search(agent_of(memory, subject), query="animals").results == []


def test_a_file_that_is_read_again_keeps_its_parts(
    memory: Memory, letta_proxy: Proxy, tmp_path: Path, subject: str
) -> None:
    file = tmp_path / "notes.md"
    file.write_text("\n\n".join(f"# Part {number}\n\n{'word ' * 400}" for number in range(6)))
    added = memory.add_files([file], subject_id=subject).files[0]
    assert added.added > 3
    letta_proxy.forget()
    again = memory.add_files([file], subject_id=subject).files[0]
    assert (again.added, again.unchanged) == (0, added.added)
    assert letta_proxy.lines().total() <= 2
    file.write_text("# Part 0\n\nmuch shorter")
    memory.add_files([file], subject_id=subject)
    assert len(memory.list_passages(subject_id=subject)) == 1


def test_passages_are_read_through_another_journal(
    memory: Memory, letta_proxy: Proxy, tmp_path: Path, subject: str
) -> None:
    passage = Passage(text="cats", tags=("b", "a", "b"), metadata={"n": 1}, created_at=DAY, role="user", thread_id="t")
    memory.add_passages([passage], subject_id=subject)
    store = store_at(letta_proxy.url, tmp_path / "other.db")
    with Memory(backend=store, learning="off") as other:
        assert other.get_memory_agent_id(subject) == agent_of(memory, subject)
        assert other.list_passages(subject_id=subject) == [passage]
        assert other.get_passage(passage.id, subject_id=subject) == passage
        assert other.delete_passage(passage.id, subject_id=subject)
    store.close()
    assert memory.list_passages(subject_id=subject) == []


def test_what_an_agent_or_the_sdk_archived_is_found_too(memory: Memory, letta_client: Letta, subject: str) -> None:
    memory.add_passages(["cats"], subject_id=subject)
    agent = agent_of(memory, subject)
    letta_client.agents.passages.create(agent, text="I like horses", tags=["user"])
    found = memory.search_passages("horses", subject_id=subject)[0]
    assert (found.text, found.tags, found.role) == ("I like horses", ("user",), "user")
    assert memory.search("horses", subject_id=subject)[0] == "I like horses"


def test_what_was_said_is_found_before_letta_has_it(memory: Memory, letta_proxy: Proxy, subject: str) -> None:
    memory.add_messages(subject, said("I love cats", "The weather is fine"))
    assert letta_proxy.count("POST", "*/passages/batch") == 0
    assert texts(memory.search_passages("cats", subject_id=subject))[0] == "I love cats"
    assert texts(memory.list_passages(subject_id=subject)) == ["I love cats", "The weather is fine"]


class Interrupted(FakeLetta):
    """Does something else before it answers the next search."""

    meanwhile: Callable[[], object] | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.meanwhile is not None and request.url.path.endswith("/archival-memory/search"):
            call, self.meanwhile = self.meanwhile, None
            call()
        return super().answer(request)


def test_what_letta_is_sent_during_a_search_is_found_once(tmp_path: Path) -> None:
    fake = Interrupted()
    store = open_letta("letta://fake", client=fake.client(), journal=SQLiteStore(str(tmp_path / "journal.db")))
    with Memory(backend=store, learning="off", subject_id="sarah") as memory:
        memory.initialize_user_memory("sarah")
        memory.add_messages([{"role": "user", "content": "I love cats"}])

        def send() -> None:
            assert memory.flush()
            wait_until(lambda: not store.record.backend.list_passages("sarah"))

        fake.meanwhile = send
        assert texts(memory.search_passages("cats")) == ["I love cats"]
        assert [each["text"] for each in fake.passages.values()] == ["I love cats"]
        assert texts(memory.search_passages("cats")) == ["I love cats"]
    store.close()


def facts(memory: Memory) -> None:
    memory.add_passages([f"cat fact {number}" for number in range(20)])
    wait_until(lambda: not memory._core.store.record.backend.list_passages("sarah"))  # type: ignore[attr-defined]


def test_what_waits_does_not_stand_behind_all_that_letta_has(tmp_path: Path) -> None:
    store = open_letta("letta://fake", client=FakeLetta().client(), journal=SQLiteStore(str(tmp_path / "journal.db")))
    with Memory(backend=store, learning="off", subject_id="sarah") as memory:
        facts(memory)
        memory.add_messages([{"role": "user", "content": "My cat is called Miso."}])
        assert store.record.backend.list_passages("sarah")
        found = memory.search_passages("What is my cat called?", limit=3, explain=True)
        assert texts(found)[0] == "My cat is called Miso."
        assert all(each.score == sum((each.explanation or {}).values()) <= 1 for each in found)
    store.close()


def test_what_is_sent_during_a_search_is_ranked_by_letta_as_well(tmp_path: Path) -> None:
    fake = Interrupted()
    store = open_letta("letta://fake", client=fake.client(), journal=SQLiteStore(str(tmp_path / "journal.db")))
    with Memory(backend=store, learning="off", subject_id="sarah") as memory:
        memory.initialize_user_memory("sarah")
        memory.add_messages([{"role": "user", "content": "My cat is called Miso."}])
        fake.meanwhile = lambda: facts(memory)
        first = texts(memory.search_passages("What is my cat called?", limit=3))
        assert first[0] == "My cat is called Miso."
        assert first == texts(memory.search_passages("What is my cat called?", limit=3))
    store.close()


def test_a_big_archive_is_searched_within_its_limit(memory: Memory, subject: str) -> None:
    memory.add_passages([f"number {number} of them" for number in range(120)], subject_id=subject)
    backend = memory._core.store.backend
    for limit in (1, 7, 110):
        assert len(backend.search_passages(subject, PassageQuery(text="number of them", limit=limit))) == limit


def test_the_archive_is_made_once_and_outlives_an_agent(memory: Memory, letta_client: Letta, subject: str) -> None:
    memory.add_passages(["cats"], subject_id=subject)
    agent = agent_of(memory, subject)
    archives = [archive.id for archive in letta_client.archives.list(agent_id=agent).items]
    letta_client.agents.delete(agent)
    memory.get_user_memory(subject)  # asks Letta, and finds out
    memory.add_passages(["dogs"], subject_id=subject)
    assert [a.id for a in letta_client.archives.list(agent_id=agent_of(memory, subject)).items] == archives
    assert sorted(texts(memory.list_passages(subject_id=subject))) == ["cats", "dogs"]


def test_the_first_archive_is_one_also_when_somebody_else_was_faster(
    memory: Memory, letta_proxy: Proxy, letta_client: Letta, tmp_path: Path, subject: str
) -> None:
    memory.initialize_user_memory(subject)
    agent = agent_of(memory, subject)
    letta_client.agents.passages.create(agent, text="I like horses")
    memory.add_passages(["cats"], subject_id=subject)
    (archive,) = letta_client.archives.list(agent_id=agent).items
    assert letta_client.archives.list(name=f"ami:subject:{subject}").items == []
    assert {each.passage.text for each in letta_client.passages.search(archive_id=archive.id)} == {
        "cats",
        "I like horses",
    }


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/archives/"), ("PATCH", "/v1/agents/*/archives/attach/*"), ("POST", "/v1/archives/*/passages/batch")],
)
def test_the_first_archive_is_one_also_when_an_answer_was_lost(
    memory: Memory, letta_proxy: Proxy, letta_client: Letta, subject: str, method: str, path: str, when: str
) -> None:
    memory.initialize_user_memory(subject)
    letta_proxy.drop(method, path, when=when, times=4)  # also what is sent again at once
    memory.add_passages(["cats"], subject_id=subject)
    letta_proxy.heal()
    memory.add_passages(["dogs"], subject_id=subject)
    attached = [each.id for each in letta_client.archives.list(agent_id=agent_of(memory, subject)).items]
    assert [each.id for each in letta_client.archives.list(name=f"ami:subject:{subject}").items] == attached
    assert sorted(texts(memory.list_passages(subject_id=subject))) == ["cats", "dogs"]
