"""Who somebody is, and with whom they live."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.names import upper_first
from ai_memory_integrations.learning.values.text import POINTS_OUTSIDE, cut, listed
from ai_memory_integrations.learning.words import NATIONALITIES


def nationality(text: str) -> str:
    found = listed(text, NATIONALITIES)
    return " ".join(map(upper_first, found.split()))


def age(text: str) -> str:
    """Years of age: a bare number, or one followed by "years old"."""
    found = re.match(
        r"(\d{1,3})(?:\s*(?:years? old|years? of age|y/?o\b|yrs old))?(?=\s*(?:,|$|and\b|but\b|now\b|today\b"
        r"|last\b|this\b|yesterday\b|in\b|on\b))",
        text,
    )
    return found[1] if found and 5 <= int(found[1]) <= 119 else ""


def year(text: str) -> str:
    found = re.match(r"((?:19|20)\d\d)\b", text)
    return found[1] if found else ""


def children(text: str) -> str:
    if re.search(r" in (?:the|my|this) (?:code|script|file|table|list|tree|game|story|database)\b", text):
        return ""
    found = re.split(r"\s+(?:who|at|in|aged|called|named|from|with|to|under|that)\b", cut(text), maxsplit=1)[0]
    return found if 0 < len(found.split()) <= 7 else ""


def housemates(text: str) -> str:
    """With whom somebody lives."""
    found = re.split(r"\s+(?:in|at|near|again|on|for)\b", cut(text), maxsplit=1)[0]
    return found if 0 < len(found.split()) <= 5 and not POINTS_OUTSIDE.search(found) else ""


def was_single(text: str) -> str:
    return "single" if text else ""
