"""The server that speaks the chat-completions protocol, for applications' own tests: with the clients people use."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from openai import BadRequestError

from ai_memory_integrations.testing import Answer, ChatCompletionsServer, called

MODEL = "gpt-4.1-mini"
CALL = Answer("Let me look.", (called("lookup", word="tea"), called("lookup", word="cake")), usage=(20, 4))


def lookup(word: str) -> str:
    """Look a word up."""
    return word


def langchain(server: ChatCompletionsServer, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model=MODEL, base_url=server.base_url, api_key="x", max_retries=0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("streaming", [False, True])
async def test_langchain_gets_text_calls_and_usage(streaming: bool) -> None:
    with ChatCompletionsServer([CALL, "Hello there"]) as server:
        model = langchain(server, streaming=streaming, stream_usage=True)
        answer: Any = model.bind_tools([lookup]).invoke("tea?")
        assert answer.text == "Let me look."
        assert [call["args"] for call in answer.tool_calls] == [{"word": "tea"}, {"word": "cake"}]
        assert (answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]) == (20, 4)
        pieces = [piece.text async for piece in model.astream("hi")]
        assert "".join(pieces) == "Hello there"
        assert len([piece for piece in pieces if piece]) == (2 if streaming else 1)
        assert [request.tools for request in server.requests] == [("lookup",), ()]
        assert server.requests[0].messages[0] == {"role": "user", "content": "tea?"}


def test_llama_index_gets_text_and_calls_streamed_or_not() -> None:
    tool = FunctionTool.from_defaults(lookup)
    with ChatCompletionsServer([CALL, CALL]) as server:
        llm = OpenAI(model=MODEL, api_base=server.base_url, api_key="x", max_retries=0)
        answers = [
            llm.chat_with_tools([tool], user_msg="tea?", allow_parallel_tool_calls=True),
            list(llm.stream_chat_with_tools([tool], user_msg="tea?", allow_parallel_tool_calls=True))[-1],
        ]
        for answer in answers:
            words = [call.tool_kwargs["word"] for call in llm.get_tool_calls_from_response(answer)]
            assert words == ["tea", "cake"]


def test_a_script_that_ends_says_so() -> None:
    with ChatCompletionsServer([]) as server, pytest.raises(BadRequestError, match="at its end, and this is request 1"):
        langchain(server).invoke("hi")
