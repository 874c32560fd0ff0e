"""The store that a `letta://` URL names: a Letta server, and an SQL store beside it as its journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends.letta.agents import Agents, AgentSettings
from ai_memory_integrations.backends.letta.archive import Archive
from ai_memory_integrations.backends.letta.backend import LettaBackend
from ai_memory_integrations.backends.letta.blocks import Blocks
from ai_memory_integrations.backends.letta.delivery import PATIENCE, Patience
from ai_memory_integrations.backends.letta.learner import LettaLearner
from ai_memory_integrations.backends.letta.names import Names
from ai_memory_integrations.backends.letta.outbox import Outbox
from ai_memory_integrations.backends.letta.own_notes import NotesUnder
from ai_memory_integrations.backends.letta.places import letta_place
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.shelf import Shelf
from ai_memory_integrations.backends.urls import without_password

if TYPE_CHECKING:
    from letta_client import Letta

    from ai_memory_integrations.ports import ItemStore, Journal, Learner, Notes, Store, Transfer, VectorIndex
    from ai_memory_integrations.types import Finding


class LettaStore:
    """Subjects, blocks and passages at Letta; messages, runs, versions and items in the store *record*.

    *namespace* keeps the subjects of several applications on one server apart. *stale* is for how many seconds a
    read of blocks may be answered without asking Letta again, *patience* how long Letta's runs are waited for;
    *usage* has runs say what Letta spent; *exclusive* says that whoever uses these agents shares *record*. Nothing is
    opened before its first use; *record* is closed with this store.
    """

    def __init__(
        self,
        server: LettaServer,
        record: Store,
        *,
        url: str,
        namespace: str = "",
        settings: AgentSettings | None = None,
        stale: float = 0.0,
        patience: Patience = PATIENCE,
        usage: bool = False,
        exclusive: bool = False,
    ) -> None:
        self.url = url
        self.exclusive = exclusive
        self.server = server
        self.record = record
        self.names = names = Names(namespace)
        self.settings = settings or AgentSettings()
        self.agents = Agents(
            self.record.backend,
            self.record.journal,
            self.record.notes,
            server,
            names=names,
            settings=self.settings,
            exclusive=exclusive,
        )
        self.blocks = Blocks(
            self.record.backend,
            self.record.journal,
            self.record.notes,
            server,
            self.agents,
            names=names,
            stale=stale,
            exclusive=exclusive,
        )
        shelf = Shelf(self.record.notes, server, names=names, embedding=self.settings.embedding)
        self.outbox = Outbox(self.record.backend, self.record.journal, self.record.notes, server, self.agents, shelf)
        archive = Archive(self.record.backend, self.record.journal, server, self.agents, shelf, self.outbox)
        self.backend = LettaBackend(
            self.record.backend,
            self.record.journal,
            self.record.notes,
            server,
            self.agents,
            self.blocks,
            archive,
            self.outbox,
            exclusive=exclusive,
        )
        self.notes: Notes = NotesUnder(self.record.notes, "own/")
        self.learner: Learner | None = LettaLearner(
            server,
            self.backend,
            record=self.record.backend,
            journal=self.record.journal,
            notes=self.record.notes,
            patience=patience,
            usage=usage,
            exclusive=exclusive,
        )
        self.vectors: VectorIndex | None = None

    @property
    def journal(self) -> Journal:
        return self.record.journal

    @property
    def items(self) -> ItemStore:
        return self.record.items

    @property
    def transfer(self) -> Transfer:
        from ai_memory_integrations.backends.letta.transfer import LettaTransfer

        return LettaTransfer(self.record.transfer, self.journal, self.backend, self.blocks)

    def recorded_settings(self) -> dict[str, Any] | None:
        return self.record.recorded_settings()

    def record_settings(self, settings: Mapping[str, Any]) -> None:
        self.record.record_settings(settings)

    def examine(self, *, fix: bool = False) -> Sequence[Finding]:
        from ai_memory_integrations.backends.letta.examination import examine

        return tuple(examine(self, fix=fix))

    def close(self) -> None:
        """Close the record and the connections that were opened here."""
        self.server.close()
        self.record.close()


def open_letta(
    url: str = "letta://",
    *,
    api_key: str | None = None,
    client: Letta | None = None,
    journal: Store | None = None,
) -> LettaStore:
    """The store that *url* names, see `letta_place`. *client* is a client of the application's own, which is used in
    place of a new one; *journal* an open SQL store, which is closed with this one.

    Raises: UnknownURLError, StoreNotCreatableError.
    """
    from ai_memory_integrations.backends.urls import open_store, private_file

    place = letta_place(url)
    server = LettaServer(
        place.base_url,
        api_key=api_key or place.api_key,
        project=place.project,
        timeout=place.timeout,
        retries=place.retries,
        client=client,
    )
    defaults = AgentSettings()
    return LettaStore(
        server,
        journal or open_store(place.journal or private_file(place.file_name)),
        url=without_password(url),
        namespace=place.namespace,
        settings=AgentSettings(
            model=defaults.model if place.model is None else place.model,
            embedding=defaults.embedding if place.embedding is None else place.embedding,
        ),
        stale=place.stale,
        patience=Patience(run=place.patience),
        usage=place.usage,
        exclusive=place.exclusive,
    )
