"""What somebody does for a living, and for whom."""

from __future__ import annotations

import re
from itertools import pairwise

from ai_memory_integrations.learning.values.places import known_place, whereabouts
from ai_memory_integrations.learning.values.text import POINTS_OUTSIDE, cut, ends_with, listed
from ai_memory_integrations.learning.words import BUSINESSES, COMPANIES, OCCUPATIONS, ORGANISATIONS, STATUSES, word_set


def employer(text: str) -> str:
    """Whom somebody works for."""
    found = _EMPLOYER_END.split(cut(text), maxsplit=1)[0].strip()
    words = found.split()
    if not words or len(words) > 8 or POINTS_OUTSIDE.search(found) or words[0].casefold() in _NO_EMPLOYER:
        return ""
    if words[0].casefold() in {"a", "an", "the"}:
        listed = any(word.casefold() in ORGANISATIONS or word[0].isupper() for word in words[1:])
        return found if listed or any(pair in ORGANISATIONS for pair in _pairs(found)) else ""
    return found if found[0].isupper() or (found[0].isdigit() and len(words) > 1) or found in COMPANIES else ""


_EMPLOYER_END = re.compile(
    r"\s+(?:as|for \w+ (?:years|months)|for (?:a|the) |and|on|since|from|with|full-?time|part-?time|doing|last"
    r"|this|next|yesterday|today)\b"
)
_NO_EMPLOYER = word_set("""
    home night nights weekends times sea heights all least last present once my our work school myself free
    full fun money food people clients hours days most half double different various two three four five noon
    dawn scale
""")


def occupation(text: str) -> str:
    """A job after "I'm a": its last word is listed."""
    found = _JOB_END.split(cut(text), maxsplit=1)[0].strip()
    found = re.sub(r"^(?:an?|the)\s+", "", found, flags=re.I)
    words = found.split()
    if not words or len(words) > 5 or POINTS_OUTSIDE.search(found) or words[0].casefold() in _NO_JOB:
        return ""
    last = words[-1].casefold()
    return found if last in OCCUPATIONS or " ".join(words[-2:]).casefold() in OCCUPATIONS else ""


def any_job(text: str) -> str:
    """A job after "I work as": any short phrase."""
    found = re.sub(r"^(?:an?|the)\s+", "", _ANY_JOB_END.split(cut(text), maxsplit=1)[0].strip(), flags=re.I)
    words = found.casefold().split()
    return found if 0 < len(words) <= 5 and words[0] not in _NO_JOB and not POINTS_OUTSIDE.search(found) else ""


_JOB_END = re.compile(
    r"\s+(?:at|for|in|with|from|by|of|on|and|or|who|specialising|specializing|working|based|living|to|these)\b"
)
_ANY_JOB_END = re.compile(r"\s+(?:at|for|in|with|from|by|on|and|or|who|based|living|to|these|last|this)\b")
_NO_JOB = word_set("""
    great good bad terrible lousy better worse horrible natural born poor slow fast big hard tough well long
    much soon usual expected intended
""")


def status(text: str) -> str:
    return listed(text, STATUSES)


def workplace(text: str) -> str:
    """The employer in "nurse at St Thomas' Hospital": a guest at a hotel does not work there."""
    job, between, rest = _AT.split(text, maxsplit=1) if _AT.search(text) else ("", "", "")
    return employer(rest) if between and occupation(job) and not job.endswith("student") and rest[0].isupper() else ""


_AT = re.compile(r"\s+(at|for|with|of)\s+(?:the )?(?=\S)")


def workplace_in(text: str) -> str:
    """A place of work with its town: "a hospital in Leeds"."""
    house, _, town = text.partition(" in ")
    where = known_place(town)
    return f"{house} in {where}" if where and employer(house) else ""


def origin(text: str) -> str:
    """Where somebody is from who says their job first: "a nurse from Kharkiv"."""
    job, _, rest = text.partition(" from ")
    return known_place(rest) if occupation(job) else ""


def job_place(text: str) -> str:
    """The town in "architect in Izmir"."""
    job, _, town = text.partition(" in ")
    return whereabouts(town) if occupation(job) else ""


def business(text: str) -> str:
    found = re.split(r"\s+(?:in|for|from|at|with|on|near|called|that)\b", cut(text), maxsplit=1)[0]
    return found if ends_with(found, BUSINESSES, longest=6) else ""


def _pairs(text: str) -> list[str]:
    words = text.casefold().split()
    return [f"{left} {right}" for left, right in pairwise(words)]
