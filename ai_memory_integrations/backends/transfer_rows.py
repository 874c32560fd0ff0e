"""Whole subjects as rows: what every SQL database does alike with records that come from elsewhere."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from ai_memory_integrations.backends.journal_rows import STATES, message, message_body
from ai_memory_integrations.backends.rows import FIRST_PLACES, Row, dumps, micros, optional_micros
from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.ports import KeptMessage
from ai_memory_integrations.types import Block, BlockVersion, Run, Subject


def check_agent(subject: Subject, stands_behind: str | None) -> None:
    """Refuse a subject whose agent stands behind another one here. Raises: InvalidInputError."""
    if stands_behind is not None and stands_behind != subject.subject_id:
        raise InvalidInputError(
            f"agent {subject.agent_id} stands behind subject {stands_behind!r} here and cannot stand behind "
            f"{subject.subject_id!r} too: an export cannot be imported under another name into the same store"
        )


def kept_block_values(no: int, value: Block) -> Row:
    """The columns of a block from elsewhere; in the middle its place, None behind the others, of subject *no*."""
    return (
        no,
        value.label,
        value.id,
        value.description,
        value.value,
        value.limit,
        value.read_only,
        value.version,
        FIRST_PLACES.get(value.label),
        no,
        optional_micros(value.created_at),
        optional_micros(value.updated_at),
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


def kept_message(row: Row) -> KeptMessage:
    """Of the columns of `MESSAGE`, the state, whether it is visible, and the id of its run."""
    if row[2] == "":  # hidden, and its text is gone
        row = (*row[:2], '{"content":""}', *row[3:])
    return KeptMessage(message(row), state=STATES[row[6]], visible=bool(row[7]), run_id=row[8])


def kept_message_values(kept: KeptMessage, runs: Mapping[str, int]) -> Row:
    """The columns of a message from elsewhere behind its number and subject; *runs* are the numbers of runs."""
    message = kept.message
    return (
        message.thread_id,
        message.id,
        message.role,
        message_body(message),
        optional_micros(message.created_at),
        optional_micros(message.received_at),
        None if kept.run_id is None else runs.get(kept.run_id),
        STATES.index(kept.state),
        kept.visible,
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


def lacking_runs(runs: Sequence[Run], messages: Sequence[KeptMessage], known: Container[str]) -> tuple[Run, ...]:
    """Runs that are not *known*; of those that still have to learn only the ones whose *messages* are new here."""
    waited_for = {kept.run_id for kept in messages if kept.state == "waiting"}
    return tuple(
        run
        for run in runs
        if (run.state in ("completed", "cancelled") or not run.messages or run.id in waited_for) and run.id not in known
    )
