"""Erasing a subject at Letta and here, so that nothing is left and an interruption can be made good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ai_memory_integrations.backends.letta.agents import Agents
from ai_memory_integrations.backends.letta.remote import RemoteAgent
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.ports import Backend, Journal, Notes
from ai_memory_integrations.types import ErasureReceipt

_ERASING = "erasing"
TRACES = (
    "Letta keeps what it sent to its model provider (the table provider_traces), for which it has no request to erase; "
    "run the server with LETTA_TRACK_PROVIDER_TRACE=false so that it keeps none"
)
_SHARED = "block {id} belongs to other agents too and was only taken from this one"


class Erasure:
    """Removes an agent with its blocks, archives and passages, then the record.

    What there is to remove is noted before the first request: the agent goes first, and with it the way to the rest.
    """

    def __init__(self, record: Backend, journal: Journal, notes: Notes, server: LettaServer, agents: Agents) -> None:
        self._record = record
        self._journal = journal
        self._notes = notes
        self._server = server
        self._agents = agents

    def erase(self, subject_id: str) -> ErasureReceipt | None:
        """What was removed; None when nobody knows the subject. Inside a transaction of the journal Letta's part
        follows its commit.

        Raises: BackendUnavailableError with the rest to be done by the next call.
        """
        known = self._record.get_subject(subject_id)
        if self._journal.in_transaction:
            agent_id = self._agents.known(subject_id)
            receipt = self._record.delete_subject(subject_id)
            if agent_id is not None:
                self._journal.after_commit(lambda: self._remove(self._plan(agent_id), []))
            return None if receipt is None else receipt.model_copy(update={"agent_id": agent_id or receipt.agent_id})
        plan = None if known is None else self._notes.get(subject_id, _ERASING)
        if plan is None:
            plan = self._planned(subject_id)
            if plan is not None and known is not None:
                self._notes.put(subject_id, _ERASING, plan)
        if plan is None:
            return self._record.delete_subject(subject_id)
        kept = [TRACES]
        self._remove(plan, kept)
        receipt = self._record.delete_subject(subject_id) or ErasureReceipt(
            subject_id=subject_id, agent_id=plan["agent"], erased_at=datetime.now(UTC)
        )
        return receipt.model_copy(
            update={
                "agent_id": plan["agent"],
                "blocks": max(receipt.blocks, len(plan["blocks"])),
                "passages": receipt.passages + plan["passages"],
                "kept": (*receipt.kept, *kept),
            }
        )

    def _planned(self, subject_id: str) -> dict[str, Any] | None:
        agent_id = self._agents.known(subject_id)
        agent = None if agent_id is None else self._server.get_agent(agent_id)
        if agent is None:
            agent = self._agents.find(subject_id)
        return None if agent is None else self._listed(agent)

    def _plan(self, agent_id: str) -> dict[str, Any]:
        agent = self._server.get_agent(agent_id)
        return self._listed(agent or RemoteAgent(id=agent_id, name=""))

    def _listed(self, agent: RemoteAgent) -> dict[str, Any]:
        archives = [archive.id for archive in self._server.list_archives(agent.id)]
        return {
            "agent": agent.id,
            "blocks": [block.id for block in agent.blocks],
            "archives": archives,
            "passages": self._count(agent.id) if archives else 0,
        }

    def _count(self, agent_id: str) -> int:
        total, after = 0, None
        while page := self._server.list_passages(agent_id, limit=500, after=after):
            total, after = total + len(page), page[-1].id
            if len(page) < 500:
                break
        return total

    def _remove(self, plan: Mapping[str, Any], kept: list[str]) -> None:
        self._server.delete_agent(plan["agent"])
        for block_id in plan["blocks"]:
            if self._server.block_has_agents(block_id):
                kept.append(_SHARED.format(id=block_id))
            else:
                self._server.delete_block(block_id)
        for archive_id in plan["archives"]:
            self._server.delete_archive(archive_id)
