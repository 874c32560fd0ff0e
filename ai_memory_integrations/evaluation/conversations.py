"""Labelled conversations and how they are written down: JSON Lines, one turn a line.

    {"conversation": "maren", "about": "a baker in Bergen"}
    {"session": "2026-03-02T14:10:00+01:00"}
    {"user": "I run a bakery.", "labels": [{"kind": "stated", "fact": ["bakery", "baker"]}]}
    {"assistant": "How nice."}

A label belongs to the message it stands with. It holds forms: phrases in lower case joined by ` + `, which must all
stand in one statement, in any order. A phrase is one word or several; `*` at an end of a word stands for the rest
of it, so `allerg* + nut*` is found in "Allergies: hazelnuts, nuts".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError, model_validator

from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.types import Message, Value

FactKind = Literal["stated", "changed", "corrected"]
Kind = Literal[
    "stated",
    "changed",
    "corrected",
    "retracted",
    "private",
    "joke",
    "hypothetical",
    "third_person",
    "quotation",
    "question",
    "negation",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
FACTS: tuple[FactKind, ...] = get_args(FactKind)
"""Kinds of which something is to be learnt; the others are only to be kept out."""

BETWEEN_TURNS = timedelta(minutes=1)


class Label(Value):
    """What a message asks of a learner.

    At the end any of the forms of `fact` has to be known, and none of the forms of `never` (written `not`). A
    statement with one of the phrases of `unless` is no claim of what must not be known: "Her brother is a vegan" says
    nothing of her.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: Kind
    fact: tuple[str, ...] = ()
    never: tuple[str, ...] = Field(default=(), alias="not")
    unless: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if bool(self.fact) != (self.kind in FACTS):
            raise ValueError(f"a label of kind {self.kind!r} {'has no' if self.fact else 'needs a'} 'fact'")
        if not self.never and self.kind != "stated":
            raise ValueError(f"a label of kind {self.kind!r} needs 'not'")
        for form in (*self.fact, *self.never, *self.unless):
            if form != form.lower() or not all(part.strip(" *") for part in form.split("+")):
                raise ValueError(f"the form {form!r} is not made of phrases in lower case")
        return self


class Turn(Value):
    """A message with its labels."""

    role: Literal["user", "assistant"]
    text: str = Field(min_length=1)
    labels: tuple[Label, ...] = ()


class Session(Value):
    """Turns that follow each other, the first at `at`, a minute apart."""

    at: AwareDatetime
    turns: tuple[Turn, ...]

    def messages(self, thread_id: str) -> list[Message]:
        return [
            Message(role=turn.role, content=turn.text, thread_id=thread_id, created_at=self.at + place * BETWEEN_TURNS)
            for place, turn in enumerate(self.turns)
        ]


class Conversation(Value):
    """What one person said in several sessions, in order."""

    name: str = Field(min_length=1)
    about: str = ""
    sessions: tuple[Session, ...]

    @property
    def labelled(self) -> Iterator[tuple[Turn, Label]]:
        """Labels with the turn they stand with, in the order they were said."""
        for session in self.sessions:
            for turn in session.turns:
                for label in turn.labels:
                    yield turn, label


def read_conversations(path: Path | None = None) -> list[Conversation]:
    """Conversations in the order of the file; without *path* those of this package.

    Raises: InvalidInputError, which names the file and the line.
    """
    source = files("ai_memory_integrations.evaluation").joinpath("conversations.jsonl") if path is None else path
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{source}: {error}") from error
    found = parse_conversations(text.splitlines(), name=str(source))
    if not found:
        raise InvalidInputError(f"{source}: no conversation in it")
    return found


def parse_conversations(lines: Iterable[str], *, name: str) -> list[Conversation]:
    """Conversations of JSON Lines; *name* is said in errors. Raises: InvalidInputError."""
    read = _Reader()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            read.line(json.loads(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise InvalidInputError(f"{name}, line {number}: {place + ': ' if place else ''}{first['msg']}") from error
        except ValueError as error:
            raise InvalidInputError(f"{name}, line {number}: {error}") from error
    return read.conversations()


class _Reader:
    """Puts each line where it belongs: a turn into the session above it, a session into the conversation above it."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Conversation, list[tuple[Session, list[Turn]]]]] = {}

    def line(self, record: Any) -> None:
        """Raises: ValueError."""
        match record:
            case {"conversation": name, **rest}:
                conversation = Conversation.model_validate({"name": name, "sessions": (), **rest})
                if conversation.name in self._found:
                    raise ValueError(f"there is a conversation {conversation.name!r} already")
                self._found[conversation.name] = (conversation, [])
            case {"session": at, **rest}:
                self._sessions().append((Session.model_validate({"at": at, "turns": (), **rest}), []))
            case {"user": text, **rest}:
                self._turns().append(Turn.model_validate({"role": "user", "text": text, **rest}))
            case {"assistant": text, **rest}:
                self._turns().append(Turn.model_validate({"role": "assistant", "text": text, **rest}))
            case _:
                raise ValueError("a line begins a conversation or a session, or is a turn of 'user' or 'assistant'")

    def conversations(self) -> list[Conversation]:
        return [
            conversation.model_copy(
                update={"sessions": tuple(each.model_copy(update={"turns": tuple(turns)}) for each, turns in sessions)}
            )
            for conversation, sessions in self._found.values()
        ]

    def _sessions(self) -> list[tuple[Session, list[Turn]]]:
        if not self._found:
            raise ValueError("there is no conversation above it")
        return next(reversed(self._found.values()))[1]

    def _turns(self) -> list[Turn]:
        sessions = self._sessions()
        if not sessions:
            raise ValueError("there is no session above it")
        return sessions[-1][1]
