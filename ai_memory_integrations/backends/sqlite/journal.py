"""Messages and runs in SQLite.

`message.state` says what learning has to do with a message: it is no matter for learning, it waits in run
`message.run`, it is learnt, or it was dropped on request. A hidden message keeps its identity, so that it is never
learnt a second time; its text goes as soon as nothing waits for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import get_args

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.owner import is_gone
from ai_memory_integrations.backends.sqlite.backend import optional_subject_no, subject_no
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.backends.sqlite.schema import SEQ_BITS
from ai_memory_integrations.errors import RunNotFoundError, StaleClaimError
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.ports import Appended, Claim, Journal
from ai_memory_integrations.types import LearningPolicy, Message, Metadata, Role, Run, RunState, Stats, Thread, Usage

_NOT_FOR_LEARNING, _WAITING, _LEARNT, _DROPPED = range(4)

# A run that nobody holds any more. A lease or due time further away than it was ever set comes from a clock that has
# been put back since.
_LOOSE = (
    "({0}.lease_until <= :now OR {0}.lease_until > :now + {0}.lease_length "
    "OR {0}.owner IN (SELECT value FROM json_each(:dead)))"
)

# Learning is serial for each subject. What a learner that is not here left lying does not hold up the others.
_BLOCKED = f"""EXISTS (SELECT 1 FROM run o WHERE o.subject = r.subject AND o.state = 'running'
    AND (o.learner = r.learner OR NOT {_LOOSE.format("o")}))"""

# Said again beside conditions that imply it: without it SQLite does not use the index `run_due`.
_OPEN = "r.state IN ('created', 'running')"

# Conditions are put together, not switched off by parameters: for `? IS NULL OR no = ?` SQLite uses no index.
_CLAIMABLE = f"""
SELECT r.no FROM run r WHERE r.learner = :learner AND {_OPEN} AND {{wanted}}
AND ((r.state = 'running' AND {_LOOSE.format("r")}) OR (r.state = 'created' AND NOT {_BLOCKED}))
ORDER BY r.due_at, r.no LIMIT 1
"""

# When `_CLAIMABLE` would find it: once it is due and nobody holds it.
_NEXT_DUE = f"""
SELECT min(max(
    CASE WHEN r.due_at > :now + r.patience THEN :now ELSE r.due_at END,
    CASE WHEN r.state = 'created' OR {_LOOSE.format("r")} THEN 0 ELSE r.lease_until END))
FROM run r WHERE r.learner = :learner AND {_OPEN}
AND (r.state = 'running' OR NOT {_BLOCKED})
"""


class SQLiteJournal(Journal):
    """`Journal` over one `Database`; what each verb means is said in `ports.Journal`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[None]:
        return self._transaction()

    @property
    def in_transaction(self) -> bool:
        return self._database.in_transaction

    def after_commit(self, call: Callable[[], None]) -> None:
        self._database.after_commit(call)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._database.transaction():
            yield

    # messages

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
            run = _open_run(connection, no, learner, now)
            new = tuple(
                message
                for message in messages
                if _keep(connection, no, message, run if learn and message.role != "system" else None, now)
            )
            waiting = sum(message.role != "system" for message in new) if learn else 0
            _reckon_due(connection, run, waiting, policy, now)
            row = connection.execute("SELECT run_id FROM run WHERE no = ?", (run,)).fetchone()
            return Appended(row[0], new)

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
                f"SELECT {rows.MESSAGE} FROM message WHERE id > ? AND id < ? AND visible = 1 "
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
        messages = [rows.message(row) for row in found]
        return messages[::-1] if last else messages

    def list_threads(self, subject_id: str) -> list[Thread]:
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT m.thread_id, count(*), min(m.received_at), max(m.received_at) FROM message m "
                "WHERE m.subject = (SELECT no FROM subject WHERE subject_id = ?) AND m.visible = 1 "
                "GROUP BY m.thread_id ORDER BY min(m.id)",
                (subject_id,),
            ).fetchall()
        return [rows.thread(row) for row in found]

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
                [(rows.annotated(body, metadata), number) for number, body in found],
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
                    (no, thread_id, _WAITING),
                )
                connection.execute(
                    "UPDATE message SET visible = 0, message_id = ? || id, thread_id = ? "
                    "WHERE subject = ? AND thread_id = ?",
                    (_DELETED, _DELETED, no, thread_id),
                )
            return visible

    # runs

    def claim(
        self,
        learner: str,
        *,
        owner: str,
        lease: float,
        run_id: str | None = None,
        subject_id: str | None = None,
    ) -> Claim | None:
        about: dict[str, object] = {"learner": learner, "run_id": run_id, "subject_id": subject_id}
        named = _conditions({"r.run_id = :run_id": run_id, f"r.subject = {_SUBJECT_NO}": subject_id})
        wanted = named or "(r.due_at <= :now OR r.due_at > :now + r.patience)"
        with self._database.read() as connection:
            if self._claimable(connection, wanted, about) is None:
                return None
        with self._database.transaction() as connection:
            number = self._claimable(connection, wanted, about)
            if number is None:
                return None
            token = new_id("tok")
            now = self._database.now()
            length = int(lease * 1_000_000)
            # What another learner left lying keeps its batch, for when that learner is back.
            connection.execute(
                "UPDATE run SET state = 'created', sealed = 1, token = NULL, owner = NULL, lease_until = 0 "
                "WHERE state = 'running' AND no <> :run AND subject = (SELECT subject FROM run WHERE no = :run)",
                {"run": number},
            )
            connection.execute(
                "UPDATE run SET state = 'running', token = ?, owner = ?, lease_until = ?, lease_length = ?, "
                "attempts = attempts + 1, started_at = coalesce(started_at, ?) WHERE no = ?",
                (token, owner, now + length, length, now, number),
            )
            found = connection.execute(
                f"SELECT {rows.MESSAGE} FROM message WHERE run = ? AND state = {_WAITING} ORDER BY id",
                (number,),
            ).fetchall()
            connection.execute("UPDATE run SET messages = ? WHERE no = ?", (len(found), number))
            run = _run(connection, "r.no = ?", number)
            if run is None:  # cannot be: it was just updated
                raise StaleClaimError(str(number))
            return Claim(run, run.subject_id, token, tuple(rows.message(row) for row in found))

    def _claimable(self, connection: sqlite3.Connection, wanted: str, about: dict[str, object]) -> int | None:
        about = {**about, "now": self._database.now(), "dead": _dead_owners(connection)}
        row = connection.execute(_CLAIMABLE.format(wanted=wanted), about).fetchone()
        return None if row is None else row[0]

    def renew(self, claim: Claim, lease: float) -> bool:
        length = int(lease * 1_000_000)
        with self._database.transaction() as connection:
            changed = connection.execute(
                f"UPDATE run SET lease_until = ?, lease_length = ? WHERE {_HELD}",
                (self._database.now() + length, length, claim.run.id, claim.token),
            ).rowcount
        return changed == 1

    def hold(self, claim: Claim) -> None:
        with self._database.transaction() as connection:
            if connection.execute(f"SELECT 1 FROM run WHERE {_HELD}", (claim.run.id, claim.token)).fetchone() is None:
                raise StaleClaimError(claim.run.id)

    def complete(
        self, claim: Claim, *, edits: int, passages: int, skipped: Mapping[str, str], usage: Usage | None
    ) -> None:
        with self._database.transaction() as connection:
            self.hold(claim)
            number = connection.execute("SELECT no FROM run WHERE run_id = ?", (claim.run.id,)).fetchone()[0]
            # Deleted threads leave no trace once they are learnt; hidden messages leave their identity.
            connection.execute(
                f"DELETE FROM message WHERE run = ? AND state = {_WAITING} AND thread_id = ?",
                (number, _DELETED),
            )
            connection.execute(
                f"UPDATE message SET state = {_LEARNT}, body = CASE visible WHEN 1 THEN body ELSE '' END "
                f"WHERE run = ? AND state = {_WAITING}",
                (number,),
            )
            connection.execute(
                "UPDATE run SET state = 'completed', ended_at = ?, token = NULL, owner = NULL, lease_until = 0, "
                "error = NULL, edits = ?, passages = ?, skipped = ?, usage = ? WHERE no = ?",
                (
                    self._database.now(),
                    edits,
                    passages,
                    rows.dumps(dict(skipped)),
                    _spent(connection, claim, usage),
                    number,
                ),
            )

    def postpone(
        self, claim: Claim, *, error: str, delay: float, usage: Usage | None = None, counted: bool = True
    ) -> None:
        wait = int(delay * 1_000_000)
        self._end_claim(
            claim,
            usage,
            "due_at = ?, patience = ?, attempts = attempts - ?, lease_until = 0, token = NULL, owner = NULL, error = ?",
            (self._database.now() + wait, wait, int(not counted), error),
        )

    def fail(self, claim: Claim, *, error: str, usage: Usage | None = None) -> None:
        self._end_claim(
            claim,
            usage,
            "state = 'failed', ended_at = ?, lease_until = 0, token = NULL, owner = NULL, error = ?",
            (self._database.now(), error),
        )

    def _end_claim(self, claim: Claim, usage: Usage | None, assignments: str, values: tuple[object, ...]) -> None:
        with self._database.transaction() as connection:
            self.hold(claim)
            connection.execute(
                f"UPDATE run SET usage = ?, {assignments} WHERE {_HELD}",
                (_spent(connection, claim, usage), *values, claim.run.id, claim.token),
            )

    def make_due(
        self, *, run_id: str | None = None, subject_id: str | None = None, postponed: bool = True
    ) -> list[str]:
        states = "('created', 'running')" if postponed else "('created')"
        wanted = _conditions({"run_id = :run_id": run_id, f"subject = {_SUBJECT_NO}": subject_id}) or "TRUE"
        with self._database.transaction() as connection:
            found = connection.execute(
                f"UPDATE run SET due_at = min(due_at, :now) WHERE state IN {states} AND {wanted} RETURNING run_id",
                {"now": self._database.now(), "run_id": run_id, "subject_id": subject_id},
            ).fetchall()
        return [name for (name,) in found]

    def next_due(self, learner: str) -> float | None:
        with self._database.read() as connection:
            now = self._database.now()
            row = connection.execute(
                _NEXT_DUE, {"learner": learner, "now": now, "dead": _dead_owners(connection)}
            ).fetchone()
        return None if row[0] is None else (row[0] - now) / 1_000_000

    def get_run(self, run_id: str) -> Run | None:
        with self._database.read() as connection:
            return _run(connection, "r.run_id = ?", run_id)

    def list_runs(
        self, subject_id: str | None = None, *, state: str | None = None, limit: int | None = None
    ) -> list[Run]:
        wanted = _conditions({f"r.subject = {_SUBJECT_NO}": subject_id, _IN_STATE.get(state, "FALSE"): state}) or "TRUE"
        with self._database.read() as connection:
            found = connection.execute(
                f"SELECT {rows.RUN} FROM run r JOIN subject s ON s.no = r.subject WHERE {wanted} "
                "ORDER BY r.no DESC LIMIT :limit",
                {"subject_id": subject_id, "limit": -1 if limit is None else limit},
            ).fetchall()
        return [rows.run(row) for row in found]

    def retry_run(self, run_id: str) -> Run:
        # The batch stays as it was: a sealed run collects no more messages.
        return self._change_run(
            run_id,
            "state = 'created', sealed = 1, due_at = :now, patience = 0, attempts = 0, ended_at = NULL",
            only="state = 'failed'",
        )

    def cancel_run(self, run_id: str) -> Run:
        with self._database.transaction() as connection:
            run = self._change_run(
                run_id,
                "state = 'cancelled', ended_at = :now, token = NULL, owner = NULL, lease_until = 0",
                only="state IN ('created', 'running', 'failed')",
            )
            connection.execute(
                f"UPDATE message SET state = {_DROPPED}, body = CASE visible WHEN 1 THEN body ELSE '' END "
                f"WHERE state = {_WAITING} AND run = (SELECT no FROM run WHERE run_id = ? AND state = 'cancelled')",
                (run_id,),
            )
            return run

    def _change_run(self, run_id: str, assignments: str, *, only: str) -> Run:
        with self._database.transaction() as connection:
            connection.execute(
                f"UPDATE run SET {assignments} WHERE run_id = :run_id AND {only}",
                {"run_id": run_id, "now": self._database.now()},
            )
            run = _run(connection, "r.run_id = ?", run_id)
            if run is None:
                raise RunNotFoundError(run_id)
            return run

    def pending(self, learner: str) -> bool:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM run WHERE learner = ? AND state IN ('created', 'running') LIMIT 1", (learner,)
            ).fetchone()
        return row is not None

    def usage(self, subject_id: str | None = None, *, since: datetime | None = None) -> dict[str, Usage]:
        wanted = _conditions({f"r.subject = {_SUBJECT_NO}": subject_id}) or "TRUE"
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT s.subject_id, r.usage FROM run r JOIN subject s ON s.no = r.subject WHERE r.usage IS NOT NULL "
                f"AND {wanted} AND coalesce(r.ended_at, r.due_at) >= :since ORDER BY s.subject_id",
                {"subject_id": subject_id, "since": 0 if since is None else rows.micros(since)},
            ).fetchall()
        return rows.spent(found)

    def adopt(self, from_learner: str, to_learner: str) -> int:
        with self._database.transaction() as connection:
            about = {
                "old": from_learner,
                "new": to_learner,
                "now": self._database.now(),
                "dead": _dead_owners(connection),
            }
            # Sealed, because the other learner may have an open run of its own for the subject.
            found = connection.execute(
                "UPDATE run AS r SET learner = :new, sealed = 1, token = NULL, owner = NULL, lease_until = 0, "
                "state = CASE state WHEN 'running' THEN 'created' ELSE state END WHERE learner = :old "
                f"AND (state IN ('created', 'failed') OR (state = 'running' AND {_LOOSE.format('r')})) RETURNING no",
                about,
            ).fetchall()
            count: int = connection.execute(
                f"SELECT count(*) FROM message WHERE state = {_WAITING} AND run IN (SELECT value FROM json_each(?))",
                (rows.json_list(no for (no,) in found),),
            ).fetchone()[0]
            return count

    def waiting_learners(self) -> dict[str, int]:
        with self._database.read() as connection:
            found = connection.execute(
                f"SELECT r.learner, count(*) FROM message m JOIN run r ON r.no = m.run WHERE m.state = {_WAITING} "
                "GROUP BY r.learner ORDER BY r.learner"
            ).fetchall()
        return dict(found)

    def stats(self) -> Stats:
        with self._database.read() as connection:
            waiting, oldest = connection.execute(
                f"SELECT count(*), min(received_at) FROM message WHERE state = {_WAITING}"
            ).fetchone()
            subjects = connection.execute("SELECT count(*) FROM subject").fetchone()[0]
            running = connection.execute("SELECT count(*) FROM run WHERE state = 'running'").fetchone()[0]
            failed = connection.execute("SELECT count(*) FROM run WHERE state = 'failed'").fetchone()[0]
        return Stats(
            subjects=subjects,
            waiting=waiting,
            running=running,
            failed=failed,
            oldest=rows.optional_moment(oldest),
        )

    def close(self) -> None:
        self._database.close()


_SUBJECT_NO = "(SELECT no FROM subject WHERE subject_id = :subject_id)"
# A literal, so that the indexes of single states can be used.
_IN_STATE: dict[str | None, str] = {state: f"r.state = '{state}'" for state in get_args(RunState)}
_HELD = "run_id = ? AND token = ? AND state = 'running'"
_NOT_RECKONED = 2**62  # the due time of a run that was just made
_DELETED = "\x7fdeleted"  # no thread and no message of the application is named so: control characters are refused


def _open_run(connection: sqlite3.Connection, no: int, learner: str, now: int) -> int:
    """The number of the run that collects this subject's messages."""
    row = connection.execute(
        "SELECT no FROM run WHERE subject = ? AND learner = ? AND state = 'created' AND sealed = 0",
        (no, learner),
    ).fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO run(run_id, subject, learner, state, created_at, due_at) VALUES (?, ?, ?, 'created', ?, ?) "
            "RETURNING no",
            (new_id("run"), no, learner, now, _NOT_RECKONED),
        ).fetchone()
    number: int = row[0]
    return number


def _keep(connection: sqlite3.Connection, no: int, message: Message, run: int | None, now: int) -> bool:
    """Write a message. False when its identity was seen: then it is at most shown again."""
    key = (no, message.thread_id, message.id)
    seen = connection.execute(
        "SELECT id, visible FROM message WHERE subject = ? AND thread_id = ? AND message_id = ?", key
    ).fetchone()
    if seen is not None and seen[1]:
        return False
    number = _next_number(connection, no)
    body = rows.message_body(message)
    if seen is not None:
        connection.execute("UPDATE message SET id = ?, body = ?, visible = 1 WHERE id = ?", (number, body, seen[0]))
        return False
    state = _NOT_FOR_LEARNING if run is None else _WAITING
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


def _spent(connection: sqlite3.Connection, claim: Claim, usage: Usage | None) -> str | None:
    """What a run has spent over all its attempts, this one included, as its column holds it."""
    before: str | None = connection.execute("SELECT usage FROM run WHERE run_id = ?", (claim.run.id,)).fetchone()[0]
    if usage is None:
        return before
    return (usage if before is None else Usage.model_validate_json(before) + usage).model_dump_json()


def _reckon_due(connection: sqlite3.Connection, run: int, waiting: int, policy: LearningPolicy, now: int) -> None:
    """When the open run is due: with a full batch at once, else when nobody adds more or the first waits too long.

    A run that is due stays so whatever comes in: somebody may be waiting for it.
    """
    idle, longest = int(policy.idle * 1_000_000), int(policy.max_wait * 1_000_000)
    connection.execute(
        "UPDATE run SET messages = messages + :waiting, patience = :longest, due_at = CASE "
        "WHEN due_at <= :now THEN due_at "
        "WHEN messages + :waiting >= :batch THEN :now "
        "WHEN :waiting = 0 AND messages > 0 THEN due_at "
        "ELSE min(created_at + :longest, :now + :idle) END WHERE no = :run",
        {"waiting": waiting, "batch": policy.batch, "now": now, "idle": idle, "longest": longest, "run": run},
    )


def _message_number(
    connection: sqlite3.Connection, no: int, thread_id: str | None, message_id: str, default: int
) -> int:
    wanted = _conditions({"thread_id = :thread_id": thread_id}) or "TRUE"
    row = connection.execute(
        f"SELECT id FROM message WHERE subject = :no AND message_id = :message_id AND {wanted}",
        {"no": no, "message_id": message_id, "thread_id": thread_id},
    ).fetchone()
    return default if row is None else row[0]


def _conditions(given: Mapping[str, object]) -> str:
    """Those conditions that have a value, as one; "" for none."""
    return " AND ".join(condition for condition, value in given.items() if value is not None)


def _hide(connection: sqlite3.Connection, condition: str, values: tuple[object, ...]) -> int:
    """Make messages invisible; what nobody waits for loses its text at once."""
    return connection.execute(
        f"UPDATE message AS m SET visible = 0, body = CASE state WHEN {_WAITING} THEN body ELSE '' END "
        f"WHERE {condition} AND m.visible = 1",
        values,
    ).rowcount


def _forget_thread(connection: sqlite3.Connection, no: int, thread_id: str) -> None:
    key, named = (no, thread_id), {"subject": no, "thread": thread_id}
    connection.execute(
        f"UPDATE run AS r SET messages = messages - (SELECT count(*) FROM message m WHERE m.run = r.no "
        f"AND m.state = {_WAITING} AND m.thread_id = :thread) WHERE r.subject = :subject AND r.state = 'created'",
        named,
    )
    # A learner that works on the thread right now must not record what it makes of it: its claim is taken away.
    connection.execute(
        "UPDATE run SET token = NULL, owner = NULL, lease_until = 0 WHERE subject = :subject AND state = 'running' "
        f"AND no IN (SELECT run FROM message WHERE subject = :subject AND thread_id = :thread AND state = {_WAITING})",
        named,
    )
    connection.execute("DELETE FROM message WHERE subject = ? AND thread_id = ?", key)
    gone = connection.execute("DELETE FROM passage WHERE subject = ? AND thread_id = ? RETURNING id", key).fetchall()
    connection.executemany("DELETE FROM passage_vector WHERE id = ?", gone)
    if gone:
        connection.execute("UPDATE subject SET passage_ver = passage_ver + 1 WHERE no = ?", (no,))


def _run(connection: sqlite3.Connection, condition: str, value: object) -> Run | None:
    row = connection.execute(
        f"SELECT {rows.RUN} FROM run r JOIN subject s ON s.no = r.subject WHERE {condition}", (value,)
    ).fetchone()
    return None if row is None else rows.run(row)


def _dead_owners(connection: sqlite3.Connection) -> str:
    """Owners whose process has ended: what they held can be taken without waiting for the lease."""
    owners = connection.execute("SELECT owner FROM run WHERE state = 'running' AND owner IS NOT NULL").fetchall()
    return rows.json_list(owner for (owner,) in owners if is_gone(owner))
