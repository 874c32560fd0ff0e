"""A model behind an OpenAI-compatible endpoint: OpenAI's own, or a server of one's own (Ollama, vLLM, llama.cpp)."""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ai_memory_integrations.errors import ConfigurationError, LearningError, MissingExtraError, ModelUnavailableError
from ai_memory_integrations.learning.chat_model import ModelMessage, ModelReply, ToolCall, ToolSchema
from ai_memory_integrations.learning.failures import from_status
from ai_memory_integrations.types import Usage

try:
    import httpx
except ImportError as error:
    raise MissingExtraError("OpenAIModel", "openai") from error

KEY_VARIABLE = "OPENAI_API_KEY"
URL_VARIABLE = "OPENAI_BASE_URL"
OPENAI_URL = "https://api.openai.com/v1"

_LARGEST = 8_000_000  # bytes: no answer of tool calls comes near it
_SHOWN = 300  # characters of what a server says about an error


class OpenAIModel:
    """A model by its name at an OpenAI-compatible endpoint, asked by plain HTTP.

    *base_url* ends as in `http://localhost:11434/v1`; without it `OPENAI_BASE_URL`, else OpenAI's. *api_key*: without
    it `OPENAI_API_KEY`; a server of one's own may need none. *timeout* is the seconds an answer may take, *headers* go
    with every request.

    It may be used from any thread and after a fork. Each request has a connection of its own: a model takes seconds, a
    handshake does not, and there is nothing to close.

    Raises: ConfigurationError, which never shows the key.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not model:
            raise ConfigurationError("OpenAIModel needs the name of a model, such as 'gpt-4.1-mini'")
        self._model = model
        self._base_url = _checked_url(base_url or os.environ.get(URL_VARIABLE) or OPENAI_URL)
        self._key = _checked_key(api_key or os.environ.get(KEY_VARIABLE) or "")
        if not self._key and self._base_url == OPENAI_URL:
            raise ConfigurationError(
                f"the model {model!r} at {OPENAI_URL} needs a key: set {KEY_VARIABLE} or pass api_key=. For a server "
                f"of your own set {URL_VARIABLE} or pass base_url=."
            )
        self._timeout = timeout
        self._headers = dict(headers or {})

    @property
    def name(self) -> str:
        """`openai:` and the model, wherever it runs: moving to another server leaves nothing waiting."""
        return f"openai:{self._model}"

    def __repr__(self) -> str:
        return f"OpenAIModel({self._model!r}, base_url={self._base_url!r})"

    def reply(self, messages: Sequence[ModelMessage], tools: Sequence[ToolSchema], *, timeout: float) -> ModelReply:
        """The model's answer. Raises: ModelUnavailableError, LearningError."""
        request = {"model": self._model, "messages": list(messages), "tools": list(tools), "tool_choice": "auto"}
        status, headers, body = self._post(request, min(timeout, self._timeout))
        if status != 200:
            raise self._refused(status, headers, body)
        return self._read(body)

    def _post(self, request: Mapping[str, Any], seconds: float) -> tuple[int, Mapping[str, str], bytes]:
        deadline = time.monotonic() + seconds
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        body = bytearray()
        try:
            with (
                httpx.Client(timeout=seconds, headers={**headers, **self._headers}, verify=_trusted()) as client,
                client.stream("POST", f"{self._base_url}/chat/completions", json=request) as response,
            ):
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > _LARGEST:
                        raise LearningError(f"{self._what} sent more than {_LARGEST} bytes")
                    if time.monotonic() > deadline:
                        raise ModelUnavailableError(f"{self._what} did not answer within {seconds:.3g} seconds")
                return response.status_code, response.headers, bytes(body)
        except httpx.TimeoutException as error:
            raise ModelUnavailableError(f"{self._what} did not answer within {seconds:.3g} seconds") from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ModelUnavailableError(f"{self._what} cannot be reached: {reason}") from error

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes) -> LearningError:
        reason = f"{self._what} answered {status}"
        if said := self._without_key(_error_text(body)):
            reason += f": {said}"
        if remedy := self._remedy(status):
            reason += f". {remedy}"
        return from_status(status, reason, headers)

    def _remedy(self, status: int) -> str:
        if status in (401, 403):
            key = "the key given" if self._key else f"a key: there is none, set {KEY_VARIABLE} or pass api_key="
            return f"Check {key}, and that it may use this model"
        if status == 404:
            return f"Check the model's name and {URL_VARIABLE} or base_url=, which ends in /v1 at most servers"
        if 300 <= status < 400:
            return f"Check {URL_VARIABLE} or base_url=: redirects are not followed, they could take the key elsewhere"
        if status == 400:
            return "Check that the model supports tool calling"
        return ""

    def _read(self, body: bytes) -> ModelReply:
        try:
            answer = json.loads(body)
            message = answer["choices"][0]["message"]
            calls = message.get("tool_calls") or ()
            return ModelReply(
                text=_text(message.get("content")),
                calls=tuple(map(_call, calls)),
                usage=_usage(answer.get("usage")),
            )
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            said = self._without_key(_error_text(body)) or "nothing"
            raise LearningError(f"{self._what} answered with no chat completion: {said}") from error

    @property
    def _what(self) -> str:
        return f"the model {self._model!r} at {self._base_url}"

    def _without_key(self, text: str) -> str:
        """Servers repeat the key when they complain about it."""
        return text.replace(self._key, "***") if self._key else text


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted; they take longer to load than a connection to open."""
    return httpx.create_ssl_context()


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise ConfigurationError(
            f"{URL_VARIABLE} or base_url= must be a URL such as http://localhost:11434/v1, without a user or password"
        )
    return url.rstrip("/")


def _checked_key(key: str) -> str:
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError(f"{KEY_VARIABLE} or api_key= has characters that no key has; copy it again")
    return key


def _error_text(body: bytes) -> str:
    """What a server says about an error: `error.message` as OpenAI has it, else the beginning of what it sent."""
    text = body.decode(errors="replace")
    try:
        said = json.loads(text)["error"]
        text = str(said["message"] if isinstance(said, dict) else said)
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    return " ".join(text.split())[:_SHOWN]


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def _call(call: Mapping[str, Any]) -> ToolCall:
    function = call["function"]
    arguments = function.get("arguments")
    return ToolCall(
        id=str(call.get("id") or ""),
        name=str(function["name"]),
        arguments=_arguments(arguments),
        raw=arguments if isinstance(arguments, str) else json.dumps(arguments),
    )


def _arguments(written: object) -> dict[str, Any] | None:
    if isinstance(written, str):
        try:
            # An empty text stands for no arguments.
            written = json.loads(written or "{}")
        except (ValueError, RecursionError):
            return None
    return written if isinstance(written, dict) else None


def _usage(said: object) -> Usage:
    spent = said if isinstance(said, dict) else {}
    return Usage(input_tokens=_count(spent.get("prompt_tokens")), output_tokens=_count(spent.get("completion_tokens")))


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
