"""What a memory file says of a conversation that was played into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ai_memory_integrations.demo.transcript import Transcript

if TYPE_CHECKING:
    from ai_memory_integrations import Memory, Message

_LEARNT_ROLES = ("user", "assistant", "tool")


@dataclass(frozen=True)
class Count:
    """Messages told, messages found, those that are missing, and those kept or learnt more than once."""

    told: int
    found: int
    lost: int
    twice: int

    @property
    def whole(self) -> bool:
        return self.found == self.told and not self.lost and not self.twice


def count(memory: Memory, transcript: Transcript) -> Count:
    """Compare the file with what was told. Learning counts too: every message belongs to one completed run."""
    told = {(said.thread_id, said.id) for said in transcript.messages}
    kept = Counter((said.thread_id, said.id) for said in memory.list_messages())
    to_learn = sum(said.role in _LEARNT_ROLES for said in transcript.messages)
    learnt = sum(run.messages for run in memory.list_runs() if run.state == "completed")
    return Count(
        told=len(told),
        found=len(told & kept.keys()),
        lost=len(told - kept.keys()) + max(0, to_learn - learnt),
        twice=sum(number - 1 for number in kept.values()) + max(0, learnt - to_learn),
    )


@dataclass(frozen=True)
class Change:
    """A line of a block that is gone, the lines that took its place (none: it was taken back), and the reason."""

    removed: str
    added: tuple[str, ...]
    message: Message | None


def changes(memory: Memory, label: str = "human") -> Iterator[Change]:
    """The facts of a block that changed, oldest first. A new fact is no change."""
    messages = {said.id: said for said in memory.list_messages()}
    for before, after in pairwise(memory.memory_history(label)):
        old, new = before.value.splitlines(), after.value.splitlines()
        reasons = [messages[name] for name in after.message_ids if name in messages]
        for line in old:
            if line not in new and not line.startswith("Spoke on: "):
                added = tuple(other for other in new if other not in old and _kind(other) == _kind(line))
                yield Change(line, added, _reason(reasons, (*added, line)))


def _kind(line: str) -> str:
    return line.partition(":")[0]


def _reason(messages: list[Message], lines: tuple[str, ...]) -> Message | None:
    """Of the messages behind a version the last of those that share most words with the lines."""
    words = {word for line in lines for word in line.casefold().split()}
    return max(reversed(messages), key=lambda said: len(words & set(said.text.casefold().split())), default=None)
