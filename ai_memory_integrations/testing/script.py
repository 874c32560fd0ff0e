"""What a scripted model says, and what it was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

M = TypeVar("M")
R = TypeVar("R")


@dataclass(frozen=True)
class Request(Generic[M]):
    """One call of the model: the messages it got and the names of the tools it was offered."""

    messages: tuple[M, ...]
    tools: tuple[str, ...] = ()


class Script(Generic[M, R]):
    """Responses given one after the other, or by a function of the messages. An exception among them is
    raised."""

    def __init__(self, responses: Iterable[R | str | Exception] | Callable[[Sequence[M]], R | str]) -> None:
        self._answer = responses if callable(responses) else None
        self._left = deque(() if callable(responses) else responses)
        self.requests: list[Request[M]] = []

    def respond(self, messages: Sequence[M], tools: Iterable[str] = ()) -> R | str:
        self.requests.append(Request(tuple(messages), tuple(tools)))
        if self._answer is not None:
            return self._answer(messages)
        try:
            response = self._left.popleft()  # in one step, so that threads may share a script
        except IndexError:
            raise LookupError(f"the script is at its end, and this is request {len(self.requests)}") from None
        if isinstance(response, Exception):
            raise response
        return response
