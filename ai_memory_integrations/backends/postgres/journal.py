"""The journal in PostgreSQL: `messages`, `runs` and `history` in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.journal_rows import WAITING
from ai_memory_integrations.backends.postgres.connection import Database
from ai_memory_integrations.backends.postgres.history import History
from ai_memory_integrations.backends.postgres.messages import Messages
from ai_memory_integrations.backends.postgres.runs import Runs
from ai_memory_integrations.ports import Journal
from ai_memory_integrations.types import Stats


class PostgresJournal(Messages, Runs, History, Journal):
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
        with self._database.read() as session:
            waiting, oldest, subjects, running, failed = session.execute(
                "SELECT count(*), min(received_at), (SELECT count(*) FROM ai_memory.subject), "
                "(SELECT count(*) FROM ai_memory.run WHERE state = 'running'), "
                "(SELECT count(*) FROM ai_memory.run WHERE state = 'failed') "
                f"FROM ai_memory.message WHERE state = {WAITING}"
            ).fetchall()[0]
        return Stats(
            subjects=subjects,
            waiting=waiting,
            running=running,
            failed=failed,
            oldest=rows.optional_moment(oldest),
        )

    def close(self) -> None:
        self._database.close()
