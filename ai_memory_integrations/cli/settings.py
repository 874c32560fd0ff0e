"""What applications said of their memory, as the commands tell it."""

from __future__ import annotations

from typing import Any

from ai_memory_integrations.recorded import Recorded, understood
from ai_memory_integrations.types import LearningPolicy


def told(said: Recorded) -> list[str]:
    """Each setting in a few words; [] where nobody said anything."""
    parts = [] if said.blocks is None else ["blocks " + (", ".join(block.label for block in said.blocks) or "none")]
    if isinstance(said.learning, LearningPolicy):
        parts.append(f"learning {said.learning.mode}, in batches of {said.learning.batch}")
    elif said.learning is not None:
        parts.append(f"learning {said.learning}")
    return parts


def told_of(name: str, value: Any) -> str:
    """One setting as it is recorded; only its name where a later release recorded it, which this one cannot read."""
    known, _ = understood({name: value})
    return "; ".join(told(Recorded.model_validate(known))) or name
