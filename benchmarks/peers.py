"""`python -m benchmarks.peers [mem0] [langmem] [llama-index]`: this package beside others that remember, in one table.

Each is installed into an environment of its own under `.venv-peers` (kept for the next time; needs the network once)
and plays the same texts in a process of its own: see `benchmarks.peer_memories`. The processes take turns. What cannot
be installed or run stands in the table with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import machine

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".venv-peers"
ROUNDS, IMPORTS = 3, 7
NOT_COUNTED = ("pip", "setuptools", "wheel", "_virtualenv", "distutils")
OURS = "ours"


@dataclass
class Peer:
    """What is installed, what an application imports, and what was measured; *reason* says why it was not."""

    requirements: tuple[str, ...]
    statement: str
    times: dict[str, list[float]] = field(default_factory=dict)
    peak: float = 0.0
    packages: int = 0
    megabytes: float = 0.0
    version: str = ""
    reason: str = ""


def peers() -> dict[str, Peer]:
    return {
        OURS: Peer((str(ROOT),), "from ai_memory_integrations import Memory"),
        "mem0": Peer(("mem0ai",), "from mem0 import Memory"),
        "langmem": Peer(("langmem",), "from langmem import create_manage_memory_tool, create_search_memory_tool"),
        "llama-index": Peer(
            ("llama-index-core", "llama-index-vector-stores-qdrant"),
            "from llama_index.core.memory import Memory, StaticMemoryBlock, VectorMemoryBlock; "
            "from llama_index.vector_stores.qdrant import QdrantVectorStore",
        ),
    }


def run(command: Sequence[str | Path], **options: Any) -> str:
    """Its output. Raises: RuntimeError with the last lines it said."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise RuntimeError(" ".join(said[-3:])[-200:] or f"exit code {done.returncode}")
    return done.stdout


def python(name: str) -> Path:
    return FOLDER / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(name: str, peer: Peer) -> None:
    """Into an environment of its own; this package anew each time, the others when they are not there yet."""
    uv, stamp = shutil.which("uv"), FOLDER / name / "installed"
    wanted = "\n".join(peer.requirements)
    if not python(name).exists():
        made = [uv, "venv", "-q", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
        run([*made, FOLDER / name])
    pip = [uv, "pip", "install", "-q", "-p", python(name)] if uv else [python(name), "-m", "pip", "install", "-q"]
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        run([*pip, *peer.requirements])
        stamp.write_text(wanted, "utf-8")
    if name == OURS:
        run([*pip, "--no-deps", "--force-reinstall", ROOT])


def weigh(name: str, peer: Peer) -> None:
    """Distributions installed and the megabytes of their files, without compiled caches and the installers."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run([python(name), "-c", code]).strip())
    there = [path for path in site.iterdir() if not path.name.startswith(NOT_COUNTED)]
    peer.packages = sum(path.suffix == ".dist-info" for path in there)
    files = (file for path in there for file in ([path] if path.is_file() else path.rglob("*")))
    peer.megabytes = sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc") / 1e6


def quiet(folder: str) -> dict[str, str]:
    """An environment in which nobody is called: no telemetry, no tracing, no key."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(("LANGSMITH", "AI_MEMORY"))},
        "MEM0_TELEMETRY": "False",
        "MEM0_DIR": folder,
        "LANGSMITH_TRACING": "false",
        "OPENAI_API_KEY": "none",
    }


def play(name: str, peer: Peer) -> None:
    with TemporaryDirectory(prefix="ai-memory-peers-") as folder:
        result = Path(folder, "result.json")
        script = ROOT / "benchmarks" / "peer_memories.py"
        run([python(name), "-P", script, name, folder, result], env=quiet(folder), timeout=900)
        measured = json.loads(result.read_text("utf-8"))
    for each in ("add", "context", "search"):
        peer.times.setdefault(each, []).extend(measured[each])
    peer.peak, peer.version = max(peer.peak, measured["peak"]), measured["version"]


def import_once(name: str, peer: Peer) -> None:
    with TemporaryDirectory(prefix="ai-memory-peers-") as folder:
        code = (
            f"import time; began = time.perf_counter(); {peer.statement}; print((time.perf_counter() - began) * 1000)"
        )
        took = run([python(name), "-c", code], env=quiet(folder), cwd=folder).splitlines()[-1]
    peer.times.setdefault("import", []).append(float(took))


def attempt(found: dict[str, Peer], step: Any) -> None:
    """One step of every peer that is still in; one that fails is out and says why."""
    for name, peer in found.items():
        if peer.reason:
            continue
        print(f"{name}: {step.__name__}", file=sys.stderr, flush=True)
        try:
            step(name, peer)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            if name == OURS:
                raise
            peer.reason = f"{step.__name__}: {error}".replace("|", "/").replace("\n", " ")


def table(found: dict[str, Peer]) -> str:
    """In Markdown, the numbers of the others with how many times ours they are."""
    heads = {"add": "add ms", "context": "read context ms", "search": "search ms", "import": "import ms"}
    lines = [
        f"| | {' | '.join(heads.values())} | peak MB | packages | MB installed |",
        f"|---|{'---:|' * (len(heads) + 3)}",
    ]
    base = found[OURS]
    for name, peer in found.items():
        if peer.reason:
            lines.append(f"| {name} | not measured: {peer.reason} {'| ' * (len(heads) + 2)}|")
            continue
        cells = [cell(typical(peer, each), typical(base, each), name) for each in heads]
        sizes = [(peer.peak, base.peak), (peer.packages, base.packages), (peer.megabytes, base.megabytes)]
        cells += [cell(value, ours, name) for value, ours in sizes]
        lines.append(f"| {name} {peer.version} | {' | '.join(cells)} |")
    return "\n".join(lines)


def typical(peer: Peer, what: str) -> float:
    """The median; of imports, which are few and long, the best."""
    times = peer.times[what]
    return min(times) if what == "import" else median(times)


def cell(value: float, ours: float, name: str) -> str:
    return short(value) if name == OURS else f"{short(value)} ({short(value / ours, digits=2)}x)"


def short(value: float, digits: int = 3) -> str:
    return f"{value:,.0f}" if value >= 10 ** (digits - 1) or value == int(value) else f"{value:.{digits}g}"


def main(arguments: Sequence[str] | None = None) -> None:
    known = peers()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*known, []], help="with whom (default: all)")
    names = parser.parse_args(arguments).names or list(known)
    found = {name: peer for name, peer in known.items() if name in (OURS, *names)}
    for step in (install, weigh, *[import_once] * IMPORTS, *[play] * ROUNDS):
        attempt(found, step)
    print(f"Measured {datetime.now(UTC).date()} on {machine()}\n\n{table(found)}")


if __name__ == "__main__":
    main()
