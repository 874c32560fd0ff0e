"""The wheel: what is in it, and that it works alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from patience import PATIENCE

from ai_memory_integrations import __version__

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_version_that_the_package_tells(wheel: Path) -> None:
    assert wheel.name == f"ai_memory_integrations-{__version__}-py3-none-any.whl"


def test_the_wheel_has_types_licence_and_the_conversation_of_the_demo(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert "ai_memory_integrations/py.typed" in names
    assert "ai_memory_integrations/demo/conversation.jsonl" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"ai_memory_integrations"}
    assert not [name for name in names if name.endswith((".pyc", ".db"))]


@pytest.mark.slow
def test_the_wheel_alone_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    if shutil.which("uv"):
        subprocess.run(["uv", "venv", "-q", "--python", sys.executable, str(home)], check=True)
        install = ["uv", "pip", "install", "-q", "--python", str(home)]
    else:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        install = [str(home / "bin" / "python"), "-m", "pip", "install", "-qq", "--retries=10", "--timeout=60"]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "AI_MEMORY_EMBEDDER")}

    done = subprocess.run(
        [str(home / "bin" / "ai-memory"), "demo", "--no-input"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "41 messages" in done.stdout.partition("\n")[0]
    assert "41 of 41 messages, 0 lost, 0 twice" in done.stdout
    assert "pip install 'ai-memory-integrations[embeddings]'" in done.stdout
