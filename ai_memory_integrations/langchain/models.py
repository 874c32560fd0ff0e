"""LangChain's models at work for a memory: embeddings for its search, a chat model for what learns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.learning.chat_model import ModelMessage, ModelReply, ToolCall, ToolSchema
from ai_memory_integrations.types import Usage

_NAMED_BY = ("model", "model_name", "model_id", "deployment_name", "deployment")


class LangChainEmbedder:
    """Any LangChain `Embeddings` as a memory's embedder: `Memory(embedder=LangChainEmbedder(OpenAIEmbeddings()))`.

    *name* says model and revision, because vectors of different names are never compared; by default the class and
    the model it names. *dimension* is measured with a first call where it is not given.

    Raises: ConfigurationError when the model names itself nowhere.
    """

    def __init__(self, embeddings: Embeddings, *, name: str | None = None, dimension: int | None = None) -> None:
        self._embeddings = embeddings
        self.name = name or _name_of(embeddings)
        if dimension is not None:
            self.dimension = dimension

    @cached_property
    def dimension(self) -> int:
        return len(self._embeddings.embed_query("dimension"))

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        return self._embeddings.embed_documents(list(texts))


class LangChainModel:
    """Any LangChain chat model that calls tools, for what learns: `ToolCallingLearner(LangChainModel(model))`.

    *name* says which model it is, because waiting messages are learnt by a learner of the same name; by default the
    class and the model it names. The model's own time-out and retries hold as well.

    Raises: ConfigurationError when the model names itself nowhere.
    """

    def __init__(self, model: BaseChatModel, *, name: str | None = None) -> None:
        self._model = model
        self.name = name or _name_of(model)

    def reply(self, messages: Sequence[ModelMessage], tools: Sequence[ToolSchema], *, timeout: float) -> ModelReply:
        answer = self._model.bind_tools(list(tools)).invoke(list(messages))
        return ModelReply(text=answer.text, calls=_calls(answer), usage=_usage(answer))


def _calls(answer: AIMessage) -> tuple[ToolCall, ...]:
    valid = [ToolCall(call["id"] or "", call["name"], call["args"]) for call in answer.tool_calls]
    invalid = [
        ToolCall(call["id"] or "", call["name"] or "", None, call["args"] or "") for call in answer.invalid_tool_calls
    ]
    return (*valid, *invalid)


def _usage(answer: AIMessage) -> Usage:
    spent = answer.usage_metadata
    if spent is None:
        return Usage(steps=1)
    return Usage(input_tokens=spent["input_tokens"], output_tokens=spent["output_tokens"], steps=1)


def _name_of(model: Any) -> str:
    for attribute in _NAMED_BY:
        if isinstance(named := getattr(model, attribute, None), str) and named:
            return f"{type(model).__name__}/{named}"
    raise ConfigurationError(
        f"{type(model).__name__} does not say which model it is; pass name=, and another one when the model changes"
    )
