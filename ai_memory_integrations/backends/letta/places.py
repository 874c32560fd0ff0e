"""What a `letta://` URL says: pure, nothing is opened."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from ai_memory_integrations.backends.letta.names import Names
from ai_memory_integrations.errors import ConfigurationError, UnknownURLError

BASE_URL_VARIABLE = "LETTA_BASE_URL"
CLOUD_HOST = "api.letta.com"
_PORT = 8283  # of a server of one's own
_OPTIONS = (
    "embedding",
    "exclusive",
    "journal",
    "model",
    "namespace",
    "patience",
    "project",
    "retries",
    "stale",
    "timeout",
    "tls",
    "usage",
)
_UNSAFE = re.compile(r"[^A-Za-z0-9.\-]+")


@dataclass(frozen=True)
class LettaPlace:
    """A Letta server and how to use it. `journal` None stands for a file named after the server in the user's data
    directory; `api_key` None for LETTA_API_KEY; `model` and `embedding` None for the defaults here, "" for the
    server's own."""

    base_url: str
    api_key: str | None = None
    journal: str | None = None
    model: str | None = None
    embedding: str | None = None
    project: str | None = None
    namespace: str = ""
    stale: float = 0.0
    timeout: float = 60.0
    retries: int = 2
    patience: float = 600.0
    usage: bool = False
    exclusive: bool = False

    @property
    def file_name(self) -> str:
        """The journal's file where none is named: one for each server, project and namespace."""
        parts = [self.base_url.partition("://")[2], self.project or "", self.namespace]
        return "-".join(["letta", *(_UNSAFE.sub("_", part) for part in parts if part)]) + ".db"


def letta_place(url: str) -> LettaPlace:
    """What *url* says: `letta://host:port?option=value&...`; without a host LETTA_BASE_URL, else Letta's cloud.

    Options: `journal` (the URL of an SQL store), `model`, `embedding`, `project`, `namespace`, `stale`, `timeout` and
    `patience` (seconds; the last for a run of Letta, after which it is taken to have died with its server), `retries`,
    `tls`, `usage` (true or false; whether runs say what Letta spent, a request more each) and `exclusive` (true or
    false; whether all who use these agents share the journal). A key may stand before the host: `letta://:key@host`.

    Raises: UnknownURLError.
    """
    from ai_memory_integrations.backends.urls import scheme_of, without_password

    named = without_password(url)
    try:
        parts = urlsplit(url)
        port = parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise UnknownURLError(
            named, "its host, port or options cannot be read: letta://host:8283?option=value"
        ) from None
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise UnknownURLError(named, f"option {unknown[0]!r} is not known; there are {', '.join(_OPTIONS)}")
    if parts.path.strip("/") or parts.fragment:
        raise UnknownURLError(named, "a Letta URL has a host and options, and no path: letta://host:8283?option=value")
    journal = options.get("journal")
    if journal is not None and (not journal or scheme_of(journal) == "letta"):
        raise UnknownURLError(named, "journal= is the URL of an SQL store, such as sqlite:///journal.db")
    try:
        Names(options.get("namespace", ""))
    except ConfigurationError as error:
        raise UnknownURLError(named, str(error)) from None
    return LettaPlace(
        base_url=_base_url(parts, port, options.get("tls"), named),
        api_key=unquote(parts.password) if parts.password else None,
        journal=journal,
        model=options.get("model"),
        embedding=options.get("embedding"),
        project=options.get("project"),
        namespace=options.get("namespace", ""),
        stale=_number(options.get("stale", "0"), "stale", named),
        timeout=_number(options.get("timeout", "60"), "timeout", named),
        retries=int(_number(options.get("retries", "2"), "retries", named)),
        patience=_number(options.get("patience", "600"), "patience", named),
        usage=_flag(options.get("usage", "false"), "usage", named),
        exclusive=_flag(options.get("exclusive", "false"), "exclusive", named),
    )


def shown(url: str, *, hide: Callable[[str], str], instead: str = ":***") -> str:
    """*url* with *instead* in the place of its key, and with its journal's password hidden by *hide*."""
    head, mark, options = url.partition("?")
    pairs = [
        (name, hide(value) if name == "journal" else value)
        for name, value in parse_qsl(options, keep_blank_values=True)
    ]
    without = re.sub(r"^([^/]*//[^/@:]*):.*@", rf"\1{instead}@", head)
    return f"{without}{mark}{urlencode(pairs, safe='/:@*')}"


def _base_url(parts: SplitResult, port: int | None, tls: str | None, named: str) -> str:
    if tls not in (None, "true", "false"):
        raise UnknownURLError(named, "tls= is true or false")
    if not parts.hostname:
        return (os.environ.get(BASE_URL_VARIABLE) or f"https://{CLOUD_HOST}").rstrip("/")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    local = _is_local(parts.hostname)
    secure = tls == "true" if tls is not None else not local
    if port is None and local:
        port = _PORT
    return f"http{'s' if secure else ''}://{host}{'' if port is None else f':{port}'}"


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _flag(text: str, name: str, named: str) -> bool:
    if text not in ("true", "false"):
        raise UnknownURLError(named, f"{name}= is true or false")
    return text == "true"


def _number(text: str, name: str, named: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf") or (name == "retries" and number != int(number)):
        raise UnknownURLError(named, f"{name}={text!r} is no number that is 0 or more")
    return number
