"""What applications get for their own tests: scripted models that real frameworks accept, a memory for a while."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.testing import ScriptedChatModel, ScriptedLLM, temporary_memory


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


CALL = AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Rome"}, "id": "c1"}])
LLAMA_CALL = ChatMessage(
    role="assistant",
    blocks=[ToolCallBlock(tool_call_id="c1", tool_name="weather", tool_kwargs={"city": "Rome"})],
)


class TestScriptedChatModel:
    def test_it_says_its_lines_in_order_and_keeps_what_it_was_asked(self) -> None:
        model = ScriptedChatModel(["hello", AIMessage("goodbye")])
        assert [model.invoke("hi").content, model.invoke("bye").content] == ["hello", "goodbye"]
        assert [request.messages[-1].content for request in model.requests] == ["hi", "bye"]

    def test_it_says_when_the_script_is_at_its_end(self) -> None:
        model = ScriptedChatModel(["only"])
        model.invoke("1")
        with pytest.raises(LookupError, match="at its end, and this is request 2"):
            model.invoke("2")

    def test_an_exception_in_the_script_is_raised_and_the_next_call_goes_on(self) -> None:
        model = ScriptedChatModel([RuntimeError("overloaded"), "fine"])
        with pytest.raises(RuntimeError, match="overloaded"):
            model.invoke("1")
        assert model.invoke("2").content == "fine"

    async def test_a_function_answers_without_end_sync_async_and_streamed(self) -> None:
        model = ScriptedChatModel(lambda messages: f"you said: {messages[-1].content}")
        assert model.invoke("a").content == "you said: a"
        assert (await model.ainvoke("b")).content == "you said: b"
        assert [chunk.content for chunk in model.stream("c d")] == ["you ", "said: ", "c ", "d", ""]
        assert "".join([str(chunk.content) async for chunk in model.astream("e")]) == "you said: e"

    def test_a_streamed_message_adds_up_to_the_scripted_one(self) -> None:
        usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
        said = AIMessage("one two", tool_calls=CALL.tool_calls, usage_metadata=usage)  # type: ignore[arg-type]
        chunks = list(ScriptedChatModel([said]).stream("x"))
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole = whole + chunk  # type: ignore[assignment]
        assert isinstance(whole, AIMessageChunk)
        assert (whole.content, whole.tool_calls, whole.usage_metadata) == ("one two", said.tool_calls, usage)

    def test_the_same_message_can_stand_in_a_script_twice(self) -> None:
        line = AIMessage("again")
        model = ScriptedChatModel([line, line])
        assert model.invoke("1").id != model.invoke("2").id
        assert line.id is None

    @pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream"])
    async def test_an_agent_calls_tools_as_the_script_says(self, mode: str) -> None:
        model = ScriptedChatModel([CALL, "It is sunny."])
        agent = create_agent(model, [weather])
        request: Any = {"messages": [HumanMessage("weather in Rome?")]}
        if mode == "invoke":
            messages = agent.invoke(request)["messages"]
        elif mode == "ainvoke":
            messages = (await agent.ainvoke(request))["messages"]
        else:
            list(agent.stream(request, stream_mode="messages"))
            messages = [*model.requests[-1].messages, AIMessage("It is sunny.")]
        assert [type(each) for each in messages] == [HumanMessage, AIMessage, ToolMessage, AIMessage]
        assert messages[2].content == "sunny in Rome"
        assert [request.tools for request in model.requests] == [("weather",), ("weather",)]


# LlamaIndex looks at every attribute of its pydantic agents, the deprecated ones too, and at its own.
@pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning")
class TestScriptedLLM:
    @pytest.mark.parametrize("streaming", [True, False])
    async def test_a_function_agent_calls_tools_as_the_script_says(self, streaming: bool) -> None:
        llm = ScriptedLLM([LLAMA_CALL, "It is sunny."])
        agent = FunctionAgent(tools=[weather], llm=llm, streaming=streaming)
        assert str(await agent.run("weather in Rome?")) == "It is sunny."
        assert [message.role.value for message in llm.requests[-1].messages] == ["user", "assistant", "tool"]
        assert llm.requests[-1].messages[-1].content == "sunny in Rome"
        assert llm.requests[0].tools == ("weather",)

    @pytest.mark.parametrize("streaming", [True, False])
    async def test_a_react_agent_reads_the_script(self, streaming: bool) -> None:
        llm = ScriptedLLM(
            [
                'Thought: I need a tool.\nAction: weather\nAction Input: {"city": "Rome"}\n',
                "Thought: I can answer.\nAnswer: It is sunny.",
            ]
        )
        agent = ReActAgent(tools=[weather], llm=llm, streaming=streaming)
        assert str(await agent.run("weather in Rome?")).strip() == "It is sunny."
        assert any("sunny in Rome" in (message.content or "") for message in llm.requests[-1].messages)

    async def test_a_workflow_of_agents_hands_over(self) -> None:
        hand_off = ToolCallBlock(
            tool_call_id="h", tool_name="handoff", tool_kwargs={"to_agent": "second", "reason": "knows"}
        )
        first = FunctionAgent(
            name="first",
            description="asks",
            tools=[weather],
            llm=ScriptedLLM([ChatMessage(role="assistant", blocks=[hand_off])]),
            can_handoff_to=["second"],
        )
        second = FunctionAgent(
            name="second", description="knows", tools=[weather], llm=ScriptedLLM([LLAMA_CALL, "Sunny."])
        )
        workflow = AgentWorkflow(agents=[first, second], root_agent="first")
        assert str(await workflow.run(user_msg="weather in Rome?")) == "Sunny."

    async def test_a_chat_engine_talks_to_it_in_all_four_ways(self) -> None:
        llm = ScriptedLLM(["one", "two", "three four", "five six"])
        engine = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults())
        assert str(engine.chat("a")) == "one"
        assert str(await engine.achat("b")) == "two"
        assert list(engine.stream_chat("c").response_gen) == ["three ", "four"]
        streamed = await engine.astream_chat("d")
        assert [each async for each in streamed.async_response_gen()] == ["five ", "six"]
        assert [message.content for message in llm.requests[1].messages] == ["a", "one", "b"]

    async def test_completions_come_from_the_script_too(self) -> None:
        llm = ScriptedLLM(lambda messages: f"<{messages[-1].content}>")
        assert llm.complete("a").text == "<a>"
        assert (await llm.acomplete("b")).text == "<b>"
        assert [each.text for each in llm.stream_complete("c d")] == ["<c ", "<c d>", "<c d>"]
        assert [each.delta async for each in await llm.astream_complete("e")] == ["<e>", ""]

    def test_a_response_without_a_tool_call_is_said_where_one_is_needed(self) -> None:
        llm = ScriptedLLM(["no"])
        with pytest.raises(ValueError, match="calls no tool"):
            llm.get_tool_calls_from_response(llm.chat([ChatMessage("x")]))


def test_importing_the_testing_package_or_the_pytest_plugin_loads_no_framework() -> None:
    program = (
        "import sys, ai_memory_integrations.testing, ai_memory_integrations.testing.pytest_plugin\n"
        "heavy = {'langchain_core', 'langgraph', 'llama_index', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE)


def test_the_testing_package_lists_its_names_and_refuses_others() -> None:
    from ai_memory_integrations import testing

    assert {"ScriptedChatModel", "ScriptedLLM", "temporary_memory"} <= set(dir(testing))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = testing.nothing


def test_a_temporary_memory_works_and_leaves_nothing_behind() -> None:
    with temporary_memory(subject_id="sarah") as memory:
        memory.wait_for_run(memory.add_messages([{"role": "user", "content": "My name is Sarah."}]))
        assert "Sarah" in memory.prompt()
        file = Path(memory.url.removeprefix("sqlite:///"))
        assert file.exists()
    assert not file.parent.exists()


def test_the_fixture_gives_a_fresh_memory_in_the_tests_own_folder(ai_memory: Memory, tmp_path: Path) -> None:
    assert ai_memory.list_subjects() == []
    ai_memory.add_messages("sarah", [{"role": "user", "content": "hi"}])
    assert str(tmp_path) in ai_memory.url
