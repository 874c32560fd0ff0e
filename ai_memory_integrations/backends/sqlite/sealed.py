"""A file that nobody writes, here or elsewhere: a backup, or memory on a medium that cannot be written.

SQLite cannot read a file with a write-ahead log where it cannot make the log. Told that the file is immutable it needs
neither log nor locks, and sees nothing of a writer there is after all. That nobody writes cannot be found out: what is
read-only here may be mounted to be written elsewhere, as a container's volume is. So it has to be said, in the URL.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from ai_memory_integrations.backends.sqlite.connection import Database, _check_path, _checked_version
from ai_memory_integrations.backends.sqlite.erasure import Erasure
from ai_memory_integrations.backends.sqlite.schema import SCHEMA_VERSION
from ai_memory_integrations.errors import BackendError


class SealedDatabase(Database):
    """A `Database` that makes no file, takes no lock and cannot write: whoever tries is told so."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(path, **options)
        self.erasure = _NothingToErase(self)

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            if self._closed:
                raise BackendError(f"this memory is closed; open {self.path!r} again to use it")
            _check_path(Path(self.path))
            _check_log(Path(f"{self.path}-wal"))
            connection = self._connect()
            try:
                _check_tables(connection, self.path)
            except BaseException:
                connection.close()
                raise
            self._writer = connection
        return self._writer

    def _connect(self, kind: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
        address = f"{Path(self.path).as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(
            address, uri=True, factory=kind, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.execute("PRAGMA temp_store=MEMORY")
        return connection


class _NothingToErase(Erasure):
    """What was deleted and not yet erased stays so: that is for whoever can write the file."""

    def finish(self, *, threads: bool = True, processes: bool = True) -> bool:
        return False


def _check_log(log: Path) -> None:
    if log.exists() and log.stat().st_size:
        raise BackendError(
            f"{str(log)!r} holds commits that are not in the file yet and would be left out with immutable=1: where "
            "both can be written open the memory once without that option, or copy both there"
        )


def _check_tables(connection: sqlite3.Connection, path: str) -> None:
    if _checked_version(connection, path) != SCHEMA_VERSION:
        raise BackendError(
            f"{path!r} has tables of an older release, which cannot be brought up to date with immutable=1: copy it to "
            "where it can be written and open it there without that option"
        )
