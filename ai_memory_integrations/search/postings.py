"""Which passage holds which term how often: sorted segments, so a query touches only what it asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.search.text import Terms

_LOW = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)
_MERGE = 4  # a segment is merged into the one before it unless that is this many times larger


@dataclass(frozen=True, slots=True)
class Segment:
    """Postings of consecutive rows: `keys` are `term << 32 | row` in order, `counts` how often the term is there."""

    keys: NDArray[np.uint64]
    counts: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.counts.nbytes


@dataclass(frozen=True, slots=True)
class Matches:
    """The postings of some terms, one term after the other: `term` is the place of the term in the question."""

    term: NDArray[np.intp]
    row: NDArray[np.intp]
    count: NDArray[np.float32]


class Postings:
    """An inverted index to which rows are appended. Segments are merged as they grow alike, so there are few."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []

    @property
    def nbytes(self) -> int:
        return sum(segment.nbytes for segment in self.segments)

    def extend(self, terms: Terms, rows: NDArray[np.int64]) -> None:
        """Add occurrences: `terms[i]` stands in `rows[i]`. Rows come after all rows added before."""
        if not len(terms):
            return
        keys = np.sort((terms.astype(np.uint64) << _HIGH) | rows.astype(np.uint64))
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        counts = np.diff(starts, append=len(keys)).astype(np.float32)
        self.segments.append(Segment(keys[starts], counts))
        while len(self.segments) > 1 and len(self.segments[-2].keys) < _MERGE * len(self.segments[-1].keys):
            last, before = self.segments.pop(), self.segments.pop()
            self.segments.append(_merge(before, last))

    def find(self, terms: Terms) -> Matches:
        """The postings of these terms, which must be different from each other."""
        wanted = terms.astype(np.uint64) << _HIGH
        bounds = np.concatenate((wanted, wanted | _LOW))
        places, sizes, keys, counts = [], [], [], []
        for segment in self.segments:
            edges = segment.keys.searchsorted(bounds).tolist()
            for place, (start, end) in enumerate(zip(edges[: len(terms)], edges[len(terms) :], strict=True)):
                if start < end:
                    places.append(place)
                    sizes.append(end - start)
                    keys.append(segment.keys[start:end])
                    counts.append(segment.counts[start:end])
        if not keys:
            return Matches(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32))
        rows = (np.concatenate(keys) & _LOW).astype(np.intp)
        return Matches(np.array(places).repeat(sizes), rows, np.concatenate(counts))


def _merge(before: Segment, after: Segment) -> Segment:
    keys = np.concatenate((before.keys, after.keys))
    order = np.argsort(keys, kind="stable")  # a merge of two runs
    return Segment(keys[order], np.concatenate((before.counts, after.counts))[order])
