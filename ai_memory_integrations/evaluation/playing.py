"""Plays conversations through a real memory with the learner on trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ai_memory_integrations.errors import RunFailedError, RunTimeoutError
from ai_memory_integrations.evaluation.conversations import Conversation
from ai_memory_integrations.evaluation.judging import Judgement, judge
from ai_memory_integrations.evaluation.report import Report, misses, tallies
from ai_memory_integrations.learning.function import LearnFunction
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.ports import Learner
from ai_memory_integrations.types import Run, Usage

RUN_SECONDS = 600.0
_SUBJECT = "person"
_LATER = 1e9
_HOPELESS = 3


@dataclass
class _Played:
    """What became of one conversation. Its runs are there also when one of them failed."""

    runs: list[Run]
    judgement: Judgement
    error: str | None

    @property
    def usage(self) -> Usage | None:
        spent = [run.usage for run in self.runs if run.usage is not None]
        return sum(spent, Usage()) if spent else None


def evaluate(
    learner: Learner | LearnFunction | None,
    conversations: Sequence[Conversation],
    *,
    max_tokens: int | None = None,
    run_seconds: float = RUN_SECONDS,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """How well *learner* learns from *conversations*; None is the learner that a memory has by itself.

    Each conversation gets a memory of its own, which learns at the end of every session and is judged at the end of
    the last. A run that fails or takes longer than *run_seconds* ends its conversation, which is judged as it stands
    and named in the report. No further one is begun after three that failed in a row, or once *max_tokens* are spent.
    *on_progress* is told the name of the conversation that begins, how many are done and how many there are.
    """
    began = time.monotonic()
    with Memory(":memory:", learner=learner) as memory:
        chosen = memory._core.learner
    played: list[tuple[Conversation, _Played]] = []
    for number, conversation in enumerate(conversations):
        if _is_over([each for _, each in played], max_tokens):
            break
        if on_progress is not None:
            on_progress(conversation.name, number, len(conversations))
        played.append((conversation, _play(chosen, conversation, run_seconds)))
    return _report(chosen.name, played, unplayed=len(conversations) - len(played), seconds=time.monotonic() - began)


def _play(learner: Learner, conversation: Conversation, run_seconds: float) -> _Played:
    # No run is due before it is asked for, so that a session is one batch; then it is tried as often and as slowly as
    # the learner's policy says. What was said is not made into passages: those that are there were learnt.
    patient = {"mode": "background", "batch": 10**9, "idle": _LATER, "max_wait": _LATER}
    policy = learner.policy.model_copy(update=patient)
    error = None
    with Memory(":memory:", subject_id=_SUBJECT, learner=learner, learning=policy, embedder=False) as memory:
        try:
            for number, session in enumerate(conversation.sessions, start=1):
                memory.add_messages_here(session.messages(f"session {number}"), skip_vector_storage=True)
                memory.flush(timeout=run_seconds)
        except RunFailedError as failed:
            error = failed.run.error
        except RunTimeoutError as late:
            error = str(late)
        judgement = judge(conversation, memory.list_blocks(), memory.list_passages())
        return _Played(memory.list_runs(), judgement, error)


def _is_over(played: Sequence[_Played], max_tokens: int | None) -> bool:
    if max_tokens is not None and _tokens(played) >= max_tokens:
        return True
    last = played[-_HOPELESS:]
    return len(last) == _HOPELESS and all(each.error is not None for each in last)


def _tokens(played: Sequence[_Played]) -> int:
    return sum(each.usage.input_tokens + each.usage.output_tokens for each in played if each.usage is not None)


def _report(learner: str, played: Sequence[tuple[Conversation, _Played]], *, unplayed: int, seconds: float) -> Report:
    spent = [each.usage for _, each in played if each.usage is not None]
    return Report(
        learner=learner,
        conversations=len(played),
        messages=sum(len(session.turns) for talk, _ in played for session in talk.sessions),
        runs=sum(len(each.runs) for _, each in played),
        seconds=round(seconds, 2),
        usage=sum(spent, Usage()) if spent else None,
        kinds=tallies(verdict for _, each in played for verdict in each.judgement.verdicts),
        lines=sum(each.judgement.lines for _, each in played),
        unlabelled=tuple((talk.name, line) for talk, each in played for line in each.judgement.unlabelled),
        failed={talk.name: each.error for talk, each in played if each.error is not None},
        unplayed=unplayed,
        misses=tuple(miss for talk, each in played for miss in misses(talk.name, each.judgement.verdicts)),
    )
