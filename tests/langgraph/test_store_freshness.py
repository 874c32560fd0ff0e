"""What a store remembers between searches is never older, other or more than what is in the file."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.base import PutOp, SearchItem, SearchOp
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.sqlite import items as sqlite_items
from ai_memory_integrations.backends.sqlite.item_listings import Listings
from ai_memory_integrations.langgraph import CoreMemoryStore
from ai_memory_integrations.langgraph.filters import accepting

pytestmark = pytest.mark.in_files

USERS = [("users", f"u{n}") for n in range(3)]
WARM = 5
"""As often a search is repeated: by then it is answered from memory as far as it ever is."""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


@pytest.fixture
def store(path: str) -> Iterator[CoreMemoryStore]:
    with Memory(path, embedder=False) as memory:
        yield CoreMemoryStore(memory, ttl={"refresh_on_read": False})


def serve(path: str, calls: Connection) -> None:
    """Another process: it does to its own store what it is told."""
    with Memory(path, embedder=False) as memory:
        store = CoreMemoryStore(memory, ttl={"refresh_on_read": False})
        while (call := calls.recv()) is not None:
            name, args, options = call
            calls.send(getattr(store, name)(*args, **options))


@pytest.fixture
def theirs(path: str) -> Iterator[Callable[..., Any]]:
    """Calls a method of a store on the same file in another process."""
    spawn = multiprocessing.get_context("spawn")
    ours, remote = spawn.Pipe()
    process = spawn.Process(target=serve, args=(path, remote), daemon=True)
    process.start()

    def call(name: str, *args: Any, **options: Any) -> Any:
        ours.send((name, args, options))
        assert ours.poll(60), "the other process does not answer"
        return ours.recv()

    yield call
    ours.send(None)
    process.join(30)


def keys(items: list[SearchItem]) -> list[str]:
    return [item.key for item in items]


SEARCHES: list[dict[str, Any]] = [
    {},
    {"limit": 2, "offset": 1},
    {"filter": {"kind": "tea"}},
    {"filter": {"n": {"$gte": 2}}},
    {"filter": {"n": 3}},
    {"filter": {"who.name": "Ann"}},
    {"filter": {"done": True}},
    {"filter": {"kind": "tea", "n": {"$lt": 4}}},
    {"query": "green tea", "filter": {"kind": "tea"}},
    {"query": "green tea"},
]


def value(number: int) -> dict[str, Any]:
    kind = "tea" if number % 2 else "cup"
    return {"kind": kind, "n": number, "who": {"name": "Ann" if number % 3 else "Bob"}, "done": number % 4 == 0}


def expected(model: dict[tuple[tuple[str, ...], str], Any], prefix: tuple[str, ...], search: dict[str, Any]) -> Any:
    accept = accepting(search.get("filter")) or bool
    below = [(key, value) for key, value in model.items() if key[0][: len(prefix)] == prefix and accept(value)]
    start = search.get("offset", 0)
    return [key[1] for key, _ in reversed(below)][start : start + search.get("limit", 10)]


def check(store: CoreMemoryStore, model: dict[tuple[tuple[str, ...], str], Any]) -> None:
    for prefix in ((), ("users",), USERS[0]):
        for search in SEARCHES:
            found = keys(store.search(prefix, **search))
            wanted = expected(model, prefix, search)
            if "query" in search:  # in another order
                found, wanted = sorted(found), sorted(wanted)
            assert found == wanted


def test_whatever_another_process_does_the_next_search_shows(
    store: CoreMemoryStore, theirs: Callable[..., Any]
) -> None:
    model: dict[tuple[tuple[str, ...], str], Any] = {}

    def put(place: tuple[str, ...], key: str, number: int) -> None:
        theirs("put", place, key, value(number))
        model.pop((place, key), None)
        model[place, key] = value(number)
        check(store, model)

    for number in range(9):
        put(USERS[number % 3], f"k{number}", number)
    put(USERS[0], "k3", 4)  # replaced by what passes other filters
    put(USERS[1], "k1", 2)
    theirs("delete", USERS[0], "k0")
    del model[USERS[0], "k0"]
    check(store, model)
    put(USERS[0], "k0", 1)
    for key in ("k0", "k3", "k6"):
        theirs("delete", USERS[0], key)
        del model[USERS[0], key]
    check(store, model)  # nothing is left of the namespace
    put(USERS[0], "new", 3)


def test_a_first_look_finds_what_came_to_stand_below_a_namespace_and_what_is_left_of_it(
    store: CoreMemoryStore, theirs: Callable[..., Any]
) -> None:
    for wanted in (None, {"kind": "tea"}):
        place = ("first", "plain" if wanted is None else "filter")
        theirs("put", place, "k", {"kind": "tea"})
        assert keys(store.search(place, filter=wanted)) == ["k"]
        theirs("put", (*place, "below"), "j", {"kind": "tea"})
        assert keys(store.search(place, filter=wanted)) == ["j", "k"]
        theirs("delete", place, "k")
        assert [item.namespace for item in store.search(place, filter=wanted)] == [(*place, "below")]
        theirs("delete", (*place, "below"), "j")
        assert store.search(place, filter=wanted) == []


def test_what_another_process_swept_is_not_found_again(store: CoreMemoryStore, theirs: Callable[..., Any]) -> None:
    theirs("put", ("a",), "short", {"kind": "tea"}, ttl=0.05 / 60)
    theirs("put", ("a",), "ever", {"kind": "tea"})
    for _ in range(WARM):
        assert set(keys(store.search(("a",)))) == {"short", "ever"}
        assert set(keys(store.search(("a",), filter={"kind": "tea"}))) == {"short", "ever"}
    time.sleep(0.1)
    assert theirs("sweep_ttl") == 1
    assert keys(store.search(("a",))) == keys(store.search(("a",), filter={"kind": "tea"})) == ["ever"]


def test_what_expires_between_two_searches_is_left_out_where_that_is_asked_for(
    path: str, theirs: Callable[..., Any]
) -> None:
    with Memory(path, embedder=False) as memory:
        store = CoreMemoryStore(memory, ttl={"omit_expired": True, "refresh_on_read": False})
        theirs("put", ("a",), "short", {"kind": "tea"}, ttl=2 / 60)
        theirs("put", ("a",), "ever", {"kind": "tea"})
        searches: list[dict[str, Any]] = [{}, {"filter": {"kind": "tea"}}, {"query": "tea"}]
        began, seen = time.monotonic(), 0
        while time.monotonic() < began + 1.5 and seen < WARM:
            seen += all(len(store.search(("a",), **search)) == 2 for search in searches)
        time.sleep(max(0.0, began + 2.2 - time.monotonic()))
        for search in searches * WARM:
            assert keys(store.search(("a",), **search)) == ["ever"]


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([("a",), ("a", "b"), ("c",)]),
            st.sampled_from("wxyz"),
            st.none()
            | st.dictionaries(st.sampled_from(["s", "n"]), st.sampled_from(["x", "y", 0, 1, 1.5, True, None])),
        ),
        max_size=25,
    ),
    st.sampled_from([{"s": "x"}, {"n": {"$gte": 1}}, {"n": 1}, {"s": {"$gt": "w"}}, {"s": "y", "n": {"$lt": 2}}, {}]),
    st.integers(1, 3),
    st.integers(0, 2),
)
@settings(max_examples=40, deadline=None)
def test_two_stores_on_one_file_find_the_same_however_often_they_looked_before(
    tmp_path_factory: pytest.TempPathFactory, writes: list[Any], wanted: dict[str, Any], limit: int, offset: int
) -> None:
    path = str(tmp_path_factory.mktemp("pair") / "store.db")
    accept = accepting(wanted) or (lambda value: True)
    with Memory(path, embedder=False) as one, Memory(path, embedder=False) as two:
        stores, model = [CoreMemoryStore(one), CoreMemoryStore(two)], dict[Any, Any]()
        for which, place, key, written in [(False, ("c",), "v", {"s": "x"})] * WARM + writes:
            stores[which].batch([PutOp(place, key, written)])
            model.pop((place, key), None)
            if written is not None:
                model[place, key] = written
            for prefix in ((), ("a",), ("c",)):
                below = [key for key, each in model.items() if key[0][: len(prefix)] == prefix and accept(each)][::-1]
                for store in stores:
                    found = store.search(prefix, filter=wanted or None, limit=limit, offset=offset)
                    assert [(item.namespace, item.key) for item in found] == below[offset : offset + limit]
                    assert all(item.value == model[item.namespace, item.key] for item in found)


def test_what_a_caller_does_to_what_he_found_nobody_else_sees(store: CoreMemoryStore) -> None:
    kept = {"kind": "tea", "list": [1, {"deep": [2]}], "dict": {"list": [3]}}
    store.put(("a",), "k", kept)
    searches: list[dict[str, Any]] = [{}, {"filter": {"kind": "tea"}}, {"query": "tea"}]
    for search in searches * WARM:
        found = store.search(("a",), **search)[0].value
        assert found == kept
        found["list"][1]["deep"].append("more")
        found["dict"]["list"].append("more")
        found["list"].append("more")
        found["kind"] = found["new"] = "other"


def test_what_is_undone_is_not_remembered(store: CoreMemoryStore) -> None:
    store.put(("a",), "k", {"kind": "tea"})
    for _ in range(WARM):
        assert keys(store.search(("a",), filter={"kind": "tea"})) == keys(store.search(("a",))) == ["k"]

    def undone() -> None:
        with store.memory._core.store.journal.transaction():
            store.put(("a",), "undone", {"kind": "tea"})
            for _ in range(WARM):
                assert keys(store.search(("a",))) == ["undone", "k"]
                assert keys(store.search(("a",), filter={"kind": "tea"})) == ["undone", "k"]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        undone()
    assert keys(store.search(("a",), filter={"kind": "tea"})) == keys(store.search(("a",))) == ["k"]
    store.put(("a",), "other", {"kind": "cup"})  # it gets the number that the undone one had
    assert keys(store.search(("a",))) == ["other", "k"]
    assert keys(store.search(("a",), filter={"kind": "tea"})) == ["k"]
    assert store.search(("a",), filter={"kind": "cup"})[0].value == {"kind": "cup"}


def test_a_batch_of_filters_sees_one_state_whatever_others_write_meanwhile(store: CoreMemoryStore) -> None:
    def write(number: int) -> None:
        store.batch([PutOp(("a",), f"k{n}", {"kind": "tea", "number": number}) for n in range(20)])

    write(0)
    stop = threading.Event()

    def write_on() -> None:
        number = 0
        while not stop.is_set():
            write(number := number + 1)

    ops = [SearchOp(("a",), limit=50), SearchOp(("a",), {"kind": "tea"}, 50), SearchOp((), {"number": {"$gte": 0}}, 50)]
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(write_on)
        try:
            for _ in range(60):
                answers = store.batch(ops * 2)
                assert [len(answer) for answer in answers] == [20] * 6
                assert len({item.value["number"] for answer in answers for item in answer}) == 1
                for op in ops:
                    found = store.search(op.namespace_prefix, filter=op.filter, limit=50)
                    assert len(found) == 20
                    assert len({item.value["number"] for item in found}) == 1
        finally:
            stop.set()
        writing.result(PATIENCE)


def test_threads_that_search_while_others_write_find_only_what_passes(path: str, store: CoreMemoryStore) -> None:
    places = [("t", str(n)) for n in range(4)]

    def work(number: int) -> None:
        for n in range(40):
            store.put(places[(number + n) % 4], f"k{n % 7}", {"kind": f"k{n % 3}", "n": n})
            for prefix in (("t",), places[number % 4]):
                found = store.search(prefix, filter={"kind": "k1", "n": {"$gte": 5}}, limit=5)
                assert all(item.value["kind"] == "k1" and item.value["n"] >= 5 for item in found)
                assert len(store.search(prefix, limit=5)) <= 5

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    with Memory(path, embedder=False) as fresh:
        other = CoreMemoryStore(fresh)
        for prefix in (("t",), *places):
            for wanted in (None, {"kind": "k1"}, {"n": {"$lt": 30}}):
                assert store.search(prefix, filter=wanted, limit=100) == other.search(prefix, filter=wanted, limit=100)


def test_deletions_that_are_no_longer_kept_are_not_missed(
    store: CoreMemoryStore, theirs: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_items, "GONE_KEPT", 3)
    store.batch([PutOp(("a",), f"k{n}", {"kind": "tea"}) for n in range(30)])
    for _ in range(WARM):
        assert len(store.search(("a",), limit=50)) == len(store.search(("a",), filter={"kind": "tea"}, limit=50)) == 30
    for n in range(10):
        theirs("delete", ("a",), f"k{n}")
    store.delete(("a",), "k10")  # and with it the note of most of the deletions before
    left = [f"k{n}" for n in reversed(range(11, 30))]
    assert keys(store.search(("a",), limit=50)) == keys(store.search(("a",), filter={"kind": "tea"}, limit=50)) == left


def test_what_is_rare_is_found_behind_the_newest_and_so_is_every_page(store: CoreMemoryStore) -> None:
    store.batch(
        [PutOp(("a", str(n % 3)), f"k{n}", {"n": n, "rare": n % 1_000 == 7, "name": f"name {n}"}) for n in range(4_000)]
    )
    for _ in range(WARM):
        assert keys(store.search((), filter={"rare": True})) == ["k3007", "k2007", "k1007", "k7"]
        assert keys(store.search(("a",), filter={"n": {"$lt": 3}})) == ["k2", "k1", "k0"]
        assert keys(store.search(("a",), filter={"name": "name 5"})) == ["k5"]
        assert keys(store.search(("a", "1"), filter={"n": {"$lte": 4}}, offset=1)) == ["k1"]
        assert keys(store.search((), limit=3, offset=3_998)) == ["k1", "k0"]
    store.put(("a", "1"), "k2", {"n": 2})
    store.delete(("a", "0"), "k0")
    assert keys(store.search(("a",), filter={"n": {"$lt": 3}})) == ["k2", "k2", "k1"]


@pytest.mark.parametrize("max_bytes", [0, 20_000, 200_000])
def test_memory_stays_within_its_bounds_and_answers_stay_right(store: CoreMemoryStore, max_bytes: int) -> None:
    items: Any = store.memory._core.store.items
    listings = items._process_memory().listings = Listings(max_bytes=max_bytes, max_places=20)
    store.batch([PutOp(("a", str(n % 40)), f"k{n}", {"n": n, "text": f"{n} " + "x" * 300}) for n in range(2_000)])
    for _ in range(WARM):
        for n in range(40):
            assert keys(store.search(("a", str(n)), limit=2)) == [f"k{1960 + n}", f"k{1920 + n}"]
            assert keys(store.search(("a", str(n)), filter={"n": {"$lt": 40}})) == [f"k{n}"]
            assert listings.nbytes <= 2 * max_bytes + 10_000
        assert keys(store.search((), filter={"n": {"$lt": 2}})) == ["k1", "k0"]


@pytest.mark.parametrize("search", [{}, {"filter": {"kind": "tea"}}, {"query": "tea"}])
def test_a_deleted_text_leaves_memory_with_the_next_search(store: CoreMemoryStore, search: dict[str, Any]) -> None:
    store.put(("a",), "k", {"kind": "tea", "text": "a secret"})
    store.put(("a",), "other", {"kind": "tea"})
    items: Any = store.memory._core.store.items
    for _ in range(WARM):
        store.search(("a",), **search)
    assert "a secret" in repr(vars(items._process_memory().listings.rows))
    store.delete(("a",), "k")
    assert keys(store.search(("a",), **search)) == ["other"]
    assert "a secret" not in repr(vars(items._process_memory().listings.rows))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_finds_what_is_written_after_the_fork(store: CoreMemoryStore) -> None:
    store.put(("a",), "k", {"kind": "tea"})
    for _ in range(WARM):
        store.search(("a",), filter={"kind": "tea"})
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        found = False
        try:
            os.read(told, 1)
            found = keys(store.search(("a",), filter={"kind": "tea"})) == keys(store.search(("a",))) == ["late", "k"]
        finally:  # whatever happens: no second process goes on with the tests
            os._exit(0 if found else 1)
    store.put(("a",), "late", {"kind": "tea"})
    os.write(tell, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert keys(store.search(("a",))) == ["late", "k"]
