"""What a message costs."""

from __future__ import annotations

import subprocess
import sys

from llama_index.core.base.llms.types import (
    ChatMessage,
    CitableBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from patience import PATIENCE

from ai_memory_integrations.llama_index.tokens import count_message, count_text, estimate

OFFLINE = """
import os, socket, sys
def no(*args, **kwargs):
    raise AssertionError("something was downloaded")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = no
from ai_memory_integrations.llama_index.tokens import tokenizer
print(len(tokenizer()("Hello, how are you today?")))
"""


def words(text: str) -> list[str]:
    return text.split()


def test_text_calls_and_thinking_are_counted_and_media_reckoned() -> None:
    base = count_message(ChatMessage(role="user"), words)

    def cost(*blocks: object) -> int:
        return count_message(ChatMessage(role="user", blocks=list(blocks)), words) - base

    assert cost(TextBlock(text="one two three"), TextBlock(text="four")) == 4
    assert cost(ToolCallBlock(tool_name="f", tool_kwargs={"a": "b c"})) == 3
    assert cost(ThinkingBlock(content="one two"), ThinkingBlock(num_tokens=7)) == 9
    assert cost(CitableBlock(title="t", source="s", content="one two")) == 2
    assert cost(ImageBlock(url="https://example.com/a.png")) == 256
    assert cost(DocumentBlock(url="https://example.com/a.pdf", title="a")) == 2048


def test_the_estimate_is_four_characters_a_token() -> None:
    assert [count_text(text, estimate) for text in ("", "a", "four", "fives")] == [0, 1, 1, 2]


def test_nothing_is_downloaded_whatever_tiktoken_has_in_its_cache(tmp_path: object) -> None:
    for environment, tokens in (({}, "7"), ({"TIKTOKEN_CACHE_DIR": str(tmp_path)}, "7")):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", OFFLINE],
            env={"PATH": "", **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, tokens), done.stderr
