"""A part of a batch, brought to a Letta agent once and followed to its end.

Letta takes the same message as often as it is sent and knows no key that would make a request safe to repeat. So every
sending has a mark of its own, which is in the journal before the request and in Letta's run from its first moment; and
after anything that leaves a doubt (a lost answer, an error, the death of the process that sent) the mark is looked for
before anything is sent again.

What remains uncertain: a server that takes a request and makes its run later than `settle` seconds after the request
was begun; and a process that is stopped for a while between the last look at its clock and the request, while another
process takes its run. Then a part can be learnt twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from uuid import uuid4

from ai_memory_integrations.backends.letta.inflight import InFlight, InFlightNotes, Sending
from ai_memory_integrations.backends.letta.remote import RemoteRun
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.errors import (
    AnswerLostError,
    BackendUnavailableError,
    GoneFromServerError,
    LearningError,
    ModelUnavailableError,
    ServerConflictError,
    StaleClaimError,
)
from ai_memory_integrations.ports import Journal
from ai_memory_integrations.types import Run

logger = logging.getLogger("ai_memory_integrations.letta")

MARK = "ami:"
_LOOKED_AT = 100  # runs of an agent, newest first: between a sending and the look for it there are not so many
_FRESH_SECONDS = 5.0  # a request that is not begun by then is not begun: another process may have looked for it
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0

# What Letta says of a failure that will be the same the next time. Any other is worth another attempt.
_LASTING = (
    "CONTEXT_WINDOW_EXCEEDED",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "PAYMENT_REQUIRED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
)


@dataclass(frozen=True)
class Patience:
    """Seconds. A request that was begun `settle` ago and is not to be seen has not arrived. A run that has not ended
    after `run` never will: the server was stopped meanwhile. Between looks at a run `poll` pass at most."""

    settle: float = 10.0
    run: float = 600.0
    poll: float = _LONGEST_PAUSE


PATIENCE = Patience()


class Undelivered(LearningError):  # noqa: N818 - it is a LearningError whose Letta run came to nothing
    """Letta's run ended without having done its work, and whatever it did is to be undone."""


class Delivery:
    """Brings parts of the batch of one run to its agent."""

    def __init__(
        self,
        server: LettaServer,
        journal: Journal,
        inflight: InFlightNotes,
        run: Run,
        agent_id: str,
        *,
        patience: Patience,
        exclusive: bool = False,
        pause: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._journal = journal
        self._inflight = inflight
        self._run = run
        self._agent_id = agent_id
        self._patience = patience
        self._exclusive = exclusive
        self._pause = pause
        self._now = now

    def deliver(self, state: InFlight, number: int, text: str) -> InFlight:
        """What is under way when the part is learnt.

        Raises: Undelivered; StaleClaimError when the run is no longer this process's; errors of the server, after
        which to call it again.
        """
        part = state.part(number)
        found = None if part is None else self._found(part)
        if found is None:
            state, found = self._send(state, number, text)
        else:
            state = self._known(state, number, found)
        ended = self._followed(found, _part(state, number).at)
        if ended.status == "completed":
            part = replace(_part(state, number), stop_reason=ended.stop_reason or "completed")
            return self._change(state, state.with_part(number, part))
        raise _undelivered(ended)

    def _send(self, state: InFlight, number: int, text: str) -> tuple[InFlight, RemoteRun]:
        self.make_room(again=state.part(number) is not None)
        mark = f"{MARK}{self._run.id}.{number}.{uuid4().hex[:8]}"
        part = Sending(mark, self._now())
        state = self._change(state, state.with_part(number, part))
        if self._now() - part.at > _FRESH_SECONDS:
            raise ModelUnavailableError("this process was stopped for a while; the run is taken up again")
        try:
            found = self._server.send(self._agent_id, text, mark=mark)
        except AnswerLostError:
            looked_for = self._found(part)
            if looked_for is None:
                raise
            found = looked_for
        except ServerConflictError as error:  # its agent is busy
            raise BackendUnavailableError(str(error)) from error
        return self._known(state, number, found), found

    # what is there already

    def _found(self, part: Sending) -> RemoteRun | None:
        """The run of a part that may have been sent; None when it was not, for sure or after `settle` seconds."""
        if part.letta_run is not None:
            return self._server.get_run(part.letta_run)
        while True:
            runs = self._server.list_runs(self._agent_id, limit=_LOOKED_AT)
            for run in runs:
                if run.mark == part.mark:
                    return run
            waited = self._now() - part.at
            if not 0 <= waited < self._patience.settle:
                break
            self._pause(min(self._patience.settle - waited, _LONGEST_PAUSE))
        if any(run.mark is None and not run.ended for run in runs):
            self.wait_for_others()  # a server that keeps no marks: one of them may be ours, and then says so
        for message in self._server.list_messages(self._agent_id, limit=_LOOKED_AT):
            if message.otid == part.mark and message.run_id is not None:
                return self._server.get_run(message.run_id)
        return None

    def make_room(self, *, again: bool = False) -> None:
        """Wait until no run is at work on the agent, unless none can be: nobody else uses it, this part was not sent
        before (*again*), and of all runs of ours the end was seen."""
        subject = self._run.subject_id
        if again or not self._exclusive or self._inflight.is_in_doubt(subject):
            self.wait_for_others()
            self._inflight.is_clear(subject)

    def wait_for_others(self) -> None:
        """Wait until no run is at work on the agent. Runs that we left behind are ended; of others that take longer
        than any run does it is assumed that they have died with their server."""
        deadline = self._now() + self._patience.run
        for pause in self._pauses():
            active = self._server.list_runs(self._agent_id, active=True)
            ours = [run for run in active if self._is_left_behind(run)]
            if ours:
                logger.warning("ending runs that were left behind at Letta: %s", ", ".join(run.id for run in ours))
                self._server.cancel_runs(self._agent_id, [run.id for run in ours])
            others = [run for run in active if run not in ours and not self._is_old(run)]
            if not others:
                return
            if self._now() >= deadline:
                raise ModelUnavailableError(f"run {others[0].id} of somebody else keeps agent {self._agent_id} busy")
            self._check_wanted()
            self._pause(pause)

    def _is_left_behind(self, run: RemoteRun) -> bool:
        """Whether a run is of this journal: of its runs only this one may be at work, and it has not been sent."""
        if run.mark is None or not run.mark.startswith(MARK):
            return False
        return self._journal.get_run(run.mark[len(MARK) :].split(".", 1)[0]) is not None

    def _is_old(self, run: RemoteRun) -> bool:
        return run.created_at is not None and self._now() - run.created_at.timestamp() > self._patience.run

    # to the end

    def _followed(self, run: RemoteRun, sent_at: float) -> RemoteRun:
        """The run when it has ended, or when it never will; that one is cancelled."""
        deadline = min(self._now(), sent_at) + self._patience.run
        for pause in self._pauses():
            if run.ended:
                return run
            if self._now() >= deadline:
                self._server.cancel_runs(self._agent_id, [run.id])
                return replace(run, status="failed", error=f"it did not end within {self._patience.run:g} seconds")
            self._check_wanted(run)
            self._pause(pause)
            looked_at = self._server.get_run(run.id)
            if looked_at is None:
                raise GoneFromServerError("read a run", 404, f"{run.id} is gone with its agent.")
            run = looked_at
        raise AssertionError("there is no last pause")

    def _pauses(self) -> Iterable[float]:
        pause = _FIRST_PAUSE
        while True:
            yield pause
            pause = min(pause * 1.5, self._patience.poll)

    def _check_wanted(self, run: RemoteRun | None = None) -> None:
        """Raises: Undelivered when the journal's run was cancelled, StaleClaimError when it went elsewhere."""
        known = self._journal.get_run(self._run.id)
        if known is not None and known.state == "running":
            return
        if run is not None and (known is None or known.state == "cancelled"):
            self._server.cancel_runs(self._agent_id, [run.id])
            raise Undelivered("the run was cancelled")
        raise StaleClaimError(self._run.id)

    # the journal

    def _known(self, state: InFlight, number: int, found: RemoteRun) -> InFlight:
        part = _part(state, number)
        if part.letta_run == found.id:
            return state
        try:
            return self._change(state, state.with_part(number, replace(part, letta_run=found.id)))
        except StaleClaimError:
            self._check_wanted(found)  # it may have been cancelled while it was sent
            raise

    def _change(self, known: InFlight, new: InFlight) -> InFlight:
        self._inflight.change(self._run, known, new)
        return new


def _part(state: InFlight, number: int) -> Sending:
    return state.parts[str(number)]


def _undelivered(run: RemoteRun) -> Undelivered:
    if run.status == "cancelled":
        return Undelivered(f"Letta's run {run.id} was cancelled there", final=True)
    reason = run.error or (run.stop_reason and f"it stopped because of {run.stop_reason}") or "it gave no reason"
    return Undelivered(f"Letta's run {run.id} failed: {reason}", final=reason.startswith(_LASTING))
