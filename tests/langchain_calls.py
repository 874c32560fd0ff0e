"""Short names for what the tests of the LangChain room say all the time."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig


def called_by(user_id: str, thread_id: str = "t1", **more: Any) -> RunnableConfig:
    return {"configurable": {"user_id": user_id, "thread_id": thread_id, **more}}


def asks_for(tool: str, call_id: str = "c1", **args: Any) -> AIMessage:
    """A model's message that calls a tool."""
    return AIMessage("", tool_calls=[{"name": tool, "args": args, "id": call_id}])
