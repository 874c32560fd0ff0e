"""A fresh interpreter, in which modules can be missing."""

from __future__ import annotations

import subprocess
import sys

from patience import PATIENCE

WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""


def run(code: str, *, missing: tuple[str, ...] = ()) -> str:
    """What *code* prints, with its warnings and its traceback, where the packages *missing* are not installed."""
    program = WITHOUT.format(missing=missing) + code
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        check=False,  # what it says is asked about
        encoding="utf-8",
        timeout=PATIENCE,
    )
    return done.stdout + done.stderr
