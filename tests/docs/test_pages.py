"""The documentation is true: what a page shows runs, in order and in one folder, and prints what the page says.

A block of Python or of the shell runs unless the line before it is `<!-- not run: REASON -->`; a block of text behind
one that ran is what it prints. Fences without a language are only shown. Where a page uses a model of OpenAI, a local
server stands in for it: the client on the page is the real one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4

import pytest
from patience import PATIENCE
from test_readme import PAGES as RUN_WITH_THE_README
from test_readme import closing_memories, execute

from ai_memory_integrations.testing import Answer, ChatCompletionsServer, called

SERVER = "postgresql://app:secret@localhost/memory"  # a page shows it, the tests' own server answers
LETTA = "letta://localhost:8283"
DOCS = Path(__file__).parents[2] / "docs"
FILES = {
    "notes.md": "# Trip\n\nSarah flies to Porto on Friday.\n",
    "handbook/keys.md": "# Keys\n\nThe key to the building is at the reception desk.\n",
    "handbook/old.md": "# Old\n\nNothing here is true any more.\n",
}
_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n+)?```(?P<language>[^\n]*)\n(?P<content>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_CHANGES = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}Z?)?|(?<=\b(?:agt|blk|psg|run)_)[0-9a-f.-]+")


class Code(NamedTuple):
    """A block: `place` is the page and the line where its content begins."""

    language: str
    content: str
    reason: str
    place: str


def blocks(page: str) -> list[Code]:
    text = (DOCS / page).read_text("utf-8")
    return [
        Code(
            found["language"],
            found["content"],
            found["reason"] or "",
            f"docs/{page}:{text.count(chr(10), 0, found.start('content')) + 1}",
        )
        for found in _BLOCK.finditer(text)
    ]


PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
RUN = [
    page
    for page in PAGES
    if f"docs/{page}" not in RUN_WITH_THE_README and any(each.language in ("python", "sh") for each in blocks(page))
]


def stand_in(messages: Sequence[dict[str, Any]]) -> Answer | str:
    """A model that greets, and that records one fact when it is asked to learn."""
    if "long-term memory of an assistant" in str(messages[0]["content"]):
        if messages[-1]["role"] == "tool":
            return Answer(calls=(called("finish"),))
        return Answer(calls=(called("memory_append", label="human", content="Name: Sarah"),))
    return "Nice to meet you, Sarah."


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a few files, a place for memory and a model."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AI_MEMORY_URL", str(tmp_path / "memory.db"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with ChatCompletionsServer(stand_in) as server:
        for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
            monkeypatch.setenv(name, server.base_url)
        yield tmp_path


# LlamaIndex's own: its agents look at every attribute of themselves, and at a loop that they left. LangMem's own: an
# import of LangGraph's that has moved.
@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning")
@pytest.mark.filterwarnings("ignore:is_running called from:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Importing Send from langgraph.constants")
@pytest.mark.filterwarnings("ignore:RunnableWithMessageHistory is deprecated")
@pytest.mark.timeout(1800)  # a page may be the first to need the Letta server, which is then installed
@pytest.mark.filterwarnings("ignore:<aiosqlite:ResourceWarning")
@pytest.mark.usefixtures("llama_index_s_own_stores_end_here")
@pytest.mark.parametrize("page", RUN)
def test_a_page_runs_and_prints_what_it_says(
    page: str, place: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    printed: str | None = None
    shown = blocks(page)
    if any(SERVER in block.content and not block.reason for block in shown):
        url = request.getfixturevalue("postgres_url")
        shown = [block._replace(content=block.content.replace(SERVER, url)) for block in shown]
    if any(LETTA in block.content and not block.reason for block in shown):
        server = request.getfixturevalue("letta_server").url.removeprefix("http://")
        url = f"letta://{server}?namespace={uuid4().hex}&journal={quote(f'sqlite:///{place}/journal.db', safe='')}"
        shown = [block._replace(content=block.content.replace(LETTA, url)) for block in shown]
    with closing_memories():
        for block in shown:
            if block.language == "text" and printed is not None:
                assert comparable(printed) == comparable(block.content), block.place
            printed = None
            if block.reason:
                continue
            if block.language == "python":
                execute("\n" * int(block.place.rpartition(":")[2]) + block.content, block.place, names)
                printed = capsys.readouterr().out
            elif block.language == "sh":
                printed = shell(block)


def comparable(text: str) -> list[str]:
    """Lines without times, ids and what pads them."""
    return [line.rstrip() for line in _CHANGES.sub("_", text).strip().splitlines()]


def shell(block: Code) -> str:
    done = subprocess.run(
        ["bash", "-euc", block.content], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, f"{block.place}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_of_a_page_is_a_block(page: str) -> None:
    fences = re.findall(r"^\s*(?:```|~~~)", (DOCS / page).read_text("utf-8"), flags=re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page))
    assert {block.language for block in blocks(page)} <= {"", "python", "sh", "text", "json", "yaml"}


@pytest.mark.parametrize("room", ["", ".langchain", ".langgraph", ".llama_index", ".testing", ".evaluation"])
def test_every_public_name_stands_in_the_reference(room: str) -> None:
    module = import_module(f"ai_memory_integrations{room}")
    reference = "\n".join(path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md"))
    whole = set(re.findall(r"^::: (ai_memory_integrations\.\w+)$", reference, flags=re.MULTILINE))
    missing = [
        name
        for name in module.__all__
        if not re.search(rf"\b{name}\b", reference) and getattr(getattr(module, name), "__module__", "") not in whole
    ]
    assert missing == []
