"""The one way from `async def` callers to blocking calls: threads of our own that never delay the end of a process.

A `ThreadPoolExecutor` is joined when Python exits, so one slow call would hold the whole process; daemon threads are
not. They belong to no event loop, so one bridge serves every loop and thread a framework calls from.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from ai_memory_integrations.forking import at_work

P = ParamSpec("P")
T = TypeVar("T")
_Job = Callable[[], None]


class Bridge:
    """Runs blocking calls for async callers, at most *size* at a time, in the caller's context.

    A thread without work for *patience* seconds ends, so nobody has to close a bridge.
    """

    def __init__(self, size: int = 8, *, patience: float = 10.0) -> None:
        self._size = size
        self._patience = patience
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._unfinished = 0

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of *call*. Cancelling the caller ends the waiting, not the work: it finishes by itself."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        bound = partial(contextvars.copy_context().run, call, *args, **kwargs)
        self._submit(partial(_carry_out, bound, loop, future))
        return await future

    def _submit(self, job: _Job) -> None:
        with self._lock:
            self._unfinished += 1
            start = self._threads < min(self._unfinished, self._size)
            if start:
                self._threads += 1
        self._jobs.put(job)
        if start:
            name = f"ai-memory-{self._threads}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._patience)
            except queue.Empty:
                with self._lock:
                    if self._unfinished < self._threads:  # the others are enough
                        self._threads -= 1
                        return
                continue
            with at_work():
                job()
            del job  # while the thread waits it keeps nothing alive
            with self._lock:
                self._unfinished -= 1


def _carry_out(call: Callable[[], Any], loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
    try:
        result, error = call(), None
    except BaseException as raised:  # noqa: BLE001 - carried to the caller whole, whatever it is
        result, error = None, raised
    try:
        loop.call_soon_threadsafe(_settle, future, result, error)
    except RuntimeError:
        return  # the caller's loop is closed: nobody waits for the answer any more


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # cancelled meanwhile
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):
        # A future cannot hold it; PEP 479 turns it into the same error in a generator.
        future.set_exception(RuntimeError("the call raised StopIteration"))
    else:
        future.set_exception(error)
