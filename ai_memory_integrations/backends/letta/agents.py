"""One Letta agent for each subject: found by its tag, made by one, made again when it is gone.

Among processes that share the journal a note elects who makes the agent. Strangers follow a rule that converges:
whoever made one looks again; the oldest stays, and the maker of a younger one removes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from ai_memory_integrations.backends.letta.forms import sendable
from ai_memory_integrations.backends.letta.inflight import IN_DOUBT, UNREAD, fingerprint
from ai_memory_integrations.backends.letta.names import SDK_TAG, Names, sdk_subject
from ai_memory_integrations.backends.letta.remote import RemoteAgent, RemoteBlock
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.owner import is_gone, process_owner
from ai_memory_integrations.errors import (
    AnswerLostError,
    BackendUnavailableError,
    ConfigurationError,
    InvalidSubjectError,
    RefusedByServerError,
    SubjectNotFoundError,
)
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.ports import Backend, Journal, Notes
from ai_memory_integrations.subjects import subject_id_of
from ai_memory_integrations.types import Block

logger = logging.getLogger("ai_memory_integrations")

MODEL = "openai/gpt-4.1"
EMBEDDING = "openai/text-embedding-3-small"
_AGENT = "agent"
ERASING = "erasing"  # what is being removed of a subject: from here on nothing is made for it
_KEYS = "keys"  # marks of those with which an agent was seen
_REMEMBERED = 10_000
_KEYS_LOOKED_AT = 1_000  # notes of agents, for the mark of a key
_AGENTS_ASKED_FOR = 5
ARCHIVE = "archive"
ALONE = "alone"  # of an archive's note: nothing of the subject was made but by this journal
UNKNOWN_ARCHIVE = {"agent": "", "id": None}  # there may be one of an agent that went, or none
_MAKER = "maker"
_MAKING = "making"  # with which blocks an agent was made of which no answer has come
_MAKING_SECONDS = 180.0
_PAGE = 20
_WHOLE_PAGE = 100
_MAKER_FIELD = "made_by_call"
_YIELD_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)
_OTHER_ACCOUNT = (
    "the journal seems to belong to another account. Give each account a journal= or a namespace= of its own, or open "
    "this one with the key of its account"
)
_TOOLS = ("memory_insert", "memory_replace", "memory_rethink")


class Told(NamedTuple):
    """A block as Letta was told it, or was to be told: its id and version here, and the fingerprint of its value."""

    label: str
    block: str
    version: int
    seen: str


def told(blocks: Sequence[Block]) -> list[Told]:
    return [Told(each.label, each.id, each.version, fingerprint(sendable(each.value))) for each in blocks]


# Called with a subject, the blocks of its agent and those that were here before it was looked for or made: in the
# transaction from which on it is known.
Met = Callable[[str, Sequence[RemoteBlock], Sequence[Told]], None]


@dataclass(frozen=True)
class AgentSettings:
    """What new agents are made of. "" for *model* or *embedding* stands for the server's own default."""

    model: str = MODEL
    embedding: str = EMBEDDING


@dataclass(frozen=True)
class Contact:
    """A subject's agent. `remote` is there when it was read or made just now, `made` when this call began it."""

    agent_id: str
    remote: RemoteAgent | None = None
    made: bool = False


class Agents:
    """The agents behind subjects. The journal's notes remember them. *exclusive* says that whoever makes any shares the
    journal."""

    def __init__(
        self,
        record: Backend,
        journal: Journal,
        notes: Notes,
        server: LettaServer,
        *,
        names: Names,
        settings: AgentSettings,
        exclusive: bool = False,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._record = record
        self._journal = journal
        self._notes = notes
        self._server = server
        self.names = names
        self._settings = settings
        self._exclusive = exclusive
        self._pause = pause
        self._seen: set[str] = set()
        self._is_at_home = False

    def known(self, subject_id: str) -> str | None:
        """The id of a subject's agent as far as the journal knows; no request is made."""
        note = self._notes.get(subject_id, _AGENT)
        return None if note is None else str(note["id"])

    def find(self, subject_id: str) -> RemoteAgent | None:
        """The agent behind a subject on the server, with its blocks; the oldest of several. One request, as a rule.

        An agent that the AI Memory SDK made for the subject is one of ours from now on: it gets our tags as well.

        Raises: ConfigurationError with a key of another account than the journal's.
        """
        self.check_key()
        found = self._candidates(subject_id)
        ours = [agent for agent in found if self.names.tag(subject_id) in agent.tags]
        if ours:
            return oldest(ours)
        theirs = [agent for agent in found if sdk_subject(agent.name, agent.tags) == subject_id]
        return self._adopted(subject_id, oldest(theirs)) if theirs else None

    def all(self, tag: str | None = None) -> Iterator[RemoteAgent]:
        """Every agent that was made here (or has *tag*), oldest first, without its blocks; a request for every
        hundred."""
        after: str | None = None
        while page := self._server.list_agents([tag or self.names.all], limit=_WHOLE_PAGE, after=after):
            yield from page
            if len(page) < _WHOLE_PAGE:
                return
            after = page[-1].id

    def everybody(self) -> Iterator[tuple[str, RemoteAgent]]:
        """The subjects that have an agent at Letta, with the oldest one each; first ours, then the SDK's.

        Raises: ConfigurationError with a key of another account than the journal's.
        """
        self.check_key()
        met: set[str] = set()
        for agent in self.all():
            subject_id = self.names.subject_of(agent.tags)
            if subject_id is not None and subject_id not in met:
                met.add(subject_id)
                yield subject_id, agent
        for agent in self.all(SDK_TAG) if self.names.adopts else ():
            subject_id = self.names.subject_of(agent.tags) or sdk_subject(agent.name, agent.tags)
            if subject_id is not None and subject_id not in met and _is_subject(subject_id):
                met.add(subject_id)
                yield subject_id, agent

    def remember(self, subject_id: str, agent: RemoteAgent) -> None:
        """Note which agent stands behind a subject that the journal knows."""
        self._notes.put(subject_id, _AGENT, {"id": agent.id, _KEYS: [self._server.key_mark]})
        self._notes.put(subject_id, _MAKING, None)

    def told(self, subject_id: str, agent: RemoteAgent) -> list[Told]:
        """The blocks that an agent was made with whose maker never learnt that it was; of any other agent none. To be
        asked before it is remembered."""
        making = self._notes.get(subject_id, _MAKING)
        if making is None or not str(agent.metadata.get(_MAKER_FIELD)).startswith(making["by"]):
            return []
        return [Told(*each) for each in making["blocks"]]

    def seen(self, subject_id: str) -> None:
        """The agent that is known was there: the key belongs to its account. Noted once for each key."""
        if subject_id in self._seen:
            return
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen.add(subject_id)
        mark = self._server.key_mark
        note = self._notes.get(subject_id, _AGENT)
        if note is None or mark in note.get(_KEYS, ()):
            return
        with self._journal.transaction():
            note = self._notes.get(subject_id, _AGENT)
            if note is not None and mark not in note.get(_KEYS, ()):
                self._notes.put(subject_id, _AGENT, {**note, _KEYS: [*note.get(_KEYS, ()), mark]})

    def check_key(self) -> None:
        """Once: whether the key, where the journal knows agents and has seen none of them with it, is of their account.
        One request, as a rule, and none with a key that the journal knows.

        Raises: ConfigurationError.
        """
        if self._is_at_home:
            return
        others: dict[str, str] = {}
        for subject_id in self._notes.subjects(_AGENT)[:_KEYS_LOOKED_AT]:
            note = self._notes.get(subject_id, _AGENT)
            keys = () if note is None else note.get(_KEYS, ())
            if self._server.key_mark in keys:
                others.clear()
                break
            if note is not None and keys:
                others[str(note["id"])] = subject_id
        asked = list(others)[:_AGENTS_ASKED_FOR]
        if asked and not any(self._server.get_agent(agent_id) is not None for agent_id in asked):
            there = self._server.list_agents([self.names.all], limit=_WHOLE_PAGE)
            if not any(agent.id in others for agent in there):
                raise ConfigurationError(
                    f"none of the agents that this journal knows is there with this key, not even {asked[0]} of "
                    f"subject {others[asked[0]]!r}: {_OTHER_ACCOUNT}"
                )
        self._is_at_home = True

    def check_account(self, subject_id: str) -> None:
        """The agent that is known was not there. Where the key is a new one, it may be of another account, on which
        nothing of this journal's is to be made: one request tells whether any agent that the old key knew is there.

        Raises: ConfigurationError.
        """
        note = self._notes.get(subject_id, _AGENT)
        keys = set() if note is None else set(note.get(_KEYS, ()))
        if note is None or not keys or self._server.key_mark in keys:
            return
        for agent in self._server.list_agents([self.names.all], limit=_WHOLE_PAGE):
            other = self._notes.get(self.names.subject_of(agent.tags) or "", _AGENT)
            if other is not None and other["id"] == agent.id and not keys.isdisjoint(other.get(_KEYS, ())):
                return
        raise ConfigurationError(
            f"the agent of subject {subject_id!r}, {note['id']}, is not on this server, nor is any other that was made "
            f"with the key before this one: {_OTHER_ACCOUNT}"
        )

    def forget(self, subject_id: str, agent_id: str) -> None:
        """The agent is not on the server any more: forget it with all that was noted of it, unless it went because the
        subject is being erased.

        Raises: ConfigurationError where it is on another account.
        """
        if self.known(subject_id) != agent_id or self.is_erased(subject_id):
            return
        self.check_account(subject_id)
        with self._journal.transaction():
            if self.known(subject_id) != agent_id:
                return
            for key in self._notes.list(subject_id):
                if key in (_AGENT, UNREAD, IN_DOUBT) or key.startswith("block/"):
                    self._notes.put(subject_id, key, None)
            self._notes.put(subject_id, ARCHIVE, UNKNOWN_ARCHIVE)

    def is_erased(self, subject_id: str) -> bool:
        """Whether an erasure of the subject has begun and not come to its end."""
        return self._notes.get(subject_id, ERASING) is not None

    def ensure(self, subject_id: str, *, met: Met | None = None) -> Contact:
        """The agent of a subject that the journal knows, found or made now where there is none yet.

        Raises: SubjectNotFoundError, also while it is being erased.
        """
        attempt = 0
        while True:
            if (known := self.known(subject_id)) is not None:
                return Contact(known)
            if self.is_erased(subject_id):
                raise SubjectNotFoundError(subject_id)
            if (note := self._elected(subject_id)) is not None:
                return self._contact(subject_id, note, looked=False, met=met)
            self._pause(min(0.02 * 1.5**attempt, 0.5))
            attempt += 1

    def is_being_met(self, subject_id: str) -> bool:
        """Whether somebody is looking for the subject's agent, or making it, to make it known here."""
        return _is_at_work(self._notes.get(subject_id, _MAKER))

    def begin(self, subject_id: str) -> None:
        """In the transaction that makes the subject: this process makes its agent, next. If it does not come to it,
        whoever does begins the subject."""
        self._notes.put(subject_id, _MAKER, self._maker(fresh=True))

    def _maker(self, *, fresh: bool) -> dict[str, Any]:
        until = time.time() + _MAKING_SECONDS
        return {"owner": process_owner(), "token": new_id("mkr"), "until": until, "fresh": fresh}

    def _elected(self, subject_id: str) -> dict[str, Any] | None:
        """The note of this call as the maker of the agent; None while somebody else makes it."""
        mine = self._maker(fresh=False)
        if self._notes.add(subject_id, _MAKER, mine):
            return mine
        with self._journal.transaction():
            held = self._notes.get(subject_id, _MAKER)
            if _is_at_work(held):
                return None
            mine["fresh"] = held is not None and held["fresh"]
            self._notes.put(subject_id, _MAKER, mine)
        return mine

    def begun(self, subject_id: str, *, met: Met) -> Contact:
        """Make the agent of a subject whose transaction called `begin`, and for which `find` found none."""
        held = self._notes.get(subject_id, _MAKER)
        if held is None:
            return self.ensure(subject_id, met=met)
        return self._contact(subject_id, held, looked=True, met=met)

    def _contact(self, subject_id: str, maker: dict[str, Any], *, looked: bool, met: Met | None) -> Contact:
        blocks = self._record.list_blocks(subject_id)
        try:
            found = None if looked else self.find(subject_id)
            agent, made = (found, False) if found is not None else self._create(subject_id, blocks)
        except BaseException:
            self._let_another(subject_id, maker)
            raise
        try:
            self._note(subject_id, agent, told(blocks), made=made, met=met)
        except SubjectNotFoundError:  # it was erased meanwhile, by somebody who did not know of this agent
            if made:
                self.remove(agent)
            raise
        return Contact(agent.id, agent, made and bool(maker["fresh"]))

    def _note(self, subject_id: str, agent: RemoteAgent, here: Sequence[Told], *, made: bool, met: Met | None) -> None:
        with self._journal.transaction():
            if self.is_erased(subject_id):
                raise SubjectNotFoundError(subject_id)
            # Who found it meanwhile has taken its blocks over, and may have removed some since.
            if self.known(subject_id) != agent.id:
                before = self.told(subject_id, agent)
                self.remember(subject_id, agent)
                if met is not None:
                    met(subject_id, agent.blocks, [*here, *before])
            if made and self._notes.get(subject_id, ARCHIVE) is None:  # the first one has none yet
                self._notes.put(subject_id, ARCHIVE, {"agent": agent.id, "id": None, ALONE: self._exclusive})
            self._notes.put(subject_id, _MAKER, None)

    def _let_another(self, subject_id: str, maker: dict[str, Any]) -> None:
        with self._journal.transaction():
            held = self._notes.get(subject_id, _MAKER)
            if held is not None and held["token"] == maker["token"]:
                self._notes.put(subject_id, _MAKER, {**held, "until": 0.0} if held["fresh"] else None)

    def _candidates(self, subject_id: str) -> list[RemoteAgent]:
        tag = self.names.tag(subject_id)
        if not self.names.adopts:
            return self._server.list_agents([tag], limit=_PAGE, with_blocks=True)
        # The SDK's tags are words that anybody may use: a full page of somebody else's agents hides ours.
        raw = f"subj:{subject_id}" if subject_id == SDK_TAG else subject_id
        found = self._server.list_agents([tag, raw], any_tag=True, limit=_PAGE, with_blocks=True)
        if len(found) < _PAGE or any(tag in agent.tags for agent in found):
            return found
        return self._server.list_agents([tag], limit=_PAGE, with_blocks=True) or self._server.list_agents(
            [raw, SDK_TAG], limit=_PAGE, with_blocks=True
        )

    def _adopted(self, subject_id: str, agent: RemoteAgent) -> RemoteAgent:
        tags = (*agent.tags, *(tag for tag in self.names.tags(subject_id) if tag not in agent.tags))
        self._server.update_agent(
            agent.id, tags=list(tags), metadata={**agent.metadata, "subject": subject_id, "adopted": True}
        )
        logger.info("agent %s, made by the AI Memory SDK, stands behind subject %r from now on", agent.id, subject_id)
        return agent

    def _create(self, subject_id: str, blocks: Sequence[Block]) -> tuple[RemoteAgent, bool]:
        """The agent that is left after everybody's look, and whether it is the one made here."""
        call = self._making(subject_id, blocks) + uuid4().hex[:8]
        try:
            mine = self._made(subject_id, blocks, call)
        except AnswerLostError:
            there = self._server.list_agents([self.names.tag(subject_id)], limit=_PAGE, with_blocks=True)
            arrived = [agent for agent in there if agent.metadata.get(_MAKER_FIELD) == call]
            if not arrived:
                raise
            mine = arrived[0]
        return (mine, True) if self._exclusive else self._confirmed(subject_id, mine)

    def _making(self, subject_id: str, blocks: Sequence[Block]) -> str:
        """How the calls begin by which this journal makes the subject's agent. With which blocks is noted first:
        whoever finds an agent whose maker had no answer can tell what was removed here since from what is new there."""
        now = {each.block: each for each in told(blocks)}
        with self._journal.transaction():
            making = self._notes.get(subject_id, _MAKING) or {"by": f"{new_id('mkr')}.", "blocks": []}
            before = {each.block: each for each in (Told(*one) for one in making["blocks"])}
            self._notes.put(subject_id, _MAKING, {**making, "blocks": list({**before, **now}.values())})
        return str(making["by"])

    def _made(self, subject_id: str, blocks: Sequence[Block], call: str) -> RemoteAgent:
        fields: dict[str, Any] = {
            "name": self.names.agent(subject_id),
            "tags": self.names.tags(subject_id),
            "metadata": {"subject": subject_id, _MAKER_FIELD: call},
            "blocks": [
                {
                    "label": block.label,
                    "value": block.value,
                    "description": block.description,
                    "limit": block.limit,
                    "read_only": block.read_only,
                    "tags": list(self.names.tags(subject_id)),
                }
                for block in blocks
            ],
            "message_buffer_autoclear": True,
        }
        for name in ("model", "embedding"):
            if handle := getattr(self._settings, name):
                fields[name] = handle
        try:
            return self._server.create_agent(agent_type="sleeptime_agent", **fields)
        except RefusedByServerError as error:
            if error.status not in (400, 422) or "agent_type" not in error.detail:
                raise
            return self._server.create_agent(
                agent_type="letta_v1_agent", include_base_tools=False, tools=list(_TOOLS), **fields
            )

    def _confirmed(self, subject_id: str, mine: RemoteAgent) -> tuple[RemoteAgent, bool]:
        """Look who else has made an agent. The oldest stays; who made a younger one removes it.

        When the youngest looked before the oldest could be seen, it stays: then the oldest gives way.
        """
        for pause in (*_YIELD_PAUSES, None):
            there = self._server.list_agents([self.names.tag(subject_id)], limit=_PAGE, with_blocks=True)
            others = [agent for agent in there if agent.id != mine.id]
            if not others:
                return mine, True
            first = oldest([mine, *others])
            if first.id != mine.id or pause is None:
                self._give_way(mine)
                return oldest(others), False
            self._pause(pause)
        raise AssertionError("the last look returns")

    def _give_way(self, mine: RemoteAgent) -> None:
        try:
            self.remove(mine)
        except BackendUnavailableError as error:
            logger.warning("an agent made twice was not removed; run ai-memory doctor --fix: %s", error)

    def remove(self, agent: RemoteAgent) -> None:
        """Remove an agent that has learnt nothing yet, with its blocks."""
        self._server.delete_agent(agent.id)
        for block in agent.blocks:
            self._server.delete_block(block.id)


def _is_at_work(maker: Mapping[str, Any] | None) -> bool:
    return maker is not None and maker["until"] > time.time() and not is_gone(maker["owner"])


def oldest(agents: Sequence[RemoteAgent]) -> RemoteAgent:
    """The one that everybody takes to be the first."""
    return min(agents, key=lambda agent: (agent.created_at or datetime.max.replace(tzinfo=UTC), agent.id))


def _is_subject(text: str) -> bool:
    """Whether a tag that anybody may have given can be a subject here."""
    try:
        return subject_id_of(text) == text
    except InvalidSubjectError:
        return False
