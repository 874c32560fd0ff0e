"""Notes of others, apart from those that this backend keeps itself in the same place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ai_memory_integrations.ports import Notes


class NotesUnder(Notes):
    """The notes of *notes* whose keys begin with *prefix*, without it."""

    def __init__(self, notes: Notes, prefix: str) -> None:
        self._notes = notes
        self._prefix = prefix

    def get(self, subject_id: str, key: str) -> dict[str, Any] | None:
        return self._notes.get(subject_id, self._prefix + key)

    def put(self, subject_id: str, key: str, note: Mapping[str, Any] | None) -> None:
        self._notes.put(subject_id, self._prefix + key, note)

    def add(self, subject_id: str, key: str, note: Mapping[str, Any]) -> bool:
        return self._notes.add(subject_id, self._prefix + key, note)

    def list(self, subject_id: str, prefix: str = "") -> dict[str, dict[str, Any]]:
        found = self._notes.list(subject_id, self._prefix + prefix)
        return {key.removeprefix(self._prefix): note for key, note in found.items()}

    def subjects(self, key: str) -> Sequence[str]:
        return self._notes.subjects(self._prefix + key)
