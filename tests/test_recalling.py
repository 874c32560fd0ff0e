"""What adapters put into a conversation unasked: something new, and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.graph import START, StateGraph
from llama_index.core.base.llms.types import ChatMessage

from ai_memory_integrations import Memory
from ai_memory_integrations.langchain import CoreMemoryMiddleware
from ai_memory_integrations.langgraph import MemoryState, inject_memory
from ai_memory_integrations.llama_index import ArchivalMemoryBlock, CoreMemory
from ai_memory_integrations.testing import ScriptedChatModel
from ai_memory_integrations.toolkit import memory_tools

ASKED = "What is the cat called?"


def by_middleware(memory: Memory) -> str:
    model = ScriptedChatModel(["Miso."])
    create_agent(model, middleware=[CoreMemoryMiddleware(memory, record=False)]).invoke({"messages": ASKED})
    return model.requests[0].messages[-1].text


def by_node(memory: Memory) -> str:
    graph: Any = StateGraph(MemoryState).add_node(inject_memory(memory)).add_edge(START, "inject_memory")
    return str(graph.compile().invoke({"messages": ASKED})["memory"]["recalled"])


def by_llama_index(memory: Memory) -> str:
    core = CoreMemory.from_defaults(memory, session_id="today")
    core.put(ChatMessage(ASKED))
    return str(core.get()[0].content)


def by_block(memory: Memory) -> str:
    return asyncio.run(ArchivalMemoryBlock(memory).aget([ChatMessage(ASKED)], session_id="today"))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(str(tmp_path / "memory.db"), subject_id="sarah", learning="off", embedder=False) as memory:
        yield memory


@pytest.mark.parametrize("recall", [by_middleware, by_node, by_llama_index, by_block])
class TestRecall:
    def test_a_question_that_was_asked_in_many_threads_leaves_room_for_its_answer(
        self, memory: Memory, recall: Callable[[Memory], str]
    ) -> None:
        for n in range(60):
            memory.add_messages([{"role": "user", "content": ASKED}], thread_id=f"t{n}")
        memory.add_passages(["Since the spring her cat is Miso, the grey one from the neighbours."])
        text = recall(memory)
        assert "Miso" in text
        assert text.count(f">{ASKED}<") == 0

    def test_of_passages_that_say_the_same_one_is_recalled(
        self, memory: Memory, recall: Callable[[Memory], str]
    ) -> None:
        for n in range(60):
            memory.add_messages([{"role": "user", "content": "How is the cat called?"}], thread_id=f"t{n}")
        memory.add_passages(["Since the spring her cat is Miso, the grey one from the neighbours."])
        text = recall(memory)
        assert "Miso" in text
        assert text.count("How is the cat called?") == 1

    def test_of_a_long_text_the_part_that_fits_the_question_is_recalled(
        self, memory: Memory, recall: Callable[[Memory], str]
    ) -> None:
        filler = "The weather was fine and nothing else was to be seen that day. " * 400
        pasted = f"{filler}\n\nSince the spring her cat is called Miso.\n\n{filler}"
        memory.add_messages([{"role": "user", "content": pasted}], thread_id="earlier")
        text = recall(memory)
        assert "her cat is called Miso." in text
        assert "… " in text
        assert len(text) < 3000


@pytest.mark.parametrize(
    "ask",
    [
        lambda memory: memory.recall(query=ASKED),
        lambda memory: memory.prompt(query=ASKED),
        lambda memory: memory_tools(["search_memory"])[0].use(memory, query=ASKED),
    ],
    ids=["recall", "prompt", "tool"],
)
def test_who_asks_for_text_gets_the_part_of_a_long_one_that_fits(memory: Memory, ask: Callable[[Memory], str]) -> None:
    filler = "The weather was fine and nothing else was to be seen that day. " * 400
    pasted = f"{filler}\n\nSince the spring her cat is called Miso.\n\n{filler}"
    memory.add_passages([pasted])
    text = ask(memory)
    assert "her cat is called Miso." in text
    assert len(text) < 3000
    assert [each.text for each in memory.search_passages(ASKED)] == [pasted]
