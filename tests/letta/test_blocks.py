"""Blocks that are here, with their versions, and at Letta, where agents and people edit them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from letta.proxy import Proxy
from letta.server import Place
from letta_client import Letta
from patience import wait_until

from ai_memory_integrations.backends.letta.blocks import merge
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.errors import BackendUnavailableError, VersionConflictError
from ai_memory_integrations.types import BlockSpec

HUMAN = BlockSpec(label="human", description="About the user", limit=100)


@pytest.fixture
def store(letta_proxy: Proxy, letta_server: Place, tmp_path: Path) -> Iterator[LettaStore]:
    store = opened(letta_proxy.url, tmp_path / "journal.db", namespace=uuid4().hex)
    yield store
    letta_proxy.heal()
    for subject in store.record.backend.list_subjects():
        store.backend.delete_subject(subject.subject_id)
    store.close()


def opened(url: str, journal: Path, **more: Any) -> LettaStore:
    return LettaStore(LettaServer(url, api_key="none", retries=0), SQLiteStore(str(journal)), url=url, **more)


def sarah(store: LettaStore, *specs: BlockSpec) -> str:
    return store.backend.create_subject("sarah", specs or [HUMAN])[0].agent_id


def there(client: Letta, agent: str) -> dict[str, str]:
    return {block.label or "": block.value for block in client.agents.blocks.list(agent).items}


def prompt(client: Letta, agent: str) -> str:
    """What the agent's model is told at the next run."""
    messages = client.agents.messages.list(agent, limit=50, order="asc").items
    return "".join(str(each.content) for each in messages if each.message_type == "system_message")


def edit(client: Letta, agent: str, value: str, label: str = "human") -> None:
    """As in Letta's own editor."""
    client.agents.blocks.update(label, agent_id=agent, value=value)


def history(store: LettaStore) -> list[tuple[str, str]]:
    return [(each.actor, each.value) for each in store.backend.block_history("sarah", "human")]


class TestAnEditAtLetta:
    def test_becomes_a_version(self, store: LettaStore, letta_client: Letta) -> None:
        agent = sarah(store)
        edit(letta_client, agent, "likes cats")
        block = store.backend.get_block("sarah", "human")
        assert block is not None
        assert (block.value, block.version) == ("likes cats", 2)
        assert history(store) == [("application", ""), ("agent", "likes cats")]

    def test_is_a_change_that_a_writer_has_to_have_seen(self, store: LettaStore, letta_client: Letta) -> None:
        agent = sarah(store)
        edit(letta_client, agent, "likes cats")
        with pytest.raises(VersionConflictError):
            store.backend.write_block("sarah", "human", "likes tea", expected_version=1)
        assert there(letta_client, agent) == {"human": "likes cats"}

    def test_over_the_limit_is_cut_here_and_left_whole_there(self, store: LettaStore, letta_client: Letta) -> None:
        agent = sarah(store)
        edit(letta_client, agent, "x" * 150)
        assert [block.value for block in store.backend.list_blocks("sarah")] == ["x" * 100]
        store.backend.create_block("sarah", BlockSpec(label="other"))
        assert there(letta_client, agent)["human"] == "x" * 150
        store.backend.write_block("sarah", "human", "short")
        assert there(letta_client, agent)["human"] == "short"

    def test_that_empties_a_block_is_undone(self, store: LettaStore, letta_client: Letta) -> None:
        agent = sarah(store)
        store.backend.write_block("sarah", "human", "likes cats")
        edit(letta_client, agent, "")
        assert [block.value for block in store.backend.list_blocks("sarah")] == ["likes cats"]
        assert there(letta_client, agent) == {"human": "likes cats"}
        store.backend.write_block("sarah", "human", "")
        assert [block.value for block in store.backend.list_blocks("sarah")] == [""]
        assert there(letta_client, agent) == {"human": ""}

    def test_while_a_change_waits_here_keeps_both(
        self, store: LettaStore, letta_client: Letta, letta_proxy: Proxy
    ) -> None:
        agent = sarah(store)
        store.backend.write_block("sarah", "human", "likes cats\nlives in Rome")
        with letta_proxy.down():
            store.backend.write_block("sarah", "human", "likes cats\nlives in Paris")
            assert there(letta_client, agent)["human"] == "likes cats\nlives in Rome"
        edit(letta_client, agent, "likes cats\nlives in Rome\nplays chess")
        (block,) = store.backend.list_blocks("sarah")
        assert block.value == "likes cats\nlives in Paris\nplays chess"
        assert there(letta_client, agent)["human"] == block.value
        assert [actor for actor, _ in history(store)] == ["application"] * 3 + ["agent", "application"]

    def test_while_a_change_waits_here_keeps_both_although_old_versions_were_removed(
        self, store: LettaStore, letta_client: Letta, letta_proxy: Proxy
    ) -> None:
        agent = sarah(store)
        store.backend.write_block("sarah", "human", "likes cats\nlives in Rome")
        with letta_proxy.down():
            for city in ("Paris", "Berlin"):
                store.backend.write_block("sarah", "human", f"likes cats\nlives in {city}")
            assert store.journal.prune_history() == 2
        edit(letta_client, agent, "likes cats\nlives in Rome\nplays chess")
        (block,) = store.backend.list_blocks("sarah")
        assert block.value == "likes cats\nlives in Berlin\nplays chess"
        assert store.journal.prune_history() == 3
        assert history(store) == [("application", block.value)]

    def test_of_a_block_that_is_not_known_here_brings_it(self, store: LettaStore, letta_client: Letta) -> None:
        agent = sarah(store)
        for label, value in (("persona", "kind"), ("no label/of ours", "left alone")):
            block = letta_client.blocks.create(label=label, value=value, limit=50)
            letta_client.agents.blocks.attach(block.id, agent_id=agent)
        found = store.backend.get_block("sarah", "persona")
        assert found is not None
        assert (found.value, found.limit) == ("kind", 50)
        assert [block.label for block in store.backend.list_blocks("sarah")] == ["human", "persona"]
        assert store.backend.create_block("sarah", BlockSpec(label="persona", value="x"))[1] is False

    def test_that_removes_a_block_does_not_make_it_forgotten(self, store: LettaStore, letta_client: Letta) -> None:
        agent = sarah(store)
        store.backend.write_block("sarah", "human", "likes cats")
        letta_client.blocks.delete(letta_client.agents.blocks.retrieve("human", agent_id=agent).id)
        assert [block.value for block in store.backend.list_blocks("sarah")] == ["likes cats"]
        assert there(letta_client, agent) == {"human": "likes cats"}
        assert "likes cats" in prompt(letta_client, agent)


class TestABlockOfOurs:
    def test_stands_in_the_agents_prompt_from_its_first_moment(self, store: LettaStore, letta_client: Letta) -> None:
        agent = sarah(store, HUMAN.model_copy(update={"value": "likes cats"}))
        store.backend.create_block("sarah", BlockSpec(label="preferences", description="Tastes", value="likes tea"))
        assert "likes cats" in prompt(letta_client, agent)
        assert "likes tea" in prompt(letta_client, agent)
        assert store.backend.delete_block("sarah", "preferences")
        assert "likes tea" not in prompt(letta_client, agent)
        assert there(letta_client, agent) == {"human": "likes cats"}

    def test_is_made_with_its_agent_in_one_request(
        self, store: LettaStore, letta_client: Letta, letta_proxy: Proxy
    ) -> None:
        spec = BlockSpec(label="rules", description="How to speak", value="kindly", limit=50, read_only=True)
        agent = sarah(store, spec)
        assert letta_proxy.count("POST") == 1
        (block,) = letta_client.agents.blocks.list(agent).items
        assert (block.value, block.description, block.limit, block.read_only) == ("kindly", "How to speak", 50, True)

    def test_begun_afresh_has_its_new_description_and_limit_at_letta_too(
        self, store: LettaStore, letta_client: Letta
    ) -> None:
        agent = sarah(store)
        store.backend.write_block("sarah", "human", "old")
        with store.journal.transaction():
            store.backend.delete_block("sarah", "human")
            store.backend.create_block("sarah", BlockSpec(label="human", description="New", limit=77))
        (block,) = letta_client.agents.blocks.list(agent).items
        assert (block.value, block.description, block.limit) == ("", "New", 77)
        assert history(store) == [("application", "")]

    def test_is_written_when_letta_is_away_and_sent_when_it_is_back(
        self, store: LettaStore, letta_client: Letta, letta_proxy: Proxy, caplog: pytest.LogCaptureFixture
    ) -> None:
        agent = sarah(store)
        with letta_proxy.down():
            assert store.backend.write_block("sarah", "human", "likes cats").version == 2
            assert [block.value for block in store.backend.list_blocks("sarah")] == ["likes cats"]
            with pytest.raises(BackendUnavailableError):
                store.backend.list_blocks("nobody")
        assert "sent to Letta later" in caplog.text
        assert there(letta_client, agent) == {"human": ""}
        assert [block.value for block in store.backend.list_blocks("sarah")] == ["likes cats"]
        assert there(letta_client, agent) == {"human": "likes cats"}

    def test_whose_sending_got_no_answer_is_not_taken_for_an_edit_there(
        self, store: LettaStore, letta_client: Letta, letta_proxy: Proxy
    ) -> None:
        agent = sarah(store)
        letta_proxy.drop("PATCH", "/v1/blocks/*", when="after")
        store.backend.write_block("sarah", "human", "likes cats")
        assert there(letta_client, agent) == {"human": "likes cats"}
        store.backend.write_block("sarah", "human", "likes tea")
        assert there(letta_client, agent) == {"human": "likes tea"}
        assert history(store) == [
            (actor, value) for actor, value in zip(["application"] * 3, ["", "likes cats", "likes tea"], strict=True)
        ]

    def test_is_sent_again_when_somebody_wrote_at_the_same_moment(
        self, store: LettaStore, letta_client: Letta, letta_proxy: Proxy
    ) -> None:
        agent = sarah(store)
        letta_proxy.answer("PATCH", "/v1/blocks/*", status=409, times=2)
        store.backend.write_block("sarah", "human", "likes cats")
        assert there(letta_client, agent) == {"human": "likes cats"}

    def test_waits_while_a_run_of_the_agent_would_undo_it(
        self, store: LettaStore, letta_client: Letta, go: Path
    ) -> None:
        agent = sarah(store)
        said = [{"role": "user", "content": f"[[until={go}]] [[label=human]] [[value=plays chess]]"}]
        run = letta_client.agents.messages.create_async(agent, messages=said)  # type: ignore[arg-type]
        store.backend.write_block("sarah", "human", "likes cats")
        assert there(letta_client, agent) == {"human": ""}
        assert [block.value for block in store.backend.list_blocks("sarah")] == ["likes cats"]
        go.touch()
        wait_until(lambda: letta_client.runs.retrieve(run.id).status != "created")
        (block,) = store.backend.list_blocks("sarah")
        assert sorted(filter(None, block.value.split("\n"))) == ["likes cats", "plays chess"]
        assert there(letta_client, agent)["human"] == block.value

    def test_that_was_deleted_while_letta_was_away_does_not_come_back(
        self, store: LettaStore, letta_client: Letta, letta_proxy: Proxy
    ) -> None:
        agent = sarah(store, HUMAN, BlockSpec(label="notes", value="secret"))
        with letta_proxy.down():
            assert store.backend.delete_block("sarah", "notes")
        assert [block.label for block in store.backend.list_blocks("sarah")] == ["human"]
        assert there(letta_client, agent) == {"human": ""}


class TestTwoProcessesWithOneJournal:
    def test_see_what_the_other_wrote_and_lose_nothing(
        self, store: LettaStore, letta_client: Letta, letta_server: Place, tmp_path: Path
    ) -> None:
        agent = sarah(store)
        other = opened(letta_server.url, tmp_path / "journal.db", namespace=store.names.namespace)
        store.backend.write_block("sarah", "human", "one")
        assert other.backend.write_block("sarah", "human", "two").version == 3
        edit(letta_client, agent, "three")
        assert [block.value for block in store.backend.list_blocks("sarah")] == ["three"]
        assert [block.value for block in other.backend.list_blocks("sarah")] == ["three"]
        assert [value for _, value in history(store)] == ["", "one", "two", "three"]
        other.close()


class TestMergingTwoChanges:
    @pytest.mark.parametrize(
        ("base", "ours", "theirs", "both"),
        [
            ("", "a", "b", "b\na"),
            ("a", "a\nb", "a\nc", "a\nb\nc"),
            ("a\nb", "a\nB", "a\nb\nc", "a\nB\nc"),
            ("a\nb", "b", "a\nb\nc", "b\nc"),
            ("a", "a\nb", "a\nb", "a\nb"),
            ("a", "a\nb", "a\nb\nc", "a\nb\nc"),
            ("a\nb", "a\nx", "a\ny", "a\nx"),
        ],
    )
    def test_keeps_what_both_wrote(self, base: str, ours: str, theirs: str, both: str) -> None:
        assert sorted(merge(base, ours, theirs).split("\n")) == sorted(both.split("\n"))


def test_more_blocks_than_a_page_holds_are_all_there_and_none_is_made_twice(
    store: LettaStore, letta_client: Letta, letta_proxy: Proxy
) -> None:
    specs = [BlockSpec(label=f"block{number:03}", value=f"value {number}") for number in range(130)]
    agent = sarah(store, *specs)
    letta_proxy.forget()
    for _ in range(2):
        assert [block.label for block in store.backend.list_blocks("sarah")] == [spec.label for spec in specs]
    store.backend.write_block("sarah", "block129", "likes tea")
    assert letta_proxy.count("POST") == 0
    blocks = [block for page in letta_client.agents.blocks.list(agent, limit=50).iter_pages() for block in page.items]
    assert len({block.id for block in blocks}) == 130
    assert {block.label: block.value for block in blocks}["block129"] == "likes tea"
