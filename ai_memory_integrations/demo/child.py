"""A playing process, seen from outside."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ai_memory_integrations.errors import AIMemoryError

# How a process ends that killed itself: by a signal, or on Windows with the number that it gave.
KILLED = -signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM


class DemoFailedError(AIMemoryError):
    """A playing process ended when it should not have; its own last words are in the text."""


def play(file: str, subject: str, transcript: Path | None, *, die_at: int = 0) -> Iterator[dict[str, Any]]:
    """What a new process reports while it plays a conversation; with *die_at* it is dead at the end.

    Raises: DemoFailedError.
    """
    command = [sys.executable, "-m", "ai_memory_integrations.demo.player", file, subject]
    if transcript is not None:
        command += ["--transcript", str(transcript)]
    if die_at:
        command += ["--die-at", str(die_at)]
    with subprocess.Popen(  # noqa: S603 - our own interpreter, with our own words
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        if process.stdout is None or process.stderr is None:  # cannot be: both are pipes
            raise DemoFailedError("the playing process has no output")
        for line in process.stdout:
            yield json.loads(line)
        words = process.stderr.read()
    if process.returncode != (KILLED if die_at else 0):
        last = (words.strip().splitlines() or ["it said nothing"])[-1]
        raise DemoFailedError(f"the playing process {process.pid} ended with {process.returncode}: {last}")
