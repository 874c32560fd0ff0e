"""LangGraph's contract of a store, on every place where a memory can be kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import BaseStore

from ai_memory_integrations.langgraph import CoreMemoryStore
from ai_memory_integrations.testing.contracts.item_store import BaseStoreContract, OpenStore


class TestOnAFile(BaseStoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Iterator[OpenStore]:
        with ExitStack() as opened:

            def open_store(**options: Any) -> BaseStore:
                return opened.enter_context(
                    CoreMemoryStore(url=f"sqlite:///{tmp_path}/store.db?synchronous=normal", **options)
                )

            yield open_store


class TestInMemory(BaseStoreContract):
    @pytest.fixture
    def open_store(self) -> Iterator[OpenStore]:
        with ExitStack() as opened:

            def open_store(**options: Any) -> BaseStore:
                return opened.enter_context(CoreMemoryStore.from_conn_string(":memory:", **options))

            yield open_store


class TestOnPostgres(BaseStoreContract):
    @pytest.fixture
    def open_store(self, postgres_url: str) -> Iterator[OpenStore]:
        with ExitStack() as opened:

            def open_store(**options: Any) -> BaseStore:
                return opened.enter_context(CoreMemoryStore(url=postgres_url, **options))

            yield open_store
