"""Who holds a claim on a run: a process on a machine."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path


def process_owner() -> str:
    """Names this process: `host:pid`."""
    return f"{_host()}:{os.getpid()}"


def is_gone(owner: str) -> bool:
    """True when *owner* is a process of this machine that has ended.

    A wrong guess (a process number used again, two machines of one name) only costs a wait, or work done twice:
    which process may end a run is decided by its token.
    """
    host, _, pid = owner.rpartition(":")
    if host != _host() or not pid.isdigit() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and belongs to somebody else
        return False
    return _is_zombie(pid)


def _is_zombie(pid: str) -> bool:
    """Whether a process has ended and its parent has not looked yet; unknown where there is no /proc."""
    try:
        status = Path("/proc", pid, "stat").read_bytes()
    except OSError:
        return False
    return status.rpartition(b")")[2].split()[:1] in ([b"Z"], [b"X"])


@lru_cache(maxsize=1)
def _host() -> str:
    return socket.gethostname()
