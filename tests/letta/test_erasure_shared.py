"""Erasing a subject whose archive other agents have too: what is theirs stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from letta.fake_server import FakeLetta
from letta.proxy import Proxy
from letta_client import Letta

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.errors import BackendUnavailableError
from ai_memory_integrations.types import ErasureReceipt

EMBEDDING = "openai/text-embedding-3-small"


@dataclass
class At:
    """A memory, and its server seen by somebody else."""

    memory: Memory
    client: Letta
    others: list[str] = field(default_factory=list)

    def agent(self) -> str:
        """One that is no subject's."""
        made = self.client.agents.create(
            name="other", agent_type="sleeptime_agent", model="openai/gpt-4.1", embedding=EMBEDDING
        )
        self.others.append(made.id)
        return made.id

    def archive(self) -> str:
        """Of the subject, in which there is something."""
        self.memory.add_passages(["a secret passage", "another one"], subject_id="sarah")
        return self.client.archives.list(agent_id=self.memory.get_memory_agent_id("sarah") or "").items[0].id

    def put(self, archive: str, text: str) -> None:
        self.client.archives.passages.create_many(archive, passages=[{"text": text}])

    def texts(self, agent: str) -> list[str]:
        """What an agent has in its archive."""
        return [passage.text for passage in self.client.agents.passages.list(agent)]

    def erased(self) -> ErasureReceipt:
        receipt = self.memory.delete_subject("sarah")
        assert receipt is not None
        assert self.client.agents.list(tags=[self.memory._core.store.names.all]).items == []  # type: ignore[attr-defined]
        return receipt


@contextmanager
def opened(server: LettaServer, client: Letta, path: Path, *, exclusive: bool) -> Iterator[At]:
    store = LettaStore(
        server, SQLiteStore(str(path / "j.db")), url="letta://", namespace=uuid4().hex, exclusive=exclusive
    )
    with Memory(backend=store, learning="off", embedder=False) as memory:
        at = At(memory, client)
        yield at
        for agent in at.others:
            for archive in client.archives.list(agent_id=agent).items:
                client.archives.delete(archive.id)
            client.agents.delete(agent)
    store.close()


@pytest.fixture(params=[False, True], ids=["default", "exclusive"])
def exclusive(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class SharedArchives:
    def test_an_archive_that_others_have_stays_with_them_without_what_was_the_subjects(self, at: At) -> None:
        archive, other = at.archive(), at.agent()
        at.client.agents.archives.attach(archive, agent_id=other)
        at.put(archive, "somebody else's")
        receipt = at.erased()
        assert receipt.passages == 2
        assert archive in " ".join(receipt.kept)
        assert at.texts(other) == ["somebody else's"]

    def test_an_archive_that_was_given_to_the_agent_stays_where_it_was(self, at: At) -> None:
        other, library = at.agent(), at.client.archives.create(name="library", embedding=EMBEDDING).id
        at.client.agents.archives.attach(library, agent_id=other)
        at.put(library, "a book")
        at.client.agents.archives.attach(library, agent_id=at.memory.ensure_subject("sarah"))
        assert at.archive() == library
        receipt = at.erased()
        assert receipt.passages == 2
        assert library in " ".join(receipt.kept)
        assert at.texts(other) == ["a book"]

    def test_an_archive_of_the_subject_alone_goes_whoever_had_it_before(self, at: At) -> None:
        archive, other = at.archive(), at.agent()
        at.client.agents.archives.attach(archive, agent_id=other)
        at.client.agents.archives.detach(archive, agent_id=other)
        name = at.client.archives.retrieve(archive).name
        assert archive not in " ".join(at.erased().kept)
        assert at.client.archives.list(name=name).items == []

    def test_one_that_the_agent_left_behind_and_others_have_stays_with_them(self, at: At) -> None:
        archive, other = at.archive(), at.agent()
        at.client.agents.archives.attach(archive, agent_id=other)
        at.put(archive, "somebody else's")
        at.client.agents.delete(at.memory.get_memory_agent_id("sarah") or "")
        receipt = at.erased()
        assert receipt.passages == 2
        assert archive in " ".join(receipt.kept)
        assert at.texts(other) == ["somebody else's"]


class TestOnAFake(SharedArchives):
    @pytest.fixture
    def at(self, tmp_path: Path, exclusive: bool) -> Iterator[At]:
        client = FakeLetta().client()
        with opened(LettaServer(client=client), client, tmp_path, exclusive=exclusive) as at:
            yield at


@pytest.fixture
def at(letta_proxy: Proxy, letta_client: Letta, tmp_path: Path, exclusive: bool) -> Iterator[At]:
    server = LettaServer(letta_proxy.url, api_key="none", retries=0)
    with opened(server, letta_client, tmp_path, exclusive=exclusive) as at:
        yield at


class TestOnLetta(SharedArchives):
    pass


def test_one_that_is_attached_while_an_erasure_is_interrupted_stays(at: At, letta_proxy: Proxy) -> None:
    archive, other = at.archive(), at.agent()
    letta_proxy.drop("DELETE", "/v1/agents/*", when="after")
    with pytest.raises(BackendUnavailableError):
        at.memory.delete_subject("sarah")
    at.client.agents.archives.attach(archive, agent_id=other)
    at.put(archive, "somebody else's")
    receipt = at.erased()
    assert receipt.passages == 2
    assert archive in " ".join(receipt.kept)
    assert at.texts(other) == ["somebody else's"]


def test_where_the_server_cannot_tell_the_archive_stays_and_the_passages_go(at: At, letta_proxy: Proxy) -> None:
    archive, other = at.archive(), at.agent()
    at.client.agents.archives.attach(archive, agent_id=other)
    at.put(archive, "somebody else's")
    letta_proxy.answer("GET", "/v1/archives/*/agents", status=404, times=None)
    receipt = at.erased()
    assert "cannot tell" in " ".join(receipt.kept)
    assert receipt.passages == 2
    assert at.texts(other) == ["somebody else's"]
