"""The public contract of learners on those of this package."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ai_memory_integrations import Append, Block, Edit, ExtractiveLearner, FunctionLearner, Message
from ai_memory_integrations.ports import Learner
from ai_memory_integrations.testing.contracts.learner import LearnerContract


def notes(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Edit]:
    """One line for each thing a user said, where there is room."""
    room = {block.label: block.limit - len(block.value) for block in blocks if not block.read_only}
    lines = [message for message in messages if message.role == "user" and message.text.strip()]
    edits: list[Edit] = []
    for message in lines:
        if room.get("human", 0) > len(message.text) + 1:
            room["human"] -= len(message.text) + 1
            edits.append(Append(label="human", text=message.text, message_ids=(message.id,)))
    return edits


class TestExtractiveLearner(LearnerContract):
    @pytest.fixture
    def learner(self) -> Learner:
        return ExtractiveLearner()


class TestFunctionLearner(LearnerContract):
    @pytest.fixture
    def learner(self) -> Learner:
        return FunctionLearner(notes)
