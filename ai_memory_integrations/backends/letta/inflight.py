"""What is under way at Letta for a subject: written down in the journal before anything is sent.

The note `inflight` of a subject says which run of the journal is learnt, with which versions of the blocks its agent
began, and what was sent under which mark. While it is there the blocks are in the agent's hands: a run of Letta writes
its own copies back at its end, so that whatever else is written meanwhile is lost, and what can be read is half done.
Nobody else takes Letta's values over or writes to them until the journal's run has ended; that and what the run came
to are one transaction, so nothing is learnt that is not also known to have been seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ai_memory_integrations.errors import StaleClaimError
from ai_memory_integrations.ports import Journal, Notes
from ai_memory_integrations.types import Run

KEY = "inflight"


def fingerprint(text: str) -> str:
    """By which a block's value is recognised."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Sending:
    """A part of a batch: the mark it was sent under, when (seconds since 1970, by the sender's clock), Letta's run
    when its id is known, and why that run ended when it has."""

    mark: str
    at: float
    letta_run: str | None = None
    stop_reason: str | None = None

    @property
    def done(self) -> bool:
        return self.stop_reason is not None


@dataclass(frozen=True)
class InFlight:
    """A batch under way. `base` maps labels to the versions the agent began with, `parts` numbers to what was sent;
    `seen`, when all has ended, labels to the fingerprints of what was then read."""

    run_id: str
    base: Mapping[str, int]
    parts: Mapping[str, Sending] = field(default_factory=dict)
    seen: Mapping[str, str] | None = None

    def part(self, number: int) -> Sending | None:
        return self.parts.get(str(number))

    def with_part(self, number: int, part: Sending) -> InFlight:
        return replace(self, parts={**self.parts, str(number): part})


class InFlightNotes:
    """The notes `inflight` of all subjects."""

    def __init__(self, notes: Notes, journal: Journal) -> None:
        self._notes = notes
        self._journal = journal

    def get(self, subject_id: str) -> InFlight | None:
        note = self._notes.get(subject_id, KEY)
        if note is None:
            return None
        parts = {number: Sending(**part) for number, part in note["parts"].items()}
        return InFlight(run_id=note["run"], base=note["base"], parts=parts, seen=note["seen"])

    def change(self, run: Run, known: InFlight | None, new: InFlight | None) -> None:
        """Put *new* in the place of *known*.

        Raises: StaleClaimError when the run is not in work any more, or when something else stands there because
        another process goes on with it; SubjectNotFoundError.
        """
        with self._journal.transaction():
            now = self._journal.get_run(run.id)
            if now is None or now.state != "running" or self.get(run.subject_id) != known:
                raise StaleClaimError(run.id)
            self._notes.put(run.subject_id, KEY, None if new is None else _written(new))

    def holds(self, subject_id: str) -> bool:
        """Whether the subject's blocks are in the hands of a run: neither take over what Letta holds nor write there.

        To be asked in the transaction that decides. What a run that has ended left behind is put away by the call:
        after a completed one the notes `block/<label>` have as `seen` what it read.
        """
        with self._journal.transaction():
            inflight = self.get(subject_id)
            if inflight is None:
                return False
            run = self._journal.get_run(inflight.run_id)
            if run is not None and not run.ended:
                # One that another learner set back waits: what was sent for it stays known, the blocks are anybody's.
                return run.state == "running"
            if run is not None and run.state == "completed":
                self._put_away_seen(subject_id, inflight.seen or {})
            self._notes.put(subject_id, KEY, None)
            return False

    def _put_away_seen(self, subject_id: str, seen: Mapping[str, str]) -> None:
        for label, mark in seen.items():
            note = self._notes.get(subject_id, f"block/{label}")
            if note is not None:
                self._notes.put(subject_id, f"block/{label}", {**note, "seen": mark})


def _written(inflight: InFlight) -> dict[str, Any]:
    return {
        "run": inflight.run_id,
        "base": dict(inflight.base),
        "parts": {number: vars(part) for number, part in inflight.parts.items()},
        "seen": None if inflight.seen is None else dict(inflight.seen),
    }
