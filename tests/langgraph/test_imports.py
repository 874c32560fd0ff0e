"""What importing the room costs, and what it says when something is missing."""

from __future__ import annotations

import pytest
from fresh import run


def test_the_room_is_empty_until_a_name_is_asked_for() -> None:
    assert "[]" in run(
        "import ai_memory_integrations.langgraph\n"
        "print([name for name in ('langchain_core', 'langgraph', 'numpy') if name in sys.modules])"
    )


@pytest.mark.parametrize("name", ["CoreMemoryStore", "inject_memory", "MemoryState", "core_memory_namespace"])
def test_a_missing_langgraph_is_said_with_what_to_install(name: str) -> None:
    said = run(f"from ai_memory_integrations.langgraph import {name}", missing=("langgraph",))
    assert f"MissingExtraError: {name} needs: pip install 'ai-memory-integrations[langgraph]'" in said


def test_every_public_name_is_there_and_no_other() -> None:
    from ai_memory_integrations import langgraph

    assert dir(langgraph) == [
        "CoreMemoryStore",
        "MemoryContext",
        "MemoryState",
        "MemoryTurn",
        "core_memory_namespace",
        "inject_memory",
        "learn_messages",
        "trim_and_learn",
        "with_memory",
    ]
    assert all(getattr(langgraph, name).__doc__ for name in dir(langgraph))
    with pytest.raises(AttributeError, match="no attribute 'Store'"):
        langgraph.Store  # noqa: B018
