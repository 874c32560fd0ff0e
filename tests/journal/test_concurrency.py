"""Many threads in many processes on one place."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from journal.workers import LOG, compete, forked, open_memory
from patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork server")

PROCESSES, THREADS, TIMES = 4, 8, 5


def test_four_processes_of_eight_threads_lose_no_edit_and_no_message(place: str) -> None:
    started = []
    for number in range(PROCESSES):
        ours, theirs = forked().Pipe(duplex=False)
        process = forked().Process(target=compete, args=(place, f"p{number}", THREADS, TIMES, theirs), daemon=True)
        process.start()
        theirs.close()
        started.append((process, ours))
    for process, errors in started:
        assert errors.recv() == []
        process.join()
        errors.close()

    words = [f"p{p}-{t}-{n}." for p in range(PROCESSES) for t in range(THREADS) for n in range(TIMES)]
    with open_memory(place) as memory:
        assert memory.drain(timeout=PATIENCE)
        assert Counter(message.id for message in memory.list_messages("ann")) == Counter(word[:-1] for word in words)
        log = (memory.get_memory(LOG.label, subject_id="ann") or "").splitlines()
        expected = [f"edit {word}" for word in words] + [f"said {word}" for word in words]
        assert Counter(line for line in log if line != "big") == Counter(expected)
        archived = [passage.text for passage in memory.list_passages(subject_id="ann") if passage.role is None]
        assert Counter(archived) == Counter(f"said {word}" for word in words)
