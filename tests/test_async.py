"""`Memory.aio`: the same methods, awaited; any loop, any thread, nothing blocked."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from patience import PATIENCE

from ai_memory_integrations import Append, AsyncMemory, Edit, Memory, Message
from ai_memory_integrations.errors import InvalidMessageError, RunTimeoutError
from ai_memory_integrations.types import Block

NOT_AWAITED = {"aio", "close", "for_subject", "resolve_subject", "subject", "subject_id", "url"}
MIRRORED = sorted(name for name in dir(Memory) if not name.startswith("_") and name not in NOT_AWAITED)


@pytest.fixture
def blocked() -> Iterator[BlockBuster]:
    with blockbuster_ctx("ai_memory_integrations") as blockbuster:
        yield blockbuster


@pytest.mark.parametrize("name", MIRRORED)
def test_async_memory_mirrors_memory(name: str) -> None:
    blocking, awaited = getattr(Memory, name), getattr(AsyncMemory, name)
    assert inspect.iscoroutinefunction(awaited)
    if name != "add_messages":  # it is overloaded: the type checker holds it
        assert inspect.signature(blocking) == inspect.signature(awaited)


def test_async_memory_is_made_with_the_arguments_of_memory_and_no_others() -> None:
    assert inspect.signature(Memory) == inspect.signature(AsyncMemory)
    with pytest.raises(TypeError, match="embeder"):
        AsyncMemory(":memory:", embeder=False)  # type: ignore[call-arg]  # a type checker sees it as well


def test_every_public_name_of_the_mirror_is_one_of_memory() -> None:
    extra = {name for name in vars(AsyncMemory) if not name.startswith("_")} - set(dir(Memory))
    assert extra == {"over", "blocking", "run"}


@pytest.mark.usefixtures("blocked")
async def test_no_call_blocks_the_loop(tmp_path: Path) -> None:
    async with AsyncMemory(str(tmp_path / "memory.db")) as memory:
        run = await memory.add_messages("sarah", [{"role": "user", "content": "My name is Sarah. I love cats."}])
        assert (await memory.wait_for_run(run)).state == "completed"
        assert "Sarah" in await memory.prompt("sarah", query="cats")
        assert await memory.search("sarah", "cats") == ["My name is Sarah. I love cats."]
        await memory.initialize_memory("notes", "Notes", subject_id="sarah")
        await memory.append_memory("notes", "x", "sarah")
        assert await memory.flush("sarah") == []
        assert await memory.drain(PATIENCE)
        assert (await memory.stats()).waiting == 0
        assert await memory.for_subject("sarah").get_memory("notes") == "x"
        assert await memory.delete_subject("sarah") is not None


async def test_errors_come_back_as_they_are(tmp_path: Path) -> None:
    async with AsyncMemory(str(tmp_path / "memory.db")) as memory:
        with pytest.raises(InvalidMessageError, match=r"messages\[0\]"):
            await memory.add_messages("sarah", [{"role": "nobody", "content": "x"}])


async def test_cancelling_a_call_ends_the_wait_and_not_the_work(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "memory.db"), learning="off") as memory:
        memory.initialize_subject("sarah")
        message = Message(role="user", content="hello")
        with memory._core.store.journal.transaction():
            call = asyncio.create_task(memory.aio.add_messages("sarah", [message]))
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        await memory.aio.add_messages("sarah", [message])
        assert [each.id for each in await memory.aio.list_messages("sarah")] == [message.id]


async def test_waiting_holds_no_thread(tmp_path: Path) -> None:
    go = threading.Event()

    def learn(blocks: Sequence[Block], messages: Sequence[Message]) -> list[Edit]:
        go.wait(PATIENCE)
        return [Append(label="human", text=message.text) for message in messages]

    async with AsyncMemory(str(tmp_path / "memory.db"), learner=learn, learning="background") as memory:
        runs = [await memory.add_messages(f"s{number}", [{"role": "user", "content": "x"}]) for number in range(40)]
        waits = [asyncio.create_task(memory.wait_for_run(run)) for run in runs]
        await asyncio.sleep(0.1)
        # Were the threads held by those who wait, this would be answered when the learners are at their end.
        assert await memory.get_user_memory("s0") == ""
        with pytest.raises(RunTimeoutError):
            await memory.wait_for_run(runs[0], timeout=0.01)
        go.set()
        assert {run.state for run in await asyncio.gather(*waits)} == {"completed"}


def test_one_memory_serves_many_event_loops_and_threads(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "memory.db"))

    async def once(subject: str) -> list[str]:
        await memory.aio.add_messages(subject, [{"role": "user", "content": f"I am {subject}"}])
        return await memory.aio.search(subject, subject)

    for number in range(3):
        assert asyncio.run(once(f"a{number}")) == [f"I am a{number}"]
    threads = [threading.Thread(target=lambda n=n: asyncio.run(once(f"t{n}"))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory.list_subjects()) == 7
    memory.close()


async def test_many_calls_at_once_are_all_answered(tmp_path: Path) -> None:
    async with AsyncMemory(str(tmp_path / "memory.db"), learning="off") as memory:
        await asyncio.gather(
            *(memory.add_messages(f"s{n % 5}", [{"role": "user", "content": str(n)}]) for n in range(100))
        )
        counts = [len(await memory.list_messages(f"s{n}")) for n in range(5)]
        assert counts == [20] * 5


async def test_a_loop_waits_for_no_lock_while_another_thread_opens_what_takes_long(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        dimension = 2

        @property
        def name(self) -> str:
            begun.set()
            go_on.wait()
            return "slow"

        def __call__(self, texts: Sequence[str]) -> list[list[float]]:
            return [[1.0, 0.0] for _ in texts]

    with Memory(str(tmp_path / "memory.db"), embedder=Slow()) as memory:
        thread = threading.Thread(target=memory.search_passages, args=("tea",), kwargs={"subject_id": "sarah"})
        thread.start()
        begun.wait()
        listing = asyncio.create_task(memory.aio.list_subjects())
        await asyncio.sleep(0)  # it asks for the threads of the memory here, and only they wait
        go_on.set()
        assert await listing == []
        thread.join()
