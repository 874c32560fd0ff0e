"""Ports for servers that tests start."""

from __future__ import annotations

import random
import socket

_chance = random.SystemRandom()  # not the one that processes of a test run may have seeded alike
_OURS = range(15_000, 32_000)
"""Not among those that a system hands out to whoever connects: there a port that is free now is soon somebody's."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on; likely nobody will until it is used."""
    while True:
        port = _chance.choice(_OURS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
