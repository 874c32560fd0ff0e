"""A subject's Letta agent learns what the journal hands it, once, and what it writes is recorded."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from letta.opening import BATCHED, agent_of, batches, memory_at, said, value_at
from letta.proxy import Proxy
from letta_client import Letta
from patience import PATIENCE, wait_until

from ai_memory_integrations import Memory, Message
from ai_memory_integrations.backends.letta.delivery import Patience
from ai_memory_integrations.errors import RunFailedError
from ai_memory_integrations.learning.extractive import ExtractiveLearner


@pytest.fixture
def memory(letta_proxy: Proxy, tmp_path: Path) -> Iterator[Memory]:
    with memory_at(letta_proxy.url, tmp_path / "journal.db") as memory:
        yield memory


@pytest.fixture
def opened(letta_proxy: Proxy, tmp_path: Path) -> Iterator[Callable[..., Memory]]:
    """Makes memories over one journal."""
    with ExitStack() as held:
        yield lambda *given, **more: held.enter_context(
            memory_at(letta_proxy.url, tmp_path / "journal.db", *given, **more)
        )


def learnt(memory: Memory, subject: str, *texts: str) -> str:
    run = memory.add_messages(subject, said(*texts))
    return memory.wait_for_run(run, PATIENCE).id


def human(memory: Memory, subject: str) -> str:
    return memory.get_user_memory(subject) or ""


def test_an_agent_learns_and_its_edits_name_their_run_and_messages(
    memory: Memory, letta_client: Letta, subject: str
) -> None:
    message = Message(role="user", content="I love cats & <dogs>")
    run = memory.wait_for_run(memory.add_messages(subject, [message]), PATIENCE)
    assert (run.state, run.learner, run.edits, run.error) == ("completed", "letta", 2, None)
    assert "I love cats" in human(memory, subject)
    assert "I love cats" in (memory.get_summary(subject) or "")
    last = memory.memory_history("human", subject)[-1]
    assert (last.actor, last.run_id, last.message_ids) == ("learner", run.id, (message.id,))
    assert value_at(letta_client, agent_of(memory, subject)) == human(memory, subject)


def test_a_batch_is_three_requests_and_looks_at_its_run(memory: Memory, letta_proxy: Proxy, subject: str) -> None:
    learnt(memory, subject, "I love cats")
    letta_proxy.forget()
    run = memory.add_messages(subject, said("I live in Rome", "I have a dog"), skip_vector_storage=True)
    memory.wait_for_run(run, PATIENCE)
    lines = letta_proxy.lines()
    assert lines.pop("GET /v1/runs/{run}") >= 1
    assert lines == Counter(
        {
            "GET /v1/runs/": 1,
            "POST /v1/agents/{agent}/messages/async": 1,
            "GET /v1/agents/{agent}/core-memory/blocks": 1,
        }
    )
    letta_proxy.forget()
    learnt(memory, subject, *(f"I like tea number {number}" for number in range(30)))
    lines = letta_proxy.lines()
    del lines["GET /v1/runs/{run}"]
    assert lines.total() == 4  # all passages are one request
    assert lines["POST /v1/archives/{archive}/passages/batch"] == 1


def test_a_run_says_what_letta_spent_when_it_is_asked_to(opened: Callable[..., Memory], subject: str) -> None:
    memory = opened(usage=True)
    run = memory.get_run(learnt(memory, subject, "I love cats"))
    assert run is not None
    assert run.usage is not None
    assert run.usage.input_tokens > run.usage.output_tokens > 0
    assert list(memory.usage(subject)) == [subject]


def test_all_facts_of_twenty_concurrent_calls_are_kept(
    opened: Callable[..., Memory], letta_client: Letta, subject: str
) -> None:
    memory = opened(BATCHED.model_copy(update={"batch": 5, "idle": 0.01}))
    memory.initialize_user_memory(subject)
    with ThreadPoolExecutor(20) as pool:
        runs = list(pool.map(lambda n: memory.add_messages(subject, said(f"I like fruit{n:02}x")), range(20)))
    for run in set(runs):
        memory.wait_for_run(run, PATIENCE)
    lines = human(memory, subject)
    assert [lines.count(f"I like fruit{number:02}x") for number in range(20)] == [1] * 20
    assert set(batches(letta_client, agent_of(memory, subject)).values()) == {1}


def test_what_the_application_writes_while_the_agent_works_stays(
    memory: Memory, letta_client: Letta, subject: str, go: Path
) -> None:
    learnt(memory, subject, "I love cats")
    run = memory.add_messages(subject, said(f"I live in Rome [[until={go}]]"))
    agent = agent_of(memory, subject)
    wait_until(lambda: len(letta_client.runs.list(agent_id=agent, active=True).items) == 1)
    memory.append_memory("human", "By the application", subject_id=subject)
    assert human(memory, subject).endswith("By the application")
    go.touch()
    memory.wait_for_run(run, PATIENCE)
    wait_until(lambda: value_at(letta_client, agent) == human(memory, subject))
    for text in ("I love cats", "I live in Rome", "By the application"):
        assert human(memory, subject).count(text) == 1


def test_a_run_of_somebody_else_is_waited_for(memory: Memory, letta_client: Letta, subject: str) -> None:
    learnt(memory, subject, "I love cats")
    agent = agent_of(memory, subject)
    letta_client.agents.messages.create_async(
        agent, messages=[{"role": "user", "content": "user: I hate snow [[sleep=1]]"}]
    )
    learnt(memory, subject, "I live in Rome")
    assert [text in human(memory, subject) for text in ("I love cats", "I hate snow", "I live in Rome")] == [True] * 3


def test_a_refusal_of_the_model_fails_the_run_at_once_with_the_words_of_letta(
    memory: Memory, letta_client: Letta, subject: str
) -> None:
    run = memory.add_messages(subject, said("I work [[status=401]]"))
    with pytest.raises(RunFailedError, match="UNAUTHENTICATED") as caught:
        memory.wait_for_run(run, PATIENCE)
    assert caught.value.run.attempts == 1
    assert "refused with 401" in (caught.value.run.error or "")
    learnt(memory, subject, "I love cats")
    assert human(memory, subject).strip() == "I love cats"


def test_what_an_agent_did_before_it_failed_is_undone(memory: Memory, letta_client: Letta, subject: str) -> None:
    learnt(memory, subject, "I love cats")
    run = memory.add_messages(subject, said("I like tea [[status=400]] [[after=1]]"))
    with pytest.raises(RunFailedError, match="refused with 400"):
        memory.wait_for_run(run, PATIENCE)
    agent = agent_of(memory, subject)
    assert value_at(letta_client, agent).strip() == human(memory, subject).strip() == "I love cats"


def test_a_model_that_is_busy_is_asked_again_and_learns_once(memory: Memory, letta_client: Letta, subject: str) -> None:
    # Letta itself asks again three times, for each of our attempts
    learnt(memory, subject, "I like tea [[status=503]] [[times=8]]")
    assert human(memory, subject).count("I like tea") == 1
    assert set(batches(letta_client, agent_of(memory, subject)).values()) == {1}


def test_the_end_of_an_agents_steps_is_reported(memory: Memory, subject: str) -> None:
    run = memory.get_run(learnt(memory, subject, "I love cats [[loop]]"))
    assert run is not None
    assert "max_steps" in run.skipped["steps"]
    assert "I love cats" in human(memory, subject)


def test_a_block_that_the_agent_empties_gets_its_value_back(memory: Memory, letta_client: Letta, subject: str) -> None:
    learnt(memory, subject, "I love cats")
    before = human(memory, subject)
    run = memory.get_run(learnt(memory, subject, "[[forget]] [[label=human]]"))
    assert run is not None
    assert "emptied" in run.skipped["human"]
    assert human(memory, subject) == value_at(letta_client, agent_of(memory, subject)) == before


def test_a_block_that_the_agent_makes_too_long_is_cut_and_it_is_asked_to_shorten_it(
    memory: Memory, letta_client: Letta, letta_proxy: Proxy, subject: str
) -> None:
    memory.initialize_memory("human", char_limit=100, subject_id=subject)
    learnt(memory, subject, "I love cats [[long=150]]")
    assert len(human(memory, subject)) == 100
    assert len(value_at(letta_client, agent_of(memory, subject))) > 150
    letta_proxy.forget()
    learnt(memory, subject, "[[tool=memory_rethink]] [[value=I love cats]]")
    asked = [request.body.decode() for request in letta_proxy.seen if request.path.endswith("/messages/async")]
    assert "'human' is too long: 15" in asked[0]
    assert human(memory, subject) == "I love cats"
    letta_proxy.forget()
    learnt(memory, subject, "I like tea")
    assert not any("is too long" in request.body.decode() for request in letta_proxy.seen)


def test_a_batch_is_sent_in_parts_that_a_model_takes(
    opened: Callable[..., Memory], letta_client: Letta, subject: str
) -> None:
    memory = opened(characters=1000)
    texts = [f"I like fruit{number}x. {'y' * 300}" for number in range(6)]
    learnt(memory, subject, *texts)
    assert len(batches(letta_client, agent_of(memory, subject))) == 3
    assert [human(memory, subject).count(f"I like fruit{number}x") for number in range(6)] == [1] * 6


def test_learning_goes_on_with_another_agent_when_the_one_there_was_is_gone(
    memory: Memory, letta_client: Letta, subject: str
) -> None:
    learnt(memory, subject, "I love cats")
    agent = agent_of(memory, subject)
    letta_client.agents.delete(agent)
    learnt(memory, subject, "I live in Rome")
    assert agent_of(memory, subject) != agent
    assert [text in human(memory, subject) for text in ("I love cats", "I live in Rome")] == [True, True]


def test_a_run_that_is_cancelled_is_cancelled_at_letta_and_leaves_nothing(
    memory: Memory, letta_client: Letta, subject: str, go: Path
) -> None:
    learnt(memory, subject, "I love cats")
    agent = agent_of(memory, subject)
    run = memory.add_messages(subject, said(f"I hate snow [[until={go}]]"))
    wait_until(lambda: len(letta_client.runs.list(agent_id=agent, active=True).items) == 1)
    assert memory.cancel_run(run).state == "cancelled"
    wait_until(lambda: not letta_client.runs.list(agent_id=agent, active=True).items)
    go.touch()
    learnt(memory, subject, "I live in Rome")
    assert memory.get_run(run).state == "cancelled"  # type: ignore[union-attr]
    assert "I live in Rome" in human(memory, subject)


def test_a_run_that_never_ends_is_given_up_undone_and_learnt_again(
    opened: Callable[..., Memory], letta_client: Letta, subject: str, go: Path
) -> None:
    memory = opened(patience=Patience(settle=0.5, run=2.0))
    memory.initialize_user_memory(subject)
    run = memory.add_messages(subject, said(f"I love cats [[until={go}]]"))
    wait_until(lambda: "did not end" in (memory.get_run(run).error or ""))  # type: ignore[union-attr]
    assert human(memory, subject) == ""


def test_an_agent_without_sleep_time_learns_with_memory_tools(
    memory: Memory, letta_client: Letta, letta_proxy: Proxy, subject: str
) -> None:
    letta_proxy.answer(
        "POST", "/v1/agents/", status=422, body={"detail": [{"loc": ["body", "agent_type"], "msg": "not known"}]}
    )
    learnt(memory, subject, "I love cats")
    agent = letta_client.agents.retrieve(agent_of(memory, subject))
    assert agent.agent_type == "letta_v1_agent"
    assert "I love cats" in human(memory, subject)


def test_our_own_learner_edits_the_blocks_at_letta(
    opened: Callable[..., Memory], letta_proxy: Proxy, letta_client: Letta, subject: str
) -> None:
    memory = opened(learner=ExtractiveLearner())
    learnt(memory, subject, "My name is Sarah and I live in Lisbon.")
    assert "Sarah" in human(memory, subject)
    wait_until(lambda: agent_of(memory, subject).startswith("agent-"))
    agent = agent_of(memory, subject)
    wait_until(lambda: value_at(letta_client, agent) == human(memory, subject))
    assert letta_proxy.count("POST", "*/messages/async") == 0
    wait_until(lambda: letta_proxy.count("POST", "*/passages/batch") == 1)


def test_two_memories_over_one_journal_never_learn_one_subject_at_the_same_time(
    opened: Callable[..., Memory], letta_client: Letta, subject: str, go: Path
) -> None:
    first, second = opened(), opened()
    most = 0
    first.initialize_user_memory(subject)
    agent = agent_of(first, subject)
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, len(letta_client.runs.list(agent_id=agent, active=True).items))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        texts = [f"I like fruit{n}x" + (f" [[until={go}]]" if n == 0 else "") for n in range(6)]
        runs = [(first, second)[n % 2].add_messages(subject, said(text)) for n, text in enumerate(texts)]
        wait_until(lambda: most > 0)
        go.touch()
        for run in set(runs):
            first.wait_for_run(run, PATIENCE)
    finally:
        done.set()
        watcher.join()
    assert most == 1
    assert [human(second, subject).count(f"I like fruit{number}x") for number in range(6)] == [1] * 6
