"""Erasing a subject: nothing of it stays on the server, also when it is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from letta.proxy import Proxy
from letta.server import MODEL
from letta_client import Letta
from patience import PATIENCE, wait_until

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.errors import BackendUnavailableError, RunNotFoundError
from ai_memory_integrations.types import LearningPolicy

AT_ONCE = LearningPolicy(batch=1, idle=0.0, max_wait=0.0)
SAID = [{"role": "user", "content": "I love cats"}]


@pytest.fixture
def store(letta_proxy: Proxy, tmp_path: Path) -> Iterator[LettaStore]:
    server = LettaServer(letta_proxy.url, api_key="none", retries=0)
    store = LettaStore(server, SQLiteStore(str(tmp_path / "j.db")), url=letta_proxy.url, namespace=uuid4().hex)
    yield store
    letta_proxy.heal()
    for subject in store.record.backend.list_subjects():
        store.backend.delete_subject(subject.subject_id)
    store.close()


@pytest.fixture
def memory(store: LettaStore) -> Iterator[Memory]:
    with Memory(backend=store, learning=AT_ONCE, embedder=False) as memory:
        yield memory


def fill(memory: Memory, store: LettaStore) -> str:
    """A subject with an agent, three blocks, a run, and an archive with two passages."""
    memory.initialize_memory("notes", "d", "secret", subject_id="sarah")
    memory.wait_for_run(memory.add_messages("sarah", SAID, skip_vector_storage=False))
    memory.add_passages(["a secret passage"], subject_id="sarah")
    store.backend.send_passages("sarah")
    agent = memory.get_memory_agent_id("sarah")
    assert agent is not None
    return agent


def left(client: Letta, store: LettaStore, agent: str, blocks: list[str]) -> list[str]:
    """What of a subject is still on the server."""
    tag = store.names.all
    found = [each.id for each in client.agents.list(tags=[tag], limit=100).items]
    found += [each.id for each in client.blocks.list(tags=[tag], limit=100).items]
    found += [each for each in blocks if each in {block.id for block in client.blocks.list(limit=1000).items}]
    found += [each.id for each in client.archives.list(name=store.names.tag("sarah")).items]
    found += [str(each.id) for each in client.agents.passages.list(agent)]
    found += [each.id for each in client.runs.list(agent_id=agent, limit=100).items]
    return found


def blocks_of(client: Letta, agent: str) -> list[str]:
    return [block.id for block in client.agents.blocks.list(agent).items]


def test_nothing_is_left_and_the_receipt_says_what_there_was(
    memory: Memory, store: LettaStore, letta_client: Letta
) -> None:
    agent = fill(memory, store)
    blocks = blocks_of(letta_client, agent)
    (archive,) = letta_client.archives.list(agent_id=agent).items
    assert len(left(letta_client, store, agent, blocks)) > 6
    receipt = memory.delete_subject("sarah")
    assert receipt is not None
    assert (receipt.agent_id, receipt.messages, receipt.runs, receipt.complete) == (agent, 1, 1, True)
    assert (receipt.blocks, receipt.passages) == (len(blocks), 2)
    assert "LETTA_TRACK_PROVIDER_TRACE=false" in " ".join(receipt.kept)
    assert left(letta_client, store, agent, blocks) == []
    assert list(letta_client.passages.search(archive_id=archive.id)) == []
    assert memory.list_subjects() == []
    assert memory.delete_subject("sarah") is None


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/v1/agents/*"), ("DELETE", "/v1/blocks/*"), ("DELETE", "/v1/archives/*"), ("GET", "/v1/archives/")],
)
def test_an_interrupted_erasure_is_brought_to_its_end_by_the_next_call(
    memory: Memory, store: LettaStore, letta_client: Letta, letta_proxy: Proxy, method: str, path: str
) -> None:
    agent = fill(memory, store)
    blocks = blocks_of(letta_client, agent)
    letta_proxy.drop(method, path, when="after")
    with pytest.raises(BackendUnavailableError):
        memory.delete_subject("sarah")
    receipt = memory.delete_subject("sarah")
    assert receipt is not None
    assert (receipt.agent_id, receipt.blocks) == (agent, len(blocks))
    assert left(letta_client, store, agent, blocks) == []


@pytest.mark.parametrize("searchable", [False, True])
def test_a_subject_that_is_learnt_meanwhile_does_not_come_back(
    memory: Memory, store: LettaStore, letta_client: Letta, go: Path, searchable: bool
) -> None:
    agent = fill(memory, store)
    blocks = blocks_of(letta_client, agent)
    said = [{"role": "user", "content": f"I love dogs [[until={go}]]"}]
    run = memory.add_messages("sarah", said, skip_vector_storage=not searchable)
    wait_until(lambda: len(letta_client.runs.list(agent_id=agent, active=True).items) == 1)
    assert memory.delete_subject("sarah") is not None
    go.touch()
    with pytest.raises(RunNotFoundError):
        memory.wait_for_run(run, PATIENCE)
    assert memory.drain(timeout=PATIENCE)
    assert left(letta_client, store, agent, blocks) == []
    assert memory.list_subjects() == []


@pytest.mark.parametrize("path", ["/v1/agents/", "/v1/archives/"])
def test_what_is_being_made_for_a_subject_while_it_is_erased_goes_too(
    memory: Memory, store: LettaStore, letta_client: Letta, letta_proxy: Proxy, path: str
) -> None:
    if path == "/v1/archives/":
        memory.ensure_subject("sarah")
    letta_proxy.delay("POST", path, seconds=1.5)
    letta_proxy.forget()
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(memory.add_passages, ["a secret passage"], subject_id="sarah")
        wait_until(lambda: letta_proxy.count("POST", path) == 1)
        assert memory.delete_subject("sarah") is not None
        adding.exception()
    assert letta_client.agents.list(tags=[store.names.all]).items == []
    assert letta_client.blocks.list(tags=[store.names.all]).items == []
    assert letta_client.archives.list(name=store.names.tag("sarah")).items == []


def test_a_subject_whose_erasure_was_interrupted_begins_anew(
    memory: Memory, store: LettaStore, letta_client: Letta, letta_proxy: Proxy
) -> None:
    agent = fill(memory, store)
    letta_proxy.drop("DELETE", "/v1/agents/*", when="after")
    with pytest.raises(BackendUnavailableError):
        memory.delete_subject("sarah")
    memory.initialize_user_memory("sarah")
    assert memory.get_user_memory("sarah") == ""
    assert memory.get_memory_agent_id("sarah") != agent
    assert "secret" not in " ".join(passage.text for passage in memory.list_passages(subject_id="sarah"))


def test_what_an_agent_left_that_was_removed_at_letta_goes_too(
    memory: Memory, store: LettaStore, letta_client: Letta
) -> None:
    agent = fill(memory, store)
    blocks = blocks_of(letta_client, agent)
    letta_client.agents.delete(agent)
    assert memory.delete_subject("sarah") is not None
    assert left(letta_client, store, agent, blocks) == []


def test_a_subject_that_only_letta_knows_is_erased(
    memory: Memory, store: LettaStore, letta_client: Letta, tmp_path: Path
) -> None:
    agent = fill(memory, store)
    blocks = blocks_of(letta_client, agent)
    stranger = LettaStore(
        LettaServer(str(letta_client.base_url), api_key="none"),
        SQLiteStore(str(tmp_path / "other.db")),
        url="letta://",
        namespace=store.names.namespace,
    )
    receipt = stranger.backend.delete_subject("sarah")
    stranger.close()
    assert receipt is not None
    assert (receipt.agent_id, receipt.blocks, receipt.passages) == (agent, len(blocks), 2)
    assert left(letta_client, store, agent, blocks) == []


def test_a_block_that_others_use_stays_with_them(memory: Memory, store: LettaStore, letta_client: Letta) -> None:
    agent = fill(memory, store)
    shared = letta_client.agents.blocks.retrieve("notes", agent_id=agent).id
    bob = memory.ensure_subject("bob")
    letta_client.agents.blocks.attach(shared, agent_id=bob)
    receipt = memory.delete_subject("sarah")
    assert receipt is not None
    assert shared in " ".join(receipt.kept)
    assert shared in blocks_of(letta_client, bob)


def test_a_second_agent_that_strangers_left_goes_too(memory: Memory, store: LettaStore, letta_client: Letta) -> None:
    agent = fill(memory, store)
    theirs = uuid4().hex
    tags = list(store.names.tags("sarah"))
    block = letta_client.blocks.create(label="human", value="secret", tags=tags)
    second = letta_client.agents.create(name=f"ami-{theirs}", model=MODEL, tags=tags, block_ids=[block.id])
    archive = letta_client.archives.create(name=store.names.tag("sarah"))
    letta_client.agents.archives.attach(archive.id, agent_id=second.id)
    letta_client.archives.passages.create(archive.id, text="a secret passage")
    blocks = [*blocks_of(letta_client, agent), block.id]
    assert memory.delete_subject("sarah") is not None
    assert left(letta_client, store, agent, blocks) == []
    assert letta_client.agents.passages.list(second.id) == []


def test_what_somebody_who_died_made_for_the_subject_goes_too(
    memory: Memory, store: LettaStore, letta_client: Letta
) -> None:
    agent = fill(memory, store)
    names = store.names
    letta_client.blocks.create(label="late", value="secret", tags=list(names.tags("sarah")))
    letta_client.archives.create(name=names.tag("sarah"))
    other = letta_client.blocks.create(label="late", value="not hers", tags=list(names.tags("sarah b")))
    blocks = blocks_of(letta_client, agent)
    assert memory.delete_subject("sarah") is not None
    assert left(letta_client, store, agent, blocks) == [other.id]
    letta_client.blocks.delete(other.id)
