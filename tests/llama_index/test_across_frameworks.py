"""What one framework's agent learns, the other's knows: one file, one subject."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock

from ai_memory_integrations import Memory
from ai_memory_integrations.langchain import CoreMemoryMiddleware, to_langchain
from ai_memory_integrations.llama_index import CoreMemory
from ai_memory_integrations.testing import ScriptedChatModel, ScriptedLLM


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Memory]:
    with Memory(str(tmp_path / "memory.db"), subject="user_{user_id}") as memory:
        yield memory


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def langchain_turn(memory: Memory, model: ScriptedChatModel, said: str, thread: str = "lc") -> None:
    agent = create_agent(model, [weather], middleware=[CoreMemoryMiddleware(memory)])
    config = {"configurable": {"user_id": "sarah", "thread_id": thread}}
    await agent.ainvoke({"messages": [{"role": "user", "content": said}]}, config)  # type: ignore[call-overload]


async def llama_index_turn(memory: Memory, llm: ScriptedLLM, said: str, session: str = "li") -> None:
    core = CoreMemory.from_defaults(memory, "user_sarah", session)
    await FunctionAgent(llm=llm, tools=[weather]).run(said, memory=core)


async def test_what_a_langchain_agent_learnt_is_in_a_llama_index_agent_s_prompt_and_the_other_way_round(
    shared: Memory,
) -> None:
    await langchain_turn(shared, ScriptedChatModel(["Hello."]), "My name is Sarah and my cat is called Miso.")
    await shared.aio.flush("user_sarah")
    llm = ScriptedLLM(["Lovely."])
    await llama_index_turn(shared, llm, "I live in Lisbon. What do you know of my cat?")
    prompt = str(llm.requests[0].messages[0].content)
    assert "Name: Sarah" in prompt
    assert "my cat is called Miso" in prompt
    await shared.aio.flush("user_sarah")
    model = ScriptedChatModel(["You live in Lisbon."])
    await langchain_turn(shared, model, "Where do I live?", "another")
    seen = "\n".join(message.text for message in model.requests[0].messages)
    assert "Name: Sarah" in seen
    assert "Lives in: Lisbon" in seen


async def test_one_thread_goes_on_from_framework_to_framework_with_its_tool_calls(shared: Memory) -> None:
    call = ToolCallBlock(tool_call_id="c1", tool_name="weather", tool_kwargs={"city": "Rome"})
    llm = ScriptedLLM([ChatMessage(role="assistant", blocks=[call]), "Sunny."])
    await llama_index_turn(shared, llm, "Weather in Rome?", "one")
    kept = [to_langchain(message) for message in shared.list_messages("user_sarah", "one")]
    assert [message.type for message in kept] == ["human", "ai", "tool", "ai"]
    asked, told = kept[1], kept[2]
    assert isinstance(asked, AIMessage)
    assert isinstance(told, ToolMessage)
    assert [(each["name"], each["args"], each["id"]) for each in asked.tool_calls] == [
        ("weather", {"city": "Rome"}, "c1")
    ]
    assert (told.tool_call_id, told.text) == ("c1", "sunny in Rome")

    tool_call = AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": "c2"}])
    await langchain_turn(shared, ScriptedChatModel([tool_call, "Also sunny."]), "And in Oslo?", "one")
    window = CoreMemory.from_defaults(shared, "user_sarah", "one").get()
    assert [message.role.value for message in window[1:]] == ["user", "assistant", "tool", "assistant"] * 2
    (again,) = [block for block in window[6].blocks if isinstance(block, ToolCallBlock)]
    assert (again.tool_name, again.tool_kwargs, again.tool_call_id) == ("weather", {"city": "Oslo"}, "c2")
    assert window[7].additional_kwargs["tool_call_id"] == "c2"
