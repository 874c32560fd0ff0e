"""LlamaIndex's messages to ours and back, with nothing lost that JSON can hold.

Other frameworks read the same thread, so what a message says stands in the plain fields; where they cannot say it
all (thinking, citations, documents, the order of blocks), the whole message stands in `metadata["_llama_index"]` too.

LlamaIndex's messages have no id. Where one must come along, it is in `additional_kwargs["ai_memory_id"]`; not in
messages that go to a model, because integrations send additional arguments on to their provider. `KeptMessage`
carries it there, out of sight.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ContentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ToolCallBlock,
)
from pydantic import BaseModel, PrivateAttr, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from ai_memory_integrations.door import check_json, readable
from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.prompt import without_injected
from ai_memory_integrations.types import Message, Metadata, Role

ID_KEY = "ai_memory_id"
WHOLE = "_llama_index"
ARCHIVED = "_llama_index_archived"

_ROLES: dict[MessageRole, Role] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}
# What LlamaIndex itself puts into a message on the way: `session_id` is the thread, `images` are blocks already.
_NOT_SAID = (ID_KEY, "session_id", "images")


class KeptMessage(ChatMessage):
    """A message of a thread that knows its identity without showing it to a model."""

    _message_id: str = PrivateAttr(default="")


def message_id(message: ChatMessage) -> str | None:
    """The identity that *message* carries, if any."""
    if isinstance(message, KeptMessage) and message._message_id:
        return message._message_id
    carried = message.additional_kwargs.get(ID_KEY)
    return carried if isinstance(carried, str) and carried else None


def to_message(message: ChatMessage, *, thread_id: str) -> Message:
    """*message* as ours; one without an id gets one. Halves of surrogate pairs, which are no text, become U+FFFD.
    Additional arguments that JSON cannot hold are left out.

    Raises: InvalidInputError when its blocks are not JSON.
    """
    said = _said(message)
    plain = _plain(said)
    if _dumped(_from_plain(plain)) != (whole := _dumped(said)):
        plain = plain.model_copy(update={"metadata": {WHOLE: whole}})
    known = message_id(message)
    return plain.model_copy(update={"thread_id": thread_id, **({"id": known} if known else {})})


def to_messages(messages: Iterable[ChatMessage], *, thread_id: str) -> list[Message]:
    """`to_message` of each, without the memory that was put into a prompt: it was not said by anybody."""
    messages = list(messages)
    for n, each in enumerate(messages):
        if not isinstance(each, ChatMessage):
            raise InvalidInputError(
                f"messages[{n}] is of type {type(each).__name__}: pass a ChatMessage, such as ChatMessage('hi')"
            )
    said = (without_memory(message) for message in messages)
    return [to_message(message, thread_id=thread_id) for message in said if message is not None]


def to_chat(message: Message) -> ChatMessage:
    """*message* as LlamaIndex has it: as it was when it came from there."""
    if isinstance(whole := message.metadata.get(WHOLE), dict):
        try:
            return ChatMessage.model_validate(whole)
        except ValidationError:  # such as an image by the path of a file that is not on this machine
            return _from_plain(message)
    return _from_plain(message)


def to_chat_with_id(message: Message) -> ChatMessage:
    """`to_chat`, with the id in `additional_kwargs`, so that it is the same message when it comes back."""
    chat = to_chat(message)
    chat.additional_kwargs = {**chat.additional_kwargs, ID_KEY: message.id}
    return chat


def to_kept(message: Message) -> KeptMessage:
    """`to_chat`, with the id out of sight of a model."""
    chat = to_chat(message)
    kept = KeptMessage.model_construct(
        role=chat.role, blocks=chat.blocks, additional_kwargs=dict(chat.additional_kwargs)
    )
    kept._message_id = message.id
    return kept


def without_memory(message: ChatMessage) -> ChatMessage | None:
    """*message* without the memory this package put into it; None when nothing is left. A tool's result stays, empty,
    because a model expects one for each call."""
    blocks: list[ContentBlock] = []
    changed = False
    for block in message.blocks:
        text = without_injected(block.text) if isinstance(block, TextBlock) else ""
        if not isinstance(block, TextBlock) or text == block.text:
            blocks.append(block)
            continue
        changed = True
        if text:
            blocks.append(TextBlock(text=text))
    if not changed:
        return message
    if not blocks and _ROLES[message.role] == "tool":
        blocks.append(TextBlock(text=""))
    return message.model_copy(update={"blocks": blocks}) if blocks else None


def aligned(given: Sequence[ChatMessage], current: Sequence[Message], *, thread_id: str) -> list[Message]:
    """*given* as a thread's messages, where *current* are those it has.

    A message without an id that says what one of them says, in the same order, is that one: a conversation that is
    handed over whole on every turn stays the same messages. One that did not change is taken as it was kept.
    """
    said = [_said_by(message) for message in current]
    places = {message.id: n for n, message in enumerate(current)}
    same: dict[str, list[int]] = {}
    for n, text in enumerate(said):
        same.setdefault(text, []).append(n)
    taken: list[Message] = []
    begin = 0
    for message in to_messages(given, thread_id=thread_id):
        text = _said_by(message)
        place: int | None = places.get(message.id)
        if place is None:
            place = next((each for each in same.get(text, ()) if each >= begin), None)
        if place is None:
            taken.append(message)
            continue
        begin = place + 1
        taken.append(current[place] if said[place] == text else message.model_copy(update={"id": current[place].id}))
    return taken


def _said_by(message: Message) -> str:
    """The same text for messages that say the same."""
    return json.dumps([message.role, _dumped(to_chat(message))], sort_keys=True)


def _said(message: ChatMessage) -> ChatMessage:
    """*message* as a plain `ChatMessage`, without what is no part of it or cannot be kept."""
    kwargs: Metadata = {}
    for key, value in message.additional_kwargs.items():
        if key in _NOT_SAID:
            continue
        try:
            kwargs[key] = check_json(_readable(to_jsonable_python(value, bytes_mode="base64")), key)
        except (InvalidInputError, PydanticSerializationError):
            continue
    return ChatMessage.model_construct(
        role=message.role, blocks=list(_readable(message.blocks)), additional_kwargs=kwargs
    )


def _readable(value: Any) -> Any:
    """*value* with all its texts as UTF-8 can keep them; what is changed is a copy."""
    if isinstance(value, str):
        text = readable(value)
        return value if text == value else text
    if isinstance(value, BaseModel):
        parts = {name: _readable(each) for name, each in value}
        changed = {name: each for name, each in parts.items() if each is not getattr(value, name)}
        return value.model_copy(update=changed) if changed else value
    copy: Any = value
    if isinstance(value, Mapping):
        copy = {_readable(key): _readable(each) for key, each in value.items()}
    elif isinstance(value, list | tuple):
        copy = [_readable(each) for each in value]
    return copy if copy != value else value


def _dumped(message: ChatMessage) -> Metadata:
    try:
        whole: Metadata = check_json(message.model_dump(mode="json"), "message")
    except PydanticSerializationError as error:
        raise InvalidInputError(f"the message cannot be kept: {error}") from None
    return whole


def _plain(said: ChatMessage) -> Message:
    texts = [block for block in said.blocks if isinstance(block, TextBlock)]
    calls = [_call(block) for block in said.blocks if isinstance(block, ToolCallBlock)]
    parts = [part for block in said.blocks if (part := _part(block)) is not None]
    kwargs = said.additional_kwargs
    return Message.model_validate(
        {
            "role": _ROLES[said.role],
            "content": "\n".join(block.text for block in texts) if len(parts) == len(texts) < 2 else parts,
            "tool_calls": calls or _older_calls(kwargs),
            "tool_call_id": _text_in(kwargs, "tool_call_id"),
            "name": _text_in(kwargs, "name"),
        }
    )


def _part(block: ContentBlock) -> dict[str, Any] | None:
    """A block as a part that every framework knows; None for the others."""
    if isinstance(block, TextBlock):
        return {"type": "text", "text": block.text}
    if isinstance(block, ImageBlock) and block.url is not None:
        return {"type": "image_url", "image_url": {"url": str(block.url)}}
    if isinstance(block, ImageBlock) and block.image is not None:
        data = to_jsonable_python(block)["image"]
        return {"type": "image", "base64": data, "mime_type": block.image_mimetype}
    return None


def _call(block: ToolCallBlock) -> dict[str, Any]:
    return {"id": block.tool_call_id, "name": block.tool_name, "args": block.tool_kwargs}


def _older_calls(kwargs: Metadata) -> list[dict[str, Any]]:
    """Calls as OpenAI has them, where integrations kept them before there were blocks for them."""
    calls = kwargs.get("tool_calls")
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def _text_in(kwargs: Metadata, key: str) -> str | None:
    value = kwargs.get(key)
    return value if isinstance(value, str) and value else None


def _from_plain(message: Message) -> ChatMessage:
    blocks: list[ContentBlock] = []
    if isinstance(message.content, str):
        if message.content:
            blocks.append(TextBlock(text=message.content))
    else:
        blocks.extend(block for part in message.content if (block := _block(part)) is not None)
    blocks.extend(_call_block(call) for call in message.tool_calls)
    named = {"tool_call_id": message.tool_call_id, "name": message.name}
    kwargs = {key: value for key, value in named.items() if value}
    return ChatMessage(role=MessageRole(message.role), blocks=blocks, additional_kwargs=kwargs)


def _block(part: dict[str, Any]) -> ContentBlock | None:
    """A part as other frameworks write it; None for what is no text and no image."""
    kind = part.get("type", "text")
    if isinstance(text := part.get("text"), str):
        return TextBlock(text=text)
    try:
        if kind == "image_url":
            address = part.get("image_url")
            return ImageBlock(url=address.get("url") if isinstance(address, dict) else address)
        if kind == "image" and part.get("base64"):
            image = str(part["base64"]).encode()
            base64.b64decode(image, validate=True)
            return ImageBlock(image=image, image_mimetype=part.get("mime_type"))
        if kind == "image" and part.get("url"):
            return ImageBlock(url=part["url"])
    except ValueError:  # a ValidationError is one
        return None
    return None


def _call_block(call: dict[str, Any]) -> ToolCallBlock:
    """LangChain keeps name and arguments on top, OpenAI under `function`."""
    function = call.get("function")
    asked = function if isinstance(function, dict) else call
    args = asked.get("args", asked.get("arguments"))
    return ToolCallBlock(
        tool_call_id=call.get("id"),
        tool_name=str(asked.get("name") or ""),
        tool_kwargs=args if isinstance(args, dict | str) else {},
    )
