"""What `ai-memory doctor` says of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ai_memory_integrations.errors import BackendError
from ai_memory_integrations.types import Finding

if TYPE_CHECKING:
    from ai_memory_integrations.backends.postgres.store import PostgresStore

_LONG_SECONDS = 60


def examine(store: PostgresStore) -> Iterator[Finding]:
    """The server, the schema and its size, and who holds things up."""
    try:
        yield from _server(store)
    except BackendError as error:
        yield Finding(level="problem", name="server", text=str(error))


def _server(store: PostgresStore) -> Iterator[Finding]:
    address = store.database.address
    subjects, version = store.journal.stats().subjects, store.schema_version
    with store.database.read() as session:
        server, size, used, allowed, waiting = session.execute(
            "SELECT current_setting('server_version'), "
            "(SELECT pg_size_pretty(coalesce(sum(pg_total_relation_size(oid)), 0)) FROM pg_class "
            "WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'), "
            "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), "
            "current_setting('max_connections'), "
            "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND state LIKE 'idle in transaction%%' AND now() - state_change > make_interval(secs => %s))",
            (f'"{address.schema}"', _LONG_SECONDS),
        ).fetchall()[0]
    yield Finding(level="fact", name="server", text=f"PostgreSQL {server}, {used} of {allowed} connections in use")
    text = f"{address.schema}: {size}, {subjects:,} subject{'' if subjects == 1 else 's'}"
    yield Finding(level="fact", name="schema", text=f"{text}, schema version {version}")
    if waiting:
        yield Finding(
            level="note",
            name="server",
            text=f"{waiting} transactions have been open and idle for more than {_LONG_SECONDS} seconds: what they "
            "locked cannot be changed, and dead rows stay",
            remedy="look in pg_stat_activity for state 'idle in transaction'",
        )
