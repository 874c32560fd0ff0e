"""Namespaced JSON items as rows: what every SQL database does alike with them.

A namespace's path is its labels in UTF-8, each ended by a NUL, which no label may hold: what is below a namespace is
then one range of paths, and paths sort as their tuples of labels do. An item that is written again gets a new number,
so numbers tell the order of writing and what a snapshot has not seen; the numbers of deleted items are kept for a
while, so that a snapshot hears of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends.rows import Row, moment
from ai_memory_integrations.json_copies import inside_of
from ai_memory_integrations.ports import ItemQuery, ItemRanking, ItemRow

if TYPE_CHECKING:
    from ai_memory_integrations.search.item_snapshot import Place

MINUTE = 60_000_000
GONE_KEPT = 100_000
SWEEP = 1_000
PROBE = 10
COLUMNS = "i.key, i.value, i.created_at, i.updated_at, i.ttl, i.expires_at"
ROW = f"n.path, {COLUMNS}"
_EXPIRES = 6

Found = tuple[Row, float | None]


@lru_cache(maxsize=10_000)
def path_of(namespace: tuple[str, ...]) -> bytes:
    return b"".join(label.encode() + b"\0" for label in namespace)


@lru_cache(maxsize=10_000)
def labels(path: bytes) -> tuple[str, ...]:
    return tuple(path.decode().split("\0")[:-1])


def bounds(prefix: tuple[str, ...]) -> tuple[bytes, bytes]:
    """The range of the paths at and below a namespace."""
    path = path_of(prefix)
    return path, path[:-1] + b"\1" if path else b"\xff"


def value(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = _JSON.raw_decode(row[2])[0]
    return found


# Made once: `json.dumps` with options makes an encoder for every call.
_JSON = json.JSONDecoder()
encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def item_of(
    row: Row, known: dict[str, Any] | None = None, place: tuple[str, ...] = (), *, kept: bool = False
) -> ItemRow:
    """The row as an item, with its value where that is *known* already; to be *kept*, it is the store's own. A row
    without a path is in *place*."""
    path, key, _, created, updated, ttl = row[:6]
    created_at = moment(created)
    held = value(row) if known is None else known
    return ItemRow(
        labels(path) if path else place,
        key,
        held,
        created_at,
        created_at if updated == created else moment(updated),
        None if ttl is None else ttl / MINUTE,
        inside_of(held) if kept else None,
    )


def ttl_micros(ttl: float | None) -> int | None:
    return None if ttl is None else round(ttl * MINUTE)


def page_of(query: ItemQuery, ranked: Iterable[Found], now: int) -> list[tuple[ItemRow, float | None]]:
    """The page asked for of what is accepted, in the order given; what is behind it is not looked at."""
    passing = ((row, known, score) for row, score in ranked for _, known in accepted(query, (row,), now))
    page = islice(passing, query.offset, query.offset + query.limit)
    return [(item_of(row, known), score) for row, known, score in page]


def accepted(query: ItemQuery, found: Iterable[Row], now: int) -> Iterator[tuple[Row, dict[str, Any]]]:
    """What is accepted, with its value, in the order given."""
    for row in found:
        if query.omit_expired and row[_EXPIRES] is not None and row[_EXPIRES] <= now:
            continue
        known = value(row)
        if query.accept is None or query.accept(known):
            yield row, known


def place_of(path: bytes, ranking: ItemRanking) -> Place:
    """Which snapshot serves a ranking."""
    if ranking.vector is None:
        return path, ranking.lexical, "", 0
    return path, ranking.lexical, ranking.embedder, len(ranking.vector)
