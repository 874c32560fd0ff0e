"""What the tests of the LangChain room share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ways import WAYS

from ai_memory_integrations import Memory


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """A memory whose subject comes from `user_id`."""
    with Memory(str(tmp_path / "memory.db"), subject="user_{user_id}") as memory:
        yield memory


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)
