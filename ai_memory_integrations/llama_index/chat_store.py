"""The journal as the chat store of LlamaIndex's own `Memory`."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus
from pydantic import PrivateAttr

from ai_memory_integrations.llama_index import messages as convert
from ai_memory_integrations.llama_index.binding import Bound, bound
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.subjects import SubjectSource
from ai_memory_integrations.types import DEFAULT_THREAD, Message


class CoreMemoryChatStore(AsyncDBChatStore):
    """Conversations of a subject, a key each, as durable threads that the other frameworks read as well.

    `Memory.from_defaults(session_id=..., chat_store=CoreMemoryChatStore(memory, "user_sarah"))`. What is added is
    learnt and found by search; what is set is an old conversation and is not. *subject* may be a template with
    `{session_id}`, which is the key. Archived messages stay in the thread for everybody else.
    """

    _bound: Bound = PrivateAttr()

    def __init__(self, memory: Memory | None = None, subject: SubjectSource | None = None, **fields: Any) -> None:
        super().__init__(**fields)
        self._bound = bound(memory, subject, session_id=DEFAULT_THREAD)

    @classmethod
    def class_name(cls) -> str:
        return "CoreMemoryChatStore"

    async def get_messages(
        self,
        key: str,
        status: MessageStatus | None = MessageStatus.ACTIVE,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[ChatMessage]:
        """Messages of a conversation, oldest first: *limit* of them from *offset* on; [] for an unknown key."""
        kept = await self._kept(key, status)
        begin = offset or 0
        return [convert.to_kept(message) for message in kept[begin : None if limit is None else begin + limit]]

    async def count_messages(self, key: str, status: MessageStatus | None = MessageStatus.ACTIVE) -> int:
        """How many messages of this status (None: any) a conversation has."""
        return len(await self._kept(key, status))

    async def add_message(self, key: str, message: ChatMessage, status: MessageStatus = MessageStatus.ACTIVE) -> None:
        """Keep a message and have it learnt."""
        await self.add_messages(key, [message], status)

    async def add_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Keep messages, all or none, and have them learnt."""
        if taken := _with_status(convert.to_messages(messages, thread_id=key), status):
            await self._bound.memory.aio.add_messages(self._bound.subject_id(key), taken, thread_id=key)

    async def set_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Make these the conversation, in place of all others of any status; they are not learnt."""
        current = await self._kept(key, None)
        taken = _with_status(convert.aligned(messages, current, thread_id=key), status)
        await self._bound.memory.aio.set_messages(taken, thread_id=key, subject_id=self._bound.subject_id(key))

    async def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Remove the active message at place *idx* (from 0); None when there is none."""
        active = await self._kept(key, MessageStatus.ACTIVE)
        if not 0 <= idx < len(active):
            return None
        return (await self._delete(key, [active[idx]]))[0]

    async def delete_messages(self, key: str, status: MessageStatus | None = None) -> None:
        """Remove the messages of this status, by default all. What was learnt of them stays."""
        await self._delete(key, await self._kept(key, status))

    async def delete_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Remove the oldest *n* active messages; those removed."""
        return await self._delete(key, (await self._kept(key, MessageStatus.ACTIVE))[: max(0, n)])

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Take the oldest *n* active messages out of the active queue; those taken."""
        oldest = (await self._kept(key, MessageStatus.ACTIVE))[: max(0, n)]
        if oldest:
            await self._bound.memory.aio.annotate_messages(
                [message.id for message in oldest],
                {convert.ARCHIVED: True},
                thread_id=key,
                subject_id=self._bound.subject_id(key),
            )
        return [convert.to_kept(message) for message in oldest]

    async def get_keys(self) -> list[str]:
        """The subject's conversations, oldest first."""
        threads = await self._bound.memory.aio.list_threads(self._bound.subject_id())
        return [thread.thread_id for thread in threads]

    async def _kept(self, key: str, status: MessageStatus | None) -> list[Message]:
        kept = await self._bound.memory.aio.list_messages(self._bound.subject_id(key), key)
        if status is None:
            return kept
        return [message for message in kept if _is_archived(message) == (status == MessageStatus.ARCHIVED)]

    async def _delete(self, key: str, messages: list[Message]) -> list[ChatMessage]:
        if messages:
            await self._bound.memory.aio.delete_messages(
                [message.id for message in messages], thread_id=key, subject_id=self._bound.subject_id(key)
            )
        return [convert.to_kept(message) for message in messages]


def _is_archived(message: Message) -> bool:
    return bool(message.metadata.get(convert.ARCHIVED))


def _with_status(messages: list[Message], status: MessageStatus) -> list[Message]:
    archived = status == MessageStatus.ARCHIVED
    return [
        message if _is_archived(message) == archived else _marked(message, archived=archived) for message in messages
    ]


def _marked(message: Message, *, archived: bool) -> Message:
    metadata = {key: value for key, value in message.metadata.items() if key != convert.ARCHIVED}
    return message.model_copy(update={"metadata": {**metadata, **({convert.ARCHIVED: True} if archived else {})}})
