"""LangChain's messages to ours and back: nothing that JSON can hold is lost on the way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from ai_memory_integrations.door import as_messages
from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.langchain_messages import to_langchain, to_message, to_messages
from ai_memory_integrations.types import Message

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAME = st.text("abcdefgh_-", min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(NAME, JSON, max_size=3)
PART = st.builds(lambda text, more: {"type": "text", "text": text, **more}, TEXT, OBJECT.map(lambda o: {"x": o}))
CONTENT = TEXT | st.lists(
    TEXT | PART | st.just({"type": "image_url", "image_url": {"url": "http://x/y.png"}}), max_size=3
)
CALL = st.fixed_dictionaries({"name": NAME, "args": OBJECT, "id": NAME, "type": st.just("tool_call")})
INVALID = st.fixed_dictionaries(
    {"name": NAME, "args": TEXT, "id": NAME, "error": TEXT, "type": st.just("invalid_tool_call")}
)
COMMON = {
    "content": CONTENT,
    "id": NAME,
    "name": st.none() | NAME,
    "additional_kwargs": OBJECT.map(lambda o: {f"x{key}": value for key, value in o.items()}),
    "response_metadata": OBJECT.map(lambda o: {f"x{key}": value for key, value in o.items()}),
}
USAGE = st.none() | st.just({"input_tokens": 3, "output_tokens": 4, "total_tokens": 7})
MESSAGES: st.SearchStrategy[BaseMessage] = st.one_of(
    st.builds(HumanMessage, **COMMON),
    st.builds(SystemMessage, **COMMON),
    st.builds(
        AIMessage,
        tool_calls=st.lists(CALL, max_size=2),
        invalid_tool_calls=st.lists(INVALID, max_size=2),
        usage_metadata=USAGE,
        **COMMON,
    ),
    st.builds(ToolMessage, tool_call_id=NAME, status=st.sampled_from(["success", "error"]), artifact=JSON, **COMMON),
    st.builds(ChatMessage, role=st.sampled_from(["critic", "assistant", "developer", "user"]), **COMMON),
    st.builds(FunctionMessage, **{**COMMON, "name": NAME}),
)
OPENAI_CALL = st.fixed_dictionaries(
    {
        "id": NAME,
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": NAME, "arguments": st.sampled_from(['{"city": "Paris"}', "not json", "[1]", ""])}
        ),
    }
)
OUR_MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "system", "tool"]),
    content=TEXT | st.lists(PART, max_size=2),
    id=NAME,
    name=st.none() | NAME,
    tool_calls=st.lists(CALL | OPENAI_CALL, max_size=2),
    tool_call_id=st.none() | NAME,
    metadata=OBJECT,
    created_at=st.none() | st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(UTC)),
    thread_id=st.just("t1"),
)


@given(MESSAGES)
@settings(max_examples=150, deadline=None)
def test_a_message_of_langchain_comes_back_as_it_was(message: BaseMessage) -> None:
    kept = as_messages([to_message(message, thread_id="t1")])[0]
    again = to_langchain(Message.model_validate_json(kept.model_dump_json()))
    assert type(again) is type(message)
    assert again == message


@given(OUR_MESSAGES)
@settings(max_examples=150, deadline=None)
def test_a_message_of_ours_comes_back_as_it_was(message: Message) -> None:
    assert to_message(to_langchain(message), thread_id="t1") == message


def test_conversion_leaves_the_message_alone() -> None:
    message = AIMessage("hi", id="1", response_metadata={"a": {"b": 1}}, additional_kwargs={"c": [1]})
    before = message.model_copy(deep=True)
    taken = to_message(message)
    taken.metadata["_langchain"]["response_metadata"]["a"]["b"] = 2
    assert message == before


def test_a_message_without_id_gets_one_of_its_own() -> None:
    first, second = to_messages([HumanMessage("ok"), HumanMessage("ok")])
    assert first.id != second.id


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (HumanMessage("x"), "user"),
        (AIMessage("x"), "assistant"),
        (AIMessageChunk("x"), "assistant"),
        (SystemMessage("x"), "system"),
        (ToolMessage("x", tool_call_id="1"), "tool"),
        (FunctionMessage("x", name="f"), "tool"),
        (ChatMessage("x", role="assistant"), "assistant"),
        (ChatMessage("x", role="critic"), "user"),
    ],
)
def test_every_kind_of_message_has_a_role(message: BaseMessage, role: str) -> None:
    assert to_message(message).role == role


def test_a_streamed_message_is_kept_as_the_whole_it_became() -> None:
    chunk = AIMessageChunk("Hel", id="1") + AIMessageChunk("lo", id="1")
    assert to_langchain(to_message(chunk)) == AIMessage("Hello", id="1")


def test_what_json_cannot_hold_is_left_out_and_the_rest_is_kept() -> None:
    class Plot:
        pass

    message = ToolMessage(
        "3 rows", tool_call_id="1", id="m", artifact=Plot(), additional_kwargs={"plot": Plot(), "rows": 3}
    )
    assert to_langchain(to_message(message)) == ToolMessage(
        "3 rows", tool_call_id="1", id="m", additional_kwargs={"rows": 3}
    )


def test_half_a_surrogate_pair_from_a_model_does_not_lose_the_message() -> None:
    assert as_messages([to_message(AIMessage("ok \ud83d"))])[0].text == "ok \ufffd"


def test_an_instruction_to_remove_a_message_is_none() -> None:
    remove: Any = RemoveMessage(id="1")
    assert to_messages([remove, HumanMessage("x", id="2")])[0].id == "2"
    with pytest.raises(InvalidInputError, match="RemoveMessage"):
        to_message(remove)
