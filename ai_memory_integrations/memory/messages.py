"""What was said: messages and their threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, overload

from ai_memory_integrations.door import (
    as_messages,
    check_id,
    check_roles,
    json_object,
    optional_count,
    optional_id,
    wanted_id,
    wanted_ids,
)
from ai_memory_integrations.errors import InvalidInputError, SubjectNotFoundError
from ai_memory_integrations.memory.bound import Bound
from ai_memory_integrations.ports import Appended
from ai_memory_integrations.subjects import SubjectId
from ai_memory_integrations.types import DEFAULT_THREAD, Message, Metadata, Passage, Role, Thread


class MessageMethods(Bound):
    """Adding messages, which has them learnt, and reading them."""

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
        subject = self._named(user_id, subject_id)
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
        core.record_settings()
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
        blocks = core.blocks
        try:
            with core.store.journal.transaction():
                core.directory.get_or_create(subject, blocks)
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
            optional_id(thread_id, "thread_id"),
            limit=optional_count(limit),
            before=optional_id(before, "before"),
            after=optional_id(after, "after"),
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
            core.store.backend.create_subject(subject, core.blocks)
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
        merged = json_object(metadata, "metadata")
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


def _spoken(messages: Iterable[Message]) -> list[Passage]:
    """What is searchable of messages: the text of users and assistants."""
    now = datetime.now(UTC)
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
