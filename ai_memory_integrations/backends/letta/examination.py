"""What `ai-memory doctor` says of memory on Letta, and what it repairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ai_memory_integrations.backends.letta.agents import oldest
from ai_memory_integrations.backends.letta.blocks import UNSENT
from ai_memory_integrations.backends.letta.outbox import KEPT
from ai_memory_integrations.backends.letta.refusals import KEY as FAILED
from ai_memory_integrations.backends.letta.remote import RemoteAgent
from ai_memory_integrations.errors import AIMemoryError
from ai_memory_integrations.types import Finding

if TYPE_CHECKING:
    from ai_memory_integrations.backends.letta.store import LettaStore

_REPAIR = "ai-memory doctor --fix"
_PAGE = 100


def examine(store: LettaStore, *, fix: bool) -> Iterator[Finding]:
    """The journal, the server, its models, what was not sent, and agents made twice."""
    yield from store.record.examine(fix=fix)
    yield Finding(
        level="fact",
        name="journal",
        text=f"{store.record.url}: processes that share it make one agent for a subject and learn in turn; "
        + ("there are no others, says exclusive=true" if store.exclusive else "others only agree on the oldest agent"),
    )
    try:
        yield from _server(store)
        agents = list(store.agents.all())
        yield from _search(store, agents)
        yield from _unsent(store, fix=fix)
        yield from _refused(store, fix=fix)
        yield from _doubles(store, agents, fix=fix)
        yield from _loose_blocks(store, fix=fix)
    except AIMemoryError as error:
        yield Finding(level="problem", name="letta", text=str(error))


def _server(store: LettaStore) -> Iterator[Finding]:
    server, settings = store.server, store.settings
    yield Finding(level="fact", name="letta", text=f"version {server.version()} at {server.url}")
    for name, wanted, offered in (
        ("model", settings.model, server.models()),
        ("embedding", settings.embedding, server.embeddings()),
    ):
        if not wanted or wanted in offered:
            yield Finding(level="fact", name="letta", text=f"{name} {wanted or 'is the default of the server'}")
        else:
            yield Finding(
                level="problem",
                name="letta",
                text=f"{name} {wanted} is not offered; there are {', '.join(offered) or 'none'}",
                remedy=f"name one in the URL: letta://host?{name}=...",
            )


def _search(store: LettaStore, agents: Sequence[RemoteAgent]) -> Iterator[Finding]:
    """Whether embeddings work: only a search by one of the agents tells."""
    agent = store.server.get_agent(agents[0].id) if agents else None
    if agent is None:
        yield Finding(level="fact", name="search", text="whether embeddings work is seen with the first subject")
        return
    if not agent.embedding:
        yield Finding(
            level="problem",
            name="search",
            text=f"agent {agent.id} has no embedding model: Letta finds only what contains the query as it is",
            remedy="give it one in Letta's editor, and the server a default: LETTA_DEFAULT_EMBEDDING_HANDLE",
        )
        return
    try:
        store.server.search_passages(agent.id, "hello", limit=1)
    except AIMemoryError as error:
        yield Finding(level="problem", name="search", text=f"embeddings do not work: {error}")
    else:
        yield Finding(level="fact", name="search", text=f"embeddings work ({agent.embedding})")


def _unsent(store: LettaStore, *, fix: bool) -> Iterator[Finding]:
    waiting = store.record.notes.subjects(UNSENT)
    if fix:
        for subject_id in waiting:
            store.blocks.push(subject_id)
        waiting = store.record.notes.subjects(UNSENT)
    if waiting:
        text = f"blocks of {len(waiting):,} subjects are not sent yet, the first is {waiting[0]!r}"
        yield Finding(level="note", name="letta", text=text, remedy=_REPAIR)


def _refused(store: LettaStore, *, fix: bool) -> Iterator[Finding]:
    """Passages that the server does not take, or has failed over."""
    notes = store.record.notes
    if fix:
        for subject_id in {*notes.subjects(KEPT), *notes.subjects(FAILED)}:
            store.outbox.try_again(subject_id)
            store.backend.send(subject_id)
    here = {subject_id: _kept(store, subject_id) for subject_id in notes.subjects(KEPT)}
    if number := sum(map(len, here.values())):
        subject_id, (passage_id, *_) = next((each, ids) for each, ids in here.items() if ids)
        text = (
            f"Letta does not take {number:,} passages, which stay in the journal and are found by their words; "
            f"the first is {passage_id} of {subject_id!r}"
        )
        yield Finding(level="note", name="letta", text=text, remedy=f"{_REPAIR} sends them again")
    if waiting := notes.subjects(FAILED):
        text = f"Letta fails over passages of {len(waiting):,} subjects, which wait; the first is {waiting[0]!r}"
        yield Finding(
            level="note", name="letta", text=text, remedy="look at the server's log, and at its embedding model"
        )


def _kept(store: LettaStore, subject_id: str) -> list[str]:
    """Those that were not deleted since."""
    there = store.record.backend
    return [each for each in store.outbox.kept(subject_id) if there.get_passage(subject_id, each) is not None]


def _doubles(store: LettaStore, agents: Sequence[RemoteAgent], *, fix: bool) -> Iterator[Finding]:
    by_subject: defaultdict[str, list[RemoteAgent]] = defaultdict(list)
    for agent in agents:
        subject_id = store.names.subject_of(agent.tags)
        if subject_id is not None:
            by_subject[subject_id].append(agent)
    yield Finding(level="fact", name="letta", text=f"{len(by_subject):,} subjects have an agent")
    for subject_id, made in by_subject.items():
        kept = oldest(made)
        for agent in made:
            if agent.id != kept.id:
                yield _double(store, subject_id, agent, kept, fix=fix)


def _double(store: LettaStore, subject_id: str, agent: RemoteAgent, kept: RemoteAgent, *, fix: bool) -> Finding:
    text = f"subject {subject_id!r} has a second agent, {agent.id}, beside {kept.id}"
    there = store.server.get_agent(agent.id)
    if there is None or not _is_empty(store, there):
        return Finding(
            level="problem",
            name="letta",
            text=f"{text}, and something is in its memory",
            remedy="look at it in Letta's editor, bring over what is worth keeping, and delete it there",
        )
    if not fix:
        return Finding(level="problem", name="letta", text=f"{text}; it is empty", remedy=_REPAIR)
    store.agents.remove(there)
    return Finding(level="fact", name="letta", text=f"{text}; it was empty and is removed")


def _is_empty(store: LettaStore, agent: RemoteAgent) -> bool:
    if any(block.value.strip() for block in agent.blocks):
        return False
    return not store.server.list_passages(agent.id, limit=1)


def _loose_blocks(store: LettaStore, *, fix: bool) -> Iterator[Finding]:
    loose = store.server.list_loose_blocks(store.names.all, limit=_PAGE)
    if not loose:
        return
    text = f"{len(loose):,} blocks belong to no agent: what made them came to no end"
    if not fix:
        yield Finding(level="note", name="letta", text=text, remedy=_REPAIR)
        return
    for block in loose:
        store.server.delete_block(block.id)
    yield Finding(level="fact", name="letta", text=f"{text}; they are removed")
