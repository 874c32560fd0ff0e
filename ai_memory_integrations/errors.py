"""Every error of the package.

    AIMemoryError
    ├── ConfigurationError (ValueError)      the set-up is wrong; always raised, never swallowed
    │   ├── NoSubjectError                   nobody said whom the memory is about
    │   ├── SubjectMismatchError             a caller named somebody else than the authenticated identity
    │   ├── UnknownURLError                  no backend answers to this URL
    │   └── EmbedderMismatchError            the store's vectors come from another embedder
    ├── MissingExtraError (ImportError)      an optional dependency is absent or too old
    ├── InvalidInputError (ValueError)       a value was refused before anything was written
    │   ├── InvalidSubjectError
    │   ├── InvalidMessageError
    │   └── EditError                        an edit names text that is not there, or stands there twice
    ├── SubjectExistsError (ValueError)      initialize_* without reset=True, an import without merge=True
    ├── NotFoundError (LookupError)
    │   ├── SubjectNotFoundError
    │   ├── BlockNotFoundError
    │   ├── PassageNotFoundError
    │   └── RunNotFoundError
    ├── BlockLimitError (ValueError)         a block would hold more than its limit
    ├── ReadOnlyBlockError (ValueError)
    ├── VersionConflictError                 the block changed since the version that was named
    ├── RunFailedError                       a run that was waited for failed or was cancelled
    ├── RunTimeoutError (TimeoutError)       a run that was waited for did not end in time
    ├── LearningError                        a learner could not do its work; its messages wait
    │   ├── ModelUnavailableError            the model is busy or away; trying again later may help
    │   └── LearningCutShortError            the model did not finish within its bounds
    ├── StaleClaimError                      a learning process lost its run to another; nothing was written
    └── BackendError                         the storage failed; the cause is in __cause__
        ├── BackendUnavailableError          trying again may help
        │   └── AnswerLostError              what was asked may have been done
        ├── RefusedByServerError             a memory server would not do what it was asked
        │   ├── GoneFromServerError          what was named is not there any more
        │   └── ServerConflictError          somebody else wrote at the same moment, or it exists
        ├── StoreNotCreatableError           the file or its folder cannot be made or written
        ├── NotAStoreError                   the file is something else, or damaged
        ├── NewerSchemaError                 a newer release of this package wrote the file
        └── StoreFullError                   no room left

Each carries the facts as attributes and says what to do in its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_memory_integrations.types import Run, Usage

DISTRIBUTION = "ai-memory-integrations"


class AIMemoryError(Exception):
    """The root: catch it to catch everything this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # As usual an exception is made again from its text, which the classes below make from facts: in a process
        # pool that would be a TypeError in place of the error.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[AIMemoryError], args: tuple[Any, ...], facts: dict[str, Any]) -> AIMemoryError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(facts)
    return error


class ConfigurationError(AIMemoryError, ValueError):
    """The set-up is wrong."""


class NoSubjectError(ConfigurationError):
    """Nobody said whom the memory is about. `looked_in` maps each place to what was there."""

    def __init__(self, looked_in: Mapping[str, str] | None = None, *, needed: str | None = None) -> None:
        self.looked_in = dict(looked_in or {})
        self.needed = needed
        text = "No subject_id provided and none is bound. "
        if needed is not None:
            text = f"No subject_id provided: the template needs {needed!r} and nothing gives it. "
        text += "Pass subject_id=..., or bind one with Memory(subject_id=...) or memory.for_subject(...)"
        if self.looked_in:
            places = "; ".join(f"{place}: {found}" for place, found in self.looked_in.items())
            text += (
                ", or name it where the framework is called, in its context or as "
                f'config["configurable"]["{needed or "user_id"}"]. Looked in: {places}'
            )
        super().__init__(text + ".")


class SubjectMismatchError(ConfigurationError):
    """A caller of an authenticated server named another subject. The text never carries what belongs to it."""

    def __init__(self, place: str, named: str, authenticated: str) -> None:
        self.place, self.named, self.authenticated = place, named, authenticated
        super().__init__(
            f"{place} names {named!r}, but the authenticated user is {authenticated!r}. Callers may only name "
            "themselves; to serve somebody else on purpose, pass subject= a callable of the application."
        )


class UnknownURLError(ConfigurationError):
    """No backend answers to this URL. The URL is shown without its password."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"cannot open {url!r}: {reason}. Use sqlite:///memory.db, a path such as ./memory.db, :memory:, "
            "postgresql://user:password@host/database, or letta://host."
        )


class EmbedderMismatchError(ConfigurationError):
    """The vectors in the store were made by another embedder."""

    def __init__(self, stored: str, given: str) -> None:
        self.stored, self.given = stored, given
        super().__init__(
            f"this store's vectors were made by {stored}, the embedder given is {given}: they cannot be compared. "
            f"Searching by terms only; pass the stored embedder, or run: ai-memory reindex"
        )


class MissingExtraError(AIMemoryError, ImportError):
    """An optional dependency is absent, or too old for this package."""

    def __init__(self, part: str, extra: str, *, reason: str | None = None) -> None:
        self.part, self.extra, self.reason = part, extra, reason
        because = f" ({reason})" if reason else ""
        super().__init__(f"{part} needs: pip install '{DISTRIBUTION}[{extra}]'{because}")


class InvalidInputError(AIMemoryError, ValueError):
    """A value was refused; nothing was written."""


class InvalidSubjectError(InvalidInputError):
    """Not a subject: empty, too long, or with characters that cannot be kept."""

    def __init__(self, value: object, reason: str) -> None:
        self.value, self.reason = value, reason
        shown = repr(value) if isinstance(value, str) else f"of type {type(value).__name__}"
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        super().__init__(
            f"subject {shown} {reason}. A subject is 1 to 512 bytes of UTF-8 text without control characters, such "
            "as 'user_sarah' or 'alice@example.com'."
        )


class InvalidMessageError(InvalidInputError):
    """A message was refused; none of the call's messages was written. `index` is its place in the call."""

    def __init__(self, index: int, reason: str) -> None:
        self.index, self.reason = index, reason
        super().__init__(f"messages[{index}]: {reason}")


class EditError(InvalidInputError):
    """An edit cannot be applied to the block as it stands."""

    def __init__(self, label: str, reason: str) -> None:
        self.label, self.reason = label, reason
        super().__init__(f"block {label!r}: {reason}")


class SubjectExistsError(AIMemoryError, ValueError):
    """`initialize_*` met a subject that is there and `reset` was not given, or an import one without `merge`."""

    def __init__(self, subject_id: str, agent_id: str, *, imported: bool = False) -> None:
        self.subject_id, self.agent_id = subject_id, agent_id
        remedy = (
            "Pass merge=True (--merge on the command line) to add what it lacks, or delete it first."
            if imported
            else "Pass reset=True to start its blocks afresh, or use it as it is."
        )
        super().__init__(f"Agent {agent_id} already exists for subject {subject_id!r}. {remedy}")


class NotFoundError(AIMemoryError, LookupError):
    """Something that was named is not there."""


class SubjectNotFoundError(NotFoundError):
    def __init__(self, subject_id: str) -> None:
        self.subject_id = subject_id
        super().__init__(
            f"subject {subject_id!r} is not known. It begins with its first messages, or with "
            "initialize_subject() or initialize_memory()."
        )


class BlockNotFoundError(NotFoundError):
    def __init__(self, subject_id: str, label: str, known: Sequence[str] = ()) -> None:
        self.subject_id, self.label, self.known = subject_id, label, tuple(known)
        there = f"It has {', '.join(map(repr, known))}. " if known else "It has no blocks. "
        super().__init__(
            f"subject {subject_id!r} has no block {label!r}. {there}Make it with initialize_memory({label!r}, ...)."
        )


class PassageNotFoundError(NotFoundError):
    def __init__(self, subject_id: str, passage_id: str) -> None:
        self.subject_id, self.passage_id = subject_id, passage_id
        super().__init__(f"subject {subject_id!r} has no passage {passage_id!r}; see list_passages().")


class RunNotFoundError(NotFoundError):
    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(
            f"run {run_id!r} is not known: its subject was deleted, or it belongs to another store. See list_runs()."
        )


class BlockLimitError(AIMemoryError, ValueError):
    """A block would hold more characters than its limit; it was left as it was."""

    def __init__(self, subject_id: str, label: str, size: int, limit: int) -> None:
        self.subject_id, self.label, self.size, self.limit = subject_id, label, size, limit
        super().__init__(
            f"block {label!r} of subject {subject_id!r} holds at most {limit} characters, got {size}. Shorten the "
            f"text, move detail to a passage, or make the block with a larger char_limit."
        )


class ReadOnlyBlockError(AIMemoryError, ValueError):
    def __init__(self, subject_id: str, label: str) -> None:
        self.subject_id, self.label = subject_id, label
        super().__init__(f"block {label!r} of subject {subject_id!r} is read-only for learners and tools.")


class VersionConflictError(AIMemoryError):
    """The block changed since the version the caller saw."""

    def __init__(self, subject_id: str, label: str, expected: int, found: int) -> None:
        self.subject_id, self.label, self.expected, self.found = subject_id, label, expected, found
        super().__init__(
            f"block {label!r} of subject {subject_id!r} is at version {found}, not {expected}: somebody changed "
            "it. Read it again and repeat the change."
        )


class RunFailedError(AIMemoryError):
    """A run that was waited for failed or was cancelled; what it should have learnt waits."""

    def __init__(self, run: Run) -> None:
        self.run = run
        if run.state == "cancelled":
            text = f"run {run.id} was cancelled."
        else:
            text = (
                f"run {run.id} of subject {run.subject_id!r} failed, attempts: {run.attempts}, error: {run.error}\n"
                f"Messages that wait: {run.messages}. Learn them with memory.retry_run({run.id!r}), or: "
                "ai-memory learn --retry"
            )
        super().__init__(text)


class RunTimeoutError(AIMemoryError, TimeoutError):
    """A run that was waited for did not end in time; it goes on."""

    def __init__(self, run_id: str, seconds: float, why: str | None = None) -> None:
        self.run_id, self.seconds = run_id, seconds
        because = f" ({why})" if why else ""
        super().__init__(
            f"Run {run_id} did not complete within {seconds:g} seconds{because}. It goes on; wait again or see "
            "get_run()."
        )


class LearningError(AIMemoryError):
    """A learner could not do its work. `usage` is what it spent on the attempt, `retry_after` seconds to wait at
    least before the next; after a `final` one there is none, because it would end the same."""

    def __init__(
        self, reason: str, *, usage: Usage | None = None, retry_after: float | None = None, final: bool = False
    ) -> None:
        super().__init__(reason)
        self.usage, self.retry_after, self.final = usage, retry_after, final


class ModelUnavailableError(LearningError):
    """The model is busy, limits the rate of requests, or cannot be reached."""


class LearningCutShortError(LearningError):
    """The model did not come to an end within its bounds, and nothing of what it did was worth keeping."""


class StaleClaimError(AIMemoryError):
    """The claim on a run is no longer good: it expired, or the subject was deleted. Nothing was written."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"run {run_id} is no longer held by this process")


class BackendError(AIMemoryError):
    """The storage failed. The driver's error is in __cause__."""


class BackendUnavailableError(BackendError):
    """The storage did not answer in time, or failed; trying again may help. `status` is the code that a server answered
    with, None where none did."""

    status: int | None = None


class AnswerLostError(BackendUnavailableError):
    """The storage did not answer, and may have done what it was asked: look before asking again."""


class RefusedByServerError(BackendError):
    """A memory server would not do what it was asked. `status` is its code, `detail` its own words."""

    def __init__(self, what: str, status: int, detail: str) -> None:
        self.what, self.status, self.detail = what, status, detail
        super().__init__(f"the memory server would not {what} ({status}): {detail}")


class GoneFromServerError(RefusedByServerError):
    """What was named is not on the server."""


class ServerConflictError(RefusedByServerError):
    """Somebody else wrote at the same moment, or what should be made exists."""


class StoreNotCreatableError(BackendError):
    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"cannot create or write the memory file {path!r}: {reason}. Choose a writable place, e.g. "
            "Memory('./memory.db') or AI_MEMORY_URL=sqlite:////var/lib/app/memory.db."
        )


class NotAStoreError(BackendError):
    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"{path!r} is not a memory of this package: {reason}. It was left as it is; choose another place, or "
            "restore it from a backup."
        )


class NewerSchemaError(BackendError):
    def __init__(self, path: str, found: int, supported: int) -> None:
        self.path, self.found, self.supported = path, found, supported
        super().__init__(
            f"{path!r} has schema version {found}; this release reads up to {supported}. It was left as it is. "
            f"Upgrade: pip install -U {DISTRIBUTION}"
        )


class StoreFullError(BackendError):
    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"no room left to write {path!r}; the last change was not made and what was there is unharmed. "
            "Free some disk space and repeat the call."
        )


def key_names(value: Mapping[Any, Any]) -> str:
    """The keys of a mapping for an error text, never its values."""
    return ", ".join(sorted(map(str, value))) or "none"
