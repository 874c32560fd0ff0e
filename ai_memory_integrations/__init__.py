"""Long-term memory for applications built on LangChain, LangGraph and LlamaIndex.

    from ai_memory_integrations import Memory

    memory = Memory("memory.db")
    memory.add_messages("user_sarah", [{"role": "user", "content": "My name is Sarah."}])
    print(memory.prompt("user_sarah"))

The framework rooms are `ai_memory_integrations.langchain`, `.langgraph` and `.llama_index`; each needs its extra.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_memory_integrations.aio import AsyncMemory as AsyncMemory
    from ai_memory_integrations.errors import AIMemoryError as AIMemoryError
    from ai_memory_integrations.files import FileProgress as FileProgress
    from ai_memory_integrations.files import FilesAdded as FilesAdded
    from ai_memory_integrations.learning.extractive import ExtractiveLearner as ExtractiveLearner
    from ai_memory_integrations.learning.function import FunctionLearner as FunctionLearner
    from ai_memory_integrations.learning.tool_calling import ToolCallingLearner as ToolCallingLearner
    from ai_memory_integrations.memory import Memory as Memory
    from ai_memory_integrations.types import Append as Append
    from ai_memory_integrations.types import Archive as Archive
    from ai_memory_integrations.types import Block as Block
    from ai_memory_integrations.types import BlockSpec as BlockSpec
    from ai_memory_integrations.types import BlockVersion as BlockVersion
    from ai_memory_integrations.types import Edit as Edit
    from ai_memory_integrations.types import ErasureReceipt as ErasureReceipt
    from ai_memory_integrations.types import Learned as Learned
    from ai_memory_integrations.types import LearningPolicy as LearningPolicy
    from ai_memory_integrations.types import Message as Message
    from ai_memory_integrations.types import Passage as Passage
    from ai_memory_integrations.types import Replace as Replace
    from ai_memory_integrations.types import Rethink as Rethink
    from ai_memory_integrations.types import Run as Run
    from ai_memory_integrations.types import Stats as Stats
    from ai_memory_integrations.types import Subject as Subject
    from ai_memory_integrations.types import Thread as Thread
    from ai_memory_integrations.types import Usage as Usage

_PACKAGE = "ai_memory_integrations"
_WHERE = {
    "AIMemoryError": "errors",
    "Append": "types",
    "Archive": "types",
    "AsyncMemory": "aio",
    "Block": "types",
    "BlockSpec": "types",
    "BlockVersion": "types",
    "Edit": "types",
    "ErasureReceipt": "types",
    "ExtractiveLearner": "learning.extractive",
    "FileProgress": "files",
    "FilesAdded": "files",
    "FunctionLearner": "learning.function",
    "Learned": "types",
    "LearningPolicy": "types",
    "Memory": "memory",
    "Message": "types",
    "Passage": "types",
    "Replace": "types",
    "Rethink": "types",
    "Run": "types",
    "Stats": "types",
    "Subject": "types",
    "Thread": "types",
    "ToolCallingLearner": "learning.tool_calling",
    "Usage": "types",
}
__all__ = sorted(_WHERE)  # noqa: PLE0605 - sorted() gives a list
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}")
    value = getattr(import_module(f"{_PACKAGE}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
