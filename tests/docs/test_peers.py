"""The benchmark beside other libraries: what it says of what it could and could not measure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from benchmarks.peers import OURS, Peer, table  # noqa: E402 - the benchmarks are no installed package


@pytest.mark.parametrize("name", ["ours", "langmem"])
def test_a_library_is_measured_in_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    script = ROOT / "benchmarks" / "peer_memories.py"
    command = [sys.executable, "-P", str(script), name, str(tmp_path), str(result), "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(result.read_text("utf-8"))
    assert {len(measured[each]) for each in ("add", "context", "search")} == {30, 100}
    assert measured["peak"] > 1


def test_what_cannot_be_measured_stands_in_the_table_with_its_reason() -> None:
    times = {"add": [2.0], "context": [0.5], "search": [1.0], "import": [300.0, 900.0]}
    ours = Peer((), "", times, 60.0, 16, 70.0, "0.1.0")
    theirs = Peer((), "", {**times, "add": [4.0]}, 120.0, 32, 700.0, "9.9")
    away = Peer((), "", reason="install: no network")
    lines = table({OURS: ours, "other": theirs, "away": away}).splitlines()
    assert lines[2] == "| ours 0.1.0 | 2 | 0.5 | 1 | 300 | 60 | 16 | 70 |"
    assert lines[3].startswith("| other 9.9 | 4 (2x) | 0.5 (1x) |")
    assert lines[4].startswith("| away | not measured: install: no network |")
