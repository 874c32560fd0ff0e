"""Whatever was written is found the way it was written, on every machine."""

from __future__ import annotations

import multiprocessing
import struct
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_corpus import Corpus

from ai_memory_integrations.search.text import query_terms, terms_of, without_names, words_of

DISTRACTORS = ("The weather is fine", "She plays the violin", "Lunch was late")


@pytest.mark.parametrize(
    ("passage", "query"),
    [
        ("I was running home", "run"),
        ("My café is closed", "cafe"),
        ("My cafe is closed", "CAFÉ"),
        ("Meet me in Łódź, straße 7", "STRASSE"),
        ("Мы живём в Москве", "живем"),
        ("Ο Οδυσσέας γύρισε", "οδυσσεας"),
        ("मुझे हिन्दी पसंद है", "हिन्दी"),
        ("مُحَمَّد يحب القهوة", "محمد"),
        ("私は猫が好きです", "猫"),
        ("私は東京都に住んでいます", "東京"),
        ("我喜欢喝咖啡", "咖啡"),
        ("저는 서울에 살아요", "서울"),
        ("ผมชอบกินข้าวผัด", "ข้าวผัด"),
        ("This made me 😂😂", "😂"),
        ("She gave me a 👍🏽", "👍"),
        ("Write to alice.smith+news@example.com", "alice.smith+news@example.com"),
        ("Write to alice@example.com", "Alice"),
        ("Call +49 170 1234567", "1234567"),
        ("It costs 3.50 euros", "3.50"),
        ("Room 007 is free", "room 7"),
        ("The id is user_sarah", "user_sarah"),
        ("I don’t eat nuts", "don't eat nuts"),
        ("Sarah's bike is red", "sarah"),
        ("L’amour est aveugle", "amour"),
        ("ＦＵＬＬ width", "full"),
        ("We read To be or not to be", "to be or not to be"),
    ],
)
def test_a_passage_is_found_by_what_it_says(passage: str, query: str) -> None:
    corpus = Corpus()
    for text in (*DISTRACTORS, passage, *DISTRACTORS):
        corpus.add(text)
    assert corpus.search(query)[0] == passage


def test_an_address_ranks_before_another_of_the_same_domain() -> None:
    corpus = Corpus()
    for name in ("bob", "alice", "carol"):
        corpus.add(f"Write to {name}@example.com")
    assert corpus.search("alice@example.com")[0] == "Write to alice@example.com"


@pytest.mark.parametrize("query", ["7 May 2023", "what happened in May?", "2023", "07.05. May"])
def test_a_passage_is_found_by_the_words_of_its_date(query: str) -> None:
    corpus = Corpus()
    for text in DISTRACTORS:
        corpus.add(text, said=datetime(2021, 11, 23, tzinfo=UTC))
    corpus.add("We went sailing", said=datetime(2023, 5, 7, 12, tzinfo=UTC))
    assert corpus.search(query)[0] == "We went sailing"


def test_terms_are_the_same_numbers_everywhere() -> None:
    said = datetime(2023, 5, 7, tzinfo=UTC)
    terms = struct.unpack("<5I", terms_of("Running 🐱", created_at=said))
    assert terms == (1349952704, 2622111606, 1790921346, 3933278751, 229457857)


def test_another_process_makes_the_same_terms() -> None:
    text = "I was running home with naïve friends 猫"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(terms_of, (text,)) == terms_of(text)


def test_the_date_is_that_of_utc_whatever_the_zone() -> None:
    said = datetime(2023, 5, 7, 23, tzinfo=UTC)
    assert terms_of("x", created_at=said) == terms_of("x", created_at=said.astimezone(timezone(timedelta(hours=9))))


def test_threads_stem_alike() -> None:
    words = [f"{stem}{ending}" for stem in ("walk", "jump", "paint", "hike", "camp") for ending in ("ing", "ed", "s")]
    texts = [f"{word} {number}x" for number in range(40) for word in words]
    expected = [terms_of(text) for text in texts]
    found: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: found.append([terms_of(text) for text in texts])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


@given(st.text(max_size=80))
def test_every_text_has_terms_and_its_words_are_found_by_a_query_of_it(text: str) -> None:
    terms = struct.unpack(f"<{len(terms_of(text)) // 4}I", terms_of(text))
    assert len(terms) == len(list(words_of(text)))
    assert set(query_terms(text).tolist()) <= set(terms)
    assert (len(query_terms(text)) == 0) == (not terms)


def test_a_lone_surrogate_and_encoded_data_are_only_words() -> None:
    assert len(terms_of("\ud800 broken")) == 4
    assert len(terms_of("A" * 1_000_000)) == 4


def test_stop_words_are_left_out_of_questions_that_say_more() -> None:
    assert query_terms("What is the name of the cat?").tolist() == query_terms("name cat").tolist()


@pytest.mark.parametrize(
    ("text", "names", "rest"),
    [
        ("What did Caroline paint?", ["Caroline"], "What did paint?"),
        ("What is caroline's hobby?", ["Caroline Smith"], "What is hobby?"),
        ("Was sagte José?", ["José"], "Was sagte ?"),
        ("Caroline", ["Caroline"], "Caroline"),
        ("plan my travel", ["travel_agent"], "plan my travel"),
        ("What will Will do?", ["Will"], "What will Will do?"),
        ("Annual report by Ann", ["Ann"], "Annual report by"),
        ("hello", [], "hello"),
    ],
)
def test_names_are_left_out_of_what_is_embedded(text: str, names: list[str], rest: str) -> None:
    assert without_names(text, names) == rest
