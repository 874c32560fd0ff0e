"""Where somebody lives or is."""

from __future__ import annotations

import re

from ai_memory_integrations.learning.values.names import capitalised
from ai_memory_integrations.learning.values.text import POINTS_OUTSIDE, cut
from ai_memory_integrations.learning.words import DWELLINGS, PLACES, PROGRAMMING, TOOLS, word_set


def place(text: str) -> str:
    """Where somebody lives: a name with its region, or a kind of place ("a village near Porto")."""
    found = _place_text(text)
    words = found.split()
    if not words or len(words) > 8 or POINTS_OUTSIDE.search(found):
        return ""
    if words[0].casefold() in {"a", "an", "the", "my", "our"}:
        listed = any(word.casefold().strip(",") in DWELLINGS for word in words)
        return found if listed or any(word[0].isupper() for word in words[1:]) or _known(found) else ""
    if found[0].isupper():
        return found
    small = found.casefold()
    return capitalised(found) if len(words) <= 3 and small == found and words[0] not in _NO_PLACES else ""


def known_place(text: str) -> str:
    """A place where the words before it do not say that it is one ("moved to", "from")."""
    found = place(text)
    if not found or found.casefold().split()[0] in _TECHNOLOGY:
        return ""
    typed = _place_text(text)
    return found if typed[0].isupper() or _known(typed) or typed.split()[0] in {"the", "a"} else ""


def _place_text(text: str) -> str:
    text = cut(text, commas=True)
    within = re.match(r"an? [^,]+? in (?=[A-Z])", text)
    start = within.end() if within else 0
    end = _PLACE_END.search(text, start)
    text = text[: end.start()] if end else text
    head, *regions = [part.strip() for part in text.split(",")]
    if regions and regions[0] and regions[0][0].isupper() and len(regions[0].split()) <= 3:
        return f"{head}, {regions[0]}"
    return head


def _known(text: str) -> bool:
    return text.casefold().removeprefix("the ") in PLACES


_PLACE_END = re.compile(
    r"\s+(?:for|with|and|or|to|all|over|last|this|in|on|from|about|not|just|most|during|two|three|a (?:year|month"
    r"|week|few|couple)|\d+ \w+|after|before|until|by|at|alone|yesterday|today|together|full-?time|permanently|next"
    r"|ago|also|yet|only|both|most)\b",
)
_NO_PLACES = word_set("""
    fear denial hope peace harmony darkness poverty sin hiding constant total different multiple many several
    chaos pain hell luxury terror two three four five style squalor exile comfort interesting sales
    management marketing finance
""")
_TECHNOLOGY = word_set("""
    python linux ubuntu debian windows mac macos ios android react vue angular rust go java kotlin typescript
    postgres postgresql mysql aws azure gcp kubernetes docker notion slack chrome firefox safari github
    gitlab vim neovim vscode emacs fastapi django flask svelte next.js spotify netflix discord telegram
    signal whatsapp gmail outlook c c++ c# helix zed sublime fedora nixos
""")


def near(text: str) -> str:
    """Where somebody lives, told by what is near: "on a houseboat in Amsterdam", "near the beach in Sopot"."""
    found = re.split(r"\s+(?:with|and|for|since)\b", cut(text), maxsplit=1)[0].removeprefix("on ")
    is_named = re.search(r"\b[A-Z]\w", found) is not None
    return found if is_named and len(found.split()) <= 8 and not POINTS_OUTSIDE.search(found) else ""


def whereabouts(text: str) -> str:
    """The place where somebody is: named, and no program, school year or state of mind."""
    found = place(text)
    words = found.split()
    if (
        not text[:1].isupper()
        or not 0 < len(words) <= 4
        or re.search(r"\d", found)
        or words[0].casefold() in _NO_WHEREABOUTS
    ):
        return ""
    return (
        ""
        if found.casefold() in TOOLS | PROGRAMMING | _TECHNOLOGY or (found.isupper() and found not in _SHORT)
        else found
    )


_SHORT = frozenset({"UK", "US", "USA", "NYC", "LA", "SF", "DC", "UAE"})
_NO_WHEREABOUTS = word_set("""
year grade room zoom love january february march april may june july august september october november december english
german french spanish italian chinese japanese latin section chapter part step line monday tuesday wednesday thursday
friday saturday sunday group team form class level phase heaven hell german
""")
