"""What the processes do that are killed or compete. They are real ones, forked from a server that has imported all."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.learning.function import FunctionLearner
from ai_memory_integrations.types import Append, Archive, Block, BlockSpec, Edit, LearningMode, LearningPolicy, Message

SUBJECTS = ("ann", "bob", "cat")
_LOADED_LATE = [
    f"ai_memory_integrations.{name}"
    for name in (
        "backends.owner",
        "backends.postgres.store",
        "backends.sqlite",
        "backends.urls",
        "learning.scheduler",
        "search.text",
    )
]
LOG = BlockSpec(label="log", value="\n".join(["big"] * 5000), limit=1_000_000)


def one_line_and_one_passage_each(blocks: Sequence[Block], messages: Sequence[Message]) -> Iterator[Edit]:
    time.sleep(random.uniform(0, 0.01))
    for message in messages:
        yield Append(label=LOG.label, text=message.text, message_ids=(message.id,))
        yield Archive(text=message.text, message_ids=(message.id,))


def open_memory(path: str, mode: LearningMode = "background") -> Memory:
    # A run is tried as often as its learner is killed, on a slow machine very often.
    policy = LearningPolicy(batch=3, idle=0.01, max_wait=0.05, mode=mode, attempts=1000)
    learner = FunctionLearner(one_line_and_one_passage_each, name="scripted", policy=policy)
    return Memory(path, learner=learner, blocks=[LOG], embedder=False, learning=policy)


def write(path: str, mode: LearningMode, name: str, acknowledged: Connection) -> None:
    """Add messages until killed; say which are kept, once the call has returned."""
    memory = open_memory(path, mode)
    batch: list[dict[str, str]] = []
    for number in range(1_000_000):
        if number % 5 != 4:  # every fifth call repeats the one before, as after a lost answer
            subject = random.choice(SUBJECTS)
            ids = [f"{name}-{number}-{place}" for place in range(random.randint(1, 4))]
            batch = [{"role": "user", "content": f"{id_}.", "id": id_} for id_ in ids]
        memory.add_messages(subject, batch, skip_vector_storage=True)
        acknowledged.send([(subject, message["id"]) for message in batch])


def learn(path: str, ready: Connection) -> None:
    """Learn until killed."""
    memory = open_memory(path)
    ready.send([])
    while True:
        memory.drain(timeout=0.2)
        time.sleep(0.005)


def finish(path: str, done: Connection) -> None:
    """Learn what the dead left behind."""
    memory = open_memory(path)
    done.send(memory.drain(timeout=PATIENCE))
    memory.close()


def compete(path: str, name: str, threads: int, rounds: int, done: Connection) -> None:
    """Add messages and edit one block from many threads, then say what went wrong."""
    memory = open_memory(path)
    errors: list[str] = []

    def work(thread: int) -> None:
        try:
            for number in range(rounds):
                word = f"{name}-{thread}-{number}"
                memory.add_messages("ann", [{"role": "user", "content": f"said {word}.", "id": word}])
                memory.append_memory(LOG.label, f"edit {word}.", subject_id="ann")
        except Exception as error:
            errors.append(repr(error))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.send(errors)
    memory.close()


def forked() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_LOADED_LATE])
    return context
