"""The fake server on a bad line: answers are lost, or it cannot be reached."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from letta.fake_server import FakeLetta
from letta_client import Letta

POISON = "what no embedding model takes"


class LossyLetta(FakeLetta):
    """Loses the answer to a request that it has carried out, or is away; without the client's retries."""

    def __init__(self) -> None:
        super().__init__()
        self._lost: tuple[str, str, bool, bool] | None = None
        self._is_away = False
        self.batches: list[list[str]] = []
        self.is_failing = False
        """Whether it fails (500) over every batch of passages; otherwise over those in which a text is `POISON`."""
        self._fails_late = False
        self._meanwhile: tuple[str, str, Callable[[], object], bool] | None = None

    @contextmanager
    def losing(self, method: str, path: str, *, arrives: bool = True, and_then_away: bool = False) -> Iterator[None]:
        """The next answer to such a request, which *arrives*; behind it nothing gets through until the block ends."""
        self._lost = method, path, arrives, and_then_away
        try:
            yield
        finally:
            assert self._lost is None, "no such request came"
            self._is_away = False

    @contextmanager
    def away(self) -> Iterator[None]:
        self._is_away = True
        try:
            yield
        finally:
            self._is_away = False

    @contextmanager
    def failing_with_the_answer(self) -> Iterator[None]:
        """Batches of passages are carried out, and answered with 500."""
        self._fails_late = True
        yield
        self._fails_late = False

    @contextmanager
    def meanwhile(self, method: str, path: str, call: Callable[[], object], *, when: str = "after") -> Iterator[None]:
        """Something else happens before the answer to the next such request: before it is carried out, or after."""
        self._meanwhile = method, path, call, when == "after"
        yield
        assert self._meanwhile is None, "no such request came"

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self._is_away:
            raise httpx.ConnectError("nobody there", request=request)
        if self._lost is not None:
            method, path, arrives, then_away = self._lost
            if request.method == method and re.fullmatch(path, request.url.path):
                self._lost, self._is_away = None, then_away
                if arrives:
                    super().answer(request)
                raise httpx.ReadTimeout("the answer was lost", request=request)
        if request.method == "POST" and request.url.path.endswith("/passages/batch"):
            texts = [each["text"] for each in json.loads(request.content)["passages"]]
            self.batches.append(texts)
            if self._fails_late:
                super().answer(request)
            if self._fails_late or self.is_failing or any(POISON in text for text in texts):
                return httpx.Response(500, json={"detail": "An unknown error occurred"})
        if self._meanwhile is not None:
            method, path, call, after = self._meanwhile
            if request.method == method and re.fullmatch(path, request.url.path):
                self._meanwhile = None
                answer = super().answer(request) if after else None
                call()
                return super().answer(request) if answer is None else answer
        return super().answer(request)

    def client(self, key: str = "x") -> Letta:
        client = httpx.Client(transport=httpx.MockTransport(self.answer))
        return Letta(base_url="http://fake", api_key=key, http_client=client, max_retries=0)
