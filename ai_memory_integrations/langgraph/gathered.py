"""Calls that are made at the same time, carried out together: a commit for all of them instead of one for each.

Applications write with `asyncio.gather`, and LangGraph's own asynchronous stores gather what is asked for in one turn
of the event loop. Nobody waits for company: what is asked for while others are at work is the next round.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from ai_memory_integrations.errors import BackendUnavailableError

T = TypeVar("T")
_AT_ONCE = 1_000


@dataclass
class _Line(Generic[T]):
    """Who waits in one event loop, in their order, whether somebody works for them, and the task that does."""

    waiting: list[tuple[T, asyncio.Future[bool]]] = field(default_factory=list)
    at_work: bool = False
    task: asyncio.Task[None] | None = None  # a loop keeps no task alive


class Gathered(Generic[T]):
    """Gathers calls, for each event loop its own. *together* carries out some of those it is given, and says which.

    What it leaves, and everything when it raises, the callers have to do alone; but an outage is everybody's.
    """

    def __init__(self, together: Callable[[Sequence[T]], Awaitable[Sequence[bool]]]) -> None:
        self._together = together
        self._lock = threading.Lock()
        self._lines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Line[T]] = weakref.WeakKeyDictionary()

    async def is_done(self, call: T) -> bool:
        """Whether *call* was carried out together with others; False where nobody else waits or it has to go alone.

        Cancelling ends the waiting, not the work. Raises: BackendUnavailableError.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            line = self._lines.setdefault(loop, _Line())
        done: asyncio.Future[bool] = loop.create_future()
        line.waiting.append((call, done))
        if not line.at_work:
            self._begin(loop, line)
        return await done

    def _begin(self, loop: asyncio.AbstractEventLoop, line: _Line[T]) -> None:
        line.at_work = True  # said first: an eager task is done when it is made
        line.task = loop.create_task(self._work(line))
        line.task.add_done_callback(partial(self._ended, loop, line))

    def _ended(self, loop: asyncio.AbstractEventLoop, line: _Line[T], task: asyncio.Task[None]) -> None:
        """Somebody may have cancelled every task there was, because the loop ends or to ask for more."""
        line.at_work, line.task = False, None
        if task.cancelled():
            line.waiting = [(call, done) for call, done in line.waiting if not done.done()]
        if line.waiting:
            self._begin(loop, line)

    async def _work(self, line: _Line[T]) -> None:
        while line.waiting:
            calls, line.waiting = line.waiting[:_AT_ONCE], line.waiting[_AT_ONCE:]
            await self._carry_out(calls)

    async def _carry_out(self, calls: Sequence[tuple[T, asyncio.Future[bool]]]) -> None:
        left = [done for _, done in calls]
        if len(left) == 1 and not left[0].done():
            left[0].set_result(False)
            return
        try:
            found = await self._together([call for call, _ in calls])
        except BackendUnavailableError as error:
            for done in left:
                if not done.done():
                    done.set_exception(error)
        except Exception:  # noqa: BLE001 - whoever it belongs to meets it again alone
            for done in left:
                if not done.done():
                    done.set_result(False)
        else:
            for done, result in zip(left, found, strict=True):
                if not done.done():
                    done.set_result(result)
        finally:
            for done in left:  # it was cancelled itself: nobody is left waiting
                done.cancel()
