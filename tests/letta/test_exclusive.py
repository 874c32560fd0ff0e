"""`exclusive=true`: all who use the agents share the journal, which saves looks at what others might do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from letta.opening import agent_of, batches, memory_at, said, value_at
from letta.proxy import Proxy
from letta_client import Letta
from patience import PATIENCE, wait_until

from ai_memory_integrations import Memory, Message, Run
from ai_memory_integrations.backends.letta.delivery import Patience
from ai_memory_integrations.errors import RunFailedError
from ai_memory_integrations.learning.extractive import ExtractiveLearner

READ = {"GET /v1/agents/{agent}/core-memory/blocks": 1}
SEND = {"POST /v1/agents/{agent}/messages/async": 1}


@pytest.fixture
def opened(letta_proxy: Proxy, tmp_path: Path) -> Iterator[Callable[..., Memory]]:
    """Makes memories over one journal."""
    with ExitStack() as held:
        yield lambda *given, **more: held.enter_context(
            memory_at(letta_proxy.url, tmp_path / "journal.db", *given, **{"exclusive": True, **more})
        )


@pytest.fixture
def memory(opened: Callable[..., Memory]) -> Memory:
    return opened()


def learnt(memory: Memory, subject: str, *texts: str, searchable: bool = False) -> Run:
    run = memory.add_messages(subject, said(*texts), skip_vector_storage=not searchable)
    return memory.wait_for_run(run, PATIENCE)


def human(memory: Memory, subject: str) -> str:
    return memory.get_user_memory(subject) or ""


def asked(proxy: Proxy) -> Counter[str]:
    """What was asked since the last look, without polls."""
    lines = proxy.lines()
    proxy.forget()
    del lines["GET /v1/runs/{run}"]
    return lines


def test_first_contact_costs_two(memory: Memory, letta_proxy: Proxy, subject: str) -> None:
    memory.initialize_user_memory(subject)
    assert asked(letta_proxy) == {"GET /v1/agents/": 1, "POST /v1/agents/": 1}


def test_a_batch_costs_one_where_somebody_has_read_since_the_last_one(
    memory: Memory, letta_proxy: Proxy, subject: str
) -> None:
    memory.initialize_user_memory(subject)
    asked(letta_proxy)
    for number in range(3):
        learnt(memory, subject, f"I like fruit{number}x")
        assert asked(letta_proxy) == SEND
        assert f"I like fruit{number}x" in human(memory, subject)
        assert asked(letta_proxy) == READ
        human(memory, subject)
        assert asked(letta_proxy) == READ


def test_a_batch_costs_two_where_nobody_has(memory: Memory, letta_proxy: Proxy, subject: str) -> None:
    learnt(memory, subject, "I like fruit0x")
    for number in (1, 2):
        asked(letta_proxy)
        learnt(memory, subject, f"I like fruit{number}x")
        assert asked(letta_proxy) == {**READ, **SEND}
    assert [human(memory, subject).count(f"I like fruit{number}x") for number in range(3)] == [1] * 3


def test_passages_cost_one_more_whatever_their_number(memory: Memory, letta_proxy: Proxy, subject: str) -> None:
    learnt(memory, subject, "I love cats", searchable=True)
    human(memory, subject)
    asked(letta_proxy)
    learnt(memory, subject, *(f"I like tea number {number}" for number in range(30)), searchable=True)
    assert asked(letta_proxy) == {**SEND, "POST /v1/archives/{archive}/passages/batch": 1}


def test_a_write_to_a_block_costs_two(memory: Memory, letta_proxy: Proxy, subject: str) -> None:
    memory.initialize_user_memory(subject)
    asked(letta_proxy)
    memory.update_memory("human", "likes tea", subject_id=subject)
    assert asked(letta_proxy) == {**READ, "PATCH /v1/blocks/{block}": 1}


def test_an_erasure_costs_four_and_one_for_each_block(memory: Memory, letta_proxy: Proxy, subject: str) -> None:
    learnt(memory, subject, "I love cats", "I have a dog", searchable=True)
    blocks = len(memory.list_blocks(subject))
    asked(letta_proxy)
    receipt = memory.delete_subject(subject)
    assert receipt is not None
    assert (receipt.blocks, receipt.passages) == (blocks, 2)
    assert asked(letta_proxy) == {
        "GET /v1/archives/{archive}/agents": 1,
        "DELETE /v1/agents/{agent}": 1,
        "GET /v1/blocks/": 1,
        "DELETE /v1/blocks/{block}": blocks,
        "DELETE /v1/archives/{archive}": 1,
    }


def test_an_erasure_without_an_archive_costs_three_and_one_for_each_block(
    memory: Memory, letta_proxy: Proxy, subject: str
) -> None:
    learnt(memory, subject, "I love cats")
    blocks = len(memory.list_blocks(subject))
    asked(letta_proxy)
    assert memory.delete_subject(subject) is not None
    assert asked(letta_proxy) == {
        "GET /v1/agents/{agent}": 1,
        "DELETE /v1/agents/{agent}": 1,
        "GET /v1/blocks/": 1,
        "DELETE /v1/blocks/{block}": blocks,
    }


def test_a_subject_that_others_may_have_made_things_for_is_erased_with_all_of_it(
    opened: Callable[..., Memory], letta_client: Letta, subject: str
) -> None:
    memory, tag = opened(exclusive=False), f"ami:subject:{subject}"
    learnt(memory, subject, "I love cats", searchable=True)
    letta_client.archives.create(name=tag)
    assert len(letta_client.archives.list(name=tag).items) == 2
    assert opened().delete_subject(subject) is not None
    assert letta_client.archives.list(name=tag).items == []


def test_the_receipt_counts_the_passages_that_were_not_removed_before(memory: Memory, subject: str) -> None:
    ids = memory.add_passages(["I love cats", "I have a dog", "I like tea"], subject_id=subject)
    assert memory._core.store.backend.delete_passages(subject, [ids[0]]) == 1
    receipt = memory.delete_subject(subject)
    assert receipt is not None
    assert receipt.passages == 2


def test_passages_of_which_no_answer_came_go_as_well(
    memory: Memory, letta_client: Letta, letta_proxy: Proxy, subject: str
) -> None:
    memory.add_passages(["I love cats"], subject_id=subject)
    archive = letta_client.archives.list(name=f"ami:subject:{subject}").items[0].id
    letta_proxy.drop("POST", "/v1/archives/*/passages/batch", when="after")
    memory.add_passages(["I live in Rome"], subject_id=subject)
    receipt = memory.delete_subject(subject)
    assert receipt is not None
    assert receipt.passages == 2
    assert list(letta_client.passages.search(archive_id=archive)) == []


def test_what_a_run_wrote_is_in_the_history_under_its_name_when_somebody_reads(
    memory: Memory, letta_client: Letta, subject: str
) -> None:
    message = Message(role="user", content="I love cats & <dogs>")
    run = memory.wait_for_run(memory.add_messages(subject, [message]), PATIENCE)
    assert (run.state, run.edits, run.error) == ("completed", 0, None)
    assert "history" in run.skipped["edits"]
    last = memory.memory_history("human", subject)[-1]
    assert (last.actor, last.run_id, last.message_ids) == ("learner", run.id, (message.id,))
    assert last.value == value_at(letta_client, agent_of(memory, subject)) == human(memory, subject)


def test_each_run_has_a_version_of_its_own_also_when_nobody_reads(memory: Memory, subject: str) -> None:
    runs = [learnt(memory, subject, f"I like fruit{number}x").id for number in range(3)]
    history = memory.memory_history("human", subject)
    assert [each.run_id for each in history if each.actor == "learner"] == runs
    assert "fruit1x" in history[-2].value
    assert "fruit2x" not in history[-2].value


def test_an_edit_in_lettas_editor_is_seen(memory: Memory, letta_client: Letta, subject: str) -> None:
    learnt(memory, subject, "I love cats")
    human(memory, subject)
    letta_client.agents.blocks.update("human", agent_id=agent_of(memory, subject), value="likes tea")
    assert human(memory, subject) == "likes tea"
    assert memory.memory_history("human", subject)[-1].actor == "agent"


def test_what_is_unread_is_read_also_within_the_staleness_that_is_allowed(
    opened: Callable[..., Memory], letta_proxy: Proxy, subject: str
) -> None:
    memory = opened()
    memory._core.store.blocks._stale = 3600.0  # type: ignore[attr-defined]
    learnt(memory, subject, "I love cats")
    assert "I love cats" in human(memory, subject)
    asked(letta_proxy)
    human(memory, subject)
    assert asked(letta_proxy) == {}


def test_a_block_that_the_agent_empties_gets_its_value_back(memory: Memory, letta_client: Letta, subject: str) -> None:
    learnt(memory, subject, "I love cats")
    before = human(memory, subject)
    learnt(memory, subject, "[[forget]] [[label=human]]")
    assert human(memory, subject) == value_at(letta_client, agent_of(memory, subject)) == before
    learnt(memory, subject, "[[forget]] [[label=human]]")
    learnt(memory, subject, "I live in Rome")  # without a look between them
    assert [text in human(memory, subject) for text in ("I love cats", "I live in Rome")] == [True, True]


def test_an_agent_that_made_a_block_too_long_is_asked_to_shorten_it(
    memory: Memory, letta_proxy: Proxy, subject: str
) -> None:
    memory.initialize_memory("human", char_limit=100, subject_id=subject)
    learnt(memory, subject, "I love cats [[long=150]]")
    letta_proxy.forget()
    learnt(memory, subject, "[[tool=memory_rethink]] [[value=I love cats]]")
    sent = [request.body.decode() for request in letta_proxy.seen if request.path.endswith("/messages/async")]
    assert "'human' is too long: 15" in sent[0]
    assert human(memory, subject) == "I love cats"
    letta_proxy.forget()
    learnt(memory, subject, "I like tea")
    assert not any("is too long" in request.body.decode() for request in letta_proxy.seen)


def test_what_the_application_writes_before_it_has_read_keeps_what_was_learnt(
    memory: Memory, letta_client: Letta, subject: str, go: Path
) -> None:
    learnt(memory, subject, "I love cats")
    human(memory, subject)
    run = memory.add_messages(subject, said(f"I live in Rome [[until={go}]]"), skip_vector_storage=True)
    agent = agent_of(memory, subject)
    wait_until(lambda: len(letta_client.runs.list(agent_id=agent, active=True).items) == 1)
    memory.append_memory("human", "Written meanwhile", subject_id=subject)
    go.touch()
    memory.wait_for_run(run, PATIENCE)
    store = memory._core.store
    with store.journal.transaction():  # in which Letta is not asked
        block = store.backend.get_block(subject, "human")
        assert block is not None
        store.backend.write_block(subject, "human", f"{block.value}\nWritten afterwards")
    for text in ("I love cats", "I live in Rome", "Written meanwhile", "Written afterwards"):
        assert human(memory, subject).count(text) == 1
    assert value_at(letta_client, agent) == human(memory, subject)


def test_a_reset_leaves_nothing_of_what_was_unread(memory: Memory, letta_client: Letta, subject: str) -> None:
    learnt(memory, subject, "I love cats")
    memory.initialize_memory("human", reset=True, subject_id=subject)
    agent = agent_of(memory, subject)
    assert value_at(letta_client, agent) == human(memory, subject) == ""
    assert "I love cats" in value_at(letta_client, agent, "summary")


def test_an_empty_look_does_not_reset_what_another_process_learnt_since(
    opened: Callable[..., Memory], subject: str
) -> None:
    here, elsewhere = opened(), opened()
    here.initialize_user_memory(subject)
    assert human(here, subject) == ""
    learnt(elsewhere, subject, "I love cats")
    here.initialize_user_memory(subject, reset=True)  # the AI Memory SDK's idiom: empty, so reset
    assert "I love cats" in human(here, subject)


def test_another_process_reads_what_this_one_left_unread(
    opened: Callable[..., Memory], letta_client: Letta, subject: str
) -> None:
    run = learnt(opened(), subject, "I love cats")
    for exclusive in (True, False):
        other = opened(exclusive=exclusive)
        assert "I love cats" in human(other, subject)
        assert other.memory_history("human", subject)[-1].run_id == run.id


def test_what_nobody_has_read_goes_with_an_agent_that_is_removed_at_letta(
    memory: Memory, letta_client: Letta, subject: str
) -> None:
    learnt(memory, subject, "I love cats")
    human(memory, subject)
    learnt(memory, subject, "I live in Rome")
    letta_client.agents.delete(agent_of(memory, subject))
    assert "I love cats" in human(memory, subject)
    memory.append_memory("human", "By the application", subject_id=subject)
    learnt(memory, subject, "I like tea")
    known = [text in human(memory, subject) for text in ("I love cats", "By the application", "I like tea")]
    assert known == [True] * 3
    assert value_at(letta_client, agent_of(memory, subject)) == human(memory, subject)


def test_a_process_that_is_not_exclusive_reads_before_it_learns(opened: Callable[..., Memory], subject: str) -> None:
    first = learnt(opened(), subject, "I love cats")
    other = opened(exclusive=False)
    second = learnt(other, subject, "I live in Rome")
    assert second.edits == 2
    assert [each.run_id for each in other.memory_history("human", subject)][-2:] == [first.id, second.id]


def test_a_learner_of_ones_own_finds_what_was_unread(
    opened: Callable[..., Memory], letta_client: Letta, subject: str
) -> None:
    learnt(opened(), subject, "I love cats")
    other = opened(learner=ExtractiveLearner())
    learnt(other, subject, "My name is Sarah and I live in Lisbon.")
    for text in ("I love cats", "Sarah"):
        assert text in human(other, subject)
    agent = agent_of(other, subject)
    wait_until(lambda: value_at(letta_client, agent) == human(other, subject))


def test_after_a_run_whose_end_was_not_seen_the_next_batch_looks(
    opened: Callable[..., Memory], letta_client: Letta, letta_proxy: Proxy, subject: str, go: Path
) -> None:
    memory = opened()
    learnt(memory, subject, "I love cats")
    human(memory, subject)
    agent = agent_of(memory, subject)
    run = memory.add_messages(subject, said(f"I hate snow [[until={go}]]"), skip_vector_storage=True)
    wait_until(lambda: len(letta_client.runs.list(agent_id=agent, active=True).items) == 1)
    assert memory.cancel_run(run).state == "cancelled"
    wait_until(lambda: not letta_client.runs.list(agent_id=agent, active=True).items)
    go.touch()
    asked(letta_proxy)
    learnt(memory, subject, "I live in Rome")
    assert asked(letta_proxy)["GET /v1/runs/"] >= 1
    assert "I live in Rome" in human(memory, subject)
    asked(letta_proxy)
    learnt(memory, subject, "I like tea")
    assert asked(letta_proxy) == SEND


def test_a_batch_that_is_sent_again_is_looked_for(
    opened: Callable[..., Memory], letta_client: Letta, letta_proxy: Proxy, subject: str
) -> None:
    memory = opened(patience=Patience(settle=0.5, run=300.0))
    memory.initialize_user_memory(subject)
    letta_proxy.drop("POST", "/v1/agents/*/messages/async", when="after")
    learnt(memory, subject, "I love cats")
    letta_proxy.drop("POST", "/v1/agents/*/messages/async", when="before")
    learnt(memory, subject, "I live in Rome")
    assert [human(memory, subject).count(text) for text in ("I love cats", "I live in Rome")] == [1, 1]
    assert set(batches(letta_client, agent_of(memory, subject)).values()) == {1}


def test_what_an_agent_did_before_it_failed_is_undone(memory: Memory, letta_client: Letta, subject: str) -> None:
    learnt(memory, subject, "I love cats")
    run = memory.add_messages(subject, said("I like tea [[status=400]] [[after=1]]"))
    with pytest.raises(RunFailedError, match="refused with 400"):
        memory.wait_for_run(run, PATIENCE)
    agent = agent_of(memory, subject)
    assert value_at(letta_client, agent).strip() == human(memory, subject).strip() == "I love cats"
