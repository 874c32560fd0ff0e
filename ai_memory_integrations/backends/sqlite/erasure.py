"""What makes a deletion an erasure: no trace of deleted rows stays in the file or in its log.

SQLite overwrites deleted cells and freed pages (`secure_delete`). What it leaves are copies in the unused middle of
b-tree pages: when cells move to a neighbouring page, the page they leave is written anew from its end, and its middle
keeps what stood there. Where such a copy is cannot be known, so every page that may hold one is written afresh:

- a small file by VACUUM, which keeps writers out for as long as that takes (readers go on);
- a larger one table by table, in short steps between which others write. A table is copied into a new one that
  triggers keep up to date, the copy takes its place, and the old one is emptied and dropped, all of whose pages are
  overwritten then. The copy never saw what was deleted before it was begun.

What is still to be done is noted in the file: `erasure_pending` counts the deletions since pages were written afresh,
`erasure_log` says that only the log must be emptied yet. One process at a time works on it; when it dies, the next one
that opens the file begins again.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends.owner import is_gone, process_owner
from ai_memory_integrations.errors import BackendError, BackendUnavailableError, StoreFullError
from ai_memory_integrations.ids import new_id

if TYPE_CHECKING:
    from ai_memory_integrations.backends.sqlite.connection import Database

VACUUM_BYTES = 128 * 1024 * 1024
STEP_SECONDS = 0.05
"""About how long one step keeps other writers waiting."""

_CLAIM_SECONDS = 30.0
_POLL_SECONDS = 0.05
_ROWS = 200
_TRIES = 3
_PENDING, _LOG, _WORKER = "erasure_pending", "erasure_log", "erasure_worker"
# Nothing of a subject is ever in these, so nothing of it is left there. Any table that is not named is written afresh.
_OF_NO_SUBJECT = ("meta", "item_namespace", "item", "item_search", "item_gone")
_COPY, _OLD = "_anew", "_old"
_WAITING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)


class Erasure:
    """Finishes the erasures of one `Database`. Files with more than *vacuum_bytes* in use are written in steps."""

    def __init__(self, database: Database, vacuum_bytes: int = VACUUM_BYTES) -> None:
        self._database = database
        self._vacuum_bytes = vacuum_bytes
        self.forget()

    def forget(self) -> None:
        """After a fork: what the parent's threads do is theirs."""
        self._working = threading.Lock()

    def mark(self, connection: sqlite3.Connection) -> None:
        """Inside the deleting transaction: note that traces of what was deleted must still leave the file."""
        connection.execute(
            "INSERT INTO meta VALUES (?, '1') ON CONFLICT(key) DO UPDATE SET value = CAST(value + 1 AS TEXT)",
            (_PENDING,),
        )

    def finish(self, *, threads: bool = True, processes: bool = True) -> bool:
        """Remove every trace of what was deleted; False when that has to wait, for a reader that still sees old pages
        or for room on the disk. Where another thread or process is at it, this waits for it, or gives False."""
        if self._database.in_transaction:
            self._database.after_commit(self._finish_later)
            return False
        if not self._working.acquire(blocking=threads):
            return False
        try:
            return self._finish(processes)
        except (BackendUnavailableError, StoreFullError):
            return False
        except BackendError:
            if not self._database.closed:
                raise
            return False  # whoever opens the file next goes on with it
        finally:
            self._working.release()

    def _finish_later(self) -> None:
        self.finish()

    def _finish(self, wait: bool) -> bool:
        while (left := self._left()) != (None, None):
            if left[0] is None:
                return self._empty_log()
            if self._is_small():
                if not self._vacuum(left[0]):
                    return False
                continue
            if not self._empty_log():  # a reader that stays would make the log hold whatever is written
                return False
            token = new_id("era")
            if self._claim(token):
                try:
                    self._write_afresh(token, left[0])
                except _TakenOverError:
                    continue
                finally:
                    self._release(token)
            elif not wait:
                return False
            else:
                time.sleep(_POLL_SECONDS)
        return True

    def _left(self) -> tuple[str | None, str | None]:
        with self._database.writer() as writer:
            found = dict(writer.execute("SELECT key, value FROM meta WHERE key IN (?, ?)", (_PENDING, _LOG)).fetchall())
        return found.get(_PENDING), found.get(_LOG)

    def _is_small(self) -> bool:
        """Whether VACUUM takes no longer than a writer may be kept waiting; never while tables are being copied."""
        with self._database.writer() as writer:
            pages, free, size = (
                writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
            )
            copied = any(name.endswith((_COPY, _OLD)) for name in _tables(writer))
        return (pages - free) * size <= self._vacuum_bytes and not copied

    def _empty_log(self) -> bool:
        """False when a reader or writer stays; those that come and go are waited for."""
        return any(self._emptied() for _ in range(_TRIES))

    def _emptied(self) -> bool:
        with self._database.writer() as writer:
            timeout = writer.execute("PRAGMA busy_timeout").fetchone()[0]
            writer.execute("PRAGMA busy_timeout=250")
            try:
                busy = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _WAITING:
                    raise
                busy = 1
            finally:
                writer.execute(f"PRAGMA busy_timeout={timeout}")
            if not busy:
                writer.execute("DELETE FROM meta WHERE key = ?", (_LOG,))
        return not busy

    def _vacuum(self, mark: str) -> bool:
        with self._database.writer() as writer:
            try:
                writer.execute("PRAGMA temp_store=FILE")
                writer.execute("VACUUM")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _WAITING:
                    raise
                return False
            finally:
                writer.execute("PRAGMA temp_store=MEMORY")
        with self._database.transaction() as connection:
            _pages_are_fresh(connection, mark)
        return True

    # in steps

    def _claim(self, token: str) -> bool:
        with self._database.transaction() as connection:
            now = self._database.now()
            row = connection.execute("SELECT value FROM meta WHERE key = ?", (_WORKER,)).fetchone()
            if row is not None:
                _, owner, until = row[0].split("|")
                if now < int(until) <= now + 2 * _CLAIM_SECONDS * 1e6 and not is_gone(owner):
                    return False
            self._hold(connection, token)
        return True

    def _hold(self, connection: sqlite3.Connection, token: str) -> None:
        until = self._database.now() + int(_CLAIM_SECONDS * 1_000_000)
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_WORKER, f"{token}|{process_owner()}|{until}"))

    def _release(self, token: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM meta WHERE key = ? AND value LIKE ? || '|%'", (_WORKER, token))

    def _write_afresh(self, token: str, mark: str) -> None:
        """In transactions that keep others waiting for `STEP_SECONDS`, and pauses for them to write in."""
        work = _Work(mark)
        pieces, left = iter(work), True
        while left:
            with self._database.transaction() as work.connection:
                began = time.monotonic()
                row = work.connection.execute("SELECT value FROM meta WHERE key = ?", (_WORKER,)).fetchone()
                if row is None or row[0].split("|")[0] != token:
                    raise _TakenOverError
                self._hold(work.connection, token)
                left = any(time.monotonic() - began > STEP_SECONDS for _ in pieces)
            if left:
                time.sleep(min((time.monotonic() - began) / 2, STEP_SECONDS))


class _TakenOverError(Exception):
    """Somebody else goes on with it."""


class _Work:
    """Writes every table afresh that may hold traces, piece by piece, all pieces of a transaction on `connection`."""

    connection: sqlite3.Connection

    def __init__(self, mark: str) -> None:
        self._mark = mark

    def __iter__(self) -> Iterator[None]:
        tables = [name for name in _tables(self.connection) if name not in _OF_NO_SUBJECT]
        for table in tables:
            if table.endswith((_COPY, _OLD)):  # of a process that died over it
                _stop_copying(self.connection, table)
                yield from self._drop(table)
        for table in tables:
            if not table.endswith((_COPY, _OLD)):
                yield from self._renew(table)
        _pages_are_fresh(self.connection, self._mark)

    def _renew(self, table: str) -> Iterator[None]:
        while True:
            shape = _Shape(self.connection, table)
            shape.make_copy(self.connection)
            last: Sequence[Any] | None = ()
            while last is not None:
                last = shape.copy_some(self.connection, last)
                yield
            if _Shape(self.connection, table).sql == shape.sql:
                shape.swap(self.connection)
                yield from self._drop(table + _OLD)
                return
            _stop_copying(self.connection, shape.copy)  # the table was changed meanwhile
            yield from self._drop(shape.copy)

    def _drop(self, table: str) -> Iterator[None]:
        """Delete the rows of a table that nobody uses any more, then the table."""
        shape = _Shape(self.connection, table)
        while shape.empty_some(self.connection):
            yield
        self.connection.execute(f"DROP TABLE {table}")


class _Shape:
    """How a table is made, and the statements that follow from it."""

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        self.table, self.copy = table, table + _COPY
        self.sql: list[tuple[str, str]] = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('table', 'index') AND sql IS NOT NULL "
            "ORDER BY type DESC, name",
            (table,),
        ).fetchall()
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        self.columns = [row[1] for row in columns]
        self.key = [name for _, name in sorted((row[5], row[1]) for row in columns if row[5])]

    def make_copy(self, connection: sqlite3.Connection) -> None:
        """An empty table of the same shape, and triggers that do there what is done here."""
        for name, sql in self.sql:
            kind, made = ("TABLE", self.copy) if name == self.table else ("INDEX", _other_name(name))
            on = "" if kind == "TABLE" else f" ON {self.copy}"
            pattern = rf'^CREATE (UNIQUE )?{kind} "?{name}"?' + (rf' ON "?{self.table}"?' if on else "")
            connection.execute(re.sub(pattern, rf"CREATE \g<1>{kind} {made}{on}", sql))
        names = ", ".join(self.columns)
        values = ", ".join(f"NEW.{name}" for name in self.columns)
        delete_old, delete_new = (
            f"DELETE FROM {self.copy} WHERE {' AND '.join(f'{name} = {which}.{name}' for name in self.key)};"
            for which in ("OLD", "NEW")
        )
        insert = f"INSERT INTO {self.copy}({names}) VALUES ({values});"
        for event, does in (
            ("INSERT", delete_new + insert),  # a row that is replaced fires no trigger
            ("UPDATE", delete_old + delete_new + insert),
            ("DELETE", delete_old),
        ):
            connection.execute(f"CREATE TRIGGER {self.copy}_{event} AFTER {event} ON {self.table} BEGIN {does} END")

    def copy_some(self, connection: sqlite3.Connection, after: Sequence[Any]) -> Sequence[Any] | None:
        """Copy the next rows by their key; the last key, None at the end. Rows that came by a trigger stay."""
        upto = self._key_after(connection, after)
        same = " AND ".join(f"c.{name} = t.{name}" for name in self.key)
        limits = [self._compared(sign, "t.") for sign, key in ((">", after), ("<=", upto)) if key]
        connection.execute(
            f"INSERT INTO {self.copy}({', '.join(self.columns)}) SELECT {', '.join(self.columns)} FROM {self.table} t "
            f"WHERE {' AND '.join([*limits, f'NOT EXISTS (SELECT 1 FROM {self.copy} c WHERE {same})'])} "
            f"ORDER BY {', '.join(f't.{name}' for name in self.key)}",
            (*after, *(upto or ())),
        )
        return upto

    def empty_some(self, connection: sqlite3.Connection) -> bool:
        """Delete the first rows; False when that were all."""
        upto = self._key_after(connection, ())
        if upto is None:
            connection.execute(f"DELETE FROM {self.table}")
            return False
        connection.execute(f"DELETE FROM {self.table} WHERE {self._compared('<=')}", upto)
        return True

    def swap(self, connection: sqlite3.Connection) -> None:
        """The copy takes the table's place."""
        _stop_copying(connection, self.copy)
        connection.execute(f"ALTER TABLE {self.table} RENAME TO {self.table}{_OLD}")
        connection.execute(f"ALTER TABLE {self.copy} RENAME TO {self.table}")
        if "AUTOINCREMENT" in self.sql[0][1]:  # a number is never used twice, though its row be gone
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (self.table,))
            connection.execute(
                "INSERT INTO sqlite_sequence SELECT ?, seq FROM sqlite_sequence WHERE name = ?",
                (self.table, self.table + _OLD),
            )

    def _key_after(self, connection: sqlite3.Connection, after: Sequence[Any]) -> Sequence[Any] | None:
        keys = ", ".join(self.key)
        where = f"WHERE {self._compared('>')}" if after else ""
        key: Sequence[Any] | None = connection.execute(
            f"SELECT {keys} FROM {self.table} {where} ORDER BY {keys} LIMIT 1 OFFSET ?", (*after, _ROWS - 1)
        ).fetchone()
        return key

    def _compared(self, sign: str, prefix: str = "") -> str:
        return f"({', '.join(prefix + name for name in self.key)}) {sign} ({', '.join('?' * len(self.key))})"


def give_up(connection: sqlite3.Connection) -> None:
    """Before tables are changed: whoever writes one afresh begins again afterwards."""
    for table in _tables(connection):
        _stop_copying(connection, table)
    connection.execute("DELETE FROM meta WHERE key = ?", (_WORKER,))


def _stop_copying(connection: sqlite3.Connection, copy: str) -> None:
    for event in ("INSERT", "UPDATE", "DELETE"):
        connection.execute(f"DROP TRIGGER IF EXISTS {copy}_{event}")


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    return [name for (name,) in found]


def _other_name(index: str) -> str:
    """An index keeps its name when its table is renamed, so the copy's has another one, and the next copy's the first
    again."""
    return index.removesuffix("_2") if index.endswith("_2") else f"{index}_2"


def _pages_are_fresh(connection: sqlite3.Connection, mark: str) -> None:
    """Only the log has traces now, unless something was deleted since *mark* was read."""
    done = connection.execute("DELETE FROM meta WHERE key = ? AND value = ?", (_PENDING, mark)).rowcount
    if done:
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, '1')", (_LOG,))
