"""One query against one snapshot: terms, meaning and what a conversation knows, joined into one score."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.search.scoring import Mask, Scores, Weights, bm25, diffuse, stretch
from ai_memory_integrations.search.snapshot import Snapshot
from ai_memory_integrations.search.text import Terms, query_terms


@dataclass(frozen=True, slots=True)
class Ranking:
    """The score of every row (0..1), which rows are found at all, and the parts that add up to the score."""

    scores: Scores
    found: Mask
    parts: dict[str, Scores]

    def explain(self, rows: NDArray[np.intp]) -> list[dict[str, float]]:
        """The parts of the scores of some rows."""
        values = {name: part[rows].tolist() for name, part in self.parts.items()}
        return [{name: round(value[i], 4) for name, value in values.items()} for i in range(len(rows))]


def rank(snapshot: Snapshot, text: str, vector: NDArray[np.float32] | None, weights: Weights) -> Ranking:
    """Score every row of a snapshot that is not empty.

    A row is found when it shares a term with the query, when the turn before or after it does, or when *vector*
    points its way. A query that names nothing but a participant also finds what the participant said.
    """
    terms = query_terms(text)
    speakers, only_speakers = _mentioned(snapshot, terms)
    parts, found = _evidence(snapshot, terms, vector, weights)
    if only_speakers:
        found = found | speakers[snapshot.names.values]
    whole = 1 + weights.session + (weights.speaker if len(speakers) else 0)
    evidence = _sum(parts)
    best_of_session = np.zeros(snapshot.sessions_count, np.float32)
    np.maximum.at(best_of_session, snapshot.sessions.values, evidence)
    parts["session"] = weights.session * best_of_session[snapshot.sessions.values]
    if len(speakers):
        parts["speaker"] = weights.speaker * speakers[snapshot.names.values]
    parts = {name: part / np.float32(whole) for name, part in parts.items()}
    return Ranking(_sum(parts), found, parts)


def _sum(parts: dict[str, Scores]) -> Scores:
    return reduce(operator.add, parts.values())


def _evidence(
    snapshot: Snapshot, terms: Terms, vector: NDArray[np.float32] | None, weights: Weights
) -> tuple[dict[str, Scores], Mask]:
    """What speaks for each row by its words and its meaning and those of its neighbours, at most 1 in sum; and
    which rows it speaks for."""
    lexical, coverage = bm25(
        snapshot.postings.find(terms), len(terms), snapshot.lengths.values, snapshot.total_length / len(snapshot)
    )
    lent = _lent(snapshot, lexical, weights)
    words = lexical + lent
    found = words > 0
    share = 1.0 if vector is None else weights.lexical_share(coverage)
    scale = np.float32(share / (float(words.max()) or 1.0))
    parts = {"lexical": lexical * scale, "neighbour": lent * scale}
    if vector is not None and snapshot.vectors is not None:
        cosines = snapshot.vectors.values @ vector
        parts["semantic"] = np.float32(1 - share) * _closeness(snapshot, cosines, weights)
        found = found | (cosines > 0)
    return parts, found


def _closeness(snapshot: Snapshot, cosines: Scores, weights: Weights) -> Scores:
    """How near a row and its neighbours are to the query, 0..1. Counted from the mean, so that a missing neighbour
    and a missing vector count as average ones."""
    mean = cosines.sum() / np.float32(max(1, snapshot.embedded_count))  # those without a vector have 0
    centred = (cosines - mean) * snapshot.embedded.values
    return stretch(centred + _lent(snapshot, centred, weights))


def _lent(snapshot: Snapshot, scores: Scores, weights: Weights) -> Scores:
    return diffuse(scores, snapshot.turns.values, snapshot.befores.values, weights.to_next, weights.to_previous)


def _mentioned(snapshot: Snapshot, terms: Terms) -> tuple[Mask, bool]:
    """For each code of a name whether the query mentions it (False for the code -1), empty when it mentions
    nobody; and whether the query does nothing else."""
    mentions = snapshot.mentions
    names = [term for term in terms.tolist() if term in mentions] if mentions else []
    if not names:
        return np.empty(0, np.bool_), False
    codes = [code for term in names for code in mentions[term]]
    return snapshot.name_codes.mask(codes), len(names) == len(terms)
