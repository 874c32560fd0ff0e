"""The labelled set: what a statement should teach, and how to score what it taught."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ai_memory_integrations.learning.edits import apply
from ai_memory_integrations.learning.extractive import ExtractiveLearner
from ai_memory_integrations.types import Block, Message

DATA = Path(__file__).parent / "data"
DAY = datetime(2025, 9, 3, 12, tzinfo=UTC)
_DATED = re.compile(r" \(\d{4}-\d\d-\d\d\)$")


def cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()]


def human(value: str = "", *, limit: int = 10_000, label: str = "human", **more: Any) -> Block:
    return Block(id=f"blk_{label}", label=label, value=value, limit=limit, **more)


def said(text: str, *, role: str = "user", at: datetime | None = DAY) -> Message:
    return Message(role=role, content=text, created_at=at)  # type: ignore[arg-type]


def after(blocks: list[Block], *batches: list[Message]) -> list[Block]:
    """The blocks after each batch was learnt and its edits were applied as the scheduler applies them."""
    before: list[Message] = []
    for batch in batches:
        applied = apply("sarah", blocks, blocks, ExtractiveLearner().learn_after(before[-2:], blocks, batch).edits)
        before = [*before, *batch]
        assert not applied.conflicts
        values = {change.label: change.value for change in applied.changes}
        assert all(len(values.get(block.label, "")) <= block.limit for block in blocks)
        blocks = [block.model_copy(update={"value": values.get(block.label, block.value)}) for block in blocks]
    return blocks


def learnt(*texts: str, at: datetime | None = DAY) -> str:
    """`human` after these user messages, one batch each."""
    return after([human()], *([said(text, at=at)] for text in texts))[0].value


def lines(value: str) -> list[str]:
    """Lines without their dates."""
    return [_DATED.sub("", line) for line in value.split("\n")]


@dataclass
class Score:
    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed)


def score(name: str) -> tuple[Score, list[str]]:
    """How a part of the set is learnt, and the statements that were not learnt as they should be.

    Case and a leading article do not count. In a part of whole conversations (`talk`) two words more do not either:
    "Nora, 9" is "Nora, 9 years old".
    """
    total, off = Score(), []
    for case in cases(name):
        if "talk" in case:
            value = after([human()], *([said(text, role=role)] for role, text in case["talk"]))[0].value
        else:
            value = learnt(case["text"])
        got = {_plain(line) for line in lines(value) if not line.startswith("Spoke on: ")}
        wanted = {_plain(line) for line in case["facts"]}
        if name in LOOSE:
            got = {next((each for each in wanted if _is_like(line, each)), line) for line in got}
        total.right += len(got & wanted)
        total.wrong += len(got - wanted)
        total.missed += len(wanted - got)
        if got != wanted:
            off.append(
                f"{case.get('text', case.get('talk'))!r}: wrong {sorted(got - wanted)}, missed {sorted(wanted - got)}"
            )
    return total, off


LOOSE = frozenset({"chat", "talk", "unseen"})


def _is_like(line: str, wanted: str) -> bool:
    label, value = line.split(": ", 1)
    wanted_label, wanted_value = wanted.split(": ", 1)
    has, needs = _WORD.findall(value), _WORD.findall(wanted_value)
    return label == wanted_label and set(needs) <= set(has) and len(has) <= len(needs) + 2


_WORD = re.compile(r"[\w.-]*\w")


def _plain(line: str) -> str:
    label, value = line.split(": ", 1)
    return f"{label}: {re.sub(r'^(?:a|an|the|my) ', '', value.casefold())}"
