"""Subjects, blocks and passages in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.backends.postgres.schema import SUBJECT_TABLES
from ai_memory_integrations.backends.postgres.session import Session
from ai_memory_integrations.errors import (
    BackendError,
    BlockLimitError,
    BlockNotFoundError,
    SubjectNotFoundError,
    VersionConflictError,
)
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.ports import APPLICATION, Backend, Change
from ai_memory_integrations.types import (
    Block,
    BlockSpec,
    BlockVersion,
    ErasureReceipt,
    Passage,
    PassageQuery,
    Subject,
)

if TYPE_CHECKING:
    from ai_memory_integrations.backends.postgres.searching import PassageSearch

VACUUM_BYTES = 256 * 1024 * 1024
_OF_SUBJECT = "FROM ai_memory.subject s JOIN ai_memory.block b ON b.subject = s.no WHERE s.subject_id = %s"


class PostgresBackend(Backend):
    """`Backend` over one `Database`; what each verb means is said in `ports.Backend`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # subjects

    def get_subject(self, subject_id: str) -> Subject | None:
        with self._database.read(subject_id) as session:
            row = session.execute(
                f"SELECT {rows.SUBJECT} FROM ai_memory.subject WHERE subject_id = %s", (subject_id,)
            ).fetchone()
        return None if row is None else rows.subject(row)

    @repeated
    def create_subject(self, subject_id: str, blocks: Sequence[BlockSpec] = ()) -> tuple[Subject, bool]:
        known = self.get_subject(subject_id)
        if known is not None:
            return known, False
        with self._database.transaction() as session:
            made = session.execute(
                "INSERT INTO ai_memory.subject(subject_id, agent_id, created_at) VALUES (%s, %s, ai_memory.now_us()) "
                f"ON CONFLICT (subject_id) DO NOTHING RETURNING {rows.SUBJECT}",
                (subject_id, new_id("agt")),
            ).fetchone()
            if made is not None:
                for spec in blocks:
                    self.create_block(subject_id, spec)
                return rows.subject(made), True
        known = self.get_subject(subject_id)
        if known is None:
            raise SubjectNotFoundError(subject_id)
        return known, False

    def list_subjects(self, *, limit: int | None = None, after: str | None = None) -> list[Subject]:
        with self._database.read() as session:
            found = session.execute(
                f"SELECT {rows.SUBJECT} FROM ai_memory.subject WHERE subject_id > %s ORDER BY subject_id LIMIT %s",
                ("" if after is None else after, limit),
            ).fetchall()
        return [rows.subject(row) for row in found]

    @repeated
    def delete_subject(self, subject_id: str) -> ErasureReceipt | None:
        with self._database.transaction() as session:
            no = session.subject_no(subject_id)
            if no is None:
                return None
            gone = {
                table: session.execute(f"DELETE FROM ai_memory.{table} WHERE subject = %s", (no,)).rowcount
                for table in SUBJECT_TABLES
            }
            agent_id, now = session.execute(
                "DELETE FROM ai_memory.subject WHERE no = %s RETURNING agent_id, ai_memory.now_us()", (no,)
            ).fetchall()[0]
            session.forget_subject(subject_id)
        if "_search" in self.__dict__:
            self._search.drop(subject_id, no)
        return ErasureReceipt(
            subject_id=subject_id,
            agent_id=agent_id,
            blocks=gone["block"],
            passages=gone["passage"],
            messages=gone["message"],
            runs=gone["run"],
            erased_at=rows.moment(now),
            kept=self._kept(),
        )

    def _kept(self) -> tuple[str, ...]:
        """What PostgreSQL still holds of rows that were deleted. Dead rows are removed from small tables at once."""
        log = "PostgreSQL's write-ahead log until it is recycled, its archives, replicas and backups"
        later = f"dead rows in the tables of the schema {self._database.address.schema} until they are vacuumed"
        if self._database.in_transaction:
            return later, log
        try:
            if self._database.vacuum((*SUBJECT_TABLES, "subject"), at_most=VACUUM_BYTES):
                return ("space of vacuumed rows in PostgreSQL's files until it is written over", log)
        except BackendError:  # what was deleted stays deleted
            return later, log
        return later, log

    # blocks

    def list_blocks(self, subject_id: str) -> list[Block]:
        with self._database.read(subject_id) as session:
            found = session.execute(
                f"SELECT {rows.BLOCK} {_OF_SUBJECT} ORDER BY b.place, b.label", (subject_id,)
            ).fetchall()
        return [rows.block(row) for row in found]

    def get_block(self, subject_id: str, label: str) -> Block | None:
        with self._database.read(subject_id) as session:
            row = session.execute(f"SELECT {rows.BLOCK} {_OF_SUBJECT} AND b.label = %s", (subject_id, label)).fetchone()
        return None if row is None else rows.block(row)

    @repeated
    def create_block(self, subject_id: str, spec: BlockSpec, change: Change = APPLICATION) -> tuple[Block, bool]:
        with self._database.transaction() as session:
            no = subject_no(session, subject_id)
            known = _block(session, no, spec.label)
            if known is not None:
                return known, False
            if len(spec.value) > spec.limit:
                raise BlockLimitError(subject_id, spec.label, len(spec.value), spec.limit)
            now = session.now()
            row = session.execute(
                "INSERT INTO ai_memory.block AS b VALUES (%s, %s, %s, %s, %s, %s, %s, 1, coalesce(%s, "
                "(SELECT greatest(2, 1 + max(place)) FROM ai_memory.block WHERE subject = %s), 2), %s, %s) "
                f"RETURNING {rows.BLOCK}",
                (
                    no,
                    spec.label,
                    new_id("blk"),
                    spec.description,
                    spec.value,
                    spec.limit,
                    spec.read_only,
                    rows.FIRST_PLACES.get(spec.label),
                    no,
                    now,
                    now,
                ),
            ).fetchall()[0]
            made = rows.block(row)
            _remember(session, no, made, change, now)
            return made, True

    @repeated
    def write_block(
        self,
        subject_id: str,
        label: str,
        value: str,
        *,
        expected_version: int | None = None,
        change: Change = APPLICATION,
    ) -> Block:
        with self._database.transaction() as session:
            no = subject_no(session, subject_id)
            known = _block(session, no, label)
            if known is None:
                raise BlockNotFoundError(subject_id, label, [block.label for block in self.list_blocks(subject_id)])
            if expected_version is not None and known.version != expected_version:
                raise VersionConflictError(subject_id, label, expected_version, known.version)
            if len(value) > known.limit:
                raise BlockLimitError(subject_id, label, len(value), known.limit)
            if value == known.value:
                return known
            now: int = session.value(
                "UPDATE ai_memory.block SET value = %s, version = version + 1, updated_at = ai_memory.now_us() "
                "WHERE subject = %s AND label = %s RETURNING updated_at",
                (value, no, label),
            )
            written = known.model_copy(
                update={"value": value, "version": known.version + 1, "updated_at": rows.moment(now)}
            )
            _remember(session, no, written, change, now)
            return written

    @repeated
    def delete_block(self, subject_id: str, label: str) -> bool:
        with self._database.transaction() as session:
            no = session.subject_no(subject_id)
            block_id = (
                None
                if no is None
                else session.value(
                    "DELETE FROM ai_memory.block WHERE subject = %s AND label = %s RETURNING block_id", (no, label)
                )
            )
            if block_id is None:
                return False
            session.execute("DELETE FROM ai_memory.block_version WHERE subject = %s AND block_id = %s", (no, block_id))
            return True

    def block_history(self, subject_id: str, label: str) -> list[BlockVersion]:
        with self._database.read(subject_id) as session:
            found = session.execute(
                "SELECT v.block_id, v.version, v.value, v.actor, v.run_id, v.message_ids, v.created_at "
                "FROM ai_memory.subject s JOIN ai_memory.block b ON b.subject = s.no "
                "JOIN ai_memory.block_version v ON v.subject = s.no AND v.block_id = b.block_id "
                "WHERE s.subject_id = %s AND b.label = %s ORDER BY v.version",
                (subject_id, label),
            ).fetchall()
        return [rows.block_version(label, row) for row in found]

    # passages

    @repeated
    def add_passages(self, subject_id: str, passages: Sequence[Passage]) -> list[str]:
        from ai_memory_integrations.search.text import terms_of

        # Stemming is the slow part: it is done before the subject is locked.
        terms = [terms_of(passage.text, created_at=passage.created_at) for passage in passages]
        with self._database.transaction() as session:
            no = subject_no(session, subject_id)
            replaced = _delete_passages(session, no, [passage.id for passage in passages])
            last: int = session.value(
                "UPDATE ai_memory.subject SET passage_seq = passage_seq + %s, passage_ver = passage_ver + %s "
                "WHERE no = %s RETURNING passage_seq",
                (len(passages), int(replaced > 0), no),
            )
            first = last - len(passages) + 1
            session.many(
                "INSERT INTO ai_memory.passage VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    (no, first + place, passage.id, *rows.passage_values(passage), terms[place])
                    for place, passage in enumerate(passages)
                ),
            )
        return [passage.id for passage in passages]

    def get_passage(self, subject_id: str, passage_id: str) -> Passage | None:
        with self._database.read(subject_id) as session:
            row = session.execute(
                f"SELECT {rows.PASSAGE} FROM ai_memory.passage WHERE passage_id = %s "
                "AND subject = (SELECT no FROM ai_memory.subject WHERE subject_id = %s)",
                (passage_id, subject_id),
            ).fetchone()
        return None if row is None else rows.passage(row)

    def list_passages(
        self,
        subject_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> list[Passage]:
        with self._database.read() as session:
            no = session.subject_no(subject_id)
            if no is None:
                return []
            conditions: dict[str, object] = {"subject = %s": no}
            if after is not None:
                behind = session.value(
                    "SELECT seq FROM ai_memory.passage WHERE subject = %s AND passage_id = %s", (no, after)
                )
                if behind is None:
                    return []
                conditions["seq > %s"] = behind
            if tags is not None:
                # The texts of tags, of which there are few: PostgreSQL's JSON functions refuse what JSON allows.
                texts = session.execute("SELECT DISTINCT tags FROM ai_memory.passage WHERE subject = %s", (no,))
                wanted = set(tags)
                conditions["tags = ANY(%s)"] = [text for (text,) in texts if not wanted.isdisjoint(rows.tags(text))]
            found = session.execute(
                f"SELECT {rows.PASSAGE} FROM ai_memory.passage WHERE {' AND '.join(conditions)} ORDER BY seq LIMIT %s",
                (*conditions.values(), limit),
            ).fetchall()
        return [rows.passage(row) for row in found]

    @repeated
    def delete_passages(self, subject_id: str, passage_ids: Sequence[str]) -> int:
        with self._database.transaction() as session:
            no = session.subject_no(subject_id)
            if no is None:
                return 0
            gone = _delete_passages(session, no, passage_ids)
            if gone:
                session.execute("UPDATE ai_memory.subject SET passage_ver = passage_ver + 1 WHERE no = %s", (no,))
            return gone

    def search_passages(
        self, subject_id: str, query: PassageQuery, *, vector: Sequence[float] | None = None
    ) -> list[Passage]:
        return self._search.search(subject_id, query, vector)

    def speakers(self, subject_id: str) -> tuple[str, ...]:
        # As the last search found them: no statement is spent on what hardly ever changes.
        known = self._search.names(subject_id)
        if known is not None:
            return known
        with self._database.read(subject_id) as session:
            found = session.execute(
                "SELECT DISTINCT name FROM ai_memory.passage WHERE name IS NOT NULL "
                "AND subject = (SELECT no FROM ai_memory.subject WHERE subject_id = %s)",
                (subject_id,),
            ).fetchall()
        return tuple(name for (name,) in found)

    @cached_property
    def _search(self) -> PassageSearch:
        from ai_memory_integrations.backends.postgres.searching import PassageSearch  # it loads NumPy

        return PassageSearch(self._database)

    def close(self) -> None:
        self.__dict__.pop("_search", None)
        self._database.close()


def subject_no(session: Session, subject_id: str) -> int:
    """Raises: SubjectNotFoundError."""
    no = session.subject_no(subject_id)
    if no is None:
        raise SubjectNotFoundError(subject_id)
    return no


def _block(session: Session, no: int, label: str) -> Block | None:
    row = session.execute(
        f"SELECT {rows.BLOCK} FROM ai_memory.block b WHERE b.subject = %s AND b.label = %s", (no, label)
    ).fetchone()
    return None if row is None else rows.block(row)


def _remember(session: Session, no: int, block: Block, change: Change, now: int) -> None:
    session.execute(
        "INSERT INTO ai_memory.block_version VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (no, block.id, block.version, block.value, change.actor, change.run_id, rows.dumps(change.message_ids), now),
    )


def _delete_passages(session: Session, no: int, passage_ids: Sequence[str]) -> int:
    found = session.execute(
        "DELETE FROM ai_memory.passage WHERE subject = %s AND passage_id = ANY(%s) RETURNING seq",
        (no, list(passage_ids)),
    ).fetchall()
    if found:
        session.execute(
            "DELETE FROM ai_memory.passage_vector WHERE subject = %s AND seq = ANY(%s)",
            (no, [seq for (seq,) in found]),
        )
    return len(found)
