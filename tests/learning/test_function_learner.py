"""A learner of one's own is a function."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from learning.labelled import human, said

from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.learning.extractive import ExtractiveLearner
from ai_memory_integrations.learning.function import FunctionLearner, as_learner
from ai_memory_integrations.ports import Learner
from ai_memory_integrations.types import AT_ONCE, Append, Block, Edit, Learned, LearningPolicy, Message


def count_messages(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Edit]:
    return [Append(label=block.label, text=f"{len(messages)} messages") for block in blocks]


def test_a_function_becomes_a_learner_named_after_it() -> None:
    learner = as_learner(count_messages)
    assert isinstance(learner, Learner)
    assert learner.name == f"{__name__}.count_messages"
    assert learner.policy == LearningPolicy()
    assert learner.learn([human()], [said("hi")]) == Learned(edits=(Append(label="human", text="1 messages"),))


def test_name_and_policy_can_be_given() -> None:
    learner = FunctionLearner(count_messages, name="counter", policy=AT_ONCE)
    assert (learner.name, learner.policy) == ("counter", AT_ONCE)


def test_a_function_may_say_what_it_skipped() -> None:
    answer = Learned(skipped={"human": "nothing to count"})
    assert FunctionLearner(lambda blocks, messages: answer).learn([], []) == answer


def test_an_object_that_is_called_is_named_after_its_class() -> None:
    class Counter:
        def __call__(self, blocks: Sequence[Block], messages: Sequence[Message]) -> list[Edit]:
            return count_messages(blocks, messages)

    assert as_learner(Counter()).name.endswith("Counter")


def test_a_learner_stays_as_it_is() -> None:
    learner = ExtractiveLearner()
    assert as_learner(learner) is learner


@pytest.mark.parametrize(
    ("value", "named"), [("extractive", "'extractive'"), (None, "None"), (ExtractiveLearner, "class")]
)
def test_anything_else_is_refused_by_name(value: object, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        as_learner(value)  # type: ignore[arg-type]
