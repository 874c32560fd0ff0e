"""A large file is written anew in short steps after a deletion: nothing of the subject stays, nothing else is lost."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from test_erasure import bytes_on_disk

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.sqlite.store import SQLiteStore

SUBJECTS = st.sampled_from([f"subject {number}" for number in range(6)])
WORDS = st.sampled_from((1, 4, 20, 90, 400))
Rows = dict[str, list[tuple[Any, ...]]]


def store_at(path: Path, **options: Any) -> SQLiteStore:
    """A store that takes a file of any size for a large one."""
    return SQLiteStore(str(path), **{"synchronous": "normal", "vacuum_bytes": 0, **options})


def rows_of_others(store: SQLiteStore, subject_id: str) -> Rows:
    """Every row of the file that is not the subject's."""
    with store.database.read() as connection:
        found = connection.execute("SELECT no FROM subject WHERE subject_id = ?", (subject_id,)).fetchone()
        no = -1 if found is None else found[0]
        whose = {"subject": "no", "passage": "subject", "passage_vector": "id >> 32", "message": "subject"}
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'meta'").fetchall()
        rows = {}
        for (table,) in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            owner = whose.get(table, "subject" if "subject" in columns else "-2")
            rows[table] = sorted(
                connection.execute(f"SELECT * FROM {table} WHERE {owner} <> ?", (no,)).fetchall(), key=repr
            )
        return rows


class Histories(RuleBasedStateMachine):
    """Whatever was written, changed, split, merged and deleted before: after `delete_subject` nothing is left.

    Every word is used once and has a mark of its subject, so that a piece of any text is found.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "memory.db"
        self.store = store_at(self.path)
        self.memory = Memory(backend=self.store, learning="off", embedder=False)
        self.chance = random.Random(7)
        self.marks: dict[str, str] = {}
        self.gone: list[bytes] = []

    def teardown(self) -> None:
        self.memory.close()
        self.store.close()
        self.nothing_is_left()
        self.folder.cleanup()

    def text(self, subject: str, words: int = 1) -> str:
        mark = self.marks.setdefault(subject, f"{self.chance.getrandbits(48):012x}")
        return " ".join(f"{mark}{self.chance.getrandbits(32):08x}" for _ in range(words))

    def nothing_is_left(self) -> None:
        there = bytes_on_disk(self.path)
        assert [mark for mark in self.gone if mark in there] == []

    @rule(subjects=st.sets(SUBJECTS, min_size=1), words=st.lists(WORDS, min_size=1, max_size=30))
    def talk(self, subjects: set[str], words: list[int]) -> None:
        """In turns, so that rows come between those of others and pages are split."""
        for number, count in enumerate(words):
            for subject in sorted(subjects):
                message = {
                    "role": ("user", "assistant")[number % 2],
                    "content": self.text(subject, count),
                    "id": self.text(subject),
                    "name": self.text(subject),
                    "thread_id": f"{self.marks[subject]}{number % 3}",
                    "metadata": {"note": self.text(subject)},
                }
                self.memory.add_messages(subject, [message])

    @rule(subject=SUBJECTS, words=st.lists(WORDS, min_size=1, max_size=8))
    def archive(self, subject: str, words: list[int]) -> None:
        self.memory.add_passages(
            [
                {"text": self.text(subject, count), "tags": [self.text(subject)], "metadata": {"x": self.text(subject)}}
                for count in words
            ],
            subject_id=subject,
        )

    @rule(subject=SUBJECTS, words=st.lists(WORDS, min_size=1, max_size=8), label=st.sampled_from(("human", "notes")))
    def change_a_block(self, subject: str, words: list[int], label: str) -> None:
        self.memory.initialize_memory(label, self.text(subject), subject_id=subject)
        for count in words:
            self.memory.update_memory(label, self.text(subject, count), subject_id=subject)
        self.store.notes.put(subject, self.text(subject), {"note": self.text(subject)})

    @rule(subject=SUBJECTS, thread=st.integers(0, 2), how=st.sampled_from(("clear", "forget", "learn")))
    def end_a_thread(self, subject: str, thread: int, how: str) -> None:
        if subject in self.marks:
            thread_id = f"{self.marks[subject]}{thread}"
            if how == "clear":
                self.memory.clear_thread(subject, thread_id)
            elif how == "forget":
                self.memory.delete_thread(subject, thread_id, forget=True)
            else:
                self.memory.flush(subject)

    @rule(subject=SUBJECTS, places=st.sets(st.integers(0, 60)))
    def delete_passages(self, subject: str, places: set[int]) -> None:
        if subject in self.marks:
            for place, passage in enumerate(self.memory.list_passages(subject_id=subject)):
                if place in places:
                    self.memory.delete_passage(passage.id, subject_id=subject)

    @precondition(lambda self: self.marks)
    @rule(subject=SUBJECTS)
    def delete_a_subject(self, subject: str) -> None:
        before = rows_of_others(self.store, subject)
        receipt = self.memory.delete_subject(subject)
        assert receipt is None or receipt.complete
        if subject in self.marks:
            self.gone.append(self.marks.pop(subject).encode())
        self.nothing_is_left()
        assert rows_of_others(self.store, subject) == before


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_left_of_those_who_leave_a_full_file_one_after_the_other(tmp_path: Path, seed: int) -> None:
    """With so many rows between each other some copies do stay behind where pages are only overwritten."""
    path, chance = tmp_path / "memory.db", random.Random(seed)
    marks = {f"subject {number}": f"{chance.getrandbits(48):012x}" for number in range(20)}
    store = store_at(path)

    def text(subject: str, words: int) -> str:
        return " ".join(f"{marks[subject]}{chance.getrandbits(32):08x}" for _ in range(words))

    with Memory(backend=store, learning="off", embedder=False) as memory:
        for subject in marks:
            memory.initialize_user_memory(subject)
        for number in range(800):
            subject = chance.choice(list(marks))
            said = {"role": "user", "content": text(subject, chance.choice((1, 3, 10, 60, 300)))}
            memory.add_messages(subject, [{**said, "thread_id": text(subject, 1)}])
            if number % 4 == 0:
                memory.update_memory("human", text(subject, chance.randint(1, 300)), subject_id=subject)
        for subject in list(marks)[:8]:
            others = rows_of_others(store, subject)
            assert memory.delete_subject(subject) is not None
            assert marks[subject].encode() not in bytes_on_disk(path)
            assert rows_of_others(store, subject) == others
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of several subjects whose rows lie between each other."""
    path = tmp_path / "memory.db"
    with Memory(str(path), learning="off", embedder=False) as memory:
        for number in range(40):
            for subject in ("sarah", "bob", "carol"):
                said = [{"role": "user", "content": f"{subject}{number} " * (number * 7 % 50 + 1)}] * 5
                memory.add_messages(subject, said, skip_vector_storage=number % 2 == 0)
        memory.initialize_memory("human", subject_id="sarah")
        memory.update_memory("human", "sarah sarah", subject_id="sarah")
    return path


DYING = """
import os, sys, time
from pathlib import Path
from ai_memory_integrations.backends.sqlite import erasure
from test_erasure_in_steps import store_at

erasure.STEP_SECONDS = 0  # so that there are many
left = [int(sys.argv[2])]

def clock():
    left[0] -= armed[0]
    if left[0] < 0:
        os._exit(9)
    return time.time()

armed = [0]
store = store_at(Path(sys.argv[1]), clock=clock)
store.backend.get_subject("sarah")
armed[0] = 1
store.backend.delete_subject("sarah")
"""


@pytest.mark.parametrize("steps", [2, 3, 5, 8, 11, 14])
def test_what_a_process_that_died_left_over_is_erased_at_the_next_open(path: Path, steps: int) -> None:
    """The clock is asked in every step, so it can stop the process at any of them."""
    store = store_at(path)
    others = rows_of_others(store, "sarah")
    store.close()
    died = subprocess.run(
        [sys.executable, "-c", DYING, str(path), str(steps)], cwd=Path(__file__).parent, check=False, timeout=60
    )
    assert died.returncode == 9
    store = store_at(path)
    assert [subject.subject_id for subject in store.backend.list_subjects()] == ["bob", "carol"]
    assert b"sarah" not in bytes_on_disk(path)
    assert rows_of_others(store, "sarah") == others
    store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT * FROM meta").fetchall() == []
    connection.close()


def test_others_write_meanwhile_and_lose_nothing(path: Path) -> None:
    ended = threading.Event()
    said: list[str] = []

    def talk() -> None:
        with Memory(str(path), learning="off", embedder=False) as memory:
            while not ended.is_set() or len(said) < 20:
                text = f"dora says {len(said)}"
                memory.add_messages("dora", [{"role": "user", "content": text, "thread_id": "t"}])
                memory.delete_thread("bob", "default", forget=True)
                memory.add_messages("bob", [{"role": "user", "content": text, "thread_id": "default"}])
                said.append(text)

    talking = threading.Thread(target=talk)
    store = store_at(path)
    talking.start()
    try:
        for subject in ("sarah", "carol"):
            assert store.backend.delete_subject(subject) is not None
    finally:
        ended.set()
        talking.join()
    with Memory(backend=store, learning="off", embedder=False) as memory:
        assert [message.text for message in memory.list_messages("dora", thread_id="t")] == said
        assert [message.text for message in memory.list_messages("bob")] == said[-1:]
        assert memory.search("dora", "says", limit=1000, tags=[])[:1] != []
    store.close()
    store = store_at(path)
    assert [subject.subject_id for subject in store.backend.list_subjects()] == ["bob", "dora"]
    store.close()
    there = bytes_on_disk(path)
    assert b"sarah" not in there
    assert b"carol" not in there


@pytest.mark.parametrize("together", [True, False], ids=["one memory", "two memories"])
def test_two_that_delete_at_once_both_erase(path: Path, together: bool) -> None:
    first, second = store_at(path), store_at(path)
    receipts: list[Any] = []

    def delete(store: SQLiteStore, subject: str) -> None:
        receipts.append(store.backend.delete_subject(subject))

    threads = [
        threading.Thread(target=delete, args=(first, "sarah")),
        threading.Thread(target=delete, args=(first if together else second, "carol")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {receipt.subject_id for receipt in receipts} == {"sarah", "carol"}
    first.close()
    second.close()
    store = store_at(path)
    assert [subject.subject_id for subject in store.backend.list_subjects()] == ["bob"]
    store.close()
    there = bytes_on_disk(path)
    assert b"sarah" not in there
    assert b"carol" not in there


def test_deleted_inside_a_transaction_it_is_erased_after_the_commit(path: Path) -> None:
    store = store_at(path)
    with store.journal.transaction():
        receipt = store.backend.delete_subject("sarah")
    assert receipt is not None
    assert not receipt.complete
    assert b"sarah" not in bytes_on_disk(path)
    store.close()


def test_numbers_are_not_used_again(path: Path) -> None:
    store = store_at(path)
    store.backend.create_subject("last")
    no = subject_number(store, "last")
    store.backend.delete_subject("last")
    store.backend.create_subject("new")
    assert subject_number(store, "new") == no + 1
    for subject in ("sarah", "bob", "carol", "new"):
        store.backend.delete_subject(subject)
    store.backend.create_subject("newest")
    assert subject_number(store, "newest") == no + 2
    store.close()


def subject_number(store: SQLiteStore, subject_id: str) -> int:
    with store.database.read() as connection:
        number: int = connection.execute("SELECT no FROM subject WHERE subject_id = ?", (subject_id,)).fetchone()[0]
    return number
