"""Whose the messages of a thread are, where more than one subject speaks in it."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AnyMessage

from ai_memory_integrations.langchain_messages import role_of
from ai_memory_integrations.langgraph.state import MemoryTurn
from ai_memory_integrations.turns import turn_start


def newest_turn(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """The last user messages in a row, and everything that followed them."""
    return list(messages[_start(messages) :])


def turn_of(subject_id: str, source: str, messages: Sequence[AnyMessage], known: MemoryTurn | None) -> MemoryTurn:
    """The turn in a call for *subject_id*: one that begins, or the one that was *known* and goes on.

    With another subject a turn begins only where a user said something since: else it is the other's, resumed.
    """
    newest = _id(messages, len(messages) - 1)
    if known is None:
        return MemoryTurn(subject=subject_id, source=source, newest=newest, since="")
    if known["subject"] == subject_id:
        return {**known, "source": source, "newest": newest}
    start, begun = _start(messages), _place(messages, known["newest"])
    if begun is not None:
        start = max(start, _next_user(messages, begun + 1))
        if start == len(messages):
            return known
    return MemoryTurn(subject=subject_id, source=source, newest=newest, since=_id(messages, start))


def behind_others(messages: Sequence[AnyMessage], turn: MemoryTurn | None) -> list[AnyMessage]:
    """What stands in the thread since the turn's subject speaks there without another; all of it where nobody else
    did. Where it cannot be told any more it is the newest turn."""
    if turn is None or not turn["since"]:
        return list(messages)
    place = _place(messages, turn["since"])
    return newest_turn(messages) if place is None else list(messages[place:])


def own_turn(messages: Sequence[AnyMessage], turn: MemoryTurn | None) -> list[AnyMessage]:
    """The newest turn without what another subject said directly before it, and what was left of the subject's own."""
    alone = behind_others(messages, turn)
    own = newest_turn(alone)
    left = set(turn.get("left", ())) if turn else set()
    return [*(each for each in alone[: len(alone) - len(own)] if each.id in left), *own]


def is_in(turn: MemoryTurn, messages: Sequence[AnyMessage]) -> bool:
    """Whether the newest turn among *messages* is *turn*, and not one that came behind it."""
    return _place(newest_turn(messages), turn["newest"]) is not None


def left_behind(messages: Sequence[AnyMessage], turn: MemoryTurn) -> list[str]:
    """The ids of what is to be recorded with the subject's next turn: its turn, up to what a user said since."""
    begun = _place(messages, turn["newest"])
    ended = len(messages) if begun is None else _next_user(messages, begun + 1)
    return [each.id for each in own_turn(messages[:ended], turn) if each.id]


def recorded(turn: MemoryTurn) -> MemoryTurn:
    """*turn* with nothing left behind."""
    return MemoryTurn(subject=turn["subject"], source=turn["source"], newest=turn["newest"], since=turn["since"])


def without(removed: Sequence[AnyMessage], messages: Sequence[AnyMessage], turn: MemoryTurn) -> MemoryTurn:
    """*turn* when *removed* are gone from *messages*: its subject speaks alone since the next one that stays."""
    gone, since = {each.id for each in removed}, turn["since"]
    place = _place(messages, since)
    if place is None or since not in gone:
        return turn
    return {**turn, "since": next((each.id for each in messages[place:] if each.id and each.id not in gone), since)}


def _start(messages: Sequence[AnyMessage]) -> int:
    return turn_start([role_of(message) for message in messages])


def _next_user(messages: Sequence[AnyMessage], place: int) -> int:
    return next((n for n in range(place, len(messages)) if role_of(messages[n]) == "user"), len(messages))


def _place(messages: Sequence[AnyMessage], message_id: str) -> int | None:
    return next((n for n, each in enumerate(messages) if message_id and each.id == message_id), None)


def _id(messages: Sequence[AnyMessage], place: int) -> str:
    return (messages[place].id or "") if 0 <= place < len(messages) else ""
