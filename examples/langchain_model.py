"""The chat model of the LangChain examples: a real one when a key is set, else a script that plays its part."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from ai_memory_integrations.testing import ScriptedChatModel

DEFAULTS = {"OPENAI_API_KEY": "openai:gpt-4.1-mini", "ANTHROPIC_API_KEY": "anthropic:claude-haiku-4-5"}


def chat_model(script: Callable[[Sequence[BaseMessage]], AIMessage | str]) -> BaseChatModel:
    """The model that LANGCHAIN_MODEL names (`provider:model`), or one of a provider whose key is set; else *script*.

    A real one needs its package: `pip install langchain-openai`.
    """
    for key, default in DEFAULTS.items():
        if os.environ.get(key):
            from langchain.chat_models import init_chat_model

            model: BaseChatModel = init_chat_model(os.environ.get("LANGCHAIN_MODEL", default))
            return model
    print("(no key is set: a script plays the model)\n")
    return ScriptedChatModel(script)
