"""What goes wrong between us and Letta costs time and nothing else: nothing is lost, nothing is learnt twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from letta.opening import AT_ONCE, agent_of, batches, memory_at, said, store_at, value_at
from letta.proxy import Proxy
from letta_client import Letta
from patience import PATIENCE, wait_until

from ai_memory_integrations import Memory, Passage
from ai_memory_integrations.backends.letta.delivery import Patience
from ai_memory_integrations.errors import RunFailedError

ASYNC = "/v1/agents/*/messages/async"
RUNS, RUN = "/v1/runs/", "/v1/runs/run-*"
BLOCKS = "/v1/agents/*/core-memory/blocks"
BATCH = "/v1/archives/*/passages/batch"
PASSAGES = "/v1/agents/*/archival-memory/search"


@pytest.fixture
def opened(letta_proxy: Proxy, tmp_path: Path) -> Iterator[Callable[..., Memory]]:
    """Makes memories over one journal."""
    with ExitStack() as held:
        yield lambda *given, **more: held.enter_context(
            memory_at(letta_proxy.url, tmp_path / "journal.db", *given, **more)
        )


def human(memory: Memory, subject: str) -> str:
    return memory.get_user_memory(subject) or ""


FAULTS: dict[str, Callable[[Proxy], None]] = {
    "lost before it is heard": lambda proxy: proxy.drop("POST", ASYNC),
    "done and the answer lost": lambda proxy: proxy.drop("POST", ASYNC, when="after"),
    "lost twice, done once": lambda proxy: (
        proxy.drop("POST", ASYNC),
        proxy.drop("POST", ASYNC, when="after"),
    ),
    "done and the next looks lost": lambda proxy: (
        proxy.drop("POST", ASYNC, when="after"),
        proxy.drop("GET", RUNS, times=4),
    ),
    "server error": lambda proxy: proxy.answer("POST", ASYNC, status=500),
    "conflict": lambda proxy: proxy.answer("POST", ASYNC, status=409),
    "busy": lambda proxy: proxy.answer("POST", ASYNC, status=429, headers={"retry-after": "0"}, times=4),
    "gone, as it seems": lambda proxy: proxy.answer("POST", ASYNC, status=404),
    "wrong key for a while": lambda proxy: proxy.answer("POST", ASYNC, status=401, times=2),
    "no look at the run": lambda proxy: (
        proxy.drop("GET", RUN, times=2),
        proxy.answer("GET", RUN, status=503, times=4),
    ),
    "no look at what it did": lambda proxy: (
        proxy.drop("GET", BLOCKS, times=2),
        proxy.answer("GET", BLOCKS, status=500, times=4),
    ),
    "slow": lambda proxy: proxy.delay("*", "/v1/*", seconds=0.2, times=None),
}


@pytest.mark.parametrize("exclusive", [False, True], ids=["", "exclusive"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_batch_is_learnt_once_whatever_breaks(
    opened: Callable[..., Memory],
    letta_proxy: Proxy,
    letta_client: Letta,
    subject: str,
    fault: str,
    exclusive: bool,
) -> None:
    memory = opened(exclusive=exclusive)
    memory.initialize_user_memory(subject)
    FAULTS[fault](letta_proxy)
    run = memory.wait_for_run(memory.add_messages(subject, said("I love cats")), PATIENCE)
    assert run.state == "completed"
    wait_until(lambda: human(memory, subject) != "")  # while a read fails it tells what was seen last
    assert human(memory, subject).count("I love cats") == 1
    assert value_at(letta_client, agent_of(memory, subject)) == human(memory, subject)
    assert batches(letta_client, agent_of(memory, subject)) == Counter({f"ami:{run.id}.1": 1})
    assert [passage.text for passage in memory.list_passages(subject_id=subject)] == ["I love cats"]


def test_an_answer_that_takes_too_long_is_looked_for(
    opened: Callable[..., Memory], letta_proxy: Proxy, letta_client: Letta, subject: str
) -> None:
    memory = opened(timeout=5.0, patience=Patience(settle=30.0))
    memory.initialize_user_memory(subject)
    letta_proxy.delay("POST", ASYNC, seconds=10.0)
    memory.wait_for_run(memory.add_messages(subject, said("I love cats")), PATIENCE)
    assert human(memory, subject).count("I love cats") == 1
    assert set(batches(letta_client, agent_of(memory, subject)).values()) == {1}
    assert letta_proxy.count("POST", ASYNC) == 1


def test_a_server_that_is_away_is_waited_for_and_says_so(
    opened: Callable[..., Memory], letta_proxy: Proxy, letta_client: Letta, subject: str
) -> None:
    memory = opened()
    memory.initialize_user_memory(subject)
    with letta_proxy.down():
        runs = [memory.add_messages(subject, said(f"I like fruit{number}x")) for number in range(3)]
        wait_until(lambda: "cannot be reached" in (memory.get_run(runs[0]).error or ""))  # type: ignore[union-attr]
        assert memory.get_run(runs[0]).state == "running"  # type: ignore[union-attr]
        assert [found.text for found in memory.search_passages("fruit1x", subject_id=subject)][:1] == ["I like fruit1x"]
    for run in runs:
        assert memory.wait_for_run(run, PATIENCE).attempts == 1
    assert [human(memory, subject).count(f"I like fruit{number}x") for number in range(3)] == [1] * 3


def test_a_wrong_key_fails_the_run_with_what_to_do(
    opened: Callable[..., Memory], letta_proxy: Proxy, subject: str
) -> None:
    memory = opened(AT_ONCE.model_copy(update={"attempts": 2}))
    memory.initialize_user_memory(subject)
    letta_proxy.answer("*", "/v1/*", status=401, times=None)
    with pytest.raises(RunFailedError, match="LETTA_API_KEY"):
        memory.wait_for_run(memory.add_messages(subject, said("I love cats")), PATIENCE)


@pytest.mark.parametrize("when", ["before", "after"])
def test_passages_are_archived_once_whatever_is_lost(
    letta_proxy: Proxy, letta_client: Letta, tmp_path: Path, subject: str, when: str
) -> None:
    store = store_at(letta_proxy.url, tmp_path / "journal.db")
    with Memory(backend=store, learning="off") as memory:
        memory.initialize_subject(subject)
        memory.add_passages([Passage(text="The first one")], subject_id=subject)
        letta_proxy.drop("POST", BATCH, when=when)  # type: ignore[arg-type]
        memory.add_passages([Passage(text=f"Passage {number}") for number in range(3)], subject_id=subject)
        assert len(memory.list_passages(subject_id=subject)) == 4  # those that wait as well
        memory.add_passages([Passage(text="The last one")], subject_id=subject)
        listed = [passage.text for passage in memory.list_passages(subject_id=subject)]
        assert listed == ["The first one", "Passage 0", "Passage 1", "Passage 2", "The last one"]
        there = letta_client.agents.passages.search(agent_of(memory, subject), query="passage", top_k=100).results
        assert sorted(each.content for each in there) == sorted(listed)
    store.close()
