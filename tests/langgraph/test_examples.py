"""The LangGraph examples, run as their readers run them: a process of their own, a folder of their own, no key."""

from __future__ import annotations

from pathlib import Path

from example_runs import run


def test_a_graph_knows_its_user_again_and_nobody_else(tmp_path: Path) -> None:
    first = run("langgraph_memory_node.py", tmp_path)
    sarah, bob = first.split("sarah, tuesday")[1].split("bob, tuesday")
    assert "Nice to meet you" in first.split("sarah, tuesday")[0]
    assert "Name: Sarah; Lives in: Lisbon" in sarah
    assert "Nice to meet you" in bob
    second = run("langgraph_memory_node.py", tmp_path)
    assert "I remember: Name: Sarah" in second.split("sarah, tuesday")[0]


def test_the_functional_api_remembers_from_thread_to_thread(tmp_path: Path) -> None:
    shown = run("langgraph_functional.py", tmp_path)
    assert "Likes: hiking" in shown.split("tuesday")[1]


def test_the_store_finds_items_and_is_the_core_memory(tmp_path: Path) -> None:
    for _ in range(2):
        shown = run("langgraph_store.py", tmp_path)
        assert "trip: Sarah flies to Porto" in shown.splitlines()[1]
        assert "by the memory: Name: Sarah Klein" in shown
        assert "an outdated edit is refused" in shown
        assert "found: passages job" in shown
        assert shown.rstrip().endswith("She drinks green tea in the morning.")
