"""For tests of applications and of one's own parts. Importing it loads no framework; a name loads what it
needs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_memory_integrations.testing.chat_completions_server import Answer, Call, ChatCompletionsServer, called
    from ai_memory_integrations.testing.scripted_chat_model import ScriptedChatModel
    from ai_memory_integrations.testing.scripted_llm import ScriptedLLM
    from ai_memory_integrations.testing.temporary import temporary_memory

__all__ = [
    "Answer",
    "Call",
    "ChatCompletionsServer",
    "ScriptedChatModel",
    "ScriptedLLM",
    "called",
    "temporary_memory",
]

_WHERE = {
    "Answer": "chat_completions_server",
    "Call": "chat_completions_server",
    "ChatCompletionsServer": "chat_completions_server",
    "ScriptedChatModel": "scripted_chat_model",
    "ScriptedLLM": "scripted_llm",
    "called": "chat_completions_server",
    "temporary_memory": "temporary",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
