"""Texts to terms: the words by which a passage is found, as numbers that are the same on every machine.

A term is the CRC-32 of a folded, stemmed word. Accents are folded (`café` is found by `cafe`), English words are
stemmed, scripts written without spaces give single characters and pairs, and every emoji is a word. The same rules
read passages and queries, so whatever is written can be found the way it was written.
"""

from __future__ import annotations

import re
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from snowballstemmer.english_stemmer import EnglishStemmer

Terms = NDArray[np.uint32]

# Fixed English words: `strftime` would follow the locale of the process.
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)

_STOP_WORDS = """
a about after again all also am an and any are as at be because been before being but by can could did do does
doing done don during each ever for from get got had has have having he her here hers him his how i if in into is
isn it its just kind let ll like many me mine more most much my no nor not now of on one or our ours out over own
re s same shall she should so some still such t than that the their theirs them then there these they this those
to too type ve very was we were what when where which while who whom whose why will with would you your yours
"""

STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English words that a question is made of; they are left out of a query that has others."""

# Everything from Devanagari to Myanmar is taken whole: Python's \w leaves out the vowel signs of these scripts.
_INDIC = "\u0900-\u0963\u0966-\u0dff\u0f00-\u109f"
# Scripts that put no space between words: Thai, Lao, Khmer, kana, Han, Hangul (which adds endings to its words).
_UNSPACED = (
    "\u0e01-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_EMOJI = "\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff"
_WORD = re.compile(
    f"[{_UNSPACED}]+|[{_EMOJI}]|(?:[^\\W_{_UNSPACED}]|[{_INDIC}])+(?:'(?:[^\\W_{_UNSPACED}]|[{_INDIC}])+)*"
)
_ASCII_WORD = re.compile("[a-z0-9]+(?:'[a-z0-9]+)*")
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u064b-\u065f\u0670]")
_APOSTROPHES = str.maketrans("\u2019\u2018\u02bc\uff07", "''''")
_ENDINGS = frozenset(("s", "m", "d", "t", "re", "ve", "ll"))
_LONGEST = 64  # of what is no language, such as encoded data, the beginning is enough
_FIRST_UNSPACED = "\u0e01"
_PERSON = re.compile(r"[^\W\d_]+(?:[ .'\u2019-]+[^\W\d_]+)*\.?")


def words_of(text: str) -> Iterator[str]:
    """The words of a text in their order, folded and in lower case, not stemmed."""
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
        return _plain_words(found) if "'" in text else (word[:_LONGEST] for word in found)
    decomposed = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES).casefold())
    folded = unicodedata.normalize("NFC", _MARKS.sub("", decomposed))
    return _plain_words(_WORD.findall(folded))


def _plain_words(found: Iterable[str]) -> Iterator[str]:
    for word in found:
        if word[0] >= _FIRST_UNSPACED and _unspaced(word[0]):
            yield from word
            yield from (word[i : i + 2] for i in range(len(word) - 1))
        elif "'" in word:
            first, *rest = word.split("'")
            yield first
            yield from (part for part in rest if part not in _ENDINGS)
        else:
            yield word[:_LONGEST]


@lru_cache(maxsize=1 << 12)
def _unspaced(character: str) -> bool:
    return re.match(f"[{_UNSPACED}]", character) is not None


class _Known(dict[str, int]):
    """The terms of words met before. `lru_cache` reaches for the neighbours of what it finds, which are seldom in the
    processor's cache: for the six words of a query that took as long as finding their postings."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _KNOWN:
            self.clear()
        self[word] = term = _stemmed(word)
        return term


_KNOWN = 1 << 16
_term = _Known().__getitem__


def _stemmed(word: str) -> int:
    """The number of a word. A stemmer keeps state while it works, so each word gets a new one."""
    if word.isdecimal():
        word = word.lstrip("0") or "0"
    elif word.isascii() and len(word) > 2:
        word = EnglishStemmer().stemWord(word)
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def date_words(moment: datetime) -> tuple[str, str, str]:
    """Day, month and year in UTC, such as `("7", "may", "2023")`."""
    moment = moment.astimezone(UTC)
    return str(moment.day), _MONTHS[moment.month - 1], str(moment.year)


def terms_of(text: str, *, created_at: datetime | None = None) -> bytes:
    """The terms of a passage as little-endian uint32, in order and with repetition, the date's words at the end.

    The result depends on nothing but the arguments, so it can be stored and compared on any machine. A text
    without words and date gives `b""`.
    """
    terms = list(map(_term, words_of(text)))
    if created_at is not None:
        terms.extend(map(_term, date_words(created_at)))
    return struct.pack(f"<{len(terms)}I", *terms)


def query_terms(text: str) -> Terms:
    """The different terms a query looks for, in order: its words without the stop words, or all when there are
    only stop words."""
    words = list(words_of(text))
    telling = [word for word in words if word not in STOP_WORDS] or words
    return np.fromiter(dict.fromkeys(map(_term, telling)), np.uint32)


def name_terms(name: str) -> tuple[int, ...]:
    """The terms by which a query can mention a participant: any part of the name."""
    return tuple(_term(word) for word in words_of(name) if word not in STOP_WORDS)


def without_names(text: str, names: Iterable[str]) -> str:
    """The text without the names of participants: what to give to an embedder.

    With the names in it a model finds the turns that address a person, which are what somebody else said. Names
    that look like identifiers (`travel_agent`) are left in, their parts are ordinary words; when nothing would be
    left the text is returned as it is.
    """
    parts = {part.casefold() for name in names if _PERSON.fullmatch(name) for part in re.findall(r"[^\W_]+", name)}
    parts -= STOP_WORDS
    if not parts:
        return text
    said = rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(parts)))})(?:['\u2019]s)?(?!\w)"
    rest = " ".join(re.sub(said, " ", text, flags=re.IGNORECASE).split())
    return rest if re.search(r"\w", rest) else text
