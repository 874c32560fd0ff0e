"""Where a captured text ends, and what no value may hold."""

from __future__ import annotations

import re

LONGEST = 80
_END = re.compile(
    r"\s*[;()\[\]{}<>|\"*_~!?…=]|\s*(?<!\bSt)(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)[.:](?=\s|$)|\s+-+\s+"
    r"|\s*[\u2190-\u2bff\U0001f000-\U0001faff]|\s+(?:because|since|but|so|although|though|whereas|while|which|who"
    r"|whose|where|when|whenever|if|unless|until|as|cause|cuz|lol|haha|btw|by the way|please|thanks|thank you|too"
    r"|anyway|right now|now|at the moment|currently|these days|nowadays|actually|really|a lot|very much|so much"
    r"|more than anything|the most|honestly|tbh|to be honest|in case|fyi|anymore|either|at all|again|lately"
    r"|recently|originally|is|are|was|have|has|you know|I guess|I'm|I've|my friend|everyone)(?![\w'-])|\s+(?:and"
    r"|or)\s+(?:I|I'm|I've|my|we|it|it's|they|he|she|that|you|the other|this|there|then|now|want|would|need|can"
    r"|just|mostly|never|always|so|a bit|got|going)\b",
    re.I,
)
_COMMA = re.compile(r"\s*,")
POINTS_OUTSIDE = re.compile(
    r"\b(?:you|your|yours|you're|you'd|this(?! (?:year|month|summer|winter|spring|autumn|fall|season|christmas"
    r"|easter)\b)|that|these|those|it|its|it's|he|him|his|she|her|hers|they|them|their"
    r"|there|here|me)\b|^(?:the (?:way|idea|fact|answer|first|second|third|last|latter|former|next|other|one|same"
    r"|sound of (?:that|this)|question|suggestion|result|code|design|option|version|name|look|new|old)|how|what"
    r"|when|where|why|one|ones|both|option|number|plan [a-z]|version|all|some|something|someone|anything|anyone"
    r"|everything|everyone|nothing|nobody|another|each|such|more|less|to (?:think|say|believe|imagine|know|pretend"
    r"|see|hear|admit|be|ask|break|disappoint|interrupt|bother|complain|brag|boast)|being (?:called|told|asked)"
    r"|not)\b",
    re.I,
)
_NARROWS = re.compile(
    r"\s+(?:who|whose|which|where|when|whenever|while|if|unless|until|as|are|is|was|has"
    r"|have)",
    re.I,
)


def cut(text: str, *, commas: bool = False, narrowed: bool = False) -> str:
    """The text up to where the next thought begins.

    With *narrowed* what narrows the value down belongs to it: "people who chew loudly" are not people.
    """
    end = _END.search(text)
    while narrowed and end and _NARROWS.fullmatch(end[0]):
        end = _END.search(text, end.end())
    text = text[: end.start()] if end else text
    if not commas:
        comma = _COMMA.search(text)
        text = text[: comma.start()] if comma else text
    return text.strip(" ,.-'/&").removesuffix(" and").strip()


def thing(text: str) -> str:
    """Anything one can like, plan or want: a phrase of at most ten words, or an enumeration of short items."""
    found = _enumeration(cut(text, commas=True, narrowed=True)) or cut(text, narrowed=True)
    is_cut_short = _CUT_SHORT.search(found) and text[len(found) :].startswith(",")
    if not found or is_cut_short or found in ("to", "in"):
        return ""
    if len(found) > LONGEST or len(found.split()) > 10 or POINTS_OUTSIDE.search(found):
        return ""
    return found if re.search(r"[^\W_]{2}", found) else ""


_CUT_SHORT = re.compile(r"\b(?:an?|the|such|my|our|very|so)\s+[\w-]+$")


def _enumeration(text: str) -> str:
    """`cats, dogs and birds` whole; what follows the first comma of anything else is another thought."""
    if "," not in text:
        return text
    found = _LIST.match(text)
    items = re.split(r",\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+", found[0]) if found else []
    return found[0] if found and all(0 < len(item.split()) <= 3 for item in items) else ""


_LIST = re.compile(r"[^,]{1,40}(?:, (?!and |or )[^,]{1,40}?){0,8},? (?:and|or) [^,]{1,40}")


def phrase(text: str) -> str:
    """A short piece of text as it stands."""
    found = cut(text)
    return found if found and len(found) <= LONGEST and len(found.split()) <= 12 else ""


def as_said(text: str) -> str:
    """What a pattern has cut to measure already."""
    return text.strip(" ,.")


def listed(text: str, known: frozenset[str]) -> str:
    """The phrase itself when it is listed whole, with nothing behind it but a new thought."""
    found = re.sub(r"^(?:an?|the)\s+", "", LISTED_END.split(cut(text), maxsplit=1)[0].strip(), flags=re.I)
    return found if found.casefold() in known else ""


LISTED_END = re.compile(
    r"\s+(?:and|for|from|by|in|on|since|myself|person|guy|woman|man|girl|lady|chap|too|again|originally|living"
    r"|these|at|apart|except|but|again)\b"
)


def ends_with(text: str, known: frozenset[str], *, longest: int) -> bool:
    words = text.casefold().split()
    if not 0 < len(words) <= longest or POINTS_OUTSIDE.search(text):
        return False
    last = words[-1]
    return last in known or last.removesuffix("s") in known or " ".join(words[-2:]) in known
