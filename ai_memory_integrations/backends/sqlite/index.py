"""What the search engine and the embedding of passages read from SQLite, and the vectors they write."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.indexed import RANKED, index_row
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.backends.sqlite.schema import SEQ_BITS
from ai_memory_integrations.ports import EmbedderRecord, Unembedded, VectorIndex
from ai_memory_integrations.search.snapshot import FEW, IndexDelta, IndexRow, IndexState, SubjectGoneError
from ai_memory_integrations.types import Metadata


def reader(connection: sqlite3.Connection, no: int) -> Callable[[IndexState | None], IndexDelta | None]:
    """A function that gives what changed in a subject since a known state, None for nothing.

    It begins a read transaction, which the caller ends after it has fetched what was found. Begun here, where the
    engine lets in one caller at a time, no caller brings an older state than the one before. It raises SubjectGoneError
    when there is no such subject any more.
    """

    def read(known: IndexState | None) -> IndexDelta | None:
        if not connection.in_transaction:
            connection.execute("BEGIN")
        row = connection.execute(
            "SELECT passage_seq, passage_ver, vector_seq FROM subject WHERE no = ?", (no,)
        ).fetchone()
        if row is None:
            raise SubjectGoneError(no)
        state = IndexState(no, *row)
        if state == known:
            return None
        reset = known is None or known.ver != state.ver
        after_row = 0 if reset or known is None else known.seq
        after_vector = 0 if reset or known is None else known.vec_seq
        return IndexDelta(
            state=state,
            reset=reset,
            rows=_index_rows(connection, no, after_row, whole=state.seq <= FEW),
            vectors=_vectors(connection, no, after_vector, state.vec_seq),
        )

    return read


def _index_rows(connection: sqlite3.Connection, no: int, after: int, *, whole: bool) -> list[IndexRow]:
    base = no << SEQ_BITS
    found = connection.execute(
        f"SELECT id - ?, terms, {rows.PASSAGE if whole else RANKED} FROM passage WHERE id > ? AND id < ? ORDER BY id",
        (base, base + after, base + (1 << SEQ_BITS)),
    )
    return list(map(index_row, found))


def _vectors(connection: sqlite3.Connection, no: int, after: int, upto: int) -> list[tuple[int, bytes]]:
    if upto <= after:
        return []
    base = no << SEQ_BITS
    found = connection.execute(
        "SELECT id - ?, vector FROM passage_vector WHERE id > ? AND id <= ? ORDER BY id",
        (base, base + after, base + upto),
    )
    return found.fetchall()


def allowed_by_metadata(connection: sqlite3.Connection, no: int, metadata: Metadata) -> set[int] | None:
    """Sequence numbers of the passages whose metadata has every one of these values; None without a filter."""
    if not metadata:
        return None
    base = no << SEQ_BITS
    accept = rows.metadata_filter(metadata)
    found = connection.execute(
        "SELECT id - ?, metadata FROM passage WHERE id > ? AND id < ?", (base, base, base + (1 << SEQ_BITS))
    )
    return {seq for seq, text in found if accept(text)}


@lru_cache(maxsize=8)
def _record(text: str) -> EmbedderRecord:
    """Every search asks for it."""
    return EmbedderRecord(**json.loads(text))


class SQLiteVectorIndex(VectorIndex):
    """`VectorIndex` over one `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def embedder(self) -> EmbedderRecord | None:
        with self._database.read() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'embedder'").fetchone()
        return None if row is None else _record(row[0])

    def adopt(self, record: EmbedderRecord, *, replace: bool = False) -> EmbedderRecord | None:
        with self._database.transaction() as connection:
            if replace:
                connection.execute("DELETE FROM passage_vector")
                connection.execute("UPDATE subject SET vector_seq = 0, passage_ver = passage_ver + 1")
            elif self.embedder() is not None or connection.execute("SELECT 1 FROM passage LIMIT 1").fetchone():
                return self.embedder()
            value = rows.dumps({"name": record.name, "dimension": record.dimension})
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('embedder', ?)", (value,))
            return record

    def unembedded(self, limit: int) -> list[Unembedded]:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT no, subject_id, vector_seq, passage_seq, passage_ver FROM subject "
                "WHERE vector_seq < passage_seq LIMIT 1"
            ).fetchone()
            if row is None:
                return []
            no, subject_id, done, last, version = row
            base = no << SEQ_BITS
            found = connection.execute(
                "SELECT id - ?, text FROM passage WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
                (base, base + done, base + last, limit),
            ).fetchall()
        if not found:
            # Only deleted passages are behind the mark: nothing to embed, the mark may move on.
            return [Unembedded(subject_id, no, last, version, None)]
        return [Unembedded(subject_id, no, seq, version, text) for seq, text in found]

    def store_vectors(self, done: Sequence[tuple[Unembedded, bytes | None]], embedder: str) -> bool:
        with self._database.transaction() as connection:
            first, last = done[0][0], done[-1][0]
            active = self.embedder()
            row = connection.execute(
                "SELECT passage_ver, vector_seq FROM subject WHERE no = ?", (first.subject_no,)
            ).fetchone()
            if active is None or active.name != embedder or row is None:
                return False
            # Another version: something was deleted or every vector was dropped since the texts were read.
            if row[0] != first.version or row[1] >= first.seq:
                return False
            base = first.subject_no << SEQ_BITS
            connection.executemany(
                "INSERT INTO passage_vector VALUES (?, ?)",
                ((base + passage.seq, vector) for passage, vector in done if vector is not None),
            )
            connection.execute("UPDATE subject SET vector_seq = ? WHERE no = ?", (last.seq, first.subject_no))
            return True

    def waiting(self) -> int:
        with self._database.read() as connection:
            count: int = connection.execute(
                "SELECT coalesce(sum((SELECT count(*) FROM passage p WHERE p.id > (s.no << 32) + s.vector_seq "
                "AND p.id < (s.no + 1) << 32)), 0) FROM subject s WHERE s.vector_seq < s.passage_seq"
            ).fetchone()[0]
        return count
