"""What happens when memory cannot be reached in the middle of a turn: the turn goes on, and somebody is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from ai_memory_integrations.errors import (
    BackendError,
    NewerSchemaError,
    NotAStoreError,
    StoreNotCreatableError,
)

logger = logging.getLogger("ai_memory_integrations")

OnError = Literal["log", "raise"]
_SET_UP = (NewerSchemaError, NotAStoreError, StoreNotCreatableError)


class Outages:
    """Counts the outages it lets pass. Mistakes of set-up, such as a path that is no store, always raise."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def passing(self, what: str, on_error: OnError) -> Iterator[None]:
        """Let an outage pass with a log record, unless *on_error* is `raise`; what follows in the block is skipped."""
        try:
            yield
        except BackendError as error:
            if on_error == "raise":
                raise
            self.pass_over(what, error)

    def pass_over(self, what: str, error: BackendError) -> None:
        """Count an outage and log it. Raises the error when it is a mistake of set-up."""
        if isinstance(error, _SET_UP):
            raise error
        self.count += 1
        logger.warning("%s: %s", what, error)
