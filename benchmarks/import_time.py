"""What an import costs, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.measure import Row

STATEMENTS = (
    "import pydantic",
    "from pydantic import BaseModel",
    "import ai_memory_integrations",
    "from ai_memory_integrations import Memory",
    "from ai_memory_integrations import Memory; Memory(':memory:').prompt('sarah')",
)
ROUNDS = 15


def measure() -> list[Row]:
    times: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    for number in range(-1, ROUNDS):
        for statement in STATEMENTS:
            took = _milliseconds(statement)
            if number >= 0:
                times[statement].append(took)
    base = median(times[STATEMENTS[0]])
    return [
        Row("import", statement, min(measured), median(measured), median(measured) / base)
        for statement, measured in times.items()
    ]


def _milliseconds(statement: str) -> float:
    program = f"import time; began = time.perf_counter(); {statement}; print((time.perf_counter() - began) * 1000)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return float(done.stdout)
