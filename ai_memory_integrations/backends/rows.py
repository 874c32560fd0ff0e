"""Rows to values and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar, cast

from ai_memory_integrations.ports import KeptMessage, LearningState
from ai_memory_integrations.types import (
    Block,
    BlockVersion,
    Message,
    Metadata,
    Passage,
    Role,
    Run,
    Subject,
    Thread,
    Usage,
    Value,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = tuple[Any, ...]
V = TypeVar("V", bound=Value)


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def optional_micros(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def moment(value: int) -> datetime:
    return _EPOCH + timedelta(0, 0, value)  # by place: twice as fast as by name


def optional_moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


# Made once: `json.dumps` makes an encoder a call when it is not to write ASCII.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def dumps(value: object) -> str:
    return _ENCODER.encode(value)


def _value(kind: type[V], **fields: Any) -> V:
    """A value with every field given, as unpickling makes it: `model_construct` looks for defaults and aliases, which
    costs more than reading the row."""
    value = kind.__new__(kind)
    value.__setstate__(
        {
            "__dict__": fields,
            "__pydantic_fields_set__": set(fields),
            "__pydantic_extra__": None,
            "__pydantic_private__": None,
        }
    )
    return value


SUBJECT = "subject_id, agent_id, created_at"


def subject(row: Row) -> Subject:
    return Subject.model_construct(subject_id=row[0], agent_id=row[1], created_at=moment(row[2]))


BLOCK = "b.block_id, b.label, b.description, b.value, b.max_chars, b.read_only, b.version, b.created_at, b.updated_at"


def block(row: Row) -> Block:
    return _value(
        Block,
        id=row[0],
        label=row[1],
        description=row[2],
        value=row[3],
        limit=row[4],
        read_only=bool(row[5]),
        version=row[6],
        created_at=moment(row[7]),
        updated_at=moment(row[8]),
    )


def block_version(label: str, row: Row) -> BlockVersion:
    return BlockVersion.model_construct(
        label=label,
        block_id=row[0],
        version=row[1],
        value=row[2],
        actor=row[3],
        run_id=row[4],
        message_ids=tuple(json.loads(row[5])),
        created_at=moment(row[6]),
    )


def version_values(value: BlockVersion) -> Row:
    """The columns of `block_version` behind the subject."""
    return (
        value.block_id,
        value.version,
        value.value,
        value.actor,
        value.run_id,
        dumps(value.message_ids),
        micros(value.created_at),
    )


PASSAGE = "passage_id, text, tags, metadata, created_at, role, name, thread_id, message_id"


_PASSAGE_FIELDS = set(Passage.model_fields)
_set = object.__setattr__


def passage(row: Row) -> Passage:
    return passage_of(passage_read(row))


def passage_read(row: Row) -> Row:
    """The columns of `PASSAGE` as values that passages can share; the metadata stay text."""
    passage_id, text, listed, metadata, created, role, name, thread_id, message_id = row
    created_at = None if created is None else _EPOCH + timedelta(0, 0, created)
    return (passage_id, text, tags(listed), metadata, created_at, role, name, thread_id, message_id)


def passage_of(read: Row, score: float | None = None, explanation: dict[str, Any] | None = None) -> Passage:
    """Of what `passage_read` gives. As `_value` makes it, written out: ten of these are a tenth of a search."""
    passage_id, text, tagged, metadata, created_at, role, name, thread_id, message_id = read
    fields = {
        "text": text,
        "id": passage_id,
        "tags": tagged,
        "metadata": {} if metadata == "{}" else json.loads(metadata),
        "created_at": created_at,
        "role": role,
        "name": name,
        "thread_id": thread_id,
        "message_id": message_id,
        "score": score,
        "explanation": explanation,
    }
    value = Passage.__new__(Passage)
    _set(value, "__dict__", fields)
    _set(value, "__pydantic_fields_set__", _PASSAGE_FIELDS.copy())
    _set(value, "__pydantic_extra__", None)
    _set(value, "__pydantic_private__", None)
    return value


def passage_values(value: Passage) -> Row:
    """The columns of `PASSAGE` but the first."""
    return (
        value.text,
        dumps(value.tags),
        dumps(value.metadata),
        optional_micros(value.created_at),
        value.role,
        value.name,
        value.thread_id,
        value.message_id,
    )


@lru_cache(maxsize=1024)
def tags(text: str) -> tuple[str, ...]:
    """Most passages of a store share a few tags."""
    return tuple(json.loads(text))


MESSAGE = "message_id, role, body, created_at, received_at, thread_id"


def message_body(value: Message) -> str:
    """What has no column of its own, without what is empty."""
    body: Metadata = {"content": value.content}
    for key in ("name", "tool_calls", "tool_call_id", "metadata"):
        if present := getattr(value, key):
            body[key] = present
    return dumps(body)


def annotated(body: str, metadata: Metadata) -> str:
    """The body of a message with these keys merged into its metadata. Not left to a database: PostgreSQL refuses some
    of what JSON allows, SQLite merges the values, too."""
    changed = json.loads(body)
    merged = {**changed.get("metadata", {}), **metadata}
    changed["metadata"] = {key: value for key, value in merged.items() if value is not None}
    return dumps(changed)


def message(row: Row) -> Message:
    body = json.loads(row[2])
    return Message.model_construct(
        id=row[0],
        role=cast("Role", row[1]),
        content=body["content"],
        name=body.get("name"),
        tool_calls=body.get("tool_calls", []),
        tool_call_id=body.get("tool_call_id"),
        metadata=body.get("metadata", {}),
        created_at=optional_moment(row[3]),
        received_at=moment(row[4]),
        thread_id=row[5],
    )


def thread(row: Row) -> Thread:
    """Of a thread's id, how many messages are visible, and when the first and the last were received."""
    return Thread.model_construct(
        thread_id=row[0], messages=row[1], created_at=moment(row[2]), updated_at=moment(row[3])
    )


STATES: tuple[LearningState, ...] = ("not_for_learning", "waiting", "learnt", "dropped")
"""What learning has to do with a message, as its column counts."""


def kept_message(row: Row) -> KeptMessage:
    """Of the columns of `MESSAGE`, the state, whether it is visible, and the id of its run."""
    if row[2] == "":  # hidden, and its text is gone
        row = (*row[:2], '{"content":""}', *row[3:])
    return KeptMessage(message(row), state=STATES[row[6]], visible=bool(row[7]), run_id=row[8])


RUN = (
    "r.run_id, s.subject_id, r.state, r.learner, r.messages, r.created_at, r.due_at, r.started_at, r.ended_at, "
    "r.attempts, r.error, r.edits, r.passages, r.skipped, r.usage"
)


def run(row: Row) -> Run:
    return Run.model_construct(
        id=row[0],
        subject_id=row[1],
        state=row[2],
        learner=row[3],
        messages=row[4],
        created_at=moment(row[5]),
        due_at=moment(row[6]),
        started_at=optional_moment(row[7]),
        ended_at=optional_moment(row[8]),
        attempts=row[9],
        error=row[10],
        edits=row[11],
        passages=row[12],
        skipped=json.loads(row[13]),
        usage=None if row[14] is None else Usage.model_validate_json(row[14]),
    )


KEPT_RUN = (
    "run_id, learner, state, sealed, messages, created_at, due_at, started_at, ended_at, attempts, error, edits, "
    "passages, skipped, usage"
)


def kept_run_values(value: Run) -> Row:
    """The columns of `KEPT_RUN` for a run from elsewhere. What still has to be learnt keeps its batch: a sealed run
    collects no more."""
    state = "created" if value.state == "running" else value.state
    return (
        value.id,
        value.learner,
        state,
        state == "created",
        value.messages,
        micros(value.created_at),
        micros(value.due_at or value.created_at),
        optional_micros(value.started_at),
        optional_micros(value.ended_at),
        value.attempts,
        value.error,
        value.edits,
        value.passages,
        dumps(value.skipped),
        None if value.usage is None else value.usage.model_dump_json(),
    )


def spent(found: Iterable[tuple[str, str]]) -> dict[str, Usage]:
    """The sum for each subject of what its runs have spent."""
    sums: dict[str, Usage] = {}
    for subject_id, usage in found:
        sums[subject_id] = sums.get(subject_id, Usage()) + Usage.model_validate_json(usage)
    return sums


def metadata_filter(metadata: Metadata) -> Callable[[str], bool]:
    """Whether a passage's metadata, as its column holds it, has every one of these values."""
    wanted = [(key, json.loads(dumps(value))) for key, value in metadata.items()]

    def accept(text: str) -> bool:
        found = json.loads(text)
        return all(key in found and found[key] == value for key, value in wanted)

    return accept


def json_list(values: Iterable[object]) -> str:
    """A list as one parameter, for `IN (SELECT value FROM json_each(?))`."""
    return dumps(list(values))
