"""A journal belongs to one account of Letta; its key may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from letta.fake_server import FakeLetta
from patience import PATIENCE, wait_until

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.types import LearningPolicy

AT_ONCE = LearningPolicy(batch=1, idle=0.0, max_wait=0.0, attempts=1)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Memory]]:
    """Opens one journal on the account that is given, with a key of it."""
    with ExitStack() as held:

        def open_(
            account: FakeLetta, key: str, journal: str = "journal", learning: LearningPolicy | str = AT_ONCE
        ) -> Memory:
            server = LettaServer(client=account.client(key))
            store = LettaStore(server, SQLiteStore(str(tmp_path / f"{journal}.db")), url="letta://")
            held.callback(store.close)
            return held.enter_context(Memory(backend=store, learning=learning, embedder=False))

        yield open_


@pytest.fixture
def account() -> FakeLetta:
    return FakeLetta()


def know(memory: Memory, *subjects: str) -> None:
    for subject in subjects:
        memory.initialize_memory("human", value=f"a secret of {subject}", subject_id=subject)


def test_nothing_of_a_journal_reaches_another_account(opened: Callable[..., Memory], account: FakeLetta) -> None:
    know(opened(account, "a"), "sarah")
    other = FakeLetta()
    memory = opened(other, "b")
    for call in (
        lambda: memory.get_memory("human", subject_id="sarah"),
        lambda: memory.update_memory("human", "likes tea", subject_id="sarah"),
        lambda: memory.wait_for_run(memory.add_messages("sarah", [{"role": "user", "content": "I love cats"}])),
        lambda: memory.delete_subject("sarah"),
    ):
        with pytest.raises(Exception, match="another account") as caught:
            call()
        assert "journal=" in str(caught.value)
    assert (other.agents, other.blocks, other.archives) == ({}, {}, {})
    assert opened(account, "a").get_memory("human", subject_id="sarah") == "a secret of sarah"


def test_a_mistaken_account_is_an_error_of_the_set_up(opened: Callable[..., Memory], account: FakeLetta) -> None:
    know(opened(account, "a"), "sarah")
    with pytest.raises(ConfigurationError):
        opened(FakeLetta(), "b").list_blocks("sarah")


def test_a_new_key_of_the_account_finds_its_journal(opened: Callable[..., Memory], account: FakeLetta) -> None:
    know(opened(account, "a"), "sarah")
    memory = opened(account, "b")
    assert memory.get_memory("human", subject_id="sarah") == "a secret of sarah"
    assert len(memory.memory_history("human", subject_id="sarah")) == 1


@pytest.mark.parametrize("read", [True, False], ids=["that was read with it", "that was not"])
def test_with_a_new_key_an_agent_that_was_removed_is_made_again(
    opened: Callable[..., Memory], account: FakeLetta, read: bool
) -> None:
    before = opened(account, "a")
    know(before, "sarah", "tom")
    memory = opened(account, "b")
    if read:
        memory.list_blocks("sarah")
    agent = before.get_memory_agent_id("sarah")
    del account.agents[agent or ""]
    memory.update_memory("human", "likes tea", subject_id="sarah")
    assert memory.ensure_subject("sarah") in account.agents
    assert account.agents.keys() - {agent} == {memory.ensure_subject(each) for each in ("sarah", "tom")}


def test_with_the_same_key_a_server_that_was_emptied_is_filled_again(
    opened: Callable[..., Memory], account: FakeLetta
) -> None:
    know(opened(account, "a"), "sarah")
    emptied = FakeLetta()
    memory = opened(emptied, "a")
    memory.update_memory("human", "likes tea", subject_id="sarah")
    assert [block["value"] for block in emptied.blocks.values() if block["label"] == "human"] == ["likes tea"]


def test_the_journal_does_not_hold_the_key(opened: Callable[..., Memory], account: FakeLetta, tmp_path: Path) -> None:
    know(opened(account, "sk-a-secret-key"), "sarah")
    assert not any(b"sk-a-secret-key" in file.read_bytes() for file in tmp_path.glob("journal.db*"))


def test_what_waits_for_a_subject_that_has_no_agent_yet_does_not_go_to_another_account(
    opened: Callable[..., Memory], account: FakeLetta
) -> None:
    memory = opened(account, "a", learning="off")
    know(memory, "sarah")
    memory.add_messages("tom", [{"role": "user", "content": "I have a secret"}], skip_vector_storage=False)
    other = FakeLetta()
    know(opened(other, "b", "theirs"), "tom")
    there = {key: dict(block) for key, block in other.blocks.items()}
    mistaken = opened(other, "b")
    for call in (
        lambda: mistaken.list_blocks("tom"),
        lambda: mistaken.add_passages(["another secret"], subject_id="tom"),
        lambda: mistaken.ensure_subject("new"),
        lambda: mistaken.get_user_memory("nobody"),
        mistaken.list_subjects,
        lambda: mistaken.delete_subject("tom"),
    ):
        with pytest.raises(ConfigurationError, match="another account"):
            call()
    assert (other.passages, other.runs, other.blocks) == ({}, {}, there)
    assert opened(account, "a").drain(timeout=PATIENCE)
    wait_until(lambda: len(account.passages) == 2)
    assert {each["text"] for each in account.passages.values()} == {"I have a secret", "another secret"}


def test_a_new_key_of_the_account_costs_one_request_and_is_then_known(
    opened: Callable[..., Memory], account: FakeLetta
) -> None:
    know(opened(account, "a"), "sarah")
    account.seen.clear()
    opened(account, "b").ensure_subject("tom")
    (agent,) = {line for line in account.seen if line.startswith("GET /v1/agents/agent-")}
    assert account.seen.count(agent) == 1
    account.seen.clear()
    opened(account, "b").ensure_subject("eve")
    assert not any(line.startswith("GET /v1/agents/agent-") for line in account.seen)
