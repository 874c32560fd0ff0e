"""A local server that speaks OpenAI's chat-completions protocol and says what a test tells it to say.

    with ChatCompletionsServer([Answer(calls=(called("finish"),))]) as server:
        model = ChatOpenAI(model="scripted", base_url=server.base_url, api_key="none")

It needs nothing but the standard library, listens on 127.0.0.1 at a free port, and serves any client: streaming
(server-sent events) or not, sync or async, any number at once.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from ai_memory_integrations.testing.script import Script

ChatMessage = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A tool call of an answer. *arguments* as text are sent as they are, for what a model gets wrong."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None

    @property
    def written(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(dict(self.arguments))


def called(name: str, /, **arguments: Any) -> Call:
    """`called("memory_append", label="human", content="Name: Sarah")`"""
    return Call(name, arguments)


@dataclass(frozen=True)
class Answer:
    """What the server does with one request, after *delay* seconds.

    *usage* is tokens in and out; None leaves them out. With a *status* other than 200 *text* is the error's message.
    *body* is sent in place of everything else; *drop* closes the connection without a word.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    usage: tuple[int, int] | None = (100, 10)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    body: bytes | None = None
    drop: bool = False


@dataclass(frozen=True)
class ChatRequest:
    """One request: its messages, the names of the tools it offered, the whole body, headers in lower case, and when
    it came, on `time.monotonic`'s clock."""

    messages: tuple[ChatMessage, ...]
    tools: tuple[str, ...]
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    at: float


class ChatCompletionsServer:
    """Gives *answers* one after the other, or what a function makes of the messages; `requests` keeps what it got.

    An answer is a string or an `Answer`. When the script is at its end the server answers 400 and says so. A function
    is called by one thread for each request. Use it as a context manager.
    """

    def __init__(self, answers: Iterable[Answer | str] | Callable[[Sequence[ChatMessage]], Answer | str] = ()) -> None:
        self._script: Script[ChatMessage, Answer] = Script(answers)
        self.requests: list[ChatRequest] = []
        self._http = _Server(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """The answer to one request, which is kept."""
        messages = tuple(body.get("messages") or ())
        tools = tuple(tool["function"]["name"] for tool in body.get("tools") or ())
        self.requests.append(ChatRequest(messages, tools, body, headers, time.monotonic()))
        try:
            answer = self._script.respond(messages, tools)
        except LookupError as error:
            return Answer(status=400, text=str(error))
        return Answer(answer) if isinstance(answer, str) else answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # whom it has no room for waits a second and longer before trying again

    def __init__(self, chat: ChatCompletionsServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.chat = chat
        self.closing = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        answer = self.server.chat.answer(body, {name.lower(): value for name, value in self.headers.items()})
        if answer.delay:
            self.server.closing.wait(answer.delay)
        if answer.drop:
            self.connection.shutdown(socket.SHUT_RDWR)
        elif answer.body is not None:
            self._send(answer, answer.body)
        elif answer.status != 200:
            said = {"message": answer.text or "scripted", "type": "scripted", "code": None}
            self._send(answer, json.dumps({"error": said}).encode())
        elif body.get("stream"):
            self._stream(answer, body)
        else:
            self._send(answer, json.dumps(_completion(answer, body)).encode())

    def _send(self, answer: Answer, body: bytes) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, answer: Answer, body: Mapping[str, Any]) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": "text/event-stream", **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for chunk in _chunks(answer, body):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


def _completion(answer: Answer, body: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = _tool_calls(answer)
    finish = "tool_calls" if answer.calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {**_head("chat.completion", body), "choices": [choice], **_usage(answer)}


def _chunks(answer: Answer, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The answer word by word; arguments of calls in two pieces; the usage where it is asked for, at the end."""
    head = _head("chat.completion.chunk", body)

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for word in re.findall(r"\S+\s*|\s+", answer.text):
        yield chunk({"content": word})
    for number, call in enumerate(_tool_calls(answer)):
        written = call["function"]["arguments"]
        half = len(written) // 2
        begun = {**call, "function": {**call["function"], "arguments": written[:half]}}
        yield chunk({"tool_calls": [{"index": number, **begun}]})
        yield chunk({"tool_calls": [{"index": number, "function": {"arguments": written[half:]}}]})
    yield chunk({}, "tool_calls" if answer.calls else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], **_usage(answer)}


def _tool_calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id or f"call_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.written},
        }
        for number, call in enumerate(answer.calls, start=1)
    ]


def _head(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-scripted", "object": kind, "created": 1_700_000_000, "model": body.get("model", "scripted")}


def _usage(answer: Answer) -> dict[str, Any]:
    if answer.usage is None:
        return {}
    spent, said = answer.usage
    return {"usage": {"prompt_tokens": spent, "completion_tokens": said, "total_tokens": spent + said}}
