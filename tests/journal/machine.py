"""Two processes that add, learn, crash and are late, in any order: the journal's rules under Hypothesis.

`JournalMachine` plays the model alone and keeps a ledger of its own, so that the design itself is on trial. A
subclass sets beside it what is to be compared; each rule is told to both, and both must answer alike.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, TypedDict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from journal.model import Claim, Model, Stale

SUBJECTS = ("ann", "bob")
THREADS = ("t1", "t2")
LEARNERS = ("rules", "model")
PROCESSES = ("A", "B")
LEASE = 15
START = 1_800_000_000

# Most of it happens to one subject in one thread: that is where things meet.
subjects = st.sampled_from(("ann", "ann", "ann", "bob"))
threads = st.sampled_from(("t1", "t1", "t2"))
processes = st.sampled_from(PROCESSES)
learners = st.sampled_from(("rules",) * 4 + ("model",))
ids = st.lists(st.sampled_from("abcdef"), max_size=4)
policies = st.sampled_from(((1, 0, 0), (1, 0, 0), (3, 30, 100), (8, 5, 7)))
picks = st.integers(0, 5)


class CrashError(Exception):
    """The process dies here."""


class Options(TypedDict):
    learner: str
    learn: bool
    batch: int
    idle: int
    max_wait: int


@dataclass
class Held:
    """A claim in the memory of a process: the model's and, where there is one, the real one."""

    process: str
    claim: Claim
    real: Any = None


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model(START)
        self.held: list[Held] = []
        self.owed: set[int] = set()  # serials that were acknowledged, are to be learnt and were not given up on request
        self.given_up: set[int] = set()
        self.words = 0

    # What a subclass does beside the model. Ends answer "done", "stale" or "crashed".

    beside = False

    def restart(self, process: str) -> None: ...

    def real(self, verb: str, process: str, *arguments: Any) -> Any:
        return None

    def real_append(
        self, process: str, subject: str, said: list[tuple[str, str, str]], options: Options, run: int, new: int
    ) -> None: ...

    def real_claim(self, process: str, learner: str, subject: str | None, claim: Claim | None, *, crash: bool) -> Any:
        return None

    def real_end(self, held: Held, *, crash_at: int | None) -> str:
        raise NotImplementedError

    def real_on_claim(self, verb: str, held: Held, *arguments: Any) -> str:
        raise NotImplementedError

    def compare(self) -> None: ...

    # saying things

    @initialize()
    def begin(self) -> None:
        for subject in SUBJECTS:
            self.create_subject("A", subject)

    def create_subject(self, process: str, subject: str) -> None:
        self.model.create_subject(subject)
        self.real("create_subject", process, subject)

    @rule(process=processes, subject=subjects, thread=threads, ids=ids, learner=learners, policy=policies,
          learn=st.sampled_from((True, True, True, True, False)))  # fmt: skip
    def add(self, process: str, subject: str, thread: str, ids: list[str], learner: str, policy: tuple[int, int, int],
            learn: bool) -> None:  # fmt: skip
        if subject not in self.model.subjects:
            self.create_subject(process, subject)
        said = [(name, self.word()) for name in ids]
        batch, idle, max_wait = policy
        options = Options(learner=learner, learn=learn, batch=batch, idle=idle, max_wait=max_wait)
        run, new = self.model.append(subject, thread, said, **options)
        if learn:
            self.owed.update(new)
        self.real_append(process, subject, [(thread, name, text) for name, text in said], options, run, len(new))

    def word(self) -> str:
        self.words += 1
        return f"w{self.words}"

    # learning

    @rule(process=processes, learner=learners, subject=st.one_of(st.none(), st.none(), subjects))
    def claim(self, process: str, learner: str, subject: str | None) -> None:
        claim = self.model.claim(learner, LEASE, subject)
        real = self.real_claim(process, learner, subject, claim, crash=False)
        if claim is not None:
            self.held.append(Held(process, claim, real))

    @precondition(lambda self: self.held)
    @rule(pick=picks)
    def end(self, pick: int) -> None:
        """Also the end of a process that was only slow: its lease may be over and its run in other hands."""
        self.end_at(self.held.pop(pick % len(self.held)), None)

    @rule(process=processes, learner=learners, when=st.sampled_from(("idle", "claiming", 0, 1, 2, 3, "ended")))
    def crash(self, process: str, learner: str, when: str | int) -> None:
        """A number: while it ends a run, behind the token's check, the passages, the block, or the run's end."""
        held = next((held for held in self.held if held.process == process), None)
        if when == "claiming":
            self.crash_before_the_claim_is_committed(process, learner)
        elif held is not None and when != "idle":
            self.end_at(held, when if isinstance(when, int) else None)
        self.lose(process)

    def crash_before_the_claim_is_committed(self, process: str, learner: str) -> None:
        try:
            with self.model.transaction():
                claim = self.model.claim(learner, LEASE)
                raise CrashError
        except CrashError:
            self.real_claim(process, learner, None, claim, crash=True)

    def lose(self, process: str) -> None:
        """What a process knew is gone; what it held is taken over when its lease has run out."""
        self.held = [held for held in self.held if held.process != process]
        self.restart(process)

    def end_at(self, held: Held, crash_at: int | None) -> None:
        outcome = self.end_in_model(held, crash_at)
        if self.beside:
            assert self.real_end(held, crash_at=crash_at) == outcome

    def end_in_model(self, held: Held, crash_at: int | None) -> str:
        def reached(step: int) -> None:
            if step == crash_at:
                raise CrashError

        model, claim = self.model, held.claim
        try:
            with model.transaction():
                run = model.hold(claim)
                reached(0)
                model.effects.extend((run.subject, serial, text) for serial, text in claim.messages)
                reached(1)
                model.lines.setdefault(run.subject, []).extend(text for _, text in claim.messages)
                reached(2)
                model.complete(claim)
                reached(3)
        except Stale:
            return "stale"
        except CrashError:
            return "crashed"
        return "done"

    @precondition(lambda self: self.held)
    @rule(pick=picks, verb=st.sampled_from(("renew", "postpone", "fail")), delay=st.sampled_from((1, 20)))
    def tell(self, pick: int, verb: str, delay: int) -> None:
        held = self.held[pick % len(self.held)]
        arguments = {"renew": (LEASE,), "postpone": (delay,), "fail": ()}[verb]
        try:
            getattr(self.model, verb)(held.claim, *arguments)
            outcome = "done"
        except Stale:
            outcome = "stale"
        if self.beside:
            assert self.real_on_claim(verb, held, *arguments) == outcome

    # time

    @rule(seconds=st.sampled_from((1, 6, 16, 40, 400, -1, -10, -5000)))
    def the_clock_moves(self, seconds: int) -> None:
        self.model.now += seconds

    # requests of the application

    @precondition(lambda self: self.model.runs)
    @rule(process=processes, pick=picks, verb=st.sampled_from(("retry_run", "retry_run", "cancel_run")))
    def decide_on_a_run(self, process: str, pick: int, verb: str) -> None:
        failed = [run for run in self.model.runs if run.state == "failed"]
        runs = failed if failed and verb == "retry_run" else self.model.runs
        run = runs[-1 - pick % len(runs)]
        if verb == "cancel_run" and run.state != "completed":
            self.give_up(message.serial for message in self.model.waiting(run.no))
        getattr(self.model, verb)(run.no)
        self.real(verb, process, run.no)

    @rule(process=processes, subject=subjects, thread=threads, ids=ids, verb=st.sampled_from((
        "clear_thread", "delete_messages", "set_messages", "delete_thread", "forget_thread")))  # fmt: skip
    def change_a_thread(self, process: str, subject: str, thread: str, ids: list[str], verb: str) -> None:
        model = self.model
        count = None
        match verb:
            case "clear_thread":
                arguments: tuple[Any, ...] = ()
                count = model.hide(subject, thread)
            case "delete_messages":
                arguments = (ids,)
                count = model.hide(subject, thread, ids)
            case "set_messages":
                if subject not in model.subjects:
                    return
                said = [(name, self.word()) for name in ids]
                arguments = (said,)
                model.set_messages(subject, thread, said)
            case _:
                if verb == "forget_thread":
                    messages = model.of(model.subjects.get(subject), thread)
                    self.give_up(message.serial for message in messages if message.state == "waiting")
                arguments = (verb == "forget_thread",)
                count = model.delete_thread(subject, thread, forget=verb == "forget_thread")
                verb = "delete_thread"
        assert self.real(verb, process, subject, thread, *arguments) in (None, count)

    @rule(process=processes, subject=subjects, verb=st.sampled_from(("make_due", "make_due", "reset", "delete")))
    def change_a_subject(self, process: str, subject: str, verb: str) -> None:
        no = self.model.subjects.get(subject)
        if verb == "make_due":
            self.model.make_due(subject)
        elif verb == "reset":
            self.model.lines.pop(no or 0, None)
        else:
            gone = {message.serial for message in self.model.messages if message.subject == no}
            self.give_up(gone | {serial for number, serial, _ in self.model.effects if number == no})
            self.model.delete_subject(subject)
        self.real(verb, process, subject)

    def give_up(self, serials: Any) -> None:
        self.given_up.update(serials)
        self.owed -= self.given_up

    # what always holds

    @invariant()
    def nothing_acknowledged_is_lost_and_nothing_learnt_twice(self) -> None:
        learnt = Counter(serial for _, serial, _ in self.model.effects)
        waiting = {m.serial for m in self.model.messages if m.state == "waiting"}
        assert all(count == 1 for count in learnt.values())
        assert not waiting & learnt.keys()
        assert self.owed <= waiting | learnt.keys()
        assert not self.given_up & (waiting | learnt.keys())

    @invariant()
    def what_waits_is_in_a_run_that_can_still_be_learnt(self) -> None:
        for message in self.model.messages:
            if message.state == "waiting":
                run = self.model.run(message.run)
                assert run is not None
                assert run.state in ("created", "running", "failed")
                assert run.subject == message.subject

    @invariant()
    def a_subject_is_learnt_by_one_process_at_a_time(self) -> None:
        running = Counter(run.subject for run in self.model.runs if run.state == "running")
        assert all(count == 1 for count in running.values())
        able = Counter(run.subject for run in self.model.runs for held in self.held if self.good(held.claim, run.no))
        assert all(count == 1 for count in able.values())

    def good(self, claim: Claim, run: int) -> bool:
        try:
            return self.model.hold(claim).no == run
        except Stale:
            return False

    @invariant()
    def both_show_the_same(self) -> None:
        if self.beside:
            self.compare()

    def teardown(self) -> None:
        """Whatever happened: once the crashed are replaced and time has passed, everything owed is learnt once."""
        for process in PROCESSES:
            self.lose(process)
        for run in [run for run in self.model.runs if run.state == "failed"]:
            self.model.retry_run(run.no)
            self.real("retry_run", "A", run.no)
        for learner in LEARNERS * 2:
            self.the_clock_moves(400)
            while self.model.claimable(learner):
                self.claim("A", learner, None)
                self.end(0)
        assert not any(message.state == "waiting" for message in self.model.messages)
        assert self.owed <= {serial for _, serial, _ in self.model.effects}
        self.both_show_the_same()
