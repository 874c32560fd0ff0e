"""One message kept durably, beside one bare row in a table: all with `synchronous=FULL` in WAL mode."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from langgraph.store.sqlite import SqliteStore

from ai_memory_integrations import Memory
from benchmarks.measure import Row, compare

SUBJECTS = 100
TEXT = "I moved to Lisbon in March and I have two cats now, Miso and Nori."


def measure(folder: Path) -> list[Row]:
    bare = _connect(folder / "add-bare.db")
    bare.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, subject TEXT, role TEXT, content TEXT)")
    theirs = _connect(folder / "add-langgraph.db")
    store = SqliteStore(theirs)
    store.setup()
    _sync(theirs)
    with Memory(str(folder / "add.db"), learning="off", embedder=False) as memory:

        def insert(number: int) -> None:
            bare.execute(
                "INSERT INTO message (subject, role, content) VALUES (?, 'user', ?)",
                (f"user_{number % SUBJECTS}", TEXT),
            )

        def add(number: int, *, skip: bool = False, count: int = 1) -> str:
            messages = [{"role": "user", "content": TEXT}] * count
            return memory.add_messages(f"user_{number % SUBJECTS}", messages, skip_vector_storage=skip)

        try:
            return compare(
                "durable add of one message",
                {
                    "bare sqlite3 insert": insert,
                    "memory.add_messages, not indexed": lambda n: add(n, skip=True),
                    "memory.add_messages": add,
                    "memory.add_messages, 10 messages": lambda n: add(n, count=10),
                    "LangGraph SqliteStore.put": lambda n: store.put(
                        (f"user_{n % SUBJECTS}", "messages"), str(n), {"role": "user", "content": TEXT}
                    ),
                },
                rounds=500,
            )
        finally:
            bare.close()
            theirs.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    _sync(connection)
    return connection


def _sync(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
