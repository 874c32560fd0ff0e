"""What waits of passages, brought to Letta; and what was removed here, removed there.

Many passages go in one request, and leave the journal when they have arrived. A note says what is being sent, so that
after a lost answer or the death of a process it is looked for before it is sent again; another, what was sent when: by
that it is found there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ai_memory_integrations.backends.letta.agents import Agents
from ai_memory_integrations.backends.letta.archived import Found, can_be_sent, from_letta, newest, to_letta
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
_KEPT = "passages/kept"
_GONE = "passages/gone"
_AT_ONCE = 500
_CHARACTERS_AT_ONCE = 2_000_000
_SENDING_SECONDS = 300.0
_PAGE = 100

AgentOf = Callable[[str], str]
"""From a subject to the id of its agent, which is made where there is none."""


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
        self._remove_gone(subject_id, agent_id)
        while self._may_wait(subject_id):
            token, left = self._begin(subject_id)
            if token is None:
                return
            try:
                archive_id = self._shelf.of(subject_id, agent_id)
                if left:
                    self._settle(subject_id, token, archive_id, agent_id, left)
                batch = self._batch(subject_id)
                goes_on = bool(batch) and self._send(subject_id, token, archive_id, batch)
                self._end(subject_id, token)
                self._remove_gone(subject_id, agent_id)
                if not goes_on:
                    return
            except BaseException as error:
                self._let_another(subject_id, token)
                if not isinstance(error, GoneFromServerError):
                    raise
                if self._server.get_agent(agent_id) is None:
                    self._agents.forget(subject_id, agent_id)
                raise BackendUnavailableError(f"the agent of subject {subject_id!r} is gone: {error}") from error

    def _may_wait(self, subject_id: str) -> bool:
        return self._notes.get(subject_id, _SENDING) is not None or bool(self._batch(subject_id, most=1))

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
        kept = set((self._notes.get(subject_id, _KEPT) or {}).get("ids", ()))
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

    def _send(self, subject_id: str, token: str, archive_id: str, batch: Sequence[Passage]) -> bool:
        """Send a batch, or as much of it as the server takes. False when the turn was lost."""
        new = to_letta(batch, datetime.fromtimestamp(self._clock(), UTC))
        with self._journal.transaction():
            if not self._is_mine(subject_id, token):
                return False
            times = {passage.id: _iso(made) for passage, made in zip(batch, new, strict=True)}
            self._put_sending(subject_id, token, times)
        try:
            made = self._server.create_passages(archive_id, new)
        except RefusedByServerError as error:
            if isinstance(error, GoneFromServerError):
                self._shelf.forget(subject_id)
                raise BackendUnavailableError(f"the archive of subject {subject_id!r} is gone: {error}") from error
            if len(batch) == 1:
                logger.warning("passage %s of subject %r stays in the journal: %s", batch[0].id, subject_id, error)
                self._keep(subject_id, batch[0].id)
                return True
            half = len(batch) // 2
            return self._send(subject_id, token, archive_id, batch[:half]) and self._send(
                subject_id, token, archive_id, batch[half:]
            )
        self._arrived(subject_id, batch, made)
        return True

    def _keep(self, subject_id: str, passage_id: str) -> None:
        with self._journal.transaction():
            ids = (self._notes.get(subject_id, _KEPT) or {}).get("ids", [])
            self._notes.put(subject_id, _KEPT, {"ids": [*ids, passage_id]})

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
            if sent:
                self.forget_sent(subject_id, set(sent))
                self._notes.put(subject_id, new_id(_SENT + "b"), sent)

    def _settle(self, subject_id: str, token: str, archive_id: str, agent_id: str, left: Mapping[str, str]) -> None:
        """Find out whether a batch arrived whose answer was lost: it did as a whole or not at all, so one tells."""
        at = datetime.fromisoformat(next(iter(left.values())))
        there = [from_letta(each) for each in self._server.find_passages(archive_id, after=at, before=at)]
        arrived = {found.passage.id: found for found in there if left.get(found.passage.id)}
        if arrived and len(left) > len(arrived):
            arrived = {
                found.passage.id: found for found in newest(self._shelf.scan(agent_id)) if found.passage.id in left
            }
        if arrived:
            found = [self._shelf.whole(subject_id, agent_id, each) for each in arrived.values()]
            self._arrived(subject_id, [each.passage for each in found], [_remote(each) for each in found])
        with self._journal.transaction():
            if self._is_mine(subject_id, token):
                self._put_sending(subject_id, token, {})

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
