"""When learning happens: claims runs that are due, has the learner work on them, ends them.

Start and end of a run are transactions of the journal; between them the learner works with no lock held and in an
empty context, so that a model it calls cannot stream into the graph of whoever added the messages.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from ai_memory_integrations.errors import (
    AIMemoryError,
    BackendError,
    BackendUnavailableError,
    LearningCutShortError,
    LearningError,
    ReadOnlyBlockError,
    StaleClaimError,
)
from ai_memory_integrations.forking import at_work
from ai_memory_integrations.learning import edits
from ai_memory_integrations.learning.failures import LONGEST_WAIT
from ai_memory_integrations.learning.function import asking
from ai_memory_integrations.ports import Backend, Change, Claim, ContextLearner, Journal, Learner, RunLearner
from ai_memory_integrations.types import Archive, Block, Learned, LearningPolicy, Message, Passage, Usage

logger = logging.getLogger("ai_memory_integrations.learning")

LEASE_SECONDS = 15.0
POLL_SECONDS = 2.0
_REBASES = 3
_BEFORE = 2  # messages of a thread: a question, and what was said before it
_DEATHS = 4  # how many times as often as a failing learner one that never ends is tried
_LONGEST_AWAY = 60.0  # seconds between two looks whether a learner's place is there again
_CUT_SHORT_ATTEMPTS = 2  # each costs all that a learner may spend, and the next is likely to end as this one


class Scheduler:
    """Learns what waits in a journal, in threads that never keep a process alive.

    *owner* names this process as the holder of a claim; *archived* is called when a run has archived passages.
    """

    def __init__(
        self,
        backend: Backend,
        journal: Journal,
        learner: Learner,
        policy: LearningPolicy,
        *,
        owner: str,
        archived: Callable[[], None] = lambda: None,
    ) -> None:
        self._backend = backend
        self._journal = journal
        self._learner = learner
        self._ask = asking(learner)
        self._knows_runs = isinstance(learner, RunLearner)
        self._wants_context = isinstance(learner, ContextLearner) and not self._knows_runs
        self._policy = policy
        self._owner = owner
        self._archived = archived
        self._wake = threading.Condition()
        self._calls = 0
        self._stopping = False
        self._unattended = False
        self._workers: list[threading.Thread] = []
        self._held: dict[str, Claim] = {}
        self._heartbeat: threading.Thread | None = None
        self._told: dict[str, datetime] = {}
        self._away: dict[str, int] = {}
        self._asked: dict[str, None] = {}
        self._asked_worker: threading.Thread | None = None

    def added(self, run_id: str) -> None:
        """Messages were added to a run: learn it when it is due, as the policy says."""
        if self._policy.mode == "background":
            self._start()
        elif self._policy.mode == "inline":
            try:
                self.learn_due()
            except BackendError as error:  # the messages are kept: their caller must not take them for lost
                _say(error)

    def ask(self, run_ids: Iterable[str]) -> None:
        """Somebody waits for these runs: learn them now, whatever the mode; returns at once. May be called again."""
        if self._policy.mode == "background":
            self._start()
            return
        with self._wake:
            self._asked.update(dict.fromkeys(run_ids))
            if self._asked and self._asked_worker is None:
                self._asked_worker = self._thread(self._learn_asked, "ai-memory-learn-asked")
                self._asked_worker.start()

    def learn_due(self) -> int:
        """Learn in this thread what is due; how many runs that were."""
        count = 0
        while self.learn_next():
            count += 1
        return count

    def learn_next(self, *, run_id: str | None = None) -> bool:
        """Learn one run in this thread: the named one, due or not, or the next one due. False: nothing to do."""
        claim = self._journal.claim(self._learner.name, owner=self._owner, lease=LEASE_SECONDS, run_id=run_id)
        if claim is None:
            return False
        with self._holding(claim):
            try:
                if not self._over_budget(claim) and not self._given_up(claim):
                    self._work(claim)
            except StaleClaimError:
                logger.info("run %s went to another process or its subject was deleted", claim.run.id)
        return True

    def stop(self) -> None:
        """Take no more runs. A run in work is finished or taken over by the next process."""
        with self._wake:
            self._stopping = True
            self._calls += 1
            self._wake.notify_all()
        for worker in self._workers:
            if worker is not threading.current_thread():
                worker.join(timeout=1.0)

    def let_go(self) -> None:
        """Nobody uses this any more: come to an end when nothing waits. Takes no lock, because the garbage collector
        calls it in the middle of anything."""
        self._unattended = True

    # one run

    def _work(self, claim: Claim) -> None:
        spent: Usage | None = None  # over all rounds: what a discarded one cost was paid as well
        before = self._before(claim)
        for attempt in range(_REBASES):
            seen = self._seen(claim.subject_id)
            try:
                learned = self._learn(seen, claim, before)
            except Exception as error:  # noqa: BLE001 - a learner is anybody's code: what it raises goes on its run
                if isinstance(error, LearningError):
                    spent = _sum(spent, error.usage)
                self._failed(claim, error, spent)
                return
            except BaseException as error:  # Ctrl-C, or a learner that ends the process: the run is free at once
                self._failed(claim, error, spent)
                raise
            self._away.pop(claim.run.id, None)
            spent = _sum(spent, learned.usage)
            learned = learned.model_copy(update={"usage": spent})
            try:
                ended = self._end(claim, seen, learned, last=attempt == _REBASES - 1)
            except (StaleClaimError, BackendError):
                raise
            except Exception as error:  # noqa: BLE001 - an edit that cannot be applied or kept: the learner's mistake
                self._failed(claim, error, spent)
                return
            if ended:
                if any(isinstance(edit, Archive) for edit in learned.edits):
                    self._archived()
                return

    def _learn(self, seen: Sequence[Block], claim: Claim, before: Sequence[Message]) -> Learned:
        if not claim.messages:
            return Learned()
        return contextvars.Context().run(self._ask, claim.run, seen, claim.messages, before)

    def _before(self, claim: Claim) -> list[Message]:
        """What was said in the threads of a batch directly before it, for a learner that asks for it."""
        if not self._wants_context:
            return []
        first: dict[str, str] = {}
        for message in claim.messages:
            first.setdefault(message.thread_id, message.id)
        return [
            message
            for thread_id, message_id in first.items()
            for message in self._journal.list_messages(
                claim.subject_id, thread_id, before=message_id, limit=_BEFORE, roles=("user", "assistant")
            )
        ]

    def _seen(self, subject_id: str) -> tuple[Block, ...]:
        if not self._knows_runs:
            return tuple(self._backend.list_blocks(subject_id))
        with self._journal.transaction():  # a request less: this learner's agent has the blocks already
            return tuple(self._backend.list_blocks(subject_id))

    def _end(self, claim: Claim, seen: Sequence[Block], learned: Learned, *, last: bool) -> bool:
        """Record everything a run came to, or nothing. False: a block changed meanwhile, learn again."""
        with self._journal.transaction():
            self._journal.hold(claim)
            now = self._backend.list_blocks(claim.subject_id)
            applied = edits.apply(claim.subject_id, seen, now, learned.edits)
            if applied.conflicts and not last:
                return False
            skipped = dict(learned.skipped)
            written = self._write(claim, now, applied.changes, skipped)
            for conflict in applied.conflicts:
                if not isinstance(conflict, Archive):
                    skipped.setdefault(conflict.label, "it was changed while the learner worked; that change stays")
            if applied.passages:
                passages = [_passage(claim, archive) for archive in applied.passages]
                self._backend.add_passages(claim.subject_id, passages)
            self._journal.complete(
                claim, edits=written, passages=len(applied.passages), skipped=skipped, usage=learned.usage
            )
        for what, reason in skipped.items():
            logger.info("run %s of subject %r left out %s: %s", claim.run.id, claim.subject_id, what, reason)
        return True

    def _write(
        self,
        claim: Claim,
        now: Sequence[Block],
        changes: Iterable[edits.BlockChange],
        skipped: dict[str, str],
    ) -> int:
        current = {block.label: block for block in now}
        written = 0
        for change in changes:
            block = current[change.label]
            if block.read_only:
                raise ReadOnlyBlockError(claim.subject_id, block.label)
            if block.value.strip() and not change.value.strip():
                skipped[block.label] = "the learner returned an empty value"
                continue
            if change.value == block.value:
                continue
            self._backend.write_block(
                claim.subject_id,
                change.label,
                change.value,
                expected_version=block.version,
                change=Change("learner", claim.run.id, change.message_ids),
            )
            written += 1
        return written

    def _given_up(self, claim: Claim) -> bool:
        """End a run whose learner never came to an end: it kills its process each time it is tried."""
        if claim.run.attempts <= _DEATHS * self._policy.attempts:
            return False
        error = f"given up after {claim.run.attempts - 1} attempts whose process ended before they did"
        self._journal.fail(claim, error=error)
        logger.error("learning run %s of subject %r: %s", claim.run.id, claim.subject_id, error)
        return True

    def waits_for_tomorrow(self, due: float) -> bool:
        """Whether what waits for this learner, the next of it for *due* seconds, is all of subjects that have used up
        the day's budget. What might be in work at this moment does not wait."""
        if due <= LEASE_SECONDS or (self._policy.daily_tokens is None and self._policy.daily_cost is None):
            return False
        waiting = {
            run.subject_id
            for state in ("created", "running")
            for run in self._journal.list_runs(state=state)
            if run.learner == self._learner.name
        }
        midnight = _midnight(datetime.now(UTC))
        return bool(waiting) and all(self._used_up(subject, midnight) for subject in waiting)

    def _used_up(self, subject_id: str, midnight: datetime) -> str | None:
        """How much of the day's budget a subject has used when nothing is left of it, else None."""
        policy = self._policy
        if policy.daily_tokens is None and policy.daily_cost is None:
            return None
        spent = self._journal.usage(subject_id, since=midnight).get(subject_id, Usage())
        tokens = spent.input_tokens + spent.output_tokens
        if policy.daily_tokens is not None and tokens >= policy.daily_tokens:
            return f"{tokens} of {policy.daily_tokens} tokens of today are used"
        if policy.daily_cost is not None and (spent.cost or 0.0) >= policy.daily_cost:
            return f"{spent.cost or 0.0:.4g} of today's budget of {policy.daily_cost:g} is spent"
        return None

    def _over_budget(self, claim: Claim) -> bool:
        """Give a run back until tomorrow when its subject has used up the day's budget."""
        now = datetime.now(UTC)
        midnight = _midnight(now)
        reason = self._used_up(claim.subject_id, midnight)
        if reason is None:
            return False
        tomorrow = (midnight + timedelta(days=1) - now).total_seconds()
        self._journal.postpone(claim, error=f"{reason}: it waits for tomorrow", delay=tomorrow, counted=False)
        # Whoever waits for the run has it tried again and again: that is said once.
        level = logging.DEBUG if self._told.get(claim.subject_id) == midnight else logging.WARNING
        self._told[claim.subject_id] = midnight
        logger.log(level, "run %s of subject %r waits for tomorrow (UTC): %s", claim.run.id, claim.subject_id, reason)
        return True

    def _failed(self, claim: Claim, error: BaseException, usage: Usage | None) -> None:
        text = str(error) if isinstance(error, AIMemoryError) else f"{type(error).__name__}: {error}"
        if isinstance(error, BackendUnavailableError):
            self._wait_for_place(claim, text, usage)
            return
        attempts = claim.run.attempts
        allowed = self._policy.attempts
        if isinstance(error, LearningCutShortError):
            allowed = min(allowed, _CUT_SHORT_ATTEMPTS)
        if isinstance(error, LearningError) and error.final:
            allowed = attempts
        if attempts < allowed:
            first = self._policy.retry_delay
            delay = min(first * 2.0 ** min(attempts - 1, 64), max(first, LONGEST_WAIT))
            if isinstance(error, LearningError) and error.retry_after is not None:
                delay = max(delay, error.retry_after)
            self._journal.postpone(claim, error=text, delay=delay, usage=usage)
            logger.warning(
                "learning run %s of subject %r failed (attempt %d of %d), again in %g s: %s",
                claim.run.id,
                claim.subject_id,
                attempts,
                allowed,
                delay,
                text,
            )
            return
        self._journal.fail(claim, error=text, usage=usage)
        logger.error(
            "learning run %s of subject %r failed after %d attempts: %s. Its %d messages wait; learn them with "
            "memory.retry_run(%r) or: ai-memory learn --retry",
            claim.run.id,
            claim.subject_id,
            attempts,
            text,
            len(claim.messages),
            claim.run.id,
            exc_info=error,
        )

    def _wait_for_place(self, claim: Claim, text: str, usage: Usage | None) -> None:
        """Give back a run whose learner's place is away, as often as it takes: that is no failure of the run."""
        times = self._away[claim.run.id] = self._away.get(claim.run.id, 0) + 1
        delay = min(self._policy.retry_delay * 2.0 ** min(times - 1, 64), _LONGEST_AWAY)
        self._journal.postpone(claim, error=text, delay=delay, usage=usage, counted=False)
        logger.warning("run %s of subject %r waits %g s: %s", claim.run.id, claim.subject_id, delay, text)

    # threads

    def _start(self) -> None:
        with self._wake:
            self._calls += 1
            self._wake.notify_all()
            if not self._workers and not self._stopping:
                self._workers = [
                    self._thread(self._loop, f"ai-memory-learn-{number}") for number in range(self._policy.workers)
                ]
                for worker in self._workers:
                    worker.start()

    def _thread(self, target: Callable[[], None], name: str) -> threading.Thread:
        # Daemons, and not started by the caller's context: they end with the process and see nothing of the caller.
        return threading.Thread(target=contextvars.Context().run, args=(target,), name=name, daemon=True)

    def _loop(self) -> None:
        seen = -1
        while not self._stopping:
            try:
                with at_work():
                    if self.learn_next():
                        continue
                    delay = self._journal.next_due(self._learner.name)
                if self._unattended and delay is None:
                    self._stopping = True
                    return
            except BaseException as error:  # noqa: BLE001 - this thread must outlive whatever it meets, or nobody learns
                if self._stopping:
                    return
                _say(error)
                delay = None
            pause = POLL_SECONDS if delay is None else min(max(delay, 0.02), POLL_SECONDS)
            with self._wake:
                if self._calls == seen:
                    self._wake.wait(pause)
                seen = self._calls

    def _learn_asked(self) -> None:
        while True:
            with self._wake:
                if self._stopping or not self._asked:
                    self._asked_worker = None
                    return
                run_id = next(iter(self._asked))
                del self._asked[run_id]
            try:
                with at_work():
                    if not self._postponed(run_id):
                        self.learn_next(run_id=run_id)
            except BaseException as error:  # noqa: BLE001 - as above
                _say(error)

    def _postponed(self, run_id: str) -> bool:
        """Whether a run that failed waits for its next attempt: who waits for it does not shorten that."""
        run = self._journal.get_run(run_id)
        if run is None or run.state != "running" or run.due_at is None:
            return False
        return run.due_at > datetime.now(UTC)

    @contextmanager
    def _holding(self, claim: Claim) -> Iterator[None]:
        """Keep a claim's lease from running out while a slow learner works."""
        self._held[claim.run.id] = claim
        if self._heartbeat is None:
            self._heartbeat = self._thread(self._beat, "ai-memory-lease")
            self._heartbeat.start()
        try:
            yield
        finally:
            self._held.pop(claim.run.id, None)

    def _beat(self) -> None:
        while not self._stopping:
            time.sleep(LEASE_SECONDS / 3)
            if self._unattended and not (self._workers or self._asked_worker or self._held):
                return  # nobody learns here any more: workers end themselves, others' threads were only borrowed
            for claim in list(self._held.values()):
                try:
                    self._journal.renew(claim, LEASE_SECONDS)
                except BackendError as error:
                    logger.warning("the lease of run %s was not renewed: %s", claim.run.id, error)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    return one + other if one is not None and other is not None else one or other


def _say(error: BaseException) -> None:
    if isinstance(error, BackendError):
        logger.warning("learning waits for the storage: %s", error)
    else:
        logger.error("learning met an error it does not know and goes on", exc_info=error)


def _passage(claim: Claim, archive: Archive) -> Passage:
    return Passage(
        text=archive.text,
        tags=archive.tags,
        metadata=archive.metadata,
        created_at=archive.created_at or claim.run.started_at,
        message_id=archive.message_ids[0] if len(archive.message_ids) == 1 else None,
    )
