"""What waits of passages, brought to Letta; and what was removed here, removed there.

Many passages go in one request, and leave the journal when they have arrived. A note says what is being sent, so that
after a lost answer or the death of a process it is looked for before it is sent again; another, what was sent when: by
that it is found there.

A batch that the server refuses is divided until the passages are found that it does not take: they stay in the journal.
One over which it fails waits, and is divided only when that has happened again and again and something else gets
through, see `refusals`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ai_memory_integrations.backends.letta.agents import Agents
from ai_memory_integrations.backends.letta.archived import Found, can_be_sent, from_letta, newest, to_letta
from ai_memory_integrations.backends.letta.refusals import BATCHES, Refusals
from ai_memory_integrations.backends.letta.remote import NewPassage, RemotePassage
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.shelf import Shelf
from ai_memory_integrations.backends.owner import is_gone, process_owner
from ai_memory_integrations.errors import (
    BackendUnavailableError,
    GoneFromServerError,
    RefusedByServerError,
    SubjectNotFoundError,
)
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.ports import Backend, Journal, Notes
from ai_memory_integrations.types import Passage

logger = logging.getLogger("ai_memory_integrations")

_SENDING = "passages/sending"
_SENT = "passages/sent/"
KEPT = "passages/kept"
_GONE = "passages/gone"
_AT_ONCE = 500
_CHARACTERS_AT_ONCE = 2_000_000
_SENDING_SECONDS = 300.0
_PAGE = 100
_FAILED = 500  # of all codes the one that can be due to what was sent: Letta's, whatever its provider answered
_FAILURES_IN_A_ROW = 12  # more than it takes to come from `_AT_ONCE` to one
_REQUESTS = 100

AgentOf = Callable[[str], str]
"""From a subject to the id of its agent, which is made where there is none."""


@dataclass
class _Turn:
    """One call at sending: its token, where to, whether batches are divided over which the server fails, and over which
    passages it failed when they were alone: since something got through last, and before that."""

    token: str
    archive_id: str
    agent_id: str
    divides: bool = False
    got_through: bool = False
    failed: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    requests: int = 0
    in_a_row: int = 0

    @property
    def is_over(self) -> bool:
        return self.requests >= _REQUESTS or self.in_a_row >= _FAILURES_IN_A_ROW

    def went_through(self) -> None:
        self.counted += self.failed
        self.failed, self.in_a_row, self.got_through = [], 0, True


class Outbox:
    """Sends the passages of subjects; one process at a time for each subject."""

    def __init__(
        self,
        record: Backend,
        journal: Journal,
        notes: Notes,
        server: LettaServer,
        agents: Agents,
        shelf: Shelf,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._record = record
        self._journal = journal
        self._notes = notes
        self._server = server
        self._agents = agents
        self._shelf = shelf
        self._clock = clock
        self._refusals = Refusals(journal, notes)

    def send_if_possible(self, subject_id: str, agent_of: AgentOf) -> None:
        """Send what waits and remove what is to go, unless Letta is away; then the next call does it."""
        try:
            if self.gone(subject_id) or self._may_wait(subject_id):
                self.send(subject_id, agent_of(subject_id))
        except BackendUnavailableError as error:
            logger.warning("passages of subject %r wait in the journal: %s", subject_id, error)
        except SubjectNotFoundError:  # it was deleted since
            return

    def send(self, subject_id: str, agent_id: str) -> None:
        """Send what waits. Does nothing while another process sends.

        Raises: BackendUnavailableError, after which it still waits, and is looked for before it is sent again.
        """
        try:
            self._send_all(subject_id, agent_id)
        except GoneFromServerError as error:
            if self._server.get_agent(agent_id) is None:
                self._agents.forget(subject_id, agent_id)
            raise BackendUnavailableError(f"the agent of subject {subject_id!r} is gone: {error}") from error

    def _send_all(self, subject_id: str, agent_id: str) -> None:
        self._remove_gone(subject_id, agent_id)
        while self._may_wait(subject_id):
            token, left = self._begin(subject_id)
            if token is None:
                return
            try:
                turn = _Turn(token, self._shelf.of(subject_id, agent_id), agent_id)
                if left:
                    self._settle(subject_id, turn, left)
                goes_on = self._turn(subject_id, turn)
                self._end(subject_id, token)
                self._remove_gone(subject_id, agent_id)
                if not goes_on:
                    return
            except BaseException:
                self._let_another(subject_id, token)
                raise

    def _turn(self, subject_id: str, turn: _Turn) -> bool:
        """Send those that are sent apart, then a batch. False when there is no more to be done now."""
        due = self._due(subject_id)
        try:
            if due:
                turn.divides = True
                if not self._send(subject_id, turn, due) or turn.requests >= _REQUESTS:
                    return False
                turn.in_a_row = 0
            batch = self._batch(subject_id)
            if not batch:
                return False
            turn.divides = self._refusals.batches(subject_id) >= BATCHES
            if turn.divides and not self._is_one_taken(subject_id, turn, batch):
                return False
            alone = {*turn.failed, *turn.counted}
            batch = self._waiting(subject_id, [each.id for each in batch if each.id not in alone])
            if batch and not self._send(subject_id, turn, batch):
                return False
            if turn.is_over:
                return False
            self._refusals.batch_got_through(subject_id)
            return True
        finally:
            self._count(subject_id, turn)

    def _is_one_taken(self, subject_id: str, turn: _Turn, batch: Sequence[Passage]) -> bool:
        """Whether the server takes one of the passages of a batch over which it has failed again and again: the last
        one or the first. False when the turn was lost. Raises: BackendUnavailableError when it takes none."""
        for passage in (batch[-1], *batch[:-1][:1]):
            if not self._send(subject_id, turn, [passage]):
                return False
            if turn.got_through:
                return True
        raise BackendUnavailableError(
            f"Letta takes none of the {len(batch):,} passages of subject {subject_id!r} that wait, nor the last or the "
            "first alone: its embedding model does not work, or its database. Look at the server's log"
        )

    def _count(self, subject_id: str, turn: _Turn) -> None:
        """Note over which passages the server failed, when anything else got through; give up those that are over."""
        if not turn.got_through:
            turn.failed = [each for each in turn.failed if each in self._refusals.apart(subject_id)]
        failures = dict.fromkeys(turn.failed, False) | dict.fromkeys(turn.counted, True)
        for passage_id in self._refusals.failed(subject_id, failures, self._clock()):
            logger.warning(
                "passage %s of subject %r stays in the journal: Letta fails over it again and again, and takes others",
                passage_id,
                subject_id,
            )
            self._keep(subject_id, passage_id)

    def _may_wait(self, subject_id: str) -> bool:
        if self._notes.get(subject_id, _SENDING) is not None or self._batch(subject_id, most=1):
            return True
        return bool(self._due(subject_id))

    def _begin(self, subject_id: str) -> tuple[str | None, dict[str, Any]]:
        """The token of a turn at sending, and what the last one left unsettled."""
        with self._journal.transaction():
            held = self._notes.get(subject_id, _SENDING)
            if held is not None and held["until"] > self._clock() and not is_gone(held["owner"]):
                return None, {}
            left = {} if held is None else held["batch"]
            token = new_id("snd")
            self._put_sending(subject_id, token, left)
        return token, left

    def _put_sending(
        self, subject_id: str, token: str, batch: Mapping[str, str], *, until: float | None = None
    ) -> None:
        end = self._clock() + _SENDING_SECONDS if until is None else until
        note = {"owner": process_owner(), "token": token, "until": end, "batch": dict(batch)}
        self._notes.put(subject_id, _SENDING, note)

    def _is_mine(self, subject_id: str, token: str) -> bool:
        held = self._notes.get(subject_id, _SENDING)
        return held is not None and held["token"] == token

    def _end(self, subject_id: str, token: str) -> None:
        with self._journal.transaction():
            if self._is_mine(subject_id, token):
                self._notes.put(subject_id, _SENDING, None)

    def _let_another(self, subject_id: str, token: str) -> None:
        with self._journal.transaction():
            if self._is_mine(subject_id, token):
                held = self._notes.get(subject_id, _SENDING) or {}
                self._put_sending(subject_id, token, held.get("batch", {}), until=0.0)

    def _batch(self, subject_id: str, *, most: int = _AT_ONCE) -> list[Passage]:
        """The next passages that can be sent, in their order."""
        kept = self._refusals.apart(subject_id).union(self.kept(subject_id))
        found: list[Passage] = []
        characters = 0
        after: str | None = None
        while page := self._record.list_passages(subject_id, limit=_PAGE, after=after):
            after = page[-1].id
            for passage in page:
                if passage.id in kept or not can_be_sent(passage):
                    continue
                characters += len(passage.text)
                if len(found) == most or (found and characters > _CHARACTERS_AT_ONCE):
                    return found
                found.append(passage)
        return found

    def _due(self, subject_id: str) -> list[Passage]:
        """Those that are sent apart and may be tried now."""
        due = self._refusals.due(subject_id, self._clock())
        found = self._waiting(subject_id, due)
        if len(found) < len(due):
            self._refusals.forget(subject_id, set(due).difference(each.id for each in found))
        return found[:_AT_ONCE]

    def _waiting(self, subject_id: str, passage_ids: Iterable[str]) -> list[Passage]:
        """Those that are in the journal still."""
        found = (self._record.get_passage(subject_id, each) for each in passage_ids)
        return [passage for passage in found if passage is not None]

    def _send(self, subject_id: str, turn: _Turn, batch: Sequence[Passage]) -> bool:
        """Send a batch, or as much of it as the server takes. False when the turn was lost."""
        if turn.is_over:
            return True
        new = to_letta(batch, datetime.fromtimestamp(self._clock(), UTC))
        with self._journal.transaction():
            if not self._is_mine(subject_id, turn.token):
                return False
            times = {passage.id: _iso(made) for passage, made in zip(batch, new, strict=True)}
            self._put_sending(subject_id, turn.token, times)
        turn.requests += 1
        try:
            made = self._server.create_passages(turn.archive_id, new)
        except RefusedByServerError as error:
            if isinstance(error, GoneFromServerError):
                self._shelf.forget(subject_id)
                raise BackendUnavailableError(f"the archive of subject {subject_id!r} is gone: {error}") from error
            if len(batch) == 1:
                logger.warning("passage %s of subject %r stays in the journal: %s", batch[0].id, subject_id, error)
                self._keep(subject_id, batch[0].id)
                return True
        except BackendUnavailableError as error:
            if error.status != _FAILED:
                raise
            if not turn.divides:
                self._refusals.batch_failed(subject_id)
                raise
            turn.in_a_row += 1
            if self._settle(subject_id, turn, times):  # it failed with its answer
                turn.went_through()
                return True
            if len(batch) == 1:
                turn.failed.append(batch[0].id)
                return True
        else:
            self._arrived(subject_id, batch, made)
            turn.went_through()
            return True
        half = len(batch) // 2
        return self._send(subject_id, turn, batch[:half]) and self._send(subject_id, turn, batch[half:])

    def kept(self, subject_id: str) -> list[str]:
        """The passages that the server does not take: they stay in the journal."""
        return list((self._notes.get(subject_id, KEPT) or {}).get("ids", ()))

    def _keep(self, subject_id: str, passage_id: str) -> None:
        with self._journal.transaction():
            self._notes.put(subject_id, KEPT, {"ids": [*self.kept(subject_id), passage_id]})
            self._refusals.forget(subject_id, [passage_id])

    def renew(self, subject_id: str, passage_ids: Collection[str]) -> None:
        """Passages are others now: what was known of them as they were is forgotten."""
        self._refusals.forget(subject_id, passage_ids)
        kept = self.kept(subject_id)
        if not set(passage_ids).isdisjoint(kept):
            rest = [each for each in kept if each not in passage_ids]
            self._notes.put(subject_id, KEPT, {"ids": rest} if rest else None)

    def try_again(self, subject_id: str) -> None:
        """What the server did not take is sent again by the next call."""
        with self._journal.transaction():
            self._refusals.set_apart(subject_id, [*self.kept(subject_id), *self._refusals.apart(subject_id)])
            self._notes.put(subject_id, KEPT, None)

    def _arrived(self, subject_id: str, batch: Iterable[Passage], made: Iterable[RemotePassage]) -> None:
        """They are at Letta: they leave the journal, but for those that were replaced meanwhile. What is not in the
        journal any more was removed here and is to go there too, or somebody else has seen it arrive."""
        with self._journal.transaction():
            if self._record.get_subject(subject_id) is None:
                return
            before = {each: letta_id for each, (letta_id, _) in self.sent(subject_id).items()}
            sent: dict[str, tuple[str, str | None]] = {}
            gone: list[str] = []
            unchanged: list[str] = []
            for passage, remote in zip(batch, made, strict=True):
                waiting = self._record.get_passage(subject_id, passage.id)
                if before.get(passage.id) == remote.id:
                    continue
                if waiting is None:
                    gone.append(remote.id)
                    continue
                sent[passage.id] = (remote.id, None if remote.created_at is None else remote.created_at.isoformat())
                if passage.id in before:  # an older version
                    gone.append(before[passage.id])
                if waiting == passage:
                    unchanged.append(passage.id)
            if gone:
                self.mark_gone(subject_id, gone)
            self._record.delete_passages(subject_id, unchanged)
            self._refusals.forget(subject_id, unchanged)
            if sent:
                self.forget_sent(subject_id, set(sent))
                self._notes.put(subject_id, new_id(_SENT + "b"), sent)

    def _settle(self, subject_id: str, turn: _Turn, left: Mapping[str, str]) -> bool:
        """Whether a batch arrived of which no answer said so: it did as a whole or not at all, so one tells."""
        first = next(iter(left))
        # One that was removed here since may be gone there, and would tell nothing of the others.
        still = (each for each in left if self._record.get_passage(subject_id, each) is not None)
        at = datetime.fromisoformat(left[next(still, first)])
        there = [from_letta(each) for each in self._server.find_passages(turn.archive_id, after=at, before=at)]
        arrived = {found.passage.id: found for found in there if left.get(found.passage.id)}
        if arrived and len(left) > len(arrived):
            scanned = newest(self._shelf.scan(turn.agent_id))
            arrived = {found.passage.id: found for found in scanned if found.passage.id in left}
        if arrived:
            found = [self._shelf.whole(subject_id, turn.agent_id, each) for each in arrived.values()]
            self._arrived(subject_id, [each.passage for each in found], [_remote(each) for each in found])
        with self._journal.transaction():
            if self._is_mine(subject_id, turn.token):
                self._put_sending(subject_id, turn.token, {})
        return bool(arrived)

    # removing

    def gone(self, subject_id: str) -> frozenset[str]:
        """Letta's ids of passages that are to be removed there."""
        return frozenset((self._notes.get(subject_id, _GONE) or {}).get("ids", ()))

    def mark_gone(self, subject_id: str, letta_ids: Sequence[str]) -> None:
        self._notes.put(subject_id, _GONE, {"ids": sorted(self.gone(subject_id).union(letta_ids))})

    def _remove_gone(self, subject_id: str, agent_id: str) -> None:
        gone = self.gone(subject_id)
        if not gone:
            return
        archive_id = self._shelf.of(subject_id, agent_id)
        for letta_id in gone:
            self._server.delete_passage(archive_id, letta_id)
        with self._journal.transaction():
            rest = self.gone(subject_id) - gone
            self._notes.put(subject_id, _GONE, {"ids": sorted(rest)} if rest else None)

    # what was sent

    def known(self, subject_id: str) -> tuple[dict[str, str], frozenset[str], bool]:
        """The passages that this journal has sent and not seen removed, our ids by Letta's; Letta's ids of those that
        were removed here and are still to be removed there; and whether these are all: the answer to a batch may have
        been lost."""
        there = {letta_id: passage_id for passage_id, (letta_id, _) in self.sent(subject_id).items()}
        sending = self._notes.get(subject_id, _SENDING)
        return there, self.gone(subject_id), sending is None or not sending["batch"]

    def sent(self, subject_id: str) -> dict[str, tuple[str, str | None]]:
        """Letta's id and time of what this journal sent, by our id."""
        return {
            passage_id: (letta_id, at)
            for batch in self._notes.list(subject_id, _SENT).values()
            for passage_id, (letta_id, at) in batch.items()
        }

    def forget_sent(self, subject_id: str, passage_ids: set[str]) -> None:
        with self._journal.transaction():
            for key, batch in self._notes.list(subject_id, _SENT).items():
                if not passage_ids.isdisjoint(batch):
                    rest = {name: where for name, where in batch.items() if name not in passage_ids}
                    self._notes.put(subject_id, key, rest or None)

    def sendings(self, subject_id: str) -> frozenset[str]:
        """Which batches have arrived, by keys that no other batch gets."""
        return frozenset(self._notes.list(subject_id, _SENT))


def _remote(found: Found) -> RemotePassage:
    return RemotePassage(id=found.letta_id, text=found.passage.text, created_at=found.at)


def _iso(new: NewPassage) -> str:
    return "" if new.created_at is None else new.created_at.isoformat()
