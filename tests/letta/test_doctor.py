"""What `ai-memory doctor` says of memory on Letta, and what it repairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from letta.fake_server import FakeLetta
from letta.opening import store_at
from letta.proxy import Proxy
from letta.server import EMBEDDING, MODEL, Place
from typer.testing import CliRunner

from ai_memory_integrations.backends.letta.agents import AgentSettings
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.cli.commands import app
from ai_memory_integrations.types import BlockSpec, Passage

HUMAN = BlockSpec(label="human")


@pytest.fixture
def fake() -> FakeLetta:
    return FakeLetta()


@pytest.fixture
def store(fake: FakeLetta, tmp_path: Path) -> Iterator[LettaStore]:
    store = LettaStore(LettaServer(client=fake.client()), SQLiteStore(str(tmp_path / "j.db")), url="letta://fake")
    yield store
    store.close()


def said(store: LettaStore, *, fix: bool = False) -> list[tuple[str, str, str]]:
    return [(each.level, each.text, each.remedy) for each in store.examine(fix=fix) if each.name == "letta"]


def twin(fake: FakeLetta, store: LettaStore, *, value: str = "") -> str:
    """A second agent of a subject, as a maker leaves it that died before it looked again."""
    with fake.client() as client:
        return client.agents.create(
            name="twin",
            model=MODEL,
            embedding=EMBEDDING,
            tags=list(store.names.tags("sarah")),
            memory_blocks=[{"label": "human", "value": value, "tags": list(store.names.tags("sarah"))}],
        ).id


def test_where_all_is_well_it_names_the_server_its_models_and_the_journal(store: LettaStore) -> None:
    store.backend.create_subject("sarah", [HUMAN])
    assert said(store) == [
        ("fact", "version fake at http://fake", ""),
        ("fact", f"model {MODEL}", ""),
        ("fact", f"embedding {EMBEDDING}", ""),
        ("fact", "1 subjects have an agent", ""),
    ]
    (journal,) = [each for each in store.examine() if each.name == "journal"]
    assert "processes that share it make one agent" in journal.text


def test_a_second_agent_is_removed_when_it_is_empty(store: LettaStore, fake: FakeLetta) -> None:
    kept = store.backend.create_subject("sarah", [HUMAN])[0].agent_id
    second = twin(fake, store)
    assert ("problem", f"subject 'sarah' has a second agent, {second}, beside {kept}; it is empty", REPAIR) in said(
        store
    )
    assert list(fake.agents) == [kept, second]
    assert any("it was empty and is removed" in text for _, text, _ in said(store, fix=True))
    assert (list(fake.agents), len(fake.blocks)) == ([kept], 1)
    assert [level for level, _, _ in said(store)] == ["fact"] * 4


REPAIR = "ai-memory doctor --fix"


def test_a_second_agent_that_knows_something_is_left_to_people(store: LettaStore, fake: FakeLetta) -> None:
    store.backend.create_subject("sarah", [HUMAN])
    second = twin(fake, store, value="likes cats")
    ((level, text, remedy),) = [each for each in said(store, fix=True) if second in each[1]]
    assert (level, "something is in its memory" in text) == ("problem", True)
    assert "Letta's editor" in remedy
    assert second in fake.agents


def test_a_second_agent_with_passages_is_not_empty(store: LettaStore, fake: FakeLetta, tmp_path: Path) -> None:
    other = LettaStore(LettaServer(client=fake.client()), SQLiteStore(str(tmp_path / "o.db")), url="letta://fake")
    other.backend.create_subject("sarah", [HUMAN])
    other.backend.add_passages("sarah", [Passage(text="I love cats")])
    agent = next(iter(fake.agents.values()))
    twin(fake, store)
    agent["created_at"] = fake.now()  # as if it were the younger one
    said(store, fix=True)
    assert agent["id"] in fake.agents
    other.close()


def test_blocks_without_an_agent_are_removed(store: LettaStore, fake: FakeLetta) -> None:
    store.backend.create_subject("sarah", [HUMAN])
    with fake.client() as client:
        loose = client.blocks.create(label="x", value="", tags=[store.names.all]).id
        client.blocks.create(label="x", value="", tags=["somebody else's"])
    assert ("note", "1 blocks belong to no agent: what made them came to no end", REPAIR) in said(store)
    said(store, fix=True)
    assert loose not in fake.blocks
    assert len(fake.blocks) == 2


def test_what_was_not_sent_is_counted_and_sent(store: LettaStore, fake: FakeLetta) -> None:
    store.backend.create_subject("sarah", [HUMAN])
    store.record.backend.write_block("sarah", "human", "likes cats")
    with store.journal.transaction():
        store.blocks.wrote("sarah")
    assert any(text.startswith("blocks of 1 subjects are not sent yet") for _, text, _ in said(store))
    said(store, fix=True)
    assert [block["value"] for block in fake.blocks.values()] == ["likes cats"]
    assert [level for level, _, _ in said(store)] == ["fact"] * 4


def test_a_model_that_the_server_does_not_offer_is_a_problem(fake: FakeLetta, tmp_path: Path) -> None:
    store = LettaStore(
        LettaServer(client=fake.client()),
        SQLiteStore(str(tmp_path / "j.db")),
        url="letta://fake",
        settings=AgentSettings(model="nobody/nothing", embedding=""),
    )
    findings = said(store)
    assert ("problem", f"model nobody/nothing is not offered; there are {MODEL}") in [each[:2] for each in findings]
    assert ("fact", "embedding is the default of the server", "") in findings
    store.close()


def test_the_command_says_it_of_a_real_server_and_of_none(letta_server: Place, tmp_path: Path) -> None:
    host = letta_server.url.removeprefix("http://")
    url = f"letta://{host}?tls=false&namespace=nobody-is-here&journal=sqlite:///{tmp_path}/j.db"
    told = CliRunner().invoke(app, ["--url", url, "doctor"], env={"COLUMNS": "300"})
    assert "version 0.16" in told.output
    nobody = CliRunner().invoke(app, ["--url", f"letta://127.0.0.1:1?journal=sqlite:///{tmp_path}/j.db", "doctor"])
    assert "cannot be reached" in " ".join(nobody.output.split())
    assert nobody.exit_code != 0


def search(store: LettaStore) -> list[tuple[str, str]]:
    return [(each.level, each.text) for each in store.examine() if each.name == "search"]


def test_it_says_whether_embeddings_work(store: LettaStore, fake: FakeLetta) -> None:
    assert search(store) == [("fact", "whether embeddings work is seen with the first subject")]
    store.backend.create_subject("sarah", [HUMAN])
    assert search(store) == [("fact", f"embeddings work ({EMBEDDING})")]
    (agent,) = fake.agents.values()
    agent["embedding"] = None
    ((level, text),) = search(store)
    assert (level, "no embedding model" in text) == ("problem", True)


def test_on_a_server_whose_embedding_model_fails_it_says_so(letta_proxy: Proxy, tmp_path: Path, subject: str) -> None:
    store = store_at(letta_proxy.url, tmp_path / "j.db")
    store.backend.create_subject(subject, [HUMAN])
    try:
        assert search(store) == [("fact", f"embeddings work ({EMBEDDING})")]
        letta_proxy.answer("GET", "*/archival-memory/search", status=400, times=None)
        ((level, text),) = search(store)
        assert (level, "embeddings do not work" in text) == ("problem", True)
    finally:
        letta_proxy.heal()
        store.backend.delete_subject(subject)
        store.close()
