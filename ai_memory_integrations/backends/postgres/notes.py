"""What a memory that lives elsewhere needs to know again of a subject."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.backends.postgres.session import Session
from ai_memory_integrations.errors import SubjectNotFoundError

_NOTE = "FROM ai_memory.note n JOIN ai_memory.subject s ON s.no = n.subject"
_REPLACE = "ON CONFLICT (subject, key) DO UPDATE SET value = excluded.value"


class PostgresNotes:
    """JSON objects of a subject by key, in one PostgreSQL database. The verbs are explained in `ports.Notes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, subject_id: str, key: str) -> dict[str, Any] | None:
        with self._database.read(subject_id) as session:
            found = session.value(f"SELECT n.value {_NOTE} WHERE s.subject_id = %s AND n.key = %s", (subject_id, key))
        return None if found is None else json.loads(found)

    @repeated
    def put(self, subject_id: str, key: str, note: Mapping[str, Any] | None) -> None:
        with self._database.transaction() as session:
            if note is not None:
                _insert(session, _REPLACE, subject_id, key, note)
            elif (no := session.subject_no(subject_id)) is not None:
                session.execute("DELETE FROM ai_memory.note WHERE subject = %s AND key = %s", (no, key))

    @repeated
    def add(self, subject_id: str, key: str, note: Mapping[str, Any]) -> bool:
        with self._database.transaction() as session:
            return _insert(session, "ON CONFLICT (subject, key) DO NOTHING", subject_id, key, note)

    def list(self, subject_id: str, prefix: str = "") -> dict[str, dict[str, Any]]:
        with self._database.read(subject_id) as session:
            found = session.execute(
                f"SELECT n.key, n.value {_NOTE} WHERE s.subject_id = %s AND starts_with(n.key, %s) ORDER BY n.key",
                (subject_id, prefix),
            ).fetchall()
        return {key: json.loads(value) for key, value in found}

    def subjects(self, key: str) -> tuple[str, ...]:
        with self._database.read() as session:
            found = session.execute(
                f"SELECT s.subject_id {_NOTE} WHERE n.key = %s ORDER BY s.subject_id", (key,)
            ).fetchall()
        return tuple(name for (name,) in found)


def _insert(session: Session, conflict: str, subject_id: str, key: str, note: Mapping[str, Any]) -> bool:
    no = session.subject_no(subject_id)
    if no is None:
        raise SubjectNotFoundError(subject_id)
    values = (no, key, rows.dumps(dict(note)))
    return session.execute(f"INSERT INTO ai_memory.note VALUES (%s, %s, %s) {conflict}", values).rowcount == 1
