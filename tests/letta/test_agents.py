"""One agent for each subject, whoever meets it first and however many at once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from letta.fake_server import FakeLetta
from letta.proxy import Proxy
from letta.server import EMBEDDING, MODEL, Place
from letta_client import Letta

from ai_memory_integrations.backends.letta.names import SDK_TAG, Names, sdk_subject
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.errors import BackendUnavailableError
from ai_memory_integrations.types import BlockSpec

PROCESSES = 8
ROUNDS = int(os.environ.get("AI_MEMORY_LETTA_ROUNDS", "2"))
BLOCKS = [BlockSpec(label="human"), BlockSpec(label="x")]

Opens = Callable[..., LettaStore]


@pytest.fixture
def namespace() -> str:
    return uuid4().hex


@pytest.fixture
def opens(letta_server: Place, namespace: str, tmp_path: Path) -> Iterator[Opens]:
    """Opens stores of one namespace; what they made is removed when the test is over."""
    opened: list[LettaStore] = []

    def store(journal: str = "journal", *, within: str | None = None) -> LettaStore:
        opened.append(
            LettaStore(
                LettaServer(letta_server.url, api_key="none"),
                SQLiteStore(str(tmp_path / f"{journal}.db")),
                url=letta_server.url,
                namespace=namespace if within is None else within,
            )
        )
        return opened[-1]

    yield store
    for each in opened:
        for subject in each.record.backend.list_subjects():
            each.backend.delete_subject(subject.subject_id)
        each.close()


def there(client: Letta, namespace: str) -> tuple[list[str], list[str]]:
    """The agents of a namespace, and the blocks."""
    tag = Names(namespace).all
    agents = client.agents.list(tags=[tag], limit=100).items
    blocks = client.blocks.list(tags=[tag], limit=100).items
    return [agent.id for agent in agents], [block.id for block in blocks]


@pytest.mark.parametrize("shared", [True, False], ids=["sharing a journal", "strangers"])
def test_threads_that_meet_a_subject_at_once_get_one_agent(
    opens: Opens, letta_client: Letta, namespace: str, shared: bool
) -> None:
    stores = [opens("journal" if shared else f"journal{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda store: store.backend.create_subject("sarah", BLOCKS)[1], stores))
    agents = {store.agents.ensure("sarah").agent_id for store in stores if store.backend.list_blocks("sarah")}
    agent_ids, block_ids = there(letta_client, namespace)
    assert agents == set(agent_ids)
    assert (len(agent_ids), len(block_ids)) == (1, 2)
    assert made.count(True) == 1 if shared else made.count(True) >= 1


@pytest.mark.parametrize("shared", [True, False], ids=["sharing a journal", "strangers"])
def test_processes_that_meet_subjects_at_once_get_one_agent_each(
    letta_server: Place, letta_client: Letta, namespace: str, tmp_path: Path, opens: Opens, shared: bool
) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    worker = Path(__file__).with_name("mapping_worker.py")
    running = []
    for number in range(PROCESSES):
        journal = tmp_path / ("shared.db" if shared else f"own{number}.db")
        asked = [letta_server.url, namespace, str(journal), str(meeting), str(number), str(PROCESSES), str(ROUNDS)]
        running.append(subprocess.Popen([sys.executable, worker, *asked], stdout=subprocess.PIPE, text=True))
    answers = []
    for process in running:
        said, _ = process.communicate(timeout=500)
        assert process.returncode == 0
        answers.append(json.loads(said))
    for number in range(ROUNDS):
        assert len({answer["agents"][number] for answer in answers}) == 1
        if shared:
            assert [answer["made"][number] for answer in answers].count(True) == 1
    agent_ids, block_ids = there(letta_client, namespace)
    assert (len(agent_ids), len(block_ids)) == (ROUNDS, 2 * ROUNDS)
    cleaning = opens("cleaning")
    for number in range(ROUNDS):
        assert cleaning.backend.delete_subject(f"subject {number}") is not None


def made_by_the_sdk(client: Letta, user: str, style: str) -> str:
    """An agent as `ai_memory_sdk` 0.2.0 makes it: its blocks are attached afterwards."""
    tags = [user, SDK_TAG] if style == "user" else [f"subj:{user}", user, SDK_TAG]
    agent = client.agents.create(
        name=f"subconscious_agent_{style}_{user}",
        model=MODEL,
        embedding=EMBEDDING,
        agent_type="sleeptime_agent",
        initial_message_sequence=[],
        tags=list(dict.fromkeys(tags)),
    )
    for label, value in (("human", f"Name: {user}"), ("summary", "")):
        block = client.blocks.create(label=label, value=value, limit=10_000, description=f"The {label}")
        client.agents.blocks.attach(block.id, agent_id=agent.id)
    return agent.id


@pytest.mark.parametrize("style", ["user", "subject"])
def test_an_agent_of_the_sdk_is_found_with_its_memory_and_stays_usable_for_it(
    opens: Opens, letta_client: Letta, subject: str, style: str
) -> None:
    agent_id = made_by_the_sdk(letta_client, subject, style)
    backend = opens(within="").backend
    found = backend.get_subject(subject)
    assert found is not None
    assert found.agent_id == agent_id
    assert [(block.label, block.value) for block in backend.list_blocks(subject)] == [
        ("human", f"Name: {subject}"),
        ("summary", ""),
    ]
    assert backend.create_subject(subject, [BlockSpec(label="other")])[1] is False
    backend.write_block(subject, "human", "Name: S.")
    by_its_own_tag = letta_client.agents.list(tags=[subject], match_all_tags=True).items
    assert [agent.id for agent in by_its_own_tag] == [agent_id]
    assert letta_client.agents.blocks.retrieve("human", agent_id=agent_id).value == "Name: S."
    assert opens("stranger", within="").backend.list_blocks(subject)[0].value == "Name: S."


@pytest.mark.parametrize("style", ["user", "subject"])
def test_messages_that_came_first_do_not_hide_the_memory_of_an_sdk_agent(
    opens: Opens, letta_client: Letta, subject: str, style: str
) -> None:
    agent_id = made_by_the_sdk(letta_client, subject, style)
    store = opens(within="")
    with store.journal.transaction():  # as messages are added: nobody has asked Letta yet
        store.backend.create_subject(subject, [BlockSpec(label="human", limit=100), BlockSpec(label="notes")])
    assert [(block.label, block.value) for block in store.backend.list_blocks(subject)] == [
        ("human", f"Name: {subject}"),
        ("summary", ""),
        ("notes", ""),
    ]
    assert store.backend.agent_of(subject) == agent_id


def test_everybody_at_letta_is_listed(tmp_path: Path) -> None:
    fake = FakeLetta()
    with fake.client() as client:
        made_by_the_sdk(client, "sarah", "user")
        made_by_the_sdk(client, "bob", "subject")
        client.agents.create(name="another application's", model=MODEL, tags=["eve", SDK_TAG, "x"])
    one, other = (
        LettaStore(LettaServer(client=fake.client()), SQLiteStore(str(tmp_path / f"{name}.db")), url="letta://fake")
        for name in ("one", "other")
    )
    for number in range(120):
        one.backend.create_subject(f"user {number:03}")
    listed = other.backend.list_subjects()
    assert [each.subject_id for each in listed[:2]] == ["bob", "sarah"]
    assert len(listed) == 122
    assert {each.subject_id: each.agent_id for each in listed} == {
        each.subject_id: each.agent_id for each in one.backend.list_subjects()
    }
    assert [each.subject_id for each in other.backend.list_subjects(limit=2, after="sarah")] == ["user 000", "user 001"]
    assert [block.value for block in other.backend.list_blocks("sarah")] == ["Name: sarah", ""]
    one.close()
    other.close()


class TestTheSDKsTags:
    @pytest.mark.parametrize(
        ("name", "tags", "subject"),
        [
            ("subconscious_agent_user_sarah", ["sarah", SDK_TAG], "sarah"),
            ("subconscious_agent_subject_sarah", ["subj:sarah", "sarah", SDK_TAG], "sarah"),
            ("renamed", ["sarah", SDK_TAG], "sarah"),
            ("renamed", ["subj:sarah", "sarah", SDK_TAG], "sarah"),
            ("subconscious_agent_user_sarah", ["sarah", SDK_TAG, "vip"], "sarah"),
            ("subconscious_agent_user_subj:x", ["subj:x", SDK_TAG], "subj:x"),
            (f"subconscious_agent_user_{SDK_TAG}", [SDK_TAG], SDK_TAG),
            (f"subconscious_agent_subject_{SDK_TAG}", [f"subj:{SDK_TAG}", SDK_TAG], SDK_TAG),
            ("another application's", ["sarah"], None),
            ("another application's", ["sarah", "bob", SDK_TAG], None),
            ("another application's", [SDK_TAG], None),
        ],
    )
    def test_say_whose_agent_it_is(self, name: str, tags: list[str], subject: str | None) -> None:
        assert sdk_subject(name, tags) == subject

    def test_no_user_gets_the_memory_of_another_one_by_its_name(self, tmp_path: Path) -> None:
        fake = FakeLetta()
        with fake.client() as client:
            sarah = made_by_the_sdk(client, "sarah", "user")
            bob = made_by_the_sdk(client, "bob", "subject")
        store = LettaStore(LettaServer(client=fake.client()), SQLiteStore(str(tmp_path / "j.db")), url="letta://fake")
        for name in (SDK_TAG, "subj:bob", "ami", "ami:subject:sarah", "subj:sarah", "arah"):
            assert store.backend.get_subject(name) is None
            assert store.backend.list_blocks(name) == []
        assert store.agents.find("sarah").id == sarah  # type: ignore[union-attr]
        assert store.agents.find("bob").id == bob  # type: ignore[union-attr]
        store.close()

    def test_many_agents_of_others_with_the_same_word_as_a_tag_hide_nobody(self, tmp_path: Path) -> None:
        fake = FakeLetta()
        with fake.client() as client:
            for number in range(30):
                client.agents.create(name=f"other {number}", model=MODEL, tags=["sarah"])
            sarah = made_by_the_sdk(client, "sarah", "user")
        store = LettaStore(LettaServer(client=fake.client()), SQLiteStore(str(tmp_path / "j.db")), url="letta://fake")
        found = store.backend.get_subject("sarah")
        assert found is not None
        assert found.agent_id == sarah
        store.close()


class TestAnAgentThatWasRemovedAtLetta:
    def test_is_made_again_with_what_is_known_here(self, opens: Opens, letta_client: Letta) -> None:
        store = opens()
        subject, _ = store.backend.create_subject("sarah", BLOCKS)
        store.backend.write_block("sarah", "human", "likes tea")
        letta_client.agents.delete(subject.agent_id)
        assert [block.value for block in store.backend.list_blocks("sarah")] == ["likes tea", ""]
        store.backend.write_block("sarah", "x", "new")
        again = store.backend.get_subject("sarah")
        assert again is not None
        assert again.agent_id != subject.agent_id
        values = {each.label: each.value for each in letta_client.agents.blocks.list(again.agent_id).items}
        assert values == {"human": "likes tea", "x": "new"}

    def test_is_found_again_where_somebody_else_made_it_anew(self, opens: Opens, letta_client: Letta) -> None:
        here, elsewhere = opens("here"), opens("elsewhere")
        subject, _ = here.backend.create_subject("sarah", BLOCKS)
        letta_client.agents.delete(subject.agent_id)
        new, _ = elsewhere.backend.create_subject("sarah", BLOCKS)
        elsewhere.backend.write_block("sarah", "human", "from elsewhere")
        assert here.backend.list_blocks("sarah")[0].value == "from elsewhere"
        assert here.agents.known("sarah") == new.agent_id


def test_a_subject_keeps_its_raw_name_where_people_look(opens: Opens, letta_client: Letta, namespace: str) -> None:
    for name in ("a@b.com", "a:b", "🐈", "ü" * 256):
        subject, _ = opens().backend.create_subject(name)
        agent = letta_client.agents.retrieve(subject.agent_id, include=["agent.tags"])
        assert agent.metadata is not None
        assert agent.metadata["subject"] == name
        assert f"ami.{namespace}:subject:{name}" in (agent.tags or ())


def test_a_maker_that_died_is_replaced(opens: Opens) -> None:
    store = opens()
    store.record.backend.create_subject("sarah", BLOCKS)
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    note = {"owner": f"{socket.gethostname()}:{ended.stdout.strip()}", "token": "x", "until": 2.0**40, "fresh": True}
    store.record.notes.put("sarah", "maker", note)
    subject, made = store.backend.create_subject("sarah", BLOCKS)
    assert made
    assert subject.agent_id.startswith("agent-")


class TestAnAgentWhoseMakingGoesWrong:
    @pytest.fixture
    def store(self, letta_proxy: Proxy, namespace: str, tmp_path: Path) -> Iterator[LettaStore]:
        server = LettaServer(letta_proxy.url, api_key="none", retries=0)
        store = LettaStore(server, SQLiteStore(str(tmp_path / "j.db")), url=letta_proxy.url, namespace=namespace)
        yield store
        letta_proxy.heal()
        store.backend.delete_subject("sarah")
        store.close()

    def test_is_found_when_only_the_answer_was_lost(
        self, store: LettaStore, letta_proxy: Proxy, letta_client: Letta, namespace: str
    ) -> None:
        letta_proxy.drop("POST", "/v1/agents/", when="after")
        subject, made = store.backend.create_subject("sarah", BLOCKS)
        assert made
        assert there(letta_client, namespace)[0] == [subject.agent_id]

    @pytest.mark.parametrize("path", ["POST /v1/agents/", "GET /v1/agents/"])
    def test_is_begun_by_the_next_call_when_it_did_not_arrive(
        self, store: LettaStore, letta_proxy: Proxy, letta_client: Letta, namespace: str, path: str
    ) -> None:
        letta_proxy.drop(*path.split(), when="before")
        with pytest.raises(BackendUnavailableError):
            store.backend.create_subject("sarah", BLOCKS)
        subject, made = store.backend.create_subject("sarah", BLOCKS)
        assert made
        assert there(letta_client, namespace)[0] == [subject.agent_id]
        assert store.backend.create_subject("sarah")[1] is False

    def test_is_one_also_when_nobody_could_look_for_a_second_one(
        self, store: LettaStore, letta_proxy: Proxy, letta_client: Letta, namespace: str
    ) -> None:
        store.record.backend.create_subject("sarah", BLOCKS)
        letta_proxy.answer("GET", "/v1/agents/", status=200, body=[])
        letta_proxy.answer("GET", "/v1/agents/", status=503)
        with pytest.raises(BackendUnavailableError):
            store.backend.create_subject("sarah")
        subject, _ = store.backend.create_subject("sarah")
        assert there(letta_client, namespace)[0] == [subject.agent_id]


def test_where_letta_has_no_sleeptime_agents_another_kind_gets_the_same_tools(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    def refusing(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path == "/v1/agents/":
            asked.append(json.loads(request.content))
            if asked[-1]["agent_type"] == "sleeptime_agent":
                return httpx.Response(422, json={"detail": [{"loc": ["body", "agent_type"], "msg": "not known"}]})
        return fake.answer(request)

    fake = FakeLetta()
    client = Letta(base_url="http://fake", http_client=httpx.Client(transport=httpx.MockTransport(refusing)))
    store = LettaStore(LettaServer(client=client), SQLiteStore(str(tmp_path / "j.db")), url="letta://fake")
    assert store.backend.create_subject("sarah", BLOCKS)[1]
    assert [each["agent_type"] for each in asked] == ["sleeptime_agent", "letta_v1_agent"]
    assert asked[1]["tools"] == ["memory_insert", "memory_replace", "memory_rethink"]
    store.close()
