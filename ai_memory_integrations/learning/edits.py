"""What edits make of blocks: pure, no storage.

A learner sees blocks, thinks for a while and answers with operations. Meanwhile somebody else may have changed a
block. `Append` and `Replace` are applied to the block as it is now; a `Rethink` of a block that changed is merged
line by line, and where both changed the same lines the other's change stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ai_memory_integrations.errors import BlockNotFoundError, EditError
from ai_memory_integrations.types import Append, Archive, Block, Edit, Replace, Rethink


@dataclass(frozen=True)
class BlockChange:
    """The new value of a block and the messages it comes from."""

    label: str
    value: str
    message_ids: tuple[str, ...]


@dataclass(frozen=True)
class Applied:
    """What a list of edits comes to: block changes, passages, and edits that met a change made meanwhile."""

    changes: tuple[BlockChange, ...]
    passages: tuple[Archive, ...]
    conflicts: tuple[Edit, ...]


def append(value: str, text: str) -> str:
    """*value* with *text* on lines of its own at the end."""
    return f"{value}\n{text}" if value else text


def replace(label: str, value: str, old: str, new: str) -> str:
    """*value* with *new* in the one place where *old* stands; a line that becomes empty goes.

    Raises: EditError when *old* is not there, or in several places.
    """
    count = _count(value, old) if old else 0
    if count == 0:
        raise EditError(label, f"the text to replace is not there: {_shown(old)}. Give it exactly as it stands.")
    if count > 1:
        raise EditError(
            label,
            f"the text to replace stands there {count} times: {_shown(old)}. Give more of what is around it.",
        )
    start = value.index(old)
    end = start + len(old)
    if new == "" and (start == 0 or value[start - 1] == "\n") and (end == len(value) or value[end] == "\n"):
        # A whole line goes: its line break goes with it.
        return value[: max(start - 1, 0)] + value[end:] if start else value[end + 1 :]
    return value[:start] + new + value[end:]


def _count(value: str, old: str) -> int:
    """In how many places *old* stands, overlapping ones too: of "aa" in "aaa" nobody can say which is meant."""
    count, at = 0, value.find(old)
    while at >= 0:
        count, at = count + 1, value.find(old, at + 1)
    return count


def rethink(seen: str, now: str, value: str) -> tuple[str, bool]:
    """*value* as the rewriting of *seen*, carried over to *now*; and whether something of it had to be left out."""
    if now in (seen, value):
        return value, False
    base, ours, theirs = seen.splitlines(), now.splitlines(), value.splitlines()
    merged, clean = _merge(base, ours, theirs)
    return "\n".join(merged), not clean


def apply(subject_id: str, seen: Sequence[Block], now: Sequence[Block], edits: Iterable[Edit]) -> Applied:
    """What *edits*, made on the blocks *seen*, come to on the blocks as they are *now*.

    Edits of one block are applied in order. Raises: BlockNotFoundError for a block that never was; EditError for a
    wrong `Replace`; a learner's mistake is an error, a conflict with somebody else's change is not.
    """
    before = {block.label: block for block in seen}
    current = {block.label: block for block in now}
    values = {label: block.value for label, block in current.items()}
    expected = {label: block.value for label, block in before.items()}
    sources: dict[str, dict[str, None]] = {}
    passages: list[Archive] = []
    conflicts: list[Edit] = []
    for edit in edits:
        if isinstance(edit, Archive):
            passages.append(edit)
            continue
        if edit.label not in before:
            raise BlockNotFoundError(subject_id, edit.label, list(before))
        before_edit = expected[edit.label]
        expected[edit.label] = _edited(edit, before_edit, before_edit)[0]
        if not _is_same_block(edit.label, before, current):
            conflicts.append(edit)
            continue
        try:
            values[edit.label], lost = _edited(edit, before_edit, values[edit.label])
        except EditError:
            lost = True
        if lost:
            conflicts.append(edit)
        sources.setdefault(edit.label, {}).update(dict.fromkeys(edit.message_ids))
    changes = tuple(BlockChange(label, values[label], tuple(ids)) for label, ids in sources.items() if label in current)
    return Applied(changes, tuple(passages), tuple(conflicts))


def _is_same_block(label: str, before: Mapping[str, Block], current: Mapping[str, Block]) -> bool:
    """False when the block was deleted or begun afresh since it was seen; one begun with the same text is the same,
    so that an application that resets an empty block at every turn loses nothing."""
    if label not in current:
        return False
    seen, now = before[label], current[label]
    return now.id == seen.id or now.value == seen.value


def _edited(edit: Append | Replace | Rethink, seen: str, now: str) -> tuple[str, bool]:
    if isinstance(edit, Append):
        return append(now, edit.text), False
    if isinstance(edit, Replace):
        return replace(edit.label, now, edit.old, edit.new), False
    return rethink(seen, now, edit.value)


def _merge(base: list[str], ours: list[str], theirs: list[str]) -> tuple[list[str], bool]:
    """*ours* with the changes that lead from *base* to *theirs*, where *ours* still has the lines they change."""
    place = _places(base, ours)
    clean = True
    insertions: dict[int, list[str]] = {}
    removed: set[int] = set()
    for tag, low, high, first, last in SequenceMatcher(None, base, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        kept = [place[line] for line in range(low, high) if line in place]
        if len(kept) < high - low:
            clean = False  # a line that theirs changes was changed by ours: ours stays
            continue
        removed.update(kept)
        anchor = place.get(low - 1)
        after = len(ours) if high == len(base) and not kept else (anchor + 1 if anchor is not None else 0)
        insertions.setdefault(kept[0] if kept else after, []).extend(theirs[first:last])
    merged: list[str] = []
    for number in range(len(ours) + 1):
        merged.extend(insertions.get(number, []))
        if number < len(ours) and number not in removed:
            merged.append(ours[number])
    return merged, clean


def _places(base: list[str], ours: list[str]) -> dict[int, int]:
    """Where the lines of *base* stand in *ours*."""
    blocks = SequenceMatcher(None, base, ours, autojunk=False).get_matching_blocks()
    return {match.a + step: match.b + step for match in blocks for step in range(match.size)}


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
