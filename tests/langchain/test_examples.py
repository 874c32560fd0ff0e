"""The LangChain examples, run as their readers run them: a process of their own, a folder of their own, no key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from patience import PATIENCE

EXAMPLES = Path(__file__).parents[2] / "examples"
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AI_MEMORY_URL")


def run(name: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key not in KEYS},
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) < 30
    return done.stdout


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
        cwd=EXAMPLES.parent,
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "| LangMem's tools on InMemoryStore |" in done.stdout
