"""Messages and runs in PostgreSQL.

`message.state` says what learning has to do with a message: it is no matter for learning, it waits in run
`message.run`, it is learnt, or it was dropped on request. A hidden message keeps its identity, so that it is never
learnt a second time; its text goes as soon as nothing waits for it.

A verb locks the subject first and looks afterwards: what it then reads nobody changes before it has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, get_args

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.owner import is_gone
from ai_memory_integrations.backends.postgres.backend import subject_no
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.backends.postgres.session import Session
from ai_memory_integrations.errors import RunNotFoundError, StaleClaimError
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.ports import Appended, Claim, Journal
from ai_memory_integrations.types import LearningPolicy, Message, Metadata, Role, Run, RunState, Stats, Thread, Usage

_NOT_FOR_LEARNING, _WAITING, _LEARNT, _DROPPED = range(4)

# A run that nobody holds any more. A lease or due time further away than it was ever set comes from a clock that has
# been put back since.
_LOOSE = "({0}.lease_until <= %(now)s OR {0}.lease_until > %(now)s + {0}.lease_length OR {0}.owner = ANY(%(dead)s))"

# Learning is serial for each subject. What a learner that is not here left lying does not hold up the others.
_BLOCKED = f"""EXISTS (SELECT 1 FROM ai_memory.run o WHERE o.subject = r.subject AND o.state = 'running'
    AND (o.learner = r.learner OR NOT {_LOOSE.format("o")}))"""

# Said again beside conditions that imply it, for the sake of the index `run_due`.
_OPEN = "r.state IN ('created', 'running')"

_CLAIMABLE = f"""
FROM ai_memory.run r JOIN ai_memory.subject s ON s.no = r.subject
WHERE r.learner = %(learner)s AND {_OPEN} AND {{wanted}}
AND ((r.state = 'running' AND {_LOOSE.format("r")}) OR (r.state = 'created' AND NOT {_BLOCKED}))
ORDER BY r.due_at, r.no LIMIT 1
"""
_DUE = "(r.due_at <= %(now)s OR r.due_at > %(now)s + r.patience)"

# When `_CLAIMABLE` would find it: once it is due and nobody holds it.
_NEXT_DUE = f"""
SELECT min(greatest(
    CASE WHEN r.due_at > %(now)s + r.patience THEN %(now)s ELSE r.due_at END,
    CASE WHEN r.state = 'created' OR {_LOOSE.format("r")} THEN 0 ELSE r.lease_until END))
FROM ai_memory.run r WHERE r.learner = %(learner)s AND {_OPEN}
AND (r.state = 'running' OR NOT {_BLOCKED})
"""


class PostgresJournal(Journal):
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
            run, run_id = _open_run(session, no, learner, now)
            new = _keep(session, no, messages, run if learn else None, now)
            waiting = sum(message.role != "system" for message in new) if learn else 0
            _reckon_due(session, run, waiting, policy, now)
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
            wanted = _conditions({"thread_id = %(thread_id)s": thread_id, "role = ANY(%(roles)s)": roles}) or "TRUE"
            found = session.execute(
                f"SELECT {rows.MESSAGE} FROM ai_memory.message WHERE subject = %(no)s AND seq > %(low)s "
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
        messages = [rows.message(row) for row in found]
        return messages[::-1] if last else messages

    def list_threads(self, subject_id: str) -> list[Thread]:
        with self._database.read(subject_id) as session:
            found = session.execute(
                "SELECT m.thread_id, count(*), min(m.received_at), max(m.received_at) FROM ai_memory.message m "
                "WHERE m.subject = (SELECT no FROM ai_memory.subject WHERE subject_id = %s) AND m.visible "
                "GROUP BY m.thread_id ORDER BY min(m.seq)",
                (subject_id,),
            ).fetchall()
        return [rows.thread(row) for row in found]

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
                [(rows.annotated(body, metadata), no, seq) for seq, body in found],
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
                    f"DELETE FROM ai_memory.message WHERE subject = %s AND thread_id = %s AND state <> {_WAITING}", key
                )
                session.execute(
                    "UPDATE ai_memory.message SET visible = FALSE, message_id = %s || seq, thread_id = %s "
                    "WHERE subject = %s AND thread_id = %s",
                    (_DELETED, _DELETED, *key),
                )
            return visible

    # runs

    @repeated
    def claim(
        self,
        learner: str,
        *,
        owner: str,
        lease: float,
        run_id: str | None = None,
        subject_id: str | None = None,
    ) -> Claim | None:
        about: dict[str, Any] = {"learner": learner, "run_id": run_id, "subject_id": subject_id}
        wanted = _conditions({"r.run_id = %(run_id)s": run_id, f"r.subject = {_SUBJECT_NO}": subject_id}) or _DUE
        with self._database.read() as session:
            if _claimable(session, wanted, about) is None:
                return None
        with self._database.transaction() as session:
            number = _claimable_and_locked(session, wanted, about)
            if number is None:
                return None
            token = new_id("tok")
            now = session.now()
            length = int(lease * 1_000_000)
            # What another learner left lying keeps its batch, for when that learner is back.
            session.execute(
                "UPDATE ai_memory.run SET state = 'created', sealed = TRUE, token = NULL, owner = NULL, "
                "lease_until = 0 WHERE state = 'running' AND no <> %(run)s "
                "AND subject = (SELECT subject FROM ai_memory.run WHERE no = %(run)s)",
                {"run": number},
            )
            found = session.execute(
                f"SELECT {rows.MESSAGE} FROM ai_memory.message WHERE run = %s AND state = {_WAITING} ORDER BY seq",
                (number,),
            ).fetchall()
            session.execute(
                "UPDATE ai_memory.run SET state = 'running', token = %s, owner = %s, lease_until = %s, "
                "lease_length = %s, attempts = attempts + 1, started_at = coalesce(started_at, %s), messages = %s "
                "WHERE no = %s",
                (token, owner, now + length, length, now, len(found), number),
            )
            run = _run(session, "r.no = %s", number)
            if run is None:  # cannot be: it was just updated
                raise StaleClaimError(str(number))
            return Claim(run, run.subject_id, token, tuple(rows.message(row) for row in found))

    @repeated
    def renew(self, claim: Claim, lease: float) -> bool:
        length = int(lease * 1_000_000)
        with self._database.transaction() as session:
            session.subject_no(claim.subject_id)
            changed = session.execute(
                f"UPDATE ai_memory.run SET lease_until = ai_memory.now_us() + %s, lease_length = %s WHERE {_HELD}",
                (length, length, claim.run.id, claim.token),
            ).rowcount
        return changed == 1

    @repeated
    def hold(self, claim: Claim) -> None:
        with self._database.transaction() as session:
            _held(session, claim)

    @repeated
    def complete(
        self, claim: Claim, *, edits: int, passages: int, skipped: Mapping[str, str], usage: Usage | None
    ) -> None:
        with self._database.transaction() as session:
            number = _held(session, claim)
            # Deleted threads leave no trace once they are learnt; hidden messages leave their identity.
            session.execute(
                f"DELETE FROM ai_memory.message WHERE run = %s AND state = {_WAITING} AND thread_id = %s",
                (number, _DELETED),
            )
            session.execute(
                f"UPDATE ai_memory.message SET state = {_LEARNT}, body = CASE WHEN visible THEN body ELSE '' END "
                f"WHERE run = %s AND state = {_WAITING}",
                (number,),
            )
            session.execute(
                "UPDATE ai_memory.run SET state = 'completed', ended_at = ai_memory.now_us(), token = NULL, "
                "owner = NULL, lease_until = 0, error = NULL, edits = %s, passages = %s, skipped = %s, usage = %s "
                "WHERE no = %s",
                (edits, passages, rows.dumps(dict(skipped)), _spent(session, number, usage), number),
            )

    def postpone(
        self, claim: Claim, *, error: str, delay: float, usage: Usage | None = None, counted: bool = True
    ) -> None:
        wait = int(delay * 1_000_000)
        self._end_claim(
            claim,
            usage,
            "due_at = ai_memory.now_us() + %s, patience = %s, attempts = attempts - %s, error = %s",
            (wait, wait, int(not counted), error),
        )

    def fail(self, claim: Claim, *, error: str, usage: Usage | None = None) -> None:
        self._end_claim(claim, usage, "state = 'failed', ended_at = ai_memory.now_us(), error = %s", (error,))

    @repeated
    def _end_claim(self, claim: Claim, usage: Usage | None, assignments: str, values: tuple[object, ...]) -> None:
        with self._database.transaction() as session:
            number = _held(session, claim)
            session.execute(
                f"UPDATE ai_memory.run SET usage = %s, lease_until = 0, token = NULL, owner = NULL, {assignments} "
                "WHERE no = %s",
                (_spent(session, number, usage), *values, number),
            )

    @repeated
    def make_due(
        self, *, run_id: str | None = None, subject_id: str | None = None, postponed: bool = True
    ) -> list[str]:
        about = {"run_id": run_id, "subject_id": subject_id}
        wanted = _conditions({"r.run_id = %(run_id)s": run_id, f"r.subject = {_SUBJECT_NO}": subject_id}) or "TRUE"
        wanted = f"r.state IN {_OPEN_STATES if postponed else _CREATED} AND {wanted}"
        with self._database.transaction() as session:
            _lock_subjects_of(session, wanted, about)
            found = session.execute(
                "UPDATE ai_memory.run r SET due_at = least(r.due_at, ai_memory.now_us()) "
                f"WHERE {wanted} RETURNING r.run_id",
                about,
            ).fetchall()
        return [name for (name,) in found]

    def next_due(self, learner: str) -> float | None:
        with self._database.read() as session:
            now, dead = _now_and_dead_owners(session)
            due = session.value(_NEXT_DUE, {"learner": learner, "now": now, "dead": dead})
        return None if due is None else (due - now) / 1_000_000

    def get_run(self, run_id: str) -> Run | None:
        with self._database.read() as session:
            return _run(session, "r.run_id = %s", run_id)

    def list_runs(
        self, subject_id: str | None = None, *, state: str | None = None, limit: int | None = None
    ) -> list[Run]:
        wanted = _conditions({f"r.subject = {_SUBJECT_NO}": subject_id, _IN_STATE.get(state, "FALSE"): state}) or "TRUE"
        with self._database.read(subject_id) as session:
            found = session.execute(
                f"SELECT {rows.RUN} {_RUNS} WHERE {wanted} ORDER BY r.no DESC LIMIT %(limit)s",
                {"subject_id": subject_id, "limit": limit},
            ).fetchall()
        return [rows.run(row) for row in found]

    def retry_run(self, run_id: str) -> Run:
        # The batch stays as it was: a sealed run collects no more messages.
        return self._change_run(
            run_id,
            "state = 'created', sealed = TRUE, due_at = ai_memory.now_us(), patience = 0, attempts = 0, "
            "ended_at = NULL",
            only="state = 'failed'",
        )

    @repeated
    def cancel_run(self, run_id: str) -> Run:
        with self._database.transaction() as session:
            run = self._change_run(
                run_id,
                "state = 'cancelled', ended_at = ai_memory.now_us(), token = NULL, owner = NULL, lease_until = 0",
                only="state IN ('created', 'running', 'failed')",
            )
            session.execute(
                f"UPDATE ai_memory.message SET state = {_DROPPED}, body = CASE WHEN visible THEN body ELSE '' END "
                f"WHERE state = {_WAITING} "
                "AND run = (SELECT no FROM ai_memory.run WHERE run_id = %s AND state = 'cancelled')",
                (run_id,),
            )
            return run

    @repeated
    def _change_run(self, run_id: str, assignments: str, *, only: str) -> Run:
        with self._database.transaction() as session:
            _lock_subjects_of(session, "r.run_id = %(run_id)s", {"run_id": run_id})
            session.execute(f"UPDATE ai_memory.run SET {assignments} WHERE run_id = %s AND {only}", (run_id,))
            run = _run(session, "r.run_id = %s", run_id)
            if run is None:
                raise RunNotFoundError(run_id)
            return run

    def pending(self, learner: str) -> bool:
        with self._database.read() as session:
            found = session.value(
                f"SELECT 1 FROM ai_memory.run WHERE learner = %s AND state IN {_OPEN_STATES} LIMIT 1", (learner,)
            )
        return found is not None

    def usage(self, subject_id: str | None = None, *, since: datetime | None = None) -> dict[str, Usage]:
        wanted = _conditions({f"r.subject = {_SUBJECT_NO}": subject_id}) or "TRUE"
        with self._database.read(subject_id) as session:
            found = session.execute(
                f"SELECT s.subject_id, r.usage {_RUNS} WHERE r.usage IS NOT NULL AND {wanted} "
                "AND coalesce(r.ended_at, r.due_at) >= %(since)s ORDER BY s.subject_id",
                {"subject_id": subject_id, "since": 0 if since is None else rows.micros(since)},
            ).fetchall()
        return rows.spent(found)

    @repeated
    def adopt(self, from_learner: str, to_learner: str) -> int:
        with self._database.transaction() as session:
            now, dead = _now_and_dead_owners(session)
            about = {"old": from_learner, "new": to_learner, "now": now, "dead": dead}
            wanted = (
                "r.learner = %(old)s AND (r.state IN ('created', 'failed') "
                f"OR (r.state = 'running' AND {_LOOSE.format('r')}))"
            )
            _lock_subjects_of(session, wanted, about)
            # Sealed, because the other learner may have an open run of its own for the subject.
            found = session.execute(
                "UPDATE ai_memory.run r SET learner = %(new)s, sealed = TRUE, token = NULL, owner = NULL, "
                "lease_until = 0, state = CASE r.state WHEN 'running' THEN 'created' ELSE r.state END "
                f"WHERE {wanted} RETURNING r.no",
                about,
            ).fetchall()
            return int(
                session.value(
                    f"SELECT count(*) FROM ai_memory.message WHERE state = {_WAITING} AND run = ANY(%s)",
                    ([no for (no,) in found],),
                )
            )

    def waiting_learners(self) -> dict[str, int]:
        with self._database.read() as session:
            found = session.execute(
                "SELECT r.learner, count(*) FROM ai_memory.message m JOIN ai_memory.run r ON r.no = m.run "
                f"WHERE m.state = {_WAITING} GROUP BY r.learner ORDER BY r.learner"
            ).fetchall()
        return dict(found)

    def stats(self) -> Stats:
        with self._database.read() as session:
            waiting, oldest, subjects, running, failed = session.execute(
                "SELECT count(*), min(received_at), (SELECT count(*) FROM ai_memory.subject), "
                "(SELECT count(*) FROM ai_memory.run WHERE state = 'running'), "
                "(SELECT count(*) FROM ai_memory.run WHERE state = 'failed') "
                f"FROM ai_memory.message WHERE state = {_WAITING}"
            ).fetchall()[0]
        return Stats(
            subjects=subjects,
            waiting=waiting,
            running=running,
            failed=failed,
            oldest=rows.optional_moment(oldest),
        )

    def close(self) -> None:
        self._database.close()


_SUBJECT_NO = "(SELECT no FROM ai_memory.subject WHERE subject_id = %(subject_id)s)"
_RUNS = "FROM ai_memory.run r JOIN ai_memory.subject s ON s.no = r.subject"
_OPEN_STATES, _CREATED = "('created', 'running')", "('created')"
# A literal, so that the indexes of single states can be used.
_IN_STATE: dict[str | None, str] = {state: f"r.state = '{state}'" for state in get_args(RunState)}
_HELD = "run_id = %s AND token = %s AND state = 'running'"
_NOT_RECKONED = 2**62  # the due time of a run that was just made
_BEHIND_ALL = 2**62
_DELETED = "\x7fdeleted"  # no thread and no message of the application is named so: control characters are refused


def _open_run(session: Session, no: int, learner: str, now: int) -> tuple[int, str]:
    """Number and id of the run that collects this subject's messages."""
    found = session.execute(
        "SELECT no, run_id FROM ai_memory.run WHERE subject = %s AND learner = %s AND state = 'created' AND NOT sealed",
        (no, learner),
    ).fetchall()
    if not found:
        found = session.execute(
            "INSERT INTO ai_memory.run(run_id, subject, learner, state, created_at, due_at) "
            "VALUES (%s, %s, %s, 'created', %s, %s) RETURNING no, run_id",
            (new_id("run"), no, learner, now, _NOT_RECKONED),
        ).fetchall()
    number, run_id = found[0]
    return number, run_id


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
            (seq, rows.message_body(message), no, message.thread_id, message.id)
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
                rows.message_body(message),
                rows.optional_micros(message.created_at),
                now,
                *((None, _NOT_FOR_LEARNING) if run is None or message.role == "system" else (run, _WAITING)),
            )
            for seq, message, is_new in numbered
            if is_new
        ],
    )
    return tuple(message for message, is_new in kept if is_new)


def _spent(session: Session, number: int, usage: Usage | None) -> str | None:
    """What a run has spent over all its attempts, this one included, as its column holds it."""
    before: str | None = session.value("SELECT usage FROM ai_memory.run WHERE no = %s", (number,))
    if usage is None:
        return before
    return (usage if before is None else Usage.model_validate_json(before) + usage).model_dump_json()


def _reckon_due(session: Session, run: int, waiting: int, policy: LearningPolicy, now: int) -> None:
    """When the open run is due: with a full batch at once, else when nobody adds more or the first waits too long.

    A run that is due stays so whatever comes in: somebody may be waiting for it.
    """
    idle, longest = int(policy.idle * 1_000_000), int(policy.max_wait * 1_000_000)
    session.execute(
        "UPDATE ai_memory.run SET messages = messages + %(waiting)s, patience = %(longest)s, due_at = CASE "
        "WHEN due_at <= %(now)s THEN due_at "
        "WHEN messages + %(waiting)s >= %(batch)s THEN %(now)s "
        "WHEN %(waiting)s = 0 AND messages > 0 THEN due_at "
        "ELSE least(created_at + %(longest)s, %(now)s + %(idle)s) END WHERE no = %(run)s",
        {"waiting": waiting, "batch": policy.batch, "now": now, "idle": idle, "longest": longest, "run": run},
    )


def _message_seq(session: Session, no: int, thread_id: str | None, message_id: str, default: int) -> int:
    wanted = _conditions({"thread_id = %(thread_id)s": thread_id}) or "TRUE"
    found: int | None = session.value(
        f"SELECT seq FROM ai_memory.message WHERE subject = %(no)s AND message_id = %(message_id)s AND {wanted}",
        {"no": no, "message_id": message_id, "thread_id": thread_id},
    )
    return default if found is None else found


def _conditions(given: Mapping[str, object]) -> str:
    """Those conditions that have a value, as one; "" for none."""
    return " AND ".join(condition for condition, value in given.items() if value is not None)


def _hide(session: Session, condition: str, values: tuple[object, ...]) -> int:
    """Make messages invisible; what nobody waits for loses its text at once."""
    return session.execute(
        f"UPDATE ai_memory.message AS m SET visible = FALSE, body = CASE state WHEN {_WAITING} THEN body ELSE '' END "
        f"WHERE {condition} AND m.visible",
        values,
    ).rowcount


def _forget_thread(session: Session, no: int, thread_id: str) -> None:
    key, named = (no, thread_id), {"subject": no, "thread": thread_id}
    session.execute(
        "UPDATE ai_memory.run AS r SET messages = messages - (SELECT count(*) FROM ai_memory.message m "
        f"WHERE m.run = r.no AND m.state = {_WAITING} AND m.thread_id = %(thread)s) "
        "WHERE r.subject = %(subject)s AND r.state = 'created'",
        named,
    )
    # A learner that works on the thread right now must not record what it makes of it: its claim is taken away.
    session.execute(
        "UPDATE ai_memory.run SET token = NULL, owner = NULL, lease_until = 0 "
        "WHERE subject = %(subject)s AND state = 'running' AND no IN (SELECT run FROM ai_memory.message "
        f"WHERE subject = %(subject)s AND thread_id = %(thread)s AND state = {_WAITING})",
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


def _run(session: Session, condition: str, value: object) -> Run | None:
    row = session.execute(f"SELECT {rows.RUN} {_RUNS} WHERE {condition}", (value,)).fetchone()
    return None if row is None else rows.run(row)


def _held(session: Session, claim: Claim) -> int:
    """The number of the claim's run, which stays held until the transaction ends. Raises: StaleClaimError."""
    session.subject_no(claim.subject_id)
    number: int | None = session.value(f"SELECT no FROM ai_memory.run WHERE {_HELD}", (claim.run.id, claim.token))
    if number is None:
        raise StaleClaimError(claim.run.id)
    return number


def _lock_subjects_of(session: Session, wanted: str, about: Mapping[str, object]) -> None:
    """Lock the subjects of the runs *wanted*, in one order, so that two who do this do not wait for each other."""
    session.execute(
        "SELECT FROM ai_memory.subject WHERE no IN "
        f"(SELECT r.subject FROM ai_memory.run r WHERE {wanted}) ORDER BY no FOR UPDATE",
        about,
    )


def _claimable(session: Session, wanted: str, about: Mapping[str, Any], lock: str = "") -> tuple[int, int] | None:
    """Number and subject of the run to be taken next."""
    now, dead = _now_and_dead_owners(session)
    statement = f"SELECT r.no, r.subject {_CLAIMABLE.format(wanted=wanted)} {lock}"
    found = session.execute(statement, {**about, "now": now, "dead": dead}).fetchone()
    return None if found is None else (found[0], found[1])


def _claimable_and_locked(session: Session, wanted: str, about: Mapping[str, Any]) -> int | None:
    """The run to be taken next, its subject locked. What others are busy with is left to them while there is more."""
    for lock in ("FOR UPDATE OF s SKIP LOCKED", "FOR UPDATE OF s"):
        while (found := _claimable(session, wanted, about, lock)) is not None:
            # Somebody may have taken it before it was locked: look again.
            again = _claimable(session, f"{wanted} AND r.subject = %(subject)s", {**about, "subject": found[1]})
            if again is not None:
                return again[0]
    return None


def _now_and_dead_owners(session: Session) -> tuple[int, list[str]]:
    """The time, and owners whose process has ended: what they held can be taken without waiting for the lease."""
    now, owners = session.execute(
        "SELECT ai_memory.now_us(), ARRAY(SELECT owner FROM ai_memory.run WHERE state = 'running' "
        "AND owner IS NOT NULL)"
    ).fetchall()[0]
    return now, [owner for owner in owners if is_gone(owner)]
