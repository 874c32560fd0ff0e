"""`AsyncMemory`: `Memory` for `async def` callers. The same methods with the same arguments, awaited."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, overload

from ai_memory_integrations.memory import Memory
from ai_memory_integrations.subjects import SubjectId
from ai_memory_integrations.types import Run
from ai_memory_integrations.waiting import Steps, advance

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    method: Callable[Concatenate[Memory, P], T],
) -> Callable[Concatenate[AsyncMemory, P], Coroutine[Any, Any, T]]:
    """*method* in one hop to a thread. Cancelling stops the waiting, not the work: it happens whole or not at all."""

    async def call(self: AsyncMemory, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._memory._core.bridge.run(method, self._memory, *args, **kwargs)

    return functools.update_wrapper(call, method)


def _made_as(
    like: Callable[Concatenate[Memory, P], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate[AsyncMemory, P], None]]:
    """Gives an `__init__` the arguments of another, for readers and type checkers."""

    def typed(init: Callable[..., None]) -> Callable[Concatenate[AsyncMemory, P], None]:
        return functools.update_wrapper(init, like)

    return typed


class AsyncMemory:
    """`Memory`, awaitable: made with the same arguments, or reached as `memory.aio`.

    One object serves any number of event loops and threads; nothing blocks a loop, and no call holds a thread while
    it waits for a run.
    """

    @_made_as(Memory.__init__)
    def __init__(self, *args: Any, **options: Any) -> None:
        self._memory = Memory(*args, **options)

    @classmethod
    def over(cls, memory: Memory) -> Self:
        """The awaitable view of *memory*; closing it closes *memory*."""
        view = object.__new__(cls)
        view._memory = memory
        return view

    @property
    def subject_id(self) -> str | None:
        """The bound subject, if there is one."""
        return self._memory.subject_id

    @property
    def blocking(self) -> Memory:
        """The same memory for callers that are not async."""
        return self._memory

    def for_subject(self, subject_id: SubjectId) -> AsyncMemory:
        """A view bound to a subject: cheap, shares everything, closes nothing. Not awaited: nothing is read."""
        return AsyncMemory.over(self._memory.for_subject(subject_id))

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a blocking function on this memory's threads, in the caller's context: for adapters that do
        several things in one hop."""
        return await self._memory._core.bridge.run(call, *args, **kwargs)

    initialize_subject = _awaited(Memory.initialize_subject)
    ensure_subject = _awaited(Memory.ensure_subject)
    get_memory_agent_id = _awaited(Memory.get_memory_agent_id)
    list_subjects = _awaited(Memory.list_subjects)
    delete_subject = _awaited(Memory.delete_subject)
    delete_user = _awaited(Memory.delete_user)

    initialize_memory = _awaited(Memory.initialize_memory)
    get_memory = _awaited(Memory.get_memory)
    get_block = _awaited(Memory.get_block)
    list_blocks = _awaited(Memory.list_blocks)
    delete_block = _awaited(Memory.delete_block)
    update_memory = _awaited(Memory.update_memory)
    append_memory = _awaited(Memory.append_memory)
    replace_memory = _awaited(Memory.replace_memory)
    memory_history = _awaited(Memory.memory_history)
    prune_history = _awaited(Memory.prune_history)
    restore_memory = _awaited(Memory.restore_memory)

    initialize_user_memory = _awaited(Memory.initialize_user_memory)
    get_user_memory = _awaited(Memory.get_user_memory)
    get_summary = _awaited(Memory.get_summary)

    add_messages_for_subject = _awaited(Memory.add_messages_for_subject)
    add_messages_here = _awaited(Memory.add_messages_here)
    list_messages = _awaited(Memory.list_messages)
    set_messages = _awaited(Memory.set_messages)
    annotate_messages = _awaited(Memory.annotate_messages)
    list_threads = _awaited(Memory.list_threads)
    clear_thread = _awaited(Memory.clear_thread)
    delete_messages = _awaited(Memory.delete_messages)
    delete_thread = _awaited(Memory.delete_thread)

    get_run = _awaited(Memory.get_run)
    list_runs = _awaited(Memory.list_runs)
    retry_run = _awaited(Memory.retry_run)
    cancel_run = _awaited(Memory.cancel_run)
    make_due = _awaited(Memory.make_due)
    stats = _awaited(Memory.stats)
    usage = _awaited(Memory.usage)

    search = _awaited(Memory.search)
    search_passages = _awaited(Memory.search_passages)
    add_passages = _awaited(Memory.add_passages)
    add_files = _awaited(Memory.add_files)
    get_passage = _awaited(Memory.get_passage)
    list_passages = _awaited(Memory.list_passages)
    delete_passage = _awaited(Memory.delete_passage)
    reindex = _awaited(Memory.reindex)

    prompt = _awaited(Memory.prompt)
    recall = _awaited(Memory.recall)

    @overload
    async def add_messages(
        self,
        user_id: SubjectId,
        messages: Iterable[Any],
        skip_vector_storage: bool | None = None,
        *,
        thread_id: str | None = None,
    ) -> str: ...
    @overload
    async def add_messages(
        self,
        messages: Iterable[Any],
        /,
        *,
        skip_vector_storage: bool | None = None,
        thread_id: str | None = None,
        subject_id: SubjectId | None = None,
    ) -> str: ...
    @overload
    async def add_messages(
        self,
        messages: Iterable[Any],
        skip_vector_storage: bool,
        /,
        *,
        thread_id: str | None = None,
        subject_id: SubjectId | None = None,
    ) -> str: ...
    @overload
    async def add_messages(
        self,
        *,
        messages: Iterable[Any],
        skip_vector_storage: bool | None = None,
        thread_id: str | None = None,
        subject_id: SubjectId | None = None,
    ) -> str: ...
    async def add_messages(self, *args: Any, **kwargs: Any) -> str:
        """`Memory.add_messages`, awaited."""
        return await self._memory._core.bridge.run(self._memory.add_messages, *args, **kwargs)

    async def wait_for_run(self, run_id: str, timeout: float = 300) -> Run:
        """`Memory.wait_for_run`, awaited."""
        return await self._wait(self._memory._wait_steps(run_id, timeout))

    async def flush(self, subject_id: SubjectId | None = None, timeout: float = 300) -> list[Run]:
        """`Memory.flush`, awaited."""
        return await self._wait(self._memory._flush_steps(self._memory._subject(subject_id), timeout))

    async def drain(self, timeout: float | None = None) -> bool:
        """`Memory.drain`, awaited."""
        return await self._wait(self._memory._drain_steps(timeout))

    async def close(self) -> None:
        """`Memory.close`, awaited; closing twice is fine."""
        if not self._memory._core.closed:
            await self._memory._core.bridge.run(self._memory.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _wait(self, steps: Steps[T]) -> T:
        bridge = self._memory._core.bridge
        while (step := await bridge.run(advance, steps)).pause is not None:  # noqa: ASYNC110 - another process may end it
            await asyncio.sleep(step.pause)
        return step.result  # type: ignore[return-value]  # see waiting.sleep_through
