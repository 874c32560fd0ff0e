"""`python -m benchmarks.letta [--rounds N]`: requests and milliseconds on Letta, beside the AI Memory SDK.

A real Letta server of its own with a stub model, as in the tests, on this machine. Each library plays the same steps in
a process of its own, through a proxy that counts what it sends; the two take turns. Looking whether a run has ended
(`GET /v1/runs/{run}`) is counted apart: how often that happens is a matter of patience. Milliseconds are those until
the calls returned; requests those until everything was learnt. A chat turn reads the context and adds two messages;
before messages are added the context has been read since the last ones were, but where a row says otherwise. Ours is
measured twice: as it is, and with `exclusive=true`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import peers
from benchmarks.measure import machine

sys.path.insert(0, str(peers.ROOT / "tests"))

from letta.proxy import Proxy, proxying
from letta.server import Place, running

SDK = peers.Peer(("ai-memory-sdk==0.2.0",), "from ai_memory_sdk import Memory")
ROUNDS, TURNS = 5, 20
EXCLUSIVE = "exclusive"
OURS = (peers.OURS, EXCLUSIVE)
KNOWN = ("first_contact", "add", "context")  # somebody who has an agent, learnt blocks and an archive
UNREAD = KNOWN[:-1]


@dataclass(frozen=True)
class Row:
    """One line of the table. *after* are steps that come before it uncounted; *per* is what the numbers are divided by;
    *most* which share of the SDK's requests was promised at most, None where it leaves undone what ours does."""

    name: str
    step: str
    arguments: dict[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = KNOWN
    per: int = 1
    most: float | None = 0.5
    rounds: int | None = None


ROWS = [
    Row("first contact: initialize_user_memory", "first_contact", after=()),
    Row("first contact and 3 messages, searchable", "begin", {"count": 3, "searchable": True}, after=()),
    Row("read context: get_user_memory, get_summary", "read"),
    Row("read context: the same; ours in one call, prompt", "context"),
    *(
        Row(f"add {count} messages{', searchable' * searchable}", "add", {"count": count, "searchable": searchable})
        for count in (3, 10)
        for searchable in (False, True)
    ),
    Row("add 3 messages, unread since the last", "add", {"count": 3, "searchable": False}, after=UNREAD),
    Row("add 3 messages, searchable, unread since the last", "add", {"count": 3, "searchable": True}, after=UNREAD),
    Row("search", "search"),
    Row("a chat turn", "turns", {"count": TURNS, "searchable": False}, per=TURNS, rounds=1),
    Row("a chat turn, searchable", "turns", {"count": TURNS, "searchable": True}, per=TURNS, most=0.25, rounds=1),
    Row("delete_user", "delete", most=None),
]


@dataclass
class Measured:
    """What one library did in one row, a number for each round."""

    requests: list[float] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    learnt: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    error: str = ""


class Played:
    """A library in its process, behind its own proxy."""

    def __init__(self, process: subprocess.Popen[str], proxy: Proxy, server: str) -> None:
        self._process, self._proxy, self._server = process, proxy, server

    def ask(self, step: str, user: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        assert self._process.stdin is not None
        print(json.dumps({"step": step, "user": user, "arguments": arguments or {}}), file=self._process.stdin)
        self._process.stdin.flush()
        return self.heard()

    def heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"error": f"ended with {self._process.wait()}"}

    def measure(self, row: Row, measured: Measured) -> None:
        user = f"user_{uuid.uuid4().hex}"
        for step in row.after:
            self.ask(step, user, {"count": 3, "searchable": True} if step == "add" else None)
        things = self._things(user) if row.step == "delete" else []
        self._proxy.forget()
        answer = self.ask(row.step, user, row.arguments)
        if "error" in answer:
            measured.error = answer["error"]
            return
        lines = self._proxy.lines()
        polls = lines.pop("GET /v1/runs/{run}", 0)
        measured.requests.append(sum(lines.values()) / row.per)
        measured.polls.append(polls / row.per)
        measured.ms.append(answer["ms"] / row.per)
        measured.learnt += [answer["learnt"]] if "learnt" in answer else []
        measured.lines = dict(lines)
        if row.step == "delete":
            measured.left.append(sum(_is_there(f"{self._server}{path}") for path in things))
        else:
            self.ask("delete", user)

    def _things(self, user: str) -> list[str]:
        """What the server keeps for somebody: the agent, its blocks, its archive."""
        agent = self.ask("agent", user)["agent"]
        blocks = _get(f"{self._server}/v1/agents/{agent}/core-memory/blocks")
        archives = _get(f"{self._server}/v1/archives/?agent_id={agent}")
        kept = [f"/v1/blocks/{block['id']}" for block in blocks] + [f"/v1/archives/{each['id']}" for each in archives]
        return [f"/v1/agents/{agent}", *kept]


@contextmanager
def playing(name: str, python: Path | str, server: Place | Any) -> Iterator[Played]:
    with ExitStack() as held:
        folder = held.enter_context(TemporaryDirectory(prefix="ai-memory-letta-"))
        proxy = held.enter_context(proxying(server.url))
        script = peers.ROOT / "benchmarks" / "letta_player.py"
        environment = {**peers.quiet(folder), "PYTHONPATH": str(peers.ROOT) if name in OURS else ""}
        process = subprocess.Popen(
            [python, "-P", script, name, proxy.url, folder],
            env={key: value for key, value in environment.items() if value},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("VERBOSE") else subprocess.DEVNULL,
            text=True,
        )
        held.callback(process.wait, 60)
        assert process.stdin is not None
        held.callback(process.stdin.close)
        yield Played(process, proxy, server.url)


def measure(rounds: int, server: Place | Any) -> dict[str, dict[str, Measured]]:
    """By row and library."""
    peers.install("ai-memory-sdk", SDK)
    found = {row.name: {name: Measured() for name in ("sdk", *OURS)} for row in ROWS}
    with ExitStack() as held:
        players = {
            "sdk": held.enter_context(playing("sdk", peers.python("ai-memory-sdk"), server)),
            **{name: held.enter_context(playing(name, sys.executable, server)) for name in OURS},
        }
        out = {name: said["error"] for name, player in players.items() if (said := player.heard())}
        for row in ROWS:
            for _ in range(min(rounds, row.rounds or rounds)):
                for name, player in players.items():
                    measured = found[row.name][name]
                    measured.error = measured.error or out.get(name, "")
                    if not measured.error:
                        print(f"{row.name}: {name}", file=sys.stderr, flush=True)
                        player.measure(row, measured)
    return found


def table(found: dict[str, dict[str, Measured]]) -> str:
    """In Markdown: requests (and polls), milliseconds until the call returned (and until it was learnt)."""
    lines = [
        "| | SDK requests | ours | its share | exclusive | its share | at most | SDK ms | ours ms | exclusive ms |",
        "|---|---:|---:|---:|---:|---:|---|---:|---:|---:|",
    ]
    for row in ROWS:
        sdk, ours = found[row.name]["sdk"], [found[row.name][name] for name in OURS]
        cells = [requests(sdk)]
        for each in ours:
            share = median(each.requests) / median(sdk.requests) if sdk.requests and each.requests else None
            cells += [requests(each), shown(row.most, share)]
        cells += ["" if row.most is None else f"{row.most:g}", milliseconds(sdk), *map(milliseconds, ours)]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def shown(most: float | None, share: float | None) -> str:
    kept = "" if most is None or share is None else ": kept" if share <= most else ": **missed**"
    return "" if share is None else f"{share:.2f}{kept}"


def requests(measured: Measured) -> str:
    if not measured.requests:
        return f"not measured: {measured.error}".replace("|", "/").replace("\n", " ")
    left = f", leaves {max(measured.left)} behind" if any(measured.left) else ""
    polls = f" + {median(measured.polls):.3g} polls" if any(measured.polls) else ""
    return f"{median(measured.requests):.3g}{polls}{left}"


def milliseconds(measured: Measured) -> str:
    if not measured.ms:
        return ""
    learnt = f" (learnt {median(measured.learnt):,.0f})" if measured.learnt else ""
    return f"{median(measured.ms):,.0f}{learnt}"


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def _is_there(url: str) -> bool:
    try:
        _get(url)
    except urllib.error.HTTPError:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.letta", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each row is played (default: {ROUNDS})")
    parser.add_argument("--requests", action="store_true", help="also print which requests each row took")
    given = parser.parse_args(arguments)
    with ExitStack() as held:
        url = os.environ.get("AI_MEMORY_LETTA_URL")
        folder = Path(held.enter_context(TemporaryDirectory(prefix="ai-memory-letta-")))
        server = Place(url) if url else held.enter_context(running(folder))
        found = measure(given.rounds, server)
    print(f"Measured {datetime.now(UTC).date()} on {machine()}\n\n{table(found)}")
    if given.requests:
        for row, name in ((row, name) for row in ROWS for name in ("sdk", *OURS)):
            print(f"\n{row.name}, {name}:")
            for line, count in found[row.name][name].lines.items():
                print(f"  {count:3} {line}")


if __name__ == "__main__":
    main()
