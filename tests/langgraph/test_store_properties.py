"""The store beside a model of it that is too simple to be wrong, on values nobody thought of."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from langgraph.store.base import PutOp

from ai_memory_integrations import Memory
from ai_memory_integrations.langgraph import CoreMemoryStore
from ai_memory_integrations.langgraph.filters import accepting
from ai_memory_integrations.ports import ItemRanking
from ai_memory_integrations.search.item_snapshot import IndexedItem, ItemDelta, ItemSnapshot, Ordered, packed
from ai_memory_integrations.search.item_state import ItemState
from ai_memory_integrations.search.text import terms_of
from ai_memory_integrations.testing.contracts.item_store import WordEmbeddings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
NUMBERS = (
    st.integers() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.1, 1e16])
)
SCALARS = st.none() | st.booleans() | NUMBERS.filter(lambda n: not isinstance(n, int) or n.bit_length() < 1000) | TEXT
FIELDS = st.sampled_from(["a", "b", "a.b", "c d"])
VALUES = st.dictionaries(
    FIELDS, SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(FIELDS, SCALARS, max_size=2), max_size=3
)
OPERATORS = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
CONDITIONS = SCALARS | st.dictionaries(OPERATORS, SCALARS, min_size=1, max_size=2)
FILTERS = st.dictionaries(FIELDS, CONDITIONS | st.dictionaries(FIELDS, CONDITIONS, max_size=1), min_size=1, max_size=2)


@given(st.lists(VALUES, max_size=8), st.lists(FILTERS, min_size=1, max_size=4))
@settings(max_examples=150)
def test_what_a_search_finds_is_what_its_filter_accepts(values: list[Any], filters: list[Any]) -> None:
    with CoreMemoryStore(url=":memory:") as store:
        ops = [PutOp(("f", str(n % 2)), str(n), value, False) for n, value in enumerate(values)]
        store.batch(ops)
        # A filter made of what is there meets more than one made of nothing.
        for wanted in [*filters, *(value for value in values if value)]:
            accept = accepting(wanted)
            expected = [str(n) for n, value in enumerate(values) if accept is None or accept(value)]
            for prefix in ((), ("f",)):
                assert sorted(item.key for item in store.search(prefix, filter=wanted, limit=100)) == expected


NAMESPACES = st.sampled_from([("a",), ("a", "b"), ("a", "c"), ("b",)])
KEYS = st.sampled_from("wxyz")
WORDS = st.lists(st.sampled_from("apple pear plum cherry".split()), max_size=3).map(" ".join)


class StoreMachine(RuleBasedStateMachine):
    """Two processes' stores on one file, and a dict."""

    @initialize(index=st.booleans())
    def begin(self, index: bool) -> None:
        self.folder = TemporaryDirectory()
        options: Any = {"index": {"dims": 64, "embed": WordEmbeddings(), "fields": ["text"]}} if index else {}
        self.memories = [Memory(f"{self.folder.name}/store.db", embedder=False) for _ in range(2)]
        self.stores = [CoreMemoryStore(memory, **options) for memory in self.memories]
        self.model: dict[tuple[tuple[str, ...], str], dict[str, Any]] = {}

    def teardown(self) -> None:
        for memory in getattr(self, "memories", []):
            memory.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(
        which=st.integers(0, 1), puts=st.lists(st.tuples(NAMESPACES, KEYS, st.none() | WORDS), min_size=1, max_size=4)
    )
    def write(self, which: int, puts: list[Any]) -> None:
        values = [(place, key, None if text is None else {"text": text}) for place, key, text in puts]
        self.stores[which].batch([PutOp(place, key, value) for place, key, value in values])
        for place, key, value in values:
            self.model.pop((place, key), None)
            if value is not None:
                self.model[place, key] = value

    @rule(which=st.integers(0, 1), place=NAMESPACES, query=WORDS)
    def search(self, which: int, place: tuple[str, ...], query: str) -> None:
        found = self.stores[which].search(place, query=query, limit=100)
        below = {(item.namespace, item.key): item.value for item in found}
        assert below == {key: value for key, value in self.model.items() if key[0][: len(place)] == place}
        scores = [item.score for item in found if item.score is not None]
        assert scores == sorted(scores, reverse=True)
        assert all(item.score is None for item in found[len(scores) :])
        if scores and query and self.stores[which].index_config is None:
            sharing = {key for key, value in below.items() if set(value["text"].split()) & set(query.split())}
            assert sharing == {(item.namespace, item.key) for item in found[: len(scores)]}

    @invariant()
    def the_newest_come_first(self) -> None:
        for store in getattr(self, "stores", []):
            found = [(item.namespace, item.key) for item in store.search((), limit=100)]
            assert found == list(self.model)[::-1]
            assert store.list_namespaces() == sorted({place for place, _ in self.model})


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


def indexed(number: int, text: str) -> IndexedItem:
    vectors = WordEmbeddings().embed_documents(text.split())
    return IndexedItem(number, terms_of(text), packed(vectors))


@given(st.lists(st.tuples(WORDS, st.booleans()), min_size=1, max_size=20), st.integers(0, 20), WORDS, st.booleans())
@settings(max_examples=100)
def test_a_snapshot_that_grew_ranks_like_one_made_at_once(
    rows: list[tuple[str, bool]], split: int, query: str, lexical: bool
) -> None:
    items = [indexed(2 * n, text) for n, (text, _) in enumerate(rows)]
    dead = [2 * n for n, (_, gone) in enumerate(rows) if gone]
    ranking = ItemRanking(query, lexical, WordEmbeddings().embed_query(query), "words")
    grown = ItemSnapshot(64, ItemDelta(ItemState(1, 0), True, items[:split]))
    grown.extend(ItemDelta(ItemState(2, 0), False, items[split:], [*dead, 1, 999]))
    once = ItemSnapshot(64, ItemDelta(ItemState(2, 0), True, items, dead))
    assert list(grown.rank(ranking)) == list(once.rank(ranking))
    assert {number for number, _ in grown.rank(ranking)} == {item.id for item in items} - set(dead)


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, None]), max_size=40), st.integers(0, 45), st.sampled_from([1, 12])
)
def test_the_first_few_are_the_beginning_of_the_whole_order(scores: list[float | None], count: int, times: int) -> None:
    scores = scores * times
    with_score = [n for n, score in enumerate(scores) if score is not None]
    ordered = Ordered(
        np.array(with_score, np.int64),
        np.array([scores[n] for n in with_score], np.float32),
        np.array([n for n, score in enumerate(scores) if score is None], np.int64),
    )
    whole = sorted(enumerate(scores), key=lambda each: (each[1] is None, -(each[1] or 0), -each[0]))
    assert ordered.best(count) == whole[:count]
    assert list(ordered) == whole
