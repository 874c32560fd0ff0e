"""A connection in use, with the statements of this store."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from ai_memory_integrations.backends.postgres.address import SCHEMA
from ai_memory_integrations.backends.rows import Row

WAIT_SECONDS = 30.0
"""How long to wait for a lock or a free connection."""

WRITING = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '{WAIT_SECONDS:g}s'"
ONE_STATE = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class OvertakenError(LookupError):
    """What was found has been written anew or deleted before it was read: it has to be looked for in one state."""


class Session:
    """A connection in use. In statements `ai_memory.` stands for the schema of the store."""

    def __init__(self, connection: psycopg.Connection[Row], schema: str) -> None:
        self.connection = connection
        self._schema = schema
        self.locked: dict[str, int] | None = None
        """The numbers of the subjects locked by the transaction under way; None when none may be locked."""

    def execute(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> psycopg.Cursor[Row]:
        return self.connection.execute(_qualified(statement, self._schema), values, binary=True)

    def many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """The same statement for each row, without waiting in between."""
        with self.connection.cursor() as cursor:
            cursor.executemany(_qualified(statement, self._schema), rows)

    def now(self) -> int:
        """Microseconds since 1970 by the clock that all times in this store come from."""
        return int(self.value("SELECT ai_memory.now_us()"))

    def value(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The first value of the first row; None without a row."""
        row = self.execute(statement, values).fetchone()
        return None if row is None else row[0]

    def subject_no(self, subject_id: str) -> int | None:
        """The number of a subject, None for an unknown one. In a transaction it is locked until the end of that."""
        if self.locked is None:
            found = self.value("SELECT no FROM ai_memory.subject WHERE subject_id = %s", (subject_id,))
        elif subject_id in self.locked:
            return self.locked[subject_id]
        else:
            found = self.value("SELECT no FROM ai_memory.subject WHERE subject_id = %s FOR UPDATE", (subject_id,))
            if found is not None:
                self.locked[subject_id] = found
        return None if found is None else int(found)

    def forget_subject(self, subject_id: str) -> None:
        """The subject was deleted: its number is no more."""
        if self.locked is not None:
            self.locked.pop(subject_id, None)

    @property
    def in_transaction(self) -> bool:
        return self.connection.info.transaction_status != TransactionStatus.IDLE

    def script(self, statements: str) -> None:
        """Several statements in one go, without values."""
        self.connection.execute(_qualified(statements, self._schema), prepare=False)

    def roll_back(self) -> None:
        """Undo what is under way. A connection that cannot is closed, which undoes it as well."""
        self.locked = None
        if self.connection.closed:
            return
        try:
            self.connection.execute("ROLLBACK")
        except psycopg.Error:
            self.connection.close()


@functools.lru_cache(maxsize=1024)
def _qualified(statement: str, schema: str) -> str:
    return statement if schema == SCHEMA else statement.replace(f"{SCHEMA}.", f'"{schema}".')
