"""From a URL, a path or `:memory:` to a store."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from ai_memory_integrations.errors import MissingExtraError, StoreNotCreatableError, UnknownURLError

if TYPE_CHECKING:
    from ai_memory_integrations.ports import Store

URL_VARIABLE = "AI_MEMORY_URL"
MEMORY = ":memory:"
POSTGRES = ("postgresql", "postgres")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]+):(?=//|[^\\/])")
_KEY = re.compile(r"^(sk-|sk_|let-|pk-|key-)|^eyJ[\w\-]+\.|^[A-Za-z0-9_\-]{32,}={0,2}$|^[A-Za-z0-9+/]{32,}={1,2}$")


def default_url() -> tuple[str, str]:
    """The URL used when none is given, and where it comes from: the environment or the user's data directory."""
    if named := os.environ.get(URL_VARIABLE):
        return named, URL_VARIABLE
    from platformdirs import user_data_path

    return str(user_data_path("ai-memory", appauthor=False) / "memory.db"), "the user's data directory"


def private_file(name: str) -> str:
    """The path of a file in the user's data directory, which is made. Raises: StoreNotCreatableError."""
    from platformdirs import user_data_path

    folder = user_data_path("ai-memory", appauthor=False)
    _make_folder(folder)
    return str(folder / name)


def scheme_of(url: str) -> str:
    """`sqlite` for a file, a path and `:memory:`, else what stands before the colon, in small letters.

    Raises: UnknownURLError for what is no text.
    """
    if not isinstance(url, str):
        raise UnknownURLError(type(url).__name__, "it is neither text nor a path")
    scheme = _SCHEME.match(url)
    if scheme is None or (os.name == "nt" and len(scheme.group(1)) == 1):
        return "sqlite"
    return scheme.group(1).lower()


def check_url(url: str) -> None:
    """Nothing is opened. Raises: UnknownURLError when no backend answers to *url*."""
    scheme = scheme_of(url)
    if scheme == "letta":
        from ai_memory_integrations.backends.letta.places import letta_place

        check_url(letta_place(url).journal or MEMORY)
    elif scheme in POSTGRES:
        from ai_memory_integrations.backends.postgres.address import Address

        Address.of(url)
    else:
        sqlite_path(url)


def file_of(url: str) -> str | None:
    """The file that *url* names, as it is written there; None for memory that is in no file of its own.

    Raises: UnknownURLError.
    """
    if scheme_of(url) != "sqlite":
        return None
    path = sqlite_path(url).path
    return None if path == MEMORY else path


def open_store(url: str | None = None, *, api_key: str | None = None) -> Store:
    """The store that *url* names: `sqlite:///memory.db`, a path, `:memory:`, `postgresql://user:password@host/db`,
    `letta://host`; by default see `default_url`. *api_key* is Letta's.

    `sqlite:///memory.db?synchronous=normal` trades a sync a commit for losing the last commits with the power,
    `?immutable=1` reads a file that nobody writes, also where it cannot be written. What a
    PostgreSQL URL may say see `PostgresStore`, a Letta URL `backends.letta.places.letta_place`. Nothing is opened
    before its first use.

    Raises: UnknownURLError, StoreNotCreatableError, MissingExtraError.
    """
    if url is None:
        url, source = default_url()
        if source != URL_VARIABLE:
            _make_folder(Path(url).parent)
    if scheme_of(url) == "letta":
        from ai_memory_integrations.backends.letta.store import open_letta

        return open_letta(url, api_key=api_key)
    if scheme_of(url) in POSTGRES:
        return _postgres_store(url)
    from ai_memory_integrations.backends.sqlite import SQLiteStore

    place = sqlite_path(url)
    return SQLiteStore(place.path, synchronous=place.synchronous, immutable=place.immutable)


def _postgres_store(url: str) -> Store:
    try:
        from ai_memory_integrations.backends.postgres.store import PostgresStore
    except ImportError as error:
        if error.name is not None and not error.name.startswith("psycopg"):
            raise
        raise MissingExtraError("postgresql://", "postgres", reason=str(error)) from error
    return PostgresStore(url)


class SQLitePlace(NamedTuple):
    """A file, or `:memory:`, how its commits are synced, and whether nobody writes it."""

    path: str
    synchronous: Literal["full", "normal"] = "full"
    immutable: bool = False


def sqlite_path(url: str) -> SQLitePlace:
    """What *url* names. Raises: UnknownURLError."""
    scheme = scheme_of(url)
    if url in (MEMORY, "sqlite://", "sqlite:///:memory:"):
        return SQLitePlace(MEMORY)
    if scheme != "sqlite":
        raise UnknownURLError(without_password(url), f"this release has no backend for {scheme!r}")
    if not url.lower().startswith("sqlite:"):
        return SQLitePlace(_plain_path(url))
    parts = urlsplit(url)
    if parts.netloc:
        raise UnknownURLError(url, "an SQLite URL has three slashes before the path (four before an absolute one)")
    if "#" in url:
        raise UnknownURLError(url, "in a URL a path with '#' has %23 in its place")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    synchronous, immutable = options.pop("synchronous", "full"), options.pop("immutable", "0")
    if options or synchronous not in ("full", "normal") or immutable not in ("0", "1"):
        raise UnknownURLError(url, "the only options are synchronous=full or synchronous=normal, and immutable=1")
    path = unquote(parts.path).removeprefix("/")
    if not path:
        raise UnknownURLError(url, "it names no file")
    if "\0" in path:
        raise UnknownURLError(url, "a path cannot have the character U+0000")
    return SQLitePlace(path, "normal" if synchronous == "normal" else "full", immutable == "1")


def sqlite_url(path: str, options: str = "") -> str:
    """The URL of a file; what means something else in a URL is encoded."""
    for character in "%?#":
        path = path.replace(character, f"%{ord(character):X}")
    return f"sqlite:///{path}{'?' if options else ''}{options}"


def _plain_path(text: str) -> str:
    if not text.strip():
        raise UnknownURLError(text, "it is empty")
    if "\0" in text:
        raise UnknownURLError(text, "a path cannot have the character U+0000")
    if _KEY.search(text) and not os.path.exists(text):  # not `Path.exists`, which fails for a name that is too long
        shown = f"{text[:4]}..."
        raise UnknownURLError(shown, "that looks like an API key, not like a place for memory; pass it as api_key=")
    return text


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreNotCreatableError(str(folder), error.strerror or str(error)) from error


def without_password(url: str) -> str:
    """*url* as it may be shown: what stands between the user's name and the host is hidden, and a password given as an
    option."""
    if url.lower().startswith("letta:"):
        from ai_memory_integrations.backends.letta.places import shown

        return shown(url, hide=without_password)
    hidden = re.sub(r"(://[^/?#@:]*):.*@", r"\1:***@", url, flags=re.DOTALL)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1***", hidden)
