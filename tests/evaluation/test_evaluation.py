"""Labelled conversations, how they are judged, and what `ai-memory eval-learning` says of a learner."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from patience import PATIENCE
from typer.testing import CliRunner

from ai_memory_integrations import Append, Archive, Block, ExtractiveLearner, FunctionLearner, Learned, Message, Replace
from ai_memory_integrations.cli.commands import app
from ai_memory_integrations.errors import InvalidInputError, LearningError
from ai_memory_integrations.evaluation import Conversation, Kind, Tally, evaluate, judge, read_conversations
from ai_memory_integrations.evaluation.conversations import FACTS, KINDS, parse_conversations
from ai_memory_integrations.evaluation.judging import TAKEN_BACK, claims, holds, statements
from ai_memory_integrations.learning.chat_model import ModelMessage, ModelReply, ToolCall, ToolSchema
from ai_memory_integrations.learning.tool_calling import Bounds, Prices, ToolCallingLearner
from ai_memory_integrations.types import LearningPolicy, Usage

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "evaluate-a-learner.md"
OURS = read_conversations()


def conversation(*labels: dict[str, object], said: str = "Hello.") -> Conversation:
    lines = [
        {"conversation": "sarah"},
        {"session": "2026-03-12T10:00:00+01:00"},
        {"user": said, "labels": labels},
        {"assistant": "I see."},
        {"session": "2026-03-14T10:00:00+01:00"},
        {"user": "Bye."},
    ]
    return parse_conversations(map(json.dumps, lines), name="test")[0]


def block(value: str, label: str = "human") -> Block:
    return Block(id=f"blk_{label}", label=label, value=value)


def verdict(human: str, summary: str = "", **label: object) -> tuple[bool, bool]:
    """Whether the fact is known and whether what should be kept out is claimed."""
    found = judge(conversation(label), [block(human), block(summary, "summary")]).verdicts[0]
    return found.known is not None, found.claimed is not None


# the data set


def test_the_data_set_has_many_conversations_over_several_sessions_and_every_kind_of_label() -> None:
    counts: Counter[Kind] = Counter(label.kind for talk in OURS for _, label in talk.labelled)

    assert len(OURS) >= 30
    assert counts.total() >= 400
    assert set(counts) == set(KINDS)
    assert min(counts.values()) >= 10
    assert all(len(talk.sessions) >= 2 for talk in OURS)
    assert all(earlier.at < later.at for talk in OURS for earlier, later in pairwise(talk.sessions))


@pytest.mark.parametrize("talk", OURS, ids=lambda talk: talk.name)
def test_labels_stand_with_users_and_speak_of_what_was_said(talk: Conversation) -> None:
    said = " ".join(turn.text for session in talk.sessions for turn in session.turns)

    for turn, label in talk.labelled:
        assert turn.role == "user"
        assert not label.fact or any(holds(said, form) for form in label.fact), label
        assert not label.never or any(holds(said, form) for form in label.never), label


@pytest.mark.parametrize("talk", OURS, ids=lambda talk: talk.name)
def test_no_fact_to_be_learnt_is_one_to_be_kept_out(talk: Conversation) -> None:
    for _, label in talk.labelled:
        for form in label.fact:
            line = form.replace(" + ", " ").replace("*", "")
            for _, other in talk.labelled:
                excuses = (*TAKEN_BACK[other.kind], *other.unless)
                assert not any(claims(line, never, excuses) for never in other.never), (form, other)


# how it is judged


@pytest.mark.parametrize(
    ("statement", "form", "held"),
    [
        ("Lives in: Porto", "porto", True),
        ("LIVES IN PORTO", "lives + porto", True),
        ("Likes portobello mushrooms", "porto", False),
        ("Allergies: hazelnuts", "allerg* + hazelnut*", True),
        ("Allergies: pollen", "allerg* + hazelnut*", False),
        ("doesn’t drive", "*n't drive", True),
        ("Born in 1947", "47", False),
        ("Name is Gdańsk", "gdańsk", True),
        ("has  two\tcats", "two cats", True),
    ],
)
def test_a_form_is_found_by_whole_words_in_one_statement(statement: str, form: str, held: bool) -> None:
    assert holds(statement, form) is held


def test_a_statement_is_a_sentence_of_a_line_without_the_marks_of_a_list() -> None:
    assert statements("- Has a cat. Lives in Porto!\n\n* Sings") == ["Has a cat.", "Lives in Porto!", "Sings"]


def test_a_fact_spread_over_two_statements_is_not_known() -> None:
    label = {"kind": "stated", "fact": ["sister + leeds"]}

    assert verdict("Sister in Leeds", **label) == (True, False)
    assert verdict("Has a sister\nLikes Leeds", **label) == (False, False)


def test_the_day_something_was_said_is_no_part_of_the_fact() -> None:
    label = {"kind": "stated", "fact": ["12"]}

    assert verdict("Has a son (2026-03-12)", **label) == (False, False)
    assert verdict("Has a son, said on March 12, 2026", **label) == (False, False)
    assert verdict("Has a son, aged 12 (2026-03-12)", **label) == (True, False)


def test_an_old_value_is_claimed_unless_the_line_says_that_it_is_past() -> None:
    label = {"kind": "changed", "fact": ["porto"], "not": ["lisbon"]}

    assert verdict("Lives in Porto\nLives in Lisbon", **label) == (True, True)
    assert verdict("Lives in Porto, moved from Lisbon", **label) == (True, False)
    assert verdict("No longer lives in Lisbon", **label) == (False, False)


def test_words_within_a_form_do_not_take_it_back() -> None:
    assert verdict("No sugar", kind="negation", **{"not": ["no sugar"]}) == (False, True)


@pytest.mark.parametrize(
    ("kind", "wrong", "harmless"),
    [
        ("joke", "Is a robot", "Jokes that she is a robot"),
        ("hypothetical", "Lives on a boat", "Would live on a boat"),
        ("third_person", "Is a vegan with a boat or robot", "Her brother is a vegan with a boat or robot"),
        ("quotation", "Is a robot", 'Quoted "I am a robot"'),
        ("question", "Has a boat", "Asked about a boat"),
        ("negation", "Has a boat", "Does not have a boat"),
    ],
)
def test_a_distractor_may_be_told_as_what_it_was(kind: str, wrong: str, harmless: str) -> None:
    label = {"kind": kind, "not": ["robot", "boat"], "unless": ["brother"]}

    assert verdict(wrong, **label) == (False, True)
    assert verdict(harmless, **label) == (False, False)


def test_a_summary_may_tell_of_a_joke_but_not_of_what_was_withdrawn_or_private() -> None:
    for kind, claimed in (("joke", False), ("retracted", True), ("private", True)):
        assert verdict("", "Talked about a robot", kind=kind, **{"not": ["robot"]}) == (False, claimed)


def test_nothing_excuses_what_was_private() -> None:
    assert verdict("Does not talk of the robot", kind="private", **{"not": ["robot"]}) == (False, True)


def test_learnt_passages_count_like_lines_of_the_block() -> None:
    def archive(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Archive]:
        return [Archive(text="Lives in Porto.")]

    talk = conversation({"kind": "changed", "fact": ["porto"], "not": ["porto"]})
    report = evaluate(FunctionLearner(archive), [talk])

    assert (report.total.learnt, report.total.wrong) == (1, 1)


def test_lines_without_a_label_are_counted_and_lower_the_strict_precision_only() -> None:
    def learn(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Append]:
        return [Append(label="human", text="# Facts\nCity: Porto\nHas a yacht\nSpoke on: 2026-03-12")]

    report = evaluate(FunctionLearner(learn), [conversation({"kind": "stated", "fact": ["porto"]})])

    assert report.unlabelled == (("sarah", "Has a yacht"),) * 2  # once in each of two sessions
    assert report.total.precision == 1
    assert report.strict_precision == pytest.approx(1 / 3, abs=1e-4)


# what is played


def test_a_learner_sees_the_sessions_one_by_one_in_their_threads_with_their_times() -> None:
    seen: list[list[tuple[str, str, str]]] = []

    def watch(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Append]:
        seen.append([(each.thread_id, each.text, str(each.created_at)) for each in messages])
        return []

    evaluate(FunctionLearner(watch), [conversation()])

    assert seen == [
        [
            ("session 1", "Hello.", "2026-03-12 09:00:00+00:00"),
            ("session 1", "I see.", "2026-03-12 09:01:00+00:00"),
        ],
        [("session 2", "Bye.", "2026-03-14 09:00:00+00:00")],
    ]


def test_a_learner_that_knows_the_labels_scores_full_marks() -> None:
    """Facts said are written down when they are said, old values replaced: nothing is missing, nothing wrong."""
    label = {turn.text: turn.labels for talk in OURS for session in talk.sessions for turn in session.turns}

    def oracle(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Append | Replace]:
        forms = [each.fact[0] for message in messages for each in label[message.text] if each.fact]
        return [Append(label="human", text=form.replace(" + ", " ").replace("*", "")) for form in forms]

    report = evaluate(FunctionLearner(oracle), OURS)

    assert report.total.recall == report.total.precision == report.total.kept_out == 1
    assert report.misses == report.unlabelled == ()


def test_a_learner_that_copies_everything_is_told_what_should_not_be_there() -> None:
    def copy(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Append]:
        return [Append(label="human", text=each.text) for each in messages if each.role == "user"]

    report = evaluate(FunctionLearner(copy), OURS)

    assert report.kinds["private"].kept_out == 0
    assert report.kinds["retracted"].kept_out == 0
    assert report.total.wrong > 100
    assert all(tally.recall is None for kind, tally in report.kinds.items() if kind not in FACTS)


def test_a_learner_that_learns_nothing_keeps_everything_out_and_knows_nothing() -> None:
    report = evaluate(FunctionLearner(lambda blocks, messages: []), OURS)

    assert (report.total.recall, report.total.precision, report.total.kept_out) == (0, None, 1)


def test_the_same_learner_gets_the_same_report() -> None:
    first, again = (evaluate(ExtractiveLearner(), OURS) for _ in range(2))

    assert first.model_copy(update={"seconds": 0}) == again.model_copy(update={"seconds": 0})


class Model:
    """Says the same at every step and spends 100 tokens on it."""

    name = "scripted"

    def __init__(self, *calls: ToolCall) -> None:
        self.calls = calls

    def reply(self, messages: Sequence[ModelMessage], tools: Sequence[ToolSchema], *, timeout: float) -> ModelReply:
        return ModelReply(text="", calls=self.calls, usage=Usage(input_tokens=90, output_tokens=10))


def test_a_model_learns_each_session_in_a_run_and_its_usage_is_summed() -> None:
    model = Model(
        ToolCall("1", "memory_append", {"label": "human", "content": "Lives in Porto"}), ToolCall("2", "finish", {})
    )
    talk = conversation({"kind": "changed", "fact": ["porto"], "not": ["lisbon"]})

    report = evaluate(ToolCallingLearner(model, prices=Prices(input=0, output=1_000_000)), [talk, talk])

    assert report.kinds["changed"] == Tally(facts=2, learnt=2, traps=2, wrong=0)
    assert report.runs == 4
    assert report.usage == Usage(input_tokens=360, output_tokens=40, steps=4, cost=40)


def test_a_model_that_never_finishes_is_stopped_by_its_bounds() -> None:
    model = Model(ToolCall("1", "archival_insert", {"text": "Lives in Porto"}))

    report = evaluate(ToolCallingLearner(model, bounds=Bounds(steps=3)), [conversation()])

    assert report.failed == {}
    assert report.usage == Usage(input_tokens=540, output_tokens=60, steps=6)


class Spending:
    """Spends 100 tokens a batch."""

    name = "spending"
    policy = LearningPolicy()

    def learn(self, blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        return Learned(usage=Usage(input_tokens=90, output_tokens=10, steps=1, cost=0.5))


def test_usage_is_summed_and_no_conversation_begins_once_the_tokens_are_spent() -> None:
    talks = OURS[:4]

    report = evaluate(Spending(), talks, max_tokens=200)

    assert (report.conversations, report.unplayed) == (1, 3)
    assert report.usage == Usage(input_tokens=270, output_tokens=30, steps=3, cost=1.5)


class Failing(Spending):
    """Fails at its first attempts, as many as it is told."""

    name = "failing"
    policy = LearningPolicy(attempts=2, retry_delay=0.01)

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def learn(self, blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        self.failures -= 1
        if self.failures >= 0:
            raise LearningError("out of office", usage=Usage(input_tokens=1))
        return super().learn(blocks, messages)


def test_a_failing_run_is_tried_again_as_the_policy_says() -> None:
    report = evaluate(Failing(1), [conversation()])

    assert report.failed == {}
    assert report.usage == Usage(input_tokens=181, output_tokens=20, steps=2, cost=1.0)


def test_a_conversation_whose_run_fails_is_judged_as_it_stands_and_named() -> None:
    report = evaluate(Failing(2), OURS[:2])

    assert report.failed == {OURS[0].name: "out of office"}
    assert report.unplayed == 0
    assert report.total.facts == sum(label.kind in FACTS for talk in OURS[:2] for _, label in talk.labelled)


def test_no_conversation_begins_after_three_that_failed_in_a_row() -> None:
    report = evaluate(Failing(100), OURS)

    assert list(report.failed) == [talk.name for talk in OURS[:3]]
    assert report.unplayed == len(OURS) - 3


def test_a_run_that_takes_too_long_ends_its_conversation() -> None:
    gate = threading.Event()

    def wait(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Append]:
        gate.wait(PATIENCE)
        return []

    report = evaluate(FunctionLearner(wait), [conversation()], run_seconds=0.05)
    gate.set()

    assert "did not complete within 0.0" in report.failed["sarah"]


def test_progress_names_each_conversation_before_it_is_played() -> None:
    told: list[tuple[str, int, int]] = []

    evaluate(ExtractiveLearner(), OURS[:2], on_progress=lambda *each: told.append(each))

    assert told == [(OURS[0].name, 0, 2), (OURS[1].name, 1, 2)]


# what a file of one's own must be


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['{"user": "Hello"}'], "line 1: there is no conversation above it"),
        (['{"conversation": "a"}', '{"user": "Hello"}'], "line 2: there is no session above it"),
        (['{"conversation": "a"}', '{"conversation": "a"}'], "line 2: there is a conversation 'a' already"),
        (['{"conversation": "a"}', '{"session": "2026-01-01T10:00:00"}'], "line 2: at: "),
        (["[]"], "line 1: a line begins a conversation or a session"),
        (["{"], "line 1: "),
        (['{"conversation": ""}'], "line 1: name: "),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: list[str], reason: str) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(lines))

    with pytest.raises(InvalidInputError) as refused:
        read_conversations(file)

    assert f"mine.jsonl, {reason}" in str(refused.value)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ({"kind": "stated"}, "needs a 'fact'"),
        ({"kind": "joke", "fact": ["robot"], "not": ["robot"]}, "has no 'fact'"),
        ({"kind": "joke"}, "needs 'not'"),
        ({"kind": "stated", "fact": ["Porto"]}, "lower case"),
        ({"kind": "stated", "fact": ["porto + "]}, "lower case"),
        ({"kind": "rumour", "not": ["porto"]}, "kind"),
    ],
)
def test_a_label_that_cannot_be_judged_is_refused(label: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        conversation(label)


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_a_file_that_is_missing_empty_or_no_text_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "mine.jsonl"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidInputError, match=r"mine\.jsonl"):
        read_conversations(file)


# the command


def test_the_command_prints_a_table_with_every_kind_and_the_total() -> None:
    result = CliRunner().invoke(app, ["eval-learning", "--learner", "extractive", "-n", "2"])

    assert result.exit_code == 0
    assert result.output.startswith("extractive: 2 conversations, ")
    for kind in (*KINDS, "total"):
        assert f"\n{kind.replace('_', ' ')}" in result.output


def test_the_command_prints_json_with_counts_beside_ratios_and_misses_when_asked() -> None:
    plain, whole = (
        json.loads(CliRunner().invoke(app, ["eval-learning", "--learner", "extractive", "--json", *more]).output)
        for more in ((), ("--show-misses",))
    )

    assert plain["conversations"] == len(OURS)
    assert set(plain["total"]) == {"facts", "learnt", "traps", "wrong", "recall", "precision", "kept_out"}
    assert "misses" not in plain
    assert len(whole["misses"]) == whole["total"]["facts"] - whole["total"]["learnt"] + whole["total"]["wrong"]


def test_without_a_name_it_is_the_learner_that_a_memory_has_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AI_MEMORY_MODEL", raising=False)

    result = CliRunner().invoke(app, ["eval-learning", "-n", "1", "--json"])

    assert json.loads(result.output)["learner"] == "extractive"


def test_the_command_shows_what_was_missed() -> None:
    result = CliRunner().invoke(app, ["eval-learning", "--learner", "extractive", "-n", "1", "--show-misses"])

    assert "maren, stated: not known: sister + aarhus" in result.output
    assert "My sister flew in from Aarhus for it" in result.output


def test_the_command_takes_a_learner_by_its_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_learners.py").write_text(
        "class Box:\n    @staticmethod\n    def nothing(b, m):\n        return []\n"
    )
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, ["eval-learning", "--learner", "my_learners:Box.nothing", "-n", "1", "--json"])

    assert json.loads(result.output)["learner"] == "my_learners.Box.nothing"


@pytest.mark.parametrize("name", ["nonsense", "no_such_module:x", "json:no_such_name", ":x", "json:"])
def test_the_command_refuses_a_learner_it_cannot_find_by_name(name: str) -> None:
    result = CliRunner().invoke(app, ["eval-learning", "--learner", name])

    assert result.exit_code != 0
    assert name in str(result.exception)


def test_the_command_plays_conversations_of_ones_own_and_fails_when_a_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_learner.py").write_text(
        "from ai_memory_integrations import LearningPolicy\n"
        "class Failing:\n"
        "    name, policy = 'failing', LearningPolicy(attempts=1)\n"
        "    def learn(self, blocks, messages):\n"
        "        raise RuntimeError('out of office')\n"
        "failing = Failing()\n"
    )
    file = tmp_path / "mine.jsonl"
    file.write_text(
        '{"conversation": "sarah"}\n{"session": "2026-01-01T10:00:00+00:00"}\n{"user": "I live in Porto."}\n'
    )
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(
        app, ["eval-learning", "--learner", "failing_learner:failing", "--conversations", str(file)]
    )

    assert result.exit_code == 1
    assert "sarah was cut short: " in result.output


# the page about it


def blocks_of_the_page(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_page_counts_what_is_there_and_what_the_extractive_learner_reaches() -> None:
    report = evaluate(ExtractiveLearner(), OURS)
    page = " ".join(PAGE.read_text("utf-8").split())
    private, retracted = report.kinds["private"], report.kinds["retracted"]
    others = report.total.traps - private.traps - retracted.traps

    for claim in (
        f"{len(OURS)} conversations with {report.total.facts} facts to be learnt and {report.total.traps} traps",
        f"{report.total.learnt} of {report.total.facts} facts (recall {report.total.recall:.2f})",
        f"claimed {report.total.wrong - private.wrong - retracted.wrong} of the {others} traps",
        f"{retracted.wrong} of {retracted.traps} facts withdrawn and {private.wrong} of {private.traps} private ones",
    ):
        assert claim in page


def test_what_the_page_shows_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks_of_the_page("python")
    (lines,) = blocks_of_the_page("json")

    exec(code, {})

    assert len(capsys.readouterr().out.split()) == 3
    assert [label.kind for _, label in parse_conversations(lines.splitlines(), name="page")[0].labelled] == [
        "stated",
        "third_person",
        "changed",
    ]
