"""What a process wrote itself it finds without reading it again, and exactly as everybody else finds it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.base import PutOp, SearchItem
from patience import PATIENCE, wait_until

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.sqlite.item_listings import Listings
from ai_memory_integrations.langgraph import CoreMemoryStore
from ai_memory_integrations.langgraph.filters import accepting

pytestmark = pytest.mark.in_files

Model = dict[tuple[tuple[str, ...], str], dict[str, Any]]
PLACES = [("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("c",)]
SEARCHES: list[dict[str, Any]] = [
    {},
    {"limit": 1, "offset": 1},
    {"filter": {"s": "x"}},
    {"filter": {"n": {"$gte": 1}}, "limit": 2},
    {"filter": {"in.s": "x"}},
    {"query": "x", "filter": {"s": "x"}, "limit": 50},
]


@pytest.fixture
def path(tmp_path: Any) -> str:
    return str(tmp_path / "store.db")


@pytest.fixture
def store(path: str) -> Iterator[CoreMemoryStore]:
    with Memory(path, embedder=False) as memory:
        yield CoreMemoryStore(memory)


def keys(items: list[SearchItem]) -> list[str]:
    return [item.key for item in items]


def statements(store: CoreMemoryStore) -> list[str]:
    """What is asked of the file from here on by whoever reads."""
    said: list[str] = []
    store.search(("nothing", "here"))
    database: Any = store.memory._core.store
    for reader in database.database._readers:
        reader.set_trace_callback(said.append)
    return said


def test_a_namespace_that_this_process_made_is_not_read(store: CoreMemoryStore) -> None:
    said = statements(store)
    store.batch([PutOp(("a", str(n % 3)), f"k{n}", {"kind": "tea" if n % 2 else "cup", "n": n}) for n in range(12)])
    assert keys(store.search(("a", "1"))) == ["k10", "k7", "k4", "k1"]
    assert keys(store.search(("a", "1"), filter={"kind": "tea"})) == ["k7", "k1"]
    store.put(("a", "1"), "k4", {"kind": "tea"})
    store.delete(("a", "1"), "k7")
    assert keys(store.search(("a", "1"), filter={"kind": "tea"})) == ["k4", "k1"]
    assert keys(store.search(("a", "1"), limit=2, offset=1)) == ["k10", "k1"]
    assert said
    assert not [each for each in said if "FROM item " in each]


def test_what_was_read_often_is_not_read_again_after_a_write_of_ones_own(path: str, store: CoreMemoryStore) -> None:
    with Memory(path, embedder=False) as other:
        CoreMemoryStore(other).batch([PutOp(("a",), f"k{n}", {"kind": "tea" if n % 2 else "cup"}) for n in range(400)])
    store.put(("a",), "own", {"kind": "tea"})
    for _ in range(5):
        assert keys(store.search(("a",), filter={"kind": "tea"}, limit=2)) == ["own", "k399"]
    said = statements(store)
    store.put(("a",), "more", {"kind": "tea"})
    store.delete(("a",), "k399")
    store.put(("b",), "elsewhere", {"kind": "tea"})
    assert keys(store.search(("a",), filter={"kind": "tea"}, limit=2)) == ["more", "own"]
    assert keys(store.search(("a",), limit=2)) == ["more", "own"]
    assert not [each for each in said if "FROM item " in each or "FROM item_gone " in each]
    assert keys(store.search(("a",), filter={"kind": "tea"}, limit=3)) == ["more", "own", "k397"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1), json_values, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_value_is_found_by_its_writer_as_by_everybody(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any]
) -> None:
    path = str(tmp_path_factory.mktemp("value") / "store.db")
    with Memory(path, embedder=False) as one, Memory(path, embedder=False) as two:
        written = CoreMemoryStore(one)
        written.put(("a",), "k", value)
        (own,), (theirs,) = written.search(("a",)), CoreMemoryStore(two).search(("a",))
        assert own == theirs
        assert own.dict() == theirs.dict()
        assert json.dumps(own.value) == json.dumps(theirs.value) == json.dumps(value)


writes = st.tuples(
    st.integers(0, 1),
    st.sampled_from(PLACES),
    st.sampled_from("wxyz"),
    st.none() | st.fixed_dictionaries({"s": st.sampled_from("xy"), "n": st.integers(0, 2), "in": st.just({"s": "x"})}),
)
steps = st.tuples(st.sampled_from(["write", "write", "together", "undone", "half undone", "looked"]), st.lists(writes))


class _UndoneError(Exception):
    """Raised to undo a transaction."""


class _Pair:
    """Two stores on one file, and what is in it."""

    def __init__(self, one: Memory, two: Memory) -> None:
        self.stores = [CoreMemoryStore(one), CoreMemoryStore(two)]
        self.model: Model = {}

    def write(self, model: Model, which: int, place: tuple[str, ...], key: str, value: dict[str, Any] | None) -> None:
        self.stores[which].batch([PutOp(place, key, value)])
        model.pop((place, key), None)
        if value is not None:
            model[place, key] = value

    def take(self, kind: str, writes: list[Any]) -> None:
        if kind == "write":
            for each in writes:
                self.write(self.model, *each)
            return
        if not writes or kind == "looked":
            return self.check(self.model, self.stores)
        which, model = writes[0][0], dict(self.model)
        store = self.stores[which]
        transaction = store.memory._core.store.journal.transaction
        try:
            with transaction():
                for _, *each in writes:
                    self.write(model, which, *each)
                    self.check(model, [store])
                if kind == "undone":
                    raise _UndoneError
                if kind == "half undone":
                    self._undo_part(store, dict(model), writes)
                    self.check(model, [store])
        except _UndoneError:
            return
        self.model = model

    def _undo_part(self, store: CoreMemoryStore, model: Model, writes: list[Any]) -> None:
        try:
            with store.memory._core.store.journal.transaction():
                for _, place, key, _ in writes:
                    self.write(model, self.stores.index(store), place, key, {"s": "undone"})
                raise _UndoneError
        except _UndoneError:
            return

    def check(self, model: Model, stores: list[CoreMemoryStore]) -> None:
        for search in SEARCHES:
            accept = accepting(search.get("filter")) or bool
            for prefix in ((), *PLACES):
                below = [at for at, value in model.items() if at[0][: len(prefix)] == prefix and accept(value)]
                start = search.get("offset", 0)
                wanted = below[::-1][start : start + search.get("limit", 10)]
                for store in stores:
                    items = store.search(prefix, **search)
                    found = [(item.namespace, item.key) for item in items]
                    assert found == wanted if "query" not in search else sorted(found) == sorted(wanted)
                    assert all(item.value == model[item.namespace, item.key] for item in items)


@given(st.lists(steps, max_size=8))
@settings(max_examples=60, deadline=None)
def test_two_writers_find_the_same_whatever_is_undone_in_between(
    tmp_path_factory: pytest.TempPathFactory, taken: list[Any]
) -> None:
    path = str(tmp_path_factory.mktemp("pair") / "store.db")
    with Memory(path, embedder=False) as one, Memory(path, embedder=False) as two:
        pair = _Pair(one, two)
        for step in taken:
            pair.take(*step)
            pair.check(pair.model, pair.stores)


def test_a_namespace_may_grow_and_shrink_as_it_likes(store: CoreMemoryStore) -> None:
    model: Model = {}
    for size in (10, 250, 20, 300, 3, 280):
        now = len(model)
        ops = [PutOp(("a",), f"k{n}", {"n": n, "even": n % 2 == 0}) for n in range(now, size)]
        ops += [PutOp(("a",), f"k{n}", None) for n in range(size, now)]
        for start in range(0, len(ops), 40):
            store.batch(ops[start : start + 40])
            for op in ops[start : start + 40]:
                model.pop((("a",), op.key), None)
                if op.value is not None:
                    model[("a",), op.key] = op.value
            newest = [key for _, key in reversed(model)]
            assert keys(store.search(("a",), limit=500)) == newest
            even = [key for key in newest if int(key[1:]) % 2 == 0]
            assert keys(store.search(("a",), filter={"even": True}, limit=500)) == even
            assert keys(store.search(("a",), filter={"n": {"$lt": 2}})) == [
                key for key in newest if key in ("k0", "k1")
            ]


def test_each_thread_finds_what_it_has_just_written_while_others_write(path: str, store: CoreMemoryStore) -> None:
    """Some threads write through one store; the others through another one, as another process would."""
    with Memory(path, embedder=False) as memory:
        stores, together = [store, store, store, CoreMemoryStore(memory)], threading.Barrier(8)

        def work(number: int) -> None:
            own, place = stores[number % 4], ("t", str(number))
            together.wait()
            for n in range(60):
                if n % 3 == 2:
                    own.delete(place, f"k{n - 1}")
                else:
                    own.put(place, f"k{n}", {"kind": f"k{n % 2}", "n": n})
                left = [m for m in range(n, -1, -1) if m % 3 == 0 or (m % 3 == 1 and m == n)]
                assert keys(own.search(place)) == [f"k{m}" for m in left][:10]
                assert keys(own.search(place, filter={"kind": "k1"})) == [f"k{m}" for m in left if m % 2][:10]
                assert {f"k{m}" for m in left[:1]} <= set(keys(own.search(("t",), limit=200)))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        found = [other.search(("t",), limit=500) for other in stores[2:]]
        assert found[0] == found[1]
        assert len(found[0]) == 8 * 20


def test_what_this_process_deletes_leaves_memory_at_once(store: CoreMemoryStore) -> None:
    store.put(("a",), "k", {"kind": "tea", "text": "a secret"})
    store.put(("a",), "other", {"kind": "tea"})
    items: Any = store.memory._core.store.items
    for _ in range(5):
        assert len(store.search(("a",))) == len(store.search(("a",), filter={"kind": "tea"})) == 2
    listings = items._process_memory().listings
    assert "a secret" in repr(vars(listings.rows))
    store.delete(("a",), "k")
    assert "a secret" not in repr(vars(listings.rows))
    store.put(("a",), "other", {"kind": "replaced"})
    assert "tea" not in repr(vars(listings.rows))


def test_a_namespace_that_is_let_go_of_while_somebody_waits_for_it_does_not_seem_to_be_told_of_writes(
    path: str, store: CoreMemoryStore
) -> None:
    items: Any = store.memory._core.store.items
    listings = items._process_memory().listings = Listings(max_places=1)
    with Memory(path, embedder=False) as other:
        CoreMemoryStore(other).put(("a",), "k", {"kind": "tea"})
    store.put(("own",), "k", {})
    for _ in range(3):
        assert keys(store.search(("a",), filter={"kind": "tea"})) == ["k"]  # with the next one all of it is read
    (place,) = listings._places.values()
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(keys(store.search(("a",), filter={"kind": "tea"}))))
    with place.lock:
        thread.start()
        wait_until(lambda: _stands_in(thread) == _stands_in(thread) == "page")
        store.search(("b",))  # there is room for one namespace: that one is let go of
    thread.join(PATIENCE)
    assert found == ["k"]
    assert place.heard is None  # else whoever waits for it still would take it for the newest state
    store.put(("a",), "new", {"kind": "tea"})
    assert keys(store.search(("a",), filter={"kind": "tea"})) == ["new", "k"]


def _stands_in(thread: threading.Thread) -> str:
    """The function that a thread is in, a moment later."""
    time.sleep(0.02)
    frame = sys._current_frames().get(thread.ident or 0)
    return "" if frame is None else frame.f_code.co_name
