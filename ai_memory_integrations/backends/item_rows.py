"""Namespaced JSON items as rows: what every SQL database does alike with them.

A namespace's path is its labels in UTF-8, each ended by a NUL, which no label may hold: what is below a namespace is
then one range of paths, and paths sort as their tuples of labels do. An item that is written again gets a new number,
so numbers tell the order of writing and what a snapshot has not seen; the numbers of deleted items are kept for a
while, so that a snapshot hears of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends.rows import Row, moment
from ai_memory_integrations.ports import ItemQuery, ItemRanking, ItemRow

if TYPE_CHECKING:
    from ai_memory_integrations.search.item_snapshot import Place

MINUTE = 60_000_000
GONE_KEPT = 100_000
SWEEP = 1_000
PROBE = 10
ROW = "n.path, i.key, i.value, i.created_at, i.updated_at, i.ttl, i.expires_at"
_EXPIRES = 6

Found = tuple[Row, float | None]


def path_of(namespace: Sequence[str]) -> bytes:
    return b"".join(label.encode() + b"\0" for label in namespace)


@lru_cache(maxsize=10_000)
def labels(path: bytes) -> tuple[str, ...]:
    return tuple(path.decode().split("\0")[:-1])


def bounds(prefix: Sequence[str]) -> tuple[bytes, bytes]:
    """The range of the paths at and below a namespace."""
    path = path_of(prefix)
    return path, path[:-1] + b"\1" if path else b"\xff"


def value(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = _JSON.raw_decode(row[2])[0]
    return found


# Made once: `json.dumps` with options makes an encoder for every call.
_JSON = json.JSONDecoder()
encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def item(row: Row, known: dict[str, Any] | None = None) -> ItemRow:
    """The row as an item, with its value where that is *known* already."""
    ttl = row[5]
    return ItemRow(
        namespace=labels(row[0]),
        key=row[1],
        value=value(row) if known is None else known,
        created_at=moment(row[3]),
        updated_at=moment(row[4]),
        ttl=None if ttl is None else ttl / MINUTE,
    )


def ttl_micros(ttl: float | None) -> int | None:
    return None if ttl is None else round(ttl * MINUTE)


def page(query: ItemQuery, found: Iterable[Found], now: int) -> Iterator[tuple[ItemRow, float | None]]:
    """The page asked for of what is accepted, in the order given; what is behind it is not looked at."""
    number = 0
    for row, score in found if query.limit else ():
        if query.omit_expired and row[_EXPIRES] is not None and row[_EXPIRES] <= now:
            continue
        known = None if query.accept is None else value(row)
        if known is not None and query.accept is not None and not query.accept(known):
            continue
        number += 1
        if number > query.offset:
            yield item(row, known), score
        if number == query.offset + query.limit:
            return


def place_of(path: bytes, ranking: ItemRanking) -> Place:
    """Which snapshot serves a ranking."""
    if ranking.vector is None:
        return path, ranking.lexical, "", 0
    return path, ranking.lexical, ranking.embedder, len(ranking.vector)
