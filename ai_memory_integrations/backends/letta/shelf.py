"""The archive of a subject's agent at Letta: which one it is, and what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ai_memory_integrations.backends.letta.agents import ALONE, ARCHIVE, UNKNOWN_ARCHIVE
from ai_memory_integrations.backends.letta.archived import Found, from_letta
from ai_memory_integrations.backends.letta.names import Names
from ai_memory_integrations.backends.letta.remote import RemoteArchive
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.errors import GoneFromServerError, ServerConflictError
from ai_memory_integrations.ports import Notes

_ALL = 100_000


class Shelf:
    """The archives of agents. The journal's notes remember which is whose; *embedding* is what new ones are made with,
    "" for the server's own."""

    def __init__(self, notes: Notes, server: LettaServer, *, names: Names, embedding: str = "") -> None:
        self._notes = notes
        self._server = server
        self._names = names
        self._embedding = embedding

    def of(self, subject_id: str, agent_id: str) -> str:
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

    def forget(self, subject_id: str) -> None:
        """The archive was removed at Letta: the next call looks for one, or makes it."""
        self._notes.put(subject_id, ARCHIVE, UNKNOWN_ARCHIVE)

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

    # what is in it

    def at(self, subject_id: str, agent_id: str, at: datetime | str | None) -> list[Found]:
        """Everything from one moment, with its metadata."""
        if at is None:
            return []
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        archive_id = self.of(subject_id, agent_id)
        return [from_letta(each) for each in self._server.find_passages(archive_id, after=moment, before=moment)]

    def scan(self, agent_id: str) -> list[Found]:
        """All passages of an agent, in one request: what is listed elsewhere comes with its embedding."""
        try:
            found = self._server.search_passages(agent_id, "passages", limit=_ALL)
        except GoneFromServerError:
            return []
        return [from_letta(each) for each in found]

    def whole(self, subject_id: str, agent_id: str, found: Found) -> Found:
        """With its metadata, where that is not in what was found."""
        if found.whole:
            return found
        there = [each for each in self.at(subject_id, agent_id, found.at) if each.letta_id == found.letta_id]
        return there[0] if there else replace(found, whole=True)
