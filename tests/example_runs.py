"""Examples run as their readers run them: in a process of their own, in a folder of their own, without a key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from patience import PATIENCE

EXAMPLES = Path(__file__).parents[1] / "examples"
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AI_MEMORY_URL")


def run(name: str, folder: Path, *arguments: str, typed: str = "", warnings: str = "error") -> str:
    """What an example prints that ends well and complains of nothing."""
    done = subprocess.run(
        [sys.executable, "-W", warnings, str(EXAMPLES / name), *arguments],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key not in _KEYS},
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
