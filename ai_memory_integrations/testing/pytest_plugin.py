"""The pytest fixture `ai_memory`: loaded by pytest wherever this package is installed, so it imports nothing
heavy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ai_memory_integrations.memory import Memory


@pytest.fixture
def ai_memory(tmp_path: Path) -> Iterator[Memory]:
    """A fresh `Memory` on an SQLite file in `tmp_path`, closed after the test."""
    from ai_memory_integrations.memory import Memory

    with Memory(str(tmp_path / "memory.db")) as memory:
        yield memory
