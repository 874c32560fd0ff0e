"""The server that the tests drive is a real one: what a memory needs of it, asked with Letta's own client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from letta.proxy import Proxy
from letta.server import EMBEDDING, MODEL, Place, Server
from letta_client import APIConnectionError, ConflictError, Letta, NotFoundError
from patience import wait_until

ENDED = ("completed", "failed", "cancelled")


def agent_of(client: Letta, subject: str, **more: Any) -> str:
    blocks = [{"label": "human", "value": "", "description": "About the user"}, {"label": "summary", "value": ""}]
    return client.agents.create(
        name=subject,
        agent_type="sleeptime_agent",
        model=MODEL,
        embedding=EMBEDDING,
        tags=["tests", subject],
        initial_message_sequence=[],
        message_buffer_autoclear=True,
        memory_blocks=blocks,
        **more,
    ).id


def blocks_of(client: Letta, agent: str) -> dict[str, str]:
    return {block.label or "": block.value for block in client.agents.blocks.list(agent).items}


def learn(client: Letta, agent: str, said: str, **more: Any) -> str:
    transcript = f"<messages>\nuser: {said}\n</messages>"
    run = client.agents.messages.create_async(agent, messages=[{"role": "user", "content": transcript}], **more)
    return run.id


def ended(client: Letta, run: str) -> Any:
    wait_until(lambda: client.runs.retrieve(run).status in ENDED)
    return client.runs.retrieve(run)


def erase(client: Letta, agent: str) -> None:
    blocks = [block.id for block in client.agents.blocks.list(agent).items]
    archives = [archive.id for archive in client.archives.list(agent_id=agent).items]
    client.agents.delete(agent)
    for block in blocks:
        client.blocks.delete(block)
    for archive in archives:
        client.archives.delete(archive)


def test_a_memory_agent_learns_and_is_erased_with_all_that_it_knew(
    letta_server: Place, letta_client: Letta, subject: str
) -> None:
    agent = agent_of(letta_client, subject)
    run = ended(letta_client, learn(letta_client, agent, f"Hi, my name is Alice {subject}. I love cats!"))
    assert run.status == "completed"
    known = blocks_of(letta_client, agent)
    assert "my name is Alice" in known["human"]
    assert "I love cats" in known["summary"]

    first = letta_client.agents.passages.create(agent, text="I love cats", tags=["user"])[0]
    assert first.archive_id is not None
    said = [{"text": f"My job is teaching {subject}", "tags": ["user"]}, {"text": "Nice!", "tags": ["assistant"]}]
    letta_client.archives.passages.create_many(first.archive_id, passages=said)  # type: ignore[arg-type]
    found = letta_client.agents.passages.search(agent, query="animals", top_k=1).results
    assert [each.content for each in found] == ["I love cats"]

    if letta_server.database is not None:
        assert {"agents", "block", "messages", "archival_passages"} <= set(letta_server.tables_with(subject))
    erase(letta_client, agent)
    assert letta_client.agents.list(tags=[subject]).items == []
    assert list(letta_client.passages.search(archive_id=first.archive_id)) == []
    if letta_server.database is not None:
        assert letta_server.tables_with(subject) == []


def test_a_text_says_how_the_model_treats_it(letta_client: Letta, subject: str) -> None:
    agent = agent_of(letta_client, subject)
    refused = ended(letta_client, learn(letta_client, agent, "[[status=400]] I love cats"))
    assert (refused.status, blocks_of(letta_client, agent)["human"]) == ("failed", "")
    assert "refused with 400" in refused.metadata["error"]

    ended(letta_client, learn(letta_client, agent, "[[label=human]] [[value=I am Bob]]"))
    assert blocks_of(letta_client, agent) == {"human": "\nI am Bob", "summary": ""}
    ended(letta_client, learn(letta_client, agent, "[[label=human]] [[forget]]"))
    assert blocks_of(letta_client, agent)["human"] == ""
    assert ended(letta_client, learn(letta_client, agent, "[[noop]]")).status == "completed"
    endless = ended(letta_client, learn(letta_client, agent, "[[loop]]", max_steps=3))
    assert (endless.status, endless.stop_reason) == ("completed", "max_steps")
    erase(letta_client, agent)


def test_runs_carry_a_mark_of_ours_from_their_first_moment(letta_client: Letta, subject: str, go: Path) -> None:
    agent = agent_of(letta_client, subject)
    run = learn(letta_client, agent, f"[[until={go}]] I love cats", assistant_message_tool_kwarg="ami:batch-1")
    (seen,) = letta_client.runs.list(agent_id=agent, active=True, limit=5).items
    assert seen.id == run
    assert seen.request_config is not None
    assert seen.request_config.assistant_message_tool_kwarg == "ami:batch-1"
    go.touch()
    assert ended(letta_client, run).status == "completed"
    erase(letta_client, agent)


def test_the_proxy_counts_and_breaks_what_it_is_told_to(letta_proxy: Proxy, letta_client: Letta, subject: str) -> None:
    client = Letta(base_url=letta_proxy.url, api_key="none", max_retries=0)
    agent = agent_of(client, subject)
    assert letta_proxy.lines() == {"POST /v1/agents/": 1}

    letta_proxy.answer("GET", "/v1/agents/*/core-memory/blocks", status=409)
    with pytest.raises(ConflictError):
        client.agents.blocks.list(agent)
    assert blocks_of(client, agent) == {"human": "", "summary": ""}
    assert letta_proxy.lines()["GET /v1/agents/{agent}/core-memory/blocks"] == 2

    letta_proxy.forget()
    letta_proxy.drop("PATCH", "*/blocks/human", when="before")
    with pytest.raises(APIConnectionError):
        client.agents.blocks.update("human", agent_id=agent, value="never arrived")
    assert blocks_of(letta_client, agent)["human"] == ""
    letta_proxy.drop("PATCH", "*/blocks/human", when="after")
    with pytest.raises(APIConnectionError):
        client.agents.blocks.update("human", agent_id=agent, value="arrived")
    assert blocks_of(letta_client, agent)["human"] == "arrived"
    assert (letta_proxy.count("PATCH"), letta_proxy.count("GET")) == (2, 0)
    assert [each.status for each in letta_proxy.seen] == [None, None]

    with letta_proxy.down(), pytest.raises(APIConnectionError):
        client.agents.retrieve(agent)
    assert client.agents.retrieve(agent).id == agent
    client.close()
    erase(letta_client, agent)


@pytest.mark.slow
def test_a_killed_server_leaves_a_run_open_for_ever(own_letta: Server, subject: str) -> None:
    with Letta(base_url=own_letta.url, api_key="none", max_retries=0) as client:
        agent = agent_of(client, subject)
        run = learn(client, agent, "[[sleep=60]] I love cats")
        own_letta.kill()
        with pytest.raises(APIConnectionError):
            client.runs.retrieve(run)
        own_letta.start()
        assert client.runs.retrieve(run).status == "created"
        client.agents.messages.cancel(agent, run_ids=[run])
        assert client.runs.retrieve(run).status == "cancelled"
        client.agents.delete(agent)
        with pytest.raises(NotFoundError):
            client.agents.retrieve(agent)
