"""A language model learns over the wire: through plain HTTP, LangChain and LlamaIndex, well-behaved or hostile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from learning_models.models import CLIENTS, QUICK
from patience import PATIENCE

from ai_memory_integrations import Memory, Message
from ai_memory_integrations.errors import RunFailedError
from ai_memory_integrations.learning.tool_calling import Bounds, Prices, ToolCallingLearner
from ai_memory_integrations.testing import Answer, Call, ChatCompletionsServer, called

FINISH = Answer(calls=(called("finish"),))
KNOWN = "Name: Sarah"


class Setting:
    """A memory whose learner asks a scripted server."""

    def __init__(self, memory: Memory, server: ChatCompletionsServer) -> None:
        self.memory, self.server = memory, server

    def learn(self, *texts: str) -> Any:
        said = [Message(role="user", content=text, id=f"m{n}") for n, text in enumerate(texts or ("I like tea.",), 1)]
        return self.memory.wait_for_run(self.memory.add_messages(said), PATIENCE)

    @property
    def human(self) -> str:
        return self.memory.get_user_memory() or ""

    def told(self, request: int = -1) -> list[str]:
        """What tools answered, as a request of the model shows it."""
        return [each["content"] for each in self.server.requests[request].messages if each["role"] == "tool"]


Play = Callable[..., Any]


@pytest.fixture(params=CLIENTS)
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    @contextmanager
    def setting(answers: Sequence[Answer | str] | Callable[..., Answer | str], **options: Any) -> Iterator[Setting]:
        with ChatCompletionsServer(answers) as server:
            learner = ToolCallingLearner(CLIENTS[request.param](server), **{"policy": QUICK, **options})
            with Memory(str(tmp_path / "memory.db"), subject_id="sarah", learner=learner, embedder=False) as memory:
                memory.initialize_user_memory(user_context_block_value=KNOWN)
                yield Setting(memory, server)

    return setting


def test_what_a_model_writes_is_in_the_blocks_with_its_messages_and_its_cost(play: Play) -> None:
    first = Answer(
        calls=(
            called("memory_append", label="human", content="Likes <green> tea (2026-03-01).", messages=[2]),
            called("memory_rethink", label="summary", value="Sarah introduced herself."),
            called("archival_insert", text="Sarah has had green tea since 2019.", tags=["tea"], messages=[2]),
        ),
        usage=(1000, 50),
    )
    last = Answer(calls=(called("finish"),), usage=(1100, 5))
    with play([first, last], prices=Prices(input=0.4, output=1.6)) as setting:
        run = setting.learn("Hello!", "I like <green> tea.")
        assert setting.human == "Name: Sarah\nLikes <green> tea (2026-03-01)."
        assert setting.memory.get_summary() == "Sarah introduced herself."
        (passage,) = setting.memory.list_passages(tags=["tea"])
        assert (passage.text, passage.message_id) == ("Sarah has had green tea since 2019.", "m2")
        assert setting.memory.memory_history("human")[-1].message_ids == ("m2",)
        assert setting.memory.memory_history("summary")[-1].message_ids == ("m1", "m2")
        assert (run.usage.input_tokens, run.usage.output_tokens, run.usage.steps) == (2100, 55, 2)
        assert run.usage.cost == pytest.approx((2100 * 0.4 + 55 * 1.6) / 1_000_000)
        assert setting.memory.usage() == {"sarah": run.usage}
        assert setting.server.requests[0].body["model"] == "gpt-4.1-mini"
        assert setting.server.requests[0].headers["authorization"] == "Bearer sk-test"
        assert set(setting.server.requests[0].tools) >= {"memory_append", "finish"}


def test_a_model_sees_dates_descriptions_limits_and_the_room_left(play: Play) -> None:
    with play([FINISH]) as setting:
        setting.memory.initialize_memory("rules", description='What "we" agreed <on>', char_limit=50, read_only=True)
        said_at = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        setting.memory.flush()
        setting.memory.wait_for_run(
            setting.memory.add_messages([Message(role="user", content="I like tea.", created_at=said_at)])
        )
        shown = str(setting.server.requests[-1].messages[1]["content"])
        assert f'limit="10000" room_left="{10_000 - len(KNOWN)}">\nName: Sarah\n</block>' in shown
        assert (
            'label="rules" description="What &quot;we&quot; agreed &lt;on&gt;" limit="50" room_left="50" read_only'
        ) in shown
        assert '<message n="1" time="2026-03-01T09:30Z" role="user">I like tea.</message>' in shown


BAD_CALLS = [
    (called("delete_everything"), "There is no tool 'delete_everything'"),
    (called("memory_append", label="Human", content="x1"), "there is no block 'Human'; there are 'human', 'summary'"),
    (called("memory_append", label="human", content=""), "at least 1 character"),
    (called("memory_append", label="human", content=" \n\u200b-"), "says nothing"),
    (called("memory_append", label="human", content=["a"]), "content: Input should be a valid string"),
    (called("memory_append", label="human", content="\ud800"), "content: "),
    (called("memory_append", label="human", content=KNOWN), "stands there already"),
    (called("memory_rethink", label="human", value=""), "would empty block 'human'"),
    (called("memory_rethink", label="human", value=" \u200b…"), "would empty block 'human'"),
    (called("memory_replace", label="human", old=KNOWN, new=""), "would empty block 'human'"),
    (called("memory_replace", label="human", old="Bob", new="x"), "is not there: 'Bob'"),
    (called("memory_replace", label="human", old="a", new="b"), "stands there 3 times"),
    (called("memory_append", label="human", content="x" * 20_000), "shorter by 10012"),
    (called("archival_insert", text="x" * 5_000), "at most 4000 characters"),
    (called("archival_insert", text="..."), "says nothing"),
    (Call("memory_append", '{"label": "human", "content": "Likes te'), "no JSON object"),
]


def test_bad_calls_are_told_back_and_harm_nothing(play: Play) -> None:
    bad = Answer(calls=tuple(call for call, _ in BAD_CALLS))
    good = Answer(calls=(called("memory_append", label="human", content="Likes tea."), called("finish")))
    with play([bad, good]) as setting:
        run = setting.learn()
        for (bad_call, expected), answer in zip(BAD_CALLS, setting.told(), strict=True):
            assert expected in answer, (bad_call, answer)
        assert setting.human == "Name: Sarah\nLikes tea."
        assert (run.edits, run.passages) == (1, 0)
        assert len(setting.memory.memory_history("human")) == 2


def test_a_model_that_goes_over_the_limit_shortens(play: Play) -> None:
    long, short = "Sarah told us about tea. " * 60, "Sarah likes tea."
    answers = [Answer(calls=(called("memory_rethink", label="summary", value=text),)) for text in (long, short)]
    with play([*answers, FINISH]) as setting:
        setting.learn()
        assert "holds at most 1000 characters, this would make 1500" in setting.told(1)[0]
        assert setting.memory.get_summary() == short


def test_a_model_that_never_finishes_is_cut_short_and_what_it_did_stays(play: Play) -> None:
    def more(messages: Sequence[Any]) -> Answer:
        return Answer(calls=(called("memory_append", label="human", content=f"Fact {len(messages)}"),))

    with play(more, bounds=Bounds(steps=3)) as setting:
        run = setting.learn()
        assert setting.human == "Name: Sarah\nFact 2\nFact 4\nFact 6"
        assert run.skipped == {"part 1 of 1": "the model did not finish within 3 steps"}
        assert run.usage.steps == len(setting.server.requests) == 3


def test_a_model_that_wastes_its_steps_is_asked_twice_and_then_everything_waits(play: Play) -> None:
    with play(lambda _: Answer(calls=(called("nonsense"),)), bounds=Bounds(steps=3)) as setting:
        with pytest.raises(RunFailedError, match="did not finish within 3 steps"):
            setting.learn()
        (run,) = setting.memory.list_runs(state="failed")
        assert (run.attempts, run.usage.steps, setting.memory.stats().waiting) == (2, 6, 1)


def test_tokens_are_bounded(play: Play) -> None:
    step = Answer(calls=(called("memory_append", label="human", content="Likes tea."),), usage=(900, 200))
    with play(lambda _: step, bounds=Bounds(tokens=2_000)) as setting:
        run = setting.learn()
        assert run.skipped == {"part 1 of 1": "the model did not finish within 2000 tokens"}
        assert len(setting.server.requests) == 2


def test_a_server_that_counts_no_tokens_is_bounded_by_an_estimate(play: Play) -> None:
    step = Answer(calls=(called("memory_append", label="human", content="Likes tea."),), usage=None)
    with play(lambda _: step, bounds=Bounds(tokens=1_500)) as setting:
        run = setting.learn("x" * 4_000)
        assert run.skipped == {"part 1 of 1": "the model did not finish within 1500 tokens"}
        assert 1_500 < run.usage.input_tokens < 4_000


# On a machine that stands still for a moment the model's good answers come too late as well: then it is asked again.
BRIEFLY = Bounds(seconds=1.5)
AGAIN_AND_AGAIN = QUICK.model_copy(update={"attempts": 1000})


def tea(talk: Sequence[Any]) -> Answer:
    """A model that records one thing, then finishes."""
    return (
        FINISH if talk[-1]["role"] == "tool" else Answer(calls=(called("memory_append", label="human", content="Tea"),))
    )


def test_an_answer_that_takes_too_long_is_not_waited_for(play: Play) -> None:
    late = iter([Answer(delay=10 * PATIENCE, text="late")])
    with play(lambda talk: next(late, None) or tea(talk), bounds=BRIEFLY, policy=AGAIN_AND_AGAIN) as setting:
        run = setting.learn()
        assert run.attempts >= 2
        assert setting.human == "Name: Sarah\nTea"


def test_time_that_runs_out_in_the_middle_keeps_what_was_done(play: Play) -> None:
    def dawdling(talk: Sequence[Any]) -> Answer:
        answer = tea(talk)
        return replace(answer, delay=10 * PATIENCE) if answer is FINISH else answer

    with play(dawdling, bounds=BRIEFLY, policy=AGAIN_AND_AGAIN) as setting:
        run = setting.learn()
        assert (run.state, setting.human) == ("completed", "Name: Sarah\nTea")
        assert run.skipped == {"part 1 of 1": "the model did not finish within 1.5 seconds"}


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(status=500),
        Answer(status=503, text="overloaded"),
        Answer(drop=True),
        Answer(body=b""),
        Answer(body=b'{"choices": []}'),
        Answer(body=b"<html>It works!</html>"),
        Answer(status=401, text="Incorrect API key provided"),
    ],
    ids=["500", "503", "dropped", "nothing", "no choices", "no JSON", "401"],
)
def test_after_trouble_the_batch_is_learnt_whole(play: Play, trouble: Answer) -> None:
    good = Answer(calls=(called("memory_append", label="human", content="Likes tea."), called("finish")))
    with play([trouble, good]) as setting:
        run = setting.learn()
        assert (run.attempts, run.error, setting.human) == (2, None, "Name: Sarah\nLikes tea.")


def test_a_rate_limit_is_waited_for_as_long_as_the_server_says(play: Play) -> None:
    busy = Answer(status=429, text="slow down", headers={"Retry-After": "0.4"})
    with play([busy, FINISH]) as setting:
        assert setting.learn().attempts == 2
        first, second = setting.server.requests
        assert second.at - first.at >= 0.4


def test_a_rate_limit_in_the_middle_is_waited_for_without_losing_what_was_done(play: Play) -> None:
    busy = Answer(status=429, headers={"Retry-After": "0.3"})
    with play([Answer(calls=(called("memory_append", label="human", content="Tea"),)), busy, FINISH]) as setting:
        run = setting.learn()
        assert (run.attempts, run.usage.steps, setting.human) == (1, 2, "Name: Sarah\nTea")
        assert setting.server.requests[2].at - setting.server.requests[1].at >= 0.3


def test_a_model_that_keeps_failing_leaves_everything_waiting_and_says_so_once(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    with play(lambda _: Answer(status=503, text="out of office")) as setting:
        with caplog.at_level(logging.INFO), pytest.raises(RunFailedError, match="out of office"):
            setting.learn("one", "two")
        assert (setting.human, setting.memory.stats().waiting, len(setting.server.requests)) == (KNOWN, 2, 3)
        setting.memory.close()  # a run is failed a moment before it is said
        (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert "Its 2 messages wait" in error.getMessage()
        assert "ai-memory learn --retry" in error.getMessage()


def test_a_model_that_only_talks_is_reminded_and_then_finishes(play: Play) -> None:
    with play(["There is nothing to record.", FINISH]) as setting:
        run = setting.learn()
        assert (run.state, run.edits, setting.human) == ("completed", 0, KNOWN)
        assert "only tool calls are" in setting.server.requests[1].messages[-1]["content"]


def test_messages_wait_for_a_model_that_can_call_tools(play: Play) -> None:
    with play(lambda _: "Sarah likes tea! How nice.") as setting:
        with pytest.raises(RunFailedError, match="does it support tool calling"):
            setting.learn()
        assert setting.memory.stats().waiting == 1


def test_a_model_that_talks_at_the_end_has_finished(play: Play) -> None:
    with play([Answer(calls=(called("memory_append", label="human", content="Tea"),)), "All done."]) as setting:
        assert setting.learn().state == "completed"
        assert setting.human == "Name: Sarah\nTea"
