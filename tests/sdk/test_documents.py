"""Every Python call that the AI Memory SDK's documents print, written out and made against one SQLite file.

Each stands here as it is printed and, beside it, by position or by keyword where the documents print the other.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import InvalidInputError, NoSubjectError, SubjectExistsError

CATS = [{"role": "user", "content": "I love cats"}]


# Users


def test_a_user_is_made_read_and_formatted_as_the_quickstart_does(memory: Memory) -> None:
    user_id = "default_user"
    assert memory.get_user_memory(user_id) is None
    agent_id = memory.initialize_user_memory(user_id, reset=True)
    assert memory.get_user_memory(user_id) == ""
    assert memory.get_user_memory(user_id, prompt_formatted=True) == (
        '<human description="Details about the human user you are speaking to.">\n\n</human>'
    )
    assert memory.get_memory_agent_id(user_id) == agent_id


def test_a_user_is_made_with_every_parameter_by_keyword(memory: Memory) -> None:
    memory.initialize_user_memory(
        user_id="user_id",
        user_context_block_prompt="Who they are.",
        user_context_block_char_limit=500,
        user_context_block_value="Name: Sarah",
        summary_block_prompt="What was said.",
        summary_block_char_limit=50,
        reset=False,
    )
    human, summary = memory.list_blocks("user_id")
    assert (human.label, human.description, human.limit, human.value) == ("human", "Who they are.", 500, "Name: Sarah")
    assert (summary.label, summary.description, summary.limit, summary.value) == ("summary", "What was said.", 50, "")


def test_a_user_is_made_with_every_parameter_by_position(memory: Memory) -> None:
    memory.initialize_user_memory("user_id", "Who they are.", 500, "Name: Sarah", "What was said.", 50, False)
    assert [(block.description, block.limit) for block in memory.list_blocks("user_id")] == [
        ("Who they are.", 500),
        ("What was said.", 50),
    ]


def test_what_was_learnt_of_a_user_is_read_back(memory: Memory) -> None:
    run = memory.add_messages("user_id", [{"role": "user", "content": "Hi, my name is Sarah"}])
    memory.wait_for_run(run)
    summary = memory.get_summary("user_id", prompt_formatted=True)
    user_memory = memory.get_user_memory("user_id", prompt_formatted=True)
    assert summary is not None
    assert user_memory is not None
    assert summary.startswith("<conversation_summary>\n")
    assert summary.endswith("\n</conversation_summary>")
    assert "Name: Sarah" in user_memory
    assert memory.get_user_memory("user_id", prompt_formatted=False) == memory.get_user_memory(user_id="user_id")
    assert memory.get_summary(user_id="user_id") == memory.get_summary("user_id", False)


def test_a_run_is_a_string_that_can_be_waited_for_by_position_and_by_keyword(memory: Memory) -> None:
    run = memory.add_messages("user_id", [{"role": "user", "content": "hi"}])
    assert isinstance(run, str)
    memory.wait_for_run(run)
    memory.wait_for_run(run_id=run, timeout=300)
    memory.wait_for_run(run, 300)


def test_a_user_is_deleted_and_gone(memory: Memory) -> None:
    memory.wait_for_run(memory.add_messages("user_id", CATS))
    memory.delete_user("user_id")
    assert memory.get_memory_agent_id("user_id") is None
    assert memory.get_user_memory("user_id") is None
    memory.delete_user(user_id="user_id")


# Subjects


def test_a_bound_memory_takes_the_calls_of_the_instance_scoped_example() -> None:
    with Memory(subject_id="user_sarah", learning="off") as memory:
        block_id = memory.initialize_memory(
            label="preferences",
            description="Known user preferences.",
            value="Likes cats",
        )
        assert memory.initialize_memory("preferences", "Known user preferences.", "Likes cats") == block_id
        memory.add_messages([{"role": "user", "content": "I love cats"}])
        assert memory.get_memory("preferences") == "Likes cats"
        assert memory.get_memory("preferences", prompt_formatted=True) == (
            '<preferences description="Known user preferences.">\nLikes cats\n</preferences>'
        )


def test_an_unbound_memory_takes_the_calls_of_the_explicit_example() -> None:
    with Memory() as memory:
        memory.initialize_subject("project_alpha", reset=True)
        memory.initialize_memory("spec", "Project spec", value="v1", subject_id="project_alpha")
        run = memory.add_messages_for_subject("project_alpha", [{"role": "user", "content": "Kickoff done"}])
        memory.wait_for_run(run)
        assert memory.get_memory("spec", subject_id="project_alpha") == "v1"


def test_the_subject_methods_take_their_parameters_by_position(memory: Memory) -> None:
    agent_id = memory.initialize_subject("project_alpha", False)
    assert isinstance(agent_id, str)
    assert memory.initialize_subject("project_alpha", True) == agent_id
    assert memory.list_blocks("project_alpha") == []
    block_id = memory.initialize_memory("spec", "Project spec", "v1", 10000, False, "project_alpha")
    assert [block.id for block in memory.list_blocks("project_alpha")] == [block_id]
    assert memory.get_memory("spec", False, "project_alpha") == "v1"
    assert memory.add_messages_for_subject("project_alpha", CATS, True).startswith("run_")
    memory.delete_block("spec", "project_alpha")
    assert memory.get_memory("spec", False, "project_alpha") is None


def test_the_subject_methods_take_their_parameters_by_keyword(memory: Memory) -> None:
    memory.initialize_subject(subject_id="project_alpha", reset=False)
    first = memory.initialize_memory(
        label="spec",
        description="Project spec",
        value="v1",
        char_limit=20,
        reset=False,
        subject_id="project_alpha",
    )
    again = memory.initialize_memory(
        label="spec", description="Spec", value="v2", char_limit=20, reset=True, subject_id="project_alpha"
    )
    assert again != first
    (block,) = memory.list_blocks(subject_id="project_alpha")
    assert (block.id, block.label, block.value, block.description) == (again, "spec", "v2", "Spec")
    assert (block.limit, block.version) == (20, 1)
    assert memory.get_memory(label="spec", prompt_formatted=False, subject_id="project_alpha") == "v2"
    memory.add_messages_for_subject(subject_id="project_alpha", messages=CATS, skip_vector_storage=True)
    memory.delete_block(label="spec", subject_id="project_alpha")
    assert memory.list_blocks(subject_id="project_alpha") == []


def test_a_bound_memory_needs_no_subject_and_takes_another_one(sarah: Memory) -> None:
    sarah.initialize_memory("preferences", "Known user preferences.", "Likes cats")
    sarah.initialize_memory("preferences", "Known user preferences.", "Likes dogs", subject_id="user_bob")
    assert [block.value for block in sarah.list_blocks()] == ["Likes cats"]
    assert [block.value for block in sarah.list_blocks("user_bob")] == ["Likes dogs"]
    sarah.delete_block("preferences")
    assert sarah.get_memory("preferences") is None
    assert sarah.get_memory("preferences", subject_id="user_bob") == "Likes dogs"


# Messages


def test_a_bound_memory_adds_messages_in_every_printed_form(sarah: Memory) -> None:
    runs = [
        sarah.add_messages([{"role": "user", "content": "I love cats"}]),
        sarah.add_messages(messages=[{"role": "user", "content": "I love cats"}]),
        sarah.add_messages([{"role": "user", "content": "I love cats"}], skip_vector_storage=True),
        sarah.add_messages([{"role": "user", "content": "I love cats"}], True),
        sarah.add_messages_here([{"role": "user", "content": "I love cats"}]),
        sarah.add_messages_here(messages=[{"role": "user", "content": "I love cats"}], skip_vector_storage=True),
    ]
    for run in runs:
        sarah.wait_for_run(run)
    assert len(sarah.list_messages()) == 6
    assert sarah.search(query="cats") == ["I love cats"] * 3


def test_a_bound_memory_also_adds_messages_of_a_user_it_is_told(sarah: Memory) -> None:
    sarah.add_messages("user_bob", CATS)
    sarah.add_messages("user_bob", messages=CATS, skip_vector_storage=False)
    assert len(sarah.list_messages("user_bob")) == 2
    assert sarah.list_messages() == []


def test_an_unbound_memory_adds_messages_of_a_user(memory: Memory) -> None:
    memory.add_messages("user_id", CATS)
    memory.add_messages("user_id", CATS, True)
    memory.add_messages("user_id", messages=CATS, skip_vector_storage=True)
    assert len(memory.list_messages("user_id")) == 3


def test_a_user_without_messages_and_messages_without_a_user_are_refused_by_name(memory: Memory) -> None:
    with pytest.raises(InvalidInputError, match="messages must be given"):
        memory.add_messages("user_id")
    with pytest.raises(NoSubjectError, match="No subject_id provided"):
        memory.add_messages(CATS)
    with pytest.raises(NoSubjectError, match="No subject_id provided"):
        memory.add_messages_here(CATS)
    assert memory.list_subjects() == []


# Search


def test_messages_are_searched_as_the_documents_do(memory: Memory) -> None:
    memory.add_messages(
        "user_id",
        [
            {"role": "user", "content": "My favorite foods are ramen and plums"},
            {"role": "assistant", "content": "Ramen is one of the favorite foods here, too"},
        ],
        skip_vector_storage=False,
    )
    said, answered = "My favorite foods are ramen and plums", "Ramen is one of the favorite foods here, too"
    assert memory.search("user_id", query="Favorite foods") == [said]
    assert memory.search("user_id", "Favorite foods") == [said]
    assert memory.search("user_id", query="favorite foods", tags=["assistant"]) == [answered]
    assert set(memory.search("user_id", query="favorite foods", tags=[])) == {said, answered}
    assert memory.search("user_id", "favorite foods", ["ai-memory-sdk", "user"]) == [said]
    assert memory.search(user_id="user_id", query="favorite foods", tags=["user"]) == [said]
    assert memory.search("user_id", query="system prompts", tags=["assistant"]) == []


def test_a_bound_memory_is_searched_without_naming_the_subject(sarah: Memory) -> None:
    sarah.add_messages(CATS)
    assert sarah.search(query="cats") == ["I love cats"]
    assert sarah.search("cats") == ["I love cats"]
    assert sarah.search("user_sarah", query="cats") == ["I love cats"]
    assert sarah.search("user_bob", query="cats") == []


# Construction


def test_a_key_alone_means_letta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with Memory(api_key="LETTA_API_KEY") as memory:
        assert memory.url == "letta://"


def test_a_subject_that_exists_is_refused_as_the_sdk_does(memory: Memory) -> None:
    agent_id = memory.initialize_user_memory("user_id")
    for initialize in (memory.initialize_user_memory, memory.initialize_subject):
        with pytest.raises(ValueError, match=f"Agent {agent_id} already exists") as raised:
            initialize("user_id")
        assert isinstance(raised.value, SubjectExistsError)
