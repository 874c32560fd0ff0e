"""Search among the passages of one subject: the engine's snapshots over one `Database`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.searched import Searched
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.backends.sqlite.index import allowed_by_metadata, reader
from ai_memory_integrations.backends.sqlite.schema import SEQ_BITS
from ai_memory_integrations.search.engine import Hit, SearchEngine
from ai_memory_integrations.search.snapshot import SubjectGoneError
from ai_memory_integrations.types import Passage, PassageQuery

_NAMED = 100


class PassageSearch:
    """Finds passages, and remembers of the subjects that were searched their numbers and, in the engine, their
    snapshots."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._searched = Searched()

    def search(self, subject_id: str, query: PassageQuery, vector: Sequence[float] | None) -> list[Passage]:
        """See `ports.Backend.search_passages`."""
        with self._database.read() as connection:
            # A snapshot made inside an open transaction may be undone: it is not kept.
            if connection.in_transaction:
                no = _number(connection, subject_id)
                return [] if no is None else self._found(connection, SearchEngine(), no, query, vector)
            no = self._searched.number(subject_id)
            if no is None and (no := self._learn_number(connection, subject_id)) is None:
                return []
            try:
                return self._found(connection, self._searched.engine, no, query, vector)
            except SubjectGoneError:
                self.drop(subject_id, no)
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")
        return self.search(subject_id, query, vector)  # deleted by another process, and perhaps begun anew

    def _found(
        self,
        connection: sqlite3.Connection,
        engine: SearchEngine,
        no: int,
        query: PassageQuery,
        vector: Sequence[float] | None,
    ) -> list[Passage]:
        allowed = allowed_by_metadata(connection, no, query.metadata) if query.metadata else None
        return _passages(connection, no, engine.search(no, reader(connection, no), query, vector, allowed))

    def names(self, subject_id: str) -> tuple[str, ...] | None:
        """See `Searched.names`."""
        return self._searched.names(subject_id)

    def drop(self, subject_id: str, no: int) -> None:
        """Forget a subject that is gone."""
        self._searched.forget(subject_id, no)

    def _learn_number(self, connection: sqlite3.Connection, subject_id: str) -> int | None:
        no = _number(connection, subject_id)
        if no is not None:
            self._searched.remember(subject_id, no)
        return no


def _number(connection: sqlite3.Connection, subject_id: str) -> int | None:
    row = connection.execute("SELECT no FROM subject WHERE subject_id = ?", (subject_id,)).fetchone()
    return None if row is None else row[0]


def _passages(connection: sqlite3.Connection, no: int, hits: Sequence[Hit]) -> list[Passage]:
    """The passages of hits, in their order."""
    missing = [hit.seq for hit in hits if hit.whole is None]
    read = _read(connection, no << SEQ_BITS, missing) if missing else {}
    return [rows.passage_of(whole or read[seq], score, parts) for seq, score, parts, whole in hits]


def _read(connection: sqlite3.Connection, base: int, seqs: Sequence[int]) -> dict[int, rows.Row]:
    """By one statement: ten would cost more than the search."""
    ids = [base + seq for seq in seqs]
    named = len(ids) <= _NAMED
    found = connection.execute(
        _by_ids(len(ids) if named else None),
        ids if named else (rows.json_list(ids),),
    )
    return {row[-1] - base: rows.passage_read(row[:-1]) for row in found}


@lru_cache(maxsize=_NAMED + 2)
def _by_ids(count: int | None) -> str:
    """Few ids are parameters of their own, many are one JSON list."""
    wanted = "SELECT value FROM json_each(?)" if count is None else ", ".join("?" * count)
    return f"SELECT {rows.PASSAGE}, id FROM passage WHERE id IN ({wanted})"
