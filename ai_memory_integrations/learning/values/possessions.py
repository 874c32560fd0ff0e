"""What somebody has, keeps, drives or uses."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.text import cut, ends_with
from ai_memory_integrations.learning.words import COLLECTIBLES, PETS, POSSESSIONS, TOOLS


def pet(text: str) -> str:
    """An animal of one's own, with its name when it is said."""
    found = re.split(r"\s+(?:at|for|from|since|in|that|on|to|they|two|last)\b", cut(text), maxsplit=1)[0]
    animal, called, named = re.split(r"\s+(called|named)\s+", f"{found} called ", maxsplit=1) if found else ("", "", "")
    animal = re.sub(r"^an?\s+", "", animal)
    if not ends_with(animal, PETS, longest=5):
        return ""
    named = re.split(r"\s+called\s*$", named)[0].strip()
    return f"{animal} {called} {named}" if named else animal


def named_animal(text: str) -> str:
    return text if text[0].isupper() else text.rsplit(maxsplit=1)[-1]


def possession(text: str) -> str:
    found = re.sub(
        r"^an?\s+",
        "",
        re.split(r"\s+(?:at|for|from|in|on|to|with|last|near|outside|instead)\b", cut(text), maxsplit=1)[0],
    )
    if not ends_with(found, POSSESSIONS, longest=5):
        return ""
    where = re.search(rf"{re.escape(found)}( (?:in|near|outside) (?!{_MONTH})[A-Z][\w'-]+)", text)
    return f"{found}{where[1]}" if where else found


_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"


def vehicle(text: str) -> str:
    """What somebody drives: a listed thing or a make."""
    found = re.sub(
        r"^an?\s+", "", re.split(r"\s+(?:to|for|from|in|on|with|at|every|instead|last)\b", cut(text), maxsplit=1)[0]
    )
    is_make = 0 < len(found.split()) <= 5 and re.search(r"\b[A-Z]", found)
    return found if is_make or ends_with(found, POSSESSIONS, longest=5) else ""


def sold(text: str) -> str:
    found = re.split(r"\s+(?:and|to|for|last|in|on|at)\b", cut(text), maxsplit=1)[0]
    return found if 0 < len(found.split()) <= 4 else ""


def collection(text: str) -> str:
    found = cut(text)
    return found if ends_with(found, COLLECTIBLES, longest=4) else ""


def tool(text: str) -> str:
    """A program or a system by its name."""
    found = re.split(r"\s+(?:for|at|on|to|as|every|with|in|instead|last|this|from)\b", cut(text), maxsplit=1)[0]
    return found if ends_with(found, TOOLS, longest=3) else ""
