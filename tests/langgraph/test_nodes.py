"""Nodes that make a graph remember."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from blockbuster import blockbuster_ctx
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import (
    BackendError,
    ConfigurationError,
    NoSubjectError,
    NotAStoreError,
    SubjectMismatchError,
)
from ai_memory_integrations.langgraph import (
    MemoryContext,
    MemoryState,
    MemoryTurn,
    inject_memory,
    learn_messages,
    trim_and_learn,
    with_memory,
)
from ai_memory_integrations.testing import ScriptedChatModel
from ai_memory_integrations.types import Append, Block, Edit, Message

SARAH: Any = {"configurable": {"user_id": "sarah", "thread_id": "t1"}}


def note(blocks: list[Block], messages: list[Message]) -> list[Edit]:
    """Every user message becomes a line of `human`: whatever is learnt twice stands there twice."""
    return [Append(label="human", text=message.text) for message in messages if message.role == "user"]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(str(tmp_path / "memory.db"), learner=note, embedder=False) as memory:
        yield memory


def echo() -> ScriptedChatModel:
    return ScriptedChatModel(lambda messages: f"You said: {messages[-1].text.splitlines()[0]}")


def chat(model: ScriptedChatModel) -> RunnableLambda[Any, Any]:
    def call(state: MemoryState) -> dict[str, Any]:
        return {"messages": [model.invoke(with_memory(state, system="You are kind."))]}

    async def acall(state: MemoryState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(with_memory(state, system="You are kind."))]}

    return RunnableLambda(call, acall)


def graph_of(memory: Memory, model: ScriptedChatModel, *, checkpointer: Any = None, **options: Any) -> Any:
    graph = StateGraph(MemoryState)
    graph.add_sequence([inject_memory(memory, **options), ("chat", chat(model)), learn_messages(memory, **options)])
    return graph.add_edge(START, "inject_memory").compile(checkpointer=checkpointer)


def run(graph: Any, text: str, config: Any = SARAH, *, way: str = "sync", **options: Any) -> Any:
    asked = {"messages": [("user", text)]}
    if way == "sync":
        return graph.invoke(asked, config, **options)
    return asyncio.run(graph.ainvoke(asked, config, **options))


def learnt(memory: Memory, subject_id: str = "sarah") -> list[str]:
    assert memory.drain(30)
    return (memory.get_memory("human", subject_id=subject_id) or "").splitlines()


# the whole


@pytest.mark.parametrize("way", ["sync", "async"])
def test_thirty_turns_are_learnt_once_each_across_threads_subjects_and_a_restart(tmp_path: Path, way: str) -> None:
    path, saved = str(tmp_path / "memory.db"), str(tmp_path / "threads.db")
    model, said = echo(), []
    for half in range(2):
        with Memory(path, learner=note, embedder=False) as memory:
            saver: Any = SqliteSaver(sqlite3.connect(saved, check_same_thread=False)) if way == "sync" else SAVER
            graph = graph_of(memory, model, checkpointer=saver)
            for turn in range(15):
                subject, thread = (
                    ("sarah", "t1") if turn % 3 == 0 else ("sarah", "t2") if turn % 3 == 1 else ("tom", "t3")
                )
                text = f"half {half} turn {turn} of {subject}"
                said.append((subject, text))
                config: Any = {"configurable": {"user_id": subject, "thread_id": thread}}
                state = run(graph, text, config, way=way)
            assert [message.type for message in state["messages"]] == ["human", "ai"] * 5 * (half + 1)
            if way == "sync":
                saver.conn.close()
    with Memory(path, learner=note, embedder=False) as memory:
        for subject in ("sarah", "tom"):
            assert sorted(learnt(memory, subject)) == sorted(text for who, text in said if who == subject)
        assert len(memory.list_messages("sarah")) == 40
        assert {thread.thread_id: thread.messages for thread in memory.list_threads("sarah")} == {"t1": 20, "t2": 20}
        run(graph_of(memory, model), "hello", {"configurable": {"user_id": "sarah", "thread_id": "new"}})
        prompt = model.requests[-1].messages[0].text
        assert prompt.startswith("You are kind.\n\n<core_memory")
        assert "half 0 turn 0 of sarah" in prompt
        assert "of tom" not in prompt


SAVER = InMemorySaver()


@pytest.mark.parametrize("way", ["sync", "async"])
def test_without_a_checkpointer_a_resent_history_is_not_learnt_again(memory: Memory, way: str) -> None:
    graph = graph_of(memory, echo())
    history: list[Any] = []
    for text in ("one", "two", "three"):
        history.append({"role": "user", "content": text})
        asked = {"messages": history}
        state = graph.invoke(asked, SARAH) if way == "sync" else asyncio.run(graph.ainvoke(asked, SARAH))
        history.append({"role": "assistant", "content": state["messages"][-1].text})
    assert learnt(memory) == ["one", "two", "three"]
    assert len(memory.list_messages("sarah", "t1")) == 6


async def test_no_node_blocks_the_loop(memory: Memory) -> None:
    graph = graph_of(memory, echo(), checkpointer=InMemorySaver())
    with blockbuster_ctx():
        await graph.ainvoke({"messages": [("user", "hi")]}, SARAH)
    assert await memory.aio.drain(30)


def test_a_node_is_called_as_its_function(memory: Memory) -> None:
    nodes = [inject_memory(memory), learn_messages(memory), trim_and_learn(memory, lambda messages: messages)]
    names = ["inject_memory", "learn_messages", "trim_and_learn"]
    added = StateGraph(MemoryState)
    for node in nodes:
        added.add_node(node)
    assert list(added.nodes) == names
    assert list(StateGraph(MemoryState).add_sequence(nodes).nodes) == names


def test_learning_can_be_waited_for(memory: Memory) -> None:
    graph = (
        StateGraph(MemoryState).add_node(learn_messages(memory, wait=True)).add_edge(START, "learn_messages").compile()
    )
    run(graph, "one")
    assert memory.get_memory("human", subject_id="sarah") == "one"
    run(graph, "two", way="async")
    assert memory.get_memory("human", subject_id="sarah") == "one\ntwo"


def test_tools_are_recorded_with_the_turn_and_system_messages_are_not(memory: Memory) -> None:
    graph = StateGraph(MemoryState).add_node(learn_messages(memory)).add_edge(START, "learn_messages").compile()
    call = {"name": "weather", "args": {"city": "Rome"}, "id": "c1"}
    turn = [
        SystemMessage("Be kind."),
        HumanMessage("And in Rome?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("sunny", tool_call_id="c1"),
        AIMessage("Sunny."),
    ]
    graph.invoke({"messages": turn}, SARAH)
    kept = memory.list_messages("sarah")
    assert [message.role for message in kept] == ["user", "assistant", "tool", "assistant"]
    assert kept[1].tool_calls[0]["args"] == {"city": "Rome"}


# what the model sees


def context(blocks: str = "", recalled: str = "") -> MemoryContext:
    return MemoryContext(blocks=blocks, recalled=recalled)


def test_blocks_end_the_system_message_and_the_state_stays_as_it_is() -> None:
    messages: list[AnyMessage] = [HumanMessage("hi", id="1")]
    state = MemoryState(messages=messages, memory=context("BLOCKS", "RECALLED"))
    assert with_memory(state, system="Be kind.") == [
        SystemMessage("Be kind.\n\nBLOCKS"),
        HumanMessage("hi\n\nRECALLED", id="1"),
    ]
    assert with_memory(state)[0] == SystemMessage("BLOCKS")
    assert state["messages"] == [HumanMessage("hi", id="1")]


def test_the_states_own_system_message_keeps_its_parts_with_their_cache_marks() -> None:
    part = {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}
    state = MemoryState(messages=[SystemMessage([part]), HumanMessage("hi")], memory=context("BLOCKS"))
    assert with_memory(state)[0].content == [part, {"type": "text", "text": "\n\nBLOCKS"}]
    assert with_memory(state)[0].text == "Be kind.\n\nBLOCKS"
    assert len(with_memory(state, system=SystemMessage("First."))) == 3


def test_the_same_blocks_give_the_same_system_message(memory: Memory) -> None:
    memory.initialize_memory("human", value="Likes tea.", subject_id="sarah")
    memory.add_passages(["tea is green", "tea is black"], subject_id="sarah")
    model = echo()
    graph = graph_of(memory, model, checkpointer=InMemorySaver())
    for text in ("tea", "and black?"):
        run(graph, text)
    systems = {request.messages[0].text for request in model.requests}
    assert len(systems) == 1
    assert "green" in model.requests[0].messages[-1].text
    assert model.requests[1].messages[1] == HumanMessage("tea", id=model.requests[1].messages[1].id)


def test_recalled_passages_leave_out_what_stands_in_the_conversation(memory: Memory) -> None:
    memory.add_passages(["I like tea", "tea from Assam"], subject_id="sarah")
    model = echo()
    run(graph_of(memory, model), "I like tea")
    asked = model.requests[0].messages[-1].text
    assert "tea from Assam" in asked
    assert asked.count("I like tea") == 1
    assert (
        inject_memory(memory, recall=0).invoke({"messages": [HumanMessage("tea")]}, SARAH)["memory"]["recalled"] == ""
    )


def test_memory_that_came_into_the_thread_is_not_learnt(memory: Memory) -> None:
    memory.initialize_memory("human", value="Likes tea.", subject_id="sarah")
    memory.add_passages(["tea from Assam"], subject_id="sarah")
    state = {"messages": [HumanMessage("tea", id="1")]}
    state |= inject_memory(memory).invoke(state, SARAH)
    learn_messages(memory).invoke({"messages": with_memory(state)}, SARAH)
    assert [message.text for message in memory.list_messages("sarah")] == ["tea"]


class Pydantic(BaseModel):
    messages: Annotated[list[AnyMessage], add_messages]
    memory: MemoryContext | None = None


@dataclass
class Data:
    messages: Annotated[list[AnyMessage], add_messages]
    memory: MemoryContext | None = None


@pytest.mark.parametrize("schema", [Pydantic, Data])
def test_a_state_may_be_a_model_or_a_dataclass(memory: Memory, schema: Any) -> None:
    memory.initialize_memory("human", value="Likes tea.", subject_id="sarah")
    model = echo()
    graph = StateGraph(schema).add_sequence([inject_memory(memory), ("chat", chat(model)), learn_messages(memory)])
    run(graph.add_edge(START, "inject_memory").compile(), "hi")
    assert "Likes tea." in model.requests[0].messages[0].text


# mistakes of set-up raise


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_graph_without_the_key_gets_an_error_that_says_what_to_add(memory: Memory, way: str) -> None:
    graph = StateGraph(MessagesState).add_node(inject_memory(memory)).add_edge(START, "inject_memory").compile()
    with pytest.raises(ConfigurationError, match="MemoryState"):
        run(graph, "hi", way=way)


def test_the_key_can_have_another_name(memory: Memory) -> None:
    class State(MessagesState):
        remembered: MemoryContext

    memory.initialize_memory("human", value="Likes tea.", subject_id="sarah")
    node = inject_memory(memory, into="remembered")
    state = run(StateGraph(State).add_node(node).add_edge(START, "inject_memory").compile(), "hi")
    assert "Likes tea." in with_memory(state, into="remembered")[0].text


def test_messages_for_a_model_need_an_injected_memory() -> None:
    with pytest.raises(ConfigurationError, match="inject_memory"):
        with_memory({"messages": [HumanMessage("hi")]})


def test_a_state_without_messages_is_refused(memory: Memory) -> None:
    class State(TypedDict):
        question: str

    graph: Any = StateGraph(State).add_node(learn_messages(memory)).add_edge(START, "learn_messages").compile()
    with pytest.raises(ConfigurationError, match="messages"):
        graph.invoke({"question": "?"}, SARAH)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_no_subject_is_an_error_that_names_the_places(memory: Memory, way: str) -> None:
    with pytest.raises(NoSubjectError, match="configurable"):
        run(graph_of(memory, echo()), "hi", {"configurable": {}}, way=way)


@pytest.mark.parametrize("options", [{"on_error": "ignore"}, {"subject": "{user.id}"}])
def test_wrong_options_are_refused_at_once(memory: Memory, options: Any) -> None:
    with pytest.raises(ConfigurationError):
        inject_memory(memory, **options)
    with pytest.raises(ConfigurationError):
        learn_messages(memory, **options)
    with pytest.raises(ConfigurationError):
        trim_and_learn(memory, lambda messages: messages, **options)


# whose memory


@dataclass
class Context:
    user_id: str


@pytest.mark.parametrize("way", ["sync", "async"])
def test_the_subject_comes_from_where_the_application_says(memory: Memory, way: str) -> None:
    memory.initialize_memory("human", value="Is Ann.", subject_id="user_ann")
    model = echo()

    def compiled(subject: Any) -> Any:
        graph = StateGraph(MemoryState, context_schema=Context)
        graph.add_sequence(
            [inject_memory(memory, subject=subject), ("chat", chat(model)), learn_messages(memory, subject=subject)]
        )
        return graph.add_edge(START, "inject_memory").compile()

    run(compiled("user_{user_id}"), "template", {}, way=way, context=Context("ann"))
    run(compiled(lambda caller: f"user_{caller.context.user_id}"), "callable", {}, way=way, context=Context("ann"))
    run(compiled(None), "plain", SARAH, way=way, context=Context("user_ann"))
    assert all("Is Ann." in request.messages[0].text for request in model.requests)
    assert [m.text for m in memory.list_messages("user_ann") if m.role == "user"] == ["template", "callable", "plain"]
    assert [thread.thread_id for thread in memory.list_threads("user_ann")] == ["default", "t1"]
    assert memory.list_messages("sarah") == []


def test_a_caller_cannot_name_somebody_else_than_the_authenticated_user(memory: Memory) -> None:
    config: Any = {"configurable": {"user_id": "tom", "langgraph_auth_user": {"identity": "sarah"}}}
    with pytest.raises(SubjectMismatchError):
        run(graph_of(memory, echo()), "hi", config)


# outages pass


def test_an_outage_of_reading_leaves_the_turn_its_last_blocks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Memory(str(tmp_path / "memory.db"), embedder=False) as memory:
        memory.initialize_memory("human", value="Likes tea.", subject_id="sarah")
        node = inject_memory(memory)
        state: Any = {"messages": [HumanMessage("tea")]}
        state |= node.invoke(state, SARAH)
    # The memory is closed now: nothing can be read from it.
    with caplog.at_level(logging.WARNING):
        assert node.invoke(state, SARAH) == {"memory": {**state["memory"], "recalled": ""}}
        known = {"subject": "sarah", "turn": state["memory"]["turn"]}
        assert node.invoke({"messages": state["messages"]}, SARAH) == {"memory": {**context(), **known}}
        bob: Any = {"configurable": {"user_id": "bob"}}
        assert node.invoke(state, bob)["memory"]["blocks"] == ""  # those of the last turn are Sarah's
    assert node.failed == 3
    assert "could not be read" in caplog.text


def test_an_outage_of_writing_loses_no_turn_and_no_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory(str(tmp_path / "memory.db"), embedder=False)
    memory.close()
    node = learn_messages(memory)
    with caplog.at_level(logging.WARNING):
        assert node.invoke({"messages": [HumanMessage("tea", id="1")]}, SARAH) is None
    assert node.outbox.waiting == 1
    trim = trim_and_learn(memory, lambda messages: messages[-1:])
    assert trim.invoke({"messages": [HumanMessage("a", id="1"), HumanMessage("b", id="2")]}, SARAH) == {}
    assert trim.failed == 1


def test_outages_raise_where_that_is_asked_for(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "memory.db"), embedder=False)
    memory.close()
    state = {"messages": [HumanMessage("a", id="1"), HumanMessage("b", id="2")]}
    for node in (
        inject_memory(memory, on_error="raise"),
        learn_messages(memory, on_error="raise"),
        trim_and_learn(memory, lambda messages: messages[-1:], on_error="raise"),
    ):
        with pytest.raises(BackendError):
            node.invoke(state, SARAH)


def test_a_path_that_is_no_store_is_a_mistake_and_raises(tmp_path: Path) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("just some notes")
    memory = Memory(str(wrong), embedder=False)
    for node in (inject_memory(memory), learn_messages(memory)):
        with pytest.raises(NotAStoreError):
            node.invoke({"messages": [HumanMessage("a")]}, SARAH)


# trimming


@pytest.mark.parametrize("way", ["sync", "async"])
def test_what_is_trimmed_is_learnt_and_leaves_the_thread(memory: Memory, way: str) -> None:
    trim = trim_messages(max_tokens=2, token_counter=len, strategy="last", include_system=True)
    graph = StateGraph(MemoryState).add_node(trim_and_learn(memory, trim)).add_edge(START, "trim_and_learn")
    compiled = graph.compile(checkpointer=InMemorySaver())
    turns = [HumanMessage("one"), AIMessage("1"), HumanMessage("two"), AIMessage("2"), HumanMessage("three")]
    asked: Any = {"messages": turns}
    state = compiled.invoke(asked, SARAH) if way == "sync" else asyncio.run(compiled.ainvoke(asked, SARAH))
    assert [message.text for message in state["messages"]] == ["2", "three"]
    assert learnt(memory) == ["one", "two"]
    run(compiled, "four", way=way)
    run(compiled, "five", way=way)
    assert learnt(memory) == ["one", "two", "three"]


def test_what_was_learnt_turn_by_turn_is_not_learnt_again_when_it_is_trimmed(memory: Memory) -> None:
    graph = StateGraph(MemoryState)
    graph.add_sequence([learn_messages(memory), trim_and_learn(memory, lambda messages: messages[-2:])])
    compiled = graph.add_edge(START, "learn_messages").compile(checkpointer=InMemorySaver())
    for text in ("one", "two", "three", "four"):
        run(compiled, text)
    assert learnt(memory) == ["one", "two", "three", "four"]


# a thread where more than one subject speaks


def by(user: str) -> Any:
    return {"configurable": {"user_id": user, "thread_id": "room"}}


def kept(memory: Memory, subject_id: str) -> list[str]:
    return [message.text for message in memory.list_messages(subject_id)]


def room(memory: Memory, *nodes: Any, into: str = "memory") -> Any:
    """A graph whose model breaks where the newest message says so, and asks back where it says so."""

    class State(MessagesState):
        memory: MemoryContext
        team: MemoryContext

    def talk(state: State) -> dict[str, Any]:
        said = with_memory(state, into=into)[-1].text.splitlines()[0]
        if "break" in said:
            raise RuntimeError("the model broke")
        if "ask" in said:
            return {"messages": [AIMessage(f"Sure, {interrupt('Sure?')}.")]}
        return {"messages": [AIMessage(f"You said: {said}")]}

    first, *last = nodes
    graph = StateGraph(State).add_sequence([first, ("talk", RunnableLambda(talk)), *last])
    return graph.add_edge(START, first.get_name()).compile(checkpointer=InMemorySaver())


def say(graph: Any, what: Any, user: str, way: str) -> Any:
    asked = {"messages": [("user", what)]} if isinstance(what, str) else what
    return graph.invoke(asked, by(user)) if way == "sync" else asyncio.run(graph.ainvoke(asked, by(user)))


class Whoever:
    def __call__(self, caller: Any) -> str:
        return self.find(caller)

    def find(self, caller: Any) -> str:
        return str(caller.configurable["user_id"])


@pytest.mark.parametrize("way", ["sync", "async"])
class TestAThreadOfMany:
    def test_a_turn_that_failed_is_not_recorded_for_whoever_speaks_next(self, memory: Memory, way: str) -> None:
        graph = room(memory, inject_memory(memory), learn_messages(memory))
        with pytest.raises(RuntimeError, match="broke"):
            say(graph, "I am Alice, break.", "alice", way)
        say(graph, "I am Bob.", "bob", way)
        say(graph, "Alice again.", "alice", way)
        assert kept(memory, "bob") == ["I am Bob.", "You said: I am Bob."]
        assert kept(memory, "alice") == ["Alice again.", "You said: Alice again."]

    def test_a_turn_that_failed_is_recorded_when_its_own_subject_goes_on(self, memory: Memory, way: str) -> None:
        graph = room(memory, inject_memory(memory), learn_messages(memory))
        for user, text in (("bob", "Bob, break."), ("alice", "Alice, break."), ("alice", "More of Alice.")):
            with suppress(RuntimeError):
                say(graph, text, user, way)
        assert kept(memory, "alice") == ["Alice, break.", "More of Alice.", "You said: More of Alice."]
        assert kept(memory, "bob") == []

    def test_a_turn_that_another_subject_resumes_is_recorded_with_the_next_one_of_its_own(
        self, memory: Memory, way: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        graph = room(memory, inject_memory(memory), learn_messages(memory))
        say(graph, "I am Alice, ask.", "alice", way)
        state = say(graph, Command(resume="says the boss"), "boss", way)
        assert json.loads(json.dumps(state["memory"])) == state["memory"]
        assert kept(memory, "boss") == kept(memory, "alice") == []
        assert "Resume a turn with the subject it began with" in caplog.text
        state = say(graph, "Good.", "alice", way)
        assert kept(memory, "alice") == ["I am Alice, ask.", "Sure, says the boss.", "Good.", "You said: Good."]
        assert kept(memory, "boss") == []
        assert "left" not in state["memory"]["turn"]
        memory.delete_subject("alice")
        say(graph, "New.", "alice", way)
        assert kept(memory, "alice") == ["New.", "You said: New."]

    def test_a_turn_that_its_own_subject_resumes_is_recorded(self, memory: Memory, way: str) -> None:
        graph = room(memory, inject_memory(memory), learn_messages(memory))
        say(graph, "ask", "alice", way)
        say(graph, Command(resume="yes"), "alice", way)
        assert kept(memory, "alice") == ["ask", "Sure, yes."]

    def test_subjects_that_take_turns_are_each_recorded_with_their_own(self, memory: Memory, way: str) -> None:
        graph = room(memory, inject_memory(memory), learn_messages(memory))
        for n, user in enumerate(["alice", "bob", "bob", "alice"]):
            say(graph, str(n), user, way)
        assert kept(memory, "alice") == ["0", "You said: 0", "3", "You said: 3"]
        assert kept(memory, "bob") == ["1", "You said: 1", "2", "You said: 2"]

    def test_whose_turn_it_is_stands_under_the_key_that_is_named(self, memory: Memory, way: str) -> None:
        graph = room(memory, inject_memory(memory, into="team"), learn_messages(memory, into="team"), into="team")
        with suppress(RuntimeError):
            say(graph, "Alice, break.", "alice", way)
        say(graph, "Bob.", "bob", way)
        assert kept(memory, "bob") == ["Bob.", "You said: Bob."]

    @pytest.mark.parametrize("team", ["team", lambda caller: "team"])
    def test_blocks_of_one_subject_do_not_keep_another_from_learning(self, memory: Memory, way: str, team: Any) -> None:
        graph = room(memory, inject_memory(memory, subject=team), learn_messages(memory))
        for user in ("alice", "bob"):
            say(graph, f"I am {user}.", user, way)
            assert kept(memory, user) == [f"I am {user}.", f"You said: I am {user}."]
        graph = room(memory, inject_memory(memory), learn_messages(memory, subject=team))
        say(graph, "hi", "carl", way)
        assert kept(memory, "team") == ["hi", "You said: hi"]

    def test_two_functions_are_two_rules_also_where_they_share_a_name(self, memory: Memory, way: str) -> None:
        def named(name: str) -> Any:
            return lambda caller: name or caller.configurable["user_id"]

        for team, alone in ((lambda _: "team", lambda c: c.configurable["user_id"]), (named("team"), named(""))):
            graph = room(memory, inject_memory(memory, subject=team), learn_messages(memory, subject=alone))
            say(graph, "hi", "alice", way)
        assert kept(memory, "alice") == ["hi", "You said: hi"] * 2

    def test_a_function_of_the_application_s_own_is_one_rule(self, memory: Memory, way: str) -> None:
        def whoever(caller: Any) -> str:
            return str(caller.configurable["user_id"])

        for rule in (whoever, Whoever(), Whoever().find):
            memory.delete_subject("bob")
            graph = room(memory, inject_memory(memory, subject=rule), learn_messages(memory, subject=rule))
            with suppress(RuntimeError):
                say(graph, "Alice, break.", "alice", way)
            say(graph, "Bob.", "bob", way)
            assert kept(memory, "bob") == ["Bob.", "You said: Bob."]

    def test_what_others_said_is_trimmed_and_not_recorded_for_the_one_who_speaks(
        self, memory: Memory, way: str
    ) -> None:
        trim = trim_and_learn(memory, lambda messages: messages[-2:])
        graph = room(memory, inject_memory(memory), trim)
        for user, text in (("alice", "a1"), ("bob", "b1"), ("bob", "b2"), ("alice", "a2"), ("alice", "a3")):
            state = say(graph, text, user, way)
        assert [message.text for message in state["messages"]] == ["a3", "You said: a3"]
        assert kept(memory, "bob") == ["b1", "You said: b1"]
        assert kept(memory, "alice") == ["a2", "You said: a2"]

    def test_trimming_before_memory_is_put_in_takes_nobody_else_s_words(self, memory: Memory, way: str) -> None:
        graph = room(memory, inject_memory(memory), learn_messages(memory))
        with suppress(RuntimeError):
            say(graph, "Alice, break.", "alice", way)
        trim = trim_and_learn(memory, lambda messages: [])
        state = graph.get_state(by("alice")).values
        state = {**state, "messages": [*state["messages"], HumanMessage("Bob.", id="b")]}
        removed = trim.invoke(state, by("bob"))
        assert len(removed["messages"]) == 2
        assert kept(memory, "bob") == ["Bob."]
        assert kept(memory, "alice") == []

    def test_a_turn_of_somebody_else_is_not_trimmed_by_the_one_who_resumes_it(self, memory: Memory, way: str) -> None:
        graph = room(memory, inject_memory(memory), trim_and_learn(memory, lambda messages: []))
        say(graph, "I am Alice, ask.", "alice", way)
        state = say(graph, Command(resume="yes"), "bob", way)
        assert [message.text for message in state["messages"]] == ["I am Alice, ask.", "Sure, yes."]
        assert kept(memory, "alice") == kept(memory, "bob") == []


def test_a_state_may_have_another_thing_under_the_key(memory: Memory) -> None:
    for other in ("notes", {"notes": 1}, None):
        learn_messages(memory).invoke({"messages": [HumanMessage("tea", id="1")], "memory": other}, SARAH)
    assert kept(memory, "sarah") == ["tea"]


def test_whose_turn_it_is_comes_into_no_prompt() -> None:
    turn = MemoryTurn(subject="sarah", source="", newest="1", since="0", left=["2"])
    whose = MemoryContext(blocks="BLOCKS", recalled="RECALLED", subject="sarah", turn=turn)
    messages: list[AnyMessage] = [HumanMessage("hi", id="1")]
    plain = with_memory(MemoryState(messages=messages, memory=context("BLOCKS", "RECALLED")))
    assert with_memory(MemoryState(messages=messages, memory=whose)) == plain


# the functional API


def test_the_nodes_serve_tasks_and_entrypoints(memory: Memory) -> None:
    memory.initialize_memory("human", value="Likes tea.", subject_id="sarah")
    inject, learn, model = inject_memory(memory), learn_messages(memory), echo()

    @task
    def answer(messages: list[AnyMessage]) -> AIMessage:
        state: Any = {"messages": messages}
        return model.invoke(with_memory(state | inject.invoke(state)))

    @entrypoint(checkpointer=InMemorySaver())
    def talk(text: str) -> str:
        messages: list[AnyMessage] = [HumanMessage(text)]
        messages.append(answer(messages).result())
        learn.invoke({"messages": messages})
        return messages[-1].text

    assert talk.invoke("hello", SARAH) == "You said: hello"
    assert "Likes tea." in model.requests[0].messages[0].text
    assert learnt(memory) == ["Likes tea.", "hello"]
    assert [thread.thread_id for thread in memory.list_threads("sarah")] == ["t1"]
