"""What holds for the extractive learner whatever is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from learning.labelled import after, cases, human, said

from ai_memory_integrations.learning.extractive import ExtractiveLearner
from ai_memory_integrations.learning.facts import parse_line
from ai_memory_integrations.types import Message

STATEMENTS = [case["text"] for case in cases("tuned")] + [text for case in cases("turns") for text in case["turns"]]
ROUNDS = settings(max_examples=60, deadline=None)


def _at(days: int) -> datetime:
    return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=days)


spoken = st.builds(
    lambda text, role, days: said(text, role=role, at=None if days > 40 else _at(days)),
    st.sampled_from(STATEMENTS) | st.text(max_size=80).map(lambda text: f"I like {text}"),
    st.sampled_from(["user", "user", "user", "assistant"]),
    st.integers(0, 45),
)
conversations = st.lists(spoken, max_size=12)
foreign_lines = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20).filter(
        lambda line: parse_line(line) is None
    ),
    max_size=4,
)


def _blocks(value: str = "", limit: int = 10_000) -> list:  # type: ignore[type-arg]
    return [human(value, limit=limit), human(label="summary", limit=limit)]


@ROUNDS
@given(conversations, st.integers(1, 12))
def test_a_batch_teaches_the_same_however_it_is_split(talk: list[Message], size: int) -> None:
    whole = after(_blocks(), talk)
    parts = after(_blocks(), *(talk[start : start + size] for start in range(0, len(talk), size)))
    assert [block.value for block in whole] == [block.value for block in parts]


@ROUNDS
@given(conversations, st.integers(1, 200))
def test_a_full_block_too_is_the_same_however_the_batch_is_split(talk: list[Message], limit: int) -> None:
    whole = after(_blocks(limit=limit), talk)
    parts = after(_blocks(limit=limit), *([message] for message in talk))
    assert [block.value for block in whole] == [block.value for block in parts]


@ROUNDS
@given(conversations)
def test_the_same_answer_is_given_to_the_same_batch(talk: list[Message]) -> None:
    assert ExtractiveLearner().learn(_blocks(), talk) == ExtractiveLearner().learn(_blocks(), talk)


@ROUNDS
@given(conversations)
def test_learning_a_batch_again_says_nothing_new(talk: list[Message]) -> None:
    once = after(_blocks(), talk)
    twice = after(once, talk)
    for before, now in zip(once, twice, strict=True):
        assert sorted(_undated(now.value)) == sorted(_undated(before.value))


def _undated(value: str) -> list[str]:
    """Lines without the days, which a fact taken back and said again takes anew, without the trace of a first day."""
    found = [(line, parse_line(line)) for line in value.split("\n")]
    return [
        f"{own.label}: {own.value}" if own else "; ".join(sorted(line.split("; ")))
        for line, own in found
        if own is None or own.label != "Spoke on"
    ]


@ROUNDS
@given(foreign_lines, conversations, st.integers(0, 120))
def test_lines_of_others_stay_and_the_limit_holds(foreign: list[str], talk: list[Message], room: int) -> None:
    value = "\n".join(foreign)
    block = after([human(value, limit=max(len(value) + room, 1))], *([message] for message in talk))[0]
    assert len(block.value) <= block.limit
    kept = [line for line in block.value.split("\n") if parse_line(line) is None]
    if value:
        assert kept == foreign


@ROUNDS
@given(st.lists(st.text(max_size=200).map(lambda text: text.replace("\ud800", "")), max_size=5))
def test_any_text_is_safe(texts: list[str]) -> None:
    openings = ("", "I'm ", "I like ", "My name is ", "I live in ", "forget that I like ", "please always ")
    talk = [said(opening + text) for text in texts for opening in openings]
    for block in after(_blocks(limit=300), talk):
        assert all(line.isprintable() for line in block.value.split("\n"))
        block.value.encode()
