"""From two texts of a block to small edits: pure, no storage.

An agent answers with a block as it is now. Told as operations, its work can be carried over to a block that somebody
else changed in the meantime.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from ai_memory_integrations.errors import EditError
from ai_memory_integrations.learning import edits
from ai_memory_integrations.types import Append, Replace, Rethink

_MOST_EDITS = 32  # of one block; more of them say less than the new text


def edits_between(
    label: str, before: str, after: str, message_ids: Sequence[str] = ()
) -> tuple[Append | Replace | Rethink, ...]:
    """The edits that lead from *before* to *after*, to be applied in order; () where nothing changed.

    Lines that were added at the end are one `Append`, any other change of lines is a `Replace` of them; a `Rethink`
    is what remains where the lines are not told apart by what stands around them.
    """
    if before == after:
        return ()
    ids = tuple(message_ids)
    if before == "" or after.startswith(f"{before}\n"):
        return (Append(label=label, text=after[len(before) + 1 :] if before else after, message_ids=ids),)
    found = _line_edits(label, before, after, ids)
    return found or (Rethink(label=label, value=after, message_ids=ids),)


def _line_edits(label: str, before: str, after: str, ids: tuple[str, ...]) -> tuple[Append | Replace, ...]:
    """From the last line to the first, so that each edit meets the lines above it as they were; () if that fails."""
    old_lines, new_lines = before.split("\n"), after.split("\n")
    changes = [
        change
        for change in SequenceMatcher(None, old_lines, new_lines, autojunk=False).get_opcodes()
        if change[0] != "equal"
    ]
    if len(changes) > _MOST_EDITS:
        return ()
    made: list[Append | Replace] = []
    value = before
    lines = list(old_lines)
    for _, low, high, first, last in reversed(changes):
        wanted = [*lines[:low], *new_lines[first:last], *lines[high:]]
        if low == high == len(lines):
            made.append(Append(label=label, text="\n".join(new_lines[first:last]), message_ids=ids))
        else:
            replace = _replace(label, lines, wanted, low, high, ids)
            if replace is None:
                return ()
            made.append(replace)
        lines, value = wanted, "\n".join(wanted)
    return tuple(made) if value == after else ()


def _replace(
    label: str, lines: Sequence[str], wanted: Sequence[str], low: int, high: int, ids: tuple[str, ...]
) -> Replace | None:
    """The `Replace` that makes *lines* the *wanted* ones, which differ from *low* to *high*, with as few of the lines
    around as it takes to name the place; None when it takes all of them."""
    value, goal = "\n".join(lines), "\n".join(wanted)
    grown = len(wanted) - len(lines)
    start, end = low, high
    while start > 0 or end < len(lines):
        old, new = "\n".join(lines[start:end]), "\n".join(wanted[start : end + grown])
        if old and _replaced(label, value, old, new) == goal:
            return Replace(label=label, old=old, new=new, message_ids=ids)
        # What stands above names a place as well as what stands below, and an addition is rather to what is above.
        if start > 0 and (low - start <= end - high or end == len(lines)):
            start -= 1
        else:
            end += 1
    return None


def _replaced(label: str, value: str, old: str, new: str) -> str | None:
    try:
        return edits.replace(label, value, old, new)
    except EditError:
        return None
