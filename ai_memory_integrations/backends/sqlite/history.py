"""How much there is of the history of blocks, and less of it, in SQLite."""

from __future__ import annotations

from datetime import datetime

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.history_rows import held, surplus
from ai_memory_integrations.backends.sqlite.connection import Database
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
        with self._database.read() as connection:
            versions, characters, oldest = connection.execute(
                "SELECT count(*), coalesce(sum(length(value)), 0), min(created_at) FROM block_version"
            ).fetchone()
            blocks = connection.execute("SELECT count(*) FROM block").fetchone()[0]
        return HistorySize(blocks, versions, characters, rows.optional_moment(oldest))

    def _with_more(self, subject_id: str | None, keep: int) -> list[str]:
        """The subjects with more than *keep* versions of a block: the others need no transaction."""
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT DISTINCT s.subject_id FROM block_version v JOIN subject s ON s.no = v.subject "
                "WHERE ?1 IS NULL OR s.subject_id = ?1 GROUP BY v.subject, v.block_id HAVING count(*) > ?2",
                (subject_id, keep),
            ).fetchall()
        return [name for (name,) in found]

    def _prune(self, subject_id: str, *, keep: int, before: datetime | None, dry_run: bool) -> int:
        with self._database.read() if dry_run else self._database.transaction() as connection:
            of_subject = "subject = (SELECT no FROM subject WHERE subject_id = ?)"
            ids = dict(connection.execute(f"SELECT label, block_id FROM block WHERE {of_subject}", (subject_id,)))
            notes = connection.execute(f"SELECT key, value FROM note WHERE {of_subject}", (subject_id,)).fetchall()
            versions = connection.execute(
                f"SELECT block_id, version, created_at FROM block_version WHERE {of_subject} "
                "ORDER BY block_id, version DESC",
                (subject_id,),
            )
            found = surplus(versions, held(notes, ids), keep=keep, before=before)
            if not dry_run:
                connection.executemany(
                    f"DELETE FROM block_version WHERE {of_subject} AND block_id = ? AND version = ?",
                    ((subject_id, *each) for each in found),
                )
        return len(found)
