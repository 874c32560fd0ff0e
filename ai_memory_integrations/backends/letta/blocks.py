"""Blocks in two places: their versions in the journal, and the values that Letta's agents read and edit.

Of each block a note keeps what Letta's value was when it was last seen, as a hash, and which version that is. A value
with another hash was written there: it becomes a version. A version beyond the noted one was written here: it is sent.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ai_memory_integrations.backends.letta.agents import Agents, Contact, Told, told
from ai_memory_integrations.backends.letta.forms import sendable
from ai_memory_integrations.backends.letta.holding import Holding
from ai_memory_integrations.backends.letta.inflight import LONG, UNREAD, InFlightNotes, fingerprint
from ai_memory_integrations.backends.letta.names import Names
from ai_memory_integrations.backends.letta.remote import RemoteBlock
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.errors import GoneFromServerError, ServerConflictError
from ai_memory_integrations.learning import edits
from ai_memory_integrations.ports import Backend, Change, Journal, Notes
from ai_memory_integrations.types import DEFAULT_BLOCK_LIMIT, LABEL_PATTERN, Block, BlockSpec

logger = logging.getLogger("ai_memory_integrations")

UNSENT = "unsent"
_BLOCK = "block/"
_ATTACHING = "attaching/"  # a block that was made to be attached: whether it was is not known yet
_DOUBT = "doubt"  # of a block's note: another value was sent, and no answer has come
_AGENT = Change("agent")
_ROUNDS = 5
_ORPHANED = timedelta(minutes=15)  # a run that a server's crash left behind is active for ever
_REMEMBERED = 10_000


class Waiting(NamedTuple):
    """A block that Letta does not have as it is here; `block` None: gone here, `note` None: never was there."""

    label: str
    block: Block | None
    note: dict[str, Any] | None


class Known(NamedTuple):
    """What is noted of Letta's blocks, by key, of a run of ours that nobody has read, and of who sent last."""

    blocks: dict[str, dict[str, Any]]
    unread: dict[str, Any] | None
    sender: str | None


class Blocks:
    """Keeps the blocks of the journal's database and those of Letta's agents the same.

    *stale* is for how many seconds a read may be answered without asking Letta again; *exclusive* says that whoever
    uses the agents shares the journal.
    """

    def __init__(
        self,
        record: Backend,
        journal: Journal,
        notes: Notes,
        server: LettaServer,
        agents: Agents,
        *,
        names: Names,
        stale: float = 0.0,
        exclusive: bool = False,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._record = record
        self._journal = journal
        self._notes = notes
        self._server = server
        self._agents = agents
        self._inflight = InFlightNotes(notes, journal)
        self._holding = Holding(journal, notes)
        self._names = names
        self._stale = stale
        self._exclusive = exclusive
        self._pause = pause
        self._pulled: dict[str, float] = {}

    # from Letta

    def pull(self, subject_id: str) -> None:
        """Bring the journal up to what Letta has: one request, none within *stale* seconds, unless a run of ours has
        left something unread, or while one is at work, whose edits come with its end. A subject without an agent here
        is looked for."""
        agent_id = self._agents.known(subject_id)
        if self._is_learning(subject_id) or (self._is_fresh(subject_id) and not self.unread(subject_id)):
            return
        if agent_id is None and self._agents.is_being_met(subject_id):
            return
        began = time.monotonic()
        if agent_id is None:
            self.adopt(subject_id)
        else:
            self._read(subject_id, agent_id)
        self._remember(subject_id, began)
        if self._notes.get(subject_id, UNSENT) is not None and self._agents.known(subject_id) is not None:
            self.push(subject_id)

    def _read(self, subject_id: str, agent_id: str) -> None:
        before = self._known(subject_id)
        try:
            there = self._server.list_blocks(agent_id)
        except GoneFromServerError:
            self._agents.forget(subject_id, agent_id)
            self.adopt(subject_id)
            return
        self._agents.seen(subject_id)
        self._take_unless_overtaken(subject_id, there, before)

    def adopt(self, subject_id: str) -> None:
        """Look for the agent of a subject that the journal knows without one, unless somebody is about to know it: they
        alone can tell which of its blocks were removed here since it was made."""
        here = told(self._record.list_blocks(subject_id))
        found = self._agents.find(subject_id)
        if found is None:
            return
        with self._journal.transaction():
            if self._agents.known(subject_id) is None and not self._agents.is_being_met(subject_id):
                before = self._agents.told(subject_id, found)
                self._agents.remember(subject_id, found)
                self.meet(subject_id, found.blocks, [*here, *before])

    def ensure(self, subject_id: str) -> Contact:
        """The subject's agent; where it is found or made now its blocks are taken over."""
        return self._agents.ensure(subject_id, met=self.meet)

    def begun(self, subject_id: str) -> Contact:
        """`ensure` for a subject whose transaction called `Agents.begin`."""
        return self._agents.begun(subject_id, met=self.meet)

    def meet(self, subject_id: str, there: Sequence[RemoteBlock], here: Sequence[Told]) -> None:
        """Record what Letta's blocks are. One that was *here* before Letta was asked or told, and is not any more, is
        Letta's to remove: it is not taken for one of somebody else."""
        with self._journal.transaction():
            if self._is_learning(subject_id):
                return
            noted = self._notes.list(subject_id, _BLOCK)
            now = {block.label: block.id for block in self._record.list_blocks(subject_id)}
            for remote in filter(_is_ours, there):
                if f"{_BLOCK}{remote.label}" not in noted:
                    was = [each for each in here if each.label == remote.label]
                    self._meet_one(subject_id, remote, was, now.get(remote.label))
            self._take(subject_id, there)

    def _meet_one(self, subject_id: str, remote: RemoteBlock, here: Sequence[Told], now: str | None) -> None:
        """Note which of those that were *here* a block of Letta is; with *now*, the id of that label, if it is that."""
        same = [each for each in here if each.seen == fingerprint(remote.value)]
        if not same and now not in [each.block for each in here]:
            same = list(here)
        if not same:
            return
        it = next((each for each in same if each.block == now), same[-1])
        self._put_note(subject_id, remote, it.block, it.version)
        if it.block != now:
            self._notes.put(subject_id, UNSENT, {})

    def _take_unless_overtaken(self, subject_id: str, there: Sequence[RemoteBlock], before: Known) -> None:
        """Record what Letta's blocks are, unless somebody sent, took or learnt something since it was asked."""
        if before.unread is None and not self._differs(before.blocks, there):
            return
        with self._journal.transaction():
            learning = self._is_learning(subject_id)  # asked first: it notes what a run that has ended has seen
            if not learning and before == self._known(subject_id):
                self._take(subject_id, there, sending=self._holding.is_held(subject_id))

    def _known(self, subject_id: str) -> Known:
        blocks, unread = self._notes.list(subject_id, _BLOCK), self._notes.get(subject_id, UNREAD)
        return Known(blocks, unread, self._holding.last(subject_id))

    def unread(self, subject_id: str) -> bool:
        """Whether a run of ours has ended whose edits nobody has read."""
        return not self._is_learning(subject_id) and self._notes.get(subject_id, UNREAD) is not None

    def _is_learning(self, subject_id: str) -> bool:
        return self._inflight.get(subject_id) is not None and self._inflight.holds(subject_id)

    def _is_fresh(self, subject_id: str) -> bool:
        pulled = self._pulled.get(subject_id)
        return pulled is not None and time.monotonic() - pulled < self._stale

    def _remember(self, subject_id: str, when: float) -> None:
        if self._stale <= 0:
            return
        if len(self._pulled) >= _REMEMBERED:
            self._pulled.clear()
        self._pulled[subject_id] = when

    def _differs(self, noted: Mapping[str, dict[str, Any]], there: Sequence[RemoteBlock]) -> bool:
        seen = {(f"{_BLOCK}{each.label}", each.id, fingerprint(each.value)) for each in there if _is_ours(each)}
        return seen != {(key, note["id"], note["seen"]) for key, note in noted.items()}

    def _take(self, subject_id: str, there: Sequence[RemoteBlock], *, sending: bool = False) -> None:
        """*sending* says that somebody else sends at this moment: what is new there may be theirs, and be gone here."""
        here = {block.label: block for block in self._record.list_blocks(subject_id)}
        notes, unread, _ = self._known(subject_id)
        change = _AGENT if unread is None else Change("learner", unread["run"], tuple(unread["messages"]))
        long: dict[str, int] = {}
        for remote in sorted(filter(_is_ours, there), key=lambda each: each.label):
            note = notes.pop(f"{_BLOCK}{remote.label}", None)
            if note is None and not sending:
                note = self._attached(subject_id, remote)
            if note is not None and _DOUBT in note and sending:
                continue
            block = here.get(remote.label)
            if block is not None:
                if unread is not None and note is not None and note["block"] != block.id:
                    continue  # begun afresh here, and to be sent: what was learnt before went with the old one
                if len(remote.value) > block.limit:
                    long[block.label] = len(remote.value)
                if note is None or (note["id"], note["seen"]) != (remote.id, fingerprint(remote.value)):
                    self._take_value(subject_id, block, remote, note, change)
            elif note is None and not sending:
                self._import(subject_id, remote)
        for key in notes:  # removed in Letta's editor: made again where it is kept here
            self._notes.put(subject_id, key, None)
            if key.removeprefix(_BLOCK) in here:
                self._notes.put(subject_id, UNSENT, {})
        if unread is not None:
            self._notes.put(subject_id, UNREAD, None)
            self._notes.put(subject_id, LONG, long or None)

    def _attached(self, subject_id: str, remote: RemoteBlock) -> dict[str, Any] | None:
        """The note of a block that was attached after all, though no answer said so."""
        note = self._notes.get(subject_id, f"{_ATTACHING}{remote.label}")
        if note is None or note["id"] != remote.id:
            return None
        self._notes.put(subject_id, f"{_BLOCK}{remote.label}", note)
        self._notes.put(subject_id, f"{_ATTACHING}{remote.label}", None)
        self._notes.put(subject_id, UNSENT, {})
        return note

    def _import(self, subject_id: str, remote: RemoteBlock) -> None:
        limit = remote.limit or DEFAULT_BLOCK_LIMIT
        spec = BlockSpec(
            label=remote.label,
            description=remote.description,
            value=remote.value[:limit],
            limit=limit,
            read_only=remote.read_only,
        )
        block, _ = self._record.create_block(subject_id, spec, _AGENT)
        self._note(subject_id, block, remote)

    def _take_value(
        self, subject_id: str, block: Block, remote: RemoteBlock, note: dict[str, Any] | None, change: Change
    ) -> None:
        """A value that was not seen before: the block's next version, with what waits to be sent merged into it."""
        if fingerprint(sendable(block.value)) == fingerprint(remote.value):
            self._note(subject_id, block, remote)
            return
        if block.value.strip() and not remote.value.strip():
            # A model that leaves nothing has made a mistake; an application empties a block here.
            self._note(subject_id, block, remote, version=0)
            self._notes.put(subject_id, UNSENT, {})
            return
        ours = self._own(subject_id, block, remote, note)
        if ours is not None:
            self._note(subject_id, block, remote, version=ours)
            self._notes.put(subject_id, UNSENT, {})
            return
        base = self._base(subject_id, block, remote, note)
        theirs = remote.value[: block.limit]
        written = self._record.write_block(subject_id, block.label, theirs, change=change)
        self._note(subject_id, written, remote)
        if base is None or block.value == base:
            return
        self._record.write_block(subject_id, block.label, merge(base, block.value, theirs)[: block.limit])
        self._notes.put(subject_id, UNSENT, {})

    def _own(self, subject_id: str, block: Block, remote: RemoteBlock, note: dict[str, Any] | None) -> int | None:
        """Which version of a block that is noted Letta has, where it is a later one than the one that is known to be
        there: it was sent, and no answer came."""
        if note is None or note["id"] != remote.id or (note["block"] != block.id and _DOUBT not in note):
            return None
        later = self._record.block_history(subject_id, block.label)
        if note["block"] == block.id:
            later = [each for each in later if each.version >= note["version"]]
            known = [fingerprint(sendable(each.value)) == note["seen"] for each in later]
            later = later[known.index(True) + 1 :] if any(known) else later
        there = fingerprint(remote.value)
        return next((each.version for each in reversed(later) if fingerprint(sendable(each.value)) == there), None)

    def _base(self, subject_id: str, block: Block, remote: RemoteBlock, note: dict[str, Any] | None) -> str | None:
        """The value from which both sides went on; None where nothing was written here since."""
        history = {each.version: each.value for each in self._record.block_history(subject_id, block.label)}
        if note is not None and (note["block"], note["id"]) == (block.id, remote.id):
            is_sent = self._is_there(block, note)
            return None if is_sent else history.get(note["version"], "")
        if any(fingerprint(sendable(value)) == fingerprint(remote.value) for value in history.values()):
            return remote.value[: block.limit]
        return None if block.version == 1 else history.get(1, "")

    # to Letta

    def wrote(self, subject_id: str) -> None:
        """In the transaction that changed a block: there may be something to send."""
        self._pulled.pop(subject_id, None)
        self._notes.put(subject_id, UNSENT, {})

    def unsent(self, subject_id: str) -> bool:
        """Inside a transaction: whether something is to be sent or read, or is being sent."""
        return (
            self._notes.get(subject_id, UNSENT) is not None
            or self.unread(subject_id)
            or self._holding.is_held(subject_id)
        )

    def push(self, subject_id: str) -> None:
        """Send what Letta does not have yet, each value whole, when what a run of ours left unread is read. What is not
        sent, because a run of the agent is at work which would undo it, stays marked for the next call."""
        for _ in range(_ROUNDS):
            if self.unread(subject_id):
                self._read_unread(subject_id)
            if self._notes.get(subject_id, UNSENT) is None or not self._plan(subject_id):
                return
            if self.unread(subject_id):  # a run has ended meanwhile
                continue
            contact = self.ensure(subject_id)
            if contact.remote is not None:
                continue
            token = self._holding.take(subject_id)
            if token is None:
                return
            here: list[Told] = []
            try:
                if self._is_running(subject_id, contact.agent_id):
                    return
                waiting = self._waiting(subject_id)
                here = told([each.block for each in waiting if each.block is not None])
                self._send(subject_id, contact.agent_id, waiting)
            except ServerConflictError:
                self._pause(random.uniform(0.02, 0.1))
                self.meet(subject_id, self._server.list_blocks(contact.agent_id), here)
            except GoneFromServerError:
                self._found_gone(subject_id, contact.agent_id, here)
            finally:
                self._holding.give_back(subject_id, token)

    def _read_unread(self, subject_id: str) -> None:
        agent_id = self._agents.known(subject_id)
        if agent_id is not None:
            self._read(subject_id, agent_id)
        else:  # it went with its agent
            self._notes.put(subject_id, UNREAD, None)

    def _plan(self, subject_id: str) -> bool:
        """Whether something is to be sent now; the mark goes when there is nothing."""
        with self._journal.transaction():
            if self._record.get_subject(subject_id) is None or self._is_learning(subject_id):
                return False
            if self._holding.is_held(subject_id):
                return False
            if self._agents.known(subject_id) is None or self._waiting(subject_id):
                return True
            self._notes.put(subject_id, UNSENT, None)
            return False

    def _waiting(self, subject_id: str) -> list[Waiting]:
        here = {block.label: block for block in self._record.list_blocks(subject_id)}
        notes = {key.removeprefix(_BLOCK): note for key, note in self._notes.list(subject_id, _BLOCK).items()}
        for key, attaching in self._notes.list(subject_id, _ATTACHING).items():
            label = key.removeprefix(_ATTACHING)
            if label not in here:
                notes.setdefault(label, attaching)
        changed = [
            Waiting(label, block, note)
            for label, block in here.items()
            if (note := notes.get(label)) is None or not self._is_there(block, note)
        ]
        return changed + [Waiting(label, None, note) for label, note in notes.items() if label not in here]

    def _is_there(self, block: Block, note: Mapping[str, Any]) -> bool:
        if note["block"] != block.id or _DOUBT in note:
            return False
        return bool(note["version"] == block.version or note["seen"] == fingerprint(sendable(block.value)))

    def _send(self, subject_id: str, agent_id: str, waiting: Sequence[Waiting]) -> None:
        recompile = False
        for label, block, note in waiting:
            if block is None:
                if note is not None:
                    self._server.delete_block(note["id"])
                self._notes.put(subject_id, f"{_BLOCK}{label}", None)
                self._notes.put(subject_id, f"{_ATTACHING}{label}", None)
                recompile = True
            elif note is None:
                self._attach(subject_id, agent_id, block)
                recompile = True
            elif not self._is_cut(subject_id, agent_id, block, note):
                changes: dict[str, Any] = {"value": block.value}
                if note["block"] != block.id:  # begun afresh here
                    changes |= {"description": block.description, "limit": block.limit, "read_only": block.read_only}
                self._keep(subject_id, f"{_BLOCK}{label}", {**note, _DOUBT: True})
                self._sent(subject_id, block, self._server.update_block(note["id"], **changes))
        if recompile:
            self._server.recompile(agent_id)

    def _is_cut(self, subject_id: str, agent_id: str, block: Block, note: Mapping[str, Any]) -> bool:
        """Whether a block that is as long as it may be is the beginning of what Letta has: that is for the agent to
        shorten, and not to be cut there too."""
        if len(block.value) < block.limit or note["block"] != block.id:
            return False
        for remote in self._server.list_blocks(agent_id):
            if remote.id == note["id"] and remote.value[: block.limit] == block.value:
                self._sent(subject_id, block, remote)
                return True
        return False

    def _attach(self, subject_id: str, agent_id: str, block: Block) -> None:
        key = f"{_ATTACHING}{block.label}"
        if left := self._notes.get(subject_id, key):
            there = self._server.list_blocks(agent_id)
            if any(each.id == left["id"] for each in there):
                self.meet(subject_id, there, ())
                return
            self._server.delete_block(left["id"])
        made = self._server.create_block(
            label=block.label,
            value=block.value,
            description=block.description,
            limit=block.limit,
            read_only=block.read_only,
            tags=self._names.tags(subject_id),
        )
        self._keep(subject_id, key, _noted(made, block.id, block.version))
        try:
            self._server.attach_block(agent_id, made.id)
        except BaseException:
            self._server.delete_block(made.id)
            self._notes.put(subject_id, key, None)
            raise
        self._sent(subject_id, block, made)

    def _keep(self, subject_id: str, key: str, note: Mapping[str, Any]) -> None:
        """What is about to be sent, unless the subject is erased."""
        with self._journal.transaction():
            if self._record.get_subject(subject_id) is not None:
                self._notes.put(subject_id, key, note)

    def _sent(self, subject_id: str, block: Block, remote: RemoteBlock) -> None:
        with self._journal.transaction():
            if self._record.get_subject(subject_id) is not None:
                self._note(subject_id, block, remote)
                self._notes.put(subject_id, f"{_ATTACHING}{block.label}", None)

    def _found_gone(self, subject_id: str, agent_id: str, here: Sequence[Told]) -> None:
        """Something was removed on the server: the agent, or a block of it."""
        agent = self._server.get_agent(agent_id)
        if agent is None:
            self._agents.forget(subject_id, agent_id)
        else:
            self.meet(subject_id, agent.blocks, here)

    def _is_running(self, subject_id: str, agent_id: str) -> bool:
        """Whether a run is at work. Of those that the journal knows none is; where nobody else uses the agent and the
        end of all of ours was seen, no other can be."""
        if self._exclusive and not self._inflight.is_in_doubt(subject_id):
            return False
        now = datetime.now(UTC)
        return any(
            run.created_at is None or now - run.created_at < _ORPHANED
            for run in self._server.list_runs(agent_id, active=True, limit=5)
        )

    def _note(self, subject_id: str, block: Block, remote: RemoteBlock, *, version: int | None = None) -> None:
        self._put_note(subject_id, remote, block.id, block.version if version is None else version)

    def _put_note(self, subject_id: str, remote: RemoteBlock, block_id: str, version: int) -> None:
        self._notes.put(subject_id, f"{_BLOCK}{remote.label}", _noted(remote, block_id, version))


def _noted(remote: RemoteBlock, block_id: str, version: int) -> dict[str, Any]:
    return {"id": remote.id, "seen": fingerprint(remote.value), "block": block_id, "version": version}


def merge(base: str, ours: str, theirs: str) -> str:
    """*theirs* and what *ours* changed of *base*; where both changed the same lines, ours stays."""
    already = set(ours.splitlines()) - set(base.splitlines())
    new = "\n".join(line for line in theirs.splitlines() if line not in already)
    return edits.rethink(base, ours, new)[0]


def _is_ours(block: RemoteBlock) -> bool:
    """Whether a block of Letta can be one here; labels of other forms are left to Letta."""
    return re.fullmatch(LABEL_PATTERN, block.label) is not None
