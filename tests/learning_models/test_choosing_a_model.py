"""A model chosen by the environment, what waits for another learner, and what learning has cost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from learning_models.models import FINISH, QUICK, PlayedModel, call

from ai_memory_integrations import Memory
from ai_memory_integrations.cli import main
from ai_memory_integrations.errors import ConfigurationError, InvalidInputError, RunFailedError
from ai_memory_integrations.learning.tool_calling import Prices, ToolCallingLearner
from ai_memory_integrations.testing import Answer, ChatCompletionsServer, called
from ai_memory_integrations.types import Usage

MINE = "tool-calling/openai:gpt-4.1-mini"


@pytest.fixture(autouse=True)
def no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_MEMORY_EMBEDDER", "none")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatCompletionsServer]:
    """The model that the environment names; it records that somebody likes tea."""
    likes_tea = called("memory_append", label="human", content="Likes tea.")
    with ChatCompletionsServer(lambda _: Answer(calls=(likes_tea, called("finish")))) as server:
        monkeypatch.setenv("AI_MEMORY_MODEL", "openai:gpt-4.1-mini")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


def ai_memory(file: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["--url", str(file), *arguments])
    return int(ended.value.code or 0)


def say(file: Path, text: str = "I like tea.", subject: str = "sarah", **options: Any) -> None:
    with Memory(str(file), learning="off", **options) as memory:
        memory.add_messages(subject, [{"role": "user", "content": text}])


def test_the_environment_names_the_model_that_learns(file: Path, server: ChatCompletionsServer) -> None:
    with Memory(str(file), subject_id="sarah") as memory:
        run = memory.wait_for_run(memory.add_messages([{"role": "user", "content": "I like tea."}]))
        assert (run.learner, memory.get_user_memory()) == (MINE, "Likes tea.")


def test_the_demo_learns_with_the_model_of_the_environment(
    tmp_path: Path, server: ChatCompletionsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    conversation = tmp_path / "conversation.jsonl"
    conversation.write_text('{"role": "user", "content": "I like tea."}\n', "utf-8")
    with pytest.raises(SystemExit):
        main(["demo", "--no-input", str(conversation)])
    shown = capsys.readouterr().out
    assert "learnt by openai:gpt-4.1-mini" in shown
    assert "Likes tea." in shown
    assert "I like tea." in str(server.requests[0].messages)


def test_a_learner_that_is_passed_wins(file: Path, server: ChatCompletionsServer) -> None:
    with Memory(str(file), subject_id="sarah", learner=lambda blocks, messages: []) as memory:
        memory.wait_for_run(memory.add_messages([{"role": "user", "content": "I like tea."}]))
    assert server.requests == []


@pytest.mark.parametrize("named", ["gpt-4.1-mini", "openai:", "anthropic:claude", ":", "OpenAI:gpt"])
def test_a_model_that_is_not_known_is_refused_by_name(file: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("AI_MEMORY_MODEL", named)
    with (
        Memory(str(file)) as memory,
        pytest.raises(ConfigurationError, match=f"AI_MEMORY_MODEL='{named}' is not known"),
    ):
        memory.add_messages("sarah", [{"role": "user", "content": "hi"}])


def test_without_httpx_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['httpx'] = None\n"
        "from ai_memory_integrations.errors import MissingExtraError\n"
        "try:\n    import ai_memory_integrations.learning.openai_model\n"
        "except MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "OpenAIModel needs: pip install 'ai-memory-integrations[openai]'"


def test_what_waits_for_another_learner_can_be_handed_to_the_one_that_is_here(
    file: Path, server: ChatCompletionsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    say(file, learner=ToolCallingLearner(PlayedModel([]), name="house model"))
    say(file)
    assert ai_memory(file, "doctor") == 1
    assert "ai-memory learn --adopt 'house model'" in capsys.readouterr().out
    assert ai_memory(file, "learn") == 0
    assert "1 message left for the learner 'house model'" in capsys.readouterr().err
    assert ai_memory(file, "learn", "--adopt", "house model") == 0
    assert f"1 message learnt in 1 run by {MINE}" in capsys.readouterr().out
    assert ai_memory(file, "doctor") == 0
    assert len(server.requests) == 2


def test_what_failed_is_handed_over_and_learnt_on_request(
    file: Path, server: ChatCompletionsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = ToolCallingLearner(PlayedModel(lambda _: RuntimeError("gone")), policy=QUICK, name="gone")
    with Memory(str(file), subject_id="sarah", learner=broken) as memory, pytest.raises(RunFailedError):
        memory.wait_for_run(memory.add_messages([{"role": "user", "content": "I like tea."}]))
    assert ai_memory(file, "learn", "--adopt", "gone") == 0
    assert server.requests == []
    assert ai_memory(file, "learn", "--retry") == 0
    with Memory(str(file), learning="off") as memory:
        assert memory.get_user_memory("sarah") == "Likes tea."


def spend(file: Path) -> None:
    """Two runs for Sarah, one for Bob."""
    learner = ToolCallingLearner(
        PlayedModel(lambda _: [call("archival_insert", text="Likes tea."), FINISH]),
        policy=QUICK,
        prices=Prices(input=1, output=10),
    )
    with Memory(str(file), learner=learner) as memory:
        for subject in ("sarah", "sarah", "bob"):
            memory.wait_for_run(memory.add_messages(subject, [{"role": "user", "content": "hi"}]))


def test_runs_say_what_learning_has_spent_by_subject(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spend(file)
    assert ai_memory(file, "runs", "--stats") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["subject", "runs", "steps", "tokens", "in", "tokens", "out", "cost"],
        ["bob", "1", "1", "100", "10", "0.0002"],
        ["sarah", "2", "2", "200", "20", "0.0004"],
        ["all", "3", "3", "300", "30", "0.0006"],
    ]
    assert ai_memory(file, "runs", "sarah", "--stats", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "sarah": {"runs": 2, "input_tokens": 200, "output_tokens": 20, "steps": 2, "cost": 0.0004}
    }


def test_a_learner_that_costs_nothing_has_runs_and_no_cost(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Memory(str(file)) as memory:
        memory.wait_for_run(memory.add_messages("sarah", [{"role": "user", "content": "hi"}]))
    assert ai_memory(file, "runs", "--stats") == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["sarah", "1", "0", "0", "0"]


async def test_usage_is_of_one_subject_or_all_and_since_a_time(file: Path) -> None:
    spend(file)
    sarah = Usage(input_tokens=200, output_tokens=20, steps=2, cost=0.0004)
    with Memory(str(file), learning="off") as memory:
        assert set(memory.usage()) == {"bob", "sarah"}
        assert memory.usage("sarah") == memory.for_subject("sarah").usage() == {"sarah": sarah}
        assert await memory.aio.usage("sarah") == {"sarah": sarah}
        now = datetime.now(UTC)
        assert memory.usage(since=now - timedelta(hours=1)) == memory.usage()
        assert memory.usage(since=now + timedelta(hours=1)) == memory.usage("nobody") == {}
        with pytest.raises(InvalidInputError, match="since"):
            memory.usage(since=datetime(2026, 1, 1))
