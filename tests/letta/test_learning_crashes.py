"""`kill -9` of processes that learn on a Letta server, at random points, and of the server. `make stress` does it
more often."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from journal.rounds import ROUNDS, STRESS
from journal.workers import forked
from letta.learning_worker import fact, learn, say, say_and_learn
from letta.opening import BATCHED, agent_of, batches, memory_at, said, value_at
from letta.proxy import Proxy
from letta.server import Server
from letta_client import Letta
from patience import PATIENCE, wait_until

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.letta.delivery import Patience

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")

KILLS = ROUNDS if STRESS else 4
FACTS = 12


@pytest.mark.parametrize("exclusive", [False, True], ids=["", "exclusive"])
def test_what_was_acknowledged_is_learnt_once_whenever_the_learning_process_is_killed(
    letta_proxy: Proxy, letta_client: Letta, tmp_path: Path, exclusive: bool
) -> None:
    journal = str(tmp_path / "journal.db")
    subjects = [f"user_{uuid4().hex}" for _ in range(3)]
    acknowledged: list[tuple[str, int]] = []
    kills = KILLS if STRESS or not exclusive else 2
    for number in range(kills):
        numbers = range(number * FACTS, (number + 1) * FACTS)
        process, answers = _start(say_and_learn, letta_proxy.url, journal, exclusive, subjects, numbers)
        answers.recv()  # it is at work
        # Half of them as soon as something is being sent, which is where it matters; the others at any time.
        sent = letta_proxy.count("POST", "*/messages/async")
        if number % 2:
            wait_until(lambda sent=sent: letta_proxy.count("POST", "*/messages/async") > sent)  # type: ignore[misc]
            time.sleep(random.uniform(0, 0.1))
        else:
            time.sleep(random.uniform(0.2, 3.0))
        process.kill()
        process.join()
        acknowledged += _rest(answers)
    process, done = _start(learn, letta_proxy.url, journal, exclusive)
    assert done.recv() is True
    process.join()
    with memory_at(letta_proxy.url, journal, BATCHED, exclusive=exclusive) as memory:
        assert memory.stats().waiting == memory.stats().failed == 0
        _check(memory, letta_client, subjects, acknowledged)
    assert len(acknowledged) > kills


@pytest.mark.parametrize("exclusive", [False, True], ids=["", "exclusive"])
def test_a_batch_that_a_killed_process_had_sent_is_taken_up_with_what_was_written_meanwhile(
    letta_proxy: Proxy, letta_client: Letta, tmp_path: Path, subject: str, go: Path, exclusive: bool
) -> None:
    journal = str(tmp_path / "journal.db")
    with memory_at(letta_proxy.url, journal, "off") as memory:
        memory.initialize_user_memory(subject)
        memory.update_memory("human", "Name: Sarah\nCity: Rome", subject_id=subject)
        memory.add_messages(subject, said(f"{fact(1)} [[until={go}]]"))
        agent = agent_of(memory, subject)
    process, _ = _start(learn, letta_proxy.url, journal, exclusive)
    wait_until(lambda: len(letta_client.runs.list(agent_id=agent, active=True).items) == 1)
    process.kill()
    process.join()
    with memory_at(letta_proxy.url, journal, BATCHED, exclusive=exclusive) as memory:
        memory.replace_memory("human", "City: Rome", "City: Lisbon", subject_id=subject)
        memory.append_memory("human", "By the application", subject_id=subject)
        go.touch()
        assert memory.drain(timeout=PATIENCE) is True
        human = memory.get_user_memory(subject) or ""
        lines = ["Name: Sarah", "City: Lisbon", fact(1), "By the application"]
        assert sorted(filter(None, human.split("\n"))) == sorted(lines)
        wait_until(lambda: value_at(letta_client, agent) == human)
    assert letta_proxy.count("POST", "*/messages/async") == 1


def test_processes_that_share_a_journal_learn_one_subject_in_turn(
    letta_proxy: Proxy, letta_client: Letta, tmp_path: Path, subject: str
) -> None:
    _share(letta_proxy, letta_client, str(tmp_path / "journal.db"), subject)


def test_processes_that_share_a_postgresql_journal_learn_one_subject_in_turn(
    letta_proxy: Proxy, letta_client: Letta, postgres_url: str, subject: str
) -> None:
    _share(letta_proxy, letta_client, postgres_url, subject)


def _share(proxy: Proxy, client: Letta, journal: str, subject: str) -> None:
    started = [_start(say, proxy.url, journal, subject, range(n * 5, n * 5 + 5)) for n in range(4)]
    assert [answers.recv() for _, answers in started] == [5] * 4
    for process, _ in started:
        process.join()
    with memory_at(proxy.url, journal, BATCHED) as memory:
        _check(memory, client, [subject], [(subject, number) for number in range(20)])


@pytest.mark.skipif(not STRESS, reason="the server is started twice and given time to be missed: minutes")
def test_a_server_that_is_killed_in_the_middle_loses_nothing(own_letta: Server, tmp_path: Path) -> None:
    subjects = [f"user_{uuid4().hex}" for _ in range(20)]
    journal = str(tmp_path / "journal.db")
    everything = [(subjects[number % 20], number) for number in range(200)]
    with (
        Letta(base_url=own_letta.url, api_key="none", max_retries=0) as client,
        memory_at(own_letta.url, journal, BATCHED, patience=Patience(settle=10.0, run=60.0)) as memory,
    ):
        for subject, number in everything[:100]:
            memory.add_messages(subject, said(f"{fact(number)} [[sleep=0.2]]"))
        wait_until(lambda: sum(run.state == "completed" for run in memory.list_runs()) >= 5)
        own_letta.kill()
        for subject, number in everything[100:]:
            memory.add_messages(subject, said(fact(number)))
        wait_until(lambda: any("cannot be reached" in (run.error or "") for run in memory.list_runs()))
        own_letta.start()
        assert memory.drain(timeout=400) is True
        assert memory.stats().failed == memory.stats().waiting == 0
        _check(memory, client, subjects, everything)


def _check(memory: Memory, client: Letta, subjects: Iterable[str], acknowledged: Iterable[tuple[str, int]]) -> None:
    """Every fact stands once in what its subject's agent knows, every part of a batch was completed once."""
    for subject in subjects:
        said_of = [number for owner, number in acknowledged if owner == subject]
        if not said_of:
            continue
        human = memory.get_user_memory(subject) or ""
        assert Counter({number: human.count(fact(number)) for number in said_of}) == Counter(said_of)
        assert set(batches(client, agent_of(memory, subject)).values()) <= {1}
        passages = Counter(passage.text.split(" [[")[0] for passage in memory.list_passages(subject_id=subject))
        assert all(passages[fact(number)] == 1 for number in said_of)


def _rest(answers: Connection) -> list[tuple[str, int]]:
    """What a process said before it died; the last word may be cut off."""
    said: list[tuple[str, int]] = []
    try:
        while True:
            said.append(answers.recv())
    except (EOFError, OSError):
        answers.close()
        return said


def _start(work: Any, *arguments: object) -> tuple[BaseProcess, Connection]:
    ours, theirs = forked().Pipe(duplex=False)
    process = forked().Process(target=work, args=(*arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours
