"""What a body suffers, needs, eats or must not eat."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.text import LISTED_END, POINTS_OUTSIDE, cut, ends_with, listed, thing
from ai_memory_integrations.learning.words import AIDS, AILMENTS, CONDITIONS, DIETS, FOODS, MEDICINES, word_set


def condition(text: str) -> str:
    return listed(text, CONDITIONS)


def ailment(text: str) -> str:
    """A lasting ailment: "type 2 diabetes", "ADHD"."""
    found = re.sub(
        r"^(?:an?|the|really|severe|chronic|mild|bad)\s+"
        r"(?!pacemaker)",
        "",
        LISTED_END.split(cut(text))[0],
        flags=re.I,
    )
    words = found.split()
    known = 0 < len(words) <= 4 and (words[-1].casefold() in AILMENTS or found.casefold() in AILMENTS)
    return found if known and not POINTS_OUTSIDE.search(found) else ""


def any_ailment(text: str) -> str:
    found = re.split(r"\s+(?:last|in|two|three|a|when|at|this|ago|\d+)\b", cut(text), maxsplit=1)[0]
    return found if 0 < len(found.split()) <= 4 and not POINTS_OUTSIDE.search(found) else ""


def medicine(text: str) -> str:
    found = re.split(r"\s+(?:for|since|at|every|and|twice|once|daily)\b", cut(text), maxsplit=1)[0]
    return found if ends_with(found, MEDICINES, longest=3) else ""


def aid(text: str) -> str:
    found = re.split(r"\s+(?:at|every|and)\b", cut(text), maxsplit=1)[0]
    return found if ends_with(found, AIDS, longest=4) else ""


def diet(text: str) -> str:
    return listed(text, DIETS)


def allergen(text: str) -> str:
    found = re.split(r"\s+(?:for|at|from|like|with)\b", thing(text), maxsplit=1)[0]
    return "" if found.casefold() in _NO_ALLERGENS or re.match(r"an?\b", found) or len(found.split()) > 8 else found


_NO_ALLERGENS = word_set("""
    work mornings bullshit nonsense people monday mondays meetings exercise stupidity
""")


def food(text: str) -> str:
    """What somebody does not eat or drink, for good: no times, no amounts."""
    found = thing(text)
    words = found.split()
    return found if 0 < len(words) <= 6 and not _AT_TIMES.search(found) and words[0].casefold() not in _NO_FOOD else ""


_NO_FOOD = word_set("""
    now today tonight here there this that lately
    much enough out well too the a an anymore breakfast lunch dinner before after until at on in my like
    properly right yet today and or
""")
_AT_TIMES = re.compile(
    r"\b(?:at|on|in|for|after|before|during|every|with|from|much|often|like|and (?:drive|run|tell))\b"
)


def given_up(text: str) -> str:
    """Food and drink that somebody leaves alone: listed, so that nobody avoids meetings."""
    found = _FOOD_END.split(thing(text), maxsplit=1)[0]
    items = re.split(r",\s*(?:and |or )?|\s+(?:and|or)\s+", found)
    return found if found and all(ends_with(item, FOODS, longest=3) for item in items) else ""


_FOOD_END = re.compile(r"\s+(?:in|for|since|last|this|after|when|on|before|years?|months?|completely|altogether|as)\b")
