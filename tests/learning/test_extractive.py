"""The extractive learner by what it makes of blocks: a labelled set, and what has to hold for every block."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from learning.labelled import after, cases, human, learnt, lines, said, score
from patience import work_of

from ai_memory_integrations import Memory
from ai_memory_integrations.learning.extractive import NEEDS_A_MODEL, ExtractiveLearner
from ai_memory_integrations.learning.facts import kind_of
from ai_memory_integrations.learning.rules.rule import Rule
from ai_memory_integrations.learning.rules.table import FALLBACK, RULES
from ai_memory_integrations.ports import Learner
from ai_memory_integrations.types import AT_ONCE, Append, Message, Replace

LEARNER = ExtractiveLearner()


def test_it_is_a_learner_that_learns_at_once() -> None:
    assert isinstance(LEARNER, Learner)
    assert (LEARNER.name, LEARNER.policy) == ("extractive", AT_ONCE)


@pytest.mark.parametrize("rule", [*RULES, *FALLBACK], ids=lambda rule: f"{rule.label}: {rule.pattern[:40]}")
def test_every_rule_has_a_pattern_and_a_label_whose_kind_is_known(rule: Rule) -> None:
    assert "v" in rule.regex.groupindex or rule.retract or rule.says != "{v}"
    assert rule.cue == rule.cue.lower()
    assert "{" in rule.label or (rule.retract and not rule.label) or kind_of(rule.label)


@pytest.mark.parametrize("part", ["held", "tuned", "chat", "talk", "unseen"])
def test_what_it_learns_of_the_labelled_set_is_right(part: str) -> None:
    """`held` was only counted, the others were looked at while rules were written.

    `chat` is everyday chat, `talk` short conversations, `unseen` both: when it was first counted, before any of it was
    looked at, precision was 0.735 and recall 0.610.
    """
    total, off = score(part)
    print(f"\n{part}: {len(cases(part))} statements, precision {total.precision:.3f}, recall {total.recall:.3f}")
    assert total.precision >= 0.95, "\n".join(off)
    assert total.recall >= 0.75, "\n".join(off)


def test_the_labelled_set_holds_as_many_distractors_as_facts() -> None:
    for part in ("held", "tuned", "chat"):
        empty = [case for case in cases(part) if not case["facts"]]
        assert len(empty) >= 0.4 * len(cases(part))
        assert len({case["text"] for case in cases(part)}) == len(cases(part))


@pytest.mark.parametrize("case", cases("turns"), ids=lambda case: case["case"])
def test_facts_are_changed_corrected_and_taken_back(case: dict[str, list[str]]) -> None:
    assert lines(learnt(*case["turns"])) == case["lines"]


def test_facts_that_can_change_carry_the_day_they_were_said_in_utc() -> None:
    late = datetime(2025, 9, 3, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    assert learnt("I'm Sarah and I live in Lisbon", at=late) == "Name: Sarah\nLives in: Lisbon (2025-09-04)"
    assert learnt("I live in Lisbon", at=None) == "Lives in: Lisbon"


def test_saying_it_again_later_leaves_the_line_as_it_is() -> None:
    first = [said("I like cats", at=datetime(2025, 9, 3, tzinfo=UTC))]
    again = [said("I really like cats!", at=datetime(2026, 1, 1, tzinfo=UTC))]
    assert after([human()], first, again)[0].value == "Likes: cats (2025-09-03)"


def test_the_first_message_leaves_a_trace_that_never_grows() -> None:
    assert learnt("hi") == learnt("hi", "hello?", "ok") == "Spoke on: 2025-09-03"
    assert learnt("hi", at=None) == "Spoke on: day not known"
    assert after([human()], [said("Hello!", role="assistant")])[0].value == "Spoke on: 2025-09-03"


def test_only_users_are_a_source_of_facts() -> None:
    batch = [said(text, role=role) for role in ("system", "tool", "assistant") for text in ["I live in Lisbon"]]
    assert after([human()], batch)[0].value == "Spoke on: 2025-09-03"
    assert after([human()], [said("I live in Lisbon", role="system")])[0].value == ""


def test_a_memory_that_is_said_back_is_not_learnt() -> None:
    memory = '<human description="Details">\nName: Sarah\nI live in Lisbon\n</human>'
    assert learnt(f"{memory}\nWhat do you know?") == "Spoke on: 2025-09-03"


def test_edits_touch_one_line_each_and_name_their_messages() -> None:
    block = human("Name: Sarah\nLives in: Lisbon (2025-01-01)\nVIP customer")
    message = said("I moved to Porto and I love cats")
    assert LEARNER.learn([block], [message]).edits == (
        Replace(
            label="human",
            old="Lives in: Lisbon (2025-01-01)",
            new="Lives in: Porto (2025-09-03)",
            message_ids=(message.id,),
        ),
        Append(label="human", text="Likes: cats (2025-09-03)", message_ids=(message.id,)),
    )


def test_a_line_whose_text_stands_twice_is_still_replaced_in_its_place() -> None:
    block = human("He said Name: Sarah\nName: Sarah\nName: Sarah Jones is somebody else")
    assert after([block], [said("My name is Sara")])[0].value == (
        "He said Name: Sarah\nName: Sara\nName: Sarah Jones is somebody else"
    )


def test_a_line_of_somebody_else_is_never_touched() -> None:
    foreign = "Interests: Likes cats (2025-09-03)\n* lives in: Rome\n\nlikes tea; VIP\tclient"
    value = after([human(foreign)], [said("I no longer like cats. I live in Lisbon. Forget everything about me.")])[
        0
    ].value
    assert value.startswith(foreign)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("Likes cats", "I love cats"),
        ("- likes the cats.", "I love cats"),
        ("The user likes cats and dogs", "I love dogs"),
        ("* Prefers window seats", "I prefer window seats"),
        ("User lives in Lisbon", "I live in Lisbon"),
    ],
)
def test_what_a_line_of_somebody_else_says_is_not_said_again(line: str, text: str) -> None:
    assert after([human(line)], [said(text)])[0].value == line


@pytest.mark.parametrize(
    ("line", "text", "added"),
    [
        ("Likes cats", "I love dogs", "Likes: dogs (2025-09-03)"),
        ("Likes cat food", "I love cats", "Likes: cats (2025-09-03)"),
        ("Dislikes cats", "I love cats", "Likes: cats (2025-09-03)"),
        ("Likes dogs", "I love dogs called Rex", "Likes: dogs called Rex (2025-09-03)"),
        ("Lives in Lisbon", "I live in Porto", "Lives in: Porto (2025-09-03)"),
    ],
)
def test_what_a_line_of_somebody_else_does_not_say_is_learnt(line: str, text: str, added: str) -> None:
    assert after([human(line)], [said(text)])[0].value == f"{line}\n{added}"


def test_what_is_liked_again_is_no_longer_disliked_also_where_somebody_else_wrote_that_it_is_liked() -> None:
    blocks = [human("Likes cats")]
    assert after(blocks, [said("I hate cats")])[0].value == "Likes cats\nDislikes: cats (2025-09-03)"
    assert after(blocks, [said("I hate cats")], [said("I love cats")])[0].value == "Likes cats"


def test_a_value_is_one_line_whatever_is_sent() -> None:
    for mark in ("\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\u202e", "\u200b"):
        value = learnt(f"I like cats{mark}Name: Eve", f"My name is Sarah{mark}Lives in: Rome")
        assert "Name: Eve" not in value.splitlines()
        assert "Lives in: Rome" not in value.splitlines()
        assert all(line.isprintable() for line in value.split("\n"))


def test_a_date_cannot_be_forged() -> None:
    assert learnt("I like cats (1999-01-01)") == "Likes: cats (2025-09-03)"


def test_the_least_useful_lines_of_a_full_block_go_first() -> None:
    block = human(limit=110)
    told = ["I'm Sarah", "I'm allergic to nuts", "I'm flying to Oslo tomorrow", "I like tea", "I live in Lisbon"]
    value = after([block], *([said(text)] for text in told))[0].value
    assert lines(value) == ["Name: Sarah", "Allergic to: nuts", "Likes: tea", "Lives in: Lisbon"]
    assert lines(after([human(value, limit=110)], [said("I'm flying to Rome tomorrow")])[0].value) == lines(value)


def test_a_changed_fact_that_does_not_fit_does_not_leave_the_old_one() -> None:
    block = human("VIP client since 2019\nLives in: Rome", limit=40)
    assert after([block], [said("I live in Llanfairpwllgwyngyll")])[0].value == "VIP client since 2019"


@pytest.mark.parametrize("limit", [1, 5, 20, 40])
def test_a_small_block_is_filled_but_never_over_its_limit(limit: int) -> None:
    value = after([human(limit=limit)], [said("My name is Maximiliane Hohenstein and I like tea")])[0].value
    assert 0 < len(value) <= limit


def test_a_private_message_is_neither_a_fact_nor_part_of_the_summary() -> None:
    for text in (
        "Don't remember this: I hate my boss",
        "Off the record, I live in Rome",
        "I live in Rome. Forget that.",
        "dont put this in ur notes ok but i hate my boss",
        "don't store this anywhere please, but I live in Rome",
        "Keep this out of memory: I live in Rome",
        "this is not for keeping: I live in Rome",
        "Not for your notes. I hate my boss",
        "between you and me, I hate my boss",
        "keep that to yourself, I live in Rome",
        "I hate my boss, but please don't write that down",
        "never mind what I said, I hate my boss",
        "this isn't for the file but I hate my boss",
        "no notes on this please, I live in Rome",
        "not a word to anyone: I live in Rome",
        "Do not store the next thing. I hate my boss.",
        "I\u2019d rather you didn\u2019t save it, but I live in Rome",
        "Das bitte nicht merken: I live in Rome",
    ):
        answer = said("Rome must be hard with such a boss.", role="assistant")
        blocks = after([human(), human(label="summary")], [said(text)], [answer])
        assert blocks[0].value == "Spoke on: 2025-09-03"
        assert blocks[1].value in (
            "2025-09-03: Asked to have something kept private.",
            "2025-09-03: Asked to have something forgotten.",
        )


@pytest.mark.parametrize(
    "text",
    [
        "don't forget that I live in Rome",
        "Don't forget I live in Rome",
        "I live in Rome. Keep the dog off the sofa!",
        "please remember that I live in Rome",
        "I don't have it in my notes, but I live in Rome",
        "I live in Rome, no need to shout",
        "I don't remember when, but I live in Rome",
        "I live in Rome and I never save money",
    ],
)
def test_what_only_sounds_like_a_private_matter_is_learnt(text: str) -> None:
    assert "Lives in: Rome" in lines(learnt(text))


@pytest.mark.parametrize(
    "request_",
    [
        "oh and take rochester out, somebody at work found my account",
        "what I said about Rochester, take it out",
        "strike my address please",
        "can you delete the bit about Rochester?",
        "forget that I said Rochester",
        "please don't keep my address",
        "Rochester was private. Please scrub Rochester from your notes.",
    ],
)
def test_what_is_named_is_removed_wherever_it_stands(request_: str) -> None:
    told = [[said("I'm Ada")], [said("I live in Rochester")], [said("Is Rochester cold?")], [said(request_)]]
    blocks = after([human(), human(label="summary")], *told)
    assert lines(blocks[0].value) == ["Name: Ada"]
    assert blocks[1].value.startswith("2025-09-03: Is called Ada.")
    assert not {"rochester", "lives"} & set(blocks[1].value.casefold().split()) or "address" in request_


def test_an_answer_is_understood_only_after_its_question() -> None:
    asked, answer = said("And where do you live?", role="assistant"), said("Porto")
    assert lines(after([human()], [asked], [answer])[0].value) == ["Spoke on: 2025-09-03", "Lives in: Porto"]
    assert lines(after([human()], [asked, answer])[0].value) == ["Spoke on: 2025-09-03", "Lives in: Porto"]
    assert lines(after([human()], [answer])[0].value) == ["Spoke on: 2025-09-03"]


def test_a_question_of_another_thread_is_not_answered() -> None:
    asked = said("Where do you live?", role="assistant").model_copy(update={"thread_id": "another"})
    assert lines(after([human()], [asked], [said("Porto")])[0].value) == ["Spoke on: 2025-09-03"]


def test_an_answer_that_is_to_be_kept_private_is_not_learnt() -> None:
    asked = said("Where do you live?", role="assistant")
    blocks = after([human(), human(label="summary")], [asked], [said("Porto, but don't remember that")])
    assert "Porto" not in "".join(block.value for block in blocks)


def test_a_memory_learns_an_answer_to_the_question_of_the_turn_before() -> None:
    with Memory(":memory:", subject_id="sarah", embedder=False) as memory:
        memory.add_messages_here([said("Hi!"), said("Hello! What should I call you?", role="assistant")])
        memory.flush()
        memory.add_messages_here([said("Sarah"), said("Nice to meet you.", role="assistant")])
        memory.flush()
        assert "Prefers to be called: Sarah" in str(memory.get_memory("human"))


def test_a_thing_in_a_list_is_removed_without_the_others() -> None:
    assert lines(learnt("I like cats, dogs and tea", "forget about the dogs")) == ["Likes: cats and tea"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("34, from Leeds", "From: Leeds"),
        ("34, from Leeds", "Age: 34"),
        ("Vegetarian here, any ideas for dinner?", "Diet: vegetarian"),
        ("Nurse at St Mary's, nights", "Works at: St Mary's"),
        ("Allergic to nuts btw", "Allergic to: nuts"),
        ("just moved to Leeds", "Lives in: Leeds"),
        ("my wife Jo puts up with it", "Wife: Jo"),
        ("What should I buy for my roommate Devika?", "Roommate: Devika"),
        ("My editor, Wim, will cut it", "Editor: Wim"),
        ("My new editor is Ms Shin at Munhak", "Editor: Ms Shin"),
        ("Hello! It's Ingrid, zone 6", "Name: Ingrid"),
        ("I've coeliac disease", "Health: coeliac disease"),
        ("i dont drive", "Habits: does not drive"),
        ("we found a flat in Tai Po", "Lives in: Tai Po"),
    ],
)
def test_what_is_typed_in_fragments_and_in_passing_is_learnt(text: str, line: str) -> None:
    assert line in lines(learnt(text))


@pytest.mark.parametrize(
    ("first", "then", "line"),
    [
        ("I drive a Volvo", "I said volvo but it's a DAF", "Has: DAF"),
        ("I live in Paris", "it's Rome, not Paris", "Lives in: Rome"),
        ("I work at Acme", "I switched from Acme to Initech last week", "Works at: Initech"),
        ("I have two cats", "I wrote two cats. It's three cats.", "Pets: three cats"),
    ],
)
def test_a_correction_that_names_both_puts_the_right_one_in_place(first: str, then: str, line: str) -> None:
    assert lines(learnt(first, then)) == [line]
    assert line not in lines(learnt(then))


@pytest.mark.parametrize(
    "text",
    [
        "Wenn ich könnte, würde ich nach Island auswandern, im Ernst.",
        "im Ernst",
        "I'm going to be a cryptid by October.",
        "Living in Oslo is expensive",
        "It's Christmas, help",
        "Typo here, please fix",
        "Plumber in Leeds needed",
        "I broke up with my girlfriend Anna",
        "I'm no doctor",
    ],
)
def test_what_only_looks_like_a_fact_is_not_learnt(text: str) -> None:
    assert learnt(text) == "Spoke on: 2025-09-03"


def test_a_request_about_something_else_removes_nothing() -> None:
    told = ("I have a cat called Tom", "remove the cat from this picture", "don't forget my cat")
    assert lines(learnt(*told)) == ["Pets: cat called Tom"]


def test_what_is_to_be_forgotten_leaves_the_summary_too() -> None:
    told = [[said("I'm Ada, I live in Lisbon")], [said("Forget that I live in Lisbon")]]
    assert "Lisbon" not in "".join(block.value for block in after([human(), human(label="summary")], *told))
    told.append([said("Forget everything you know about me")])
    blocks = after([human(), human(label="summary")], *told)
    assert [block.value for block in blocks] == [
        "Spoke on: 2025-09-03",
        "2025-09-03: Asked to have something forgotten.",
    ]


def test_the_summary_says_what_was_told_asked_and_answered() -> None:
    talk = [
        said("Hi, I'm Sarah. What food is best for kittens?"),
        said("Great question! Wet food is best for kittens under six months. Then mix in dry food.", role="assistant"),
        said("thanks"),
        said("The router keeps dropping the connection every evening", at=datetime(2025, 9, 5, tzinfo=UTC)),
        said("You live in Lisbon, Sarah.", role="assistant", at=datetime(2025, 9, 5, tzinfo=UTC)),
    ]
    assert after([human(label="summary")], talk)[0].value == (
        "2025-09-03: Is called Sarah. Asked: What food is best for kittens? "
        "Answer: Wet food is best for kittens under six months.\n"
        "2025-09-05: Said: The router keeps dropping the connection every evening."
    )


def test_a_summary_tells_only_the_newest_of_what_changed_in_a_day() -> None:
    told = ["I live in Lisbon and I work at Acme", "I moved to Porto", "I love tea", "I no longer work at Acme"]
    block = after([human(label="summary")], *([said(text)] for text in told))[0]
    assert block.value == "2025-09-03: Lives in Porto. Works at Acme. Likes tea. No longer works at Acme."


@pytest.mark.parametrize(
    "answer",
    [
        "You live in Lisbon, Sarah.",
        "I remember: Name: Sarah; Lives in: Lisbon.",
        "As far as I know the wedding is in May.",
        "Lives in: Lisbon is what was noted.",
        "Noted, tea it is from now on.",
    ],
)
def test_a_summary_never_repeats_what_an_assistant_says_from_memory(answer: str) -> None:
    assert after([human(label="summary")], [said(answer, role="assistant")])[0].value == ""


def test_a_summary_written_by_an_earlier_version_is_kept_and_goes_on() -> None:
    block = human("2025-09-03: name Sarah; likes cats; asked: What is rain", label="summary")
    assert after([block], [said("I live in Porto")])[0].value == f"{block.value} Lives in Porto."


def test_a_full_summary_drops_the_oldest_and_keeps_what_others_wrote() -> None:
    block = human("Premium support since 2020.", label="summary", limit=200)
    talk = [
        said(f"How do I configure part number {n} of it?", at=datetime(2025, 9, n, tzinfo=UTC)) for n in range(1, 20)
    ]
    value = after([block], *([message] for message in talk))[0].value
    assert value.startswith("Premium support since 2020.\n2025-09-")
    assert value.endswith("2025-09-19: Asked: How do I configure part number 19 of it?")
    assert len(value) <= 200


def test_secrets_are_not_summed_up() -> None:
    assert after([human(label="summary")], [said("My password is hunter2 and I made it up myself")])[0].value == ""


def test_blocks_that_ask_for_user_facts_preferences_or_a_summary_get_them() -> None:
    blocks = [
        human(label="profile", description="Facts about the customer"),
        human(label="preferences"),
        human(label="recap", description="A running summary of the conversation so far"),
    ]
    profile, preferences, recap = after(blocks, [said("I'm Sarah and I like tea")])
    assert profile.value == "Name: Sarah\nLikes: tea (2025-09-03)"
    assert preferences.value == "Likes: tea (2025-09-03)"
    assert recap.value == "2025-09-03: Is called Sarah. Likes tea."


def test_other_blocks_are_left_alone_and_named_with_the_remedy() -> None:
    blocks = [
        human(label="policies", value="No refunds.", description="Company policies about returns"),
        human(label="persona", description="How the assistant behaves", read_only=True),
        human(label="human", read_only=True),
    ]
    answer = LEARNER.learn(blocks, [said("I'm Sarah")])
    assert answer.edits == ()
    assert answer.skipped == {"policies": NEEDS_A_MODEL}
    assert "AI_MEMORY_MODEL" in NEEDS_A_MODEL


def test_nothing_is_written_without_blocks_or_messages() -> None:
    assert LEARNER.learn([], [said("I'm Sarah")]).edits == ()
    assert LEARNER.learn([human()], []).edits == ()


def test_content_parts_are_read_as_text() -> None:
    parts = [{"type": "text", "text": "I'm Sarah"}, {"type": "image_url", "image_url": {"url": "x"}}]
    assert after([human()], [Message(role="user", content=parts)])[0].value == "Name: Sarah"


@pytest.mark.parametrize(
    "text",
    [
        "I like " + "a, " * 33_000,
        "I'm " + "a" * 100_000,
        "I " * 50_000,
        "'" * 100_000,
        '"' * 99_999,
        "<a>" * 33_000 + "</b>",
        "I live in " + "A " * 50_000,
        "my name is " + "o'" * 50_000,
        "I really " * 11_000,
        "I like cats. " * 8_000,
        "(I'm" * 25_000,
        "`" * 100_000,
        " " * 100_000 + "I",
        "I don't like " + "x and " * 16_000,
        "please " * 15_000 + "I",
    ],
    ids=lambda text: text[:12],
)
def test_no_message_takes_long_however_it_is_made(text: str) -> None:
    blocks, messages = [human(), human(label="summary", limit=1000)], [said(text)]
    assert work_of(lambda: LEARNER.learn(blocks, messages), below=1.0) < 1.0


def test_two_thousand_messages_are_learnt_in_a_second() -> None:
    texts = [case["text"] for case in cases("tuned") + cases("held")]
    batch = [said(text) for text in texts * (2000 // len(texts) + 1)][:2000]
    blocks = [human(), human(label="summary", limit=1000)]
    assert work_of(lambda: LEARNER.learn(blocks, batch), below=1.0) < 1.0
