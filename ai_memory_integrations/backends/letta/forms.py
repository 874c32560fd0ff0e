"""What goes to a Letta server and what comes from it, between its client's forms and our values: pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from ai_memory_integrations.backends.letta.remote import (
    NewPassage,
    RemoteAgent,
    RemoteBlock,
    RemoteMessage,
    RemotePassage,
    RemoteRun,
    RunStatus,
)

# what goes


def sendable(text: str) -> str:
    """*text* without U+0000, which the server's database cannot hold: it drops it in one place and fails in another."""
    return text.replace("\x00", "")


def cleaned(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: sendable(value) if isinstance(value, str) else value for key, value in fields.items()}


def passage_to(passage: NewPassage) -> dict[str, Any]:
    made: dict[str, Any] = {
        "text": sendable(passage.text),
        "tags": list(passage.tags),
        "metadata": dict(passage.metadata),
    }
    if passage.created_at is not None:
        made["created_at"] = time_to(passage.created_at)
    return made


def time_to(when: datetime) -> str:
    return when.astimezone(UTC).isoformat()


# what comes


def agent_of(agent: Any) -> RemoteAgent:
    blocks = agent.blocks if getattr(agent, "blocks", None) else getattr(getattr(agent, "memory", None), "blocks", None)
    return RemoteAgent(
        id=agent.id,
        name=agent.name or "",
        created_at=moment_of(agent.created_at),
        tags=tuple(agent.tags or ()),
        metadata=agent.metadata or {},
        blocks=tuple(block_of(block) for block in blocks or ()),
        embedding=getattr(agent, "embedding", None),
    )


def block_of(block: Any) -> RemoteBlock:
    return RemoteBlock(
        id=block.id,
        label=block.label or "",
        value=block.value or "",
        description=block.description or "",
        limit=block.limit,
        read_only=bool(block.read_only),
    )


def run_of(run: Any) -> RemoteRun:
    config = run.request_config
    error = (run.metadata or {}).get("error")
    return RemoteRun(
        id=run.id,
        agent_id=run.agent_id or "",
        status=cast(RunStatus, run.status or "created"),
        mark=None if config is None else config.assistant_message_tool_kwarg,
        stop_reason=run.stop_reason,
        error=None if error is None else str(error),
        created_at=moment_of(run.created_at),
        completed_at=moment_of(run.completed_at),
    )


def message_of(message: Any) -> RemoteMessage:
    content = getattr(message, "content", None)
    return RemoteMessage(
        id=message.id,
        kind=getattr(message, "message_type", "") or "",
        text=content if isinstance(content, str) else "",
        otid=getattr(message, "otid", None),
        run_id=getattr(message, "run_id", None),
    )


def passage_of(passage: Any) -> RemotePassage:
    return RemotePassage(
        id=passage.id,
        text=passage.text,
        tags=tuple(passage.tags or ()),
        metadata=passage.metadata or {},
        created_at=moment_of(passage.created_at),
        archive_id=passage.archive_id,
    )


def moment_of(value: object) -> datetime | None:
    """A time of the server, which means UTC where it names no zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
