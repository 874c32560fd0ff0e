"""What all tests share."""

from __future__ import annotations

import gc
import os
import threading
import warnings
from collections.abc import Iterator

import elsewhere
import pytest
from hypothesis import HealthCheck, settings
from journal.rounds import STRESS

pytest_plugins = ["postgres"]

# The small model takes most of a second to load in every process: tests of search by meaning ask for it by name.
os.environ.setdefault("AI_MEMORY_EMBEDDER", "none")
os.environ.pop("LETTA_API_KEY", None)
os.environ.pop("AI_MEMORY_URL", None)

# The same examples in every run, so that a run says something about the change it is for; `make stress` seeks others.
settings.register_profile(
    "project",
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    derandomize=not STRESS,
)
settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: none of them is left to one process when the others have ended."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """What is imported by now stays: collections of garbage need not look through a million objects again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def llama_index_s_own_stores_end_here() -> Iterator[None]:
    """LlamaIndex's default chat store never closes its connection: it is collected before another test runs, by a
    thread without a loop. In one that has a loop the connection would tell it of its end, when it may be closed."""
    yield
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "<aiosqlite", ResourceWarning)
        collector = threading.Thread(target=gc.collect)
        collector.start()
        collector.join()


@pytest.fixture
def ranks_all(request: pytest.FixtureRequest) -> bool:
    """Whether a search here ranks all there is, the nearest first, and never finds nothing; else it finds what fits."""
    return request.config.getoption("--place", None) in elsewhere.RANK_ALL
