"""Who sends a subject's blocks: one at a time among all processes that share the journal.

Two that send could overtake each other, and an older value would stand at Letta under the note of a newer one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ai_memory_integrations.backends.owner import is_gone, process_owner
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.ports import Journal, Notes

_KEY = "pushing"
SECONDS = 60.0


class Holding:
    """The right to send a subject's blocks, by a note in the journal. It ends when it is given back, when its
    holder's process has ended, or when its time is up."""

    def __init__(self, journal: Journal, notes: Notes, *, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._notes = notes
        self._clock = clock

    def take(self, subject_id: str, *, seconds: float = SECONDS) -> str | None:
        """The token of the right; None while somebody else has it. Raises: SubjectNotFoundError."""
        mine = {"owner": process_owner(), "token": new_id("snd"), "until": self._clock() + seconds}
        with self._journal.transaction():
            if self.is_held(subject_id):
                return None
            self._notes.put(subject_id, _KEY, mine)
        return str(mine["token"])

    def give_back(self, subject_id: str, token: str) -> None:
        """What somebody else has by now is left alone."""
        with self._journal.transaction():
            held = self._notes.get(subject_id, _KEY)
            if held is not None and held["token"] == token:
                self._notes.put(subject_id, _KEY, {**held, "until": 0.0})

    def last(self, subject_id: str) -> str | None:
        """The token that was taken last: another one says that somebody has sent, or sends. None: nobody ever has."""
        held = self._notes.get(subject_id, _KEY)
        return None if held is None else str(held["token"])

    def is_held(self, subject_id: str) -> bool:
        held = self._notes.get(subject_id, _KEY)
        return held is not None and self._is_good(held)

    def _is_good(self, held: dict[str, Any]) -> bool:
        return held["until"] > self._clock() and not is_gone(held["owner"])
