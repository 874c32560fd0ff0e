"""The settings that an application gave a memory, kept in its store for whoever opens it again by its URL alone.

They belong to the store, not to one process: which blocks a new subject begins with, and when messages are learnt. Only
what an application said is recorded, so that a script with the defaults changes nothing; a process that said it does
not learn speaks of itself alone, and is not recorded either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_memory_integrations.types import BlockSpec, LearningMode, LearningPolicy, Value

if TYPE_CHECKING:
    from ai_memory_integrations.ports import Store


class Recorded(Value):
    """None is what nobody said."""

    blocks: tuple[BlockSpec, ...] | None = None
    learning: LearningMode | LearningPolicy | None = None

    @property
    def learns(self) -> bool:
        """Whether somebody in this process learns, as far as it was said."""
        mode = self.learning.mode if isinstance(self.learning, LearningPolicy) else self.learning
        return mode != "off"

    def over(self, other: Recorded) -> Recorded:
        """What was said here, and from the *other* what was not."""
        said = {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}
        return other.model_copy(update=said)


def recorded(store: Store) -> Recorded:
    """What the store has recorded."""
    found = store.recorded_settings()
    return Recorded() if found is None else Recorded.model_validate(found)


def record(store: Store, said: Recorded) -> None:
    """Record what an application said. Nothing is written where the store has it already."""
    if not said.learns:
        said = said.model_copy(update={"learning": None})
    before = recorded(store)
    after = said.over(before)
    if after != before:
        store.record_settings(after.model_dump(mode="json"))


def in_store_or(store: Store, said: Recorded) -> Recorded:
    """The settings of a memory that is opened again: the store's, else what was *said* when it was opened first. Who
    did not learn then does not learn now."""
    kept = recorded(store)
    return (kept if said.learns else kept.model_copy(update={"learning": said.learning})).over(said)
