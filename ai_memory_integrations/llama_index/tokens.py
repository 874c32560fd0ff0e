"""How many tokens a message costs, by LlamaIndex's tokenizer or an estimate, and never by a download."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import llama_index.core
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.utils import get_tokenizer

logger = logging.getLogger("ai_memory_integrations")

Tokenizer = Callable[[str], Sequence[Any]]

# What LlamaIndex's own memory reckons.
_MEDIA_TOKENS = 256
_DOCUMENT_TOKENS = 2048
_MESSAGE_TOKENS = 4

_lock = threading.Lock()
_without_tiktoken = False


def tokenizer() -> Tokenizer:
    """LlamaIndex's global tokenizer, else the one it brings along, else `estimate`. The first call reads a file."""
    global _without_tiktoken
    if llama_index.core.global_tokenizer is not None:
        return llama_index.core.global_tokenizer
    with _lock:
        # With a cache of its own set, tiktoken would fetch what is not in there.
        if _without_tiktoken or "TIKTOKEN_CACHE_DIR" in os.environ:
            return estimate
        try:
            return get_tokenizer()
        except (ImportError, OSError, ValueError) as error:
            _without_tiktoken = True
            logger.warning("tokens are estimated, because tiktoken cannot be loaded: %s", error)
            return estimate


def estimate(text: str) -> Sequence[Any]:
    """As many elements as *text* has tokens, at four characters each."""
    return range((len(text) + 3) // 4)


def count_text(text: str, tokenize: Tokenizer) -> int:
    """Tokens of *text*."""
    return len(tokenize(text)) if text else 0


def count_message(message: ChatMessage, tokenize: Tokenizer) -> int:
    """Tokens of *message*: its text and tool calls counted, images and the like reckoned."""
    return _MESSAGE_TOKENS + sum(_count_block(block, tokenize) for block in message.blocks)


def _count_block(block: ContentBlock, tokenize: Tokenizer) -> int:
    if isinstance(block, TextBlock):
        return count_text(block.text, tokenize)
    if isinstance(block, ToolCallBlock):
        return count_text(f"{block.tool_name}{block.tool_kwargs}", tokenize)
    if isinstance(block, ThinkingBlock):
        return block.num_tokens or count_text(block.content or "", tokenize)
    if isinstance(block, CitableBlock):
        return sum(_count_block(part, tokenize) for part in block.content)
    if isinstance(block, CitationBlock):
        return _count_block(block.cited_content, tokenize)
    if isinstance(block, DocumentBlock):
        return _DOCUMENT_TOKENS
    return _MEDIA_TOKENS if isinstance(block, ImageBlock | AudioBlock | VideoBlock) else 0
