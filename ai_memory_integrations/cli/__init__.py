"""`ai-memory`: what a memory holds, from the command line."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

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
        try:
            app(arguments, prog_name="ai-memory")
        finally:
            sys.stdout.flush()
    except AIMemoryError as error:
        _fail(str(error))
    except BrokenPipeError:  # nobody reads on
        _silence()
        raise SystemExit(1) from None
    except OSError as error:  # such as a full disk behind standard output
        _silence()
        _fail(f"{error.filename or 'standard output'}: {error.strerror or error}")


def _fail(text: str) -> NoReturn:
    sys.stderr.write(f"ai-memory: {' '.join(text.split())}\n")
    raise SystemExit(1) from None


def _silence() -> None:
    """What could not be written is not tried again when the process ends."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _ToStderr(logging.Handler):
    """Warnings and errors as one line each, without a traceback: the text says what to do."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"ai-memory: {' '.join(record.getMessage().split())}\n")


def _log_to_stderr() -> None:
    logger = logging.getLogger("ai_memory_integrations")
    if not any(isinstance(handler, _ToStderr) for handler in logger.handlers):
        logger.addHandler(_ToStderr(logging.WARNING))
