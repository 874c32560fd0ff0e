"""Text with NUL, which PostgreSQL refuses: written as SUB and a digit, and given back as it was.

It is done where the driver meets Python, so that every other module may think of text as text.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

_MARK = "\x1a"
_WRITTEN = {"\0": _MARK + "0", _MARK: _MARK + "1"}
_READ = {written: character for character, written in _WRITTEN.items()}


def adapt(connection: psycopg.Connection[Any]) -> None:
    """Have *connection* write and read text so. Whole numbers have one type, and with it a statement one plan."""
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_loader("text", _TextLoader)


class _TextDumper(StrDumper):
    def dump(self, obj: str) -> Any:
        if "\0" in obj or _MARK in obj:
            obj = re.sub(r"[\0\x1a]", lambda found: _WRITTEN[found[0]], obj)
        return super().dump(obj)


class _TextLoader(Loader):
    format = Format.BINARY

    def load(self, data: Any) -> str:
        text = str(data, "utf-8")
        return re.sub(r"\x1a[01]", lambda found: _READ[found[0]], text) if _MARK in text else text
