"""Models that learn: the three clients over the wire, and one that plays answers in the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ai_memory_integrations.learning.chat_model import ModelMessage, ModelReply, ToolCall, ToolSchema
from ai_memory_integrations.learning.openai_model import OpenAIModel
from ai_memory_integrations.testing import ChatCompletionsServer
from ai_memory_integrations.types import AT_ONCE, Usage

MODEL = "gpt-4.1-mini"
QUICK = AT_ONCE.model_copy(update={"attempts": 3, "retry_delay": 0.02, "workers": 4})
ONE_STEP = Usage(input_tokens=100, output_tokens=10)


def through_http(server: ChatCompletionsServer) -> OpenAIModel:
    return OpenAIModel(MODEL, base_url=server.base_url, api_key="sk-test")


def through_langchain(server: ChatCompletionsServer) -> Any:
    from langchain_openai import ChatOpenAI

    from ai_memory_integrations.langchain import LangChainModel

    return LangChainModel(ChatOpenAI(model=MODEL, base_url=server.base_url, api_key="sk-test", max_retries=0))


def through_llama_index(server: ChatCompletionsServer) -> Any:
    from llama_index.llms.openai import OpenAI

    from ai_memory_integrations.llama_index import LlamaIndexModel

    return LlamaIndexModel(OpenAI(model=MODEL, api_base=server.base_url, api_key="sk-test", max_retries=0))


CLIENTS = {"http": through_http, "langchain": through_langchain, "llama-index": through_llama_index}


def call(tool: str, /, **arguments: Any) -> ToolCall:
    return ToolCall(id="", name=tool, arguments=arguments)


FINISH = call("finish")
Turn = Sequence[ToolCall] | str | Exception


class PlayedModel:
    """Gives its turns one after the other, or what a function makes of the messages; `seen` keeps what it was asked.
    At the end of its turns it finishes."""

    name = "played"

    def __init__(
        self, turns: Iterable[Turn] | Callable[[Sequence[ModelMessage]], Turn], usage: Usage = ONE_STEP
    ) -> None:
        self._turns = turns if callable(turns) else _one_by_one(turns)
        self._usage = usage
        self.seen: list[list[ModelMessage]] = []

    def reply(self, messages: Sequence[ModelMessage], tools: Sequence[ToolSchema], *, timeout: float) -> ModelReply:
        self.seen.append(list(messages))
        turn = self._turns(messages)
        if isinstance(turn, Exception):
            raise turn
        if isinstance(turn, str):
            return ModelReply(turn, usage=self._usage)
        return ModelReply("", tuple(turn), self._usage)

    @property
    def told(self) -> list[str]:
        """What tools answered, as the last request shows it."""
        return [message["content"] for message in self.seen[-1] if message["role"] == "tool"]


def _one_by_one(turns: Iterable[Turn]) -> Callable[[Sequence[ModelMessage]], Turn]:
    left = iter(turns)
    return lambda _: next(left, [FINISH])
