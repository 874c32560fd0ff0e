"""The ways in which a framework's callers reach an object: every contract holds in each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from blockbuster import blockbuster_ctx

T = TypeVar("T")

WAYS = ("sync", "async", "sync in a running loop", "in a worker thread")


def reach(way: str, call: Callable[[], T], acall: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of *call*, or of *acall* on a loop that nothing may block."""
    if way == "sync":
        return call()
    if way == "async":
        return asyncio.run(_unblocked(acall))
    if way == "sync in a running loop":
        return asyncio.run(_inside(call))
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


async def _inside(call: Callable[[], T]) -> T:
    return call()


async def _unblocked(acall: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with blockbuster_ctx():
        return await acall()
