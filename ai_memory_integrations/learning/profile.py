"""A block of facts as lines: what a new fact changes in it, as edits that touch one line each.

Lines that are not of our form belong to somebody else: they are never changed and never dropped, and what one of them
says plainly is not said again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ai_memory_integrations.learning.facts import (
    MET,
    Fact,
    Kind,
    Line,
    joined,
    kind_of,
    parse_line,
    parts,
    same,
    slot_of,
    words,
)
from ai_memory_integrations.learning.privacy import names
from ai_memory_integrations.types import Append, Replace

NO_DAY = "day not known"


@dataclass(frozen=True)
class _Row:
    """A line of the block and, where it has our form, what it says."""

    text: str
    line: Line | None
    rank: int

    @staticmethod
    def of(text: str) -> _Row:
        line = parse_line(text)
        kind = kind_of(line.label) if line else None
        return _Row(text, line, kind.rank if kind else 0)


class Profile:
    """The lines of one block while a batch is learnt, and the edits that were made to them, in order."""

    def __init__(self, label: str, value: str, limit: int) -> None:
        self.label, self.limit = label, limit
        self.edits: list[Append | Replace] = []
        self._rows = [_Row.of(text) for text in value.split("\n")] if value else []
        self._size = len(value)

    @property
    def value(self) -> str:
        return "\n".join(row.text for row in self._rows)

    def learn(self, facts: Iterable[Fact], day: str, message_id: str) -> None:
        """Take in what one message says. *day* is when it was said, empty when that is not known.

        A fact with no label, taken back, stands for every line of our form. A block that held something holds
        something afterwards: an empty one reads as "nobody was here" and is set up afresh by its owner.
        """
        held_something = self._size > 0
        for fact in facts:
            if fact.retract:
                self._retract(fact, message_id)
            elif fact.instead_of:
                self._correct(fact, day, message_id)
            else:
                self._state(fact, day, message_id)
        if held_something:
            self.meet(day, message_id)

    def meet(self, day: str, message_id: str) -> None:
        """Make sure that the block is not empty, so that whoever reads it knows that the subject has been here."""
        if self._size == 0:
            self._append(str(Line(MET, day or NO_DAY))[: self.limit], message_id)

    def _state(self, fact: Fact, day: str, message_id: str) -> None:
        kind = kind_of(fact.label)
        if kind is None:
            return
        line = Line(fact.label, fact.value, day if kind.dated else "")
        held = self._held(fact, kind)
        if held is None:
            if not any(_says_plainly(row, fact) for row in self._rows):
                self._add(line, kind, message_id)
        elif _says_more(fact, kind, held[1]):
            self._put(held[0], line, kind, message_id)
        if kind.opposite:
            self._retract(Fact(kind.opposite, fact.value, retract=True), message_id)

    def _held(self, fact: Fact, kind: Kind) -> tuple[int, Line] | None:
        """The line that already speaks of this fact: for a single value the slot's, else one that says the same."""
        for index, found in self._own():
            if kind.many:
                if found.label == fact.label and _alike(found.value, fact.value):
                    return index, found
            elif slot_of(found.label) == slot_of(fact.label):
                return index, found
        return None

    def _retract(self, fact: Fact, message_id: str) -> None:
        for index, found in reversed(self._own()):
            kind = kind_of(found.label)
            if not fact.label and fact.value:
                self._remove_named(index, found, fact.value, message_id)
                continue
            if kind is None or (fact.label and slot_of(found.label) != slot_of(fact.label)):
                continue
            if not fact.value or same(found.value, fact.value) or _by_words(kind, fact.value, found.value):
                self._swap(index, None, message_id)
            elif kind.many:
                self._remove_part(index, found, fact.value, message_id)

    def _remove_part(self, index: int, found: Line, value: str, message_id: str) -> None:
        kept = [part for part in parts(found.value) if not same(part, value)]
        if kept and len(kept) < len(parts(found.value)):
            self._swap(index, str(Line(found.label, joined(kept), found.day)), message_id)

    def _correct(self, fact: Fact, day: str, message_id: str) -> None:
        """Put the right words in the place of the wrong ones."""
        wrong = re.compile(rf"(?<!\w){re.escape(fact.instead_of)}(?!\w)", re.I)
        for index, found in reversed(self._own()):
            kind = kind_of(found.label)
            value = wrong.sub(lambda _: fact.value, found.value, count=1)
            if kind is not None and value != found.value:
                self._put(index, Line(found.label, value, day if kind.dated else ""), kind, message_id)

    def _remove_named(self, index: int, found: Line, named: str, message_id: str) -> None:
        """Remove what speaks of something, as it was named: an item, or the line."""
        listed = parts(found.value)
        kept = [part for part in listed if not names(named, part)]
        if names(named, found.label) or not kept:
            self._swap(index, None, message_id)
        elif len(kept) < len(listed):
            self._swap(index, str(Line(found.label, joined(kept), found.day)), message_id)

    def _own(self) -> list[tuple[int, Line]]:
        return [(index, row.line) for index, row in enumerate(self._rows) if row.line is not None]

    def _add(self, line: Line, kind: Kind, message_id: str) -> None:
        if self._make_room(len(str(line)) + bool(self._rows), kind.rank, None, message_id):
            self._append(str(line), message_id)

    def _append(self, text: str, message_id: str) -> None:
        self._size += len(text) + bool(self._rows)
        self._rows.append(_Row.of(text))
        self.edits.append(Append(label=self.label, text=text, message_ids=(message_id,)))

    def _put(self, index: int, line: Line, kind: Kind, message_id: str) -> None:
        """Replace a line by a newer one; where that does not fit, what is no longer true goes all the same."""
        before = self._rows[index]
        if self._make_room(len(str(line)) - len(before.text), kind.rank, index, message_id):
            self._swap(self._rows.index(before), str(line), message_id)
        else:
            self._swap(index, None, message_id)

    def _make_room(self, more: int, rank: int, keep: int | None, message_id: str) -> bool:
        """Drop the least useful lines until *more* characters fit; False, and nothing dropped, when they cannot."""
        over = self._size + more - self.limit
        dropped: list[int] = []
        candidates = ((self._rows[index].rank, line.day, index) for index, line in self._own() if index != keep)
        for lower, _, index in sorted(candidates) if over > 0 else ():
            if over <= 0 or lower > rank:
                break
            dropped.append(index)
            over -= len(self._rows[index].text) + 1
        if over > 0:
            return False
        for index in sorted(dropped, reverse=True):
            self._swap(index, None, message_id)
        return True

    def _swap(self, index: int, text: str | None, message_id: str) -> None:
        """Put *text* in the place of a line, or remove the line, by an edit that names it beyond doubt."""
        rows = [*self._rows[:index], *([] if text is None else [_Row.of(text)]), *self._rows[index + 1 :]]
        before, self._rows = self.value, rows
        old, new = self._passage(index, before.split("\n"), text)
        self.edits.append(Replace(label=self.label, old=old, new=new, message_ids=(message_id,)))
        self._size = len(self.value)
        if self._size == 0:
            self._rows = []

    def _passage(self, index: int, lines: list[str], text: str | None) -> tuple[str, str]:
        """The shortest passage that stands in the block once and holds the line, and what it becomes."""
        before = "\n".join(lines)
        between = 0 < index < len(lines) - 1
        for ends in ("", "\n") if between else ("",):
            old = f"{ends}{lines[index]}{ends}"
            if before.find(old) == before.rfind(old):
                return old, (ends if text is None else f"{ends}{text}{ends}")
        return before, self.value


def _says_more(fact: Fact, kind: Kind, held: Line) -> bool:
    """Whether a fact says something else, or more, than the line that speaks of it already."""
    if held.label == fact.label and same(held.value, fact.value):
        return False
    return not kind.many or _extends(fact.value, held.value)


def _says_plainly(row: _Row, fact: Fact) -> bool:
    """Whether a line that somebody else wrote states a fact in the words that we have for it: `- Likes cats.`"""
    if row.line is not None:
        return False
    plain = _DECORATION.sub("", row.text, count=1).rstrip(" .")
    label, held = plain[: len(fact.label)], plain[len(fact.label) :]
    if label.casefold() != fact.label.casefold() or not held.startswith(" "):
        return False
    held = held.strip()
    return same(held, fact.value) or _extends(held, fact.value) or _lists(held, fact.value)


_DECORATION = re.compile(r"[\s*•-]*(?:(?:the\s+)?(?:user|human)\s+)?", re.I)


def _alike(held: str, said: str) -> bool:
    return same(held, said) or _extends(held, said) or _extends(said, held) or _lists(held, said)


def _lists(held: str, said: str) -> bool:
    """Whether all items of one enumeration are among those of the other."""
    known = parts(held)
    return all(any(same(part, other) for other in known) for part in parts(said))


def _extends(longer: str, shorter: str) -> bool:
    """Whether one value only adds to the other: `dog called Rex` to `dog`, but not `rock climbing` to `rock`."""
    more = longer.casefold().removeprefix(shorter.casefold())
    return len(more) < len(longer) and more.startswith(_CONNECTORS)


_CONNECTORS = tuple(f" {word} " for word in ("called", "named", "with", "in", "from", "at", "for", "and", "near"))


def _by_words(kind: Kind, said: str, held: str) -> bool:
    if held.startswith("no ") != said.startswith("no "):  # "no car" is no car
        return False
    return kind.loose and bool(words(said)) and words(said) <= words(held)
