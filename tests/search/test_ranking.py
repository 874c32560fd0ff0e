"""What is found, in which order, and why."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta

import pytest
from search_corpus import Corpus, random_vectors

from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.search.engine import SearchEngine
from ai_memory_integrations.search.items import rank_texts
from ai_memory_integrations.search.text import terms_of

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def filled(*texts: str) -> Corpus:
    corpus = Corpus()
    for text in texts:
        corpus.add(text)
    return corpus


def test_more_of_the_question_is_better() -> None:
    corpus = filled("I bought a bike", "I bought a red bike", "The sky is blue")
    assert corpus.search("red bike") == ["I bought a red bike", "I bought a bike"]


def test_a_rare_word_counts_more_than_a_frequent_one() -> None:
    corpus = filled("work was long", "work was dull", "work was fun", "the violin was fun", "work again")
    assert corpus.search("work violin")[0] == "the violin was fun"


def test_nothing_is_found_when_no_word_is() -> None:
    corpus = filled("I love cats", "Dogs are loud")
    assert corpus.search("quantum chromodynamics") == []


def test_words_of_a_question_alone_are_no_match() -> None:
    corpus = filled("What is this about", "When did you do it")
    assert corpus.search("What is the capital?") == []


def test_an_empty_subject_has_nothing() -> None:
    assert Corpus().search("cats") == []
    assert Corpus().search("") == []
    assert Corpus().search("cats", vector=[1.0, 0.0]) == []


def test_of_equals_the_newest_comes_first() -> None:
    corpus = filled(*["I like tea"] * 5)
    assert [hit.seq for hit in corpus.hits("tea")] == [5, 4, 3, 2, 1]
    assert [hit.seq for hit in corpus.hits("tea", limit=2)] == [5, 4]


def test_recency_is_no_reason_to_rank_higher() -> None:
    corpus = Corpus()
    corpus.add("My sister lives in Oslo", said=NOON)
    corpus.add("My cousin moved near a sister city", said=NOON + timedelta(days=900))
    assert corpus.search("where does my sister live")[0] == "My sister lives in Oslo"


@pytest.mark.parametrize("blank", ["", "   ", "\n\t"])
def test_a_blank_query_gives_the_newest_unranked(blank: str) -> None:
    corpus = filled("one", "two", "three")
    assert corpus.search(blank, limit=2) == ["three", "two"]
    assert [hit.score for hit in corpus.hits(blank)] == [None, None, None]


@pytest.mark.parametrize("query", ['"*()', "?!", "...", "\u200b", "\ud800"])
def test_a_query_without_words_finds_nothing(query: str) -> None:
    assert filled("one", "two").search(query) == []


@pytest.mark.parametrize(
    "query",
    [
        'cats "*()',
        "cats AND OR NOT NEAR(",
        "cats:b -c",
        "cats'; DROP TABLE passage; --",
        "cats \x00",
        "%cats_",
        "cats " * 20_000,
        "cats " + " ".join(f"w{n}" for n in range(20_000)),
    ],
)
def test_a_hostile_query_is_only_words(query: str) -> None:
    assert filled("I love cats", "Dogs are loud").search(query)[0] == "I love cats"


def test_a_limit_of_none_is_none() -> None:
    assert filled("one").search("one", limit=0) == []


def test_scores_are_between_0_and_1_and_fall() -> None:
    corpus = filled("red bike", "red car", "red red red bike bike", "green bike and a red sky")
    scores = [hit.score for hit in corpus.hits("red bike")]
    assert all(score is not None and 0 < score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True, key=lambda score: score or 0)


# -- what a conversation knows


def test_the_answer_beside_the_question_is_found_below_it() -> None:
    corpus = Corpus()
    corpus.talk("Hello there", "What is your favourite food?", "Pizza, always", "Noted", "Thanks, bye")
    found = corpus.search("favourite food")
    assert found[:2] == ["What is your favourite food?", "Pizza, always"]
    assert set(found) == {"Hello there", "What is your favourite food?", "Pizza, always"}


def test_neighbours_are_of_the_same_thread() -> None:
    corpus = Corpus()
    corpus.add("What is your favourite food?", thread="a", role="assistant")
    corpus.add("Tuesday suits me", thread="b")
    corpus.add("Pizza", thread="a")
    assert corpus.search("favourite food") == ["What is your favourite food?", "Pizza"]


def test_after_a_long_silence_a_turn_is_no_neighbour() -> None:
    corpus = Corpus()
    corpus.add("What is your favourite food?", thread="a", said=NOON)
    corpus.add("Good morning", thread="a", said=NOON + timedelta(hours=20))
    assert corpus.search("favourite food") == ["What is your favourite food?"]


def test_what_was_archived_into_a_thread_does_not_come_between_its_turns() -> None:
    corpus = Corpus()
    corpus.add("What is your favourite food?", thread="a", role="assistant")
    corpus.add("The subject owns a boat", thread="a", role=None)
    corpus.add("Pizza", thread="a")
    assert corpus.search("favourite food") == ["What is your favourite food?", "Pizza"]


def test_a_passage_that_stands_alone_is_not_ranked_down_for_it() -> None:
    corpus = Corpus()
    corpus.talk("Is anybody allergic?", "To nuts, sometimes", "I see", thread="a")
    corpus.add("Sarah is allergic to nuts", role=None)
    assert corpus.search("allergic to nuts")[0] == "Sarah is allergic to nuts"


def test_neighbours_do_not_drown_a_meaning_that_stands_alone() -> None:
    corpus = Corpus()
    corpus.talk(*(f"turn {n}" for n in range(6)))
    corpus.add("alone", role=None)
    near = {f"turn {n}": [0.8, 0.6 + n / 100] for n in range(6)}  # all are somewhat near, as with real models
    corpus.embed({**near, "alone": [1.0, 0.05]})
    assert corpus.search("?", vector=[1.0, 0.0])[0] == "alone"


def test_a_match_in_the_session_of_the_best_one_is_preferred() -> None:
    corpus = Corpus()
    corpus.add("The garden was cold", thread="a")
    corpus.add("The garden was warm", thread="b")
    for number in range(4):
        corpus.add(f"filler {number}", thread="b")
    corpus.add("Our wedding was in a garden in June", thread="b")
    corpus.add("The garden was wet", thread="c")
    assert corpus.search("wedding garden")[:2] == ["Our wedding was in a garden in June", "The garden was warm"]


def test_who_is_asked_about_is_preferred_to_who_is_not() -> None:
    corpus = Corpus()
    for name in ("Melanie", "Caroline", "Melanie"):
        corpus.add("I painted a sunrise", name=name)
    assert corpus.hits("What did Caroline paint?")[0].seq == 2


def test_a_name_alone_finds_what_its_bearer_said_and_who_speaks_of_them() -> None:
    corpus = Corpus()
    corpus.add("Good morning", name="Caroline Smith")
    corpus.add("Caroline is late", name="Melanie")
    corpus.add("It rains", name="Melanie")
    assert set(corpus.search("Caroline?")) == {"Good morning", "Caroline is late"}


def test_a_name_with_a_word_that_is_not_found_finds_nothing_by_speaker() -> None:
    corpus = Corpus()
    corpus.add("Good morning", name="Caroline")
    assert corpus.search("Caroline's xylophone") == []


def test_the_words_of_a_tools_name_stay_words() -> None:
    corpus = Corpus()
    corpus.add("Travel is tiring", role="user")
    corpus.add("I can help", role="assistant", name="travel_agent")
    assert corpus.search("travel tiring")[0] == "Travel is tiring"


# -- meaning

MEANINGS = {"I love cats": [1.0, 0.1], "Stocks fell": [-0.2, 1.0], "I own a boat": [-0.9, -0.3]}


def test_a_vector_finds_what_shares_no_word() -> None:
    corpus = filled(*MEANINGS)
    corpus.embed(MEANINGS)
    assert corpus.search("animals", vector=[1.0, 0.0]) == ["I love cats"]


def test_a_passage_without_a_vector_yet_is_found_by_its_words() -> None:
    corpus = filled(*MEANINGS)
    corpus.embed(MEANINGS)
    corpus.add("My animals are hungry")
    assert corpus.search("animals", vector=[1.0, 0.0]) == ["My animals are hungry", "I love cats"]


def test_a_single_passage_is_found_by_its_vector() -> None:
    corpus = filled("I love cats")
    corpus.embed(MEANINGS)
    assert corpus.search("animals", vector=[1.0, 0.0]) == ["I love cats"]


def test_the_length_of_vectors_does_not_matter() -> None:
    plain, longer = filled(*MEANINGS), filled(*MEANINGS)
    plain.embed(MEANINGS)
    longer.embed({text: [100 * x for x in vector] for text, vector in MEANINGS.items()})
    asked = [0.5, 0.5]
    assert plain.search("tax", vector=asked) == longer.search("tax", vector=[x * 1000 for x in asked])


def test_a_vector_of_zeros_says_nothing() -> None:
    corpus = filled(*MEANINGS)
    corpus.embed(MEANINGS)
    assert corpus.search("cats", vector=[0.0, 0.0]) == ["I love cats"]
    assert corpus.search("animals", vector=[0.0, 0.0]) == []


def test_a_vector_before_any_passage_has_one_leaves_the_words() -> None:
    assert filled("I love cats").search("cats", vector=[1.0, 0.0]) == ["I love cats"]


@pytest.mark.parametrize(("vector", "says"), [([1.0, 0.0, 0.0], "3 dimensions"), ([float("nan"), 1.0], "finite")])
def test_a_vector_that_cannot_be_compared_is_refused(vector: list[float], says: str) -> None:
    corpus = filled(*MEANINGS)
    corpus.embed(MEANINGS)
    with pytest.raises(InvalidInputError, match=says):
        corpus.search("cats", vector=vector)


# -- filters


def three_kinds() -> Corpus:
    corpus = Corpus()
    corpus.add("tea in the morning", tags=("user",), thread="a", said=NOON)
    corpus.add("tea at noon", tags=("assistant", "x"), thread="b", role="assistant", said=NOON + timedelta(days=1))
    corpus.add("tea at night", tags=("user", "y"), thread="b", said=NOON + timedelta(days=2))
    corpus.add("tea, some day", role=None)
    return corpus


@pytest.mark.parametrize(
    ("filters", "seqs"),
    [
        ({}, {1, 2, 3, 4}),
        ({"tags": ("user",)}, {1, 3}),
        ({"tags": ("x", "y")}, {2, 3}),
        ({"tags": ("nobody",)}, set()),
        ({"tags": ()}, {1, 2, 3, 4}),
        ({"roles": ("user", None)}, {1, 3, 4}),
        ({"roles": ()}, set()),
        ({"thread_id": "b"}, {2, 3}),
        ({"thread_id": "unknown"}, set()),
        ({"after": NOON + timedelta(days=1)}, {2, 3}),
        ({"before": NOON + timedelta(days=1)}, {1}),
        ({"after": NOON, "before": NOON + timedelta(microseconds=1)}, {1}),
        ({"allowed": {2, 4, 99}}, {2, 4}),
        ({"allowed": set()}, set()),
        ({"allowed": {2, 3, 4}, "tags": ("user",), "thread_id": "b"}, {3}),
    ],
)
@pytest.mark.parametrize("query", ["tea", ""])
def test_filters_narrow_what_is_found(filters: dict[str, object], seqs: set[int], query: str) -> None:
    assert {hit.seq for hit in three_kinds().hits(query, **filters)} == seqs


def test_filters_never_rank() -> None:
    corpus = three_kinds()
    every = {hit.seq: hit.score for hit in corpus.hits("tea at noon")}
    assert {hit.seq: hit.score for hit in corpus.hits("tea at noon", tags=("user",))} == {1: every[1], 3: every[3]}


def test_an_answer_is_found_by_a_question_that_the_filter_leaves_out() -> None:
    corpus = Corpus()
    corpus.add("What is your favourite food?", thread="t", role="assistant")
    corpus.add("Pizza", thread="t", role="user")
    assert corpus.search("favourite food", roles=("user",)) == ["Pizza"]


# -- explanations, determinism, noise


def test_the_parts_of_a_score_add_up_to_it() -> None:
    corpus = Corpus()
    for place, text in enumerate(("I love cats", "Caroline loves cats", "Stocks fell", "cats again")):
        corpus.add(text, thread="t", name=("Caroline", "Melanie")[place % 2])
    corpus.embed(random_vectors([kept.text for kept in corpus.kept.values()]))
    hits = corpus.hits("Caroline cats", vector=[1.0] * 8, explain=True)
    for hit in hits:
        assert hit.explanation is not None
        assert set(hit.explanation) == {"lexical", "neighbour", "semantic", "session", "speaker"}
        assert sum(hit.explanation.values()) == pytest.approx(hit.score, abs=1e-3)
    assert [hit.explanation for hit in corpus.hits("cats")] == [None, None, None, None]


def test_no_search_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for texts in ((), ("one",), ("",), ("", ""), ("one", "two", "one")):
            corpus = filled(*texts)
            for query in ("", "one", "nothing", "!"):
                corpus.search(query)
                corpus.search(query, vector=[1.0, 0.0])
            corpus.embed({"one": [1.0, 0.0], "two": [0.0, 0.0], "": [0.0, 0.0]})
            for query in ("", "one", "nothing", "!"):
                corpus.search(query, vector=[1.0, 0.0], explain=True)


def test_the_same_search_gives_the_same_bytes() -> None:
    texts = [f"word{n % 7} word{n % 3} text{n}" for n in range(300)]
    first, second = filled(*texts), filled(*texts)
    for corpus in (first, second):
        corpus.embed(random_vectors(texts))
    asked = [0.3] * 8
    assert first.hits("word1 word2", vector=asked, limit=50) == second.hits("word1 word2", vector=asked, limit=50)


def test_arbitrary_rows_are_ranked_by_their_terms() -> None:
    rows = [terms_of(text) for text in ("red bike", "blue car", "a red car")]
    scores = rank_texts(rows, "red bike").tolist()
    assert (scores[0], scores[1]) == (1, 0)
    assert 0 < scores[2] < 1
    assert rank_texts(rows, "?").tolist() == [0, 0, 0]
    assert rank_texts([], "red").tolist() == []


def test_subjects_never_see_each_other() -> None:
    engine = SearchEngine()
    sarah, bob = Corpus(engine, 1), Corpus(engine, 2)
    sarah.add("my secret")
    assert bob.search("secret") == []
    assert sarah.search("secret") == ["my secret"]
