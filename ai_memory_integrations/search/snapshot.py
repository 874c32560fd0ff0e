"""One subject in memory: what search needs of its passages, brought up to date by deltas."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.search.columns import Column
from ai_memory_integrations.search.postings import Postings
from ai_memory_integrations.search.scoring import Mask, Scores, norms
from ai_memory_integrations.search.text import name_terms

NEVER: Final = np.iinfo(np.int64).min
"""The time of a passage whose time is unknown."""

SESSION_GAP_US = 6 * 3600 * 1_000_000
"""Turns of one thread further apart than this belong to different sessions and are no neighbours."""

_OVERHEAD, _ROW_OVERHEAD = 8192, 64  # bytes a snapshot and a row cost beside their arrays, roughly
_CHUNK = 1024
_ROLE_MASKS = 4

FEW = 1000
"""Up to so many passages of a subject are kept whole. Of a hundred, reading the ten that were found took a quarter of a
search; of more than a thousand it is lost in the ranking, and their texts would take megabytes."""

_WHOLE_BYTES, _WHOLE_OVERHEAD = 1024 * 1024, 250  # for all of a subject, and what one costs beside its texts


class IndexRow(NamedTuple):
    """What search knows of one passage. *created_us* are microseconds since 1970 in UTC. *whole* is what the reader
    wants back with a hit, *size* about how many bytes that takes."""

    seq: int
    terms: bytes
    created_us: int | None = None
    thread: str | None = None
    role: str | None = None
    name: str | None = None
    tags: tuple[str, ...] = ()
    whole: tuple[Any, ...] | None = None
    size: int = 0


class IndexState(NamedTuple):
    """How far an index is: *seq* is the last passage appended, *ver* changes when anything is deleted or changed,
    and every live passage up to *vec_seq* has its vector."""

    subject_no: int
    seq: int
    ver: int
    vec_seq: int


@dataclass(frozen=True, slots=True)
class IndexDelta:
    """What leads from the known state to *state*: new rows and new vectors (float16), both by rising `seq`; all
    of them when *reset*."""

    state: IndexState
    reset: bool
    rows: Sequence[IndexRow]
    vectors: Sequence[tuple[int, bytes]] = ()


class SubjectGoneError(LookupError):
    """The subject that a reader was made for is not there any more."""


class Codes:
    """Numbers for values, in the order they first come; None is -1."""

    def __init__(self) -> None:
        self.codes: dict[Hashable, int] = {}

    def __call__(self, value: Hashable) -> int:
        return -1 if value is None else self.codes.setdefault(value, len(self.codes))

    def known(self, values: Iterable[Hashable]) -> list[int]:
        """The codes of those of the values that have one."""
        return [self.codes.get(value, -1) for value in values if value is None or value in self.codes]

    def mask(self, codes: Sequence[int]) -> NDArray[np.bool_]:
        """To be indexed with a code: whether it is one of these."""
        mask = np.zeros(len(self.codes) + 1, np.bool_)  # the last entry is that of -1
        mask[np.array(codes, np.intp)] = True
        return mask


class Snapshot:
    """The passages of one subject as arrays, one entry a row, in the order they came.

    `before` and `after` are the rows of the turns around a turn in the same session, -1 for none; threads, names and
    roles are codes or -1. `mentions` leads from a term to the names that have it, `tagged` from a tag to the codes of
    the sets that have it. `whole` are the passages themselves, None when not all were given or they are too big: what
    is deleted or changed begins a new snapshot, so they are those of the store as long as its state is.
    """

    def __init__(self, delta: IndexDelta) -> None:
        self.state = delta.state
        self.postings = Postings()
        self.seqs = Column(np.int64)
        self.times = Column(np.int64)
        self.threads = Column(np.int32)
        self.sessions = Column(np.intp)
        self.before = Column(np.intp)
        self.after = Column(np.intp)
        self.names = Column(np.int32)
        self.roles = Column(np.int32)
        self.tag_sets = Column(np.int32)
        self.lengths = Column(np.float32)
        self.embedded = Column(np.bool_)
        self.vectors: Column[np.float32] | None = None
        self.thread_codes, self.name_codes, self.role_codes, self.tag_codes = Codes(), Codes(), Codes(), Codes()
        self.mentions: dict[int, set[int]] = {}
        self.tagged: dict[str, list[int]] = {}
        self.whole: list[tuple[Any, ...]] | None = []
        self._whole_bytes = 0
        self.total_length = 0
        self._last_turn: dict[str, tuple[int, int | None]] = {}
        self.sessions_count = 0
        self.embedded_count = 0
        self._norms: Scores | None = None
        self._said_by: dict[tuple[Hashable, ...], Mask] = {}
        self.extend(delta)

    def __len__(self) -> int:
        return len(self.seqs.values)

    @property
    def nbytes(self) -> int:
        wide = (self.seqs, self.times, self.before, self.after, self.sessions, self.lengths)
        codes = (self.threads, self.names, self.roles, self.tag_sets)
        arrays = sum(column.nbytes for column in wide) + sum(column.nbytes for column in codes)
        vectors = self.embedded.nbytes + (0 if self.vectors is None else self.vectors.nbytes)
        return arrays + vectors + self.postings.nbytes + self._whole_bytes + _OVERHEAD + _ROW_OVERHEAD * len(self)

    @property
    def norms(self) -> Scores:
        """What `bm25` divides by, for every row."""
        if self._norms is None:
            self._norms = norms(self.lengths.values, self.total_length / max(1, len(self)))
        return self._norms

    def said_by(self, roles: tuple[Hashable, ...]) -> Mask:
        """Which rows have one of these roles. Nearly every search asks for the same ones."""
        mask = self._said_by.get(roles)
        if mask is None:
            mask = self.role_codes.mask(self.role_codes.known(roles))[self.roles.values]
            if len(self._said_by) >= _ROLE_MASKS:
                self._said_by.clear()
            self._said_by[roles] = mask
        return mask

    def extend(self, delta: IndexDelta) -> None:
        """Bring it to `delta.state`, which follows its own."""
        if delta.rows:
            self._add_rows(delta.rows)
        if delta.vectors:
            self._add_vectors(delta.vectors)
        self.state = delta.state

    def _add_rows(self, rows: Sequence[IndexRow]) -> None:
        start = len(self)
        terms = np.frombuffer(b"".join([row.terms for row in rows]), "<u4").astype(np.uint32, copy=False)
        lengths = np.array([len(row.terms) >> 2 for row in rows])
        self.postings.extend(terms, np.repeat(np.arange(start, start + len(rows)), lengths))
        self.total_length += int(lengths.sum())
        self.lengths.extend(lengths)
        self.seqs.extend([row.seq for row in rows])
        self.times.extend([NEVER if row.created_us is None else row.created_us for row in rows])
        self.threads.extend([self.thread_codes(row.thread) for row in rows])
        self.roles.extend([self.role_codes(row.role) for row in rows])
        self.names.extend([self._name_code(row.name) for row in rows])
        self.tag_sets.extend([self._tags_code(row.tags) for row in rows])
        self._link(rows, start)
        self._keep_whole(rows)
        self.embedded.grow(len(rows))
        if self.vectors is not None:
            self.vectors.grow(len(rows))
        self._norms = None
        self._said_by.clear()

    def _keep_whole(self, rows: Sequence[IndexRow]) -> None:
        if self.whole is None:
            return
        given = [row.whole for row in rows if row.whole is not None]
        self._whole_bytes += sum([row.size for row in rows]) + _WHOLE_OVERHEAD * len(rows)
        if len(given) < len(rows) or self._whole_bytes > _WHOLE_BYTES:
            self.whole, self._whole_bytes = None, 0
        else:
            self.whole.extend(given)

    def _name_code(self, name: str | None) -> int:
        if name is not None and name not in self.name_codes.codes:
            for term in name_terms(name):
                self.mentions.setdefault(term, set()).add(len(self.name_codes.codes))
        return self.name_codes(name)

    def _tags_code(self, tags: tuple[str, ...]) -> int:
        if tags not in self.tag_codes.codes:
            for tag in tags:
                self.tagged.setdefault(tag, []).append(len(self.tag_codes.codes))
        return self.tag_codes(tags)

    def _link(self, rows: Sequence[IndexRow], start: int) -> None:
        """Turns of a thread follow each other until a long silence; what is not a turn is a session of its own."""
        sessions, before = [-1] * len(rows), [-1] * len(rows)
        known = self.sessions.values
        for place, row in enumerate(rows):
            thread = row.thread if row.role is not None else None
            last, when = (-1, None) if thread is None else self._last_turn.get(thread, (-1, None))
            if last < 0 or _apart(when, row.created_us):
                sessions[place] = self.sessions_count
                self.sessions_count += 1
            else:
                before[place] = last
                sessions[place] = sessions[last - start] if last >= start else int(known[last])
            if thread is not None:
                self._last_turn[thread] = (start + place, when if row.created_us is None else row.created_us)
        self.before.extend(before)
        self.after.extend([-1] * len(rows))
        turns = np.flatnonzero(self.before.values[start:] >= 0) + start
        self.after.values[self.before.values[turns]] = turns  # a turn comes before one other turn only
        self.sessions.extend(sessions)

    def _add_vectors(self, vectors: Sequence[tuple[int, bytes]]) -> None:
        """As float32 rows of length 1: converted once, compared often."""
        width = len(vectors[0][1]) // 2
        if self.vectors is None:
            self.vectors = Column(np.float32, width)
            self.vectors.grow(len(self))
        rows = np.searchsorted(self.seqs.values, [seq for seq, _ in vectors])
        self.embedded.values[rows] = True
        self.embedded_count += len(rows)
        for start in range(0, len(rows), _CHUNK):  # in pieces that stay in the processor's cache
            raw = b"".join([vector for _, vector in vectors[start : start + _CHUNK]])
            matrix = np.frombuffer(raw, "<f2").reshape(-1, width).astype(np.float32)
            self.vectors.values[rows[start : start + _CHUNK]] = unit_rows(matrix)


def _apart(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and abs(one - other) > SESSION_GAP_US


def unit_rows(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows brought to length 1; a row of zeros stays as it is."""
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))[:, None]
    norms[norms == 0] = 1
    units: NDArray[np.float32] = matrix / norms
    return units
