"""Deleting expired items in the background."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
from contextlib import suppress

from ai_memory_integrations.errors import BackendError
from ai_memory_integrations.memory import Memory

logger = logging.getLogger("ai_memory_integrations.langgraph")


def nothing_to_do() -> concurrent.futures.Future[None]:
    """What sweeping that is over, or never begins, is."""
    future: concurrent.futures.Future[None] = concurrent.futures.Future()
    future.set_result(None)
    return future


class Sweeper:
    """Sweeps in a thread that keeps no process alive."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._future = nothing_to_do()

    def start(self, seconds: float) -> concurrent.futures.Future[None]:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stop, self._future = threading.Event(), concurrent.futures.Future()
                stop = self._stop
                self._future.add_done_callback(lambda future: stop.set())
                self._thread = threading.Thread(
                    target=self._sweep, args=(seconds, stop, self._future), name="ai-memory-sweep", daemon=True
                )
                self._thread.start()
            return self._future

    def stop(self, timeout: float | None) -> bool:
        self._stop.set()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _sweep(self, seconds: float, stop: threading.Event, future: concurrent.futures.Future[None]) -> None:
        while not stop.wait(seconds):
            try:
                swept = self._memory._core.store.items.sweep_items()
            except BackendError as error:
                if self._memory._core.closed:
                    break
                logger.warning("expired items were not deleted, again in %g s: %s", seconds, error)
            else:
                logger.debug("%d expired items were deleted", swept)
        with suppress(concurrent.futures.InvalidStateError):  # it was cancelled
            future.set_result(None)
