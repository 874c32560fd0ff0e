"""The prompt of a subject with four blocks, beside the bare read of the same rows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from langgraph.store.sqlite import SqliteStore

from ai_memory_integrations import Memory
from benchmarks.measure import Row, compare

SUBJECTS = 100
LABELS = ("human", "summary", "preferences", "policies")
VALUE = "\n".join(f"Fact {n}: something that was said and is worth remembering (2026-03-0{n})" for n in range(1, 7))
BARE = (
    "SELECT b.label, b.description, b.value, b.max_chars FROM subject s JOIN block b ON b.subject = s.no "
    "WHERE s.subject_id = ? ORDER BY b.place"
)


def measure(folder: Path) -> list[Row]:
    with Memory(str(folder / "prompt.db"), embedder=False) as memory:
        for number in range(SUBJECTS):
            for label in LABELS:
                memory.initialize_memory(label, f"What is known: {label}", VALUE, subject_id=f"user_{number}")
        bare = sqlite3.connect(folder / "prompt.db", isolation_level=None)
        theirs = sqlite3.connect(folder / "prompt-langgraph.db", isolation_level=None, check_same_thread=False)
        store = SqliteStore(theirs)
        store.setup()
        for number in range(SUBJECTS):
            for label in LABELS:
                store.put((f"user_{number}", "blocks"), label, {"value": VALUE})
        try:
            return compare(
                "prompt of 4 blocks",
                {
                    "bare sqlite3 read": lambda n: bare.execute(BARE, (f"user_{n % SUBJECTS}",)).fetchall(),
                    "memory.list_blocks": lambda n: memory.list_blocks(f"user_{n % SUBJECTS}"),
                    "memory.prompt": lambda n: memory.prompt(f"user_{n % SUBJECTS}"),
                    "LangGraph SqliteStore.search": lambda n: store.search((f"user_{n % SUBJECTS}", "blocks")),
                },
                rounds=200,
                burst=10,
                at_most_ms={"memory.prompt": 0.1},
                at_most_ratio={"memory.prompt": 5},
            )
        finally:
            bare.close()
            theirs.close()
