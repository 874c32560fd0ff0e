"""`Memory`, the one door to what is remembered of a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from ai_memory_integrations.core import MemoryCore, Settings, block_specs
from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.memory.messages import MessageMethods
from ai_memory_integrations.memory.prompts import PromptMethods
from ai_memory_integrations.memory.runs import RunMethods
from ai_memory_integrations.memory.users import UserMethods
from ai_memory_integrations.opened import remember
from ai_memory_integrations.subjects import (
    SubjectId,
    SubjectSource,
    check_source,
    literal,
    resolve_subject,
    subject_id_of,
)
from ai_memory_integrations.types import BlockSpec, LearningMode, LearningPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from ai_memory_integrations.aio import AsyncMemory
    from ai_memory_integrations.ports import Embedder, Learner, Store


class Memory(UserMethods, MessageMethods, RunMethods, PromptMethods):
    """Long-term memory keyed by subject; it stands in for `ai_memory_sdk.Memory`.

    *url* is `sqlite:///memory.db`, a path, `:memory:` or `letta://host`; without it `AI_MEMORY_URL`, else a file in
    the user's data directory. *api_key* is a key for Letta, which is where memory is when it is given without a URL.
    *subject_id* binds a subject, so that no call has to name it; *subject* is what framework rooms resolve theirs
    from: a template such as `"user_{user_id}"` or a callable. *blocks* are what a subject starts with that first
    appears through messages or a framework. *learner* turns messages into edits (default: Letta's agents on Letta,
    elsewhere rules without a model), *learning* says when (`"background"`, `"inline"`, `"off"` or a `LearningPolicy`).
    *embedder* gives search meaning (default: the local one when installed; False: none). *backend* is an open store of
    one's own. *journal* is the URL or path of the SQL store in which memory on Letta keeps messages and runs; elsewhere
    they are in the same database as everything.

    Nothing is opened before the first call, so a `Memory` may stand at module level and cross a fork. It may be used
    from any thread; `aio` is its awaitable mirror.

    Raises: ConfigurationError.
    """

    def __init__(
        self,
        url: str | PathLike[str] | None = None,
        *,
        subject_id: SubjectId | None = None,
        subject: SubjectSource | None = None,
        api_key: str | None = None,
        blocks: Sequence[BlockSpec | dict[str, Any] | str] | None = None,
        learning: LearningMode | LearningPolicy | None = None,
        learner: Learner | Callable[..., Any] | None = None,
        embedder: Embedder | bool | None = None,
        backend: Store | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> None:
        if subject_id is not None and subject is not None:
            raise ConfigurationError("pass subject_id= for one subject or subject= for a template, not both")
        if url is not None and backend is not None:
            raise ConfigurationError("pass a url or backend=, not both")
        if backend is not None and not all(hasattr(backend, part) for part in ("backend", "journal")):
            raise ConfigurationError(
                f"backend= is of type {type(backend).__name__}: pass an open store, such as SQLiteStore('memory.db'). "
                "A path or URL is the first argument, Memory('memory.db')"
            )
        if url is not None:
            from ai_memory_integrations.backends.urls import check_url

            url = fspath(url) if isinstance(url, PathLike) else url
            check_url(url)
        if api_key is not None:
            url = _letta_url(url, backend)
        if journal is not None:
            url = _with_journal(url, backend, fspath(journal) if isinstance(journal, PathLike) else journal)
        if learning not in (None, "background", "inline", "off") and not isinstance(learning, LearningPolicy):
            raise ConfigurationError(
                f"learning={learning!r} is not known; use 'background', 'inline', 'off' or LearningPolicy(...)"
            )
        self._bound = None if subject_id is None else subject_id_of(subject_id)
        self._source = None if subject is None else check_source(subject)
        self._owner = True
        self._core = MemoryCore(
            Settings(
                url=url,
                api_key=api_key,
                store=backend,
                blocks=None if blocks is None else block_specs(blocks),
                learning=learning,
                learner=learner,
                embedder=embedder,
            )
        )
        remember(self)

    # what it is

    @property
    def subject_id(self) -> str | None:
        """The bound subject, if there is one."""
        return self._bound

    @property
    def subject(self) -> SubjectSource | None:
        """What framework rooms resolve their subject from: the bound one, else the template or callable given."""
        return self._source if self._bound is None else literal(self._bound)

    @property
    def url(self) -> str:
        """Where memory is kept."""
        return self._core.store.url

    @property
    def aio(self) -> AsyncMemory:
        """The same methods, awaitable, over the same memory."""
        from ai_memory_integrations.aio import AsyncMemory

        return AsyncMemory.over(self)

    def __repr__(self) -> str:
        from ai_memory_integrations.backends.urls import without_password

        url = self._core.settings.url
        parts = [] if url is None else [repr(without_password(url))]
        if self._bound is not None:
            parts.append(f"subject_id={self._bound!r}")
        return f"Memory({', '.join(parts)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Memory holds what is open in this process and cannot be pickled or copied: pass its URL and open "
            "Memory(url) where it is needed, or share this object between threads"
        )

    def for_subject(self, subject_id: SubjectId) -> Memory:
        """A view bound to a subject: cheap, shares everything, closes nothing."""
        view = object.__new__(type(self))
        view._bound = subject_id_of(subject_id)
        view._source = None
        view._owner = False
        view._core = self._core
        return view

    def resolve_subject(
        self,
        subject: SubjectSource | None = None,
        *,
        context: object = None,
        configurable: Mapping[str, Any] | None = None,
        identity: str | None = None,
    ) -> str:
        """The subject of a call through a framework; see `subjects.resolve_subject`. *subject* overrides the
        memory's own."""
        return resolve_subject(
            subject, context=context, configurable=configurable, identity=identity, default=self.subject
        )

    def close(self) -> None:
        """Close what this object opened. What is not learnt yet is learnt by the next process; twice is fine."""
        if self._owner:
            self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aio.close()


def checked_memory(value: object) -> Memory:
    """*value*, for an adapter that is handed a memory. Raises: ConfigurationError when it is none."""
    if isinstance(value, Memory):
        return value
    if isinstance(getattr(value, "blocking", None), Memory):
        raise ConfigurationError("memory is an AsyncMemory: pass memory.blocking, which serves async callers as well")
    if isinstance(value, str | PathLike):
        raise ConfigurationError("memory is a path or URL: open it, as in Memory('memory.db'), and pass that")
    raise ConfigurationError(f"memory is of type {type(value).__name__}: pass a Memory, such as Memory('memory.db')")


def _letta_url(url: str | None, backend: Store | None) -> str:
    """Where memory is when a key for Letta is given. Raises: ConfigurationError when that is not Letta."""
    from ai_memory_integrations.backends.urls import default_url, scheme_of, without_password

    if backend is not None:
        raise ConfigurationError("api_key= is for Letta and cannot be used with backend=: give it to the client there")
    if url is None:
        named, _ = default_url()
        return named if scheme_of(named) == "letta" else "letta://"
    if scheme_of(url) != "letta":
        raise ConfigurationError(
            f"api_key= is a key for Letta, and {without_password(url)!r} is not on Letta. Leave it out, or use "
            "letta:// as the URL."
        )
    return url


def _with_journal(url: str | None, backend: Store | None, journal: str) -> str:
    """The URL of a memory on Letta that names its journal. Raises: ConfigurationError when memory is not there."""
    from urllib.parse import urlencode

    from ai_memory_integrations.backends.letta.places import letta_place
    from ai_memory_integrations.backends.urls import check_url, default_url, scheme_of, without_password

    if backend is not None:
        raise ConfigurationError("journal= cannot be used with backend=, which has its own")
    named = default_url()[0] if url is None else url
    if scheme_of(named) != "letta":
        raise ConfigurationError(
            f"journal= is for memory on Letta; {without_password(named)!r} keeps its journal in the same database. "
            "Leave it out, or use letta:// as the URL."
        )
    if letta_place(named).journal is not None:
        raise ConfigurationError(f"{without_password(named)!r} names a journal already: say it there or by journal=")
    check_url(journal)
    whole = f"{named}{'&' if '?' in named else '?'}{urlencode({'journal': journal})}"
    check_url(whole)
    return whole
