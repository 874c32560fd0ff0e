"""The examples, run as their readers run them: in a process of their own, in a folder of their own, without a key."""

from __future__ import annotations

from pathlib import Path

from example_runs import run


def test_a_chat_knows_the_user_again_when_it_is_started_again(tmp_path: Path) -> None:
    first = run("chat.py", tmp_path, "sarah", typed="Hi, my name is Sarah\nI live in Lisbon\n\n")
    assert "I know nothing of you yet" in first
    assert "Lives in: Lisbon" in first
    second = run("chat.py", tmp_path, "sarah", typed="Who am I?\n")
    assert "AI: (no model here) I know: Name: Sarah; Lives in: Lisbon" in second
    assert "I know nothing of you yet" in run("chat.py", tmp_path, "bob", typed="Who am I?\n")


def test_a_subject_has_blocks_with_a_history_and_is_seen_by_no_other(tmp_path: Path) -> None:
    shown = run("subject.py", tmp_path)
    assert "2026-03-09: three lanes\n</decisions>" in shown
    assert "Restored, as version 5: 2026-03-09: two lanes" in shown
    assert "project_beta finds of the bridge: []" in shown
    assert "Deleted: 3 blocks; subjects now: []" in shown


def test_archived_texts_are_found_by_words_tags_times_and_metadata(tmp_path: Path) -> None:
    shown = run("archival_search.py", tmp_path)
    answers = dict(part.split("\n", 1) for part in shown.strip().split("\n\n") if "\n" in part)
    assert "I adopted two kittens" in answers["How old are the kittens?"].splitlines()[0]
    assert len(answers["Trips, by tag:"].splitlines()) == 2
    assert "Pico" in answers["Trips since May:"]
    assert "Rota Vicentina" not in answers["Trips since May:"]
    assert "running shoes" in answers["What the shop noted:"]
    assert "<recalled_memories" in answers["As text for a prompt:"]


def test_a_support_bot_keeps_orders_and_never_writes_its_policies(tmp_path: Path) -> None:
    shown = run("customer_support.py", tmp_path)
    assert "#A-1042\n#B-77\n</orders>" in shown
    assert "Returns within 30 days.\nRefunds go to the card that paid.\n</policies>" in shown
    assert "'orders' version 3, learnt from: Thanks! And is #B-77 on its way?" in shown
