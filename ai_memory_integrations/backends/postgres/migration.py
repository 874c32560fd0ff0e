"""From whatever is in a schema to the tables of this release."""

from __future__ import annotations

from contextlib import suppress

import psycopg

from ai_memory_integrations.backends.postgres.address import Address
from ai_memory_integrations.backends.postgres.schema import APPLICATION, MIGRATIONS, OLDEST_SERVER, SCHEMA_VERSION
from ai_memory_integrations.backends.postgres.session import WRITING, Session
from ai_memory_integrations.errors import BackendError, NewerSchemaError, NotAStoreError


def prepare(session: Session, address: Address) -> None:
    """Check that the schema is ours, then bring its tables to the current version.

    Raises: BackendError, NotAStoreError, NewerSchemaError.
    """
    _check_server(session, address)
    while (found := _version(session, address)) != SCHEMA_VERSION:
        _migrate(session, address, found)


def _check_server(session: Session, address: Address) -> None:
    version = session.connection.info.server_version
    if version < OLDEST_SERVER * 10_000:
        raise BackendError(
            f"{address.shown!r} is PostgreSQL {version // 10_000}, and at least {OLDEST_SERVER} is needed: upgrade the "
            "server, or name another"
        )
    encoding = session.value("SHOW server_encoding")
    if encoding != "UTF8":
        raise BackendError(
            f"the database of {address.shown!r} keeps text in {encoding}, which cannot hold every text. Make one with: "
            "CREATE DATABASE memory ENCODING 'UTF8' TEMPLATE template0"
        )


def _version(session: Session, address: Address) -> int:
    """The version of the tables, 0 when there are none. Raises: NotAStoreError, NewerSchemaError."""
    if session.value("SELECT to_regclass(%s)::text", (f'"{address.schema}".meta',)) is None:
        return 0
    found: dict[str, str] = {}
    with suppress(psycopg.errors.UndefinedColumn):  # a table of that name which is not ours
        found = dict(session.execute("SELECT key, value FROM ai_memory.meta").fetchall())
    if found.get("application") != APPLICATION:
        raise NotAStoreError(address.shown, f"the table {address.schema}.meta belongs to another application")
    version = int(found["schema_version"])
    if version > SCHEMA_VERSION:
        raise NewerSchemaError(address.shown, version, SCHEMA_VERSION)
    return version


def _migrate(session: Session, address: Address, before: int) -> None:
    """Go from one version to the newest, unless another process was faster: then nothing is done."""
    session.script(WRITING)
    try:
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{APPLICATION} {address.schema}",))
        if _is_at(session, address, before):
            _take_steps(session, address, before)
        session.execute("COMMIT")
    except psycopg.errors.DuplicateTable as error:
        session.roll_back()
        reason = f"its schema {address.schema!r} has tables of another application; ?schema= names another"
        raise NotAStoreError(address.shown, reason) from error
    except BaseException:
        session.roll_back()
        raise


def _is_at(session: Session, address: Address, before: int) -> bool:
    if before:
        return _version(session, address) == before
    # Asked of the catalogue's rows: names are looked up in a cache, which may be older than the lock.
    found = session.value(
        "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = 'meta'",
        (address.schema,),
    )
    return found is None


def _take_steps(session: Session, address: Address, before: int) -> None:
    # A schema that an administrator made is used as it is: making one is a right of its own.
    if session.value("SELECT 1 FROM pg_namespace WHERE nspname = %s", (address.schema,)) is None:
        session.script(f'CREATE SCHEMA "{address.schema}"')
    for step in MIGRATIONS[before:]:
        session.script(step)
    session.execute(
        "INSERT INTO ai_memory.meta VALUES ('application', %s), ('schema_version', %s) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (APPLICATION, str(SCHEMA_VERSION)),
    )
