"""What is handed to an adapter by mistake is refused where it is handed over, with what to pass instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage

from ai_memory_integrations import AsyncMemory, Memory, langchain, langgraph, llama_index
from ai_memory_integrations.errors import ConfigurationError, InvalidInputError

ADAPTERS: dict[str, Callable[[Any], object]] = {
    "middleware": langchain.CoreMemoryMiddleware,
    "tools": langchain.create_memory_tools,
    "retriever": langchain.CoreMemoryRetriever,
    "chat history": lambda memory: langchain.CoreMemoryChatMessageHistory(memory, "sarah"),
    "chat history factory": langchain.chat_history_factory,
    "inject_memory": langgraph.inject_memory,
    "learn_messages": langgraph.learn_messages,
    "trim_and_learn": lambda memory: langgraph.trim_and_learn(memory, list),
    "store": langgraph.CoreMemoryStore,
    "CoreMemory": lambda memory: llama_index.CoreMemory.from_defaults(memory, "sarah"),
    "LlamaIndex retriever": lambda memory: llama_index.CoreMemoryRetriever(memory, "sarah"),
    "LlamaIndex block": lambda memory: llama_index.CoreMemoryBlock(memory, "sarah"),
    "LlamaIndex chat store": lambda memory: llama_index.CoreMemoryChatStore(memory, "sarah"),
    "LlamaIndex tools": lambda memory: llama_index.CoreMemoryToolSpec(memory, "sarah"),
}


@pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=ADAPTERS)
def test_what_is_no_memory_is_refused_with_what_to_pass(adapter: Callable[[Any], object], tmp_path: Path) -> None:
    for path in (str(tmp_path / "memory.db"), tmp_path / "memory.db"):
        with pytest.raises(ConfigurationError, match=r"memory is a path or URL: (open it|pass it as url=)"):
            adapter(path)
    with pytest.raises(ConfigurationError, match="memory is of type dict: pass a Memory"):
        adapter({})
    with pytest.raises(ConfigurationError, match=r"memory is an AsyncMemory: pass memory\.blocking"):
        adapter(AsyncMemory(":memory:"))


@pytest.mark.parametrize("recall", [None, "5", 2.0, -1])
def test_a_number_of_passages_that_is_none_is_refused(recall: Any) -> None:
    memory = Memory(":memory:")
    for adapter in (langchain.CoreMemoryMiddleware, langgraph.inject_memory):
        with pytest.raises(ConfigurationError, match="must be a number of passages from 0"):
            adapter(memory, recall=recall)


@pytest.mark.parametrize("said", ["hi", ("user", "hi"), {"role": "user", "content": "hi"}, None])
def test_what_is_no_message_of_the_framework_is_refused_and_nothing_is_kept(said: Any) -> None:
    with Memory(":memory:") as memory:
        history = langchain.CoreMemoryChatMessageHistory(memory, "sarah")
        with pytest.raises(InvalidInputError, match=r"messages\[0\] is of type \w+: pass LangChain's messages"):
            history.add_messages([said])
        core = llama_index.CoreMemory.from_defaults(memory, "sarah")
        with pytest.raises(InvalidInputError, match=r"messages\[1\] is of type \w+: pass a ChatMessage"):
            core.put_messages([ChatMessage("hi"), said])
        assert memory.list_messages("sarah") == []


@pytest.mark.parametrize(
    "made", [llama_index.CoreMemoryBlock, llama_index.ArchivalMemoryBlock, llama_index.CoreMemoryChatStore]
)
def test_a_type_checker_without_plugins_sees_that_a_memory_comes_first(made: type) -> None:
    assert "__init__" in vars(made)  # it makes one of a Pydantic model's fields where the class itself has none
