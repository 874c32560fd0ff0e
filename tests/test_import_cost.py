"""What an import loads: nothing that is not needed yet."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FRAMEWORKS = {"langchain", "langchain_core", "langgraph", "llama_index", "wordllama"}
HEAVY = {"numpy", "snowballstemmer", "platformdirs", "typer", "rich"}


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after *code*."""
    ask = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, encoding="utf-8", check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_next_to_nothing() -> None:
    assert not loaded("import ai_memory_integrations") & (FRAMEWORKS | HEAVY | {"pydantic", "sqlite3", "asyncio"})


def test_importing_memory_loads_no_framework_no_driver_and_no_numbers() -> None:
    assert not loaded("from ai_memory_integrations import Memory") & (FRAMEWORKS | HEAVY | {"sqlite3"})


def test_making_a_memory_opens_nothing() -> None:
    assert not loaded("from ai_memory_integrations import Memory; Memory()") & (FRAMEWORKS | HEAVY | {"sqlite3"})


@pytest.mark.parametrize("name", ["AsyncMemory", "AIMemoryError", "Message"])
def test_public_names_load_no_framework(name: str) -> None:
    assert not loaded(f"from ai_memory_integrations import {name}") & (FRAMEWORKS | HEAVY)


def test_the_command_line_is_loaded_without_numbers_and_frameworks() -> None:
    assert not loaded("import ai_memory_integrations.cli.commands") & (FRAMEWORKS | {"numpy", "snowballstemmer"})
