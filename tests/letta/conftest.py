"""A real Letta server behind every test of this folder, one for all processes that test together."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from letta import proxy as proxies
from letta import server as servers
from letta_client import Letta


@pytest.fixture(scope="session")
def letta_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Place]:
    """Where it answers. Skips where none can be installed; one that does not start is an error."""
    base = tmp_path_factory.getbasetemp()
    try:
        with servers.shared((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "letta") as place:
            yield place
    except servers.NotHereError as error:
        pytest.skip(str(error))


@pytest.fixture
def letta_proxy(letta_server: servers.Place) -> Iterator[proxies.Proxy]:
    """In front of the server: counts requests and breaks some, for this test alone."""
    with proxies.proxying(letta_server.url) as proxy:
        yield proxy


@pytest.fixture
def letta_client(letta_server: servers.Place) -> Iterator[Letta]:
    """The server as it is, past the proxy."""
    with Letta(base_url=letta_server.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def own_letta(tmp_path: Path) -> Iterator[servers.Server]:
    """A server that this test may kill: half a minute, half a gigabyte."""
    try:
        with servers.running(tmp_path) as server:
            yield server
    except servers.NotHereError as error:
        pytest.skip(str(error))


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Path]:
    """A file for `[[until=...]]`: touch it to let the model answer."""
    file = tmp_path / "go"
    yield file
    file.touch()


@pytest.fixture
def subject() -> str:
    """Somebody whom no other test knows."""
    return f"user_{uuid.uuid4().hex}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that needs the server waits until it is installed and started."""
    for item in items:
        if {"letta_server", "own_letta"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(servers.INSTALL_SECONDS + servers.START_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """What the server said stands beside a failure."""
    report = yield
    place = getattr(item, "funcargs", {}).get("letta_server")
    if report.failed and isinstance(place, servers.Place):
        report.sections.append(("The end of the Letta server's log", place.said()))
    return report
