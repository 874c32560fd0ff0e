"""What is done here while Letta's answer is lost, and Letta away, is not undone when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from letta.lossy_server import LossyLetta
from letta.opening import store_at
from letta.proxy import Proxy
from letta_client import Letta

from ai_memory_integrations.backends.letta.store import LettaStore, open_letta
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.errors import BackendUnavailableError
from ai_memory_integrations.types import BlockSpec

HUMAN, NOTES = BlockSpec(label="human"), BlockSpec(label="notes", value="secret")
CREATE = ("POST", "/v1/agents/")


@pytest.fixture
def fake() -> LossyLetta:
    return LossyLetta()


@pytest.fixture
def store(fake: LossyLetta, tmp_path: Path) -> Iterator[LettaStore]:
    store = open_letta("letta://fake?retries=0", client=fake.client(), journal=SQLiteStore(str(tmp_path / "j.db")))
    yield store
    store.close()


def begun(store: LettaStore, *specs: BlockSpec, subject: str = "sarah") -> None:
    """A subject whose agent is not made yet."""
    with store.journal.transaction():
        store.backend.create_subject(subject, specs)


def here(store: LettaStore) -> dict[str, str]:
    return {block.label: block.value for block in store.backend.list_blocks("sarah")}


def at_letta(fake: LossyLetta) -> dict[str, str]:
    """The blocks of the only agent; there are no others."""
    (agent,) = fake.agents.values()
    assert sorted(agent["block_ids"]) == sorted(fake.blocks)
    return {block["label"]: block["value"] for block in fake.state(agent)["blocks"]}


def lose_the_answer_to_the_making(store: LettaStore, fake: LossyLetta) -> None:
    """The agent is there, and nobody knows."""
    with fake.losing(*CREATE, and_then_away=True), pytest.raises(BackendUnavailableError):
        store.backend.agent_of("sarah")
    assert len(fake.agents) == 1
    assert store.agents.known("sarah") is None


def test_a_block_that_is_deleted_after_the_answer_to_the_making_was_lost_does_not_come_back(
    store: LettaStore, fake: LossyLetta
) -> None:
    begun(store, HUMAN, NOTES)
    lose_the_answer_to_the_making(store, fake)
    with fake.away():
        assert store.backend.delete_block("sarah", "notes")
    assert here(store) == {"human": ""}
    assert at_letta(fake) == {"human": ""}


def test_it_does_not_come_back_by_who_needs_the_agent_next(store: LettaStore, fake: LossyLetta) -> None:
    begun(store, HUMAN, NOTES)
    lose_the_answer_to_the_making(store, fake)
    with fake.away():
        assert store.backend.delete_block("sarah", "notes")
    store.backend.agent_of("sarah")
    store.backend.push("sarah")
    assert here(store) == at_letta(fake) == {"human": ""}


def test_a_block_that_is_begun_afresh_after_the_answer_was_lost_stays_empty(
    store: LettaStore, fake: LossyLetta
) -> None:
    begun(store, HUMAN, NOTES)
    lose_the_answer_to_the_making(store, fake)
    with fake.away():
        assert store.backend.delete_block("sarah", "notes")
        store.backend.create_block("sarah", BlockSpec(label="notes"))
    assert here(store) == {"human": "", "notes": ""}
    assert at_letta(fake) == {"human": "", "notes": ""}


def test_a_block_that_is_deleted_between_two_makings_whose_answers_were_lost_does_not_come_back(
    store: LettaStore, fake: LossyLetta
) -> None:
    begun(store, HUMAN, NOTES)
    lose_the_answer_to_the_making(store, fake)
    with fake.away():
        assert store.backend.delete_block("sarah", "notes")
        store.backend.create_block("sarah", BlockSpec(label="tasks"))
    hidden, fake.agents = fake.agents, {}  # it is not to be seen yet
    with fake.losing(*CREATE, and_then_away=True), pytest.raises(BackendUnavailableError):
        store.backend.agent_of("sarah")
    (second,) = fake.agents.values()
    for block in second["block_ids"]:
        del fake.blocks[block]
    fake.agents = hidden
    assert here(store) == {"human": "", "tasks": ""}
    assert at_letta(fake) == {"human": "", "tasks": ""}


def test_what_a_stranger_has_added_meanwhile_is_taken_over(store: LettaStore, fake: LossyLetta) -> None:
    begun(store, HUMAN, NOTES)
    lose_the_answer_to_the_making(store, fake)
    (agent,) = fake.agents
    with fake.client() as client:
        added = client.blocks.create(label="theirs", value="not ours")
        client.agents.blocks.attach(added.id, agent_id=agent)
    assert here(store) == {"human": "", "notes": "secret", "theirs": "not ours"}


def test_a_block_whose_attaching_had_no_answer_and_that_is_deleted_does_not_come_back(
    store: LettaStore, fake: LossyLetta
) -> None:
    begun(store, HUMAN)
    store.backend.agent_of("sarah")
    with fake.losing("PATCH", ".*/blocks/attach/.*", and_then_away=True):
        store.backend.create_block("sarah", NOTES)
    assert at_letta(fake) == {"human": "", "notes": "secret"}
    with fake.away():
        assert store.backend.delete_block("sarah", "notes")
    assert here(store) == {"human": ""}
    assert at_letta(fake) == {"human": ""}


def test_a_block_whose_attaching_had_no_answer_is_there_once(store: LettaStore, fake: LossyLetta) -> None:
    begun(store, HUMAN)
    store.backend.agent_of("sarah")
    with fake.losing("PATCH", ".*/blocks/attach/.*", and_then_away=True):
        store.backend.create_block("sarah", NOTES)
    store.backend.push("sarah")
    assert here(store) == at_letta(fake) == {"human": "", "notes": "secret"}
    assert [each.actor for each in store.backend.block_history("sarah", "notes")] == ["application"]


@pytest.mark.parametrize("read", [True, False], ids=["by who reads", "by who sends"])
def test_a_line_that_is_taken_back_after_the_answer_to_its_sending_was_lost_does_not_come_back(
    store: LettaStore, fake: LossyLetta, read: bool
) -> None:
    begun(store, BlockSpec(label="human", value="likes tea"))
    store.backend.agent_of("sarah")
    with fake.losing("PATCH", "/v1/blocks/.*", and_then_away=True):
        store.backend.write_block("sarah", "human", "likes tea\na secret")
    assert at_letta(fake) == {"human": "likes tea\na secret"}
    with fake.away():
        store.backend.write_block("sarah", "human", "likes tea")
    if not read:
        store.backend.push("sarah")
        assert at_letta(fake) == {"human": "likes tea"}
    assert here(store) == {"human": "likes tea"}
    assert at_letta(fake) == {"human": "likes tea"}
    actors = {each.actor for each in store.backend.block_history("sarah", "human")}
    assert actors == {"application"}


@pytest.mark.parametrize("arrives", [True, False])
def test_a_block_that_is_begun_afresh_has_nothing_of_the_old_one_though_its_sending_had_no_answer(
    store: LettaStore, fake: LossyLetta, arrives: bool
) -> None:
    begun(store, HUMAN, NOTES)
    store.backend.agent_of("sarah")
    with fake.losing("PATCH", "/v1/blocks/.*", arrives=arrives, and_then_away=True), store.journal.transaction():
        store.backend.delete_block("sarah", "notes")
        store.backend.create_block("sarah", BlockSpec(label="notes", value="new"))
    with fake.away():
        store.backend.write_block("sarah", "notes", "newer")
    assert here(store) == at_letta(fake) == {"human": "", "notes": "newer"}
    assert {each.value for each in store.backend.block_history("sarah", "notes")} == {"new", "newer"}


def test_what_letta_wrote_after_a_sending_whose_answer_was_lost_is_kept(store: LettaStore, fake: LossyLetta) -> None:
    begun(store, BlockSpec(label="human", value="likes tea"))
    store.backend.agent_of("sarah")
    with fake.losing("PATCH", "/v1/blocks/.*", and_then_away=True):
        store.backend.write_block("sarah", "human", "likes tea\nhas a cat")
    with fake.away():
        store.backend.write_block("sarah", "human", "likes tea\nhas a cat\nhas a dog")
    (block,) = fake.blocks.values()
    block["value"] += "\nwritten by its agent"
    lines = here(store)["human"].splitlines()
    assert sorted(lines) == sorted(["likes tea", "has a cat", "has a dog", "written by its agent"])
    assert at_letta(fake)["human"].splitlines() == lines


def test_on_a_real_server_nothing_that_was_deleted_comes_back(
    letta_proxy: Proxy, letta_client: Letta, tmp_path: Path, subject: str
) -> None:
    store = store_at(letta_proxy.url, tmp_path / "j.db", timeout=30.0)
    begun(store, HUMAN, NOTES, subject=subject)
    letta_proxy.drop(*CREATE, when="after")
    letta_proxy.answer("GET", "/v1/agents/", status=200, body=[])
    letta_proxy.drop("GET", "*", when="before", times=None)
    with pytest.raises(BackendUnavailableError):
        store.backend.agent_of(subject)
    with letta_proxy.down():
        assert store.backend.delete_block(subject, "notes")
    letta_proxy.heal()
    assert [block.label for block in store.backend.list_blocks(subject)] == ["human"]
    agent = store.backend.agent_of(subject)
    assert [block.label for block in letta_client.agents.blocks.list(agent).items] == ["human"]
    letta_proxy.drop("PATCH", "/v1/blocks/*", when="after")
    letta_proxy.drop("PATCH", "/v1/blocks/*", when="before", times=None)
    store.backend.write_block(subject, "human", "a secret")
    with letta_proxy.down():
        store.backend.write_block(subject, "human", "")
    letta_proxy.heal()
    assert [block.value for block in store.backend.list_blocks(subject)] == [""]
    assert [block.value for block in letta_client.agents.blocks.list(agent).items] == [""]
    store.backend.delete_subject(subject)
    store.close()
