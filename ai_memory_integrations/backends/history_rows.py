"""Which versions of blocks can go: the rule of `Journal.prune_history`, for every SQL database."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from ai_memory_integrations.backends.rows import micros

Version = tuple[str, int, int]
"""The id of a block, a version of it and when that was written (microseconds since 1970)."""


def surplus(
    versions: Iterable[Version], held: set[tuple[str, int]], *, keep: int, before: datetime | None
) -> list[tuple[str, int]]:
    """Of *versions*, newest first, those beyond the newest *keep* of their block that are older than *before*, unless
    they are *held*."""
    limit = None if before is None else micros(before)
    seen: Counter[str] = Counter()
    found = []
    for block_id, version, written in versions:
        seen[block_id] += 1
        if seen[block_id] > keep and (limit is None or written < limit) and (block_id, version) not in held:
            found.append((block_id, version))
    return found


def held(notes: Iterable[tuple[str, str]], ids: Mapping[str, str]) -> set[tuple[str, int]]:
    """The versions that a memory kept elsewhere still goes on from, by its notes and the *ids* of blocks by label: the
    one that was last the same in both places, and those a learner there began with. Without them nobody could tell what
    was changed here from what was changed there."""
    found: set[tuple[str, int]] = set()
    for key, value in notes:
        note = json.loads(value)
        if key == "inflight":
            base = note.get("base") or {}
            found |= {(ids[label], version) for label, version in base.items() if label in ids}
        elif key.startswith("block/") and "block" in note and "version" in note:
            found.add((note["block"], note["version"]))
    return found
