"""Memory blocks for LlamaIndex's own `Memory.from_defaults(memory_blocks=[...])`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory.memory import BaseMemoryBlock
from pydantic import Field, PrivateAttr

from ai_memory_integrations.door import readable
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.llama_index import messages as convert
from ai_memory_integrations.llama_index.binding import Bound, bound
from ai_memory_integrations.llama_index.outages import OnError, Outages
from ai_memory_integrations.llama_index.shorten import shortened
from ai_memory_integrations.llama_index.tokens import count_text, tokenizer
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.prompt import render_blocks, render_passages
from ai_memory_integrations.recalling import recalled
from ai_memory_integrations.subjects import SubjectSource
from ai_memory_integrations.types import DEFAULT_THREAD


class _MemoryBlock(BaseMemoryBlock[str]):
    """What both blocks share: the subject, what is put, and outages."""

    on_error: OnError = "log"

    _bound: Bound = PrivateAttr()
    _outages: Outages = PrivateAttr(default_factory=Outages)

    def __init__(self, memory: Memory | None = None, subject: SubjectSource | None = None, **fields: Any) -> None:
        super().__init__(**fields)
        self._bound = bound(memory, subject, session_id=DEFAULT_THREAD)

    @property
    def outages(self) -> int:
        """How many calls could not reach the memory since this object was made."""
        return self._outages.count

    async def _aput(self, messages: list[ChatMessage]) -> None:
        """Keep and learn what LlamaIndex flushes; a message that several blocks are given is one message."""
        threads: dict[str, list[ChatMessage]] = {}
        for message in messages:
            if convert.message_id(message) is None:
                message.additional_kwargs[convert.ID_KEY] = new_id("msg")
            session_id = str(message.additional_kwargs.get("session_id") or DEFAULT_THREAD)
            threads.setdefault(session_id, []).append(message)
        for session_id, said in threads.items():
            subject_id = self._bound.subject_id(session_id)
            taken = convert.to_messages(said, thread_id=session_id)
            with self._outages.passing(f"{len(taken)} flushed messages were not kept", self.on_error):
                await self._bound.memory.aio.add_messages(subject_id, taken, thread_id=session_id)

    async def atruncate(self, content: str, tokens_to_truncate: int) -> str | None:
        """The text without as many of its last parts as cost that many tokens; None when nothing is left."""
        if not content:  # LlamaIndex asks for the empty list of a block that had nothing to say
            return None
        return await self._bound.memory.aio.run(_shorter, content, tokens_to_truncate)


class CoreMemoryBlock(_MemoryBlock):
    """The subject's blocks, in every prompt; what is flushed is kept and learnt."""

    name: str = "core_memory"
    priority: int = 0

    # Said again in each class, because for a type checker a Pydantic model without one takes its fields.
    def __init__(self, memory: Memory | None = None, subject: SubjectSource | None = None, **fields: Any) -> None:
        super().__init__(memory, subject, **fields)

    async def _aget(
        self, messages: list[ChatMessage] | None = None, session_id: str | None = None, **block_kwargs: Any
    ) -> str:
        subject_id = self._bound.subject_id(session_id)
        with self._outages.passing("the blocks were not read", self.on_error):
            return render_blocks(await self._bound.memory.aio.list_blocks(subject_id))
        return ""


class ArchivalMemoryBlock(_MemoryBlock):
    """Passages that match what the user said last; what is flushed is kept, found again and learnt.

    `scope` says whether passages come from all of the subject's sessions, or from the session alone. `tags` as in
    `Memory.search`: None means what users said and what was archived, [] everything, also what the assistant answered.
    """

    name: str = "archival_memory"
    priority: int = 1
    similarity_top_k: int = Field(default=5, ge=1)
    scope: Literal["subject", "session"] = "subject"
    tags: list[str] | None = None

    def __init__(self, memory: Memory | None = None, subject: SubjectSource | None = None, **fields: Any) -> None:
        super().__init__(memory, subject, **fields)

    async def _aget(
        self, messages: list[ChatMessage] | None = None, session_id: str | None = None, **block_kwargs: Any
    ) -> str:
        subject_id = self._bound.subject_id(session_id)
        query = _last_said(messages or ())
        if not query.strip():
            return ""
        shown = {known for message in messages or () if (known := convert.message_id(message))}
        texts = {message.content for message in messages or ()}
        thread_id = (session_id or DEFAULT_THREAD) if self.scope == "session" else None
        memory = self._bound.memory.for_subject(subject_id)
        with self._outages.passing("no passages were recalled", self.on_error):
            found = await memory.aio.run(
                recalled,
                lambda limit: memory.search_passages(query, tags=self.tags, thread_id=thread_id, limit=limit),
                query,
                self.similarity_top_k,
                leave_out=lambda passage: passage.message_id in shown or passage.text in texts,
            )
            return render_passages(found)
        return ""


def _last_said(messages: Sequence[ChatMessage]) -> str:
    said = (message.content for message in reversed(messages) if message.role == "user")
    return readable(next((text for text in said if text), ""))


def _shorter(content: str, tokens: int) -> str | None:
    count = tokenizer()
    return shortened(content, lambda text: count_text(text, count), tokens)
