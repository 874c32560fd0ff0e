"""What the tests of the LlamaIndex room share."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from ways import WAYS

from ai_memory_integrations import Memory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """LlamaIndex's agents use what Pydantic and the workflows they stand on have deprecated."""
    for item in items:
        if "llama_index" in str(item.path):
            item.add_marker(pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore:is_running called from:DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore:<aiosqlite:ResourceWarning"))


@pytest.fixture(autouse=True)
def _no_store_is_left(llama_index_s_own_stores_end_here: None) -> None:
    """Of any test here."""


@pytest.fixture(autouse=True)
def _llama_index_s_sync_methods_have_a_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """They would make one and never close it."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        yield
        return
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(str(tmp_path / "memory.db")) as memory:
        yield memory


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)
