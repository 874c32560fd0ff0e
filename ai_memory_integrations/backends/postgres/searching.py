"""Search among the passages of one subject: the engine's snapshots over one `Database`."""

from __future__ import annotations

from collections.abc import Sequence

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.postgres.connection import Database
from ai_memory_integrations.backends.postgres.index import allowed_by_metadata, reader
from ai_memory_integrations.backends.postgres.session import OvertakenError, Session
from ai_memory_integrations.backends.searched import Searched
from ai_memory_integrations.search.engine import Hit, SearchEngine
from ai_memory_integrations.search.snapshot import SubjectGoneError
from ai_memory_integrations.types import Passage, PassageQuery


class PassageSearch:
    """Finds passages, and remembers of the subjects that were searched their numbers and, in the engine, their
    snapshots: a search of what did not change is one statement, or two in a big subject."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._searched = Searched()

    def search(self, subject_id: str, query: PassageQuery, vector: Sequence[float] | None) -> list[Passage]:
        """See `ports.Backend.search_passages`."""
        with self._database.read() as session:
            # A snapshot made inside an open transaction may be undone: it is not kept.
            if session.in_transaction:
                no = session.subject_no(subject_id)
                return [] if no is None else self._found(session, SearchEngine(), no, query, vector)
            no = self._searched.number(subject_id)
            if no is None and (no := self._learn_number(session, subject_id)) is None:
                return []
            try:
                return self._shared_or_alone(session, no, query, vector)
            except SubjectGoneError:
                self.drop(subject_id, no)
        return self.search(subject_id, query, vector)  # deleted by another process, and perhaps begun anew

    def _shared_or_alone(
        self, session: Session, no: int, query: PassageQuery, vector: Sequence[float] | None
    ) -> list[Passage]:
        try:
            return self._found(session, self._searched.engine, no, query, vector)
        except OvertakenError:
            with self._database.one_state(session):  # it may be older than the shared snapshot, which must not go back
                return self._found(session, SearchEngine(), no, query, vector)

    def _found(
        self,
        session: Session,
        engine: SearchEngine,
        no: int,
        query: PassageQuery,
        vector: Sequence[float] | None,
    ) -> list[Passage]:
        allowed = allowed_by_metadata(session, no, query.metadata) if query.metadata else None
        return _passages(session, no, engine.search(no, reader(self._database, session, no), query, vector, allowed))

    def names(self, subject_id: str) -> tuple[str, ...] | None:
        """See `Searched.names`."""
        return self._searched.names(subject_id)

    def drop(self, subject_id: str, no: int) -> None:
        """Forget a subject that is gone."""
        self._searched.forget(subject_id, no)

    def _learn_number(self, session: Session, subject_id: str) -> int | None:
        no = session.subject_no(subject_id)
        if no is not None:
            self._searched.remember(subject_id, no)
        return no


def _passages(session: Session, no: int, hits: Sequence[Hit]) -> list[Passage]:
    """The passages of hits, in their order. Raises: OvertakenError."""
    missing = [hit.seq for hit in hits if hit.whole is None]
    read = _read(session, no, missing) if missing else {}
    return [rows.passage_of(whole or read[seq], score, parts) for seq, score, parts, whole in hits]


def _read(session: Session, no: int, seqs: list[int]) -> dict[int, rows.Row]:
    found = session.execute(
        f"SELECT {rows.PASSAGE}, seq FROM ai_memory.passage WHERE subject = %s AND seq = ANY(%s)", (no, seqs)
    )
    read = {row[-1]: rows.passage_read(row[:-1]) for row in found}
    if len(read) < len(seqs):
        raise OvertakenError
    return read
