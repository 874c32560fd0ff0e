"""What a PostgreSQL URL says: where the database is, and the few options that are this package's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ai_memory_integrations.backends.urls import POSTGRES, without_password
from ai_memory_integrations.errors import UnknownURLError

SCHEMA = "ai_memory"
CONNECTIONS = 10
_OURS = ("schema", "connections", "prepared")
_PLACE = ("host", "hostaddr", "port", "dbname", "user", "service")
_SECRET = ("password", "sslpassword")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Address:
    """`conninfo` is what libpq is given, with the password; `without_secret` says all else that the URL did; `shown` is
    for texts, and the same for the same place."""

    conninfo: str
    without_secret: str
    shown: str
    schema: str = SCHEMA
    connections: int = CONNECTIONS
    prepared: bool = True

    @staticmethod
    def of(url: str) -> Address:
        """What *url* says; an option that is not ours is left to libpq. Raises: UnknownURLError."""
        given = without_password(url)
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise UnknownURLError(given, str(error)) from None
        if parts.scheme.lower() not in POSTGRES:
            raise UnknownURLError(given, f"it does not begin with {POSTGRES[0]}://")
        if parts.fragment or "@" in parts.path:
            raise UnknownURLError(given, "write / ? # @ in a password as %2F %3F %23 %40")
        options = [(option.partition("=")[0], option) for option in parts.query.split("&") if option]
        ours = {name: unquote(option.partition("=")[2]) for name, option in options if name in _OURS}
        theirs = [option for name, option in options if name not in _OURS]
        schema = ours.get("schema", SCHEMA)
        if not _PLAIN.fullmatch(schema):
            raise UnknownURLError(given, f"schema={schema} is not a plain name such as {SCHEMA}")
        connections = ours.get("connections", str(CONNECTIONS))
        if not re.fullmatch(r"[1-9][0-9]{0,3}", connections):
            raise UnknownURLError(given, f"connections={connections} is not a number from 1 to 9999")
        prepared = ours.get("prepared", "on")
        if prepared not in ("on", "off"):
            raise UnknownURLError(given, "prepared is on or off")
        user, at, hosts = parts.netloc.rpartition("@")
        name = user.partition(":")[0]
        open_to_all = [option for name, option in options if name not in _SECRET]
        where = [option for name, option in options if name in _PLACE]
        where += [] if schema == SCHEMA else [f"schema={schema}"]
        return Address(
            conninfo=_url(f"{parts.netloc}{parts.path}", theirs),
            without_secret=_url(f"{name}{at}{hosts}{parts.path}", open_to_all),
            shown=_url(f"{name}{at}{hosts.lower()}{parts.path}", where),
            schema=schema,
            connections=int(connections),
            prepared=prepared == "on",
        )


def _url(place: str, options: Sequence[str]) -> str:
    return f"{POSTGRES[0]}://{place}" + (f"?{'&'.join(options)}" if options else "")
