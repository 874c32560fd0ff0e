"""A LlamaIndex agent that remembers its user across sessions, and whose context survives the process.

Run: `python examples/llama_index_agent.py`.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.workflow import Context
from llama_index_model import language_model

from ai_memory_integrations import Memory
from ai_memory_integrations.llama_index import CoreMemory, CoreMemoryToolSpec


def make_agent(memory: Memory) -> FunctionAgent:
    """An agent that also may read and write its memory by itself."""
    return FunctionAgent(
        llm=language_model(),
        tools=CoreMemoryToolSpec(memory, subject="user_sarah").to_tool_list(),
        system_prompt="You are a helpful assistant. Use what you remember of the user.",
    )


async def monday(path: str) -> str:
    """A first conversation; what is left of it is a file, and the agent's context as JSON."""
    async with Memory(path) as memory:
        agent = make_agent(memory)
        context = Context(agent)
        core = CoreMemory.from_defaults(memory, subject="user_sarah", session_id="monday")
        said = "Hi, my name is Sarah. I live in Lisbon and I am allergic to nuts."
        print(f"Sarah: {said}\nAgent: {await agent.run(said, memory=core, ctx=context)}\n")
        await memory.aio.flush("user_sarah")
        return json.dumps(context.to_dict())


async def tuesday(path: str, saved: str) -> None:
    """The context goes on where it was; a new session knows its user as well."""
    async with Memory(path) as memory:
        agent = make_agent(memory)
        context = Context.from_dict(agent, json.loads(saved))
        print(f"Sarah: What do you know of me?\nAgent: {await agent.run('What do you know of me?', ctx=context)}\n")
        core = CoreMemory.from_defaults(memory, subject="user_sarah", session_id="tuesday")
        print(f"Sarah: Good morning!\nAgent: {await agent.run('Good morning!', memory=core)}\n")
        print(memory.prompt("user_sarah"))
        for thread in memory.list_threads("user_sarah"):
            print(f"Session {thread.thread_id}: {thread.messages} messages")


def main() -> None:
    with TemporaryDirectory() as folder:
        path = str(Path(folder, "memory.db"))
        asyncio.run(tuesday(path, asyncio.run(monday(path))))


if __name__ == "__main__":
    main()
