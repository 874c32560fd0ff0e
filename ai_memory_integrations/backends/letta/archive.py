"""The passages of subjects: those at Letta and those that wait to be sent there.

What is archived is in the journal's database first. It is sent many at a time in one request, under the subject's
archive, and then leaves the journal. A note says what is being sent, so that after a lost answer or the death of a
process it is looked for before it is sent again; should it be there twice all the same, it is read as one.
What Letta cannot hold as it is (no text, U+0000, more than an embedding model takes) stays in the journal and is found
there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ai_memory_integrations.backends.letta.agents import ALONE, ARCHIVE, UNKNOWN_ARCHIVE, Agents
from ai_memory_integrations.backends.letta.archived import Found, can_be_sent, from_letta, newest, passes, to_letta
from ai_memory_integrations.backends.letta.names import Names
from ai_memory_integrations.backends.letta.remote import NewPassage, RemoteArchive, RemotePassage
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.owner import is_gone, process_owner
from ai_memory_integrations.errors import (
    BackendUnavailableError,
    GoneFromServerError,
    RefusedByServerError,
    ServerConflictError,
    SubjectNotFoundError,
)
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.ports import Backend, Journal, Notes
from ai_memory_integrations.types import Passage, PassageQuery

logger = logging.getLogger("ai_memory_integrations")

_SENDING = "passages/sending"
_SENT = "passages/sent/"
_KEPT = "passages/kept"
_GONE = "passages/gone"
_AT_ONCE = 500
_CHARACTERS_AT_ONCE = 2_000_000
_SENDING_SECONDS = 300.0
_ALL = 100_000
_READ_SECONDS = 10.0
_PAGE = 100
_CANDIDATES, _MORE_CANDIDATES = 50, 200
_FUSION = 60.0  # of reciprocal ranks: how much a first place outweighs a second one


AgentOf = Callable[[str], str]
"""From a subject to the id of its agent, which is made where there is none."""


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
        notes: Notes,
        server: LettaServer,
        agents: Agents,
        *,
        names: Names,
        embedding: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._record = record
        self._journal = journal
        self._notes = notes
        self._server = server
        self._agents = agents
        self._names = names
        self._embedding = embedding
        self._clock = clock
        self._read = _Read()

    # the verbs of a backend

    def add_passages(self, subject_id: str, passages: Sequence[Passage], *, agent_of: AgentOf) -> list[str]:
        """Ids in the order given. What was said goes to Letta with the run that learns it, all else when it is
        committed, unless Letta is away."""
        with self._journal.transaction():
            ids = self._record.add_passages(subject_id, passages)
            if any(passage.message_id is None for passage in passages):
                self._journal.after_commit(lambda: self.send_if_possible(subject_id, agent_of))
        return ids

    def get_passage(self, subject_id: str, passage_id: str) -> Passage | None:
        waiting = self._record.get_passage(subject_id, passage_id)
        if waiting is not None or (agent_id := self._agents.known(subject_id)) is None:
            return waiting
        there = self._there(subject_id, agent_id, [passage_id])
        return self._whole(subject_id, agent_id, there[-1]).passage if there else None

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
            entry if isinstance(entry, Passage) else self._whole(subject_id, agent_id or "", entry).passage
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
                self._forget_sent(subject_id, {found.passage.id for found in there})
                self._mark_gone(subject_id, [found.letta_id for found in there])
                self._journal.after_commit(lambda: self.send_if_possible(subject_id, agent_of))
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
        return _fused(query, [self._whole(subject_id, agent_id, found).passage for found in there], waiting)

    def speakers(self, subject_id: str) -> tuple[str, ...]:
        """None but of what waits: Letta embeds a query as it is."""
        return self._record.speakers(subject_id)

    # sending

    def send_if_possible(self, subject_id: str, agent_of: AgentOf) -> None:
        """Send what waits and remove what is to go, unless Letta is away; then the next call does it."""
        try:
            if self._gone(subject_id) or self._may_wait(subject_id):
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
                archive_id = self._archive_of(subject_id, agent_id)
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
                self._notes.put(subject_id, ARCHIVE, UNKNOWN_ARCHIVE)
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
            before = {each: letta_id for each, (letta_id, _) in self._sent(subject_id).items()}
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
                self._mark_gone(subject_id, gone)
            self._record.delete_passages(subject_id, unchanged)
            if sent:
                self._forget_sent(subject_id, set(sent))
                self._notes.put(subject_id, new_id(_SENT + "b"), sent)

    def _settle(self, subject_id: str, token: str, archive_id: str, agent_id: str, left: Mapping[str, str]) -> None:
        """Find out whether a batch arrived whose answer was lost: it did as a whole or not at all, so one tells."""
        at = datetime.fromisoformat(next(iter(left.values())))
        there = [from_letta(each) for each in self._server.find_passages(archive_id, after=at, before=at)]
        arrived = {found.passage.id: found for found in there if left.get(found.passage.id)}
        if arrived and len(left) > len(arrived):
            arrived = {found.passage.id: found for found in newest(self._scan(agent_id)) if found.passage.id in left}
        if arrived:
            found = [self._whole(subject_id, agent_id, each) for each in arrived.values()]
            self._arrived(subject_id, [each.passage for each in found], [_remote(each) for each in found])
        with self._journal.transaction():
            if self._is_mine(subject_id, token):
                self._put_sending(subject_id, token, {})

    # removing

    def _gone(self, subject_id: str) -> frozenset[str]:
        """Letta's ids of passages that are to be removed there."""
        return frozenset((self._notes.get(subject_id, _GONE) or {}).get("ids", ()))

    def _mark_gone(self, subject_id: str, letta_ids: Sequence[str]) -> None:
        self._notes.put(subject_id, _GONE, {"ids": sorted(self._gone(subject_id).union(letta_ids))})

    def _remove_gone(self, subject_id: str, agent_id: str) -> None:
        gone = self._gone(subject_id)
        if not gone:
            return
        archive_id = self._archive_of(subject_id, agent_id)
        for letta_id in gone:
            self._server.delete_passage(archive_id, letta_id)
        with self._journal.transaction():
            rest = self._gone(subject_id) - gone
            self._notes.put(subject_id, _GONE, {"ids": sorted(rest)} if rest else None)

    # the archive

    def _archive_of(self, subject_id: str, agent_id: str) -> str:
        """The id of the agent's archive, which is made where there is none."""
        note = self._notes.get(subject_id, ARCHIVE)
        if note is not None and note["agent"] == agent_id:
            if note["id"] is not None:
                return str(note["id"])
            # The subject's first agent, made here. If somebody was faster all the same, the server will say so.
            self._notes.put(subject_id, ARCHIVE, UNKNOWN_ARCHIVE)
            archive, made = self._attached(subject_id, agent_id, named=[])
            alone = made and note.get(ALONE, False)
        else:
            attached = self._server.list_archives(agent_id)
            archive = attached[0] if attached else self._attached(subject_id, agent_id, named=None)[0]
            alone = False
        self._notes.put(subject_id, ARCHIVE, {"id": archive.id, "agent": agent_id, ALONE: alone})
        return archive.id

    def _attached(
        self, subject_id: str, agent_id: str, *, named: Sequence[RemoteArchive] | None
    ) -> tuple[RemoteArchive, bool]:
        """The agent's archive from now on, and whether it was made here. One of the subject's name is the subject's,
        whether an answer was lost or an agent went. *named* are those that there are; None when that is not known."""
        name = self._names.tag(subject_id)
        if named is None:
            named = self._server.list_named_archives(name)
        archive = named[0] if named else self._server.create_archive(name=name, embedding=self._embedding or None)
        try:
            self._server.attach_archive(agent_id, archive.id)
        except ServerConflictError:  # somebody else was faster
            attached = self._server.list_archives(agent_id)
            if not attached:
                raise
            if not named and attached[0].id != archive.id:
                self._server.delete_archive(archive.id)
            return attached[0], False
        except GoneFromServerError:  # the agent went meanwhile, or is being erased
            if not named:
                self._server.delete_archive(archive.id)
            raise
        return archive, not named

    # reading

    def sent(self, subject_id: str) -> tuple[dict[str, str], frozenset[str], bool]:
        """The passages that this journal has sent and not seen removed, our ids by Letta's; Letta's ids of those that
        were removed here and are still to be removed there; and whether these are all: the answer to a batch may have
        been lost."""
        there = {letta_id: passage_id for passage_id, (letta_id, _) in self._sent(subject_id).items()}
        sending = self._notes.get(subject_id, _SENDING)
        return there, self._gone(subject_id), sending is None or not sending["batch"]

    def _sent(self, subject_id: str) -> dict[str, tuple[str, str | None]]:
        """Letta's id and time of what this journal sent, by our id."""
        return {
            passage_id: (letta_id, at)
            for batch in self._notes.list(subject_id, _SENT).values()
            for passage_id, (letta_id, at) in batch.items()
        }

    def _forget_sent(self, subject_id: str, passage_ids: set[str]) -> None:
        with self._journal.transaction():
            for key, batch in self._notes.list(subject_id, _SENT).items():
                if not passage_ids.isdisjoint(batch):
                    rest = {name: where for name, where in batch.items() if name not in passage_ids}
                    self._notes.put(subject_id, key, rest or None)

    def _there(self, subject_id: str, agent_id: str, passage_ids: Sequence[str]) -> list[Found]:
        """What Letta has under these ids: by the time noted when it was sent, else among all."""
        sent = self._sent(subject_id)
        wanted = set(passage_ids)
        if len(wanted) == 1 and wanted <= sent.keys() and not self._journal.in_transaction:
            at = sent[passage_ids[0]][1]
            found = self._at(subject_id, agent_id, at)
            if any(each.passage.id in wanted for each in found):
                return sorted((each for each in found if each.passage.id in wanted), key=lambda each: each.place)
        there = self._all(subject_id, agent_id)
        return sorted((each for each in there if each.passage.id in wanted), key=lambda each: each.place)

    def _at(self, subject_id: str, agent_id: str, at: datetime | str | None) -> list[Found]:
        """Everything from one moment, with its metadata."""
        if at is None:
            return []
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        archive_id = self._archive_of(subject_id, agent_id)
        return [from_letta(each) for each in self._server.find_passages(archive_id, after=moment, before=moment)]

    def _scan(self, agent_id: str) -> list[Found]:
        """All passages of an agent, in one request: what is listed elsewhere comes with its embedding."""
        try:
            found = self._server.search_passages(agent_id, "passages", limit=_ALL)
        except GoneFromServerError:
            return []
        return [from_letta(each) for each in found]

    def _all(self, subject_id: str, agent_id: str) -> list[Found]:
        """All passages of an agent but those that are being removed. A transaction, which may ask for many one by one,
        asks Letta once."""
        found = self._read_once(subject_id, agent_id) if self._journal.in_transaction else self._scan(agent_id)
        gone = self._gone(subject_id)
        return [each for each in found if each.letta_id not in gone]

    def _read_once(self, subject_id: str, agent_id: str) -> Sequence[Found]:
        kept = self._read
        sent = frozenset(self._notes.list(subject_id, _SENT))  # of a transaction that was undone something may be left
        if (kept.agent_id, kept.sent) != (agent_id, sent) or self._clock() - kept.at > _READ_SECONDS:
            found = self._scan(agent_id)
            kept.agent_id, kept.at, kept.sent, kept.found = agent_id, self._clock(), sent, found
            self._journal.after_commit(self._forget_read)
        return kept.found

    def _forget_read(self) -> None:
        self._read.agent_id, self._read.found = "", ()

    def _candidates(self, subject_id: str, agent_id: str, query: PassageQuery) -> list[Found]:
        """What passes the filters, by Letta's order; asked for again, more of it, while there are too few."""
        gone = self._gone(subject_id)
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

    def _whole(self, subject_id: str, agent_id: str, found: Found) -> Found:
        """With its metadata, where that is not in what was found."""
        if found.whole:
            return found
        there = [each for each in self._at(subject_id, agent_id, found.at) if each.letta_id == found.letta_id]
        return there[0] if there else replace(found, whole=True)


def _passage(entry: Found | Passage) -> Passage:
    return entry if isinstance(entry, Passage) else entry.passage


def _once(found: Iterable[Found]) -> list[Found]:
    """Each id once, in the given order, the newest of those that share one."""
    found = list(found)
    last = {each.passage.id: each.letta_id for each in newest(found)}
    return [each for each in found if last[each.passage.id] == each.letta_id]


def _remote(found: Found) -> RemotePassage:
    return RemotePassage(id=found.letta_id, text=found.passage.text, created_at=found.at)


def _iso(new: NewPassage) -> str:
    return "" if new.created_at is None else new.created_at.isoformat()


def _fused(query: PassageQuery, there: Sequence[Passage], waiting: Sequence[Passage]) -> list[Passage]:
    """Letta's order and the order by words, made one by reciprocal ranks. Best first, at most `query.limit`.

    Of what waits and Letta cannot rank yet, the words count for both: what was said last would stand behind all else.
    One that was sent meanwhile is in both lists, and found once, as it is here.
    """
    here = {passage.id: passage for passage in waiting}
    passages = [here.get(passage.id, passage) for passage in there if passage.id in here or passes(passage, query)]
    meaning = {passage.id: rank for rank, passage in enumerate(passages, start=1)}
    passages += [passage for passage in waiting if passage.id not in meaning]
    words = {passages[place].id: rank for rank, place in enumerate(_by_words(query.text, passages), start=1)}
    scored: list[tuple[float, int, dict[str, float]]] = []
    for number, passage in enumerate(passages):
        by_words = _part(words.get(passage.id))
        parts = {
            "meaning": _part(meaning.get(passage.id)),
            "words": by_words if passage.id in meaning else 2 * by_words,
        }
        scored.append((sum(parts.values()), number, parts))
    scored.sort(key=lambda each: (-each[0], each[1]))
    return [
        passages[number].model_copy(update={"score": score, "explanation": parts if query.explain else None})
        for score, number, parts in scored[: query.limit]
    ]


def _part(rank: int | None) -> float:
    """A rank's part of a score: a half for the first, nothing for what was not found."""
    return 0.0 if rank is None else 0.5 * (_FUSION + 1) / (_FUSION + rank)


def _by_words(text: str, passages: Sequence[Passage]) -> list[int]:
    """The places of those that share words with the query, best first."""
    from ai_memory_integrations.search.engine import SearchEngine, microseconds
    from ai_memory_integrations.search.snapshot import IndexDelta, IndexRow, IndexState
    from ai_memory_integrations.search.text import terms_of

    rows = [
        IndexRow(
            number + 1,
            terms_of(passage.text, created_at=passage.created_at),
            None if passage.created_at is None else microseconds(passage.created_at),
            passage.thread_id,
            passage.role,
            passage.name,
        )
        for number, passage in enumerate(passages)
    ]
    delta = IndexDelta(state=IndexState(0, len(rows), 0, 0), reset=True, rows=rows)
    hits = SearchEngine().search(0, lambda _: delta, PassageQuery(text=text, limit=len(rows)))
    return [hit.seq - 1 for hit in hits]
