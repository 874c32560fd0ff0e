"""Messages in PostgreSQL.

`message.state` says what learning has to do with a message: it is no matter for learning, it waits in run
`message.run`, it is learnt, or it was dropped on request. A hidden message keeps its identity, so that it is never
learnt a second time; its text goes as soon as nothing waits for it.

A verb locks the subject first and looks afterwards: what it then reads nobody changes before it has ended.
"""

from __future__ import annotations

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
from ai_memory_integrations.backends.postgres.backend import subject_no
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.backends.postgres.runs import open_run, reckon_due
from ai_memory_integrations.backends.postgres.session import Session
from ai_memory_integrations.ports import Appended
from ai_memory_integrations.types import LearningPolicy, Message, Metadata, Role, Thread


class Messages:
    """The verbs of `ports.Journal` that are about messages."""

    _database: Database

    @repeated
    def append(
        self,
        subject_id: str,
        messages: Sequence[Message],
        *,
        learner: str,
        policy: LearningPolicy,
        learn: bool = True,
    ) -> Appended:
        with self._database.transaction() as session:
            no = subject_no(session, subject_id)
            now = session.now()
            run, run_id = open_run(session, no, learner, now)
            new = _keep(session, no, messages, run if learn else None, now)
            waiting = sum(message.role != "system" for message in new) if learn else 0
            reckon_due(session, run, waiting, policy, now)
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
        with self._database.read() as session:
            no = session.subject_no(subject_id)
            if no is None:
                return []
            low, high = 0, _BEHIND_ALL
            if after is not None:
                low = _message_seq(session, no, thread_id, after, high)
            if before is not None:
                high = _message_seq(session, no, thread_id, before, low)
            last = limit is not None and after is None
            wanted = conditions({"thread_id = %(thread_id)s": thread_id, "role = ANY(%(roles)s)": roles}) or "TRUE"
            found = session.execute(
                f"SELECT {MESSAGE} FROM ai_memory.message WHERE subject = %(no)s AND seq > %(low)s "
                f"AND seq < %(high)s AND visible AND {wanted} ORDER BY seq {'DESC' if last else 'ASC'} LIMIT %(limit)s",
                {
                    "no": no,
                    "low": low,
                    "high": high,
                    "thread_id": thread_id,
                    "roles": None if roles is None else list(roles),
                    "limit": limit,
                },
            ).fetchall()
        messages = [journal_rows.message(row) for row in found]
        return messages[::-1] if last else messages

    def list_threads(self, subject_id: str) -> list[Thread]:
        with self._database.read(subject_id) as session:
            found = session.execute(
                "SELECT m.thread_id, count(*), min(m.received_at), max(m.received_at) FROM ai_memory.message m "
                "WHERE m.subject = (SELECT no FROM ai_memory.subject WHERE subject_id = %s) AND m.visible "
                "GROUP BY m.thread_id ORDER BY min(m.seq)",
                (subject_id,),
            ).fetchall()
        return [journal_rows.thread(row) for row in found]

    @repeated
    def clear_thread(self, subject_id: str, thread_id: str) -> int:
        with self._database.transaction() as session:
            return _hide(session, "m.subject = %s AND m.thread_id = %s", (session.subject_no(subject_id), thread_id))

    @repeated
    def delete_messages(self, subject_id: str, thread_id: str, message_ids: Sequence[str]) -> int:
        with self._database.transaction() as session:
            return _hide(
                session,
                "m.subject = %s AND m.thread_id = %s AND m.message_id = ANY(%s)",
                (session.subject_no(subject_id), thread_id, list(message_ids)),
            )

    @repeated
    def set_messages(self, subject_id: str, thread_id: str, messages: Sequence[Message]) -> None:
        with self._database.transaction() as session:
            no = subject_no(session, subject_id)
            _hide(session, "m.subject = %s AND m.thread_id = %s", (no, thread_id))
            _keep(session, no, messages, None, session.now())

    @repeated
    def annotate_messages(self, subject_id: str, thread_id: str, message_ids: Sequence[str], metadata: Metadata) -> int:
        with self._database.transaction() as session:
            no = session.subject_no(subject_id)
            found = session.execute(
                "SELECT seq, body FROM ai_memory.message WHERE subject = %s AND thread_id = %s "
                "AND message_id = ANY(%s) AND visible",
                (no, thread_id, list(message_ids)),
            ).fetchall()
            session.many(
                "UPDATE ai_memory.message SET body = %s WHERE subject = %s AND seq = %s",
                [(annotated(body, metadata), no, seq) for seq, body in found],
            )
            return len(found)

    @repeated
    def delete_thread(self, subject_id: str, thread_id: str, *, forget: bool = False) -> int:
        with self._database.transaction() as session:
            no = session.subject_no(subject_id)
            if no is None:
                return 0
            key = (no, thread_id)
            visible: int = session.value(
                "SELECT count(*) FROM ai_memory.message WHERE subject = %s AND thread_id = %s AND visible", key
            )
            if forget:
                _forget_thread(session, no, thread_id)
            else:
                # What waits is renamed out of sight of its identity: it is learnt, then it is deleted.
                session.execute(
                    f"DELETE FROM ai_memory.message WHERE subject = %s AND thread_id = %s AND state <> {WAITING}",
                    key,
                )
                session.execute(
                    "UPDATE ai_memory.message SET visible = FALSE, message_id = %s || seq, thread_id = %s "
                    "WHERE subject = %s AND thread_id = %s",
                    (DELETED, DELETED, *key),
                )
            return visible


_BEHIND_ALL = 2**62


def _keep(session: Session, no: int, messages: Sequence[Message], run: int | None, now: int) -> tuple[Message, ...]:
    """Write messages; those whose identity is new. One that was seen is at most shown again."""
    found = session.execute(
        "SELECT thread_id, message_id, visible FROM ai_memory.message WHERE subject = %s "
        "AND (thread_id, message_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
        (no, [message.thread_id for message in messages], [message.id for message in messages]),
    )
    visible: dict[tuple[str, str], bool] = {(thread, name): shown for thread, name, shown in found}
    kept: list[tuple[Message, bool]] = []  # with whether the identity is new
    for message in messages:
        key = (message.thread_id, message.id)
        if not visible.get(key):
            kept.append((message, key not in visible))
            visible[key] = True
    if not kept:
        return ()
    last: int = session.value(
        "UPDATE ai_memory.subject SET message_seq = message_seq + %s WHERE no = %s RETURNING message_seq",
        (len(kept), no),
    )
    numbered = [(last - len(kept) + place, *each) for place, each in enumerate(kept, 1)]
    session.many(
        "UPDATE ai_memory.message SET seq = %s, body = %s, visible = TRUE "
        "WHERE subject = %s AND thread_id = %s AND message_id = %s",
        [
            (seq, journal_rows.message_body(message), no, message.thread_id, message.id)
            for seq, message, is_new in numbered
            if not is_new
        ],
    )
    session.many(
        "INSERT INTO ai_memory.message VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, TRUE)",
        [
            (
                no,
                seq,
                message.thread_id,
                message.id,
                message.role,
                journal_rows.message_body(message),
                rows.optional_micros(message.created_at),
                now,
                *((None, NOT_FOR_LEARNING) if run is None or message.role == "system" else (run, WAITING)),
            )
            for seq, message, is_new in numbered
            if is_new
        ],
    )
    return tuple(message for message, is_new in kept if is_new)


def _message_seq(session: Session, no: int, thread_id: str | None, message_id: str, default: int) -> int:
    wanted = conditions({"thread_id = %(thread_id)s": thread_id}) or "TRUE"
    found: int | None = session.value(
        f"SELECT seq FROM ai_memory.message WHERE subject = %(no)s AND message_id = %(message_id)s AND {wanted}",
        {"no": no, "message_id": message_id, "thread_id": thread_id},
    )
    return default if found is None else found


def _hide(session: Session, condition: str, values: tuple[object, ...]) -> int:
    """Make messages invisible; what nobody waits for loses its text at once."""
    return session.execute(
        f"UPDATE ai_memory.message AS m SET visible = FALSE, body = CASE state WHEN {WAITING} THEN body ELSE '' END "
        f"WHERE {condition} AND m.visible",
        values,
    ).rowcount


def _forget_thread(session: Session, no: int, thread_id: str) -> None:
    key, named = (no, thread_id), {"subject": no, "thread": thread_id}
    session.execute(
        "UPDATE ai_memory.run AS r SET messages = messages - (SELECT count(*) FROM ai_memory.message m "
        f"WHERE m.run = r.no AND m.state = {WAITING} AND m.thread_id = %(thread)s) "
        "WHERE r.subject = %(subject)s AND r.state = 'created'",
        named,
    )
    # A learner that works on the thread right now must not record what it makes of it: its claim is taken away.
    session.execute(
        "UPDATE ai_memory.run SET token = NULL, owner = NULL, lease_until = 0 "
        "WHERE subject = %(subject)s AND state = 'running' AND no IN (SELECT run FROM ai_memory.message "
        f"WHERE subject = %(subject)s AND thread_id = %(thread)s AND state = {WAITING})",
        named,
    )
    session.execute("DELETE FROM ai_memory.message WHERE subject = %s AND thread_id = %s", key)
    gone = session.execute(
        "DELETE FROM ai_memory.passage WHERE subject = %s AND thread_id = %s RETURNING seq", key
    ).fetchall()
    if gone:
        session.execute(
            "DELETE FROM ai_memory.passage_vector WHERE subject = %s AND seq = ANY(%s)", (no, [seq for (seq,) in gone])
        )
        session.execute("UPDATE ai_memory.subject SET passage_ver = passage_ver + 1 WHERE no = %s", (no,))
