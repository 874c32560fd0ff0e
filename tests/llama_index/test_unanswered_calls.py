"""A tool call that was never answered does not spoil the conversation: providers refuse one without its result."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.tools import FunctionTool

from ai_memory_integrations import Memory, Message
from ai_memory_integrations.llama_index import CoreMemory
from ai_memory_integrations.testing import ScriptedLLM
from ai_memory_integrations.tool_results import NO_RESULT


def calling(*ids: str) -> ChatMessage:
    return ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id=each, tool_name=each) for each in ids])


def result(call_id: str) -> ChatMessage:
    return ChatMessage(role="tool", content="A cat.", additional_kwargs={"tool_call_id": call_id})


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def shown(messages: Sequence[ChatMessage]) -> list[tuple[str, str]]:
    """Of each message but the first, which is memory, its role and whose result it is, or its text."""
    return [
        (each.role.value, str(each.additional_kwargs.get("tool_call_id", each.content or "")))
        for each in messages
        if each.role != "system"
    ]


@pytest.fixture
def core(memory: Memory) -> CoreMemory:
    return CoreMemory.from_defaults(memory, "sarah", "s1", recall=0)


def test_where_the_user_went_on_the_model_is_told_that_there_is_no_result(core: CoreMemory) -> None:
    core.put_messages([user("Look."), calling("c1"), user("Well?")])
    assert shown(core.get()) == [("user", "Look."), ("assistant", ""), ("tool", "c1"), ("user", "Well?")]
    assert core.get()[-2].content == NO_RESULT
    assert shown(core.get_all()) == [("user", "Look."), ("assistant", ""), ("user", "Well?")]


def test_of_two_calls_the_one_without_a_result_gets_one(core: CoreMemory) -> None:
    core.put_messages([user("Look."), calling("c1", "c2"), result("c2"), user("Well?")])
    assert shown(core.get())[1:4] == [("assistant", ""), ("tool", "c2"), ("tool", "c1")]


def test_a_call_that_is_under_way_is_left_to_who_answers_it(core: CoreMemory) -> None:
    core.put_messages([user("Look."), calling("c1", "c2"), result("c1")])
    assert shown(core.get()) == [("user", "Look."), ("assistant", ""), ("tool", "c1")]
    assert shown(core.get("Look."))[-1] == ("tool", "c1")
    core.put(result("c2"))
    assert shown(core.get())[1:] == [("assistant", ""), ("tool", "c1"), ("tool", "c2")]


def test_who_asks_for_the_history_of_a_question_that_is_put_later_gets_a_whole_turn(core: CoreMemory) -> None:
    core.put_messages([user("Look."), calling("c1")])
    assert shown(core.get("Something else?"))[-1] == ("tool", "c1")


def test_calls_as_openai_has_them_are_calls(core: CoreMemory) -> None:
    raw = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    core.put(user("Look."))
    core.put(ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [raw]}))
    core.put(user("Well?"))
    assert shown(core.get())[1:3] == [("assistant", ""), ("tool", "c1")]
    assert core.get()[-3].additional_kwargs == {"tool_calls": [raw]}


def test_a_turn_that_another_framework_left_open_is_shown_whole(core: CoreMemory, memory: Memory) -> None:
    call = {"name": "look", "args": {}, "id": "c1", "type": "tool_call"}
    asked = [Message(role="user", content="Look."), Message(role="assistant", tool_calls=[call])]
    memory.add_messages("sarah", asked, thread_id="s1")
    core.put(user("Well?"))
    assert shown(core.get())[1:3] == [("assistant", ""), ("tool", "c1")]


def test_what_is_told_counts_for_the_window(memory: Memory) -> None:
    core = CoreMemory.from_defaults(memory, "sarah", "s1", recall=0, tokenizer_fn=str.split, token_limit=60)
    core.put_messages([user("Look."), calling(*(f"c{n}" for n in range(12))), user("Well?")])
    assert shown(core.get()) == [("user", "Well?")]


async def test_an_agent_that_answers_with_the_first_of_two_results_can_be_talked_with_again(core: CoreMemory) -> None:
    def tool(name: str) -> FunctionTool:
        return FunctionTool.from_defaults(lambda: f"{name} said", name=name, description=name, return_direct=True)

    llm = ScriptedLLM([calling("c1", "c2"), "Fine."])
    agent = FunctionAgent(llm=llm, tools=[tool("c1"), tool("c2")])
    assert str(await agent.run("Look.", memory=core)) == "c1 said"
    await agent.run("And now?", memory=core)
    asked = shown(llm.requests[-1].messages)
    assert asked[1:4] == [("assistant", ""), ("tool", "c1"), ("tool", "c2")]
    assert asked[-1] == ("user", "And now?")


def test_a_chat_engine_goes_on_where_an_agent_ended_in_the_middle(core: CoreMemory) -> None:
    core.put_messages([user("Look."), calling("c1")])
    llm = ScriptedLLM(["Fine."])
    SimpleChatEngine.from_defaults(llm=llm, memory=core).chat("Well?")
    assert shown(llm.requests[0].messages)[2:] == [("tool", "c1"), ("user", "Well?")]
