"""The README and the page for those who move here are true: their Python runs and prints what they say it prints.

The blocks of one `##` section run in order and share their names; each section has an empty folder of its own.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ai_memory_integrations.opened import _living

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "docs/how-to/move-from-ai-memory-sdk.md"]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def sections() -> Iterator[Any]:
    """A page's name and the text of one of its sections, for those that hold Python."""
    for page in PAGES:
        for section in re.split(r"^(?=## )", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE):
            if "```python" in section:
                title = section.partition("\n")[0].strip("# ")
                yield pytest.param(page, section, id=f"{page}: {title}")


def execute(code: str, place: str, names: dict[str, Any]) -> None:
    """Run code that may await at its top level, as a notebook does."""
    compiled = compile(code, place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if compiled.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(compiled, names))
    else:
        exec(compiled, names)


@contextmanager
def closing_memories() -> Iterator[None]:
    """Closes what a page opens and, being a page, leaves open."""
    before = _living()
    try:
        yield
    finally:
        for memory in _living():
            if not any(memory is each for each in before):
                memory.close()


# LlamaIndex's own: its agents look at every attribute of themselves, and at a loop that they left.
@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning")
@pytest.mark.filterwarnings("ignore:is_running called from:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:<aiosqlite:ResourceWarning")
@pytest.mark.usefixtures("llama_index_s_own_stores_end_here")
@pytest.mark.parametrize(("page", "section"), list(sections()))
def test_what_a_page_shows_runs_and_prints_what_it_says(
    page: str,
    section: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    with closing_memories():
        for language, content in _BLOCK.findall(section):
            if language == "python":
                execute(content, page, names)
            elif language == "text":
                printed = capsys.readouterr().out.rstrip("\n")
                assert _DATE.sub("DATE", printed) == _DATE.sub("DATE", content.rstrip("\n"))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
