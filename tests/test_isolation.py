"""Subjects never see each other, whatever they are called and in whatever order things happen."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ai_memory_integrations import Memory

SUBJECTS = ["a", "A", "a@b.com", "a:b", "ai-memory-sdk", "a%", "_", "user", "human", "a\u0301", "á", " a"]
subjects = st.sampled_from(SUBJECTS)
threads = st.sampled_from(["default", "t", "a"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), subjects, threads),
        st.tuples(st.just("archive"), subjects, threads),
        st.tuples(st.just("append"), subjects, threads),
        st.tuples(st.just("clear"), subjects, threads),
        st.tuples(st.just("forget"), subjects, threads),
        st.tuples(st.just("delete"), subjects, threads),
        st.tuples(st.just("search"), subjects, threads),
    ),
    max_size=25,
)


def secret_of(subject: str) -> str:
    return f"secret{SUBJECTS.index(subject)}x"


def do(memory: Memory, action: str, subject: str, thread: str) -> None:
    secret = secret_of(subject)
    if action == "say":
        memory.add_messages(subject, [{"role": "user", "content": f"I like {secret} plums."}], thread_id=thread)
    elif action == "archive":
        memory.add_passages([f"{secret} plums"], subject_id=subject)
    elif action == "append" and memory.get_block("human", subject) is not None:
        memory.append_memory("human", secret, subject)
    elif action == "clear":
        memory.clear_thread(subject, thread)
    elif action == "forget":
        memory.delete_thread(subject, thread, forget=True)
    elif action == "delete":
        memory.delete_subject(subject)
    elif action == "search":
        memory.search(subject, "plums")


def everything(memory: Memory, subject: str) -> str:
    """All that can be read about a subject."""
    return "\n".join(
        [
            memory.prompt(subject, query="plums", limit=50),
            *memory.search(subject, "plums", tags=[], limit=50),
            *(passage.text for passage in memory.list_passages(subject_id=subject)),
            *(message.text for message in memory.list_messages(subject)),
            *(version.value for version in memory.memory_history("human", subject)),
        ]
    )


@settings(max_examples=40)
@given(steps)
def test_no_subject_ever_reads_another_ones_secret(steps: list[tuple[str, str, str]]) -> None:
    with Memory(":memory:", learning="inline") as memory:
        written: dict[str, bool] = {}
        for action, subject, thread in steps:
            do(memory, action, subject, thread)
            if action in ("say", "archive"):
                written[subject] = True
            if action == "delete":
                written[subject] = False
        for subject in SUBJECTS:
            seen = everything(memory, subject)
            for other in SUBJECTS:
                if other != subject:
                    assert secret_of(other) not in seen
            if not written.get(subject):
                assert secret_of(subject) not in seen
        assert {each.subject_id for each in memory.list_subjects()} == {
            name for name, is_there in written.items() if is_there
        }


@settings(max_examples=30)
@given(st.lists(st.tuples(subjects, st.text(min_size=1, max_size=30)), max_size=15))
def test_messages_come_back_in_order_and_exactly(said: list[tuple[str, str]]) -> None:
    with Memory(":memory:", learning="off") as memory:
        for subject, text in said:
            memory.add_messages(subject, [{"role": "user", "content": text}])
        for subject in SUBJECTS:
            expected = [text for name, text in said if name == subject]
            assert [message.text for message in memory.list_messages(subject)] == expected
