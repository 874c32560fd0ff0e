"""A memory in an agent's context: as text, and back in another process."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent, JsonSerializer
from patience import PATIENCE

from ai_memory_integrations import Edit, LearningPolicy, Memory
from ai_memory_integrations.backends import urls
from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.llama_index import CoreMemory
from ai_memory_integrations.opened import Place, place_of, reopened
from ai_memory_integrations.search.embedders import embedder_from_callable
from ai_memory_integrations.testing import ScriptedLLM

CHILD = """
import asyncio, json, sys
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.workflow import Context
from ai_memory_integrations.testing import ScriptedLLM

async def main():
    llm = ScriptedLLM(["You are Sarah."])
    agent = FunctionAgent(llm=llm)
    ctx = Context.from_dict(agent, json.load(sys.stdin))
    await agent.run("Who am I?", ctx=ctx)
    core = await ctx.store.get("memory")
    print(json.dumps({
        "asked": [str(message.content) for message in llm.requests[0].messages],
        "kept": [message.text for message in core.memory.list_messages("sarah", "s1")],
        "blocks": [block.label for block in core.memory.list_blocks("sarah")],
        "recall": core.recall,
        "context": ctx.to_dict(),
    }))

asyncio.run(main())
"""


def learn_nothing(blocks: object, messages: object) -> list[Edit]:
    return []


def restored(memory: CoreMemory) -> CoreMemory:
    return CoreMemory.from_dict(json.loads(json.dumps(memory.to_dict())))


@pytest.mark.in_files
def test_a_context_goes_on_in_another_process_in_the_middle_of_a_conversation(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "m.db"), blocks=["human", "plans"], learning="inline") as memory:
        core = CoreMemory.from_defaults(memory, "sarah", "s1", recall=3)
        context = _first_half(core)
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD],
        input=json.dumps(context),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    seen = json.loads(child.stdout)
    assert seen["kept"] == ["My name is Sarah.", "Hello.", "Who am I?", "You are Sarah."]
    assert seen["asked"][-3:] == ["My name is Sarah.", "Hello.", "Who am I?"]
    assert "Name: Sarah" in seen["asked"][0]
    assert (seen["blocks"], seen["recall"]) == (["human", "plans"], 3)
    agent = FunctionAgent(llm=ScriptedLLM([]))
    assert Context.from_dict(agent, seen["context"])


def _first_half(core: CoreMemory) -> dict[str, object]:
    import asyncio

    async def talk() -> dict[str, object]:
        agent = FunctionAgent(llm=ScriptedLLM(["Hello."]))
        ctx = Context(agent)
        await agent.run("My name is Sarah.", memory=core, ctx=ctx)
        return ctx.to_dict()

    return asyncio.run(talk())


async def sure(ctx: Context) -> str:
    """Ask the user whether they are sure."""
    asked = InputRequiredEvent(prefix="Sure?")  # type: ignore[call-arg]
    answer = await ctx.wait_for_event(HumanResponseEvent, waiter_id="sure", waiter_event=asked)
    return str(answer.response)


sure.__annotations__["ctx"] = Context  # LlamaIndex does not read annotations that are strings


async def test_a_run_that_waits_for_its_user_goes_on_after_a_restart(tmp_path: Path) -> None:
    call = ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id="c1", tool_name="sure")])
    async with Memory(str(tmp_path / "m.db")) as memory:
        handler = FunctionAgent(llm=ScriptedLLM([call]), tools=[sure]).run(
            "Delete everything.", memory=CoreMemory.from_defaults(memory, "sarah", "s1")
        )
        async for event in handler.stream_events():
            if isinstance(event, InputRequiredEvent):
                break
        text = json.dumps(handler.ctx.to_dict())
        await handler.cancel_run()
    llm = ScriptedLLM(["Deleted."])
    agent = FunctionAgent(llm=llm, tools=[sure])
    handler = agent.run(ctx=Context.from_dict(agent, json.loads(text)))
    handler.ctx.send_event(HumanResponseEvent(response="yes"))  # type: ignore[call-arg]
    assert str(await handler) == "Deleted."
    core = await handler.ctx.store.get("memory")
    assert [message.content or "" for message in core.get_all()] == ["Delete everything.", "", "yes", "Deleted."]
    assert [message.role.value for message in llm.requests[0].messages][-3:] == ["user", "assistant", "tool"]
    core.memory.close()


async def test_a_workflow_that_waits_behind_a_handoff_goes_on_after_a_restart(tmp_path: Path) -> None:
    def workflow(llm: ScriptedLLM) -> AgentWorkflow:
        first = FunctionAgent(name="first", description="Listens.", llm=llm, can_handoff_to=["second"])
        second = FunctionAgent(name="second", description="Deletes.", llm=llm, tools=[sure])
        return AgentWorkflow(agents=[first, second], root_agent="first")

    over = ToolCallBlock(
        tool_call_id="c1", tool_name="handoff", tool_kwargs={"to_agent": "second", "reason": "It can."}
    )
    ask = ToolCallBlock(tool_call_id="c2", tool_name="sure")
    calls = [ChatMessage(role="assistant", blocks=[block]) for block in (over, ask)]
    async with Memory(str(tmp_path / "m.db")) as memory:
        core = CoreMemory.from_defaults(memory, "sarah", "s1")
        handler = workflow(ScriptedLLM(calls)).run("Delete everything.", memory=core)
        async for event in handler.stream_events():
            if isinstance(event, InputRequiredEvent):
                break
        text = json.dumps(handler.ctx.to_dict())
        await handler.cancel_run()
    resumed = workflow(ScriptedLLM(["Deleted."]))
    handler = resumed.run(ctx=Context.from_dict(resumed, json.loads(text)))
    handler.ctx.send_event(HumanResponseEvent(response="yes"))  # type: ignore[call-arg]
    assert str(await handler) == "Deleted."
    core = await handler.ctx.store.get("memory")
    kept = core.memory.list_messages("sarah", "s1")
    assert [message.role for message in kept] == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert (kept[0].text, kept[-1].text) == ("Delete everything.", "Deleted.")
    core.memory.close()


async def test_a_serializer_with_allowed_types_takes_it(memory: Memory) -> None:
    core = CoreMemory.from_defaults(memory, "sarah")
    serializer = JsonSerializer(allowed_types=[CoreMemory])
    assert serializer.deserialize(serializer.serialize(core)).memory is memory


def test_what_is_restored_uses_the_memory_that_is_open_at_the_same_place(memory: Memory, tmp_path: Path) -> None:
    core = CoreMemory.from_defaults(memory, "sarah")
    assert restored(core).memory is memory
    assert pickle.loads(pickle.dumps(core)).memory is memory
    assert copy.deepcopy(core).memory is memory
    assert core.model_copy().memory is memory


def test_what_is_restored_opens_the_memory_as_it_was_opened(tmp_path: Path) -> None:
    policy = LearningPolicy(batch=3)
    with Memory(str(tmp_path / "m.db"), blocks=["human", "plans"], learning=policy, embedder=False) as memory:
        core = CoreMemory.from_defaults(memory, "sarah", "s1", token_limit=77, recall=2)
        core.put(ChatMessage("hi"))
        text = json.dumps(core.to_dict())
    again = CoreMemory.from_dict(json.loads(text))
    assert again.memory is not memory
    assert (again.token_limit, again.recall, again.session_id) == (77, 2, "s1")
    assert [message.content for message in again.get_all()] == ["hi"]
    assert place_of(again.memory) == place_of(memory)
    again.memory.close()


def test_what_is_restored_follows_the_settings_that_the_store_has_recorded_since(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    with Memory(path, blocks=["human"], learning="inline", embedder=False) as memory:
        core = CoreMemory.from_defaults(memory, "sarah")
        core.put(ChatMessage("hi"))
        text = json.dumps(core.to_dict())
    with Memory(path, blocks=["human", "plans"], learning=LearningPolicy(batch=20), embedder=False) as memory:
        memory.add_messages("bob", [{"role": "user", "content": "hi"}])
    with Memory(path, embedder=False) as memory:  # says nothing of itself
        memory.add_messages("carol", [{"role": "user", "content": "hi"}])
    with Memory(path, learning="off", embedder=False) as memory:  # speaks of itself alone
        memory.add_messages("dan", [{"role": "user", "content": "hi"}])
    again = CoreMemory.from_dict(json.loads(text))
    again.memory.ensure_subject("eve")
    assert [block.label for block in again.memory.list_blocks("eve")] == ["human", "plans"]
    again.put(ChatMessage("My name is Sarah."))
    assert again.memory.list_runs("sarah")[0].state == "created", "a batch of twenty is not full"
    again.memory.close()


def test_who_did_not_learn_does_not_learn_when_restored(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    with Memory(path, learning="off") as memory:
        text = json.dumps(CoreMemory.from_defaults(memory, "sarah").to_dict())
    with Memory(path, learning="inline") as memory:
        memory.add_messages("sarah", [{"role": "user", "content": "hi"}])
    again = CoreMemory.from_dict(json.loads(text))
    again.put(ChatMessage("My name is Sarah."))
    assert again.memory.stats().waiting == 1
    again.memory.close()


def test_what_was_saved_before_anything_was_recorded_is_opened_as_it_was(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "m.db"), blocks=["plans"], learning="inline") as memory:
        text = json.dumps(CoreMemory.from_defaults(memory, "sarah").to_dict())
    again = CoreMemory.from_dict(json.loads(text))
    again.put(ChatMessage("hi"))
    assert [block.label for block in again.memory.list_blocks("sarah")] == ["plans"]
    assert again.memory.stats().waiting == 0
    again.memory.close()


def test_a_transaction_that_is_undone_does_not_take_the_record_with_it(tmp_path: Path) -> None:
    path, hi = str(tmp_path / "m.db"), [{"role": "user", "content": "hi"}]
    with Memory(path, blocks=["plans"]) as memory:

        def undone() -> None:
            with memory._core.store.journal.transaction():
                memory.add_messages("sarah", hi)
                raise RuntimeError("undone")

        with pytest.raises(RuntimeError, match="undone"):
            undone()
        memory.add_messages("sarah", hi)
    again = reopened(Place(url=path))
    again.add_messages("bob", hi)
    assert [block.label for block in again.list_blocks("bob")] == ["plans"]
    again.close()


LATER = {
    "a field of a block": ({"blocks": [{"label": "plans", "pinned": True}]}, ["plans"], "inline"),
    "a field of a policy": ({"learning": {"mode": "background", "batch": 20, "moon": "full"}}, ["human"], "background"),
    "a way to learn": ({"learning": "adaptive"}, ["human"], "inline"),
    "a policy's way to learn": ({"learning": {"mode": "adaptive", "batch": 20}}, ["human"], "inline"),
    "another form": ({"blocks": {"plans": {}}, "learning": "background"}, ["human"], "background"),
    "another setting": ({"tone": {"warm": 1}}, ["human"], "inline"),
}


@pytest.mark.parametrize("later", LATER)
def test_what_a_later_release_has_recorded_is_read_as_far_as_it_is_known(tmp_path: Path, later: str) -> None:
    path, (recorded, labels, mode) = str(tmp_path / "m.db"), LATER[later]
    with Memory(path, blocks=["human"], learning="inline") as memory:
        text = json.dumps(CoreMemory.from_defaults(memory, "sarah").to_dict())
    store = urls.open_store(path)
    store.record_settings(recorded)
    again = CoreMemory.from_dict(json.loads(text))
    again.put(ChatMessage("My name is Sarah."))
    again.memory.ensure_subject("eve")
    assert [block.label for block in again.memory.list_blocks("eve")] == labels
    assert again.memory._core.policy.mode == mode
    again.memory.close()
    with Memory(path) as memory:
        memory.add_messages("bob", [{"role": "user", "content": "hi"}])
    assert store.recorded_settings() == recorded, "nobody here said anything else"
    store.close()


def test_a_memory_that_a_later_release_saved_is_read_as_far_as_it_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Memory(str(tmp_path / "m.db"), learning="inline") as memory:
        data = CoreMemory.from_defaults(memory, "sarah").to_dict()
    later = {"blocks": [{"label": "plans", "pinned": True}], "learning": "adaptive", "tone": "warm"}
    again = CoreMemory.from_dict({**data, "moon": "full", "place": {**data["place"], **later}})
    again.put(ChatMessage("hi"))
    assert [block.label for block in again.memory.list_blocks("sarah")] == ["plans"]
    assert again.memory._core.policy.mode == "background", "as if nobody had said it"
    assert "with learning and tone that this one does not know" in caplog.text
    again.memory.close()


def test_what_one_application_says_takes_nothing_of_what_another_said(tmp_path: Path) -> None:
    path, hi = str(tmp_path / "m.db"), [{"role": "user", "content": "hi"}]
    store = urls.open_store(path)
    store.record_settings({"tone": "warm"})  # by a later release
    with Memory(path, blocks=["plans"]) as one, Memory(path, learning="inline") as other:
        one.add_messages("sarah", hi)
        other.add_messages("bob", hi)
    found = store.recorded_settings()
    store.close()
    assert found is not None
    assert ([block["label"] for block in found["blocks"]], found["learning"], found["tone"]) == (
        ["plans"],
        "inline",
        "warm",
    )


def test_a_restored_memory_is_read_for_the_first_time_while_somebody_writes(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "m.db"), blocks=["plans"], learning="off") as memory:
        core = CoreMemory.from_defaults(memory, "sarah")
        core.put(ChatMessage("hi"))
        text = json.dumps(core.to_dict())
    again = CoreMemory.from_dict(json.loads(text))
    begun = threading.Event()

    def put() -> None:
        begun.set()
        again.put(ChatMessage("hello"))

    thread = threading.Thread(target=put)
    with again.memory._core.store.journal.transaction():
        thread.start()
        begun.wait()
        time.sleep(0.05)  # it waits for the store by now, and must not keep from us what we need
        again.memory.add_passages([{"text": "A passage."}], subject_id="bob")
    thread.join()
    assert [block.label for block in again.memory.list_blocks("bob")] == ["plans"]
    again.memory.close()


def test_threads_that_restore_at_once_share_one_memory(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    with Memory(path, blocks=["human"], learning="off") as memory:
        text = json.dumps(CoreMemory.from_defaults(memory, "sarah").to_dict())
    with Memory(path, blocks=["plans"]) as memory:
        memory.add_messages("bob", [{"role": "user", "content": "hi"}])
    together = threading.Barrier(8)

    def use(number: int) -> CoreMemory:
        together.wait()
        again = CoreMemory.from_dict(json.loads(text))
        again.put(ChatMessage(f"{number}"))
        again.memory.ensure_subject(f"s{number}")
        return again

    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(use, range(8)))
    memory = used[0].memory
    assert all(each.memory is memory for each in used)
    assert sorted(str(message.content) for message in used[0].get_all()) == [str(number) for number in range(8)]
    assert {block.label for number in range(8) for block in memory.list_blocks(f"s{number}")} == {"plans"}
    memory.close()


@pytest.mark.parametrize("first", ["aput", "aput_messages", "aget", "aget_all", "aset", "areset"])
async def test_a_restored_memory_does_not_block_the_loop_that_first_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Memory(str(tmp_path / "m.db"), blocks=["plans"], learning="inline") as memory:
        text = json.dumps(CoreMemory.from_defaults(memory, "sarah").to_dict())
    hi = ChatMessage("hi")
    arguments = {"aput": (hi,), "aput_messages": ([hi],), "aset": ([hi],)}.get(first, ())
    async with Memory("other.db") as other:  # where it is depends on the folder one is in
        await other.aio.ensure_subject("sarah")
        with blockbuster_ctx("ai_memory_integrations"):
            again = CoreMemory.from_dict(json.loads(text))
            await getattr(again, first)(*arguments)
            await again.aput(ChatMessage("My name is Sarah."))
            await again.aget()
        assert [block.label for block in await again.memory.aio.list_blocks("sarah")] == ["plans"]
        await again.memory.aio.close()


def test_restoring_reads_and_writes_nothing(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "m.db")) as memory:
        data = CoreMemory.from_defaults(memory, "sarah").to_dict()
    CoreMemory.from_dict(data)
    assert list(tmp_path.iterdir()) == []


def test_a_memory_that_ends_with_the_process_refuses_and_says_what_to_pass(caplog: pytest.LogCaptureFixture) -> None:
    with Memory(":memory:") as memory:
        core = CoreMemory.from_defaults(memory, "sarah")
        core.put(ChatMessage("hi"))
        for refuse in (core.to_dict, core.to_json, lambda: pickle.dumps(core)):
            with pytest.raises((ConfigurationError, ValueError), match=r"pass a file, such as Memory\('memory.db'\)"):
                refuse()
        assert "pass a file" in caplog.text
        assert copy.deepcopy(core).memory is memory


def test_a_store_object_refuses_and_says_what_to_pass(tmp_path: Path) -> None:
    from ai_memory_integrations.backends.sqlite.store import SQLiteStore

    store = SQLiteStore(str(tmp_path / "m.db"))
    with Memory(backend=store) as memory, pytest.raises(ConfigurationError, match="backend= cannot be opened again"):
        CoreMemory.from_defaults(memory, "sarah").to_dict()
    store.close()


def test_a_learner_of_the_application_s_own_must_be_there_before_the_memory_is_used(tmp_path: Path) -> None:
    def learner(blocks: object, messages: object) -> list[object]:
        return []

    with Memory(str(tmp_path / "m.db"), learner=learner) as memory:  # type: ignore[arg-type]
        data = CoreMemory.from_defaults(memory, "sarah").to_dict()
    with pytest.raises(ConfigurationError, match=r"the learner '.*learner'.*open it first"):
        CoreMemory.from_dict(data).get()
    with (
        Memory(str(tmp_path / "m.db")),
        Memory(str(tmp_path / "m.db"), learner=learner) as open_again,  # type: ignore[arg-type]
    ):
        assert CoreMemory.from_dict(data).memory is open_again


def test_of_several_open_memories_what_is_restored_takes_the_one_opened_last(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    with Memory(path) as memory:
        text = json.dumps(CoreMemory.from_defaults(memory, "sarah").to_dict())
        for _ in range(20):  # by chance it would be another one
            with Memory(path) as second, Memory(path) as third:
                assert CoreMemory.from_dict(json.loads(text)).memory is third
                third.close()
                assert CoreMemory.from_dict(json.loads(text)).memory is second
        assert CoreMemory.from_dict(json.loads(text)).memory is memory


LIKE: dict[str, dict[str, Any]] = {
    "no learner named": {},
    "a learner": {"learner": learn_nothing},
    "no embedder": {"embedder": False},
    "an embedder": {"embedder": embedder_from_callable(lambda texts: [[1.0] for _ in texts], name="one", dimension=1)},
    "that does not learn": {"learning": "off"},
}


@pytest.mark.parametrize("saved", LIKE)
def test_of_several_open_memories_what_is_restored_takes_the_one_like_what_was_saved(
    tmp_path: Path, saved: str
) -> None:
    path = str(tmp_path / "m.db")
    with Memory(path, **LIKE[saved]) as memory:
        text = json.dumps(CoreMemory.from_defaults(memory, "sarah").to_dict())
    with ExitStack() as several:
        opened = {name: several.enter_context(Memory(path, **options)) for name, options in LIKE.items()}
        assert CoreMemory.from_dict(json.loads(text)).memory is opened[saved]


def test_a_memory_with_another_learner_is_used_where_no_other_is_open(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    with Memory(path, embedder=False) as memory:
        text = json.dumps(CoreMemory.from_defaults(memory, "sarah").to_dict())
    with Memory(path, learner=learn_nothing) as memory:
        assert CoreMemory.from_dict(json.loads(text)).memory is memory


def test_a_memory_in_a_file_with_an_odd_name_is_found_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "50%25 of what? #1.db"
    with Memory(str(path)) as memory:
        core = CoreMemory.from_defaults(memory, "sarah")
        core.put(ChatMessage("hi"))
        assert restored(core).memory is memory
        text, url = json.dumps(core.to_dict()), memory.url
    again = CoreMemory.from_dict(json.loads(text))
    assert [message.content for message in again.get_all()] == ["hi"]
    again.memory.close()
    with Memory(url) as memory:
        assert len(memory.list_messages("sarah")) == 1
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_closed_memory_is_not_taken_for_an_open_one(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "m.db"))
    place = place_of(memory)
    memory.close()
    again = reopened(place)
    assert again is not memory
    again.close()


def test_a_place_never_holds_a_password() -> None:
    place = Place(url="postgresql://sarah@db.example.com/memory")
    from ai_memory_integrations.opened import _without_secret

    assert _without_secret("postgresql://sarah:s3cret@db.example.com/memory") == place.url
