"""The store where frameworks use one: LangMem's tools, LangGraph's injection into tools and nodes, create_agent."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedStore
from langgraph.store.base import BaseStore

from ai_memory_integrations.langgraph import CoreMemoryStore
from ai_memory_integrations.testing import ScriptedChatModel

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # langmem warns of a package of its own when it is imported
    from langmem import create_manage_memory_tool, create_search_memory_tool


@dataclass
class Context:
    user_id: str


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CoreMemoryStore]:
    with CoreMemoryStore(url=str(tmp_path / "store.db")) as store:
        yield store


@tool
def remember(text: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Remember a text."""
    store.put(("notes",), "injected", {"text": text})
    return "remembered"


@tool
def recall(query: str, runtime: ToolRuntime[Any, Any]) -> str:
    """Recall a text."""
    assert runtime.store is not None
    return str(runtime.store.search(("notes",), query=query)[0].value["text"])


def called(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": name}])


@pytest.mark.parametrize("way", ["sync", "async"])
def test_an_agents_tools_reach_the_store(store: CoreMemoryStore, way: str) -> None:
    model = ScriptedChatModel([called("remember", text="I like tea"), called("recall", query="tea"), "You like tea."])
    agent = create_agent(model, [remember, recall], store=store)
    asked = {"messages": [{"role": "user", "content": "Remember that I like tea."}]}
    answer = agent.invoke(asked) if way == "sync" else asyncio.run(agent.ainvoke(asked))
    assert [message.text for message in answer["messages"] if message.type == "tool"] == ["remembered", "I like tea"]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_langmems_tools_write_and_find_memories(store: CoreMemoryStore, way: str) -> None:
    namespace = ("memories", "{user_id}")
    model = ScriptedChatModel(
        [called("manage_memory", content="The user likes tea."), called("search_memory", query="tea"), "Done."]
    )
    tools = [create_manage_memory_tool(namespace), create_search_memory_tool(namespace)]
    agent = create_agent(model, tools, store=store)
    asked = {"messages": [{"role": "user", "content": "I like tea."}]}
    config: Any = {"configurable": {"user_id": "sarah"}}
    answer = agent.invoke(asked, config) if way == "sync" else asyncio.run(agent.ainvoke(asked, config))
    assert "The user likes tea." in answer["messages"][-2].text
    assert [item.value["content"] for item in store.search(("memories", "sarah"))] == ["The user likes tea."]


def test_nodes_and_entrypoints_get_the_store(store: CoreMemoryStore) -> None:
    def node(state: MessagesState, *, store: BaseStore) -> dict[str, Any]:
        store.put(("seen",), "node", {"n": len(state["messages"])})
        return {}

    graph = StateGraph(MessagesState).add_node(node).add_edge(START, "node").compile(store=store)
    graph.invoke({"messages": [("user", "hi")]})

    @entrypoint(store=store)
    def flow(number: int, *, store: BaseStore) -> int:
        store.put(("seen",), "flow", {"n": number})
        return number

    flow.invoke(7)
    assert {item.key: item.value["n"] for item in store.search(("seen",))} == {"node": 1, "flow": 7}
