"""Pure arithmetic of ranking: BM25, what neighbours lend each other, fusion, the best few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.search.postings import Matches

Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

_K1, _B = 1.2, 0.4
_NOISE = 1e-5
_FEW = 200  # so many are in order before the best of them are told apart


@dataclass(frozen=True)
class Weights:
    """How much each signal counts, next to 1 for words and meaning together.

    Round numbers from the middle of wide plateaus on a development split: see `benchmarks/retrieval.py`.
    """

    to_next: float = 0.5
    """The part of its score a turn lends the one after it."""
    to_previous: float = 0.25
    """The part of its score a turn lends the one before it."""
    session: float = 0.25
    """What a session's best turn gives the others."""
    speaker: float = 0.2
    """What a participant's turns get when the query names them."""
    lexical: float = 0.6
    """The share of words beside meaning when the best passage has every term of the query."""
    lexical_least: float = 0.4
    """The part of that share that is left when no term is found."""

    def lexical_share(self, coverage: float) -> float:
        """The share of words when the best passage covers this much of the query (0..1)."""
        return self.lexical * (self.lexical_least + (1 - self.lexical_least) * coverage)


WEIGHTS = Weights()


def norms(lengths: Scores, mean_length: float) -> Scores:
    """What `bm25` divides by, for rows of these lengths in terms: long texts have more words by chance."""
    return _K1 * (1 - _B) + (_K1 * _B / max(mean_length, 1.0)) * lengths


def bm25(matches: Matches, norms: Scores) -> tuple[Scores, float]:
    """The BM25 score of every row, and which share of the query's information the best row covers (0..1)."""
    rows, row, count = len(norms), matches.row, matches.count
    behind = matches.found + 0.5
    idf = np.log1p((rows + 1 - behind) / behind)
    weights = idf.repeat(matches.found)
    gains = weights * count
    gains *= _K1 + 1
    gains /= count + norms[row]
    scores = np.bincount(row, gains, minlength=rows).astype(np.float32)
    covered = float(np.maximum.reduce(np.bincount(row, weights), initial=0.0))
    return scores, covered / max(float(np.add.reduce(idf)), 1e-9)


def diffuse(scores: Scores, before: Rows, after: Rows, to_next: float, to_previous: float) -> Scores:
    """What each row gets from the rows before and after it, -1 for none: the last of *scores* belongs to no row and
    is 0. Of a matrix each row of it stands for itself."""
    lent: Scores = scores.take(before, axis=-1, mode="wrap")  # -1 is the last one, as ever, without a check of bounds
    lent *= to_next
    back: Scores = scores.take(after, axis=-1, mode="wrap")
    back *= to_previous
    lent += back
    return lent


def stretch(scores: Scores) -> Scores:
    """Scores brought to 0..1 by their extremes; where all are alike they all become 1."""
    low, high = np.minimum.reduce(scores), np.maximum.reduce(scores)
    width = high - low
    return np.ones_like(scores) if width < 1e-6 else np.divide(scores - low, width)


def best(scores: Scores, among: Rows, limit: int) -> Rows:
    """The rows of *among*, which rise, with the highest scores, best first; of equal ones the newest first.

    Scores closer than the noise of float32 sums count as equal, so that equal texts keep their order.
    """
    chosen = scores[among]
    if limit < len(chosen) and len(chosen) > _FEW:
        place = len(chosen) - limit
        near = chosen >= np.partition(chosen, place)[place] - 2 * _NOISE
        among, chosen = among[near], chosen[near]
    rising = np.rint(chosen / _NOISE).argsort(kind="stable")
    top: Rows = among[rising[::-1][:limit]]  # backwards: of equal ones the newest is first
    return top
