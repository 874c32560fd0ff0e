"""Deleting a subject removes it from the file, not only from the tables."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ai_memory_integrations import Memory, Message
from ai_memory_integrations.backends.sqlite.store import SQLiteStore

SECRET = "zebrafish"


def bytes_on_disk(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in path.parent.iterdir() if each.name.startswith(path.name))


def fill(memory: Memory, subject: str, word: str) -> None:
    """Texts of all sizes, some changed, moved and deleted again, so that pages split and merge."""
    chance = random.Random(1)
    memory.initialize_user_memory(subject)
    for number in range(120):
        text = " ".join([word] * chance.randint(1, 400 if number % 10 else 4000))
        message = Message(
            role="user", content=text, name=word, metadata={"note": word}, thread_id=f"{word}{number % 5}"
        )
        memory.add_messages(subject, [message])
        if number % 3 == 0:
            memory.update_memory("human", text[:9000], subject_id=subject)
        if number % 7 == 0:
            memory.delete_thread(subject, f"{word}{number % 5}", forget=True)
    memory.add_passages([{"text": f"{word} {number}", "tags": [word]} for number in range(50)], subject_id=subject)
    memory.flush(subject)


@pytest.fixture(params=["at once", "in steps"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where a small file is erased by VACUUM, and where it is taken for a large one."""
    return tmp_path / f"{request.param}.db"


def store_at(path: Path) -> SQLiteStore:
    """A store in that file; the way of erasing is in its name."""
    return SQLiteStore(str(path), vacuum_bytes=0) if "steps" in path.name else SQLiteStore(str(path))


@contextmanager
def opened(path: Path) -> Iterator[Memory]:
    store = store_at(path)
    with Memory(backend=store) as memory:
        yield memory
    store.close()


def test_no_byte_of_a_deleted_subject_stays_on_disk(path: Path) -> None:
    with opened(path) as memory:
        fill(memory, f"user-{SECRET}", SECRET)
        fill(memory, "bob", "goldfish")
        assert SECRET.encode() in bytes_on_disk(path)
        receipt = memory.delete_subject(f"user-{SECRET}")
        assert receipt is not None
        assert receipt.complete
        assert SECRET.encode() not in bytes_on_disk(path)
        assert b"goldfish" in bytes_on_disk(path)
        assert memory.search("bob", "goldfish")
    assert SECRET.encode() not in bytes_on_disk(path)


def test_what_an_open_reader_holds_back_is_erased_at_the_next_open(path: Path) -> None:
    store = store_at(path)
    memory = Memory(backend=store)
    memory.add_messages("sarah", [{"role": "user", "content": f"my password is {SECRET}"}])
    memory.flush("sarah")
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM message").fetchone() == (1,)
    receipt = memory.delete_subject("sarah")
    assert receipt is not None
    assert not receipt.complete
    assert SECRET.encode() in bytes_on_disk(path)
    memory.close()
    store.close()
    reader.close()
    with opened(path) as again:
        assert again.list_subjects() == []
        assert SECRET.encode() not in bytes_on_disk(path)


def test_a_cleared_thread_leaves_no_text_once_it_is_learnt(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory(str(path), learning="off") as memory:
        run = memory.add_messages(
            "sarah", [{"role": "assistant", "content": f"the word is {SECRET}"}], skip_vector_storage=True
        )
        memory.clear_thread("sarah")
        assert memory.list_messages("sarah") == []
        memory.wait_for_run(run)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT body FROM message").fetchall() == [("",)]
    connection.close()


def test_deleting_an_unknown_subject_gives_none(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "memory.db")) as memory:
        assert memory.delete_subject("nobody") is None
        assert memory.delete_user("nobody") is None
