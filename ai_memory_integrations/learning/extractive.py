"""The learner that needs no model: rules for what a subject says about themselves, and a running summary.

It learns from English sentences in which users speak of themselves: "I live in Lisbon", "moved to Leeds, love it",
"as a nurse I work nights", "my wife Ana", "I no longer like cats", and from answers to the assistant's last question
("Where do you live?" - "Lisbon") and corrections of the message before ("make that Tuesday"). It would rather miss a
fact than make one up, and what it misses is a lot: other languages; what is implied ("the kids are finally asleep");
what spans more messages; pronouns that point back; most facts about other people; anything within a question, a
quotation, a story, a supposition or a joke. What people stop doing it understands only when they say so plainly.

A message that asks not to be kept leaves nothing behind but a note, in the summary, that something was to be private.
What a user asks to remove by its name ("take Rochester out", "forget my address") goes from the lines and from the
summary; "forget that" leaves out the message it stands in, not the one before. A request that reaches over messages
("don't save what comes next") covers its own message only. A role play over several messages is not recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from ai_memory_integrations.learning.facts import Fact, Topic, kind_of
from ai_memory_integrations.learning.fragments import mend
from ai_memory_integrations.learning.privacy import names
from ai_memory_integrations.learning.profile import Profile
from ai_memory_integrations.learning.purposes import Purpose, purpose_of
from ai_memory_integrations.learning.rules import forget, state
from ai_memory_integrations.learning.statements import read
from ai_memory_integrations.learning.summary import Summary
from ai_memory_integrations.types import AT_ONCE, Block, Edit, Learned, LearningPolicy, Message

NEEDS_A_MODEL = "needs a learner with a language model; set AI_MEMORY_MODEL or pass learner=..."


class ExtractiveLearner:
    """Keeps blocks of user facts and summaries by rules: deterministic, at once, without a model."""

    name = "extractive"
    policy: LearningPolicy = AT_ONCE

    def learn(self, blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        """Edits for the blocks that are about the user or sum up the conversation, in the order to apply them.

        The same batch again changes nothing, and a batch gives the same blocks however it is split. Only a block
        that is full, or facts taken back and said again within one batch, can come out in another order. Other
        blocks are left alone and, unless they are read-only, named in `skipped`.
        """
        return self.learn_after((), blocks, messages)

    def learn_after(self, before: Sequence[Message], blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        """As `learn`; what was said *before* the batch tells what its first messages answer or correct."""
        profiles: list[tuple[Profile, Topic]] = []
        summaries: list[Summary] = []
        skipped: dict[str, str] = {}
        for block in blocks:
            purpose = purpose_of(block)
            if block.read_only:
                continue
            if purpose is Purpose.OTHER:
                skipped[block.label] = NEEDS_A_MODEL
            elif purpose is Purpose.SUMMARY:
                summaries.append(Summary(block.label, block.value, block.limit))
            else:
                topic: Topic = "person" if purpose is Purpose.PERSON else "preference"
                profiles.append((Profile(block.label, block.value, block.limit), topic))
        heard: dict[str, Heard] = {}
        for message in before:
            heard[message.thread_id] = heard.get(message.thread_id, Heard()).then(message)
        for message in messages:
            if message.role in ("user", "assistant") and (profiles or summaries):
                context = heard.get(message.thread_id, Heard())
                _learn_message(message, context, profiles, summaries)
                heard[message.thread_id] = context.then(message)
        edits: list[Edit] = [edit for profile, _ in profiles for edit in profile.edits]
        edits.extend(edit for summary in summaries for edit in summary.edits())
        return Learned(edits=tuple(edits), skipped=skipped)


@dataclass(frozen=True)
class Heard:
    """What was said last in a thread: by its user, and by the assistant since."""

    user: str = ""
    assistant: str = ""

    def then(self, message: Message) -> Heard:
        if message.role == "user":
            return Heard(user=message.text)
        return Heard(self.user, message.text) if message.role == "assistant" else self

    @property
    def facts(self) -> list[Fact]:
        """What the user's last message stated."""
        return list(state(read(self.user).clauses)) if self.user else []


def _learn_message(
    message: Message, heard: Heard, profiles: list[tuple[Profile, Topic]], summaries: list[Summary]
) -> None:
    day = message.said_at.astimezone(UTC).date().isoformat() if message.said_at else ""
    text = message.text
    if message.role == "assistant":
        facts, forgotten, private = [], [], False
    else:
        said = read(text, heard.assistant)
        forgotten, private = list(forget(said.forgotten)), said.private or bool(said.forgotten)
        stated = list(state(said.clauses))
        mended = list(mend(text, heard.facts)) if said.mends and heard.user else []
        facts = [fact for fact in [*said.corrections, *mended, *stated] if not _is_named(fact, said.forgotten)]
    for profile, topic in profiles:
        profile.learn((fact for fact in [*forgotten, *facts] if _belongs(fact, topic)), day, message.id)
        if topic == "person":
            profile.meet(day, message.id)
    for summary in summaries:
        if forgotten:
            summary.forget(forgotten, day, message.id)
        elif private:
            summary.keep_private(day, message.id)
        else:
            summary.add(message.role, text, facts, day, message.id)


def _is_named(fact: Fact, forgotten: Sequence[str]) -> bool:
    return any(names(named, f"{fact.label} {fact.value}") for named in forgotten)


def _belongs(fact: Fact, topic: Topic) -> bool:
    kind = kind_of(fact.label)
    return not fact.label or (kind is not None and topic in ("person", kind.topic))
