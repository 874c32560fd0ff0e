"""A fact as a short sentence about the person who stated it: "Lives in Lisbon", "No longer likes tea"."""

from __future__ import annotations

import re
from functools import lru_cache

from ai_memory_integrations.learning.facts import FAVOURITE, Fact
from ai_memory_integrations.learning.values.doings import third
from ai_memory_integrations.learning.words import HOBBY_VERBS, STATUSES

# How a label is told; a label that is not here is told as it stands: "Health: asthma".
TOLD: dict[str, str] = {
    "Name": "Is called {v}",
    "Prefers to be called": "Prefers to be called {v}",
    "Pronouns": "Uses the pronouns {v}",
    "Allergic to": "Is allergic to {v}",
    "Needs": "Needs {v}",
    "Diet": "Keeps to a {v} diet",
    "Avoids": "Avoids {v}",
    "Lives in": "Lives in {v}",
    "Lives with": "Lives with {v}",
    "Is in": "Is in {v}",
    "Works at": "Works at {v}",
    "Works in": "Works in {v}",
    "Age": "Is {v} years old",
    "Birthday": "Has a birthday on {v}",
    "Studies": "Studies {v}",
    "School": "Goes to {v}",
    "Speaks": "Speaks {v}",
    "Native language": "Grew up with {v}",
    "From": "Is from {v}",
    "Born in": "Was born in {v}",
    "Grew up in": "Grew up in {v}",
    "Children": "Has {v}",
    "Siblings": "Has {v}",
    "Pets": "Has {v}",
    "Dislikes": "Dislikes {v}",
    "Likes": "Likes {v}",
    "Prefers": "Prefers {v}",
    "Plays": "Plays {v}",
    "Learning": "Is learning {v}",
    "Skills": "Knows {v}",
    "Uses": "Uses {v}",
    "Is": "Is {v}",
    "Has": "Owns {v}",
}
_AS_IT_STANDS = frozenset({"Habits", "Activities"})  # their values begin with the verb
_DONE_BY_JOB = re.compile(r"(?:teaches|runs|owns|manages|drives|does)\b")
_HOBBIES = frozenset(
    map(third, HOBBY_VERBS | {"collect", "paint", "keep", "brew", "grow", "carve", "restore", "build"})
)
_ONGOING = re.compile(r"\w+ing\b")


def told(fact: Fact) -> str:
    """The sentence for a fact, without the stop at its end; for one that was taken back that it holds no longer."""
    sentence = _told(fact.label, fact.value)
    if not fact.retract:
        return sentence
    if not fact.value:
        return f"No longer: {fact.label[0].lower()}{fact.label[1:]}"
    return f"No longer {sentence[0].lower()}{sentence[1:]}"


def _told(label: str, value: str) -> str:
    if label in _AS_IT_STANDS or (label == "Occupation" and _DONE_BY_JOB.match(value)):
        return f"{value[:1].upper()}{value[1:]}"
    if label == "Occupation":
        return f"Is {value}" if value in STATUSES else f"Works as {_with_article(value)}"
    if label == "Plans" and _ONGOING.match(value):
        return f"Is {value}"
    if label == "Hobby" and value.split(" ", maxsplit=1)[0] in _HOBBIES:
        return f"{value[:1].upper()}{value[1:]}"
    if label in ("Has", "Children", "Siblings", "Pets"):
        return TOLD[label].format(v=_with_article(value))
    if label.startswith(FAVOURITE):
        return f"Likes {value} best as a {label.removeprefix(FAVOURITE)}"
    return TOLD.get(label, f"{label}: {{v}}").format(v=value)


def _with_article(value: str) -> str:
    first, last = value.split(" ", maxsplit=1)[0].casefold(), value.partition(" called ")[0].split(" ")[-1].casefold()
    if _COUNTED.fullmatch(first) or (last.endswith("s") and not last.endswith("ss")):
        return value
    return f"{'an' if first[0] in 'aeiou' else 'a'} {value}"


_COUNTED = re.compile(r"(?:an?|the|my|our|some|no|one|two|three|four|five|six|seven|eight|nine|ten|twin|\d+)")


@lru_cache(256)
def openings(label: str) -> tuple[re.Pattern[str], ...]:
    """What sentences of a label look like: to find again what was told of it, and that it no longer held."""
    forms = [re.escape(TOLD.get(label, f"{label}: {{v}}")).replace(r"\{v\}", ".+")]
    if label == "Occupation":
        forms += ["Works as .+", rf"Is (?:{'|'.join(sorted(STATUSES))})", rf"{_DONE_BY_JOB.pattern} .+"]
    if label == "Plans":
        forms += [r"Is \w+ing .+"]
    if label.startswith(FAVOURITE):
        forms += [f"Likes .+ best as a {re.escape(label.removeprefix(FAVOURITE))}"]
    return tuple(re.compile(rf"(?:No longer:? )?(?:{form})[.…]?", re.I) for form in forms)
