"""LangGraph: a store that is the core memory as well, and nodes that make a graph remember.

    from ai_memory_integrations import Memory
    from ai_memory_integrations.langgraph import MemoryState, inject_memory, learn_messages, with_memory

It needs `pip install 'ai-memory-integrations[langgraph]'`; a name is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.errors import MissingExtraError

if TYPE_CHECKING:
    from ai_memory_integrations.langgraph.namespaces import core_memory_namespace as core_memory_namespace
    from ai_memory_integrations.langgraph.nodes import inject_memory as inject_memory
    from ai_memory_integrations.langgraph.nodes import learn_messages as learn_messages
    from ai_memory_integrations.langgraph.nodes import trim_and_learn as trim_and_learn
    from ai_memory_integrations.langgraph.state import MemoryContext as MemoryContext
    from ai_memory_integrations.langgraph.state import MemoryState as MemoryState
    from ai_memory_integrations.langgraph.state import MemoryTurn as MemoryTurn
    from ai_memory_integrations.langgraph.state import with_memory as with_memory
    from ai_memory_integrations.langgraph.store import CoreMemoryStore as CoreMemoryStore

_WHERE = {
    "CoreMemoryStore": "store",
    "MemoryContext": "state",
    "MemoryState": "state",
    "MemoryTurn": "state",
    "core_memory_namespace": "namespaces",
    "inject_memory": "nodes",
    "learn_messages": "nodes",
    "trim_and_learn": "nodes",
    "with_memory": "state",
}
__all__ = sorted(_WHERE)  # noqa: PLE0605 - sorted() gives a list


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_WHERE[name]}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("langgraph", "langchain_core"):
            raise MissingExtraError(name, "langgraph") from error
        raise
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
