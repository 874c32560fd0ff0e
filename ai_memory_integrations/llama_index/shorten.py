"""Rendered memory made shorter: pure. What is left is still whole elements, marked as memory."""

from __future__ import annotations

import re
from collections.abc import Callable

_MARKED = re.compile(r"(?s)(?P<open><(?P<tag>\w+) [^\n]*>\n[^\n]*\n)(?P<body>.*)(?P<close>\n</(?P=tag)>)")
# Memory is escaped, so a "<" at the beginning of a line belongs to an element.
_NEXT = re.compile(r"(\n+)(?=<\w)")
_ELEMENT = re.compile(r"(?s)(?P<open><[^\n>]*>\n?)(?P<text>.*?)(?P<close>\n?</[^\n>]*>)")
_LEAST = 20
_HALF_AN_ESCAPE = re.compile(r"&\w*$")


def shortened(text: str, cost: Callable[[str], int], tokens: int) -> str | None:
    """*text* without as much of its end as costs *tokens*: last elements first, the last one left is cut; None when
    nothing would be left."""
    whole = _MARKED.fullmatch(text)
    if whole is None:
        return None
    parts = _NEXT.split(whole["body"])  # element, gap, element, gap, element
    wanted = cost(text) - tokens

    def fits(body: str) -> bool:
        return cost(f"{whole['open']}{body}{whole['close']}") <= wanted

    for last in range(len(parts) - 1, -1, -2):
        before = "".join(parts[:last])
        body = before + parts[last] if fits(before + parts[last]) else _cut(before, parts[last], fits)
        if body is not None:
            return f"{whole['open']}{body}{whole['close']}"
    return None


def _cut(before: str, element: str, fits: Callable[[str], bool]) -> str | None:
    """*before* and as much of the element's text as fits behind it; None when that is next to nothing."""
    found = _ELEMENT.fullmatch(element)
    if found is None:
        return None

    def first(length: int) -> str:
        kept = _HALF_AN_ESCAPE.sub("", found["text"][:length]).rstrip()
        return f"{before}{found['open']}{kept}…{found['close']}"

    low, high = 0, len(found["text"])
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(first(middle)) else (low, middle - 1)
    return first(low) if low >= _LEAST else None
