"""The one module that speaks to a Letta server: small typed calls, each one request, its failures translated.

`letta_client` retries every request by default, also those that must not be carried out twice, and its lists fetch
further pages by themselves. Here a request is repeated only where that is safe, and a page is one page.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ai_memory_integrations import forking
from ai_memory_integrations.backends.letta.failures import translated, was_not_sent
from ai_memory_integrations.backends.letta.forms import (
    agent_of,
    block_of,
    cleaned,
    message_of,
    moment_of,
    passage_of,
    passage_to,
    run_of,
    sendable,
    time_to,
)
from ai_memory_integrations.backends.letta.remote import (
    NewPassage,
    RemoteAgent,
    RemoteArchive,
    RemoteBlock,
    RemoteMessage,
    RemotePassage,
    RemoteRun,
    RemoteUsage,
)
from ai_memory_integrations.errors import BackendError, GoneFromServerError, MissingExtraError

if TYPE_CHECKING:
    from letta_client import APIError, Letta

TIMEOUT_SECONDS = 60.0
RETRIES = 2
_LONGEST_PAUSE = 8.0
_PAGE = 100
_KEEP_ALIVE = 3.0  # shorter than any server's, or a request meets a connection that is just being closed

T = TypeVar("T")


class LettaServer:
    """A Letta server. Nothing is opened before the first request; safe to use from any thread.

    *url* None stands for LETTA_BASE_URL, else Letta's cloud; *api_key* None for LETTA_API_KEY. *timeout* is seconds
    for one request, *retries* how often one that may be repeated is. A *client* that is passed is used as it is, but
    for its own retries, and is not closed here.

    Every call raises BackendUnavailableError where trying again may help (AnswerLostError where the request may have
    been carried out), ConfigurationError for wrong keys and models, GoneFromServerError for what is not there,
    ServerConflictError, and RefusedByServerError for the rest.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        project: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        client: Letta | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._named = url
        self._api_key = api_key
        self._project = project
        self._timeout = timeout
        self._retries = retries
        self._given = client
        self._pause = pause
        self._client: Letta | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._inherited: list[Letta] = []
        forking.register(self)

    @property
    def url(self) -> str:
        """Where the server is, without a key."""
        return str(self._letta().base_url).rstrip("/")

    @property
    def key_mark(self) -> str:
        """What tells the key from most others, and cannot be used to guess it: 16 bits of a hash."""
        return hashlib.sha256(f"ai-memory letta key {self._letta().api_key or ''}".encode()).hexdigest()[:4]

    def _letta(self) -> Letta:
        client = self._client
        if client is not None:
            return client
        with self._lock:
            if self._closed:
                raise BackendError("this memory is closed; open another one to go on")
            if self._client is None:
                self._client = self._open()
            return self._client

    def _open(self) -> Letta:
        try:
            import letta_client
        except ImportError as error:
            raise MissingExtraError("memory on Letta", "letta") from error
        if self._given is not None:
            return self._given.with_options(max_retries=0)
        import httpx

        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=_KEEP_ALIVE)
        return letta_client.Letta(
            api_key=self._api_key,
            base_url=self._named if self._named is not None else letta_client.not_given,
            project=self._project,
            timeout=self._timeout,
            max_retries=0,
            http_client=letta_client.DefaultHttpxClient(timeout=self._timeout, limits=limits),
        )

    def close(self) -> None:
        """Close the connections that were opened here. Closing twice is fine."""
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        if client is not None and self._given is None:
            client.close()

    def before_fork(self) -> None:
        """Connections are the parent's and stay with it."""

    def after_fork_in_parent(self) -> None:
        """It goes on with them."""

    def after_fork_in_child(self) -> None:
        """Begin with connections of its own; what was inherited is kept, so that nothing closes it."""
        self._lock = threading.Lock()
        if self._client is not None:
            self._inherited.append(self._client)
            self._client = None
        if self._given is not None:
            import letta_client

            self._inherited.append(self._given)
            self._given = self._given.with_options(http_client=letta_client.DefaultHttpxClient())

    def _ask(self, what: str, call: Callable[[Letta], T], *, repeatable: bool = True) -> T:
        """What *call* answers. What is not *repeatable* is sent again only when it cannot have arrived."""
        client = self._letta()  # first: it says by name that the extra is missing
        import letta_client

        for attempt in range(self._retries + 1):
            try:
                return call(client)
            except letta_client.APIError as error:
                if attempt == self._retries or not _helps(error, repeatable=repeatable):
                    raise translated(error, what, self.url, repeatable=repeatable) from error
                self._pause(_pause_before(attempt, error))
        raise AssertionError("the last attempt returns or raises")

    # the server

    def version(self) -> str:
        """The server's version; it answers without a key."""
        return str(self._ask("say how it is", lambda client: client.health()).version)

    def models(self) -> list[str]:
        """The handles of the models it offers, such as `openai/gpt-4.1`."""
        found = self._ask("list its models", lambda client: client.models.list())
        return [handle for model in found if (handle := getattr(model, "handle", None))]

    def embeddings(self) -> list[str]:
        """The handles of the embeddings it offers."""
        found = self._ask("list its embeddings", lambda client: client.models.embeddings.list())
        return [handle for model in found if (handle := getattr(model, "handle", None))]

    # agents

    def list_agents(
        self,
        tags: Sequence[str],
        *,
        any_tag: bool = False,
        limit: int = 50,
        after: str | None = None,
        with_blocks: bool = False,
    ) -> list[RemoteAgent]:
        """One page of the agents that have all of *tags* (or any of them), oldest first, with their tags; *after* is
        an agent's id."""
        include: list[Any] = ["agent.tags", "agent.blocks"] if with_blocks else ["agent.tags"]
        more: dict[str, Any] = {} if after is None else {"after": after}
        page = self._ask(
            "list agents",
            lambda client: client.agents.list(
                tags=list(tags), match_all_tags=not any_tag, order="asc", limit=limit, include=include, **more
            ),
        )
        return [agent_of(agent) for agent in page.items or ()]

    def get_agent(self, agent_id: str) -> RemoteAgent | None:
        """An agent with its tags and blocks; None when it is not there."""
        found = self.optional(
            lambda: self._ask(
                "read an agent",
                lambda client: client.agents.retrieve(agent_id, include=["agent.tags", "agent.blocks"]),
            )
        )
        return None if found is None else agent_of(found)

    def create_agent(
        self,
        *,
        name: str,
        tags: Sequence[str],
        metadata: Mapping[str, Any],
        blocks: Iterable[Mapping[str, Any]],
        **settings: Any,
    ) -> RemoteAgent:
        """A new agent with its blocks, in one request. *settings* are passed to the server as they are."""
        made = self._ask(
            "make an agent",
            lambda client: client.agents.create(
                name=name,
                tags=list(tags),
                metadata=dict(metadata),
                memory_blocks=[cast(Any, cleaned(block)) for block in blocks],
                initial_message_sequence=[],
                **settings,
            ),
            repeatable=False,
        )
        return agent_of(made)

    def update_agent(self, agent_id: str, **changes: Any) -> None:
        """Change *tags*, *metadata* and other fields of an agent; a field that is given is replaced whole."""
        self._ask("change an agent", lambda client: client.agents.update(agent_id, **changes))

    def delete_agent(self, agent_id: str) -> bool:
        """Remove an agent with its messages and runs, and nothing else: its blocks and archive stay. False when it
        was not there."""
        return self._removed("remove an agent", lambda client: client.agents.delete(agent_id))

    def recompile(self, agent_id: str) -> None:
        """Make blocks that were attached or detached visible to the agent's model."""
        self._ask("renew an agent's prompt", lambda client: client.agents.recompile(agent_id))

    # blocks

    def list_blocks(self, agent_id: str) -> list[RemoteBlock]:
        """All blocks of an agent, oldest first; a request for every hundred."""
        found = page = self._block_page(agent_id, {})
        while len(page) == _PAGE:
            page = self._block_page(agent_id, {"after": page[-1].id})
            found = [*found, *page]
        return found

    def _block_page(self, agent_id: str, more: dict[str, Any]) -> list[RemoteBlock]:
        page = self._ask(
            "list an agent's blocks",
            lambda client: client.agents.blocks.list(agent_id, limit=_PAGE, order="asc", **more),
        )
        return [block_of(block) for block in page.items or ()]

    def create_block(
        self,
        *,
        label: str,
        value: str,
        description: str,
        limit: int,
        read_only: bool,
        tags: Sequence[str] = (),
    ) -> RemoteBlock:
        """A block that belongs to no agent yet."""
        made = self._ask(
            "make a block",
            lambda client: client.blocks.create(
                label=label,
                value=sendable(value),
                description=sendable(description),
                limit=limit,
                read_only=read_only,
                tags=list(tags),
            ),
            repeatable=False,
        )
        return block_of(made)

    def list_loose_blocks(self, tag: str, *, limit: int = 50) -> list[RemoteBlock]:
        """One page of the blocks with this tag that belong to no agent, oldest first."""
        page = self._ask(
            "list blocks",
            lambda client: client.blocks.list(tags=[tag], connected_to_agents_count_eq=[0], limit=limit, order="asc"),
        )
        return [block_of(block) for block in page.items or ()]

    def update_block(self, block_id: str, **changes: Any) -> RemoteBlock:
        """The block after the change of `value`, `description`, `limit` or `read_only`. Agents it is attached to see
        it. Raises: ServerConflictError when somebody else wrote at the same moment."""
        return block_of(self._ask("change a block", lambda client: client.blocks.update(block_id, **cleaned(changes))))

    def attach_block(self, agent_id: str, block_id: str) -> None:
        """Give a block to an agent, whose model sees it after `recompile`. Raises: ServerConflictError when the agent
        has another block of that label."""
        self._ask("attach a block", lambda client: client.agents.blocks.attach(block_id, agent_id=agent_id))

    def delete_block(self, block_id: str) -> bool:
        """Remove a block from the server; False when it was not there."""
        return self._removed("remove a block", lambda client: client.blocks.delete(block_id))

    def block_has_agents(self, block_id: str) -> bool:
        """Whether a block is attached to an agent."""
        page = self.optional(
            lambda: self._ask(
                "list a block's agents",
                lambda client: client.blocks.agents.list(block_id, limit=1, include=[]),
            )
        )
        return page is not None and bool(page.items)

    # messages and runs

    def send(self, agent_id: str, text: str, *, mark: str) -> RemoteRun:
        """Begin a run of the agent on one user message; it goes on after the answer.

        *mark* comes back as `RemoteRun.mark` from the moment the run is known, and as `otid` of the message once its
        first step has ended. The server does not refuse a mark it knows: look before sending again.
        """
        run = self._ask(
            "learn messages",
            lambda client: client.agents.messages.create_async(
                agent_id,
                messages=[cast(Any, {"role": "user", "content": sendable(text), "otid": mark})],
                extra_body={"assistant_message_tool_kwarg": mark},
            ),
            repeatable=False,
        )
        return run_of(run)

    def list_messages(self, agent_id: str, *, limit: int = 20) -> list[RemoteMessage]:
        """The newest messages of an agent, the newest first; one row of the server can be several."""
        page = self._ask(
            "list an agent's messages",
            lambda client: client.agents.messages.list(agent_id, limit=limit, order="desc"),
        )
        return [message_of(message) for message in page.items or ()]

    def get_run(self, run_id: str) -> RemoteRun | None:
        found = self.optional(lambda: self._ask("read a run", lambda client: client.runs.retrieve(run_id)))
        return None if found is None else run_of(found)

    def list_runs(self, agent_id: str, *, active: bool = False, limit: int = 20) -> list[RemoteRun]:
        """The newest runs of an agent, the newest first; with *active* those that have not ended."""
        more: dict[str, Any] = {"active": True} if active else {}
        page = self._ask(
            "list an agent's runs", lambda client: client.runs.list(agent_id=agent_id, limit=limit, **more)
        )
        return [run_of(run) for run in page.items or ()]

    def run_usage(self, run_id: str) -> RemoteUsage:
        """What a run has spent."""
        usage = self._ask("read a run's usage", lambda client: client.runs.usage.retrieve(run_id))
        return RemoteUsage(input_tokens=usage.prompt_tokens or 0, output_tokens=usage.completion_tokens or 0)

    def cancel_runs(self, agent_id: str, run_ids: Sequence[str]) -> None:
        """Ask for an end of these runs. A step that is in work may still take effect."""
        self._ask("cancel a run", lambda client: client.agents.messages.cancel(agent_id, run_ids=list(run_ids)))

    # archives and passages

    def list_archives(self, agent_id: str) -> list[RemoteArchive]:
        """The archives attached to an agent; [] when it has none."""
        page = self._ask(
            "list an agent's archives", lambda client: client.archives.list(agent_id=agent_id, limit=50, order="asc")
        )
        return [RemoteArchive(id=archive.id, name=archive.name or "") for archive in page.items or ()]

    def list_named_archives(self, name: str) -> list[RemoteArchive]:
        """The archives of exactly this name, oldest first."""
        page = self._ask("list archives", lambda client: client.archives.list(name=name, limit=50, order="asc"))
        return [RemoteArchive(id=archive.id, name=archive.name or "") for archive in page.items or ()]

    def list_archive_agents(self, archive_id: str, *, limit: int = 20) -> list[RemoteAgent] | None:
        """One page of the agents that have an archive, oldest first, with their tags and blocks; [] also where there is
        no such archive, None where the server cannot tell."""
        from letta_client.types import AgentState

        asked: dict[str, object] = {"include": ["agent.tags", "agent.blocks"], "order": "asc", "limit": limit}
        found = self.optional(
            lambda: self._ask(
                "list an archive's agents",
                lambda client: client.get(
                    f"/v1/archives/{archive_id}/agents", cast_to=list[AgentState], options={"params": asked}
                ),
            )
        )
        return None if found is None else [agent_of(agent) for agent in found]

    def create_archive(self, *, name: str, embedding: str | None, description: str = "") -> RemoteArchive:
        """An archive that belongs to no agent yet. *embedding* None: the server's default."""
        more: dict[str, Any] = {} if embedding is None else {"embedding": embedding}
        made = self._ask(
            "make an archive",
            lambda client: client.archives.create(name=name, description=description, **more),
            repeatable=False,
        )
        return RemoteArchive(id=made.id, name=made.name or "")

    def attach_archive(self, agent_id: str, archive_id: str) -> None:
        """Raises: ServerConflictError when the agent has another archive."""
        self._ask("attach an archive", lambda client: client.agents.archives.attach(archive_id, agent_id=agent_id))

    def delete_archive(self, archive_id: str) -> bool:
        """Remove an archive with its passages; False when it was not there."""
        return self._removed("remove an archive", lambda client: client.archives.delete(archive_id))

    def create_passages(self, archive_id: str, passages: Sequence[NewPassage]) -> list[RemotePassage]:
        """New passages in one request, all or none, in the order given."""
        made = self._ask(
            "archive passages",
            lambda client: client.archives.passages.create_many(
                archive_id, passages=[cast(Any, passage_to(passage)) for passage in passages]
            ),
            repeatable=False,
        )
        return [passage_of(passage) for passage in made]

    def find_passages(
        self,
        archive_id: str,
        *,
        after: datetime | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[RemotePassage]:
        """Passages with their metadata by their times, both ends included; at most 100, which the server allows."""
        more: dict[str, Any] = {}
        if after is not None:
            more["start_date"] = time_to(after)
        if before is not None:
            more["end_date"] = time_to(before)
        found = self._ask(
            "find passages", lambda client: client.passages.search(archive_id=archive_id, limit=limit, **more)
        )
        return [passage_of(each.passage) for each in found]

    def list_passages(
        self, agent_id: str, *, limit: int = 100, after: str | None = None, text: str | None = None
    ) -> list[RemotePassage]:
        """One page of an agent's passages with their metadata, oldest first, those behind the id *after*; with *text*
        those that contain it."""
        more: dict[str, Any] = {key: value for key, value in (("after", after), ("search", text)) if value is not None}
        found = self._ask(
            "list passages",
            lambda client: client.agents.passages.list(agent_id, limit=limit, ascending=True, **more),
        )
        return [passage_of(passage) for passage in found]

    def search_passages(
        self,
        agent_id: str,
        query: str,
        *,
        limit: int,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> list[RemotePassage]:
        """The passages nearest to *query* by the server's search, best first, without metadata. Times are compared by
        the server, both ends included; tags it would filter after the limit, so they are not its business."""
        more: dict[str, Any] = {}
        if after is not None:
            more["start_datetime"] = time_to(after)
        if before is not None:
            more["end_datetime"] = time_to(before)
        found = self._ask(
            "search passages",
            lambda client: client.agents.passages.search(agent_id, query=query, top_k=limit, **more),
        )
        return [
            RemotePassage(
                id=each.id, text=each.content, tags=tuple(each.tags or ()), created_at=moment_of(each.timestamp)
            )
            for each in found.results
        ]

    def delete_passage(self, archive_id: str, passage_id: str) -> bool:
        """False when it was not there."""
        return self._removed(
            "remove a passage", lambda client: client.archives.passages.delete(passage_id, archive_id=archive_id)
        )

    def optional(self, call: Callable[[], T]) -> T | None:
        """What *call* gives; None for what is not there."""
        try:
            return call()
        except GoneFromServerError:
            return None

    def _removed(self, what: str, call: Callable[[Letta], object]) -> bool:
        def done(client: Letta) -> bool:
            call(client)
            return True

        return self.optional(lambda: self._ask(what, done)) is not None


def _helps(error: APIError, *, repeatable: bool) -> bool:
    """Whether to send a request again. One that timed out is not: the next would wait as long."""
    import letta_client

    if isinstance(error, letta_client.APITimeoutError):
        return False
    if isinstance(error, letta_client.APIConnectionError):
        return repeatable or was_not_sent(error)
    if isinstance(error, letta_client.APIStatusError):
        return error.status_code == 429 or (repeatable and (error.status_code == 408 or error.status_code >= 500))
    return False


def _pause_before(attempt: int, error: APIError) -> float:
    """Seconds to wait: what the server asks for within reason, else longer each time."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    asked = headers.get("retry-after", "")
    if asked.replace(".", "", 1).isdigit():
        return min(float(asked), _LONGEST_PAUSE)
    return float(min(0.2 * 2.0**attempt, _LONGEST_PAUSE)) * random.uniform(0.5, 1.0)
