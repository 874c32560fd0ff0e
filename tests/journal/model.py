"""The journal in a page of plain Python: what `ports.Journal` has to mean, kept in lists. Seconds are whole numbers.

Verbs have the names and the meaning of `ports.Journal`. Subjects are numbered, so that a subject made again under
its old name is another one. `effects` and `lines` are what learning leaves behind, in the
transaction that ends a run.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

NEVER = 10**12


class Stale(Exception):
    """A claim that somebody else took over, or that was taken away."""


@dataclass
class Message:
    serial: int  # which acknowledged message this is; never used twice
    subject: int
    thread: str | None  # None: its thread was deleted, it only waits to be learnt
    id: str
    text: str
    place: int  # order within the journal
    run: int | None
    state: Literal["kept", "waiting", "learnt", "dropped"]
    visible: bool = True


@dataclass
class Run:
    no: int
    subject: int
    learner: str
    created: int
    due: int = NEVER
    patience: int = 0  # the longest time that `due` was ever set ahead
    state: Literal["created", "running", "completed", "failed", "cancelled"] = "created"
    sealed: bool = False  # its batch is fixed: it collects no more messages
    token: int | None = None
    lease: int = 0
    lease_until: int = 0
    attempts: int = 0


@dataclass(frozen=True)
class Claim:
    run: int
    token: int
    messages: tuple[tuple[int, str], ...]  # serial and text, in order


@dataclass
class Model:
    now: int
    subjects: dict[str, int] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    effects: list[tuple[int, int, str]] = field(default_factory=list)  # passages: subject, serial, text
    lines: dict[int, list[str]] = field(default_factory=dict)  # the lines of a block of each subject
    count: int = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = copy.deepcopy(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.update(before)
            raise

    def next(self) -> int:
        self.count += 1
        return self.count

    # messages

    def append(
        self, subject: str, thread: str, said: Sequence[tuple[str, str]], *, learner: str,
        batch: int, idle: int, max_wait: int, learn: bool = True,
    ) -> tuple[int, list[int]]:  # fmt: skip
        no = self.subjects[subject]
        run = self.open_run(no, learner)
        kept = [self.keep(no, thread, name, text, run.no if learn else None) for name, text in said]
        new = [message.serial for message in kept if message]
        arrived = len(new) if learn else 0
        waiting = len(self.waiting(run.no))
        run.patience = max_wait
        if run.due > self.now and waiting >= batch:
            run.due = self.now
        elif run.due > self.now and (arrived or not waiting):  # who asked for it to be due now keeps what he asked
            run.due = min(run.created + max_wait, self.now + idle)
        return run.no, new

    def open_run(self, subject: int, learner: str) -> Run:
        for run in self.runs:
            if (run.subject, run.learner, run.state, run.sealed) == (subject, learner, "created", False):
                return run
        self.runs.append(Run(self.next(), subject, learner, self.now))
        return self.runs[-1]

    def keep(self, subject: int, thread: str, name: str, text: str, run: int | None) -> Message | None:
        for seen in self.of(subject, thread):
            if seen.id == name:
                if not seen.visible:
                    seen.visible, seen.text, seen.place = True, text, self.next()
                return None
        state: Literal["kept", "waiting"] = "kept" if run is None else "waiting"
        self.messages.append(Message(self.next(), subject, thread, name, text, self.next(), run, state))
        return self.messages[-1]

    def hide(self, subject: str, thread: str, ids: Iterable[str] | None = None) -> int:
        """`clear_thread` and `delete_messages`: out of sight; identities stay; what waits is still learnt."""
        gone = [m for m in self.visible(subject, thread) if ids is None or m.id in ids]
        for message in gone:
            message.visible = False
        return len(gone)

    def set_messages(self, subject: str, thread: str, said: Sequence[tuple[str, str]]) -> None:
        self.hide(subject, thread)
        for name, text in said:
            self.keep(self.subjects[subject], thread, name, text, None)

    def delete_thread(self, subject: str, thread: str, *, forget: bool) -> int:
        visible = len(self.visible(subject, thread))
        for message in self.of(self.subjects.get(subject), thread):
            if message.state == "waiting" and not forget:
                message.thread, message.visible = None, False
                continue
            run = self.run(message.run)
            if message.state == "waiting" and run and run.state == "running":  # its learner must not end with it
                run.token, run.lease_until = None, 0
            self.messages.remove(message)
        return visible

    # runs

    def claim(self, learner: str, lease: int, subject: str | None = None) -> Claim | None:
        run = self.claimable(learner, subject)
        if run is None:
            return None
        for other in self.runs:  # what a process with another learner left lying: its learner takes it up again later
            if other.subject == run.subject and other.state == "running" and other is not run:
                other.state, other.sealed, other.token, other.lease_until = "created", True, None, 0
        run.state, run.token, run.lease, run.lease_until = "running", self.next(), lease, self.now + lease
        run.attempts += 1
        return Claim(run.no, run.token, tuple((m.serial, m.text) for m in self.waiting(run.no)))

    def claimable(self, learner: str, subject: str | None = None) -> Run | None:
        """The run that `claim` takes: the one longest due, or of a subject that is named, due or not."""
        found = [
            run
            for run in self.runs
            if run.learner == learner and (subject is None or run.subject == self.subjects.get(subject))
            if subject is not None or run.due <= self.now or run.due > self.now + run.patience
            if (run.state == "running" and self.loose(run)) or (run.state == "created" and self.free(run))
        ]
        return min(found, key=lambda run: (run.due, run.no), default=None)

    def free(self, run: Run) -> bool:
        others = [other for other in self.runs if other.subject == run.subject and other.state == "running"]
        return all(other.learner != run.learner and self.loose(other) for other in others)

    def loose(self, run: Run) -> bool:
        """Nobody holds it, or no longer; a lease longer than it was given comes from a clock since put back."""
        return run.lease_until <= self.now or run.lease_until > self.now + run.lease

    def hold(self, claim: Claim) -> Run:
        run = self.run(claim.run)
        if run is None or run.state != "running" or run.token != claim.token:
            raise Stale
        return run

    def renew(self, claim: Claim, lease: int) -> None:
        run = self.hold(claim)
        run.lease, run.lease_until = lease, self.now + lease

    def complete(self, claim: Claim) -> None:
        self.end(self.hold(claim), "completed", "learnt")

    def end(self, run: Run, state: Literal["completed", "cancelled"], fate: Literal["learnt", "dropped"]) -> None:
        run.state, run.token = state, None
        for message in self.waiting(run.no):
            message.state = fate
            if message.thread is None:
                self.messages.remove(message)

    def postpone(self, claim: Claim, delay: int) -> None:
        run = self.hold(claim)
        run.due, run.patience, run.token, run.lease_until = self.now + delay, delay, None, 0

    def fail(self, claim: Claim) -> None:
        run = self.hold(claim)
        run.state, run.token, run.lease_until = "failed", None, 0

    def make_due(self, subject: str) -> None:
        for run in self.runs:
            if run.subject == self.subjects.get(subject) and run.state in ("created", "running"):
                run.due = min(run.due, self.now)

    def retry_run(self, no: int) -> None:
        run = self.run(no)
        if run and run.state == "failed":
            run.state, run.sealed, run.due, run.patience, run.attempts = "created", True, self.now, 0, 0

    def cancel_run(self, no: int) -> None:
        run = self.run(no)
        if run and run.state in ("created", "running", "failed"):
            self.end(run, "cancelled", "dropped")

    # subjects

    def create_subject(self, subject: str) -> None:
        self.subjects.setdefault(subject, self.next())

    def delete_subject(self, subject: str) -> None:
        no = self.subjects.pop(subject, None)
        self.messages = [message for message in self.messages if message.subject != no]
        self.runs = [run for run in self.runs if run.subject != no]
        self.effects = [effect for effect in self.effects if effect[0] != no]

    # what can be seen

    def run(self, no: int | None) -> Run | None:
        return next((run for run in self.runs if run.no == no), None)

    def of(self, subject: int | None, thread: str) -> list[Message]:
        return [m for m in self.messages if m.subject == subject and m.thread == thread]

    def waiting(self, run: int) -> list[Message]:
        return sorted((m for m in self.messages if m.run == run and m.state == "waiting"), key=lambda m: m.place)

    def visible(self, subject: str, thread: str) -> list[Message]:
        found = [m for m in self.of(self.subjects.get(subject), thread) if m.visible]
        return sorted(found, key=lambda m: m.place)
