"""Memory blocks in LlamaIndex's own memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import InsertMethod
from llama_index.core.memory import Memory as LlamaMemory
from outages import InterruptibleStore
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import BackendUnavailableError, NoSubjectError
from ai_memory_integrations.llama_index import ArchivalMemoryBlock, CoreMemoryBlock, CoreMemoryChatStore
from ai_memory_integrations.llama_index.shorten import shortened
from ai_memory_integrations.prompt import is_injected, render_blocks, render_passages
from ai_memory_integrations.types import Block, Passage


def words(text: str) -> list[str]:
    return text.split()


def both(memory: Memory, subject: str = "sarah") -> list[CoreMemoryBlock | ArchivalMemoryBlock]:
    return [CoreMemoryBlock(memory, subject), ArchivalMemoryBlock(memory, subject)]


def turn(n: int, text: str = "word") -> list[ChatMessage]:
    said = " ".join([f"{text}{n}"] * 10)
    return [ChatMessage(said), ChatMessage(f"answer {said}", role="assistant")]


async def test_blocks_and_passages_stand_in_the_prompt(memory: Memory) -> None:
    memory.initialize_user_memory("sarah", user_context_block_value="Name: Sarah")
    memory.add_passages(["Miso is a cat."], subject_id="sarah")
    llama = LlamaMemory.from_defaults(session_id="s1", memory_blocks=both(memory))
    await llama.aput(ChatMessage("Tell me about Miso"))
    with blockbuster_ctx("ai_memory_integrations"):
        leading = (await llama.aget())[0]
    assert leading.role == "system"
    assert "Name: Sarah" in str(leading.content)
    assert "Miso is a cat." in str(leading.content)


async def test_what_the_assistant_answered_is_recalled_where_that_is_asked_for(memory: Memory) -> None:
    everything, said = ArchivalMemoryBlock(memory, "sarah", tags=[]), ArchivalMemoryBlock(memory, "sarah")
    asked, answer = "What is the capital of France?", "The capital of France is Paris."
    await everything.aput([ChatMessage(asked), ChatMessage(answer, role="assistant")], session_id="s1")
    assert answer in await everything.aget([ChatMessage("Tell me about Paris.")])
    assert answer not in await said.aget([ChatMessage("Tell me about Paris, the capital.")])
    assert asked in await said.aget([ChatMessage("Tell me about Paris, the capital.")])


def test_they_work_through_llama_index_s_sync_methods(memory: Memory) -> None:
    memory.initialize_user_memory("sarah", user_context_block_value="Name: Sarah")
    llama = LlamaMemory.from_defaults(memory_blocks=both(memory), insert_method=InsertMethod.USER)
    llama.put(ChatMessage("hi"))
    assert "Name: Sarah" in str(llama.get()[0].content)
    assert "Name: Sarah" in str(llama.get(input="hi")[0].content)


async def test_what_is_flushed_is_kept_and_learnt_once(memory: Memory) -> None:
    llama = LlamaMemory.from_defaults(
        session_id="s1", token_limit=100, token_flush_size=20, memory_blocks=both(memory), tokenizer_fn=words
    )
    await llama.aput_messages([ChatMessage("My name is Sarah."), ChatMessage("Hello.", role="assistant")])
    for n in range(8):
        await llama.aput_messages(turn(n))
    kept = memory.list_messages("sarah", "s1")
    assert [message.text for message in kept[:2]] == ["My name is Sarah.", "Hello."]
    assert len({message.id for message in kept}) == len(kept) == len({message.text for message in kept})
    assert await memory.aio.drain(PATIENCE)
    assert "Sarah" in memory.get_user_memory("sarah")  # type: ignore[operator]
    assert "Name: Sarah" in str((await llama.aget())[0].content)


async def test_what_is_flushed_from_the_chat_store_is_there_already(memory: Memory) -> None:
    store = CoreMemoryChatStore(memory, "sarah")
    llama = LlamaMemory.from_defaults(
        session_id="s1",
        token_limit=100,
        token_flush_size=20,
        memory_blocks=both(memory),
        tokenizer_fn=words,
        chat_store=store,
    )
    for n in range(8):
        await llama.aput_messages(turn(n))
    assert len(memory.list_messages("sarah", "s1")) == 16
    assert await memory.aio.drain(PATIENCE)
    assert sum(run.messages for run in memory.list_runs("sarah")) == 16
    assert all(not message.additional_kwargs for message in await store.get_messages("s1"))


async def test_blocks_fail_open_and_raise_on_request(tmp_path: Path) -> None:
    store = InterruptibleStore(tmp_path / "m.db")
    with Memory(backend=store, embedder=False) as memory:  # type: ignore[arg-type]
        memory.initialize_user_memory("sarah", user_context_block_value="Name: Sarah")
        block = CoreMemoryBlock(memory, "sarah")
        with store.outage():
            assert await block.aget([ChatMessage("hi")]) == ""
            await block.aput([ChatMessage("hi")], session_id="s1")
            assert block.outages == 2
            with pytest.raises(BackendUnavailableError):
                await ArchivalMemoryBlock(memory, "sarah", on_error="raise").aget([ChatMessage("hi")])
        assert "Name: Sarah" in await block.aget([ChatMessage("hi")])
    store.close()


def test_a_subject_is_needed_and_may_come_from_the_session(memory: Memory) -> None:
    with pytest.raises(NoSubjectError):
        CoreMemoryBlock(memory)
    assert CoreMemoryBlock(memory, "user_{session_id}")
    assert (CoreMemoryBlock(memory, "sarah").priority, ArchivalMemoryBlock(memory, "sarah").priority) == (0, 1)


async def test_the_archival_block_is_shortened_before_the_conversation_suffers(memory: Memory) -> None:
    memory.add_passages([f"cat {n} " + "purr " * 20 for n in range(5)], subject_id="sarah")
    llama = LlamaMemory.from_defaults(token_limit=150, memory_blocks=[ArchivalMemoryBlock(memory, "sarah")])
    await llama.aput(ChatMessage("cat?"))
    leading = str((await llama.aget())[0].content)
    assert 0 < leading.count("<memory ") < 5
    assert leading.count("</recalled_memories>") == 1


class TestShortening:
    values = st.text(st.sampled_from("ab &<>\n\"'\U0001f600"), max_size=60)

    @given(st.lists(values, min_size=1, max_size=5), st.integers(0, 400))
    def test_what_is_left_of_passages_is_marked_whole_and_short_enough(self, texts: list[str], tokens: int) -> None:
        self.check(render_passages([Passage(text=text) for text in texts]), tokens)

    @given(st.lists(values, min_size=1, max_size=5), st.integers(0, 400))
    def test_what_is_left_of_blocks_is_marked_whole_and_short_enough(self, texts: list[str], tokens: int) -> None:
        blocks = [Block(id=str(n), label=f"b{n}", value=text) for n, text in enumerate(texts)]
        self.check(render_blocks(blocks), tokens)

    def check(self, text: str, tokens: int) -> None:
        import xml.dom.minidom

        shorter = shortened(text, len, tokens)
        if shorter is None:
            return
        assert len(shorter) <= len(text) - tokens
        assert is_injected(shorter)
        xml.dom.minidom.parseString(shorter)

    def test_the_first_parts_stay_and_the_last_is_cut(self) -> None:
        text = render_passages([Passage(text="first"), Passage(text="second " * 20), Passage(text="third")])
        assert "third" not in str(shortened(text, len, 10))
        shorter = str(shortened(text, len, 80))
        assert "first" in shorter
        assert "second second" in shorter
        assert "…</memory>" in shorter
        assert shortened(text, len, 0) == text
        assert shortened(text, len, 10_000) is None
        assert shortened("something else", len, 1) is None
