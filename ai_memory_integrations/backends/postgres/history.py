"""How much there is of the history of blocks, and less of it, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.history_rows import held, surplus
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.ports import HistorySize


class History:
    """The part of `ports.Journal` about versions of blocks."""

    _database: Database

    def prune_history(
        self, subject_id: str | None = None, *, keep: int = 1, before: datetime | None = None, dry_run: bool = False
    ) -> int:
        return sum(
            self._prune(each, keep=keep, before=before, dry_run=dry_run) for each in self._with_more(subject_id, keep)
        )

    def history_size(self) -> HistorySize:
        with self._database.read() as session:
            versions, characters, oldest, blocks = session.execute(
                "SELECT count(*), coalesce(sum(length(value)), 0), min(created_at), "
                "(SELECT count(*) FROM ai_memory.block) FROM ai_memory.block_version"
            ).fetchall()[0]
        return HistorySize(blocks, versions, characters, rows.optional_moment(oldest))

    def _with_more(self, subject_id: str | None, keep: int) -> list[str]:
        """The subjects with more than *keep* versions of a block: the others need no transaction."""
        with self._database.read() as session:
            found = session.execute(
                "SELECT DISTINCT s.subject_id FROM ai_memory.block_version v "
                "JOIN ai_memory.subject s ON s.no = v.subject WHERE %s::text IS NULL OR s.subject_id = %s "
                "GROUP BY s.subject_id, v.block_id HAVING count(*) > %s",
                (subject_id, subject_id, keep),
            ).fetchall()
        return [name for (name,) in found]

    @repeated
    def _prune(self, subject_id: str, *, keep: int, before: datetime | None, dry_run: bool) -> int:
        with self._database.read() if dry_run else self._database.transaction() as session:
            no = session.subject_no(subject_id)  # locked, to write: nobody changes its blocks meanwhile
            blocks = session.execute("SELECT label, block_id FROM ai_memory.block WHERE subject = %s", (no,)).fetchall()
            notes = session.execute("SELECT key, value FROM ai_memory.note WHERE subject = %s", (no,)).fetchall()
            versions = session.execute(
                "SELECT block_id, version, created_at FROM ai_memory.block_version WHERE subject = %s "
                "ORDER BY block_id, version DESC",
                (no,),
            ).fetchall()
            found = surplus(versions, held(notes, dict(blocks)), keep=keep, before=before)
            if not dry_run:
                session.many(
                    "DELETE FROM ai_memory.block_version WHERE subject = %s AND block_id = %s AND version = %s",
                    ((no, *each) for each in found),
                )
        return len(found)
