"""Learning: runs, waiting for them, what they cost."""

from __future__ import annotations

import time
from datetime import datetime
from typing import get_args

from ai_memory_integrations.door import aware, check_seconds, optional_count, wanted_id
from ai_memory_integrations.errors import InvalidInputError, RunFailedError, RunNotFoundError, RunTimeoutError
from ai_memory_integrations.memory.bound import Bound
from ai_memory_integrations.subjects import SubjectId, subject_id_of
from ai_memory_integrations.types import Run, RunState, Stats, Usage
from ai_memory_integrations.waiting import Steps, pauses, sleep_through

ASK_SECONDS = 0.25
DRAIN_SECONDS = 2 * 3600.0  # no model that is busy is waited for so long
EMBEDDED_SECONDS = 5.0


class RunMethods(Bound):
    """Looking at runs, waiting for them, deciding about them."""

    def get_run(self, run_id: str) -> Run | None:
        """A run as it stands; None when it is not known."""
        return self._core.store.journal.get_run(wanted_id(run_id, "run_id"))

    def list_runs(
        self,
        subject_id: SubjectId | None = None,
        *,
        state: RunState | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Runs, newest first: of the subject given or bound, else of all."""
        subject = self._bound if subject_id is None else subject_id_of(subject_id)
        if state is not None and state not in get_args(RunState):
            raise InvalidInputError(f"state {state!r} is not known: use one of {', '.join(get_args(RunState))}")
        return self._core.store.journal.list_runs(subject, state=state, limit=optional_count(limit))

    def usage(self, subject_id: SubjectId | None = None, *, since: datetime | None = None) -> dict[str, Usage]:
        """What learning has spent by subject: of the one given or bound, else of all that it cost something. With
        *since* only what runs have spent that ended or were tried since then.

        Raises: InvalidInputError when *since* has no zone.
        """
        subject = self._bound if subject_id is None else subject_id_of(subject_id)
        return self._core.store.journal.usage(subject, since=None if since is None else aware(since, "since"))

    def wait_for_run(self, run_id: str, timeout: float = 300) -> Run:
        """The run when it is completed; it is made due now. What was said is then found by meaning as well, unless this
        process has so much to embed that it takes more than five seconds.

        Raises: RunFailedError when it failed or was cancelled; RunTimeoutError after *timeout* seconds (the run goes
        on); RunNotFoundError.
        """
        return sleep_through(self._wait_steps(run_id, timeout))

    def retry_run(self, run_id: str) -> Run:
        """A failed run, to be learnt again now. Raises: RunNotFoundError."""
        run = self._core.store.journal.retry_run(wanted_id(run_id, "run_id"))
        self._core.scheduler.ask([run_id])
        return run

    def cancel_run(self, run_id: str) -> Run:
        """A run that has not completed, cancelled: its messages stay in their threads and are not learnt.

        Raises: RunNotFoundError.
        """
        return self._core.store.journal.cancel_run(wanted_id(run_id, "run_id"))

    def flush(self, subject_id: SubjectId | None = None, timeout: float = 300) -> list[Run]:
        """Learn now what waits for a subject and this memory's learner; the runs that did, [] when nothing waited.

        Raises: RunFailedError, RunTimeoutError.
        """
        return sleep_through(self._flush_steps(self._subject(subject_id), timeout))

    def make_due(self, subject_id: SubjectId | None = None) -> list[str]:
        """Have what waits for a subject learnt now, without waiting for it; the runs that will. With learning="off"
        they go on waiting until somebody waits for them."""
        run_ids = self._core.store.journal.make_due(subject_id=self._subject(subject_id))
        if run_ids and self._core.policy.mode != "off":
            self._core.scheduler.ask(run_ids)
        return run_ids

    def drain(self, timeout: float | None = None) -> bool:
        """Learn now everything that waits for this memory's learner, and embed what has no vector yet. False when
        *timeout* seconds were not enough, or when what is left waits for tomorrow's budget. Runs that failed stay as
        they are."""
        return sleep_through(self._drain_steps(timeout))

    def stats(self) -> Stats:
        """Counts for a health endpoint."""
        store = self._core.store
        embedding = store.vectors.waiting() if store.vectors is not None and self._core.indexer is not None else 0
        return store.journal.stats().model_copy(update={"embedding": embedding})

    def _wait_steps(self, run_id: str, timeout: float) -> Steps[Run]:
        journal = self._core.store.journal
        run_id = wanted_id(run_id, "run_id")
        deadline = time.monotonic() + check_seconds(timeout, "timeout")
        asked = float("-inf")
        due = False
        for pause in pauses():
            run = journal.get_run(run_id)
            if run is None:
                raise RunNotFoundError(run_id)
            if run.state == "completed":
                yield from self._embedded_steps(deadline)
                return run
            if run.ended:
                raise RunFailedError(run)
            if time.monotonic() >= deadline:
                raise RunTimeoutError(run_id, timeout, self._why_waiting(run))
            if not due:
                due = True
                journal.make_due(run_id=run_id, postponed=False)  # one that failed waits for its next attempt
            if time.monotonic() - asked >= ASK_SECONDS:
                # Again and again: another run of the subject may have been in work when it was asked for.
                asked = time.monotonic()
                self._core.scheduler.ask([run_id])
            yield pause
        raise AssertionError("pauses() has no end")

    def _embedded_steps(self, deadline: float) -> Steps[None]:
        """Until nothing is embedded here any more; what others have written may be a lot, so only for a while."""
        until = min(deadline, time.monotonic() + EMBEDDED_SECONDS)
        for pause in pauses():
            if not self._core.embedding or time.monotonic() >= until:
                return
            yield pause

    def _why_waiting(self, run: Run) -> str | None:
        if run.learner != self._core.learner.name:
            return f"it waits for the learner {run.learner!r}, here is {self._core.learner.name!r}"
        return None if run.error is None else f"last error: {run.error}"

    def _flush_steps(self, subject: str, timeout: float) -> Steps[list[Run]]:
        deadline = time.monotonic() + check_seconds(timeout, "timeout")
        done: list[Run] = []
        journal = self._core.store.journal
        for run_id in journal.make_due(subject_id=subject):
            run = journal.get_run(run_id)
            if run is None or run.learner != self._core.learner.name:
                continue  # it waits for a learner that is not here: `doctor` says so
            done.append((yield from self._wait_steps(run_id, max(0.0, deadline - time.monotonic()))))
        return done

    def _drain_steps(self, timeout: float | None) -> Steps[bool]:
        core = self._core
        journal = core.store.journal
        deadline = None if timeout is None else time.monotonic() + check_seconds(timeout, "timeout")
        run_ids = journal.make_due()
        core.scheduler.ask(run_ids)
        indexer = core.indexer
        if indexer is not None:
            indexer.added()
        asked = time.monotonic()
        learnt = False
        for pause in pauses():
            if time.monotonic() - asked >= ASK_SECONDS:
                asked = time.monotonic()
                core.scheduler.ask(run_ids)
            if not learnt:
                learnt = not journal.pending(core.learner.name)
                if learnt and indexer is not None:
                    indexer.added()  # what was archived last, maybe after its last look
            if not learnt:
                due = journal.next_due(core.learner.name)
                if due is not None and (due > DRAIN_SECONDS or core.scheduler.waits_for_tomorrow(due)):
                    return False
            elif indexer is None or not indexer.busy:
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False
            yield pause
        raise AssertionError("pauses() has no end")
