"""`ai-memory`: what a memory holds, from the command line."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence

from ai_memory_integrations.errors import AIMemoryError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. Exit code 0: done; 1: it failed, a line on standard error says why; 2: wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What was remembered may hold characters that this terminal's encoding lacks.
            stream.reconfigure(errors="backslashreplace")
    _log_to_stderr()
    from ai_memory_integrations.cli.commands import app

    try:
        app(arguments, prog_name="ai-memory")
    except AIMemoryError as error:
        sys.stderr.write(f"ai-memory: {' '.join(str(error).split())}\n")
        raise SystemExit(1) from None


class _ToStderr(logging.Handler):
    """Warnings and errors as one line each, without a traceback: the text says what to do."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"ai-memory: {' '.join(record.getMessage().split())}\n")


def _log_to_stderr() -> None:
    logger = logging.getLogger("ai_memory_integrations")
    if not any(isinstance(handler, _ToStderr) for handler in logger.handlers):
        logger.addHandler(_ToStderr(logging.WARNING))
