"""A batch of messages as Letta's agent is told it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from ai_memory_integrations.backends.letta.transcript import parts_of, render_part
from ai_memory_integrations.types import Message, Role

SAID_AT = datetime(2025, 9, 3, 12, 0, tzinfo=UTC)
READABLE = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=200)


def said(text: str, role: Role = "user") -> Message:
    return Message(role=role, content=text, created_at=SAID_AT)


def rendered(messages: list[Message], characters: int = 400) -> list[str]:
    parts = parts_of(messages, characters)
    return [
        render_part(part, batch=f"run_x.{number}", number=number, total=len(parts), long={})
        for number, part in enumerate(parts, start=1)
    ]


@given(st.lists(READABLE, max_size=8))
def test_everything_said_is_told_once_and_nothing_breaks_out(texts: list[str]) -> None:
    told = []
    for text in rendered([said(text) for text in texts]):
        root = ET.fromstring(text.partition("\n\n")[2])
        assert root.tag == "messages"
        told += [each.text or "" for each in root.iter("message")]
    assert "".join(told) == "".join(texts)


@given(st.lists(st.text("<>&ab\x00", max_size=2000), min_size=1, max_size=5))
def test_no_part_is_longer_than_asked_for(texts: list[str]) -> None:
    for part in parts_of([said(text) for text in texts], 400):
        assert len(part) == 1 or sum(len(message.text) for message in part) <= 400
    frame = len(rendered([said("x")])[0])
    assert all(len(text) <= frame + 400 + 40 for text in rendered([said(text) for text in texts]))


def test_the_same_batch_gives_the_same_parts() -> None:
    batch = [said("x" * 900), said("y"), said("z" * 300)]
    assert parts_of(batch, 400) == parts_of(list(batch), 400)
    assert len(parts_of(batch, 400)) > 3


def test_what_cannot_be_learnt_from_is_left_out() -> None:
    assert parts_of([said("You are helpful.", "system"), said("")]) == []


def test_a_part_says_whose_it_is_and_which() -> None:
    texts = rendered([said("x" * 200), said("y" * 200)])
    assert [re.search(r'<messages batch="(.*?)" part="(.*?)">', text).groups() for text in texts] == [  # type: ignore[union-attr]
        ("run_x.1", "1 of 2"),
        ("run_x.2", "2 of 2"),
    ]


def test_what_cannot_be_sent_is_made_visible() -> None:
    (text,) = rendered([said("a\x00b\ud83dc")])
    assert "a\N{REPLACEMENT CHARACTER}b?c" in text
    text.encode()


def test_a_block_that_is_too_long_is_mentioned() -> None:
    text = render_part([said("Hi")], batch="run_x.1", number=1, total=1, long={"human": "120 of 100 characters"})
    assert "'human' is too long: 120 of 100 characters" in text
