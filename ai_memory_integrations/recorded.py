"""The settings that an application gave a memory, kept in its store for whoever opens it again by its URL alone.

They belong to the store, not to one process: which blocks a new subject begins with, and when messages are learnt. Only
what an application said is recorded, so that a script with the defaults changes nothing; a process that said it does
not learn speaks of itself alone, and is not recorded either.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ai_memory_integrations.types import BlockSpec, LearningMode, LearningPolicy, Value

if TYPE_CHECKING:
    from ai_memory_integrations.ports import Store

logger = logging.getLogger("ai_memory_integrations")


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


def recorded(store: Store) -> tuple[Recorded, tuple[str, ...]]:
    """What the store has recorded, and the names of the settings that only a later release knows."""
    found: Any = store.recorded_settings()
    known, unknown = understood(found if isinstance(found, Mapping) else {})
    return Recorded.model_validate(known), unknown


def understood(written: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings that may have been written by a later release, as far as they are known, and the names of the others.

    Fields that are not known here are left out; a setting that cannot be read without them is as if nobody had said it.
    """
    known: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in written.items():
        if value is None:
            continue
        readable = {name: _without_unknown_fields(value)}
        try:
            Recorded.model_validate(readable)
        except ValidationError:
            unknown.append(name)
        else:
            known |= readable
    return known, tuple(unknown)


def same_setting(name: str, one: Any, other: Any) -> bool:
    """Whether two recorded values say the same: what a later release added to one, which this one does not know, is
    taken for a difference."""
    if one == other:
        return True
    try:
        first, second = (Recorded.model_validate({name: value}) for value in (one, other))
    except ValidationError:
        return False
    return first == second


def record(store: Store, said: Recorded) -> None:
    """Record what an application said. Nothing is written where the store has it already."""
    if not said.learns:
        said = said.model_copy(update={"learning": None})
    before, _ = recorded(store)
    changed = {name for name in Recorded.model_fields if getattr(said, name) not in (None, getattr(before, name))}
    if changed:
        store.record_settings(said.model_dump(mode="json", include=changed))


def in_store_or(store: Store, said: Recorded) -> Recorded:
    """The settings of a memory that is opened again: the store's, else what was *said* when it was opened first. Who
    did not learn then does not learn now."""
    kept, unknown = recorded(store)
    if unknown:
        logger.warning(
            "a later release of this package has recorded %s in %s, which this one does not know: left out",
            " and ".join(unknown),
            store.url,
        )
    return (kept if said.learns else kept.model_copy(update={"learning": said.learning})).over(said)


def _without_unknown_fields(value: Any) -> Any:
    """Of blocks and of a policy the fields that they have in this release."""
    if isinstance(value, list):
        return [_fields_of(BlockSpec, each) for each in value]
    return _fields_of(LearningPolicy, value)


def _fields_of(kind: type[Value], value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: field for name, field in value.items() if name in kind.model_fields}
