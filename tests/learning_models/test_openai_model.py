"""A model behind an OpenAI-compatible endpoint, asked by plain HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from learning_models.models import MODEL, through_http
from patience import PATIENCE

from ai_memory_integrations.errors import ConfigurationError, LearningError, ModelUnavailableError
from ai_memory_integrations.learning.chat_model import ModelReply
from ai_memory_integrations.learning.failures import LONGEST_WAIT
from ai_memory_integrations.learning.openai_model import OpenAIModel
from ai_memory_integrations.learning.tool_calling import TOOLS
from ai_memory_integrations.testing import Answer, Call, ChatCompletionsServer, called
from ai_memory_integrations.types import Usage

SECRET = "sk-very-secret"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def asked(answer: Answer | str, *, timeout: float = PATIENCE, **options: Any) -> ModelReply:
    with ChatCompletionsServer([answer]) as server:
        model = OpenAIModel(MODEL, **{"base_url": server.base_url, "api_key": SECRET, **options})
        return model.reply([{"role": "user", "content": "hi"}], TOOLS, timeout=timeout)


def test_an_answer_has_text_calls_and_what_it_cost() -> None:
    reply = asked(Answer("Let me see.", (called("finish", a=1), Call("memory_append", "{no", id="x")), usage=(7, 3)))
    assert reply.text == "Let me see."
    assert [(call.id, call.name, call.arguments, call.raw) for call in reply.calls] == [
        ("call_1", "finish", {"a": 1}, '{"a": 1}'),
        ("x", "memory_append", None, "{no"),
    ]
    assert reply.usage == Usage(input_tokens=7, output_tokens=3)


@pytest.mark.parametrize("written", ["[1]", '"text"', "nul", "[" * 100_000])
def test_arguments_that_are_no_object_are_none(written: str) -> None:
    (call,) = asked(Answer(calls=(Call("finish", written),))).calls
    assert (call.arguments, call.raw) == (None, written)


def test_a_call_may_leave_its_arguments_out() -> None:
    (call,) = asked(Answer(calls=(Call("finish", ""),))).calls
    assert call.arguments == {}


def test_servers_may_say_less_and_differently() -> None:
    body = b'{"choices": [{"message": {"content": [{"type": "text", "text": "Hi"}, {"type": "image"}]}}]}'
    assert asked(Answer(body=body)) == ModelReply("Hi")
    body = b'{"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}}]}'
    assert [(call.id, call.arguments) for call in asked(Answer(body=body)).calls] == [("", {"a": 1})]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": "hi"}]}',
        b'{"choices": [{"message": {"content": ["hi"]}}]}',
        b'{"choices": [{"message": {"tool_calls": [{"id": "c"}]}}]}',
        b'{"choices": [{"message": {"tool_calls": 3}}]}',
        b"[" * 100_000,
    ],
    ids=range(13),
)
def test_an_answer_that_is_none_is_an_error_that_shows_it(body: bytes) -> None:
    with pytest.raises(
        LearningError, match=r"the model 'gpt-4.1-mini' at http://127\.0\.0\.1:.*/v1 answered with no chat"
    ):
        asked(Answer(body=body))


def test_an_error_that_comes_with_status_200_is_shown() -> None:
    with pytest.raises(LearningError, match="no chat completion: No endpoints found"):
        asked(Answer(body=b'{"error": {"message": "No endpoints found", "code": 404}}'))


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "Check the key given"),
        (403, "Check the key given, and that it may use this model"),
        (404, "Check the model's name and OPENAI_BASE_URL or base_url=, which ends in /v1"),
        (400, "Check that the model supports tool calling"),
        (302, "redirects are not followed"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy_and_never_the_key(status: int, remedy: str) -> None:
    with pytest.raises(LearningError) as raised:
        asked(Answer(status=status, text=f"no: {SECRET} will not do", headers={"Location": "http://example.com/"}))
    assert not isinstance(raised.value, ModelUnavailableError)
    assert remedy in str(raised.value)
    assert f"answered {status}: no: *** will not do" in str(raised.value)
    assert SECRET not in repr(raised.value) + str(raised.value.__cause__)


def test_a_server_that_wants_a_key_where_there_is_none_is_named() -> None:
    with pytest.raises(LearningError, match="Check a key: there is none, set OPENAI_API_KEY or pass api_key="):
        asked(Answer(status=401), api_key=None)


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatCompletionsServer(["Hi"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url + "/")
        model = OpenAIModel("qwen3", headers={"X-Team": "memory"})
        assert model.reply([], [], timeout=PATIENCE).text == "Hi"
        (request,) = server.requests
    assert "authorization" not in request.headers
    assert request.headers["x-team"] == "memory"
    assert (model.name, repr(model)) == ("openai:qwen3", f"OpenAIModel('qwen3', base_url='{server.base_url}')")


def test_the_key_comes_from_the_environment_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {SECRET}\n")
    with ChatCompletionsServer(["Hi"]) as server:
        model = OpenAIModel(MODEL, base_url=server.base_url)
        model.reply([], [], timeout=PATIENCE)
        assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in repr(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs a key: set OPENAI_API_KEY or pass api_key="),
        ({"api_key": "sk-“quoted”"}, "has characters that no key has"),
        ({"base_url": "localhost:11434"}, "must be a URL such as"),
        ({"base_url": "http://user:pass@localhost/v1"}, "without a user or password"),
        ({"base_url": "http://"}, "must be a URL such as"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        OpenAIModel(MODEL, **options)
    for secret in ("quoted", "user:pass@", "pass@localhost"):
        assert secret not in str(raised.value)
    with pytest.raises(ConfigurationError, match="needs the name of a model"):
        OpenAIModel("", api_key="x")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_a_busy_server_is_worth_another_try(status: int) -> None:
    with pytest.raises(ModelUnavailableError) as raised:
        asked(Answer(status=status, text="busy"))
    assert raised.value.retry_after is None


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("2", 2, 2),
        ("0.5", 0.5, 0.5),
        ("-3", 0, 0),
        (120.0, 60, 121),
        (-120.0, 0, 0),
        ("99999999999", LONGEST_WAIT, LONGEST_WAIT),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT, LONGEST_WAIT),
    ],
    ids=["seconds", "half a second", "negative", "a date", "a date gone by", "too many seconds", "a far date"],
)
def test_the_server_says_when_to_come_back(header: str | float, low: float, high: float) -> None:
    said = header if isinstance(header, str) else in_seconds(header)
    with pytest.raises(ModelUnavailableError) as raised:
        asked(Answer(status=429, headers={"retry-after": said}))
    assert raised.value.retry_after is not None
    assert low <= raised.value.retry_after <= high


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "1e999", "Fri, 99 Dec 2026 00:00:00 GMT"])
def test_a_time_that_makes_no_sense_is_none(header: str) -> None:
    with pytest.raises(ModelUnavailableError) as raised:
        asked(Answer(status=503, headers={"Retry-After": header}))
    assert raised.value.retry_after is None


def test_a_server_that_is_not_there_or_hangs_up_is_worth_another_try() -> None:
    with pytest.raises(ModelUnavailableError, match="cannot be reached"):
        asked(Answer(drop=True))
    with ChatCompletionsServer() as server:
        gone = through_http(server)
    with pytest.raises(ModelUnavailableError, match="cannot be reached"):
        gone.reply([], [], timeout=PATIENCE)


def test_a_slow_server_is_given_up_after_the_shorter_of_the_two_times() -> None:
    for options in ({"timeout": 0.2}, {"timeout": PATIENCE}):
        started = time.monotonic()
        with ChatCompletionsServer([Answer("late", delay=PATIENCE)]) as server:
            model = OpenAIModel(MODEL, base_url=server.base_url, **options)
            with pytest.raises(ModelUnavailableError, match=r"did not answer within 0\.2 seconds"):
                model.reply([], [], timeout=PATIENCE if options["timeout"] == 0.2 else 0.2)
        assert time.monotonic() - started < PATIENCE / 2


def test_an_answer_without_end_is_not_read_to_the_end() -> None:
    with pytest.raises(LearningError, match="sent more than 8000000 bytes"):
        asked(Answer(body=b"x" * 9_000_000))


def test_threads_share_a_model() -> None:
    with ChatCompletionsServer(lambda messages: str(messages[0]["content"])) as server, ThreadPoolExecutor(8) as pool:
        model = through_http(server)
        asked_for = [str(number) for number in range(24)]
        replies = pool.map(
            lambda text: model.reply([{"role": "user", "content": text}], [], timeout=PATIENCE), asked_for
        )
        assert [reply.text for reply in replies] == asked_for


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_model_crosses_a_fork() -> None:
    code = """
import os, sys
from ai_memory_integrations.learning.openai_model import OpenAIModel
model = OpenAIModel("m", base_url=sys.argv[1])
ask = lambda: model.reply([], [], timeout=240).text == "Hi"
assert ask()
child = os.fork()
if not child:
    os._exit(0 if ask() else 1)
assert ask() and os.waitpid(child, 0)[1] == 0
"""
    with ChatCompletionsServer(["Hi"] * 3) as server:
        subprocess.run([sys.executable, "-c", code, server.base_url], check=True, timeout=PATIENCE)
