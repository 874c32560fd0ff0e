"""Messages in SQLite.

`message.state` says what learning has to do with a message: it is no matter for learning, it waits in run
`message.run`, it is learnt, or it was dropped on request. A hidden message keeps its identity, so that it is never
learnt a second time; its text goes as soon as nothing waits for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ai_memory_integrations.backends import journal_rows, rows
from ai_memory_integrations.backends.journal_rows import (
    DELETED,
    MESSAGE,
    NOT_FOR_LEARNING,
    WAITING,
    annotated,
    conditions,
)
from ai_memory_integrations.backends.sqlite.backend import optional_subject_no, subject_no
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.backends.sqlite.runs import open_run, reckon_due
from ai_memory_integrations.backends.sqlite.schema import SEQ_BITS
from ai_memory_integrations.ports import Appended
from ai_memory_integrations.types import LearningPolicy, Message, Metadata, Role, Thread


class Messages:
    """The verbs of `ports.Journal` that are about messages."""

    _database: Database

    def append(
        self,
        subject_id: str,
        messages: Sequence[Message],
        *,
        learner: str,
        policy: LearningPolicy,
        learn: bool = True,
    ) -> Appended:
        with self._database.transaction() as connection:
            no = subject_no(connection, subject_id)
            now = self._database.now()
            run, run_id = open_run(connection, no, learner, now)
            new = tuple(
                message
                for message in messages
                if _keep(connection, no, message, run if learn and message.role != "system" else None, now)
            )
            waiting = sum(message.role != "system" for message in new) if learn else 0
            reckon_due(connection, run, waiting, policy, now)
            return Appended(run_id, new)

    def list_messages(
        self,
        subject_id: str,
        thread_id: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
        after: str | None = None,
        roles: Sequence[Role] | None = None,
    ) -> list[Message]:
        with self._database.read() as connection:
            no = optional_subject_no(connection, subject_id)
            if no is None:
                return []
            low, high = no << SEQ_BITS, (no + 1) << SEQ_BITS
            if after is not None:
                low = _message_number(connection, no, thread_id, after, high)
            if before is not None:
                high = _message_number(connection, no, thread_id, before, low)
            last = limit is not None and after is None
            found = connection.execute(
                f"SELECT {MESSAGE} FROM message WHERE id > ? AND id < ? AND visible = 1 "
                + ("" if thread_id is None else "AND subject = ? AND thread_id = ? ")
                + ("" if roles is None else "AND role IN (SELECT value FROM json_each(?)) ")
                + f"ORDER BY id {'DESC' if last else 'ASC'} LIMIT ?",
                (
                    low,
                    high,
                    *(() if thread_id is None else (no, thread_id)),
                    *(() if roles is None else (rows.json_list(roles),)),
                    -1 if limit is None else limit,
                ),
            ).fetchall()
        messages = [journal_rows.message(row) for row in found]
        return messages[::-1] if last else messages

    def list_threads(self, subject_id: str) -> list[Thread]:
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT m.thread_id, count(*), min(m.received_at), max(m.received_at) FROM message m "
                "WHERE m.subject = (SELECT no FROM subject WHERE subject_id = ?) AND m.visible = 1 "
                "GROUP BY m.thread_id ORDER BY min(m.id)",
                (subject_id,),
            ).fetchall()
        return [journal_rows.thread(row) for row in found]

    def clear_thread(self, subject_id: str, thread_id: str) -> int:
        with self._database.transaction() as connection:
            no = optional_subject_no(connection, subject_id)
            return _hide(connection, "m.subject = ? AND m.thread_id = ?", (no, thread_id))

    def delete_messages(self, subject_id: str, thread_id: str, message_ids: Sequence[str]) -> int:
        with self._database.transaction() as connection:
            no = optional_subject_no(connection, subject_id)
            return _hide(
                connection,
                "m.subject = ? AND m.thread_id = ? AND m.message_id IN (SELECT value FROM json_each(?))",
                (no, thread_id, rows.json_list(message_ids)),
            )

    def set_messages(self, subject_id: str, thread_id: str, messages: Sequence[Message]) -> None:
        with self._database.transaction() as connection:
            no = subject_no(connection, subject_id)
            now = self._database.now()
            _hide(connection, "m.subject = ? AND m.thread_id = ?", (no, thread_id))
            for message in messages:
                _keep(connection, no, message, None, now)

    def annotate_messages(self, subject_id: str, thread_id: str, message_ids: Sequence[str], metadata: Metadata) -> int:
        with self._database.transaction() as connection:
            no = optional_subject_no(connection, subject_id)
            found = connection.execute(
                "SELECT id, body FROM message WHERE subject = ? AND thread_id = ? "
                "AND message_id IN (SELECT value FROM json_each(?)) AND visible = 1",
                (no, thread_id, rows.json_list(message_ids)),
            ).fetchall()
            connection.executemany(
                "UPDATE message SET body = ? WHERE id = ?",
                [(annotated(body, metadata), number) for number, body in found],
            )
            return len(found)

    def delete_thread(self, subject_id: str, thread_id: str, *, forget: bool = False) -> int:
        with self._database.transaction() as connection:
            no = optional_subject_no(connection, subject_id)
            if no is None:
                return 0
            visible: int = connection.execute(
                "SELECT count(*) FROM message WHERE subject = ? AND thread_id = ? AND visible = 1",
                (no, thread_id),
            ).fetchone()[0]
            if forget:
                _forget_thread(connection, no, thread_id)
            else:
                # What waits is renamed out of sight of its identity: it is learnt, then it is deleted.
                connection.execute(
                    "DELETE FROM message WHERE subject = ? AND thread_id = ? AND state <> ?",
                    (no, thread_id, WAITING),
                )
                connection.execute(
                    "UPDATE message SET visible = 0, message_id = ? || id, thread_id = ? "
                    "WHERE subject = ? AND thread_id = ?",
                    (DELETED, DELETED, no, thread_id),
                )
            return visible


def _keep(connection: sqlite3.Connection, no: int, message: Message, run: int | None, now: int) -> bool:
    """Write a message. False when its identity was seen: then it is at most shown again."""
    key = (no, message.thread_id, message.id)
    seen = connection.execute(
        "SELECT id, visible FROM message WHERE subject = ? AND thread_id = ? AND message_id = ?", key
    ).fetchone()
    if seen is not None and seen[1]:
        return False
    number = _next_number(connection, no)
    body = journal_rows.message_body(message)
    if seen is not None:
        connection.execute("UPDATE message SET id = ?, body = ?, visible = 1 WHERE id = ?", (number, body, seen[0]))
        return False
    state = NOT_FOR_LEARNING if run is None else WAITING
    connection.execute(
        "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (number, *key, message.role, body, rows.optional_micros(message.created_at), now, run, state),
    )
    return True


def _next_number(connection: sqlite3.Connection, no: int) -> int:
    seq: int = connection.execute(
        "UPDATE subject SET message_seq = message_seq + 1 WHERE no = ? RETURNING message_seq", (no,)
    ).fetchone()[0]
    return (no << SEQ_BITS) + seq


def _message_number(
    connection: sqlite3.Connection, no: int, thread_id: str | None, message_id: str, default: int
) -> int:
    wanted = conditions({"thread_id = :thread_id": thread_id}) or "TRUE"
    row = connection.execute(
        f"SELECT id FROM message WHERE subject = :no AND message_id = :message_id AND {wanted}",
        {"no": no, "message_id": message_id, "thread_id": thread_id},
    ).fetchone()
    return default if row is None else row[0]


def _hide(connection: sqlite3.Connection, condition: str, values: tuple[object, ...]) -> int:
    """Make messages invisible; what nobody waits for loses its text at once."""
    return connection.execute(
        f"UPDATE message AS m SET visible = 0, body = CASE state WHEN {WAITING} THEN body ELSE '' END "
        f"WHERE {condition} AND m.visible = 1",
        values,
    ).rowcount


def _forget_thread(connection: sqlite3.Connection, no: int, thread_id: str) -> None:
    key, named = (no, thread_id), {"subject": no, "thread": thread_id}
    connection.execute(
        f"UPDATE run AS r SET messages = messages - (SELECT count(*) FROM message m WHERE m.run = r.no "
        f"AND m.state = {WAITING} AND m.thread_id = :thread) WHERE r.subject = :subject AND r.state = 'created'",
        named,
    )
    # A learner that works on the thread right now must not record what it makes of it: its claim is taken away.
    connection.execute(
        "UPDATE run SET token = NULL, owner = NULL, lease_until = 0 WHERE subject = :subject AND state = 'running' "
        f"AND no IN (SELECT run FROM message WHERE subject = :subject AND thread_id = :thread AND state = {WAITING})",
        named,
    )
    connection.execute("DELETE FROM message WHERE subject = ? AND thread_id = ?", key)
    gone = connection.execute("DELETE FROM passage WHERE subject = ? AND thread_id = ? RETURNING id", key).fetchall()
    connection.executemany("DELETE FROM passage_vector WHERE id = ?", gone)
    if gone:
        connection.execute("UPDATE subject SET passage_ver = passage_ver + 1 WHERE no = ?", (no,))
