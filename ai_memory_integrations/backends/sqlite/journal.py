"""The journal in SQLite: `messages`, `runs` and `history` in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.journal_rows import WAITING
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.backends.sqlite.history import History
from ai_memory_integrations.backends.sqlite.messages import Messages
from ai_memory_integrations.backends.sqlite.runs import Runs
from ai_memory_integrations.ports import Journal
from ai_memory_integrations.types import Stats


class SQLiteJournal(Messages, Runs, History, Journal):
    """`Journal` over one `Database`; what each verb means is said in `ports.Journal`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._database.transaction():
            yield

    @property
    def in_transaction(self) -> bool:
        return self._database.in_transaction

    def after_commit(self, call: Callable[[], None]) -> None:
        self._database.after_commit(call)

    def stats(self) -> Stats:
        with self._database.read() as connection:
            waiting, oldest = connection.execute(
                f"SELECT count(*), min(received_at) FROM message WHERE state = {WAITING}"
            ).fetchone()
            subjects = connection.execute("SELECT count(*) FROM subject").fetchone()[0]
            running = connection.execute("SELECT count(*) FROM run WHERE state = 'running'").fetchone()[0]
            failed = connection.execute("SELECT count(*) FROM run WHERE state = 'failed'").fetchone()[0]
        return Stats(
            subjects=subjects,
            waiting=waiting,
            running=running,
            failed=failed,
            oldest=rows.optional_moment(oldest),
        )

    def close(self) -> None:
        self._database.close()
