"""The design of the journal on trial, before any storage stands on it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from journal.machine import JournalMachine
from journal.rounds import ROUNDS, STRESS

TestJournalModel = JournalMachine.TestCase
TestJournalModel.settings = settings(
    max_examples=20 * ROUNDS,
    stateful_step_count=40,
    deadline=None,
    derandomize=not STRESS,
    suppress_health_check=list(HealthCheck),
)
