"""What is new in a turn, for adapters that are handed a whole conversation."""

from __future__ import annotations

from collections.abc import Sequence


def turn_start(roles: Sequence[str]) -> int:
    """The place where the last turn begins: the last user messages in a row, and everything that followed them.

    Ids cannot tell: without a checkpointer a graph gives old messages new ones on every call. System messages
    between two user messages do not end the row. Without a user message the whole conversation is the turn.
    """
    place = len(roles)
    while place and roles[place - 1] != "user":
        place -= 1
    start = place
    while place and roles[place - 1] in ("user", "system"):
        place -= 1
        if roles[place] == "user":
            start = place
    return start
