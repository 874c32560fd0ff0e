"""Messages and runs as rows: what every SQL database does alike with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast, get_args

from ai_memory_integrations.backends.rows import Row, dumps, moment, optional_moment
from ai_memory_integrations.ports import LearningState
from ai_memory_integrations.types import Message, Metadata, Role, Run, RunState, Thread, Usage

STATES: tuple[LearningState, ...] = ("not_for_learning", "waiting", "learnt", "dropped")
"""What learning has to do with a message, as its column counts."""
NOT_FOR_LEARNING, WAITING, LEARNT, DROPPED = range(len(STATES))

# A literal, so that the indexes of single states can be used.
IN_STATE: Mapping[str | None, str] = {state: f"r.state = '{state}'" for state in get_args(RunState)}
NOT_RECKONED = 2**62  # the due time of a run that was just made
DELETED = "\x7fdeleted"  # no thread and no message of the application is named so: control characters are refused


def conditions(given: Mapping[str, object]) -> str:
    """Those conditions that have a value, as one; "" for none."""
    return " AND ".join(condition for condition, value in given.items() if value is not None)


MESSAGE = "message_id, role, body, created_at, received_at, thread_id"


def message_body(value: Message) -> str:
    """What has no column of its own, without what is empty."""
    body: Metadata = {"content": value.content}
    for key in ("name", "tool_calls", "tool_call_id", "metadata"):
        if present := getattr(value, key):
            body[key] = present
    return dumps(body)


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


def annotated(body: str, metadata: Metadata) -> str:
    """The body of a message with these keys merged into its metadata. Not left to a database: PostgreSQL refuses some
    of what JSON allows, SQLite merges the values, too."""
    changed = json.loads(body)
    merged = {**changed.get("metadata", {}), **metadata}
    changed["metadata"] = {key: value for key, value in merged.items() if value is not None}
    return dumps(changed)


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


def spent(found: Iterable[tuple[str, str]]) -> dict[str, Usage]:
    """The sum for each subject of what its runs have spent."""
    sums: dict[str, Usage] = {}
    for subject_id, usage in found:
        sums[subject_id] = sums.get(subject_id, Usage()) + Usage.model_validate_json(usage)
    return sums


def spent_so_far(before: str | None, usage: Usage | None) -> str | None:
    """What a run has spent over all its attempts, as its column holds it, with the usage of one more."""
    if usage is None:
        return before
    return (usage if before is None else Usage.model_validate_json(before) + usage).model_dump_json()
