"""LlamaIndex's models at work for a memory: embeddings for its search, an LLM for what learns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ContentBlock, TextBlock, ToolCallBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import FunctionTool, ToolMetadata
from pydantic import BaseModel

from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.learning.chat_model import ModelMessage, ModelReply, ToolCall, ToolSchema
from ai_memory_integrations.types import Usage

_NO_MODEL = ("", "unknown")


class LlamaIndexEmbedder:
    """Any LlamaIndex `BaseEmbedding` as a memory's embedder: `Memory(embedder=LlamaIndexEmbedder(OpenAIEmbedding()))`.

    *name* says model and revision, because vectors of different names are never compared; by default the class and
    its `model_name`. *dimension* is measured with a first call where it is not given.

    Raises: ConfigurationError when the model does not name itself.
    """

    def __init__(self, embed_model: BaseEmbedding, *, name: str | None = None, dimension: int | None = None) -> None:
        if name is None and embed_model.model_name in _NO_MODEL:
            raise ConfigurationError(
                f"{type(embed_model).__name__} does not say which model it is; pass name=, which must change when its "
                "vectors do"
            )
        self._model = embed_model
        self.name = name or f"{type(embed_model).__name__}/{embed_model.model_name}"
        if dimension is not None:
            self.dimension = dimension

    @cached_property
    def dimension(self) -> int:
        return len(self._model.get_text_embedding("dimension"))

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        return self._model.get_text_embedding_batch(list(texts))


class LlamaIndexModel:
    """Any LlamaIndex LLM that calls functions, for what learns: `ToolCallingLearner(LlamaIndexModel(llm))`.

    *name* says which model it is, because waiting messages are learnt by a learner of the same name; by default the
    class and the model it names. The LLM's own time-out and retries hold as well.

    Raises: ConfigurationError when the LLM calls no functions, or does not name its model.
    """

    def __init__(self, llm: FunctionCallingLLM, *, name: str | None = None) -> None:
        if not llm.metadata.is_function_calling_model:
            raise ConfigurationError(f"{type(llm).__name__} calls no functions; learning needs an LLM that does")
        if name is None and llm.metadata.model_name in _NO_MODEL:
            raise ConfigurationError(
                f"{type(llm).__name__} does not say which model it is; pass name=, and another when the model changes"
            )
        self._llm = llm
        self.name = name or f"{type(llm).__name__}/{llm.metadata.model_name}"

    def reply(self, messages: Sequence[ModelMessage], tools: Sequence[ToolSchema], *, timeout: float) -> ModelReply:
        response = self._llm.chat_with_tools(
            [_tool(schema["function"]) for schema in tools],
            chat_history=[_chat(message) for message in messages],
            allow_parallel_tool_calls=True,
        )
        return ModelReply(text=response.message.content or "", calls=self._calls(response), usage=_usage(response))

    def _calls(self, response: ChatResponse) -> tuple[ToolCall, ...]:
        # `get_tool_calls_from_response` completes JSON that was cut off: half a block would pass for a whole one.
        asked = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        if asked:
            return tuple(_asked(block) for block in asked)
        selections = self._llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        return tuple(ToolCall(each.tool_id, each.tool_name, dict(each.tool_kwargs)) for each in selections)


def _tool(function: Mapping[str, Any]) -> FunctionTool:
    """A tool that is only described: the learner carries calls out itself."""
    parameters = dict(function["parameters"])

    class Arguments(BaseModel):
        @classmethod
        def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
            return parameters

    metadata = ToolMetadata(name=function["name"], description=function["description"], fn_schema=Arguments)
    return FunctionTool(fn=lambda **arguments: "", metadata=metadata)


def _chat(message: ModelMessage) -> ChatMessage:
    blocks: list[ContentBlock] = [TextBlock(text=message["content"])] if message.get("content") else []
    for call in message.get("tool_calls") or ():
        function = call["function"]
        blocks.append(
            ToolCallBlock(tool_call_id=call["id"], tool_name=function["name"], tool_kwargs=_read(function["arguments"]))
        )
    named = {"tool_call_id": message["tool_call_id"]} if "tool_call_id" in message else {}
    return ChatMessage(role=message["role"], blocks=blocks, additional_kwargs=named)


def _read(arguments: str) -> dict[str, Any] | str:
    try:
        read = json.loads(arguments)
    except ValueError:
        return arguments
    return read if isinstance(read, dict) else arguments


def _asked(block: ToolCallBlock) -> ToolCall:
    written = block.tool_kwargs
    arguments = _read(written or "{}") if isinstance(written, str) else dict(written)
    return ToolCall(
        block.tool_call_id or "", block.tool_name, arguments if isinstance(arguments, dict) else None, str(written)
    )


def _usage(response: ChatResponse) -> Usage:
    """As providers say it, in the response or beside it; nothing where they do not."""
    raw = response.raw
    spent = raw.get("usage") if isinstance(raw, Mapping) else getattr(raw, "usage", None)
    said = [response.additional_kwargs, spent]
    return Usage(
        input_tokens=_count(said, "prompt_tokens", "input_tokens"),
        output_tokens=_count(said, "completion_tokens", "output_tokens"),
        steps=1,
    )


def _count(places: Sequence[Any], *names: str) -> int:
    for place in places:
        for name in names:
            found = place.get(name) if isinstance(place, Mapping) else getattr(place, name, None)
            if isinstance(found, int):
                return found
    return 0
