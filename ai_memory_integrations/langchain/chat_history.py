"""A thread as LangChain's chat history, for chains built with `RunnableWithMessageHistory`.

LangChain has deprecated both in favour of agents; for an agent use `CoreMemoryMiddleware`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage, SystemMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.runnables import ConfigurableFieldSpec, ensure_config

from ai_memory_integrations.door import check_id
from ai_memory_integrations.errors import ConfigurationError, InvalidInputError
from ai_memory_integrations.langchain_callers import subject_of
from ai_memory_integrations.langchain_messages import once, role_of, to_langchain, to_message, without_memory
from ai_memory_integrations.memory import Memory, checked_memory
from ai_memory_integrations.prompt import render_blocks
from ai_memory_integrations.subjects import SubjectSource, check_source, literal
from ai_memory_integrations.tool_results import with_results
from ai_memory_integrations.types import DEFAULT_THREAD, Message

_UNNAMED = "_langchain_unnamed"


class CoreMemoryChatMessageHistory(BaseChatMessageHistory):
    """The messages of one thread of a subject, durable, with everything LangChain keeps in them.

    What is added is learnt and searchable; what memory itself put into a prompt is left out. `clear()` empties the
    thread and keeps what was learnt: `memory.delete_thread(subject_id, thread_id, forget=True)` drops that too.

    *window* shows the last messages only, *max_tokens* as many as fit (counted approximately), beginning with a
    user's message where there is one. *include_blocks* shows the blocks as a system message in front. With *snapshot*
    the thread is read once and shown like that until it is written to through this object, so that another turn
    on it cannot change its length meanwhile. Opens nothing before it is read or written.

    Raises: NoSubjectError, InvalidInputError.
    """

    def __init__(
        self,
        memory: Memory,
        subject: SubjectSource | None = None,
        thread_id: str | int | UUID = DEFAULT_THREAD,
        *,
        window: int | None = None,
        max_tokens: int | None = None,
        include_blocks: bool = False,
        snapshot: bool = False,
    ) -> None:
        for name, size in (("window", window), ("max_tokens", max_tokens)):
            if size is not None and size < 1:
                raise ConfigurationError(f"{name}={size} shows nothing; pass at least 1, or leave it out to show all")
        self.memory = checked_memory(memory)
        self.subject_id = subject_of(memory, subject)
        self.thread_id = check_id(thread_id, "thread_id")
        self._window = window
        self._max_tokens = max_tokens
        self._include_blocks = include_blocks
        self._snapshot = snapshot
        self._shown: list[BaseMessage] | None = None

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # LangChain declares a plain attribute
        """The thread, oldest first; a list of the caller's own.

        A tool call that was not answered before the conversation went on is followed by a `ToolMessage` that says so,
        because providers refuse one without.
        """
        if self._shown is not None:
            return list(self._shown)
        shown = self._read()
        if self._snapshot:
            self._shown = shown
        return list(shown)

    async def aget_messages(self) -> list[BaseMessage]:
        return await self.memory.aio.run(lambda: self.messages)

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Keep messages in one transaction; one whose id the thread has already is not kept again.

        Raises: InvalidInputError and nothing is written.
        """
        messages = list(messages)
        for n, each in enumerate(messages):
            if not isinstance(each, BaseMessage):
                raise InvalidInputError(
                    f"messages[{n}] is of type {type(each).__name__}: pass LangChain's messages, such as "
                    "[HumanMessage('hi')]"
                )
        said = (each for each in map(without_memory, messages) if each is not None)
        taken = once(_taken(each, self.thread_id) for each in said)
        if taken:
            self.memory.add_messages(self.subject_id, taken, thread_id=self.thread_id)
        self._shown = None

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        await self.memory.aio.run(self.add_messages, messages)

    def clear(self) -> None:
        """Empty the thread; what was learnt stays, and what waits is still learnt."""
        self.memory.clear_thread(self.subject_id, self.thread_id)
        self._shown = None

    async def aclear(self) -> None:
        await self.memory.aio.run(self.clear)

    def _read(self) -> list[BaseMessage]:
        limit = None if self._window is None else self._window + 1
        kept = self.memory.list_messages(self.subject_id, self.thread_id, limit)
        whole = [_restored(message) for message in with_results(kept)]
        shown = whole if self._window is None else whole[-self._window :]
        if self._max_tokens is not None:
            shown = trim_messages(shown, max_tokens=self._max_tokens, token_counter=count_tokens_approximately)
        if len(shown) < len(whole):
            shown = _from_a_turn(shown)
        blocks = render_blocks(self.memory.list_blocks(self.subject_id)) if self._include_blocks else ""
        return [SystemMessage(blocks), *shown] if blocks else shown


def _taken(message: BaseMessage, thread_id: str) -> Message:
    """*message* as ours; one without an id is marked, because it gets one here and is to come back as it was."""
    taken = to_message(message, thread_id=thread_id)
    return taken if message.id else taken.model_copy(update={"metadata": {**taken.metadata, _UNNAMED: True}})


def _restored(message: Message) -> BaseMessage:
    metadata = {key: value for key, value in message.metadata.items() if key != _UNNAMED}
    restored = to_langchain(message.model_copy(update={"metadata": metadata, "received_at": None}))
    return restored.model_copy(update={"id": None}) if _UNNAMED in message.metadata else restored


def _from_a_turn(messages: list[BaseMessage]) -> list[BaseMessage]:
    """What is left of a thread cut at the front, without results of tools whose call is gone: from the first user's
    message, or where there is none from the first that is no tool's."""
    roles = list(map(role_of, messages))
    if "user" in roles:
        return messages[roles.index("user") :]
    return messages[next((n for n, role in enumerate(roles) if role != "tool"), len(roles)) :]


def chat_history_fields(*who: str, thread: str = "session_id") -> list[ConfigurableFieldSpec]:
    """The fields of `config["configurable"]` by which a chain's history is found: those that say *who*, and the one
    that names the thread."""
    return [
        *(ConfigurableFieldSpec(id=name, annotation=str, name=name, description="Whose memory it is.") for name in who),
        ConfigurableFieldSpec(id=thread, annotation=str, name=thread, description="Which conversation it is."),
    ]


CHAT_HISTORY_FIELDS = chat_history_fields("user_id")


class ChatHistoryFactory:
    """Makes the history of a call from the values of *fields*, the last of which names the thread.

    `fields` is what `RunnableWithMessageHistory` takes as `history_factory_config`.
    """

    def __init__(
        self,
        memory: Memory,
        subject: SubjectSource | None,
        fields: Sequence[ConfigurableFieldSpec],
        options: Mapping[str, Any],
    ) -> None:
        self.fields = list(fields)
        self._memory = memory
        self._subject = subject
        self._options = dict(options)
        # LangChain compares the names of the fields with those of the parameters.
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(each.id, inspect.Parameter.POSITIONAL_OR_KEYWORD) for each in self.fields]
        )

    def __call__(self, *args: Any, **kwargs: Any) -> CoreMemoryChatMessageHistory:
        given = self.__signature__.bind(*args, **kwargs).arguments
        thread_id = given.pop(self.fields[-1].id)
        called = ensure_config()
        configurable = {**called.get("configurable", {}), **given}
        subject_id = subject_of(self._memory, self._subject, {**called, "configurable": configurable})
        return CoreMemoryChatMessageHistory(self._memory, literal(subject_id), thread_id, **self._options)


def chat_history_factory(
    memory: Memory,
    subject: SubjectSource | None = None,
    *,
    fields: Sequence[ConfigurableFieldSpec] = CHAT_HISTORY_FIELDS,
    window: int | None = None,
    max_tokens: int | None = None,
    include_blocks: bool = False,
) -> ChatHistoryFactory:
    """What `RunnableWithMessageHistory` asks for the history of a call; opens nothing.

        factory = chat_history_factory(memory)
        RunnableWithMessageHistory(chain, factory, history_factory_config=factory.fields,
                                   input_messages_key="question", history_messages_key="history")

    *subject* is filled from the fields: `user_id` and `session_id`, or those of `chat_history_fields(...)`. One field
    that says who needs no template. A history shows its thread as it was when the turn began, so two turns at once
    lose nothing.
    """
    checked_memory(memory)
    names = [each.id for each in fields]
    if len(names) < 2:
        raise ConfigurationError(f"fields name {names}; at least two are needed: who it is, and last the thread")
    if subject is None and memory.subject is None and len(names) == 2:
        subject = f"{{{names[0]}}}"
    if subject is not None:
        check_source(subject)
    options = {"window": window, "max_tokens": max_tokens, "include_blocks": include_blocks, "snapshot": True}
    return ChatHistoryFactory(memory, subject, fields, options)
