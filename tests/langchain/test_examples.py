"""The LangChain examples, run as their readers run them: a process of their own, a folder of their own, no key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import example_runs
from patience import PATIENCE


def run(name: str, folder: Path) -> str:
    shown = example_runs.run(name, folder)
    assert len(shown.splitlines()) < 30
    return shown


def test_the_agent_knows_its_user_in_another_conversation_and_in_another_process(tmp_path: Path) -> None:
    first = run("langchain_agent.py", tmp_path)
    assert "sarah, monday\n  > Hi! My name is Sarah and I live in Lisbon.\n  Nice to meet you." in first
    assert "sarah, tuesday\n  > What do you know about me?\n  I remember: Name: Sarah; Lives in: Lisbon" in first
    assert "bob, tuesday\n  > And what do you know about me?\n  Nice to meet you." in first
    assert "I live in Lisbon.\n  I remember: Name: Sarah" in run("langchain_agent.py", tmp_path)


def test_the_chain_has_a_history_and_memories_of_its_user_only(tmp_path: Path) -> None:
    shown = run("langchain_chain.py", tmp_path)
    assert "Where does Ana live?\n  I was given 1 memories and 0 earlier messages." in shown
    assert "and 4 earlier messages" in shown
    assert "Sarah is allergic to peanuts." in shown
    assert "Found in bob's: []" in shown


def test_the_agent_with_tools_writes_and_searches_its_memory(tmp_path: Path) -> None:
    shown = run("langchain_tools.py", tmp_path)
    assert "calls append_memory({'label': 'human', 'text': 'Sarah likes green tea.'})" in shown
    assert "I looked it up: 1 memories." in shown
    assert "version 2, written by the agent: Sarah likes green tea." in shown


def test_the_benchmark_of_a_turn_runs_and_prints_its_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.langchain_overhead", "--rounds", "3"],
        cwd=example_runs.EXAMPLES.parent,
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "| LangMem's tools on InMemoryStore |" in done.stdout
