"""One query against one snapshot: terms, meaning and what a conversation knows, joined into one score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.search.scoring import Mask, Scores, Weights, bm25, diffuse, stretch
from ai_memory_integrations.search.snapshot import Snapshot
from ai_memory_integrations.search.text import Terms, query_terms


@dataclass(frozen=True, slots=True)
class Ranking:
    """The score of every row (0..1), which rows are found at all, and the named parts that add up to the score, a row
    of the matrix each."""

    scores: Scores
    found: Mask
    names: tuple[str, ...]
    parts: NDArray[np.float32]

    def explain(self, rows: NDArray[np.intp]) -> list[dict[str, float]]:
        """The parts of the scores of some rows."""
        values = {name: part[rows].tolist() for name, part in zip(self.names, self.parts, strict=True)}
        return [{name: round(value[i], 4) for name, value in values.items()} for i in range(len(rows))]


def rank(snapshot: Snapshot, text: str, vector: NDArray[np.float32] | None, weights: Weights) -> Ranking:
    """Score every row of a snapshot that is not empty.

    A row is found when it shares a term with the query, when the turn before or after it does, or when *vector*
    points its way. A query that names nothing but a participant also finds what the participant said.
    """
    terms = query_terms(text)
    speakers, only_speakers = _mentioned(snapshot, terms)
    cosines = None if vector is None or snapshot.vectors is None else snapshot.vectors.values @ vector
    names = [*_WORDS, *([] if cosines is None else ["semantic"])]
    evident = len(names)
    names += ["session", "speaker"] if len(speakers) else ["session"]
    # In one matrix, so that what is done to every part is one call: of a hundred rows, calls are what costs.
    parts = np.empty((len(names), len(snapshot)), np.float32)
    found = _evidence(snapshot, terms, cosines, weights, parts[:evident])
    if only_speakers:
        found = found | speakers[snapshot.names.values]
    sessions = snapshot.sessions.values
    best_of_session = np.zeros(snapshot.sessions_count, np.float32)
    np.maximum.at(best_of_session, sessions, np.add.reduce(parts[:evident]))
    parts[evident] = weights.session * best_of_session[sessions]
    whole = 1 + weights.session
    if len(speakers):
        parts[-1] = weights.speaker * speakers[snapshot.names.values]
        whole += weights.speaker
    parts /= np.float32(whole)
    return Ranking(np.add.reduce(parts), found, tuple(names), parts)


_WORDS = ("lexical", "neighbour")


def _evidence(
    snapshot: Snapshot, terms: Terms, cosines: Scores | None, weights: Weights, parts: NDArray[np.float32]
) -> Mask:
    """Fill in what speaks for each row by its words and its meaning and those of its neighbours, at most 1 in sum;
    which rows it speaks for."""
    rows = len(snapshot)
    own = np.zeros((1 if cosines is None else 2, rows + 1), np.float32)  # by words and by meaning, and `diffuse`'s 0
    own[0, :rows], coverage = bm25(snapshot.postings.find(terms), snapshot.norms)
    if cosines is not None:
        _centre(snapshot, cosines, own[1, :rows])
    lent = diffuse(own, snapshot.before.values, snapshot.after.values, weights.to_next, weights.to_previous)
    both = own[:, :rows] + lent
    found: Mask = both[0] > 0
    share = 1.0 if cosines is None else weights.lexical_share(coverage)
    scale = np.float32(share / (float(np.maximum.reduce(both[0])) or 1.0))
    np.multiply(own[0, :rows], scale, out=parts[0])
    np.multiply(lent[0], scale, out=parts[1])
    if cosines is not None:
        np.multiply(stretch(both[1]), np.float32(1 - share), out=parts[2])
        found |= cosines > 0
    return found


def _centre(snapshot: Snapshot, cosines: Scores, centred: Scores) -> None:
    """Fill in the cosines counted from their mean, so that a missing neighbour and a missing vector count as average
    ones."""
    embedded = snapshot.embedded_count
    mean = np.add.reduce(cosines) / np.float32(max(1, embedded))  # those without a vector have 0
    np.subtract(cosines, mean, out=centred)
    if embedded < len(cosines):
        centred *= snapshot.embedded.values


def _mentioned(snapshot: Snapshot, terms: Terms) -> tuple[Mask, bool]:
    """For each code of a name whether the query mentions it (False for the code -1), empty when it mentions
    nobody; and whether the query does nothing else."""
    mentions = snapshot.mentions
    names = [term for term in terms.tolist() if term in mentions] if mentions else []
    if not names:
        return np.empty(0, np.bool_), False
    codes = [code for term in names for code in mentions[term]]
    return snapshot.name_codes.mask(codes), len(names) == len(terms)
