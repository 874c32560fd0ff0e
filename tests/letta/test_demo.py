"""The demo plays on a Letta server, whose agent learns."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from letta import server as servers
from patience import PATIENCE

pytest.importorskip("letta_client")


def test_the_demo_plays_on_letta_with_nothing_lost(letta_server: servers.Place, tmp_path: Path, subject: str) -> None:
    journal = quote(f"sqlite:///{tmp_path}/journal.db", safe="")
    place = letta_server.url.removeprefix("http://")
    url = f"letta://{place}?journal={journal}&namespace={subject.removeprefix('user_')}"
    done = subprocess.run(
        [sys.executable, "-m", "ai_memory_integrations.cli", "--url", url, "demo", "--no-input"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (told,) = re.findall(r"(\d+) of (\d+) messages, 0 lost, 0 twice", done.stdout)
    assert told[0] == told[1]
    assert "learnt by the memory agent that lives there" in done.stdout
    assert re.search(r"^ *human, version \d+$", done.stdout, re.MULTILINE)
