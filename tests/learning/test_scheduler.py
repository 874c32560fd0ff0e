"""When learning happens and what is recorded, seen through `Memory` with learners of one's own."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from patience import PATIENCE, least, wait_until
from pydantic import ValidationError

from ai_memory_integrations import Append, Archive, Edit, Learned, LearningPolicy, Memory, Message, Rethink
from ai_memory_integrations.errors import (
    BackendUnavailableError,
    LearningError,
    RunFailedError,
    RunNotFoundError,
    RunTimeoutError,
)
from ai_memory_integrations.learning.function import FunctionLearner
from ai_memory_integrations.search.embedders import embedder_from_callable
from ai_memory_integrations.types import AT_ONCE, Block, Replace, Run

Blocks = Sequence[Block]
Messages = Sequence[Message]
QUICK = AT_ONCE.model_copy(update={"attempts": 2, "retry_delay": 0.01})


def notes(blocks: Blocks, messages: Messages) -> list[Edit]:
    return [Append(label="human", text=message.text, message_ids=(message.id,)) for message in messages]


def memory_with(path: Path, learn: Callable[[Blocks, Messages], object], **options: object) -> Memory:
    learner = FunctionLearner(learn, name="mine", policy=QUICK)  # type: ignore[arg-type]
    return Memory(str(path / "memory.db"), learner=learner, **options)  # type: ignore[arg-type]


def say(memory: Memory, *texts: str) -> str:
    return memory.add_messages("sarah", [{"role": "user", "content": text} for text in texts])


def value(memory: Memory) -> str:
    return memory.get_user_memory("sarah") or ""


def test_a_run_is_waited_for_in_a_few_milliseconds_with_the_extractive_learner(tmp_path: Path) -> None:
    path = str(tmp_path / "memory.db")
    with Memory(path) as memory, Memory(path, learning="inline") as inline:

        def waiting() -> float:
            run = say(memory, "My name is Sarah.")
            start = time.perf_counter()
            memory.wait_for_run(run)
            return time.perf_counter() - start

        def learning() -> float:
            start = time.perf_counter()
            say(inline, "My name is Sarah.")
            return time.perf_counter() - start

        memory.wait_for_run(say(memory, "warm up"))
        # A slow machine needs as much longer to learn in this thread as it needs in the other one.
        allowed = 0.05 + 4 * min(learning() for _ in range(5))
        assert least(waiting, below=allowed) < allowed


def test_what_was_learnt_names_its_run_and_messages(tmp_path: Path) -> None:
    with memory_with(tmp_path, notes) as memory:
        message = Message(role="user", content="cats")
        run = memory.wait_for_run(memory.add_messages("sarah", [message]))
        assert (run.state, run.messages, run.edits, run.learner) == ("completed", 1, 1, "mine")
        last = memory.memory_history("human", "sarah")[-1]
        assert (last.actor, last.run_id, last.message_ids) == ("learner", run.id, (message.id,))


def test_a_failure_that_is_final_is_not_tried_again(tmp_path: Path) -> None:
    asked: list[int] = []

    def refuse(blocks: Blocks, messages: Messages) -> list[Edit]:
        asked.append(len(messages))
        raise LearningError("the account is closed", final=True)

    with memory_with(tmp_path, refuse) as memory:
        with pytest.raises(RunFailedError, match="the account is closed"):
            memory.wait_for_run(say(memory, "cats"))
        assert asked == [1]


def test_a_run_outlives_any_time_for_which_the_place_of_its_learner_is_away(tmp_path: Path) -> None:
    asked: list[int] = []

    def away(blocks: Blocks, messages: Messages) -> list[Edit]:
        asked.append(len(messages))
        if len(asked) <= 3 * QUICK.attempts:
            raise BackendUnavailableError("nobody there")
        return notes(blocks, messages)

    with memory_with(tmp_path, away) as memory:
        run = memory.wait_for_run(say(memory, "cats"))
        assert (run.state, run.attempts) == ("completed", 1)
        assert value(memory) == "cats"


def test_a_learner_archives_passages(tmp_path: Path) -> None:
    def archive(blocks: Blocks, messages: Messages) -> Learned:
        return Learned(edits=(Archive(text="Sarah has two cats", tags=("pets",), message_ids=(messages[0].id,)),))

    with memory_with(tmp_path, archive) as memory:
        run = memory.wait_for_run(memory.add_messages("sarah", [{"role": "user", "content": "x"}], True))
        assert run.passages == 1
        (passage,) = memory.search_passages("cats", subject_id="sarah")
        assert (passage.text, passage.tags, passage.role) == ("Sarah has two cats", ("pets",), None)


def test_what_a_learner_archives_is_found_by_meaning_as_well(tmp_path: Path) -> None:
    def archive(blocks: Blocks, messages: Messages) -> Learned:
        wait_until(lambda: not memory._core.indexer.busy)  # all that was there before has its vectors
        return Learned(edits=(Archive(text="Sarah has two cats"),))

    embedder = embedder_from_callable(lambda texts: [[float(len(text)), 1.0] for text in texts], name="n", dimension=2)
    with memory_with(tmp_path, archive, embedder=embedder) as memory:
        run = say(memory, "I have two cats")
        assert memory.drain(PATIENCE)
        assert (memory.get_run(run).passages, memory.stats().embedding) == (1, 0)
        memory.wait_for_run(say(memory, "And a dog"))
        wait_until(lambda: memory.stats().embedding == 0)


def test_a_failing_learner_is_tried_again_then_the_run_fails_and_can_be_retried(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = True
    calls: list[list[str]] = []

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        calls.append([message.text for message in messages])
        if broken:
            raise RuntimeError("the model is away")
        return notes(blocks, messages)

    with memory_with(tmp_path, learn) as memory:
        run_id = say(memory, "one")
        with pytest.raises(RunFailedError, match=r"the model is away\nMessages that wait: 1"):
            memory.wait_for_run(run_id)
        assert calls == [["one"], ["one"]]
        wait_until(lambda: "ERROR" in caplog.text)  # a run is failed a moment before it is said
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(errors) == 1
        assert "the model is away" in errors[0].getMessage()
        assert "ai-memory learn --retry" in errors[0].getMessage()
        assert memory.stats().failed == 1
        assert memory.stats().waiting == 1
        broken = False
        memory.retry_run(run_id)
        assert memory.wait_for_run(run_id).state == "completed"
        assert value(memory) == "one"
        assert memory.stats().waiting == 0


@pytest.mark.parametrize("empty", ["", "  \n "])
def test_a_learner_that_returns_nothing_never_wipes_a_block(tmp_path: Path, empty: str) -> None:
    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        return [Rethink(label="human", value=empty)]

    with memory_with(tmp_path, learn) as memory:
        memory.initialize_user_memory("sarah", user_context_block_value="Name: Sarah")
        run = memory.wait_for_run(say(memory, "hi"))
        assert run.skipped == {"human": "the learner returned an empty value"}
        assert value(memory) == "Name: Sarah"


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (Append(label="nowhere", text="x"), "no block 'nowhere'"),
        (Rethink(label="human", value="x" * 101), "at most 100 characters, got 101"),
        (Replace(label="human", old="absent", new="x"), "not there: 'absent'"),
        (Append(label="rules", text="x"), "read-only"),
    ],
)
def test_a_wrong_edit_fails_its_run_by_name_and_changes_nothing(tmp_path: Path, edit: Edit, error: str) -> None:
    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        return [Append(label="summary", text="half"), edit]

    with memory_with(tmp_path, learn) as memory:
        memory.initialize_user_memory("sarah", user_context_block_char_limit=100)
        memory.initialize_memory("rules", "Rules of the house", read_only=True, subject_id="sarah")
        with pytest.raises(RunFailedError, match=error):
            memory.wait_for_run(say(memory, "hi"))
        assert [block.value for block in memory.list_blocks("sarah")] == ["", "", ""]


def test_what_the_application_writes_while_the_learner_works_survives(tmp_path: Path) -> None:
    started, go = threading.Event(), threading.Event()

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        started.set()
        go.wait(PATIENCE)
        return [Rethink(label="human", value=f"{blocks[0].value}\nlearnt".strip())]

    with memory_with(tmp_path, learn) as memory:
        memory.initialize_user_memory("sarah", user_context_block_value="Name: Sarah")
        run = say(memory, "hi")
        assert started.wait(PATIENCE)
        memory.append_memory("human", "written by the application", "sarah")
        go.set()
        memory.wait_for_run(run)
        assert value(memory).splitlines() == ["Name: Sarah", "written by the application", "learnt"]


def test_a_reset_while_the_learner_works_loses_no_message(tmp_path: Path) -> None:
    started, go = threading.Event(), threading.Event()

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        started.set()
        go.wait(PATIENCE)
        return notes(blocks, messages)

    with memory_with(tmp_path, learn) as memory:
        run = say(memory, "hi")
        assert started.wait(PATIENCE)
        memory.initialize_user_memory("sarah", reset=True)
        go.set()
        memory.wait_for_run(run)
        assert value(memory) == "hi"


def test_a_subject_deleted_while_the_learner_works_stays_deleted(tmp_path: Path) -> None:
    started, go, done = threading.Event(), threading.Event(), threading.Event()

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        started.set()
        go.wait(PATIENCE)
        done.set()
        return notes(blocks, messages)

    with memory_with(tmp_path, learn) as memory:
        run = say(memory, "hi")
        assert started.wait(PATIENCE)
        memory.delete_subject("sarah")
        go.set()
        assert done.wait(PATIENCE)
        with pytest.raises(RunNotFoundError):
            memory.wait_for_run(run)
        assert memory.list_subjects() == []


def test_a_learner_works_in_an_empty_context(tmp_path: Path) -> None:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="nobody's")
    seen: list[str] = []

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        seen.append(request.get())
        return []

    request.set("sarah's")
    for learning in ("background", "inline", "off"):
        with memory_with(tmp_path, learn, learning=learning) as memory:
            memory.wait_for_run(say(memory, "hi"))
    assert seen == ["nobody's"] * 3


def test_inline_learning_is_done_when_the_call_returns(tmp_path: Path) -> None:
    here: list[str] = []

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        here.append(threading.current_thread().name)
        return notes(blocks, messages)

    with Memory(str(tmp_path / "memory.db"), learner=learn, learning="inline") as memory:
        run_id = say(memory, "one")
        run = memory.get_run(run_id)
        assert run is not None
        assert (run.state, value(memory), here) == ("completed", "one", [threading.current_thread().name])


def test_nothing_is_learnt_with_learning_off_until_it_is_asked_for(tmp_path: Path) -> None:
    with memory_with(tmp_path, notes, learning="off") as memory:
        run = say(memory, "one")
        time.sleep(0.1)
        assert value(memory) == ""
        assert memory.stats().waiting == 1
        memory.wait_for_run(run)
        assert value(memory) == "one"
        say(memory, "two")
        assert [each.state for each in memory.flush("sarah")] == ["completed"]
        say(memory, "three")
        assert memory.drain(PATIENCE) is True
        assert value(memory) == "one\ntwo\nthree"
        assert memory.flush("sarah") == []


def test_messages_are_learnt_in_batches_and_at_once_when_somebody_waits(tmp_path: Path) -> None:
    batches: list[int] = []

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        batches.append(len(messages))
        return []

    policy = LearningPolicy(batch=3, idle=3600, max_wait=7200)
    with Memory(str(tmp_path / "memory.db"), learner=learn, learning=policy) as memory:
        runs = {say(memory, "1"), say(memory, "2")}
        assert len(runs) == 1
        assert say(memory, "3") in runs
        memory.wait_for_run(runs.pop())
        last = say(memory, "4")
        memory.wait_for_run(last)
        assert batches == [3, 1]


def test_an_idle_batch_is_learnt_by_the_clock(tmp_path: Path) -> None:
    policy = LearningPolicy(batch=100, idle=0.1, max_wait=10)
    with Memory(str(tmp_path / "memory.db"), learner=notes, learning=policy) as memory:
        run_id = say(memory, "one")
        wait_until(lambda: (run := memory.get_run(run_id)) is not None and run.ended)
        assert value(memory) == "one"


def test_subjects_are_learnt_side_by_side_and_each_in_order(tmp_path: Path) -> None:
    together = threading.Barrier(2, timeout=PATIENCE)

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        together.wait()
        return notes(blocks, messages)

    with memory_with(tmp_path, learn, learning=QUICK.model_copy(update={"workers": 2})) as memory:
        runs = [memory.add_messages(subject, [{"role": "user", "content": "hi"}]) for subject in ("sarah", "bob")]
        assert [memory.wait_for_run(run, PATIENCE).state for run in runs] == ["completed", "completed"]


def test_a_slow_run_times_out_with_a_clear_error_and_goes_on(tmp_path: Path) -> None:
    go = threading.Event()

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        go.wait(PATIENCE)
        return notes(blocks, messages)

    with memory_with(tmp_path, learn) as memory:
        run = say(memory, "one")
        with pytest.raises(RunTimeoutError, match=r"did not complete within 0\.05 seconds"):
            memory.wait_for_run(run, timeout=0.05)
        with pytest.raises(TimeoutError):
            memory.flush("sarah", timeout=0.05)
        assert memory.drain(0.05) is False
        go.set()
        assert memory.wait_for_run(run).state == "completed"


def test_messages_for_another_learner_wait_and_say_so(tmp_path: Path) -> None:
    with memory_with(tmp_path, notes, learning="off") as memory:
        run = say(memory, "one")
    with Memory(str(tmp_path / "memory.db")) as memory:
        with pytest.raises(RunTimeoutError, match="waits for the learner 'mine', here is 'extractive'"):
            memory.wait_for_run(run, timeout=0.05)
        assert memory.drain(PATIENCE) is True
        assert memory.stats().waiting == 1
    with memory_with(tmp_path, notes) as memory:
        memory.wait_for_run(run)
        assert value(memory) == "one"


def test_a_cancelled_run_is_not_learnt_and_whoever_waits_is_told(tmp_path: Path) -> None:
    with memory_with(tmp_path, notes, learning="off") as memory:
        run = say(memory, "one")
        assert memory.cancel_run(run).state == "cancelled"
        with pytest.raises(RunFailedError, match="was cancelled"):
            memory.wait_for_run(run)
        assert value(memory) == ""


def test_readers_do_not_learn(tmp_path: Path) -> None:
    with memory_with(tmp_path, notes, learning="off") as memory:
        run_id = say(memory, "one")
    with memory_with(tmp_path, notes) as memory:
        memory.prompt("sarah")
        memory.search("sarah", "one")
        memory.stats()
        time.sleep(0.1)
        run: Run | None = memory.get_run(run_id)
        assert run is not None
        assert run.state == "created"


def test_learnings_of_two_memories_on_one_file_happen_once(tmp_path: Path) -> None:
    with memory_with(tmp_path, notes) as one, memory_with(tmp_path, notes) as two:
        for number in range(20):
            say(one, f"a{number}")
            say(two, f"b{number}")
        assert one.drain(PATIENCE)
        assert two.drain(PATIENCE)
        assert sorted(value(one).splitlines()) == sorted(f"{who}{n}" for who in "ab" for n in range(20))


def test_waiting_for_a_failing_run_does_not_hurry_its_next_attempt(tmp_path: Path) -> None:
    calls: list[float] = []

    def learn(blocks: Blocks, messages: Messages) -> list[Edit]:
        calls.append(time.monotonic())
        raise RuntimeError("busy")

    policy = AT_ONCE.model_copy(update={"attempts": 3, "retry_delay": 0.4, "mode": "off"})
    with memory_with(tmp_path, learn, learning=policy) as memory:
        with pytest.raises(RunFailedError, match="busy"):
            memory.wait_for_run(say(memory, "one"), PATIENCE)
    assert len(calls) == 3
    assert calls[1] - calls[0] >= 0.4
    assert calls[2] - calls[1] >= 0.8


@pytest.mark.parametrize("cost", [float("inf"), float("nan"), -1.0])
def test_a_budget_is_a_number_that_can_be_written_down(cost: float) -> None:
    with pytest.raises(ValidationError, match="daily_cost"):
        LearningPolicy(daily_cost=cost)


@pytest.mark.parametrize("field", ["batch", "attempts", "workers"])
def test_a_count_that_no_machine_has_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        LearningPolicy.model_validate({field: 2**70})
