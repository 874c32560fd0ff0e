"""What people are called."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.text import cut
from ai_memory_integrations.learning.words import (
    CONDITIONS,
    DIETS,
    GIVEN_NAMES,
    LANGUAGES,
    NATIONALITIES,
    NOT_NAMES,
    OCCUPATIONS,
    STATUSES,
    word_set,
)


def name(text: str) -> str:
    """A name after "my name is". Without capitals it has to be a listed name or all that is said."""
    words = _name_words(text)
    if not words or words[0].casefold() in _NOT_AFTER_NAME_IS:
        return ""
    found = " ".join(words)
    if found.islower() and words[0] not in GIVEN_NAMES and found != cut(text):
        return ""
    return capitalised(found)


_NOT_AFTER_NAME_IS = (
    NOT_NAMES - {"christian", "leo", "faithful", "virgo", "jesus", "early", "royal", "god"}
) | word_set("""
    important secret long common unusual irrelevant confidential private spelled spelt pronounced misspelled
    below above mud hidden required mandatory optional written displayed shown unique
""")


def capital_name(text: str) -> str:
    """A name after "I'm": with capitals, and no other word that people capitalise; or a listed given name."""
    words = _name_words(text)
    if not words:
        return ""
    first = words[0]
    if first.islower():
        return capitalised(first) if first in GIVEN_NAMES and len(words) == 1 else ""
    if not all(word[0].isupper() or word in _PARTICLES for word in words) or (first.isupper() and len(first) > 1):
        return ""
    if words[-1].casefold() in _COMPANY or first.casefold() in _NO_FIRST_NAMES:
        return ""
    return "" if _NO_NAME_ENDING.search(first) and first.casefold() not in _NAMES_THAT_END_SO else " ".join(words)


def person(text: str) -> str:
    """The name of somebody else, also with a title: "Ms Shin"."""
    title = _TITLE.match(text)
    if title is None:
        return capital_name(text)
    words = _name_words(text[title.end() :])
    return f"{title[0].strip()} {words[0]}" if words and words[0][0].isupper() else ""


_TITLE = re.compile(r"(?:Mr|Mrs|Ms|Dr|Prof|Professor|Doctor)\.? (?=\w)")
_NAME = re.compile(r"(?:[^\W\d_][\w'’-]*\.?)(?: [^\W\d_][\w'’-]*\.?){0,4}")
_NAME_END = re.compile(
    r"\s*[,;:()\[\]{}<>|\"*_~!?…=/\u2190-\u2bff\U0001f000-\U0001faff]|\s+-+\s+"
    r"|(?<!\bSt)(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)\.(?=\s|$)|\s+(?:and|but|from|by|btw|so|with|without|these"
    r"|those|spelled|spelt|not|now|here|or|in|on|at|if|when|because|since|for|is|are|was|has|have|had|works?|loves?"
    r"|likes?|lives?|as|too|please|instead|though|actually|who|which|the|a|an|my|I|I'm|lol|haha|again|thanks|will"
    r"|can|would|turned|turns|just|also|died|passed|to|got|says|hates?|needs?|wants?|does|goes|thinks|keeps|did|and"
    r"|doesn't|won't|can't|isn't)(?![\w'-])",
    re.I,
)
_PARTICLES = word_set("""
    de da do dos das del della di du la le van von der den ter al el bin ben y e of
""")
_NO_NAME_ENDING = re.compile(r"(?:ing|ful|less|ous|able|ible|ically|[^aeiou]ly|[^aeo]ed)$")
_NAMES_THAT_END_SO = word_set("""
    ted fred ned jed ed ahmed mohamed mohammed muhammed reed sting sterling ming ping ling xing ying jing
    bing irving emily kelly molly polly sally holly billy beverly kimberly lily carly shelly alfred wilfred
    winifred jared mildred hamed
""")
_NO_FIRST_NAMES = NOT_NAMES | NATIONALITIES | CONDITIONS | STATUSES | DIETS | OCCUPATIONS | LANGUAGES
_COMPANY = word_set("corp inc ltd gmbh llc company bank group plc")


def _name_words(text: str) -> list[str]:
    end = _NAME_END.search(text)
    text = text[: end.start()] if end else text
    found = _NAME.fullmatch(text.strip(" ,-'"))
    words = found[0].rstrip(".").split() if found else []
    return words if len(words) <= 4 and all(len(word) <= 25 for word in words) else []


def capitalised(text: str) -> str:
    """Capitals for a name that was typed without any."""
    if text != text.lower():
        return text
    words = (word if word in _SMALL_IN_NAMES else "-".join(map(upper_first, word.split("-"))) for word in text.split())
    return " ".join(words)


def upper_first(word: str) -> str:
    return word[:1].upper() + word[1:]


_SMALL_IN_NAMES = _PARTICLES | word_set("""
    the of a an in near and
""")
