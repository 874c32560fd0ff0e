"""A conversation as a model's provider takes it: behind each tool call stands its result. Pure.

A call can be left without one: the process died, the user went on before the tool answered, or an agent took the
first of two results for its answer and dropped the other. Providers refuse such a conversation, and with it every later
turn. It is kept as it was said; what is shown to a model gets what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ai_memory_integrations.types import Message

NO_RESULT = "No result: this call was not answered."


def with_results(messages: Sequence[Message], *, over: bool = False) -> list[Message]:
    """*messages* with a result behind every call: its own, also when that came late, else one that says there is none.

    Calls that nobody went on from, in the last turn, are left as they are: their results may still come. *over* says
    that they will not.
    """
    shown: list[Message] = []
    moved: set[int] = set()
    for place, message in enumerate(messages):
        if place in moved:
            continue
        if not message.tool_calls or message.role != "assistant":
            shown.append(message)
            continue
        end = place + 1
        while end < len(messages) and messages[end].role == "tool":
            end += 1
        results = [messages[n] for n in range(place + 1, end) if n not in moved]
        shown.append(message)
        moved.update(range(place + 1, end))
        shown.extend(results)
        went_on = over or any(each.role in ("user", "assistant") for each in messages[end:])
        for number, call_id in _unanswered(message, results):
            late = _late(messages, end, call_id, moved)
            if late is not None:
                moved.add(late)
                shown.append(messages[late])
            elif went_on:
                shown.append(_none(message, number, call_id))
    return shown


def _unanswered(message: Message, results: Sequence[Message]) -> list[tuple[int, str | None]]:
    """The calls of *message* without a result, by their numbers and ids. A result without an id answers any call."""
    left = [result.tool_call_id for result in results]
    missing: list[tuple[int, str | None]] = []
    for number, call in enumerate(message.tool_calls):
        call_id = call.get("id")
        call_id = call_id if isinstance(call_id, str) and call_id else None
        if call_id in left:
            left.remove(call_id)
        else:
            missing.append((number, call_id))
    unnamed = left.count(None)
    return missing[unnamed:]


def _late(messages: Sequence[Message], begin: int, call_id: str | None, moved: set[int]) -> int | None:
    """Where a result stands that came when the conversation had gone on; some models use an id again and again."""
    if call_id is None:
        return None
    for place in range(begin, len(messages)):
        message = messages[place]
        if message.role == "tool" and message.tool_call_id == call_id and place not in moved:
            return place
        if any(call.get("id") == call_id for call in message.tool_calls):
            return None
    return None


def _none(message: Message, number: int, call_id: str | None) -> Message:
    return Message(
        role="tool",
        content=NO_RESULT,
        id=f"no-result:{number}:{message.id}",
        tool_call_id=call_id,
        thread_id=message.thread_id,
    )
