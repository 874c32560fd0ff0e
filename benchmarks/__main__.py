"""`python -m benchmarks [import] [prompt] [add] [search] [postgres] [--quick | --big]`: measures the core in one table.

`python -m benchmarks peers` is `python -m benchmarks.peers`, and `letta` is `python -m benchmarks.letta`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import core_add, core_prompt, core_search, import_time, peers, postgres
from benchmarks.measure import Row, machine, table

SIZES = [(100, 1), (1_000, 1), (100_000, 1), (100_000, 1_000)]
BIG = [*SIZES, (1_000_000, 10_000)]
QUICK = SIZES[:1]


def main() -> None:
    parts: dict[str, Callable[[Path], list[Row]]] = {
        "import": lambda folder: import_time.measure(),
        "prompt": core_prompt.measure,
        "add": core_add.measure,
        "search": lambda folder: [row for size in sizes for row in core_search.measure(folder, *size)],
    }
    on_a_server = {"postgres": postgres.measure}
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        choices=[*parts, *on_a_server, "peers", "letta", []],
        help="what to measure (default: all but postgres, peers and letta)",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--big", action="store_true", help="also search in 1,000,000 passages of 10,000 subjects")
    size.add_argument("--quick", action="store_true", help="search in 100 passages only")
    given = parser.parse_args()
    if "peers" in given.parts:
        peers.main([])
        return
    if "letta" in given.parts:
        from benchmarks import letta  # it brings the tests' own server

        letta.main([])
        return
    sizes = BIG if given.big else QUICK if given.quick else SIZES
    logging.getLogger("langgraph").setLevel(logging.ERROR)
    print(f"Measured on {machine()}\n", flush=True)
    rows: list[Row] = []
    for name in given.parts or parts:
        with TemporaryDirectory(prefix="ai-memory-bench-") as folder:
            rows += {**parts, **on_a_server}[name](Path(folder))
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
