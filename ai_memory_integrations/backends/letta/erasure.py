"""Erasing a subject at Letta and here, so that nothing is left and an interruption can be made good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ai_memory_integrations.backends.letta.agents import ARCHIVE, Agents
from ai_memory_integrations.backends.letta.names import Names
from ai_memory_integrations.backends.letta.remote import RemoteAgent
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.ports import Backend, Journal, Notes
from ai_memory_integrations.types import ErasureReceipt

_ERASING = "erasing"
_ALL = 100_000
_LOOSE = 100
TRACES = (
    "Letta keeps what it sent to its model provider (the table provider_traces), for which it has no request to erase; "
    "run the server with LETTA_TRACK_PROVIDER_TRACE=false so that it keeps none"
)
_SHARED = "block {id} belongs to other agents too and was only taken from this one"


class Erasure:
    """Removes an agent with its blocks, archives and passages, then the record.

    What there is to remove is noted before the first request: the agent goes first, and with it the way to the rest.
    """

    def __init__(
        self, record: Backend, journal: Journal, notes: Notes, server: LettaServer, agents: Agents, *, names: Names
    ) -> None:
        self._record = record
        self._journal = journal
        self._notes = notes
        self._server = server
        self._agents = agents
        self._names = names

    def erase(self, subject_id: str) -> ErasureReceipt | None:
        """What was removed; None when nobody knows the subject. Inside a transaction of the journal Letta's part
        follows its commit.

        Raises: BackendUnavailableError with the rest to be done by the next call.
        """
        if self._journal.in_transaction:
            return self._erase_after_commit(subject_id)
        plan = self._notes.get(subject_id, _ERASING)
        if plan is None:
            plan = self._planned(subject_id)
            if plan is None:
                return None
            with self._journal.transaction():
                self._record.create_subject(subject_id)
                self._notes.put(subject_id, _ERASING, plan)
        kept = [TRACES, *self._remove(subject_id, plan)]
        receipt = self._record.delete_subject(subject_id) or ErasureReceipt(
            subject_id=subject_id, agent_id="", erased_at=datetime.now(UTC)
        )
        return receipt.model_copy(
            update={
                "agent_id": plan["agent"] or receipt.agent_id,
                "blocks": max(receipt.blocks, len(plan["blocks"])),
                "passages": receipt.passages + plan["passages"],
                "kept": (*receipt.kept, *kept),
            }
        )

    def _erase_after_commit(self, subject_id: str) -> ErasureReceipt | None:
        known = self._agents.known(subject_id)
        noted, archive = self._noted(subject_id), self._noted_archive(subject_id)
        receipt = self._record.delete_subject(subject_id)
        if receipt is None:
            return None

        def erase() -> None:
            agent = None if known is None else self._server.get_agent(known)
            self._remove(subject_id, self._listed(subject_id, agent, noted, archive))

        self._journal.after_commit(erase)
        return receipt if known is None else receipt.model_copy(update={"agent_id": known, "kept": (TRACES,)})

    def _planned(self, subject_id: str) -> dict[str, Any] | None:
        """What there is of a subject at Letta; None for a subject that nobody knows."""
        known = self._agents.known(subject_id)
        agent = None if known is None else self._server.get_agent(known)
        if agent is None:
            agent = self._agents.find(subject_id)
        if agent is None and self._record.get_subject(subject_id) is None:
            return None
        return self._listed(subject_id, agent, self._noted(subject_id), self._noted_archive(subject_id))

    def _noted(self, subject_id: str) -> list[str]:
        """Blocks that were made for the subject, also where its agent has gone."""
        return [note["id"] for note in self._notes.list(subject_id, "block/").values()]

    def _noted_archive(self, subject_id: str) -> tuple[str, str] | None:
        """An agent and its archive, of which Letta lets it have one alone."""
        note = self._notes.get(subject_id, ARCHIVE)
        return None if note is None or note["id"] is None else (note["agent"], note["id"])

    def _listed(
        self, subject_id: str, agent: RemoteAgent | None, noted: Sequence[str], archive: tuple[str, str] | None
    ) -> dict[str, Any]:
        if agent is not None and archive is not None and archive[0] == agent.id:
            attached = [archive[1]]
        else:
            attached = [] if agent is None else [each.id for each in self._server.list_archives(agent.id)]
        named = self._server.list_named_archives(self._names.tag(subject_id))  # also of an agent that went before
        blocks = [] if agent is None else [block.id for block in agent.blocks]
        return {
            "agent": None if agent is None else agent.id,
            "blocks": sorted({*blocks, *noted}),
            "archives": sorted({*attached, *(each.id for each in named)}),
            "passages": self._count(agent.id) if agent is not None and attached else 0,
        }

    def _count(self, agent_id: str) -> int:
        """One request, in which a search tells less of each passage than a list does."""
        return len(self._server.search_passages(agent_id, "passages", limit=_ALL))

    def _remove(self, subject_id: str, plan: Mapping[str, Any]) -> list[str]:
        """What had to be left, in words."""
        kept: list[str] = []
        if plan["agent"] is not None:
            self._server.delete_agent(plan["agent"])
        # With the agent gone, what was the subject's alone is nobody's; also what somebody left who died.
        loose = {block.id for block in self._server.list_loose_blocks(self._names.tag(subject_id), limit=_LOOSE)}
        for block_id in sorted({*plan["blocks"], *loose}):
            if block_id not in loose and self._server.block_has_agents(block_id):
                kept.append(_SHARED.format(id=block_id))
            else:
                self._server.delete_block(block_id)
        for archive_id in plan["archives"]:
            self._server.delete_archive(archive_id)
        return kept
