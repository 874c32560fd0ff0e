"""Subjects, blocks and passages in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.backends.sqlite.schema import SEQ_BITS
from ai_memory_integrations.errors import (
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
    from ai_memory_integrations.backends.sqlite.searching import PassageSearch


class SQLiteBackend(Backend):
    """`Backend` over one `Database`; what each verb means is said in `ports.Backend`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # subjects

    def get_subject(self, subject_id: str) -> Subject | None:
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT {rows.SUBJECT} FROM subject WHERE subject_id = ?", (subject_id,)
            ).fetchone()
        return None if row is None else rows.subject(row)

    def create_subject(self, subject_id: str, blocks: Sequence[BlockSpec] = ()) -> tuple[Subject, bool]:
        known = self.get_subject(subject_id)
        if known is not None:
            return known, False
        with self._database.transaction() as connection:
            made = connection.execute(
                "INSERT INTO subject(subject_id, agent_id, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING "
                f"RETURNING {rows.SUBJECT}",
                (subject_id, new_id("agt"), self._database.now()),
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
        with self._database.read() as connection:
            found = connection.execute(
                f"SELECT {rows.SUBJECT} FROM subject WHERE subject_id > ? ORDER BY subject_id LIMIT ?",
                ("" if after is None else after, -1 if limit is None else limit),
            ).fetchall()
        return [rows.subject(row) for row in found]

    def delete_subject(self, subject_id: str) -> ErasureReceipt | None:
        with self._database.transaction() as connection:
            row = connection.execute("SELECT no, agent_id FROM subject WHERE subject_id = ?", (subject_id,)).fetchone()
            if row is None:
                return None
            no, agent_id = row
            gone = {table: _delete_rows(connection, table, no) for table in _SUBJECT_TABLES}
            connection.execute("DELETE FROM subject WHERE no = ?", (no,))
            self._database.erasure.mark(connection)
        if "_search" in self.__dict__:
            self._search.drop(subject_id, no)
        return ErasureReceipt(
            subject_id=subject_id,
            agent_id=agent_id,
            blocks=gone["block"],
            passages=gone["passage"],
            messages=gone["message"],
            runs=gone["run"],
            complete=self._database.erasure.finish(),
            erased_at=rows.moment(self._database.now()),
        )

    # blocks

    def list_blocks(self, subject_id: str) -> list[Block]:
        with self._database.read() as connection:
            found = connection.execute(
                f"SELECT {rows.BLOCK} FROM subject s JOIN block b ON b.subject = s.no WHERE s.subject_id = ? "
                "ORDER BY b.place",
                (subject_id,),
            ).fetchall()
        return [rows.block(row) for row in found]

    def get_block(self, subject_id: str, label: str) -> Block | None:
        with self._database.read() as connection:
            return _block(connection, subject_id, label)

    def create_block(self, subject_id: str, spec: BlockSpec, change: Change = APPLICATION) -> tuple[Block, bool]:
        with self._database.transaction() as connection:
            no = subject_no(connection, subject_id)
            known = _block(connection, subject_id, spec.label)
            if known is not None:
                return known, False
            if len(spec.value) > spec.limit:
                raise BlockLimitError(subject_id, spec.label, len(spec.value), spec.limit)
            now = self._database.now()
            block_id = new_id("blk")
            connection.execute(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?, 1, "
                "coalesce(?, (SELECT max(2, 1 + max(place)) FROM block WHERE subject = ?), 2), ?, ?)",
                (
                    no,
                    spec.label,
                    block_id,
                    spec.description,
                    spec.value,
                    spec.limit,
                    spec.read_only,
                    rows.FIRST_PLACES.get(spec.label),
                    no,
                    now,
                    now,
                ),
            )
            made = _block(connection, subject_id, spec.label)
            if made is None:  # cannot be: the row was written two statements ago
                raise BlockNotFoundError(subject_id, spec.label)
            _remember(connection, no, made, change, now)
            return made, True

    def write_block(
        self,
        subject_id: str,
        label: str,
        value: str,
        *,
        expected_version: int | None = None,
        change: Change = APPLICATION,
    ) -> Block:
        with self._database.transaction() as connection:
            no = subject_no(connection, subject_id)
            known = _block(connection, subject_id, label)
            if known is None:
                raise BlockNotFoundError(subject_id, label, [block.label for block in self.list_blocks(subject_id)])
            if expected_version is not None and known.version != expected_version:
                raise VersionConflictError(subject_id, label, expected_version, known.version)
            if len(value) > known.limit:
                raise BlockLimitError(subject_id, label, len(value), known.limit)
            if value == known.value:
                return known
            now = self._database.now()
            written = known.model_copy(
                update={"value": value, "version": known.version + 1, "updated_at": rows.moment(now)}
            )
            connection.execute(
                "UPDATE block SET value = ?, version = ?, updated_at = ? WHERE subject = ? AND label = ?",
                (value, written.version, now, no, label),
            )
            _remember(connection, no, written, change, now)
            return written

    def delete_block(self, subject_id: str, label: str) -> bool:
        with self._database.transaction() as connection:
            known = _block(connection, subject_id, label)
            if known is None:
                return False
            no = subject_no(connection, subject_id)
            connection.execute("DELETE FROM block WHERE subject = ? AND label = ?", (no, label))
            connection.execute("DELETE FROM block_version WHERE subject = ? AND block_id = ?", (no, known.id))
            return True

    def block_history(self, subject_id: str, label: str) -> list[BlockVersion]:
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT v.block_id, v.version, v.value, v.actor, v.run_id, v.message_ids, v.created_at "
                "FROM subject s JOIN block b ON b.subject = s.no "
                "JOIN block_version v ON v.subject = s.no AND v.block_id = b.block_id "
                "WHERE s.subject_id = ? AND b.label = ? ORDER BY v.version",
                (subject_id, label),
            ).fetchall()
        return [rows.block_version(label, row) for row in found]

    # passages

    def add_passages(self, subject_id: str, passages: Sequence[Passage]) -> list[str]:
        from ai_memory_integrations.search.text import terms_of

        # Stemming is the slow part: it is done before the lock is taken.
        terms = [terms_of(passage.text, created_at=passage.created_at) for passage in passages]
        with self._database.transaction() as connection:
            no = subject_no(connection, subject_id)
            replaced = self._delete_passages(connection, no, [passage.id for passage in passages])
            last: int = connection.execute(
                "UPDATE subject SET passage_seq = passage_seq + ?, passage_ver = passage_ver + ? WHERE no = ? "
                "RETURNING passage_seq",
                (len(passages), int(replaced > 0), no),
            ).fetchone()[0]
            first = (no << SEQ_BITS) + last - len(passages) + 1
            connection.executemany(
                "INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (first + place, passage.id, no, *rows.passage_values(passage), terms[place])
                    for place, passage in enumerate(passages)
                ),
            )
        return [passage.id for passage in passages]

    def get_passage(self, subject_id: str, passage_id: str) -> Passage | None:
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT {rows.PASSAGE} FROM passage WHERE passage_id = ? "
                "AND subject = (SELECT no FROM subject WHERE subject_id = ?)",
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
        with self._database.read() as connection:
            no = optional_subject_no(connection, subject_id)
            if no is None:
                return []
            low, high = no << SEQ_BITS, (no + 1) << SEQ_BITS
            if after is not None:
                behind = connection.execute(
                    "SELECT id FROM passage WHERE subject = ? AND passage_id = ?", (no, after)
                ).fetchone()
                low = high if behind is None else behind[0]
            found = connection.execute(
                f"SELECT {rows.PASSAGE} FROM passage p WHERE p.id > ? AND p.id < ? AND (? IS NULL OR EXISTS "
                "(SELECT 1 FROM json_each(p.tags) t WHERE t.value IN (SELECT value FROM json_each(?)))) "
                "ORDER BY p.id LIMIT ?",
                (
                    low,
                    high,
                    *(2 * [None if tags is None else rows.json_list(tags)]),
                    -1 if limit is None else limit,
                ),
            ).fetchall()
        return [rows.passage(row) for row in found]

    def delete_passages(self, subject_id: str, passage_ids: Sequence[str]) -> int:
        with self._database.transaction() as connection:
            no = optional_subject_no(connection, subject_id)
            if no is None:
                return 0
            gone = self._delete_passages(connection, no, passage_ids)
            if gone:
                connection.execute("UPDATE subject SET passage_ver = passage_ver + 1 WHERE no = ?", (no,))
            return gone

    def _delete_passages(self, connection: sqlite3.Connection, no: int, passage_ids: Sequence[str]) -> int:
        found = connection.execute(
            "DELETE FROM passage WHERE subject = ? AND passage_id IN (SELECT value FROM json_each(?)) RETURNING id",
            (no, rows.json_list(passage_ids)),
        ).fetchall()
        connection.executemany("DELETE FROM passage_vector WHERE id = ?", found)
        return len(found)

    def search_passages(
        self, subject_id: str, query: PassageQuery, *, vector: Sequence[float] | None = None
    ) -> list[Passage]:
        return self._search.search(subject_id, query, vector)

    def speakers(self, subject_id: str) -> tuple[str, ...]:
        # As the last search found them: no statement is spent on what hardly ever changes.
        known = self._search.names(subject_id)
        if known is not None:
            return known
        with self._database.read() as connection:
            no = optional_subject_no(connection, subject_id)
            if no is None:
                return ()
            found = connection.execute(
                "SELECT DISTINCT name FROM passage WHERE id > ? AND id < ? AND name IS NOT NULL",
                (no << SEQ_BITS, (no + 1) << SEQ_BITS),
            ).fetchall()
        return tuple(name for (name,) in found)

    @cached_property
    def _search(self) -> PassageSearch:
        from ai_memory_integrations.backends.sqlite.searching import PassageSearch  # it loads NumPy

        return PassageSearch(self._database)

    def close(self) -> None:
        self.__dict__.pop("_search", None)
        self._database.close()


def optional_subject_no(connection: sqlite3.Connection, subject_id: str) -> int | None:
    row = connection.execute("SELECT no FROM subject WHERE subject_id = ?", (subject_id,)).fetchone()
    return None if row is None else row[0]


def subject_no(connection: sqlite3.Connection, subject_id: str) -> int:
    """Raises: SubjectNotFoundError."""
    no = optional_subject_no(connection, subject_id)
    if no is None:
        raise SubjectNotFoundError(subject_id)
    return no


def _block(connection: sqlite3.Connection, subject_id: str, label: str) -> Block | None:
    row = connection.execute(
        f"SELECT {rows.BLOCK} FROM subject s JOIN block b ON b.subject = s.no WHERE s.subject_id = ? AND b.label = ?",
        (subject_id, label),
    ).fetchone()
    return None if row is None else rows.block(row)


def _remember(connection: sqlite3.Connection, no: int, block: Block, change: Change, now: int) -> None:
    connection.execute(
        "INSERT INTO block_version VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            no,
            block.id,
            block.version,
            block.value,
            change.actor,
            change.run_id,
            rows.dumps(change.message_ids),
            now,
        ),
    )


def _by_subject(table: str) -> Callable[[sqlite3.Connection, int], int]:
    def delete(connection: sqlite3.Connection, no: int) -> int:
        return connection.execute(f"DELETE FROM {table} WHERE subject = ?", (no,)).rowcount

    return delete


def _by_range(table: str) -> Callable[[sqlite3.Connection, int], int]:
    def delete(connection: sqlite3.Connection, no: int) -> int:
        low, high = no << SEQ_BITS, (no + 1) << SEQ_BITS
        return connection.execute(f"DELETE FROM {table} WHERE id > ? AND id < ?", (low, high)).rowcount

    return delete


_SUBJECT_TABLES: dict[str, Callable[[sqlite3.Connection, int], int]] = {
    "block": _by_subject("block"),
    "block_version": _by_subject("block_version"),
    "passage": _by_range("passage"),
    "passage_vector": _by_range("passage_vector"),
    "message": _by_range("message"),
    "run": _by_subject("run"),
    "note": _by_subject("note"),
}


def _delete_rows(connection: sqlite3.Connection, table: str, no: int) -> int:
    return _SUBJECT_TABLES[table](connection, no)
