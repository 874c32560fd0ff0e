"""Export and import of a subject, as functions and as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import InvalidInputError, SubjectExistsError, SubjectNotFoundError
from ai_memory_integrations.transfer import TransferError, export_subject, from_lines, import_subject, to_lines
from ai_memory_integrations.types import LearningPolicy

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ID = st.text(st.characters(categories=["L", "N", "Zs"], include_characters="ä🙂-:"), min_size=1, max_size=8)
TIME = st.none() | st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1))
JSON = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers(-9, 9) | TEXT, max_size=2)
PARTS = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}), max_size=2)
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system", "tool"]),
        "content": TEXT | PARTS | st.sampled_from(["I live in Porto.", "My name is Ana.", "I love tea."]),
        "thread_id": st.sampled_from(["default", "b"]),
        "created_at": TIME,
        "metadata": JSON,
    }
)
PASSAGE = st.fixed_dictionaries(
    {"text": TEXT.filter(str.strip), "tags": st.lists(ID, max_size=2), "metadata": JSON, "created_at": TIME}
)
STEP = st.one_of(
    st.tuples(st.just("say"), st.lists(MESSAGE, max_size=3)),
    st.tuples(st.just("learn"), st.none()),
    st.tuples(st.just("edit"), TEXT),
    st.tuples(st.just("block"), st.sampled_from(["human", "notes", "z.9"])),
    st.tuples(st.just("archive"), PASSAGE),
    st.tuples(st.just("clear"), st.sampled_from(["default", "b"])),
    st.tuples(st.just("delete"), st.sampled_from(["default", "b"])),
    st.tuples(st.just("cancel"), st.none()),
)


def live(memory: Memory, steps: list[tuple[str, Any]]) -> None:
    """What a subject may go through."""
    memory.initialize_user_memory(reset=memory.get_memory_agent_id() is not None)
    does: dict[str, Callable[[Any], object]] = {
        "say": memory.add_messages,
        "learn": lambda _: memory.flush(),
        "edit": lambda text: memory.update_memory("human", text),
        "block": lambda label: memory.initialize_memory(label, "about it", "as it is", char_limit=500),
        "archive": lambda passage: memory.add_passages([passage]),
        "clear": lambda thread: memory.clear_thread(thread_id=thread),
        "delete": lambda thread: memory.delete_thread(thread_id=thread),
        "cancel": lambda _: [memory.cancel_run(run.id) for run in memory.list_runs() if not run.ended],
    }
    for verb, what in steps:
        does[verb](what)


def copied(records: list[dict[str, Any]]) -> Memory:
    other = Memory(":memory:", subject_id="ana", learning="off")
    import_subject(other, from_lines(to_lines(records)))
    return other


@settings(max_examples=60)
@given(st.lists(STEP, max_size=6))
def test_what_is_exported_and_imported_is_exported_alike(steps: list[tuple[str, Any]]) -> None:
    with Memory(":memory:", subject_id="ana", learning="off") as memory:
        live(memory, steps)
        before = list(export_subject(memory))

        with copied(before) as other:
            assert list(export_subject(other)) == before
            assert other.prompt() == memory.prompt()
            assert other.list_messages() == memory.list_messages()
            assert other.stats() == memory.stats()


@settings(max_examples=30)
@given(st.lists(STEP, max_size=5), st.lists(STEP, max_size=3))
def test_merging_adds_what_is_missing_and_keeps_what_is_there(
    steps: list[tuple[str, Any]], more: list[tuple[str, Any]]
) -> None:
    with Memory(":memory:", subject_id="ana", learning="off") as memory:
        live(memory, steps)
        early = list(export_subject(memory))
        with copied(early) as other:
            other.add_passages([{"text": "only here", "id": "psg_here"}])
            for verb, what in more:
                if verb in ("say", "archive"):
                    live_more = {"say": memory.add_messages, "archive": lambda each: memory.add_passages([each])}
                    live_more[verb](what)
            late = list(export_subject(memory))

            import_subject(other, late, merge=True)
            once = list(export_subject(other))
            import_subject(other, late, merge=True)

            assert list(export_subject(other)) == once
            assert other.get_passage("psg_here") is not None
            assert [each.id for each in other.list_messages()] == [each.id for each in memory.list_messages()]
            blocks = [each for each in early if each["type"] == "block"]
            assert [each for each in once if each["type"] == "block"] == blocks


def test_what_waited_is_learnt_where_it_was_imported() -> None:
    with Memory(":memory:", subject_id="ana", learning="off") as memory:
        memory.add_messages([{"role": "user", "content": "My name is Ana."}])
        with copied(list(export_subject(memory))) as other:
            assert other.stats().waiting == 1

            other.flush()

            assert "Ana" in (other.get_user_memory() or "")
            assert other.stats().waiting == 0


def test_what_was_learnt_is_not_learnt_again_where_it_was_imported() -> None:
    said = {"role": "user", "content": "My name is Ana.", "id": "m1"}
    with Memory(":memory:", subject_id="ana") as memory:
        memory.wait_for_run(memory.add_messages([said]))
        with copied(list(export_subject(memory))) as other:
            other.add_messages([said])
            other.flush()

            versions = other.memory_history("human")
            assert [each.version for each in versions] == [each.version for each in memory.memory_history("human")]


def test_what_failed_can_be_tried_again_where_it_was_imported() -> None:
    def fails(blocks: object, messages: object) -> list[Any]:
        raise RuntimeError("no answer")

    class Learner:
        name, policy, learn = "extractive", LearningPolicy(attempts=1), staticmethod(fails)

    with Memory(":memory:", subject_id="ana", learner=Learner()) as memory:
        run_id = memory.add_messages([{"role": "user", "content": "My name is Ana."}])
        memory.drain()
        with copied(list(export_subject(memory))) as other:
            run = other.get_run(run_id)
            assert run is not None
            assert (run.state, run.error) == ("failed", "RuntimeError: no answer")

            other.retry_run(run_id)

            assert other.wait_for_run(run_id).messages == 1
            assert "Ana" in (other.get_user_memory() or "")


def test_a_search_finds_what_was_imported() -> None:
    with Memory(":memory:", subject_id="ana") as memory:
        memory.add_messages([{"role": "user", "content": "The ferry leaves at nine."}])
        with copied(list(export_subject(memory))) as other:
            assert other.search("ana", "ferries") == ["The ferry leaves at nine."]


def test_an_unknown_subject_cannot_be_exported() -> None:
    with Memory(":memory:") as memory, pytest.raises(SubjectNotFoundError):
        list(export_subject(memory, "nobody"))


def test_a_subject_that_is_there_is_not_overwritten() -> None:
    with Memory(":memory:", subject_id="ana") as memory:
        memory.initialize_user_memory()
        records = list(export_subject(memory))
        memory.update_memory("human", "Name: Ana")

        with pytest.raises(SubjectExistsError):
            import_subject(memory, records)

        assert memory.get_user_memory() == "Name: Ana"


def exported() -> list[dict[str, Any]]:
    with Memory(":memory:", subject_id="ana") as memory:
        memory.wait_for_run(memory.add_messages([{"role": "user", "content": "My name is Ana."}]))
        return json.loads(json.dumps(list(export_subject(memory))))


def without(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in records if each["type"] != kind]


def changed(records: list[dict[str, Any]], kind: str, **fields: Any) -> list[dict[str, Any]]:
    return [each | fields if each["type"] == kind else each for each in records]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda records: [], "no export of a subject"),
        (lambda records: records[1:], "no export of a subject"),
        (lambda records: records[:-1], "not whole: its header names 1 records of type 'passage', there are 0"),
        (lambda records: records[:1], "cut short: it has no subject"),
        (lambda records: changed(records, "header", version=9), "format version 9"),
        (lambda records: [*records, records[1]], "does not belong there"),
        (lambda records: changed(records, "message", role="robot"), "role: Input should be 'user'"),
        (lambda records: changed(records, "message", state="maybe"), "state is one of not_for_learning, waiting"),
        (
            lambda records: changed(records, "message", received_at="2026-01-01T00:00:00"),
            "received_at has no time zone",
        ),
        (lambda records: changed(records, "message", state="waiting", run_id="run_x"), "which is not there"),
        (lambda records: changed(records, "subject", subject_id=""), "A subject is 1 to 512 bytes"),
        (lambda records: changed(records, "block", surprise=1), "surprise: Extra inputs are not permitted"),
        (lambda records: changed(records, "block_version", block_id="blk_x"), "belongs to no block"),
        (lambda records: changed(records, "passage", text="\ud800"), "lone surrogate"),
        (lambda records: changed(records, "passage", type={"a": 1}), "does not belong there"),
        (lambda records: changed(records, "block", version=1), "has version 2, newer than the block, which has 1"),
        (lambda records: changed(records, "block_version", version=2), "there twice"),
    ],
)
def test_a_spoilt_export_is_refused_and_nothing_is_written(
    spoil: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], complaint: str
) -> None:
    with Memory(":memory:") as memory:
        with pytest.raises(InvalidInputError) as refused:
            import_subject(memory, spoil(exported()))

        assert complaint in str(refused.value)
        assert memory.list_subjects() == []


def test_a_line_that_is_no_json_is_named() -> None:
    with pytest.raises(TransferError, match="line 2 is not JSON"):
        list(from_lines(["{}", "nope"]))
    with pytest.raises(TransferError, match="line 1 is not an object"):
        list(from_lines(["[1]"]))
    with pytest.raises(TransferError, match="line 1 is nested deeper"):
        list(from_lines(["[" * 100_000]))
