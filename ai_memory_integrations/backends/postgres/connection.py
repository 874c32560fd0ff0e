"""One PostgreSQL database: connected to on first use, by any number of threads, processes and machines.

Whoever changes anything of a subject has locked the subject's row before, and so has whoever reads it inside a
transaction: within a subject everything happens one after the other, as in a file with one writer, and different
subjects do not wait for each other. A connection keeps no state between transactions, so that a pooler may stand in
front of the server.
"""

from __future__ import annotations

import functools
import os
import random
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from ai_memory_integrations import forking
from ai_memory_integrations.backends.postgres import texts
from ai_memory_integrations.backends.postgres.address import Address
from ai_memory_integrations.backends.postgres.failures import is_conflict, translated
from ai_memory_integrations.backends.postgres.migration import prepare
from ai_memory_integrations.backends.postgres.schema import APPLICATION
from ai_memory_integrations.backends.postgres.session import ONE_STATE, WAIT_SECONDS, WRITING, Session
from ai_memory_integrations.backends.rows import Row
from ai_memory_integrations.errors import BackendError, BackendUnavailableError

_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)

P = ParamSpec("P")
R = TypeVar("R")


class _Here(threading.local):
    """What this thread is in the middle of."""

    session: Session | None = None
    depth = 0
    calls: tuple[Callable[[], None], ...] = ()


class Database:
    """Transactions and reads in one database, over at most `address.connections` connections."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._forget()
        forking.register(self)

    def _forget(self) -> None:
        """Start as if nothing had been opened."""
        self._free = threading.Condition()
        self._idle: list[psycopg.Connection[Row]] = []
        self._open = 0  # connections there are, idle or in use
        self._preparing = threading.Lock()
        self._prepared = False
        self._here = _Here()
        self._process = os.getpid()
        self._closed = False

    def before_fork(self) -> None:
        """Nothing has to be at rest: the child uses nothing of what its parent has open."""

    def after_fork_in_parent(self) -> None: ...

    def after_fork_in_child(self) -> None:
        """Begin anew. What was open is the parent's: kept, so that nothing closes it, and never used."""
        _abandoned.extend(self._idle)
        if self._here.session is not None:
            _abandoned.append(self._here.session.connection)
        closed = self._closed
        self._forget()
        self._closed = closed

    # transactions

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A connection inside a transaction; one begun by the same thread is joined.

        An error inside a joined one undoes the joined part, also where the outer one goes on.
        """
        if self._here.session is not None:
            with self._joined(self._here.session) as session:
                yield session
            return
        with self._connected() as session, self._begun(session):
            yield session
            calls = self._here.calls
        for call in calls:
            call()

    @contextmanager
    def _begun(self, session: Session) -> Iterator[None]:
        here, process = self._here, self._process
        # Ctrl-C may come between any two calls: whatever was begun is undone.
        try:
            session.script(WRITING)
            session.locked = {}
            here.session = session
            yield
            if process == os.getpid():  # a child forked in between has no part in it
                session.execute("COMMIT")
            session.locked = None
        except BaseException:
            if process == os.getpid():
                session.roll_back()
            raise
        finally:
            here.session, here.calls = None, ()

    @contextmanager
    def _joined(self, session: Session) -> Iterator[Session]:
        here, name = self._here, f"joined{self._here.depth}"
        with self._translated():
            locked = dict(session.locked or {})
            session.execute(f"SAVEPOINT {name}")
            here.depth += 1
            try:
                yield session
                session.execute(f"RELEASE {name}")
            except BaseException:
                session.locked = locked  # the locks of the joined part are let go
                with suppress(psycopg.Error):  # the connection is lost, and the whole transaction with it
                    session.execute(f"ROLLBACK TO {name}")
                    session.execute(f"RELEASE {name}")
                raise
            finally:
                here.depth -= 1

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside `transaction()`."""
        return self._here.session is not None

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have *call* made when the transaction of this thread has been committed and left; at once outside of any."""
        if self.in_transaction:
            self._here.calls = (*self._here.calls, call)
        else:
            call()

    @contextmanager
    def read(self, subject_id: str | None = None) -> Iterator[Session]:
        """A connection to read from, each statement for itself. Inside a transaction of this thread it is that one,
        and *subject_id* is locked: what is read stays true until the end."""
        session = self._here.session
        if session is None:
            with self._connected() as session:
                yield session
            return
        with self._translated():
            if subject_id is not None:
                session.subject_no(subject_id)
            yield session

    @contextmanager
    def one_state(self, session: Session) -> Iterator[bool]:
        """All statements inside see one state. True when a transaction was under way, whose state may be undone."""
        if session.in_transaction:
            yield True
            return
        session.script(ONE_STATE)
        try:
            yield False
            session.execute("COMMIT")
        except BaseException:
            session.roll_back()
            raise

    # connections

    @contextmanager
    def _connected(self) -> Iterator[Session]:
        with self._translated():
            connection, process = self._take(), self._process
            try:
                yield Session(connection, self.address.schema)
            finally:
                if process == os.getpid():
                    self._give_back(connection)

    def _take(self) -> psycopg.Connection[Row]:
        connection = self._idle_one()
        try:
            if connection is None or not _is_alive(connection):
                connection = self._connect()
            self._prepare(connection)
        except BaseException:
            self._give_back(connection)
            raise
        return connection

    def _idle_one(self) -> psycopg.Connection[Row] | None:
        """The connection used last; None when a new one may be made."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self._free:
            while not self._closed:
                if self._idle:
                    return self._idle.pop()
                if self._open < self.address.connections:
                    self._open += 1
                    return None
                if not self._free.wait(deadline - time.monotonic()):
                    raise BackendUnavailableError(
                        f"all {self.address.connections} connections to {self.address.shown!r} were in use for "
                        f"{WAIT_SECONDS:g} seconds. Repeat the call, or allow more with ?connections="
                    )
        raise BackendError(f"this memory is closed; open {self.address.shown!r} again to use it")

    def _give_back(self, connection: psycopg.Connection[Row] | None) -> None:
        if connection is not None and not connection.closed and _under_way(connection):
            connection.close()  # interrupted: the server undoes what was begun
        with self._free:
            if connection is not None and not connection.closed and not self._closed:
                self._idle.append(connection)
            else:
                self._open -= 1
            self._free.notify()
        if connection is not None and self._closed:
            connection.close()

    def _connect(self) -> psycopg.Connection[Row]:
        connection = psycopg.connect(
            self.address.conninfo,
            autocommit=True,
            prepare_threshold=5 if self.address.prepared else None,
            client_encoding="utf-8",
            **_unless_said(self.address.conninfo),
        )
        texts.adapt(connection)
        return connection

    def _prepare(self, connection: psycopg.Connection[Row]) -> None:
        if self._prepared:
            return
        with self._preparing:
            if not self._prepared:
                prepare(Session(connection, self.address.schema), self.address)
                self._prepared = True

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise translated(error, self.address) from error

    def vacuum(self, tables: Iterable[str], *, at_most: int) -> bool:
        """Remove dead rows from these tables; False when they are larger than *at_most* bytes together, which would
        take seconds. Never inside a transaction."""
        named = [f"ai_memory.{table}" for table in tables]
        with self._connected() as session:
            sizes = " + ".join(f"pg_total_relation_size('{table}')" for table in named)
            if session.value(f"SELECT {sizes}") > at_most:
                return False
            session.execute(f"VACUUM (SKIP_LOCKED) {', '.join(named)}")
        return True

    def close(self) -> None:
        """Close every connection; one in use is closed when it comes back. Closing twice is fine."""
        with self._free:
            self._closed = True
            idle, self._idle = self._idle, []
            self._open -= len(idle)
            self._free.notify_all()
        for connection in idle:
            connection.close()


_abandoned: list[psycopg.Connection[Row]] = []


class _OnDatabase(Protocol):
    _database: Database


S = TypeVar("S", bound=_OnDatabase)


def repeated(verb: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method that is one transaction, done again when PostgreSQL undid it to end a deadlock. Inside a transaction of
    the application all of that is undone, and only the application can repeat it."""

    @functools.wraps(verb)
    def call(self: S, /, *arguments: P.args, **options: P.kwargs) -> R:
        for pause in _PAUSES:
            try:
                return verb(self, *arguments, **options)
            except BackendUnavailableError as error:
                if self._database.in_transaction or not is_conflict(error.__cause__):
                    raise
            time.sleep(random.uniform(pause / 2, pause))
        return verb(self, *arguments, **options)

    return call


def _is_alive(connection: psycopg.Connection[Row]) -> bool:
    """Whether an idle connection can be used. Nothing is asked of a server that has said nothing."""
    if connection.closed:
        return False
    if not _has_news(connection.fileno()):
        return True
    try:  # the server says something unasked: mostly that it ends
        connection.execute("SELECT 1")
    except psycopg.Error:
        connection.close()
        return False
    return True


def _has_news(file: int) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([file], [], [], 0)[0])
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))


def _under_way(connection: psycopg.Connection[Row]) -> bool:
    return connection.info.transaction_status != TransactionStatus.IDLE


def _unless_said(conninfo: str) -> dict[str, Any]:
    """What libpq is told where the URL says nothing: an outage must be noticed in seconds, not in hours."""
    said = psycopg.conninfo.conninfo_to_dict(conninfo)
    wanted = {
        "application_name": APPLICATION,
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "tcp_user_timeout": 60_000,
    }
    return {name: value for name, value in wanted.items() if name not in said}
