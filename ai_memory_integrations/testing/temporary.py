"""A memory that lives as long as a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_memory_integrations.memory import Memory


@contextmanager
def temporary_memory(**options: Any) -> Iterator[Memory]:
    """A fresh `Memory` on an SQLite file of its own; at the end it is closed and the file is gone.

    *options* are those of `Memory` but its URL: `subject_id=`, `learner=`, `learning=` and so on.
    """
    from ai_memory_integrations.memory import Memory

    with (
        TemporaryDirectory(prefix="ai-memory-") as folder,
        Memory(str(Path(folder, "memory.db")), **options) as memory,
    ):
        yield memory
