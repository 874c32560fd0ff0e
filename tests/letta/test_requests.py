"""How many requests a call costs: what a memory on a server is slow or fast by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from letta.proxy import Proxy

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.types import LearningPolicy, Passage

AT_ONCE = LearningPolicy(batch=1, idle=0.0, max_wait=0.0)
SAID = [{"role": "user", "content": "I love cats"}, {"role": "assistant", "content": "Nice!"}] * 3
POLL = "GET /v1/runs/{run}"


@pytest.fixture
def memory(letta_proxy: Proxy, tmp_path: Path) -> Iterator[Memory]:
    store = store_at(letta_proxy, tmp_path)
    memory = Memory(backend=store, learning=AT_ONCE, embedder=False)
    yield memory
    memory.close()
    for subject in store.record.backend.list_subjects():
        store.backend.delete_subject(subject.subject_id)
    store.close()


def store_at(proxy: Proxy, path: Path, *, stale: float = 0.0) -> LettaStore:
    server = LettaServer(proxy.url, api_key="none")
    return LettaStore(server, SQLiteStore(str(path / "j.db")), url=proxy.url, namespace=uuid4().hex, stale=stale)


def asked(proxy: Proxy) -> dict[str, int]:
    """What was asked since the last look, without polls."""
    lines = {line: number for line, number in proxy.lines().items() if line != POLL}
    proxy.forget()
    return lines


def test_first_contact_costs_three_and_another_look_none(memory: Memory, letta_proxy: Proxy) -> None:
    memory.initialize_user_memory("sarah")
    assert asked(letta_proxy) == {"GET /v1/agents/": 2, "POST /v1/agents/": 1}
    assert memory.get_memory_agent_id("sarah") == memory.ensure_subject("sarah")
    assert asked(letta_proxy) == {}


def test_all_blocks_of_a_known_subject_cost_one(memory: Memory, letta_proxy: Proxy) -> None:
    memory.initialize_user_memory("sarah")
    asked(letta_proxy)
    for read in (
        lambda: memory.list_blocks("sarah"),
        lambda: memory.prompt(subject_id="sarah"),
        lambda: memory.get_user_memory("sarah"),
        lambda: memory.get_summary("sarah"),
        lambda: memory.memory_history("human", subject_id="sarah"),
    ):
        read()
        assert sum(asked(letta_proxy).values()) == 1


def test_an_unknown_subject_costs_one_and_is_not_made(memory: Memory, letta_proxy: Proxy) -> None:
    assert memory.get_user_memory("nobody") is None
    assert asked(letta_proxy) == {"GET /v1/agents/": 1}


def test_within_the_staleness_that_is_allowed_blocks_cost_none(letta_proxy: Proxy, tmp_path: Path) -> None:
    store = store_at(letta_proxy, tmp_path, stale=3600.0)
    with Memory(backend=store, learning="off", embedder=False) as memory:
        memory.initialize_user_memory("sarah")
        memory.list_blocks("sarah")
        asked(letta_proxy)
        memory.list_blocks("sarah")
        assert asked(letta_proxy) == {}
        memory.update_memory("human", "likes tea", subject_id="sarah")
        assert memory.get_user_memory("sarah") == "likes tea"
        memory.delete_subject("sarah")
    store.close()


def test_adding_messages_costs_none(memory: Memory, letta_proxy: Proxy) -> None:
    quiet = Memory(backend=memory._core.store, learning="off", embedder=False)
    quiet.add_messages("sarah", SAID, skip_vector_storage=False)
    quiet.clear_thread("sarah")
    assert asked(letta_proxy) == {}
    quiet.close()


def test_a_batch_costs_three_and_polls_whatever_its_size(memory: Memory, letta_proxy: Proxy) -> None:
    memory.initialize_user_memory("sarah")
    for number in range(2):
        asked(letta_proxy)
        said = [{**message, "content": f"{message['content']} {number} {place}"} for place, message in enumerate(SAID)]
        run = memory.wait_for_run(memory.add_messages("sarah", said, skip_vector_storage=True))
        assert run.edits > 0
        assert sum(asked(letta_proxy).values()) <= 3


def test_a_batch_with_passages_costs_two_more_whatever_their_number(memory: Memory, letta_proxy: Proxy) -> None:
    memory.initialize_user_memory("sarah")
    store = memory._core.store
    with store.journal.transaction():
        store.backend.add_passages("sarah", [Passage(text="the first makes the archive")])
    store.backend.send_passages("sarah")  # type: ignore[attr-defined]
    asked(letta_proxy)
    memory.wait_for_run(memory.add_messages("sarah", SAID * 3, skip_vector_storage=False))
    lines = asked(letta_proxy)
    assert sum(lines.values()) <= 5
    assert lines["POST /v1/archives/{archive}/passages/batch"] == 1


def test_the_first_passages_of_a_subject_made_here_cost_three(memory: Memory, letta_proxy: Proxy) -> None:
    memory.initialize_user_memory("sarah")
    asked(letta_proxy)
    memory.add_passages(["I love cats", "I have a dog"], subject_id="sarah")
    assert asked(letta_proxy) == {
        "POST /v1/archives/": 1,
        "PATCH /v1/agents/{agent}/archives/attach/{archive}": 1,
        "POST /v1/archives/{archive}/passages/batch": 1,
    }


def test_an_erasure_costs_seven_and_one_for_each_block(memory: Memory, letta_proxy: Proxy) -> None:
    memory.initialize_user_memory("sarah")
    memory.wait_for_run(memory.add_messages("sarah", SAID, skip_vector_storage=False))
    blocks = len(memory.list_blocks("sarah"))
    asked(letta_proxy)
    assert memory.delete_subject("sarah") is not None
    assert asked(letta_proxy) == {
        "GET /v1/archives/{archive}/agents": 1,
        "GET /v1/archives/": 1,
        "GET /v1/agents/{agent}/archival-memory/search": 1,
        "DELETE /v1/agents/{agent}": 1,
        "GET /v1/agents/": 1,
        "GET /v1/blocks/": 1,
        "DELETE /v1/blocks/{block}": blocks,
        "DELETE /v1/archives/{archive}": 1,
    }


def test_a_search_costs_one(memory: Memory, letta_proxy: Proxy) -> None:
    memory.add_passages(["I love cats", "I have a dog"], subject_id="sarah")
    memory._core.store.backend.send_passages("sarah")  # type: ignore[attr-defined]
    asked(letta_proxy)
    assert memory.search("sarah", "animals", tags=[])
    assert sum(asked(letta_proxy).values()) == 1
