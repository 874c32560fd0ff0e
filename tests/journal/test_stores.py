"""The journals in SQLite and PostgreSQL beside their model: two stores on one place stand for two processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import postgres_server
import pytest
from hypothesis import HealthCheck, settings
from journal.machine import (
    LEARNERS,
    LEASE,
    PROCESSES,
    START,
    SUBJECTS,
    THREADS,
    CrashError,
    Held,
    JournalMachine,
    Options,
)
from journal.model import Claim
from journal.rounds import ROUNDS, STRESS

from ai_memory_integrations.backends.owner import process_owner
from ai_memory_integrations.backends.postgres.schema import SUBJECT_TABLES
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.backends.urls import open_store
from ai_memory_integrations.errors import StaleClaimError
from ai_memory_integrations.ports import Store
from ai_memory_integrations.types import AT_ONCE, BlockSpec, LearningPolicy, Message, Passage

NewPlace = Callable[[], tuple[str, Callable[[int], None]]]
LOG = BlockSpec(label="log", description="a line for each message learnt", limit=1_000_000)


class StoreMachine(JournalMachine):
    beside = True

    def __init__(self) -> None:
        super().__init__()
        self.begin_place()
        self.stores = {process: self.open() for process in PROCESSES}
        self.run_ids: dict[int, str] = {}
        self.looks = 0

    def begin_place(self) -> None:
        """Make an empty place for the stores."""
        raise NotImplementedError

    def end_place(self) -> None: ...

    def open(self) -> Store:
        raise NotImplementedError

    def restart(self, process: str) -> None:
        self.stores[process].close()
        self.stores[process] = self.open()

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            for store in self.stores.values():
                store.close()
            self.end_place()

    def real(self, verb: str, process: str, *arguments: Any) -> Any:
        store = self.stores[process]
        match verb, arguments:
            case "create_subject", (subject,):
                store.backend.create_subject(subject, [LOG])
            case "delete", (subject,):
                store.backend.delete_subject(subject)
            case "reset", (subject,):
                if store.backend.delete_block(subject, LOG.label):
                    store.backend.create_block(subject, LOG)
            case "make_due", (subject,):
                store.journal.make_due(subject_id=subject)
            case "retry_run", (run,):
                store.journal.retry_run(self.run_ids[run])
            case "cancel_run", (run,):
                store.journal.cancel_run(self.run_ids[run])
            case "set_messages", (subject, thread, said):
                messages = [_message(thread, name, text) for name, text in said]
                store.journal.set_messages(subject, thread, messages)
            case "delete_thread", (subject, thread, forget):
                return store.journal.delete_thread(subject, thread, forget=forget)
            case _:
                return getattr(store.journal, verb)(*arguments)
        return None

    def real_append(
        self, process: str, subject: str, said: list[tuple[str, str, str]], options: Options, run: int, new: int
    ) -> None:
        policy = LearningPolicy(batch=options["batch"], idle=options["idle"], max_wait=options["max_wait"])
        messages = [_message(*one) for one in said]
        appended = self.stores[process].journal.append(
            subject, messages, learner=options["learner"], policy=policy, learn=options["learn"]
        )
        assert len(appended.new) == new
        assert self.run_ids.setdefault(run, appended.run_id) == appended.run_id

    def real_claim(self, process: str, learner: str, subject: str | None, claim: Claim | None, *, crash: bool) -> Any:
        journal = self.stores[process].journal
        try:
            with journal.transaction():
                real = journal.claim(learner, owner=f"{process}:elsewhere", lease=LEASE, subject_id=subject)
                if crash:
                    raise CrashError
        except CrashError:
            return None
        assert (real is None) == (claim is None)
        if real is not None and claim is not None:
            assert real.run.id == self.run_ids[claim.run]
            assert [message.text for message in real.messages] == [text for _, text in claim.messages]
        return real

    def real_end(self, held: Held, *, crash_at: int | None) -> str:
        def reached(step: int) -> None:
            if step == crash_at:
                raise CrashError

        store, claim = self.stores[held.process], held.real
        with answering() as outcome, store.journal.transaction():
            store.journal.hold(claim)
            reached(0)
            texts = [message.text for message in claim.messages]
            store.backend.add_passages(claim.subject_id, [Passage(text=text) for text in texts])
            reached(1)
            block = store.backend.get_block(claim.subject_id, LOG.label)
            assert block is not None
            lines = "\n".join([*block.value.splitlines(), *texts])
            store.backend.write_block(claim.subject_id, LOG.label, lines, expected_version=block.version)
            reached(2)
            store.journal.complete(claim, edits=1, passages=len(texts), skipped={}, usage=None)
            reached(3)
        return outcome[-1]

    def real_on_claim(self, verb: str, held: Held, *arguments: Any) -> str:
        journal, claim = self.stores[held.process].journal, held.real
        with answering() as outcome:
            match verb, arguments:
                case "renew", (lease,):
                    return "done" if journal.renew(claim, lease) else "stale"
                case "postpone", (delay,):
                    journal.postpone(claim, error="later", delay=delay)
                case _:
                    journal.fail(claim, error="broken")
        return outcome[-1]

    def compare(self) -> None:
        self.looks += 1
        store = self.stores[PROCESSES[self.looks % 2]]
        for subject in SUBJECTS:
            self.compare_runs(store, subject)
            self.compare_texts(store, subject)
        waiting = Counter(self.learner(m.run) for m in self.model.messages if m.state == "waiting")
        assert store.journal.waiting_learners() == waiting
        stats = store.journal.stats()
        states = Counter(run.state for run in self.model.runs)
        assert (stats.waiting, stats.running, stats.failed) == (waiting.total(), states["running"], states["failed"])
        for learner in LEARNERS:
            due = store.journal.next_due(learner)
            assert (due is not None and due <= 0) == (self.model.claimable(learner) is not None)

    def compare_runs(self, store: Store, subject: str) -> None:
        expected = [run for run in self.model.runs if run.subject == self.model.subjects.get(subject)]
        found = store.journal.list_runs(subject)[::-1]
        assert [(run.id, run.state, run.learner, run.attempts) for run in found] == [
            (self.run_ids[run.no], run.state, run.learner, run.attempts) for run in expected
        ]

    def compare_texts(self, store: Store, subject: str) -> None:
        model, no = self.model, self.model.subjects.get(subject)
        for thread in THREADS:
            shown = [(message.id, message.text) for message in store.journal.list_messages(subject, thread)]
            assert shown == [(message.id, message.text) for message in model.visible(subject, thread)]
        passages = [passage.text for passage in store.backend.list_passages(subject)]
        assert passages == [text for number, _, text in model.effects if number == no]
        block = store.backend.get_block(subject, LOG.label)
        assert ("" if block is None else block.value) == "\n".join(model.lines.get(no or 0, []))

    def learner(self, number: int | None) -> str:
        run = self.model.run(number)
        assert run is not None
        return run.learner


def _message(thread: str, name: str, text: str) -> Message:
    return Message(role="user", content=text, id=name, thread_id=thread)


@contextmanager
def answering() -> Iterator[list[str]]:
    outcome = ["done"]
    try:
        yield outcome
    except StaleClaimError:
        outcome.append("stale")
    except CrashError:
        outcome.append("crashed")


@pytest.fixture(scope="session")
def new_clocked_place(postgres: postgres_server.Server, postgres_connection: Any) -> NewPlace:
    """Gives an empty place in PostgreSQL, the same one each time, and what sets its clock to a second."""
    url, execute = f"{postgres.url()}?schema=clocked", postgres_connection.execute
    with closing(open_store(url)) as store:
        store.journal.stats()
    execute("CREATE TABLE clocked.clock(now BIGINT NOT NULL)")
    execute(
        "CREATE OR REPLACE FUNCTION clocked.now_us() RETURNS BIGINT LANGUAGE sql VOLATILE "
        "AS 'SELECT now FROM clocked.clock'"
    )

    def new_place() -> tuple[str, Callable[[int], None]]:
        execute("DELETE FROM clocked.clock; INSERT INTO clocked.clock VALUES (0)")
        execute("; ".join(f"DELETE FROM clocked.{table}" for table in (*SUBJECT_TABLES, "subject")))
        return url, lambda second: execute("UPDATE clocked.clock SET now = %s", (second * 1_000_000,))

    return new_place


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store whose clock stands still."""
    if request.param == "sqlite":
        store: Store = SQLiteStore(str(tmp_path / "memory.db"), clock=lambda: START)
    else:
        url, set_clock = request.getfixturevalue("new_clocked_place")()
        set_clock(START)
        store = open_store(url)
    with closing(store):
        yield store


@pytest.fixture
def journal_with_a_run(store: Store) -> Store:
    store.backend.create_subject("ann", [LOG])
    store.journal.append("ann", [Message(role="user", content="hello")], learner="rules", policy=AT_ONCE)
    return store


def test_what_a_process_held_that_died_on_this_machine_is_taken_over_at_once(journal_with_a_run: Store) -> None:
    journal = journal_with_a_run.journal
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    owner = f"{process_owner().rpartition(':')[0]}:{gone.pid}"
    late = journal.claim("rules", owner=owner, lease=LEASE)
    assert late is not None
    assert journal.next_due("rules") <= 0  # type: ignore[operator]
    taken = journal.claim("rules", owner=process_owner(), lease=LEASE)
    assert taken is not None
    assert taken.messages == late.messages
    with pytest.raises(StaleClaimError):
        journal.hold(late)


@pytest.mark.parametrize("owner", ["another-machine:1", process_owner()], ids=["another machine", "this process"])
def test_what_a_process_holds_that_lives_or_cannot_be_seen_is_left_to_it(journal_with_a_run: Store, owner: str) -> None:
    journal = journal_with_a_run.journal
    held = journal.claim("rules", owner=owner, lease=LEASE)
    assert held is not None
    assert journal.claim("rules", owner=process_owner(), lease=LEASE, run_id=held.run.id) is None
    assert journal.next_due("rules") == LEASE


def test_a_learner_at_work_cannot_record_what_was_forgotten_meanwhile(journal_with_a_run: Store) -> None:
    journal = journal_with_a_run.journal
    journal.append("ann", [_message("t2", "a", "stay")], learner="rules", policy=AT_ONCE)
    held = journal.claim("rules", owner="elsewhere:1", lease=LEASE)
    assert held is not None
    journal.delete_thread("ann", "default", forget=True)
    with pytest.raises(StaleClaimError):
        journal.complete(held, edits=0, passages=0, skipped={}, usage=None)
    again = journal.claim("rules", owner="elsewhere:2", lease=LEASE)
    assert again is not None
    assert [message.text for message in again.messages] == ["stay"]


def test_what_an_absent_learner_left_lying_does_not_hold_up_another(journal_with_a_run: Store) -> None:
    journal = journal_with_a_run.journal
    left = journal.claim("rules", owner="elsewhere:1", lease=LEASE)
    assert left is not None
    journal.append("ann", [_message("t1", "a", "later")], learner="model", policy=AT_ONCE)
    assert journal.claim("model", owner="elsewhere:2", lease=LEASE) is None
    journal.postpone(left, error="no key", delay=60)
    other = journal.claim("model", owner="elsewhere:2", lease=LEASE)
    assert other is not None
    assert journal.claim("rules", owner="elsewhere:1", lease=LEASE, run_id=left.run.id) is None
    journal.complete(other, edits=0, passages=0, skipped={}, usage=None)
    back = journal.claim("rules", owner="elsewhere:1", lease=LEASE, run_id=left.run.id)
    assert back is not None
    assert back.messages == left.messages


def test_a_run_that_is_retried_collects_no_more_messages(journal_with_a_run: Store) -> None:
    journal = journal_with_a_run.journal
    held = journal.claim("rules", owner="elsewhere:1", lease=LEASE)
    assert held is not None
    journal.fail(held, error="broken")
    journal.retry_run(held.run.id)
    appended = journal.append("ann", [_message("t1", "a", "later")], learner="rules", policy=AT_ONCE)
    assert appended.run_id != held.run.id
    again = journal.claim("rules", owner="elsewhere:1", lease=LEASE)
    assert again is not None
    assert again.messages == held.messages


def test_a_run_that_somebody_waits_for_stays_due_when_more_is_said(store: Store) -> None:
    store.backend.create_subject("ann")
    patient = LearningPolicy(batch=100, idle=60, max_wait=600)
    store.journal.append("ann", [_message("t1", "a", "first")], learner="rules", policy=patient)
    assert store.journal.claim("rules", owner="elsewhere:1", lease=LEASE) is None
    store.journal.make_due(subject_id="ann")
    store.journal.append("ann", [_message("t1", "b", "second")], learner="rules", policy=patient)
    held = store.journal.claim("rules", owner="elsewhere:1", lease=LEASE)
    assert held is not None
    assert [message.text for message in held.messages] == ["first", "second"]


class SQLiteMachine(StoreMachine):
    def begin_place(self) -> None:
        self.folder = tempfile.TemporaryDirectory()

    def end_place(self) -> None:
        self.folder.cleanup()

    def open(self) -> Store:
        path = os.path.join(self.folder.name, "memory.db")
        return SQLiteStore(path, synchronous="normal", clock=lambda: float(self.model.now))


class PostgresMachine(StoreMachine):
    """Its time is that of the database, whose clock is replaced by a table."""

    new_place: NewPlace

    def begin_place(self) -> None:
        self.url, self.set_clock = type(self).new_place()
        self.shown = 0

    def open(self) -> Store:
        return open_store(self.url)

    def real(self, verb: str, process: str, *arguments: Any) -> Any:
        self.look_at_the_clock()
        return super().real(verb, process, *arguments)

    def real_append(self, *arguments: Any) -> None:
        self.look_at_the_clock()
        super().real_append(*arguments)

    def real_claim(self, *arguments: Any, **options: Any) -> Any:
        self.look_at_the_clock()
        return super().real_claim(*arguments, **options)

    def real_end(self, held: Held, *, crash_at: int | None) -> str:
        self.look_at_the_clock()
        return super().real_end(held, crash_at=crash_at)

    def real_on_claim(self, verb: str, held: Held, *arguments: Any) -> str:
        self.look_at_the_clock()
        return super().real_on_claim(verb, held, *arguments)

    def compare(self) -> None:
        self.look_at_the_clock()
        super().compare()

    def look_at_the_clock(self) -> None:
        if self.shown != self.model.now:
            self.shown = self.model.now
            self.set_clock(self.shown)


@pytest.fixture(scope="class")
def clocked_places(new_clocked_place: NewPlace) -> None:
    PostgresMachine.new_place = staticmethod(new_clocked_place)


TestSQLiteJournal = SQLiteMachine.TestCase
TestSQLiteJournal.settings = settings(
    max_examples=10 * ROUNDS,
    stateful_step_count=40,
    deadline=None,
    derandomize=not STRESS,
    suppress_health_check=list(HealthCheck),
)

TestPostgresJournal = pytest.mark.usefixtures("clocked_places")(PostgresMachine.TestCase)
TestPostgresJournal.settings = settings(TestSQLiteJournal.settings, max_examples=ROUNDS)
