"""Facts about a subject and the one-line form in which a block holds them.

A fact has a label, a value and, where it can change, the day it was said: `Lives in: Lisbon (2025-09-03)`. Each
label has a kind, which says whether a new value replaces the old one, and how useful the line is when a block is full.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ai_memory_integrations.learning.words import word_set

Topic = Literal["person", "preference"]


@dataclass(frozen=True)
class Kind:
    """How facts of one label behave.

    `rank` is their usefulness, 100 the highest. Of a kind with `many` False a new value replaces the old one, also
    the ones of other kinds in the same `slot` (a wife and a girlfriend are both the partner). `loose` kinds are
    retracted by some of their words ("my trip to Japan"), the others only by the very value. What is said under one
    label is taken back under its `opposite`.
    """

    rank: int
    many: bool = False
    dated: bool = True
    slot: str = ""
    loose: bool = False
    topic: Topic = "person"
    opposite: str = ""


def _partner(*labels: str) -> dict[str, Kind]:
    return {label: Kind(84, slot="partner", loose=True) for label in labels}


def _others(*labels: str, many: bool = False) -> dict[str, Kind]:
    return {label: Kind(58, many=many) for label in labels}


def _relatives(*labels: str) -> dict[str, Kind]:
    return {label: Kind(72, many=True, dated=False) for label in labels}


KINDS: dict[str, Kind] = {
    "Name": Kind(100, dated=False),
    "Prefers to be called": Kind(99, dated=False),
    "Pronouns": Kind(96, dated=False),
    "Allergic to": Kind(95, many=True, topic="preference"),
    "Health": Kind(94, many=True, loose=True),
    "Needs": Kind(93, many=True, topic="preference"),
    "Diet": Kind(92, topic="preference"),
    "Avoids": Kind(91, many=True, topic="preference"),
    "Lives in": Kind(90, loose=True),
    "Wishes": Kind(88, many=True, topic="preference"),
    "Contact": Kind(87, many=True, topic="preference"),
    "Occupation": Kind(86, loose=True),
    "Works at": Kind(85, loose=True),
    **_partner("Partner", "Wife", "Husband", "Spouse", "Girlfriend", "Boyfriend", "Fiancé", "Fiancée"),
    "Relationship": Kind(80),
    "Children": Kind(79),
    "Age": Kind(78),
    "Birthday": Kind(77, dated=False),
    "Studies": Kind(76, loose=True),
    "School": Kind(75, loose=True),
    "Works in": Kind(74, loose=True),
    **_relatives("Son", "Daughter", "Brother", "Sister", "Cousin", "Grandson", "Granddaughter"),
    **{label: Kind(71, dated=False) for label in ("Mother", "Father", "Grandmother", "Grandfather")},
    "Native language": Kind(70, dated=False),
    "Speaks": Kind(69, many=True),
    "Nationality": Kind(68, dated=False),
    "From": Kind(67, dated=False),
    "Born in": Kind(66, dated=False),
    "Grew up in": Kind(66, dated=False),
    "Time zone": Kind(65),
    "Pets": Kind(64, many=True, loose=True),
    "Lives with": Kind(63, loose=True),
    "Siblings": Kind(60),
    **_others("Boss", "Manager", "Editor", "Coach", "Teacher", "Doctor", "Therapist", "Landlord", "Advisor", "Trainer"),
    **_others("Supervisor", "Dentist", "Vet", "Tutor", "Mentor", "Lawyer", "Business partner", "Best friend"),
    **_others("Maid of honor", "Best man", "Mother-in-law", "Father-in-law", "Stepmother", "Stepfather"),
    **_others(
        "Friend", "Roommate", "Flatmate", "Housemate", "Colleague", "Neighbour", "Labmate", "Teammate", many=True
    ),
    **_others("Bandmate", "Aunt", "Uncle", "Niece", "Nephew", many=True),
    "Child": Kind(73, many=True, dated=False),
    "Is": Kind(56, many=True),
    "Habits": Kind(54, many=True, loose=True),
    "Skills": Kind(53, many=True, loose=True),
    "Dislikes": Kind(52, many=True, topic="preference", opposite="Likes"),
    "Prefers": Kind(51, many=True, topic="preference"),
    "Likes": Kind(50, many=True, topic="preference", opposite="Dislikes"),
    "Hobby": Kind(48, many=True, topic="preference"),
    "Plays": Kind(47, many=True),
    "Learning": Kind(46, many=True, loose=True),
    "Uses": Kind(45, many=True, loose=True, topic="preference"),
    "Goal": Kind(44, many=True, loose=True),
    "Activities": Kind(43, many=True, loose=True),
    "Has": Kind(40, many=True, loose=True),
    "Is in": Kind(35),
    "Plans": Kind(30, many=True, loose=True),
    "Spoke on": Kind(1, many=True, dated=False),
}
FAVOURITE = "Favourite "
_FAVOURITE_KIND = Kind(49, topic="preference")
MET = "Spoke on"


@lru_cache(1024)
def kind_of(label: str) -> Kind | None:
    """The kind of a label, None for a label that is not ours."""
    if label.startswith(FAVOURITE) and len(label) > len(FAVOURITE):
        return _FAVOURITE_KIND
    return KINDS.get(label)


@lru_cache(1024)
def slot_of(label: str) -> str:
    """What a single value is the value of: kinds that exclude each other share it."""
    kind = kind_of(label)
    return (kind.slot if kind else "") or label


@dataclass(frozen=True)
class Fact:
    """One thing a subject said about themselves, or, with `retract`, took back.

    A retraction with an empty value takes back whatever the label holds; one with an empty label whatever speaks of
    its value; one with neither everything.
    A fact with `instead_of` corrects the lines, of any label, that hold those words.
    """

    label: str
    value: str
    retract: bool = False
    instead_of: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a block that has our form."""

    label: str
    value: str
    day: str = ""

    def __str__(self) -> str:
        return f"{self.label}: {self.value} ({self.day})" if self.day else f"{self.label}: {self.value}"


_LINE = re.compile(r"([A-Z][^:\n]{0,60}): ([^\n]*?\S)(?: \((\d{4}-\d\d-\d\d)\))?")


def parse_line(text: str) -> Line | None:
    """The fact that a line holds, None when the line is not of our making."""
    found = _LINE.fullmatch(text)
    if found is None or kind_of(found[1]) is None:
        return None
    return Line(found[1], found[2], found[3] or "")


_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def one_line(text: str) -> str:
    """Text without control characters, line breaks and invisible characters, its spaces single."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        text = "".join(" " if unicodedata.category(char) in _UNSEEN else char for char in text)
    elif not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())


def same(left: str, right: str) -> bool:
    return _bare(left) == _bare(right)


def parts(value: str) -> list[str]:
    """The items of an enumeration: `cats, dogs and tea` has three."""
    return [part for part in _BETWEEN.split(value) if part]


def joined(items: Iterable[str]) -> str:
    """Items as an enumeration, the reverse of `parts`."""
    listed = list(items)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def words(value: str) -> set[str]:
    """The words that say something, in lower case."""
    return set(_WORD.findall(value.casefold())) - _SMALL


_BETWEEN = re.compile(r",\s*(?:and\s+)?|\s+and\s+")
_WORD = re.compile(r"[^\W_]+")
_SMALL = word_set("""
    a an the my our some in to of for and at on with is been going
""")
_ARTICLE = re.compile(r"(?:(?:a|an|the|my|our|some)\s+)+")


def _bare(value: str) -> str:
    folded = value.casefold()
    return _ARTICLE.sub("", folded, count=1) if _ARTICLE.match(folded) else folded
