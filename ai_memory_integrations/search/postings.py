"""Which passage holds which term how often: sorted segments, so a query touches only what it asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.search.text import Terms

_HIGH = np.uint64(32)
_MERGE = 4  # a segment is merged into the one before it unless that is this many times larger


@dataclass(frozen=True, slots=True)
class Segment:
    """Postings of consecutive rows, in the order of terms and then of rows: `counts` is how often the term is there."""

    terms: Terms
    rows: NDArray[np.uint32]
    counts: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        return self.terms.nbytes + self.rows.nbytes + self.counts.nbytes

    def __len__(self) -> int:
        return len(self.terms)


@dataclass(frozen=True, slots=True)
class Matches:
    """The postings of some terms, one term after the other in the order of the question: of each so many as `found`
    says."""

    found: NDArray[np.intp]
    row: NDArray[np.intp]
    count: NDArray[np.float32]

    def among(self, rows: NDArray[np.bool_]) -> Matches:
        """Only those of the rows that the mask holds."""
        kept = rows[self.row]
        term = np.arange(len(self.found)).repeat(self.found)
        return Matches(np.bincount(term[kept], minlength=len(self.found)), self.row[kept], self.count[kept])


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
        keys = keys[starts]
        self.segments.append(Segment((keys >> _HIGH).astype(np.uint32), keys.astype(np.uint32), counts))
        while len(self.segments) > 1 and len(self.segments[-2]) < _MERGE * len(self.segments[-1]):
            last, before = self.segments.pop(), self.segments.pop()
            self.segments.append(_merge(before, last))

    def find(self, terms: Terms) -> Matches:
        """The postings of these terms, which must be different from each other."""
        edges = [
            (segment.terms.searchsorted(terms).tolist(), segment.terms.searchsorted(terms, "right").tolist())
            for segment in self.segments
        ]
        found, rows, counts = [], [], []
        for place in range(len(terms)):
            size = 0
            for segment, (starts, ends) in zip(self.segments, edges, strict=True):
                start, end = starts[place], ends[place]
                if start < end:
                    size += end - start
                    rows.append(segment.rows[start:end])
                    counts.append(segment.counts[start:end])
            found.append(size)
        if not rows:
            return Matches(np.zeros(len(terms), np.intp), np.empty(0, np.intp), np.empty(0, np.float32))
        return Matches(np.array(found), np.concatenate(rows).astype(np.intp), np.concatenate(counts))


def _merge(before: Segment, after: Segment) -> Segment:
    terms = np.concatenate((before.terms, after.terms))
    order = np.argsort(terms, kind="stable")  # a merge of two runs, which leaves earlier rows before later ones
    rows, counts = np.concatenate((before.rows, after.rows)), np.concatenate((before.counts, after.counts))
    return Segment(terms[order], rows[order], counts[order])
