"""The journal as LlamaIndex's chat store."""

from __future__ import annotations

import asyncio
from pathlib import Path

from blockbuster import blockbuster_ctx
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock
from llama_index.core.memory import Memory as LlamaMemory
from llama_index.core.storage.chat_store.base_db import MessageStatus
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.llama_index import CoreMemory, CoreMemoryChatStore

ARCHIVED = MessageStatus.ARCHIVED


def chat(*texts: str) -> list[ChatMessage]:
    return [ChatMessage(text) for text in texts]


def texts(messages: list[ChatMessage]) -> list[str | None]:
    return [message.content for message in messages]


async def test_messages_are_kept_in_order_with_limit_and_offset(memory: Memory) -> None:
    store = CoreMemoryChatStore(memory, "sarah")
    with blockbuster_ctx("ai_memory_integrations"):
        await store.add_message("s1", ChatMessage("a"))
        await store.add_messages("s1", chat("b", "c", "d"))
        await store.add_messages("s1", [])
        await store.add_messages("s2", chat("other"))
        assert texts(await store.get_messages("s1")) == ["a", "b", "c", "d"]
        assert texts(await store.get_messages("s1", limit=2, offset=1)) == ["b", "c"]
        assert texts(await store.get_messages("s1", offset=3)) == ["d"]
        assert texts(await store.get_messages("s1", limit=0)) == []
        assert await store.get_messages("nobody") == []
        assert await store.count_messages("s1") == 4
        assert await store.get_keys() == ["s1", "s2"]


async def test_archived_messages_leave_the_queue_and_stay_in_the_thread(memory: Memory, tmp_path: Path) -> None:
    store = CoreMemoryChatStore(memory, "sarah")
    await store.add_messages("s1", chat("a", "b", "c"))
    assert texts(await store.archive_oldest_messages("s1", 2)) == ["a", "b"]
    assert texts(await store.get_messages("s1")) == ["c"]
    assert texts(await store.get_messages("s1", status=ARCHIVED)) == ["a", "b"]
    assert texts(await store.get_messages("s1", status=None)) == ["a", "b", "c"]
    assert (await store.count_messages("s1"), await store.count_messages("s1", ARCHIVED)) == (1, 2)
    assert texts(await store.archive_oldest_messages("s1", 5)) == ["c"]
    assert await store.archive_oldest_messages("s1", 5) == []
    assert texts(CoreMemory.from_defaults(memory, "sarah", "s1").get_all()) == ["a", "b", "c"]
    with Memory(str(tmp_path / "memory.db")) as again:
        assert await CoreMemoryChatStore(again, "sarah").count_messages("s1", ARCHIVED) == 3


async def test_messages_can_be_removed_by_age_by_place_and_by_status(memory: Memory) -> None:
    store = CoreMemoryChatStore(memory, "sarah")
    await store.add_messages("s1", chat("a", "b", "c", "d", "e"))
    await store.add_message("s1", ChatMessage("old"), status=ARCHIVED)
    assert texts(await store.delete_oldest_messages("s1", 2)) == ["a", "b"]
    removed = await store.delete_message("s1", 1)
    assert removed is not None
    assert removed.content == "d"
    assert await store.delete_message("s1", 7) is None
    await store.delete_messages("s1", ARCHIVED)
    assert texts(await store.get_messages("s1", status=None)) == ["c", "e"]
    await store.delete_messages("s1")
    assert await store.get_messages("s1", status=None) == []
    assert await store.delete_oldest_messages("s1", 1) == []


async def test_setting_replaces_everything_and_teaches_nothing(memory: Memory) -> None:
    store = CoreMemoryChatStore(memory, "sarah")
    await store.add_messages("s1", chat("My name is Sarah."))
    await store.archive_oldest_messages("s1", 1)
    await store.set_messages("s1", chat("My name is Sarah.", "My name is Bob."))
    assert texts(await store.get_messages("s1")) == ["My name is Sarah.", "My name is Bob."]
    assert await memory.aio.drain(PATIENCE)
    assert "Bob" not in memory.prompt("sarah")
    assert "Sarah" in memory.prompt("sarah")
    await store.set_messages("s1", [])
    assert await store.get_messages("s1", status=None) == []


async def test_messages_are_lossless(memory: Memory) -> None:
    store = CoreMemoryChatStore(memory, "sarah")
    message = ChatMessage(
        role="assistant",
        blocks=[ThinkingBlock(content="hmm"), TextBlock(text="Yes.")],
        additional_kwargs={"refusal": None, "n": 1},
    )
    await store.add_message("s1", message)
    (kept,) = await store.get_messages("s1")
    assert kept.model_dump() == message.model_dump()


def test_llama_index_s_memory_stands_on_it_sync_and_async_across_restarts(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "m.db")) as memory:
        llama = LlamaMemory.from_defaults("s1", chat_store=CoreMemoryChatStore(memory, "sarah"))
        llama.put(ChatMessage("one"))
        asyncio.run(llama.aput_messages(chat("two", "three")))
    with Memory(str(tmp_path / "m.db")) as memory:
        llama = LlamaMemory.from_defaults("s1", chat_store=CoreMemoryChatStore(memory, "sarah"))
        assert texts(llama.get()) == ["one", "two", "three"]
        assert memory.search("sarah", "two")[0] == "two"
        llama.reset()
        assert llama.get_all() == []


async def test_the_key_may_name_the_subject(memory: Memory) -> None:
    store = CoreMemoryChatStore(memory, "user_{session_id}")
    await store.add_messages("7", chat("hi"))
    assert [subject.subject_id for subject in memory.list_subjects()] == ["user_7"]
