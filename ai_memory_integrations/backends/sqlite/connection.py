"""One SQLite file: opened on first use, written by one thread at a time, read by any.

Measured: `BEGIN IMMEDIATE` with one lock per process and a patient busy time-out never fails, where a deferred
transaction that reads before it writes fails for most of its callers. Reading has connections of its own, so a
reader does not wait for a writer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from ai_memory_integrations import forking
from ai_memory_integrations.backends.sqlite.erasure import VACUUM_BYTES, Erasure, give_up
from ai_memory_integrations.backends.sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from ai_memory_integrations.errors import (
    BackendError,
    BackendUnavailableError,
    NewerSchemaError,
    NotAStoreError,
    StoreFullError,
    StoreNotCreatableError,
)

Synchronous = Literal["full", "normal"]
MEMORY = ":memory:"
BUSY_SECONDS = 30.0


class _AfterCommit(threading.local):
    """What the thread's transaction has been asked to call once it is committed."""

    calls: tuple[Callable[[], None], ...] = ()


class Reader(sqlite3.Connection):
    """A connection that never writes, so that SQLite's `data_version` tells it of every commit there is.

    `noted` is for what is true as long as that version stays: the version, and what was read after it.
    """

    noted: tuple[int, Any] | None = None


class Database:
    """Transactions and reads on one file (or on memory, with `:memory:`).

    *synchronous* `full` survives the loss of power for one sync a commit; `normal` survives the death of the
    process only, and is faster where a sync is slow.
    """

    def __init__(
        self,
        path: str,
        *,
        synchronous: Synchronous = "full",
        clock: Callable[[], float] = time.time,
        vacuum_bytes: int = VACUUM_BYTES,
    ) -> None:
        self.path = path if path == MEMORY else os.path.abspath(os.path.expanduser(path))
        self._synchronous = synchronous
        self._clock = clock
        self.erasure = Erasure(self, vacuum_bytes)
        self._forget()
        forking.register(self)

    def _forget(self) -> None:
        """Start as if nothing had been opened. A forked child calls it: what it inherited is its parent's."""
        self._lock = threading.RLock()
        self._pool_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._reading = 0  # connections that are out of the pool
        self._held_for_fork = False
        self._depth = 0
        self._owner: int | None = None
        self._after_commit = _AfterCommit()
        self._on_commit: list[Callable[[], None]] = []  # of the one transaction that is under way
        self._closed = False
        # What is kept of the file from one read to the next. A forked child makes its own: a thread of its parent may
        # have held a lock in it.
        self.process_memory: Any = None
        self.erasure.forget()

    def before_fork(self) -> None:
        """Let nobody in, wait until nobody is in, close every connection.

        SQLite counts its locks for the whole process and guards that with locks of its own. A child would inherit
        both as they are at that moment: a lock nobody releases, and files it takes to be locked that are not.
        """
        deadline = time.monotonic() + forking.FORK_SECONDS
        if not self._lock.acquire(timeout=forking.FORK_SECONDS):
            return
        self._pool_lock.acquire()  # it is never held for long
        while self._reading:
            self._pool_lock.release()
            if time.monotonic() >= deadline:
                self._lock.release()
                return
            time.sleep(0.001)
            self._pool_lock.acquire()
        self._held_for_fork = True
        if self.path != MEMORY and not self._depth:
            for connection in (*self._readers, self._writer):
                if connection is not None:
                    connection.close()
            self._readers.clear()
            self._writer = None

    def after_fork_in_parent(self) -> None:
        """Let callers in again; connections are opened when they are needed."""
        if self._held_for_fork:
            self._held_for_fork = False
            self._pool_lock.release()
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin with new locks. A connection that could not be closed in time is the parent's: kept, never used."""
        inherited = [*self._readers, *([] if self._writer is None else [self._writer])]
        closed, memory = self._closed, self._writer if self.path == MEMORY else None
        self._forget()
        self._closed = closed
        if memory is None:
            _abandoned.extend(inherited)
        else:
            self._writer = memory  # a copy of the parent's, and nobody else's

    def now(self) -> int:
        """Microseconds since 1970 by the clock that all times in this store come from."""
        return int(self._clock() * 1_000_000)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The writing connection inside a transaction; one begun by the same thread is joined.

        An error inside a joined one undoes the joined part, also where the outer one goes on.
        """
        if self.in_transaction:
            with self._joined() as connection:
                yield connection
            return
        try:
            with self._joined() as connection:
                yield connection
            calls = self._after_commit.calls
        finally:
            self._after_commit.calls = ()
        for call in calls:
            call()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside `transaction()`."""
        return self._owner == threading.get_ident()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have *call* made when the transaction of this thread has been committed and left; at once outside of any."""
        if self.in_transaction:
            self._after_commit.calls = (*self._after_commit.calls, call)
        else:
            call()

    def on_commit(self, call: Callable[[], None]) -> None:
        """Have *call* made as soon as the transaction under way is committed and before the next one begins, so in the
        order of the commits; never for a part that is undone. It must neither wait nor fail."""
        self._on_commit.append(call)

    @contextmanager
    def _joined(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self.path):
            connection = self._open_writer()
            depth, owner = self._depth, threading.get_ident()
            if depth == 0:
                self._undo(connection, 0)
                self._on_commit = []
            asked = len(self._on_commit)
            # Ctrl-C may come between any two calls: whatever was begun is undone, and what is counted is set back.
            try:
                self._depth, self._owner = depth + 1, owner
                connection.execute(f"SAVEPOINT joined{depth}" if depth else "BEGIN IMMEDIATE")
                yield connection
                connection.execute(f"RELEASE joined{depth}" if depth else "COMMIT")
            except BaseException:
                del self._on_commit[asked:]
                self._undo(connection, depth)
                raise
            finally:
                self._depth, self._owner = depth, owner if depth else None
            if depth == 0:
                calls, self._on_commit = self._on_commit, []
                for call in calls:
                    call()

    def _undo(self, connection: sqlite3.Connection, depth: int) -> None:
        """Undo what was begun at *depth*, if anything was: an interrupted call may not have come so far."""
        if not connection.in_transaction:  # a full disk or a lost file makes SQLite roll back by itself
            return
        if depth == 0:
            connection.execute("ROLLBACK")
            return
        try:
            connection.execute(f"ROLLBACK TO joined{depth}")
        except sqlite3.OperationalError:  # no such savepoint
            return
        connection.execute(f"RELEASE joined{depth}")

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection to read from; inside a transaction of this thread, the one that sees its writes."""
        if self._owner == threading.get_ident() or self.path == MEMORY:
            return self._read_by_writer()
        return _Reading(self)

    @contextmanager
    def _read_by_writer(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self.path):
            yield self._open_writer()

    def _take_reader(self) -> sqlite3.Connection:
        with self._pool_lock:
            if self._readers:
                self._reading += 1
                return self._readers.pop()
        with self._lock:
            self._open_writer()
            reader = self._connect(Reader)
            reader.execute("PRAGMA query_only=ON")
            with self._pool_lock:
                self._reading += 1
            return reader

    def _give_back(self, connection: sqlite3.Connection) -> None:
        try:
            self._undo(connection, 0)  # interrupted, it would show an old state for ever
        finally:
            with self._pool_lock:
                self._reading -= 1
                closed = self._closed
                if not closed:
                    self._readers.append(connection)  # from here on it may be in use elsewhere
            if closed:
                connection.close()

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            if self._closed:
                raise BackendError(f"this memory is closed; open {self.path!r} again to use it")
            if self.path != MEMORY:
                _check_path(Path(self.path))
            connection = self._connect()
            try:
                _prepare(connection, self.path)
            except BaseException:
                connection.close()
                raise
            self._writer = connection
            self.erasure.finish(threads=False, processes=False)
        return self._writer

    def _connect(self, kind: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            factory=kind,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            # Deleted text is overwritten from the first write on: erasure cannot be had afterwards.
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute(f"PRAGMA synchronous={'FULL' if self._synchronous == 'full' else 'NORMAL'}")
            connection.execute("PRAGMA temp_store=MEMORY")
        except BaseException:  # a damaged file is noticed here
            connection.close()
            raise
        return connection

    @contextmanager
    def writer(self) -> Iterator[sqlite3.Connection]:
        """The writing connection outside of any transaction."""
        with self._lock, _translated(self.path):
            connection = self._open_writer()
            self._undo(connection, 0)
            yield connection

    def close(self) -> None:
        """Close every connection; what runs in another thread finishes first. Closing twice is fine."""
        if self._writer is not None and not self.in_transaction:
            self.erasure.finish(processes=False)
        with self._lock:
            self._closed = True
            if self._writer is not None:
                with _translated(self.path):
                    with self._pool_lock:
                        idle, self._readers = self._readers, []
                    for reader in idle:
                        reader.close()
                    self._writer.close()
                self._writer = None


class _Reading:
    """A reader taken from the pool and given back. A class, because a generator costs as much as a short read."""

    __slots__ = ("_connection", "_database")

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection = self._database._take_reader()
        except sqlite3.Error as error:
            raise _translation(error, self._database.path) from error
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._database._give_back(self._connection)
        except sqlite3.Error as failed:
            raise _translation(failed, self._database.path) from failed
        if isinstance(error, sqlite3.Error):
            raise _translation(error, self._database.path) from error


_abandoned: list[sqlite3.Connection] = []


def _check_path(path: Path) -> None:
    """Say by name what SQLite would call "unable to open database file".

    The file itself is opened by SQLite alone: a process that closes any descriptor of a file loses all its locks on
    it, and with those of another connection what that one writes from then on.
    """
    try:
        if path.is_dir():
            raise StoreNotCreatableError(str(path), "it is a folder")
        if not path.parent.is_dir():
            raise StoreNotCreatableError(str(path), f"its folder {str(path.parent)!r} does not exist")
    except OSError as error:  # a folder above it may not be entered, or a name is too long
        raise StoreNotCreatableError(str(path), error.strerror or str(error)) from error


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Check that the file is ours, then bring its tables to the current version."""
    version = _checked_version(connection, path)
    if path != MEMORY:
        _use_wal(connection)
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster: look again, now that nobody else can write.
        version = _checked_version(connection, path)
        if version:
            give_up(connection)
        for step in MIGRATIONS[version:]:
            for statement in step.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _checked_version(connection: sqlite3.Connection, path: str) -> int:
    # In this order: whoever makes the tables meanwhile commits them with both numbers, so tables seen have theirs.
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        if application or tables:
            raise NotAStoreError(path, f"it is another application's database (tables: {', '.join(tables[:5])})")
        return 0
    if version > SCHEMA_VERSION:
        raise NewerSchemaError(path, version, SCHEMA_VERSION)
    return version


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite does not wait here when another process is doing the same."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """SQLite's errors as ours, with the remedy; the cause is kept."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translation(error, path) from error


def _translation(error: sqlite3.Error, path: str) -> BackendError:
    # An error made by the sqlite3 module itself, such as a wrong use of a closed connection, has no code.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BackendUnavailableError(
            f"{path!r} was kept locked by another process for {BUSY_SECONDS:g} seconds; nothing was written. "
            "Repeat the call; if it persists, look for a process that holds a long transaction."
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return StoreNotCreatableError(path, _why_not_written(error, Path(path)))
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError(path)
    if code == sqlite3.SQLITE_NOTADB:
        return NotAStoreError(path, "it is no SQLite database")
    if code == sqlite3.SQLITE_CORRUPT:
        return NotAStoreError(path, str(error))
    return BackendError(f"{path!r}: {error}")


def _why_not_written(error: sqlite3.Error, path: Path) -> str:
    """SQLite keeps files beside its own: a folder that is closed stops readers as well."""
    if os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        return str(error)
    return (
        f"{error}: its folder {str(path.parent)!r} cannot be written here, and SQLite keeps files beside its own "
        "(one that nobody writes can be read: 'sqlite:///...?immutable=1')"
    )
