"""A running summary without a model: one line a day, newest last, of what was said, asked and answered.

    2025-09-03: Is called Sarah. Likes cats. Asked: What food is best for kittens? Answer: Wet food is best.

Made of the facts a user states, told of them; of their questions, in their words; and of short first sentences of
answers, unless these only say what is remembered. Never a whole message. When the block is full the oldest entries go
first. Lines of another form belong to somebody else and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ai_memory_integrations.learning.facts import KINDS, Fact, kind_of, one_line, slot_of
from ai_memory_integrations.learning.privacy import names
from ai_memory_integrations.learning.statements import own_words, sentences
from ai_memory_integrations.learning.telling import openings, told
from ai_memory_integrations.types import Rethink

UNDATED = "Undated"
_FORGOTTEN = "Asked to have something forgotten."
_PRIVATE = "Asked to have something kept private."
_DISCREET = "asked to have something"
_SHORTEST_ENTRY = 8
_MOST_FACTS = 6
LONGEST_ENTRY = 90
_READ = 1000  # characters of a message that its gist is taken from
_DAY_LINE = re.compile(rf"(\d{{4}}-\d\d-\d\d|{UNDATED}): (.+)")
_ENTRY_END = re.compile(r"(?<=[.?!…]) ")


class Summary:
    """The summary of one block while a batch is learnt."""

    def __init__(self, label: str, value: str, limit: int) -> None:
        self.label, self.limit, self._before = label, limit, value
        self._foreign: list[str] = []
        self._days: list[tuple[str, list[str]]] = []
        self._sources: dict[str, None] = {}
        for line in value.split("\n") if value else ():
            found = _DAY_LINE.fullmatch(line)
            if found:
                self._days.append((found[1], _ENTRY_END.split(found[2])))
            else:
                self._foreign.append(line)

    def add(self, role: str, text: str, facts: Sequence[Fact], day: str, message_id: str) -> None:
        """Take in one message of a user or the assistant.

        On a day on which something was to be forgotten or kept private no more answers are: they may repeat it.
        """
        if role == "assistant" and self._is_discreet(day or UNDATED):
            return
        told_of = list(dict.fromkeys(fact for fact in facts if fact.label))[:_MOST_FACTS]
        for fact in told_of:
            if entry := _entry("", told(fact)):
                self._add(day or UNDATED, entry, _outdated_by(fact))
                self._sources[message_id] = None
        for entry in _answered(text) if role == "assistant" else _gist(text, stated=bool(told_of)):
            self._add(day or UNDATED, entry)
            self._sources[message_id] = None

    def forget(self, facts: Iterable[Fact], day: str, message_id: str) -> None:
        """Drop what speaks of facts that are to be forgotten, and say that something was."""
        for fact in facts:
            kept = ((when, [entry for entry in entries if not _speaks_of(fact, entry)]) for when, entries in self._days)
            self._days = [(when, entries) for when, entries in kept if entries]
        self._add(day or UNDATED, _FORGOTTEN)
        self._sources[message_id] = None

    def keep_private(self, day: str, message_id: str) -> None:
        """Say that something was to be kept private, and not what."""
        self._add(day or UNDATED, _PRIVATE)
        self._sources[message_id] = None

    def _is_discreet(self, day: str) -> bool:
        entries = next((entries for when, entries in self._days if when == day), [])
        return any(_DISCREET in entry.lower() for entry in entries)

    def edits(self) -> list[Rethink]:
        """One edit when the summary changed, none otherwise. A summary that would be empty is left as it was."""
        value = self._text()
        if value in ("", self._before):
            return []
        return [Rethink(label=self.label, value=value, message_ids=tuple(self._sources))]

    def _add(self, day: str, entry: str, outdated: Sequence[re.Pattern[str]] = ()) -> None:
        """Add an entry to a day, in the place of what it makes untrue there: who moved lives in one place only."""
        room = self.limit - len("\n".join([*self._foreign, f"{day}: "]))
        if room < _SHORTEST_ENTRY:
            return
        entry = _cut(entry, room)
        known = next((entries for when, entries in self._days if when == day), None)
        if known is None:
            self._days.append((day, [entry]))
        elif entry not in known:
            old = (place for place, each in enumerate(known) if any(pattern.fullmatch(each) for pattern in outdated))
            place = next(old, len(known))
            known[place : place + 1] = [entry]
        self._trim()

    def _trim(self) -> None:
        """Drop the oldest entries until the block holds the rest."""
        size = len(self._text())
        while self._days and size > self.limit:
            day, entries = self._days[0]
            gone = entries.pop(0)
            size -= len(gone) + 1
            if not entries:
                self._days.pop(0)
                size -= len(day) + 1
            if size <= self.limit:
                size = len(self._text())

    def _text(self) -> str:
        return "\n".join([*self._foreign, *(f"{day}: {' '.join(entries)}" for day, entries in self._days)])


def _outdated_by(fact: Fact) -> tuple[re.Pattern[str], ...]:
    """How sentences look that no longer hold once a fact does: those of its slot, when that has one value."""
    kind = kind_of(fact.label)
    return () if kind is None or kind.many or fact.retract else openings(fact.label)


def _gist(text: str, *, stated: bool) -> list[str]:
    """The last question or request of a message; without facts and questions, how its first long sentence begins."""
    if _SECRET.search(text):
        return []
    found = list(sentences(own_words(text[:_READ])))
    questions = [sentence for sentence in found if sentence.endswith("?") or _REQUEST.match(sentence)]
    if questions:
        return _listed(_entry("Asked", questions[-1]))
    if stated:
        return []
    spoken = next((sentence for sentence in found if len(sentence.split()) >= 4), "")
    return _listed(_entry("Said", spoken)) if spoken else []


def _answered(text: str) -> list[str]:
    """The first sentence of an answer when it is short, says something and is not about the user.

    What an assistant says about them it has from memory: told once more, it would live on when the memory changes.
    """
    if _SECRET.search(text):
        return []
    for sentence in sentences(own_words(text[:_READ])):
        if sentence.endswith("?") or _FILLER.match(sentence) or len(sentence.split()) < 3:
            continue
        is_told = len(sentence) <= 2 * LONGEST_ENTRY and not _FROM_MEMORY.search(sentence)
        return _listed(_entry("Answer", sentence)) if is_told else []
    return []


def _listed(entry: str) -> list[str]:
    return [entry] if entry else []


def _entry(kind: str, sentence: str) -> str:
    """One plain sentence with the stop it had, short enough; "" when there is nothing to it."""
    stop = sentence[-1:] if sentence[-1:] in ("?", "!") else "."
    core = _clean(_LEAD.sub("", sentence, count=1) if kind else sentence)
    if len(core) < 4:
        return ""
    core = f"{core[0].upper()}{core[1:]}"
    core = f"{kind}: {core}" if kind else core
    return core if core.endswith("…") else f"{core}{stop}"


def _clean(text: str) -> str:
    """One line with no stop within it, which would end the entry, cut between words."""
    text = one_line(text.replace("|", " ")).strip(" .,!?:-\"'")
    return _cut(_STOP_WITHIN.sub(" ", text), LONGEST_ENTRY)


_STOP_WITHIN = re.compile(r"[.?!…]+ ")


def _cut(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    return text[: length - 1].rsplit(" ", 1)[0].rstrip(" ,.:-") + "…"


def _speaks_of(fact: Fact, entry: str) -> bool:
    if fact.value and not fact.label:
        return names(fact.value, entry)
    if fact.value:
        return fact.value.casefold() in entry.casefold()
    labels = [label for label in KINDS if slot_of(label) == slot_of(fact.label)]
    return not fact.label or any(opening.match(entry) for label in labels for opening in openings(label))


_SECRET = re.compile(
    r"\b(?:passwords?|passcode|pin code|api[ _-]?keys?|secret|token|ssn|cvv|credit card|iban)\b|\d{12,}", re.I
)
_FROM_MEMORY = re.compile(
    r"\b(?:you|you're|you've|your|yours|remember(?:ed|s)?|recall|memory|noted|(?:I|we) (?:already )?know"
    r"|as far as I know|mentioned"
    r"|told me|on file|no model here)\b|\b(?:" + "|".join(re.escape(label) for label in KINDS) + r"): ",
    re.I,
)
_LEAD = re.compile(
    r"(?:(?:hi|hello|hey|ok|okay|so|well|and|also|but|please|thanks|great|sure|oh)\b[,.! ]*)*(?:(?:can|could"
    r"|would|will) you (?:please )?"
    r"(?:tell me |explain |help me |show me |give me )?|please |do you know |I was wondering |I'd like to know "
    r"|tell me )?",
    re.I,
)
_REQUEST = re.compile(
    r"(?:please |can you |could you |would you )*(?:tell|help|show|give|explain|write|find|suggest|recommend|list"
    r"|make|plan|compare"
    r"|translate|describe|create|book|remind|check|fix|summari[sz]e|draft|calculate)\b",
    re.I,
)
_FILLER = re.compile(
    r"(?:hi|hello|hey|sure|of course|certainly|great|thanks|thank you|you're welcome|welcome|nice to|happy to"
    r"|glad|got it|okay|ok"
    r"|sorry|i'm sorry|absolutely|no problem|understood|noted|you |your |let me know|i can |i will |i'll "
    r"|as an ai|here (?:is|are)|good)\b",
    re.I,
)
