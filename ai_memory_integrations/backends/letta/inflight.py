"""What is under way at Letta for a subject: written down in the journal before anything is sent.

The note `inflight` of a subject says which run of the journal is learnt, with which versions of the blocks its agent
began, and what was sent under which mark. While it is there the blocks are in the agent's hands: a run of Letta writes
its own copies back at its end, so that whatever else is written meanwhile is lost, and what can be read is half done.
Nobody else takes Letta's values over or writes to them until the journal's run has ended; that and what the run came
to are one transaction, so nothing is learnt that is not also known to have been seen.

Where nobody else uses the agents what a run wrote may be left to the next reader. Then the note `unread` stands from
the end of the run until somebody has read, and whoever sends or learns next reads first. The note `doubt` says that
a run of ours was left at Letta without its end being seen.
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
UNREAD = "unread"
IN_DOUBT = "doubt"
LONG = "long"


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
    `seen`, when all has ended, labels to the fingerprints of what was then read; where nothing was, `unread` has the
    messages it was learnt from."""

    run_id: str
    base: Mapping[str, int]
    parts: Mapping[str, Sending] = field(default_factory=dict)
    seen: Mapping[str, str] | None = None
    unread: tuple[str, ...] | None = None

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
        unread = note.get("unread")
        return InFlight(
            run_id=note["run"],
            base=note["base"],
            parts=parts,
            seen=note["seen"],
            unread=None if unread is None else tuple(unread),
        )

    def change(self, run: Run, known: InFlight | None, new: InFlight | None) -> None:
        """Put *new* in the place of *known*.

        Raises: StaleClaimError when the run is not in work any more, or when something else stands there because
        another process goes on with it; SubjectNotFoundError.
        """
        with self._journal.transaction():
            now = self._journal.get_run(run.id)
            if now is None or now.state != "running" or self.get(run.subject_id) != known:
                raise StaleClaimError(run.id)
            if new is None:
                self._put_away(run.subject_id, known)
            else:
                self._notes.put(run.subject_id, KEY, _written(new))

    def is_in_doubt(self, subject_id: str) -> bool:
        """Whether a run of ours may be at work that nobody waits for."""
        return self._notes.get(subject_id, IN_DOUBT) is not None

    def is_clear(self, subject_id: str) -> None:
        """Somebody looked: none is at work."""
        if self.is_in_doubt(subject_id):
            self._notes.put(subject_id, IN_DOUBT, None)

    def holds(self, subject_id: str) -> bool:
        """Whether the subject's blocks are in the hands of a run: neither take over what Letta holds nor write there.

        To be asked in the transaction that decides. What a run that has ended left behind is put away by the call:
        after a completed one the notes `block/<label>` have as `seen` what it read, or `unread` is there.
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
                if inflight.unread is not None:
                    self._notes.put(subject_id, UNREAD, {"run": run.id, "messages": list(inflight.unread)})
            self._put_away(subject_id, inflight)
            return False

    def _put_away(self, subject_id: str, inflight: InFlight | None) -> None:
        if inflight is not None and not all(part.done for part in inflight.parts.values()):
            self._notes.put(subject_id, IN_DOUBT, {})
        self._notes.put(subject_id, KEY, None)

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
        "unread": None if inflight.unread is None else list(inflight.unread),
    }
