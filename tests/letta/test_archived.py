"""A passage as Letta keeps it, and back."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_memory_integrations.backends.letta.archived import Found, can_be_sent, from_letta, newest, passes, to_letta
from ai_memory_integrations.backends.letta.remote import NewPassage, RemotePassage
from ai_memory_integrations.types import Passage, PassageQuery

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT, st.lists, max_leaves=5
)
PASSAGES = st.builds(
    Passage,
    text=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1),
    tags=st.lists(TEXT | st.just("ami:{}") | st.just("user"), max_size=4).map(tuple),
    metadata=st.dictionaries(TEXT, JSON, max_size=3),
    created_at=st.none() | st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)),
    role=st.sampled_from([None, "user", "assistant"]),
    name=st.none() | TEXT,
    thread_id=st.none() | TEXT,
    message_id=st.none() | TEXT,
)


def kept(new: NewPassage, letta_id: str = "passage-1", *, metadata: bool = True) -> RemotePassage:
    """What Letta makes of it: tags as a set, times in UTC, metadata where it is told."""
    tags = list(dict.fromkeys(new.tags))
    random.shuffle(tags)
    return RemotePassage(letta_id, new.text, tuple(tags), new.metadata if metadata else {}, new.created_at)


@given(PASSAGES)
def test_a_passage_comes_back_as_it_was(passage: Passage) -> None:
    (new,) = to_letta([passage], NOW)
    found = from_letta(kept(new))
    assert found.passage == passage
    assert found.whole
    assert all(len(tag.encode()) <= 2600 and "\x00" not in tag for tag in new.tags)


def test_what_is_too_much_for_a_tag_is_in_the_metadata() -> None:
    passage = Passage(text="cats", tags=("pets",), metadata={"note": "é" * 5000})
    (new,) = to_letta([passage], NOW)
    assert from_letta(kept(new)).passage == passage
    found = from_letta(kept(new, metadata=False))
    assert not found.whole
    assert found.passage.id == passage.id


def test_each_passage_has_a_time_of_its_own_and_keeps_the_one_it_had() -> None:
    passages = [Passage(text=str(n), created_at=NOW if n % 2 else None) for n in range(6)]
    new = to_letta(passages, NOW)
    assert len({each.created_at for each in new}) == 6
    assert [from_letta(kept(each)).passage for each in new] == passages


def test_passages_are_read_in_the_order_in_which_they_were_sent() -> None:
    passages = [Passage(text=str(n), created_at=NOW - timedelta(days=n)) for n in range(5)]
    found = [from_letta(kept(each)) for each in to_letta(passages, NOW)]
    random.shuffle(found)
    assert [each.passage for each in newest(found)] == passages


def test_what_was_sent_twice_is_there_once() -> None:
    first = Passage(text="cats")
    second = first.model_copy(update={"text": "dogs"})
    found: list[Found] = []
    for number, passage in enumerate((second, first, second)):
        (new,) = to_letta([passage], NOW + timedelta(seconds=number))
        found.append(from_letta(kept(new, f"passage-{number}")))
    assert [(each.letta_id, each.passage.text) for each in newest(found)] == [("passage-2", "dogs")]


def test_what_somebody_else_archived_is_a_passage_too() -> None:
    found = from_letta(RemotePassage("passage-9", "cats", ("user", "x"), {"a": 1}, NOW))
    assert found.passage == Passage(
        text="cats", id="passage-9", tags=("user", "x"), metadata={"a": 1}, created_at=NOW, role="user"
    )


@pytest.mark.parametrize(("text", "can"), [("cats", True), ("", False), (" \n", False), ("a\x00b", False)])
def test_what_letta_cannot_hold_is_not_sent(text: str, can: bool) -> None:
    assert can_be_sent(Passage(text=text)) is can
    assert not can_be_sent(Passage(text="x" * 30_000))


def test_a_passage_without_a_time_passes_no_filter_of_time() -> None:
    query = PassageQuery(after=NOW, before=NOW + timedelta(days=1))
    assert [passes(Passage(text="x", created_at=at), query) for at in (None, NOW, query.before)] == [False, True, False]
