"""What edits make of blocks, above all where somebody else changed a block meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_memory_integrations.errors import BlockNotFoundError, EditError
from ai_memory_integrations.learning import edits
from ai_memory_integrations.types import Append, Archive, Block, Edit, Replace, Rethink


def block(value: str, *, id: str = "blk_1") -> Block:
    return Block(id=id, label="human", value=value)


def applied(seen: str, now: str, *given_edits: Edit) -> tuple[str, int]:
    """The value the edits lead to, and how many met a conflict."""
    result = edits.apply("sarah", [block(seen)], [block(now)], given_edits)
    value = result.changes[0].value if result.changes else now
    return value, len(result.conflicts)


def test_text_is_appended_on_lines_of_its_own() -> None:
    assert edits.append("", "Name: Sarah") == "Name: Sarah"
    assert edits.append("Name: Sarah", "Likes: cats") == "Name: Sarah\nLikes: cats"


@pytest.mark.parametrize(
    ("value", "old", "new", "expected"),
    [
        ("a\nb\nc", "b", "x", "a\nx\nc"),
        ("a\nb\nc", "b", "", "a\nc"),
        ("a\nb\nc", "a", "", "b\nc"),
        ("a\nb\nc", "c", "", "a\nb"),
        ("a", "a", "", ""),
        ("likes cats", "cats", "", "likes "),
        ("likes cats", "likes ", "", "cats"),
    ],
)
def test_a_replacement_takes_the_line_break_of_a_line_that_goes(value: str, old: str, new: str, expected: str) -> None:
    assert edits.replace("human", value, old, new) == expected


def test_a_replacement_of_text_that_is_absent_or_ambiguous_is_refused_by_name() -> None:
    with pytest.raises(EditError, match=r"'human'.*not there: 'x'"):
        edits.replace("human", "abc", "x", "y")
    with pytest.raises(EditError, match="stands there 2 times: 'a'"):
        edits.replace("human", "a a", "a", "b")
    with pytest.raises(EditError, match="stands there 2 times: 'aba'"):
        edits.replace("human", "ababa", "aba", "b")
    with pytest.raises(EditError):
        edits.replace("human", "abc", "", "y")


def test_edits_of_an_unchanged_block_are_applied_in_order() -> None:
    value, conflicts = applied(
        "a",
        "a",
        Append(label="human", text="b"),
        Replace(label="human", old="a", new="A"),
        Append(label="human", text="c"),
    )
    assert (value, conflicts) == ("A\nb\nc", 0)


def test_an_application_keeps_what_it_wrote_while_the_learner_worked() -> None:
    assert applied("a", "a\nmine", Append(label="human", text="b")) == ("a\nmine\nb", 0)
    assert applied("a\nb", "mine\na\nb", Replace(label="human", old="b", new="B")) == ("mine\na\nB", 0)
    assert applied("a\nb", "a\nb\nmine", Rethink(label="human", value="a\nB")) == ("a\nB\nmine", 0)
    assert applied("a\nb", "a\nmine", Replace(label="human", old="b", new="B")) == ("a\nmine", 1)
    assert applied("a\nb", "a\nmine", Rethink(label="human", value="a\nB")) == ("a\nmine", 1)


def test_a_block_begun_afresh_takes_no_edit_that_was_made_on_the_old_one() -> None:
    edit = Append(label="human", text="b")
    result = edits.apply("sarah", [block("a")], [block("", id="blk_2")], [edit])
    assert (result.changes, result.conflicts) == ((), (edit,))
    assert edits.apply("sarah", [block("a")], [], [edit]).conflicts == (edit,)


def test_a_learners_own_mistakes_are_errors() -> None:
    with pytest.raises(BlockNotFoundError, match="no block 'notes'"):
        edits.apply("sarah", [block("a")], [block("a")], [Append(label="notes", text="x")])
    with pytest.raises(EditError):
        edits.apply("sarah", [block("a")], [block("a\nx")], [Replace(label="human", old="x", new="y")])


def test_passages_and_the_messages_behind_a_change_are_collected() -> None:
    archive = Archive(text="a long story")
    given_edits: list[Edit] = [
        Append(label="human", text="b", message_ids=("m1",)),
        archive,
        Append(label="human", text="c", message_ids=("m2", "m1")),
    ]
    result = edits.apply("sarah", [block("a")], [block("a")], given_edits)
    assert result.changes == (edits.BlockChange("human", "a\nb\nc", ("m1", "m2")),)
    assert result.passages == (archive,)


lines = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=6)


@given(seen=lines, value=lines)
def test_rethinking_an_unchanged_block_gives_the_new_value(seen: list[str], value: list[str]) -> None:
    before, wanted = "\n".join(seen), "\n".join(value)
    assert edits.rethink(before, before, wanted) == (wanted, False)


@given(seen=lines, now=lines, value=lines)
def test_a_merge_loses_no_line_that_somebody_else_added(seen: list[str], now: list[str], value: list[str]) -> None:
    merged, _ = edits.rethink("\n".join(seen), "\n".join(now), "\n".join(value))
    added = [line for line in now if line not in seen]
    kept = merged.split("\n")
    for line in set(added):
        assert kept.count(line) >= 1


@given(seen=lines, theirs=st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=3), ours=lines)
def test_additions_of_both_sides_are_kept(seen: list[str], theirs: list[str], ours: list[str]) -> None:
    now, value = "\n".join([*ours, *seen]), "\n".join([*seen, *theirs])
    merged, _ = edits.rethink("\n".join(seen), now, value)
    for line in [*ours, *theirs]:
        assert line in merged.split("\n")
