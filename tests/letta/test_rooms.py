"""The adapters' own tests with memory on Letta: here its API in this process, and on a server with
`make rooms PLACE=letta`, which also plays the examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOMS = {
    "langchain": ("middleware", "chat_history", "retriever", "tools", "learning"),
    "langgraph": ("core_memory_namespaces", "nodes", "with_frameworks"),
    "llama_index": ("retriever", "messages", "tools", "blocks", "chat_store", "across_frameworks"),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("room", ROOMS)
def test_what_the_adapters_promise_holds_on_letta(room: str) -> None:
    chosen = [TESTS / room / f"test_{name}.py" for name in ROOMS[room]]
    assert [file for file in chosen if not file.exists()] == []
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    options = ("-q", "-p", "no:cacheprovider", "-p", "elsewhere", "--place=letta-fake")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *chosen],
        cwd=TESTS.parent,
        env={**environment, "PYTHONPATH": os.pathsep.join([str(TESTS), environment.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=840,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-10_000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
