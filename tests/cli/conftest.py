"""Commands run as users run them, on real files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ai_memory_integrations import Memory
from ai_memory_integrations.cli import main


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Result]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("show", "sarah")` runs `ai-memory show sarah`."""

    def run(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A memory file that knows a little about Sarah."""
    path = tmp_path / "memory.db"
    with Memory(str(path), subject_id="sarah") as memory:
        memory.add_messages(
            [
                {"role": "user", "content": "My name is Sarah. I live in Lisbon.", "id": "m1"},
                {"role": "assistant", "content": "Noted.", "id": "m2"},
            ]
        )
        memory.flush()
        memory.add_messages([{"role": "user", "content": "I live in Porto now.", "id": "m3"}])
        memory.flush()
    return path
