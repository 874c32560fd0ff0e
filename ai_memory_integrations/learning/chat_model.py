"""The seam to a language model: one method. Messages and tools are in OpenAI's chat form, the common tongue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from ai_memory_integrations.types import Usage

ModelMessage = dict[str, Any]
"""`{"role": ..., "content": ...}`; an assistant's may have `tool_calls`, a tool's has a `tool_call_id`."""

ToolSchema = dict[str, Any]
"""`{"type": "function", "function": {"name", "description", "parameters"}}`, parameters as JSON Schema."""


@dataclass(frozen=True)
class ToolCall:
    """A call that a model asks for. `arguments` is None where what it wrote is no JSON object; `raw` is that text."""

    id: str
    name: str
    arguments: dict[str, Any] | None
    raw: str = ""


@dataclass(frozen=True)
class ModelReply:
    """What a model answered and what that cost."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)


@runtime_checkable
class ChatModel(Protocol):
    """A language model that calls tools."""

    @property
    def name(self) -> str:
        """Says which model it is; a learner with another model has another name."""
        ...

    def reply(self, messages: Sequence[ModelMessage], tools: Sequence[ToolSchema], *, timeout: float) -> ModelReply:
        """The model's answer. It may give up after *timeout* seconds.

        Raises: ModelUnavailableError when it is worth trying again later; anything else counts as a failure too.
        """
        ...


def sendable(text: str) -> str:
    """Half a character, which a model may well write in JSON, cannot be sent back to it."""
    return text.encode(errors="replace").decode()
