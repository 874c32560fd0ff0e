"""`CoreMemory`, as agents and chat engines call it: sync, async, from a running loop, from threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.memory import BaseMemory
from outages import InterruptibleStore
from patience import PATIENCE
from ways import reach

from ai_memory_integrations import Append, Edit, LearningPolicy, Memory, Message
from ai_memory_integrations.errors import BackendUnavailableError, InvalidInputError, NoSubjectError, NotAStoreError
from ai_memory_integrations.llama_index import CoreMemory
from ai_memory_integrations.prompt import is_injected
from ai_memory_integrations.testing import ScriptedLLM
from ai_memory_integrations.types import Block

PATIENT = LearningPolicy(batch=1000, idle=3600, max_wait=3600)


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def assistant(text: str) -> ChatMessage:
    return ChatMessage(role="assistant", content=text)


def texts(messages: Sequence[ChatMessage]) -> list[str | None]:
    return [message.content for message in messages]


def history(messages: Sequence[ChatMessage]) -> list[str | None]:
    """What *messages* hold besides memory."""
    return [message.content for message in messages if not is_injected(message.content or "")]


def words(text: str) -> list[str]:
    return text.split()


def calls(core: CoreMemory, way: str) -> Callable[..., Any]:
    """`call("put", message)`: the method, or its async twin, in the way given."""

    def call(name: str, *args: Any, **kwargs: Any) -> Any:
        blocking, awaited = getattr(core, name), getattr(core, f"a{name}")
        return reach(way, lambda: blocking(*args, **kwargs), lambda: awaited(*args, **kwargs))

    return call


class Learnt:
    """A learner that writes down what it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, blocks: Sequence[Block], messages: Sequence[Message]) -> list[Edit]:
        self.texts.extend(message.text for message in messages)
        return [Append(label="human", text=message.text) for message in messages if message.role == "user"]


@pytest.fixture
def learnt() -> Learnt:
    return Learnt()


@pytest.fixture
def taught(tmp_path: Path, learnt: Learnt) -> Iterator[Memory]:
    """A memory that learns when it is asked to."""
    with Memory(str(tmp_path / "taught.db"), learner=learnt, learning=PATIENT) as memory:
        yield memory


class TestConversation:
    def test_what_is_put_comes_back_in_order_in_every_way(self, memory: Memory, way: str) -> None:
        core = CoreMemory.from_defaults(memory, "sarah", "s1")
        call = calls(core, way)
        call("put", user("hi"))
        call("put_messages", [assistant("hello"), user("bye")])
        assert texts(call("get_all")) == ["hi", "hello", "bye"]
        assert history(call("get")) == ["hi", "hello", "bye"]
        assert all(not each.additional_kwargs for each in call("get"))
        assert [each.role for each in memory.list_messages("sarah", "s1")] == ["user", "assistant", "user"]

    def test_setting_replaces_and_resetting_empties_the_conversation_in_every_way(
        self, memory: Memory, way: str
    ) -> None:
        core = CoreMemory.from_defaults(memory, "sarah", "s1")
        call = calls(core, way)
        call("put", user("one"))
        call("set", [user("two"), assistant("three")])
        assert texts(call("get_all")) == ["two", "three"]
        call("reset")
        assert call("get_all") == []
        assert history(call("get")) == []
        assert memory.search("sarah", "one") == ["one"]

    def test_empty_lists_change_nothing_but_what_they_say(self, memory: Memory, way: str) -> None:
        core = CoreMemory.from_defaults(memory, "sarah")
        call = calls(core, way)
        call("put_messages", [])
        call("set", [])
        assert memory.list_subjects() == []
        call("put", user("hi"))
        call("set", [])
        assert call("get_all") == []

    def test_it_is_never_falsy(self, memory: Memory) -> None:
        assert CoreMemory.from_defaults(memory, "sarah")
        assert isinstance(CoreMemory.from_defaults(memory, "sarah"), BaseMemory)

    def test_one_object_serves_several_event_loops_one_after_the_other(self, memory: Memory) -> None:
        core = CoreMemory.from_defaults(memory, "sarah")
        for n in range(3):
            asyncio.run(core.aput(user(f"{n}")))
        assert history(asyncio.run(core.aget())) == ["0", "1", "2"]

    async def test_concurrent_turns_lose_nothing(self, memory: Memory) -> None:
        core = CoreMemory.from_defaults(memory, "sarah")
        await asyncio.gather(*(core.aput_messages([user(f"{n}"), assistant(f"re {n}")]) for n in range(20)))
        kept = texts(await core.aget_all())
        assert len(kept) == 40
        assert all(kept[kept.index(f"{n}") + 1] == f"re {n}" for n in range(20))

    def test_the_same_text_twice_is_two_messages(self, memory: Memory) -> None:
        core = CoreMemory.from_defaults(memory, "sarah")
        ok = user("ok")
        core.put(ok)
        core.put(ok)
        assert texts(core.get_all()) == ["ok", "ok"]
        assert ok.additional_kwargs == {}

    def test_another_object_goes_on_with_the_conversation(self, tmp_path: Path) -> None:
        with Memory(str(tmp_path / "m.db")) as memory:
            CoreMemory.from_defaults(memory, "sarah", "s1").put(user("hi"))
        with Memory(str(tmp_path / "m.db")) as memory:
            assert texts(CoreMemory.from_defaults(memory, "sarah", "s1").get_all()) == ["hi"]
            assert CoreMemory.from_defaults(memory, "sarah", "s2").get_all() == []

    def test_a_chat_engine_s_empty_history_does_not_clear_a_conversation(self, memory: Memory) -> None:
        CoreMemory.from_defaults(memory, "sarah").put(user("hi"))
        core = CoreMemory.from_defaults(memory, "sarah", chat_history=[], token_limit=100, nonsense=1)
        assert texts(core.get_all()) == ["hi"]
        assert texts(CoreMemory.from_defaults(memory, "sarah", chat_history=[user("new")]).get_all()) == ["new"]


class TestSetUp:
    def test_a_subject_is_needed_and_may_be_the_memory_s_own(self, memory: Memory, tmp_path: Path) -> None:
        with pytest.raises(NoSubjectError):
            CoreMemory.from_defaults(memory)
        with Memory(str(tmp_path / "b.db"), subject_id="bob") as bound:
            assert CoreMemory.from_defaults(bound).subject_id == "bob"
        assert CoreMemory.from_defaults(memory, subject=lambda caller: 7).subject_id == "7"

    def test_a_session_id_that_cannot_be_kept_is_refused(self, memory: Memory) -> None:
        with pytest.raises(InvalidInputError, match="session_id is empty"):
            CoreMemory.from_defaults(memory, "sarah", "")

    def test_nothing_is_opened_before_the_first_call(self, tmp_path: Path) -> None:
        with Memory(str(tmp_path / "m.db")) as memory:
            CoreMemory.from_defaults(memory, "sarah")
        assert list(tmp_path.iterdir()) == []

    def test_without_a_memory_it_is_where_the_environment_says(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AI_MEMORY_URL", str(tmp_path / "env.db"))
        core = CoreMemory.from_defaults(subject="sarah")
        core.put(user("hi"))
        with Memory(str(tmp_path / "env.db")) as memory:
            assert texts(CoreMemory.from_defaults(memory, "sarah").get_all()) == ["hi"]
        core.memory.close()

    def test_the_token_limit_follows_the_model(self, memory: Memory) -> None:
        llm = ScriptedLLM([])
        core = CoreMemory.from_defaults(memory, "sarah", llm=llm)
        assert core.token_limit == llm.metadata.context_window * 3 // 4


class TestPrompt:
    def test_memory_stands_in_one_leading_system_message_behind_the_conversation_s_own(self, memory: Memory) -> None:
        memory.initialize_user_memory("sarah", user_context_block_value="Name: Sarah")
        core = CoreMemory.from_defaults(memory, "sarah")
        core.put_messages([ChatMessage(role="system", content="Be brief."), user("hi")])
        first, second = core.get()
        assert first.role == "system"
        assert (first.content or "").startswith("Be brief.\n\n<core_memory")
        assert "Name: Sarah" in (first.content or "")
        assert second.content == "hi"

    def test_passages_are_recalled_for_what_the_user_said_last_and_not_for_what_stands_there(
        self, memory: Memory
    ) -> None:
        CoreMemory.from_defaults(memory, "sarah", "old").put(user("My cat is called Miso."))
        core = CoreMemory.from_defaults(memory, "sarah", "new")
        core.put(user("What is my cat called?"))
        leading, said = core.get()
        recalled = (leading.content or "").partition("<recalled_memories")[2]  # behind what may be learnt by now
        assert "Miso" in recalled
        assert "What is my cat called?" not in recalled
        assert said.content == "What is my cat called?"
        without = CoreMemory.from_defaults(memory, "sarah", "new", recall=0)
        assert "recalled" not in (without.get()[0].content or "")

    def test_input_decides_what_is_recalled_before_the_message_is_put(self, memory: Memory) -> None:
        memory.add_passages(["Miso is a cat."], subject_id="sarah")
        core = CoreMemory.from_defaults(memory, "sarah")
        assert "Miso is a cat." in (core.get(input="cat")[0].content or "")
        assert "Miso is a cat." in (core.get(input=user("cat"))[0].content or "")

    def test_memory_stays_the_same_within_a_turn_and_is_fresh_in_the_next(self, memory: Memory) -> None:
        memory.initialize_user_memory("sarah", user_context_block_value="one")
        core = CoreMemory.from_defaults(memory, "sarah")
        core.put(user("hi"))
        before = core.get()[0].content
        memory.update_memory("human", "two", subject_id="sarah")
        memory.add_passages(["hi there"], subject_id="sarah")
        core.put_messages([assistant("hello")])
        assert core.get()[0].content == core.get(input="hi")[0].content == before
        core.put(user("hi"))
        assert "two" in (core.get()[0].content or "")

    def test_the_window_holds_whole_turns_and_every_system_message(self, memory: Memory) -> None:
        core = CoreMemory.from_defaults(memory, "sarah", token_limit=60, recall=0, tokenizer_fn=words)
        core.put(ChatMessage(role="system", content="Be brief."))
        for n in range(200):
            call = ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id=f"{n}", tool_name="f")])
            result = ChatMessage(role="tool", content=f"result {n}", additional_kwargs={"tool_call_id": f"{n}"})
            core.put_messages([user(f"ask {n}"), call, result, assistant(f"answer {n}")])
        memory.delete_block("human", "sarah")
        memory.delete_block("summary", "sarah")
        window = core.get()
        assert [each.role.value for each in window] == ["system", *["user", "assistant", "tool", "assistant"] * 2]
        assert texts(window)[0] == "Be brief."
        assert texts(window)[-1] == "answer 199"
        assert len(core.get(initial_token_count=25)) == 5
        assert len(core.get(initial_token_count=10_000)) == 5
        assert len(core.get_all()) == 801

    def test_a_very_long_passage_does_not_push_the_conversation_out(self, memory: Memory) -> None:
        memory.add_passages(["cat " * 5000, "A cat called Miso."], subject_id="sarah")
        core = CoreMemory.from_defaults(memory, "sarah", token_limit=1000, tokenizer_fn=words)
        core.put(user("cat?"))
        assert (core.get()[0].content or "").count("<memory ") == 1


class TestLearning:
    def test_what_is_put_is_learnt_once(self, taught: Memory, learnt: Learnt) -> None:
        core = CoreMemory.from_defaults(taught, "sarah")
        core.put(user("I like cats."))
        core.put_messages(core.get_all())
        core.put_messages([assistant("Nice."), ChatMessage(role="system", content="secret")])
        taught.flush("sarah")
        assert learnt.texts == ["I like cats.", "Nice."]
        assert "I like cats." in (core.get()[0].content or "")

    def test_old_messages_handed_over_are_not_learnt_and_what_was_put_is_not_learnt_again(
        self, taught: Memory, learnt: Learnt
    ) -> None:
        core = CoreMemory.from_defaults(taught, "sarah")
        old = [user("I am old."), assistant("So it seems.")]
        for n in range(3):
            core.set(old)
            core.put(user(f"new {n}"))
            core.put(assistant(f"re {n}"))
            old = [*old, user(f"new {n}"), assistant(f"re {n}")]
        taught.flush("sarah")
        assert learnt.texts == ["new 0", "re 0", "new 1", "re 1", "new 2", "re 2"]
        assert texts(core.get_all()) == texts(old)
        assert taught.search("sarah", "old", tags=[]) == []

    def test_what_waits_survives_a_reset_and_is_still_learnt(self, taught: Memory, learnt: Learnt) -> None:
        core = CoreMemory.from_defaults(taught, "sarah")
        core.put(user("I like cats."))
        core.reset()
        taught.flush("sarah")
        assert learnt.texts == ["I like cats."]
        assert core.get_all() == []

    def test_what_falls_out_of_the_window_is_learnt_without_waiting(self, taught: Memory, learnt: Learnt) -> None:
        core = CoreMemory.from_defaults(taught, "sarah", token_limit=40, recall=0, tokenizer_fn=words)
        core.put_messages([user("one two three"), assistant("four")])
        core.get()
        assert taught.list_runs("sarah", state="completed") == []
        core.put_messages([user("five " * 30), assistant("six")])
        core.get()
        assert taught.drain(PATIENCE)
        assert learnt.texts[:2] == ["one two three", "four"]

    def test_what_falls_out_waits_where_learning_is_off(self, tmp_path: Path, learnt: Learnt) -> None:
        with Memory(str(tmp_path / "off.db"), learner=learnt, learning="off") as memory:
            core = CoreMemory.from_defaults(memory, "sarah", token_limit=40, recall=0, tokenizer_fn=words)
            core.put_messages([user("one"), assistant("two"), user("three " * 30)])
            core.get()
            asyncio.run(asyncio.sleep(0.2))
            assert learnt.texts == []
            assert memory.drain(PATIENCE)
            assert len(learnt.texts) == 3


class TestOutages:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[InterruptibleStore]:
        store = InterruptibleStore(tmp_path / "m.db")
        yield store
        store.close()

    def test_the_conversation_goes_on_without_the_storage_and_is_kept_afterwards(
        self, store: InterruptibleStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        with Memory(backend=store, embedder=False) as memory:  # type: ignore[arg-type]
            core = CoreMemory.from_defaults(memory, "sarah", recall=0)
            core.put_messages([user("one"), assistant("two")])
            core.get()
            with store.outage():
                core.put(user("three"))
                assert texts(core.get())[-3:] == ["one", "two", "three"]
                core.put(assistant("four"))
            assert core.outages >= 2
            assert "not kept yet" in caplog.text
            core.put(user("five"))
            deadline = asyncio.run(_until(lambda: len(core.get_all()) == 5))
            assert deadline
            assert texts(core.get_all()) == ["one", "two", "three", "four", "five"]
            assert texts(core.get())[-5:] == ["one", "two", "three", "four", "five"]

    def test_outages_raise_on_request(self, store: InterruptibleStore) -> None:
        with Memory(backend=store, embedder=False) as memory:  # type: ignore[arg-type]
            core = CoreMemory.from_defaults(memory, "sarah", on_error="raise")
            with store.outage():
                with pytest.raises(BackendUnavailableError):
                    core.put(user("hi"))
                with pytest.raises(BackendUnavailableError):
                    core.get()

    def test_a_file_that_is_no_store_always_raises(self, tmp_path: Path) -> None:
        (tmp_path / "m.db").write_text("Dear diary")
        with Memory(str(tmp_path / "m.db")) as memory:
            core = CoreMemory.from_defaults(memory, "sarah")
            with pytest.raises(NotAStoreError):
                core.get()
            with pytest.raises(NotAStoreError):
                core.put(user("hi"))


async def _until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return True
        await asyncio.sleep(0.05)
    return False
