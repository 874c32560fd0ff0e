"""Identifiers: a prefix that says what they name, then a UUIDv7 (RFC 9562), so that they sort by age."""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last = 0


def _unlock_in_child() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # absent on Windows, which cannot fork
    os.register_at_fork(after_in_child=_unlock_in_child)


def uuid7() -> UUID:
    """A UUIDv7 that is larger than every one this process made before.

    The 12 bits behind the milliseconds count within one millisecond and run on into the next, so ids stay in
    order even when many are made at once or the clock steps back (RFC 9562, section 6.2, method 1).
    """
    global _last
    with _lock:
        _last = max(_last + 1, (time.time_ns() // 1_000_000) << 12)
        stamp = _last
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return UUID(int=(stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random)


def new_id(prefix: str) -> str:
    """`agt_`, `blk_`, `psg_`, `run_` or `msg_` and a UUIDv7 in hexadecimal."""
    return f"{prefix}_{uuid7().hex}"
