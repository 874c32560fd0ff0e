"""An agent that remembers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, SummarizationMiddleware, before_agent
from langchain_calls import asks_for, called_by
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from outages import UnreliableStore
from patience import wait_until
from ways import reach

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.errors import (
    BackendError,
    ConfigurationError,
    InvalidInputError,
    NoSubjectError,
    NotAStoreError,
    SubjectMismatchError,
)
from ai_memory_integrations.langchain import CoreMemoryMiddleware
from ai_memory_integrations.testing import ScriptedChatModel


def echo(messages: Any) -> str:
    """A model that repeats what the user said last."""
    return "You said: " + str(next(m for m in reversed(messages) if isinstance(m, HumanMessage)).text.split("\n")[0])


def echoing() -> ScriptedChatModel:
    return ScriptedChatModel(echo)


def turn(way: str, agent: Any, said: Any, config: Any, **more: Any) -> list[BaseMessage]:
    asked = {"messages": said} if not isinstance(said, Command) and said is not None else said
    done = reach(way, lambda: agent.invoke(asked, config, **more), lambda: agent.ainvoke(asked, config, **more))
    messages: list[BaseMessage] = done["messages"]
    return messages


def kept(memory: Memory, user: str = "user_sarah", thread: str | None = None) -> list[str]:
    return [each.text for each in memory.list_messages(user, thread)]


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}."


@tool
def broken() -> str:
    """Fails."""
    raise RuntimeError("the tool broke")


class TestPrompt:
    def test_blocks_stand_behind_the_applications_own_prompt(self, way: str, memory: Memory) -> None:
        memory.initialize_user_memory("user_sarah", user_context_block_value="Lives in <Rome>.")
        model = echoing()
        own = SystemMessage([{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}])
        agent = create_agent(model, middleware=[CoreMemoryMiddleware(memory)], system_prompt=own)
        turn(way, agent, "hi", called_by("sarah"))
        system = model.requests[0].messages[0]
        assert isinstance(system, SystemMessage)
        first, second = list(system.content)
        assert first == own.content[0]
        assert "Lives in &lt;Rome&gt;." in str(second)

    def test_without_a_prompt_of_the_application_the_blocks_are_the_prompt(self, way: str, memory: Memory) -> None:
        memory.ensure_subject("user_sarah")
        model = echoing()
        turn(way, create_agent(model, middleware=[CoreMemoryMiddleware(memory)]), "hi", called_by("sarah"))
        assert "<human" in model.requests[0].messages[0].text

    def test_an_unknown_subject_changes_nothing_and_is_not_made_by_reading(self, way: str, memory: Memory) -> None:
        model = echoing()
        agent = create_agent(model, middleware=[CoreMemoryMiddleware(memory, record=False)])
        turn(way, agent, "hi", called_by("sarah"))
        assert [each.content for each in model.requests[0].messages] == ["hi"]
        assert memory.list_subjects() == []

    def test_what_fits_is_recalled_beside_the_users_message_and_not_kept(self, way: str, memory: Memory) -> None:
        memory.add_passages(["Sarah's sister is called Ana."], subject_id="user_sarah")
        model = echoing()
        agent = create_agent(model, middleware=[CoreMemoryMiddleware(memory)], checkpointer=InMemorySaver())
        messages = turn(way, agent, "Who is my sister?", called_by("sarah"))
        newest = model.requests[0].messages[-1]
        assert newest.content[0] == {"type": "text", "text": "Who is my sister?"}
        assert "Ana" in newest.text
        assert [each.content for each in messages] == ["Who is my sister?", "You said: Who is my sister?"]
        assert "Ana" not in "".join(kept(memory))

    def test_recalled_passages_can_stand_in_the_system_message(self, way: str, memory: Memory) -> None:
        memory.add_passages(["Sarah's sister is called Ana."], subject_id="user_sarah")
        model = echoing()
        agent = create_agent(model, middleware=[CoreMemoryMiddleware(memory, recall_into="system")])
        turn(way, agent, "Who is my sister?", called_by("sarah"))
        system, human = model.requests[0].messages
        assert "<human" in system.text.split("Ana")[0]
        assert human.content == "Who is my sister?"

    def test_what_stands_in_the_conversation_is_not_recalled_into_it(self, way: str, memory: Memory) -> None:
        model = echoing()
        agent = create_agent(model, middleware=[CoreMemoryMiddleware(memory)], checkpointer=InMemorySaver())
        turn(way, agent, "My sister is called Ana.", called_by("sarah"))
        turn(way, agent, "Who is my sister?", called_by("sarah"))
        assert str(model.requests[-1].messages).count("My sister is called Ana.") == 2  # hers and the echo
        turn(way, agent, "Who is my sister?", called_by("sarah", "t2"))
        assert "My sister is called Ana." in model.requests[-1].messages[-1].text

    def test_recall_can_be_turned_off(self, memory: Memory) -> None:
        memory.add_passages(["Sarah's sister is called Ana."], subject_id="user_sarah")
        model = echoing()
        agent = create_agent(model, middleware=[CoreMemoryMiddleware(memory, recall=0)])
        turn("sync", agent, "Who is my sister?", called_by("sarah"))
        assert "Ana" not in str(model.requests[0].messages)

    def test_the_prompt_is_fixed_for_the_turn_and_fresh_in_the_next(self, way: str, memory: Memory) -> None:
        memory.initialize_user_memory("user_sarah", user_context_block_value="v1")

        @tool
        def rename() -> str:
            """Changes the block in the middle of a turn."""
            memory.update_memory("human", "v2", subject_id="user_sarah")
            return "done"

        model = ScriptedChatModel([asks_for("rename"), "ok", "ok"])
        middleware = CoreMemoryMiddleware(memory, record=False)
        agent = create_agent(model, [rename], middleware=[middleware], checkpointer=InMemorySaver())
        turn(way, agent, "rename me", called_by("sarah"))
        turn(way, agent, "and now?", called_by("sarah"))
        assert ["v1" in request.messages[0].text for request in model.requests] == [True, True, False]
        assert "v2" in model.requests[2].messages[0].text

    def test_half_a_surrogate_pair_in_a_question_breaks_nothing(self, way: str, memory: Memory) -> None:
        agent = create_agent(ScriptedChatModel(["ok"]), middleware=[CoreMemoryMiddleware(memory)])
        turn(way, agent, "hi \ud83d", called_by("sarah"))
        assert kept(memory) == ["hi \ufffd", "ok"]

    @pytest.mark.parametrize("recalled", [True, False])
    def test_over_20_turns_with_tools_each_request_begins_like_the_one_before(
        self, way: str, tmp_path: Path, recalled: bool
    ) -> None:
        with Memory(str(tmp_path / "memory.db"), subject="user_{user_id}", learning="off") as memory:
            memory.initialize_user_memory("user_sarah", user_context_block_value="Sarah, in Rome.")
            if recalled:
                memory.add_passages([f"In town number {n} it rained." for n in range(30)], subject_id="user_sarah")
            lines = [line for n in range(20) for line in (asks_for("weather", f"c{n}", city=f"town {n}"), f"done {n}")]
            model = ScriptedChatModel(lines)
            middleware = CoreMemoryMiddleware(memory, recall=3 if recalled else 0)
            agent = create_agent(
                model, [weather], middleware=[middleware], system_prompt="Be kind.", checkpointer=InMemorySaver()
            )
            for n in range(20):
                turn(way, agent, f"weather in town {n}?", called_by("sarah"))
            requests = [[each.model_dump_json() for each in request.messages] for request in model.requests]
            assert len(requests) == 40
            for earlier, later in pairwise(requests):
                assert later[: len(earlier) - 1] == earlier[:-1]
            assert all(("recalled_memories" in each[-1]) is recalled for each in requests)


class TestRecording:
    @pytest.fixture(params=["checkpointer", "none"])
    def checkpointer(self, request: pytest.FixtureRequest) -> BaseCheckpointSaver[Any] | None:
        return InMemorySaver() if request.param == "checkpointer" else None

    def test_each_turn_is_recorded_once_with_a_checkpointer_and_without(
        self, way: str, memory: Memory, checkpointer: BaseCheckpointSaver[Any] | None
    ) -> None:
        lines: list[Any] = [asks_for("weather", "c1", city="Rome"), "Sunny.", "Bye."]
        agent = create_agent(
            ScriptedChatModel(lines), [weather], middleware=[CoreMemoryMiddleware(memory)], checkpointer=checkpointer
        )
        messages = turn(way, agent, "Weather in Rome?", called_by("sarah"))
        # Without a checkpointer the application hands over what was said, and its ids are new with every call.
        older = [] if checkpointer else [each.model_copy(update={"id": None}) for each in messages]
        turn(way, agent, [*older, HumanMessage("Thanks.")], called_by("sarah"))
        assert kept(memory) == ["Weather in Rome?", "", "Sunny in Rome.", "Sunny.", "Thanks.", "Bye."]
        roles = [each.role for each in memory.list_messages("user_sarah")]
        assert roles == ["user", "assistant", "tool", "assistant", "user", "assistant"]

    def test_several_new_messages_of_the_user_are_all_recorded(
        self, way: str, memory: Memory, checkpointer: BaseCheckpointSaver[Any] | None
    ) -> None:
        agent = create_agent(
            ScriptedChatModel(["ok"]), middleware=[CoreMemoryMiddleware(memory)], checkpointer=checkpointer
        )
        said: list[AnyMessage] = [HumanMessage("old"), AIMessage("older"), HumanMessage("one"), HumanMessage("two")]
        turn(way, agent, said, called_by("sarah"))
        assert kept(memory) == ["one", "two", "ok"]

    @pytest.mark.parametrize("first", [True, False])
    def test_what_a_failed_turn_left_is_recorded_with_the_next_one(self, way: str, memory: Memory, first: bool) -> None:
        lines: list[Any] = [*([] if first else ["fine"]), asks_for("broken"), "never mind"]
        agent = create_agent(
            ScriptedChatModel(lines),
            [broken],
            middleware=[CoreMemoryMiddleware(memory)],
            checkpointer=InMemorySaver(),
        )
        before = []
        if not first:
            turn(way, agent, "hello", called_by("sarah"))
            before = ["hello", "fine"]
        with pytest.raises(RuntimeError, match="the tool broke"):
            turn(way, agent, "try it", called_by("sarah"))
        assert kept(memory) == before
        agent.update_state(
            called_by("sarah"), {"messages": [ToolMessage("failed", tool_call_id="c1")]}, as_node="tools"
        )
        turn(way, agent, "leave it", called_by("sarah"))
        assert kept(memory) == [*before, "try it", "", "failed", "leave it", "never mind"]

    def test_a_turn_that_failed_and_is_resumed_is_recorded_once(self, way: str, memory: Memory) -> None:
        model = ScriptedChatModel([RuntimeError("overloaded"), "now it works"])
        agent = create_agent(model, middleware=[CoreMemoryMiddleware(memory)], checkpointer=InMemorySaver())
        with pytest.raises(RuntimeError, match="overloaded"):
            turn(way, agent, "hello", called_by("sarah"))
        turn(way, agent, None, called_by("sarah"))
        assert kept(memory) == ["hello", "now it works"]

    def test_an_interrupted_turn_goes_on_with_memory_and_is_recorded_whole(self, way: str, memory: Memory) -> None:
        memory.initialize_user_memory("user_sarah", user_context_block_value="Sarah, in Rome.")
        memory.add_passages(["Rome was rainy last time."], subject_id="user_sarah")
        model = ScriptedChatModel([asks_for("weather", city="Rome"), asks_for("weather", "c2", city="Rome"), "Sunny."])
        agent = create_agent(
            model,
            [weather],
            middleware=[CoreMemoryMiddleware(memory), HumanInTheLoopMiddleware({"weather": True})],
            checkpointer=InMemorySaver(),
        )
        turn(way, agent, "Weather in Rome?", called_by("sarah"))
        assert kept(memory) == []
        decision: Any = Command(resume={"decisions": [{"type": "approve"}]})
        turn(way, agent, decision, called_by("sarah"))
        memory.update_memory("human", "changed meanwhile", subject_id="user_sarah")
        turn(way, agent, decision, called_by("sarah"))
        assert kept(memory) == ["Weather in Rome?", "", "Sunny in Rome.", "", "Sunny in Rome.", "Sunny."]
        assert all("Sarah, in Rome." in request.messages[0].text for request in model.requests)
        assert all("rainy last time" in request.messages[-1].text for request in model.requests)

    def test_a_thread_that_was_interrupted_before_it_had_memory_goes_on_with_it(self, way: str, memory: Memory) -> None:
        memory.initialize_user_memory("user_sarah", user_context_block_value="Sarah, in Rome.")
        model = ScriptedChatModel([asks_for("weather", city="Rome"), "Sunny."])
        checkpointer, approval = InMemorySaver(), HumanInTheLoopMiddleware({"weather": True})
        before = create_agent(model, [weather], middleware=[approval], checkpointer=checkpointer)
        turn(way, before, "Weather in Rome?", called_by("sarah"))
        middleware: Any = [CoreMemoryMiddleware(memory), approval]
        after = create_agent(model, [weather], middleware=middleware, checkpointer=checkpointer)
        decision: Any = Command(resume={"decisions": [{"type": "approve"}]})
        turn(way, after, decision, called_by("sarah"))
        assert "Sarah, in Rome." in model.requests[1].messages[0].text
        assert kept(memory) == ["Weather in Rome?", "", "Sunny in Rome.", "Sunny."]

    def test_an_interrupted_turn_is_not_taken_over_by_somebody_else(self, way: str, memory: Memory) -> None:
        memory.initialize_user_memory("user_sarah", user_context_block_value="Sarah's secret is 4711.")
        model = ScriptedChatModel([asks_for("weather", city="Rome"), "Sunny."])
        middleware: Any = [CoreMemoryMiddleware(memory), HumanInTheLoopMiddleware({"weather": True})]
        agent = create_agent(model, [weather], middleware=middleware, checkpointer=InMemorySaver())
        turn(way, agent, "Weather in Rome?", called_by("sarah"))
        decision: Any = Command(resume={"decisions": [{"type": "approve"}]})
        turn(way, agent, decision, called_by("bob"))
        assert "4711" in str(model.requests[0].messages)
        assert "4711" not in str(model.requests[1].messages)

    def test_an_interrupted_turn_can_go_on_in_another_process(self, way: str, memory: Memory) -> None:
        memory.initialize_user_memory("user_sarah", user_context_block_value="v1")
        lines: list[Any] = [asks_for("weather", city="Rome"), asks_for("weather", "c2", city="Rome"), "Sunny."]
        model = ScriptedChatModel(lines)
        checkpointer = InMemorySaver()

        def process() -> Any:
            middleware: Any = [CoreMemoryMiddleware(memory), HumanInTheLoopMiddleware({"weather": True})]
            return create_agent(model, [weather], middleware=middleware, checkpointer=checkpointer)

        turn(way, process(), "Weather in Rome?", called_by("sarah"))
        memory.update_memory("human", "v2", subject_id="user_sarah")
        second = process()
        decision: Any = Command(resume={"decisions": [{"type": "approve"}]})
        turn(way, second, decision, called_by("sarah"))
        memory.update_memory("human", "v3", subject_id="user_sarah")
        turn(way, second, decision, called_by("sarah"))
        prompts = [request.messages[0].text for request in model.requests]
        assert [version for prompt in prompts for version in ("v1", "v2", "v3") if version in prompt] == [
            "v1",
            "v2",
            "v2",
        ]
        assert kept(memory) == ["Weather in Rome?", "", "Sunny in Rome.", "", "Sunny in Rome.", "Sunny."]

    def test_a_replayed_thread_is_not_learnt_twice(self, way: str, memory: Memory) -> None:
        agent = create_agent(
            ScriptedChatModel(["one", "two", "two again"]),
            middleware=[CoreMemoryMiddleware(memory)],
            checkpointer=InMemorySaver(),
        )
        turn(way, agent, "first", called_by("sarah"))
        turn(way, agent, "second", called_by("sarah"))
        history = list(agent.get_state_history(called_by("sarah")))
        before_the_answer = next(each for each in history if each.next == ("model",))
        place = before_the_answer.config["configurable"]
        turn(way, agent, None, called_by("sarah", **place))
        assert kept(memory) == ["first", "one", "second", "two", "two again"]

    def test_a_summary_by_another_middleware_is_not_what_the_user_said(self, way: str, memory: Memory) -> None:
        summarizer = ScriptedChatModel(lambda _: "THE SUMMARY")
        agent = create_agent(
            echoing(),
            middleware=[
                CoreMemoryMiddleware(memory),
                SummarizationMiddleware(summarizer, trigger=("messages", 4), keep=("messages", 1)),
            ],
            checkpointer=InMemorySaver(),
        )
        for n in range(5):
            turn(way, agent, f"message {n}", called_by("sarah"))
        said = kept(memory)
        assert [text for text in said if not text.startswith("You said")] == [f"message {n}" for n in range(5)]
        assert "THE SUMMARY" not in str(said)
        assert summarizer.requests

    def test_memory_in_a_tools_result_is_not_recorded_as_said(self, way: str, memory: Memory) -> None:
        memory.add_passages(["Sarah's sister is called Ana."], subject_id="user_sarah")
        model = ScriptedChatModel([asks_for("search_memory", query="sister"), "It is Ana."])
        agent = create_agent(model, middleware=[CoreMemoryMiddleware(memory, tools=True, recall=0)])
        turn(way, agent, "Who is my sister?", called_by("sarah"))
        assert "Ana" in model.requests[1].messages[-1].text
        assert kept(memory) == ["Who is my sister?", "", "", "It is Ana."]

    def test_only_the_newest_question_is_looked_for(self, way: str, memory: Memory, ranks_all: bool) -> None:
        memory.add_passages(["A note about zebras.", "A note about violins."], subject_id="user_sarah")
        model = echoing()
        middleware = CoreMemoryMiddleware(memory, record=False)
        agent = create_agent(model, middleware=[middleware], checkpointer=InMemorySaver())
        turn(way, agent, "zebras?", called_by("sarah"))
        turn(way, agent, "violins?", called_by("sarah"))
        told = model.requests[-1].messages[-1].text
        assert "violins." in told
        if ranks_all:
            assert told.index("violins.") < told.index("zebras.")
        else:
            assert "zebras." not in told

    def test_threads_are_kept_apart_and_named_as_the_graphs(self, way: str, memory: Memory) -> None:
        agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory)], checkpointer=InMemorySaver())
        turn(way, agent, "a", called_by("sarah", "t1"))
        turn(way, agent, "b", called_by("sarah", "t2"))
        assert kept(memory, thread="t2") == ["b", "You said: b"]
        unnamed = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory)])
        turn(way, unnamed, "c", {"configurable": {"user_id": "sarah"}})
        assert kept(memory, thread="default") == ["c", "You said: c"]

    def test_it_can_be_turned_off(self, way: str, memory: Memory) -> None:
        agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory, record=False)])
        turn(way, agent, "hi", called_by("sarah"))
        assert memory.list_subjects() == []

    def test_streaming_records_as_well(self, memory: Memory) -> None:
        agent = create_agent(ScriptedChatModel(["hello there"] * 2), middleware=[CoreMemoryMiddleware(memory)])
        asked: Any = {"messages": "hi"}
        streamed: list[Any] = list(agent.stream(asked, called_by("sarah"), stream_mode="messages"))
        assert "".join(str(chunk.content) for chunk, _ in streamed) == "hello there"

        async def collect() -> list[Any]:
            return [each async for each in agent.astream(asked, called_by("sarah"), stream_mode="messages")]

        assert "".join(str(chunk.content) for chunk, _ in asyncio.run(collect())) == "hello there"
        assert kept(memory) == ["hi", "hello there"] * 2

    @pytest.mark.parametrize("mode", ["values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"])
    def test_nothing_of_memory_is_returned_streamed_or_in_a_checkpoint(
        self, memory: Memory, tmp_path: Path, mode: Any
    ) -> None:
        memory.initialize_user_memory("user_sarah", user_context_block_value="REMEMBERED in a block")
        memory.add_passages(["REMEMBERED in a passage"], subject_id="user_sarah")
        model = ScriptedChatModel([asks_for("weather", city="Rome"), "ok"] * 2)
        asked: Any = {"messages": "In a passage?"}
        with SqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as checkpointer:
            agent = create_agent(model, [weather], middleware=[CoreMemoryMiddleware(memory)], checkpointer=checkpointer)
            streamed = list(agent.stream(asked, called_by("sarah"), stream_mode=mode))
            returned = agent.invoke(asked, called_by("sarah"))
        assert str(model.requests[-1].messages).count("REMEMBERED") == 2
        assert set(returned) == {"messages"}
        assert "REMEMBERED" not in str(streamed) + str(returned)
        assert not any(b"REMEMBERED" in file.read_bytes() for file in tmp_path.glob("threads.db*"))


@dataclass
class Context:
    user_id: str


class TestTwo:
    """A user's memory and a team's in one agent."""

    @pytest.fixture
    def team(self, tmp_path: Path) -> Iterator[Memory]:
        with Memory(str(tmp_path / "team.db"), subject="team_{team_id}") as team:
            yield team

    def test_blocks_and_passages_of_both_stand_in_the_prompt_by_name(
        self, way: str, memory: Memory, team: Memory
    ) -> None:
        for each, subject, text in ((memory, "user_sarah", "Sarah"), (team, "team_x", "Team X")):
            each.initialize_user_memory(subject, user_context_block_value=f"{text} likes tea.")
            each.add_passages([f"{text} met in Rome."], subject_id=subject)
        model = echoing()
        both = [CoreMemoryMiddleware(memory), CoreMemoryMiddleware(team, name="team")]
        turn(way, create_agent(model, middleware=both), "Who met in Rome?", called_by("sarah", team_id="x"))
        system, human = (each.text for each in model.requests[0].messages)
        mine, ours = system.split('<core_memory source="ai-memory" name="team">')
        assert ("Sarah likes tea." in mine, "Team X likes tea." in ours) == (True, True)
        mine, ours = human.split('<recalled_memories source="ai-memory" name="team">')
        assert ("Sarah met in Rome." in mine, "Team X met in Rome." in ours) == (True, True)

    @pytest.mark.parametrize("saved", [True, False])
    def test_both_record_each_turn_once_and_one_can_be_kept_from_it(
        self, way: str, memory: Memory, team: Memory, saved: bool
    ) -> None:
        both = [CoreMemoryMiddleware(memory), CoreMemoryMiddleware(team, name="team")]
        agent = create_agent(echoing(), middleware=both, checkpointer=InMemorySaver() if saved else None)
        so_far: list[Any] = []
        for text in ("one", "two"):
            asked = [text] if saved else [*so_far, HumanMessage(text)]
            so_far = turn(way, agent, asked, called_by("sarah", team_id="x"))
        assert kept(memory) == kept(team, "team_x") == ["one", "You said: one", "two", "You said: two"]
        silent = [CoreMemoryMiddleware(memory), CoreMemoryMiddleware(team, name="team", record=False)]
        turn(way, create_agent(echoing(), middleware=silent), "three", called_by("sarah", "t2", team_id="x"))
        assert len(kept(memory)) == 6
        assert len(kept(team, "team_x")) == 4

    def test_one_store_may_hold_both_and_subjects_never_mix(self, way: str, memory: Memory) -> None:
        names = {"mine": "user_{user_id}", "team": "team_{team_id}"}
        model = echoing()
        both = [CoreMemoryMiddleware(memory, subject=subject, name=name) for name, subject in names.items()]
        agent = create_agent(model, middleware=both, checkpointer=InMemorySaver())
        for user, team_id in (("sarah", "x"), ("bob", "x"), ("eve", "y")):
            turn(way, agent, f"My name is {user.title()}.", called_by(user, user, team_id=team_id))
            assert memory.drain(30)
        assert kept(memory, "team_x") == [
            *("My name is Sarah.", "You said: My name is Sarah."),
            *("My name is Bob.", "You said: My name is Bob."),
        ]
        assert kept(memory, "user_bob") == ["My name is Bob.", "You said: My name is Bob."]
        turn(way, agent, "Hi.", called_by("eve", "new", team_id="y"))
        assert "Eve" in model.requests[-1].messages[0].text
        assert not any(name in str(model.requests[-1].messages) for name in ("Sarah", "Bob"))

    def test_a_turn_that_fails_for_one_subject_keeps_the_other_s_place(
        self, way: str, memory: Memory, team: Memory
    ) -> None:
        lines = [asks_for("broken"), "Hello Bob.", "Hello Alice."]
        both = [CoreMemoryMiddleware(memory), CoreMemoryMiddleware(team, subject="team", name="team")]
        agent = create_agent(ScriptedChatModel(lines), [broken], middleware=both, checkpointer=InMemorySaver())
        with pytest.raises(RuntimeError, match="the tool broke"):
            turn(way, agent, "I am Alice.", called_by("alice"))
        turn(way, agent, "I am Bob.", called_by("bob"))
        assert kept(memory, "user_bob") == ["I am Bob.", "Hello Bob."]
        assert kept(team, "team") == ["I am Alice.", "", "I am Bob.", "Hello Bob."]

    def test_each_request_begins_like_the_one_before(self, way: str, tmp_path: Path) -> None:
        with Memory(str(tmp_path / "both.db"), learning="off") as memory:
            for subject in ("user_sarah", "team"):
                memory.initialize_user_memory(subject, user_context_block_value=f"{subject} lives in Rome.")
                memory.add_passages([f"In town {n} it rained on {subject}." for n in range(9)], subject_id=subject)
            lines = [line for n in range(5) for line in (asks_for("weather", f"c{n}", city=f"town {n}"), f"done {n}")]
            model = ScriptedChatModel(lines)
            both = [
                CoreMemoryMiddleware(memory, subject="user_{user_id}"),
                CoreMemoryMiddleware(memory, subject="team", name="team"),
            ]
            agent = create_agent(
                model, [weather], middleware=both, system_prompt="Be kind.", checkpointer=InMemorySaver()
            )
            for n in range(5):
                turn(way, agent, f"weather in town {n}?", called_by("sarah"))
            requests = [[each.model_dump_json() for each in request.messages] for request in model.requests]
            for earlier, later in pairwise(requests):
                assert later[: len(earlier) - 1] == earlier[:-1]
            assert all(each[-1].count("<recalled_memories") == 2 for each in requests)
            assert "ai-memory" not in str([each.text for each in memory.list_messages("team")])

    def test_tools_of_each_bear_its_name_and_reach_its_memory_only(
        self, way: str, memory: Memory, team: Memory
    ) -> None:
        both = [
            CoreMemoryMiddleware(memory, record=False, tools=True),
            CoreMemoryMiddleware(team, record=False, name="team", tools=True),
        ]
        lines = [
            asks_for("team_archive_memory", text="We meet on Monday."),
            asks_for("team_forget_memory", passage_id="unknown"),
            "ok",
        ]
        agent = create_agent(ScriptedChatModel(lines), middleware=both)
        messages = turn(way, agent, "Monday?", called_by("sarah", team_id="x"))
        assert messages[-2].text == "There is no memory 'unknown'. Take the id that team_search_memory gives."
        assert [each.text for each in team.list_passages(subject_id="team_x")] == ["We meet on Monday."]
        assert memory.list_passages(subject_id="user_sarah") == []
        names = [each.name for middleware in both for each in middleware.tools]
        assert len(set(names)) == 14
        forget = next(each for each in both[1].tools if each.name == "team_forget_memory")
        assert "that team_search_memory found" in forget.description
        assert "as team_search_memory gives it" in str(forget.args)

    def test_nothing_of_either_is_returned_or_can_be_given(self, memory: Memory, team: Memory) -> None:
        both = [CoreMemoryMiddleware(memory), CoreMemoryMiddleware(team, name="team")]
        agent = create_agent(echoing(), middleware=both, checkpointer=InMemorySaver())
        asked: Any = {"messages": "hi", "ai_memory_team_recorded": "m1", "ai_memory_recorded": "m1"}
        assert set(agent.invoke(asked, called_by("sarah", team_id="x"))) == {"messages"}
        assert kept(memory) == kept(team, "team_x") == ["hi", "You said: hi"]

    @pytest.mark.parametrize("name", ["", "a b", "1", "team|x", "x" * 33, 3])
    def test_a_name_that_no_tool_can_begin_with_is_refused(self, memory: Memory, name: Any) -> None:
        with pytest.raises(ConfigurationError, match="name="):
            CoreMemoryMiddleware(memory, name=name)


class TestSubjects:
    def test_context_config_and_signed_in_user_name_the_subject(self, way: str, tmp_path: Path) -> None:
        with Memory(str(tmp_path / "memory.db")) as memory:
            agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory)], context_schema=Context)
            turn(way, agent, "a", {}, context=Context("by context"))
            turn(way, agent, "b", called_by("by config"))
            turn(way, agent, "c", {"configurable": {"langgraph_auth_user": {"identity": "signed in"}}})
            assert [each.subject_id for each in memory.list_subjects()] == ["by config", "by context", "signed in"]

    def test_a_middleware_may_have_a_template_of_its_own(self, way: str, memory: Memory) -> None:
        agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory, subject="{team}/{user_id}")])
        turn(way, agent, "a", called_by("sarah", team="red"))
        assert [each.subject_id for each in memory.list_subjects()] == ["red/sarah"]

    def test_no_subject_is_an_error_before_the_model_is_asked(self, way: str, memory: Memory) -> None:
        model = echoing()
        with pytest.raises(NoSubjectError, match="user_id"):
            turn(way, create_agent(model, middleware=[CoreMemoryMiddleware(memory)]), "hi", {})
        assert model.requests == []

    @pytest.mark.parametrize("place", ["context", "configurable"])
    def test_a_signed_in_caller_who_names_another_gets_an_error_and_nothing_else(
        self, way: str, tmp_path: Path, place: str
    ) -> None:
        with Memory(str(tmp_path / "memory.db")) as memory:
            memory.initialize_user_memory("bob", user_context_block_value="Bob's secret is 4711.")
            model = echoing()
            agent = create_agent(model, middleware=[CoreMemoryMiddleware(memory)], context_schema=Context)
            configurable: dict[str, Any] = {"langgraph_auth_user": {"identity": "sarah"}}
            more: dict[str, Any] = {}
            if place == "context":
                more["context"] = Context("bob")
            else:
                configurable["user_id"] = "bob"
            with pytest.raises(SubjectMismatchError) as caught:
                turn(way, agent, "hi", {"configurable": configurable}, **more)
            assert "4711" not in str(caught.value)
            assert model.requests == []
            assert kept(memory, "bob") == []

    def test_a_server_may_hand_over_the_signed_in_user_as_an_object(self, way: str, tmp_path: Path) -> None:
        with Memory(str(tmp_path / "memory.db")) as memory:
            agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory)])
            user = SimpleNamespace(identity="sarah", display_name="Sarah")
            turn(way, agent, "hi", {"configurable": {"langgraph_auth_user": user, "graph_id": "g"}})
            with pytest.raises(SubjectMismatchError):
                turn(way, agent, "hi", called_by("bob", langgraph_auth_user=user))
            assert [each.subject_id for each in memory.list_subjects()] == ["sarah"]

    def test_a_signed_in_user_without_an_identity_is_no_anonymous_one(self, way: str, memory: Memory) -> None:
        agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory)])
        with pytest.raises(ConfigurationError, match="has no identity"):
            turn(way, agent, "hi", called_by("sarah", langgraph_auth_user={"name": "Sarah"}))

    def test_only_a_callable_of_the_application_may_name_somebody_else(self, way: str, memory: Memory) -> None:
        agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory, subject=lambda caller: "team")])
        turn(way, agent, "hi", called_by("bob", langgraph_auth_user={"identity": "sarah"}))
        assert [each.subject_id for each in memory.list_subjects()] == ["team"]

    def test_a_turn_that_failed_is_not_recorded_for_whoever_speaks_next_in_its_thread(
        self, way: str, memory: Memory, caplog: pytest.LogCaptureFixture
    ) -> None:
        lines = [asks_for("broken"), asks_for("weather", city="Rome"), "Sunny.", "Hello Alice."]
        middleware = CoreMemoryMiddleware(memory)
        agent = create_agent(
            ScriptedChatModel(lines), [broken, weather], middleware=[middleware], checkpointer=InMemorySaver()
        )
        with pytest.raises(RuntimeError, match="the tool broke"):
            turn(way, agent, "I am Alice.", called_by("alice"))
        turn(way, agent, "I am Bob. Weather in Rome?", called_by("bob"))
        turn(way, agent, "I am Alice again.", called_by("alice"))
        assert kept(memory, "user_bob") == ["I am Bob. Weather in Rome?", "", "Sunny in Rome.", "Sunny."]
        assert kept(memory, "user_alice") == ["I am Alice again.", "Hello Alice."]
        assert "2 messages in thread 't1' are of a turn of subject 'user_alice'" in caplog.text

    def test_a_turn_that_another_subject_resumes_is_recorded_for_the_one_it_began_with(
        self, way: str, memory: Memory, caplog: pytest.LogCaptureFixture
    ) -> None:
        asking = HumanInTheLoopMiddleware(interrupt_on={"weather": True})
        agent = create_agent(
            ScriptedChatModel([asks_for("weather", city="Rome"), "Sunny.", "Yes."]),
            [weather],
            middleware=[CoreMemoryMiddleware(memory), asking],
            checkpointer=InMemorySaver(),
        )
        turn(way, agent, "I am Alice.", called_by("alice"))
        turn(way, agent, Command(resume={"decisions": [{"type": "approve"}]}), called_by("boss"))
        assert kept(memory, "user_boss") == kept(memory, "user_alice") == []
        assert "Resume a turn with the subject it began with" in caplog.text
        turn(way, agent, "Sure?", called_by("alice"))
        assert kept(memory, "user_alice") == ["I am Alice.", "", "Sunny in Rome.", "Sunny.", "Sure?", "Yes."]
        assert kept(memory, "user_boss") == []

    def test_subjects_that_take_turns_in_one_thread_are_each_recorded_with_their_own(
        self, way: str, memory: Memory
    ) -> None:
        agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory)], checkpointer=InMemorySaver())
        for n, user in enumerate(["alice", "bob", "bob", "alice"]):
            turn(way, agent, str(n), called_by(user))
        assert kept(memory, "user_alice") == ["0", "You said: 0", "3", "You said: 3"]
        assert kept(memory, "user_bob") == ["1", "You said: 1", "2", "You said: 2"]

    def test_a_turn_that_another_middleware_answers_is_recorded_for_the_subject_that_spoke(
        self, way: str, memory: Memory
    ) -> None:
        @before_agent(can_jump_to=["end"])
        def refuse(state: Any, runtime: Any) -> dict[str, Any] | None:
            said = state["messages"][-1].text
            return {"messages": [AIMessage("No.")], "jump_to": "end"} if "bomb" in said else None

        agent = create_agent(echoing(), middleware=[refuse, CoreMemoryMiddleware(memory)], checkpointer=InMemorySaver())
        turn(way, agent, "hi", called_by("alice"))
        turn(way, agent, "a bomb", called_by("bob"))
        turn(way, agent, "bye", called_by("alice"))
        assert kept(memory, "user_bob") == ["a bomb", "No."]
        assert kept(memory, "user_alice") == ["hi", "You said: hi", "bye", "You said: bye"]

    def test_a_thread_id_that_cannot_be_kept_is_refused_before_there_is_an_answer(self, memory: Memory) -> None:
        model = echoing()
        with pytest.raises(InvalidInputError, match="thread_id"):
            turn("sync", create_agent(model, middleware=[CoreMemoryMiddleware(memory)]), "hi", called_by("s", "a\nb"))
        assert model.requests == []

    @pytest.mark.parametrize(
        ("options", "named"),
        [({"recall": -1}, "recall=-1"), ({"recall_into": "tool"}, "recall_into"), ({"on_error": "no"}, "on_error")],
    )
    def test_wrong_options_are_refused_by_name(self, memory: Memory, options: dict[str, Any], named: str) -> None:
        with pytest.raises(ConfigurationError, match=named):
            CoreMemoryMiddleware(memory, **options)


class TestNesting:
    def test_two_agents_in_one_process_share_a_memory(self, way: str, memory: Memory) -> None:
        memory.add_passages(["Sarah likes tea."], subject_id="user_sarah")
        middleware = CoreMemoryMiddleware(memory)
        one, two = echoing(), echoing()
        turn(way, create_agent(one, middleware=[middleware]), "Do I like tea?", called_by("sarah"))
        turn(way, create_agent(two, middleware=[middleware]), "Do I like tea?", called_by("sarah"))
        for model in (one, two):
            assert "Sarah likes tea." in model.requests[0].messages[-1].text

    def test_in_a_subgraph_each_turn_is_recorded_once(self, way: str, memory: Memory) -> None:
        agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory)])
        graph: Any = StateGraph(MessagesState)
        graph = graph.add_node("agent", agent).add_edge(START, "agent").compile(checkpointer=InMemorySaver())
        for said in ("one", "two"):
            turn(way, graph, said, called_by("sarah"))
        assert kept(memory) == ["one", "You said: one", "two", "You said: two"]

    def test_an_agent_called_by_a_tool_of_another_knows_the_same_subject(self, way: str, memory: Memory) -> None:
        memory.initialize_user_memory("user_sarah", user_context_block_value="Sarah, in Rome.")
        inner_model = ScriptedChatModel(lambda messages: "found it")
        inner = create_agent(inner_model, middleware=[CoreMemoryMiddleware(memory, record=False)])

        @tool
        def task(description: str) -> str:
            """Hand a task to another agent, as deepagents does."""
            asked: Any = {"messages": [HumanMessage(description)]}
            return str(inner.invoke(asked)["messages"][-1].content)

        outer = create_agent(
            ScriptedChatModel([asks_for("task", description="look it up"), "done"]),
            [task],
            middleware=[CoreMemoryMiddleware(memory)],
            context_schema=Context,
        )
        turn("sync" if way == "async" else way, outer, "please", {}, context=Context("sarah"))
        assert "Sarah, in Rome." in inner_model.requests[0].messages[0].text
        assert kept(memory) == ["please", "", "found it", "done"]


class TestOutages:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[UnreliableStore]:
        real = SQLiteStore(str(tmp_path / "memory.db"))
        yield UnreliableStore(real)
        real.close()

    @pytest.fixture
    def shaky(self, store: UnreliableStore) -> Iterator[Memory]:
        with Memory(backend=store, subject="user_{user_id}", embedder=False) as memory:
            memory.initialize_user_memory("user_sarah")
            yield memory

    def test_a_turn_without_memory_is_answered_and_recorded_when_memory_is_back(
        self, way: str, store: UnreliableStore, shaky: Memory, caplog: pytest.LogCaptureFixture
    ) -> None:
        middleware = CoreMemoryMiddleware(shaky)
        agent = create_agent(echoing(), middleware=[middleware], checkpointer=InMemorySaver())
        store.down = True
        with caplog.at_level(logging.WARNING, "ai_memory_integrations"):
            assert turn(way, agent, "hi", called_by("sarah"))[-1].text == "You said: hi"
        assert (middleware.stats.failed_reads, middleware.stats.waiting) == (1, 2)
        assert "memory could not be read" in caplog.text
        assert "2 messages of subject 'user_sarah', thread 't1' are not recorded yet" in caplog.text
        turn(way, agent, "again", called_by("sarah"))
        store.down = False
        wait_until(lambda: middleware.stats.waiting == 0)
        assert kept(shaky) == ["hi", "You said: hi", "again", "You said: again"]
        turn(way, agent, "thanks", called_by("sarah"))
        assert kept(shaky)[4:] == ["thanks", "You said: thanks"]
        assert middleware.stats.lost == 0

    def test_with_a_checkpointer_a_restart_loses_nothing(self, way: str, store: UnreliableStore, shaky: Memory) -> None:
        checkpointer = InMemorySaver()
        agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(shaky)], checkpointer=checkpointer)
        store.down = True
        turn(way, agent, "hi", called_by("sarah"))
        store.down = False
        again = create_agent(echoing(), middleware=[CoreMemoryMiddleware(shaky)], checkpointer=checkpointer)
        turn(way, again, "there", called_by("sarah"))
        assert kept(shaky) == ["hi", "You said: hi", "there", "You said: there"]

    def test_it_can_raise_instead(self, way: str, store: UnreliableStore, shaky: Memory) -> None:
        agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(shaky, on_error="raise")])
        store.down = True
        with pytest.raises(BackendError, match="does not answer"):
            turn(way, agent, "hi", called_by("sarah"))

    def test_a_path_that_is_no_store_is_a_mistake_and_not_an_outage(self, way: str, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("not a database " * 100)
        with Memory(str(tmp_path / "notes.txt"), subject_id="sarah") as memory:
            agent = create_agent(echoing(), middleware=[CoreMemoryMiddleware(memory)])
            with pytest.raises(NotAStoreError):
                turn(way, agent, "hi", {})
