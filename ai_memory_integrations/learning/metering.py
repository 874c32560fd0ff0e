"""What learning with a model may cost, and what it has."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ai_memory_integrations.errors import LearningCutShortError
from ai_memory_integrations.learning.chat_model import ModelMessage, ModelReply
from ai_memory_integrations.types import Usage


@dataclass(frozen=True)
class Bounds:
    """What learning may cost for every `characters` of conversation: model calls, tokens of both kinds, seconds."""

    steps: int = 10
    tokens: int = 100_000
    seconds: float = 120.0
    characters: int = 40_000


@dataclass(frozen=True)
class Prices:
    """The price of a million tokens, in any currency; with them a run says what it cost."""

    input: float
    output: float

    def of(self, usage: Usage) -> float:
        return (usage.input_tokens * self.input + usage.output_tokens * self.output) / 1_000_000


MOMENT = 0.05  # seconds: nothing is waited for less long


class Meter:
    """Counts what a batch costs, and ends a part of it that costs too much."""

    def __init__(self, bounds: Bounds, prices: Prices | None) -> None:
        self._bounds = bounds
        self._prices = prices
        self.usage = Usage()
        self.begin()

    def begin(self) -> None:
        """A part begins."""
        self._before = self.usage
        self._deadline = time.monotonic() + self._bounds.seconds

    @property
    def seconds_left(self) -> float:
        return max(self._deadline - time.monotonic(), MOMENT)

    def count(self, spent: Usage) -> None:
        tokens_in = self.usage.input_tokens + spent.input_tokens
        tokens_out = self.usage.output_tokens + spent.output_tokens
        usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out, steps=self.usage.steps + 1)
        if self._prices is not None:
            usage = usage.model_copy(update={"cost": self._prices.of(usage)})
        self.usage = usage

    def check(self) -> None:
        """Raises: LearningCutShortError when there is nothing left for another step of this part."""
        bounds, before, usage = self._bounds, self._before, self.usage
        if usage.steps - before.steps >= bounds.steps:
            raise LearningCutShortError(f"the model did not finish within {bounds.steps} steps")
        if _tokens(usage) - _tokens(before) >= bounds.tokens:
            raise LearningCutShortError(f"the model did not finish within {bounds.tokens} tokens")
        if time.monotonic() >= self._deadline and usage.steps > before.steps:
            raise LearningCutShortError(f"the model did not finish within {bounds.seconds:g} seconds")


def _tokens(usage: Usage) -> int:
    return usage.input_tokens + usage.output_tokens


def estimated(talk: Sequence[ModelMessage], reply: ModelReply) -> Usage:
    """Tokens where a server reports none, at four characters each: bounds and budgets hold there as well."""
    asked = sum(len(str(message["content"])) for message in talk)
    said = len(reply.text) + sum(len(call.raw or str(call.arguments)) for call in reply.calls)
    return Usage(input_tokens=asked // 4 + 1, output_tokens=said // 4 + 1)
