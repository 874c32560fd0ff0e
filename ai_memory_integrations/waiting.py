"""Waiting as a row of short steps: written once, slept through by blocking callers and awaited by the others."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Steps = Generator[float, None, T]
"""Yields how many seconds to pause before the next look, returns the result."""


@dataclass(frozen=True)
class Step(Generic[T]):
    """One look: either a pause before the next one, or the result."""

    pause: float | None
    result: T | None = None


def advance(steps: Steps[T]) -> Step[T]:
    """Look once."""
    try:
        return Step(next(steps))
    except StopIteration as end:
        return Step(None, end.value)


def sleep_through(steps: Steps[T]) -> T:
    """The result, after sleeping through every pause."""
    while (step := advance(steps)).pause is not None:
        time.sleep(step.pause)
    return step.result  # type: ignore[return-value]  # a step without a pause holds the result, also where it is None


def pauses() -> Iterator[float]:
    """Short pauses at first, so that quick work is seen at once; then longer ones, up to 50 ms."""
    pause = 0.0005
    while True:
        yield pause
        pause = min(pause * 1.5, 0.05)
