"""What an event loop writes at the same time shares a commit, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langgraph.store.base import GetOp, InvalidNamespaceError, PutOp

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import BackendError, BlockLimitError, InvalidInputError, VersionConflictError
from ai_memory_integrations.langgraph import CoreMemoryStore, core_memory_namespace
from ai_memory_integrations.testing.contracts.item_store import WordEmbeddings


@pytest.fixture(params=["file", "memory", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CoreMemoryStore]:
    places = {"file": lambda: str(tmp_path / "store.db"), "memory": lambda: ":memory:"}
    url = places.get(request.param, lambda: request.getfixturevalue("postgres_url"))()
    with Memory(url, embedder=False) as memory:
        yield CoreMemoryStore(memory)


class CountedEmbeddings(WordEmbeddings):
    """The contract's vectors; how many texts each call was given. One text is refused."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls.append(len(texts))
        if "refused" in texts:
            raise RuntimeError("a text was refused")
        return self.embed_documents(texts)


async def test_writes_that_wait_together_share_commits(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "store.db"), embedder=False) as memory:
        store = CoreMemoryStore(memory)
        with blockbuster_ctx():
            await asyncio.gather(*(store.aput(("a", str(n % 7)), f"k{n}", {"n": n}) for n in range(300)))
        found = store.search(("a",), limit=500)
        assert len(found) == 300
        assert len({item.updated_at for item in found}) <= 10  # what is written in one call has one time


async def test_they_are_written_in_the_order_in_which_they_were_asked_for(store: CoreMemoryStore) -> None:
    await asyncio.gather(*(store.aput(("a",), f"k{n % 5}", {"n": n}) for n in range(100)))
    assert [item.value["n"] for item in await store.asearch(("a",))] == [99, 98, 97, 96, 95]


async def test_what_is_wrong_with_one_is_said_to_that_one(store: CoreMemoryStore) -> None:
    blocks = core_memory_namespace("sarah", "blocks")
    await store.aput(blocks, "human", {"value": "Sarah", "limit": 20})
    answers = await asyncio.gather(
        store.aput(("a",), "k1", {"n": 1}),
        store.aput(("a.b",), "k2", {"n": 2}),
        store.aput(("a",), "k3", {"n": object()}),
        store.aput(blocks, "human", {"value": "x" * 21}),
        store.aput(blocks, "human", {"value": "nobody", "version": 99}),
        store.aput(blocks, "human", {"value": "Sarah, 30"}),
        store.abatch([PutOp(("a",), "k4", {"n": 4}), PutOp(("a",), "k5", {"n": {1, 2}})]),
        store.abatch([PutOp(("a",), "k6", {"n": 6}), PutOp(("b",), "k6", {"n": 6})]),
        store.adelete(("a",), "nothing"),
        store.abatch([]),
        return_exceptions=True,
    )
    refused = {1: InvalidNamespaceError, 2: InvalidInputError, 3: BlockLimitError, 4: VersionConflictError}
    for number, answer in enumerate(answers):
        if number in refused or number == 6:
            assert isinstance(answer, refused.get(number, InvalidInputError))
        else:
            assert answer == {7: [None, None], 9: []}.get(number)
    assert {item.key for item in store.search(("a",))} == {"k1", "k6"}
    human = store.get(blocks, "human")
    assert human is not None
    assert human.value["value"] == "Sarah, 30"


async def test_texts_that_wait_together_are_embedded_together_and_a_refused_one_fails_alone(tmp_path: Path) -> None:
    embeddings = CountedEmbeddings()
    index: Any = {"dims": 64, "embed": embeddings, "fields": ["text"]}
    with CoreMemoryStore(url=str(tmp_path / "store.db"), index=index) as store:
        await asyncio.gather(*(store.aput(("a",), f"k{n}", {"text": f"tea {n}"}) for n in range(50)))
        assert embeddings.calls == [50]
        texts = ["green tea", "refused", "black coffee"]
        puts = [store.aput(("b",), text, {"text": text}) for text in texts]
        answers = await asyncio.gather(*puts, return_exceptions=True)
        assert [isinstance(answer, RuntimeError) for answer in answers] == [False, True, False]
        assert [item.key for item in await store.asearch(("b",), query="green tea")] == ["green tea", "black coffee"]
        assert isinstance(store.embeddings, Embeddings)


async def test_who_does_not_wait_any_more_has_his_write_all_the_same(store: CoreMemoryStore) -> None:
    tasks = [asyncio.create_task(store.aput(("a",), f"k{n}", {"n": n})) for n in range(20)]
    await asyncio.sleep(0)  # all of them have asked
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [True, False] * 10
    await store.aput(("b",), "after", {})
    assert len(store.search(("a",), limit=50)) == 20


async def test_a_lone_write_that_nobody_waits_for_is_made(store: CoreMemoryStore) -> None:
    task = asyncio.create_task(store.aput(("a",), "k", {"n": 1}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.aput(("b",), "after", {})
    assert store.get(("a",), "k") is not None


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_a_loop_whose_tasks_were_all_cancelled_goes_on(store: CoreMemoryStore, turns: int) -> None:
    for number in range(3):
        tasks = [asyncio.create_task(store.aput(("a",), f"k{n}", {"n": n})) for n in range(5)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await store.aput(("b",), f"after {number}", {})
        await asyncio.gather(*(store.aput(("c", str(number)), f"k{n}", {}) for n in range(5)))
    assert len(store.search(("b",))) == 3
    assert len(store.search(("c",), limit=50)) == 15


def test_a_loop_that_ends_leaves_each_batch_whole_or_not_at_all(store: CoreMemoryStore) -> None:
    async def leave() -> None:
        for n in range(50):
            ops = [PutOp(("a",), f"k{n}", {"n": n}), PutOp(("b",), f"k{n}", {"n": n})]
            asyncio.ensure_future(store.abatch(ops))  # noqa: RUF006 - nobody waits
        await asyncio.sleep(0)

    asyncio.run(leave())
    asyncio.run(store.aput(("c",), "k", {}))
    first, second = ({item.key for item in store.search((place,), limit=100)} for place in "ab")
    assert first == second
    assert store.get(("c",), "k") is not None


def test_loops_in_several_threads_do_not_wait_for_each_other(store: CoreMemoryStore) -> None:
    async def put(number: int) -> None:
        for begin in range(0, 40, 8):
            puts = [store.aput(("t", str(number)), f"k{n}", {"n": n}) for n in range(begin, begin + 8)]
            await asyncio.gather(*puts, store.aput(("t", "same"), "k", {"by": number}))
            assert len(await store.asearch(("t", str(number)), limit=50)) == begin + 8

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: asyncio.run(put(number)), range(4)))
    assert len(store.search(("t",), limit=500)) == 161


async def test_a_closed_store_says_so_to_everybody(tmp_path: Path) -> None:
    store = CoreMemoryStore(url=str(tmp_path / "store.db"))
    store.close()
    answers = await asyncio.gather(*(store.aput(("a",), f"k{n}", {}) for n in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [BackendError] * 3


ops = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.none() | st.integers(0, 9)), min_size=1, max_size=4
)


@given(st.lists(ops, max_size=12))
@settings(max_examples=60, deadline=None)
def test_together_they_leave_what_they_leave_one_after_the_other(batches: list[Any]) -> None:
    async def write(store: CoreMemoryStore) -> None:
        puts = [[PutOp((place,), key, None if n is None else {"n": n}) for place, key, n in each] for each in batches]
        await asyncio.gather(*map(store.abatch, puts))

    with CoreMemoryStore.from_conn_string(":memory:") as together, CoreMemoryStore.from_conn_string(":memory:") as one:
        asyncio.run(write(together))
        for each in batches:
            one.batch([PutOp((place,), key, None if n is None else {"n": n}) for place, key, n in each])
        for place in "abc":
            found = [[(item.key, item.value) for item in store.search((place,))] for store in (together, one)]
            assert found[0] == found[1]
        assert together.batch([GetOp(("a",), "x")])[0] is None or one.get(("a",), "x") is not None


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="tasks begin in the next turn of the loop")
async def test_tasks_that_begin_at_once_wait_for_nothing(store: CoreMemoryStore) -> None:
    factory: Any = vars(asyncio).get("eager_task_factory")
    asyncio.get_running_loop().set_task_factory(factory)
    for n in range(3):
        await store.aput(("a",), f"k{n}", {"n": n})
    await asyncio.gather(*(store.aput(("a",), f"k{n}", {"n": n}) for n in range(3, 9)))
    assert len(store.search(("a",))) == 9
