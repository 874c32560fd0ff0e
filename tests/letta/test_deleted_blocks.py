"""A block that is deleted here stays deleted, whatever Letta is being asked at that moment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import httpx
import pytest
from letta.fake_server import FakeLetta
from letta_client import Letta
from patience import PATIENCE, wait_until

from ai_memory_integrations.backends.letta.store import LettaStore, open_letta
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.types import BlockSpec

CREATE = ("POST", "/v1/agents/")
HUMAN, NOTES = BlockSpec(label="human"), BlockSpec(label="notes", value="secret")


class Held:
    """A request that has come to Letta and is not answered before `go`."""

    def __init__(self) -> None:
        self.came, self.go = Event(), Event()


class SlowLetta(FakeLetta):
    """Holds the next request of a kind: before it is carried out, or behind."""

    def __init__(self) -> None:
        super().__init__()
        self._holds: list[tuple[str, str, str, Held]] = []

    @contextmanager
    def holding(self, method: str, path: str, when: str) -> Iterator[Held]:
        held = Held()
        self._holds.append((method, path, when, held))
        try:
            yield held
        finally:
            held.go.set()

    def answer(self, request: httpx.Request) -> httpx.Response:
        for hold in self._holds:
            method, path, when, held = hold
            if request.method == method and re.fullmatch(path, request.url.path):
                self._holds.remove(hold)
                answer = super().answer(request) if when == "after" else None
                held.came.set()
                assert held.go.wait(PATIENCE)
                return super().answer(request) if answer is None else answer
        return super().answer(request)

    def client(self, key: str = "x") -> Letta:
        client = httpx.Client(transport=httpx.MockTransport(self.answer))
        return Letta(base_url="http://fake", api_key=key, http_client=client, max_retries=0)

    def values(self) -> dict[str, str]:
        """Of the only agent."""
        (agent,) = self.agents.values()
        return {block["label"]: block["value"] for block in self.state(agent)["blocks"]}


@pytest.fixture
def fake() -> SlowLetta:
    return SlowLetta()


@pytest.fixture
def store(fake: SlowLetta, tmp_path: Path) -> Iterator[LettaStore]:
    store = open_letta("letta://fake", client=fake.client(), journal=SQLiteStore(str(tmp_path / "j.db")))
    yield store
    store.close()


def assert_only_human_is_left(store: LettaStore, fake: SlowLetta) -> None:
    """Here and at Letta."""
    assert labels(store) == ["human"]
    assert fake.values() == {"human": ""}


def begun(store: LettaStore, *specs: BlockSpec) -> None:
    """A subject whose agent is not made yet: so does one begin whose first message is kept."""
    with store.journal.transaction():
        store.backend.create_subject("sarah", specs)


def values(store: LettaStore) -> dict[str, str]:
    """As the record has them; Letta is not asked."""
    return {block.label: block.value for block in store.record.backend.list_blocks("sarah")}


def delete_unasked(store: LettaStore) -> bool:
    """Delete a block without a look at Letta before it."""
    with store.journal.transaction():
        return store.backend.delete_block("sarah", "notes")


def labels(store: LettaStore) -> list[str]:
    return [block.label for block in store.backend.list_blocks("sarah")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_block_that_is_deleted_while_its_agent_is_made_does_not_come_back(
    store: LettaStore, fake: SlowLetta, when: str
) -> None:
    begun(store, HUMAN, NOTES)
    with ThreadPoolExecutor(2) as pool, fake.holding(*CREATE, when) as creation:
        making = pool.submit(store.backend.agent_of, "sarah")
        assert creation.came.wait(PATIENCE)
        deleting = pool.submit(store.backend.delete_block, "sarah", "notes")
        wait_until(lambda: "notes" not in values(store))
        creation.go.set()
        assert deleting.result(PATIENCE)
        making.result(PATIENCE)
    assert_only_human_is_left(store, fake)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_block_that_is_begun_afresh_while_its_agent_is_made_stays_empty(
    store: LettaStore, fake: SlowLetta, when: str
) -> None:
    def begin_afresh() -> None:
        with store.journal.transaction():
            store.backend.delete_block("sarah", "notes")
            store.backend.create_block("sarah", BlockSpec(label="notes"))

    begun(store, HUMAN, NOTES)
    with ThreadPoolExecutor(2) as pool, fake.holding(*CREATE, when) as creation:
        making = pool.submit(store.backend.agent_of, "sarah")
        assert creation.came.wait(PATIENCE)
        changing = pool.submit(begin_afresh)
        wait_until(lambda: values(store)["notes"] == "")
        creation.go.set()
        changing.result(PATIENCE)
        making.result(PATIENCE)
    assert {block.label: block.value for block in store.backend.list_blocks("sarah")} == {"human": "", "notes": ""}
    assert fake.values() == {"human": "", "notes": ""}


def test_a_block_that_is_deleted_while_its_agent_is_made_is_not_there_for_who_reads_meanwhile(
    store: LettaStore, fake: SlowLetta
) -> None:
    begun(store, HUMAN, NOTES)
    with ThreadPoolExecutor(2) as pool, fake.holding(*CREATE, "after") as creation:
        making = pool.submit(store.backend.agent_of, "sarah")
        assert creation.came.wait(PATIENCE)
        deleting = pool.submit(delete_unasked, store)
        wait_until(lambda: "notes" not in values(store))
        assert labels(store) == ["human"]
        creation.go.set()
        making.result(PATIENCE)
        assert deleting.result(PATIENCE)
    assert_only_human_is_left(store, fake)


def test_a_block_that_is_deleted_while_somebody_finds_its_agent_at_letta_does_not_come_back(
    store: LettaStore, fake: SlowLetta
) -> None:
    with ThreadPoolExecutor(3) as pool, fake.holding("GET", "/v1/agents/", "before") as look:
        finding = pool.submit(store.backend.get_subject, "sarah")
        assert look.came.wait(PATIENCE)
        begun(store, HUMAN, NOTES)
        with fake.holding(*CREATE, "after") as creation:
            making = pool.submit(store.backend.agent_of, "sarah")
            assert creation.came.wait(PATIENCE)
            deleting = pool.submit(delete_unasked, store)
            wait_until(lambda: "notes" not in values(store))
            look.go.set()
        finding.result(PATIENCE)
        making.result(PATIENCE)
        assert deleting.result(PATIENCE)
    assert_only_human_is_left(store, fake)


def test_a_block_that_is_deleted_while_it_is_sent_does_not_come_back_by_a_read(
    store: LettaStore, fake: SlowLetta
) -> None:
    begun(store, HUMAN)
    store.backend.agent_of("sarah")
    with ThreadPoolExecutor(2) as pool, fake.holding("PATCH", ".*/blocks/attach/.*", "after") as attachment:
        creating = pool.submit(store.backend.create_block, "sarah", NOTES)
        assert attachment.came.wait(PATIENCE)
        assert delete_unasked(store)
        assert labels(store) == ["human"]
        attachment.go.set()
        creating.result(PATIENCE)
    assert_only_human_is_left(store, fake)


def test_a_block_that_was_sent_and_deleted_while_somebody_read_does_not_come_back(
    store: LettaStore, fake: SlowLetta
) -> None:
    begun(store, HUMAN)
    store.backend.agent_of("sarah")
    with ThreadPoolExecutor(2) as pool, fake.holding("PATCH", ".*/blocks/attach/.*", "after") as attachment:
        creating = pool.submit(store.backend.create_block, "sarah", NOTES)
        assert attachment.came.wait(PATIENCE)
        with fake.holding("GET", ".*/core-memory/blocks", "after") as read:
            reading = pool.submit(labels, store)
            assert read.came.wait(PATIENCE)
            attachment.go.set()
            creating.result(PATIENCE)
            assert store.backend.delete_block("sarah", "notes")
        assert reading.result(PATIENCE) == ["human"]
    assert_only_human_is_left(store, fake)


def test_a_block_that_is_deleted_while_its_place_at_letta_is_found_taken_does_not_come_back(
    store: LettaStore, fake: SlowLetta
) -> None:
    begun(store, HUMAN)
    agent = store.backend.agent_of("sarah")
    with ThreadPoolExecutor(2) as pool, fake.holding("POST", "/v1/blocks/", "before") as creation:
        creating = pool.submit(store.backend.create_block, "sarah", NOTES)
        assert creation.came.wait(PATIENCE)
        with fake.client() as client:
            there = client.blocks.create(label="notes", value="secret")
            client.agents.blocks.attach(there.id, agent_id=agent)
        assert delete_unasked(store)
        creation.go.set()
        creating.result(PATIENCE)
    assert_only_human_is_left(store, fake)
