"""The state that memory adds to a graph, and the messages for the model with memory in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired

from langchain_core.messages import AnyMessage, BaseMessage, SystemMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict  # Pydantic takes no other before Python 3.12

from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.langchain_messages import role_of


class MemoryTurn(TypedDict):
    """Whose turn it is, so that nobody else's words are recorded for them. Messages are named by their ids.

    `source` is how `subject` was found, since who learns by another rule learns somebody else on purpose. `newest` is
    the newest message when memory was put in last, `since` the first one behind another subject's turn, "" where nobody
    else spoke; `left` what was not recorded when somebody else resumed and ended a turn.
    """

    subject: str
    source: str
    newest: str
    since: str
    left: NotRequired[list[str]]


class MemoryContext(TypedDict):
    """What memory has for a turn, as text for a prompt: the subject's blocks, and what was recalled. Whose they are and
    whose turn it is comes into no prompt."""

    blocks: str
    recalled: str
    subject: NotRequired[str]
    turn: NotRequired[MemoryTurn]


class MemoryState(TypedDict):
    """A graph's state with the key that `inject_memory` writes: inherit it."""

    messages: Annotated[list[AnyMessage], add_messages]
    memory: NotRequired[MemoryContext]


def with_memory(state: Any, *, system: str | SystemMessage | None = None, into: str = "memory") -> list[BaseMessage]:
    """The messages for the model: those of the state with memory in place. The state stays as it is.

    Blocks end the system message: *system*, or the one that the state begins with, or one of their own. What was
    recalled stands behind the newest message of the user or a tool, where a provider's prompt cache loses nothing.

    Raises: ConfigurationError when *into* is not in the state.
    """
    context: MemoryContext | None = value_of(state, into)
    if context is None:
        raise ConfigurationError(
            f"the state has nothing under {into!r}: put inject_memory(...) before this node, and inherit the state "
            "from MemoryState"
        )
    messages: list[BaseMessage] = list(value_of(state, "messages") or ())
    if system is not None:
        messages.insert(0, SystemMessage(system) if isinstance(system, str) else system)
    if context["blocks"]:
        first = next((n for n, message in enumerate(messages) if role_of(message) != "system"), len(messages))
        if first:
            messages[first - 1] = _with_part(messages[first - 1], context["blocks"])
        else:
            messages.insert(0, SystemMessage(context["blocks"]))
    if context["recalled"]:
        newest = next((n for n in reversed(range(len(messages))) if role_of(messages[n]) in ("user", "tool")), None)
        if newest is not None:
            messages[newest] = _with_part(messages[newest], context["recalled"])
    return messages


def value_of(state: Any, key: str) -> Any:
    """A value of a state that is a dict, a dataclass or a Pydantic model; None when it is not there."""
    return state.get(key) if isinstance(state, Mapping) else getattr(state, key, None)


def _with_part(message: BaseMessage, text: str) -> BaseMessage:
    """A copy of *message* with *text* behind its own content. Parts stay as they are, with their cache marks."""
    content: str | Sequence[Any] = message.content
    if isinstance(content, str):
        return message.model_copy(update={"content": f"{content}\n\n{text}" if content else text})
    # A blank line between the parts, because not every provider's class puts one there.
    part = {"type": "text", "text": f"\n\n{text}" if content else text}
    return message.model_copy(update={"content": [*content, part]})
