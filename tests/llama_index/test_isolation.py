"""Nothing of one subject or session ever reaches another's prompt."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.memory import Memory as LlamaMemory
from llama_index.core.memory import VectorMemoryBlock
from llama_index.core.vector_stores.simple import SimpleVectorStore

from ai_memory_integrations import Memory
from ai_memory_integrations.llama_index import (
    ArchivalMemoryBlock,
    CoreMemory,
    CoreMemoryBlock,
    CoreMemoryChatStore,
    CoreMemoryRetriever,
    CoreMemoryToolSpec,
)

SUBJECTS = ["sarah", "Sarah", "bob", "s1", "core_memory", "{x}"]
SESSIONS = ["s1", "s2", "default"]
steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "set", "reset", "get", "llama", "retrieve", "tool"]),
        st.sampled_from(range(len(SUBJECTS))),
        st.sampled_from(SESSIONS),
    ),
    max_size=20,
)


def words(text: str) -> list[str]:
    return text.split()


class World:
    """Every adapter once, serving all subjects, and CoreMemory once for each conversation."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.now = 0
        asked = lambda caller: SUBJECTS[self.now]  # noqa: E731
        self.retriever = CoreMemoryRetriever(memory, asked, similarity_top_k=50)
        self.tools = {tool.metadata.name: tool for tool in CoreMemoryToolSpec(memory, asked).to_tool_list()}
        self.store = CoreMemoryChatStore(memory, asked)
        self.blocks: list[Any] = [
            CoreMemoryBlock(memory, asked),
            ArchivalMemoryBlock(memory, asked),
            ArchivalMemoryBlock(memory, asked, name="here", scope="session"),
        ]
        self.conversations: dict[tuple[int, str], CoreMemory] = {}

    def core(self, subject: int, session: str) -> CoreMemory:
        key = subject, session
        if key not in self.conversations:
            whom = SUBJECTS[subject].replace("{", "{{").replace("}", "}}")
            self.conversations[key] = CoreMemory.from_defaults(self.memory, whom, session)
        return self.conversations[key]

    def do(self, action: str, subject: int, session: str) -> str:
        """What the subject gets to see by an action."""
        self.now = subject
        secret = ChatMessage(f"My name is Secret{subject}x and I like plums, says session {session}y.")
        core = self.core(subject, session)
        if action == "put":
            core.put(secret)
        elif action == "set":
            core.set([secret, ChatMessage("I see.", role="assistant")])
        elif action == "reset":
            core.reset()
        elif action == "get":
            return str(core.get(input="plums")) + str(core.get_all())
        elif action == "retrieve":
            return "".join(node.text for node in self.retriever.retrieve("plums"))
        elif action == "tool":
            arguments = {"query": "plums", "subject": SUBJECTS[0], "limit": 50}
            return str(self.tools["search_memory"].call(**arguments)) + str(self.tools["read_memory"].call())
        else:
            return str(asyncio.run(self.llama(secret, session)))
        return ""

    async def llama(self, message: ChatMessage, session: str) -> list[ChatMessage]:
        llama = LlamaMemory.from_defaults(
            f"llama-{session}",
            token_limit=60,
            token_flush_size=20,
            chat_store=self.store,
            memory_blocks=self.blocks,
            tokenizer_fn=words,
        )
        await llama.aput_messages([message, ChatMessage("I see.", role="assistant")])
        return await llama.aget(input="plums")


@given(steps)
@settings(max_examples=25)
def test_no_adapter_ever_shows_one_subject_what_belongs_to_another(actions: list[tuple[str, int, str]]) -> None:
    with TemporaryDirectory() as folder, Memory(str(Path(folder, "m.db")), learning="inline") as memory:
        world = World(memory)
        for action, subject, session in actions:
            seen = world.do(action, subject, session)
            for other in range(len(SUBJECTS)):
                assert other == subject or f"Secret{other}x" not in seen


@given(st.lists(st.tuples(st.sampled_from(SESSIONS), st.booleans()), min_size=1, max_size=12))
@settings(max_examples=25)
def test_a_conversation_never_shows_another_session_s_messages(turns: list[tuple[str, bool]]) -> None:
    with TemporaryDirectory() as folder, Memory(str(Path(folder, "m.db")), learning="off") as memory:
        block = ArchivalMemoryBlock(memory, "sarah", scope="session")
        for session, through_block in turns:
            core = CoreMemory.from_defaults(memory, "sarah", session, recall=0)
            core.put(ChatMessage(f"plums in session {session}y"))
            seen = str([message.content for message in core.get()])
            if through_block:
                seen += asyncio.run(block.aget([ChatMessage("plums")], session_id=session))
            for other in SESSIONS:
                assert other == session or f"{other}y" not in seen


async def _recalled(block: Any, session: str) -> str:
    llama = LlamaMemory.from_defaults(session, memory_blocks=[block])
    await llama.aput(ChatMessage("What about plums?"))
    return str((await llama.aget())[0].content)


async def test_a_block_shared_by_two_sessions_keeps_them_apart_where_llama_index_s_does_not(memory: Memory) -> None:
    vectors = SimpleVectorStore()
    vectors.stores_text = True
    theirs = VectorMemoryBlock(vector_store=vectors, embed_model=MockEmbedding(4))
    await theirs.aget([ChatMessage("plums")], session_id="s1")
    await theirs.aget([ChatMessage("plums")], session_id="s2")
    filters = [(each.key, each.value) for each in theirs.query_kwargs["filters"].filters]
    assert filters == [("session_id", "s1")]  # the first session's filter serves every later one

    ours = ArchivalMemoryBlock(memory, "user_{session_id}")
    for session in ("s1", "s2"):
        await ours.aput([ChatMessage(f"I like plums, says {session}y.")], session_id=session)
    for session, other in (("s1", "s2"), ("s2", "s1"), ("s1", "s2")):
        seen = await _recalled(ours, session)
        assert f"{session}y" in seen
        assert f"{other}y" not in seen
