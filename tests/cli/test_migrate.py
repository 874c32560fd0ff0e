"""Subjects move from one memory to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ai_memory_integrations import LearningPolicy, Memory
from ai_memory_integrations.backends.urls import open_store
from ai_memory_integrations.errors import SubjectNotFoundError
from ai_memory_integrations.moving import Moved, move_subjects
from ai_memory_integrations.transfer import export_subject
from tests.cli.conftest import Command


@pytest.fixture
def team(tmp_path: Path, file: Path) -> Path:
    """Sarah's file with two more subjects; Bob has a message that is still to be learnt, by a learner of their own."""
    with Memory(str(file), learner=lambda blocks, messages: [], learning="off") as memory:
        memory.initialize_memory("notes", "What is notable.", "Likes *tea*.", char_limit=500, subject_id="bob")
        memory.add_messages("bob", [{"role": "user", "content": "My name is Bob.", "id": "b1"}])
        memory.add_passages([{"text": "The plan", "tags": ["plan", "x"], "metadata": {"n": 1}}], subject_id="project é")
    return file


def test_every_subject_arrives_as_it_was(command: Command, team: Path, tmp_path: Path) -> None:
    there = tmp_path / "new.db"
    result = command("migrate", "--from", team, "--to", f"sqlite:///{there}")
    assert (result.code, result.err) == (0, "")
    *subjects, total = result.out.splitlines()
    assert [line.partition(":")[0] for line in subjects] == ["bob", "project é", "sarah"]
    assert total.startswith(f"3 subjects moved to {there}: 5 blocks, 4 messages, 5 passages")
    with Memory(str(team), learning="off") as old, Memory(str(there), learning="off") as new:
        assert list(export_subject(new, "sarah")) == list(export_subject(old, "sarah"))
        assert list(export_subject(new, "project é")) == list(export_subject(old, "project é"))


def test_what_was_still_to_be_learnt_waits_for_the_learner_that_is_there(
    command: Command, team: Path, tmp_path: Path
) -> None:
    there = tmp_path / "new.db"
    command("migrate", "--from", team, "--to", there)
    with Memory(str(there), subject_id="bob") as new:
        new.initialize_memory("human", "About the user.")
        (run,) = new.flush()
        assert run.learner == "extractive"
        assert "Bob" in (new.get_memory("human") or "")
        assert new.get_memory("notes") == "Likes *tea*."
    with Memory(str(team), subject_id="bob", learning="off") as old:
        assert old.stats().waiting == 1


def test_a_subject_that_is_there_is_left_alone_unless_it_shall_be_completed(
    command: Command, team: Path, tmp_path: Path
) -> None:
    there = tmp_path / "new.db"
    with Memory(str(there), subject_id="bob") as new:
        new.initialize_memory("notes", "Mine.", "mine")
    again = command("migrate", "--from", team, "--to", there, "--json").json
    assert {each["subject_id"]: each["state"] for each in again["subjects"]} == {
        "bob": "there",
        "project é": "moved",
        "sarah": "moved",
    }
    merged = command("migrate", "--from", team, "--to", there, "--merge", "--subject", "bob")
    assert "bob: 0 blocks, 1 message, 1 passage" in merged.out
    with Memory(str(there), subject_id="bob", learning="off") as new:
        assert new.get_memory("notes") == "mine"
        assert [message.id for message in new.list_messages()] == ["b1"]


def test_a_dry_run_counts_and_writes_nothing(command: Command, team: Path, tmp_path: Path) -> None:
    there = tmp_path / "new.db"
    result = command("migrate", "--from", team, "--to", there, "--dry-run")
    assert "3 subjects would be moved to" in result.out
    with Memory(str(there)) as new:
        assert new.list_subjects() == []


def test_a_dry_run_makes_no_file(command: Command, team: Path, tmp_path: Path) -> None:
    there = tmp_path / "new.db"
    before = sorted(tmp_path.iterdir())
    assert command("migrate", "--from", team, "--to", there, "--dry-run").code == 0
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def new_place(place: str, file: Path, tmp_path: Path) -> str:
    """A file beside the other, then a PostgreSQL schema."""
    return str(tmp_path / "new.db") if place == str(file) else place


def said(url: object, **options: Any) -> None:
    """An application that says this of its memory has kept a message there."""
    with Memory(str(url), **options) as memory:
        memory.add_messages("sarah", [{"role": "user", "content": "Hi."}])


def recorded_in(url: object) -> dict[str, Any] | None:
    store = open_store(str(url))
    found = store.recorded_settings()
    store.close()
    return found


def test_recorded_settings_go_along(command: Command, team: Path, new_place: str) -> None:
    said(team, blocks=["human", "plans"], learning=LearningPolicy(batch=20))
    dry = command("migrate", "--from", team, "--to", new_place, "--dry-run")
    assert "setting would be moved: blocks human, plans" in dry.out.splitlines()
    result = command("migrate", "--from", team, "--to", new_place)
    assert result.out.splitlines()[:2] == [
        "setting moved: blocks human, plans",
        "setting moved: learning background, in batches of 20",
    ]
    assert recorded_in(new_place) == recorded_in(team)
    again = command("migrate", "--from", team, "--to", new_place)
    assert (again.code, "setting " in again.out) == (0, False), "nothing differs"


def test_what_the_new_place_has_recorded_wins_and_the_difference_is_said(
    command: Command, team: Path, new_place: str
) -> None:
    said(team, blocks=["human", "plans"], learning=LearningPolicy(batch=20))
    said(new_place, learning="inline")
    before = recorded_in(new_place)
    lines = [
        "setting {}moved: blocks human, plans",
        "setting left as it is there: learning inline (not learning background, in batches of 20)",
    ]
    dry = command("migrate", "--from", team, "--to", new_place, "--dry-run")
    assert dry.out.splitlines()[:2] == [line.format("would be ") for line in lines]
    assert recorded_in(new_place) == before
    result = command("migrate", "--from", team, "--to", new_place)
    assert result.out.splitlines()[:2] == [line.format("") for line in lines]
    found = recorded_in(new_place)
    assert found is not None
    assert ([block["label"] for block in found["blocks"]], found["learning"]) == (["human", "plans"], "inline")


def test_settings_that_differ_in_what_a_line_does_not_show_are_in_the_json(
    command: Command, team: Path, tmp_path: Path
) -> None:
    there = tmp_path / "new.db"
    said(team, blocks=[{"label": "plans", "limit": 100}])
    said(there, blocks=[{"label": "plans", "limit": 200}])
    result = command("migrate", "--from", team, "--to", there)
    assert "setting left as it is there: blocks plans (what differs is not in this line: see --json)" in result.out
    (setting,) = command("migrate", "--from", team, "--to", there, "--json").json["settings"]
    assert (setting["name"], setting["state"]) == ("blocks", "kept")
    assert (setting["value"][0]["limit"], setting["found"][0]["limit"]) == (100, 200)


def test_settings_of_a_later_release_go_along(command: Command, team: Path, tmp_path: Path) -> None:
    there, later = tmp_path / "new.db", {"tone": {"warm": 1}, "learning": {"mode": "background", "moon": "full"}}
    store = open_store(str(team))
    store.record_settings(later)
    store.close()
    assert "setting moved: tone" in command("migrate", "--from", team, "--to", there).out
    assert recorded_in(there) == later


def test_named_subjects_move_without_settings(command: Command, team: Path, tmp_path: Path) -> None:
    there = tmp_path / "new.db"
    said(team, blocks=["plans"])
    assert "setting " not in command("migrate", "--from", team, "--to", there, "--subject", "bob").out
    assert recorded_in(there) is None


def test_where_nothing_was_said_nothing_is_recorded(command: Command, team: Path, tmp_path: Path) -> None:
    there = tmp_path / "new.db"
    assert command("migrate", "--from", team, "--to", there, "--json").json["settings"] == []
    assert recorded_in(there) is None


def test_an_unknown_subject_moves_nothing(command: Command, team: Path, tmp_path: Path) -> None:
    there = tmp_path / "new.db"
    result = command("migrate", "--from", team, "--to", there, "--subject", "sarah", "--subject", "nobody")
    assert result.code == 1
    assert "nobody" in result.err
    with Memory(str(there)) as new:
        assert new.list_subjects() == []


def test_places_that_are_not_there_or_the_same_are_refused(command: Command, team: Path, tmp_path: Path) -> None:
    missing = command("migrate", "--from", tmp_path / "missing.db", "--to", tmp_path / "new.db")
    assert (missing.code, "no memory in" in missing.err, "--from" in missing.err) == (1, True, True)
    link = tmp_path / "link.db"
    link.symlink_to(team)
    for again in (team, f"sqlite:///{team}", team.parent / "." / "x" / ".." / team.name, link):
        same = command("migrate", "--from", team, "--to", again)
        assert (same.code, "same place" in same.err) == (1, True), again


def test_what_ends_with_the_command_is_no_place_to_move_to(command: Command, team: Path) -> None:
    nowhere = command("migrate", "--from", team, "--to", ":memory:")
    assert (nowhere.code, nowhere.out, "name a file or a server" in nowhere.err) == (1, "", True)


def test_a_subject_that_cannot_be_moved_does_not_hold_up_the_others(team: Path, tmp_path: Path) -> None:
    told: list[Moved] = []
    with Memory(str(team), learning="off") as old, Memory(str(tmp_path / "new.db"), learning="off") as new:
        agent = old.get_memory_agent_id("bob")
        (record,) = (each for each in export_subject(old, "bob") if each["type"] == "subject")
        assert record["agent_id"] == agent
        with new._core.store.journal.transaction():
            taken = old._core.store.transfer.read("bob")
            assert taken is not None
            renamed = taken.subject.model_copy(update={"subject_id": "robert"})
            new._core.store.transfer.write(type(taken)(subject=renamed))
        done = move_subjects(old, new, on_moved=told.append)
        assert told == done
        assert {each.subject_id: each.state for each in done} == {
            "bob": "failed",
            "project é": "moved",
            "sarah": "moved",
        }
        assert "robert" in (done[0].error or "")
        with pytest.raises(SubjectNotFoundError, match="nobody"):
            move_subjects(old, new, ["nobody"])
