"""Rank arbitrary rows that are no conversation, such as the items of a LangGraph store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ai_memory_integrations.search.postings import Postings
from ai_memory_integrations.search.scoring import Scores, bm25, norms
from ai_memory_integrations.search.text import query_terms


def rank_texts(rows: Sequence[bytes], query: str) -> Scores:
    """BM25 scores of the rows' terms (see `terms_of`) in 0..1, the best row 1; 0 where no term is shared."""
    if not rows:
        return np.zeros(0, np.float32)
    postings = Postings()
    lengths = np.array([len(row) >> 2 for row in rows])
    flat = np.frombuffer(b"".join(rows), "<u4").astype(np.uint32, copy=False)
    postings.extend(flat, np.repeat(np.arange(len(rows)), lengths))
    terms = query_terms(query)
    scores, _ = bm25(postings.find(terms), norms(lengths.astype(np.float32), float(lengths.mean())))
    best = float(scores.max())
    return scores / np.float32(best) if best > 0 else scores
