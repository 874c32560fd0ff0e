"""Nodes that make a graph remember. Each is one object for `add_node` and `add_sequence`, under `invoke` and
`ainvoke` alike; what it does is written once, blocking, and awaited in one hop to a thread of the memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any, Literal, cast
from zlib import crc32

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
from ai_memory_integrations.langgraph.speakers import (
    behind_others,
    is_in,
    left_behind,
    newest_turn,
    own_turn,
    recorded,
    turn_of,
    without,
)
from ai_memory_integrations.langgraph.state import MemoryContext, MemoryTurn, value_of
from ai_memory_integrations.memory import Memory, checked_memory
from ai_memory_integrations.outbox import Outbox
from ai_memory_integrations.prompt import render_blocks, render_passages
from ai_memory_integrations.recalling import recalled as worth_recalling
from ai_memory_integrations.subjects import SubjectSource, check_source
from ai_memory_integrations.types import Message

logger = logging.getLogger("ai_memory_integrations.langgraph")

OnError = Literal["log", "raise"]
Trim = Callable[[Sequence[AnyMessage]], Sequence[BaseMessage]] | Runnable[Any, Any]
_SET_UP = (NewerSchemaError, NotAStoreError, StoreNotCreatableError)
_PROCESS = token_hex(8)
_READ = "__pregel_read"  # how LangGraph lets a node read the graph's state; its own ToolNode uses it


class InjectNode(RunnableLambda[Any, dict[str, Any]]):
    """See `inject_memory`. `failed` counts the turns that went on without memory."""

    def __init__(
        self, memory: Memory, *, subject: SubjectSource | None, recall: int, into: str, on_error: OnError
    ) -> None:
        self.memory = checked_memory(memory)
        self.failed = 0
        self._subject = _checked(subject, on_error)
        self._source = _source(memory, subject)
        self._recall = checked_recall(recall)
        self._into = into
        self._on_error = on_error
        super().__init__(self._inject, self._ainject, name="inject_memory")
        self.__name__ = "inject_memory"  # what add_sequence calls it

    def _inject(self, state: Any, config: RunnableConfig) -> dict[str, Any]:
        _require_key(config, self._into)
        subject_id, messages = subject_of(self.memory, self._subject), _messages_of(state)
        turn = turn_of(subject_id, self._source, messages, _turn_in(state, self._into))
        try:
            blocks, recalled = self._read(self.memory.for_subject(subject_id), messages, turn)
        except BackendError as error:
            if self._on_error == "raise" or isinstance(error, _SET_UP):
                raise
            self.failed += 1
            logger.warning("memory could not be read, the turn goes on with the blocks of the last one: %s", error)
            known = _context_in(state, self._into)
            blocks, recalled = (known["blocks"] if known and known.get("subject") == subject_id else ""), ""
        return {self._into: MemoryContext(blocks=blocks, recalled=recalled, subject=subject_id, turn=turn)}

    async def _ainject(self, state: Any, config: RunnableConfig) -> dict[str, Any]:
        return await self.memory.aio.run(self._inject, state, config)

    def _read(self, memory: Memory, messages: Sequence[AnyMessage], turn: MemoryTurn) -> tuple[str, str]:
        recalled = ""
        asked = spoken(newest_turn(behind_others(messages, turn)))
        query = "\n".join(each.text for each in asked if role_of(each) == "user")
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
        return render_blocks(memory.list_blocks()), recalled


class LearnNode(RunnableLambda[Any, dict[str, Any] | None]):
    """See `learn_messages`. `outbox` counts what was kept, what waits to be tried again and what was lost."""

    def __init__(
        self, memory: Memory, *, subject: SubjectSource | None, wait: bool, into: str, on_error: OnError
    ) -> None:
        self.memory = checked_memory(memory)
        self.outbox = Outbox(memory)
        self._subject = _checked(subject, on_error)
        self._source = _source(memory, subject)
        self._wait = wait
        self._into = into
        self._on_error = on_error
        super().__init__(self._learn, self._alearn, name="learn_messages")
        self.__name__ = "learn_messages"  # what add_sequence calls it

    def _learn(self, state: Any) -> dict[str, Any] | None:
        run_id, update = self._end_turn(state)
        if run_id is not None:
            self.memory.wait_for_run(run_id)
        return update

    async def _alearn(self, state: Any) -> dict[str, Any] | None:
        run_id, update = await self.memory.aio.run(self._end_turn, state)
        if run_id is not None:
            await self.memory.aio.wait_for_run(run_id)
        return update

    def _end_turn(self, state: Any) -> tuple[str | None, dict[str, Any] | None]:
        """Keep what is new in the turn: the run to wait for, if somebody waits, and what changes in the state."""
        subject_id, thread_id, messages = subject_of(self.memory, self._subject), thread_of(), _messages_of(state)
        turn = _turn_in(state, self._into, self._source)
        if turn is not None and turn["subject"] != subject_id:
            if is_in(turn, messages):
                logger.warning(
                    "a turn of subject %r in thread %r was ended in a call for subject %r: it is recorded with the "
                    "next turn of %r there. Resume a turn with the subject it began with",
                    turn["subject"],
                    thread_id,
                    subject_id,
                    turn["subject"],
                )
                return None, self._update(state, {**turn, "left": left_behind(messages, turn)})
            turn = turn_of(subject_id, self._source, messages, turn)
        run_id = self._record(subject_id, thread_id, _said(own_turn(messages, turn), thread_id))
        if turn is None or "left" not in turn:
            return run_id, None
        return run_id, self._update(state, recorded(turn))

    def _update(self, state: Any, turn: MemoryTurn) -> dict[str, Any]:
        return {self._into: {**value_of(state, self._into), "turn": turn}}

    def _record(self, subject_id: str, thread_id: str, said: Sequence[Message]) -> str | None:
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

    def __init__(
        self, memory: Memory, trim: Trim, *, subject: SubjectSource | None, into: str, on_error: OnError
    ) -> None:
        if not callable(trim) and not isinstance(trim, Runnable):
            raise ConfigurationError(f"trim={trim!r} must be a function of messages, or trim_messages(...)")
        self.memory = checked_memory(memory)
        self.failed = 0
        self._keep: Callable[[Any], Any] = trim.invoke if isinstance(trim, Runnable) else trim
        self._subject = _checked(subject, on_error)
        self._source = _source(memory, subject)
        self._into = into
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
        known = _turn_in(state, self._into, self._source)
        turn = None if known is None else turn_of(subject_id, self._source, messages, known)
        if turn is not None and turn["subject"] != subject_id:
            return {}  # another subject's turn, that this one resumed: it is trimmed in a turn of its own
        own = behind_others(messages, turn)
        others = set(map(id, messages)) - set(map(id, own))
        try:
            if said := _said([message for message in out if id(message) not in others], thread_id):
                self.memory.add_messages(subject_id, said, thread_id=thread_id)
                self.memory.make_due(subject_id)
        except BackendError as error:
            if self._on_error == "raise" or isinstance(error, _SET_UP):
                raise
            self.failed += 1
            logger.warning("messages could not be recorded and stay in the thread until they can: %s", error)
            return {}
        update: dict[str, Any] = {"messages": [RemoveMessage(_id_of(message)) for message in out]}
        if known is not None and (moved := without(out, messages, known)) != known:
            update[self._into] = {**value_of(state, self._into), "turn": moved}
        return update

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
    memory: Memory,
    *,
    subject: SubjectSource | None = None,
    wait: bool = False,
    into: str = "memory",
    on_error: OnError = "log",
) -> LearnNode:
    """A node that has what is new in the turn recorded and learnt in the background: the trailing user messages and
    what followed them, with a checkpointer and without. The messages stay as they are.

    Where `inject_memory` wrote to the state's key *into* whose turn it is, nothing is recorded for anybody else: a
    turn that another subject resumes and ends is noted there, and recorded with the next turn of its own subject.

    With *wait* it returns when the turn is learnt, for scripts. What the storage does not take is tried again for a
    while; that is logged and counted, `on_error="raise"` raises instead. *subject* as in `inject_memory`.

    Raises: ConfigurationError.
    """
    return LearnNode(memory, subject=subject, wait=wait, into=into, on_error=on_error)


def trim_and_learn(
    memory: Memory,
    trim: Trim,
    *,
    subject: SubjectSource | None = None,
    into: str = "memory",
    on_error: OnError = "log",
) -> TrimNode:
    """A node that removes from the state the messages that *trim* leaves out, after they were recorded, and has them
    learnt now. *trim* is a function from messages to those to keep, or LangChain's `trim_messages(max_tokens=...)`.

    What cannot be recorded stays in the state. Where `inject_memory` wrote to the state's key *into* that another
    subject spoke in the thread, what stands before the caller's own turns is removed and recorded for nobody.
    *subject* and *on_error* as in `inject_memory`.

    Raises: ConfigurationError.
    """
    return TrimNode(memory, trim, subject=subject, into=into, on_error=on_error)


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


def _context_in(state: Any, key: str) -> MemoryContext | None:
    """What `inject_memory` wrote there; None where the graph does without it, whatever else has the key."""
    found = value_of(state, key)
    return cast("MemoryContext", found) if isinstance(found, Mapping) and "blocks" in found else None


def _turn_in(state: Any, key: str, source: str | None = None) -> MemoryTurn | None:
    """Whose turn it is by the state; None where that was found otherwise than by *source*."""
    context = _context_in(state, key)
    turn = None if context is None else context.get("turn")
    return turn if turn is None or source is None or turn["source"] == source else None


def _source(memory: Memory, subject: SubjectSource | None) -> str:
    """How a subject is found, as text that is the same in another process; never the same for two ways to find it."""
    source = memory.subject if subject is None else subject
    if source is None:
        return ""
    return _function(source) if callable(source) else str(source)


def _function(function: Callable[..., Any]) -> str:
    code, owner = getattr(function, "__code__", None), getattr(function, "__self__", None)
    if code is None or owner is not None or getattr(function, "__closure__", None):
        # What it finds depends on what it holds: it is the same as itself, and in this process only.
        return f"{_PROCESS}:{id(function if owner is None else owner)}:{getattr(function, '__qualname__', '')}"
    # Two lambdas of one scope have one name, but no place in common.
    place = crc32(repr([*code.co_positions()]).encode())
    return f"{function.__module__}.{function.__qualname__}:{place}"


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
