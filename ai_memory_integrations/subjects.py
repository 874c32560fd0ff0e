"""The mapping layer: from what a framework's runtime holds to a subject, and from a subject to its agent.

It works on plain values and knows no framework. `subject` is the word for what may be a template or a
callable, `subject_id` for the final string.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from string import Formatter
from typing import Any, NoReturn
from uuid import UUID

from ai_memory_integrations.errors import (
    ConfigurationError,
    InvalidSubjectError,
    NoSubjectError,
    SubjectMismatchError,
    key_names,
)
from ai_memory_integrations.ports import Backend
from ai_memory_integrations.types import BlockSpec, Subject

MAX_SUBJECT_BYTES = 512
SUBJECT_KEYS = ("subject_id", "langgraph_user_id", "user_id")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # all of Unicode's category Cc
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Caller:
    """What is known about who calls, for a callable that names the subject. `identity` is the authenticated
    user of the server, None where there is no authentication."""

    context: object = None
    configurable: Mapping[str, Any] = field(default_factory=dict)
    identity: str | None = None


SubjectId = str | int | UUID
SubjectSource = SubjectId | Callable[[Caller], SubjectId]


def subject_id_of(value: SubjectId) -> str:
    """The subject's id, byte for byte as given: nothing is folded or stripped. `int` and `UUID` become `str`.

    Raises: InvalidSubjectError, when it is empty, blank, longer than 512 bytes of UTF-8, or has control
    characters or lone surrogates.
    """
    text = _text(value)
    if not text:
        raise InvalidSubjectError(value, "is empty")
    if text.isspace():
        raise InvalidSubjectError(value, "is blank")
    if found := _CONTROL.search(text):
        raise InvalidSubjectError(value, f"has the control character U+{ord(found[0]):04X} at {found.start()}")
    if found := _SURROGATE.search(text):
        raise InvalidSubjectError(value, f"has the lone surrogate U+{ord(found[0]):04X} at {found.start()}")
    if (size := len(text.encode())) > MAX_SUBJECT_BYTES:
        raise InvalidSubjectError(value, f"is {size} bytes long")
    return text


def _text(value: object) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # of a StrEnum its value, of any subclass a plain str
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > MAX_SUBJECT_BYTES * 4:  # Python refuses to print very long numbers
            raise InvalidSubjectError("an int", "is too long")
        return str(int(value))
    raise InvalidSubjectError(value, "is not a str, int or UUID")


def literal(subject_id: str) -> str:
    """A template that stands for *subject_id* itself, whatever braces it has."""
    return subject_id.replace("{", "{{").replace("}", "}}")


def check_source(subject: SubjectSource) -> SubjectSource:
    """*subject*, when `resolve_subject` can use it: to be called where an application hands it over.

    Raises: ConfigurationError for a malformed template, InvalidSubjectError for a constant that is no
    subject.
    """
    if isinstance(subject, str):
        parts = _parts(subject)
        if not any(name for _, name in parts):
            subject_id_of(_joined(parts, {}))
    elif not callable(subject):
        subject_id_of(subject)
    return subject


def resolve_subject(
    subject: SubjectSource | None,
    *,
    context: object = None,
    configurable: Mapping[str, Any] | None = None,
    identity: str | None = None,
    default: SubjectSource | None = None,
) -> str:
    """The subject that a call is about.

    *subject*, or *default* when it is None, decides: a callable is asked, a string without fields, an int or
    a UUID is the subject, and a template such as `"user_{user_id}"` is filled from *context*, *configurable*
    and *identity*, the first that has the field. With neither, the first of these that has `subject_id`,
    `langgraph_user_id` or `user_id` decides. None counts as absent; *identity* stands for these three names
    only.

    *context* is a mapping or an object with attributes. `{{` and `}}` in a template stand for braces. Values
    are put in verbatim, so separate several fields by something that their values cannot contain.

    Raises:
        NoSubjectError: nothing was found; the text names the places looked in and their keys, never their
            values.
        SubjectMismatchError: there is an authenticated identity and a value from *context* or *configurable*,
            which callers set, differs from it. Only *subject* and *default* can name another subject on
            purpose.
        InvalidSubjectError: what was found is no subject.
        ConfigurationError: the template is malformed.
    """
    caller = Caller(context, configurable or {}, identity)
    source = default if subject is None else subject
    if source is None:
        return _found(caller, SUBJECT_KEYS) or _nothing(caller)
    if isinstance(source, str):
        parts = _parts(source)
        names = {name for _, name in parts if name}
        values = {name: _found(caller, (name,)) or _nothing(caller, needed=name) for name in names}
        return subject_id_of(_joined(parts, values))
    return _asked(source, caller) if callable(source) else subject_id_of(source)


def _asked(source: Callable[[Caller], SubjectId], caller: Caller) -> str:
    answer: Any = source(caller)
    if inspect.iscoroutine(answer):
        answer.close()
        raise ConfigurationError(f"subject={_name(source)} is an async function; pass a plain one.")
    if answer is None:
        raise NoSubjectError({f"subject={_name(source)}": "returned None", **_places(caller)})
    return subject_id_of(answer)


def _found(caller: Caller, names: Sequence[str]) -> str | None:
    """The value of the first of *names* in the first place that has one, checked against the identity."""
    for place, look in (("context", _looking_in(caller.context)), ("configurable", caller.configurable.get)):
        for name in names:
            if (value := look(name)) is None:
                continue
            named = _checked(value, f"{name} in {place}")
            if caller.identity is not None and named != caller.identity:
                raise SubjectMismatchError(f"{name} in {place}", named, caller.identity)
            return named
    if caller.identity is not None and not set(names).isdisjoint(SUBJECT_KEYS):
        return _checked(caller.identity, "the authenticated identity")
    return None


def _checked(value: Any, place: str) -> str:
    try:
        return subject_id_of(value)
    except InvalidSubjectError as error:
        raise InvalidSubjectError(error.value, f"({place}) {error.reason}") from None


def _looking_in(context: object) -> Callable[[str], Any]:
    if isinstance(context, Mapping):
        return context.get
    return lambda name: getattr(context, name, None)


def _nothing(caller: Caller, *, needed: str | None = None) -> NoReturn:
    raise NoSubjectError(_places(caller), needed=needed)


def _places(caller: Caller) -> dict[str, str]:
    public = {key: value for key, value in caller.configurable.items() if not str(key).startswith("__")}
    return {
        "context": _described(caller.context),
        "configurable": f"keys {key_names(public)}" if public else "empty",
        "authenticated identity": "none" if caller.identity is None else "there",
    }


def _described(context: object) -> str:
    if context is None:
        return "none"
    if isinstance(context, Mapping):
        return f"keys {key_names(context)}" if context else "empty"
    if dataclasses.is_dataclass(context):
        names = [each.name for each in dataclasses.fields(context)]
    else:
        names = [name for name in getattr(context, "__dict__", ()) if not name.startswith("_")]
    return f"{type(context).__name__} with {', '.join(sorted(names)) or 'no fields'}"


def _name(source: Callable[..., Any]) -> str:
    return getattr(source, "__qualname__", type(source).__qualname__)


@lru_cache(maxsize=256)
def _parts(template: str) -> tuple[tuple[str, str | None], ...]:
    """Literal texts, each with the name of the field behind it."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigurationError(
            f"subject template {template!r} is malformed: {error}. A field is written {{user_id}}; a brace "
            "that stands for itself is written twice."
        ) from None
    for _, name, spec, conversion in parsed:
        if name is None:
            continue
        if spec or conversion or not name.isidentifier() or name.startswith("_"):
            raise ConfigurationError(
                f"subject template {template!r}: a field is a plain name such as {{user_id}}, without "
                "attributes, indexes, conversions or formats."
            )
    return tuple((text, name) for text, name, _, _ in parsed)


def _joined(parts: Sequence[tuple[str, str | None]], values: Mapping[str, str]) -> str:
    return "".join(text + (values[name] if name else "") for text, name in parts)


class SubjectDirectory:
    """Subjects and their agents, remembered: the last *size* that were used. Safe to share between threads.

    An entry outlives a deletion by another process until somebody notices that the subject is gone and calls
    `forget`. That a subject is unknown is never remembered. The backend makes the agent unique.
    """

    def __init__(self, backend: Backend, *, size: int = 10_000) -> None:
        self._backend = backend
        self._size = size
        self._known: OrderedDict[str, Subject] = OrderedDict()
        self._forgotten = 0
        self._lock = threading.Lock()

    def agent_id(self, subject_id: str) -> str | None:
        """The agent behind a subject; None when it is not known."""
        known, forgotten = self._recall(subject_id)
        if known is None and (known := self._backend.get_subject(subject_id)) is not None:
            self._remember(known, forgotten)
        return known.agent_id if known else None

    def get_or_create(self, subject_id: str, blocks: Sequence[BlockSpec] = ()) -> tuple[Subject, bool]:
        """The subject, and whether this call made it; *blocks* are made with a new one only."""
        known, forgotten = self._recall(subject_id)
        if known is not None:
            return known, False
        subject, created = self._backend.create_subject(subject_id, blocks)
        self._remember(subject, forgotten)
        return subject, created

    def forget(self, subject_id: str) -> None:
        """Drop what is remembered of a subject: it was deleted, or its agent is gone."""
        with self._lock:
            self._known.pop(subject_id, None)
            self._forgotten += 1

    def reset_after_fork(self) -> None:
        """In a child process: forget everything, also the lock, which another thread may have held."""
        self._lock = threading.Lock()
        self._known = OrderedDict()

    def _recall(self, subject_id: str) -> tuple[Subject | None, int]:
        with self._lock:
            known = self._known.get(subject_id)
            if known is not None:
                self._known.move_to_end(subject_id)
            return known, self._forgotten

    def _remember(self, subject: Subject, forgotten: int) -> None:
        with self._lock:
            if forgotten != self._forgotten:
                return  # something was deleted since the backend was asked, perhaps this
            self._known[subject.subject_id] = subject
            if len(self._known) > self._size:
                self._known.popitem(last=False)
