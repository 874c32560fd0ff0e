"""Rows to values and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from sys import intern
from typing import Any, TypeVar

from ai_memory_integrations.types import (
    Block,
    BlockVersion,
    Metadata,
    Passage,
    Subject,
    Value,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Row = tuple[Any, ...]
V = TypeVar("V", bound=Value)


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def optional_micros(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def moment(value: int) -> datetime:
    return _EPOCH + value * _MICROSECOND  # a third less than what making a timedelta takes


def optional_moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


# Made once: `json.dumps` makes an encoder a call when it is not to write ASCII.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def dumps(value: object) -> str:
    return _ENCODER.encode(value)


def merged(kept: str | None, changes: Mapping[str, Any]) -> str:
    """A JSON object with *changes*; what is kept of it stays."""
    before = {} if kept is None else json.loads(kept)
    return dumps({**before, **changes} if isinstance(before, dict) else dict(changes))


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


FIRST_PLACES = {"human": 0, "summary": 1}
"""The places of the blocks that stand before all others."""

PASSAGE = "passage_id, text, tags, metadata, created_at, role, name, thread_id, message_id"


_PASSAGE_FIELDS = set(Passage.model_fields)
_set = object.__setattr__


def passage(row: Row) -> Passage:
    return passage_of(passage_read(row))


def passage_read(row: Row) -> Row:
    """The columns of `PASSAGE` as values that passages can share; the metadata stay text, None for none. What many
    passages have in common is there once: that takes less memory, and less time to come by."""
    passage_id, text, listed, metadata, created, role, name, thread_id, message_id = row
    return (
        passage_id,
        text,
        tags(listed),
        None if metadata == "{}" else metadata,
        None if created is None else _EPOCH + timedelta(0, 0, created),
        role and intern(role),
        name and intern(name),
        thread_id and intern(thread_id),
        message_id,
    )


def passage_of(read: Row, score: float | None = None, explanation: dict[str, Any] | None = None) -> Passage:
    """Of what `passage_read` gives. As `_value` makes it, written out: ten of these are a tenth of a search."""
    passage_id, text, tagged, metadata, created_at, role, name, thread_id, message_id = read
    fields = {
        "text": text,
        "id": passage_id,
        "tags": tagged,
        "metadata": {} if metadata is None else json.loads(metadata),
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
