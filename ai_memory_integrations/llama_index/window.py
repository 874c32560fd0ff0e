"""Which part of a conversation goes to a model: pure.

A turn is a user's message with all that follows it up to the next one. Only whole turns are shown, so no tool message
is without its call and nothing begins with the assistant; the last turn is always shown. System messages hold for
the whole conversation: those from before the window move to its front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ai_memory_integrations.types import Role

T = TypeVar("T")


@dataclass(frozen=True)
class Item(Generic[T]):
    """A message with what is needed to choose it."""

    message: T
    role: Role
    tokens: int


@dataclass(frozen=True)
class Window(Generic[T]):
    """`system` stood before the window; `fallen` says whether any turn did."""

    system: list[T] = field(default_factory=list)
    shown: list[T] = field(default_factory=list)
    fallen: bool = False


def choose(items: Sequence[Item[T]], budget: int) -> Window[T]:
    """The newest whole turns that cost at most *budget* tokens together with all system messages."""
    left = budget - sum(item.tokens for item in items if item.role == "system")
    starts = [place for place, item in enumerate(items) if item.role == "user"]
    begin = end = len(items)
    for start in reversed(starts):
        left -= sum(item.tokens for item in items[start:end] if item.role != "system")
        if left < 0 and begin < len(items):
            break
        begin = end = start
    return Window(
        system=[item.message for item in items[:begin] if item.role == "system"],
        shown=[item.message for item in items[begin:]],
        fallen=any(start < begin for start in starts),
    )
