"""The memory tools in a LlamaIndex agent."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.tools import FunctionTool
from ways import reach

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import ConfigurationError, NoSubjectError
from ai_memory_integrations.llama_index import CoreMemoryToolSpec
from ai_memory_integrations.testing import ScriptedLLM

NAMES = [
    "search_memory",
    "read_memory",
    "append_memory",
    "replace_memory",
    "rethink_memory",
    "archive_memory",
    "forget_memory",
]


def tools(memory: Memory, subject: Any = "sarah") -> dict[str, FunctionTool]:
    return {tool.metadata.get_name(): tool for tool in CoreMemoryToolSpec(memory, subject).to_tool_list()}


def test_all_tools_work_in_every_way(memory: Memory, way: str) -> None:
    memory.initialize_user_memory("sarah")
    made = tools(memory)
    assert list(made) == NAMES

    def use(name: str, **arguments: Any) -> str:
        tool = made[name]
        return reach(way, lambda: tool.call(**arguments), lambda: tool.acall(**arguments)).content

    assert "Likes cats" in use("append_memory", label="human", text="Likes cats")
    assert "Likes dogs" in use("replace_memory", label="human", old="cats", new="dogs")
    assert "Likes owls" in use("rethink_memory", label="human", value="Likes owls")
    assert "Likes owls" in use("read_memory", label="human")
    archived = use("archive_memory", text="Her birthday is in May.", tags=["birthday"])
    passage_id = archived.split()[-1].rstrip(".")
    assert passage_id in use("search_memory", query="birthday")
    assert passage_id in use("forget_memory", passage_id=passage_id)
    assert use("search_memory", query="birthday") == "Nothing was found."


def test_the_model_sees_no_subject_and_cannot_name_one(memory: Memory) -> None:
    memory.initialize_user_memory("sarah", user_context_block_value="Name: Sarah")
    memory.initialize_user_memory("bob", user_context_block_value="Name: Bob")
    for tool in tools(memory).values():
        schema = tool.metadata.get_parameters_dict()
        assert not {"subject", "subject_id", "user_id"} & set(schema["properties"])
    read = tools(memory)["read_memory"].call(subject="bob", subject_id="bob", memory="bob", user_id="bob").content
    assert "Name: Sarah" in read
    assert "Bob" not in read


def test_what_goes_wrong_is_told_to_the_model(memory: Memory) -> None:
    memory.initialize_user_memory("sarah")
    made = tools(memory)
    assert "There is no block 'nope'" in made["append_memory"].call(label="nope", text="x").content
    assert "label" in made["append_memory"].call(text="x").content
    assert "search_memory" in made["forget_memory"].call(passage_id="psg_1").content


def test_mistakes_of_set_up_raise(memory: Memory) -> None:
    with pytest.raises(NoSubjectError):
        CoreMemoryToolSpec(memory)
    with pytest.raises(ConfigurationError, match="no memory tool 'nope'"):
        CoreMemoryToolSpec(memory, "sarah", include=["nope"])
    with pytest.raises(NoSubjectError):
        tools(memory, lambda caller: None)["read_memory"].call()


def test_fewer_tools_can_be_asked_for(memory: Memory) -> None:
    spec = CoreMemoryToolSpec(memory, "sarah", include=["search_memory", "read_memory"])
    assert spec.spec_functions == ["search_memory", "read_memory"]
    assert [tool.metadata.name for tool in spec.to_tool_list(["read_memory"])] == ["read_memory"]


async def test_an_agent_uses_them(memory: Memory) -> None:
    memory.initialize_user_memory("sarah")
    call = ToolCallBlock(
        tool_call_id="1", tool_name="append_memory", tool_kwargs={"label": "human", "text": "Likes cats"}
    )
    llm = ScriptedLLM([ChatMessage(role="assistant", blocks=[call]), "Noted."])
    agent = FunctionAgent(llm=llm, tools=CoreMemoryToolSpec(memory, "sarah").to_tool_list())
    assert str(await agent.run("I like cats.")) == "Noted."
    assert memory.get_memory("human", subject_id="sarah") == "Likes cats"
    assert memory.memory_history("human", "sarah")[-1].actor == "agent"
