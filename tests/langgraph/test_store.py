"""What `CoreMemoryStore` does beyond LangGraph's contract, and what goes wrong with other stores."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import textwrap
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchItem,
    SearchOp,
)
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import ConfigurationError, InvalidInputError, NotAStoreError
from ai_memory_integrations.langgraph import CoreMemoryStore
from ai_memory_integrations.testing.contracts.item_store import WordEmbeddings


class Embedder:
    """The contract's vectors for a memory; it fails while it is `broken`."""

    name, dimension, broken = "words", 64, False

    def __call__(self, texts: Sequence[str]) -> Any:
        if self.broken:
            raise ConnectionError("no answer")
        return WordEmbeddings().embed_documents(list(texts))


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


def keys(items: Sequence[Any]) -> list[str]:
    return [item.key for item in items]


# search without an index

DOCUMENTS = {
    "tea": {"text": "She drinks green tea in the morning."},
    "cat": {"text": "Her cats are called Tom and Kitty.", "kind": "pet"},
    "job": {"text": "She works as a baker in Rome."},
}


def fill(store: BaseStore, namespace: tuple[str, ...] = ("docs",)) -> None:
    for key, value in DOCUMENTS.items():
        store.put(namespace, key, value)


def test_without_any_model_items_are_found_by_their_words(path: str) -> None:
    with Memory(path, embedder=False) as memory:
        store = CoreMemoryStore(memory)
        fill(store)
        found = store.search(("docs",), query="what is her cat's name?")
        assert found[0].key == "cat"
        assert found[0].score == pytest.approx(1.0)
        assert [item.score for item in found if item.key == "tea"] == [None]
        assert keys(store.search(("docs",), query="pet"))[0] == "cat"
        assert keys(store.search(("docs",), query="baking")) != []


def test_terms_and_meaning_are_joined_where_the_memory_has_an_embedder(path: str) -> None:
    with Memory(path, embedder=Embedder()) as memory:
        store = CoreMemoryStore(memory)
        fill(store)
        store.put(("docs",), "hidden", {"text": "green tea"}, index=False)
        found = store.search(("docs",), query="green tea")
        assert found[0].key == "tea"
        assert all(item.score is not None and 0 <= item.score <= 1 for item in found[:3])
        assert found[3].key == "hidden"
        assert found[3].score is None


def test_an_embedder_that_fails_costs_meaning_and_no_write(path: str, caplog: pytest.LogCaptureFixture) -> None:
    embedder = Embedder()
    embedder.broken = True
    with Memory(path, embedder=embedder) as memory:
        store = CoreMemoryStore(memory)
        fill(store)
        assert keys(store.search(("docs",), query="tea"))[0] == "tea"
    assert "no answer" in caplog.text


def test_items_written_without_an_index_are_found_with_one_once_written_again(path: str) -> None:
    with Memory(path, embedder=False) as memory:
        fill(CoreMemoryStore(memory))
        indexed = CoreMemoryStore(memory, index={"dims": 64, "embed": WordEmbeddings()})
        assert [item.score for item in indexed.search(("docs",), query="tea")] == [None] * 3
        fill(indexed)
        assert indexed.search(("docs",), query="tea")[0].key == "tea"
        assert keys(CoreMemoryStore(memory).search(("docs",), query="tea"))[0] == "tea"


# an index


async def aembed(texts: Sequence[str]) -> list[list[float]]:
    await asyncio.sleep(0)
    return WordEmbeddings().embed_documents(list(texts))


@pytest.mark.parametrize("embed", [WordEmbeddings(), lambda texts: WordEmbeddings().embed_documents(texts), aembed])
async def test_an_index_takes_embeddings_a_function_and_an_async_function_from_both_sides(
    path: str, embed: Any
) -> None:
    with CoreMemoryStore(url=path, index={"dims": 64, "embed": embed, "fields": ["text"]}) as store:
        store.put(("docs",), "sync", {"text": "green tea"})
        await store.aput(("docs",), "async", {"text": "black coffee"})
        assert keys(store.search(("docs",), query="tea"))[0] == "sync"
        assert keys(await store.asearch(("docs",), query="coffee"))[0] == "async"


def test_an_embedder_of_an_index_that_fails_is_an_error_and_nothing_is_written(path: str) -> None:
    def embed(texts: Sequence[str]) -> list[list[float]]:
        raise ConnectionError("no answer")

    with CoreMemoryStore(url=path, index={"dims": 64, "embed": embed}) as store:
        with pytest.raises(ConnectionError):
            store.batch([PutOp(("a",), "k1", {"n": 1}, False), PutOp(("a",), "k2", {"n": 1})])
        assert store.search(("a",)) == []


@pytest.mark.parametrize(
    ("vectors", "said"), [([[1.0] * 3], "dims=64"), ([], "0 vectors"), ([[float("nan")] * 64], "finite")]
)
def test_vectors_that_do_not_fit_are_refused_and_nothing_is_written(path: str, vectors: Any, said: str) -> None:
    with CoreMemoryStore(url=path, index={"dims": 64, "embed": lambda texts: vectors}) as store:
        with pytest.raises(InvalidInputError, match=said):
            store.put(("a",), "k", {"n": 1})
        assert store.search(("a",)) == []


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ({}, "embed"),
        ({"embed": WordEmbeddings(), "dims": 0}, "dims"),
        ({"embed": WordEmbeddings(), "distance_type": "l2"}, "distance_type"),
        ({"embed": WordEmbeddings(), "fields": [1]}, "fields"),
    ],
)
def test_an_index_that_cannot_be_is_refused_when_the_store_is_made(path: str, index: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CoreMemoryStore(url=path, index=index)


def test_the_lock_is_free_while_an_embedder_works(path: str) -> None:
    working, go_on = threading.Event(), threading.Event()

    def embed(texts: Sequence[str]) -> list[list[float]]:
        working.set()
        assert go_on.wait(PATIENCE)
        return WordEmbeddings().embed_documents(list(texts))

    with CoreMemoryStore(url=path, index={"dims": 64, "embed": embed}) as store, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(store.put, ("a",), "slow", {"n": 1})
        assert working.wait(PATIENCE)
        store.put(("a",), "quick", {"n": 1}, index=False)
        assert keys(store.search(("a",))) == ["quick"]
        go_on.set()
        slow.result(PATIENCE)
        assert keys(store.search(("a",))) == ["slow", "quick"]


# opening and closing


def test_a_store_is_made_of_a_memory_a_url_or_a_connection_string(path: str) -> None:
    with Memory(path) as memory:
        CoreMemoryStore(memory).put(("a",), "k", {"n": 1})
        with CoreMemoryStore(url=f"sqlite:///{path}") as store:
            store.setup()
            assert store.get(("a",), "k") is not None
        with CoreMemoryStore.from_conn_string(path, ttl={"default_ttl": 5}) as store:
            assert store.ttl_config == {"default_ttl": 5}
            assert (store.index_config, store.embeddings, store.supports_ttl) == (None, None, True)
        with CoreMemoryStore(memory):
            pass
        assert memory.list_subjects() == []  # a store closes what it opened, and this is not its own
    with pytest.raises(ConfigurationError):
        CoreMemoryStore(memory, url=path)
    with pytest.raises(ConfigurationError, match="url="):
        CoreMemoryStore(path)  # type: ignore[arg-type]


async def test_a_store_is_an_async_context_as_well_and_closes_twice(path: str) -> None:
    async with CoreMemoryStore.from_conn_string(path) as store:
        await store.aput(("a",), "k", {"n": 1})
    store.close()


def test_setup_says_early_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("just some notes")
    with pytest.raises(NotAStoreError):
        CoreMemoryStore(url=str(wrong)).setup()


def test_a_process_that_forgets_to_close_ends_at_once(path: str) -> None:
    code = f"""
        import asyncio
        from ai_memory_integrations.langgraph import CoreMemoryStore
        store = CoreMemoryStore(url={path!r}, ttl={{"default_ttl": 5}})
        store.start_ttl_sweeper()
        store.put(("a",), "k", {{"n": 1}})
        asyncio.run(store.aput(("a",), "k2", {{"n": 1}}))
        print("done", flush=True)
    """
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", textwrap.dedent(code)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert ended.stdout == "done\n"
    assert ended.stderr == ""
    with CoreMemoryStore(url=path) as store:
        assert keys(store.search(("a",))) == ["k2", "k"]


# loops, threads, processes


async def test_no_awaited_call_blocks_the_loop(path: str) -> None:
    with CoreMemoryStore(url=path, index={"dims": 64, "embed": aembed}) as store:
        with blockbuster_ctx():
            await store.aput(("a",), "k", {"text": "tea"})
            await store.aget(("a",), "k")
            await store.asearch(("a",), query="tea", filter={"text": "tea"})
            await store.alist_namespaces()
            await store.abatch([PutOp(("b",), "k", {"n": 1}), GetOp(("a",), "k"), SearchOp((), query="tea")])
            await store.adelete(("a",), "k")


def test_one_store_serves_loop_after_loop_and_loops_in_threads(path: str) -> None:
    with CoreMemoryStore(url=path) as store:

        async def put(number: int) -> None:
            await asyncio.gather(*(store.aput(("a", str(number)), f"k{n}", {"n": n}) for n in range(5)))

        asyncio.run(put(0))
        asyncio.run(put(1))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: asyncio.run(put(number)), range(2, 6)))
        assert len(store.search(("a",), limit=100)) == 30


async def test_sync_methods_work_inside_a_running_loop(path: str) -> None:
    with CoreMemoryStore(url=path) as store:
        store.put(("a",), "k", {"n": 1})
        assert store.get(("a",), "k") is not None


def test_a_search_sees_every_write_of_another_process(path: str) -> None:
    with Memory(path, embedder=False) as one, Memory(path, embedder=False) as two:
        ours, theirs = CoreMemoryStore(one), CoreMemoryStore(two)
        for n in range(60):
            theirs.put(("a", str(n % 3)), f"k{n % 20}", {"text": f"tea number {n}"})
            if n % 5 == 4:
                theirs.delete(("a", str(n % 3)), f"k{n % 20}")
            found = ours.search(("a",), query=f"tea {n}", limit=100)
            assert sorted(keys(found)) == sorted(keys(theirs.search(("a",), limit=100)))
            assert n % 5 == 4 or found[0].value == {"text": f"tea number {n}"}


def test_what_a_rolled_back_batch_searched_is_not_remembered(path: str) -> None:
    with Memory(path, embedder=False) as memory:
        store = CoreMemoryStore(memory)
        store.put(("a",), "k", {"text": "tea"})

        def undone() -> None:
            with memory._core.store.journal.transaction():
                store.put(("a",), "undone", {"text": "tea"})
                assert len(store.search(("a",), query="tea")) == 2
                raise RuntimeError

        with pytest.raises(RuntimeError):
            undone()
        store.put(("a",), "other", {"text": "coffee"})
        assert [(item.key, item.score) for item in store.search(("a",), query="tea")] == [("k", 1.0), ("other", None)]


def test_a_batch_of_searches_sees_one_state_whatever_others_write_meanwhile(path: str) -> None:
    with Memory(path, embedder=False) as memory:
        store = CoreMemoryStore(memory)
        store.batch([PutOp(("a",), f"k{n}", {"text": "tea 0"}) for n in range(20)])
        stop = threading.Event()

        def write() -> None:
            for number in range(1, 10_000):
                if stop.is_set():
                    return
                store.batch([PutOp(("a",), f"k{n}", {"text": f"tea {number}"}) for n in range(20)])

        with ThreadPoolExecutor(2) as pool:
            writing = pool.submit(write)
            try:
                for _ in range(60):
                    answers = store.batch([SearchOp(("a",), query="tea", limit=50), SearchOp(("a",), limit=50)] * 2)
                    seen = {item.value["text"] for answer in answers for item in answer}
                    assert len(seen) == 1
                    assert [len(answer) for answer in answers] == [20] * 4
                    found = store.search(("a",), query="tea", limit=50)
                    assert len(found) == 20
                    assert len({item.value["text"] for item in found}) == 1
            finally:
                stop.set()
            writing.result(PATIENCE)


WORKERS, THREADS, EACH = 6, 16, 12


def work(path: str, worker: int) -> int:
    """Write, read and search from many threads; how many items were written."""
    with CoreMemoryStore(url=path) as store:

        def one(thread: int) -> int:
            for n in range(EACH):
                name = f"{worker}-{thread}-{n}"
                store.batch(
                    [PutOp(("w", str(worker)), name, {"text": f"item {name}"}), PutOp(("shared",), "k", {"n": n})]
                )
                assert store.get(("w", str(worker)), name) is not None
                assert store.search(("w", str(worker)), query=f"item {name}", limit=3)
                assert store.get(("shared",), "k") is not None
            return EACH

        with ThreadPoolExecutor(THREADS) as pool:
            return sum(pool.map(one, range(THREADS)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["prefix", "suffix"])
def test_a_listing_takes_the_name_of_one_label_as_it_is(path: str, kind: Any) -> None:
    label: Any = "public"  # LangGraph's own callers leave the tuple out
    with CoreMemoryStore(url=path) as store:
        for namespace in (("docs", "public"), ("public", "docs"), ("docs", "private")):
            store.put(namespace, "k", {})
        found = ("docs", "public") if kind == "suffix" else ("public", "docs")
        assert store.batch([ListNamespacesOp((MatchCondition(kind, label),))]) == [[found]]
        assert store.list_namespaces(**{kind: label}) == [found]
        for no_label in ("docs.public", "", "a\x00"):
            with pytest.raises(InvalidNamespaceError):
                store.batch([ListNamespacesOp((MatchCondition(kind, no_label),))])  # type: ignore[arg-type]


def test_six_processes_of_sixteen_threads_lose_nothing(path: str) -> None:
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        written = sum(pool.map(work, [path] * WORKERS, range(WORKERS)))
    assert written == WORKERS * THREADS * EACH
    with CoreMemoryStore(url=path) as store:
        assert len(store.search(("w",), limit=10_000)) == written
        assert len(store.search(("w",), query="item", limit=10_000)) == written
        assert len(store.list_namespaces()) == WORKERS + 1
        assert len(store.search(("shared",))) == 1


def test_what_is_found_is_as_whole_as_langgraph_would_make_it(path: str) -> None:
    with CoreMemoryStore(url=path) as store:
        store.put(("a",), "k", {"text": "tea", "list": [1]})
        for query in (None, "tea") * 5:  # from the file, then from memory
            (found,) = store.search(("a",), query=query)
            made = SearchItem(
                ("a",), "k", {"text": "tea", "list": [1]}, found.created_at, found.updated_at, found.score
            )
            slots = [slot for kind in SearchItem.__mro__ for slot in getattr(kind, "__slots__", ())]
            assert [getattr(found, slot) for slot in slots] == [getattr(made, slot) for slot in slots]
            assert found == made
