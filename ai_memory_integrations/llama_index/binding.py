"""Whom an adapter that serves many callers is about: asked on every call."""

from __future__ import annotations

from dataclasses import dataclass

from ai_memory_integrations.memory import Memory, checked_memory
from ai_memory_integrations.opened import default_place, reopened
from ai_memory_integrations.subjects import SubjectSource


@dataclass(frozen=True)
class Bound:
    """A memory and where its subject comes from: `subject`, else what the memory says."""

    memory: Memory
    subject: SubjectSource | None = None

    def subject_id(self, session_id: str | None = None) -> str:
        """The subject of a call. A template may use `{session_id}`. Raises: NoSubjectError."""
        known = {} if session_id is None else {"session_id": session_id}
        return self.memory.resolve_subject(self.subject, configurable=known)


def bound(memory: Memory | None, subject: SubjectSource | None, *, session_id: str | None = None) -> Bound:
    """*memory*, or the one where memory is kept by default; nothing is opened. Whether there is a subject is found out
    here and not in the first turn, unless a callable of the application says it; *session_id* is an example of one
    where there will be one.

    Raises: NoSubjectError, ConfigurationError.
    """
    made = Bound(default_memory() if memory is None else checked_memory(memory), subject)
    if not callable(made.memory.subject if subject is None else subject):
        made.subject_id(session_id)
    return made


def default_memory() -> Memory:
    """The memory of `AI_MEMORY_URL` or the user's data directory: the open one of this process, else a new one."""
    return reopened(default_place())
