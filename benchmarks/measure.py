"""Interleaved timing: the cases take turns, in another order each round, so that a busy moment of the machine and what
one case leaves in the caches fall on all of them alike."""

from __future__ import annotations

import gc
import os
import platform
import random
import sqlite3
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

Case = Callable[[int], object]
"""What is timed; it gets the number of the round, so that it can take another subject or query each time."""


@dataclass(frozen=True)
class Row:
    """One line of the table. *ratio* is the median over that of the section's first case; *target* says what was
    promised, *met* whether it is kept."""

    section: str
    case: str
    best: float
    median: float
    ratio: float
    target: str = ""
    met: bool | None = None


def compare(
    section: str,
    cases: Mapping[str, Case],
    *,
    rounds: int,
    burst: int = 1,
    at_most_ms: Mapping[str, float] | None = None,
    at_most_ratio: Mapping[str, float] | None = None,
) -> list[Row]:
    """Best and median milliseconds of each case over *rounds* of *burst* calls in a row; the first case is what the
    others are compared with."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    order = list(cases)
    gc.collect()
    for number in range(rounds):
        random.shuffle(order)
        for name in order:
            case = cases[name]
            for call in range(number * burst, (number + 1) * burst):
                began = perf_counter()
                case(call)
                times[name].append((perf_counter() - began) * 1000)
    base = median(times[next(iter(cases))])
    rows = []
    for name, measured in times.items():
        middle = median(measured)
        ms, ratio = (at_most_ms or {}).get(name), (at_most_ratio or {}).get(name)
        promised = [f"{ms:g} ms" if ms is not None else "", f"{ratio:g}x" if ratio is not None else ""]
        kept = (ms is None or middle <= ms) and (ratio is None or middle / base <= ratio)
        target = ", ".join(filter(None, promised))
        rows.append(Row(section, name, min(measured), middle, middle / base, target, kept if target else None))
    return rows


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| what | best ms | median ms | ratio | at most |", "|---|---:|---:|---:|---|"]
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            lines.append(f"| **{section}** | | | | |")
        kept = "" if row.met is None else f"{row.target}: {'kept' if row.met else '**missed**'}"
        lines.append(f"| {row.case} | {row.best:.4g} | {row.median:.4g} | {row.ratio:.3g} | {kept} |")
    return "\n".join(lines)


def machine() -> str:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    )
