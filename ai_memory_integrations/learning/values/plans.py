"""What somebody plans or wants of life."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.text import thing
from ai_memory_integrations.learning.values.times import TIME
from ai_memory_integrations.learning.words import INSTRUMENTS, LANGUAGES, OCCUPATIONS, word_set


def plan(text: str) -> str:
    """A plan that has a time, so that it is not what somebody is about to do in the next minute."""
    found = thing(text)
    if not TIME.search(found) or re.match(r"(?:the|a|an|my) ", found, re.I):
        return ""
    becomes = _BECOMES.match(found)
    return "" if becomes and becomes[1].casefold() not in OCCUPATIONS | _PARENTS else found


_BECOMES = re.compile(
    r"(?:be|become) an? (?:[\w-]+ )??([\w-]+)(?= (?:in|by|on|next|this|at|from|for|soon|again)\b|$|,)", re.I
)
_PARENTS = word_set("dad father mom mum mother parent grandparent grandfather grandmother uncle aunt godparent")


def journey(text: str) -> str:
    """A plan whose verb says enough: travelling, moving, marrying."""
    found = thing(text)
    return found if found and (TIME.search(found) or re.search(r"\b(?:to|in) (?:the )?[A-Z]", found)) else ""


def journey_named(text: str) -> str:
    """The place of "the Oslo trip", "my trip to Oslo"."""
    return (
        re.sub(r"\b(?:trip|flight|holiday|vacation|journey|travel|visit|to)\b", "", text, flags=re.I).strip()
        or text.strip()
    )


def event(text: str) -> str:
    """A trip, a wedding, an exam: named, or with a time."""
    found = re.sub(r"^(?:an?|my|our)\s+", r"", thing(text), flags=re.I)
    return found if found and (_EVENT.search(found)) else ""


_EVENT = re.compile(
    r"\b(?:trip|holiday|vacation|wedding|honeymoon|move|party|interview|exam|surgery|operation|flight|conference"
    r"|marathon|citizenship test|driving test|road trip|sabbatical|reunion|retirement|renovation|concert|race"
    r"|triathlon|appointment|hike"
    r"|expedition|cruise)\b",
    re.I,
)


def future(text: str) -> str:
    """An appointment that is still to come."""
    found = event(text)
    return found if found and TIME.search(found) else ""


def ambition(text: str) -> str:
    """Something one wants of life, not of the next answer."""
    found = thing(text)
    return found if found and _AMBITION.match(found) else ""


_AMBITION = re.compile(
    r"(?:become an? |be an? (?:\w+ )?(?:doctor|teacher|pilot|nurse|writer|musician|lawyer|engineer)|lose (?:weight"
    r"|\d)|(?:quit|stop|give up) (?:smoking|drinking|vaping|sugar|my job)|run an? (?:[\w-]+ )?(?:marathon|10k|5k"
    r"|ultra)|(?:switch|change) (?:careers?|jobs)|write (?:a|my) (?:first )?(?:book|novel|memoir)|visit (?-i:[A-Z])"
    r"|travel (?:to|the|around|through)|move to (?-i:[A-Z])|start (?:a|my own) (?:business|company|family|podcast"
    r"|garden)|get (?:fit|fitter|in shape|married|an? (?:dog|cat|puppy|degree|tattoo|phd)\b)|buy a (?:house|flat"
    r"|home|car|boat|campervan)|retire|learn (?:to (?:swim|drive|sail|surf|cook|ski|dance|sew|knit|fly|play"
    r"|read music)|(?:how to )?(?:swim|drive|sail|surf|play)|(?:the )?(?:"
    + "|".join(sorted(LANGUAGES | INSTRUMENTS))
    + r")\b)|go (?:back )?to (?:university|college|uni)"
    r"|climb (?-i:[A-Z])|save (?:up|for a)|work (?:less|abroad)|live (?:abroad|in (?-i:[A-Z]))|adopt )",
    re.I,
)
