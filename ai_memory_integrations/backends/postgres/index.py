"""What the search engine and the embedding of passages read from PostgreSQL, and the vectors they write."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.indexed import RANKED, index_row
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.backends.postgres.session import Session
from ai_memory_integrations.ports import EmbedderRecord, Unembedded, VectorIndex
from ai_memory_integrations.search.snapshot import FEW, IndexDelta, IndexRow, IndexState, SubjectGoneError
from ai_memory_integrations.types import Metadata


def reader(database: Database, session: Session, no: int) -> Callable[[IndexState | None], IndexDelta | None]:
    """A function that gives what changed in a subject since a known state, None for nothing.

    Called where the engine lets in one caller at a time, it never brings an older state than the call before. It raises
    SubjectGoneError when there is no such subject any more.
    """

    def read(known: IndexState | None) -> IndexDelta | None:
        if known is not None and _state(session, no) == known:
            return None
        with database.one_state(session):
            state = _state(session, no)
            reset = known is None or known.ver != state.ver
            after_row = 0 if reset or known is None else known.seq
            after_vector = 0 if reset or known is None else known.vec_seq
            return IndexDelta(
                state=state,
                reset=reset,
                rows=_index_rows(session, no, after_row, whole=state.seq <= FEW),
                vectors=_vectors(session, no, after_vector, state.vec_seq),
            )

    return read


def _state(session: Session, no: int) -> IndexState:
    row = session.execute(
        "SELECT passage_seq, passage_ver, vector_seq FROM ai_memory.subject WHERE no = %s", (no,)
    ).fetchone()
    if row is None:
        raise SubjectGoneError
    return IndexState(no, *row)


def _index_rows(session: Session, no: int, after: int, *, whole: bool) -> list[IndexRow]:
    found = session.execute(
        f"SELECT seq, terms, {rows.PASSAGE if whole else RANKED} FROM ai_memory.passage "
        "WHERE subject = %s AND seq > %s ORDER BY seq",
        (no, after),
    )
    return list(map(index_row, found))


def _vectors(session: Session, no: int, after: int, upto: int) -> list[tuple[int, bytes]]:
    if upto <= after:
        return []
    found = session.execute(
        "SELECT seq, vector FROM ai_memory.passage_vector WHERE subject = %s AND seq > %s AND seq <= %s ORDER BY seq",
        (no, after, upto),
    )
    return [(seq, vector) for seq, vector in found]


def allowed_by_metadata(session: Session, no: int, metadata: Metadata) -> set[int] | None:
    """Sequence numbers of the passages whose metadata has every one of these values; None without a filter."""
    if not metadata:
        return None
    accept = rows.metadata_filter(metadata)
    found = session.execute("SELECT seq, metadata FROM ai_memory.passage WHERE subject = %s", (no,))
    return {seq for seq, text in found if accept(text)}


@lru_cache(maxsize=8)
def _record(text: str) -> EmbedderRecord:
    """Every search asks for it."""
    return EmbedderRecord(**json.loads(text))


class PostgresVectorIndex(VectorIndex):
    """`VectorIndex` over one `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def embedder(self) -> EmbedderRecord | None:
        with self._database.read() as session:
            found = session.value("SELECT value FROM ai_memory.meta WHERE key = 'embedder'")
        return None if found is None else _record(found)

    @repeated
    def adopt(self, record: EmbedderRecord, *, replace: bool = False) -> EmbedderRecord | None:
        with self._database.transaction() as session:
            if replace:
                # In one order, so that two of these do not wait for each other.
                session.execute("SELECT FROM ai_memory.subject ORDER BY no FOR UPDATE")
            elif session.value("SELECT 1 FROM ai_memory.passage LIMIT 1"):
                return self.embedder()
            session.execute(
                "INSERT INTO ai_memory.meta VALUES ('embedder', %s) ON CONFLICT (key) DO "
                + ("UPDATE SET value = excluded.value" if replace else "NOTHING"),
                (rows.dumps({"name": record.name, "dimension": record.dimension}),),
            )
            if replace:
                session.execute("DELETE FROM ai_memory.passage_vector")
                session.execute("UPDATE ai_memory.subject SET vector_seq = 0, passage_ver = passage_ver + 1")
            return self.embedder()

    def unembedded(self, limit: int) -> list[Unembedded]:
        with self._database.read() as session, self._database.one_state(session):
            row = session.execute(
                "SELECT no, subject_id, vector_seq, passage_seq, passage_ver FROM ai_memory.subject "
                "WHERE vector_seq < passage_seq ORDER BY no LIMIT 1"
            ).fetchone()
            if row is None:
                return []
            no, subject_id, done, last, version = row
            found = session.execute(
                "SELECT seq, text FROM ai_memory.passage WHERE subject = %s AND seq > %s AND seq <= %s "
                "ORDER BY seq LIMIT %s",
                (no, done, last, limit),
            ).fetchall()
        if not found:
            # Only deleted passages are behind the mark: nothing to embed, the mark may move on.
            return [Unembedded(subject_id, no, last, version, None)]
        return [Unembedded(subject_id, no, seq, version, text) for seq, text in found]

    @repeated
    def store_vectors(self, done: Sequence[tuple[Unembedded, bytes | None]], embedder: str) -> bool:
        with self._database.transaction() as session:
            first, last = done[0][0], done[-1][0]
            no = session.subject_no(first.subject_id)
            active = session.value("SELECT value FROM ai_memory.meta WHERE key = 'embedder' FOR SHARE")
            row = session.execute(
                "SELECT passage_ver, vector_seq FROM ai_memory.subject WHERE no = %s", (first.subject_no,)
            ).fetchone()
            if active is None or _record(active).name != embedder or row is None or no != first.subject_no:
                return False
            # Another version: something was deleted or every vector was dropped since the texts were read.
            if row[0] != first.version or row[1] >= first.seq:
                return False
            session.many(
                "INSERT INTO ai_memory.passage_vector VALUES (%s, %s, %s)",
                ((no, passage.seq, vector) for passage, vector in done if vector is not None),
            )
            session.execute("UPDATE ai_memory.subject SET vector_seq = %s WHERE no = %s", (last.seq, no))
            return True

    def waiting(self) -> int:
        with self._database.read() as session:
            return int(
                session.value(
                    "SELECT count(*) FROM ai_memory.subject s JOIN ai_memory.passage p "
                    "ON p.subject = s.no AND p.seq > s.vector_seq WHERE s.vector_seq < s.passage_seq"
                )
            )
