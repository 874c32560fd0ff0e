"""What memory costs a turn of a LlamaIndex agent: one `aput`, two `aget` and one `aput_messages`, as agents call them.

    python -m benchmarks.llama_index_turn

Sessions have 20 turns. "on a file" survives the process; LlamaIndex's default and its vector block do not. Ours keeps
each message durably (synchronous=FULL), indexes it, and learns it in the background by rules while the turns go on.
Mem0Memory is there when `llama-index-memory-mem0` is installed; it calls a language model for every message, which is
turned off here (`infer=False`), so that what is left is its embedding, its vector store (Qdrant on a file) and its
history database. Where meaning is searched, the embedder is wordllama in every case.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import BaseMemory, VectorMemoryBlock
from llama_index.core.memory import Memory as LlamaMemory
from llama_index.core.vector_stores.simple import SimpleVectorStore

from ai_memory_integrations import Memory
from ai_memory_integrations.llama_index import (
    ArchivalMemoryBlock,
    CoreMemory,
    CoreMemoryBlock,
    CoreMemoryChatStore,
)
from ai_memory_integrations.search.embedders import WordLlamaEmbedder
from benchmarks.measure import Case, Row, compare, machine, table

TURNS = 20
WORDS = ["I", "moved", "to", "Lisbon", "in", "March", "and", "have", "two", "cats", "called", "Miso", "Nori"]


class WordLlama(BaseEmbedding):
    """wordllama for LlamaIndex and Mem0."""

    def vector(self, text: str) -> list[float]:
        return [float(value) for value in _embedder()([text])[0]]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self.vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self.vector(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self.vector(text)

    def embed(self, text: str, *ignored: Any, **more: Any) -> list[float]:
        return self.vector(text)


@functools.cache
def _embedder() -> WordLlamaEmbedder:
    return WordLlamaEmbedder()


def turns(loop: asyncio.AbstractEventLoop, made: Callable[[str], BaseMemory]) -> Case:
    """Turns of one session after the other."""
    memory_of = functools.cache(made)

    async def turn(number: int) -> None:
        memory = memory_of(f"session {number // TURNS}")
        said = " ".join(WORDS[(number * 7 + n * (number % 5 + 1)) % len(WORDS)] for n in range(12))
        await memory.aput(ChatMessage(f"{said}, number {number}?"))
        await memory.aget()
        await memory.aput_messages([ChatMessage(f"I see: {said}.", role="assistant")])
        await memory.aget()

    return lambda number: loop.run_until_complete(turn(number))


def vector_block() -> VectorMemoryBlock:
    vectors = SimpleVectorStore()
    vectors.stores_text = True
    return VectorMemoryBlock(vector_store=vectors, embed_model=WordLlama())


def mem0(folder: Path) -> Callable[[str], BaseMemory] | None:
    """Mem0Memory without its language model; None when it is not installed."""
    os.environ |= {"MEM0_TELEMETRY": "False", "OPENAI_API_KEY": "none", "MEM0_DIR": str(folder / "mem0")}
    try:
        from llama_index.memory.mem0 import Mem0Memory
    except ImportError:
        return None
    config = {
        "vector_store": {
            "provider": "qdrant",
            "config": {"path": str(folder / "qdrant"), "on_disk": True, "embedding_model_dims": 256},
        },
        "history_db_path": str(folder / "history.db"),
    }
    kept = Mem0Memory.from_config(context={"user_id": "sarah"}, config=config)
    client = kept._client
    client.embedding_model = WordLlama()
    client.add = functools.partial(client.add, infer=False)

    def session(name: str) -> BaseMemory:
        return Mem0Memory(primary_memory=LlamaMemory.from_defaults(name), context=kept.context, client=client)

    return session


def measure(folder: Path, *, rounds: int = 200) -> list[Row]:
    loop = asyncio.new_event_loop()
    theirs = f"sqlite+aiosqlite:///{folder / 'llama.db'}"
    terms = Memory(str(folder / "terms.db"), embedder=False)
    meaning = Memory(str(folder / "meaning.db"), embedder=_embedder())
    blocks = Memory(str(folder / "blocks.db"), embedder=False)
    own = {"chat_store": CoreMemoryChatStore(blocks, "sarah")}
    long_term = [CoreMemoryBlock(blocks, "sarah"), ArchivalMemoryBlock(blocks, "sarah")]
    made: dict[str, Callable[[str], BaseMemory] | None] = {
        "Memory (default: in this process)": LlamaMemory.from_defaults,
        "Memory on a file": lambda name: LlamaMemory.from_defaults(name, async_database_uri=theirs),
        "Memory with VectorMemoryBlock": lambda name: LlamaMemory.from_defaults(name, memory_blocks=[vector_block()]),
        "CoreMemory on a file": lambda name: CoreMemory.from_defaults(terms, "sarah", name),
        "CoreMemory on a file, with meaning": lambda name: CoreMemory.from_defaults(meaning, "sarah", name),
        "Memory on CoreMemoryChatStore with both blocks": lambda name: LlamaMemory.from_defaults(
            name, memory_blocks=long_term, **own
        ),
        "Mem0Memory on a file, extraction off": mem0(folder),
    }
    try:
        return compare(
            "a turn's memory",
            {name: turns(loop, make) for name, make in made.items() if make is not None},
            rounds=rounds,
        )
    finally:
        for memory in (terms, meaning, blocks):
            memory.close()
        loop.close()


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with TemporaryDirectory(prefix="ai-memory-bench-") as folder:
        rows = measure(Path(folder))
    print(f"Measured on {machine()}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
