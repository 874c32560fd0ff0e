"""Conversations to play: the one that comes with the package, or the user's own JSON or JSON Lines file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

from ai_memory_integrations.errors import InvalidInputError, key_names
from ai_memory_integrations.types import DEFAULT_THREAD, Message, Role

_KEYS = ("role", "content", "created_at", "thread_id", "id")
_ROLES = get_args(Role)


class TranscriptError(InvalidInputError):
    """A file is no conversation; the text names the file, the place in it and what it should be."""


@dataclass(frozen=True)
class Transcript:
    """Messages in the order of the file, every one with an id. `ignored` are keys that mean nothing here."""

    messages: tuple[Message, ...]
    ignored: tuple[str, ...] = ()

    def sessions(self) -> Iterator[tuple[Message, ...]]:
        """The messages cut where the thread or the day changes."""
        for _, session in groupby(
            self.messages, key=lambda said: (said.thread_id, said.created_at and said.created_at.date())
        ):
            yield tuple(session)


def bundled() -> Transcript:
    """The conversation written for the demo: Mara, a violin maker, over two and a half weeks."""
    text = files("ai_memory_integrations.demo").joinpath("conversation.jsonl").read_text("utf-8")
    return _transcript("conversation.jsonl", _json_lines("conversation.jsonl", text))


def load(path: Path) -> Transcript:
    """The conversation in a file: a JSON array, an object with `messages`, or one JSON object a line.

    Raises: TranscriptError.
    """
    name = str(path)
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TranscriptError(f"{name}: not UTF-8 text (byte {error.start}); {_EXPECTED}") from error
    except OSError as error:
        raise TranscriptError(f"{name}: {error.strerror or error}") from error
    transcript = _transcript(name, _records(name, text))
    if not transcript.messages:
        raise TranscriptError(f"{name}: no messages in it; {_EXPECTED}")
    return transcript


_EXPECTED = (
    'expected JSON or JSON Lines such as {"role": "user", "content": "I moved to Oslo.", '
    '"created_at": "2026-03-01T09:00:00Z"}'
)


def _records(name: str, text: str) -> list[tuple[str, Any]]:
    """Each record with the words that name its place."""
    try:
        whole = json.loads(text)
    except ValueError:
        return _json_lines(name, text)
    if isinstance(whole, dict) and isinstance(whole.get("messages"), list):
        whole = whole["messages"]
    if isinstance(whole, dict):
        return [("line 1", whole)]
    if not isinstance(whole, list):
        raise TranscriptError(f"{name}: holds a {type(whole).__name__}; {_EXPECTED}")
    return [(f"message {number}", record) for number, record in enumerate(whole, 1)]


def _json_lines(name: str, text: str) -> list[tuple[str, Any]]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                found.append((f"line {number}", json.loads(line)))
            except ValueError as error:
                raise TranscriptError(f"{name}, line {number}: not JSON ({error}); {_EXPECTED}") from error
    return found


def _transcript(name: str, records: list[tuple[str, Any]]) -> Transcript:
    messages: list[Message] = []
    ignored: set[str] = set()
    seen: dict[tuple[str, str], str] = {}
    for number, (place, record) in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise TranscriptError(f"{name}, {place}: a {type(record).__name__} instead of an object; {_EXPECTED}")
        ignored.update(set(record) - set(_KEYS))
        message = _message(f"{name}, {place}", record, number)
        twin = seen.setdefault((message.thread_id, message.id), place)
        if twin != place:
            raise TranscriptError(f"{name}, {place}: the id {message.id!r} was used in {twin} already")
        messages.append(message)
    return Transcript(tuple(messages), tuple(sorted(ignored)))


def _message(place: str, record: Mapping[str, Any], number: int) -> Message:
    for key in ("role", "content"):
        if key not in record:
            raise TranscriptError(f"{place}: no {key!r} (keys: {key_names(record)})")
    role, content = record["role"], record["content"]
    if role not in _ROLES:
        raise TranscriptError(f"{place}: the role is {role!r}; it is one of {', '.join(_ROLES)}")
    is_parts = isinstance(content, list) and all(isinstance(part, dict) for part in content)
    if not isinstance(content, str) and not is_parts:
        raise TranscriptError(f"{place}: the content is a {type(content).__name__}; it is text or a list of parts")
    return Message(
        role=role,
        content=content,
        created_at=_moment(place, record.get("created_at")),
        thread_id=_text(place, "thread_id", record.get("thread_id"), DEFAULT_THREAD),
        id=_text(place, "id", record.get("id"), f"demo-{number:04d}"),
    )


def _text(place: str, key: str, value: object, default: str) -> str:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise TranscriptError(f"{place}: {key} is {value!r}; it is a text or a number")
    return str(value)


def _moment(place: str, value: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise TranscriptError(
            f"{place}: created_at is {value!r}; it is a time with its zone, such as 2026-03-01T09:00:00Z"
        )
    return moment
