"""`Memory`, the one door to what is remembered of a subject."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from os import PathLike, fspath
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, get_args, overload

from ai_memory_integrations.core import HUMAN, SUMMARY, MemoryCore, Settings, block_specs
from ai_memory_integrations.door import (
    as_messages,
    as_passages,
    aware,
    check_count,
    check_id,
    check_json,
    check_label,
    check_roles,
    check_seconds,
    check_tags,
    check_text,
    wanted_id,
    wanted_ids,
)
from ai_memory_integrations.errors import (
    BlockNotFoundError,
    ConfigurationError,
    InvalidInputError,
    NoSubjectError,
    RunFailedError,
    RunNotFoundError,
    RunTimeoutError,
    SubjectExistsError,
    SubjectNotFoundError,
    VersionConflictError,
)
from ai_memory_integrations.learning import edits
from ai_memory_integrations.opened import remember
from ai_memory_integrations.ports import Appended, Change
from ai_memory_integrations.prompt import render_block, render_blocks, render_passages, render_summary
from ai_memory_integrations.subjects import (
    SubjectId,
    SubjectSource,
    check_source,
    literal,
    resolve_subject,
    subject_id_of,
)
from ai_memory_integrations.types import (
    DEFAULT_BLOCK_LIMIT,
    DEFAULT_THREAD,
    Actor,
    Block,
    BlockSpec,
    BlockVersion,
    ErasureReceipt,
    LearningMode,
    LearningPolicy,
    Message,
    Metadata,
    Passage,
    PassageQuery,
    Role,
    Run,
    RunState,
    Stats,
    Subject,
    Thread,
    Usage,
)
from ai_memory_integrations.waiting import Steps, pauses, sleep_through

if TYPE_CHECKING:
    from collections.abc import Callable

    from ai_memory_integrations.aio import AsyncMemory
    from ai_memory_integrations.files import FilesAdded, FileSpec, OnProgress
    from ai_memory_integrations.ports import Embedder, Learner, Store

SDK_TAG = "ai-memory-sdk"
ASK_SECONDS = 0.25
DRAIN_SECONDS = 2 * 3600.0  # no model that is busy is waited for so long; what has used up its budget is


class Memory:
    """Long-term memory keyed by subject; it stands in for `ai_memory_sdk.Memory`.

    *url* is `sqlite:///memory.db`, a path or `:memory:`; without it `AI_MEMORY_URL`, else a file in the user's data
    directory. *subject_id* binds a subject, so that no call has to name it; *subject* is what framework rooms resolve
    theirs from: a template such as `"user_{user_id}"` or a callable. *blocks* are what a subject starts with that
    first appears through messages or a framework. *learner* turns messages into edits (default: by rules, no model),
    *learning* says when (`"background"`, `"inline"`, `"off"` or a `LearningPolicy`). *embedder* gives search meaning
    (default: the local one when installed; False: none). *backend* is an open store of one's own.

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
    ) -> None:
        if api_key is not None:
            raise ConfigurationError(
                "api_key= stands for Letta, and this release has no Letta backend. Leave it out to keep memory in a "
                "file: Memory('memory.db')."
            )
        if subject_id is not None and subject is not None:
            raise ConfigurationError("pass subject_id= for one subject or subject= for a template, not both")
        if url is not None and backend is not None:
            raise ConfigurationError("pass a url or backend=, not both")
        if url is not None:
            from ai_memory_integrations.backends.urls import sqlite_path

            url = fspath(url) if isinstance(url, PathLike) else url
            sqlite_path(url)
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
                store=backend,
                blocks=block_specs(blocks),
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

    def _subject(self, given: SubjectId | None) -> str:
        if given is not None:
            return subject_id_of(given)
        if self._bound is None:
            raise NoSubjectError()
        return self._bound

    # subjects

    def initialize_subject(self, subject_id: SubjectId | None = None, reset: bool = False) -> str:
        """Make a subject without blocks; its agent's id. With *reset* one that is there starts with no blocks;
        messages not yet learnt, threads and passages stay.

        Raises: SubjectExistsError.
        """
        return self._begin(self._subject(subject_id), (), reset=reset)

    def ensure_subject(self, subject_id: SubjectId | None = None) -> str:
        """The id of the agent behind a subject; a new one begins with the blocks that `blocks=` names."""
        subject, _ = self._core.store.backend.create_subject(self._subject(subject_id), self._core.settings.blocks)
        return subject.agent_id

    def get_memory_agent_id(self, user_id: SubjectId | None = None) -> str | None:
        """The id of the agent behind a subject; None when it is not known."""
        known = self._core.store.backend.get_subject(self._subject(user_id))
        return None if known is None else known.agent_id

    def list_subjects(self, *, limit: int | None = None, after: str | None = None) -> list[Subject]:
        """Subjects in the order of their ids, those behind *after*."""
        return self._core.store.backend.list_subjects(limit=_count(limit), after=_wanted(after, "after"))

    def delete_subject(self, subject_id: SubjectId | None = None) -> ErasureReceipt | None:
        """Erase everything about a subject; what was removed, or None when it is not known."""
        subject = self._subject(subject_id)
        receipt = self._core.store.backend.delete_subject(subject)
        self._core.directory.forget(subject)
        return receipt

    def delete_user(self, user_id: SubjectId | None = None) -> ErasureReceipt | None:
        """`delete_subject` by the AI Memory SDK's name."""
        return self.delete_subject(user_id)

    def _begin(self, subject_id: str, blocks: Sequence[BlockSpec], *, reset: bool) -> str:
        store = self._core.store
        subject, created = store.backend.create_subject(subject_id, blocks)
        if created:
            return subject.agent_id
        if not reset:
            raise SubjectExistsError(subject_id, subject.agent_id)
        with store.journal.transaction():
            # "Empty, so reset" is the SDK's own idiom: what was learnt since that look is not what it means to lose.
            if blocks and self._core.looks.found_empty(subject_id) and self.get_memory("human", subject_id=subject_id):
                return subject.agent_id
            for block in store.backend.list_blocks(subject_id):
                store.backend.delete_block(subject_id, block.label)
            for spec in blocks:
                store.backend.create_block(subject_id, spec)
        return subject.agent_id

    # blocks

    def initialize_memory(
        self,
        label: str,
        description: str = "",
        value: str = "",
        char_limit: int = DEFAULT_BLOCK_LIMIT,
        reset: bool = False,
        subject_id: SubjectId | None = None,
        *,
        read_only: bool = False,
    ) -> str:
        """Make a block, and its subject when that is new; the block's id. One that is there is left as it is, or
        replaced by a new one with *reset*. A *read_only* block is not written by learners and tools.

        Raises: BlockLimitError, InvalidInputError.
        """
        subject = self._subject(subject_id)
        spec = BlockSpec(
            label=check_label(label),
            description=check_text(description, "description"),
            value=check_text(value, "value"),
            limit=_limit(char_limit),
            read_only=bool(read_only),
        )
        store = self._core.store
        with store.journal.transaction():
            store.backend.create_subject(subject)
            if reset:
                store.backend.delete_block(subject, label)
            block, _ = store.backend.create_block(subject, spec)
        return block.id

    def get_memory(self, label: str, prompt_formatted: bool = False, subject_id: SubjectId | None = None) -> str | None:
        """A block's value, or the block as it stands in a prompt; None when it is missing."""
        block = self.get_block(label, subject_id)
        if block is None:
            return None
        return render_block(block) if prompt_formatted else block.value

    def get_block(self, label: str, subject_id: SubjectId | None = None) -> Block | None:
        """A block with its description, limit and version; None when it is missing."""
        return self._core.store.backend.get_block(self._subject(subject_id), check_label(label))

    def list_blocks(self, subject_id: SubjectId | None = None) -> list[Block]:
        """All blocks: `human` and `summary` first, then by age; [] for an unknown subject."""
        return self._core.store.backend.list_blocks(self._subject(subject_id))

    def delete_block(self, label: str, subject_id: SubjectId | None = None) -> bool:
        """Remove a block with its history; False when it was not there."""
        return self._core.store.backend.delete_block(self._subject(subject_id), check_label(label))

    def update_memory(
        self,
        label: str,
        value: str,
        expected_version: int | None = None,
        subject_id: SubjectId | None = None,
        *,
        actor: Actor = "application",
    ) -> Block:
        """The block with its new value. With *expected_version* only if nobody changed it since. *actor* stands in
        the history.

        Raises: BlockNotFoundError, SubjectNotFoundError, BlockLimitError, VersionConflictError.
        """
        return self._core.store.backend.write_block(
            self._subject(subject_id),
            check_label(label),
            check_text(value, "value"),
            expected_version=expected_version,
            change=Change(actor),
        )

    def append_memory(self, label: str, text: str, subject_id: SubjectId | None = None) -> Block:
        """The block with *text* on a line of its own at the end. Raises as `update_memory` does."""
        return self._edit(label, lambda value: edits.append(value, check_text(text, "text")), subject_id)

    def replace_memory(self, label: str, old: str, new: str, subject_id: SubjectId | None = None) -> Block:
        """The block with *new* where *old* stands; an empty *new* removes it.

        Raises: EditError when *old* is not there or stands there more than once; else as `update_memory`.
        """
        sought, put = check_text(old, "old"), check_text(new, "new")
        return self._edit(label, lambda value: edits.replace(label, value, sought, put), subject_id)

    def _edit(self, label: str, edit: Callable[[str], str], subject_id: SubjectId | None) -> Block:
        subject, backend = self._subject(subject_id), self._core.store.backend
        while True:
            block = self._existing_block(subject, check_label(label))
            try:
                return backend.write_block(subject, label, edit(block.value), expected_version=block.version)
            except VersionConflictError:  # somebody wrote it since: the edit is made again, on what they wrote
                continue

    def _existing_block(self, subject: str, label: str) -> Block:
        backend = self._core.store.backend
        block = backend.get_block(subject, label)
        if block is not None:
            return block
        if backend.get_subject(subject) is None:
            raise SubjectNotFoundError(subject)
        raise BlockNotFoundError(subject, label, [known.label for known in backend.list_blocks(subject)])

    def memory_history(self, label: str, subject_id: SubjectId | None = None) -> list[BlockVersion]:
        """The versions of a block, oldest first, with who wrote each, when and why; [] when it is missing."""
        return self._core.store.backend.block_history(self._subject(subject_id), check_label(label))

    def restore_memory(self, label: str, version: int, subject_id: SubjectId | None = None) -> Block:
        """The block with the value it had at *version*, as a new version.

        Raises: InvalidInputError when there is no such version; BlockNotFoundError, SubjectNotFoundError.
        """
        subject = self._subject(subject_id)
        version = check_count(version, "version", least=1)
        backend = self._core.store.backend
        self._existing_block(subject, check_label(label))
        history = {each.version: each for each in backend.block_history(subject, label)}
        if version not in history:
            known = f"{min(history)} to {max(history)}" if history else "none"
            raise InvalidInputError(f"block {label!r} of subject {subject!r} has versions {known}, not {version!r}")
        return backend.write_block(subject, label, history[version].value, change=Change("restore"))

    # users: the AI Memory SDK's helpers

    def initialize_user_memory(
        self,
        user_id: SubjectId | None = None,
        user_context_block_prompt: str = HUMAN.description,
        user_context_block_char_limit: int = HUMAN.limit,
        user_context_block_value: str = "",
        summary_block_prompt: str = SUMMARY.description,
        summary_block_char_limit: int = SUMMARY.limit,
        reset: bool = False,
        *,
        summary_block_value: str = "",
    ) -> str:
        """Make a subject with the blocks `human` and `summary`; its agent's id. With *reset* the blocks of one that is
        there start afresh; messages not yet learnt are learnt into the new ones. Called right after `get_user_memory`
        found nothing, it keeps what was learnt between the two calls.

        Raises: SubjectExistsError, BlockLimitError.
        """
        human = BlockSpec(
            label="human",
            description=check_text(user_context_block_prompt, "user_context_block_prompt"),
            limit=_limit(user_context_block_char_limit),
            value=check_text(user_context_block_value, "user_context_block_value"),
        )
        summary = BlockSpec(
            label="summary",
            description=check_text(summary_block_prompt, "summary_block_prompt"),
            limit=_limit(summary_block_char_limit),
            value=check_text(summary_block_value, "summary_block_value"),
        )
        return self._begin(self._subject(user_id), (human, summary), reset=reset)

    def get_user_memory(self, user_id: SubjectId | None = None, prompt_formatted: bool = False) -> str | None:
        """The block `human`, or None."""
        subject = self._subject(user_id)
        block = self.get_block("human", subject)
        self._core.looks.note(subject, block)
        if block is None:
            return None
        return render_block(block) if prompt_formatted else block.value

    def get_summary(self, user_id: SubjectId | None = None, prompt_formatted: bool = False) -> str | None:
        """The block `summary`, or None; formatted as `<conversation_summary>`."""
        block = self.get_block("summary", user_id)
        if block is None:
            return None
        return render_summary(block) if prompt_formatted else block.value

    # messages

    @overload
    def add_messages(
        self,
        user_id: SubjectId,
        messages: Iterable[Any],
        skip_vector_storage: bool | None = None,
        *,
        thread_id: str | None = None,
    ) -> str: ...
    @overload
    def add_messages(
        self,
        messages: Iterable[Any],
        /,
        *,
        skip_vector_storage: bool | None = None,
        thread_id: str | None = None,
        subject_id: SubjectId | None = None,
    ) -> str: ...
    @overload
    def add_messages(
        self,
        messages: Iterable[Any],
        skip_vector_storage: bool,
        /,
        *,
        thread_id: str | None = None,
        subject_id: SubjectId | None = None,
    ) -> str: ...
    @overload
    def add_messages(
        self,
        *,
        messages: Iterable[Any],
        skip_vector_storage: bool | None = None,
        thread_id: str | None = None,
        subject_id: SubjectId | None = None,
    ) -> str: ...
    def add_messages(
        self,
        user_id: Any = None,
        messages: Any = None,
        skip_vector_storage: bool | None = None,
        *,
        thread_id: str | None = None,
        subject_id: SubjectId | None = None,
    ) -> str:
        """Keep messages and have them learnt; the id of the run that learns them.

        `add_messages(user_id, messages)`, or `add_messages(messages)` on a bound memory. A message is a dict with
        `role` and `content`, a `Message`, or a model's message object. They are durable when this returns. What users
        and assistants say is searchable at once unless *skip_vector_storage* is True. A message whose `id` was seen
        in this thread is not learnt again. A new user gets the blocks that `blocks=` names first.

        Raises: InvalidMessageError and nothing is written; NoSubjectError.
        """
        if isinstance(messages, bool):  # add_messages(messages, skip_vector_storage), as the SDK documents it
            messages, skip_vector_storage = None, messages
        if messages is None:
            if user_id is None or isinstance(user_id, str):
                raise InvalidInputError(
                    "messages must be given: add_messages(user_id, messages), or add_messages(messages) on a memory "
                    "bound with Memory(subject_id=...)"
                )
            user_id, messages = None, user_id
        subject = self._subject(subject_id if user_id is None else user_id)
        return self._add(subject, as_messages(messages, thread_id=thread_id), index=not skip_vector_storage).run_id

    def add_messages_for_subject(
        self,
        subject_id: SubjectId,
        messages: Iterable[Any],
        skip_vector_storage: bool | None = None,
        *,
        thread_id: str | None = None,
    ) -> str:
        """`add_messages(subject_id, messages)`."""
        return self.add_messages(subject_id, messages, skip_vector_storage, thread_id=thread_id)

    def add_messages_here(
        self,
        messages: Iterable[Any],
        skip_vector_storage: bool | None = None,
        *,
        thread_id: str | None = None,
    ) -> str:
        """`add_messages(messages)` for the bound subject."""
        subject = self._subject(None)
        return self.add_messages(subject, messages, skip_vector_storage, thread_id=thread_id)

    def _add(self, subject: str, messages: Sequence[Message], *, index: bool, learn: bool = True) -> Appended:
        core = self._core
        core.looks.forget(subject)
        if index and core.indexer is not None:
            core.indexer.prepare()
        try:
            appended = self._append(subject, messages, index=index, learn=learn)
        except SubjectNotFoundError:
            # Somebody else deleted the subject since it was remembered here: it begins again.
            core.directory.forget(subject)
            appended = self._append(subject, messages, index=index, learn=learn)
        if appended.new and index and core.indexer is not None:
            core.indexer.added()
        core.scheduler.added(appended.run_id)
        return appended

    def _append(self, subject: str, messages: Sequence[Message], *, index: bool, learn: bool) -> Appended:
        core = self._core
        try:
            with core.store.journal.transaction():
                core.directory.get_or_create(subject, core.settings.blocks)
                appended = core.store.journal.append(
                    subject, messages, learner=core.learner.name, policy=core.policy, learn=learn
                )
                if index:
                    core.store.backend.add_passages(subject, _spoken(appended.new))
                return appended
        except BaseException:
            core.directory.forget(subject)  # it may have been made by the transaction that was undone
            raise

    def list_messages(
        self,
        subject_id: SubjectId | None = None,
        thread_id: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        after: str | None = None,
        roles: Sequence[Role] | None = None,
    ) -> list[Message]:
        """Messages in the order they came, of one thread or of all. *before* and *after* are message ids; *limit*
        keeps the last ones, or the first ones behind *after*; with *roles* those of these roles."""
        return self._core.store.journal.list_messages(
            self._subject(subject_id),
            _wanted(thread_id, "thread_id"),
            limit=_count(limit),
            before=_wanted(before, "before"),
            after=_wanted(after, "after"),
            roles=None if roles is None else check_roles(roles),
        )

    def set_messages(
        self,
        messages: Iterable[Any],
        *,
        thread_id: str = DEFAULT_THREAD,
        subject_id: SubjectId | None = None,
    ) -> None:
        """Make these the thread's messages, in this order, and no others; whole or not at all.

        They are old messages that somebody else kept: none is put up for learning or search by this. What waits is
        still learnt, what was learnt stays. A message whose `id` was seen here is the same message; it gets the
        content given.

        Raises: InvalidMessageError and nothing is written.
        """
        subject = self._subject(subject_id)
        thread_id = check_id(thread_id, "thread_id")
        taken = [
            message if message.thread_id == thread_id else message.model_copy(update={"thread_id": thread_id})
            for message in as_messages(messages, thread_id=thread_id)
        ]
        core = self._core
        if not taken:
            core.store.journal.clear_thread(subject, thread_id)
            return
        with core.store.journal.transaction():
            core.store.backend.create_subject(subject, core.settings.blocks)
            core.store.journal.set_messages(subject, thread_id, taken)

    def annotate_messages(
        self,
        message_ids: Sequence[str],
        metadata: Metadata,
        *,
        thread_id: str = DEFAULT_THREAD,
        subject_id: SubjectId | None = None,
    ) -> int:
        """Merge keys into the metadata of messages (None removes one); how many messages there were. Passages made
        of them stay as they are.

        Raises: InvalidInputError for what is not JSON.
        """
        merged = _object(metadata, "metadata")
        return self._core.store.journal.annotate_messages(
            self._subject(subject_id),
            wanted_id(thread_id, "thread_id"),
            wanted_ids(message_ids, "message_ids"),
            merged,
        )

    def list_threads(self, subject_id: SubjectId | None = None) -> list[Thread]:
        """The threads that have messages, oldest first."""
        return self._core.store.journal.list_threads(self._subject(subject_id))

    def clear_thread(self, subject_id: SubjectId | None = None, thread_id: str = DEFAULT_THREAD) -> int:
        """Empty a thread at once; how many messages were there. What waits is still learnt, what was learnt stays,
        and a message that comes again is not learnt again."""
        return self._core.store.journal.clear_thread(self._subject(subject_id), wanted_id(thread_id, "thread_id"))

    def delete_messages(
        self,
        message_ids: Sequence[str],
        *,
        thread_id: str = DEFAULT_THREAD,
        subject_id: SubjectId | None = None,
    ) -> int:
        """As `clear_thread`, for these messages only; how many were there."""
        return self._core.store.journal.delete_messages(
            self._subject(subject_id), wanted_id(thread_id, "thread_id"), wanted_ids(message_ids, "message_ids")
        )

    def delete_thread(
        self, subject_id: SubjectId | None = None, thread_id: str = DEFAULT_THREAD, *, forget: bool = False
    ) -> int:
        """Remove a thread; how many messages were there. What waits is learnt first; with *forget* it is dropped
        unlearnt, and the thread's passages go as well."""
        return self._core.store.journal.delete_thread(
            self._subject(subject_id), wanted_id(thread_id, "thread_id"), forget=forget
        )

    # learning

    def get_run(self, run_id: str) -> Run | None:
        """A run as it stands; None when it is not known."""
        return self._core.store.journal.get_run(wanted_id(run_id, "run_id"))

    def list_runs(
        self,
        subject_id: SubjectId | None = None,
        *,
        state: RunState | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Runs, newest first: of the subject given or bound, else of all."""
        subject = self._bound if subject_id is None else subject_id_of(subject_id)
        if state is not None and state not in get_args(RunState):
            raise InvalidInputError(f"state {state!r} is not known: use one of {', '.join(get_args(RunState))}")
        return self._core.store.journal.list_runs(subject, state=state, limit=_count(limit))

    def usage(self, subject_id: SubjectId | None = None, *, since: datetime | None = None) -> dict[str, Usage]:
        """What learning has spent by subject: of the one given or bound, else of all that it cost something. With
        *since* only what runs have spent that ended or were tried since then.

        Raises: InvalidInputError when *since* has no zone.
        """
        subject = self._bound if subject_id is None else subject_id_of(subject_id)
        return self._core.store.journal.usage(subject, since=None if since is None else aware(since, "since"))

    def wait_for_run(self, run_id: str, timeout: float = 300) -> Run:
        """The run when it is completed; it is made due now.

        Raises: RunFailedError when it failed or was cancelled; RunTimeoutError after *timeout* seconds (the run goes
        on); RunNotFoundError.
        """
        return sleep_through(self._wait_steps(run_id, timeout))

    def retry_run(self, run_id: str) -> Run:
        """A failed run, to be learnt again now. Raises: RunNotFoundError."""
        run = self._core.store.journal.retry_run(wanted_id(run_id, "run_id"))
        self._core.scheduler.ask([run_id])
        return run

    def cancel_run(self, run_id: str) -> Run:
        """A run that has not completed, cancelled: its messages stay in their threads and are not learnt.

        Raises: RunNotFoundError.
        """
        return self._core.store.journal.cancel_run(wanted_id(run_id, "run_id"))

    def flush(self, subject_id: SubjectId | None = None, timeout: float = 300) -> list[Run]:
        """Learn now what waits for a subject and this memory's learner; the runs that did, [] when nothing waited.

        Raises: RunFailedError, RunTimeoutError.
        """
        return sleep_through(self._flush_steps(self._subject(subject_id), timeout))

    def make_due(self, subject_id: SubjectId | None = None) -> list[str]:
        """Have what waits for a subject learnt now, without waiting for it; the runs that will. With learning="off"
        they go on waiting until somebody waits for them."""
        run_ids = self._core.store.journal.make_due(subject_id=self._subject(subject_id))
        if run_ids and self._core.policy.mode != "off":
            self._core.scheduler.ask(run_ids)
        return run_ids

    def drain(self, timeout: float | None = None) -> bool:
        """Learn now everything that waits for this memory's learner, and embed what has no vector yet. False when
        *timeout* seconds were not enough, or when what is left waits for tomorrow's budget. Runs that failed stay as
        they are."""
        return sleep_through(self._drain_steps(timeout))

    def stats(self) -> Stats:
        """Counts for a health endpoint."""
        store = self._core.store
        embedding = store.vectors.waiting() if store.vectors is not None and self._core.indexer is not None else 0
        return store.journal.stats().model_copy(update={"embedding": embedding})

    def _wait_steps(self, run_id: str, timeout: float) -> Steps[Run]:
        journal = self._core.store.journal
        run_id = wanted_id(run_id, "run_id")
        deadline = time.monotonic() + check_seconds(timeout, "timeout")
        asked = float("-inf")
        due = False
        for pause in pauses():
            run = journal.get_run(run_id)
            if run is None:
                raise RunNotFoundError(run_id)
            if run.state == "completed":
                return run
            if run.ended:
                raise RunFailedError(run)
            if time.monotonic() >= deadline:
                raise RunTimeoutError(run_id, timeout, self._why_waiting(run))
            if not due:
                due = True
                journal.make_due(run_id=run_id, postponed=False)  # one that failed waits for its next attempt
            if time.monotonic() - asked >= ASK_SECONDS:
                # Again and again: another run of the subject may have been in work when it was asked for.
                asked = time.monotonic()
                self._core.scheduler.ask([run_id])
            yield pause
        raise AssertionError("pauses() has no end")

    def _why_waiting(self, run: Run) -> str | None:
        if run.learner != self._core.learner.name:
            return f"it waits for the learner {run.learner!r}, here is {self._core.learner.name!r}"
        return None if run.error is None else f"last error: {run.error}"

    def _flush_steps(self, subject: str, timeout: float) -> Steps[list[Run]]:
        deadline = time.monotonic() + check_seconds(timeout, "timeout")
        done: list[Run] = []
        journal = self._core.store.journal
        for run_id in journal.make_due(subject_id=subject):
            run = journal.get_run(run_id)
            if run is None or run.learner != self._core.learner.name:
                continue  # it waits for a learner that is not here: `doctor` says so
            done.append((yield from self._wait_steps(run_id, max(0.0, deadline - time.monotonic()))))
        return done

    def _drain_steps(self, timeout: float | None) -> Steps[bool]:
        core = self._core
        journal = core.store.journal
        deadline = None if timeout is None else time.monotonic() + check_seconds(timeout, "timeout")
        run_ids = journal.make_due()
        core.scheduler.ask(run_ids)
        indexer = core.indexer
        if indexer is not None:
            indexer.added()
        asked = time.monotonic()
        for pause in pauses():
            if time.monotonic() - asked >= ASK_SECONDS:
                asked = time.monotonic()
                core.scheduler.ask(run_ids)
            if indexer is None or not indexer.busy:
                if not journal.pending(core.learner.name):
                    return True
                due = journal.next_due(core.learner.name)
                if due is not None and due > DRAIN_SECONDS:
                    return False
            if deadline is not None and time.monotonic() >= deadline:
                return False
            yield pause
        raise AssertionError("pauses() has no end")

    # archival memory

    def search(
        self,
        user_id: SubjectId | None = None,
        query: str | None = None,
        tags: Sequence[str] | None = None,
        limit: int = 10,
        *,
        subject_id: SubjectId | None = None,
    ) -> list[str]:
        """Texts that were said or archived, best match first; [] when nothing is found.

        *tags* None means what users said and what was archived, [] everything; else any of the tags (messages carry
        their role as a tag).
        """
        subject, text = self._asked(user_id, query, subject_id)
        found = self.search_passages(text, tags=tags, limit=limit, subject_id=subject)
        return [passage.text for passage in found]

    def search_passages(
        self,
        query: str = "",
        *,
        tags: Sequence[str] | None = None,
        after: datetime | str | None = None,
        before: datetime | str | None = None,
        thread_id: str | None = None,
        metadata: Metadata | None = None,
        limit: int = 10,
        explain: bool = False,
        subject_id: SubjectId | None = None,
    ) -> list[Passage]:
        """Passages, best match first, with their scores; an empty *query* gives the newest first.

        *tags* as in `search`; *after* <= `created_at` < *before*; *metadata* must be equal in every key given.
        With *explain* each says what its score is made of.

        Raises: InvalidInputError for naive times and wrong values.
        """
        wanted, roles = _tag_filter(tags)
        asked = PassageQuery(
            text=check_text(query, "query"),
            limit=check_count(limit, "limit"),
            tags=wanted,
            roles=roles,
            after=None if after is None else aware(after, "after"),
            before=None if before is None else aware(before, "before"),
            thread_id=_wanted(thread_id, "thread_id"),
            metadata={} if metadata is None else _object(metadata, "metadata"),
            explain=bool(explain),
        )
        subject = self._subject(subject_id)
        return self._core.store.backend.search_passages(subject, asked, vector=self._query_vector(subject, asked.text))

    def _query_vector(self, subject: str, text: str) -> Sequence[float] | None:
        indexer = self._core.indexer
        if indexer is None or not text.strip():
            return None
        from ai_memory_integrations.search.text import without_names

        return indexer.query_vector(without_names(text, self._core.store.backend.speakers(subject)))

    def add_passages(
        self, passages: Iterable[str | Mapping[str, Any] | Passage], *, subject_id: SubjectId | None = None
    ) -> list[str]:
        """Archive texts; their ids in the same order. One whose `id` is there already replaces it.

        Raises: InvalidInputError and nothing is written.
        """
        subject = self._subject(subject_id)
        core = self._core
        now = _now()
        taken = [
            passage if passage.created_at is not None else passage.model_copy(update={"created_at": now})
            for passage in as_passages(passages)
        ]
        if core.indexer is not None:
            core.indexer.prepare()
        with core.store.journal.transaction():
            core.store.backend.create_subject(subject, core.settings.blocks)
            ids = core.store.backend.add_passages(subject, taken)
        if ids and core.indexer is not None:
            core.indexer.added()
        return ids

    def add_files(
        self,
        paths: Iterable[FileSpec],
        *,
        subject_id: SubjectId | None = None,
        tags: Sequence[str] = (),
        on_progress: OnProgress | None = None,
    ) -> FilesAdded:
        """Archive text and Markdown files in parts, with their headings; what that added, file by file.

        A path is a file, or a directory, of which the `.txt`, `.md` and `.markdown` files are taken; or a dict with
        `path`, the `label` that passages name as their `source` (else the path as given) and a `description`. A file
        that is there already is not added again, one that changed replaces its passages, each file whole or not at
        all. *on_progress* is told of every file when it begins and of every thousand parts written.

        Raises: InvalidInputError for what is missing or no UTF-8 text; nothing is written then.
        """
        from ai_memory_integrations.files import add_files

        return add_files(self._core, self._subject(subject_id), paths, tags=tags, on_progress=on_progress)

    def get_passage(self, passage_id: str, *, subject_id: SubjectId | None = None) -> Passage | None:
        """A passage, or None."""
        return self._core.store.backend.get_passage(self._subject(subject_id), wanted_id(passage_id, "passage_id"))

    def list_passages(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        tags: Sequence[str] | None = None,
        subject_id: SubjectId | None = None,
    ) -> list[Passage]:
        """Passages in the order they came, those behind the id *after*; with *tags* those that have any of them."""
        return self._core.store.backend.list_passages(
            self._subject(subject_id),
            limit=_count(limit),
            after=_wanted(after, "after"),
            tags=None if tags is None else check_tags(tags),
        )

    def delete_passage(self, passage_id: str, *, subject_id: SubjectId | None = None) -> bool:
        """False when it was not there."""
        wanted = [wanted_id(passage_id, "passage_id")]
        return self._core.store.backend.delete_passages(self._subject(subject_id), wanted) > 0

    def reindex(self) -> None:
        """Make this memory's embedder the store's: every vector is made anew in the background, `drain` waits for it.

        Raises: ConfigurationError without an embedder.
        """
        if self._core.indexer is None:
            raise ConfigurationError(
                "there is no embedder to index with: pip install 'ai-memory-integrations[embeddings]', "
                "or pass embedder="
            )
        self._core.indexer.reindex()
        self._core.indexer.added()

    def _asked(self, user_id: SubjectId | None, query: str | None, subject_id: SubjectId | None) -> tuple[str, str]:
        if query is None and isinstance(user_id, str) and (subject_id is not None or self._bound is not None):
            user_id, query = None, user_id
        if query is None:
            raise InvalidInputError("query must be given: search(user_id, query), or search(query=...) when bound")
        return self._subject(subject_id if user_id is None else user_id), query

    # prompts

    def prompt(self, subject_id: SubjectId | None = None, query: str | None = None, *, limit: int = 5) -> str:
        """All blocks as text for the system prompt; with *query* also the passages that match it. "" for nothing.

        The same blocks give the same bytes. Text from memory is escaped: it is data, not markup.
        """
        subject = self._subject(subject_id)
        blocks = render_blocks(self._core.store.backend.list_blocks(subject))
        if not query:
            return blocks
        return "\n\n".join(filter(None, (blocks, self.recall(subject, query, limit=limit))))

    def recall(
        self,
        user_id: SubjectId | None = None,
        query: str | None = None,
        *,
        limit: int = 5,
        subject_id: SubjectId | None = None,
    ) -> str:
        """The passages that match *query*, as text for a prompt; "" when there are none."""
        subject, text = self._asked(user_id, query, subject_id)
        return render_passages(self.search_passages(text, limit=limit, subject_id=subject))


def _spoken(messages: Iterable[Message]) -> list[Passage]:
    """What is searchable of messages: the text of users and assistants."""
    now = _now()
    return [
        Passage(
            text=message.text,
            tags=(message.role,),
            # Keys that begin with an underscore are a framework's own form of the message.
            metadata={key: value for key, value in message.metadata.items() if not key.startswith("_")},
            created_at=message.created_at or now,
            role=message.role,
            name=message.name,
            thread_id=message.thread_id,
            message_id=message.id,
        )
        for message in messages
        if message.role in ("user", "assistant") and message.text.strip()
    ]


def _tag_filter(tags: Sequence[str] | None) -> tuple[tuple[str, ...] | None, tuple[Role | None, ...] | None]:
    """The AI Memory SDK's meaning of tags: None is what users said and what was archived, [] everything. Its own tag
    stands on every message."""
    if tags is None:
        return None, ("user", None)
    wanted = tuple(tag for tag in check_tags(tags) if tag != SDK_TAG)
    if wanted:
        return wanted, None
    return None, ("user", "assistant") if tags else None


def _now() -> datetime:
    from datetime import UTC

    return datetime.now(UTC)


def _limit(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**63:
        raise InvalidInputError(f"a block's limit must be a whole number of characters from 1, got {value!r}")
    return value


def _count(limit: int | None) -> int | None:
    return None if limit is None else check_count(limit, "limit")


def _wanted(value: str | None, name: str) -> str | None:
    return None if value is None else wanted_id(value, name)


def _object(value: object, name: str) -> Metadata:
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{name} must be a dict, got {type(value).__name__}")
    checked: Metadata = check_json(value, name)
    return checked
