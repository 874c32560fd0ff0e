"""Runs tests that keep memory in files with memory somewhere else: `pytest -p elsewhere --place=postgres`.

A file that a test opens stands for a place of the same life: opened again it is the same, another file is another. On
Letta the learner is the one that learns in files, so that the tests know what is learnt; `letta-fake` is Letta's API in
this process, a tenth of the time. Tests marked `in_files` are about SQLite, or open memory in processes of their own:
they are left out. Where a search ranks all there is, the fixture `ranks_all` says so: `RANK_ALL`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ai_memory_integrations.backends import urls
from ai_memory_integrations.ports import Store

PLACES = ("postgres", "letta", "letta-fake")
RANK_ALL = ("letta", "letta-fake")
_JOURNAL = ".journal"
_open_store = urls.open_store


class Elsewhere:
    """Opens a place on a server for each file."""

    def __init__(self, kind: str) -> None:
        self._held = ExitStack()
        places: dict[str, Callable[[Path], Store]] = {
            "postgres": self._on_postgres,
            "letta": self._on_letta,
            "letta-fake": self._on_a_fake,
        }
        self._open = places[kind]
        self._fakes: dict[Path, Any] = {}

    def open_store(self, url: str | None = None, *, api_key: str | None = None) -> Store:
        name = None if url is None else urls.file_of(url)
        if name is None:
            return _open_store(url, api_key=api_key)
        path = Path(name).absolute()
        if path.exists() or path.suffix == _JOURNAL or not path.parent.is_dir():
            return _open_store(url)
        return self._open(path)

    def _on_postgres(self, path: Path) -> Store:
        return _open_store(f"{self._postgres}?schema=t{_short(path)}")

    def _on_letta(self, path: Path) -> Store:
        from ai_memory_integrations.backends.letta.store import LettaStore

        journal = quote(f"sqlite:///{path}{_JOURNAL}", safe="")
        store = _open_store(f"letta://{self._letta}?journal={journal}&namespace=t{_short(path)}")
        assert isinstance(store, LettaStore)
        store.learner = None
        return store

    def _on_a_fake(self, path: Path) -> Store:
        from letta.fake_server import FakeLetta

        from ai_memory_integrations.backends.letta.store import open_letta

        fake = self._fakes.setdefault(path, FakeLetta())
        store = open_letta("letta://fake", client=fake.client(), journal=_open_store(f"sqlite:///{path}{_JOURNAL}"))
        store.learner = None
        return store

    @cached_property
    def _postgres(self) -> str:
        import postgres_server

        return self._held.enter_context(postgres_server.running()).url()

    @cached_property
    def _letta(self) -> str:
        from letta import server

        folder = Path(tempfile.gettempdir(), f"letta-of-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}")
        return self._held.enter_context(server.shared(folder)).url.removeprefix("http://")

    def close(self) -> None:
        self._held.close()


def _short(path: Path) -> str:
    return sha256(str(path).encode()).hexdigest()[:20]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--place", choices=PLACES, default="postgres", help="where memory is instead of in files")


def pytest_configure(config: pytest.Config) -> None:
    elsewhere = Elsewhere(config.getoption("--place"))
    urls.open_store = elsewhere.open_store
    config.add_cleanup(elsewhere.close)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if item.get_closest_marker("in_files")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]
