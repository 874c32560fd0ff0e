"""One memory, three frameworks: what an agent of one learns, the agents of the others know a moment later.

Run: `python examples/one_memory_three_frameworks.py`, with a URL such as `postgresql://user:password@host/database` to
see it there; without one it is a file that is removed at the end.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langgraph.graph import START, StateGraph
from llama_index.core.agent.workflow import FunctionAgent
from llama_index_model import language_model
from model import stand_in

from ai_memory_integrations import Memory
from ai_memory_integrations.langchain import CoreMemoryMiddleware
from ai_memory_integrations.langgraph import MemoryState, inject_memory, learn_messages, with_memory
from ai_memory_integrations.llama_index import CoreMemory
from ai_memory_integrations.testing import ScriptedChatModel


def answer(messages: Sequence[BaseMessage]) -> str:
    return stand_in([{"role": _role(message), "content": message.text} for message in messages])


def _role(message: BaseMessage) -> str:
    return {"human": "user", "ai": "assistant"}.get(message.type, message.type)


async def langchain_agent(memory: Memory, said: str) -> str:
    agent = create_agent(ScriptedChatModel(answer), middleware=[CoreMemoryMiddleware(memory)])
    config = {"configurable": {"user_id": "sarah", "thread_id": "langchain"}}
    state = await agent.ainvoke({"messages": [{"role": "user", "content": said}]}, config)  # type: ignore[call-overload]
    return str(state["messages"][-1].text)


async def langgraph_graph(memory: Memory, said: str) -> str:
    model = ScriptedChatModel(answer)

    async def talk(state: MemoryState) -> dict[str, list[BaseMessage]]:
        return {"messages": [await model.ainvoke(with_memory(state))]}

    graph = StateGraph(MemoryState)
    graph.add_sequence([inject_memory(memory), ("talk", talk), learn_messages(memory)])
    graph.add_edge(START, "inject_memory")
    config = {"configurable": {"user_id": "sarah", "thread_id": "langgraph"}}
    state = await graph.compile().ainvoke({"messages": [{"role": "user", "content": said}]}, config)  # type: ignore[call-overload]
    return str(state["messages"][-1].text)


async def llama_index_agent(memory: Memory, said: str) -> str:
    core = CoreMemory.from_defaults(memory, subject="user_sarah", session_id="llama_index")
    return str(await FunctionAgent(llm=language_model()).run(said, memory=core))


async def main(url: str) -> None:
    async with Memory(url, subject="user_{user_id}") as memory:
        for talk, said in (
            (langchain_agent, "Hi, my name is Sarah."),
            (langgraph_graph, "I live in Lisbon."),
            (llama_index_agent, "I am allergic to nuts."),
            (langchain_agent, "What do you know of me?"),
        ):
            print(f"{talk.__name__}\n  Sarah: {said}\n  Agent: {await talk(memory, said)}")
            await memory.aio.flush("user_sarah")
        print(f"\n{memory.prompt('user_sarah')}")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else str(Path(folder, "memory.db"))))
