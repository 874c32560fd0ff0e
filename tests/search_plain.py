"""The ranking written plainly, one array a step: what the engine does in fewer calls must give the same bytes."""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.search.scoring import WEIGHTS
from ai_memory_integrations.search.snapshot import Snapshot
from ai_memory_integrations.search.text import query_terms

Array = NDArray[Any]
Plain = tuple[int, float, dict[str, float], tuple[Any, ...] | None]


def plain_hits(
    snapshot: Snapshot, query: str, vector: list[float] | None, roles: tuple[Any, ...] | None
) -> list[Plain]:
    """Every passage found with its score and the parts of it, best first."""
    asked = None
    if vector is not None and snapshot.vectors is not None:
        asked = np.asarray(vector, np.float32)
        norm = float(np.sqrt(asked @ asked))
        asked = asked / norm if norm > 0 else None
    scores, found, parts = _ranked(snapshot, query, asked)
    if roles is not None:
        found = found & np.array([code in snapshot.role_codes.known(roles) for code in snapshot.roles.values.tolist()])
    rows = np.flatnonzero(found)
    rows = rows[np.lexsort((-rows, -np.rint(scores[rows] / 1e-5)))]
    return [
        (
            int(snapshot.seqs.values[row]),
            float(np.clip(scores[row], 0, 1)),
            {name: round(float(part[row]), 4) for name, part in parts.items()},
            None if snapshot.whole is None else snapshot.whole[row],
        )
        for row in rows.tolist()
    ]


def _ranked(snapshot: Snapshot, query: str, vector: Array | None) -> tuple[Array, Array, dict[str, Array]]:
    terms = query_terms(query)
    lexical, coverage = _bm25(snapshot, terms)
    lent = _diffused(snapshot, lexical)
    words = lexical + lent
    found = words > 0
    share = 1.0 if vector is None else WEIGHTS.lexical_share(coverage)
    scale = np.float32(share / (float(words.max()) or 1.0))
    parts = {"lexical": lexical * scale, "neighbour": lent * scale}
    if vector is not None and snapshot.vectors is not None:
        cosines = snapshot.vectors.values @ vector
        mean = cosines.sum() / np.float32(max(1, snapshot.embedded_count))
        centred = (cosines - mean) * snapshot.embedded.values
        near = centred + _diffused(snapshot, centred)
        low, high = near.min(), near.max()
        near = np.ones_like(near) if high - low < 1e-6 else (near - low) / (high - low)
        parts["semantic"] = np.float32(1 - share) * near
        found = found | (cosines > 0)
    mentioned = [code for term in terms.tolist() for code in snapshot.mentions.get(term, ())]
    naming = [term for term in terms.tolist() if term in snapshot.mentions]
    speaking = np.array([code in mentioned for code in snapshot.names.values.tolist()])
    if naming and len(naming) == len(terms):
        found = found | speaking
    evidence = reduce(operator.add, parts.values())
    best = np.zeros(snapshot.sessions_count, np.float32)
    np.maximum.at(best, snapshot.sessions.values, evidence)
    parts["session"] = WEIGHTS.session * best[snapshot.sessions.values]
    if naming:
        parts["speaker"] = WEIGHTS.speaker * speaking
    whole = 1 + WEIGHTS.session + (WEIGHTS.speaker if naming else 0)
    parts = {name: (part / np.float32(whole)).astype(np.float32) for name, part in parts.items()}
    return reduce(operator.add, parts.values()), found, parts


def _bm25(snapshot: Snapshot, terms: Array) -> tuple[Array, float]:
    rows, lengths = len(snapshot), snapshot.lengths.values
    matches = snapshot.postings.find(terms)
    found = matches.found
    idf = np.log1p((rows - found + 0.5) / (found + 0.5))
    weights = np.repeat(idf, found)
    mean = snapshot.total_length / rows
    norm = 1.2 * (1 - 0.4) + (1.2 * 0.4 / max(mean, 1.0)) * lengths[matches.row]
    gains = weights * matches.count * (1.2 + 1) / (matches.count + norm)
    scores = np.bincount(matches.row, gains, minlength=rows).astype(np.float32)
    covered = float(np.bincount(matches.row, weights).max(initial=0.0))
    return scores, covered / max(float(idf.sum()), 1e-9)


def _diffused(snapshot: Snapshot, scores: Array) -> Array:
    turns = np.flatnonzero(snapshot.before.values >= 0)
    befores = snapshot.before.values[turns]
    lent = np.zeros_like(scores)
    lent[turns] = WEIGHTS.to_next * scores[befores]
    lent[befores] += WEIGHTS.to_previous * scores[turns]
    return lent
