"""A long text in parts that can be found and read by themselves. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LONGEST = 1500
"""Characters of a part at most."""
SHORTEST = 400
"""Characters that a part cut from a longer text has at least, unless it has to be cut earlier."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """`text[start:end]`, and the headings it stands under with their places, outermost first."""

    start: int
    end: int
    headings: tuple[tuple[int, str], ...] = ()

    @property
    def heading(self) -> str:
        """`Guide > Install`; "" outside of any heading."""
        return " > ".join(title for _, title in self.headings)

    @property
    def above(self) -> str:
        """The same without the headings that stand in the part itself."""
        return " > ".join(title for place, title in self.headings if place < self.start)


def split(text: str, *, markdown: bool = True) -> list[Part]:
    """The parts of a text, from its first character to its last without a gap; [] for no text.

    A part has at most `LONGEST` characters. In Markdown every heading with text below it begins one, and a block of
    code stays whole when it is short enough. What is longer is cut behind a paragraph, else a sentence, else a line,
    else a word; inside a word only when it fills a part.
    """
    headings, fences = _outline(text) if markdown else ([], [])
    whole = [span for span in fences if span[1] - span[0] <= LONGEST]
    return [
        Part(start, end, section.headings)
        for section in _sections(text, headings)
        for start, end in _cut(text, section.start, section.end, whole)
    ]


# where Markdown's headings and blocks of code are

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^\n]*)")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+([^\n]*))?$")
_CLOSING = re.compile(r"(?:^|[ \t]+)#+[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(?:(=+)|-{2,})[ \t]*$")
_NO_TITLE = re.compile(r"[ \t]*(?:$|[-*+>|#]|\d+[.)][ \t])|    |\t")
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(?:[^\n]*\n)*?(?:---|\.\.\.)[ \t]*(?:\r?\n|$)")


@dataclass(frozen=True)
class _Heading:
    """A heading: the lines `start` to `end`."""

    start: int
    end: int
    level: int
    title: str


def _outline(text: str) -> tuple[list[_Heading], list[Span]]:
    """The headings and blocks of code of a Markdown text. Metadata at its very beginning has neither."""
    headings: list[_Heading] = []
    fences: list[Span] = []
    front = _FRONT_MATTER.match(text)
    mark, opened = "", 0  # of the block of code we are in
    title_start, title = 0, ""  # of a line that an underline would make a heading
    lone = True  # whether the line before is none that a title could go on from
    for found in _LINE.finditer(text, front.end() if front else 0):
        line = found[0].rstrip("\r\n")
        fence = _FENCE.match(line)
        if mark:
            if fence and fence[1].startswith(mark) and not fence[2].strip():
                fences.append((opened, found.end()))
                mark = ""
            continue
        heading = _HEADING.match(line)
        if fence and not (fence[1][0] == "`" and "`" in fence[2]):
            mark, opened, title, lone = fence[1], found.start(), "", True
        elif heading:
            name = _CLOSING.sub("", heading[2] or "").strip()
            headings.append(_Heading(found.start(), found.end(), len(heading[1]), name))
            title, lone = "", True
        elif title and (underline := _UNDERLINE.match(line)):
            headings.append(_Heading(title_start, found.end(), 1 if underline[1] else 2, title))
            title, lone = "", True
        else:
            is_title = lone and not _NO_TITLE.match(line)
            title_start, title, lone = found.start(), line.strip() if is_title else "", not line.strip()
    if mark:  # never closed: it goes on to the end
        fences.append((opened, len(text)))
    return headings, fences


def _sections(text: str, headings: Sequence[_Heading]) -> Iterator[Part]:
    """The text under each heading; a heading that nothing but headings follow goes with the next one."""
    start = body = 0
    path: list[_Heading] = []
    for heading in headings:
        if text[body : heading.start].strip():
            yield _section(start, heading.start, path)
            start = heading.start
        while path and path[-1].level >= heading.level:
            path.pop()
        path.append(heading)
        body = heading.end
    yield _section(start, len(text), path)


def _section(start: int, end: int, path: Sequence[_Heading]) -> Part:
    return Part(start, end, tuple((each.start, each.title) for each in path if each.title))


# where to cut

_PARAGRAPH_END = re.compile(r"\n[ \t\r]*\n\s*")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]")
_LINE_END = re.compile(r"\n")
_WORD_END = re.compile(r"\s+")
_ENDS = (_PARAGRAPH_END, _SENTENCE_END, _LINE_END, _WORD_END)


def _cut(text: str, start: int, end: int, whole: Sequence[Span]) -> Iterator[Span]:
    while end - start > LONGEST:
        place = _place(text, start, end, whole)
        yield start, place
        start = place
    if start < end:
        yield start, end


def _place(text: str, start: int, end: int, whole: Sequence[Span]) -> int:
    """Where to cut a text that is too long: so that what is left is not tiny, where that can be had."""
    furthest = start + LONGEST
    for least, most in ((start + SHORTEST, min(furthest, end - SHORTEST)), (start + 1, furthest)):
        for ends in _ENDS:
            if place := _last(ends, text, least, most, whole):
                return place
    return _last(_WORD_END, text, start + 1, furthest, ()) or furthest


def _last(ends: re.Pattern[str], text: str, least: int, most: int, whole: Sequence[Span]) -> int:
    """The last end from *least* to *most* that is not inside a span to be kept whole; 0 when there is none."""
    last = 0
    for found in ends.finditer(text, least - 1, most):
        if not _inside(found.end(), whole):
            last = found.end()
    return last


def _inside(place: int, spans: Sequence[Span]) -> bool:
    before = bisect_left(spans, (place,)) - 1
    return before >= 0 and spans[before][0] < place < spans[before][1]
