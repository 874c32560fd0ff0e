"""The same calls on a PostgreSQL server and on a file; the server is the tests' own, on this machine.

Beside them one bare statement, to see what of it is the way there and back. The server syncs nothing to its disk, so
the file does not either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ai_memory_integrations import Memory
from ai_memory_integrations.ports import ItemPut
from benchmarks.measure import Case, Row, compare

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

SUBJECTS = 20
TEXTS = [f"On day {day} I saw {day % 7} cats and {day % 5} dogs near the river." for day in range(100)]


def measure(folder: Path) -> list[Row]:
    """Rows for reading a prompt, adding a message, editing a block, searching and writing an item."""
    import postgres_server
    import psycopg

    with ExitStack() as opened:
        server = opened.enter_context(postgres_server.running())
        bare = opened.enter_context(psycopg.connect(server.url(), autocommit=True))
        places = {"a file": f"sqlite:///{folder}/memory.db?synchronous=normal", "PostgreSQL": server.url()}
        memories = {
            name: opened.enter_context(Memory(url, learning="off", embedder=False)) for name, url in places.items()
        }
        for memory in memories.values():
            _fill(memory)
        calls: dict[str, Callable[[Memory, int], object]] = {
            "memory.prompt": lambda memory, number: memory.prompt(_subject(number)),
            "memory.add_messages": lambda memory, number: memory.add_messages(
                _subject(number), [{"role": "user", "content": TEXTS[number % 100]}]
            ),
            "memory.update_memory": lambda memory, number: memory.update_memory(
                "human", f"Version {number}", subject_id=_subject(number)
            ),
            "memory.search_passages": lambda memory, number: memory.search_passages(
                "cats near the river", subject_id=f"read_{number % SUBJECTS}"
            ),
            "an item written": lambda memory, number: memory._core.store.items.put_items(
                [ItemPut(("notes", _subject(number)), "k", {"n": number})]
            ),
        }
        rows: list[Row] = []
        for name, call in calls.items():
            cases: dict[str, Case] = {
                f"{name}, {place}": lambda number, call=call, memory=memory: call(memory, number)  # type: ignore[misc]
                for place, memory in memories.items()
            }
            cases["one bare statement, PostgreSQL"] = lambda number: bare.execute("SELECT 1").fetchone()
            rows += compare(f"{name}, a file and a server", cases, rounds=300)
        return rows


def _subject(number: int) -> str:
    return f"user_{number % SUBJECTS}"


def _fill(memory: Memory) -> None:
    for number in range(SUBJECTS):
        memory.initialize_user_memory(_subject(number))
        memory.initialize_subject(f"read_{number}")
        memory.add_passages(TEXTS, subject_id=f"read_{number}")
