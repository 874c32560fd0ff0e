"""Subjects that move between a file and Letta."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from letta.fake_server import FakeLetta

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.learning.extractive import ExtractiveLearner
from ai_memory_integrations.moving import move_settings, move_subjects

SAID = [
    {"role": "user", "content": "My name is Sarah and I love cats", "id": "m1"},
    {"role": "assistant", "content": "Nice to meet you", "id": "m2"},
]


@pytest.fixture
def fake() -> FakeLetta:
    return FakeLetta()


@pytest.fixture
def on_letta(fake: FakeLetta, tmp_path: Path) -> Iterator[Memory]:
    store = LettaStore(LettaServer(client=fake.client()), SQLiteStore(str(tmp_path / "j.db")), url="letta://fake")
    with Memory(backend=store, learning="off", embedder=False) as memory:
        yield memory
    store.close()


def a_file(path: Path) -> Memory:
    return Memory(str(path), learning="off", embedder=False, learner=ExtractiveLearner())


def known(memory: Memory) -> dict[str, object]:
    return {
        "blocks": [(block.label, block.value) for block in memory.list_blocks("sarah")],
        "history": [(each.actor, each.value) for each in memory.memory_history("human", subject_id="sarah")],
        "messages": [(each.id, each.content) for each in memory.list_messages("sarah")],
        "passages": [(each.id, each.text, each.tags) for each in memory.list_passages(subject_id="sarah")],
        "runs": [(each.id, each.state) for each in memory.list_runs("sarah")],
    }


def test_a_subject_moves_to_letta_and_back_with_all_it_has(on_letta: Memory, fake: FakeLetta, tmp_path: Path) -> None:
    with a_file(tmp_path / "one.db") as source, a_file(tmp_path / "two.db") as target:
        source.wait_for_run(source.add_messages("sarah", SAID, skip_vector_storage=False))
        source.update_memory("human", "Name: Sarah\nLoves cats", subject_id="sarah")
        source.add_passages([{"text": "a document", "tags": ["b", "a"]}], subject_id="sarah")
        before = known(source)

        assert [each.state for each in move_subjects(source, on_letta)] == ["moved"]
        assert known(on_letta) == before
        assert (len(fake.agents), len(fake.blocks), len(fake.passages)) == (1, 2, 3)
        on_letta.append_memory("human", "Lives in Rome", subject_id="sarah")
        on_letta.add_passages(["another document"], subject_id="sarah")
        on_letta._core.store.backend.send("sarah")  # type: ignore[attr-defined]
        assert sorted(block["value"] for block in fake.blocks.values()) == sorted(
            block.value for block in on_letta.list_blocks("sarah")
        )
        assert len(fake.passages) == 4
        assert [each.state for each in move_subjects(source, on_letta)] == ["there"]

        after = known(on_letta)
        assert [each.state for each in move_subjects(on_letta, target)] == ["moved"]
        assert known(target) == after


def test_recorded_settings_move_to_letta_and_back(on_letta: Memory, tmp_path: Path) -> None:
    with Memory(str(tmp_path / "one.db"), blocks=["human", "plans"], embedder=False) as source:
        source.add_messages("sarah", SAID)
        assert [(each.name, each.state) for each in move_settings(source, on_letta)] == [("blocks", "moved")]
        assert [(each.name, each.state) for each in move_settings(source, on_letta)] == [("blocks", "there")]
        with a_file(tmp_path / "two.db") as target:
            move_settings(on_letta, target)
            assert target._core.store.recorded_settings() == source._core.store.recorded_settings()


def test_a_subject_that_only_letta_knows_moves_as_well(on_letta: Memory, fake: FakeLetta, tmp_path: Path) -> None:
    other = LettaStore(LettaServer(client=fake.client()), SQLiteStore(str(tmp_path / "o.db")), url="letta://fake")
    with Memory(backend=other, learning="off", embedder=False) as stranger, a_file(tmp_path / "two.db") as target:
        stranger.initialize_user_memory("sarah")
        stranger.update_memory("human", "likes tea", subject_id="sarah")
        stranger.add_passages(["a document"], subject_id="sarah")
        other.backend.send_passages("sarah")
        assert [each.state for each in move_subjects(on_letta, target)] == ["moved"]
        assert target.get_user_memory("sarah") == "likes tea"
        assert [each.text for each in target.list_passages(subject_id="sarah")] == ["a document"]
    other.close()
