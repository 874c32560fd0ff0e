"""`kill -9` of processes that write and learn, at random points. `make stress` does it more often."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from multiprocessing.connection import Connection
from typing import Any

import pytest
from journal.rounds import ROUNDS
from journal.workers import LOG, SUBJECTS, finish, forked, learn, open_memory, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")


def test_what_was_acknowledged_survives_kill_9_and_is_learnt_once(place: str) -> None:
    acknowledged: set[tuple[str, str]] = set()
    for number in range(ROUNDS):
        acknowledged |= _round(place, number)
    assert _ask(finish, place) is True
    with open_memory(place, "off") as memory:
        assert memory.stats().waiting == memory.stats().running == memory.stats().failed == 0
        for subject in SUBJECTS:
            kept = {message.id for message in memory.list_messages(subject)}
            assert {name for owner, name in acknowledged if owner == subject} <= kept
            once = Counter(f"{name}." for name in kept)
            assert Counter(passage.text for passage in memory.list_passages(subject_id=subject)) == once
            log = (memory.get_memory(LOG.label, subject_id=subject) or "").splitlines()
            assert Counter(line for line in log if line != "big") == once
    if "://" not in place:
        with closing(sqlite3.connect(place)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(acknowledged) > ROUNDS


def _round(path: str, number: int) -> set[tuple[str, str]]:
    """A process that writes, one that learns and one that does both; each dies at a moment of its own."""
    started = [
        _start(write, path, "off", f"{number}w"),
        _start(write, path, "background", f"{number}b"),
        _start(learn, path),
    ]
    acknowledged: set[tuple[str, str]] = set()
    for _, answers in started:  # all are at work
        acknowledged.update(answers.recv())
    random.shuffle(started)
    for process, answers in started:
        time.sleep(random.uniform(0, 0.15))
        process.kill()
        process.join()
        acknowledged |= _rest(answers)
    return acknowledged


def _rest(answers: Connection) -> set[tuple[str, str]]:
    """What a process said before it died; the last word may be cut off."""
    said: set[tuple[str, str]] = set()
    try:
        while True:
            said.update(answers.recv())
    except (EOFError, OSError):
        answers.close()
        return said


def _start(work: Any, path: str, *arguments: str) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    ours, theirs = forked().Pipe(duplex=False)
    process = forked().Process(target=work, args=(path, *arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _ask(work: Any, path: str) -> Any:
    process, answers = _start(work, path)
    answer = answers.recv()
    process.join()
    answers.close()
    return answer
