"""Messages that the storage would not take, tried again in the background within a bound."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ai_memory_integrations.errors import BackendError, InvalidInputError
from ai_memory_integrations.forking import at_work
from ai_memory_integrations.types import Message

if TYPE_CHECKING:
    from ai_memory_integrations.memory import Memory

logger = logging.getLogger("ai_memory_integrations")

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0


@dataclass
class _Letter:
    """What waits for one thread of a subject; a message that is put in again is the same one."""

    until: float
    messages: dict[str, Message] = field(default_factory=dict)


class Outbox:
    """Keeps messages of adapters whose call must not fail, and brings them to *memory* when it answers again.

    At most *limit* messages wait, each for at most *patience* seconds and in this process only; what is given up is
    counted in `lost` and said in the log. The order within a subject's thread is kept.
    """

    def __init__(self, memory: Memory, *, limit: int = 1000, patience: float = 300.0) -> None:
        self._memory = memory
        self._limit = limit
        self._patience = patience
        self._lock = threading.Lock()
        self._letters: dict[tuple[str, str], _Letter] = {}
        self._worker: threading.Thread | None = None
        self.kept = 0
        self.lost = 0

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        with self._lock:
            return self._count()

    def waiting_in(self, subject_id: str, thread_id: str) -> list[Message]:
        """The messages that wait for one thread, in order."""
        with self._lock:
            letter = self._letters.get((subject_id, thread_id))
            return [] if letter is None else list(letter.messages.values())

    def send(self, subject_id: str, thread_id: str, messages: Sequence[Message]) -> BackendError | None:
        """Keep messages, or have them tried again and return the error that stood in the way.

        Raises: InvalidInputError; trying again would not help.
        """
        with self._lock:
            behind = (subject_id, thread_id) in self._letters
        error = BackendError("earlier messages of this thread wait already") if behind else None
        if not behind:
            try:
                self._memory.add_messages(subject_id, messages, thread_id=thread_id)
            except BackendError as raised:
                error = raised
        if error is not None:
            self._put(subject_id, thread_id, messages)
            return error
        with self._lock:
            self.kept += len(messages)
        return None

    def give_up(self, subject_id: str, thread_id: str, messages: Sequence[Message], reason: str) -> None:
        """Count and say messages that can never be kept."""
        with self._lock:
            self.lost += len(messages)
        _say_lost(subject_id, thread_id, len(messages), reason)

    def _put(self, subject_id: str, thread_id: str, messages: Sequence[Message]) -> None:
        with self._lock:
            room = self._limit - self._count()
            letter = self._letters.get((subject_id, thread_id)) or _Letter(time.monotonic() + self._patience)
            fresh = [message for message in messages if message.id not in letter.messages]
            letter.messages.update((message.id, message) for message in fresh[: max(room, 0)])
            if letter.messages:
                self._letters[subject_id, thread_id] = letter
            if self._letters and (self._worker is None or not self._worker.is_alive()):
                self._worker = threading.Thread(target=self._work, name="ai-memory-outbox", daemon=True)
                self._worker.start()
            overflow = fresh[max(room, 0) :]
            self.lost += len(overflow)
        if overflow:
            _say_lost(subject_id, thread_id, len(overflow), f"{self._limit} messages wait already")

    def _count(self) -> int:
        return sum(len(letter.messages) for letter in self._letters.values())

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while True:
            time.sleep(pause)
            with self._lock:
                if not self._letters:
                    self._worker = None
                    return
                (subject_id, thread_id), letter = next(iter(self._letters.items()))
                messages = list(letter.messages.values())
            try:
                with at_work():
                    self._memory.add_messages(subject_id, messages, thread_id=thread_id)
            except BackendError as error:
                pause = min(pause * 2, LONGEST_PAUSE)
                if time.monotonic() >= letter.until:
                    self._done(subject_id, thread_id, messages, lost=str(error))
            except InvalidInputError as error:
                self._done(subject_id, thread_id, messages, lost=str(error))
            else:
                pause = 0.0
                self._done(subject_id, thread_id, messages)

    def _done(self, subject_id: str, thread_id: str, messages: Sequence[Message], *, lost: str | None = None) -> None:
        with self._lock:
            letter = self._letters.pop((subject_id, thread_id))
            for message in messages:
                letter.messages.pop(message.id)
            if letter.messages:
                # They came meanwhile and have a patience of their own; behind the others, whose turn it is.
                letter.until = time.monotonic() + self._patience
                self._letters[subject_id, thread_id] = letter
            self.kept += 0 if lost else len(messages)
            self.lost += len(messages) if lost else 0
        if lost is not None:
            _say_lost(subject_id, thread_id, len(messages), lost)


def _say_lost(subject_id: str, thread_id: str, count: int, reason: str) -> None:
    logger.error(
        "%d messages of subject %r, thread %r could not be kept and are given up: %s",
        count,
        subject_id,
        thread_id,
        reason,
    )
