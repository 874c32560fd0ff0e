"""The AI Memory SDK's parameters, in their order and with their defaults, and where ours differ and why."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from ai_memory_integrations import Memory

NEEDED = inspect.Parameter.empty
HUMAN = "Details about the human user you are speaking to."
SUMMARY = "A short (1-2 sentences) running summary of the conversation."

SDK: dict[str, dict[str, Any]] = {
    "initialize_subject": {"subject_id": NEEDED, "reset": False},
    "list_blocks": {"subject_id": None},
    "initialize_memory": {
        "label": NEEDED,
        "description": NEEDED,
        "value": "",
        "char_limit": 10000,
        "reset": False,
        "subject_id": None,
    },
    "get_memory": {"label": NEEDED, "prompt_formatted": False, "subject_id": None},
    "delete_block": {"label": NEEDED, "subject_id": None},
    "add_messages_for_subject": {"subject_id": NEEDED, "messages": NEEDED, "skip_vector_storage": True},
    "add_messages_here": {"messages": NEEDED, "skip_vector_storage": True},
    "add_messages": {"user_or_messages": NEEDED, "messages": None, "skip_vector_storage": True},
    "initialize_user_memory": {
        "user_id": NEEDED,
        "user_context_block_prompt": HUMAN,
        "user_context_block_char_limit": 10000,
        "user_context_block_value": "",
        "summary_block_prompt": SUMMARY,
        "summary_block_char_limit": 1000,
        "reset": False,
    },
    "get_user_memory": {"user_id": NEEDED, "prompt_formatted": False},
    "get_summary": {"user_id": NEEDED, "prompt_formatted": False},
    "get_memory_agent_id": {"user_id": NEEDED},
    "delete_user": {"user_id": NEEDED},
    "search": {"user_id": NEEDED, "query": NEEDED, "tags": None},
    "wait_for_run": {"run_id": NEEDED, "timeout": 300},
}

# What is different on purpose. A bound memory needs no subject; a block's text can speak for itself; and what is said
# is searchable unless somebody says otherwise, where the SDK's True kept it out of `search`.
OURS: dict[str, dict[str, Any]] = {
    "initialize_subject": {"subject_id": None},
    "initialize_memory": {"description": ""},
    "add_messages_for_subject": {"skip_vector_storage": None},
    "add_messages_here": {"skip_vector_storage": None},
    "add_messages": {"user_id": None, "skip_vector_storage": None},
    "initialize_user_memory": {"user_id": None},
    "get_user_memory": {"user_id": None},
    "get_summary": {"user_id": None},
    "get_memory_agent_id": {"user_id": None},
    "delete_user": {"user_id": None},
    "search": {"user_id": None, "query": None},
}

# The SDK's name for what is a user or else the messages; its documents never print it.
RENAMED = {"user_or_messages": "user_id"}


def positional(method: Any) -> list[tuple[str, Any]]:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return [(each.name, each.default) for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("method", SDK)
def test_a_methods_parameters_are_the_sdks_with_what_is_new_behind_them(method: str) -> None:
    ours = positional(getattr(Memory, method))
    theirs = {RENAMED.get(name, name): default for name, default in SDK[method].items()}
    wanted = list((theirs | OURS.get(method, {})).items())
    assert ours[: len(wanted)] == wanted
    assert all(default is not NEEDED for _, default in ours[len(wanted) :])


def test_a_memory_is_made_from_a_key_or_a_subject_by_keyword_as_the_documents_do() -> None:
    parameters = inspect.signature(Memory).parameters
    assert parameters["api_key"].default is None
    assert parameters["subject_id"].default is None
