"""What is worth recalling into a conversation, and how much of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ai_memory_integrations.parts import LONGEST, split
from ai_memory_integrations.types import Passage

_FIRST_LOOK = 4
_FURTHEST_LOOK = 1000


def recalled(
    search: Callable[[int], Sequence[Passage]], query: str, count: int, *, leave_out: Callable[[Passage], bool]
) -> list[Passage]:
    """At most *count* of the passages that *search* finds when it is given a limit, in its order: none to *leave_out*,
    and of those that say the same the first; of a long one its `excerpt`. For adapters, which put it there unasked.

    People ask the same again and again. So where little is left of what was found, more is looked for, up to a bound.
    """
    limit = count * _FIRST_LOOK
    while True:
        found = search(limit)
        said: dict[str, Passage] = {}
        for passage in found:
            if not leave_out(passage):
                said.setdefault(passage.text, passage)
        if len(said) >= count or len(found) < limit or limit >= _FURTHEST_LOOK:
            return [excerpt(passage, query) for passage in list(said.values())[:count]]
        limit *= _FIRST_LOOK


def excerpt(passage: Passage, query: str) -> Passage:
    """Of a long passage, such as a document that somebody pasted into a chat, the part that fits *query* best, with "…"
    for the rest: whole it could fill a prompt. Another one as it is."""
    if len(passage.text) <= LONGEST:
        return passage
    from ai_memory_integrations.search.text import STOP_WORDS, words_of

    asked = set(words_of(query)) - STOP_WORDS
    whole = passage.text
    best = max(split(whole), key=lambda part: len(asked.intersection(words_of(whole[part.start : part.end]))))
    text = whole[best.start : best.end].strip()
    before, behind = "… " if best.start else "", " …" if best.end < len(whole) else ""
    return passage.model_copy(update={"text": f"{before}{text}{behind}"})
