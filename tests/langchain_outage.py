"""A store that can be out of reach."""

from __future__ import annotations

from typing import Any

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
