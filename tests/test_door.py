"""What may come in, and how what may not is refused."""

from __future__ import annotations

import contextlib
import json
import math
import uuid
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage
from pydantic import BaseModel

from ai_memory_integrations.door import as_messages, as_passages, aware, check_json, check_label
from ai_memory_integrations.errors import InvalidInputError, InvalidMessageError
from ai_memory_integrations.types import Message, Passage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class Role(StrEnum):
    USER = "user"


class Odd(tzinfo):
    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None


def one(message: Any, **more: Any) -> Message:
    (taken,) = as_messages([message], **more)
    return taken


class TestMessagesThatComeIn:
    def test_the_ai_memory_sdks_dicts(self) -> None:
        given_messages = [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "hello"},
        ]
        taken = as_messages(given_messages)
        assert [(each.role, each.content) for each in taken] == [
            ("system", "Be kind."),
            ("user", "hi"),
            ("assistant", "hello"),
        ]
        assert {each.thread_id for each in taken} == {"default"}
        assert len({each.id for each in taken}) == 3

    def test_every_field_of_a_message(self) -> None:
        fields = {
            "role": "tool",
            "content": [{"type": "text", "text": "sunny"}, {"type": "image_url", "image_url": {"url": "x"}}],
            "id": "m1",
            "name": "weather",
            "tool_calls": [CALL],
            "tool_call_id": "c1",
            "metadata": {"a": [1, 2.5, None, True]},
            "created_at": NOON,
            "received_at": NOON,
            "thread_id": "t1",
        }
        assert one(fields) == Message.model_validate(fields)

    def test_a_message_of_ours_and_what_it_dumps(self) -> None:
        message = Message(role="user", content="hi", metadata={"a": 1}, created_at=NOON, thread_id="t1")
        assert one(message) == message
        assert one(message.model_dump()) == message
        assert one(message.model_dump(mode="json")) == message

    def test_openais_own_message_objects(self) -> None:
        answer = ChatCompletionMessage.model_validate({"role": "assistant", "content": "hello", "annotations": []})
        calling = ChatCompletionMessage.model_validate({"role": "assistant", "content": None, "tool_calls": [CALL]})
        refusing = ChatCompletionMessage(role="assistant", content=None, refusal="I cannot.")
        taken = as_messages([answer, calling, refusing])
        assert [each.content for each in taken] == ["hello", "", ""]
        assert [each.tool_calls for each in taken] == [[], [CALL], []]
        assert [each.metadata for each in taken] == [{}, {}, {"refusal": "I cannot."}]

    def test_an_openai_dump_with_all_its_nones(self) -> None:
        dump = ChatCompletionMessage(role="assistant", content="hello").model_dump()
        assert None in dump.values()
        assert one(dump).metadata == {}

    def test_keys_we_do_not_know_are_kept_as_metadata(self) -> None:
        message = one({"role": "user", "content": "x", "metadata": {"a": 1}, "channel": "sms", "tags": [], "note": ""})
        assert message.metadata == {"a": 1, "channel": "sms"}

    def test_a_developers_message_is_a_system_message(self) -> None:
        assert one({"role": "developer", "content": "Be kind."}).role == "system"

    def test_a_role_may_be_an_enum(self) -> None:
        assert one({"role": Role.USER, "content": "x"}).role == "user"

    def test_a_string_among_the_parts_is_a_text_part(self) -> None:
        message = one({"role": "user", "content": ["hi", {"type": "text", "text": "there"}]})
        assert message.content == [{"type": "text", "text": "hi"}, {"type": "text", "text": "there"}]
        assert message.text == "hi\nthere"

    def test_a_time_may_be_an_iso_string_with_an_offset(self) -> None:
        assert one({"role": "user", "content": "x", "created_at": "2026-01-01T12:00:00Z"}).created_at == NOON
        assert one({"role": "user", "content": "x", "created_at": "2026-01-01T14:00+02:00"}).created_at == NOON

    def test_a_thread_given_for_all_is_for_those_that_name_none(self) -> None:
        taken = as_messages(
            [
                {"role": "user", "content": "x"},
                {"role": "user", "content": "x", "thread_id": "own"},
                Message(role="user", content="x"),
                Message(role="user", content="x", thread_id="default"),
            ],
            thread_id="t1",
        )
        assert [each.thread_id for each in taken] == ["t1", "own", "t1", "default"]

    def test_ids_may_be_numbers_and_uuids(self) -> None:
        message = one({"role": "user", "content": "x", "id": uuid.UUID(int=1)}, thread_id=7)
        assert (message.id, message.thread_id) == (str(uuid.UUID(int=1)), "7")

    def test_nul_and_an_empty_text_are_text(self) -> None:
        assert one({"role": "user", "content": "a\x00b"}).content == "a\x00b"
        assert one({"role": "user", "content": ""}).content == ""

    def test_any_iterable_and_an_empty_one(self) -> None:
        assert len(as_messages({"role": "user", "content": str(n)} for n in range(3))) == 3
        assert as_messages(()) == []

    def test_the_same_id_may_stand_in_two_threads(self) -> None:
        messages = [{"role": "user", "content": "x", "id": "1", "thread_id": thread} for thread in ("a", "b")]
        assert len(as_messages(messages)) == 2

    def test_what_came_in_is_not_shared(self) -> None:
        part = {"type": "text", "text": "hi"}
        fields: dict[str, Any] = {"role": "user", "content": [part], "metadata": {"a": {"b": 1}}}
        taken = as_messages([fields, Message(**fields)])
        part["text"] = "changed"
        fields["metadata"]["a"]["b"] = 2
        assert [each.text for each in taken] == ["hi", "hi"]
        assert [each.metadata for each in taken] == [{"a": {"b": 1}}] * 2

    @given(st.dictionaries(st.text(min_size=1), json_values, max_size=4))
    def test_whatever_json_can_hold_comes_through_unchanged(self, metadata: dict[str, Any]) -> None:
        message = one({"role": "user", "content": "x", "metadata": metadata})
        assert message.metadata == metadata
        assert json.loads(json.dumps(message.metadata)) == metadata


LOOP: list[Any] = []
LOOP.append(LOOP)

NAIVE = (
    "created_at 2026-01-01T00:00:00 has no time zone: use datetime.now(timezone.utc), or add an offset such as +00:00"
)

REFUSED: list[tuple[Any, str]] = [
    ({"role": "user", "text": "hi"}, "no 'content' (keys: role, text)"),
    ({"role": "user", "content": None}, "'content' is None"),
    ({"role": "assistant", "content": None, "tool_calls": []}, "'content' is None"),
    ({"content": "hi"}, "no 'role' (keys: content)"),
    ({}, "no 'role' (keys: none)"),
    (
        {"role": "human", "content": "hi"},
        "role 'human' is not known: use 'user', 'assistant', 'system', 'tool', 'developer'",
    ),
    ({"role": 1, "content": "hi"}, "role is an int: pass one of 'user', 'assistant', 'system', 'tool', 'developer'"),
    ({"role": "user", "content": 5}, "content is an int: pass a str or a list of parts"),
    ({"role": "user", "content": {"type": "text"}}, "content is a dict: pass a str or a list of parts"),
    (
        {"role": "user", "content": ["a", 5]},
        "content[1] is an int: pass a dict such as {'type': 'text', 'text': '...'}",
    ),
    (
        {"role": "user", "content": "a\ud83d"},
        "content has the lone surrogate U+D83D at 1, which is no text: decode it with errors='replace'",
    ),
    (
        {"role": "user", "content": [{"type": "text", "text": "\ud83d"}]},
        "content[0].text has the lone surrogate U+D83D at 0, which is no text: decode it with errors='replace'",
    ),
    (
        {"role": "user", "content": "x", "created_at": datetime(2026, 1, 1)},
        NAIVE,
    ),
    (
        {"role": "user", "content": "x", "created_at": "2026-01-01"},
        NAIVE,
    ),
    ({"role": "user", "content": "x", "created_at": "yesterday"}, "created_at 'yesterday' is not an ISO 8601 time"),
    (
        {"role": "user", "content": "x", "created_at": 1767225600},
        "created_at is an int: pass an aware datetime or an ISO 8601 string with an offset",
    ),
    ({"role": "user", "content": "x", "id": ""}, "id is empty: leave it out or give it a value"),
    ({"role": "user", "content": "x", "id": 1.5}, "id is a float: pass a str"),
    ({"role": "user", "content": "x", "id": "a\x00"}, "id has the control character U+0000 at 1"),
    ({"role": "user", "content": "x", "thread_id": "x" * 513}, "thread_id is 513 bytes long, at most 512 can be kept"),
    ({"role": "user", "content": "x", "name": 5}, "name is an int: pass a str"),
    ({"role": "user", "content": "x", "metadata": "a"}, "metadata is a str: pass a dict"),
    (
        {"role": "user", "content": "x", "metadata": {"a": [0, math.nan]}},
        "metadata.a[1] is nan, which JSON cannot hold: leave it out or use None",
    ),
    (
        {"role": "user", "content": "x", "metadata": {"when": date(2026, 1, 1)}},
        "metadata.when is a date, which JSON cannot hold: turn it into a str, number, list or dict",
    ),
    (
        {"role": "user", "content": "x", "metadata": {1: "a"}},
        "metadata has the key 1, which is an int: JSON has str keys only",
    ),
    (
        {"role": "user", "content": "x", "metadata": {"n": 1 << 2_000}},
        "metadata.n is an int of 2001 bits: turn it into a str",
    ),
    (
        {"role": "user", "content": "x", "socket": object()},
        "socket is an object, which JSON cannot hold: turn it into a str, number, list or dict",
    ),
    (
        {"role": "user", "content": "x", "a": 1, "metadata": {"a": 2}},
        "'a' is given both beside metadata and inside it",
    ),
    ({"role": "assistant", "content": "x", "tool_calls": {"name": "a"}}, "tool_calls is a dict: pass a list of dicts"),
    (
        {"role": "assistant", "content": "x", "tool_calls": ["a"]},
        "tool_calls[0] is a str: pass a dict such as {'id': '...', 'name': '...', 'args': {}}",
    ),
    ("hi", "a str: pass a dict such as {'role': 'user', 'content': '...'} or a Message"),
    (None, "None: pass a dict such as {'role': 'user', 'content': '...'} or a Message"),
    (Message, "a ModelMetaclass: pass a dict such as {'role': 'user', 'content': '...'} or a Message"),
    (("user", "hi"), "a tuple: pass a dict such as {'role': 'user', 'content': '...'} or a Message"),
]


class TestMessagesThatAreRefused:
    @pytest.mark.parametrize(("message", "reason"), REFUSED, ids=[reason[:40] for _, reason in REFUSED])
    def test_a_bad_message_is_named_by_its_place_and_reason(self, message: Any, reason: str) -> None:
        good = {"role": "user", "content": "fine"}
        with pytest.raises(InvalidMessageError) as raised:
            as_messages([good, good, message])
        assert str(raised.value) == f"messages[2]: {reason}"
        assert raised.value.index == 2

    def test_a_time_beyond_the_calendar_is_refused(self) -> None:
        early = datetime.min.replace(tzinfo=timezone(timedelta(hours=2)))
        with pytest.raises(InvalidInputError, match="beyond the years 1 to 9999 in UTC"):
            aware(early, "created_at")

    def test_a_zone_that_does_not_know_its_offset_is_none(self) -> None:
        with pytest.raises(InvalidInputError, match="has no time zone"):
            aware(datetime(2026, 1, 1, tzinfo=Odd()), "after")

    def test_a_value_that_contains_itself_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="nested deeper than 100"):
            check_json(LOOP, "metadata")

    @pytest.mark.parametrize(
        ("messages", "reason"),
        [
            ("hi", "messages is a str: put it into a list, such as [{'role': 'user', 'content': '...'}]"),
            (
                {"role": "user", "content": "hi"},
                "messages is a dict: put it into a list, such as [{'role': 'user', 'content': '...'}]",
            ),
            (
                Message(role="user"),
                "messages is a Message: put it into a list, such as [{'role': 'user', 'content': '...'}]",
            ),
            (None, "messages is None: pass a list, such as [{'role': 'user', 'content': '...'}]"),
            (5, "messages is an int: pass a list, such as [{'role': 'user', 'content': '...'}]"),
        ],
    )
    def test_what_is_no_list_is_refused_with_the_remedy(self, messages: Any, reason: str) -> None:
        with pytest.raises(InvalidInputError) as raised:
            as_messages(messages)
        assert str(raised.value) == reason

    def test_the_same_id_twice_in_a_thread_is_refused(self) -> None:
        message = Message(role="user", content="x", id="m1")
        other = Message(role="user", content="y")
        with pytest.raises(InvalidMessageError, match=r"messages\[2\]: id 'm1' is that of messages\[0\] already"):
            as_messages([message, other, message])

    def test_a_bad_thread_for_all_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="thread_id is empty"):
            as_messages([], thread_id="")

    @given(st.one_of(json_values, st.dictionaries(st.text(), json_values), st.builds(object)))
    def test_anything_at_all_is_either_taken_or_refused_by_name(self, message: Any) -> None:
        with contextlib.suppress(InvalidMessageError):
            assert json.loads(one(message).model_dump_json())["content"] == message["content"]


class Stray(BaseModel):
    text: str = "x"


class TestPassages:
    def test_a_text_a_mapping_and_a_passage(self) -> None:
        own = Passage(text="c", tags=("t",), metadata={"a": 1}, created_at=NOON, role="user", score=0.5)
        taken = as_passages(
            ["a", {"text": "b", "tags": ["x"], "created_at": "2026-01-01T12:00Z", "source": "crm"}, own]
        )
        assert [each.text for each in taken] == ["a", "b", "c"]
        assert (taken[1].tags, taken[1].created_at, taken[1].metadata) == (("x",), NOON, {"source": "crm"})
        assert taken[2] == own.model_copy(update={"score": None})

    def test_what_a_passage_dumps_comes_in_again(self) -> None:
        own = Passage(
            text="c", role="assistant", name="n", thread_id="t", message_id="m", created_at=NOON, metadata={"a": 1}
        )
        assert as_passages([own.model_dump(mode="json")]) == [own]

    @pytest.mark.parametrize(
        ("passage", "reason"),
        [
            ({"tags": ["a"]}, "no 'text' (keys: tags)"),
            ("  ", "text is empty: there is nothing to find in it"),
            ({"text": 5}, "text is an int: pass a str"),
            ({"text": "x", "tags": "a"}, "tags is a str: pass a list of str"),
            ({"text": "x", "tags": [""]}, "tags[0] is empty: leave it out or give it a value"),
            (5, "an int: pass a str, a Passage or a mapping with 'text'"),
            (Stray(), "a Stray: pass a str, a Passage or a mapping with 'text'"),
            (
                {"text": "x", "role": "robot"},
                "role 'robot' is not known: use 'user', 'assistant', 'system', 'tool', 'developer'",
            ),
        ],
    )
    def test_a_bad_passage_is_named_by_its_place_and_reason(self, passage: Any, reason: str) -> None:
        with pytest.raises(InvalidInputError) as raised:
            as_passages(["fine", passage])
        assert str(raised.value) == f"passages[1]: {reason}"

    def test_one_text_in_place_of_a_list_is_refused_with_the_remedy(self) -> None:
        with pytest.raises(
            InvalidInputError, match=r"passages is a str: put it into a list, such as \['I love cats'\]"
        ):
            as_passages("I love cats")

    def test_the_same_id_twice_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match=r"passages\[1\]: id 'p' is that of passages\[0\] already"):
            as_passages([{"text": "a", "id": "p"}, {"text": "b", "id": "p"}])


class TestLabels:
    @pytest.mark.parametrize("label", ["human", "a" * 64, "1.2-x_Y"])
    def test_a_good_label_is_let_through(self, label: str) -> None:
        assert check_label(label) == label

    @pytest.mark.parametrize("label", ["", "a" * 65, "my label", "human\n", "é", "a/b", None, 5])
    def test_a_bad_label_is_refused(self, label: object) -> None:
        with pytest.raises(InvalidInputError, match=r"cannot be used: it is 1 to 64 of"):
            check_label(label)
