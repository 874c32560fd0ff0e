"""One memory library at work in its own environment: `python -P peer_memories.py NAME FOLDER RESULT [TEXTS]`.

Run by `benchmarks.peers`. It imports nothing but the standard library and the library it measures, and writes its
times in milliseconds, its peak memory and the version to RESULT as JSON. Every library gets the same texts, the same
embedding function (hashed words, no model) and no language model.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import random
import resource
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

USERS, TEXTS, READS, DIMENSION = 10, 100, 100, 256
_WORDS = """
cat dog Lisbon Porto garden bread violin train window river winter coffee letter bridge market painter island lamp
doctor school forest marathon recipe guitar museum passport bicycle concert allergy birthday meeting deadline
""".split()  # noqa: SIM905 - a list of words is read more easily so
FACT = "I live in Lisbon and I like green tea."


def text(number: int) -> str:
    if number < USERS:
        return FACT  # the first that each user says
    chosen = random.Random(number).choices(_WORDS, k=18)
    return f"On day {number} I said something about {' '.join(chosen)}."


def question(number: int) -> str:
    return "What about the " + " and the ".join(random.Random(-1 - number).sample(_WORDS, 3)) + "?"


def vector(said: str) -> list[float]:
    """Hashed words, of length 1: what an embedding costs is not compared here."""
    values = [0.0] * DIMENSION
    for word in said.lower().split():
        values[zlib.crc32(word.encode()) % DIMENSION] += 1.0
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


class Peer(Protocol):
    distribution: str

    def add(self, user: str, said: str) -> Any: ...

    def context(self, user: str) -> Any: ...

    def search(self, user: str, asked: str) -> Any: ...

    def close(self) -> None: ...


class Ours:
    """SQLite file, `synchronous=FULL`; learning by rules and embedding go on in the background meanwhile."""

    distribution = "ai-memory-integrations"

    def __init__(self, folder: Path) -> None:
        from ai_memory_integrations import Memory
        from ai_memory_integrations.search.embedders import embedder_from_callable

        embedder = embedder_from_callable(lambda texts: list(map(vector, texts)), name="words", dimension=DIMENSION)
        self.memory = Memory(str(folder / "memory.db"), embedder=embedder)

    def add(self, user: str, said: str) -> Any:
        return self.memory.add_messages(user, [{"role": "user", "content": said}])

    def context(self, user: str) -> Any:
        return self.memory.prompt(user)

    def search(self, user: str, asked: str) -> Any:
        return self.memory.search(user, asked, limit=5)

    def settle(self) -> None:
        self.memory.drain(60)

    def close(self) -> None:
        self.memory.close()


class Mem0:
    """`infer=False`, its default vector store (Qdrant, local, on disk) and its history in SQLite."""

    distribution = "mem0ai"

    def __init__(self, folder: Path) -> None:
        from mem0 import Memory
        from mem0.embeddings.base import EmbeddingBase

        class HashedWords(EmbeddingBase):
            def embed(self, text: str, memory_action: Any = None) -> list[float]:
                return vector(text)

        store = {"path": str(folder / "qdrant"), "on_disk": True, "embedding_model_dims": DIMENSION}
        self.memory = Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": store},
                "history_db_path": str(folder / "history.db"),
            }
        )
        # Its providers for embeddings of one's own are made for a release of LangChain that is no more.
        self.memory.embedding_model = HashedWords()

    def add(self, user: str, said: str) -> Any:
        return self.memory.add(said, user_id=user, infer=False)

    def context(self, user: str) -> Any:
        return self.memory.get_all(filters={"user_id": user}, top_k=20)["results"]

    def search(self, user: str, asked: str) -> Any:
        return self.memory.search(asked, filters={"user_id": user}, top_k=5)["results"]

    def close(self) -> None:
        self.memory.close()


class LangMem:
    """Its two tools on LangGraph's `InMemoryStore`: nothing is durable."""

    distribution = "langmem"

    def __init__(self, folder: Path) -> None:
        from langgraph.store.memory import InMemoryStore
        from langmem import create_manage_memory_tool, create_search_memory_tool

        self.store = InMemoryStore(
            index={"dims": DIMENSION, "embed": lambda texts: list(map(vector, texts)), "fields": ["content"]}
        )
        namespace = ("memories", "{langgraph_user_id}")
        self.manage = create_manage_memory_tool(namespace, store=self.store)
        self.find = create_search_memory_tool(namespace, store=self.store)

    def add(self, user: str, said: str) -> Any:
        return self.manage.invoke({"content": said, "action": "create"}, {"configurable": {"langgraph_user_id": user}})

    def context(self, user: str) -> Any:
        return self.store.search(("memories", user), limit=20)

    def search(self, user: str, asked: str) -> Any:
        found = self.find.invoke({"query": asked, "limit": 5}, {"configurable": {"langgraph_user_id": user}})
        return json.loads(found)

    def close(self) -> None:
        pass


class LlamaIndex:
    """`Memory` with a static and a vector block (Qdrant in memory), a chat history in SQLite in memory: nothing is
    durable. Blocks get what falls out of a window of 1,000 tokens."""

    distribution = "llama-index-core"

    def __init__(self, folder: Path) -> None:
        from llama_index.core.base.llms.types import ChatMessage
        from llama_index.core.embeddings import BaseEmbedding
        from llama_index.core.memory import Memory, StaticMemoryBlock, VectorMemoryBlock
        from llama_index.vector_stores.qdrant import QdrantVectorStore
        from qdrant_client import AsyncQdrantClient

        class HashedWords(BaseEmbedding):
            def _get_text_embedding(self, text: str) -> list[float]:
                return vector(text)

            def _get_query_embedding(self, query: str) -> list[float]:
                return vector(query)

            async def _aget_query_embedding(self, query: str) -> list[float]:
                return vector(query)

        self.loop = asyncio.new_event_loop()
        self.message = lambda said: ChatMessage(role="user", content=said)
        self.memories: dict[str, Any] = {}
        self.blocks: dict[str, Any] = {}
        client = AsyncQdrantClient(":memory:")
        for number in range(USERS):
            user = f"user_{number}"
            found = QdrantVectorStore(aclient=client, collection_name=user)
            block = VectorMemoryBlock(
                vector_store=found, embed_model=HashedWords(), similarity_top_k=5, retrieval_context_window=1
            )
            self.blocks[user] = block
            self.memories[user] = Memory.from_defaults(
                session_id=user,
                token_limit=1000,
                token_flush_size=200,
                memory_blocks=[StaticMemoryBlock(static_content=FACT), block],
            )

    def run(self, call: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        return self.loop.run_until_complete(call(*arguments, **options))

    def add(self, user: str, said: str) -> Any:
        return self.run(self.memories[user].aput, self.message(said))

    def context(self, user: str) -> Any:
        return self.run(self.memories[user].aget)

    def search(self, user: str, asked: str) -> Any:
        return self.run(self.blocks[user].aget, [self.message(asked)], session_id=user)

    def close(self) -> None:
        self.loop.close()


PEERS: dict[str, Callable[[Path], Peer]] = {"ours": Ours, "mem0": Mem0, "langmem": LangMem, "llama-index": LlamaIndex}


@contextmanager
def timed(times: list[float]) -> Iterator[None]:
    began = perf_counter()
    yield
    times.append((perf_counter() - began) * 1000)


def measure(peer: Peer, texts: int) -> dict[str, Any]:
    users = [f"user_{number}" for number in range(USERS)]
    add: list[float] = []
    context: list[float] = []
    search: list[float] = []
    found = 0
    for number in range(USERS * texts):
        with timed(add):
            peer.add(users[number % USERS], text(number))
    getattr(peer, "settle", lambda: None)()
    for number in range(-USERS, READS):  # the first of each user warms what is cached
        user = users[number % USERS]
        with timed(context if number >= 0 else []):
            read = peer.context(user)
        with timed(search if number >= 0 else []):
            hits = peer.search(user, question(number))
        found += bool(hits) and bool(read)
    if found < USERS + READS:
        raise RuntimeError(f"only {found} of {USERS + READS} reads found something: that is not what should be timed")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mega = peak / 1024 if sys.platform != "darwin" else peak / 1024 / 1024
    return {"add": add, "context": context, "search": search, "peak": mega, "version": version(peer.distribution)}


def main(name: str, folder: str, result: str, texts: str = str(TEXTS)) -> None:
    logging.disable(logging.WARNING)
    os.chdir(folder)
    peer = PEERS[name](Path(folder))
    try:
        Path(result).write_text(json.dumps(measure(peer, int(texts))), "utf-8")
    finally:
        peer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
