"""The commands of `ai-memory`."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from ai_memory_integrations import Block, Memory, Message, __version__
from ai_memory_integrations.backends.urls import open_store
from ai_memory_integrations.types import LearningPolicy

Command = Callable[..., Any]

READERS = (
    ("subjects",),
    ("show", "sarah", "--history"),
    ("search", "sarah", "Lisbon"),
    ("runs",),
    ("export", "sarah"),
    ("doctor",),
)


class FailingLearner:
    """Fails at its first attempt; named as the default one, so that the default one may try again."""

    name = "extractive"
    policy = LearningPolicy(batch=1, idle=0, max_wait=0, attempts=1)

    def learn(self, blocks: Sequence[Block], messages: Sequence[Message]) -> list[Any]:
        raise RuntimeError("the model is out of office")


def wait_unlearnt(file: Path, learner: object = None) -> None:
    with Memory(str(file), subject_id="sarah", learning="off", learner=learner) as memory:
        memory.add_messages([{"role": "user", "content": "I work as a baker.", "id": "m9"}])


@pytest.mark.parametrize("arguments", READERS[:-1])
def test_commands_that_read_make_no_file(command: Command, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = command("--url", tmp_path / "none.db", *arguments)

    assert result.code == 1
    assert "there is no memory in" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", READERS)
def test_commands_that_read_never_learn(command: Command, file: Path, arguments: tuple[str, ...]) -> None:
    wait_unlearnt(file)

    command("--url", file, *arguments)

    with Memory(str(file), learning="off") as memory:
        assert memory.stats().waiting == 1


def test_subjects_are_listed(command: Command, file: Path) -> None:
    assert "sarah" in command("--url", file, "subjects").out
    assert [each["subject_id"] for each in command("--url", file, "subjects", "--json").json] == ["sarah"]


def test_the_place_comes_from_the_environment(command: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_MEMORY_URL", f"sqlite:///{file}")

    assert "sarah" in command("subjects").out


def test_show_gives_blocks_and_threads(command: Command, file: Path) -> None:
    shown = command("--url", file, "show", "sarah")

    assert "Name: Sarah" in shown.out
    assert "thread default: 3 messages" in shown.out
    as_json = command("--url", file, "show", "sarah", "--json").json
    assert [block["label"] for block in as_json["blocks"]] == ["human", "summary"]
    assert as_json["waiting"] == 0


def test_show_gives_the_history_as_a_dated_diff(command: Command, file: Path) -> None:
    lines = [line.strip() for line in command("--url", file, "show", "sarah", "--history").out.splitlines()]

    removed = next(place for place, line in enumerate(lines) if line.startswith("- Lives in: Lisbon"))
    assert lines[removed + 1].startswith("+ Lives in: Porto")
    assert "by learner, run_" in lines[removed - 1]


def test_an_unknown_subject_is_one_line_on_standard_error(command: Command, file: Path) -> None:
    for arguments in (("show", "bob"), ("search", "bob", "x"), ("export", "bob"), ("forget", "bob", "--yes")):
        result = command("--url", file, *arguments)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("ai-memory: subject 'bob' is not known.")
        assert result.err.count("\n") == 1


def test_search_finds_what_was_said(command: Command, file: Path) -> None:
    assert "I live in Lisbon" in command("--url", file, "search", "sarah", "Lisbon").out
    found = command("--url", file, "search", "sarah", "Lisbon", "--limit", "1", "--json").json
    assert [each["message_id"] for each in found] == ["m1"]


def test_what_was_remembered_cannot_drive_the_terminal(command: Command, file: Path) -> None:
    with Memory(str(file), subject_id="sarah") as memory:
        memory.add_messages([{"role": "user", "content": "zebra \x1b[2J\x1b[31m[bold]red\x07"}])

    shown = command("--url", file, "search", "sarah", "zebra").out

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\\x1b[2J" in shown
    assert "[bold]red" in shown


def test_runs_are_listed_by_state(command: Command, file: Path) -> None:
    assert {run["state"] for run in command("--url", file, "runs", "sarah", "--json").json} == {"completed"}
    assert command("--url", file, "runs", "--state", "failed", "--json").json == []
    assert command("--url", file, "runs", "--state", "lost").code == 2


def test_learn_learns_what_waits(command: Command, file: Path) -> None:
    wait_unlearnt(file)

    result = command("--url", file, "learn")

    assert (result.code, result.out) == (0, "1 message learnt in 1 run by extractive\n")
    assert "baker" in command("--url", file, "show", "sarah").out


def test_what_failed_is_named_and_learnt_on_request(command: Command, file: Path) -> None:
    with Memory(str(file), subject_id="sarah", learner=FailingLearner()) as memory:
        memory.add_messages([{"role": "user", "content": "I work as a baker."}])
        memory.drain()

    report = command("--url", file, "doctor")
    assert report.code == 1
    assert "the model is out of office" in report.out
    assert "ai-memory learn --retry" in report.out

    assert "0 messages" in command("--url", file, "learn").out
    assert command("--url", file, "learn", "--retry").code == 0
    assert command("--url", file, "doctor").code == 0


def test_messages_of_another_learner_are_left_and_named(command: Command, file: Path) -> None:
    class Other(FailingLearner):
        name = "house-model"

    wait_unlearnt(file, Other())

    learnt = command("--url", file, "learn")
    assert learnt.code == 0
    assert "1 message left for the learner 'house-model'; here is 'extractive'" in learnt.err
    report = command("--url", file, "doctor", "--json")
    assert report.code == 1
    assert any("'house-model'" in each["text"] for each in report.json if each["level"] == "problem")


def test_doctor_says_which_file_and_why(command: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"{file} (from --url)" in command("--url", file, "doctor").out
    monkeypatch.setenv("AI_MEMORY_URL", str(file))
    report = command("doctor").out
    assert f"{file} (from AI_MEMORY_URL)" in report
    assert "schema version 1" in report
    assert "1 subject" in report


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has no memory yet and named no place for it."""
    for name in ("XDG_DATA_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path / "home"


def test_without_a_place_the_users_data_directory_is_used(command: Command, file: Path, home: Path) -> None:
    exported = file.with_suffix(".jsonl")
    command("--url", file, "export", "sarah", "-o", exported)
    assert "(from the user's data directory)" in command("doctor").out
    assert not home.exists()

    assert command("import", exported).code == 0

    assert "sarah" in command("subjects").out
    assert list(home.rglob("memory.db"))


def test_doctor_says_that_a_letta_key_is_not_used(
    command: Command, file: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "LETTA_API_KEY" not in command("doctor").out

    monkeypatch.setenv("LETTA_API_KEY", "let-secret")
    report = command("doctor").out
    assert "LETTA_API_KEY is set, but memory is kept in a file" in report
    assert "set AI_MEMORY_URL" in report
    assert "let-secret" not in report

    monkeypatch.setenv("AI_MEMORY_URL", str(file))
    assert "LETTA_API_KEY" not in command("doctor").out


def test_prune_removes_old_versions_and_doctor_says_how_much_there_is(command: Command, file: Path) -> None:
    def versions() -> str:
        report = " ".join(command("--url", file, "doctor").out.split())
        return next(part for part in report.split("history ")[1:] if "versions of" in part).partition(" blocks")[0]

    assert versions() == "6 versions of 2"
    assert command("--url", file, "prune", "--keep", "2", "--dry-run").out == "2 versions would be removed\n"
    assert command("--url", file, "prune", "--days", "1").out == "0 versions removed\n"
    assert command("--url", file, "prune", "sarah", "--keep", "2", "--days", "0", "--json").json == {
        "versions": 2,
        "dry_run": False,
    }
    assert command("--url", file, "prune", "--days", "0").out == "2 versions removed\n"
    assert versions() == "2 versions of 2"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("arguments", [["show", "sarah"], ["subjects"], ["subjects", "--json"], ["export", "sarah"]])
def test_output_that_cannot_be_written_is_said_in_a_line(file: Path, arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "ai_memory_integrations.cli", "--url", str(file), *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (1, "ai-memory: standard output: No space left on device\n")


def test_prune_has_to_know_what_stays(command: Command, file: Path) -> None:
    for wrong in ([], ["--keep", "0"], ["--days", "1e99"], ["--days", "nan"]):
        assert command("--url", file, "prune", *wrong).code == 2
    unknown = command("--url", file, "prune", "nobody", "--keep", "1")
    assert (unknown.code, "nobody" in unknown.err) == (1, True)


def test_doctor_says_what_an_application_recorded(command: Command, tmp_path: Path) -> None:
    url = str(tmp_path / "m.db")
    with Memory(url, blocks=["human", "plans"], learning=LearningPolicy(batch=20)) as memory:
        memory.add_messages("sarah", [{"role": "user", "content": "Hi."}])
    said = " ".join(command("--url", url, "doctor").out.split())
    assert "recorded by an application: blocks human, plans; learning background, in batches of 20" in said


def test_doctor_says_what_a_later_release_recorded(command: Command, tmp_path: Path) -> None:
    url = str(tmp_path / "m.db")
    store = open_store(url)
    store.record_settings({"blocks": [{"label": "plans", "pinned": True}], "learning": "adaptive", "tone": "warm"})
    store.close()
    said = " ".join(command("--url", url, "doctor").out.split())
    assert "recorded by an application: blocks plans" in said
    assert "learning and tone, recorded by a later release, cannot be read by this one" in said


def test_doctor_makes_no_file(command: Command, tmp_path: Path) -> None:
    report = command("--url", tmp_path / "none.db", "doctor")

    assert report.code == 0
    assert "not there yet" in report.out
    assert list(tmp_path.iterdir()) == []


def test_doctor_reports_a_file_of_another_kind(command: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database at all, just text")

    report = command("--url", tmp_path / "notes.txt", "doctor")

    assert report.code == 1
    assert "it is no SQLite database" in report.out
    assert (tmp_path / "notes.txt").read_text() == "no database at all, just text"


def test_a_key_is_not_taken_for_a_file(command: Command) -> None:
    result = command("--url", "sk-let-0123456789abcdef0123456789abcdef", "subjects")

    assert result.code == 1
    assert "looks like an API key" in result.err
    assert "0123456789abcdef" not in result.err


def test_forget_asks_first(command: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    result = command("--url", file, "forget", "sarah")

    assert result.code == 1
    assert "Erase everything about 'sarah'?" in result.err
    assert "sarah" in command("--url", file, "subjects").out


def test_forget_prints_a_receipt(command: Command, file: Path) -> None:
    result = command("--url", file, "forget", "sarah", "--yes", "--json")

    assert result.code == 0
    assert result.json["messages"] == 3
    assert command("--url", file, "subjects", "--json").json == []


def test_reindex_needs_an_embedder(command: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_MEMORY_EMBEDDER", "none")

    result = command("--url", file, "reindex")

    assert result.code == 1
    assert "pip install 'ai-memory-integrations[embeddings]'" in result.err


def test_after_reindex_search_knows_meanings(command: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Memory(str(file), subject_id="sarah", learning="off") as memory:
        memory.add_messages([{"role": "user", "content": "I love cats."}])
    monkeypatch.setenv("AI_MEMORY_EMBEDDER", "wordllama")
    assert "ai-memory reindex" in command("--url", file, "doctor").out

    assert command("--url", file, "reindex").code == 0

    found = command("--url", file, "search", "sarah", "animals", "--json").json
    assert found[0]["text"] == "I love cats."
    assert "by terms and meaning" in command("--url", file, "doctor").out


def test_a_subject_moves_to_another_file(command: Command, file: Path, tmp_path: Path) -> None:
    exported = tmp_path / "sarah.jsonl"
    assert command("--url", file, "export", "sarah", "--output", exported).code == 0

    result = command("--url", tmp_path / "other.db", "import", exported)

    assert (result.code, result.out) == (0, "sarah: 2 blocks, 3 messages, 3 passages added\n")
    assert command("--url", tmp_path / "other.db", "export", "sarah").out == exported.read_text("utf-8")


def test_export_overwrites_no_file(command: Command, file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    result = command("--url", file, "export", "sarah", "--output", tmp_path / "mine.txt")

    assert (result.code, result.err) == (1, f"ai-memory: {tmp_path / 'mine.txt'}: File exists\n")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_import_refuses_a_subject_that_is_there_unless_it_is_merged(
    command: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = command("--url", file, "export", "sarah").out

    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    refused = command("--url", file, "import", "-")
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    merged = command("--url", file, "import", "-", "--merge")

    assert refused.code == 1
    assert "already exists" in refused.err
    assert "--merge" in refused.err
    assert (merged.code, merged.out) == (0, "sarah: 0 blocks, 0 messages, 0 passages added\n")
    assert command("--url", file, "export", "sarah").out == lines


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as Unix does")
def test_an_export_that_finds_no_room_says_so_and_leaves_no_part_of_it(tmp_path: Path) -> None:
    import resource

    path, exported = str(tmp_path / "memory.db"), tmp_path / "sarah.jsonl"
    with Memory(path, subject_id="sarah", learning="off", embedder=False) as memory:
        memory.add_messages([{"role": "user", "content": "x" * 5000} for _ in range(200)], skip_vector_storage=True)
    call = partial(
        subprocess.run,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )

    result = call(
        [sys.executable, "-m", "ai_memory_integrations.cli", "--url", path, "export", "sarah", "-o", exported]
    )

    assert (result.returncode, result.stderr) == (1, f"ai-memory: {exported}: File too large\n")
    assert not exported.exists()


def test_an_export_that_an_editor_saved_with_its_marks_is_read(command: Command, file: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.jsonl"
    lines = command("--url", file, "export", "sarah").out
    edited.write_text("\ufeff" + lines.replace("\n", "\r\n"), "utf-8", newline="")

    assert command("--url", tmp_path / "other.db", "import", edited).code == 0
    assert command("--url", tmp_path / "other.db", "export", "sarah").out == lines


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_json_is_utf_8_whatever_the_terminal_speaks(tmp_path: Path, encoding: str) -> None:
    path, said = str(tmp_path / "memory.db"), "My name is Jürgen 😀"
    with Memory(path, subject_id="jürgen", learning="off", embedder=False) as memory:
        memory.add_messages([{"role": "user", "content": said}])
    call = partial(subprocess.run, capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": encoding})
    command = [sys.executable, "-m", "ai_memory_integrations.cli", "--url"]

    lines = call([*command, path, "export", "jürgen"]).stdout
    call([*command, str(tmp_path / "other.db"), "import", "-"], input=lines)
    found = call([*command, path, "search", "jürgen", "name", "--json"]).stdout

    with Memory(str(tmp_path / "other.db"), subject_id="jürgen", learning="off", embedder=False) as memory:
        assert [message.text for message in memory.list_messages()] == [said]
    assert json.loads(found.decode())[0]["text"] == said


def test_the_version_is_told(command: Command) -> None:
    assert command("--version").out == f"{__version__}\n"
