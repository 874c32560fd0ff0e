"""Hybrid search within one subject: keeps snapshots of subjects, asks the backend only what changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from itertools import repeat
from math import isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np

from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.search.ranking import Ranking, rank
from ai_memory_integrations.search.scoring import WEIGHTS, Mask, Weights, best
from ai_memory_integrations.search.snapshot import NEVER, IndexDelta, IndexState, Snapshot
from ai_memory_integrations.types import PassageQuery

Read = Callable[[IndexState | None], IndexDelta | None]

DEFAULT_BYTES = 256 * 1024 * 1024

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Hit(NamedTuple):
    """A passage found. *score* is 0..1, and None where nothing was ranked; *explanation* holds the parts whose sum
    is the score. *whole* is the passage itself, as the reader gave it, None when it is not kept."""

    seq: int
    score: float | None
    explanation: dict[str, Any] | None = None
    whole: tuple[Any, ...] | None = None


class _Slot:
    """The place of one subject: its lock is held while its snapshot is brought up to date and read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.snapshot: Snapshot | None = None
        self.nbytes = 0


class SearchEngine:
    """Searches subjects through snapshots kept in memory, at most about *max_bytes* of them.

    Safe to use from many threads. After a fork the child calls `forget()` before anything else.
    """

    def __init__(self, *, max_bytes: int = DEFAULT_BYTES, weights: Weights = WEIGHTS) -> None:
        self._max_bytes = max_bytes
        self._weights = weights
        self.forget()

    @property
    def nbytes(self) -> int:
        """About how many bytes the snapshots take."""
        return self._nbytes

    def forget(self) -> None:
        """Drop every snapshot and lock."""
        self._lock = threading.Lock()
        self._slots: OrderedDict[int, _Slot] = OrderedDict()
        self._nbytes = 0

    def drop(self, subject_no: int) -> None:
        """Drop the snapshot of one subject; nothing happens when there is none."""
        with self._lock:
            slot = self._slots.pop(subject_no, None)
            if slot is not None:
                self._nbytes -= slot.nbytes

    def search(
        self,
        subject_no: int,
        read: Read,
        query: PassageQuery,
        vector: Sequence[float] | None = None,
        allowed: Collection[int] | None = None,
    ) -> list[Hit]:
        """Passages of the subject, best first, at most `query.limit`.

        *read* is given the known state and returns what changed since, None when nothing did. *allowed* are the
        `seq` of the passages that may be found (None: all). Filters only narrow: the scores of what passes are
        the same with and without them. A blank query without *vector* gives the newest first, unranked; a query
        of which no word is found gives [] unless there is a vector.

        Raises: InvalidInputError when *vector* is not as long as those of the passages or not finite.
        """
        slot = self._slot(subject_no)
        with slot.lock:
            snapshot = self._refresh(subject_no, slot, read)
            if not len(snapshot) or not query.limit:
                return []
            ranking = self._rank(snapshot, query, vector)
            passing = _passing(snapshot, query, allowed)
            return _hits(snapshot, query, ranking, passing)

    def names(self, subject_no: int) -> tuple[str, ...] | None:
        """The participants' names that occur with the subject's passages, as far as they were read (see
        `without_names`); None when nothing was read yet."""
        slot = self._slot(subject_no)
        with slot.lock:
            return None if slot.snapshot is None else tuple(map(str, slot.snapshot.name_codes.codes))

    def _rank(self, snapshot: Snapshot, query: PassageQuery, vector: Sequence[float] | None) -> Ranking | None:
        asked = None if vector is None else _checked(vector, snapshot)
        if asked is None and not query.text.strip():
            return None
        return rank(snapshot, query.text, asked, self._weights)

    def _slot(self, subject_no: int) -> _Slot:
        with self._lock:
            slot = self._slots.get(subject_no)
            if slot is None:
                slot = self._slots[subject_no] = _Slot()
            else:
                self._slots.move_to_end(subject_no)
            return slot

    def _refresh(self, subject_no: int, slot: _Slot, read: Read) -> Snapshot:
        known = slot.snapshot
        delta = read(None if known is None else known.state)
        if delta is None:
            if known is None:
                raise RuntimeError("nothing is known of the subject, and the reader says that nothing changed")
            return known
        if known is None or delta.reset:
            known = Snapshot(delta)
        else:
            slot.snapshot = None  # should the delta be refused half way, the next search starts afresh
            known.extend(delta)
        slot.snapshot = known
        self._account(subject_no, slot, known.nbytes)
        return known

    def _account(self, subject_no: int, slot: _Slot, nbytes: int) -> None:
        """Note the size of a snapshot and drop those unused for longest; the one in use always stays."""
        with self._lock:
            if self._slots.get(subject_no) is not slot:
                return
            self._nbytes += nbytes - slot.nbytes
            slot.nbytes = nbytes
            while self._nbytes > self._max_bytes and len(self._slots) > 1:
                oldest = next(no for no in self._slots if no != subject_no)
                self._nbytes -= self._slots.pop(oldest).nbytes


def _checked(vector: Sequence[float], snapshot: Snapshot) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """The query's vector brought to length 1; None when it is all zeros or there is nothing to compare it with."""
    asked = np.asarray(vector, np.float32)
    square = np.vdot(asked, asked)
    if not isfinite(square) and not np.isfinite(asked).all():
        raise InvalidInputError("the query's vector holds values that are not finite numbers: check the embedder")
    if snapshot.vectors is None:
        return None
    stored = snapshot.vectors.values.shape[1]
    if asked.shape != (stored,):
        raise InvalidInputError(
            f"the query's vector has {asked.size} dimensions, the passages' have {stored}: they come from different "
            "embedders; run: ai-memory reindex"
        )
    norm = sqrt(square)
    return asked / norm if norm > 0 else None


def _passing(snapshot: Snapshot, query: PassageQuery, allowed: Collection[int] | None) -> Mask | None:
    """Which rows pass the filters; None when there are none. Times: after <= created_at < before; a passage whose
    time is unknown passes no filter of time."""
    masks: list[Mask] = []
    if allowed is not None:
        masks.append(np.isin(snapshot.seqs.values, np.fromiter(allowed, np.int64, len(allowed))))
    if query.tags:
        sets = [code for tag in query.tags for code in snapshot.tagged.get(tag, ())]
        masks.append(snapshot.tag_codes.mask(sets)[snapshot.tag_sets.values])
    if query.roles is not None:
        masks.append(snapshot.said_by(query.roles))
    if query.thread_id is not None:
        masks.append(snapshot.threads.values == snapshot.thread_codes.codes.get(query.thread_id, -2))
    if query.after is not None or query.before is not None:
        times = snapshot.times.values
        masks.append(times != NEVER)
        if query.after is not None:
            masks.append(times >= microseconds(query.after))
        if query.before is not None:
            masks.append(times < microseconds(query.before))
    if len(masks) > 1:
        both: Mask = np.logical_and.reduce(masks)
        return both
    return masks[0] if masks else None


def microseconds(moment: datetime) -> int:
    """Since 1970 in UTC, exactly (a float would lose them)."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _hits(snapshot: Snapshot, query: PassageQuery, ranking: Ranking | None, passing: Mask | None) -> list[Hit]:
    scores: Iterable[float | None] = repeat(None)
    parts: Iterable[dict[str, Any] | None] = repeat(None)
    if ranking is None:
        rows = np.arange(len(snapshot)) if passing is None else np.flatnonzero(passing)
        top = rows[::-1][: query.limit]
    else:
        found = ranking.found if passing is None else ranking.found & passing
        top = best(ranking.scores, found.nonzero()[0], query.limit)
        scores = [1.0 if score > 1 else 0.0 if score < 0 else score for score in ranking.scores[top].tolist()]
        if query.explain:
            parts = ranking.explain(top)
    kept = snapshot.whole
    whole: Iterable[Any] = repeat(None) if kept is None else map(kept.__getitem__, top.tolist())
    return list(map(Hit, snapshot.seqs.values[top].tolist(), scores, parts, whole))
