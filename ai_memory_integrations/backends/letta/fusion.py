"""One order of passages out of two, Letta's by meaning and ours by words: pure."""

from __future__ import annotations

from collections.abc import Sequence

from ai_memory_integrations.backends.letta.archived import passes
from ai_memory_integrations.types import Passage, PassageQuery

_FUSION = 60.0  # of reciprocal ranks: how much a first place outweighs a second one


def fused(query: PassageQuery, there: Sequence[Passage], waiting: Sequence[Passage]) -> list[Passage]:
    """Letta's order and the order by words, made one by reciprocal ranks. Best first, at most `query.limit`.

    Of what waits and Letta cannot rank yet, the words count for both: what was said last would stand behind all else.
    One that was sent meanwhile is in both lists, and found once, as it is here.
    """
    here = {passage.id: passage for passage in waiting}
    passages = [here.get(passage.id, passage) for passage in there if passage.id in here or passes(passage, query)]
    meaning = {passage.id: rank for rank, passage in enumerate(passages, start=1)}
    passages += [passage for passage in waiting if passage.id not in meaning]
    words = {passages[place].id: rank for rank, place in enumerate(_by_words(query.text, passages), start=1)}
    scored: list[tuple[float, int, dict[str, float]]] = []
    for number, passage in enumerate(passages):
        by_words = _part(words.get(passage.id))
        parts = {
            "meaning": _part(meaning.get(passage.id)),
            "words": by_words if passage.id in meaning else 2 * by_words,
        }
        scored.append((sum(parts.values()), number, parts))
    scored.sort(key=lambda each: (-each[0], each[1]))
    return [
        passages[number].model_copy(update={"score": score, "explanation": parts if query.explain else None})
        for score, number, parts in scored[: query.limit]
    ]


def _part(rank: int | None) -> float:
    """A rank's part of a score: a half for the first, nothing for what was not found."""
    return 0.0 if rank is None else 0.5 * (_FUSION + 1) / (_FUSION + rank)


def _by_words(text: str, passages: Sequence[Passage]) -> list[int]:
    """The places of those that share words with the query, best first."""
    from ai_memory_integrations.search.engine import SearchEngine, microseconds
    from ai_memory_integrations.search.snapshot import IndexDelta, IndexRow, IndexState
    from ai_memory_integrations.search.text import terms_of

    rows = [
        IndexRow(
            number + 1,
            terms_of(passage.text, created_at=passage.created_at),
            None if passage.created_at is None else microseconds(passage.created_at),
            passage.thread_id,
            passage.role,
            passage.name,
        )
        for number, passage in enumerate(passages)
    ]
    delta = IndexDelta(state=IndexState(0, len(rows), 0, 0), reset=True, rows=rows)
    hits = SearchEngine().search(0, lambda _: delta, PassageQuery(text=text, limit=len(rows)))
    return [hit.seq - 1 for hit in hits]
