"""Waiting in tests: for a condition, never for a time.

A machine may be twenty times slower than the one a test was written on, or stand still for seconds. What a test waits
for therefore has all the time there is before the test is given up, and nothing is concluded from how long it took.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

PATIENCE = 240.0
"""Seconds after which what is waited for will never come. Less than the time limit of a test."""


def wait_until(condition: Callable[[], bool]) -> None:
    """Returns as soon as *condition* holds. Raises: AssertionError when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not come about within {PATIENCE:g} seconds"
        time.sleep(0.01)


def be_within_a_day() -> None:
    """For what counts by the day (UTC): when this one is about to end, wait for the next."""
    while (datetime.now(UTC) + timedelta(minutes=2)).date() != datetime.now(UTC).date():
        time.sleep(1)


def least(measure: Callable[[], float], *, below: float) -> float:
    """The least of several measurements, taken until one is *below*: what else the machine does only adds to them."""
    deadline = time.monotonic() + PATIENCE
    found = measure()
    while found >= below and time.monotonic() < deadline:
        found = min(found, measure())
    return found


_YARDSTICK = 0.027
"""Seconds that a million steps take where the limits of the tests were set."""


def work_of(call: Callable[[], object], *, below: float) -> float:
    """What *call* computes: seconds of the machine where the limits of the tests were set, whatever this one is and
    does besides. The least of a few measurements, taken until one is *below*."""
    found = float("inf")
    for _ in range(3):
        begun = time.process_time()
        call()
        spent = time.process_time() - begun
        found = min(found, spent * _YARDSTICK / max(_million_steps(), _YARDSTICK))
        if found < below:
            break
    return found


def _million_steps() -> float:
    begun = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number & 3
    return time.process_time() - begun
