"""The benchmarks still run: what they measure is nobody's promise here, that they measure it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from patience import PATIENCE

ROOT = Path(__file__).parent.parent


def test_the_benchmarks_of_the_core_run_and_print_one_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "prompt", "search", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    for case in ("bare sqlite3 read", "memory.prompt", "memory.search_passages, hybrid"):
        assert sum(line.startswith(f"| {case} |") for line in table) >= 1
