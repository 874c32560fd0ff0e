"""Runs in PostgreSQL: what is still to be learnt, and who is at it.

A verb locks the subject first and looks afterwards, as those of `messages` do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ai_memory_integrations.backends import journal_rows, rows
from ai_memory_integrations.backends.journal_rows import (
    DELETED,
    DROPPED,
    IN_STATE,
    LEARNT,
    MESSAGE,
    NOT_RECKONED,
    RUN,
    WAITING,
    conditions,
)
from ai_memory_integrations.backends.owner import is_gone
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.backends.postgres.session import Session
from ai_memory_integrations.errors import RunNotFoundError, StaleClaimError
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.ports import Claim
from ai_memory_integrations.types import LearningPolicy, Run, Usage

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


class Runs:
    """The verbs of `ports.Journal` that are about runs."""

    _database: Database

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
        wanted = conditions({"r.run_id = %(run_id)s": run_id, f"r.subject = {_SUBJECT_NO}": subject_id}) or _DUE
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
                f"SELECT {MESSAGE} FROM ai_memory.message WHERE run = %s AND state = {WAITING} ORDER BY seq",
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
            return Claim(run, run.subject_id, token, tuple(journal_rows.message(row) for row in found))

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
                f"DELETE FROM ai_memory.message WHERE run = %s AND state = {WAITING} AND thread_id = %s",
                (number, DELETED),
            )
            session.execute(
                f"UPDATE ai_memory.message SET state = {LEARNT}, body = CASE WHEN visible THEN body ELSE '' END "
                f"WHERE run = %s AND state = {WAITING}",
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
        wanted = conditions({"r.run_id = %(run_id)s": run_id, f"r.subject = {_SUBJECT_NO}": subject_id}) or "TRUE"
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
        wanted = conditions({f"r.subject = {_SUBJECT_NO}": subject_id, IN_STATE.get(state, "FALSE"): state}) or "TRUE"
        with self._database.read(subject_id) as session:
            found = session.execute(
                f"SELECT {RUN} {_RUNS} WHERE {wanted} ORDER BY r.no DESC LIMIT %(limit)s",
                {"subject_id": subject_id, "limit": limit},
            ).fetchall()
        return [journal_rows.run(row) for row in found]

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
                f"UPDATE ai_memory.message SET state = {DROPPED}, body = CASE WHEN visible THEN body ELSE '' END "
                f"WHERE state = {WAITING} "
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
        wanted = conditions({f"r.subject = {_SUBJECT_NO}": subject_id}) or "TRUE"
        with self._database.read(subject_id) as session:
            found = session.execute(
                f"SELECT s.subject_id, r.usage {_RUNS} WHERE r.usage IS NOT NULL AND {wanted} "
                "AND coalesce(r.ended_at, r.due_at) >= %(since)s ORDER BY s.subject_id",
                {"subject_id": subject_id, "since": 0 if since is None else rows.micros(since)},
            ).fetchall()
        return journal_rows.spent(found)

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
                    f"SELECT count(*) FROM ai_memory.message WHERE state = {WAITING} AND run = ANY(%s)",
                    ([no for (no,) in found],),
                )
            )

    def waiting_learners(self) -> dict[str, int]:
        with self._database.read() as session:
            found = session.execute(
                "SELECT r.learner, count(*) FROM ai_memory.message m JOIN ai_memory.run r ON r.no = m.run "
                f"WHERE m.state = {WAITING} GROUP BY r.learner ORDER BY r.learner"
            ).fetchall()
        return dict(found)


_SUBJECT_NO = "(SELECT no FROM ai_memory.subject WHERE subject_id = %(subject_id)s)"
_RUNS = "FROM ai_memory.run r JOIN ai_memory.subject s ON s.no = r.subject"
_OPEN_STATES, _CREATED = "('created', 'running')", "('created')"
_HELD = "run_id = %s AND token = %s AND state = 'running'"


def open_run(session: Session, no: int, learner: str, now: int) -> tuple[int, str]:
    """Number and id of the run that collects this subject's messages."""
    found = session.execute(
        "SELECT no, run_id FROM ai_memory.run WHERE subject = %s AND learner = %s AND state = 'created' AND NOT sealed",
        (no, learner),
    ).fetchall()
    if not found:
        found = session.execute(
            "INSERT INTO ai_memory.run(run_id, subject, learner, state, created_at, due_at) "
            "VALUES (%s, %s, %s, 'created', %s, %s) RETURNING no, run_id",
            (new_id("run"), no, learner, now, NOT_RECKONED),
        ).fetchall()
    number, run_id = found[0]
    return number, run_id


def reckon_due(session: Session, run: int, waiting: int, policy: LearningPolicy, now: int) -> None:
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


def _spent(session: Session, number: int, usage: Usage | None) -> str | None:
    before = session.value("SELECT usage FROM ai_memory.run WHERE no = %s", (number,))
    return journal_rows.spent_so_far(before, usage)


def _run(session: Session, condition: str, value: object) -> Run | None:
    row = session.execute(f"SELECT {RUN} {_RUNS} WHERE {condition}", (value,)).fetchone()
    return None if row is None else journal_rows.run(row)


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
