"""A learner of one's own from a plain function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence

from ai_memory_integrations.errors import ConfigurationError, LearningError
from ai_memory_integrations.ports import ContextLearner, Learner, RunLearner
from ai_memory_integrations.types import Block, Edit, Learned, LearningPolicy, Message, Run

Ask = Callable[[Run, Sequence[Block], Sequence[Message], Sequence[Message]], Learned]
"""A run, blocks, the batch and what was said before it, to what a learner makes of them."""

LearnFunction = Callable[[Sequence[Block], Sequence[Message]], Learned | Iterable[Edit]]


class FunctionLearner:
    """A function from blocks and messages to edits, as a learner.

    Without *name* it is called as the function is, module and all. Give a name that stays when the function moves:
    messages wait for the learner whose name was recorded with them.
    """

    def __init__(self, fn: LearnFunction, *, name: str | None = None, policy: LearningPolicy | None = None) -> None:
        self.fn = fn
        self.name = name or _name_of(fn)
        self.policy = policy or LearningPolicy()

    def learn(self, blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        return _learned(self.fn(blocks, messages))

    def __repr__(self) -> str:
        return f"FunctionLearner({self.name})"


def asking(learner: Learner) -> Ask:
    """How *learner* is asked for its edits, found out once: to look whether it is of a protocol takes Python 3.11 as
    long as the default learner takes for a message. What comes of it raises LearningError when the learner answers
    with something else than edits."""
    if isinstance(learner, RunLearner):
        return lambda run, blocks, messages, before: _learned(learner.learn_run(run, blocks, messages))
    if isinstance(learner, ContextLearner):
        return lambda run, blocks, messages, before: _learned(learner.learn_after(before, blocks, messages))
    return lambda run, blocks, messages, before: _learned(learner.learn(blocks, messages))


def _learned(answer: object) -> Learned:
    if isinstance(answer, Learned):
        return answer
    if isinstance(answer, Iterable) and not isinstance(answer, str | bytes | Mapping):
        return Learned(edits=tuple(answer))
    if inspect.iscoroutine(answer):
        answer.close()
    raise LearningError(
        f"a learner answers with a list of edits or a Learned, not with {type(answer).__name__}; where nothing is to "
        "be changed, with []"
    )


def as_learner(value: Learner | LearnFunction) -> Learner:
    """A learner as it is; a function as a `FunctionLearner`.

    Raises: ConfigurationError for anything else, and for a learner's class instead of a learner.
    """
    if isinstance(value, type):
        raise ConfigurationError(f"learner={value.__name__} is a class; pass a learner: {value.__name__}(...)")
    if inspect.iscoroutinefunction(getattr(value, "learn", value)):
        raise ConfigurationError(f"learner={value!r} is async; pass a plain function: learning has threads of its own")
    if isinstance(value, Learner):
        return value
    if callable(value):
        return FunctionLearner(value)
    raise ConfigurationError(
        f"learner={value!r} is no learner: it needs name, policy and learn(blocks, messages), or to be a function "
        "from blocks and messages to edits"
    )


def _name_of(fn: LearnFunction) -> str:
    owner = fn if hasattr(fn, "__qualname__") else type(fn)
    return f"{owner.__module__}.{owner.__qualname__}"
