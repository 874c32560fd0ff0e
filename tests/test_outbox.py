"""Messages that the storage would not take are brought to it later, within a bound."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from outages import UnreliableStore
from patience import wait_until

from ai_memory_integrations import Memory, Message
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.errors import BackendError, InvalidInputError
from ai_memory_integrations.outbox import Outbox


@pytest.fixture
def store(tmp_path: Path) -> Iterator[UnreliableStore]:
    real = SQLiteStore(str(tmp_path / "memory.db"))
    yield UnreliableStore(real)
    real.close()


@pytest.fixture
def memory(store: UnreliableStore) -> Iterator[Memory]:
    with Memory(backend=store, embedder=False, learning="off") as memory:
        memory.ensure_subject("sarah")
        yield memory


def said(*ids: str) -> list[Message]:
    return [Message(role="user", content=f"text of {each}", id=each) for each in ids]


def kept(memory: Memory, thread: str = "t") -> list[str]:
    return [message.id for message in memory.list_messages("sarah", thread)]


def test_what_can_be_kept_is_kept_before_it_returns(memory: Memory) -> None:
    outbox = Outbox(memory)
    assert outbox.send("sarah", "t", said("1", "2")) is None
    assert kept(memory) == ["1", "2"]
    assert (outbox.kept, outbox.waiting, outbox.lost) == (2, 0, 0)


def test_what_waits_is_kept_in_order_once_the_storage_answers(store: UnreliableStore, memory: Memory) -> None:
    outbox = Outbox(memory)
    store.down = True
    assert isinstance(outbox.send("sarah", "t", said("1")), BackendError)
    assert isinstance(outbox.send("sarah", "u", said("1")), BackendError)
    outbox.send("sarah", "t", said("1", "2"))
    assert outbox.waiting == 3
    store.down = False
    outbox.send("sarah", "t", said("3"))
    wait_until(lambda: outbox.waiting == 0)
    assert (kept(memory), kept(memory, "u")) == (["1", "2", "3"], ["1"])
    assert (outbox.kept, outbox.lost) == (4, 0)


def test_more_than_the_bound_is_given_up_and_said(
    store: UnreliableStore, memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(memory, limit=2)
    store.down = True
    outbox.send("sarah", "t", said("1", "2", "3"))
    assert (outbox.waiting, outbox.lost) == (2, 1)
    assert "1 messages of subject 'sarah', thread 't' could not be kept and are given up: 2 messages" in caplog.text
    store.down = False
    wait_until(lambda: outbox.waiting == 0)
    assert kept(memory) == ["1", "2"]


def test_what_waited_too_long_is_given_up_and_said(
    store: UnreliableStore, memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(memory, patience=0.1)
    store.down = True
    with caplog.at_level(logging.ERROR):
        outbox.send("sarah", "t", said("1", "2"))
        # It is said a moment after it is counted.
        wait_until(lambda: "2 messages of subject 'sarah', thread 't' could not be kept" in caplog.text)
    assert (outbox.waiting, outbox.lost) == (0, 2)
    assert "does not answer" in caplog.text
    store.down = False
    assert outbox.send("sarah", "t", said("3")) is None
    assert kept(memory) == ["3"]


def test_what_can_never_be_kept_is_refused_at_once(memory: Memory) -> None:
    outbox = Outbox(memory)
    with pytest.raises(InvalidInputError):
        outbox.send("sarah", "t", said("x" * 600))
    outbox.give_up("sarah", "t", said("y"), "too long")
    assert (outbox.waiting, outbox.lost) == (0, 1)
