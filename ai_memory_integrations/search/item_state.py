"""How far what is known of a store's items is, without anything else that searching needs."""

from __future__ import annotations

from typing import NamedTuple


class ItemState(NamedTuple):
    """How far a snapshot is: the last item ever written and the last deletion ever made in the store."""

    last: int
    gone: int

    def older_than(self, other: ItemState) -> bool:
        return self.last < other.last or self.gone < other.gone
