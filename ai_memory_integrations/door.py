"""What comes in: refused by name, with a remedy, before anything is written, or turned into our values.

Whatever passes can be kept: text is UTF-8, times have a zone, everything else is JSON. What comes out shares
nothing with what came in, so that a later change by the caller changes nothing here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

from pydantic import BaseModel

from ai_memory_integrations.errors import InvalidInputError, InvalidMessageError, key_names
from ai_memory_integrations.types import DEFAULT_THREAD, LABEL_PATTERN, Actor, Message, Metadata, Passage, Role

MAX_ID_BYTES = 512
MAX_DEPTH = 100

_ACTORS: dict[Any, Actor] = {actor: actor for actor in get_args(Actor)}
_ROLES: dict[Any, Role] = {role: role for role in get_args(Role)} | {"developer": "system"}
_MESSAGE_FIELDS = frozenset(Message.model_fields)
_PASSAGE_FIELDS = frozenset(Passage.model_fields)
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LABEL = re.compile(LABEL_PATTERN)


def as_messages(messages: Iterable[Any], *, thread_id: str | None = None) -> list[Message]:
    """Messages in the order given: each our `Message`, a mapping as OpenAI and the AI Memory SDK have them,
    or an object with `model_dump()` such as OpenAI's own.

    *thread_id* is for those that name no thread, `"default"` when it is None. The role `developer` is kept as
    `system`; a string among the content's parts becomes a text part; an assistant's content may be None where
    it calls a tool. Keys we do not know go into `metadata`, unless they are empty, so that nothing a provider
    says is lost.

    Raises: InvalidMessageError, which names the message by its index; InvalidInputError when *messages* is
    none.
    """
    thread = DEFAULT_THREAD if thread_id is None else check_id(thread_id, "thread_id")
    taken: list[Message] = []
    seen: dict[tuple[str, str], int] = {}
    for index, given in enumerate(_each(messages, "messages", "{'role': 'user', 'content': '...'}")):
        try:
            message = _message(given, thread)
        except InvalidInputError as error:
            raise InvalidMessageError(index, str(error)) from None
        first = seen.setdefault((message.thread_id, message.id), index)
        if first != index:
            raise InvalidMessageError(index, f"id {message.id!r} is that of messages[{first}] already")
        taken.append(message)
    return taken


def as_passages(passages: Iterable[str | Mapping[str, Any] | Passage]) -> list[Passage]:
    """Passages in the order given: each our `Passage`, its text alone, or a mapping with its fields.

    Keys we do not know go into `metadata`, unless they are empty. A score and its explanation belong to a
    search and are dropped.

    Raises: InvalidInputError, which names the passage by its index.
    """
    taken: list[Passage] = []
    seen: dict[str, int] = {}
    for index, given in enumerate(_each(passages, "passages", "'I love cats'")):
        try:
            passage = _passage(given)
        except InvalidInputError as error:
            raise InvalidInputError(f"passages[{index}]: {error}") from None
        first = seen.setdefault(passage.id, index)
        if first != index:
            raise InvalidInputError(f"passages[{index}]: id {passage.id!r} is that of passages[{first}] already")
        taken.append(passage)
    return taken


def aware(value: object, name: str) -> datetime:
    """A time with its zone: a datetime, or an ISO 8601 string with an offset.

    Raises: InvalidInputError.
    """
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInputError(f"{name} {value[:40]!r} is not an ISO 8601 time") from None
    if not isinstance(moment, datetime):
        raise InvalidInputError(f"{name} is {_a(value)}: pass an aware datetime or an ISO 8601 string with an offset")
    if moment.utcoffset() is None:
        raise InvalidInputError(
            f"{name} {moment.isoformat()} has no time zone: use datetime.now(timezone.utc), or add an offset "
            "such as +00:00"
        )
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"{name} {moment.isoformat()} is beyond the years 1 to 9999 in UTC") from None
    return moment


def check_label(label: object) -> str:
    """A block's label. Raises: InvalidInputError."""
    if isinstance(label, str) and _LABEL.fullmatch(label):
        return label
    shown = repr(label[:80]) if isinstance(label, str) else _a(label)
    raise InvalidInputError(
        f"label {shown} cannot be used: it is 1 to 64 of A-Z, a-z, 0-9, '_', '.' and '-', such as 'human'"
    )


def check_actor(value: object) -> Actor:
    """Who changes a block. Raises: InvalidInputError."""
    if isinstance(value, str) and value in _ACTORS:
        return _ACTORS[value]
    raise InvalidInputError(f"actor {_short(value)} is not known: use {', '.join(map(repr, _ACTORS))}")


def check_id(value: object, name: str) -> str:
    """An id as text: 1 to 512 bytes of UTF-8 without control characters; an int or UUID becomes a str.

    Raises: InvalidInputError.
    """
    if isinstance(value, UUID):
        value = str(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(_number(value, name))
    text = check_text(value, name)
    if not text:
        raise InvalidInputError(f"{name} is empty: leave it out or give it a value")
    if found := _CONTROL.search(text):
        raise InvalidInputError(f"{name} has the control character U+{ord(found[0]):04X} at {found.start()}")
    if (size := len(text.encode())) > MAX_ID_BYTES:
        raise InvalidInputError(f"{name} is {size} bytes long, at most {MAX_ID_BYTES} can be kept")
    return text


def wanted_id(value: object, name: str) -> str:
    """An id to look for, which may be any text; an int or UUID becomes a str. Raises: InvalidInputError."""
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        return check_id(value, name)
    return check_text(value, name)


def wanted_ids(values: object, name: str) -> list[str]:
    """Ids to look for. Raises: InvalidInputError."""
    return [wanted_id(value, f"{name}[{n}]") for n, value in enumerate(_listed(values, name))]


def check_tags(tags: object) -> tuple[str, ...]:
    """Tags to look for. Raises: InvalidInputError."""
    return tuple(check_text(tag, f"tags[{n}]") for n, tag in enumerate(_listed(tags, "tags")))


def check_roles(roles: object) -> tuple[Role, ...]:
    """Roles to look for. Raises: InvalidInputError."""
    return tuple(_role(role) for role in _listed(roles, "roles"))


def _listed(values: object, name: str) -> Iterable[object]:
    if isinstance(values, str):
        raise InvalidInputError(f"{name} must be a list of strings, such as [{values[:40]!r}]")
    if isinstance(values, bytes | Mapping) or not isinstance(values, Iterable):
        raise InvalidInputError(f"{name} is {_a(values)}: pass a list of strings")
    return values


def check_count(value: object, name: str, *, least: int = 0) -> int:
    """A whole number from *least*. Raises: InvalidInputError."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise InvalidInputError(f"{name} must be a whole number from {least}, got {_short(value)}")
    return int(value)


def check_seconds(value: object, name: str) -> float:
    """A time to wait. Raises: InvalidInputError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InvalidInputError(f"{name} must be a number of seconds, got {_short(value)}")
    return value


def _short(value: object) -> str:
    return repr(value)[:40] if isinstance(value, str | int | float | None) else _a(value)


def check_text(value: object, name: str) -> str:
    """Text that UTF-8 can keep; it may be empty. Raises: InvalidInputError."""
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} is {_a(value)}: pass a str")
    if found := _SURROGATE.search(value):
        raise InvalidInputError(
            f"{name} has the lone surrogate U+{ord(found[0]):04X} at {found.start()}, which is no text: "
            "decode it with errors='replace'"
        )
    return str.__str__(value)  # of a StrEnum its value


def readable(text: str) -> str:
    """*text* as UTF-8 can keep it: halves of surrogate pairs, which are no text, become U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def check_json(value: object, name: str) -> Any:
    """A copy of *value* made of what JSON has; tuples become lists.

    Raises: InvalidInputError, which names the place inside *value*.
    """
    if type(value) is dict:
        copy: dict[str, Any] = {}
        for key, each in value.items():
            if not (type(key) is str and key.isascii()):
                break
            if each is None or each is True or each is False or (type(each) is str and each.isascii()):
                copy[key] = each
            else:
                copy[key] = _json(each, f"{name}.{key}", MAX_DEPTH - 1)
        else:
            return copy  # most values are made so; for others every part is named, in case that it is refused
    return _json(value, name, MAX_DEPTH)


def _json(value: object, name: str, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return check_text(value, name)
    if isinstance(value, int | float):
        return _number(value, name)
    if depth == 0:
        raise InvalidInputError(f"{name[:60]}... is nested deeper than {MAX_DEPTH}")
    if isinstance(value, list | tuple):
        return [_json(each, f"{name}[{n}]", depth - 1) for n, each in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, name): _json(each, f"{name}.{key}", depth - 1) for key, each in value.items()}
    raise InvalidInputError(f"{name} is {_a(value)}, which JSON cannot hold: turn it into a str, number, list or dict")


def _number(value: float, name: str) -> float:
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        raise InvalidInputError(f"{name} is {value}, which JSON cannot hold: leave it out or use None")
    if value.bit_length() > 1024:
        raise InvalidInputError(f"{name} is an int of {value.bit_length()} bits: turn it into a str")
    return int(value)


def _key(key: object, name: str) -> str:
    if not isinstance(key, str):
        raise InvalidInputError(f"{name} has the key {key!r}, which is {_a(key)}: JSON has str keys only")
    return check_text(key, f"a key of {name}")


def _each(values: Iterable[Any], name: str, example: str) -> Iterable[Any]:
    if isinstance(values, str | bytes | Mapping | BaseModel):
        raise InvalidInputError(f"{name} is {_a(values)}: put it into a list, such as [{example}]")
    if not isinstance(values, Iterable):
        raise InvalidInputError(f"{name} is {_a(values)}: pass a list, such as [{example}]")
    return values


def _message(given: Any, thread: str) -> Message:
    given = _fields_of(given)
    fields, unknown = _split(given, _MESSAGE_FIELDS)
    role = _role(_needed(given, "role"))
    taken: dict[str, Any] = {
        "role": role,
        "content": _content(given, role),
        "thread_id": check_id(fields["thread_id"], "thread_id") if "thread_id" in fields else thread,
        "metadata": _metadata(fields, unknown),
    }
    if "id" in fields:
        taken["id"] = check_id(fields["id"], "id")
    for name in ("name", "tool_call_id"):
        if name in fields:
            taken[name] = check_text(fields[name], name)
    for name in ("created_at", "received_at"):
        if name in fields:
            taken[name] = aware(fields[name], name)
    if "tool_calls" in fields:
        taken["tool_calls"] = _tool_calls(fields["tool_calls"])
    return Message(**taken)


def _passage(given: Any) -> Passage:
    if isinstance(given, str):
        given = {"text": given}
    if not isinstance(given, Mapping | Passage):
        raise InvalidInputError(f"{_a(given)}: pass a str, a Passage or a mapping with 'text'")
    given = _fields_of(given)
    fields, unknown = _split(given, _PASSAGE_FIELDS)
    taken: dict[str, Any] = {
        "text": check_text(_needed(given, "text"), "text"),
        "metadata": _metadata(fields, unknown),
    }
    if not taken["text"].strip():
        raise InvalidInputError("text is empty: there is nothing to find in it")
    if "role" in fields:
        taken["role"] = _role(fields["role"])
    if "tags" in fields:
        taken["tags"] = _tags(fields["tags"])
    for name in ("id", "thread_id", "message_id"):
        if name in fields:
            taken[name] = check_id(fields[name], name)
    if "name" in fields:
        taken["name"] = check_text(fields["name"], "name")
    if "created_at" in fields:
        taken["created_at"] = aware(fields["created_at"], "created_at")
    return Passage(**taken)


def _fields_of(given: Any) -> Mapping[Any, Any]:
    if isinstance(given, Mapping):
        return given
    if isinstance(given, Message | Passage):
        # What was left out stays left out (no thread was named), but for the id it made for itself.
        return {name: getattr(given, name) for name in {*given.model_fields_set, "id"}}
    dump = getattr(given, "model_dump", None)
    if callable(dump) and not isinstance(given, type):
        dumped = dump(exclude_none=True)
        if isinstance(dumped, Mapping):
            return dumped
    raise InvalidInputError(f"{_a(given)}: pass a dict such as {{'role': 'user', 'content': '...'}} or a Message")


def _split(given: Mapping[Any, Any], known: frozenset[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields that are ours and the others, without those that are absent: None, and what is unknown and
    empty."""
    fields: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for key, value in given.items():
        if key in known:
            if value is not None:
                fields[key] = value
        elif value is not None and not (isinstance(value, str | list | tuple | dict) and not value):
            unknown[key] = value
    return fields, unknown


def _needed(given: Mapping[Any, Any], name: str) -> Any:
    if (value := given.get(name)) is not None:
        return value
    raise InvalidInputError(f"{name!r} is None" if name in given else f"no {name!r} (keys: {key_names(given)})")


def _role(role: object) -> Role:
    known = ", ".join(map(repr, _ROLES))
    if not isinstance(role, str):
        raise InvalidInputError(f"role is {_a(role)}: pass one of {known}")
    name = str.__str__(role)  # of a StrEnum its value
    if name not in _ROLES:
        raise InvalidInputError(f"role {name[:40]!r} is not known: use {known}")
    return _ROLES[name]


def _content(given: Mapping[Any, Any], role: Role) -> str | list[dict[str, Any]]:
    if given.get("content") is None and role == "assistant" and any(map(given.get, _INSTEAD_OF_CONTENT)):
        return ""
    content = _needed(given, "content")
    if isinstance(content, str):
        return check_text(content, "content")
    if isinstance(content, list | tuple):
        return [_part(part, f"content[{n}]") for n, part in enumerate(content)]
    raise InvalidInputError(f"content is {_a(content)}: pass a str or a list of parts")


def _part(part: Any, name: str) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": check_text(part, name)}
    return _object(part, name, "{'type': 'text', 'text': '...'}")


def _tool_calls(calls: Any) -> list[dict[str, Any]]:
    if not isinstance(calls, list | tuple):
        raise InvalidInputError(f"tool_calls is {_a(calls)}: pass a list of dicts")
    return [
        _object(call, f"tool_calls[{n}]", "{'id': '...', 'name': '...', 'args': {}}") for n, call in enumerate(calls)
    ]


def _object(value: Any, name: str, example: str) -> dict[str, Any]:
    if hasattr(value, "model_dump"):
        value = value.model_dump(exclude_none=True)
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{name} is {_a(value)}: pass a dict such as {example}")
    copied: dict[str, Any] = check_json(value, name)
    return copied


def _metadata(fields: Mapping[str, Any], unknown: Mapping[str, Any]) -> dict[str, Any]:
    metadata = fields.get("metadata", {})
    if not isinstance(metadata, Mapping):
        raise InvalidInputError(f"metadata is {_a(metadata)}: pass a dict")
    if twice := metadata.keys() & unknown.keys():
        raise InvalidInputError(f"{sorted(map(str, twice))[0]!r} is given both beside metadata and inside it")
    copied: dict[str, Any] = check_json(metadata, "metadata")
    return copied | {_key(key, "it"): check_json(value, str(key)) for key, value in unknown.items()}


def _tags(tags: Any) -> tuple[str, ...]:
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise InvalidInputError(f"tags is {_a(tags)}: pass a list of str")
    return tuple(check_id(tag, f"tags[{n}]") for n, tag in enumerate(tags))


def _a(value: object) -> str:
    """What kind of thing a value is, never what it holds."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def check_limit(value: object) -> int:
    """A block's limit in characters. Raises: InvalidInputError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**63:
        raise InvalidInputError(f"a block's limit must be a whole number of characters from 1, got {value!r}")
    return value


def optional_count(limit: int | None) -> int | None:
    """A limit of results; None for all. Raises: InvalidInputError."""
    return None if limit is None else check_count(limit, "limit")


def optional_id(value: str | None, name: str) -> str | None:
    """An id to look for; None for none. Raises: InvalidInputError."""
    return None if value is None else wanted_id(value, name)


def json_object(value: object, name: str) -> Metadata:
    """A dict that is a JSON object. Raises: InvalidInputError."""
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{name} must be a dict, got {type(value).__name__}")
    checked: Metadata = check_json(value, name)
    return checked
