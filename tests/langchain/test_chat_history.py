"""A thread as LangChain's chat history."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockingError
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from patience import PATIENCE
from ways import reach

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import ConfigurationError, InvalidInputError, NoSubjectError, SubjectMismatchError
from ai_memory_integrations.langchain import (
    CHAT_HISTORY_FIELDS,
    CoreMemoryChatMessageHistory,
    chat_history_factory,
    chat_history_fields,
)
from ai_memory_integrations.testing import ScriptedChatModel
from ai_memory_integrations.tool_results import NO_RESULT

# LangChain has deprecated these chains and says so whenever one is made: that is its business, and served on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:RunnableWithMessageHistory is deprecated")

RICH: list[BaseMessage] = [
    SystemMessage("Be kind."),
    HumanMessage(
        [{"type": "text", "text": "What is this?"}, {"type": "image", "url": "http://x/y.png"}], id="h1", name="Sarah"
    ),
    AIMessage(
        "",
        id="a1",
        tool_calls=[{"name": "look", "args": {"deep": [1, {"a": None}]}, "id": "c1", "type": "tool_call"}],
        usage_metadata={"input_tokens": 5, "output_tokens": 7, "total_tokens": 12},
        response_metadata={"model": "m", "logprobs": None},
        additional_kwargs={"refusal": None},
    ),
    ToolMessage("a cat", tool_call_id="c1", id="t1", artifact={"pixels": [1, 2]}, status="error"),
    AIMessage("A cat."),
]


@pytest.fixture
def history(memory: Memory) -> CoreMemoryChatMessageHistory:
    return CoreMemoryChatMessageHistory(memory, "user_sarah", "t1")


def add(way: str, history: BaseChatMessageHistory, *messages: BaseMessage) -> None:
    reach(way, lambda: history.add_messages(messages), lambda: history.aadd_messages(messages))


def shown(way: str, history: BaseChatMessageHistory) -> list[BaseMessage]:
    return reach(way, lambda: history.messages, history.aget_messages)


def test_messages_come_back_as_they_were(way: str, history: CoreMemoryChatMessageHistory, memory: Memory) -> None:
    add(way, history, *RICH)
    assert shown(way, history) == RICH
    assert shown(way, CoreMemoryChatMessageHistory(memory, "user_sarah", "t1")) == RICH


def test_they_come_back_in_another_process(way: str, tmp_path: Path) -> None:
    with Memory(str(tmp_path / "memory.db")) as first:
        add(way, CoreMemoryChatMessageHistory(first, "sarah"), *RICH)
    with Memory(str(tmp_path / "memory.db")) as second:
        assert shown(way, CoreMemoryChatMessageHistory(second, "sarah")) == RICH


def test_clearing_empties_the_thread_and_keeps_what_was_learnt(
    way: str, history: CoreMemoryChatMessageHistory, memory: Memory
) -> None:
    add(way, history, HumanMessage("My name is Sarah."))
    reach(way, history.clear, history.aclear)
    assert shown(way, history) == []
    memory.flush("user_sarah")
    assert "Sarah" in (memory.get_memory("human", subject_id="user_sarah") or "")
    add(way, history, HumanMessage("Again."))
    assert shown(way, history) == [HumanMessage("Again.")]


def test_the_same_words_twice_are_two_messages_and_the_same_id_is_one(
    way: str, history: CoreMemoryChatMessageHistory
) -> None:
    add(way, history, HumanMessage("ok"), HumanMessage("ok"))
    add(way, history, HumanMessage("hi", id="1"), HumanMessage("hi", id="1"))
    add(way, history, HumanMessage("hi", id="1"))
    assert [each.content for each in shown(way, history)] == ["ok", "ok", "hi"]


def test_a_call_is_kept_whole_or_not_at_all(way: str, history: CoreMemoryChatMessageHistory) -> None:
    with pytest.raises(InvalidInputError, match="RemoveMessage"):
        add(way, history, HumanMessage("x"), RemoveMessage(id="1"))
    assert shown(way, history) == []
    add(way, history)
    assert shown(way, history) == []


def test_the_shorthands_of_the_base_class_work(history: CoreMemoryChatMessageHistory) -> None:
    history.add_user_message("hi")
    history.add_ai_message("hello")
    history.add_message(HumanMessage("bye"))
    assert str(history) == "Human: hi\nAI: hello\nHuman: bye"


def test_a_window_begins_with_a_users_message_and_never_with_a_tools_result(
    way: str, memory: Memory, history: CoreMemoryChatMessageHistory
) -> None:
    add(way, history, *RICH, HumanMessage("And this?"), AIMessage("A dog."))

    def window(n: int) -> list[BaseMessage]:
        return shown(way, CoreMemoryChatMessageHistory(memory, "user_sarah", "t1", window=n))

    assert window(7) == window(8) == [*RICH, HumanMessage("And this?"), AIMessage("A dog.")]
    assert window(6)[0] == RICH[1]
    assert window(4) == [HumanMessage("And this?"), AIMessage("A dog.")]
    assert window(1) == [AIMessage("A dog.")]


def calling(*ids: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": each, "type": "tool_call"} for each in ids])


def test_a_call_that_was_not_answered_when_the_user_went_on_has_a_result_that_says_so(
    way: str, history: CoreMemoryChatMessageHistory
) -> None:
    add(way, history, HumanMessage("Look."), calling("c1", "c2"), ToolMessage("a cat", tool_call_id="c2"))
    add(way, history, HumanMessage("Well?"), AIMessage("A cat."))
    ask, both, one, none, more, _ = shown(way, history)
    assert [each.content for each in (ask, one, more)] == ["Look.", "a cat", "Well?"]
    assert both == calling("c1", "c2")
    assert isinstance(none, ToolMessage)
    assert (none.tool_call_id, none.content) == ("c1", NO_RESULT)


def test_a_call_that_is_under_way_is_left_to_who_answers_it(way: str, history: CoreMemoryChatMessageHistory) -> None:
    under_way = [HumanMessage("Look."), calling("c1", "c2"), ToolMessage("a cat", tool_call_id="c1")]
    add(way, history, *under_way)
    assert shown(way, history) == under_way


def test_a_chain_goes_on_where_a_call_was_not_answered(memory: Memory) -> None:
    factory = chat_history_factory(memory)
    with_history = RunnableWithMessageHistory(
        ScriptedChatModel(["Fine.", "Again."]),
        factory,
        history_factory_config=factory.fields,
    )
    config: Any = {"configurable": {"user_id": "sarah", "session_id": "t1"}}
    history = factory("sarah", "t1")
    history.add_messages([HumanMessage("Look."), calling("c1"), HumanMessage("Well?"), AIMessage("Hm.")])
    with_history.invoke([HumanMessage("And?")], config)
    with_history.invoke([HumanMessage("More?")], config)
    kept = [message.text for message in memory.list_messages(history.subject_id, "t1")]
    assert kept == ["Look.", "", "Well?", "Hm.", "And?", "Fine.", "More?", "Again."], "each once, what is told never"


def test_a_window_of_tokens_keeps_the_newest_that_fit(way: str, memory: Memory) -> None:
    history = CoreMemoryChatMessageHistory(memory, "user_sarah", "t1", max_tokens=60)
    for n in range(20):
        history.add_messages([HumanMessage(f"question {n} " * 5), AIMessage(f"answer {n}")])
    kept = shown(way, history)
    assert isinstance(kept[0], HumanMessage)
    assert kept[-1].content == "answer 19"
    assert 2 <= len(kept) < 10


@pytest.mark.parametrize("option", ["window", "max_tokens"])
def test_a_window_that_shows_nothing_is_refused(memory: Memory, option: str) -> None:
    options: dict[str, Any] = {option: 0}
    with pytest.raises(ConfigurationError, match=f"{option}=0 shows nothing"):
        CoreMemoryChatMessageHistory(memory, "sarah", **options)


def test_blocks_stand_in_front_and_are_never_kept_as_messages(way: str, memory: Memory) -> None:
    history = CoreMemoryChatMessageHistory(memory, "user_sarah", "t1", include_blocks=True)
    add(way, history, HumanMessage("hi"))
    memory.update_memory("human", "Sarah", subject_id="user_sarah")
    blocks = shown(way, history)[0]
    assert isinstance(blocks, SystemMessage)
    assert "Sarah" in blocks.text
    add(way, history, blocks, HumanMessage(f"why?\n\n{blocks.text}"))
    assert [each.content for each in memory.list_messages("user_sarah")] == ["hi", "why?"]


def test_making_one_opens_nothing(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "memory.db"))
    CoreMemoryChatMessageHistory(memory, "sarah", 7)
    chat_history_factory(memory)(user_id="sarah", session_id="1")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_history_is_not_false(history: CoreMemoryChatMessageHistory) -> None:
    assert bool(history)


def test_without_a_subject_it_says_what_is_missing(memory: Memory) -> None:
    with pytest.raises(NoSubjectError, match="user_id"):
        CoreMemoryChatMessageHistory(memory)


# chains

PROMPT = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{question}")])


def chain(memory: Memory, model: Any, **options: Any) -> RunnableWithMessageHistory:
    factory = chat_history_factory(memory, **options)
    return RunnableWithMessageHistory(
        PROMPT | model,
        factory,
        history_factory_config=factory.fields,
        input_messages_key="question",
        history_messages_key="history",
    )


def say(way: str, runnable: Runnable[Any, Any], value: Any, **configurable: str) -> Any:
    config: Any = {"configurable": configurable}
    return reach(way, lambda: runnable.invoke(value, config), lambda: runnable.ainvoke(value, config))


def test_a_chain_remembers_its_sessions_apart(way: str, memory: Memory) -> None:
    model = ScriptedChatModel(lambda messages: f"re: {messages[-1].content}")
    talk = chain(memory, model)
    for user, session, question in (("sarah", "1", "a"), ("bob", "1", "b"), ("sarah", "2", "c"), ("sarah", "1", "d")):
        say(way, talk, {"question": question}, user_id=user, session_id=session)
    assert [message.content for message in model.requests[-1].messages] == ["a", "re: a", "d"]
    assert [each.thread_id for each in memory.list_threads("user_sarah")] == ["1", "2"]


def test_fields_can_have_other_names_and_fill_a_template(way: str, memory: Memory) -> None:
    talk = chain(
        memory,
        ScriptedChatModel(["ok"]),
        subject="{tenant}/{customer}",
        fields=chat_history_fields("tenant", "customer", thread="chat"),
    )
    say(way, talk, {"question": "hi"}, tenant="acme", customer="7", chat="c1")
    assert [each.text for each in memory.list_messages("acme/7", "c1")] == ["hi", "ok"]


def test_one_field_that_says_who_needs_no_template(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "memory.db")) as memory:
        factory = chat_history_factory(memory, fields=chat_history_fields("customer"))
        assert factory(customer="7", session_id="1").subject_id == "7"
        assert chat_history_factory(memory)("sarah", "1").subject_id == "sarah"


def test_the_default_fields_are_the_ones_langchain_people_use() -> None:
    assert [each.id for each in CHAT_HISTORY_FIELDS] == ["user_id", "session_id"]


def test_too_few_fields_are_refused(memory: Memory) -> None:
    with pytest.raises(ConfigurationError, match="at least two are needed"):
        chat_history_factory(memory, fields=chat_history_fields())


def test_a_signed_in_user_cannot_open_anothers_history(way: str, tmp_path: Path) -> None:
    with Memory(str(tmp_path / "memory.db")) as memory:
        talk = chain(memory, ScriptedChatModel(["ok"]))

        def within_a_server(question: str) -> Any:
            return talk.invoke({"question": question}, {"configurable": {"user_id": "bob", "session_id": "1"}})

        server = RunnableLambda(within_a_server)
        config: Any = {"configurable": {"langgraph_auth_user": {"identity": "sarah"}}}
        with pytest.raises(SubjectMismatchError):
            reach(way, lambda: server.invoke("hi", config), lambda: server.ainvoke("hi", config))
        assert memory.list_subjects() == []


@pytest.mark.parametrize("keyed", [True, False])
def test_two_turns_at_once_on_one_thread_lose_nothing(memory: Memory, keyed: bool) -> None:
    both = threading.Barrier(2)

    def answer(value: Any) -> AIMessage:
        messages = value.to_messages() if keyed else value
        if messages[-1].content != "q0":
            both.wait(PATIENCE)
        return AIMessage(f"re: {messages[-1].content}")

    factory = chat_history_factory(memory)
    keys = {"input_messages_key": "question", "history_messages_key": "history"} if keyed else {}
    bound: Any = PROMPT | RunnableLambda(answer) if keyed else RunnableLambda(answer)
    talk: Any = RunnableWithMessageHistory(bound, factory, history_factory_config=factory.fields, **keys)

    def turn(question: str) -> None:
        value: Any = {"question": question} if keyed else [HumanMessage(question)]
        talk.invoke(value, {"configurable": {"user_id": "sarah", "session_id": "1"}})

    turn("q0")
    threads = [threading.Thread(target=turn, args=(f"q{n}",)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    texts = [each.text for each in memory.list_messages("user_sarah", "1")]
    assert sorted(texts) == ["q0", "q1", "q2", "re: q0", "re: q1", "re: q2"]


def test_what_is_shown_keeps_its_length_while_a_turn_runs(memory: Memory) -> None:
    factory = chat_history_factory(memory, include_blocks=True)
    mine = factory("sarah", "1")
    before = mine.messages
    factory("sarah", "1").add_messages([HumanMessage("from elsewhere")])
    memory.flush("user_sarah")
    assert mine.messages == before
    mine.add_messages([HumanMessage("mine")])
    assert [each.content for each in mine.messages[1:]] == ["from elsewhere", "mine"]


def test_these_tests_would_notice_a_call_that_blocks_the_loop(history: CoreMemoryChatMessageHistory) -> None:
    async def carelessly() -> list[BaseMessage]:
        return history.messages

    with pytest.raises(BlockingError):
        reach("async", lambda: history.messages, carelessly)


def test_one_history_serves_many_loops_and_threads(history: CoreMemoryChatMessageHistory) -> None:
    def work(n: int) -> None:
        asyncio.run(history.aadd_messages([HumanMessage(f"{n}-{i}") for i in range(3)]))

    jobs: list[Callable[[], None]] = [lambda n=n: work(n) for n in range(8)]  # type: ignore[misc]
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(history.messages) == 24
