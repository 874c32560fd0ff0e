"""Stores that can be out of reach for a while, as a server can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ai_memory_integrations.backends.sqlite.store import SQLiteStore
from ai_memory_integrations.errors import BackendUnavailableError
from ai_memory_integrations.ports import Store


class UnreliableStore:
    """A real store behind a line that can be cut."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.down = False

    def __getattr__(self, name: str) -> Any:
        if self.down:
            raise BackendUnavailableError("the storage does not answer")
        return getattr(self._store, name)


class _Part:
    """A part of a store that answers as long as the store is there."""

    def __init__(self, part: Any, store: InterruptibleStore) -> None:
        self._part, self._store = part, store

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if not callable(value) or name == "close":
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._store.away:
                raise BackendUnavailableError("the storage is away")
            return value(*args, **kwargs)

        return call


class InterruptibleStore:
    """An SQLite store that can be away for a while, as a database server can."""

    def __init__(self, path: Path) -> None:
        self._store = SQLiteStore(str(path))
        self.away = False
        self.url = self._store.url
        self.backend: Any = _Part(self._store.backend, self)
        self.journal: Any = _Part(self._store.journal, self)
        self.items = self._store.items
        self.vectors = None
        self.transfer = self._store.transfer
        self.notes = self._store.notes
        self.learner = None

    def close(self) -> None:
        self._store.close()

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.away = True
        try:
            yield
        finally:
            self.away = False
