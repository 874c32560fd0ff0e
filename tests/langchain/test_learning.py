"""What an agent's memory learns, and when."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_calls import asks_for, called_by
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from patience import PATIENCE, wait_until

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.langchain import CoreMemoryMiddleware, LangChainEmbedder, LangChainModel
from ai_memory_integrations.learning.function import FunctionLearner
from ai_memory_integrations.learning.tool_calling import ToolCallingLearner
from ai_memory_integrations.testing import ScriptedChatModel
from ai_memory_integrations.types import AT_ONCE, Append, Block, Edit, LearningPolicy, Message


def test_each_message_is_learnt_once_over_30_turns_a_restart_and_a_failing_turn(tmp_path: Path) -> None:
    learnt: Counter[str] = Counter()

    def learn(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Edit]:
        learnt.update(message.text for message in messages)
        return [Append(label="human", text=message.text) for message in messages if message.role == "user"]

    def answer(messages: Any) -> str:
        question = next(each for each in reversed(messages) if isinstance(each, HumanMessage))
        if question.text.startswith("question 17") and not failed:
            failed.append(True)
            raise RuntimeError("overloaded")
        return f"answer to {question.text.split(chr(10))[0]}"

    def sit(turns: Sequence[int]) -> None:
        with (
            Memory(str(tmp_path / "memory.db"), subject="user_{user_id}", learner=learner) as memory,
            SqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as checkpointer,
        ):
            middleware = CoreMemoryMiddleware(memory)
            agent = create_agent(ScriptedChatModel(answer), middleware=[middleware], checkpointer=checkpointer)
            for n in turns:
                question: Any = {"messages": f"question {n}"}
                try:
                    agent.invoke(question, called_by("sarah"))
                except RuntimeError:
                    assert n == 17
            # A learner that is called while its memory is closed may be called again by the next one.
            wait_until(lambda: memory.stats().waiting < policy.batch)
            if turns[-1] == 29:
                assert memory.drain(PATIENCE)
                block = memory.get_memory("human", subject_id="user_sarah") or ""
                assert block.splitlines() == [f"question {n}" for n in range(30)]

    failed: list[bool] = []
    policy = LearningPolicy(batch=4, idle=600, max_wait=600)
    learner = FunctionLearner(learn, name="counting", policy=policy)
    sit(range(15))
    sit(range(15, 30))
    questions = {f"question {n}" for n in range(30)}
    answers = {f"answer to question {n}" for n in range(30) if n != 17}
    assert learnt == Counter(questions | answers)


@pytest.mark.parametrize("mode", ["background", "inline"])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_what_a_learner_makes_its_model_say_is_not_streamed_to_the_user(
    tmp_path: Path, mode: Any, asynchronous: bool
) -> None:
    thinking = ScriptedChatModel(lambda messages: "LEARNER THINKS ALOUD")
    done = threading.Event()

    def learn(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Edit]:
        said = "".join(str(chunk.content) for chunk in thinking.stream("What is to be learnt?"))
        done.set()
        return [Append(label="human", text=said)]

    policy = AT_ONCE.model_copy(update={"mode": mode})
    with Memory(str(tmp_path / "m.db"), learner=FunctionLearner(learn, name="loud", policy=policy)) as memory:
        model = ScriptedChatModel([asks_for("pause"), "all good"] * 2)

        def pause() -> str:
            """Give the learner time to speak in the middle of a turn."""
            memory.wait_for_run(memory.add_messages("sarah", [{"role": "user", "content": "x"}]))
            return "paused"

        agent = create_agent(model, [pause], middleware=[CoreMemoryMiddleware(memory, recall=0)])
        asked: Any = {"messages": "hi"}
        modes: Any = ["messages", "updates", "custom"]
        stream: list[Any]
        if asynchronous:
            stream = [each async for each in agent.astream(asked, called_by("sarah"), stream_mode=modes)]
            events = [each async for each in agent.astream_events(asked, called_by("sarah"), version="v2")]
        else:
            stream = list(agent.stream(asked, called_by("sarah"), stream_mode=modes))
            events = []
        assert done.wait(PATIENCE)
        memory.drain(PATIENCE)
        assert "LEARNER THINKS ALOUD" in (memory.get_memory("human", subject_id="sarah") or "")
        said = [str(data[0].content) for kind, data in stream if kind == "messages"]
        assert "good" in "".join(said)
        chunks = [event["data"]["chunk"].content for event in events if event["event"] == "on_chat_model_stream"]
        assert "LEARNER" not in "".join([*said, *map(str, chunks)])


class Unavailable(Exception):
    """As the providers' clients raise it."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code
        super().__init__(f"status {status_code}")


class TestChatModels:
    def test_any_chat_model_that_calls_tools_can_learn(self, tmp_path: Path) -> None:
        usage: Any = {"input_tokens": 50, "output_tokens": 9, "total_tokens": 59}
        calls = [asks_for("memory_append", "c1", label="human", content="Likes tea."), asks_for("finish", "c2")]
        model = ScriptedChatModel([call.model_copy(update={"usage_metadata": usage}) for call in calls])
        learner = ToolCallingLearner(LangChainModel(model, name="scripted"))
        with Memory(str(tmp_path / "m.db"), subject_id="sarah", learner=learner) as memory:
            run = memory.wait_for_run(memory.add_messages([{"role": "user", "content": "I like <tea>."}]))
            assert memory.get_user_memory() == "Likes tea."
        assert (run.usage.input_tokens, run.usage.output_tokens) == (100, 18)  # type: ignore[union-attr]
        assert "memory_append" in model.requests[0].tools
        assert "I like &lt;tea&gt;." in str(model.requests[0].messages[-1].content)
        assert isinstance(model.requests[1].messages[-1], ToolMessage)

    def test_arguments_that_are_no_json_are_told_back_to_the_model(self) -> None:
        wrong: Any = {"id": "c1", "name": "memory_append", "args": "{no json", "error": None}
        reply = LangChainModel(ScriptedChatModel([AIMessage("", invalid_tool_calls=[wrong])]), name="scripted").reply(
            [{"role": "user", "content": "x"}], [], timeout=PATIENCE
        )
        assert [(call.arguments, call.raw) for call in reply.calls] == [(None, "{no json")]

    def test_what_a_busy_model_could_not_learn_is_learnt_later(self, tmp_path: Path) -> None:
        appended = asks_for("memory_append", label="human", content="Likes tea.")
        model = ScriptedChatModel([Unavailable(429), ConnectionError("reset"), appended, asks_for("finish")])
        policy = AT_ONCE.model_copy(update={"retry_delay": 0.01})
        learner = ToolCallingLearner(LangChainModel(model, name="scripted"), policy=policy)
        with Memory(str(tmp_path / "m.db"), subject_id="sarah", learner=learner) as memory:
            run = memory.wait_for_run(
                memory.add_messages([{"role": "user", "content": "I like tea."}]), timeout=PATIENCE
            )
            assert (run.state, run.attempts, memory.get_user_memory()) == ("completed", 3, "Likes tea.")


class TestEmbedder:
    def test_any_embeddings_of_langchain_give_search_its_meaning(self, tmp_path: Path) -> None:
        embedder = LangChainEmbedder(DeterministicFakeEmbedding(size=16), name="fake/1")
        with Memory(str(tmp_path / "m.db"), subject_id="sarah", embedder=embedder) as memory:
            memory.add_passages(["apples", "pears"])
            assert memory.drain(PATIENCE)
            # The same text has the same vector, and no other has.
            assert memory.search_passages("pears", explain=True)[0].text == "pears"
            assert memory.stats().embedding == 0
        assert embedder.dimension == 16

    def test_a_model_that_names_itself_needs_no_name(self) -> None:
        class Named(DeterministicFakeEmbedding):
            model: str = "small-3"

        assert LangChainEmbedder(Named(size=4), dimension=4).name == "Named/small-3"

    def test_a_model_that_does_not_needs_one(self) -> None:
        anonymous: Embeddings = DeterministicFakeEmbedding(size=4)
        with pytest.raises(ConfigurationError, match="pass name="):
            LangChainEmbedder(anonymous)
