"""The passages of subjects: those at Letta and those that wait to be sent there, as one.

What is archived is in the journal's database first, see `outbox`. What Letta cannot hold as it is (no text, U+0000,
more than an embedding model takes) stays in the journal and is found there. Should a passage be at Letta twice after a
lost answer, it is read as one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from ai_memory_integrations.backends.letta.agents import Agents
from ai_memory_integrations.backends.letta.archived import Found, from_letta, newest, passes
from ai_memory_integrations.backends.letta.fusion import fused
from ai_memory_integrations.backends.letta.outbox import AgentOf, Outbox
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.shelf import Shelf
from ai_memory_integrations.errors import BackendUnavailableError, GoneFromServerError
from ai_memory_integrations.ports import Backend, Journal
from ai_memory_integrations.types import Passage, PassageQuery

logger = logging.getLogger("ai_memory_integrations")

_ALL = 100_000
_READ_SECONDS = 10.0
_CANDIDATES, _MORE_CANDIDATES = 50, 200


class _Read(threading.local):
    """What a thread has read in the transaction that it is in, and which sendings it knew of then."""

    agent_id = ""
    at = 0.0
    sent: frozenset[str] = frozenset()
    found: Sequence[Found] = ()


class Archive:
    """Passages of subjects whose agents are known; of others, those that wait."""

    def __init__(
        self,
        record: Backend,
        journal: Journal,
        server: LettaServer,
        agents: Agents,
        shelf: Shelf,
        outbox: Outbox,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._record = record
        self._journal = journal
        self._server = server
        self._agents = agents
        self._shelf = shelf
        self._outbox = outbox
        self._clock = clock
        self._read = _Read()

    def add_passages(self, subject_id: str, passages: Sequence[Passage], *, agent_of: AgentOf) -> list[str]:
        """Ids in the order given. What was said goes to Letta with the run that learns it, all else when it is
        committed, unless Letta is away."""
        with self._journal.transaction():
            ids = self._record.add_passages(subject_id, passages)
            self._outbox.renew(subject_id, ids)
            if any(passage.message_id is None for passage in passages):
                self._journal.after_commit(lambda: self._outbox.send_if_possible(subject_id, agent_of))
        return ids

    def get_passage(self, subject_id: str, passage_id: str) -> Passage | None:
        waiting = self._record.get_passage(subject_id, passage_id)
        if waiting is not None or (agent_id := self._agents.known(subject_id)) is None:
            return waiting
        there = self._there(subject_id, agent_id, [passage_id])
        return self._shelf.whole(subject_id, agent_id, there[-1]).passage if there else None

    def list_passages(
        self,
        subject_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> list[Passage]:
        """As `Backend.list_passages`. However few are asked for, Letta is asked for all, in one request."""
        waiting = self._record.list_passages(subject_id)
        agent_id = self._agents.known(subject_id)
        ids = {passage.id for passage in waiting}
        there = [] if agent_id is None else self._all(subject_id, agent_id)
        entries: list[Found | Passage] = [found for found in newest(there) if found.passage.id not in ids]
        entries += waiting
        if after is not None:
            places = [number for number, entry in enumerate(entries) if _passage(entry).id == after]
            entries = entries[places[0] + 1 :] if places else []
        if tags is not None:
            entries = [entry for entry in entries if any(tag in tags for tag in _passage(entry).tags)]
        entries = entries[: len(entries) if limit is None else limit]
        return [
            entry if isinstance(entry, Passage) else self._shelf.whole(subject_id, agent_id or "", entry).passage
            for entry in entries
        ]

    def delete_passages(self, subject_id: str, passage_ids: Sequence[str], *, agent_of: AgentOf) -> int:
        """How many were there and are gone; at Letta that is one request each."""
        agent_id = self._agents.known(subject_id)
        there = [] if agent_id is None or not passage_ids else self._there(subject_id, agent_id, passage_ids)
        with self._journal.transaction():
            gone = {each for each in passage_ids if self._record.get_passage(subject_id, each) is not None}
            self._record.delete_passages(subject_id, passage_ids)
            if there:
                self._outbox.forget_sent(subject_id, {found.passage.id for found in there})
                self._outbox.mark_gone(subject_id, [found.letta_id for found in there])
                self._journal.after_commit(lambda: self._outbox.send_if_possible(subject_id, agent_of))
        return len(gone | {found.passage.id for found in there})

    def search_passages(
        self, subject_id: str, query: PassageQuery, *, vector: Sequence[float] | None = None
    ) -> list[Passage]:
        """Best first. Letta finds by meaning; its order and ours by words are made one, into which what waits is put
        by its words. A blank query gives the newest first. While Letta is away, what waits is searched."""
        agent_id = self._agents.known(subject_id)
        if agent_id is None or not query.limit:
            return self._record.search_passages(subject_id, query)
        try:
            return self._searched(subject_id, agent_id, query)
        except BackendUnavailableError as error:
            logger.warning("only those passages of subject %r are searched that wait here: %s", subject_id, error)
            return self._record.search_passages(subject_id, query)

    def _searched(self, subject_id: str, agent_id: str, query: PassageQuery) -> list[Passage]:
        if not query.text.strip():
            passages = [each for each in self.list_passages(subject_id) if passes(each, query)]
            return passages[::-1][: query.limit]
        waiting = self._record.search_passages(subject_id, query)
        there = self._replaced_here(subject_id, self._candidates(subject_id, agent_id, query))
        return fused(query, [self._shelf.whole(subject_id, agent_id, found).passage for found in there], waiting)

    def speakers(self, subject_id: str) -> tuple[str, ...]:
        """None but of what waits: Letta embeds a query as it is."""
        return self._record.speakers(subject_id)

    # reading

    def _there(self, subject_id: str, agent_id: str, passage_ids: Sequence[str]) -> list[Found]:
        """What Letta has under these ids: by the time noted when it was sent, else among all."""
        sent = self._outbox.sent(subject_id)
        wanted = set(passage_ids)
        if len(wanted) == 1 and wanted <= sent.keys() and not self._journal.in_transaction:
            at = sent[passage_ids[0]][1]
            found = self._shelf.at(subject_id, agent_id, at)
            if any(each.passage.id in wanted for each in found):
                return sorted((each for each in found if each.passage.id in wanted), key=lambda each: each.place)
        there = self._all(subject_id, agent_id)
        return sorted((each for each in there if each.passage.id in wanted), key=lambda each: each.place)

    def _all(self, subject_id: str, agent_id: str) -> list[Found]:
        """All passages of an agent but those that are being removed. A transaction, which may ask for many one by one,
        asks Letta once."""
        found = self._read_once(subject_id, agent_id) if self._journal.in_transaction else self._shelf.scan(agent_id)
        gone = self._outbox.gone(subject_id)
        return [each for each in found if each.letta_id not in gone]

    def _read_once(self, subject_id: str, agent_id: str) -> Sequence[Found]:
        kept = self._read
        sent = self._outbox.sendings(subject_id)  # of a transaction that was undone something may be left
        if (kept.agent_id, kept.sent) != (agent_id, sent) or self._clock() - kept.at > _READ_SECONDS:
            found = self._shelf.scan(agent_id)
            kept.agent_id, kept.at, kept.sent, kept.found = agent_id, self._clock(), sent, found
            self._journal.after_commit(self._forget_read)
        return kept.found

    def _forget_read(self) -> None:
        self._read.agent_id, self._read.found = "", ()

    def _candidates(self, subject_id: str, agent_id: str, query: PassageQuery) -> list[Found]:
        """What passes the filters, by Letta's order; asked for again, more of it, while there are too few."""
        gone = self._outbox.gone(subject_id)
        filtered = any((query.tags, query.roles is not None, query.thread_id is not None, query.metadata))
        most = max(_CANDIDATES, 4 * query.limit) if not filtered else max(_MORE_CANDIDATES, 20 * query.limit)
        while True:
            try:
                answer = self._server.search_passages(
                    agent_id,
                    query.text,
                    limit=most,
                    after=query.after,
                    before=None if query.before is None else query.before + timedelta(seconds=1),
                )
            except GoneFromServerError:
                return []
            found = [from_letta(each) for each in answer if each.id not in gone]
            passing = [each for each in found if not each.whole or passes(each.passage, query)]
            if len(passing) >= query.limit or len(answer) < most or most >= _ALL:
                return _once(passing)
            most = min(most * 10, _ALL)

    def _replaced_here(self, subject_id: str, found: Sequence[Found]) -> list[Found]:
        """Without those of which a newer version waits."""
        if not self._record.list_passages(subject_id, limit=1):
            return list(found)
        return [each for each in found if self._record.get_passage(subject_id, each.passage.id) is None]


def _passage(entry: Found | Passage) -> Passage:
    return entry if isinstance(entry, Passage) else entry.passage


def _once(found: Iterable[Found]) -> list[Found]:
    """Each id once, in the given order, the newest of those that share one."""
    found = list(found)
    last = {each.passage.id: each.letta_id for each in newest(found)}
    return [each for each in found if last[each.passage.id] == each.letta_id]
