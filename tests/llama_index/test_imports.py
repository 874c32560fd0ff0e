"""What importing the room costs, and what it says when something is missing."""

from __future__ import annotations

import sys

import pytest
from fresh import run

import ai_memory_integrations.llama_index as room


def test_the_room_is_empty_until_a_name_is_asked_for() -> None:
    assert "[]" in run(
        "import ai_memory_integrations.llama_index\n"
        "print([name for name in ('llama_index', 'llama_index.core', 'numpy') if name in sys.modules])"
    )


def test_without_llama_index_a_name_says_what_to_install() -> None:
    said = run("from ai_memory_integrations.llama_index import CoreMemory", missing=("llama_index",))
    assert "MissingExtraError: CoreMemory needs: pip install 'ai-memory-integrations[llama-index]'" in said


@pytest.mark.parametrize("name", room.__all__)
def test_every_name_is_there_and_found_by_its_qualified_name(name: str) -> None:
    value = getattr(room, name)
    assert value.__module__.startswith("ai_memory_integrations.llama_index.")
    assert getattr(sys.modules[value.__module__], name) is value


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nope'"):
        room.Nope  # noqa: B018
