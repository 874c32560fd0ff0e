"""Over which passages a server failed, and how often: counted in the journal.

A server that fails (500) over a batch has met an outage of its embedding provider, or one text that the provider will
never take. An outage is over some day and costs no passage: it lets nothing through. So a failure counts against a
passage only when it was sent alone and another one got through afterwards, in the same turn; once in each
`REST_SECONDS` at most.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ai_memory_integrations.ports import Journal, Notes

KEY = "passages/refused"
BATCHES = 3
"""Turns in a row in which the server fails over a batch, before it is divided."""
ALONE = 5
"""Failures that count against a passage, before it is given up."""
REST_SECONDS = 60.0


class Refusals:
    """The notes of all subjects: `batches`, and of each passage that is sent apart the failures and the last time."""

    def __init__(self, journal: Journal, notes: Notes) -> None:
        self._journal = journal
        self._notes = notes

    def batches(self, subject_id: str) -> int:
        """In how many turns since a batch got through last the server failed over one."""
        return int(self._get(subject_id)["batches"])

    def batch_failed(self, subject_id: str) -> None:
        with self._journal.transaction():
            note = self._get(subject_id)
            self._put(subject_id, {**note, "batches": note["batches"] + 1})

    def batch_got_through(self, subject_id: str) -> None:
        if self._notes.get(subject_id, KEY) is None:
            return
        with self._journal.transaction():
            self._put(subject_id, {**self._get(subject_id), "batches": 0})

    def apart(self, subject_id: str) -> set[str]:
        """The passages that are not sent with others."""
        return set(self._get(subject_id)["alone"])

    def due(self, subject_id: str, now: float) -> list[str]:
        """Those of them that may be tried again, the one that was tried longest ago first."""
        tried = {passage_id: at for passage_id, (_, at) in self._get(subject_id)["alone"].items()}
        return sorted((each for each, at in tried.items() if now - at >= REST_SECONDS), key=tried.__getitem__)

    def set_apart(self, subject_id: str, passage_ids: Collection[str]) -> None:
        """They are tried again, from the first time on."""
        with self._journal.transaction():
            note = self._get(subject_id)
            self._put(subject_id, {**note, "alone": note["alone"] | {each: [0, 0.0] for each in passage_ids}})

    def failed(self, subject_id: str, failures: Mapping[str, bool], now: float) -> list[str]:
        """Note failures over passages that were sent alone, and whether each counts. Those that are to be given up:
        they are forgotten here."""
        if not failures:
            return []
        with self._journal.transaction():
            note = self._get(subject_id)
            alone = dict(note["alone"])
            for passage_id, counts in failures.items():
                before, _ = alone.get(passage_id, (0, 0.0))
                alone[passage_id] = [before + counts, now]
            over = [passage_id for passage_id in failures if alone[passage_id][0] >= ALONE]
            self._put(subject_id, {**note, "alone": {key: alone[key] for key in alone if key not in over}})
        return over

    def forget(self, subject_id: str, passage_ids: Collection[str]) -> None:
        """They got through, were removed, or are others now."""
        if self.apart(subject_id).isdisjoint(passage_ids):
            return
        with self._journal.transaction():
            note = self._get(subject_id)
            alone = {key: each for key, each in note["alone"].items() if key not in passage_ids}
            self._put(subject_id, {**note, "alone": alone})

    def _get(self, subject_id: str) -> dict[str, Any]:
        return self._notes.get(subject_id, KEY) or {"batches": 0, "alone": {}}

    def _put(self, subject_id: str, note: Mapping[str, Any]) -> None:
        self._notes.put(subject_id, KEY, note if note["batches"] or note["alone"] else None)
