"""Erasing a subject at Letta and here, so that nothing is left and an interruption can be made good."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ai_memory_integrations.backends.letta.agents import ALONE, ARCHIVE, ERASING, Agents
from ai_memory_integrations.backends.letta.archived import from_letta
from ai_memory_integrations.backends.letta.outbox import Outbox
from ai_memory_integrations.backends.letta.remote import RemoteAgent
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.ports import Backend, Journal, Notes
from ai_memory_integrations.types import ErasureReceipt

_ALL = 100_000
_LOOSE = 100
TRACES = (
    "Letta keeps what it sent to its model provider (the table provider_traces), for which it has no request to erase; "
    "run the server with LETTA_TRACK_PROVIDER_TRACE=false so that it keeps none"
)
_SHARED = "block {id} belongs to other agents too and was only taken from this one"
_SHARED_ARCHIVE = (
    "archive {id} belongs to other agents too, or the server cannot tell, and was only taken from this one, with the "
    "{gone:,} passages in it that this journal knows to be the subject's removed"
)

Holders = dict[str, list[RemoteAgent] | None]
"""The agents that an archive is attached to; None where the server cannot tell."""


@dataclass(frozen=True)
class Known:
    """What the journal knows of a subject at Letta. `blocks` were made for it, also where its agent has gone; `archive`
    is that of `agent`, of which Letta lets it have one alone; `sent` are the passages that were put there, our ids by
    Letta's, `gone` of these (and of no others) those that were removed here and are not removed there yet, `waiting`
    our ids of those that are in the journal. `alone`: nobody else has made anything for it, and what is named here is
    all there is."""

    agent: str | None
    archive: str | None
    blocks: tuple[str, ...]
    sent: Mapping[str, str]
    gone: frozenset[str]
    waiting: frozenset[str]
    alone: bool


class Erasure:
    """Removes an agent with its blocks, archives and passages, then the record. What other agents have as well is only
    taken from this one.

    What there is to remove is noted before the first request that removes: the agent goes first, and with it the way to
    the rest. *exclusive* says that whoever makes anything for a subject shares the journal.
    """

    def __init__(
        self,
        record: Backend,
        journal: Journal,
        notes: Notes,
        server: LettaServer,
        agents: Agents,
        outbox: Outbox,
        *,
        exclusive: bool = False,
    ) -> None:
        self._record = record
        self._journal = journal
        self._notes = notes
        self._server = server
        self._agents = agents
        self._outbox = outbox
        self._exclusive = exclusive
        self._names = agents.names

    def erase(self, subject_id: str) -> ErasureReceipt | None:
        """What was removed; None when nobody knows the subject. Inside a transaction of the journal Letta's part
        follows its commit.

        Raises: BackendUnavailableError with the rest to be done by the next call.
        """
        if self._journal.in_transaction:
            return self._erase_after_commit(subject_id)
        known = self._known(subject_id)
        plan = self._notes.get(subject_id, ERASING)
        if plan is None:
            plan = self._begun(subject_id, known)
            if plan is None:
                return None
        else:
            plan = self._looked_at_again(subject_id, plan, known)
        passages, kept = self._remove(subject_id, plan, known)
        receipt = self._delete_record(subject_id) or ErasureReceipt(
            subject_id=subject_id, agent_id="", erased_at=datetime.now(UTC)
        )
        return receipt.model_copy(
            update={
                "agent_id": plan["agent"] or receipt.agent_id,
                "blocks": max(receipt.blocks, len(plan["blocks"])),
                "passages": receipt.passages + plan["passages"] + passages,
                "kept": (*receipt.kept, TRACES, *kept),
            }
        )

    def _begun(self, subject_id: str, known: Known) -> dict[str, Any] | None:
        """The plan, noted: from here on nothing is made for the subject."""
        while True:
            plan = self._planned(subject_id, known)
            if plan is None:
                return None
            with self._journal.transaction():
                again = self._known(subject_id)
                if (again.agent, again.archive) == (known.agent, known.archive):
                    self._record.create_subject(subject_id)
                    self._notes.put(subject_id, ERASING, plan)
                    return plan
            known = again  # somebody met the subject meanwhile

    def _delete_record(self, subject_id: str) -> ErasureReceipt | None:
        """None where another process has come to the end of the erasure, after which the subject may be there anew."""
        return self._record.delete_subject(subject_id) if self._agents.is_erased(subject_id) else None

    def _erase_after_commit(self, subject_id: str) -> ErasureReceipt | None:
        known = replace(self._known(subject_id), alone=False)  # what is made from here on is not noted
        receipt = self._record.delete_subject(subject_id)
        if receipt is None:
            return None

        def erase() -> None:
            plan = self._planned(subject_id, known, find=False)
            if plan is not None:
                self._remove(subject_id, plan, known)

        self._journal.after_commit(erase)
        if known.agent is None:
            return receipt
        return receipt.model_copy(update={"agent_id": known.agent, "kept": (TRACES,)})

    # what there is

    def _known(self, subject_id: str) -> Known:
        agent = self._agents.known(subject_id)
        note = self._notes.get(subject_id, ARCHIVE)
        if note is None or agent is None or note["agent"] != agent:
            note = {}
        sent, gone, is_all = self._outbox.known(subject_id)
        return Known(
            agent=agent,
            archive=note.get("id"),
            blocks=tuple(block["id"] for block in self._notes.list(subject_id, "block/").values()),
            sent=sent,
            gone=gone,
            waiting=frozenset(passage.id for passage in self._record.list_passages(subject_id)),
            alone=self._exclusive and is_all and bool(note.get(ALONE)),
        )

    def _planned(self, subject_id: str, known: Known, *, find: bool = True) -> dict[str, Any] | None:
        """What there is of a subject at Letta; None for a subject that nobody knows. Who has an archive is asked for
        with their blocks, and the agent read with it."""
        looked: Holders = {}
        agent: RemoteAgent | None = None
        if known.archive is not None:
            looked[known.archive] = holders = self._server.list_archive_agents(known.archive)
            agent = next((each for each in holders or () if each.id == known.agent), None)
        alone = known.alone and (agent is not None or known.archive is None)
        if agent is None and known.agent is not None:
            agent = self._server.get_agent(known.agent)
            if agent is None:
                self._agents.check_account(subject_id)
        if agent is None and find:
            agent = self._agents.find(subject_id)
            if agent is None and self._record.get_subject(subject_id) is None:
                return None
        alone = alone and agent is not None and agent.id == known.agent
        blocks = () if agent is None else (block.id for block in agent.blocks)
        attached = self._attached(known, agent, alone=alone)
        plan: dict[str, Any] = {
            "agent": None if agent is None else agent.id,
            "blocks": sorted({*blocks, *known.blocks}),
            "archives": attached,
            "alone": alone,
        }
        plan["shared"] = self._shared(subject_id, plan, known, looked)
        plan["passages"] = self._count(plan, known)
        return plan

    def _looked_at_again(self, subject_id: str, plan: Mapping[str, Any], known: Known) -> dict[str, Any]:
        """The plan of an erasure that was interrupted: somebody may have attached an archive since."""
        before = plan.get("shared", {})
        shared = self._shared(subject_id, plan, known, {})
        passages = plan["passages"] if shared.keys() <= before.keys() else _count(known, _all(shared), known.sent)
        return {**plan, "shared": {**shared, **before}, "passages": passages}

    def _attached(self, known: Known, agent: RemoteAgent | None, *, alone: bool) -> list[str]:
        if agent is None:
            return []
        if known.archive is not None and known.agent == agent.id:
            return [known.archive]
        return [] if alone else [each.id for each in self._server.list_archives(agent.id)]

    def _shared(self, subject_id: str, plan: Mapping[str, Any], known: Known, looked: Holders) -> dict[str, list[str]]:
        """Those of the archives that somebody else's agents have too, each with the passages in it that are known to be
        the subject's. An archive that nobody else has is not among them."""
        found: dict[str, list[str]] = {}
        ours = known.waiting.union(known.sent.values())  # also what was sent without an answer, or twice
        for archive_id in plan["archives"]:
            if archive_id not in looked:
                looked[archive_id] = self._server.list_archive_agents(archive_id)
            holders = looked[archive_id]
            others = [each.id for each in holders or () if self._is_strange(subject_id, plan, each)]
            if others or holders is None:
                reader = others[0] if others else plan["agent"] if archive_id == known.archive else None
                found[archive_id] = sorted(
                    letta_id
                    for letta_id, passage_id in self._passages_of(reader).items()
                    if letta_id in known.sent or letta_id in known.gone or passage_id in ours
                )
        return found

    def _is_strange(self, subject_id: str, plan: Mapping[str, Any], agent: RemoteAgent) -> bool:
        return agent.id != plan["agent"] and self._names.tag(subject_id) not in agent.tags

    def _count(self, plan: Mapping[str, Any], known: Known) -> int:
        """How many passages will be removed with the archives of the plan, but for those that are in the journal too:
        they are counted with it."""
        names = dict(known.sent)
        there = set(_all(plan["shared"]))
        if not plan["shared"].keys() >= set(plan["archives"]):
            names |= {} if plan["alone"] else self._passages_of(plan["agent"])
            there |= known.sent.keys() if plan["alone"] else names.keys()
        return _count(known, there, names)

    def _passages_of(self, agent_id: str | None) -> dict[str, str]:
        """Our ids by Letta's, in one request, in which a search tells less of each passage than a list does."""
        if agent_id is None:
            return {}
        found = self._server.optional(lambda: self._server.search_passages(agent_id, "passages", limit=_ALL))
        return {passage.id: from_letta(passage).passage.id for passage in found or ()}

    # removing it

    def _remove(self, subject_id: str, plan: Mapping[str, Any], known: Known) -> tuple[int, list[str]]:
        """How many passages were removed of which the plan did not know, and what had to be left, in words."""
        if plan["agent"] is not None:
            self._server.delete_agent(plan["agent"])
        if not plan.get("alone"):  # another that strangers have made at the same time, and did not live to remove
            for agent in list(self._agents.all(self._names.tag(subject_id))):
                self._server.delete_agent(agent.id)
        kept = self._remove_blocks(subject_id, plan)
        # With the agent gone nobody makes an archive any more. By name, also of an agent that went before.
        named = [] if self._has_all(subject_id, plan) else self._server.list_named_archives(self._names.tag(subject_id))
        others = [each.id for each in named if each.id not in plan["archives"]]
        more = self._shared(subject_id, {**plan, "archives": others}, known, {})
        shared = {**plan["shared"], **more}
        for archive_id in [*plan["archives"], *others]:
            if archive_id not in shared:
                self._server.delete_archive(archive_id)
                continue
            for passage_id in shared[archive_id]:
                self._server.delete_passage(archive_id, passage_id)
            kept.append(_SHARED_ARCHIVE.format(id=archive_id, gone=len(shared[archive_id])))
        there = set(_all(more))
        if not plan["archives"] and len(others) > len(more):  # what was sent is in one of them
            there |= known.sent.keys()
        return _count(known, there, known.sent), kept

    def _has_all(self, subject_id: str, plan: Mapping[str, Any]) -> bool:
        """Whether the plan has every archive that was ever made, also since it was noted."""
        if not plan.get("alone"):
            return False
        note = self._notes.get(subject_id, ARCHIVE)
        return note is not None and bool(note.get(ALONE)) and note["id"] in (None, *plan["archives"])

    def _remove_blocks(self, subject_id: str, plan: Mapping[str, Any]) -> list[str]:
        """Those that had to be left, in words."""
        kept: list[str] = []
        # With the agent gone, what was the subject's alone is nobody's; also what somebody left who died.
        loose = {block.id for block in self._server.list_loose_blocks(self._names.tag(subject_id), limit=_LOOSE)}
        for block_id in sorted({*plan["blocks"], *loose}):
            if block_id not in loose and self._server.block_has_agents(block_id):
                kept.append(_SHARED.format(id=block_id))
            else:
                self._server.delete_block(block_id)
        return kept


def _all(shared: Mapping[str, Iterable[str]]) -> list[str]:
    return [letta_id for ids in shared.values() for letta_id in ids]


def _count(known: Known, there: Iterable[str], names: Mapping[str, str]) -> int:
    """How many passages these are of Letta's, each once however often it was sent."""
    return len({names[each] for each in there if each in names and each not in known.gone} - known.waiting)
