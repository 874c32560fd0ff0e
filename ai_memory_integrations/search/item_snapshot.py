"""The items below one namespace in memory, ranked by terms, by meaning or by both, and kept up to date by deltas."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.ports import ItemRanking
from ai_memory_integrations.search.columns import Column
from ai_memory_integrations.search.item_state import ItemState
from ai_memory_integrations.search.postings import Postings
from ai_memory_integrations.search.scoring import WEIGHTS, Mask, Scores, bm25, norms, stretch
from ai_memory_integrations.search.snapshot import unit_rows
from ai_memory_integrations.search.text import query_terms

MAX_BYTES = 256 * 1024 * 1024
_ROW_BYTES = 32
_FEW = 200


class IndexedItem(NamedTuple):
    """What search knows of one item: its terms, and its vectors (float16) one behind the other."""

    id: int
    terms: bytes
    vectors: bytes


@dataclass(frozen=True, slots=True)
class ItemDelta:
    """What leads from the known state to *state*: new items by rising id and the ids of deleted ones (also of
    strangers); all of the items when *reset*."""

    state: ItemState
    reset: bool
    items: Sequence[IndexedItem]
    gone: Sequence[int] = ()


Read = Callable[[ItemState | None], ItemDelta | None]
Ranked = tuple[int, float | None]


def packed(vectors: Sequence[Sequence[float]]) -> bytes:
    """Vectors brought to length 1, as `ItemPut.vectors` holds them. Raises: InvalidInputError."""
    if not len(vectors):
        return b""
    try:
        matrix = np.asarray(vectors, np.float32)
    except ValueError:
        raise InvalidInputError("the vectors of one item differ in length: check the embedder") from None
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise InvalidInputError("a vector holds values that are not finite numbers: check the embedder")
    return unit_rows(matrix).astype("<f2").tobytes()


class ItemSnapshot:
    """Items as arrays, one entry a row, in the order they were written. A deleted one stays as a dead row."""

    def __init__(self, dimension: int, delta: ItemDelta) -> None:
        self._dimension = dimension
        self.ids = Column(np.int64)
        self.live = Column(np.bool_)
        self.lengths = Column(np.float32)
        self.postings = Postings()
        self.vectors = Column(np.float32, max(dimension, 1))
        self.vector_rows = Column(np.int64)
        self.vector_starts = Column(np.int64)
        self._one_each = True  # vector; then rows of vectors are rows of items, and nothing more is noted of them
        self.dead = 0
        self.extend(delta)

    @property
    def nbytes(self) -> int:
        return self.vectors.nbytes + self.postings.nbytes + _ROW_BYTES * len(self.ids.values)

    @property
    def worn(self) -> bool:
        """So many rows are dead that it should be made anew."""
        return self.dead > 64 and self.dead * 4 > len(self.ids.values)

    def extend(self, delta: ItemDelta) -> None:
        """Bring it to `delta.state`, which follows its own."""
        if delta.items:
            self._add(delta.items)
        if delta.gone:
            self._bury(delta.gone)
        self.state = delta.state

    def _add(self, items: Sequence[IndexedItem]) -> None:
        start = len(self.ids.values)
        ids, terms, vectors = zip(*items, strict=True)
        lengths = np.fromiter(map(len, terms), np.int64, len(items)) >> 2
        if lengths.any():
            flat = np.frombuffer(b"".join(terms), "<u4").astype(np.uint32, copy=False)
            self.postings.extend(flat, np.repeat(np.arange(start, start + len(items)), lengths))
        self.ids.extend(ids)
        self.live.extend(np.ones(len(items), np.bool_))
        self.lengths.extend(lengths)
        if self._dimension:
            self._add_vectors(vectors, start)

    def _add_vectors(self, vectors: Sequence[bytes], start: int) -> None:
        if self._one_each and set(map(len, vectors)) == {2 * self._dimension}:
            self.vectors.extend(np.frombuffer(b"".join(vectors), "<f2").reshape(-1, self._dimension))
            return
        if self._one_each:
            self._one_each = False
            self.vector_rows.extend(np.arange(start))
            self.vector_starts.extend(np.arange(start))
        sizes = np.fromiter(map(len, vectors), np.int64, len(vectors))
        # What another model of the same name made with another dimension cannot be compared.
        counts = np.where(sizes % (2 * self._dimension) == 0, sizes // (2 * self._dimension), 0)
        rows = np.flatnonzero(counts)
        raw = b"".join(vectors if len(rows) == len(vectors) else [vectors[row] for row in rows.tolist()])
        known = len(self.vectors.values)
        self.vector_rows.extend(rows + start)
        self.vector_starts.extend(known + np.cumsum(counts[rows]) - counts[rows])
        self.vectors.extend(np.frombuffer(raw, "<f2").reshape(-1, self._dimension))  # of length 1: see `packed`

    def _bury(self, gone: Sequence[int]) -> None:
        ids = self.ids.values
        wanted = np.array(gone)
        rows = np.searchsorted(ids, wanted)
        rows = rows[(rows < len(ids)) & (ids[np.minimum(rows, len(ids) - 1)] == wanted)] if len(ids) else rows[:0]
        self.dead += int(np.count_nonzero(self.live.values[rows]))
        self.live.values[rows] = False

    def rank(self, ranking: ItemRanking) -> Ordered:
        """The live items with what is needed to put them in order."""
        live, (scores, scored) = self.live.values, self._scores(ranking)
        if scored is live and not self.dead:
            return Ordered(self.ids.values, scores, self.ids.values[:0])
        rows, rest = np.flatnonzero(live & scored), np.flatnonzero(live & ~scored)
        return Ordered(self.ids.values[rows], scores[rows], self.ids.values[rest])

    def _scores(self, ranking: ItemRanking) -> tuple[Scores, Mask]:
        """The score of every row, and which rows have one."""
        semantic, embedded = self._cosines(ranking.vector)
        if not ranking.lexical:  # vectors of 16 bits are not quite of length 1, and a cosine is never past it
            return np.clip(semantic, -1, 1, out=semantic), embedded
        lexical, coverage = self._lexical(ranking.text)
        if not embedded.any():
            return lexical, lexical > 0
        meaning = np.zeros_like(semantic)
        meaning[embedded] = stretch(semantic[embedded])
        share = WEIGHTS.lexical_share(coverage)
        return (share * lexical + (1 - share) * meaning).astype(np.float32), embedded | (lexical > 0)

    def _lexical(self, text: str) -> tuple[Scores, float]:
        """BM25 in 0..1, the best row 1, and how much of the query the best row covers."""
        terms = query_terms(text)
        matches = self.postings.find(terms)
        if self.dead:
            matches = matches.among(self.live.values)
        lengths = self.lengths.values
        scores, coverage = bm25(matches, norms(lengths, float(lengths.mean()) if len(lengths) else 0.0))
        best = float(scores.max(initial=0.0))
        return (scores / np.float32(best) if best > 0 else scores), coverage

    def _cosines(self, vector: Sequence[float] | None) -> tuple[Scores, Mask]:
        """The cosine of every row's nearest vector, and which rows have any."""
        if vector is None or not len(self.vectors.values):
            return np.zeros(len(self.ids.values), np.float32), np.zeros(len(self.ids.values), np.bool_)
        asked = unit_rows(np.asarray(vector, np.float32)[None, :])[0]
        cosines = self.vectors.values @ asked
        if self._one_each:
            return cosines, self.live.values
        scores, embedded = np.zeros(len(self.ids.values), np.float32), np.zeros(len(self.ids.values), np.bool_)
        rows = self.vector_rows.values
        embedded[rows] = self.live.values[rows]
        scores[rows] = np.maximum.reduceat(cosines, self.vector_starts.values)
        return scores, embedded


@dataclass(frozen=True, slots=True)
class Ordered:
    """Items that can be scored and items that cannot, both by rising id, to be put in order as far as asked."""

    ids: NDArray[np.int64]
    scores: Scores
    unscored: NDArray[np.int64]

    def among(self, allowed: Collection[int] | NDArray[np.int64]) -> Ordered:
        """Only those that are *allowed*, in the same order."""
        wanted = np.sort(np.fromiter(allowed, np.int64, len(allowed)))
        kept = _contained(self.ids, wanted)
        return Ordered(self.ids[kept], self.scores[kept], self.unscored[_contained(self.unscored, wanted)])

    def best(self, count: int) -> list[Ranked]:
        """The first *count* of the one order: best first, of equal ones the last written; then those without a score,
        the last written first."""
        found: list[Ranked]
        if len(self.ids) <= _FEW:  # a short list is in order before NumPy is under way
            pairs = sorted(zip(self.scores.tolist(), self.ids.tolist(), strict=True), reverse=True)[:count]
            found = [(number, score) for score, number in pairs]
        else:
            rows = np.arange(len(self.ids))
            if count < len(rows):
                least = np.partition(self.scores, len(rows) - count)[len(rows) - count] if count else np.float32(np.inf)
                rows = np.flatnonzero(self.scores >= least)
            rows = rows[np.lexsort((-self.ids[rows], -self.scores[rows]))][:count]
            found = list(zip(self.ids[rows].tolist(), self.scores[rows].tolist(), strict=True))
        missing = count - len(found)
        return found + [(number, None) for number in self.unscored[::-1][:missing].tolist()]

    def __len__(self) -> int:
        return len(self.ids) + len(self.unscored)

    def __iter__(self) -> Iterator[Ranked]:
        """All of them, put in order piece by piece: who stops early has sorted little."""
        done, size = 0, 64
        while done < len(self):
            yield from self.best(done + size)[done:]
            done, size = done + size, size * 8


def _contained(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> Mask:
    """Which of the ids are among the wanted ones, which rise. For few of them `numpy.isin` takes longer than that."""
    if not len(wanted):
        return np.zeros(len(ids), np.bool_)
    return np.equal(wanted[np.minimum(np.searchsorted(wanted, ids), len(wanted) - 1)], ids)


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    snapshot: ItemSnapshot | None = None
    nbytes: int = 0


Place = tuple[bytes, bool, str, int]
"""A namespace, whether its items are ranked by terms, and the embedder and dimension of their vectors."""


class ItemSnapshots:
    """Snapshots of the namespaces searched last, in at most *max_bytes*; the one in use always stays."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._slots: OrderedDict[Place, _Slot] = OrderedDict()
        self._nbytes = 0

    def rank(self, place: Place, read: Read, ranking: ItemRanking) -> Ordered:
        """What is below a namespace, ready to be put in order. *read* gives what changed since a known state, None
        for nothing; it is called while no one else can bring a newer state."""
        slot = self._slot(place)
        with slot.lock:
            return self._refresh(place, slot, read).rank(ranking)

    def __contains__(self, place: Place) -> bool:
        """Whether a namespace was searched lately."""
        with self._lock:
            return place in self._slots

    def _slot(self, place: Place) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(place, _Slot())
            self._slots.move_to_end(place)
            return slot

    def _refresh(self, place: Place, slot: _Slot, read: Read) -> ItemSnapshot:
        known = slot.snapshot
        delta = read(None if known is None or known.worn else known.state)
        if delta is None and known is not None:
            return known
        if delta is None:
            raise RuntimeError("nothing is known of the namespace, and the reader says that nothing changed")
        if known is not None and delta.state.older_than(known.state):
            return ItemSnapshot(place[3], delta)  # for somebody whose transaction is older than what others saw
        if known is None or delta.reset:
            known = ItemSnapshot(place[3], delta)
        else:
            slot.snapshot = None  # should the delta be refused half way, the next search starts afresh
            known.extend(delta)
        slot.snapshot = known
        self._account(place, slot, known.nbytes)
        return known

    def _account(self, place: Place, slot: _Slot, nbytes: int) -> None:
        with self._lock:
            if self._slots.get(place) is not slot:
                return
            self._nbytes += nbytes - slot.nbytes
            slot.nbytes = nbytes
            while self._nbytes > self._max_bytes and len(self._slots) > 1:
                oldest = next(each for each in self._slots if each != place)
                self._nbytes -= self._slots.pop(oldest).nbytes
