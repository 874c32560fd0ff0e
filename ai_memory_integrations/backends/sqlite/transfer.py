"""Whole subjects out of an SQLite file and into one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from ai_memory_integrations.backends import journal_rows, rows, transfer_rows
from ai_memory_integrations.backends.journal_rows import RUN
from ai_memory_integrations.backends.sqlite.backend import SQLiteBackend, optional_subject_no
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.backends.sqlite.schema import SEQ_BITS
from ai_memory_integrations.backends.transfer_rows import KEPT_RUN
from ai_memory_integrations.errors import SubjectExistsError
from ai_memory_integrations.ports import KeptMessage, SubjectRecords, Transfer
from ai_memory_integrations.types import Block, BlockVersion, Message, Run, Subject


class SQLiteTransfer(Transfer):
    """`Transfer` over one `Database`; what each verb means is said in `ports.Transfer`."""

    def __init__(self, database: Database, backend: SQLiteBackend) -> None:
        self._database = database
        self._backend = backend

    def read(self, subject_id: str) -> SubjectRecords | None:
        # A transaction, so that blocks, messages and runs belong to one moment.
        with self._database.transaction() as connection:
            subject = self._backend.get_subject(subject_id)
            no = optional_subject_no(connection, subject_id)
            if subject is None or no is None:
                return None
            blocks = tuple(self._backend.list_blocks(subject_id))
            return SubjectRecords(
                subject=subject,
                blocks=blocks,
                versions=tuple(
                    version for block in blocks for version in self._backend.block_history(subject_id, block.label)
                ),
                runs=_runs(connection, no),
                messages=_messages(connection, no),
                passages=tuple(self._backend.list_passages(subject_id)),
            )

    def write(self, records: SubjectRecords, *, merge: bool = False) -> SubjectRecords:
        subject_id = records.subject.subject_id
        with self._database.transaction() as connection:
            known = self._backend.get_subject(subject_id)
            if known is not None and not merge:
                raise SubjectExistsError(subject_id, known.agent_id, imported=True)
            no = _subject(connection, records.subject)
            there = {block.label for block in self._backend.list_blocks(subject_id)}
            blocks = tuple(block for block in records.blocks if block.label not in there)
            made = {block.id for block in blocks}
            versions = tuple(version for version in records.versions if version.block_id in made)
            messages = tuple(kept for kept in records.messages if not _is_known(connection, no, kept.message))
            runs = _new_runs(connection, records.runs, messages)
            passages = tuple(
                passage for passage in records.passages if self._backend.get_passage(subject_id, passage.id) is None
            )
            _write_blocks(connection, no, blocks, versions)
            numbers = _write_runs(connection, no, runs)
            _write_messages(connection, no, messages, numbers)
            if passages:
                self._backend.add_passages(subject_id, passages)
        return SubjectRecords(records.subject, blocks, versions, runs, messages, passages)


def _runs(connection: sqlite3.Connection, no: int) -> tuple[Run, ...]:
    found = connection.execute(
        f"SELECT {RUN} FROM run r JOIN subject s ON s.no = r.subject WHERE r.subject = ? ORDER BY r.no",
        (no,),
    )
    return tuple(journal_rows.run(row) for row in found)


def _messages(connection: sqlite3.Connection, no: int) -> tuple[KeptMessage, ...]:
    found = connection.execute(
        "SELECT m.message_id, m.role, m.body, m.created_at, "
        "m.received_at, m.thread_id, m.state, m.visible, r.run_id FROM message m LEFT JOIN run r ON r.no = m.run "
        "WHERE m.id > ? AND m.id < ? ORDER BY m.id",
        (no << SEQ_BITS, (no + 1) << SEQ_BITS),
    )
    return tuple(transfer_rows.kept_message(row) for row in found)


def _subject(connection: sqlite3.Connection, subject: Subject) -> int:
    """The number of the subject, which is made with its agent and age when it is new."""
    other = connection.execute("SELECT subject_id FROM subject WHERE agent_id = ?", (subject.agent_id,)).fetchone()
    transfer_rows.check_agent(subject, None if other is None else other[0])
    connection.execute(
        "INSERT INTO subject(subject_id, agent_id, created_at) VALUES (?, ?, ?) ON CONFLICT (subject_id) DO NOTHING",
        (subject.subject_id, subject.agent_id, rows.micros(subject.created_at)),
    )
    number: int = connection.execute("SELECT no FROM subject WHERE subject_id = ?", (subject.subject_id,)).fetchone()[0]
    return number


def _write_blocks(
    connection: sqlite3.Connection, no: int, blocks: Sequence[Block], versions: Sequence[BlockVersion]
) -> None:
    for block in blocks:
        connection.execute(
            "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
            "coalesce(?, (SELECT max(2, 1 + max(place)) FROM block WHERE subject = ?), 2), ?, ?)",
            transfer_rows.kept_block_values(no, block),
        )
    connection.executemany(
        "INSERT INTO block_version VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ((no, *transfer_rows.version_values(version)) for version in versions),
    )


def _is_known(connection: sqlite3.Connection, no: int, message: Message) -> bool:
    found = connection.execute(
        "SELECT 1 FROM message WHERE subject = ? AND thread_id = ? AND message_id = ?",
        (no, message.thread_id, message.id),
    ).fetchone()
    return found is not None


def _new_runs(connection: sqlite3.Connection, runs: Sequence[Run], messages: Sequence[KeptMessage]) -> tuple[Run, ...]:
    found = connection.execute(
        "SELECT run_id FROM run WHERE run_id IN (SELECT value FROM json_each(?))",
        (rows.json_list(run.id for run in runs),),
    )
    return transfer_rows.lacking_runs(runs, messages, {run_id for (run_id,) in found})


def _write_runs(connection: sqlite3.Connection, no: int, runs: Sequence[Run]) -> dict[str, int]:
    """The runs' numbers."""
    statement = f"INSERT INTO run(subject, {KEPT_RUN}) VALUES ({', '.join('?' * 16)}) RETURNING no"
    return {
        run.id: connection.execute(statement, (no, *transfer_rows.kept_run_values(run))).fetchone()[0] for run in runs
    }


def _write_messages(
    connection: sqlite3.Connection, no: int, messages: Sequence[KeptMessage], numbers: Mapping[str, int]
) -> None:
    if not messages:
        return
    last: int = connection.execute(
        "UPDATE subject SET message_seq = message_seq + ? WHERE no = ? RETURNING message_seq", (len(messages), no)
    ).fetchone()[0]
    first = (no << SEQ_BITS) + last - len(messages) + 1
    connection.executemany(
        "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((first + place, no, *transfer_rows.kept_message_values(kept, numbers)) for place, kept in enumerate(messages)),
    )
