"""The AI Memory SDK's chat example, played as it is printed: it resets while the user's memory is empty, puts that
memory into the system message and sends the whole list back to be learnt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from patience import PATIENCE, wait_until

from ai_memory_integrations import Memory
from ai_memory_integrations.learning.function import FunctionLearner
from ai_memory_integrations.types import Append, Block, Edit, LearningPolicy, Message, Rethink

USER = "default_user"
LINES = [
    "Hi! My name is Sarah.",
    "What can you do?",
    "I live in Lisbon.",
    "I love cats & <b>dogs</b>.",
    *(f"Tell me fact number {n}." for n in range(3, 31)),
]
MODEL_SECONDS = 0.02
"""How long the model in the example thinks; a real one takes far longer."""


def chat_with_memories(memory: Memory, message: str, user_id: str) -> str:
    """One turn of the example; the system prompt that the model was given."""
    user_memory = memory.get_user_memory(user_id)
    if not user_memory:
        memory.initialize_user_memory(user_id, reset=True)
        user_memory = memory.get_user_memory(user_id)
    user_memory_prompt = memory.get_user_memory(user_id, prompt_formatted=True)
    system_prompt = "<system>You are a helpful AI assistant</system>"
    system_prompt += f"\n{user_memory_prompt}"
    messages = [{"role": "system", "content": system_prompt}, {"role": "user", "content": message}]
    time.sleep(MODEL_SECONDS)
    messages.append({"role": "assistant", "content": "I see."})
    memory.add_messages(user_id, messages)
    return system_prompt


def play(memory: Memory, told: str) -> tuple[str, list[str]]:
    """The user to whom all lines were played, and the prompts; *told* is what the last prompt has to hold."""
    prompts = [chat_with_memories(memory, line, USER) for line in LINES[:-1]]
    # Learning goes on in the background, as fast as the machine can; the user takes a rest before the last line.
    wait_until(lambda: told in (memory.get_user_memory(USER) or ""))
    prompts.append(chat_with_memories(memory, LINES[-1], USER))
    assert told in prompts[-1]
    return USER, prompts


class Slow:
    """A learner that takes its time, and notes what it was given."""

    def __init__(self, seconds: float, edit: Callable[[Block, str], Edit]) -> None:
        self.seconds, self.edit = seconds, edit
        self.given: list[Message] = []

    def __call__(self, blocks: Sequence[Block], messages: Sequence[Message]) -> list[Edit]:
        time.sleep(self.seconds)
        self.given += messages
        human = next(block for block in blocks if block.label == "human")
        said = "\n".join(message.text for message in messages if message.role == "user")
        return [self.edit(human, said)]


def appended(human: Block, said: str) -> Edit:
    return Append(label="human", text=said)


def rewritten(human: Block, said: str) -> Edit:
    return Rethink(label="human", value="\n".join(filter(None, (human.value, said))))


def assert_nothing_was_learnt_from_memory(memory: Memory, user: str) -> None:
    for block in memory.list_blocks(user):
        assert "helpful AI assistant" not in block.value
        assert "Details about the human" not in block.value
        assert "conversation_summary" not in block.value
        assert "&amp;" not in block.value
        assert "&lt;" not in block.value


def assert_every_message_was_kept_once(memory: Memory, user: str) -> None:
    kept = memory.list_messages(user)
    assert [message.role for message in kept] == ["system", "user", "assistant"] * len(LINES)
    assert [message.text for message in kept if message.role == "user"] == LINES


def test_the_name_told_first_is_in_the_last_prompt_with_the_extractive_learner() -> None:
    with Memory() as memory:
        user, prompts = play(memory, "Name: Sarah")
        assert "Sarah" not in prompts[0]
        assert memory.drain(PATIENCE)
        assert_every_message_was_kept_once(memory, user)
        assert_nothing_was_learnt_from_memory(memory, user)
        human = memory.get_user_memory(user)
        assert human is not None
        assert human.count("Sarah") == 1
        assert "Lisbon" in human
        assert memory.stats().failed == 0


@pytest.mark.parametrize("edit", [appended, rewritten])
@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_the_name_told_first_is_in_the_last_prompt_with_a_slow_learner(
    seconds: float, edit: Callable[[Block, str], Edit]
) -> None:
    slow = Slow(seconds, edit)
    learner = FunctionLearner(slow, name="slow", policy=LearningPolicy(batch=4, idle=0.1))
    with Memory(learner=learner) as memory:
        user, prompts = play(memory, LINES[0])
        assert "Sarah" not in prompts[0]
        assert memory.drain(PATIENCE)
        assert_every_message_was_kept_once(memory, user)
        assert_nothing_was_learnt_from_memory(memory, user)
        human = memory.get_user_memory(user)
        assert human is not None
        # Learnt once each, in the order they came, and the example's system messages never.
        assert human.splitlines() == LINES
        assert {message.role for message in slow.given} == {"user", "assistant"}


def test_a_reset_while_messages_wait_forgets_none_of_them() -> None:
    with Memory(learning="off") as memory:
        memory.initialize_user_memory(USER, user_context_block_value="Name: Bob")
        memory.add_messages(USER, [{"role": "user", "content": "My name is Sarah."}])
        memory.initialize_user_memory(USER, reset=True)
        assert memory.get_user_memory(USER) == ""
        memory.flush(USER)
        human = memory.get_user_memory(USER)
        assert human is not None
        assert "Name: Sarah" in human
        assert "Bob" not in human


def test_what_is_learnt_between_the_look_and_the_reset_is_kept() -> None:
    with Memory(learning="off") as memory:
        memory.initialize_user_memory(USER)
        run = memory.add_messages(USER, [{"role": "user", "content": "My name is Sarah."}])
        assert memory.get_user_memory(USER) == ""
        memory.wait_for_run(run)
        memory.initialize_user_memory(USER, reset=True)
        assert "Sarah" in (memory.get_user_memory(USER) or "")


def test_a_reset_that_is_meant_starts_afresh() -> None:
    with Memory(learning="inline") as memory:
        memory.initialize_user_memory(USER)
        assert memory.get_user_memory(USER) == ""
        memory.add_messages(USER, [{"role": "user", "content": "My name is Sarah."}])
        memory.initialize_user_memory(USER, reset=True)
        assert memory.get_user_memory(USER) == ""
        memory.add_messages(USER, [{"role": "user", "content": "I live in Lisbon."}])
        assert "Lisbon" in (memory.get_user_memory(USER) or "")
        memory.initialize_user_memory(USER, reset=True)
        assert memory.get_user_memory(USER) == ""
