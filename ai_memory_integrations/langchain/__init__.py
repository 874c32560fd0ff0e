"""Memory for LangChain: agent middleware, tools, a retriever, a chat history.

    from ai_memory_integrations import Memory
    from ai_memory_integrations.langchain import CoreMemoryMiddleware

    memory = Memory("memory.db", subject="user_{user_id}")
    agent = create_agent("openai:gpt-4.1-mini", middleware=[CoreMemoryMiddleware(memory)])
    agent.invoke({"messages": "My name is Sarah."}, {"configurable": {"user_id": "sarah", "thread_id": "1"}})

The middleware needs `langchain`, everything else only `langchain-core`; each is loaded with its name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.errors import MissingExtraError

if TYPE_CHECKING:
    from ai_memory_integrations.langchain.chat_history import CHAT_HISTORY_FIELDS as CHAT_HISTORY_FIELDS
    from ai_memory_integrations.langchain.chat_history import ChatHistoryFactory as ChatHistoryFactory
    from ai_memory_integrations.langchain.chat_history import (
        CoreMemoryChatMessageHistory as CoreMemoryChatMessageHistory,
    )
    from ai_memory_integrations.langchain.chat_history import chat_history_factory as chat_history_factory
    from ai_memory_integrations.langchain.chat_history import chat_history_fields as chat_history_fields
    from ai_memory_integrations.langchain.middleware import CoreMemoryMiddleware as CoreMemoryMiddleware
    from ai_memory_integrations.langchain.models import LangChainEmbedder as LangChainEmbedder
    from ai_memory_integrations.langchain.models import LangChainModel as LangChainModel
    from ai_memory_integrations.langchain.retriever import CoreMemoryRetriever as CoreMemoryRetriever
    from ai_memory_integrations.langchain.retriever import format_blocks as format_blocks
    from ai_memory_integrations.langchain.retriever import format_documents as format_documents
    from ai_memory_integrations.langchain.tools import create_memory_tools as create_memory_tools
    from ai_memory_integrations.langchain_messages import to_langchain as to_langchain
    from ai_memory_integrations.langchain_messages import to_message as to_message

_ROOM = "ai_memory_integrations.langchain"
_WHERE = {
    "CHAT_HISTORY_FIELDS": f"{_ROOM}.chat_history",
    "ChatHistoryFactory": f"{_ROOM}.chat_history",
    "CoreMemoryChatMessageHistory": f"{_ROOM}.chat_history",
    "CoreMemoryMiddleware": f"{_ROOM}.middleware",
    "CoreMemoryRetriever": f"{_ROOM}.retriever",
    "LangChainEmbedder": f"{_ROOM}.models",
    "LangChainModel": f"{_ROOM}.models",
    "chat_history_factory": f"{_ROOM}.chat_history",
    "chat_history_fields": f"{_ROOM}.chat_history",
    "create_memory_tools": f"{_ROOM}.tools",
    "format_blocks": f"{_ROOM}.retriever",
    "format_documents": f"{_ROOM}.retriever",
    "to_langchain": "ai_memory_integrations.langchain_messages",
    "to_message": "ai_memory_integrations.langchain_messages",
}
__all__ = sorted(_WHERE)  # noqa: PLE0605 - sorted() gives a list


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {_ROOM!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(_WHERE[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("langchain", "langchain_core", "langgraph"):
            raise MissingExtraError(name, "langchain") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
