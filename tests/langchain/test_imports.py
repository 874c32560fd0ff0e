"""What importing the room costs, and what it says when something is missing."""

from __future__ import annotations

import pytest
from fresh import run


def test_the_room_is_empty_until_a_name_is_asked_for() -> None:
    assert "[]" in run(
        "import ai_memory_integrations.langchain\n"
        "print([name for name in ('langchain', 'langchain_core', 'langgraph', 'numpy') if name in sys.modules])"
    )


def test_all_but_the_middleware_need_only_langchain_core_and_warn_of_nothing() -> None:
    names = (
        "CoreMemoryChatMessageHistory, CoreMemoryRetriever, LangChainEmbedder, LangChainModel, chat_history_factory, "
        "create_memory_tools, format_documents, to_message"
    )
    program = (
        "from ai_memory_integrations import Memory\n"
        f"from ai_memory_integrations.langchain import {names}\n"
        "memory = Memory(':memory:', subject_id='sarah')\n"
        "CoreMemoryChatMessageHistory(memory).add_user_message('hi')\n"
        "assert CoreMemoryRetriever(memory).invoke('hi') and create_memory_tools(memory)\n"
        "print('fine')"
    )
    assert run(program, missing=("langchain", "langgraph")) == "fine\n"


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("CoreMemoryMiddleware", "langchain"),
        ("CoreMemoryMiddleware", "langchain_core"),
        ("CoreMemoryRetriever", "langchain_core"),
        ("to_message", "langchain_core"),
    ],
)
def test_a_missing_framework_names_the_command(name: str, missing: str) -> None:
    said = run(f"from ai_memory_integrations.langchain import {name}", missing=(missing,))
    assert "MissingExtraError" in said
    assert "pip install 'ai-memory-integrations[langchain]'" in said


def test_another_missing_module_is_said_as_it_is() -> None:
    said = run("from ai_memory_integrations.langchain import CoreMemoryMiddleware", missing=("uuid_utils",))
    assert "No module named 'uuid_utils'" in said
    assert "MissingExtraError" not in said


def test_it_lists_its_names_and_refuses_others() -> None:
    import ai_memory_integrations.langchain as room

    assert "CoreMemoryMiddleware" in dir(room)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = room.nothing
