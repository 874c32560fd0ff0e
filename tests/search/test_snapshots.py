"""Snapshots follow the store: cheaply, exactly, from many threads, within their bytes."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from search_corpus import Corpus, random_vectors
from search_plain import plain_hits

from ai_memory_integrations.search.engine import Hit, SearchEngine

WORDS = ("red", "bike", "cat", "Caroline", "running", "2023", "猫", "tea")
EPOCH = datetime(2023, 5, 7, tzinfo=UTC)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)


def same(one: list[Hit], other: list[Hit]) -> bool:
    """Equal but for the last digits of float32 sums."""
    return {hit.seq for hit in one} == {hit.seq for hit in other} and all(
        a.score == pytest.approx(b.score, abs=1e-4)
        for a, b in zip(sorted(one, key=lambda h: h.seq), sorted(other, key=lambda h: h.seq), strict=True)
    )


class Incremental(RuleBasedStateMachine):
    """However a snapshot came about, it finds what one that is read at once finds."""

    def __init__(self) -> None:
        super().__init__()
        self.corpus = Corpus()

    @rule(
        texts=st.lists(TEXTS, min_size=1, max_size=6),
        thread=st.sampled_from((None, "a", "b")),
        role=st.sampled_from(("user", "assistant", None)),
        name=st.sampled_from((None, "Caroline", "Bob Red")),
        hours=st.sampled_from((None, 0, 1, 40)),
    )
    def add(self, texts: list[str], thread: str | None, role: str | None, name: str | None, hours: int | None) -> None:
        said = None if hours is None else EPOCH + timedelta(hours=hours)
        for text in texts:
            self.corpus.add(text, thread=thread, role=role, name=name, said=said, tags=(str(hours),))

    @precondition(lambda self: self.corpus.kept)
    @rule(choice=st.randoms(use_true_random=False))
    def delete(self, choice: object) -> None:
        self.corpus.delete(choice.choice(list(self.corpus.kept)))  # type: ignore[attr-defined]

    @precondition(lambda self: self.corpus.state.vec_seq < self.corpus.state.seq)
    @rule()
    def embed(self) -> None:
        texts = sorted({kept.text for kept in self.corpus.kept.values()})
        vectors = {text: random_vectors([text], seed=hash_of(text))[text] for text in texts}
        self.corpus.embed(
            vectors, upto=self.corpus.state.vec_seq + (self.corpus.state.seq + 1 - self.corpus.state.vec_seq) // 2
        )

    @rule(query=TEXTS, vector=st.sampled_from((None, [1.0, -1.0] * 4)))
    def search(self, query: str, vector: list[float] | None) -> None:
        for filters in ({}, {"thread_id": "a"}, {"tags": ("1", "None")}):
            mine = self.corpus.hits(query, vector=vector, limit=1000, **filters)
            assert same(mine, self.corpus.rebuilt().hits(query, vector=vector, limit=1000, **filters))

    @rule(query=TEXTS.filter(str.strip), vector=st.sampled_from((None, [1.0, -1.0] * 4)), limit=st.integers(1, 30))
    def search_exactly(self, query: str, vector: list[float] | None, limit: int) -> None:
        """To the last bit what the plain arithmetic gives, ties in the same order."""
        for roles in (None, ("user", None)):
            mine = self.corpus.hits(query, vector=vector, limit=limit, roles=roles, explain=True)
            snapshot = self.corpus.snapshot()
            plain = [] if snapshot is None else plain_hits(snapshot, query, vector, roles)[:limit]
            assert [tuple(hit) for hit in mine] == plain

    @invariant()
    def follows(self) -> None:
        hits = self.corpus.hits("", limit=1000)
        assert [(hit.seq, hit.whole) for hit in hits] == [
            (seq, (kept.text,)) for seq, kept in reversed(self.corpus.kept.items())
        ]


def hash_of(text: str) -> int:
    return sum(map(ord, text))


TestIncremental = Incremental.TestCase
TestIncremental.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def test_a_passage_is_found_directly_after_it_was_added() -> None:
    corpus = Corpus()
    for number in range(300):
        corpus.add(f"note number{number}")
        assert corpus.search(f"number{number}") == [f"note number{number}"]
    assert sum(len(delta.rows) for delta in corpus.reads if delta is not None) == 300, "each row is read once"


def test_nothing_is_read_when_nothing_changed() -> None:
    corpus = Corpus()
    corpus.add("tea")
    assert corpus.search("tea") == corpus.search("tea") == ["tea"]
    assert corpus.reads[1] is None


def test_what_was_deleted_is_not_found() -> None:
    corpus = Corpus()
    first, _ = corpus.add("tea and cake"), corpus.add("tea")
    assert len(corpus.search("tea")) == 2
    corpus.delete(first)
    assert corpus.search("tea") == ["tea"]
    assert corpus.search("cake") == []


def test_a_deleted_turn_leaves_its_neighbours_beside_each_other() -> None:
    corpus = Corpus()
    corpus.talk("What is your favourite food?", "hmm", "Pizza")
    corpus.delete(2)
    assert corpus.search("favourite food") == ["What is your favourite food?", "Pizza"]


def test_an_engine_keeps_no_more_than_its_bytes_and_still_finds() -> None:
    engine = SearchEngine(max_bytes=200_000)
    corpora = [Corpus(engine, number) for number in range(1, 41)]
    for corpus in corpora:
        for number in range(20):
            corpus.add(f"tea number{number} of subject{corpus.state.subject_no}")
    for _ in range(2):
        for corpus in corpora:
            assert len(corpus.search("tea", limit=100)) == 20
            assert engine.nbytes <= 200_000
    assert corpora[0].reads[1] is not None, "it had to be read again"


def test_the_snapshot_in_use_stays_however_big() -> None:
    corpus = Corpus(SearchEngine(max_bytes=1))
    corpus.add("tea")
    corpus.search("tea")
    corpus.search("tea")
    assert corpus.reads[1] is None


def test_passages_are_kept_whole_until_one_is_not_given_or_they_are_too_big() -> None:
    engine = SearchEngine()
    few, many, big = Corpus(engine, 1), Corpus(engine, 2, whole=False), Corpus(engine, 3)
    for corpus in (few, many):
        corpus.add("tea")
    assert few.hits("tea")[0].whole == ("tea",)
    assert many.hits("tea")[0].whole is None
    few.whole = False
    few.add("tea at night")
    assert [hit.whole for hit in few.hits("tea")] == [None, None]
    big.add("tea")
    big.search("tea")
    small = engine.nbytes
    big.add("tea " * 100_000)
    assert len(big.hits("tea")) == 2
    assert engine.nbytes > small + 400_000
    big.add("tea " * 200_000)
    assert [hit.whole for hit in big.hits("tea")] == [None, None, None]
    assert engine.nbytes < small + 100_000, "what is not kept is not counted"


def test_a_dropped_subject_is_read_afresh() -> None:
    corpus = Corpus()
    corpus.add("tea")
    corpus.search("tea")
    corpus.engine.drop(1)
    corpus.engine.drop(99)
    assert corpus.engine.nbytes == 0
    assert corpus.search("tea") == ["tea"]


def test_a_reader_that_fails_leaves_the_engine_usable() -> None:
    corpus = Corpus()
    corpus.add("tea")
    corpus.search("tea")
    working, corpus.read = corpus.read, broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="gone"):
        corpus.search("tea")
    corpus.read = working  # type: ignore[method-assign]
    assert corpus.search("tea") == ["tea"]


def broken(known: object) -> None:
    raise OSError("gone")


def test_threads_that_add_and_search_find_everything_and_never_an_older_state() -> None:
    corpus, write = Corpus(), threading.Lock()
    problems: list[str] = []

    def work(worker: int) -> None:
        for number in range(60):
            with write:
                corpus.add(f"note worker{worker} item{number}")
            if not corpus.search(f"worker{worker} item{number}", limit=1)[0].endswith(f"worker{worker} item{number}"):
                problems.append(f"{worker} {number}")

    reading = corpus.read
    corpus.read = lambda known: locked(write, reading, known)  # type: ignore[method-assign]
    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(corpus.search("note", limit=1000)) == 240


def locked(lock: threading.Lock, read: object, known: object) -> object:
    with lock:
        return read(known)  # type: ignore[operator]


@pytest.mark.parametrize("count", [1, 2, 9, 130, 1100])
def test_many_rows_are_ranked_to_the_last_bit_as_plain_arithmetic_ranks_them(count: int) -> None:
    chance = random.Random(count)
    corpus, texts = Corpus(), []
    for number in range(count):
        texts.append(" ".join(chance.choices(WORDS, k=chance.randint(0, 30))) + f" text{number}")
        corpus.add(
            texts[-1],
            thread=chance.choice((None, "a", "b")),
            role=chance.choice(("user", "assistant", None)),
            name=chance.choice((None, "Caroline", "Bob Red")),
            said=EPOCH + timedelta(hours=number),
        )
    corpus.embed(random_vectors(texts), upto=chance.randint(1, count))
    for query in ("red bike", "Caroline", "tea 2023 cat nothing", "xylophone"):
        for vector in (None, [chance.gauss(0, 1) for _ in range(8)]):
            mine = corpus.hits(query, vector=vector, limit=count, roles=("user", None), explain=True)
            snapshot = corpus.snapshot()
            assert snapshot is not None
            assert [tuple(hit) for hit in mine] == plain_hits(snapshot, query, vector, ("user", None))
