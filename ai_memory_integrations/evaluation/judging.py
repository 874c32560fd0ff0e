"""What a memory claims, compared with labels. Pure, and no model: words in one statement decide.

A statement is a sentence of a line. A fact is known when one statement of the block `human` or of a learnt passage
holds all phrases of one of its forms. What must not be known is claimed when a statement there holds the phrases of
a form and, outside of these phrases, no word that takes the claim back: "used to live in Lisbon" does not claim that
the old address is the current one, "might move" does not claim a move. These words are listed by kind below.

The block `summary` sums up what was talked about, so that it may mention a joke or an old address. But what was
withdrawn or was not to be remembered must not stand there either, and nothing excuses what was private.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cache

from ai_memory_integrations.evaluation.conversations import Conversation, Kind, Label, Turn
from ai_memory_integrations.types import Block, Passage

_DENIED = ("not", "*n't", "cannot", "never", "no", "nor", "neither", "none", "without", "denies", "denied")
_PAST = (
    "used to", "former*", "previous*", "earlier", "until", "was", "were", "once", "originally", "initially",
    "before", "past", "ex", "instead of", "rather than", "moved from", "moved out", "moved away", "switched from",
    "changed from", "corrected from", "stopped", "quit", "dropped", "replac*", "gave up", "gone", "retired from",
)  # fmt: skip

TAKEN_BACK: dict[Kind, tuple[str, ...]] = {
    "stated": _DENIED,
    "changed": _DENIED + _PAST,
    "corrected": _DENIED + _PAST,
    "retracted": _DENIED,
    "private": (),
    "joke": (*_DENIED, "jok*", "kid*", "humor*", "humour*", "playful*", "jest*", "pretend*", "sarcas*"),
    "hypothetical": (
        *_DENIED, "if", "would", "might", "could", "should", "dream*", "wish*", "maybe", "perhaps", "consider*",
        "hypothetical*", "imagin*", "think*", "possibl*", "potential*",
    ),
    "third_person": _DENIED,
    "quotation": (*_DENIED, "quot*", "said", "say*", "told", "wrote", "motto", "lyric*", "joked", "called"),
    "question": (*_DENIED, "ask*", "question*", "wonder*", "whether", "curious", "unsure", "consider*"),
    "negation": (*_DENIED, "dislike*", "avoid*", "refuse*", "hate*", "only", "against"),
}  # fmt: skip
"""Words that take a claim back, by kind."""

EVERYWHERE: frozenset[Kind] = frozenset({"retracted", "private"})
"""Kinds that are looked for in every block; the others in `human` and in passages."""

PERSON = "human"
_BULLET = re.compile(r"^[\s*•\-–]+")
_HEADING = re.compile(r"^\s*#|:\s*$")
_SENTENCE_END = re.compile(r"(?<=\w\w\w[.!?;])\s+")
_APOSTROPHES = str.maketrans("’‘ʼ", "'''")


@dataclass(frozen=True)
class Verdict:
    """How a memory did on one label. `known` and `claimed` are the statements that show it, None where there is none.

    `known` speaks of the fact to be learnt, `claimed` of what was to be kept out.
    """

    turn: Turn
    label: Label
    known: str | None
    claimed: str | None


@dataclass(frozen=True)
class Judgement:
    """The verdicts on a conversation in the order of its labels; of the lines of `human` how many there are and
    which ones match no label."""

    verdicts: tuple[Verdict, ...]
    lines: int
    unlabelled: tuple[str, ...]


def judge(conversation: Conversation, blocks: Sequence[Block], passages: Sequence[Passage] = ()) -> Judgement:
    """How a memory with these *blocks* and learnt *passages* did on a conversation."""
    person = next((block.value for block in blocks if block.label == PERSON), "")
    days = _days(conversation)
    known = [each for text in (person, *(passage.text for passage in passages)) for each in statements(text, days)]
    others = [each for block in blocks if block.label != PERSON for each in statements(block.value, days)]
    verdicts = tuple(
        Verdict(
            turn=turn,
            label=label,
            known=_first(known, label.fact),
            claimed=_claim(known + others if label.kind in EVERYWHERE else known, label),
        )
        for turn, label in conversation.labelled
    )
    lines = [line for line in _without(days, person).splitlines() if line.strip() and not _HEADING.search(line)]
    forms = [form for _, label in conversation.labelled for form in (*label.fact, *label.never)]
    unlabelled = tuple(line.strip() for line in lines if not _first(statements(line), forms))
    return Judgement(verdicts, len(lines), unlabelled)


def statements(text: str, days: Iterable[str] = ()) -> list[str]:
    """The sentences of each line, in order, without the marks of a list and without *days*."""
    lines = (_BULLET.sub("", line) for line in _without(days, text).splitlines())
    return [part for line in lines for part in _SENTENCE_END.split(line.strip()) if part]


def _without(days: Iterable[str], text: str) -> str:
    """*text* without the days on which something was said: the 12 of `2026-03-12` is nobody's age."""
    for day in days:
        text = text.replace(day, "")
    return text


def _days(conversation: Conversation) -> list[str]:
    """The days of the sessions as they are usually written."""
    at = [session.at for session in conversation.sessions]
    moments = sorted({moment.date() for each in at for moment in (each, each.astimezone(UTC))})
    named = [(f"{day:%B}", day.day, day.year) for day in moments]
    return [
        *(day.isoformat() for day in moments),
        *(f"{day} {month} {year}" for month, day, year in named),
        *(f"{month} {day}, {year}" for month, day, year in named),
    ]


def holds(statement: str, form: str) -> bool:
    """Whether a statement holds all phrases of a form."""
    text = _plain(statement)
    return all(_pattern(phrase).search(text) for phrase in form.split("+"))


def claims(statement: str, form: str, taken_back: Iterable[str]) -> bool:
    """Whether a statement holds a form and, outside of its phrases, none of the words that take it back."""
    if not holds(statement, form):
        return False
    rest = _plain(statement)
    for phrase in form.split("+"):
        rest = _pattern(phrase).sub(" ", rest)
    return not any(_pattern(word).search(rest) for word in taken_back)


def _first(found: Iterable[str], forms: Sequence[str]) -> str | None:
    return next((statement for statement in found if any(holds(statement, form) for form in forms)), None)


def _claim(found: Iterable[str], label: Label) -> str | None:
    excuses = () if label.kind == "private" else (*TAKEN_BACK[label.kind], *label.unless)
    wrong = (statement for statement in found if any(claims(statement, form, excuses) for form in label.never))
    return next(wrong, None)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower().translate(_APOSTROPHES)


@cache
def _pattern(phrase: str) -> re.Pattern[str]:
    """A phrase as whole words; `*` at an end of a word stands for the rest of it."""
    words = [re.escape(word.strip("*")) for word in phrase.split()]
    parts = [
        ("" if given.startswith("*") else r"(?<!\w)") + word + (r"\w*" if given.endswith("*") else r"(?!\w)")
        for given, word in zip(phrase.split(), words, strict=True)
    ]
    return re.compile(r"\s+".join(parts))
