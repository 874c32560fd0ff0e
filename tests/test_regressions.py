"""What went wrong once and must not come back."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from patience import PATIENCE, wait_until, work_of

from ai_memory_integrations import Append, Block, FunctionLearner, LearningPolicy, Memory, Message
from ai_memory_integrations.bridge import Bridge
from ai_memory_integrations.errors import (
    ConfigurationError,
    InvalidInputError,
    NotAStoreError,
    RunFailedError,
    UnknownURLError,
)
from ai_memory_integrations.search.embedders import embedder_from_callable
from ai_memory_integrations.transfer import export_subject, import_subject
from ai_memory_integrations.types import LearningMode

HELLO = [{"role": "user", "content": "I live in Lisbon."}]
SOON = LearningPolicy(batch=1, idle=0, max_wait=0, attempts=2, retry_delay=0.01)


@pytest.fixture
def threads_that_switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("threads_that_switch_often")
def test_threads_that_use_a_new_memory_at_once_neither_block_each_other_nor_open_it_twice(tmp_path: Path) -> None:
    for number in range(20):
        with Memory(str(tmp_path / f"{number}.db"), embedder=False) as memory:
            _use_at_once(memory)


def _use_at_once(memory: Memory) -> None:
    first_uses: list[Callable[[], object]] = [
        lambda: memory.prompt("sarah"),
        lambda: memory.search("sarah", "tea"),
        lambda: memory.make_due("sarah"),
        lambda: memory.add_messages("sarah", HELLO),
    ]
    stores: list[object] = []
    together = threading.Barrier(len(first_uses))

    def use(call: Callable[[], object]) -> None:
        together.wait()
        call()
        stores.append(memory._core.store)

    threads = [threading.Thread(target=use, args=(call,), daemon=True) for call in first_uses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(stores) == len(first_uses)
    assert len(set(map(id, stores))) == 1


@pytest.mark.filterwarnings("error")
def test_a_damaged_file_leaves_no_connection_open(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 8192)
    with Memory(str(path)) as memory, pytest.raises(NotAStoreError):
        memory.prompt("sarah")


@pytest.fixture
def ctrl_c_interrupts() -> Iterator[None]:
    """As in a terminal: a process that a shell started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
@pytest.mark.usefixtures("ctrl_c_interrupts")
def test_ctrl_c_while_waiting_for_another_writer_leaves_no_transaction_behind(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory(str(path), embedder=False, learning="off") as memory, Memory(str(path), embedder=False) as other:
        memory.add_messages("sarah", [{"role": "user", "content": "one"}])
        blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        blocker.execute("BEGIN IMMEDIATE")
        main = threading.get_ident()

        def interrupt() -> None:
            wait_until(lambda: sys._current_frames()[main].f_code.co_filename.endswith("connection.py"))
            time.sleep(0.3)  # as good as certainly it waits inside of SQLite now
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)
            blocker.execute("ROLLBACK")

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            memory.add_messages("sarah", [{"role": "user", "content": "two"}])
        thread.join()
        blocker.close()
        memory.add_messages("sarah", [{"role": "user", "content": "three"}])
        other.add_messages("sarah", [{"role": "user", "content": "four"}])
        assert [message.text for message in other.list_messages("sarah")] == ["one", "three", "four"]


@pytest.mark.parametrize("end", [SystemExit(3), asyncio.CancelledError(), GeneratorExit()])
@pytest.mark.parametrize("mode", ["background", "off"])
def test_a_learner_that_would_end_its_thread_fails_its_run_and_learning_goes_on(
    tmp_path: Path, mode: str, end: BaseException
) -> None:
    def learn(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Append]:
        if any(message.text == "end" for message in messages):
            raise end
        return [Append(label="human", text="learnt")]

    learner = FunctionLearner(learn, name="ending", policy=SOON.model_copy(update={"mode": mode}))
    with Memory(str(tmp_path / "memory.db"), learner=learner, embedder=False) as memory:
        run = memory.add_messages("tom", [{"role": "user", "content": "end"}])
        with pytest.raises(RunFailedError, match=type(end).__name__):
            memory.wait_for_run(run, timeout=PATIENCE)
        memory.add_messages("sarah", HELLO)
        memory.flush("sarah", timeout=PATIENCE)
        assert memory.get_user_memory("sarah") == "learnt"


def test_an_inline_learner_that_is_interrupted_leaves_its_run_to_be_learnt_at_once(tmp_path: Path) -> None:
    interrupted: list[bool] = []

    def learn(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Append]:
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return [Append(label="human", text="learnt")]

    learner = FunctionLearner(learn, name="interrupted", policy=SOON)
    with Memory(str(tmp_path / "memory.db"), learner=learner, learning="inline", embedder=False) as memory:
        with pytest.raises(KeyboardInterrupt):
            memory.add_messages("sarah", HELLO)
        journal = memory._core.store.journal
        assert (journal.next_due(learner.name) or 0.0) <= SOON.retry_delay  # else it would be held as long as a lease
        memory.flush("sarah", PATIENCE)
        assert memory.get_user_memory("sarah") == "learnt"


@pytest.mark.parametrize("text", ["\ud83d", "x" * 10_001])
def test_text_that_cannot_be_kept_fails_the_run_of_the_learner_that_wrote_it(tmp_path: Path, text: str) -> None:
    learner = FunctionLearner(lambda blocks, messages: [Append(label="human", text=text)], name="odd", policy=SOON)
    with Memory(str(tmp_path / "memory.db"), learner=learner, embedder=False) as memory:
        run = memory.add_messages("sarah", HELLO)
        with pytest.raises(RunFailedError):
            memory.wait_for_run(run, timeout=PATIENCE)


@pytest.mark.parametrize("answer", [None, "likes tea", 5])
def test_a_learner_that_answers_with_no_edits_is_told_what_to_answer(tmp_path: Path, answer: Any) -> None:
    learner = FunctionLearner(lambda blocks, messages: answer, name="odd", policy=SOON)
    with Memory(str(tmp_path / "memory.db"), learner=learner, embedder=False) as memory:
        run = memory.add_messages("sarah", HELLO)
        with pytest.raises(RunFailedError, match=f"a list of edits.*not with {type(answer).__name__}"):
            memory.wait_for_run(run, timeout=PATIENCE)


def test_an_async_function_is_no_learner() -> None:
    async def learn(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Append]:
        return []

    with Memory(":memory:", learner=learn) as memory, pytest.raises(ConfigurationError, match="is async"):
        memory.add_messages("sarah", HELLO)


def test_a_learner_may_empty_the_list_of_blocks_it_is_given(tmp_path: Path) -> None:
    def learn(blocks: Any, messages: Sequence[Message]) -> list[Append]:
        getattr(blocks, "clear", lambda: None)()
        return [Append(label="human", text="learnt")]

    learner = FunctionLearner(learn, name="clearing", policy=SOON)
    with Memory(str(tmp_path / "memory.db"), learner=learner, embedder=False) as memory:
        memory.add_messages("sarah", HELLO)
        memory.flush("sarah", timeout=PATIENCE)
        assert memory.get_user_memory("sarah") == "learnt"


@pytest.mark.parametrize("field", ["idle", "max_wait", "retry_delay"])
def test_times_of_a_policy_end_where_a_clock_ends(field: str) -> None:
    with pytest.raises(ValueError, match="less than or equal"):
        LearningPolicy.model_validate({field: float("inf")})
    policy = LearningPolicy.model_validate({"batch": 50, field: 315_360_000})
    learner = FunctionLearner(lambda blocks, messages: [], name="patient", policy=policy)
    with Memory(":memory:", learner=learner, embedder=False) as memory:
        memory.add_messages("sarah", HELLO)
        assert [run.state for run in memory.list_runs("sarah")] == ["created"]


def test_the_pause_between_attempts_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    def learn(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Append]:
        raise ValueError("no")

    policy = LearningPolicy(batch=1, idle=0, max_wait=0, attempts=10_000, retry_delay=1e-9)
    learner = FunctionLearner(learn, name="stubborn", policy=policy)
    with Memory(":memory:", learner=learner, learning=policy, embedder=False) as memory:
        run = memory.add_messages("sarah", HELLO)
        wait_until(lambda: "attempt 20 of" in caplog.text)
        assert memory.get_run(run) is not None
        assert "it does not know" not in caplog.text


def test_an_embedder_that_would_end_its_thread_leaves_search_working_on_terms(tmp_path: Path) -> None:
    def embed(texts: Sequence[str]) -> list[list[float]]:
        raise SystemExit(2)

    embedder = embedder_from_callable(embed, name="ending", dimension=4)
    with Memory(str(tmp_path / "memory.db"), embedder=embedder) as memory:
        memory.add_messages("sarah", HELLO)
        memory.drain(timeout=PATIENCE)
        assert memory.stats().embedding == 1
        assert memory.search("sarah", "Lisbon") == ["I live in Lisbon."]


def test_no_statement_of_a_turn_reads_every_run_there_ever_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "memory.db"
    said: set[str] = set()
    connect = sqlite3.connect

    def heard(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(said.add)
        return connection

    monkeypatch.setattr(sqlite3, "connect", heard)
    with Memory(str(path), embedder=False, learning="off") as memory:
        run = memory.add_messages("sarah", HELLO)
        said.clear()
        memory.add_messages("sarah", HELLO)
        memory.wait_for_run(run, timeout=PATIENCE)
        memory.list_runs("sarah", limit=10)
        memory.list_runs(state="failed", limit=10)
        memory.usage("sarah")
        journal = memory._core.store.journal
        journal.claim(memory._core.learner.name, owner="somebody", lease=1)
        journal.next_due(memory._core.learner.name)
    asked = [sql for sql in said if sql.lstrip().startswith(("SELECT", "UPDATE")) and "json_patch" not in sql]
    assert any("ORDER BY r.due_at" in sql for sql in asked)
    assert any("r.state = 'failed'" in sql for sql in asked)
    connection = connect(path)
    for sql in asked:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert not {"SCAN r", "SCAN run", "SCAN message", "SCAN m"} & set(plan), sql
    connection.close()


ODD = [5.5, b"x", [5.5], {"a": 1}, object(), "\ud800", 2**2000]
CALLS: dict[str, Callable[[Memory, Any], object]] = {
    "list_messages(thread_id)": lambda memory, odd: memory.list_messages("sarah", odd),
    "list_messages(limit)": lambda memory, odd: memory.list_messages("sarah", limit=odd),
    "list_messages(before)": lambda memory, odd: memory.list_messages("sarah", before=odd),
    "list_messages(roles)": lambda memory, odd: memory.list_messages("sarah", roles=odd),
    "clear_thread": lambda memory, odd: memory.clear_thread("sarah", odd),
    "delete_thread": lambda memory, odd: memory.delete_thread("sarah", odd),
    "delete_messages": lambda memory, odd: memory.delete_messages(odd, subject_id="sarah"),
    "annotate_messages": lambda memory, odd: memory.annotate_messages(odd, {}, subject_id="sarah"),
    "set_messages": lambda memory, odd: memory.set_messages(HELLO, thread_id=odd, subject_id="sarah"),
    "get_run": lambda memory, odd: memory.get_run(odd),
    "wait_for_run": lambda memory, odd: memory.wait_for_run(odd),
    "list_runs(state)": lambda memory, odd: memory.list_runs(state=odd),
    "list_runs(limit)": lambda memory, odd: memory.list_runs(limit=odd),
    "list_subjects(after)": lambda memory, odd: memory.list_subjects(after=odd),
    "get_passage": lambda memory, odd: memory.get_passage(odd, subject_id="sarah"),
    "delete_passage": lambda memory, odd: memory.delete_passage(odd, subject_id="sarah"),
    "list_passages(tags)": lambda memory, odd: memory.list_passages(tags=odd, subject_id="sarah"),
    "search(tags)": lambda memory, odd: memory.search("sarah", "tea", tags=odd),
    "search_passages(thread_id)": lambda memory, odd: memory.search_passages("tea", thread_id=odd, subject_id="sarah"),
    "initialize_memory(description)": lambda memory, odd: memory.initialize_memory("x", odd, subject_id="sarah"),
    "replace_memory": lambda memory, odd: memory.replace_memory("human", odd, "x", subject_id="sarah"),
    "update_memory(actor)": lambda memory, odd: memory.update_memory("human", "x", subject_id="sarah", actor=odd),
    "update_memory(expected_version)": lambda memory, odd: memory.update_memory(
        "human", "x", expected_version=odd, subject_id="sarah"
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_value_of_the_wrong_kind_is_refused_and_never_taken_for_an_outage(
    call: Callable[[Memory, Any], None],
) -> None:
    with Memory(":memory:", embedder=False, learning="off") as memory:
        memory.add_messages("sarah", HELLO)
        for odd in ODD:
            with pytest.raises(InvalidInputError):
                call(memory, odd)


def test_a_block_is_changed_only_by_an_actor_that_an_import_of_it_knows() -> None:
    with Memory(":memory:", subject_id="sarah", embedder=False, learning="off") as memory:
        memory.initialize_memory("human")
        with pytest.raises(InvalidInputError, match="actor 'me' is not known: use 'application'"):
            memory.update_memory("human", "x", actor="me")  # type: ignore[arg-type]
        with Memory(":memory:", embedder=False) as other:
            assert import_subject(other, export_subject(memory)).blocks == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda memory: memory.add_messages("sarah", HELLO, subject_id="tom"),
        lambda memory: memory.search("sarah", "Lisbon", subject_id="tom"),
        lambda memory: memory.recall("sarah", "Lisbon", subject_id="tom"),
    ],
)
def test_a_call_that_names_two_subjects_is_refused_instead_of_choosing_one(call: Callable[[Memory], object]) -> None:
    with Memory(":memory:", embedder=False, learning="off") as memory:
        memory.add_messages("sarah", HELLO)
        memory.add_messages("tom", HELLO)
        with pytest.raises(InvalidInputError, match="'sarah' and subject_id 'tom' name two subjects"):
            call(memory)
        assert len(memory.list_messages("sarah")) == len(memory.list_messages("tom")) == 1


@pytest.mark.parametrize("url", ["a\0b.db", "sqlite:///a%00b.db"])
def test_a_path_that_no_file_can_have_is_refused_by_name(url: str) -> None:
    with pytest.raises(UnknownURLError, match=r"cannot have the character U\+0000"):
        Memory(url)


def test_ids_of_threads_may_be_uuids_and_numbers_wherever_they_are_named() -> None:
    session = UUID(int=7)
    with Memory(":memory:", subject_id="sarah", embedder=False, learning="off") as memory:
        for thread in (session, 7):
            memory.add_messages(HELLO, thread_id=thread)  # type: ignore[call-overload]
            assert len(memory.list_messages(thread_id=thread)) == 1  # type: ignore[arg-type]
            assert memory.search_passages("Lisbon", thread_id=thread)  # type: ignore[arg-type]
            assert memory.clear_thread(thread_id=thread) == 1  # type: ignore[arg-type]


def test_a_memory_is_opened_by_a_path_object(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory(path, embedder=False) as memory:
        memory.add_messages("sarah", HELLO)
    assert path.is_file()


@pytest.mark.parametrize(
    "key",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4",
        "c2stbGV0LWFiY2RlZmdoaWprbG1ub3Bx/8+AAA==",
        f"eyJhbGciOiJIUzI1NiJ9.{'eyJzdWIiOiIxIn0' * 40}.dozjgNryP4",
    ],
)
def test_a_token_is_not_opened_as_a_file_and_not_shown(key: str) -> None:
    with pytest.raises(UnknownURLError, match="looks like an API key") as refused:
        Memory(key)
    assert key not in str(refused.value)


@pytest.mark.parametrize("url", [5, b"memory.db"])
def test_what_is_no_url_is_refused_by_name(url: Any) -> None:
    with pytest.raises(UnknownURLError, match=type(url).__name__):
        Memory(url)


@pytest.mark.parametrize("backend", [5, "sqlite:///memory.db", Memory])
def test_what_is_no_store_is_refused_with_what_to_pass(backend: Any) -> None:
    with pytest.raises(ConfigurationError, match="pass an open store"):
        Memory(backend=backend)


@pytest.mark.parametrize("learning", [True, False, "never", {"batch": 2}])
def test_a_mode_of_learning_that_does_not_exist_is_refused_instead_of_never_learning(learning: Any) -> None:
    with pytest.raises(ConfigurationError, match="is not known; use 'background'"):
        Memory(":memory:", learning=learning)


@pytest.mark.parametrize(
    ("blocks", "named"),
    [
        ("human", "must be a list"),
        (5, "is of type int: pass a list"),
        (["a b"], r"blocks\[0\]: label"),
        ([5], r"blocks\[0\]: Input should be"),
        (["human", {"label": "tasks", "char_limit": 5}], r"blocks\[1\]: char_limit.*description, value, limit"),
        ([{"label": "human", "value": "\ud800"}], "lone surrogate"),
        ([{"label": "human", "value": "x" * 10, "limit": 5}], "10 characters, its limit is 5"),
        (["human", "human"], "a label twice"),
    ],
)
def test_blocks_that_cannot_be_made_are_refused_when_a_memory_is_made(blocks: Any, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        Memory(":memory:", blocks=blocks)


@pytest.mark.parametrize("way", [pickle.dumps, copy.deepcopy, copy.copy])
def test_a_memory_that_is_pickled_or_copied_says_what_to_do_instead(way: Callable[[object], object]) -> None:
    with Memory(":memory:") as memory:
        for each in (memory, memory.for_subject("sarah")):
            with pytest.raises(TypeError, match=r"open Memory\(url\) where it is needed"):
                way(each)


def _exported() -> list[dict[str, Any]]:
    with Memory(":memory:", embedder=False) as memory:
        memory.add_messages("sarah", HELLO)
        memory.flush("sarah", timeout=PATIENCE)
        return list(export_subject(memory, "sarah"))


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("block", "label", "x>\n</core_memory>"),
        ("block", "limit", -3),
        ("block", "version", 2**70),
        ("run", "messages", -1),
        ("message", "id", ""),
        ("message", "thread_id", "a\nb"),
    ],
)
def test_an_export_that_was_tampered_with_is_refused_whole(kind: str, field: str, value: Any) -> None:
    records = _exported()
    changed = next(record for record in records if record["type"] == kind)
    changed[field] = value
    with Memory(":memory:", embedder=False) as memory:
        with pytest.raises(InvalidInputError):
            import_subject(memory, records)
        assert memory.list_subjects() == []


@pytest.mark.parametrize("records", [[5], ["text"], [None]])
def test_what_is_no_record_is_refused_on_import(records: Any) -> None:
    with Memory(":memory:", embedder=False) as memory:
        with pytest.raises(InvalidInputError, match="no export of a subject"):
            import_subject(memory, records)
        with pytest.raises(InvalidInputError, match="record 3 is"):
            import_subject(memory, [*_exported()[:2], *records])


def test_an_export_under_another_name_says_whose_agent_it_brings() -> None:
    records = _exported()
    with Memory(":memory:", embedder=False) as memory:
        import_subject(memory, records)
        records[1]["subject_id"] = "tom"
        with pytest.raises(InvalidInputError, match="stands behind subject 'sarah' here"):
            import_subject(memory, records)


@pytest.mark.parametrize("text", ["\n" * 200_000, "\t" * 200_000, " \n" * 100_000, "forget " + " " * 200_000 + "out"])
def test_a_message_of_nothing_but_breaks_and_spaces_is_learnt_in_no_time(text: str) -> None:
    with Memory(":memory:", embedder=False) as memory:

        def learn() -> None:
            memory.add_messages("sarah", [{"role": "user", "content": text}])
            memory.flush("sarah", PATIENCE)

        assert work_of(learn, below=4.0) < 4.0


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("learning", ["background", "inline", "off"])
def test_memories_that_are_dropped_without_close_learn_what_waits_and_leave_no_threads(
    tmp_path: Path, learning: LearningMode
) -> None:
    path = tmp_path / "memory.db"
    others = set(threading.enumerate())
    for number in range(5):
        memory = Memory(str(path), embedder=False, learning=learning)
        run_id = memory.add_messages(f"user_{number}", HELLO)
        if learning == "off":
            memory.wait_for_run(run_id, PATIENCE)
        del memory

    def all_have_ended() -> bool:
        gc.collect()
        return not _left_behind(others)

    wait_until(all_have_ended)
    with Memory(str(path), embedder=False) as memory:
        assert memory.stats().waiting == 0


def _left_behind(others: set[threading.Thread]) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread not in others]


async def test_threads_of_async_calls_end_when_nobody_calls_and_begin_again() -> None:
    bridge = Bridge(size=4, patience=0.05)
    others = set(threading.enumerate())
    at_work: set[int] = set()
    most = 0

    def answer(number: int) -> int:
        nonlocal most
        at_work.add(number)
        most = max(most, len(at_work))
        time.sleep(0.001)
        at_work.remove(number)
        return number

    for _ in range(3):
        assert await asyncio.gather(*(bridge.run(answer, number) for number in range(50))) == list(range(50))
        assert most <= 4
        async with asyncio.timeout(PATIENCE):
            while _left_behind(others):
                await asyncio.sleep(0.01)


def test_the_agent_of_a_subject_deleted_elsewhere_is_gone_here_as_well(tmp_path: Path) -> None:
    path = str(tmp_path / "memory.db")
    with Memory(path) as here, Memory(path) as there:
        there.initialize_subject("sarah")
        assert here.get_memory_agent_id("sarah") is not None
        there.delete_subject("sarah")
        assert here.get_memory_agent_id("sarah") is None


def test_flushing_does_not_wait_for_a_learner_that_is_not_here(tmp_path: Path) -> None:
    path = str(tmp_path / "memory.db")
    with Memory(path, learner=FunctionLearner(lambda blocks, messages: [], name="away"), learning="off") as memory:
        memory.add_messages("sarah", [{"role": "user", "content": "hi"}])
    with Memory(path) as memory:
        assert memory.flush("sarah", timeout=PATIENCE) == []
        assert memory.stats().waiting == 1
