"""The memory tools of an agent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_type_hints

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_calls import asks_for, called_by
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from ways import reach

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import ConfigurationError, NoSubjectError
from ai_memory_integrations.langchain import create_memory_tools
from ai_memory_integrations.testing import ScriptedChatModel

NAMES = [
    "search_memory",
    "read_memory",
    "append_memory",
    "replace_memory",
    "rethink_memory",
    "archive_memory",
    "forget_memory",
]


@pytest.fixture
def tools(memory: Memory) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in create_memory_tools(memory)}


class BoundTool:
    """LangChain's suites call tools without a config: the subject is bound."""

    @pytest.fixture(autouse=True)
    def _bound(self) -> Iterator[None]:
        with Memory(":memory:", subject_id="user_sarah") as self.memory:
            yield

    @property
    def tool_constructor(self) -> BaseTool:
        return create_memory_tools(self.memory, include=["archive_memory"])[0]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"text": "Sarah likes tea.", "tags": ["taste"]}


class TestToolsStandardUnit(BoundTool, ToolsUnitTests):
    pass


class TestToolsStandardIntegration(BoundTool, ToolsIntegrationTests):
    pass


def use(way: str, tool: BaseTool, arguments: dict[str, Any] | str, user_id: str = "sarah") -> str:
    config = called_by(user_id)
    result = reach(way, lambda: tool.invoke(arguments, config), lambda: tool.ainvoke(arguments, config))
    assert isinstance(result, str)
    return result


def test_a_tool_may_be_called_with_the_text_of_its_first_argument(way: str, tools: dict[str, BaseTool]) -> None:
    use(way, tools["archive_memory"], "Likes tea.")
    assert "Likes tea." in use(way, tools["search_memory"], "tea")
    assert "text: Field required" in use(way, tools["append_memory"], "human")


def test_a_block_is_written_read_corrected_and_rewritten(way: str, tools: dict[str, BaseTool], memory: Memory) -> None:
    use(way, tools["append_memory"], {"label": "human", "text": "Likes tea."})
    use(way, tools["append_memory"], {"label": "human", "text": "Lives in Rome."})
    assert "Likes coffee." in use(
        way, tools["replace_memory"], {"label": "human", "old": "Likes tea.", "new": "Likes coffee."}
    )
    assert memory.get_memory("human", subject_id="user_sarah") == "Likes coffee.\nLives in Rome."
    assert "Lives in Rome." in use(way, tools["read_memory"], {"label": "human"})
    use(way, tools["rethink_memory"], {"label": "human", "value": "Sarah, in Rome."})
    assert "Sarah, in Rome." in use(way, tools["read_memory"], {})
    assert [version.actor for version in memory.memory_history("human", "user_sarah")][1:] == ["agent"] * 4


def test_a_fact_is_archived_found_and_forgotten(way: str, tools: dict[str, BaseTool], memory: Memory) -> None:
    use(way, tools["archive_memory"], {"text": "Sarah's sister is called Ana.", "tags": ["family"]})
    found = use(way, tools["search_memory"], {"query": "sister"})
    (passage,) = memory.list_passages(subject_id="user_sarah")
    assert passage.tags == ("family",)
    assert "Ana" in found
    assert passage.id in found
    use(way, tools["forget_memory"], {"passage_id": passage.id})
    assert use(way, tools["search_memory"], {"query": "sister"}) == "Nothing was found."


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        (
            "append_memory",
            {"label": "humor", "text": "x"},
            "There is no block 'humor'. There are 'human', 'summary', 'rules'.",
        ),
        ("append_memory", {"label": "summary", "text": "x" * 1001}, "Shorten it with rethink_memory"),
        ("replace_memory", {"label": "human", "old": "x", "new": "y"}, "the text to replace is not there"),
        ("append_memory", {"label": "rules", "text": "x"}, "is read-only"),
        ("forget_memory", {"passage_id": "psg_1"}, "Take the id that search_memory gives"),
        ("archive_memory", {"text": "  "}, "text is empty"),
        ("append_memory", {"label": "human"}, "text: Field required. Call the tool again"),
        ("search_memory", {"query": "x", "limit": 0}, "limit: Input should be greater than or equal to 1"),
    ],
)
def test_what_goes_wrong_is_told_to_the_model_with_what_to_do(
    way: str, tools: dict[str, BaseTool], memory: Memory, name: str, arguments: dict[str, Any], told: str
) -> None:
    memory.ensure_subject("user_sarah")
    memory.initialize_memory("rules", value="Be kind.", read_only=True, subject_id="user_sarah")
    text = use(way, tools[name], arguments)
    assert told in text
    assert "sarah" not in text


def test_an_outage_is_told_to_the_model(tools: dict[str, BaseTool], memory: Memory) -> None:
    memory.close()
    assert use("sync", tools["search_memory"], {"query": "x"}) == (
        "The memory cannot be reached just now. Go on without it."
    )


def test_the_schema_shows_no_subject_and_no_runtime(tools: dict[str, BaseTool]) -> None:
    assert list(tools) == NAMES
    for tool in tools.values():
        schema = str(tool.tool_call_schema.model_json_schema()).lower()  # type: ignore[union-attr]
        assert not [word for word in ("subject", "user_id", "config", "runtime") if word in schema]


def test_a_model_that_names_another_subject_gets_nothing_of_it(memory: Memory, tools: dict[str, BaseTool]) -> None:
    memory.add_passages(["Bob's secret is 4711."], subject_id="user_bob")
    arguments = {"query": "secret", "subject": "user_bob", "subject_id": "user_bob", "user_id": "bob"}
    arguments["config"] = {"configurable": {"user_id": "bob"}}  # type: ignore[assignment]
    arguments["runtime"] = {"context": {"user_id": "bob"}}  # type: ignore[assignment]
    assert "4711" not in use("sync", tools["search_memory"], arguments)


def test_without_a_subject_a_tool_raises(tools: dict[str, BaseTool]) -> None:
    with pytest.raises(NoSubjectError, match="user_id"):
        tools["search_memory"].invoke({"query": "x"})


def test_only_the_tools_asked_for_are_made(memory: Memory) -> None:
    assert [tool.name for tool in create_memory_tools(memory, include=["read_memory"])] == ["read_memory"]
    with pytest.raises(ConfigurationError, match="no memory tool 'recall'; there are search_memory"):
        create_memory_tools(memory, include=["recall"])
    with pytest.raises(ConfigurationError, match="is a string"):
        create_memory_tools(memory, include="read_memory")


@dataclass
class Context:
    user_id: str


def test_in_an_agent_the_subject_comes_from_its_context(way: str, memory: Memory) -> None:
    model = ScriptedChatModel([asks_for("append_memory", label="human", text="Likes tea."), "Noted."])
    agent = create_agent(model, create_memory_tools(memory), context_schema=Context)
    asked: Any = {"messages": "I like tea."}
    done = reach(
        way,
        lambda: agent.invoke(asked, context=Context("sarah")),
        lambda: agent.ainvoke(asked, context=Context("sarah")),
    )
    assert memory.get_memory("human", subject_id="user_sarah") == "Likes tea."
    assert isinstance(done["messages"][2], ToolMessage)


@pytest.mark.parametrize("way_to_give", ["context", "config"])
def test_a_tool_node_injects_the_runtime_that_binds_the_subject(way: str, memory: Memory, way_to_give: str) -> None:
    """Each tool declares a `ToolRuntime`; what it says of the caller holds, whatever the model wrote."""
    node = ToolNode(create_memory_tools(memory, include=["append_memory"]))
    forged = {"context": {"user_id": "bob"}, "config": {"configurable": {"user_id": "bob"}}}
    call = asks_for("append_memory", label="human", text="Likes tea.", runtime=forged, config=forged["config"])
    graph = StateGraph(MessagesState, context_schema=Context)
    graph.add_node("tools", node)
    graph.add_edge(START, "tools")
    compiled = graph.compile()
    given: dict[str, Any] = {"context": Context("sarah")} if way_to_give == "context" else {}
    config = called_by("sarah") if way_to_give == "config" else None
    asked: Any = {"messages": [call]}
    reach(way, lambda: compiled.invoke(asked, config, **given), lambda: compiled.ainvoke(asked, config, **given))
    assert memory.get_memory("human", subject_id="user_sarah") == "Likes tea."
    assert [subject.subject_id for subject in memory.list_subjects()] == ["user_sarah"]


def test_every_tool_declares_the_runtime_it_is_bound_by(tools: dict[str, BaseTool]) -> None:
    for tool in tools.values():
        assert isinstance(tool, StructuredTool)
        assert tool.func is not None
        assert tool.coroutine is not None
        assert get_type_hints(tool.func)["runtime"] == ToolRuntime[Any, Any]
        assert get_type_hints(tool.coroutine)["runtime"] == ToolRuntime[Any, Any]


def test_an_agent_is_told_that_its_call_failed_and_goes_on(memory: Memory) -> None:
    model = ScriptedChatModel([asks_for("read_memory", label="no such"), "I could not."])
    agent = create_agent(model, create_memory_tools(memory))
    asked: Any = {"messages": "Look."}
    messages = agent.invoke(asked, called_by("sarah"))["messages"]
    assert messages[2].status == "error"
    assert messages[-1].content == "I could not."
