"""A LangChain chat model that says what a test tells it to say."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any

from ai_memory_integrations.errors import MissingExtraError
from ai_memory_integrations.testing.script import Request, Script

try:
    from langchain_core.language_models import BaseChatModel, LanguageModelInput
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCallChunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable
    from langchain_core.utils.function_calling import convert_to_openai_tool
except ImportError as error:
    raise MissingExtraError("ScriptedChatModel", "langchain") from error
from pydantic import PrivateAttr


class ScriptedChatModel(BaseChatModel):
    """Gives *responses* one after the other, or what a function makes of the messages; `requests` keeps what
    it got.

    A response is a string, an `AIMessage` (with `tool_calls` to call tools) or an exception to raise. It
    works sync and async, streams word by word, and says when the script is at its end.
    """

    _script: Script[BaseMessage, AIMessage] = PrivateAttr()

    def __init__(
        self,
        responses: Iterable[AIMessage | str | Exception] | Callable[[Sequence[BaseMessage]], AIMessage | str],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._script = Script(responses)

    @property
    def requests(self) -> list[Request[BaseMessage]]:
        """Every call, in order."""
        return self._script.requests

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=list(map(convert_to_openai_tool, tools)), tool_choice=tool_choice, **kwargs)

    def _respond(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> AIMessage:
        names = [tool["function"]["name"] for tool in kwargs.get("tools") or ()]
        response = self._script.respond(messages, names)
        # A copy, because LangChain writes an id into what it gets.
        return AIMessage(response) if isinstance(response, str) else response.model_copy()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._respond(messages, kwargs))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        message = self._respond(messages, kwargs)
        for chunk in _chunks(message):
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages, **kwargs):
            yield chunk


def _chunks(message: AIMessage) -> Iterator[AIMessageChunk]:
    """The message word by word; the last chunk has the tool calls and whatever else it carries."""
    words = re.findall(r"\S+\s*|\s+", message.content) if isinstance(message.content, str) else [message.content]
    for word in words:
        yield AIMessageChunk(content=word, id=message.id)
    yield AIMessageChunk(
        content="",
        id=message.id,
        name=message.name,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        tool_call_chunks=[
            ToolCallChunk(
                name=call["name"],
                args=json.dumps(call["args"]),
                id=call["id"],
                index=n,
                type="tool_call_chunk",
            )
            for n, call in enumerate(message.tool_calls)
        ],
        chunk_position="last",
    )
