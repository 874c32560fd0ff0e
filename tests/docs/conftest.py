"""What the pages need beside their own folder: the Letta server of the tests."""

from __future__ import annotations

from letta.conftest import letta_server as letta_server
