"""From two texts of a block to small edits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_memory_integrations.backends.letta.differences import edits_between
from ai_memory_integrations.learning import edits
from ai_memory_integrations.types import Append, Block, Replace, Rethink

LINES = st.lists(st.sampled_from(["", "a", "b", "ab", "a b", " ", "é", "\r", "x\x0by"]), max_size=8).map("\n".join)


def block(value: str) -> Block:
    return Block(id="blk_1", label="human", value=value)


def applied(before: str, now: str, after: str) -> tuple[str, int]:
    """What the edits from *before* to *after* make of *now*, and how many of them met another change."""
    result = edits.apply("sarah", [block(before)], [block(now)], edits_between("human", before, after))
    return (result.changes[0].value if result.changes else now), len(result.conflicts)


@given(st.text() | LINES, st.text() | LINES)
def test_the_edits_lead_from_one_text_to_the_other(before: str, after: str) -> None:
    assert applied(before, before, after) == (after, 0)


@given(LINES.filter(bool), LINES)
def test_a_line_appended_meanwhile_stays_whatever_is_appended(before: str, added: str) -> None:
    value, conflicts = applied(before, f"{before}\nby the application", f"{before}\n{added}")
    assert value == f"{before}\nby the application\n{added}"
    assert conflicts == 0


def test_no_change_is_no_edit() -> None:
    assert edits_between("human", "Name: Sarah", "Name: Sarah") == ()


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("", "Name: Sarah", [Append]),
        ("Name: Sarah", "Name: Sarah\nLikes: cats", [Append]),
        ("Name: Sarah\nLikes: cats", "Name: Sara\nLikes: cats", [Replace]),
        ("Name: Sarah\nLikes: cats\nCity: Rome", "Name: Sarah\nCity: Rome", [Replace]),
        ("Name: Sarah\nCity: Rome", "Name: Sarah\nLikes: cats\nCity: Rome", [Replace]),
        ("Name: Sarah\nCity: Rome", "Name: Sara\nCity: Rome\nLikes: cats", [Append, Replace]),
        ("Name: Sarah", "", [Rethink]),
        ("Name: Sarah", "Name: Sara", [Rethink]),
    ],
)
def test_the_smallest_edits_are_found(before: str, after: str, kinds: list[type]) -> None:
    assert [type(edit) for edit in edits_between("human", before, after)] == kinds


def test_what_the_application_changes_on_other_lines_meanwhile_stays() -> None:
    before = "Name: Sarah\nLikes: cats\nCity: Rome"
    now = "Name: Sarah Miller\nLikes: cats\nCity: Rome\nJob: nurse"
    assert applied(before, now, "Name: Sarah\nLikes: cats\nCity: Lisbon\nPets: one cat") == (
        "Name: Sarah Miller\nLikes: cats\nCity: Lisbon\nPets: one cat\nJob: nurse",
        0,
    )


def test_a_line_that_both_changed_is_a_conflict_and_no_error() -> None:
    value, conflicts = applied("City: Rome", "City: Paris", "City: Lisbon")
    assert (value, conflicts) == ("City: Paris", 1)


def test_edits_name_the_messages_they_come_from() -> None:
    for edit in edits_between("human", "a\nb", "c\nb\nd", ["msg_1", "msg_2"]):
        assert edit.message_ids == ("msg_1", "msg_2")
