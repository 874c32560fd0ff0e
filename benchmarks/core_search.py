"""Search within a subject by terms and by both terms and vectors, beside the bare NumPy product and LangGraph's stores.

Texts are 22 words drawn by Zipf's law, vectors are random and known beforehand: no embedding model is called. What
is timed is the public call, from the query's text to ten `Passage` objects.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore

from ai_memory_integrations import Memory
from benchmarks.measure import Case, Row, compare

DIMENSION = 256
WORDS = 22
QUERY_WORDS = 6
QUERIES = 500
BATCH = 1000
ASKED_SUBJECTS = 1000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Known:
    """An embedder that calls nothing: a text's vector is a slice of random numbers made beforehand."""

    name, dimension = "random", DIMENSION

    def __init__(self) -> None:
        self._numbers = np.random.default_rng(7).standard_normal(1 << 20).astype(np.float32)

    def __call__(self, texts: Sequence[str]) -> Any:
        return [self.vector(text) for text in texts]

    def vector(self, text: str) -> Any:
        start = hash(text) % (len(self._numbers) - DIMENSION)
        return self._numbers[start : start + DIMENSION]


class Texts:
    """Sentences of made-up words, the first of them frequent and the last of them rare."""

    def __init__(self) -> None:
        self._random = random.Random(11)
        self._words = [_word(number) for number in range(20_000)]
        self._weights = np.cumsum(1 / np.arange(1, len(self._words) + 1)).tolist()

    def some(self, count: int, words: int) -> list[str]:
        drawn = self._random.choices(self._words, cum_weights=self._weights, k=count * words)
        return [" ".join(drawn[place * words : (place + 1) * words]) for place in range(count)]


def _word(number: int) -> str:
    syllables = ("ba", "de", "ki", "lo", "mu", "na", "po", "ri", "sa", "tu")
    return "".join(syllables[int(digit)] for digit in f"{number:05d}")


def measure(folder: Path, passages: int, subjects: int) -> list[Row]:
    """*passages* in all, spread evenly over *subjects*."""
    each, asked = passages // subjects, min(subjects, ASKED_SUBJECTS if passages <= 100_000 else 200)
    path, known, texts = folder / f"search-{passages}-{subjects}.db", Known(), Texts()
    with Memory(str(path), embedder=known) as hybrid, Memory(str(path), embedder=False) as terms:
        _fill(hybrid, texts, passages, subjects)
        queries = texts.some(QUERIES, QUERY_WORDS)

        def searched(memory: Memory) -> Case:
            return lambda n: memory.search_passages(queries[n % QUERIES], subject_id=f"user_{n % asked}")

        section = f"search: {subjects:,} subject{'s' * (subjects > 1)} of {each:,} passages"
        ours = {"memory.search_passages, terms": searched(terms), "memory.search_passages, hybrid": searched(hybrid)}
        first = compare(f"{section}, first search", ours, rounds=min(asked, 100))
        for number in range(asked):
            for case in ours.values():
                case(number)
        beside = _floor(path, known, queries, asked) | ours
        if passages <= 100_000:
            beside |= _langgraph(folder, path, known, queries, asked)
        most = {(100_000, 1000): 0.2, (100_000, 1): 10.0}.get((passages, subjects))
        rows = compare(
            f"{section}, warm",
            beside,
            rounds=10 if each >= 10_000 else 100,
            burst=1 if each >= 10_000 else 10,
            at_most_ms={} if most is None else {"memory.search_passages, hybrid": most},
        )
    return [*rows, *first]


def _fill(memory: Memory, texts: Texts, passages: int, subjects: int) -> None:
    """Turns of conversations, twenty to a thread, a minute apart."""
    each, began = passages // subjects, perf_counter()
    for number in range(subjects):
        for start in range(0, each, BATCH):
            turns = [
                {
                    "text": text,
                    "role": "user" if turn % 2 else "assistant",
                    "thread_id": f"thread_{turn // 20}",
                    "created_at": BEGIN + timedelta(minutes=turn),
                }
                for turn, text in enumerate(texts.some(min(BATCH, each - start), WORDS), start)
            ]
            memory.add_passages(turns, subject_id=f"user_{number}")
    written = perf_counter() - began
    memory.drain()
    print(
        f"{passages:,} passages of {subjects:,} subjects written in {written:.1f} s, "
        f"their vectors {perf_counter() - began - written:.1f} s later",
        flush=True,
    )


def _floor(path: Path, known: Known, queries: Sequence[str], asked: int) -> dict[str, Case]:
    """The least that a vector search can cost here: one product, the ten largest, ten rows by their key."""
    connection = sqlite3.connect(path, isolation_level=None)
    matrices, ids = [], []
    for number in range(asked):
        rows = connection.execute(
            "SELECT v.id, v.vector FROM subject s JOIN passage_vector v "
            "ON v.id > s.no << 32 AND v.id < (s.no + 1) << 32 WHERE s.subject_id = ? ORDER BY v.id",
            (f"user_{number}",),
        ).fetchall()
        ids.append([row[0] for row in rows])
        matrices.append(np.frombuffer(b"".join(row[1] for row in rows), np.float16).reshape(-1, DIMENSION).astype("f4"))

    def product(number: int) -> list[int]:
        matrix = matrices[number % asked]
        scores = matrix @ known.vector(queries[number % QUERIES])
        top: list[int] = np.argpartition(scores, -10)[-10:].tolist()
        return top

    def fetched(number: int) -> list[Any]:
        return [
            connection.execute("SELECT * FROM passage WHERE id = ?", (ids[number % asked][place],)).fetchone()
            for place in product(number)
        ]

    return {"NumPy product, top 10, rows by sqlite3": fetched, "NumPy product, top 10": product}


def _langgraph(folder: Path, path: Path, known: Known, queries: Sequence[str], asked: int) -> dict[str, Case]:
    """The same passages in LangGraph's stores: by vectors in memory, by namespace alone in SQLite (its index needs an
    extension, which this Python's sqlite3 may not load)."""
    connection = sqlite3.connect(folder / f"langgraph-{path.name}", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    in_file, in_memory = (
        SqliteStore(connection),
        InMemoryStore(
            index={
                "dims": DIMENSION,
                "embed": lambda texts: [known.vector(text).tolist() for text in texts],
                "fields": ["text"],
            }
        ),
    )
    in_file.setup()
    with closing(sqlite3.connect(path)) as ours:
        rows = ours.execute(
            "SELECT s.subject_id, p.passage_id, p.text FROM passage p JOIN subject s ON s.no = p.subject"
        )
        while some := rows.fetchmany(BATCH):
            puts = [PutOp((subject, "passages"), key, {"text": text}) for subject, key, text in some]
            in_file.batch(puts)
            in_memory.batch(puts)

    def namespace(number: int) -> tuple[str, ...]:
        return (f"user_{number % asked}", "passages")

    return {
        "LangGraph InMemoryStore.search, vectors": lambda n: in_memory.search(
            namespace(n), query=queries[n % QUERIES], limit=10
        ),
        "LangGraph SqliteStore.search, no ranking": lambda n: in_file.search(namespace(n), limit=10),
    }
