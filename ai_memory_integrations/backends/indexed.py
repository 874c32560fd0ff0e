"""What the search engine reads of a stored passage: all of it where a subject has few, else what ranking needs."""

from __future__ import annotations

from sys import getsizeof

from ai_memory_integrations.backends import rows
from ai_memory_integrations.search.snapshot import IndexRow

RANKED = "NULL, NULL, tags, NULL, created_at, role, name, thread_id, NULL"
"""The columns of `rows.PASSAGE` without those that ranking does not ask for."""


def index_row(row: rows.Row) -> IndexRow:
    """Of `seq`, `terms` and the columns of `rows.PASSAGE` or `RANKED`."""
    seq, terms, passage_id, text, tags, metadata, created, role, name, thread, _ = row
    if passage_id is None:
        return IndexRow(seq, terms, created, thread, role, name, rows.tags(tags))
    whole = rows.passage_read(row[2:])
    return IndexRow(seq, terms, created, thread, role, name, whole[2], whole, getsizeof(text) + getsizeof(metadata))
