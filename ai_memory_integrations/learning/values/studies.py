"""What somebody studies, learns or has learnt."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.text import cut, ends_with, thing
from ai_memory_integrations.learning.words import INSTRUMENTS, LANGUAGES, PROGRAMMING, word_set


def subject(text: str) -> str:
    """What somebody studies."""
    found = re.split(
        r"\s+(?:in|at|with|from|part-?time|full-?time|online|as|right|to|on|for)\b", thing(text), maxsplit=1
    )[0]
    words = found.casefold().split()
    return "" if not 0 < len(words) <= 5 or words[0] in _NO_SUBJECT else found


_NO_SUBJECT = word_set("""
    every hard at in for with alone the my late all abroad best better a an while during when on until harder
    more lot
""")


def school(text: str) -> str:
    found = cut(text)
    return (
        found
        if re.search(r"[A-Z].*\b(?:University|College|School|Academy|Institute)\b|\bUniversity of [A-Z]", found)
        else ""
    )


def learnt(text: str) -> str:
    """A language, an instrument or another skill that is being learnt."""
    found = re.split(r"\s+(?:with|on|from|at|through|by|using|in|for|via|since)\b", thing(text), maxsplit=1)[0]
    words = found.casefold().split()
    if not 0 < len(words) <= 5 or words[0] in _NO_SKILL or (words[0] == "the" and words[-1] not in INSTRUMENTS):
        return ""
    return found


_NO_SKILL = word_set("a about new so more lots from as things something")


def languages(text: str) -> str:
    """Languages, with the words that say how well."""
    listed = cut(text, commas=True)
    found = listed if " and " in listed and "," in listed else thing(text)
    found = re.split(
        r"\s+(?:at|with|to|in|from|because|since|for|on|natively|fluently|well|poorly|badly)\b", found, maxsplit=1
    )[0]
    spoken = [word.casefold() for word in re.findall(r"[^\W\d_]+", found)]
    if not spoken or not any(word in LANGUAGES for word in spoken):
        return ""
    return found if all(word in LANGUAGES or word in _HOW_WELL for word in spoken) else ""


_HOW_WELL = word_set("""
    a little bit some of basic fluent native conversational broken decent good bad only and or both also
""")


def skill(text: str) -> str:
    """Programming languages and the like."""
    found = thing(text)
    items = re.split(r",\s*(?:and |or )?|\s+(?:and|or)\s+", re.sub(r"\ba (?:bit|little) (?:of )?", "", found))
    return found if all(ends_with(item, PROGRAMMING, longest=5) for item in items) else ""
