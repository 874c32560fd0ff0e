"""What a Letta server refuses and how the way to it fails, in words that say what to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from letta_client import Letta

from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.errors import (
    AIMemoryError,
    AnswerLostError,
    BackendError,
    BackendUnavailableError,
    ConfigurationError,
    GoneFromServerError,
    RefusedByServerError,
    ServerConflictError,
)

Answer = Callable[[httpx.Request], httpx.Response]


class Server:
    """A server that answers as it is told, and the pauses that were made between requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.asked: list[httpx.Request] = []
        self.pauses: list[float] = []
        self._answers = list(answers)
        transport = httpx.MockTransport(self._answer)
        client = Letta(base_url="http://letta.test", api_key="sk-secret", http_client=httpx.Client(transport=transport))
        self.letta = LettaServer(client=client, pause=self.pauses.append)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def refusing(status: int, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": "no"} if body is None else body, headers=headers)


def read(server: Server) -> object:
    return server.letta.list_blocks("agent-1")


def send(server: Server) -> object:
    return server.letta.send("agent-1", "hello", mark="ami:1")


PROVIDER = {"error": {"type": "llm_authentication", "message": "Authentication failed", "detail": "Incorrect API key"}}


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refusing(401), ConfigurationError, "refused the key.*LETTA_API_KEY"),
        (refusing(403), ConfigurationError, "refused the key"),
        (refusing(401, PROVIDER), ConfigurationError, "refused by its model provider.*OPENAI_API_KEY.*not here"),
        (refusing(402, {"detail": "credits"}), ConfigurationError, "no credits left"),
        (refusing(404, {"detail": "NOT_FOUND: Handle x/y not found"}), ConfigurationError, "model=provider/name"),
        (refusing(400, {"detail": "Embedding model x not found"}), ConfigurationError, "embedding=provider/name"),
        (refusing(404, {"detail": "Agent not found, access level in x"}), GoneFromServerError, r"not found\.?$"),
        (refusing(409), ServerConflictError, r"\(409\)"),
        (refusing(422, {"detail": [{"loc": ["body", "name"], "msg": "too long"}]}), RefusedByServerError, "body.name"),
        (refusing(429), BackendUnavailableError, "limits the rate"),
        (refusing(503), BackendUnavailableError, r"failed \(503\)"),
        (httpx.Response(500, text="<html>oops</html>"), BackendUnavailableError, "oops"),
        (httpx.ReadTimeout("slow"), BackendUnavailableError, "did not answer in time"),
        (httpx.ConnectError("refused"), BackendUnavailableError, "cannot be reached.*refused.*LETTA_BASE_URL"),
    ],
)
def test_each_failure_names_its_remedy_and_no_key(
    answer: httpx.Response | Exception, kind: type[AIMemoryError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        read(Server(answer))
    assert type(caught.value) is kind
    assert "sk-secret" not in str(caught.value)
    assert caught.value.__cause__ is not None


class TestARequestIsSentAgain:
    @pytest.mark.parametrize("answer", [refusing(503), refusing(429), refusing(408), httpx.ReadError("reset")])
    def test_when_it_only_reads(self, answer: httpx.Response | Exception) -> None:
        server = Server(answer, answer, httpx.Response(200, json=[]))
        assert read(server) == []
        assert len(server.asked) == 3
        assert all(0 < pause <= 8 for pause in server.pauses)

    def test_when_it_cannot_have_arrived_or_was_turned_away(self) -> None:
        run = httpx.Response(200, json={"id": "run-1", "agent_id": "agent-1", "status": "created"})
        for answer in (httpx.ConnectError("refused"), refusing(429)):
            server = Server(answer, run)
            assert send(server) is not None
            assert len(server.asked) == 2

    def test_after_as_long_as_the_server_asks_for_within_reason(self) -> None:
        server = Server(refusing(429, **{"retry-after": "2"}), refusing(429, **{"retry-after": "900"}), refusing(429))
        with pytest.raises(BackendUnavailableError):
            read(server)
        assert server.pauses == [2.0, 8.0]

    def test_but_never_when_it_may_have_been_carried_out(self) -> None:
        for lost in (httpx.ReadError("reset"), httpx.RemoteProtocolError("closed"), httpx.ReadTimeout("slow")):
            server = Server(lost)
            with pytest.raises(AnswerLostError, match="may have done it"):
                send(server)
            assert len(server.asked) == 1
        server = Server(refusing(500))
        with pytest.raises(BackendUnavailableError):
            send(server)
        assert len(server.asked) == 1

    def test_but_not_when_it_timed_out_or_was_refused(self) -> None:
        for answer in (httpx.ReadTimeout("slow"), refusing(422), refusing(404), refusing(409)):
            server = Server(answer)
            with pytest.raises(BackendError):
                read(server)
            assert len(server.asked) == 1


def test_what_is_not_there_is_none_or_false() -> None:
    server = Server(refusing(404))
    assert server.letta.get_agent("agent-1") is None
    assert server.letta.get_run("run-1") is None
    assert server.letta.delete_agent("agent-1") is False
    assert server.letta.delete_block("block-1") is False


def test_a_closed_server_says_so() -> None:
    server = LettaServer("http://127.0.0.1:1")
    server.close()
    server.close()
    with pytest.raises(BackendError, match="is closed"):
        server.version()


def test_a_client_of_the_applications_own_is_not_closed() -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=[])))
    with Letta(base_url="http://letta.test", http_client=http) as client:
        server = LettaServer(client=client)
        assert server.list_blocks("agent-1") == []
        server.close()
        assert not http.is_closed


def test_threads_that_begin_at_once_share_one_client() -> None:
    server = LettaServer("http://127.0.0.1:1", retries=0)
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        with pytest.raises(BackendUnavailableError):
            server.version()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.close()


def test_text_that_the_servers_database_cannot_hold_is_sent_without_it() -> None:
    server = Server(httpx.Response(200, json={"id": "block-1", "label": "x", "value": "ab"}))
    server.letta.create_block(label="x", value="a\x00b", description="\x00d", limit=5, read_only=False)
    assert b"u0000" not in server.asked[0].content
