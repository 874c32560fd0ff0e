"""The examples, run as their readers run them: in a process of their own, in a folder of their own, without a key."""

from __future__ import annotations

from pathlib import Path

import example_runs


def run(name: str, folder: Path, *arguments: str) -> str:
    """As `example_runs.run`. LlamaIndex itself warns."""
    shown = example_runs.run(name, folder, *arguments, warnings="ignore")
    assert list(folder.iterdir()) == []
    return shown


def test_an_agent_knows_its_user_in_the_next_session(tmp_path: Path) -> None:
    shown = run("llama_index_agent.py", tmp_path)
    assert "Sarah: Good morning!\nAgent: (no model here) I know: Name: Sarah; Lives in: Lisbon" in shown
    assert "Session monday: 4 messages\nSession tuesday: 2 messages" in shown


def test_chat_engines_share_one_conversation(tmp_path: Path) -> None:
    shown = run("llama_index_chat_engine.py", tmp_path)
    assert "Engine: (no model here) I know: Name: Sarah; Likes: cats" in shown
    assert "Archived about fish: Sarah's cat Miso eats only fish." in shown
    assert "The conversation has 6 messages by now." in shown


def test_three_frameworks_know_the_same(tmp_path: Path) -> None:
    assert_all_know_sarah(run("one_memory_three_frameworks.py", tmp_path))


def test_three_frameworks_know_the_same_on_a_server(tmp_path: Path, postgres_url: str) -> None:
    assert_all_know_sarah(run("one_memory_three_frameworks.py", tmp_path, postgres_url))


def assert_all_know_sarah(shown: str) -> None:
    last = shown.split("What do you know of me?\n")[1].splitlines()[0]
    assert "Name: Sarah; Lives in: Lisbon" in last
    assert "Allergic to: nuts" in last
