"""What a Letta server answers, as far as it matters here: frozen values, free of the client's classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

RunStatus = Literal["created", "running", "completed", "failed", "cancelled"]


@dataclass(frozen=True)
class RemoteBlock:
    """A block as Letta holds it. `value` may be longer than `limit`: the server does not enforce it."""

    id: str
    label: str
    value: str = ""
    description: str = ""
    limit: int | None = None
    read_only: bool = False


@dataclass(frozen=True)
class RemoteAgent:
    """An agent. `blocks` are there where they were asked for."""

    id: str
    name: str
    created_at: datetime | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    blocks: tuple[RemoteBlock, ...] = ()
    embedding: str | None = None


@dataclass(frozen=True)
class RemoteRun:
    """A run of an agent. `mark` is what `LettaServer.send` was given; `error` the server's own words."""

    id: str
    agent_id: str
    status: RunStatus
    mark: str | None = None
    stop_reason: str | None = None
    error: str | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class RemoteUsage:
    """Tokens of one run."""

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class RemoteArchive:
    """Where the passages of an agent are."""

    id: str
    name: str = ""


@dataclass(frozen=True)
class NewPassage:
    """A passage that is to be made. Tags are a set to Letta: their order and doubles are lost."""

    text: str
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True)
class RemotePassage:
    """A passage as Letta holds it. `metadata` is empty where it comes from a search by meaning."""

    id: str
    text: str
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    archive_id: str | None = None


@dataclass(frozen=True)
class RemoteMessage:
    """A message among an agent's own. `otid` is the mark that `LettaServer.send` gave it."""

    id: str
    kind: str
    text: str = ""
    otid: str | None = None
    run_id: str | None = None
