"""The demo: what it claims is true, and it plays the user's own files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE, least

from ai_memory_integrations import Memory
from ai_memory_integrations.demo.child import DemoFailedError, play
from ai_memory_integrations.demo.findings import changes, count
from ai_memory_integrations.demo.transcript import Transcript, TranscriptError, bundled, load

DEMO = [sys.executable, "-m", "ai_memory_integrations.cli", "demo"]


def shown(*arguments: str) -> str:
    """What `ai-memory demo` prints when it is piped."""
    done = subprocess.run([*DEMO, *arguments], capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def output() -> str:
    return shown()


def test_the_bundled_conversation_is_several_sessions_over_several_days() -> None:
    transcript = bundled()

    assert len(transcript.messages) == 41
    assert len(list(transcript.sessions())) == 5
    assert len({said.created_at.date() for said in transcript.messages if said.created_at}) == 5
    moments = [said.created_at for said in transcript.messages]
    assert moments == sorted(moments)


def test_nothing_is_lost_and_nothing_is_there_twice_after_the_process_was_killed(output: str) -> None:
    dead = re.search(
        r"process (\d+) killed \(SIGKILL\) in the transaction of message 26, after 25 were acknowledged", output
    )
    alive = re.search(r"process (\d+) opened the file: 25 are there", output)

    assert dead is not None
    assert alive is not None
    assert dead[1] != alive[1]
    assert "41 of 41 messages, 0 lost, 0 twice" in output


def test_a_changed_fact_is_shown_with_its_dates_and_the_message_it_came_from(output: str) -> None:
    lines = [line.strip() for line in output.splitlines()]
    place = lines.index("- Lives in: Gothenburg (2026-03-02)")

    assert lines[place + 1] == "+ Lives in: Malmö (2026-03-12)"
    assert lines[place + 2].startswith("because  “Big news: we moved. I live in Malmö now")
    assert lines[place + 2].endswith("Thu 12 Mar 18:40")


def test_questions_are_answered_with_the_message_and_its_time(output: str) -> None:
    for evidence in (
        "I'm allergic to walnuts. I always mix up the two words.” Sat 7 Mar 10:05",
        "and the piano is still on the first.” Thu 12 Mar 18:40",
        "I promised it back by the 20th of March.” Wed 4 Mar 13:20",
        "he does not eat gelatine, so the sea has to be jelly made with agar.” Sat 7 Mar 10:12",
    ):
        assert any(line.strip().startswith("with     ") and evidence in line for line in output.splitlines())


def test_a_question_without_a_common_word_is_answered_by_meaning(output: str) -> None:
    pytest.importorskip("wordllama")
    question, evidence = "what car do we drive", "it travelled between the seats of our old volvo, wrapped in a duvet"

    assert not set(question.split()) & set(evidence.replace(",", "").split())
    assert re.search(r"before, by terms +not found", output)
    assert re.search(r"after, by meaning +rank [1-3] ", output)


def test_it_says_what_it_is_not(output: str) -> None:
    assert "learnt by rules, no model" in output


def test_a_pipe_gets_neither_colour_nor_a_question(output: str) -> None:
    assert "\x1b" not in output
    assert "Tell me one thing" not in output
    assert all(line == line.rstrip() for line in output.splitlines())


def test_the_lines_to_paste_run(output: str) -> None:
    lines = output.splitlines()
    first = lines.index("from ai_memory_integrations import Memory")

    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines[first : first + 4])],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Lives in: Malmö" in done.stdout
    assert "viola" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="a terminal of our own needs a pseudo-terminal")
def test_on_a_terminal_it_remembers_what_it_is_told() -> None:
    import pty

    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(DEMO, stdin=child, stdout=child, stderr=child, env=environment) as process:
        os.close(child)
        os.write(parent, b"My name is Robin.\n")
        seen = b""
        while True:
            try:
                seen += os.read(parent, 4096)
            except OSError:  # how Linux says that the other side is closed
                break
            if not seen:
                break
    os.close(parent)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())

    assert process.returncode == 0
    assert "Tell me one thing about you:" in text
    assert re.search(r"run +run_\w+ completed", text)
    assert re.search(r"block +\+ Name: Robin", text)
    assert re.search(r"search +“My name is Robin\.”", text)


def own(tmp_path: Path, text: str, name: str = "chat.jsonl") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_it_plays_a_conversation_of_ones_own(tmp_path: Path) -> None:
    said = [
        {"role": "user", "content": "My name is Kim and I live in Oslo.", "created_at": "2026-01-05T10:00:00Z"},
        {"role": "assistant", "content": "Hello Kim."},
        {"role": "user", "content": "I live in Bergen now.", "thread_id": "later", "mood": "good"},
    ]
    lines = "\n".join(map(json.dumps, said))

    for name, text in (
        ("chat.jsonl", lines),
        ("chat.json", json.dumps(said)),
        ("c.json", json.dumps({"messages": said})),
    ):
        output = shown(str(own(tmp_path, text, name)))
        assert "3 of 3 messages, 0 lost, 0 twice" in output
        assert "Lives in: Bergen" in output
        assert "not read in that file: mood" in output
        assert "Mara" not in output


def test_a_single_message_is_enough(tmp_path: Path) -> None:
    assert "1 of 1 messages, 0 lost, 0 twice" in shown(str(own(tmp_path, '{"role": "user", "content": "I am Kim."}')))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no messages in it"),
        ("[]", "no messages in it"),
        ("3", "holds a int"),
        ("hello", "line 1: not JSON"),
        ('{"role": "user", "content": "a"}\n{"role": "user"}', "line 2: no 'content' (keys: role)"),
        ('[{"content": "a"}]', "message 1: no 'role' (keys: content)"),
        ('["hello"]', "message 1: a str instead of an object"),
        ('{"role": "robot", "content": "a"}', "line 1: the role is 'robot'; it is one of user"),
        ('{"role": "user", "content": 7}', "line 1: the content is a int"),
        ('{"role": "user", "content": "a", "created_at": "yesterday"}', "created_at is 'yesterday'"),
        ('{"role": "user", "content": "a", "created_at": "2026-01-05T10:00:00"}', "a time with its zone"),
    ],
)
def test_a_file_that_is_no_conversation_is_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    path = own(tmp_path, text)

    with pytest.raises(TranscriptError) as refused:
        load(path)

    assert complaint in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_one_line_on_standard_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, str(tmp_path / "no.json")], capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False
    )

    assert done.returncode == 1
    assert done.stderr == f"ai-memory: {tmp_path / 'no.json'}: No such file or directory\n"


def test_a_player_that_fails_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DemoFailedError, match="is no SQLite database"):
        list(play(str(own(tmp_path, "no database, just some text")), "you", None))


def test_the_count_tells_what_is_missing_and_what_is_there_twice(tmp_path: Path) -> None:
    transcript = Transcript(bundled().messages[:4])
    with Memory(str(tmp_path / "memory.db"), subject_id="mara") as memory:
        memory.add_messages(transcript.messages[:3])
        memory.flush()
        short = count(memory, transcript)
        assert (short.found, short.whole) == (3, False)
        assert short.lost >= 1

        memory.add_messages([transcript.messages[3], transcript.messages[0].model_copy(update={"id": "again"})])
        memory.flush()
        assert count(memory, transcript).twice == 1


def test_the_first_line_is_there_at_once() -> None:
    def share() -> float:
        """How much of the time it takes has gone by when the first line is there."""
        begun = time.monotonic()
        with subprocess.Popen([*DEMO, "--no-input"], stdout=subprocess.PIPE, encoding="utf-8") as process:
            assert process.stdout is not None
            assert "41 messages" in process.stdout.readline()
            waited = time.monotonic() - begun
            process.stdout.read()
        return waited / (time.monotonic() - begun)

    assert least(share, below=0.5) < 0.5


def test_new_facts_are_no_changes(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "memory.db"), subject_id="kim") as memory:
        for text in ("My name is Kim.", "I live in Oslo.", "I live in Bergen now."):
            memory.wait_for_run(memory.add_messages([{"role": "user", "content": text}]))
        found = list(changes(memory))

    assert [change.removed.partition(" (")[0] for change in found] == ["Lives in: Oslo"]
    assert found[0].message is not None
    assert found[0].message.text == "I live in Bergen now."
