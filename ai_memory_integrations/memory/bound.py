"""What every method of a memory stands on: the shared core and the bound subject."""

from __future__ import annotations

from ai_memory_integrations.core import MemoryCore
from ai_memory_integrations.errors import InvalidInputError, NoSubjectError
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

    def _named(self, user_id: SubjectId | None, subject_id: SubjectId | None) -> str:
        """The subject of a call that may name it in two ways. Raises: InvalidInputError when it names two of them."""
        if user_id is not None and subject_id is not None and subject_id_of(user_id) != subject_id_of(subject_id):
            raise InvalidInputError(
                f"user_id {subject_id_of(user_id)!r} and subject_id {subject_id_of(subject_id)!r} name two subjects: "
                "leave one of them out"
            )
        return self._subject(subject_id if user_id is None else user_id)
