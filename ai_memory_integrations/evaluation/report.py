"""Counts and ratios of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import computed_field

from ai_memory_integrations.evaluation.conversations import FACTS, KINDS, Kind
from ai_memory_integrations.evaluation.judging import Verdict
from ai_memory_integrations.types import Usage, Value


class Tally(Value):
    """Counts of labels, and the ratios they make; a ratio without anything to divide by is None.

    `facts` were to be learnt and `learnt` of them were; `traps` were to be kept out (distractors, old values, what was
    withdrawn or private) and `wrong` of them are claimed all the same.
    """

    facts: int = 0
    learnt: int = 0
    traps: int = 0
    wrong: int = 0

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own form
    @property
    def recall(self) -> float | None:
        """Of the facts, the share that is known."""
        return _ratio(self.learnt, self.facts)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def precision(self) -> float | None:
        """Of the claims that labels speak of, the share that is right."""
        return _ratio(self.learnt, self.learnt + self.wrong)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kept_out(self) -> float | None:
        """Of what was to be kept out, the share that is not claimed."""
        return _ratio(self.traps - self.wrong, self.traps)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            facts=self.facts + other.facts,
            learnt=self.learnt + other.learnt,
            traps=self.traps + other.traps,
            wrong=self.wrong + other.wrong,
        )


class Miss(Value):
    """A label that a memory did not live up to: a fact it does not know, or a claim it should not make.

    `said` is the message, `claimed` the statement that should not stand there.
    """

    conversation: str
    kind: Kind
    said: str
    missing: tuple[str, ...] = ()
    claimed: str | None = None


class Report(Value):
    """What an evaluation found; kinds are in the order of `KINDS`, misses in the order of the conversations.

    `lines` is how many lines the blocks `human` hold; `unlabelled` are those that match no label, with the name of
    their conversation: true and of no interest, or made up. `strict_precision` counts them all as wrong.
    `failed` are conversations in which a run failed, by name, with the error; `unplayed` is how many were not begun,
    because the tokens allowed were spent or because too many had failed.
    """

    learner: str
    conversations: int
    messages: int
    runs: int
    seconds: float
    usage: Usage | None = None
    kinds: dict[Kind, Tally]
    lines: int
    unlabelled: tuple[tuple[str, str], ...] = ()
    failed: dict[str, str]
    unplayed: int = 0
    misses: tuple[Miss, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> Tally:
        """All kinds together."""
        return sum(self.kinds.values(), Tally())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def strict_precision(self) -> float | None:
        """Precision when every line that matches no label is wrong."""
        total = self.total
        return _ratio(total.learnt, total.learnt + total.wrong + len(self.unlabelled))


def tallies(verdicts: Iterable[Verdict]) -> dict[Kind, Tally]:
    """Counts by kind; a kind that does not occur counts nothing."""
    counts: dict[Kind, Tally] = dict.fromkeys(KINDS, Tally())
    for verdict in verdicts:
        counts[verdict.label.kind] += Tally(
            facts=int(verdict.label.kind in FACTS),
            learnt=int(verdict.known is not None),
            traps=int(bool(verdict.label.never)),
            wrong=int(verdict.claimed is not None),
        )
    return counts


def misses(conversation: str, verdicts: Sequence[Verdict]) -> list[Miss]:
    """What went wrong, in the order of the labels."""
    found: list[Miss] = []
    for verdict in verdicts:
        about: dict[str, Any] = {
            "conversation": conversation,
            "kind": verdict.label.kind,
            "said": verdict.turn.text,
        }
        if verdict.label.fact and verdict.known is None:
            found.append(Miss(missing=verdict.label.fact, **about))
        if verdict.claimed is not None:
            found.append(Miss(claimed=verdict.claimed, **about))
    return found


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
