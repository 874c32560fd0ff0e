"""Whole subjects out of a PostgreSQL database and into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ai_memory_integrations.backends import journal_rows, rows, transfer_rows
from ai_memory_integrations.backends.journal_rows import RUN
from ai_memory_integrations.backends.postgres.backend import PostgresBackend
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.backends.postgres.session import Session
from ai_memory_integrations.backends.transfer_rows import KEPT_RUN
from ai_memory_integrations.errors import SubjectExistsError
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
                raise SubjectExistsError(subject_id, known.agent_id, imported=True)
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
        f"SELECT {RUN} FROM ai_memory.run r JOIN ai_memory.subject s ON s.no = r.subject "
        "WHERE r.subject = %s ORDER BY r.no",
        (no,),
    )
    return tuple(journal_rows.run(row) for row in found)


def _messages(session: Session, no: int) -> tuple[KeptMessage, ...]:
    found = session.execute(
        "SELECT m.message_id, m.role, m.body, m.created_at, "
        "m.received_at, m.thread_id, m.state, m.visible, r.run_id "
        "FROM ai_memory.message m LEFT JOIN ai_memory.run r ON r.no = m.run WHERE m.subject = %s ORDER BY m.seq",
        (no,),
    )
    return tuple(transfer_rows.kept_message(row) for row in found)


def _subject(session: Session, subject: Subject) -> int:
    """The number of the subject, which is made with its agent and age when it is new."""
    other = session.value("SELECT subject_id FROM ai_memory.subject WHERE agent_id = %s", (subject.agent_id,))
    transfer_rows.check_agent(subject, other)
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
            transfer_rows.kept_block_values(no, block),
        )
    session.many(
        "INSERT INTO ai_memory.block_version VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [(no, *transfer_rows.version_values(version)) for version in versions],
    )


def _new_messages(session: Session, no: int, messages: Sequence[KeptMessage]) -> tuple[KeptMessage, ...]:
    known = set(session.execute("SELECT thread_id, message_id FROM ai_memory.message WHERE subject = %s", (no,)))
    return tuple(kept for kept in messages if (kept.message.thread_id, kept.message.id) not in known)


def _new_runs(session: Session, runs: Sequence[Run], messages: Sequence[KeptMessage]) -> tuple[Run, ...]:
    found = session.execute("SELECT run_id FROM ai_memory.run WHERE run_id = ANY(%s)", ([run.id for run in runs],))
    return transfer_rows.lacking_runs(runs, messages, {run_id for (run_id,) in found})


def _write_runs(session: Session, no: int, runs: Sequence[Run]) -> dict[str, int]:
    """The runs' numbers."""
    statement = f"INSERT INTO ai_memory.run(subject, {KEPT_RUN}) VALUES ({', '.join(['%s'] * 16)}) RETURNING no"
    return {run.id: session.value(statement, (no, *transfer_rows.kept_run_values(run))) for run in runs}


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
            (no, last - len(messages) + place, *transfer_rows.kept_message_values(kept, numbers))
            for place, kept in enumerate(messages, 1)
        ],
    )
