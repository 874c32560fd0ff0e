"""One memory on Letta at work in its own environment: `python -P letta_player.py NAME URL FOLDER`.

Run by `benchmarks.letta`, which asks for one step a line (JSON: step, user, arguments) and is answered with what it
took in milliseconds. It imports nothing but the standard library and the library it measures.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

# What the stub model does with a text stands in it: one edit of one block, whatever the agent's prompt shows.
DIRECTIVE = "[[label=human]]"
BATCH = 8  # messages after which ours learns unasked


class Player(Protocol):
    def first_contact(self, user: str) -> None: ...

    def read(self, user: str) -> None: ...

    def add(self, user: str, messages: list[dict[str, str]], *, searchable: bool) -> Any: ...

    def learnt(self, user: str, added: Any) -> None: ...

    def search(self, user: str) -> None: ...

    def context(self, user: str) -> None: ...

    def paced(self, user: str, added: Any) -> None: ...

    def caught_up(self, user: str) -> None: ...

    def delete(self, user: str) -> None: ...

    def agent(self, user: str) -> str | None: ...


class Sdk:
    """AI Memory SDK 0.2.0 as it is. It takes no address, so the client that it makes is given one from outside."""

    def __init__(self, url: str, _: Path) -> None:
        import ai_memory_sdk
        from letta_client import Letta

        ai_memory_sdk.Letta = lambda token: Letta(base_url=url, token=token)
        self.memory = ai_memory_sdk.Memory(api_key="none")

    def first_contact(self, user: str) -> None:
        self.memory.initialize_user_memory(user)

    def read(self, user: str) -> None:
        self.memory.get_user_memory(user, prompt_formatted=True)
        self.memory.get_summary(user, prompt_formatted=True)

    def add(self, user: str, messages: list[dict[str, str]], *, searchable: bool) -> Any:
        return self.memory.add_messages(user, messages, skip_vector_storage=not searchable)

    def learnt(self, user: str, added: Any) -> None:
        self.memory.wait_for_run(added)

    def search(self, user: str) -> None:
        self.memory.search(user, "animals")

    def context(self, user: str) -> None:
        self.read(user)

    def paced(self, user: str, added: Any) -> None:
        """Each turn waits: of runs side by side on one agent, Letta keeps the edits of the last alone."""
        self.learnt(user, added)

    def caught_up(self, user: str) -> None:
        """By then it is."""

    def delete(self, user: str) -> None:
        self.memory.delete_user(user)

    def agent(self, user: str) -> str | None:
        return self.memory.get_memory_agent_id(user)


class Ours:
    """This package on Letta, its journal in a SQLite file."""

    options = ""

    def __init__(self, url: str, folder: Path) -> None:
        from ai_memory_integrations import Memory

        journal = f"sqlite:///{folder / 'journal.db'}"
        self.memory = Memory(f"letta://{url.removeprefix('http://')}?journal={journal}{self.options}")

    def first_contact(self, user: str) -> None:
        self.memory.initialize_user_memory(user)

    def read(self, user: str) -> None:
        self.memory.get_user_memory(user, prompt_formatted=True)
        self.memory.get_summary(user, prompt_formatted=True)

    def add(self, user: str, messages: list[dict[str, str]], *, searchable: bool) -> Any:
        return self.memory.add_messages(user, messages, skip_vector_storage=not searchable)

    def learnt(self, user: str, added: Any) -> None:
        self.memory.wait_for_run(added)
        self.memory.drain()

    def search(self, user: str) -> None:
        self.memory.search(user, "animals")

    def context(self, user: str) -> None:
        self.memory.prompt(user)

    def paced(self, user: str, added: Any) -> None:
        """People are slower than runs: one that has its batch is over before the next turn."""
        if self.memory.get_run(added).messages >= BATCH:
            self.memory.wait_for_run(added)

    def caught_up(self, user: str) -> None:
        self.memory.flush(user)
        self.memory.drain()

    def delete(self, user: str) -> None:
        self.memory.delete_user(user)

    def agent(self, user: str) -> str | None:
        return self.memory.get_memory_agent_id(user)


class Exclusive(Ours):
    """Where whoever uses the agents shares the journal."""

    options = "&exclusive=true"


PLAYERS: dict[str, type[Sdk] | type[Ours]] = {"sdk": Sdk, "ours": Ours, "exclusive": Exclusive}


def turn(number: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"I like dish number {number}, and I have cats. {DIRECTIVE}"},
        {"role": "assistant", "content": f"Noted: dish {number}."},
    ]


def messages(count: int) -> list[dict[str, str]]:
    return [message for number in range(count) for message in turn(number)][:count]


def play(player: Player, step: str, user: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What it took: until the calls had returned, and until what was added was learnt."""
    if step == "agent":
        return {"agent": player.agent(user)}
    if step in ("add", "begin"):
        return add(player, user, first=step == "begin", **arguments)
    if step == "turns":
        return turns(player, user, **arguments)
    began = perf_counter()
    getattr(player, step)(user)
    return {"ms": since(began)}


def add(player: Player, user: str, *, count: int, searchable: bool, first: bool) -> dict[str, Any]:
    began = perf_counter()
    if first:
        player.first_contact(user)
    added = player.add(user, messages(count), searchable=searchable)
    returned = since(began)
    player.learnt(user, added)
    return {"ms": returned, "learnt": since(began)}


def turns(player: Player, user: str, *, count: int, searchable: bool) -> dict[str, Any]:
    took = 0.0
    for number in range(count):
        began = perf_counter()
        player.context(user)
        added = player.add(user, turn(number), searchable=searchable)
        took += since(began)
        player.paced(user, added)
    player.caught_up(user)
    return {"ms": took}


def since(began: float) -> float:
    return (perf_counter() - began) * 1000


def main() -> None:
    name, url, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    said, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr  # the SDK prints when it deletes

    def answer(ask: Callable[[], dict[str, Any]]) -> None:
        try:
            found = ask()
        except Exception as error:  # the table says what happened, the other rows go on
            found = {"error": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps(found), file=said, flush=True)

    player: list[Player] = []
    answer(lambda: player.append(PLAYERS[name](url, folder)) or {})
    for line in sys.stdin if player else ():
        asked = json.loads(line)
        answer(partial(play, player[0], asked["step"], asked["user"], asked["arguments"]))


if __name__ == "__main__":
    main()
