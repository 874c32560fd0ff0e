"""What every method of a memory stands on: the shared core and the bound subject."""

from __future__ import annotations

from ai_memory_integrations.core import MemoryCore
from ai_memory_integrations.errors import NoSubjectError
from ai_memory_integrations.subjects import SubjectId, subject_id_of


class Bound:
    """A memory that may be bound to a subject."""

    _core: MemoryCore
    _bound: str | None

    def _subject(self, given: SubjectId | None) -> str:
        if given is not None:
            return subject_id_of(given)
        if self._bound is None:
            raise NoSubjectError()
        return self._bound
