"""The LlamaIndex room: memory, memory blocks, chat store, retriever, tools, models. Needs the extra `[llama-index]`.

from ai_memory_integrations import Memory
from ai_memory_integrations.llama_index import CoreMemory

memory = CoreMemory.from_defaults(Memory("memory.db"), subject="user_sarah")
await agent.run("Hello", memory=memory)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.errors import MissingExtraError

if TYPE_CHECKING:
    from ai_memory_integrations.llama_index.blocks import ArchivalMemoryBlock as ArchivalMemoryBlock
    from ai_memory_integrations.llama_index.blocks import CoreMemoryBlock as CoreMemoryBlock
    from ai_memory_integrations.llama_index.chat_store import CoreMemoryChatStore as CoreMemoryChatStore
    from ai_memory_integrations.llama_index.memory import CoreMemory as CoreMemory
    from ai_memory_integrations.llama_index.models import LlamaIndexEmbedder as LlamaIndexEmbedder
    from ai_memory_integrations.llama_index.models import LlamaIndexModel as LlamaIndexModel
    from ai_memory_integrations.llama_index.retriever import CoreMemoryRetriever as CoreMemoryRetriever
    from ai_memory_integrations.llama_index.tools import CoreMemoryToolSpec as CoreMemoryToolSpec

_WHERE = {
    "ArchivalMemoryBlock": "blocks",
    "CoreMemory": "memory",
    "CoreMemoryBlock": "blocks",
    "CoreMemoryChatStore": "chat_store",
    "CoreMemoryRetriever": "retriever",
    "CoreMemoryToolSpec": "tools",
    "LlamaIndexEmbedder": "models",
    "LlamaIndexModel": "models",
}
__all__ = sorted(_WHERE)  # noqa: PLE0605 - sorted() gives a list


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "llama_index":
            raise MissingExtraError(name, "llama-index") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
