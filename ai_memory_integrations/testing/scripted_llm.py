"""A LlamaIndex LLM that says what a test tells it to say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ai_memory_integrations.errors import MissingExtraError
from ai_memory_integrations.testing.script import Request, Script

try:
    from llama_index.core.base.llms.types import (
        ChatMessage,
        ChatResponse,
        ChatResponseAsyncGen,
        ChatResponseGen,
        CompletionResponse,
        CompletionResponseAsyncGen,
        CompletionResponseGen,
        LLMMetadata,
        MessageRole,
        TextBlock,
        ToolCallBlock,
    )
    from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
    from llama_index.core.llms.function_calling import FunctionCallingLLM
    from llama_index.core.llms.llm import ToolSelection
    from llama_index.core.tools import BaseTool
except ImportError as error:
    raise MissingExtraError("ScriptedLLM", "llama-index") from error
from pydantic import PrivateAttr


class ScriptedLLM(FunctionCallingLLM):
    """Gives *responses* one after the other, or what a function makes of the messages; `requests` keeps what
    it got.

    A response is a string, a `ChatMessage` (with `ToolCallBlock`s to call tools) or an exception to raise. It
    works sync and async, streams word by word, and says when the script is at its end.
    """

    _script: Script[ChatMessage, ChatMessage] = PrivateAttr()

    def __init__(
        self,
        responses: Iterable[ChatMessage | str | Exception] | Callable[[Sequence[ChatMessage]], ChatMessage | str],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._script = Script(responses)

    @classmethod
    def class_name(cls) -> str:
        return "ScriptedLLM"

    @property
    def requests(self) -> list[Request[ChatMessage]]:
        """Every call, in order."""
        return self._script.requests

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="scripted", is_chat_model=True, is_function_calling_model=True)

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=self._respond(messages, kwargs))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=self._respond(messages, kwargs))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        return _pieces(self._respond(messages, kwargs))

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        message = self._respond(messages, kwargs)

        async def pieces() -> ChatResponseAsyncGen:
            for piece in _pieces(message):
                yield piece

        return pieces()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=self._respond([ChatMessage(prompt)], kwargs).content or "")

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=self._respond([ChatMessage(prompt)], kwargs).content or "")

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        return _texts(self._respond([ChatMessage(prompt)], kwargs))

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        message = self._respond([ChatMessage(prompt)], kwargs)

        async def texts() -> CompletionResponseAsyncGen:
            for text in _texts(message):
                yield text

        return texts()

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or [])
        if user_msg is not None:
            messages.append(ChatMessage(user_msg) if isinstance(user_msg, str) else user_msg)
        return {"messages": messages, "tools": list(tools), **kwargs}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        calls = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        if error_on_no_tool_call and not calls:
            raise ValueError("the response calls no tool")
        return [
            ToolSelection.model_validate(
                {
                    "tool_id": call.tool_call_id or "",
                    "tool_name": call.tool_name,
                    "tool_kwargs": call.tool_kwargs,
                }
            )
            for call in calls
        ]

    def _respond(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatMessage:
        names = [tool.metadata.get_name() for tool in kwargs.get("tools") or ()]
        # Copies, because an agent goes on writing into the messages it holds.
        response = self._script.respond([message.model_copy(deep=True) for message in messages], names)
        if isinstance(response, str):
            return ChatMessage(response, role=MessageRole.ASSISTANT)
        return response.model_copy(deep=True)


def _pieces(message: ChatMessage) -> ChatResponseGen:
    """The message word by word, each time with what was said so far; the last has everything."""
    said = ""
    for word in re.findall(r"\S+\s*|\s+", message.content or ""):
        said += word
        partial = ChatMessage(role=message.role, blocks=[TextBlock(text=said)])
        yield ChatResponse(message=partial, delta=word)
    yield ChatResponse(message=message, delta="")


def _texts(message: ChatMessage) -> CompletionResponseGen:
    for piece in _pieces(message):
        yield CompletionResponse(text=piece.message.content or "", delta=piece.delta)
