"""Whole subjects out of a PostgreSQL database and into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.postgres.backend import PostgresBackend
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.backends.postgres.session import Session
from ai_memory_integrations.errors import InvalidInputError, SubjectExistsError
from ai_memory_integrations.ports import KeptMessage, SubjectRecords, Transfer
from ai_memory_integrations.types import Block, BlockVersion, Run, Subject


class PostgresTransfer(Transfer):
    """`Transfer` over one `Database`; what each verb means is said in `ports.Transfer`."""

    def __init__(self, database: Database, backend: PostgresBackend) -> None:
        self._database = database
        self._backend = backend

    @repeated
    def read(self, subject_id: str) -> SubjectRecords | None:
        # A transaction, so that blocks, messages and runs belong to one moment: the subject is locked.
        with self._database.transaction() as session:
            no = session.subject_no(subject_id)
            subject = self._backend.get_subject(subject_id)
            if subject is None or no is None:
                return None
            blocks = tuple(self._backend.list_blocks(subject_id))
            return SubjectRecords(
                subject=subject,
                blocks=blocks,
                versions=tuple(
                    version for block in blocks for version in self._backend.block_history(subject_id, block.label)
                ),
                runs=_runs(session, no),
                messages=_messages(session, no),
                passages=tuple(self._backend.list_passages(subject_id)),
            )

    @repeated
    def write(self, records: SubjectRecords, *, merge: bool = False) -> SubjectRecords:
        subject_id = records.subject.subject_id
        with self._database.transaction() as session:
            known = self._backend.get_subject(subject_id)
            if known is not None and not merge:
                raise SubjectExistsError(subject_id, known.agent_id)
            no = _subject(session, records.subject)
            there = {block.label for block in self._backend.list_blocks(subject_id)}
            blocks = tuple(block for block in records.blocks if block.label not in there)
            made = {block.id for block in blocks}
            versions = tuple(version for version in records.versions if version.block_id in made)
            messages = _new_messages(session, no, records.messages)
            runs = _new_runs(session, records.runs, messages)
            passages = tuple(
                passage for passage in records.passages if self._backend.get_passage(subject_id, passage.id) is None
            )
            _write_blocks(session, no, blocks, versions)
            numbers = _write_runs(session, no, runs)
            _write_messages(session, no, messages, numbers)
            if passages:
                self._backend.add_passages(subject_id, passages)
        return SubjectRecords(records.subject, blocks, versions, runs, messages, passages)


def _runs(session: Session, no: int) -> tuple[Run, ...]:
    found = session.execute(
        f"SELECT {rows.RUN} FROM ai_memory.run r JOIN ai_memory.subject s ON s.no = r.subject "
        "WHERE r.subject = %s ORDER BY r.no",
        (no,),
    )
    return tuple(rows.run(row) for row in found)


def _messages(session: Session, no: int) -> tuple[KeptMessage, ...]:
    found = session.execute(
        "SELECT m.message_id, m.role, m.body, m.created_at, "
        "m.received_at, m.thread_id, m.state, m.visible, r.run_id "
        "FROM ai_memory.message m LEFT JOIN ai_memory.run r ON r.no = m.run WHERE m.subject = %s ORDER BY m.seq",
        (no,),
    )
    return tuple(rows.kept_message(row) for row in found)


def _subject(session: Session, subject: Subject) -> int:
    """The number of the subject, which is made with its agent and age when it is new."""
    other = session.value("SELECT subject_id FROM ai_memory.subject WHERE agent_id = %s", (subject.agent_id,))
    if other is not None and other != subject.subject_id:
        raise InvalidInputError(
            f"agent {subject.agent_id} stands behind subject {other!r} here and cannot stand behind "
            f"{subject.subject_id!r} too: an export cannot be imported under another name into the same store"
        )
    session.execute(
        "INSERT INTO ai_memory.subject(subject_id, agent_id, created_at) VALUES (%s, %s, %s) "
        "ON CONFLICT (subject_id) DO NOTHING",
        (subject.subject_id, subject.agent_id, rows.micros(subject.created_at)),
    )
    number: int = session.value(
        "SELECT no FROM ai_memory.subject WHERE subject_id = %s FOR UPDATE", (subject.subject_id,)
    )
    return number


def _write_blocks(session: Session, no: int, blocks: Sequence[Block], versions: Sequence[BlockVersion]) -> None:
    for block in blocks:
        session.execute(
            "INSERT INTO ai_memory.block VALUES (%s, %s, %s, %s, %s, %s, %s, %s, coalesce(%s, "
            "(SELECT greatest(2, 1 + max(place)) FROM ai_memory.block WHERE subject = %s)), %s, %s)",
            (
                no,
                block.label,
                block.id,
                block.description,
                block.value,
                block.limit,
                block.read_only,
                block.version,
                {"human": 0, "summary": 1}.get(block.label),
                no,
                rows.optional_micros(block.created_at),
                rows.optional_micros(block.updated_at),
            ),
        )
    session.many(
        "INSERT INTO ai_memory.block_version VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [(no, *rows.version_values(version)) for version in versions],
    )


def _new_messages(session: Session, no: int, messages: Sequence[KeptMessage]) -> tuple[KeptMessage, ...]:
    known = set(session.execute("SELECT thread_id, message_id FROM ai_memory.message WHERE subject = %s", (no,)))
    return tuple(kept for kept in messages if (kept.message.thread_id, kept.message.id) not in known)


def _new_runs(session: Session, runs: Sequence[Run], messages: Sequence[KeptMessage]) -> tuple[Run, ...]:
    """Runs that are not there; of those that still have to learn only the ones whose messages are new here."""
    waited_for = {kept.run_id for kept in messages if kept.state == "waiting"}
    named = [run.id for run in runs]
    known = {
        run_id for (run_id,) in session.execute("SELECT run_id FROM ai_memory.run WHERE run_id = ANY(%s)", (named,))
    }
    return tuple(
        run
        for run in runs
        if (run.state in ("completed", "cancelled") or not run.messages or run.id in waited_for) and run.id not in known
    )


def _write_runs(session: Session, no: int, runs: Sequence[Run]) -> dict[str, int]:
    """The runs' numbers."""
    statement = f"INSERT INTO ai_memory.run(subject, {rows.KEPT_RUN}) VALUES ({', '.join(['%s'] * 16)}) RETURNING no"
    return {run.id: session.value(statement, (no, *rows.kept_run_values(run))) for run in runs}


def _write_messages(session: Session, no: int, messages: Sequence[KeptMessage], numbers: Mapping[str, int]) -> None:
    if not messages:
        return
    last: int = session.value(
        "UPDATE ai_memory.subject SET message_seq = message_seq + %s WHERE no = %s RETURNING message_seq",
        (len(messages), no),
    )
    session.many(
        "INSERT INTO ai_memory.message VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                no,
                last - len(messages) + place,
                kept.message.thread_id,
                kept.message.id,
                kept.message.role,
                rows.message_body(kept.message),
                rows.optional_micros(kept.message.created_at),
                rows.optional_micros(kept.message.received_at),
                None if kept.run_id is None else numbers.get(kept.run_id),
                rows.STATES.index(kept.state),
                kept.visible,
            )
            for place, kept in enumerate(messages, 1)
        ],
    )
