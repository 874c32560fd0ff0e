"""Subjects, blocks and passages on Letta, with their record in the journal's database.

Inside a transaction of the journal no request is made: the record is read and written, and what has to reach Letta is
sent when the transaction is committed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from ai_memory_integrations.backends.letta.agents import Agents
from ai_memory_integrations.backends.letta.archive import Archive
from ai_memory_integrations.backends.letta.blocks import Blocks
from ai_memory_integrations.backends.letta.erasure import Erasure
from ai_memory_integrations.backends.letta.outbox import Outbox
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.errors import BackendUnavailableError, SubjectNotFoundError
from ai_memory_integrations.ports import APPLICATION, Backend, Change, Journal, Notes
from ai_memory_integrations.types import (
    Block,
    BlockSpec,
    BlockVersion,
    ErasureReceipt,
    Passage,
    PassageQuery,
    Subject,
)

logger = logging.getLogger("ai_memory_integrations")


class LettaBackend(Backend):
    """`Backend` over a Letta server and a record of it; what each verb means is said in `ports.Backend`.

    What is written is committed in the record and then sent. Where Letta is away, it is sent later, and what is known
    here is what readers get; a mistake, such as a wrong key, is raised.
    """

    def __init__(
        self,
        record: Backend,
        journal: Journal,
        notes: Notes,
        server: LettaServer,
        agents: Agents,
        blocks: Blocks,
        archive: Archive,
        outbox: Outbox,
        *,
        exclusive: bool = False,
    ) -> None:
        self._record = record
        self._journal = journal
        self._notes = notes
        self._server = server
        self._agents = agents
        self._blocks = blocks
        self._archive = archive
        self._outbox = outbox
        self._erasure = Erasure(record, journal, notes, server, agents, outbox, exclusive=exclusive)

    # subjects

    def get_subject(self, subject_id: str) -> Subject | None:
        known = self._record.get_subject(subject_id)
        if self._journal.in_transaction:
            return self._with_agent(known)
        if known is not None and self._agents.known(subject_id) is not None:
            return self._with_agent(known)
        if known is None:
            return self._with_agent(self._found(subject_id))
        try:
            self._blocks.pull(subject_id)
        except BackendUnavailableError as error:
            _serve_what_is_known(subject_id, error)
        return self._with_agent(known)

    def create_subject(self, subject_id: str, blocks: Sequence[BlockSpec] = ()) -> tuple[Subject, bool]:
        known = self._record.get_subject(subject_id)
        if self._journal.in_transaction:
            subject, made = (known, False) if known is not None else self._record.create_subject(subject_id, blocks)
            return self._overlaid(subject), made
        if known is not None and self._agents.is_erased(subject_id):  # and did not come to its end
            self._erasure.erase(subject_id)
            known = None
        if known is None:
            found = self._found(subject_id)
            if found is not None:
                return self._overlaid(found), False
            with self._journal.transaction():
                known, made = self._record.create_subject(subject_id, blocks)
                if made:
                    self._agents.begin(subject_id)
            contact = self._blocks.begun(subject_id) if made else self._blocks.ensure(subject_id)
        else:
            contact = self._blocks.ensure(subject_id)
            if self._blocks.unread(subject_id):  # who resets a block must not find less in it than was learnt
                self._refresh(subject_id)
        return self._overlaid(known), contact.made

    def list_subjects(self, *, limit: int | None = None, after: str | None = None) -> list[Subject]:
        """As `Backend.list_subjects`. A listing that begins asks Letta for all agents, a request for every hundred."""
        if after is None and not self._journal.in_transaction:
            try:
                self._meet_everybody()
            except BackendUnavailableError as error:
                logger.warning("subjects are listed as far as they are known here: %s", error)
        return [self._overlaid(subject) for subject in self._record.list_subjects(limit=limit, after=after)]

    def delete_subject(self, subject_id: str) -> ErasureReceipt | None:
        return self._erasure.erase(subject_id)

    def _found(self, subject_id: str) -> Subject | None:
        """A subject that only Letta knows, from now on known here too; None when there is none."""
        found = self._agents.find(subject_id)
        if found is None:
            return None
        with self._journal.transaction():
            subject, made = self._record.create_subject(subject_id)
            if made:
                self._agents.remember(subject_id, found)
                self._blocks.meet(subject_id, found.blocks, ())
        if not made:  # begun here meanwhile, with blocks of its own
            with suppress(SubjectNotFoundError):  # and erased again
                self._blocks.ensure(subject_id)
        return subject

    def _meet_everybody(self) -> None:
        """Make subjects known here that strangers or the AI Memory SDK have at Letta; their blocks come when asked."""
        for subject_id, agent in self._agents.everybody():
            if self._record.get_subject(subject_id) is None:
                with self._journal.transaction():
                    _, made = self._record.create_subject(subject_id)
                    if made:
                        self._agents.remember(subject_id, agent)

    def _overlaid(self, subject: Subject) -> Subject:
        """With the id of Letta's agent; until there is one, the record's own stands for it."""
        agent_id = self._agents.known(subject.subject_id)
        return subject if agent_id is None else subject.model_copy(update={"agent_id": agent_id})

    def _with_agent(self, subject: Subject | None) -> Subject | None:
        return None if subject is None else self._overlaid(subject)

    # blocks

    def list_blocks(self, subject_id: str) -> list[Block]:
        self._refresh(subject_id)
        return self._record.list_blocks(subject_id)

    def get_block(self, subject_id: str, label: str) -> Block | None:
        self._refresh(subject_id)
        return self._record.get_block(subject_id, label)

    def block_history(self, subject_id: str, label: str) -> list[BlockVersion]:
        self._refresh(subject_id)
        return self._record.block_history(subject_id, label)

    def create_block(self, subject_id: str, spec: BlockSpec, change: Change = APPLICATION) -> tuple[Block, bool]:
        self._refresh(subject_id)
        with self._journal.transaction():
            block, made = self._record.create_block(subject_id, spec, change)
            if made:
                self._changed(subject_id)
        return block, made

    def write_block(
        self,
        subject_id: str,
        label: str,
        value: str,
        *,
        expected_version: int | None = None,
        change: Change = APPLICATION,
    ) -> Block:
        self._refresh(subject_id)
        with self._journal.transaction():
            block = self._record.write_block(subject_id, label, value, expected_version=expected_version, change=change)
            self._changed(subject_id)
            if change.actor == "learner":  # one that is not Letta's sends no passages; an application need not wait
                self._journal.after_commit(lambda: self._outbox.send_if_possible(subject_id, self.agent_of))
        return block

    def delete_block(self, subject_id: str, label: str) -> bool:
        self._refresh(subject_id)
        with self._journal.transaction():
            gone = self._record.delete_block(subject_id, label)
            if gone:
                self._changed(subject_id)
        return gone

    def _refresh(self, subject_id: str) -> None:
        """Ask Letta what is new, unless a transaction is open."""
        if self._journal.in_transaction:
            return
        if self._record.get_subject(subject_id) is None:
            self._found(subject_id)
            return
        try:
            self._blocks.pull(subject_id)
        except BackendUnavailableError as error:
            _serve_what_is_known(subject_id, error)

    def _changed(self, subject_id: str) -> None:
        self._blocks.wrote(subject_id)
        self._journal.after_commit(lambda: self._push(subject_id))

    def _push(self, subject_id: str) -> None:
        """Send what was committed. Where Letta is away it is sent later: what was said here stands."""
        try:
            self._blocks.push(subject_id)
        except BackendUnavailableError as error:
            logger.warning("blocks of subject %r are kept and sent to Letta later: %s", subject_id, error)

    def send(self, subject_id: str) -> None:
        """Send all that waits of a subject. Where Letta is away it goes on waiting, which is logged."""
        try:
            self.push(subject_id)
            self.send_passages(subject_id)
        except BackendUnavailableError as error:
            logger.warning("subject %r is kept here and sent to Letta later: %s", subject_id, error)

    # what the learner asks

    def agent_of(self, subject_id: str) -> str:
        """The id of the subject's agent, which is made where there is none."""
        return self._blocks.ensure(subject_id).agent_id

    def agent_gone(self, subject_id: str) -> None:
        """The agent was not there: look for it, or make it again, at the next call. Raises: SubjectNotFoundError where
        it went because the subject is being erased."""
        if self._agents.is_erased(subject_id):
            raise SubjectNotFoundError(subject_id)
        agent_id = self._agents.known(subject_id)
        if agent_id is not None:
            self._agents.forget(subject_id, agent_id)

    def push(self, subject_id: str) -> None:
        """Read what a run of ours left unread, and send what the record has of the subject's blocks and Letta has not.
        No request when there is nothing."""
        self._blocks.push(subject_id)

    def unsent(self, subject_id: str) -> bool:
        """Whether there is something to push; asked inside a transaction."""
        return self._blocks.unsent(subject_id)

    def send_passages(self, subject_id: str) -> None:
        """Send the passages that wait."""
        self._outbox.send(subject_id, self.agent_of(subject_id))

    # passages

    def add_passages(self, subject_id: str, passages: Sequence[Passage]) -> list[str]:
        return self._archive.add_passages(subject_id, passages, agent_of=self.agent_of)

    def get_passage(self, subject_id: str, passage_id: str) -> Passage | None:
        return self._archive.get_passage(subject_id, passage_id)

    def list_passages(
        self,
        subject_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> list[Passage]:
        return self._archive.list_passages(subject_id, limit=limit, after=after, tags=tags)

    def delete_passages(self, subject_id: str, passage_ids: Sequence[str]) -> int:
        return self._archive.delete_passages(subject_id, passage_ids, agent_of=self.agent_of)

    def search_passages(
        self, subject_id: str, query: PassageQuery, *, vector: Sequence[float] | None = None
    ) -> list[Passage]:
        return self._archive.search_passages(subject_id, query, vector=vector)

    def speakers(self, subject_id: str) -> tuple[str, ...]:
        return self._archive.speakers(subject_id)

    def close(self) -> None:
        self._server.close()
        self._record.close()


def _serve_what_is_known(subject_id: str, error: BackendUnavailableError) -> None:
    logger.warning("subject %r is read as it was last seen: %s", subject_id, error)
