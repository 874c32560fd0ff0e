"""Real agents and chat engines with a scripted model: messages in order, none doubled, none lost, each learnt once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine, SimpleChatEngine
from llama_index.core.workflow import Context

from ai_memory_integrations import Append, Edit, LearningPolicy, Memory, Message
from ai_memory_integrations.llama_index import CoreMemory, CoreMemoryRetriever, CoreMemoryToolSpec
from ai_memory_integrations.testing import ScriptedLLM
from ai_memory_integrations.types import Block

PATIENT = LearningPolicy(batch=1000, idle=3600, max_wait=3600)


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def calling(name: str, **arguments: Any) -> ChatMessage:
    call = ToolCallBlock(tool_call_id=f"call-{name}", tool_name=name, tool_kwargs=arguments)
    return ChatMessage(role="assistant", blocks=[call])


class Lessons:
    """A learner that writes down what it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, blocks: Sequence[Block], messages: Sequence[Message]) -> list[Edit]:
        self.texts.extend(f"{message.role}: {message.text}" for message in messages)
        return [Append(label="human", text=message.text) for message in messages if message.role == "user"]


@pytest.fixture
def lessons() -> Lessons:
    return Lessons()


@pytest.fixture
def memory(tmp_path: Path, lessons: Lessons) -> Iterator[Memory]:
    with Memory(str(tmp_path / "memory.db"), learner=lessons, learning=PATIENT) as memory:
        yield memory


@pytest.fixture
def core(memory: Memory) -> CoreMemory:
    return CoreMemory.from_defaults(memory, "sarah", "s1")


def said(memory: Memory, session: str = "s1") -> list[str]:
    return [f"{message.role}: {message.text}" for message in memory.list_messages("sarah", session)]


def asked(llm: ScriptedLLM, request: int = -1) -> str:
    return "\n".join(f"{message.role.value}: {message.content}" for message in llm.requests[request].messages)


class TestAgents:
    async def test_a_function_agent_with_tools(self, memory: Memory, core: CoreMemory, lessons: Lessons) -> None:
        llm = ScriptedLLM([calling("weather", city="Rome"), "Sunny.", "You asked for Rome."])
        agent = FunctionAgent(llm=llm, tools=[weather], system_prompt="Be brief.")
        with blockbuster_ctx("ai_memory_integrations"):
            await agent.run("Weather in Rome?", memory=core)
            await agent.run("What did I ask?", memory=core)
        expected = [
            "user: Weather in Rome?",
            "assistant: ",
            "tool: sunny in Rome",
            "assistant: Sunny.",
            "user: What did I ask?",
            "assistant: You asked for Rome.",
        ]
        assert said(memory) == expected
        assert [message.role.value for message in llm.requests[2].messages] == [
            *["system", "system", "user", "assistant", "tool", "assistant", "user"]
        ]
        await memory.aio.flush("sarah")
        assert lessons.texts == expected

    async def test_each_call_of_a_tool_keeps_its_result_when_that_was_memory(
        self, memory: Memory, core: CoreMemory
    ) -> None:
        memory.add_passages(["The cat is called Miso."], subject_id="sarah")
        both = ChatMessage(
            role="assistant",
            blocks=[
                ToolCallBlock(tool_call_id="c1", tool_name="search_memory", tool_kwargs={"query": "cat"}),
                ToolCallBlock(tool_call_id="c2", tool_name="weather", tool_kwargs={"city": "Rome"}),
            ],
        )
        llm = ScriptedLLM([both, "Miso.", "Yes."])
        agent = FunctionAgent(llm=llm, tools=[weather, *CoreMemoryToolSpec(memory, "sarah").to_tool_list()])
        await agent.run("What is the cat called, and is it sunny?", memory=core)
        await agent.run("Are you sure?", memory=core)
        assert "Miso" in asked(llm, 1)
        results = [each for each in llm.requests[2].messages if each.role.value == "tool"]
        assert {each.additional_kwargs["tool_call_id"]: each.content for each in results} == {
            "c1": "",
            "c2": "sunny in Rome",
        }

    async def test_half_a_surrogate_pair_in_a_question_breaks_nothing(self, memory: Memory, core: CoreMemory) -> None:
        await FunctionAgent(llm=ScriptedLLM(["ok"])).run("hi \ud83d", memory=core)
        assert core.get(input="hi \ud83d")
        assert said(memory) == ["user: hi \ufffd", "assistant: ok"]

    async def test_what_was_learnt_is_in_the_prompt_of_the_next_session(self, memory: Memory, core: CoreMemory) -> None:
        llm = ScriptedLLM(["Hello.", "Sarah."])
        agent = FunctionAgent(llm=llm, system_prompt="Be brief.")
        await agent.run("I am Sarah.", memory=core)
        await memory.aio.flush("sarah")
        await agent.run("Who am I?", memory=CoreMemory.from_defaults(memory, "sarah", "s2"))
        assert "I am Sarah." in asked(llm)
        assert said(memory, "s2") == ["user: Who am I?", "assistant: Sarah."]

    async def test_a_context_keeps_its_memory_from_run_to_run(self, memory: Memory, core: CoreMemory) -> None:
        llm = ScriptedLLM(["one", "two"])
        agent = FunctionAgent(llm=llm)
        ctx = Context(agent)
        await agent.run("1", memory=core, ctx=ctx)
        await agent.run("2", ctx=ctx)
        assert said(memory) == ["user: 1", "assistant: one", "user: 2", "assistant: two"]

    async def test_an_agent_that_is_handed_the_whole_conversation_every_time(
        self, memory: Memory, core: CoreMemory, lessons: Lessons
    ) -> None:
        old: list[ChatMessage] = []
        for n in range(3):
            agent = FunctionAgent(llm=ScriptedLLM([f"answer {n}"]))
            await agent.run(f"question {n}", chat_history=old, memory=core)
            old = [*old, ChatMessage(f"question {n}"), ChatMessage(f"answer {n}", role="assistant")]
        expected = [f"{role} {n}" for n in range(3) for role in ("user: question", "assistant: answer")]
        assert said(memory) == expected
        await memory.aio.flush("sarah")
        assert lessons.texts == expected

    async def test_a_question_that_is_the_end_of_the_conversation_handed_over_is_learnt_with_its_answer(
        self, memory: Memory, core: CoreMemory, lessons: Lessons
    ) -> None:
        old: list[ChatMessage] = []
        for n in range(3):
            agent = FunctionAgent(llm=ScriptedLLM([f"answer {n}"]))
            old = [*old, ChatMessage(f"question {n}")]
            await agent.run(chat_history=old, memory=core)
            old = [*old, ChatMessage(f"answer {n}", role="assistant")]
        expected = [f"{role} {n}" for n in range(3) for role in ("user: question", "assistant: answer")]
        assert said(memory) == expected
        await memory.aio.flush("sarah")
        assert lessons.texts == expected

    async def test_a_react_agent(self, memory: Memory, core: CoreMemory, lessons: Lessons) -> None:
        llm = ScriptedLLM(
            [
                'Thought: I need a tool.\nAction: weather\nAction Input: {"city": "Rome"}\n',
                "Thought: I can answer.\nAnswer: It is sunny.",
            ]
        )
        agent = ReActAgent(llm=llm, tools=[weather])
        answer = await agent.run("Weather in Rome?", memory=core)
        assert "sunny" in str(answer)
        kept = said(memory)
        assert kept[0] == "user: Weather in Rome?"
        assert kept[-1].endswith("It is sunny.")
        assert len(kept) == len(set(kept))
        await memory.aio.flush("sarah")
        assert lessons.texts == kept

    async def test_a_workflow_that_hands_over_between_agents(
        self, memory: Memory, core: CoreMemory, lessons: Lessons
    ) -> None:
        front = FunctionAgent(
            name="front",
            description="Greets.",
            llm=ScriptedLLM([calling("handoff", to_agent="expert", reason="It is about the weather.")]),
            can_handoff_to=["expert"],
        )
        expert_llm = ScriptedLLM([calling("weather", city="Rome"), "Sunny."])
        expert = FunctionAgent(name="expert", description="Knows the weather.", llm=expert_llm, tools=[weather])
        workflow = AgentWorkflow(agents=[front, expert], root_agent="front")
        with blockbuster_ctx("ai_memory_integrations"):
            await workflow.run("Weather in Rome?", memory=core)
        kept = said(memory)
        assert kept[0] == "user: Weather in Rome?"
        assert kept[-1] == "assistant: Sunny."
        assert "tool: sunny in Rome" in kept
        assert len(kept) == len(set(kept)) + kept.count("assistant: ") - 1
        await memory.aio.flush("sarah")
        assert lessons.texts == kept

    async def test_a_streamed_run(self, memory: Memory, core: CoreMemory) -> None:
        agent = FunctionAgent(llm=ScriptedLLM(["one two three"]))
        handler = agent.run("Count.", memory=core)
        deltas = [event.delta async for event in handler.stream_events() if hasattr(event, "delta")]
        await handler
        assert "".join(deltas) == "one two three"
        assert said(memory) == ["user: Count.", "assistant: one two three"]

    async def test_a_run_that_fails_leaves_what_was_said_and_the_next_one_goes_on(
        self, memory: Memory, core: CoreMemory, lessons: Lessons
    ) -> None:
        agent = FunctionAgent(llm=ScriptedLLM([RuntimeError("overloaded"), "Fine."]))
        with pytest.raises(RuntimeError, match="overloaded"):
            await agent.run("Hello?", memory=core)
        await agent.run("Hello again?", memory=core)
        assert said(memory) == ["user: Hello?", "user: Hello again?", "assistant: Fine."]
        await memory.aio.flush("sarah")
        assert lessons.texts == said(memory)


class TestChatEngines:
    def test_a_simple_engine_in_every_way_it_can_be_called(
        self, memory: Memory, core: CoreMemory, lessons: Lessons
    ) -> None:
        llm = ScriptedLLM(["one", "two", "three", "four"])
        engine = SimpleChatEngine.from_defaults(llm=llm, memory=core, system_prompt="Be brief.")
        engine.chat("1")
        streamed = engine.stream_chat("2")
        assert "".join(streamed.response_gen) == "two"

        async def rest() -> None:
            with blockbuster_ctx("ai_memory_integrations"):
                await engine.achat("3")
                response = await engine.astream_chat("4")
                assert "".join([delta async for delta in response.async_response_gen()]) == "four"

        asyncio.run(rest())
        expected = [f"{role}: {n}" for pair in ("1 one", "2 two", "3 three", "4 four") for role, n in _turn(pair)]
        assert said(memory) == expected
        assert [message.content for message in engine.chat_history] == [text.split(": ")[1] for text in expected]
        memory.flush("sarah")
        assert lessons.texts == expected
        engine.reset()
        assert engine.chat_history == []
        assert memory.search("sarah", "1")

    def test_a_context_engine_recalls_and_keeps(self, memory: Memory, core: CoreMemory, lessons: Lessons) -> None:
        memory.add_passages(["Miso is Sarah's cat."], subject_id="sarah")
        retriever = CoreMemoryRetriever(memory, "sarah")
        llm = ScriptedLLM(["Miso.", "A cat.", "Yes."])
        engine = ContextChatEngine.from_defaults(retriever=retriever, llm=llm, memory=core)
        assert str(engine.chat("What is my cat called?")) == "Miso."
        assert "Miso is Sarah's cat." in asked(llm)
        assert "".join(engine.stream_chat("What is Miso?").response_gen) == "A cat."

        async def rest() -> None:
            await engine.achat("Is Miso old?")

        asyncio.run(rest())
        assert said(memory) == [
            "user: What is my cat called?",
            "assistant: Miso.",
            "user: What is Miso?",
            "assistant: A cat.",
            "user: Is Miso old?",
            "assistant: Yes.",
        ]
        memory.flush("sarah")
        assert lessons.texts == said(memory)

    def test_a_condensing_engine(self, memory: Memory, core: CoreMemory, lessons: Lessons) -> None:
        memory.add_passages(["Miso is Sarah's cat."], subject_id="sarah")
        llm = ScriptedLLM(lambda messages: "Miso?" if "Standalone" in str(messages[-1].content) else "Yes.")
        engine = CondensePlusContextChatEngine.from_defaults(CoreMemoryRetriever(memory, "sarah"), llm=llm, memory=core)
        assert str(engine.chat("Do I have a cat?")) == "Yes."
        assert "".join(engine.stream_chat("What is it called?").response_gen) == "Yes."

        async def rest() -> None:
            with blockbuster_ctx("ai_memory_integrations"):
                await engine.achat("And now?")

        asyncio.run(rest())
        assert said(memory) == [
            "user: Do I have a cat?",
            "assistant: Yes.",
            "user: What is it called?",
            "assistant: Yes.",
            "user: And now?",
            "assistant: Yes.",
        ]
        memory.flush("sarah")
        assert lessons.texts == said(memory)

    def test_an_engine_makes_its_own_memory_from_the_class(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AI_MEMORY_URL", str(tmp_path / "env.db"))
        with Memory(subject_id="sarah") as memory:
            engine = SimpleChatEngine.from_defaults(llm=ScriptedLLM(["hello"]), memory_cls=CoreMemory)
            engine.chat("hi")
            assert said(memory, "default") == ["user: hi", "assistant: hello"]


def _turn(pair: str) -> list[tuple[str, str]]:
    question, answer = pair.split()
    return [("user", question), ("assistant", answer)]
