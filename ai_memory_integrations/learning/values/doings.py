"""What somebody does, told of them."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.text import LONGEST, POINTS_OUTSIDE, cut, ends_with, thing
from ai_memory_integrations.learning.words import PROJECTS, word_set


def third(text: str) -> str:
    """What somebody does, told of them: "go to my gym" is "goes to their gym"."""
    verb, space, rest = text.partition(" ")
    verb = verb.casefold()
    if verb.endswith(("s", "sh", "ch", "x", "o", "z")):
        verb += "es"
    elif verb.endswith("y") and verb[-2:-1] not in "aeiou":
        verb = f"{verb[:-1]}ies"
    else:
        verb = {"have": "has", "am": "is"}.get(verb, f"{verb}s")
    return f"{verb}{space}{_MY.sub('their', rest)}"


_MY = re.compile(r"\b(?:my|our)\b", re.I)


def habit(text: str) -> str:
    """What somebody does at certain times, told of them."""
    found = _HABIT_END.split(cut(text, commas=False), maxsplit=1)[0].strip()
    if not found or len(found.split()) > 12 or len(found) > LONGEST or POINTS_OUTSIDE.search(found):
        return ""
    return third(found) if _HABITUAL.search(found) and not _ON_SCREEN.search(found) else ""


_ON_SCREEN = re.compile(
    r"\b(?:page|site|website|link|app|file|code|script|server|logs?|line|url|tab|branch"
    r"|build)\b",
    re.I,
)
_HABIT_END = re.compile(
    r"\s+(?:to (?!work|the|bed|school|church|my|a |yoga|sleep|\w+day)|before |after |until |most of )"
)
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_HABITUAL = re.compile(
    rf"\b(?:(?:every|each) (?:single |other |second |third )?(?:day|morning|evening|night|afternoon|week|month"
    rf"|year|summer"
    rf"|winter|spring|autumn|weekend|weekday|{_WEEKDAY})|(?:on |at )?(?:weekends|weekdays|{_WEEKDAY}s)|daily"
    rf"|weekly|nightly"
    rf"|(?:once|twice|two times|three times|four times|\d times) an? (?:day|week|month|year)"
    rf"|in the (?:mornings?|evenings?)"
    rf"|{_WEEKDAY} (?:to|through|till) {_WEEKDAY}|nights|night shifts?|early shifts?|late shifts?|weekends"
    rf"|part[- ]time|full[- ]time|from home|shifts"
    r"|everywhere|at (?:\d{1,2}(?::\d\d)?(?: ?[ap]m)?|five|six|seven|four|three|eight|nine|ten|dawn|midnight|noon))\b",
    re.I,
)


def trade(text: str) -> str:
    """What somebody makes or mends, with no article: "boats", "old radios"."""
    found = re.split(r"\s+(?:for|at|in|on|with|from|and|to)\b", cut(text), maxsplit=1)[0]
    words = found.casefold().split()
    is_plain = 0 < len(words) <= 3 and words[0] not in _NO_TRADE and not found[0].isupper()
    return found if is_plain and words[-1].isalpha() and not POINTS_OUTSIDE.search(found) else ""


_NO_TRADE = word_set(
    "a an the my our some any more less much many lots too it up out on in over to for with at by like as well hard"
)


def activity(text: str) -> str:
    """What somebody does in life, told of them: no thing that the conversation is about, nothing of this minute."""
    found = thing(text) or _before_comma(text)
    words = found.casefold().split()
    if len(words) < 2 or words[1] in _NO_OBJECT or _JUST_NOW.search(found):
        return ""
    return third(found)


def _before_comma(text: str) -> str:
    return thing(text.partition(",")[0])


_NO_OBJECT = word_set("""
the it this that these those up out into on off over away down back to at some any better best well hard fast late fine
around like so too here there again things stuff along past
""")
_JUST_NOW = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|now|the (?:test|tests|code|script|file|query|command|same"
    r"|following)|sudo|tests?|scripts?"
    r"|code|commands?|quer(?:y|ies)|email|emails|message|messages|error|errors|track|mind|calm|going|getting|forgetting|having|trouble"
    r"|risk|tricks|minds|crazy|mad|nuts|up the wall|insane|out of|low on|notes?|line|lines|paragraph|sentence)\b",
    re.I,
)


def shunned(text: str) -> str:
    """What somebody does not do, with what they do instead: "wear heels, flats only"."""
    found = re.match(r"[^,]+(?:, (?:only [\w ]+|[\w ]+ only))?$", cut(text, commas=True))
    words = found[0].casefold().split() if found else []
    if (
        found is None
        or not 1 < len(words) <= 7
        or words[1] in _NO_OBJECT | {"my", "our"}
        or POINTS_OUTSIDE.search(found[0])
    ):
        return ""
    return "" if _JUST_NOW.search(found[0]) else found[0]


def project(text: str) -> str:
    """What somebody is at for months: "building a boat"."""
    found = re.split(r"\s+(?:about|for|with|on|from|set|called)\b", cut(text), maxsplit=1)[0]
    named = re.split(r"\s+(?:in|near)\b", found, maxsplit=1)[0]
    return found if ends_with(named, PROJECTS, longest=6) else ""
