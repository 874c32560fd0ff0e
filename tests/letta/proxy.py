"""A proxy between a client and a server that counts requests and breaks what it is told to break.

with proxying("http://127.0.0.1:8283") as proxy:
    client = Letta(base_url=proxy.url)
    proxy.answer("POST", "/v1/agents/*/messages/async", status=500)      # the next one, which is not forwarded
    proxy.drop("POST", "/v1/agents/", when="after")                      # done by the server, unknown to the client
    proxy.delay("GET", "*", seconds=0.5, times=None)                     # all from now on
    with proxy.down(): ...                                               # nobody there
    proxy.count("GET", "/v1/runs/*")
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

_ID = re.compile(r"\b(agent|archive|block|message|passage|run|step|tool)-[0-9a-f-]{36}")
_NOT_FORWARDED = frozenset(("connection", "content-length", "date", "host", "server", "transfer-encoding"))


@dataclass(frozen=True)
class Request:
    """What came. *path* is without the query, *shape* has the ids' kinds in their place: `/v1/agents/{agent}/blocks`.
    *status* is what was answered, None where nothing was; *broken* says that a fault met it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: bytes
    status: int | None = None
    broken: bool = False

    @property
    def shape(self) -> str:
        return _ID.sub(r"{\1}", self.path)

    @property
    def line(self) -> str:
        return f"{self.method} {self.shape}"

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Fault:
    """What happens to requests of this *method* whose path matches, *times* times (None: always)."""

    method: str
    path: str
    times: int | None
    status: int | None = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: Literal["before", "after"] | None = None
    seconds: float = 0.0

    def meets(self, method: str, path: str) -> bool:
        return self.times != 0 and self.method in (method, "*") and fnmatchcase(path, self.path)


class Proxy:
    """Made by `proxying`. Faults are tried in the order in which they were asked for; the first that meets is used."""

    def __init__(self, upstream: str, port: int) -> None:
        self.upstream, self.url = urlsplit(upstream), f"http://127.0.0.1:{port}"
        self._lock = Lock()
        self._seen: list[Request] = []
        self._faults: list[Fault] = []
        self._down = False

    # what came

    @property
    def seen(self) -> tuple[Request, ...]:
        """In the order of their answers."""
        with self._lock:
            return tuple(self._seen)

    def count(self, method: str = "*", path: str = "*") -> int:
        return sum(method in (each.method, "*") and fnmatchcase(each.path, path) for each in self.seen)

    def lines(self) -> Counter[str]:
        """`GET /v1/agents/{agent}/core-memory/blocks` and how often."""
        return Counter(each.line for each in self.seen)

    def forget(self) -> None:
        """Count from zero; faults stay."""
        with self._lock:
            self._seen.clear()

    # what breaks

    def answer(
        self,
        method: str,
        path: str,
        *,
        status: int,
        body: Any = None,
        headers: dict[str, str] | None = None,
        times: int | None = 1,
    ) -> None:
        """Instead of the server, with *body* as JSON."""
        said = json.dumps({"detail": f"injected {status}"} if body is None else body).encode()
        self._add(Fault(method, path, times, status=status, body=said, headers=headers or {}))

    def drop(
        self, method: str, path: str, *, when: Literal["before", "after"] = "before", times: int | None = 1
    ) -> None:
        """Close the connection: before the server hears of it, or after it has done what was asked."""
        self._add(Fault(method, path, times, drop=when))

    def delay(self, method: str, path: str, *, seconds: float, times: int | None = 1) -> None:
        self._add(Fault(method, path, times, seconds=seconds))

    def heal(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Every connection is closed without an answer, as while a server is restarted."""
        self._down = True
        try:
            yield
        finally:
            self._down = False

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def _fault(self, method: str, path: str) -> Fault | None:
        if self._down:
            return Fault(method, path, None, drop="before")
        with self._lock:
            fault = next((each for each in self._faults if each.meets(method, path)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
            return fault

    def _note(self, request: Request) -> None:
        with self._lock:
            self._seen.append(request)


@contextmanager
def proxying(upstream: str) -> Iterator[Proxy]:
    """In front of *upstream*, on a free port of this machine, until the block ends."""

    class Bound(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    server.daemon_threads = True
    Bound.proxy = Proxy(upstream, server.server_address[1])
    Thread(target=server.serve_forever, args=(0.05,), name="proxy", daemon=True).start()
    try:
        yield Bound.proxy
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        fault = self.proxy._fault(self.command, parts.path)
        answer: tuple[int, dict[str, str], bytes] | None = None
        if fault is not None and fault.seconds:
            time.sleep(fault.seconds)
        if fault is not None and fault.status is not None:
            answer = fault.status, {"content-type": "application/json", **fault.headers}, fault.body
        elif fault is None or fault.drop != "before":
            answer = self._ask(body)
            if fault is not None and fault.drop == "after":
                answer = None
        # Before it is answered: whoever has the answer may ask at once what was seen.
        query = tuple(parse_qsl(parts.query))
        status = None if answer is None else answer[0]
        self.proxy._note(Request(self.command, parts.path, query, body, status, fault is not None))
        if answer is None:
            self.close_connection = True
        else:
            status, headers, said = answer
            self._answer(status, said, headers)

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """The server's answer; 502 when it is away."""
        upstream = self.proxy.upstream
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_FORWARDED}
        connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port or 80, timeout=600)
        try:
            connection.request(self.command, self.path, body or None, {**headers, "connection": "close"})
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 502, {"content-type": "text/plain"}, str(error).encode()
        finally:
            connection.close()
        return answer.status, {n: v for n, v in answer.getheaders() if n.lower() not in _NOT_FORWARDED}, said

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on
