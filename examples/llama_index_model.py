"""The language model of the LlamaIndex examples: OpenAI's when OPENAI_API_KEY is set, else a stand-in."""

from __future__ import annotations

import os
from collections.abc import Sequence

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.function_calling import FunctionCallingLLM
from model import stand_in

from ai_memory_integrations.testing import ScriptedLLM


def language_model() -> FunctionCallingLLM:
    """With OPENAI_API_KEY: `pip install llama-index-llms-openai`; OPENAI_MODEL names another model."""
    if not os.environ.get("OPENAI_API_KEY"):
        return ScriptedLLM(_answer)
    from llama_index.llms.openai import OpenAI

    model: FunctionCallingLLM = OpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"))
    return model


def _answer(messages: Sequence[ChatMessage]) -> str:
    return stand_in([{"role": message.role.value, "content": message.content or ""} for message in messages])
