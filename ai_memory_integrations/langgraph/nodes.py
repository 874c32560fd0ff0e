"""Nodes that make a graph remember. Each is one object for `add_node` and `add_sequence`, under `invoke` and
`ainvoke` alike; what it does is written once, blocking, and awaited in one hop to a thread of the memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal

from langchain_core.messages import AnyMessage, BaseMessage, RemoveMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from ai_memory_integrations.door import readable
from ai_memory_integrations.errors import (
    BackendError,
    ConfigurationError,
    InvalidInputError,
    NewerSchemaError,
    NotAStoreError,
    StoreNotCreatableError,
)
from ai_memory_integrations.langchain_callers import checked_recall, subject_of, thread_of
from ai_memory_integrations.langchain_messages import once, role_of, spoken, to_message
from ai_memory_integrations.langgraph.state import MemoryContext, value_of
from ai_memory_integrations.memory import Memory, checked_memory
from ai_memory_integrations.outbox import Outbox
from ai_memory_integrations.prompt import render_blocks, render_passages
from ai_memory_integrations.recalling import recalled as worth_recalling
from ai_memory_integrations.subjects import SubjectSource, check_source
from ai_memory_integrations.turns import turn_start
from ai_memory_integrations.types import Message

logger = logging.getLogger("ai_memory_integrations.langgraph")

OnError = Literal["log", "raise"]
Trim = Callable[[Sequence[AnyMessage]], Sequence[BaseMessage]] | Runnable[Any, Any]
_SET_UP = (NewerSchemaError, NotAStoreError, StoreNotCreatableError)
_READ = "__pregel_read"  # how LangGraph lets a node read the graph's state; its own ToolNode uses it


class InjectNode(RunnableLambda[Any, dict[str, Any]]):
    """See `inject_memory`. `failed` counts the turns that went on without memory."""

    def __init__(
        self, memory: Memory, *, subject: SubjectSource | None, recall: int, into: str, on_error: OnError
    ) -> None:
        self.memory = checked_memory(memory)
        self.failed = 0
        self._subject = _checked(subject, on_error)
        self._recall = checked_recall(recall)
        self._into = into
        self._on_error = on_error
        super().__init__(self._inject, self._ainject, name="inject_memory")
        self.__name__ = "inject_memory"  # what add_sequence calls it

    def _inject(self, state: Any, config: RunnableConfig) -> dict[str, Any]:
        _require_key(config, self._into)
        memory = self.memory.for_subject(subject_of(self.memory, self._subject))
        try:
            context = self._context(memory, _messages_of(state))
        except BackendError as error:
            if self._on_error == "raise" or isinstance(error, _SET_UP):
                raise
            self.failed += 1
            logger.warning("memory could not be read, the turn goes on with the blocks of the last one: %s", error)
            known: MemoryContext | None = value_of(state, self._into)
            context = MemoryContext(blocks=known["blocks"] if known else "", recalled="")
        return {self._into: context}

    async def _ainject(self, state: Any, config: RunnableConfig) -> dict[str, Any]:
        return await self.memory.aio.run(self._inject, state, config)

    def _context(self, memory: Memory, messages: Sequence[AnyMessage]) -> MemoryContext:
        recalled = ""
        query = "\n".join(each.text for each in spoken(_turn(messages)) if role_of(each) == "user")
        query = readable(query).strip()
        if query and self._recall:
            # What stands in the conversation anyway is not recalled into it.
            there = {each.text for each in messages}
            found = worth_recalling(
                lambda limit: memory.search_passages(query, limit=limit),
                query,
                self._recall,
                leave_out=lambda passage: passage.text in there,
            )
            recalled = render_passages(found)
        return MemoryContext(blocks=render_blocks(memory.list_blocks()), recalled=recalled)


class LearnNode(RunnableLambda[Any, None]):
    """See `learn_messages`. `outbox` counts what was kept, what waits to be tried again and what was lost."""

    def __init__(self, memory: Memory, *, subject: SubjectSource | None, wait: bool, on_error: OnError) -> None:
        self.memory = checked_memory(memory)
        self.outbox = Outbox(memory)
        self._subject = _checked(subject, on_error)
        self._wait = wait
        self._on_error = on_error
        super().__init__(self._learn, self._alearn, name="learn_messages")
        self.__name__ = "learn_messages"  # what add_sequence calls it

    def _learn(self, state: Any) -> None:
        if (run_id := self._record(state)) is not None:
            self.memory.wait_for_run(run_id)

    async def _alearn(self, state: Any) -> None:
        if (run_id := await self.memory.aio.run(self._record, state)) is not None:
            await self.memory.aio.wait_for_run(run_id)

    def _record(self, state: Any) -> str | None:
        """Keep what is new in the turn; the run to wait for, if somebody waits."""
        subject_id, thread_id = subject_of(self.memory, self._subject), thread_of()
        said = _said(_turn(_messages_of(state)), thread_id)
        if not said:
            return None
        if self._wait or self._on_error == "raise":
            run_id = self.memory.add_messages(subject_id, said, thread_id=thread_id)
            return run_id if self._wait else None
        try:
            error = self.outbox.send(subject_id, thread_id, said)
        except InvalidInputError as refused:
            self.outbox.give_up(subject_id, thread_id, said, str(refused))
            return None
        if isinstance(error, _SET_UP):
            raise error
        if error is not None:
            logger.warning(
                "%d messages of subject %r, thread %r are not recorded yet and tried again: %s",
                len(said),
                subject_id,
                thread_id,
                error,
            )
        return None


class TrimNode(RunnableLambda[Any, dict[str, Any]]):
    """See `trim_and_learn`. `failed` counts the turns that left the messages as they were."""

    def __init__(self, memory: Memory, trim: Trim, *, subject: SubjectSource | None, on_error: OnError) -> None:
        if not callable(trim) and not isinstance(trim, Runnable):
            raise ConfigurationError(f"trim={trim!r} must be a function of messages, or trim_messages(...)")
        self.memory = checked_memory(memory)
        self.failed = 0
        self._keep: Callable[[Any], Any] = trim.invoke if isinstance(trim, Runnable) else trim
        self._subject = _checked(subject, on_error)
        self._on_error = on_error
        super().__init__(self._trim, self._atrim, name="trim_and_learn")
        self.__name__ = "trim_and_learn"  # what add_sequence calls it

    def _trim(self, state: Any) -> dict[str, Any]:
        messages = _messages_of(state)
        kept = {message.id for message in self._keep(messages)}
        out = [message for message in messages if message.id not in kept]
        if not out:
            return {}
        subject_id, thread_id = subject_of(self.memory, self._subject), thread_of()
        try:
            if said := _said(out, thread_id):
                self.memory.add_messages(subject_id, said, thread_id=thread_id)
                self.memory.make_due(subject_id)
        except BackendError as error:
            if self._on_error == "raise" or isinstance(error, _SET_UP):
                raise
            self.failed += 1
            logger.warning("messages could not be recorded and stay in the thread until they can: %s", error)
            return {}
        return {"messages": [RemoveMessage(_id_of(message)) for message in out]}

    async def _atrim(self, state: Any) -> dict[str, Any]:
        return await self.memory.aio.run(self._trim, state)


def inject_memory(
    memory: Memory,
    *,
    subject: SubjectSource | None = None,
    recall: int = 5,
    into: str = "memory",
    on_error: OnError = "log",
) -> InjectNode:
    """A node that writes what memory has for the turn to the state's key *into*: the subject's blocks, and at most
    *recall* passages that fit the turn's user messages. `with_memory(state)` puts it into the model's messages.

    Without *subject* it is the memory's, filled from the runtime's context, the config and the authenticated user.
    When memory cannot be reached the turn goes on: that is logged and counted; `on_error="raise"` raises instead.
    Mistakes of set-up always raise: no subject, or a graph whose state lacks the key.

    Raises: ConfigurationError.
    """
    return InjectNode(memory, subject=subject, recall=recall, into=into, on_error=on_error)


def learn_messages(
    memory: Memory, *, subject: SubjectSource | None = None, wait: bool = False, on_error: OnError = "log"
) -> LearnNode:
    """A node that has what is new in the turn recorded and learnt in the background: the trailing user messages and
    what followed them, with a checkpointer and without. It changes nothing in the state.

    With *wait* it returns when the turn is learnt, for scripts. What the storage does not take is tried again for a
    while; that is logged and counted, `on_error="raise"` raises instead. *subject* as in `inject_memory`.

    Raises: ConfigurationError.
    """
    return LearnNode(memory, subject=subject, wait=wait, on_error=on_error)


def trim_and_learn(
    memory: Memory, trim: Trim, *, subject: SubjectSource | None = None, on_error: OnError = "log"
) -> TrimNode:
    """A node that removes from the state the messages that *trim* leaves out, after they were recorded, and has them
    learnt now. *trim* is a function from messages to those to keep, or LangChain's `trim_messages(max_tokens=...)`.

    What cannot be recorded stays in the state. *subject* and *on_error* as in `inject_memory`.

    Raises: ConfigurationError.
    """
    return TrimNode(memory, trim, subject=subject, on_error=on_error)


def _checked(subject: SubjectSource | None, on_error: str) -> SubjectSource | None:
    if on_error not in ("log", "raise"):
        raise ConfigurationError(f"on_error={on_error!r} is not known; use 'log' or 'raise'")
    return None if subject is None else check_source(subject)


def _messages_of(state: Any) -> list[AnyMessage]:
    messages = value_of(state, "messages")
    if messages is None:
        raise ConfigurationError(
            "the state has no 'messages': inherit it from MemoryState, or from langgraph's MessagesState"
        )
    return list(messages)


def _turn(messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
    return messages[turn_start([role_of(message) for message in messages]) :]


def _said(messages: Sequence[AnyMessage], thread_id: str) -> list[Message]:
    return once(to_message(message, thread_id=thread_id) for message in spoken(messages))


def _id_of(message: BaseMessage) -> str:
    if message.id is None:
        raise ConfigurationError(
            "a message without id cannot be removed: use add_messages as the reducer of 'messages'"
        )
    return message.id


def _require_key(config: RunnableConfig, key: str) -> None:
    """LangGraph drops in silence what a node writes to a key that the graph's state does not have.

    Raises: ConfigurationError.
    """
    read = config.get("configurable", {}).get(_READ)
    if read is None or not _has(read, "messages"):
        return  # not a node of a graph of messages, but called in a task or by another node
    if not _has(read, key):
        raise ConfigurationError(
            f"the graph's state has no key {key!r}, and LangGraph would drop what inject_memory writes: inherit the "
            f"state from MemoryState, or add '{key}: MemoryContext' to it"
        )


def _has(read: Callable[[str], Any], key: str) -> bool:
    try:
        read(key)
    except KeyError:
        return False
    return True
