"""Files as passages: in parts with their headings, once, and kept up to date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ai_memory_integrations import FileProgress, FilesAdded, Memory
from ai_memory_integrations.cli.commands import app
from ai_memory_integrations.errors import InvalidInputError, NoSubjectError
from ai_memory_integrations.parts import LONGEST, SHORTEST, split

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "learn-from-files.md"
GUIDE = """\
---
title: A guide
# no heading
---
Read this first.

# Guide

## Install

Use the package manager.

```sh
# no heading either
install it
```

## Use

Start it with one command.
"""


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(":memory:", subject_id="sarah", embedder=False) as memory:
        yield memory


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a guide in it, as the working directory."""
    (tmp_path / "guide.md").write_text(GUIDE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts(text: str, *, markdown: bool = True) -> list[str]:
    return [text[part.start : part.end] for part in split(text, markdown=markdown)]


# parts

_LINES = st.sampled_from(
    [
        "# One",
        "## Two ##",
        "###### Six",
        "Title",
        "=====",
        "---",
        "```",
        "~~~~",
        "    code",
        "- item",
        "",
        "  ",
        "a" * 2000,
    ]
) | st.text(max_size=80)
_PROSE = st.lists(st.sampled_from(["word", "Sentence.", "longer-word", "\n\n", "\n", "句。", "!"]), max_size=700).map(
    " ".join
)
_TEXTS = st.lists(_LINES | _PROSE, max_size=40).map("\n".join)


@settings(max_examples=60, deadline=None)
@given(_TEXTS, st.booleans())
def test_parts_follow_each_other_without_a_gap_and_are_not_too_long(text: str, markdown: bool) -> None:
    parts = split(text, markdown=markdown)

    assert "".join(text[part.start : part.end] for part in parts) == text
    assert all(0 < part.end - part.start <= LONGEST for part in parts)
    assert parts == split(text, markdown=markdown)


@settings(max_examples=60, deadline=None)
@given(_TEXTS, st.booleans())
def test_no_word_is_cut_unless_it_fills_a_part(text: str, markdown: bool) -> None:
    for before, after in pairwise(texts(text, markdown=markdown)):
        starts_a_line = before.endswith("\n")
        assert starts_a_line or before[-1].isspace() or before[-1] in "。！？" or not re.search(r"\s", before), (
            before[-20:],
            after[:20],
        )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 60).map(lambda words: " ".join(["word"] * words)), min_size=1, max_size=60))
def test_paragraphs_that_fit_stay_whole_and_parts_are_filled(paragraphs: list[str]) -> None:
    found = texts("\n\n".join(paragraphs), markdown=False)

    assert [line for part in found for line in part.split("\n\n") if line] == paragraphs
    assert all(len(part) >= SHORTEST for part in found[:-1])


def test_no_text_has_no_parts() -> None:
    assert split("") == []


def test_a_heading_begins_a_part_and_stands_below_those_above_it() -> None:
    assert [(part.heading, part.above) for part in split(GUIDE)] == [
        ("", ""),
        ("Guide > Install", ""),
        ("Guide > Use", "Guide"),
    ]


def test_the_headings_of_plain_text_are_text() -> None:
    assert [part.heading for part in split(GUIDE, markdown=False)] == [""]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("# One\ntext\n# Two\ntext", ["One", "Two"]),
        ("# One #\r\ntext\r\n\r\n### Three\r\ntext", ["One", "One > Three"]),
        ("One\n===\ntext\n\nTwo\n---\ntext", ["One", "One > Two"]),
        ("a paragraph\nof two lines\n---\ntext", [""]),
        ("- item\n---\ntext", [""]),
        ("#hashtag\n\n    # code\n\n####### seven", [""]),
        ("# One\n\n## Two\n\n# Three\ntext", ["Three"]),
        ("# \ntext", [""]),
        ("~~~\n# code\n```\n~~~\n# One\ntext", ["", "One"]),
        ("``` `not a fence` ```\n# One\ntext", ["", "One"]),
        ("```\n# never closed", [""]),
        ("---\n# not metadata", ["", "not metadata"]),
    ],
)
def test_headings_are_those_of_markdown(text: str, headings: list[str]) -> None:
    assert [part.heading for part in split(text)] == headings


def test_a_block_of_code_stays_whole_when_it_fits() -> None:
    code = "```\n" + "\n\n".join(f"line {n} of code. End" for n in range(55)) + "\n```\n"
    prose = "Some words about it. " * 20

    for before in (0, 5, 30, 60):
        text = "Words before. " * before + "\n\n" + code + prose
        assert len(code) < LONGEST < len(text)
        assert sum(code in part for part in texts(text)) == 1


def test_a_block_of_code_that_is_too_long_is_cut_at_lines() -> None:
    text = "```\n" + "x = call(1, 2)\n" * 300 + "```\n"

    assert all(part.endswith("\n") for part in texts(text))


def test_the_last_part_of_a_long_text_is_not_tiny() -> None:
    sentence = "This is a sentence of some words. "

    for extra in range(1, 60):
        *_, last = texts(sentence * 44 + "word " * extra)
        assert len(last) >= SHORTEST - len(sentence)


# what is remembered


def test_parts_are_found_by_search_with_their_headings(memory: Memory, here: Path) -> None:
    memory.add_files(["guide.md"])

    assert memory.search(query="starting command") == ["Guide\n\n## Use\n\nStart it with one command."]
    assert memory.search("package manager")[0].startswith(
        "# Guide\n\n## Install\n\nUse the package manager.\n\n```sh\n"
    )


def test_a_passage_says_where_it_comes_from(memory: Memory, here: Path) -> None:
    memory.add_files([{"path": "guide.md", "description": "How to begin"}], tags=["docs"])
    passages = memory.list_passages(tags=["docs"])

    assert [(each.metadata["heading"], each.metadata["part"], each.metadata["parts"]) for each in passages] == [
        ("", 1, 3),
        ("Guide > Install", 2, 3),
        ("Guide > Use", 3, 3),
    ]
    for each in passages:
        assert each.metadata["source"] == "guide.md"
        assert each.metadata["description"] == "How to begin"
        assert len(each.metadata["sha256"]) == 64
        assert each.text.endswith(GUIDE[each.metadata["start"] : each.metadata["end"]])


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ("guide.md", "guide.md"),
        ("./guide.md", "guide.md"),
        (Path("guide.md"), "guide.md"),
        ({"file_path": "guide.md"}, "guide.md"),
        ({"path": "guide.md", "label": "The guide"}, "The guide"),
    ],
)
def test_the_source_is_the_path_as_given_or_a_label(memory: Memory, here: Path, given: object, source: str) -> None:
    done = memory.add_files([given])  # type: ignore[list-item]

    assert [file.source for file in done.files] == [source]
    assert str(here) not in str([passage.model_dump() for passage in memory.list_passages()])


def test_a_path_that_was_given_whole_is_kept_whole(memory: Memory, here: Path) -> None:
    assert memory.add_files([here / "guide.md"]).files[0].source == (here / "guide.md").as_posix()


def test_a_directory_gives_its_text_and_markdown_files_by_name(memory: Memory, here: Path) -> None:
    for name in ("b.txt", "a/z.MD", "a/y.markdown", "a/code.py", ".git/x.md", "a/.hidden.md"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text(f"This is {name}.")

    done = memory.add_files(["."])
    labelled = memory.add_files([{"path": "a", "label": "https://x/docs"}])

    assert [file.source for file in done.files] == ["a/y.markdown", "a/z.MD", "b.txt", "guide.md"]
    assert [file.source for file in labelled.files] == ["https://x/docs/y.markdown", "https://x/docs/z.MD"]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\r\n\t\n", b"\n" * 5000])
def test_a_file_without_text_has_no_parts(memory: Memory, here: Path, content: bytes) -> None:
    (here / "empty.md").write_bytes(content)

    assert memory.add_files(["empty.md"]).files[0].passage_ids == ()
    assert memory.list_passages() == []


def test_a_byte_order_mark_is_no_text_and_line_ends_may_be_those_of_windows(memory: Memory, here: Path) -> None:
    (here / "windows.md").write_bytes("\ufeff# Über\r\n\r\nText.\r\n".encode())

    memory.add_files(["windows.md"])

    assert memory.search("text") == ["# Über\r\n\r\nText."]
    assert memory.list_passages()[0].metadata["heading"] == "Über"


# again


def test_the_same_file_again_adds_nothing(memory: Memory, here: Path) -> None:
    first = memory.add_files(["guide.md"])
    before = memory.list_passages()
    again = memory.add_files(["guide.md"])

    assert (first.added, first.unchanged, first.removed) == (3, 0, 0)
    assert (again.added, again.unchanged, again.removed) == (0, 3, 0)
    assert again.files[0].passage_ids == first.files[0].passage_ids
    assert memory.list_passages() == before


def test_a_changed_file_replaces_its_parts(memory: Memory, here: Path) -> None:
    memory.add_files(["guide.md"])
    (here / "guide.md").write_text(GUIDE.replace("one command", "two commands").replace("Read this first.", ""))

    done = memory.add_files(["guide.md"])

    assert done.added == 3
    assert memory.search("start it") == ["Guide\n\n## Use\n\nStart it with two commands."]
    assert memory.search("read this first") == []
    assert len({passage.metadata["sha256"] for passage in memory.list_passages()}) == 1


@pytest.mark.parametrize("left", [0, 1, 2])
def test_parts_that_are_gone_from_a_file_go(memory: Memory, here: Path, left: int) -> None:
    memory.add_files(["guide.md"])
    (here / "guide.md").write_text("".join(f"# Heading {n}\n\nText {n}.\n\n" for n in range(left)))

    done = memory.add_files(["guide.md"])

    assert (done.added, done.removed) == (left, 3 - left)
    assert [passage.text for passage in memory.list_passages()] == [f"# Heading {n}\n\nText {n}." for n in range(left)]


def test_a_passage_that_was_deleted_comes_back_with_its_file(memory: Memory, here: Path) -> None:
    ids = memory.add_files(["guide.md"]).files[0].passage_ids
    memory.delete_passage(ids[1])

    assert (done := memory.add_files(["guide.md"])).added == 1
    assert done.unchanged == 2
    assert {passage.id for passage in memory.list_passages()} == set(ids)


def test_other_tags_replace_those_that_were_there(memory: Memory, here: Path) -> None:
    memory.add_files(["guide.md"], tags=["old"])

    assert memory.add_files(["guide.md"], tags=["new"]).added == 3
    assert {passage.tags for passage in memory.list_passages()} == {("new",)}


def test_what_comes_from_elsewhere_is_left_alone(memory: Memory, here: Path) -> None:
    memory.add_passages([{"text": "Mine.", "metadata": {"source": "guide.md", "parts": 9}}])
    (here / "other.md").write_text("Another file.")
    memory.add_files(["guide.md", "other.md"])
    (here / "guide.md").write_text("")

    memory.add_files(["guide.md"])

    assert [passage.text for passage in memory.list_passages()] == ["Mine.", "Another file."]


def test_each_subject_has_a_file_of_its_own(memory: Memory, here: Path) -> None:
    memory.add_files(["guide.md"])
    memory.add_files(["guide.md"], subject_id="tom")
    (here / "guide.md").write_text("")
    memory.add_files(["guide.md"])

    assert memory.search("tom", "package manager") != []
    assert memory.search("package manager") == []


# what is refused


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["guide.md", "missing.md"], "missing.md: No such file"),
        (["guide.md", "latin.txt"], "latin.txt is not UTF-8 text: byte 4 is 0xe9"),
        (["guide.md", "picture.png"], "picture.png is no text: byte 3 is 0x00"),
        (["guide.md", "wide.txt"], "wide.txt is UTF-16"),
        (["guide.md", "nothing"], "nothing has no file that ends in"),
        (["guide.md", "./guide.md"], "both called 'guide.md'"),
        (["guide.md", {"path": "latin.txt", "label": "guide.md"}], "both called 'guide.md'"),
        (["guide.md", {"path": "guide.md", "name": "x"}], "paths[1] has the unknown key 'name'"),
        (["guide.md", {"label": "x"}], "paths[1] has neither 'path' and 'file_path'"),
        (["guide.md", {"path": "a", "file_path": "a"}], "paths[1] has both 'path' and 'file_path'"),
        (["guide.md", 7], "paths[1] is int"),
        (["guide.md", " "], "paths[1] is no path"),
        (["guide.md", "\0"], "paths[1] is no path"),
        ("guide.md", "put it into a list, such as ['guide.md']"),
        (Path("guide.md"), "put it into a list, such as ['guide.md']"),
        ({"path": "guide.md"}, "put it into a list, such as ['guide.md']"),
    ],
)
def test_what_cannot_be_learnt_is_named_and_nothing_is_written(
    memory: Memory, here: Path, paths: object, reason: str
) -> None:
    (here / "latin.txt").write_bytes("café".encode("latin-1").replace(b"f\xe9", b"f \xe9"))
    (here / "picture.png").write_bytes("né\0".encode())
    (here / "wide.txt").write_bytes("text".encode("utf-16"))
    (here / "nothing").mkdir()

    with pytest.raises(InvalidInputError) as refused:
        memory.add_files(paths)  # type: ignore[arg-type]

    assert reason in str(refused.value)
    assert memory.list_subjects() == []


def test_tags_are_a_list_and_a_subject_is_needed(here: Path) -> None:
    with Memory(":memory:", embedder=False) as memory:
        with pytest.raises(InvalidInputError, match="tags must be a list"):
            memory.add_files(["guide.md"], subject_id="sarah", tags="docs")
        with pytest.raises(NoSubjectError):
            memory.add_files(["guide.md"])


def test_a_file_is_written_whole_or_not_at_all(memory: Memory, here: Path) -> None:
    (here / "a.md").write_text("The first file.")

    def stop(at: FileProgress) -> None:
        if at.source == "guide.md" and at.part:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.add_files(["a.md", "guide.md"], on_progress=stop)

    assert [passage.text for passage in memory.list_passages()] == ["The first file."]


# progress, async, the command


def test_progress_tells_of_each_file_and_of_every_thousand_parts(memory: Memory, here: Path) -> None:
    (here / "long.md").write_text("".join(f"# H{n}\n\ntext\n\n" for n in range(1200)))
    told: list[FileProgress] = []

    memory.add_files(["guide.md", "long.md"], on_progress=told.append)

    assert [(at.source, at.file, at.files, at.part, at.parts) for at in told] == [
        ("guide.md", 1, 2, 0, 3),
        ("guide.md", 1, 2, 3, 3),
        ("long.md", 2, 2, 0, 1200),
        ("long.md", 2, 2, 1000, 1200),
        ("long.md", 2, 2, 1200, 1200),
    ]


async def test_files_are_added_by_async_callers_too(memory: Memory, here: Path) -> None:
    done = await memory.aio.add_files(["guide.md"], tags=["docs"])

    assert isinstance(done, FilesAdded)
    assert done.added == 3


def test_a_large_file_is_added_in_little_time(memory: Memory, here: Path) -> None:
    (here / "large.txt").write_text("Words in a sentence. " * 100_000)

    assert memory.add_files(["large.txt"]).added > 1000


def test_the_command_adds_files_and_says_what_changed(here: Path) -> None:
    add = ["--url", "memory.db", "add-files", "sarah", "guide.md"]

    first, again = (CliRunner().invoke(app, add) for _ in range(2))
    as_json = CliRunner().invoke(app, [*add, "--tag", "docs", "--json"])
    found = CliRunner().invoke(app, ["--url", "memory.db", "search", "sarah", "package manager", "--tag", "docs"])

    assert "sarah: 3 passages of 1 file added" in first.output
    assert "sarah: 0 passages of 1 file added" in again.output
    assert json.loads(as_json.output)["files"][0]["added"] == 3
    assert "Install" in found.output


def test_the_command_names_what_it_cannot_read(here: Path) -> None:
    result = CliRunner().invoke(app, ["--url", "memory.db", "add-files", "sarah", "missing.md"])

    assert "missing.md: No such file" in str(result.exception)
    assert not (here / "memory.db").exists()


def test_what_the_page_about_files_shows_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.md").write_text("# Doors\n\nThe key to the building is at the desk.")
    Path("handbook").mkdir()
    Path("handbook/old.md").write_text("How it was.")
    names: dict[str, Memory] = {}

    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        exec(block, names)
    with names["memory"] as memory:
        left = [passage.metadata["source"] for passage in memory.list_passages()]

    assert left == ["notes.md"]
    assert capsys.readouterr().out.startswith("2 passages added, 0 were there already\n['# Doors\\n\\nThe key to")


def test_a_file_name_that_is_too_long_is_refused_by_name(tmp_path: Path) -> None:
    with (
        Memory(":memory:", embedder=False) as memory,
        pytest.raises(InvalidInputError, match=r"a\.md: File name too long"),
    ):
        memory.add_files([tmp_path / f"{'a' * 300}.md"], subject_id="sarah")
