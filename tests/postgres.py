"""Places for a memory: a file, and a real PostgreSQL. There is one server for each test process, begun by the first
test that asks for it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import postgres_server
import pytest

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A server. Where none can be started the tests are skipped; in CI that is an error."""
    try:
        with postgres_server.running() as server:
            yield server
    except postgres_server.NoServerError as error:
        if os.environ.get("CI", "").lower() == "true":
            raise
        pytest.skip(f"no PostgreSQL: {error}")


@pytest.fixture(scope="session")
def postgres_connection(postgres: postgres_server.Server) -> Iterator[Any]:
    """A connection of the tests' own, in which every statement is a transaction."""
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def postgres_url(postgres: postgres_server.Server, postgres_connection: Any) -> Iterator[str]:
    """A place where nothing is kept. The tables may be there: making them takes longer than most tests."""
    yield f"{postgres.url()}?schema=shared"
    tables = [
        name
        for (name,) in postgres_connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('shared') AND relkind = 'r'"
        )
    ]
    emptied = [f"DELETE FROM shared.{name}" for name in tables if name not in ("meta", "item_state")]
    if emptied:
        postgres_connection.execute(
            "; ".join([*emptied, "DELETE FROM shared.meta WHERE key IN ('embedder', 'settings')"])
        )


@pytest.fixture
def new_postgres_url(postgres: postgres_server.Server, postgres_connection: Any) -> Iterator[Callable[[], str]]:
    """Makes URLs of places that do not exist yet; what is made there is removed after the test."""
    schemas: list[str] = []

    def new() -> str:
        schemas.append(f"test_{next(_numbers)}")
        return f"{postgres.url()}?schema={schemas[-1]}"

    yield new
    for schema in schemas:
        postgres_connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where nothing is kept yet: a file, then a PostgreSQL schema."""
    if request.param == "sqlite":
        return str(tmp_path / "memory.db")
    url: str = request.getfixturevalue("postgres_url")
    return url
