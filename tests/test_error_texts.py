"""The words of the errors that people meet first: each names the value and the remedy, none carries a secret."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

from ai_memory_integrations import errors
from ai_memory_integrations.types import Run

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(state: str, **more: object) -> Run:
    return Run.model_validate(
        {"id": "run_1", "subject_id": "sarah", "state": state, "learner": "extractive", "created_at": NOW, **more}
    )


TEXTS: list[tuple[errors.AIMemoryError, str]] = [
    (
        errors.NoSubjectError(),
        (
            "No subject_id provided and none is bound. Pass subject_id=..., or bind one with "
            "Memory(subject_id=...) or memory.for_subject(...)."
        ),
    ),
    (
        errors.NoSubjectError({"context": "none", "configurable": "keys thread_id", "authenticated identity": "none"}),
        (
            "No subject_id provided and none is bound. Pass subject_id=..., or bind one with "
            "Memory(subject_id=...) or memory.for_subject(...), or name it where the framework is called, in "
            'its context or as config["configurable"]["user_id"]. Looked in: context: none; configurable: keys '
            "thread_id; authenticated identity: none."
        ),
    ),
    (
        errors.NoSubjectError({"context": "Ctx with tenant", "configurable": "empty"}, needed="customer"),
        (
            "No subject_id provided: the template needs 'customer' and nothing gives it. Pass subject_id=..., "
            "or bind one with Memory(subject_id=...) or memory.for_subject(...), or name it where the framework"
            ' is called, in its context or as config["configurable"]["customer"]. Looked in: context: Ctx with '
            "tenant; configurable: empty."
        ),
    ),
    (
        errors.SubjectMismatchError("user_id in configurable", "bob", "alice"),
        (
            "user_id in configurable names 'bob', but the authenticated user is 'alice'. Callers may only name "
            "themselves; to serve somebody else on purpose, pass subject= a callable of the application."
        ),
    ),
    (
        errors.InvalidSubjectError("a\nb", "has the control character U+000A at 1"),
        (
            "subject 'a\\nb' has the control character U+000A at 1. A subject is 1 to 512 bytes of UTF-8 text "
            "without control characters, such as 'user_sarah' or 'alice@example.com'."
        ),
    ),
    (
        errors.InvalidSubjectError({"password": "hunter2"}, "is not a str, int or UUID"),
        (
            "subject of type dict is not a str, int or UUID. A subject is 1 to 512 bytes of UTF-8 text without "
            "control characters, such as 'user_sarah' or 'alice@example.com'."
        ),
    ),
    (
        errors.MissingExtraError("CoreMemoryStore", "langgraph"),
        "CoreMemoryStore needs: pip install 'ai-memory-integrations[langgraph]'",
    ),
    (
        errors.MissingExtraError("CoreMemoryStore", "langgraph", reason="langgraph 0.6.1 is installed, 1.0 is needed"),
        (
            "CoreMemoryStore needs: pip install 'ai-memory-integrations[langgraph]' (langgraph 0.6.1 is "
            "installed, 1.0 is needed)"
        ),
    ),
    (
        errors.BlockLimitError("sarah", "human", 5312, 5000),
        (
            "block 'human' of subject 'sarah' holds at most 5000 characters, got 5312. Shorten the text, move "
            "detail to a passage, or make the block with a larger char_limit."
        ),
    ),
    (
        errors.SubjectExistsError("sarah", "agt_1"),
        (
            "Agent agt_1 already exists for subject 'sarah'. Pass reset=True to start its blocks afresh, or use"
            " it as it is."
        ),
    ),
    (
        errors.SubjectExistsError("sarah", "agt_1", imported=True),
        (
            "Agent agt_1 already exists for subject 'sarah'. Pass merge=True (--merge on the command line) to add"
            " what it lacks, or delete it first."
        ),
    ),
    (
        errors.InvalidMessageError(2, "no 'content' (keys: role, text)"),
        "messages[2]: no 'content' (keys: role, text)",
    ),
    (
        errors.EmbedderMismatchError("wordllama:1 (256)", "openai:3 (1536)"),
        (
            "this store's vectors were made by wordllama:1 (256), the embedder given is openai:3 (1536): they "
            "cannot be compared. Searching by terms only; pass the stored embedder, or run: ai-memory reindex"
        ),
    ),
    (
        errors.RunFailedError(run("failed", attempts=5, error="TimeoutError: no answer", messages=3)),
        (
            "run run_1 of subject 'sarah' failed, attempts: 5, error: TimeoutError: no answer\nMessages that "
            "wait: 3. Learn them with memory.retry_run('run_1'), or: ai-memory learn --retry"
        ),
    ),
    (
        errors.RunFailedError(run("cancelled")),
        "run run_1 was cancelled.",
    ),
    (
        errors.RunTimeoutError("run_1", 300),
        "Run run_1 did not complete within 300 seconds. It goes on; wait again or see get_run().",
    ),
    (
        errors.RunTimeoutError("run_1", 0.5, "learning is off"),
        ("Run run_1 did not complete within 0.5 seconds (learning is off). It goes on; wait again or see get_run()."),
    ),
    (
        errors.StoreNotCreatableError("/etc/memory.db", "Permission denied"),
        (
            "cannot create or write the memory file '/etc/memory.db': Permission denied. Choose a writable "
            "place, e.g. Memory('./memory.db') or AI_MEMORY_URL=sqlite:////var/lib/app/memory.db."
        ),
    ),
    (
        errors.NotAStoreError("notes.txt", "file is not a database"),
        (
            "'notes.txt' is not a memory of this package: file is not a database. It was left as it is; choose another "
            "place, or restore it from a backup."
        ),
    ),
    (
        errors.NewerSchemaError("memory.db", 9, 1),
        (
            "'memory.db' has schema version 9; this release reads up to 1. It was left as it is. Upgrade: pip "
            "install -U ai-memory-integrations"
        ),
    ),
    (
        errors.StoreFullError("memory.db"),
        (
            "no room left to write 'memory.db'; the last change was not made and what was there is unharmed. "
            "Free some disk space and repeat the call."
        ),
    ),
    (
        errors.UnknownURLError("mysql://u:***@host/db", "this release has no backend for 'mysql'"),
        (
            "cannot open 'mysql://u:***@host/db': this release has no backend for 'mysql'. Use "
            "sqlite:///memory.db, a path such as ./memory.db, :memory:, postgresql://user:password@host/database, or "
            "letta://host."
        ),
    ),
    (
        errors.SubjectNotFoundError("sarah"),
        (
            "subject 'sarah' is not known. It begins with its first messages, or with initialize_subject() or "
            "initialize_memory()."
        ),
    ),
    (
        errors.BlockNotFoundError("sarah", "likes", ["human", "summary"]),
        (
            "subject 'sarah' has no block 'likes'. It has 'human', 'summary'. Make it with "
            "initialize_memory('likes', ...)."
        ),
    ),
    (
        errors.BlockNotFoundError("sarah", "likes"),
        ("subject 'sarah' has no block 'likes'. It has no blocks. Make it with initialize_memory('likes', ...)."),
    ),
    (
        errors.PassageNotFoundError("sarah", "psg_1"),
        "subject 'sarah' has no passage 'psg_1'; see list_passages().",
    ),
    (
        errors.RunNotFoundError("run_1"),
        ("run 'run_1' is not known: its subject was deleted, or it belongs to another store. See list_runs()."),
    ),
    (
        errors.VersionConflictError("sarah", "human", 3, 4),
        (
            "block 'human' of subject 'sarah' is at version 4, not 3: somebody changed it. Read it again and "
            "repeat the change."
        ),
    ),
    (
        errors.ReadOnlyBlockError("sarah", "policies"),
        "block 'policies' of subject 'sarah' is read-only for learners and tools.",
    ),
    (
        errors.EditError("human", "'cats' stands there twice"),
        "block 'human': 'cats' stands there twice",
    ),
]


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=lambda value: type(value).__name__)
def test_an_error_says_what_it_is_about_and_what_to_do(error: errors.AIMemoryError, text: str) -> None:
    assert str(error) == text


def test_errors_can_be_caught_by_what_python_calls_them() -> None:
    assert issubclass(errors.SubjectExistsError, ValueError)
    assert issubclass(errors.NoSubjectError, ValueError)
    assert issubclass(errors.InvalidMessageError, ValueError)
    assert issubclass(errors.MissingExtraError, ImportError)
    assert issubclass(errors.RunTimeoutError, TimeoutError)
    assert issubclass(errors.NotFoundError, LookupError)


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=lambda value: type(value).__name__)
def test_an_error_crosses_a_process_boundary_with_its_facts(error: errors.AIMemoryError, text: str) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), text, vars(error))


def test_a_very_long_subject_is_shown_by_its_beginning() -> None:
    text = str(errors.InvalidSubjectError("x" * 1_000_000, "is 1000000 bytes long"))
    assert text.startswith("subject 'xxxx")
    assert len(text) < 300
