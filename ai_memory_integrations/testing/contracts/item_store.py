"""The contract of LangGraph's `BaseStore`: inherit `BaseStoreContract` and give it `open_store`.

Every test runs twice, through the blocking methods and through the awaited ones, each awaited call in an event loop of
its own: a store that serves a graph is used from more than one.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import UserDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, cast

import pytest
from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchItem,
    SearchOp,
)

OpenStore = Callable[..., BaseStore]
Way = Literal["sync", "async"]
NAMESPACES = [("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("b", "a"), ("b", "c", "a")]
LABELS = [
    " ",
    "%",
    "_",
    "*",
    "a/b",
    "a|b",
    "a'b",
    'a"b',
    "a\\b",
    "line\nbreak",
    "\t",
    "é",
    "e\u0301",
    "日本",
    "🐈",
    "\x01",
    "-",
]
VALUES: list[Any] = ["x", "", 0, 1, -1.5, 2**40, True, False, None, [], [1, "a", None], {}, {"deep": {"er": [1]}}]


_READS = ("get", "search", "query")


class WordEmbeddings(Embeddings):
    """A vector that counts words: texts without a common word are orthogonal, up to collisions."""

    dims = 64

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector = [0.0] * self.dims
        for word in "".join(each if each.isalnum() else " " for each in text.lower()).split():
            vector[zlib.crc32(word.encode()) % self.dims] += 1.0
        return vector


class Calls:
    """A store's methods, called or awaited."""

    def __init__(self, store: BaseStore, way: Way) -> None:
        self.store = store
        self._way = way

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if self._way == "sync":
            return getattr(self.store, name)(*args, **kwargs)

        async def awaited() -> Any:
            return await getattr(self.store, f"a{name}")(*args, **kwargs)

        return asyncio.run(awaited())

    def get(self, *args: Any, **kwargs: Any) -> Item | None:
        return cast("Item | None", self._call("get", *args, **kwargs))

    def put(self, *args: Any, **kwargs: Any) -> None:
        self._call("put", *args, **kwargs)

    def delete(self, *args: Any) -> None:
        self._call("delete", *args)

    def search(self, *args: Any, **kwargs: Any) -> list[SearchItem]:
        return cast("list[SearchItem]", self._call("search", *args, **kwargs))

    def list_namespaces(self, **kwargs: Any) -> list[tuple[str, ...]]:
        return cast("list[tuple[str, ...]]", self._call("list_namespaces", **kwargs))

    def batch(self, ops: list[Any]) -> list[Any]:
        return cast("list[Any]", self._call("batch", ops))

    def keys(self, *args: Any, **kwargs: Any) -> list[str]:
        """The keys that a search gives."""
        return [item.key for item in self.search(*args, **kwargs)]

    def read(self, namespace: tuple[str, ...], key: str) -> Any:
        """The value of an item that must be there."""
        item = self.get(namespace, key)
        assert item is not None
        return item.value


class BaseStoreContract:
    """Tests of what LangGraph's documentation promises of a store. Override `open_store`: it makes an empty store with
    the options `index` and `ttl`."""

    @pytest.fixture
    def open_store(self) -> Iterator[OpenStore]:
        raise NotImplementedError("give the contract an `open_store` fixture")

    @pytest.fixture(params=["sync", "async"])
    def way(self, request: pytest.FixtureRequest) -> Way:
        return cast("Way", request.param)

    @pytest.fixture
    def store(self, open_store: OpenStore, way: Way) -> Calls:
        return Calls(open_store(), way)

    @pytest.fixture
    def indexed(self, open_store: OpenStore, way: Way) -> Calls:
        return Calls(open_store(index=IndexConfig(dims=WordEmbeddings.dims, embed=WordEmbeddings())), way)

    # items

    @pytest.mark.parametrize("value", VALUES)
    def test_a_value_comes_back_as_it_went_in(self, store: Calls, value: Any) -> None:
        store.put(("a",), "k", {"field": value})
        assert store.read(("a",), "k") == {"field": value}
        assert type(store.read(("a",), "k")["field"]) is type(value)

    @pytest.mark.parametrize("label", LABELS)
    def test_every_allowed_label_and_key_is_kept_as_it_is(self, store: Calls, label: str) -> None:
        store.put(("root", label), label, {"n": 1})
        item = store.get(("root", label), label)
        assert item is not None
        assert (item.namespace, item.key) == (("root", label), label)
        assert store.list_namespaces() == [("root", label)]
        assert store.keys(("root", label)) == [label]

    def test_putting_again_replaces_and_keeps_the_time_of_creation(self, store: Calls) -> None:
        before = datetime.now(UTC) - timedelta(seconds=1)
        store.put(("a",), "k", {"n": 1})
        first = store.get(("a",), "k")
        time.sleep(0.01)
        store.put(("a",), "k", {"n": 2})
        second = store.get(("a",), "k")
        assert first is not None
        assert second is not None
        assert second.value == {"n": 2}
        assert len(store.search(("a",))) == 1
        assert before < first.created_at == second.created_at < second.updated_at
        assert first.created_at.utcoffset() == timedelta(0)

    def test_an_item_that_was_deleted_begins_anew(self, store: Calls) -> None:
        store.put(("a",), "k", {"n": 1})
        first = store.get(("a",), "k")
        store.delete(("a",), "k")
        assert store.get(("a",), "k") is None
        store.put(("a",), "k", {"n": 1})
        second = store.get(("a",), "k")
        assert first is not None
        assert second is not None
        assert second.created_at > first.created_at

    def test_deleting_what_is_not_there_does_nothing(self, store: Calls) -> None:
        store.delete(("a",), "k")
        assert store.list_namespaces() == []

    def test_values_are_copied_on_the_way_in_and_out(self, store: Calls) -> None:
        value = {"list": [1]}
        store.put(("a",), "k", value)
        value["list"].append(2)
        store.read(("a",), "k")["list"].append(3)
        store.search(("a",))[0].value["list"].append(4)
        assert store.read(("a",), "k") == {"list": [1]}

    @pytest.mark.parametrize("mapping", [UserDict({"n": 1}), MappingProxyType({"n": 1})])
    def test_any_mapping_is_a_value(self, store: Calls, mapping: Any) -> None:
        store.put(("a",), "k", mapping)
        assert store.read(("a",), "k") == {"n": 1}

    @pytest.mark.parametrize(
        "bad",
        [object(), datetime(2026, 1, 1, tzinfo=UTC), float("nan"), float("inf"), {1, 2}, b"x", {1: "x"}, "\ud800"],
    )
    def test_a_value_that_json_cannot_hold_is_refused_by_name_and_nothing_is_written(
        self, store: Calls, bad: Any
    ) -> None:
        with pytest.raises(ValueError, match="the_key"):
            store.batch([PutOp(("a",), "other", {"n": 1}), PutOp(("a",), "the_key", {"field": bad})])
        assert store.search(("a",)) == []

    @pytest.mark.parametrize("bad", ["text", 1, ["x"]])
    def test_a_value_that_is_no_mapping_is_refused(self, store: Calls, bad: Any) -> None:
        with pytest.raises(ValueError, match="the_key"):
            store.put(("a",), "the_key", bad)

    def test_a_key_that_is_a_number_is_its_text(self, store: Calls) -> None:
        store.put(("a",), cast("str", 7), {"n": 1})
        assert store.keys(("a",)) == ["7"]

    # namespaces

    @pytest.mark.parametrize("namespace", [("a.b",), ("a\x00",), ("a", ""), (1,), ("a", None)])
    @pytest.mark.parametrize("kind", ["get", "put", "delete", "search", "prefix", "suffix"])
    def test_a_namespace_that_is_not_allowed_fails_the_whole_batch(
        self, store: Calls, namespace: Any, kind: str
    ) -> None:
        op: dict[str, Op] = {
            "get": GetOp(namespace, "k"),
            "put": PutOp(namespace, "k", {"n": 1}),
            "delete": PutOp(namespace, "k", None),
            "search": SearchOp(namespace),
            "prefix": ListNamespacesOp((MatchCondition("prefix", namespace),)),
            "suffix": ListNamespacesOp((MatchCondition("suffix", namespace),)),
        }
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(("valid",), "k", {"n": 1}), op[kind]])
        assert store.search(()) == []

    def test_put_refuses_the_empty_namespace_and_the_reserved_root(self, store: Calls) -> None:
        for namespace in ((), ("langgraph", "x")):
            with pytest.raises(InvalidNamespaceError):
                store.put(namespace, "k", {"n": 1})
        store.batch([PutOp(("langgraph", "x"), "k", {"n": 1})])
        store.put(("x", "langgraph"), "k", {"n": 1})
        assert store.list_namespaces() == [("langgraph", "x"), ("x", "langgraph")]

    def test_a_namespace_may_be_a_list(self, store: Calls) -> None:
        store.batch([PutOp(cast("Any", ["a", "b"]), "k", {"n": 1})])
        item = store.get(["a", "b"], "k")
        assert item is not None
        assert item.namespace == ("a", "b")
        assert store.keys(["a"]) == ["k"]
        assert store.list_namespaces(prefix=["a"]) == [("a", "b")]

    def test_a_prefix_ends_at_a_label(self, store: Calls) -> None:
        for namespace in NAMESPACES:
            store.put(namespace, "k", {"n": 1})
        assert {item.namespace for item in store.search(("a",))} == {("a",), ("a", "b"), ("a", "b", "c")}
        assert {item.namespace for item in store.search(("a", "b"))} == {("a", "b"), ("a", "b", "c")}
        assert {item.namespace for item in store.search(("b",))} == {("b", "a"), ("b", "c", "a")}
        assert store.search(("A",)) == []
        assert len(store.search(())) == len(NAMESPACES)

    def test_namespaces_are_listed_by_prefix_suffix_wildcard_and_depth(self, store: Calls) -> None:
        for namespace in NAMESPACES:
            store.put(namespace, "k", {"n": 1})
        assert store.list_namespaces() == NAMESPACES
        assert store.list_namespaces(prefix=("a",)) == NAMESPACES[:3]
        assert store.list_namespaces(suffix=("a",)) == [("a",), ("b", "a"), ("b", "c", "a")]
        assert store.list_namespaces(prefix=("*", "b")) == [("a", "b"), ("a", "b", "c")]
        assert store.list_namespaces(prefix=("b",), suffix=("*", "a")) == [("b", "a"), ("b", "c", "a")]
        assert store.list_namespaces(prefix=("b", "*", "a")) == [("b", "c", "a")]
        assert store.list_namespaces(max_depth=1) == [("a",), ("ab",), ("b",)]
        assert store.list_namespaces(prefix=("b",), max_depth=2) == [("b", "a"), ("b", "c")]
        assert store.list_namespaces(prefix=("none",)) == []

    @pytest.mark.parametrize("options", [{}, {"max_depth": 2}, {"suffix": ("*",)}])
    def test_pages_of_namespaces_are_slices_of_the_whole_list(self, store: Calls, options: dict[str, Any]) -> None:
        for namespace in NAMESPACES:
            store.put(namespace, "k", {"n": 1})
        whole = store.list_namespaces(**options)
        for offset in range(len(whole) + 1):
            assert store.list_namespaces(limit=2, offset=offset, **options) == whole[offset : offset + 2]

    def test_a_namespace_is_there_as_long_as_it_has_items(self, store: Calls) -> None:
        store.get(("read",), "k")
        store.search(("read",))
        store.put(("a",), "k1", {"n": 1})
        store.put(("a",), "k2", {"n": 1})
        store.delete(("a",), "k1")
        assert store.list_namespaces() == [("a",)]
        store.delete(("a",), "k2")
        assert store.list_namespaces() == []

    # batches

    def test_reads_of_a_batch_see_what_was_there_before_it(self, store: Calls) -> None:
        store.put(("a",), "k", {"n": 1})
        found = store.batch(
            [
                PutOp(("a",), "k", {"n": 2}),
                GetOp(("a",), "k"),
                PutOp(("b",), "k", {"n": 3}),
                SearchOp(("a",)),
                ListNamespacesOp(),
                GetOp(("b",), "k"),
            ]
        )
        assert found[0] is None
        assert found[2] is None
        assert found[1].value == {"n": 1}
        assert [item.value for item in found[3]] == [{"n": 1}]
        assert found[4] == [("a",)]
        assert found[5] is None
        assert store.read(("a",), "k") == {"n": 2}

    def test_the_last_write_to_a_key_wins(self, store: Calls) -> None:
        store.batch([PutOp(("a",), "k", {"n": 1}), PutOp(("a",), "k", None), PutOp(("a",), "k", {"n": 3})])
        store.batch([PutOp(("a",), "gone", {"n": 1}), PutOp(("a",), "gone", None)])
        assert store.read(("a",), "k") == {"n": 3}
        assert store.get(("a",), "gone") is None

    def test_an_empty_batch_and_a_generator_are_batches(self, store: Calls) -> None:
        assert store.batch([]) == []
        assert store.batch(cast("Any", (PutOp(("a",), str(n), {"n": n}) for n in range(3)))) == [None] * 3
        assert len(store.search(("a",))) == 3

    def test_a_batch_exchanges_values_without_losing_any(self, store: Calls) -> None:
        store.put(("a",), "k", {"n": -1})

        def exchange(number: int) -> int:
            got = store.batch([GetOp(("a",), "k"), PutOp(("a",), "k", {"n": number})])
            return cast("int", got[0].value["n"])

        with ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(exchange, range(40)))
        assert sorted([*seen, store.read(("a",), "k")["n"]]) == list(range(-1, 40))

    @pytest.mark.parametrize("options", [{"limit": -1}, {"offset": -1}, {"limit": 1.5}, {"limit": True}])
    def test_a_page_that_cannot_be_is_refused(self, store: Calls, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(options))):
            store.search(("a",), **options)
        with pytest.raises(ValueError, match=next(iter(options))):
            store.list_namespaces(**options)

    # filters

    @pytest.fixture
    def stocked(self, store: Calls) -> Calls:
        values: dict[str, dict[str, Any]] = {
            "two": {
                "n": 2,
                "s": "b",
                "flag": True,
                "tags": ["x"],
                "user": {"name": "ann", "age": 20},
                "when": "2026-01-02",
            },
            "nine": {"n": 9, "s": "a", "flag": False, "tags": ["x", "y"], "user": {"name": "bob", "age": 100}},
            "ten": {"n": 10, "s": "B", "flag": None, "tags": [], "when": "2026-02-01"},
            "hundred": {"n": 100.0, "s": "é", "a.b": "dotted", "first name": "Zoë"},
            "text": {"n": "10", "a": {"b": "path"}, "one": 1},
        }
        for key, value in values.items():
            store.put(("f",), key, value)
        return store

    @pytest.mark.parametrize(
        ("filter", "keys"),
        [
            ({}, "two nine ten hundred text"),
            ({"n": 10}, "ten"),
            ({"n": 10.0}, "ten"),
            ({"n": 100}, "hundred"),
            ({"n": "10"}, "text"),
            ({"n": {"$gte": 10}}, "ten hundred"),
            ({"n": {"$gt": 9.5}}, "ten hundred"),
            ({"n": {"$gt": 2, "$lt": 10}}, "nine"),
            ({"n": {"$lte": 9}}, "two nine"),
            ({"n": {"$lt": float("inf")}}, "two nine ten hundred"),
            ({"n": {"$eq": float("nan")}}, ""),
            ({"n": {"$lt": 10**100}}, "two nine ten hundred"),
            ({"n": {"$ne": 10}}, "two nine hundred text"),
            ({"s": {"$gte": "b"}}, "two hundred"),
            ({"s": {"$lt": "a"}}, "ten"),
            ({"when": {"$gte": "2026-01-15"}}, "ten"),
            ({"flag": True}, "two"),
            ({"flag": False}, "nine"),
            ({"flag": None}, "ten hundred text"),
            ({"flag": {"$ne": None}}, "two nine"),
            ({"one": 1}, "text"),
            ({"one": True}, ""),
            ({"flag": 1}, ""),
            ({"tags": ["x"]}, "two"),
            ({"tags": ("x", "y")}, "nine"),
            ({"tags": []}, "ten"),
            ({"tags": {"$eq": ["x"]}}, "two"),
            ({"user": {"name": "ann"}}, "two"),
            ({"user": {"age": {"$gt": 50}}}, "nine"),
            ({"user": {"$eq": {"name": "ann", "age": 20}}}, "two"),
            ({"user.name": "bob"}, "nine"),
            ({"user.age": {"$lt": 50}}, "two"),
            ({"a.b": "dotted"}, "hundred"),
            ({"a.b": "path"}, "text"),
            ({"first name": "Zoë"}, "hundred"),
            ({"s": "b' OR '1'='1"}, ""),
            ({"n": 2, "s": "a"}, ""),
            ({"n": {"$gt": 1}, "flag": True}, "two"),
            ({"missing": {"$gt": 1}}, ""),
            ({"missing": None, "n": 2}, "two"),
        ],
    )
    def test_a_filter_compares_every_kind_of_value(self, stocked: Calls, filter: dict[str, Any], keys: str) -> None:
        assert set(stocked.keys(("f",), filter=filter)) == set(keys.split())

    @pytest.mark.parametrize(
        ("filter", "text"),
        [
            ({"n": {"$in": [1]}}, "Unsupported operator"),
            ({"n": {"$gt": 1, "x": 2}}, "Unsupported operator"),
            ({"a') = '1' OR ('1": 1}, "Invalid filter key"),
            ({"$gt": 1}, "Invalid filter key"),
            ({"": 1}, "Invalid filter key"),
            ({"user": {'"': 1}}, "Invalid filter key"),
        ],
    )
    def test_a_malformed_filter_is_refused_before_anything_is_written(
        self, store: Calls, filter: dict[str, Any], text: str
    ) -> None:
        with pytest.raises(ValueError, match=text):
            store.batch([PutOp(("a",), "k", {"n": 1}), SearchOp(("a",), filter=filter)])
        assert store.get(("a",), "k") is None

    # order and pages

    def test_what_holds_the_wanted_elsewhere_does_not_hide_what_passes(self, store: Calls) -> None:
        for number in range(30):
            passing = {"kind": "tea", "n": number}
            store.put(("a",), str(number), passing if number < 5 else {"kind": "cup", "other": passing})
        for limit, offset in ((3, 0), (3, 1), (10, 0), (10, 4), (100, 0)) * 2:
            found = store.search(("a",), filter={"kind": "tea"}, limit=limit, offset=offset)
            assert [item.key for item in found] == ["4", "3", "2", "1", "0"][offset : offset + limit]

    def test_without_a_query_the_last_written_come_first(self, store: Calls) -> None:
        for n in range(6):
            store.put(("a", str(n % 2)), f"k{n}", {"n": n})
        store.put(("a", "0"), "k2", {"n": 2})
        assert store.keys(("a",)) == ["k2", "k5", "k4", "k3", "k1", "k0"]
        assert store.keys(("a", "1")) == ["k5", "k3", "k1"]

    @pytest.mark.parametrize("filter", [None, {"even": True}, {"n": {"$gt": 4}}])
    @pytest.mark.parametrize("query", [None, "", "word", "word number 7"])
    def test_pages_are_slices_of_the_whole_order(self, indexed: Calls, query: str | None, filter: Any) -> None:
        ops = [
            PutOp(("a", str(n % 3)), f"k{n}", {"text": f"word number {n}", "n": n, "even": n % 2 == 0}, n != 5 and None)
            for n in range(20)
        ]
        indexed.batch(cast("list[Any]", ops))
        whole = indexed.keys(("a",), query=query, filter=filter, limit=100)
        assert len(whole) == {None: 20, "even": 10, "n": 15}[next(iter(filter), None) if filter else None]
        pages = [indexed.keys(("a",), query=query, filter=filter, limit=3, offset=start) for start in range(0, 21, 3)]
        assert [key for page in pages for key in page] == whole

    # search with an index

    def test_a_score_is_the_cosine_of_the_nearest_field(self, open_store: OpenStore, way: Way) -> None:
        fields = ["title", "parts[*].text", "missing"]
        store = Calls(open_store(index={"dims": 64, "embed": WordEmbeddings(), "fields": fields}), way)
        store.put(
            ("a",), "k", {"title": "red apple", "parts": [{"text": "green"}, {"text": "pear tree"}], "other": "blue"}
        )
        for query, score in (("apple", 0.5**0.5), ("green", 1.0), ("pear", 0.5**0.5), ("blue", 0.0)):
            assert store.search(("a",), query=query)[0].score == pytest.approx(score, abs=1e-3)

    def test_a_score_is_a_cosine_also_where_rounding_would_carry_it_past_one(self, indexed: Calls) -> None:
        texts = [" ".join(f"word{n}" for n in range(count)) for count in range(1, 12)]
        for text in texts:
            indexed.put(("a",), text, {"text": text}, index=["text"])
        for text in texts:
            best = indexed.search(("a",), query=text)[0].score
            assert best is not None
            assert 0.999 < best <= 1.0

    def test_the_whole_value_is_embedded_when_no_fields_are_named(self, indexed: Calls) -> None:
        indexed.put(("a",), "k1", {"title": "red apple"})
        indexed.put(("a",), "k2", {"body": "blue car"})
        assert indexed.keys(("a",), query="apple")[0] == "k1"
        assert indexed.keys(("a",), query="body")[0] == "k2"

    def test_an_op_names_the_fields_to_embed_or_none(self, indexed: Calls) -> None:
        indexed.put(("a",), "title", {"title": "apple", "body": "car"}, index=["title"])
        indexed.put(("a",), "body", {"title": "apple", "body": "car"}, index=["body"])
        indexed.put(("a",), "no", {"title": "apple", "body": "car"}, index=False)
        found = indexed.search(("a",), query="apple")
        assert [item.key for item in found] == ["title", "body", "no"]
        assert found[0].score == pytest.approx(1.0, abs=1e-3)
        assert found[1].score == pytest.approx(0.0, abs=1e-3)
        assert found[2].score is None

    def test_writing_again_replaces_the_vector(self, indexed: Calls) -> None:
        indexed.put(("a",), "k", {"text": "apple"}, index=["text"])
        indexed.put(("a",), "k", {"text": "car"}, index=["text"])
        assert indexed.search(("a",), query="apple")[0].score == pytest.approx(0.0, abs=1e-3)
        indexed.put(("a",), "k", {"text": "apple"}, index=False)
        assert indexed.search(("a",), query="apple")[0].score is None

    def test_one_text_may_stand_in_many_items_of_a_batch(self, indexed: Calls) -> None:
        indexed.batch([PutOp(("a",), str(n), {"text": "apple"}, ["text"]) for n in range(3)])
        scores = [item.score for item in indexed.search(("a",), query="apple")]
        assert scores == pytest.approx([1.0] * 3, abs=1e-3)

    def test_a_query_and_a_filter_go_together(self, indexed: Calls) -> None:
        indexed.put(("a",), "red", {"text": "apple", "n": 1})
        indexed.put(("a",), "blue", {"text": "apple", "n": 2})
        assert indexed.keys(("a",), query="apple", filter={"n": {"$gt": 1}}) == ["blue"]
        assert indexed.keys(("a",), query="apple", filter={"n": {"$gt": 2}}) == []

    def test_a_search_stays_in_its_namespace(self, indexed: Calls) -> None:
        indexed.put(("a", "x"), "k1", {"text": "apple"})
        indexed.put(("a", "y"), "k2", {"text": "apple"})
        assert indexed.keys(("a", "x"), query="apple") == ["k1"]
        indexed.put(("a", "x"), "k3", {"text": "apple pie"})
        assert set(indexed.keys(("a", "x"), query="apple")) == {"k1", "k3"}
        indexed.delete(("a", "x"), "k1")
        assert indexed.keys(("a", "x"), query="apple") == ["k3"]
        assert set(indexed.keys(("a",), query="apple")) == {"k2", "k3"}

    # time to live

    def test_an_item_is_there_until_it_has_expired_and_was_swept(self, open_store: OpenStore, way: Way) -> None:
        store = Calls(open_store(ttl={"refresh_on_read": False}), way)
        store.put(("a",), "short", {"n": 1}, ttl=0.05 / 60)
        store.put(("a",), "long", {"n": 1}, ttl=10)
        store.put(("a",), "ever", {"n": 1})
        time.sleep(0.1)
        assert cast("Any", store.store).sweep_ttl() == 1
        assert set(store.keys(("a",))) == {"long", "ever"}
        assert cast("Any", store.store).sweep_ttl() == 0

    def test_a_default_time_to_live_can_be_overridden_and_turned_off(self, open_store: OpenStore, way: Way) -> None:
        store = Calls(open_store(ttl={"default_ttl": 0.05 / 60, "refresh_on_read": False}), way)
        store.put(("a",), "default", {"n": 1})
        store.put(("a",), "long", {"n": 1}, ttl=10)
        store.put(("a",), "ever", {"n": 1}, ttl=None)
        time.sleep(0.1)
        cast("Any", store.store).sweep_ttl()
        assert set(store.keys(("a",))) == {"long", "ever"}

    @pytest.mark.parametrize("config", [None, {}, {"refresh_on_read": True}, {"refresh_on_read": False}])
    def test_reading_starts_the_time_to_live_again_where_it_should(
        self, open_store: OpenStore, way: Way, config: Any
    ) -> None:
        store = Calls(open_store(ttl=config), way)
        usual = (config or {}).get("refresh_on_read", True)
        expected = {None: usual, True: True, False: False}
        for seconds in (0.5, 2.0, 8.0, 32.0):
            puts = [
                PutOp((read, str(asked)), "k", {"n": "word"}, ttl=seconds / 60) for read in _READS for asked in expected
            ]
            begun = time.monotonic()
            store.batch(puts)
            time.sleep(0.6 * seconds)
            read_from = time.monotonic()
            for asked in expected:
                store.get(("get", str(asked)), "k", refresh_ttl=asked)
                store.search(("search", str(asked)), refresh_ttl=asked)
                store.search(("query", str(asked)), query="word", refresh_ttl=asked)
            read_until = time.monotonic()
            time.sleep(0.6 * seconds)
            cast("Any", store.store).sweep_ttl()
            if max(read_until - begun, time.monotonic() - read_from) < seconds:
                break  # else the machine stood still for so long that more than was meant to has expired
        left = {read: {place[1] for place in store.list_namespaces(prefix=(read,))} for read in _READS}
        stay = {str(asked) for asked, stays in expected.items() if stays}
        assert [left[read] for read in _READS] == [stay] * 3

    def test_expired_items_are_left_out_before_the_sweep_where_that_is_asked_for(
        self, open_store: OpenStore, way: Way
    ) -> None:
        store = Calls(open_store(ttl={"omit_expired": True}), way)
        store.put(("gone",), "k", {"n": "word"}, ttl=0.05 / 60)
        store.put(("here",), "k", {"n": "word"})
        time.sleep(0.1)
        assert store.get(("gone",), "k") is None
        assert [item.namespace for item in store.search(())] == [("here",)]
        assert [item.namespace for item in store.search((), query="word")] == [("here",)]
        assert store.list_namespaces() == [("here",)]
        assert store.list_namespaces(suffix=("gone",)) == []

    def test_the_sweeper_deletes_what_has_expired_and_can_be_stopped(self, open_store: OpenStore, way: Way) -> None:
        store = Calls(open_store(ttl={"sweep_interval_minutes": 0.05 / 60}), way)
        sweeper = cast("Any", store.store)
        future = sweeper.start_ttl_sweeper()
        store.put(("a",), "k", {"n": 1}, ttl=0.01 / 60)
        deadline = time.monotonic() + 60
        while store.list_namespaces() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert store.list_namespaces() == []
        assert sweeper.stop_ttl_sweeper(timeout=60) is True
        future.result(timeout=60)
        assert sweeper.stop_ttl_sweeper() is True

    @pytest.mark.parametrize("ttl", [-1, float("nan"), float("inf"), True, "5"])
    def test_a_time_to_live_that_cannot_be_is_refused(self, store: Calls, ttl: Any) -> None:
        with pytest.raises(ValueError, match="ttl"):
            store.put(("a",), "k", {"n": 1}, ttl=ttl)
        assert store.get(("a",), "k") is None
