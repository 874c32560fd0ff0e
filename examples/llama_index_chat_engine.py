"""LlamaIndex chat engines with a durable memory: one given to the engine, and memory blocks in LlamaIndex's own.

Run: `python examples/llama_index_chat_engine.py`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from llama_index.core.chat_engine import ContextChatEngine, SimpleChatEngine
from llama_index.core.memory import Memory as LlamaMemory
from llama_index_model import language_model

from ai_memory_integrations import Memory
from ai_memory_integrations.llama_index import (
    ArchivalMemoryBlock,
    CoreMemory,
    CoreMemoryBlock,
    CoreMemoryChatStore,
    CoreMemoryRetriever,
)

SARAH = "user_sarah"


def with_core_memory(memory: Memory) -> None:
    """An engine that streams, and recalls what is archived."""
    memory.add_passages(["Sarah's cat Miso eats only fish.", "The shop closes at six."], subject_id=SARAH)
    engine = ContextChatEngine.from_defaults(
        retriever=CoreMemoryRetriever(memory, SARAH, similarity_top_k=2),
        memory=CoreMemory.from_defaults(memory, SARAH, session_id="shopping"),
        llm=language_model(),
    )
    for said in ("My name is Sarah and I love cats.", "What does my cat Miso eat?"):
        print(f"Sarah: {said}\nEngine: ", end="")
        for token in engine.stream_chat(said).response_gen:
            print(token, end="", flush=True)
        print()
        memory.flush(SARAH)
    print("Archived about fish:", CoreMemoryRetriever(memory, SARAH).retrieve("fish")[0].text)


def with_memory_blocks(memory: Memory) -> None:
    """LlamaIndex's own memory, its conversation in the journal and its long-term blocks ours."""
    own = LlamaMemory.from_defaults(
        session_id="shopping",
        chat_store=CoreMemoryChatStore(memory, SARAH),
        memory_blocks=[CoreMemoryBlock(memory, SARAH), ArchivalMemoryBlock(memory, SARAH, similarity_top_k=2)],
    )
    engine = SimpleChatEngine.from_defaults(memory=own, llm=language_model())
    print(f"\nSarah: Who am I?\nEngine: {engine.chat('Who am I?')}")
    print(f"The conversation has {len(own.get_all())} messages by now.")


def main() -> None:
    with TemporaryDirectory() as folder, Memory(str(Path(folder, "memory.db"))) as memory:
        with_core_memory(memory)
        with_memory_blocks(memory)


if __name__ == "__main__":
    main()
