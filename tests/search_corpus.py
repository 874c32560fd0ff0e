"""One subject's passages as a backend would keep them, behind a real search engine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ai_memory_integrations.search.engine import Hit, SearchEngine, microseconds
from ai_memory_integrations.search.snapshot import IndexDelta, IndexRow, IndexState, Snapshot
from ai_memory_integrations.search.text import terms_of
from ai_memory_integrations.types import PassageQuery


@dataclass
class Kept:
    text: str
    row: IndexRow
    vector: bytes | None = None


class Corpus:
    def __init__(self, engine: SearchEngine | None = None, subject_no: int = 1, *, whole: bool = True) -> None:
        self.engine = engine or SearchEngine()
        self.kept: dict[int, Kept] = {}
        self.whole = whole  # whether the engine is given the passages themselves
        self.state = IndexState(subject_no, 0, 0, 0)
        self.reads: list[IndexDelta | None] = []

    def add(
        self,
        text: str,
        *,
        said: datetime | None = None,
        thread: str | None = None,
        role: str | None = "user",
        name: str | None = None,
        tags: tuple[str, ...] = (),
    ) -> int:
        seq = self.state.seq + 1
        created = None if said is None else microseconds(said)
        terms = terms_of(text, created_at=said)
        row = IndexRow(seq, terms, created, thread, role, name, tags, (text,) if self.whole else None, len(text))
        self.kept[seq] = Kept(text, row)
        self._advance(seq=seq)
        return seq

    def talk(self, *texts: str, thread: str = "t") -> None:
        for place, text in enumerate(texts):
            self.add(text, thread=thread, role=("user", "assistant")[place % 2])

    def embed(self, vectors: dict[str, Sequence[float]], upto: int | None = None) -> None:
        """Write behind: give every passage up to a number its vector."""
        for seq, kept in self.kept.items():
            if seq <= (upto or self.state.seq) and kept.vector is None and kept.text in vectors:
                kept.vector = np.asarray(vectors[kept.text], "<f2").tobytes()
        self._advance(vec_seq=upto or self.state.seq)

    def delete(self, seq: int) -> None:
        del self.kept[seq]
        self._advance(ver=self.state.ver + 1)

    def _advance(self, **changes: int) -> None:
        self.state = self.state._replace(**changes)

    def snapshot(self) -> Snapshot | None:
        """What the engine knows, brought up to date; None while there is nothing."""
        self.hits("")
        return self.engine._slots[self.state.subject_no].snapshot if self.kept else None

    def read(self, known: IndexState | None) -> IndexDelta | None:
        self.reads.append(self._delta(known))
        return self.reads[-1]

    def _delta(self, known: IndexState | None) -> IndexDelta | None:
        if known == self.state:
            return None
        reset = known is None or known.ver != self.state.ver
        row_from = 0 if reset or known is None else known.seq
        vector_from = 0 if reset or known is None else known.vec_seq
        rows = [kept.row for seq, kept in self.kept.items() if seq > row_from]
        vectors = [
            (seq, kept.vector)
            for seq, kept in self.kept.items()
            if kept.vector is not None and vector_from < seq <= self.state.vec_seq
        ]
        return IndexDelta(self.state, reset, rows, vectors)

    def hits(
        self, text: str, *, vector: Sequence[float] | None = None, allowed: set[int] | None = None, **query: Any
    ) -> list[Hit]:
        asked = PassageQuery(text=text, **query)
        return self.engine.search(self.state.subject_no, self.read, asked, vector=vector, allowed=allowed)

    def search(self, text: str, **rest: Any) -> list[str]:
        return [self.kept[hit.seq].text for hit in self.hits(text, **rest)]

    def rebuilt(self) -> Corpus:
        """The same passages, to be read at once by an engine that knows nothing yet."""
        again = Corpus(subject_no=self.state.subject_no)
        again.kept, again.state = self.kept, self.state
        return again


def random_vectors(texts: Sequence[str], dimension: int = 8, seed: int = 1) -> dict[str, list[float]]:
    numbers = random.Random(seed)
    return {text: [numbers.gauss(0, 1) for _ in range(dimension)] for text in texts}
