"""LangChain's messages to ours and back, with nothing lost that JSON can hold.

Both rooms whose framework speaks LangChain's messages use it. What our `Message` has no field for travels in
`metadata["_langchain"]`, what LangChain's messages have no field for in `response_metadata["ai_memory"]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from ai_memory_integrations.door import check_json, readable
from ai_memory_integrations.errors import InvalidInputError, MissingExtraError
from ai_memory_integrations.prompt import is_injected, without_injected
from ai_memory_integrations.types import DEFAULT_THREAD, Message, Role

try:
    from langchain_core.messages import (
        AIMessage,
        BaseMessage,
        HumanMessage,
        RemoveMessage,
        SystemMessage,
        ToolMessage,
        message_chunk_to_message,
        messages_from_dict,
    )
except ImportError as error:
    raise MissingExtraError("LangChain's messages", "langchain") from error

THEIRS = "_langchain"
OURS = "ai_memory"

_ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "ai": "assistant",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
_TYPES: dict[Role, str] = {"user": "human", "assistant": "ai", "system": "system", "tool": "tool"}
_CLASSES: dict[str, type[BaseMessage]] = {
    "human": HumanMessage,
    "ai": AIMessage,
    "system": SystemMessage,
    "tool": ToolMessage,
}
_HAVE_FIELDS = frozenset(("type", "content", "id", "name", "tool_calls", "tool_call_id"))


def role_of(message: BaseMessage) -> Role:
    """The role that *message* has here; of a `ChatMessage` that of its own name for it, else `user`."""
    kind = message.type.removesuffix("MessageChunk").lower()
    if kind == "chat":
        kind = str(getattr(message, "role", ""))
    return _ROLES.get(kind, "user")


def to_message(message: BaseMessage, *, thread_id: str = DEFAULT_THREAD) -> Message:
    """*message* as ours; one without an id gets one.

    Lone surrogates, which are no text, become U+FFFD. What JSON cannot hold, such as an artifact that is an object,
    is left out.

    Raises: InvalidInputError for a `RemoveMessage`, which is an instruction and says nothing.
    """
    message = message_chunk_to_message(message)
    if isinstance(message, RemoveMessage):
        raise InvalidInputError("a RemoveMessage says nothing that could be kept: leave it out")
    role = role_of(message)
    dumped: dict[str, Any] = _storable(dict(message))
    ours = _taken_ours(dumped)
    content, strings = _parts(dumped["content"])
    usual = _defaults(type(message))
    theirs = {key: value for key, value in dumped.items() if key not in _HAVE_FIELDS and value != usual.get(key)}
    if message.type != _TYPES[role]:
        theirs["type"] = message.type
    if strings:
        theirs["strings"] = strings
    fields: dict[str, Any] = {
        "role": role,
        "content": content,
        "name": dumped.get("name"),
        "tool_calls": dumped.get("tool_calls") or [],
        "tool_call_id": dumped.get("tool_call_id") or None,
        "thread_id": thread_id,
        "metadata": {},
        **ours,
    }
    if theirs:
        fields["metadata"] = {**fields["metadata"], THEIRS: theirs}
    if dumped.get("id"):
        fields["id"] = dumped["id"]
    return Message.model_validate(fields)


def to_langchain(message: Message) -> BaseMessage:
    """*message* as LangChain has it: as it was when it came from there, else of the class of its role."""
    theirs = dict(message.metadata.get(THEIRS, {}))
    kind = theirs.pop("type", _TYPES[message.role])
    strings = set(theirs.pop("strings", ()))
    fields: dict[str, Any] = {**theirs, "content": _content(message, strings), "id": message.id, "name": message.name}
    if message.role == "tool" and kind == "tool":
        fields["tool_call_id"] = message.tool_call_id or ""
    if ours := _left_ours(message, kind):
        fields["response_metadata"] = {**fields.get("response_metadata", {}), OURS: ours}
    if kind == "ai":
        calls, invalid = _calls(message.tool_calls)
        fields["tool_calls"] = calls
        fields["invalid_tool_calls"] = [*fields.get("invalid_tool_calls", []), *invalid]
    if (known := _CLASSES.get(kind)) is not None:
        return known(**fields)
    return messages_from_dict([{"type": kind, "data": fields}])[0]


def to_messages(messages: Iterable[BaseMessage], *, thread_id: str = DEFAULT_THREAD) -> list[Message]:
    """`to_message` of each, without the instructions to remove messages."""
    return [to_message(each, thread_id=thread_id) for each in messages if not isinstance(each, RemoveMessage)]


@lru_cache(maxsize=64)
def _defaults(kind: type[BaseMessage]) -> dict[str, Any]:
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
        if not field.is_required()
    }


def _storable(value: Any) -> Any:
    """*value* without what JSON cannot hold, key by key; None where nothing is left."""
    if isinstance(value, str):
        return readable(str.__str__(value))
    if isinstance(value, Mapping):
        return {
            _storable(key): kept
            for key, each in value.items()
            if isinstance(key, str) and ((kept := _storable(each)) is not None or each is None)
        }
    if isinstance(value, list | tuple):
        return [_storable(each) for each in value]
    try:
        return check_json(value, "value")
    except InvalidInputError:
        return None


def _parts(content: str | list[Any]) -> tuple[str | list[dict[str, Any]], list[int]]:
    """Content as a string or as parts that are dicts, and the places of those that were plain strings."""
    if isinstance(content, str):
        return content, []
    parts = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
    return parts, [place for place, part in enumerate(content) if isinstance(part, str)]


def _content(message: Message, strings: set[int]) -> str | list[Any]:
    if isinstance(message.content, str):
        return message.content
    return [part["text"] if place in strings else part for place, part in enumerate(message.content)]


def _taken_ours(dumped: dict[str, Any]) -> dict[str, Any]:
    """What `_left_ours` put into a message, taken out of it again."""
    about = dict(dumped.get("response_metadata") or {})
    ours = about.pop(OURS, None)
    if not isinstance(ours, dict):
        return {}
    dumped["response_metadata"] = about
    if dumped.get("invalid_tool_calls"):
        made = _calls(ours.get("tool_calls", []))[1]
        dumped["invalid_tool_calls"] = [call for call in dumped["invalid_tool_calls"] if call not in made]
    return {key: value for key, value in ours.items() if key in ("metadata", "created_at", "received_at", *_CALLS)}


_CALLS = ("tool_calls", "tool_call_id")


def _left_ours(message: Message, kind: str) -> dict[str, Any]:
    """What LangChain's message of this type has no field for."""
    ours: dict[str, Any] = {}
    if metadata := {key: value for key, value in message.metadata.items() if key != THEIRS}:
        ours["metadata"] = metadata
    for name in ("created_at", "received_at"):
        if (moment := getattr(message, name)) is not None:
            ours[name] = moment.isoformat()
    if message.tool_calls and (kind != "ai" or _calls(message.tool_calls) != (message.tool_calls, [])):
        ours["tool_calls"] = message.tool_calls
    if message.tool_call_id and kind != "tool":
        ours["tool_call_id"] = message.tool_call_id
    return ours


def _calls(calls: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Tool calls as LangChain has them, and those whose arguments cannot be read. OpenAI keeps arguments as a JSON
    string under `function`."""
    valid, invalid = [], []
    for call in calls:
        function = call.get("function")
        asked = function if isinstance(function, dict) else call
        name, args = asked.get("name"), asked.get("args", asked.get("arguments", {}))
        if isinstance(args, str):
            args = _read(args)
        if isinstance(name, str) and isinstance(args, dict):
            valid.append({"name": name, "args": args, "id": call.get("id"), "type": "tool_call"})
        else:
            raw = asked.get("arguments")
            invalid.append(
                {
                    "name": name if isinstance(name, str) else None,
                    "args": raw if isinstance(raw, str) else None,
                    "id": call.get("id"),
                    "error": "the arguments are no JSON object",
                    "type": "invalid_tool_call",
                }
            )
    return valid, invalid


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


# what was said by somebody, as opposed to what memory or a framework put there


def spoken(messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    """The messages of users, assistants and tools, in order, without injected memory, summaries that a middleware
    wrote, and what is empty then."""
    said = (
        without_memory(each)
        for each in messages
        if not isinstance(each, RemoveMessage)
        and role_of(each) != "system"
        and each.additional_kwargs.get("lc_source") is None
    )
    return [each for each in said if each is not None]


def without_memory(message: BaseMessage) -> BaseMessage | None:
    """*message* without memory that was put into it; None when there was nothing else. A tool's result stays, empty,
    because a model expects one for each call."""
    content = message.content
    rest: Any = without_injected(content) if isinstance(content, str) else _parts_without(content)
    if rest == content:
        return message
    if not rest and role_of(message) != "tool":
        return None
    return message.model_copy(update={"content": rest or ""})


def _parts_without(parts: list[Any]) -> list[Any]:
    rest = []
    for part in parts:
        text = part if isinstance(part, str) else part.get("text")
        if not isinstance(text, str) or without_injected(text) == text:
            rest.append(part)
        elif not is_injected(text):
            rest.append(without_injected(text) if isinstance(part, str) else {**part, "text": without_injected(text)})
    return rest


def once(messages: Iterable[Message]) -> list[Message]:
    """The messages in order; of two with the same id the last."""
    return list({each.id: each for each in messages}.values())
