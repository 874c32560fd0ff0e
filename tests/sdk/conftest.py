"""Memories as an application of the AI Memory SDK opens them: without saying where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_memory_integrations import Memory


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "memory.db"
    monkeypatch.setenv("AI_MEMORY_URL", str(path))
    return path


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory() as memory:
        yield memory


@pytest.fixture
def sarah() -> Iterator[Memory]:
    with Memory(subject_id="user_sarah") as memory:
        yield memory
