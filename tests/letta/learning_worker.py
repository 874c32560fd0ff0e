"""What the processes do that learn on a Letta server and are killed: real ones, each with a store of its own."""

from __future__ import annotations

import random
import threading
import time
from multiprocessing.connection import Connection

from letta.opening import BATCHED, memory_at, said

from ai_memory_integrations.backends.letta.delivery import Patience

# Longer than a loaded machine needs to carry out a request that was on its way when its sender was killed.
PATIENT = Patience(settle=10.0, run=300.0)


def fact(number: int) -> str:
    return f"I like fruit{number:04}x"


def say_and_learn(
    url: str, journal: str, exclusive: bool, subjects: list[str], numbers: range, acknowledged: Connection
) -> None:
    """Say facts, learn them in the background, and say which are kept; until killed."""
    with memory_at(url, journal, BATCHED, patience=PATIENT, exclusive=exclusive) as memory:
        acknowledged.send([])
        for number in numbers:
            subject = random.choice(subjects)
            memory.add_messages(subject, said(fact(number)))
            acknowledged.send((subject, number))
            time.sleep(random.uniform(0, 0.3))
        while True:
            memory.drain(timeout=1.0)


def learn(url: str, journal: str, exclusive: bool, done: Connection) -> None:
    """Learn whatever waits, and say so."""
    with memory_at(url, journal, BATCHED, patience=PATIENT, exclusive=exclusive) as memory:
        done.send(memory.drain(timeout=200))


def say(url: str, journal: str, subject: str, numbers: range, done: Connection) -> None:
    """Say facts from many threads, and wait until they are learnt, here or elsewhere."""
    with memory_at(url, journal, BATCHED, patience=PATIENT) as memory:
        runs: list[str] = []
        threads = [
            threading.Thread(target=lambda n=number: runs.append(memory.add_messages(subject, said(fact(n)))))
            for number in numbers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for run in set(runs):
            memory.wait_for_run(run, timeout=200)
        done.send(len(runs))
