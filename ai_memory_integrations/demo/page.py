"""How the demo looks: numbered parts, indented lines, milliseconds; the same words when it is piped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.status import Status
from rich.text import Text

from ai_memory_integrations.cli.screen import one_line

Part = str | tuple[str, str]
INDENT = "   "
_SHOWN = 140
_LINES = 12


class Page:
    """Prints to standard output. On a terminal long lines are wrapped under themselves, in a pipe they are not."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, markup=False, emoji=False)
        self._parts = 0

    def title(self, *parts: Part) -> None:
        self._print(Text.assemble(*parts))

    def part(self, title: str) -> None:
        self._parts += 1
        self._print(Text())
        self._print(Text.assemble((f"{self._parts}  ", "dim"), (title, "bold cyan")))

    def line(self, *parts: Part, label: str = "") -> None:
        """Text behind a label, the label dim."""
        text = Text.assemble(*parts)
        width = max(20, self.console.width - len(INDENT) - len(label))
        lines = list(text.wrap(self.console, width)) if self.console.is_terminal else [text]
        for number, each in enumerate(lines):
            each.rstrip()
            self._print(Text.assemble(INDENT, (label if number == 0 else " " * len(label), "dim"), each))

    def verbatim(self, line: str) -> None:
        """A line to be copied: as it is, from the margin."""
        self._print(Text(line))

    def ask(self, question: str) -> str:
        """What is typed, without the spaces around it; "" at the end of the input."""
        try:
            return self.console.input(f"{INDENT}{question} ").strip()
        except EOFError:
            return ""

    def working(self, text: str) -> Status:
        """Shown on a terminal while something goes on."""
        return self.console.status(f"{INDENT}{text}")

    def _print(self, text: Text) -> None:
        text.rstrip()
        self.console.print(text, soft_wrap=True)


@contextmanager
def timed() -> Iterator[list[Part]]:
    """A list that holds the milliseconds once the block has ended."""
    took: list[Part] = []
    begun = time.perf_counter()
    yield took
    took.append(milliseconds((time.perf_counter() - begun) * 1000))


def milliseconds(value: float) -> Part:
    return (f"  {ms(value)}", "dim")


def ms(value: float) -> str:
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def quoted(text: str, moment: datetime | None) -> tuple[Part, ...]:
    """What somebody said and when, in the zone in which it was said: `“...” Sat 7 Mar 10:05`."""
    when = "" if moment is None else f"{moment:%a} {moment.day} {moment:%b %H:%M}"
    return (f"“{one_line(text, _SHOWN)}” ", (when, "dim"))


def shortened(lines: Sequence[str]) -> list[str]:
    """The first lines, each cut to a readable length, and how many there are beyond them."""
    shown = [one_line(line, _SHOWN) for line in lines[:_LINES]]
    return shown if len(lines) <= _LINES else [*shown, f"... and {len(lines) - _LINES} more"]


def period(moments: Sequence[datetime]) -> str:
    """`2 to 18 March 2026`; "" without times."""
    if not moments:
        return ""
    first, last = min(moments), max(moments)
    begin = f"{first.day}" if (first.year, first.month) == (last.year, last.month) else f"{first.day} {first:%B %Y}"
    return f"{last.day} {last:%B %Y}" if first.date() == last.date() else f"{begin} to {last.day} {last:%B %Y}"
