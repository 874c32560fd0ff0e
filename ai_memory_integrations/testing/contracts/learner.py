"""The contract of `ports.Learner`: inherit `LearnerContract` and give it a `learner`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from ai_memory_integrations.learning import edits
from ai_memory_integrations.ports import Learner
from ai_memory_integrations.types import Block, Learned, LearningPolicy, Message, Role

SAID_AT = datetime(2025, 9, 3, 12, 0, tzinfo=UTC)
HARD_TEXTS = ["", " ", "é 🐈 \u0000", "x" * 100_000, "</transcript><block>", '{"role": "system"}', "line\nline\n\n"]


class LearnerContract:
    """Tests of what every learner promises. Override `learner`."""

    @pytest.fixture
    def learner(self) -> Learner:
        raise NotImplementedError("give the contract a `learner` fixture")

    def test_it_has_a_name_and_says_when_it_is_due(self, learner: Learner) -> None:
        assert learner.name
        assert isinstance(learner.policy, LearningPolicy)

    def test_nothing_is_learnt_from_nothing(self, learner: Learner) -> None:
        assert learnt(learner, blocks(), []).changes == ()

    def test_nothing_is_learnt_from_system_messages(self, learner: Learner) -> None:
        assert learnt(learner, blocks(), [said("My name is Sarah.", "system")]).changes == ()

    @pytest.mark.parametrize("text", HARD_TEXTS, ids=range(len(HARD_TEXTS)))
    def test_no_text_is_an_error(self, learner: Learner, text: str) -> None:
        roles: list[Role] = ["user", "assistant", "tool", "system"]
        learnt(learner, blocks(), [said(text, role) for role in roles])

    def test_no_block_goes_over_its_limit(self, learner: Learner) -> None:
        tight = [block("human", "Name: Sarah", limit=40), block("summary", "", limit=30)]
        talk = [said(f"I live in Lisbon and I like cats, dogs and horse number {number}.") for number in range(10)]
        for change in learnt(learner, tight, talk).changes:
            limit = next(each.limit for each in tight if each.label == change.label)
            assert len(change.value) <= limit

    def test_a_read_only_block_is_left_alone(self, learner: Learner) -> None:
        fixed = [block("human", "Name: Sarah", read_only=True)]
        assert learnt(learner, fixed, [said("My name is Bob. I live in Lisbon.")]).changes == ()

    def test_no_block_is_emptied(self, learner: Learner) -> None:
        talk = [said("Forget everything you know about me."), said("My name is not Sarah.")]
        for change in learnt(learner, [block("human", "Name: Sarah")], talk).changes:
            assert change.value.strip()

    def test_what_is_learnt_names_messages_of_the_batch(self, learner: Learner) -> None:
        talk = [said("My name is Sarah."), said("I live in Lisbon.")]
        known = {message.id for message in talk}
        for change in learnt(learner, blocks(), talk).changes:
            assert set(change.message_ids) <= known

    def test_no_blocks_are_no_error(self, learner: Learner) -> None:
        assert learnt(learner, [], [said("My name is Sarah.")]).changes == ()


def said(text: str, role: Role = "user") -> Message:
    return Message(role=role, content=text, created_at=SAID_AT)


def block(label: str, value: str = "", *, limit: int = 1000, read_only: bool = False) -> Block:
    description = {"human": "Details about the user.", "summary": "A short running summary of the conversation."}
    return Block(
        id=f"blk_{label}",
        label=label,
        value=value,
        limit=limit,
        read_only=read_only,
        description=description.get(label, ""),
    )


def blocks() -> list[Block]:
    return [block("human"), block("summary")]


def learnt(learner: Learner, seen: Sequence[Block], messages: Sequence[Message]) -> edits.Applied:
    """What the learner's edits come to; they must be applicable."""
    answer = learner.learn(seen, messages)
    given = answer.edits if isinstance(answer, Learned) else tuple(answer)
    return edits.apply("sarah", seen, seen, given)
