"""LlamaIndex's messages to ours and back."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from ai_memory_integrations.llama_index.messages import (
    ID_KEY,
    WHOLE,
    aligned,
    message_id,
    to_chat,
    to_chat_with_id,
    to_kept,
    to_message,
    to_messages,
)
from ai_memory_integrations.prompt import render_blocks
from ai_memory_integrations.types import Block, Message

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)
arguments = st.dictionaries(texts, values, max_size=3)
blocks = st.one_of(
    st.builds(TextBlock, text=texts),
    st.builds(ToolCallBlock, tool_call_id=st.none() | texts, tool_name=texts, tool_kwargs=arguments | texts),
    st.builds(ThinkingBlock, content=st.none() | texts, additional_information=arguments),
    st.builds(ImageBlock, url=st.just("https://example.com/a.png"), detail=st.none() | st.just("low")),
    st.just(ImageBlock(image=PIXEL)),
    st.just(CitableBlock(title="t", source="s", content="c")),
    st.just(CachePoint(cache_control=CacheControl(type="ephemeral"))),
)
messages = st.builds(
    ChatMessage,
    role=st.sampled_from(MessageRole),
    blocks=st.lists(blocks, max_size=4),
    additional_kwargs=st.dictionaries(
        texts.filter(lambda key: key not in ("images", "session_id")), values, max_size=3
    ),
)


@given(messages)
def test_a_message_comes_back_as_it_was(message: ChatMessage) -> None:
    kept = to_message(message, thread_id="t")
    stored = Message.model_validate_json(kept.model_dump_json())
    assert to_chat(stored).model_dump(mode="json") == message.model_dump(mode="json")


def test_what_is_said_stands_in_the_plain_fields_for_other_frameworks() -> None:
    call = ChatMessage(
        role="assistant",
        blocks=[
            TextBlock(text="Let me see."),
            ToolCallBlock(tool_call_id="c1", tool_name="weather", tool_kwargs={"city": "Rome"}),
        ],
    )
    answer = ChatMessage(role="tool", content="sunny", additional_kwargs={"tool_call_id": "c1"})
    asked, told = to_messages([call, answer], thread_id="t")
    assert (asked.role, asked.content) == ("assistant", "Let me see.")
    assert asked.tool_calls == [{"id": "c1", "name": "weather", "args": {"city": "Rome"}}]
    assert (told.role, told.content, told.tool_call_id) == ("tool", "sunny", "c1")
    assert asked.metadata == told.metadata == {}


def test_thinking_is_kept_for_llama_index_and_is_not_what_was_said() -> None:
    kept = to_message(
        ChatMessage(role="assistant", blocks=[ThinkingBlock(content="hmm"), TextBlock(text="Yes.")]), thread_id="t"
    )
    assert kept.text == "Yes."
    assert WHOLE in kept.metadata


def test_messages_of_other_frameworks_are_read_with_text_images_and_tool_calls() -> None:
    chat = to_chat(
        Message(
            role="assistant",
            content=[
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "image", "base64": base64.b64encode(PIXEL).decode(), "mime_type": "image/png"},
                {"type": "something", "of": "theirs"},
            ],
            tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
        )
    )
    assert [block.block_type for block in chat.blocks] == ["text", "image", "image", "tool_call"]
    assert chat.blocks[3].tool_kwargs == '{"a": 1}'


def test_arguments_that_json_cannot_hold_are_left_out() -> None:
    message = ChatMessage("hi", additional_kwargs={"raw": object(), "score": float("nan"), "fine": 1})
    assert to_chat(to_message(message, thread_id="t")).additional_kwargs == {"fine": 1}


def test_half_a_surrogate_pair_loses_no_message_wherever_it_stands() -> None:
    half, mended = "\ud83d", "\ufffd"
    blocks = [
        TextBlock(text=half),
        ThinkingBlock(content=half, additional_information={"a": [half]}),
        CitableBlock(title=half, source="s", content=half),
        ToolCallBlock(tool_call_id="c1", tool_name="f", tool_kwargs={"a": {half: half}}),
    ]
    message = ChatMessage(role="assistant", blocks=blocks, additional_kwargs={"x": half, "y": 1})
    kept = to_message(message, thread_id="t")
    assert (kept.text, kept.tool_calls[0]["args"]) == (mended, {"a": {mended: mended}})
    assert to_chat(kept).additional_kwargs == {"x": mended, "y": 1}
    assert mended in to_chat(kept).model_dump_json()
    assert message.blocks[0] == TextBlock(text=half)


def test_an_image_of_a_file_that_is_gone_leaves_the_rest_readable() -> None:
    kept = to_message(ChatMessage("look", additional_kwargs={"x": 1}), thread_id="t")
    whole = {**kept.metadata[WHOLE], "blocks": [{"block_type": "image", "path": "/nowhere/a.png"}]}
    assert to_chat(kept.model_copy(update={"metadata": {WHOLE: whole}})).content == "look"


def test_the_id_comes_along_where_it_is_asked_for_and_never_goes_to_a_model() -> None:
    kept = Message(role="user", content="hi", id="m1")
    assert to_chat_with_id(kept).additional_kwargs == {ID_KEY: "m1"}
    assert to_kept(kept).additional_kwargs == {}
    assert message_id(to_chat_with_id(kept)) == message_id(to_kept(kept)) == "m1"
    assert to_message(to_kept(kept), thread_id="t").id == "m1"
    assert message_id(to_chat(kept)) is None


def test_memory_that_was_put_into_a_prompt_is_never_taken_for_something_said() -> None:
    injected = render_blocks([Block(id="b", label="human", value="Name: Sarah")])
    said = [
        ChatMessage(role="system", content=injected),
        ChatMessage(role="system", content=f"Be brief.\n\n{injected}"),
        ChatMessage(role="user", content="hi"),
    ]
    assert [(each.role, each.content) for each in to_messages(said, thread_id="t")] == [
        ("system", "Be brief."),
        ("user", "hi"),
    ]


def test_a_conversation_handed_over_again_stays_the_same_messages() -> None:
    kept = [Message(role="user", content=text, id=str(n), thread_id="t") for n, text in enumerate(["ok", "yes", "ok"])]
    given_again = [ChatMessage("ok"), ChatMessage("yes"), ChatMessage("ok"), ChatMessage("new")]
    taken = aligned(given_again, kept, thread_id="t")
    assert taken[:3] == kept
    assert [each.id for each in aligned(given_again[1:], kept, thread_id="t")[:2]] == ["1", "2"]


def test_a_message_handed_over_with_its_id_and_other_words_is_the_same_message_changed() -> None:
    kept = [Message(role="user", content="my card is 1234", id="m1", thread_id="t")]
    changed = ChatMessage("my card is ****", additional_kwargs={ID_KEY: "m1"})
    taken = aligned([changed], kept, thread_id="t")
    assert [(each.id, each.content) for each in taken] == [("m1", "my card is ****")]


def test_aligning_long_conversations_takes_no_time_to_speak_of() -> None:
    kept = [Message(role="user", content=f"old {n}", thread_id="t") for n in range(400)]
    assert len(aligned([ChatMessage(f"new {n}") for n in range(400)], kept, thread_id="t")) == 400
