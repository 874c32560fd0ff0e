"""When something is: days, dates, times to come."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.text import cut


def birthday(text: str) -> str:
    """A date with a month or with slashes."""
    found = re.sub(r"^(?:on|the)\s+", "", re.sub(r"^(?:on|the)\s+", "", cut(text, commas=True), flags=re.I), flags=re.I)
    found = re.split(r"\s+(?:in|at|and|to|like)\b", found, maxsplit=1)[0].rstrip(", ")
    return found if len(found.split()) <= 5 and DATE.search(found) and _HAS_DAY.search(found) else ""


DATE = re.compile(
    r"\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)(?:uary|ruary|ch|il|ust|tember|ober|ember)?\b"
    r"|\d{1,2}[/.-]\d{1,2}",
    re.I,
)
_HAS_DAY = re.compile(r"\d")


def when(text: str) -> str:
    """A day or a time to come, with the word before it: "on Friday", "in May"."""
    found = re.split(r"\s+(?:and|but|with|to|because)\b", cut(text, commas=True), maxsplit=1)[0]
    found = re.split(r",\s+(?!\d|[a-z]+ \d)", found)[0]
    return found if len(found.split()) <= 8 and (TIME.search(found) or DATE.search(found)) else ""


def turning(text: str) -> str:
    found = when(text[3:])
    return f"turning {text[:2]} {found}" if found else ""


TIME = re.compile(
    r"\b(?:next|this (?:summer|winter|spring|autumn|fall|weekend|month|year|week|christmas|easter|january|february"
    r"|march|april|may|june|july|august|september|october|november|december|monday|tuesday|wednesday|thursday"
    r"|friday|saturday|sunday)|tomorrow|later this|(?:in|on|by|until|for|over|at) (?:(?:early|late|mid|the|a few"
    r"|two|three|the end of)[ -])?(?:january|february|march|april|may|june|july|august|september|october|november"
    r"|december|summer|winter|spring|autumn|fall|christmas|easter|20\d\d|monday|tuesday|wednesday|thursday|friday"
    r"|saturday|sunday|weeks|months|years|days|holidays|new year)|on the \d|on \d|in \d+ (?:days|weeks|months|years)"
    r"|someday|one day)\b",
    re.I,
)
