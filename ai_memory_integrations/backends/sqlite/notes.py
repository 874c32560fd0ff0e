"""What a memory that lives elsewhere needs to know again of a subject."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.errors import SubjectNotFoundError

_NOTE = "FROM note n JOIN subject s ON s.no = n.subject"


class SQLiteNotes:
    """JSON objects of a subject by key, in one SQLite file. The verbs are explained in `ports.Notes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, subject_id: str, key: str) -> dict[str, Any] | None:
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT n.value {_NOTE} WHERE s.subject_id = ? AND n.key = ?", (subject_id, key)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, subject_id: str, key: str, note: Mapping[str, Any] | None) -> None:
        if note is None:
            with self._database.transaction() as connection:
                connection.execute(
                    "DELETE FROM note WHERE subject = (SELECT no FROM subject WHERE subject_id = ?) AND key = ?",
                    (subject_id, key),
                )
            return
        self._insert("INSERT OR REPLACE", subject_id, key, note)

    def add(self, subject_id: str, key: str, note: Mapping[str, Any]) -> bool:
        return self._insert("INSERT OR IGNORE", subject_id, key, note)

    def _insert(self, verb: str, subject_id: str, key: str, note: Mapping[str, Any]) -> bool:
        with self._database.transaction() as connection:
            known = connection.execute("SELECT no FROM subject WHERE subject_id = ?", (subject_id,)).fetchone()
            if known is None:
                raise SubjectNotFoundError(subject_id)
            statement = f"{verb} INTO note VALUES (?, ?, ?)"
            return connection.execute(statement, (known[0], key, rows.dumps(dict(note)))).rowcount == 1

    def list(self, subject_id: str, prefix: str = "") -> dict[str, dict[str, Any]]:
        with self._database.read() as connection:
            found = connection.execute(
                f"SELECT n.key, n.value {_NOTE} WHERE s.subject_id = ? AND substr(n.key, 1, ?) = ? ORDER BY n.key",
                (subject_id, len(prefix), prefix),
            ).fetchall()
        return {key: json.loads(value) for key, value in found}

    def subjects(self, key: str) -> tuple[str, ...]:
        with self._database.read() as connection:
            found = connection.execute(
                f"SELECT s.subject_id {_NOTE} WHERE n.key = ? ORDER BY s.subject_id", (key,)
            ).fetchall()
        return tuple(name for (name,) in found)
