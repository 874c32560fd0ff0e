"""What the commands print: text that is safe for a terminal, good without colour and when it is piped."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import BaseModel

if TYPE_CHECKING:
    from rich.console import Console

# What was remembered was typed by somebody: it must not move the cursor, ring the bell or hide what follows.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PIPED_WIDTH = 10_000


def console() -> Console:
    """A console that prints text as it is; when piped it never wraps a line."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def safe(text: object) -> str:
    """*text* with control characters written out, line breaks and tabs kept."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", str(text))


def one_line(text: str, limit: int = 0) -> str:
    """*text* on one line, cut to *limit* characters with `…` when a limit is given."""
    flat = " ".join(safe(text).split())
    return flat if not limit or len(flat) <= limit else flat[: limit - 1] + "…"


def moment(value: datetime | None) -> str:
    """A time in the zone of this machine, to the minute; "" when it is not known."""
    return "" if value is None else value.astimezone().strftime("%Y-%m-%d %H:%M")


def counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Rows under headings, in columns."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        grid.add_column(heading, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(safe(cell)) for cell in row))
    console().print(grid)


def in_utf8(stream: TextIO) -> TextIO:
    """*stream*, for JSON, which is UTF-8 whatever this terminal speaks."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="strict")
    return stream


def print_json(value: Any) -> None:
    """One JSON document; values of this package as they are, times in ISO 8601."""
    print(json.dumps(_jsonable(value), ensure_ascii=False, indent=2), file=in_utf8(sys.stdout))


def _jsonable(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(each) for each in value]
    return value


@contextmanager
def spinner(text: str) -> Iterator[None]:
    """Shows on a terminal that work goes on; silent otherwise."""
    from rich.console import Console

    screen = Console(stderr=True, highlight=False, markup=False)
    if not screen.is_terminal:
        yield
        return
    with screen.status(text):
        yield
