"""The learner that lets a subject's Letta agent edit its own blocks.

A run of the journal becomes one run of Letta for each part of its batch. When they have ended the blocks are read once
and what the agent made of them is told as edits, so that a change of the application made in the same time survives.
A batch is learnt whole or not at all: what an agent did in a run that failed is undone before anybody sees it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ai_memory_integrations.backends.letta.delivery import PATIENCE, Delivery, Patience, Undelivered
from ai_memory_integrations.backends.letta.differences import edits_between
from ai_memory_integrations.backends.letta.inflight import LONG, InFlight, InFlightNotes, fingerprint
from ai_memory_integrations.backends.letta.remote import RemoteBlock
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.transcript import CHARACTERS, parts_of, render_part
from ai_memory_integrations.errors import (
    BackendError,
    ConfigurationError,
    GoneFromServerError,
    LearningError,
    ModelUnavailableError,
    RefusedByServerError,
    ServerConflictError,
    StaleClaimError,
    SubjectNotFoundError,
)
from ai_memory_integrations.learning import edits
from ai_memory_integrations.ports import Backend, Journal, Notes
from ai_memory_integrations.types import Block, Edit, Learned, LearningPolicy, Message, Run, Usage

logger = logging.getLogger("ai_memory_integrations")

NAME = "letta"
POLICY = LearningPolicy(batch=8, idle=30.0, max_wait=300.0, attempts=8, retry_delay=2.0, workers=4)
_TRIES = 3


class Residence(Protocol):
    """What the learner needs of the backend whose agents it asks."""

    def agent_of(self, subject_id: str) -> str:
        """The id of the subject's agent, which is made where there is none."""
        ...

    def agent_gone(self, subject_id: str) -> None:
        """The agent was not there: look for it, or make it again, at the next call."""
        ...

    def push(self, subject_id: str) -> None:
        """Read what a run of ours left unread, and send what the record has of the subject's blocks and Letta has not.
        No request when there is nothing."""
        ...

    def unsent(self, subject_id: str) -> bool:
        """Whether there is something to push; asked inside a transaction."""
        ...

    def send_passages(self, subject_id: str) -> None:
        """Send the passages that wait."""
        ...


class LettaLearner:
    """The subject's agent on a Letta server, as a learner. *record* is where the blocks' versions are.

    *usage* has each run say what Letta spent, for one request more a part. *exclusive* says that whoever uses the
    agents shares the journal: then nobody is looked for before a batch, and what came of it is left to whoever reads or
    sends next.
    """

    name = NAME
    policy = POLICY

    def __init__(
        self,
        server: LettaServer,
        residence: Residence,
        *,
        record: Backend,
        journal: Journal,
        notes: Notes,
        patience: Patience = PATIENCE,
        characters: int = CHARACTERS,
        usage: bool = False,
        exclusive: bool = False,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._server = server
        self._residence = residence
        self._record = record
        self._journal = journal
        self._notes = notes
        self._inflight = InFlightNotes(notes, journal)
        self._patience = patience
        self._characters = characters
        self._usage = usage
        self._exclusive = exclusive
        self._pause = pause

    def learn(self, blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        """Raises: LearningError, always: an agent can only be asked for a run of the journal."""
        raise LearningError("Letta's learner learns runs of a journal; call learn_run")

    def learn_run(self, run: Run, blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        """What the agent made of the messages, as edits of *blocks*.

        Raises: LearningError with Letta's words when its run failed, `final` where it would fail again;
        BackendUnavailableError while Letta is away; StaleClaimError when the run went elsewhere.
        """
        parts = parts_of(messages, self._characters)
        if not parts:
            return Learned()
        try:
            try:
                return self._learnt(run, blocks, parts)
            except GoneFromServerError:
                # Somebody removed the agent at Letta. A new one begins with the blocks as the record has them.
                logger.warning("the Letta agent of subject %r is gone; another one takes its place", run.subject_id)
                self._residence.agent_gone(run.subject_id)
                self._forget(run)
                return self._learnt(run, blocks, parts)
        except SubjectNotFoundError as error:
            raise StaleClaimError(run.id) from error

    def _learnt(self, run: Run, blocks: Sequence[Block], parts: Sequence[Sequence[Message]]) -> Learned:
        agent_id = self._residence.agent_of(run.subject_id)
        delivery = Delivery(
            self._server,
            self._journal,
            self._inflight,
            run,
            agent_id,
            patience=self._patience,
            exclusive=self._exclusive,
            pause=self._pause,
        )
        state = self._begun(run, delivery)
        long = self._long(run.subject_id)
        try:
            for number, part in enumerate(parts, start=1):
                known = state.part(number)
                if known is None or not known.done:
                    batch = f"{run.id}.{number}"
                    text = render_part(part, batch=batch, number=number, total=len(parts), long=long)
                    state = delivery.deliver(state, number, text)
        except (Undelivered, RefusedByServerError) as error:
            if isinstance(error, GoneFromServerError):
                raise
            self._undo(run, agent_id)
            if isinstance(error, RefusedByServerError):
                raise LearningError(str(error), final=True) from error
            raise
        self._send_passages(
            run.subject_id
        )  # now: while the agent worked, a slow embedding would have kept us from looking
        sources = tuple(message.id for part in parts for message in part if message.role == "user")
        return self._result(run, agent_id, state, blocks, tuple(dict.fromkeys(sources)))

    # the beginning

    def _begun(self, run: Run, delivery: Delivery) -> InFlight:
        """What is under way for the run. From here on the blocks are the agent's, which has all that the record has."""
        subject = run.subject_id
        deadline = time.monotonic() + self._patience.run
        pause = 0.0
        while True:
            with self._journal.transaction():
                self._inflight.holds(subject)  # puts away what another run left
                known = self._inflight.get(subject)
                if known is not None and known.run_id == run.id:
                    return known
                if not self._residence.unsent(subject):
                    base = {block.label: block.version for block in self._record.list_blocks(subject)}
                    begun = InFlight(run.id, base)
                    self._inflight.change(run, known, begun)
                    return begun
            if time.monotonic() >= deadline:
                raise ModelUnavailableError(f"blocks of subject {subject!r} are being sent to Letta all the time")
            delivery.make_room()
            self._residence.push(subject)
            self._pause(pause)
            pause = 0.05

    def _long(self, subject_id: str) -> dict[str, str]:
        """What to say to the agent of blocks that it made too long."""
        limits = {block.label: block.limit for block in self._record.list_blocks(subject_id)}
        return {
            label: f"{size} characters, where {limits[label]} are kept. Rewrite it shorter, keep what matters most."
            for label, size in (self._notes.get(subject_id, LONG) or {}).items()
            if label in limits
        }

    def _send_passages(self, subject_id: str) -> None:
        try:
            self._residence.send_passages(subject_id)
        except (BackendError, ConfigurationError) as error:  # no matter for the run: they are found where they are
            logger.warning("passages of subject %r wait in the journal: %s", subject_id, error)

    # the end

    def _result(
        self, run: Run, agent_id: str, state: InFlight, blocks: Sequence[Block], sources: tuple[str, ...]
    ) -> Learned:
        skipped: dict[str, str] = {}
        if any(part.stop_reason == "max_steps" for part in state.parts.values()):
            skipped["steps"] = "the agent came to the end of its steps (max_steps); what it did until then counts"
        if self._exclusive:
            with self._journal.transaction():
                self._inflight.change(run, state, replace(state, unread=sources))
            skipped["edits"] = "not counted: whoever reads the blocks next finds them, and they are in the history then"
            return Learned(skipped=skipped, usage=self._spent(state))
        remote = {block.label: block for block in self._server.list_blocks(agent_id)}
        base = self._base(run.subject_id, state)
        made: list[Edit] = []
        long: dict[str, int] = {}
        for block in blocks:
            if block.label not in remote:
                continue
            there = remote[block.label]
            began = base.get(block.label, block.value)
            if began.strip() and not there.value.strip():
                skipped[block.label] = "the agent emptied it; its value was put back"
                there = remote[block.label] = self._written(there, began)
            if len(there.value) > block.limit:
                long[block.label] = len(there.value)
                skipped[block.label] = (
                    f"the agent made it {len(there.value)} characters long, of which {block.limit} are kept; it is "
                    "asked to shorten it"
                )
            if not block.read_only:
                wanted = _carried_over(began, block.value, there.value[: block.limit])[: block.limit]
                made += edits_between(block.label, block.value, wanted, sources)
        self._finish(run, state, {label: fingerprint(there.value) for label, there in remote.items()}, long)
        return Learned(edits=tuple(made), skipped=skipped, usage=self._spent(state))

    def _finish(self, run: Run, state: InFlight, seen: Mapping[str, str], long: Mapping[str, int]) -> None:
        with self._journal.transaction():
            self._inflight.change(run, state, replace(state, seen=seen))
            self._notes.put(run.subject_id, LONG, long or None)

    def _base(self, subject_id: str, state: InFlight) -> dict[str, str]:
        """The values the agent began with, as far as the history still has them."""
        return {
            label: known.value
            for label, version in state.base.items()
            for known in self._record.block_history(subject_id, label)
            if known.version == version
        }

    def _spent(self, state: InFlight) -> Usage | None:
        if not self._usage:
            return None
        spent = Usage()
        for part in state.parts.values():
            if part.letta_run is not None:
                usage = self._server.run_usage(part.letta_run)
                spent += Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, steps=1)
        return spent

    # what came to nothing

    def _undo(self, run: Run, agent_id: str) -> None:
        """Give the blocks back the values they had, and forget what was sent: it counts as if it had not been."""
        state = self._inflight.get(run.subject_id)
        if state is None or state.run_id != run.id:
            return
        base = self._base(run.subject_id, state)
        notes = self._notes.list(run.subject_id, "block/")
        for block in self._server.list_blocks(agent_id):
            began = base.get(block.label)
            seen = notes.get(f"block/{block.label}", {}).get("seen")
            if began is not None and block.value != began and fingerprint(block.value) != seen:
                self._written(block, began)
        self._forget(run)

    def _forget(self, run: Run) -> None:
        state = self._inflight.get(run.subject_id)
        if state is not None and state.run_id == run.id:
            self._inflight.change(run, state, None)

    def _written(self, block: RemoteBlock, value: str) -> RemoteBlock:
        for attempt in range(_TRIES):
            try:
                return self._server.update_block(block.id, value=value)
            except ServerConflictError:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")


def _carried_over(base: str, ours: str, theirs: str) -> str:
    """*ours* with what *theirs* changed of *base*; a line that both changed stays as in ours, one that both added
    is there once."""
    if ours == base:
        return theirs
    already = set(ours.splitlines()) - set(base.splitlines())
    return edits.rethink(base, ours, "\n".join(line for line in theirs.splitlines() if line not in already))[0]
