"""How hard to try: a little with every run of the tests, as much as asked by `make stress`."""

from __future__ import annotations

import os

STRESS = "AI_MEMORY_STRESS_ROUNDS" in os.environ
ROUNDS = int(os.environ.get("AI_MEMORY_STRESS_ROUNDS", "10"))
