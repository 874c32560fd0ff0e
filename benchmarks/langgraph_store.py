"""`python -m benchmarks.langgraph_store [1000 10000 100000]`: CoreMemoryStore beside LangGraph's own stores.

Every store gets the same items, a hundred to a namespace, and no embedding model is called: vectors are random and
known beforehand. Files are on disk. SqliteStore's defaults are kept (a rollback journal, one connection); ours syncs
every commit to a write-ahead log. A ratio below 1 means that ours is faster.

A new process begins with its files and everything imported: ours and SqliteStore open theirs, InMemoryStore is given
the same items from JSON Lines, as it has no other way to them; then one search by a filter is answered.

What says "its first" reads a namespace that this process has not read before (while there are enough of them), one
call in a turn. All else reads one that it has, and a turn is as many calls as take two milliseconds, at most 50: an
application has one store, and does not pay for what four others put into the processor's caches.

With AI_MEMORY_BENCH_POSTGRES=postgresql://... PostgresStore takes part, with eight connections, in two schemas of that
database, `bench_plain` and `bench_index`; they are dropped before and afterwards. It needs
langgraph-checkpoint-postgres, psycopg and, for its index, the server's pgvector.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import os
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, IndexConfig, PutOp
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import AsyncSqliteStore, SqliteStore

from ai_memory_integrations import Memory
from ai_memory_integrations.langgraph import CoreMemoryStore
from benchmarks.measure import machine

DIMS = 256
PER_NAMESPACE = 100
ROUNDS = 15
CALLS, TURN = 50, 2.0  # at most so many calls in a turn of about so many milliseconds
POSTGRES = os.environ.get("AI_MEMORY_BENCH_POSTGRES", "")
WORDS = [f"{a}{b}{c}" for a in "bdfgklm" for b in ("al", "en", "or", "ut") for c in ("a", "is", "on", "er", "il")]


class Known(Embeddings):
    """A text's vector is a slice of random numbers made beforehand."""

    def __init__(self) -> None:
        self._numbers = np.random.default_rng(7).standard_normal(1 << 18).astype(np.float32).tolist()

    def embed_query(self, text: str) -> list[float]:
        start = hash(text) % (len(self._numbers) - DIMS)
        vector: list[float] = self._numbers[start : start + DIMS]
        return vector

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


class KnownEmbedder:
    """The same for a memory."""

    name, dimension = "known", DIMS

    def __init__(self, known: Known) -> None:
        self._known = known

    def __call__(self, texts: Sequence[str]) -> Any:
        return self._known.embed_documents(list(texts))


def value(number: int) -> dict[str, Any]:
    text = " ".join(random.Random(number).choices(WORDS, k=22))
    return {"text": text, "kind": f"k{number % 7}", "n": number, "tags": ["a", f"t{number % 3}"]}


def place(number: int) -> tuple[str, ...]:
    return ("users", f"u{number // PER_NAMESPACE}", "notes")


def postgres(opened: ExitStack, schema: str, index: IndexConfig | None = None) -> BaseStore:
    """A PostgresStore in a schema of its own."""
    import psycopg
    from langgraph.store.postgres import PostgresStore

    def drop() -> None:
        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")

    drop()
    opened.callback(drop)
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    url = f"{POSTGRES}{'&' if '?' in POSTGRES else '?'}options=-csearch_path%3D{schema}"
    made: Any = PostgresStore.from_conn_string(url, pool_config={"min_size": 8, "max_size": 8}, index=index)
    store: BaseStore = opened.enter_context(made)
    return store


@dataclass(frozen=True)
class Made:
    """The stores to compare, ours first, each with `count` items in it."""

    plain: dict[str, BaseStore]
    indexed: dict[str, BaseStore]
    count: int


@contextmanager
def stores(folder: Path, count: int) -> Iterator[Made]:
    known = Known()
    index: IndexConfig = {"dims": DIMS, "embed": known, "fields": ["text"]}
    with ExitStack() as opened:
        hybrid = opened.enter_context(Memory(str(folder / "hybrid.db"), embedder=KnownEmbedder(known)))
        terms = opened.enter_context(Memory(str(folder / "terms.db"), embedder=False))
        plain: dict[str, BaseStore] = {
            "CoreMemoryStore": CoreMemoryStore(terms),
            "SqliteStore": opened.enter_context(SqliteStore.from_conn_string(str(folder / "theirs.db"))),
            "InMemoryStore": InMemoryStore(),
        }
        indexed: dict[str, BaseStore] = {
            "CoreMemoryStore": opened.enter_context(CoreMemoryStore(url=str(folder / "index.db"), index=index)),
            "hybrid": CoreMemoryStore(hybrid),
            "InMemoryStore": InMemoryStore(index=index),
        }
        if hasattr(Connection, "enable_load_extension"):
            theirs: Any = {**index, "text_fields": ["text"]}
            indexed["SqliteStore"] = opened.enter_context(
                SqliteStore.from_conn_string(str(folder / "theirs-index.db"), index=theirs)
            )
        if POSTGRES:
            plain["PostgresStore"] = postgres(opened, "bench_plain")
            indexed["PostgresStore"] = postgres(opened, "bench_index", index)
        for store in (*plain.values(), *indexed.values()):
            setup = getattr(store, "setup", None)
            if setup is not None:
                setup()
            for start in range(0, count, 500):
                store.batch([PutOp(place(n), f"i{n}", value(n)) for n in range(start, min(start + 500, count))])
        yield Made(plain, indexed, count)


Case = Callable[[BaseStore, int], object]


def whole(number: int, count: int) -> tuple[str, ...]:
    """The namespaces one after the other, from the first again behind the last."""
    return place(number * PER_NAMESPACE % count)


def in_new_process(folder: Path, count: int) -> dict[str, float]:
    """Median milliseconds until a process that has nothing but the files of `stores` has its first answer."""
    exported = folder / "items.jsonl"
    with exported.open("w", encoding="utf-8") as file:
        for n in range(count):
            file.write(json.dumps({"namespace": place(n), "key": f"i{n}", "value": value(n)}) + "\n")

    def ours(opened: ExitStack) -> BaseStore:
        return CoreMemoryStore(opened.enter_context(Memory(str(folder / "terms.db"), embedder=False)))

    def sqlite(opened: ExitStack) -> BaseStore:
        return opened.enter_context(SqliteStore.from_conn_string(str(folder / "theirs.db")))

    def in_memory(opened: ExitStack) -> BaseStore:
        store = InMemoryStore()
        with exported.open(encoding="utf-8") as file:
            items = map(json.loads, file)
            store.batch([PutOp(tuple(item["namespace"]), item["key"], item["value"]) for item in items])
        return store

    ways = {"CoreMemoryStore": ours, "SqliteStore": sqlite, "InMemoryStore": in_memory}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-2, ROUNDS):
        for name, way in ways.items():
            if number >= 3 and sum(times[name]) > 2_000:
                continue
            with ExitStack() as opened:
                began = perf_counter()
                store = way(opened)  # kept, so that letting go of its items is not counted
                found = store.search(whole(number + 2, count), filter={"kind": "k3"})
                took = perf_counter() - began
            assert len(found) == 10, f"{name} found {len(found)} items"
            if number >= 0:
                times[name].append(took * 1000)
    return {name: median(each) for name, each in times.items()}


async def gathered_puts(folder: Path) -> dict[str, float]:
    """Median milliseconds of 500 puts that wait for each other in one event loop."""
    times: dict[str, list[float]] = {}
    async with AsyncExitStack() as opened:
        ours = opened.enter_context(Memory(str(folder / "gathered.db"), embedder=False))
        theirs = AsyncSqliteStore.from_conn_string(str(folder / "gathered-theirs.db"))
        sqlite = await opened.enter_async_context(theirs)
        await sqlite.setup()
        ways: dict[str, BaseStore] = {
            "CoreMemoryStore": CoreMemoryStore(ours),
            "AsyncSqliteStore": sqlite,
            "InMemoryStore": InMemoryStore(),
        }
        for number in range(-2, ROUNDS):
            for name, store in ways.items():
                values = [value(n) for n in range(500)]
                began = perf_counter()
                await asyncio.gather(*(store.aput(("g", str(number)), f"i{n}", values[n]) for n in range(500)))
                times.setdefault(name, []).append((perf_counter() - began) * 1000)
    return {name: median(each[2:]) for name, each in times.items()}


def plain_cases(count: int) -> dict[str, Case]:
    fresh = itertools.count(10**7)
    again = whole(60, count)

    def writers(store: BaseStore, number: int) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.put(("writers", str(n)), f"i{next(fresh)}", value(n)), range(64)))

    return {
        "put": lambda store, n: store.put(("new", str(n)), f"i{next(fresh)}", value(n)),
        "put 100 in a batch": lambda store, n: store.batch(
            [PutOp(("new", str(n)), f"i{next(fresh)}", value(k)) for k in range(100)]
        ),
        "64 puts by 8 threads": writers,
        "get": lambda store, n: store.get(place(n * 97 % count), f"i{n * 97 % count}"),
        "newest of a namespace, its first": lambda store, n: store.search(whole(n, count)),
        "newest of a namespace": lambda store, n: store.search(again),
        "filter in a namespace, its first": lambda store, n: store.search(whole(30 + n, count), filter={"kind": "k3"}),
        "filter in a namespace": lambda store, n: store.search(again, filter={"kind": f"k{n % 7}"}),
        "filter, all namespaces": lambda store, n: store.search(("users",), filter={"kind": "k3"}),
        "rare filter, all namespaces": lambda store, n: store.search(("users",), filter={"n": {"$lt": 5 + n % 50}}),
        "page 5 of all namespaces": lambda store, n: store.search(("users",), limit=10, offset=40),
        "list namespaces": lambda store, n: store.list_namespaces(prefix=("users",)),
        "list namespaces by suffix": lambda store, n: store.list_namespaces(suffix=("notes",)),
    }


def indexed_cases(count: int) -> dict[str, Case]:
    def asked(number: int) -> str:
        return " ".join(random.Random(-number).choices(WORDS, k=4))

    return {
        "put with a vector": lambda store, n: store.put(("new", str(n)), f"i{n}", value(n)),
        "query in a namespace, its first": lambda store, n: store.search(whole(1 + n, count), query=asked(n)),
        "query in a namespace": lambda store, n: store.search(place(0), query=asked(n)),
        "query in a namespace, filtered": lambda store, n: store.search(
            place(0), query=asked(n), filter={"kind": "k3"}
        ),
        "query, all namespaces": lambda store, n: store.search(("users",), query=asked(n)),
        "query, all, filtered": lambda store, n: store.search(("users",), query=asked(n), filter={"kind": "k3"}),
    }


def timed(group: dict[str, BaseStore], cases: dict[str, Case]) -> dict[str, dict[str, float]]:
    """Median milliseconds of each case for each store; the stores take turns, so that a busy moment falls on all."""
    found: dict[str, dict[str, float]] = {}
    for name, case in cases.items():
        times: dict[str, list[float]] = {store: [] for store in group}
        first = name.endswith("its first")
        for number in range(-2, ROUNDS):
            for store, opened in group.items():
                if number >= 3 and sum(times[store]) > 2_000:
                    continue  # three rounds of what takes long are enough
                calls = 1 if first or number == -2 else max(1, min(CALLS, int(TURN / times[store][-1])))
                began = perf_counter()
                for call in range(calls):
                    case(opened, (number + 2) * (1 if first else CALLS) + call)
                times[store].append((perf_counter() - began) * 1000 / calls)
        found[name] = {store: median(each[2:]) for store, each in times.items()}
    return found


def lines(title: str, found: dict[str, dict[str, float]], others: Sequence[str]) -> Iterator[str]:
    for name, times in found.items():
        ours = times["CoreMemoryStore"]
        hybrid = f"{times['hybrid']:.3g}" if "hybrid" in times else ""
        ratios = [f"{ours / times[other]:.2f}" if other in times else "not here" for other in others]
        yield f"| {title} | {name} | {ours:.3g} | {hybrid} | {' | '.join(ratios)} |"


def told(times: dict[str, float]) -> str:
    return ", ".join(f"{store} {ms:.3g} ms" for store, ms in times.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[1_000, 10_000])
    logging.getLogger("langgraph").setLevel(logging.ERROR)
    print(f"Measured on {machine()}\n")
    others = ["SqliteStore", *(["PostgresStore"] if POSTGRES else []), "InMemoryStore"]
    print(f"| items | what | ours, ms | ours hybrid, ms | {' | '.join(f'ours / {other}' for other in others)} |")
    print(f"|---:|---|---:|---:|{'---:|' * len(others)}", flush=True)
    began: list[tuple[int, dict[str, float]]] = []
    for count in parser.parse_args().sizes:
        with TemporaryDirectory() as folder, stores(Path(folder), count) as made:
            # Before the others, which write to the same files.
            began.append((count, in_new_process(Path(folder), count)))
            for group, cases in ((made.plain, plain_cases(count)), (made.indexed, indexed_cases(count))):
                for line in lines(f"{count:,}", timed(group, cases), others):
                    print(line, flush=True)
    for count, times in began:
        print(f"\nA new process and {count:,} items, until its first search is answered: {told(times)}.")
    with TemporaryDirectory() as folder:
        print(f"\n500 awaited puts at once: {told(asyncio.run(gathered_puts(Path(folder))))}.")


if __name__ == "__main__":
    main()
