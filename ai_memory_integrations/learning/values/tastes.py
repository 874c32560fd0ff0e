"""What somebody likes, plays, or wants of an answer."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.text import cut, ends_with, thing
from ai_memory_integrations.learning.words import GAMES, INSTRUMENTS


def loved(text: str) -> str:
    """A thing one likes. With "the" in front it mostly points at something in the conversation."""
    found = re.split(r"\s+as (?:much|many|well) as\b", thing(text), maxsplit=1)[0]
    if re.match(r"the [a-z]", found) and not _KNOWN_THE.match(found):
        return ""
    return "" if re.match(r"(?:my|our)\b", found, re.I) else found


_KNOWN_THE = re.compile(
    r"the (?:sea|beach|outdoors|mountains?|ocean|rain|snow|cold|heat|countryside|theatre|theater|opera|cinema"
    r"|colou?r|smell of|taste of|sound of|forest|city|sun|summer|winter|spring|autumn|gym|night|desert|stars|moon"
    r"|80s|90s|woods|dark)\b"
)


def of_person(text: str) -> str:
    """A cat person likes cats, a tea person tea."""
    return f"{text}s" if text in {"cat", "dog", "horse", "animal", "book"} else _SIGHTS.get(text, text)


_SIGHTS = {"beach": "the beach", "mountain": "the mountains"}


def played(text: str) -> str:
    found = re.split(
        r"\s+(?:in|for|at|with|on|every|most|since|twice|once|a|against|to|online|as)\b", cut(text), maxsplit=1
    )[0]
    bare = re.sub(r"^the\s+", "", found)
    items = [re.sub(r"^the\s+", "", item) for item in re.split(r"\s+and\s+", bare)]
    return found if all(ends_with(item, INSTRUMENTS | GAMES, longest=3) for item in items) else ""


def wish(text: str) -> str:
    """How somebody wants to be answered; it may speak of the assistant and of "me"."""
    found = cut(text, commas=True, narrowed=True)
    return found if found and len(found) <= 120 and len(found.split()) >= 2 else ""
