"""The FastAPI example under four workers, started by uvicorn and forked by a preloading gunicorn."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from patience import PATIENCE
from ports import free_port

from ai_memory_integrations import Memory

SERVICE = Path(__file__).parents[2] / "examples" / "fastapi_service"
WORKERS = 4
USERS = [f"user_{number}" for number in range(20)]
LOVED = ["mangoes", "trains", "chess", "snow", "jazz", "lemons", "owls", "maps", "tea", "kites"]

UVICORN = ["uvicorn", "app:app", "--workers", str(WORKERS), "--host", "127.0.0.1", "--port", "{port}"]
GUNICORN = [
    "gunicorn",
    "app:app",
    "--preload",
    "--workers",
    str(WORKERS),
    "--worker-class",
    "uvicorn.workers.UvicornWorker",
    "--bind",
    "127.0.0.1:{port}",
]


@contextmanager
def serving(command: list[str], path: Path) -> Iterator[str]:
    port, process = _started(command, path)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _started(command: list[str], path: Path) -> tuple[int, subprocess.Popen[bytes]]:
    """A server that answers, and its port. A port that was free a moment ago may be taken: then it is another one."""
    for _ in range(3):
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(port=port) for part in command)],
            cwd=SERVICE,
            env=os.environ | {"AI_MEMORY_URL": str(path), "AI_MEMORY_EMBEDDER": "none"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if _answers(f"http://127.0.0.1:{port}", process):
            return port, process
    raise AssertionError("the server ended three times before it answered")


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """True once the server answers, False when it has ended."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None:
        assert time.monotonic() < deadline, "the server did not answer"
        try:
            if httpx.get(f"{url}/health", timeout=10).status_code == 200:
                return True
        except httpx.TransportError:
            time.sleep(0.1)
    return False


async def say_everything(url: str) -> list[httpx.Response]:
    """200 turns of 20 users, all at once."""
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=httpx.Limits(max_connections=200)) as client:
        return await asyncio.gather(
            *(
                client.post(f"/users/{user}/turns", json={"id": f"{user}-{thing}", "text": f"I love {thing}."})
                for thing in LOVED
                for user in USERS
            )
        )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn forks")
@pytest.mark.parametrize("command", [UVICORN, GUNICORN], ids=["uvicorn", "gunicorn-preload"])
async def test_two_hundred_turns_at_once_are_each_learnt_once(command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    with serving(command, path) as url:
        answers = await say_everything(url)
        assert Counter(answer.status_code for answer in answers) == {200: len(USERS) * len(LOVED)}
        # A client that did not hear the answer sends the same turn again.
        again = httpx.post(
            f"{url}/users/user_0/turns", json={"id": "user_0-chess", "text": "I love chess."}, timeout=PATIENCE
        )
        assert again.status_code == 200
        health = httpx.get(f"{url}/health", timeout=PATIENCE)
        assert health.status_code == 200
        assert health.json()["subjects"] == len(USERS)
        assert health.json()["failed"] == 0
        with Memory(str(path), embedder=False) as memory:
            await asyncio.to_thread(_assert_learnt_once, memory)
    assert memory.url.endswith("service.db")


def _assert_learnt_once(memory: Memory) -> None:
    assert memory.drain(PATIENCE)
    stats = memory.stats()
    assert (stats.subjects, stats.waiting, stats.running, stats.failed) == (len(USERS), 0, 0, 0)
    for user in USERS:
        kept = memory.list_messages(user)
        assert Counter(message.role for message in kept) == {"user": len(LOVED), "assistant": len(LOVED)}
        assert sorted(message.text for message in kept if message.role == "user") == sorted(
            f"I love {thing}." for thing in LOVED
        )
        runs = memory.list_runs(user)
        assert {run.state for run in runs} == {"completed"}
        assert sum(run.messages for run in runs) == 2 * len(LOVED)
        human = memory.get_user_memory(user) or ""
        assert [human.count(thing) for thing in LOVED] == [1] * len(LOVED)
