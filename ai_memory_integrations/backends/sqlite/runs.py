"""Runs in SQLite: what is still to be learnt, and who is at it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime

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
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.errors import RunNotFoundError, StaleClaimError
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.ports import Claim
from ai_memory_integrations.types import LearningPolicy, Run, Usage

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


class Runs:
    """The verbs of `ports.Journal` that are about runs."""

    _database: Database

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
        named = conditions({"r.run_id = :run_id": run_id, f"r.subject = {_SUBJECT_NO}": subject_id})
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
            found = connection.execute(
                f"SELECT {MESSAGE} FROM message WHERE run = ? AND state = {WAITING} ORDER BY id",
                (number,),
            ).fetchall()
            connection.execute(
                "UPDATE run SET state = 'running', token = ?, owner = ?, lease_until = ?, lease_length = ?, "
                "attempts = attempts + 1, started_at = coalesce(started_at, ?), messages = ? WHERE no = ?",
                (token, owner, now + length, length, now, len(found), number),
            )
            run = _run(connection, "r.no = ?", number)
            if run is None:  # cannot be: it was just updated
                raise StaleClaimError(str(number))
            return Claim(run, run.subject_id, token, tuple(journal_rows.message(row) for row in found))

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
            _held(connection, claim)

    def complete(
        self, claim: Claim, *, edits: int, passages: int, skipped: Mapping[str, str], usage: Usage | None
    ) -> None:
        with self._database.transaction() as connection:
            number = _held(connection, claim)
            # Deleted threads leave no trace once they are learnt; hidden messages leave their identity.
            connection.execute(
                f"DELETE FROM message WHERE run = ? AND state = {WAITING} AND thread_id = ?",
                (number, DELETED),
            )
            connection.execute(
                f"UPDATE message SET state = {LEARNT}, body = CASE visible WHEN 1 THEN body ELSE '' END "
                f"WHERE run = ? AND state = {WAITING}",
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
                    _spent(connection, number, usage),
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
            number = _held(connection, claim)
            connection.execute(
                f"UPDATE run SET usage = ?, {assignments} WHERE no = ?",
                (_spent(connection, number, usage), *values, number),
            )

    def make_due(
        self, *, run_id: str | None = None, subject_id: str | None = None, postponed: bool = True
    ) -> list[str]:
        states = "('created', 'running')" if postponed else "('created')"
        wanted = conditions({"run_id = :run_id": run_id, f"subject = {_SUBJECT_NO}": subject_id}) or "TRUE"
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
        wanted = conditions({f"r.subject = {_SUBJECT_NO}": subject_id, IN_STATE.get(state, "FALSE"): state}) or "TRUE"
        # Few runs are in these states: SQLite is not to walk back through all in search of them.
        by = "+r.no" if state in _OF_THEIR_OWN else "r.no"
        with self._database.read() as connection:
            found = connection.execute(
                f"SELECT {RUN} FROM run r JOIN subject s ON s.no = r.subject WHERE {wanted} "
                f"ORDER BY {by} DESC LIMIT :limit",
                {"subject_id": subject_id, "limit": -1 if limit is None else limit},
            ).fetchall()
        return [journal_rows.run(row) for row in found]

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
                f"UPDATE message SET state = {DROPPED}, body = CASE visible WHEN 1 THEN body ELSE '' END "
                f"WHERE state = {WAITING} AND run = (SELECT no FROM run WHERE run_id = ? AND state = 'cancelled')",
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
        wanted = conditions({f"r.subject = {_SUBJECT_NO}": subject_id}) or "TRUE"
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT s.subject_id, r.usage FROM run r JOIN subject s ON s.no = r.subject WHERE r.usage IS NOT NULL "
                f"AND {wanted} AND coalesce(r.ended_at, r.due_at) >= :since ORDER BY s.subject_id",
                {"subject_id": subject_id, "since": 0 if since is None else rows.micros(since)},
            ).fetchall()
        return journal_rows.spent(found)

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
                f"SELECT count(*) FROM message WHERE state = {WAITING} AND run IN (SELECT value FROM json_each(?))",
                (rows.json_list(no for (no,) in found),),
            ).fetchone()[0]
            return count

    def waiting_learners(self) -> dict[str, int]:
        with self._database.read() as connection:
            found = connection.execute(
                f"SELECT r.learner, count(*) FROM message m JOIN run r ON r.no = m.run WHERE m.state = {WAITING} "
                "GROUP BY r.learner ORDER BY r.learner"
            ).fetchall()
        return dict(found)


_SUBJECT_NO = "(SELECT no FROM subject WHERE subject_id = :subject_id)"
_HELD = "run_id = ? AND token = ? AND state = 'running'"
_OF_THEIR_OWN = ("running", "failed")  # states with an index


def open_run(connection: sqlite3.Connection, no: int, learner: str, now: int) -> tuple[int, str]:
    """Number and id of the run that collects this subject's messages."""
    row = connection.execute(
        "SELECT no, run_id FROM run WHERE subject = ? AND learner = ? AND state = 'created' AND sealed = 0",
        (no, learner),
    ).fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO run(run_id, subject, learner, state, created_at, due_at) VALUES (?, ?, ?, 'created', ?, ?) "
            "RETURNING no, run_id",
            (new_id("run"), no, learner, now, NOT_RECKONED),
        ).fetchone()
    number, run_id = row
    return number, run_id


def reckon_due(connection: sqlite3.Connection, run: int, waiting: int, policy: LearningPolicy, now: int) -> None:
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


def _held(connection: sqlite3.Connection, claim: Claim) -> int:
    """The number of the claim's run, which stays held until the transaction ends. Raises: StaleClaimError."""
    row = connection.execute(f"SELECT no FROM run WHERE {_HELD}", (claim.run.id, claim.token)).fetchone()
    if row is None:
        raise StaleClaimError(claim.run.id)
    number: int = row[0]
    return number


def _spent(connection: sqlite3.Connection, number: int, usage: Usage | None) -> str | None:
    row = connection.execute("SELECT usage FROM run WHERE no = ?", (number,)).fetchone()
    return journal_rows.spent_so_far(row[0], usage)


def _run(connection: sqlite3.Connection, condition: str, value: object) -> Run | None:
    row = connection.execute(
        f"SELECT {RUN} FROM run r JOIN subject s ON s.no = r.subject WHERE {condition}", (value,)
    ).fetchone()
    return None if row is None else journal_rows.run(row)


def _dead_owners(connection: sqlite3.Connection) -> str:
    """Owners whose process has ended: what they held can be taken without waiting for the lease."""
    owners = connection.execute("SELECT owner FROM run WHERE state = 'running' AND owner IS NOT NULL").fetchall()
    return rows.json_list(owner for (owner,) in owners if is_gone(owner))
