"""Passages as nodes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode, NodeWithScore
from llama_index.core.tools import RetrieverTool
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from ways import reach

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import InvalidInputError, NoSubjectError
from ai_memory_integrations.llama_index import CoreMemoryRetriever
from ai_memory_integrations.testing import ScriptedLLM


def retrieved(retriever: CoreMemoryRetriever, query: str = "cat", way: str = "sync") -> list[NodeWithScore]:
    return reach(way, lambda: retriever.retrieve(query), lambda: retriever.aretrieve(query))


def texts(nodes: list[NodeWithScore]) -> list[str]:
    return [node.text for node in nodes]


@pytest.fixture
def filled(memory: Memory) -> Memory:
    memory.add_messages("sarah", [{"role": "user", "content": "My cat is called Miso."}], thread_id="s1")
    memory.add_passages(
        [
            {"text": f"cat fact {n}", "metadata": {"n": n, "kind": "odd" if n % 2 else "even"}, "tags": ["fact"]}
            for n in range(100)
        ],
        subject_id="sarah",
    )
    memory.add_passages(["bob's cat"], subject_id="bob")
    return memory


def test_nodes_have_ids_scores_and_provenance_in_every_way(filled: Memory, way: str) -> None:
    nodes = retrieved(CoreMemoryRetriever(filled, "sarah", similarity_top_k=3), "What is my cat called?", way)
    assert len(nodes) == 3
    first = nodes[0]
    assert first.text == "My cat is called Miso."
    assert first.score is not None
    assert 0 < first.score <= 1
    assert first.metadata["role"] == "user"
    assert first.metadata["session_id"] == "s1"
    passage = filled.get_passage(first.node_id, subject_id="sarah")
    assert passage is not None
    assert passage.text == first.text
    assert "session_id" not in first.node.get_content(MetadataMode.LLM)


def test_filters_narrow_by_tag_time_session_and_metadata(filled: Memory, ranks_all: bool) -> None:
    def found(**options: object) -> list[str]:
        return texts(retrieved(CoreMemoryRetriever(filled, "sarah", **options)))  # type: ignore[arg-type]

    tagged = found(tags=["fact"], similarity_top_k=200)
    either_kind = found(filters=has("kind", ["odd", "even"], "in"), similarity_top_k=200)
    if ranks_all:  # what is equally near has no order there
        tagged, either_kind = sorted(tagged), sorted(either_kind)
    assert tagged == either_kind
    assert found(session_id="s1") == ["My cat is called Miso."]
    assert found(before=datetime(2020, 1, 1, tzinfo=UTC)) == []
    assert found(filters=has("n", 7)) == ["cat fact 7"]
    assert sorted(found(filters=has("n", 97, ">"))) == ["cat fact 98", "cat fact 99"]
    assert found(filters=has("role", "user")) == ["My cat is called Miso."]
    either = MetadataFilters(
        filters=[MetadataFilter(key="n", value=1), MetadataFilter(key="n", value=2)], condition=FilterCondition.OR
    )
    assert sorted(found(filters=either)) == ["cat fact 1", "cat fact 2"]


def has(key: str, value: object, operator: str = "==") -> MetadataFilters:
    return MetadataFilters(
        filters=[MetadataFilter(key=key, value=value, operator=FilterOperator(operator))]  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("operator", "value", "left"),
    [
        (">", 0, ["one"]),
        ("text_match", "man", ["two"]),
        ("text_match_insensitive", "MAN", ["two"]),
        ("contains", 1, ["three"]),
        ("any", [1], ["three"]),
        ("nin", [1], ["five", "four", "three", "two"]),
    ],
)
def test_a_filter_passes_over_values_of_another_kind(
    memory: Memory, operator: str, value: object, left: list[str]
) -> None:
    kinds = {"one": 1, "two": "many", "three": [1], "four": None}
    memory.add_passages(
        [*({"text": f"cat {name}", "metadata": {"n": n}} for name, n in kinds.items()), "cat five"], subject_id="sarah"
    )
    asked = MetadataFilter(key="n", value=value, operator=FilterOperator(operator))  # type: ignore[arg-type]
    other = MetadataFilter(key="n", value="many")

    def found(condition: FilterCondition) -> list[str]:
        filters = MetadataFilters(filters=[other, asked], condition=condition)
        retriever = CoreMemoryRetriever(memory, "sarah", filters=filters, similarity_top_k=9)
        return sorted(text.removeprefix("cat ") for text in texts(retrieved(retriever)))

    assert found(FilterCondition.OR) == sorted({*left, "two"})
    assert found(FilterCondition.AND) == [name for name in left if name == "two"]
    assert found(FilterCondition.NOT) == sorted({"one", "two", "three", "four", "five"} - {*left, "two"})


def test_it_answers_in_a_query_engine_and_as_a_tool(filled: Memory) -> None:
    llm = ScriptedLLM(["Miso."])
    retriever = CoreMemoryRetriever(filled, "sarah", similarity_top_k=2)
    answer = RetrieverQueryEngine.from_args(retriever, llm=llm).query("What is my cat called?")
    assert str(answer) == "Miso."
    assert len(answer.source_nodes) == 2
    assert "My cat is called Miso." in str(llm.requests[0].messages)
    tool = RetrieverTool.from_defaults(retriever, description="What the user said.")
    assert "Miso" in str(tool.call("cat called"))


def test_whose_passages_they_are_is_asked_on_every_retrieval(filled: Memory) -> None:
    whom = ["sarah"]
    retriever = CoreMemoryRetriever(filled, lambda caller: whom[0], similarity_top_k=200)
    assert len(retrieved(retriever)) == 101
    whom[0] = "bob"
    assert texts(retrieved(retriever)) == ["bob's cat"]
    whom[0] = "nobody"
    assert retrieved(retriever) == []


def test_mistakes_are_refused_when_it_is_made(memory: Memory) -> None:
    with pytest.raises(NoSubjectError):
        CoreMemoryRetriever(memory)
    with pytest.raises(InvalidInputError, match="similarity_top_k"):
        CoreMemoryRetriever(memory, "sarah", similarity_top_k=0)
    with pytest.raises(InvalidInputError, match="time zone"):
        CoreMemoryRetriever(memory, "sarah", after=datetime(2020, 1, 1))
    no_text = MetadataFilter(key="n", value=1, operator=FilterOperator.TEXT_MATCH)
    with pytest.raises(InvalidInputError, match="text_match on 'n' needs a text, got 1"):
        CoreMemoryRetriever(memory, "sarah", filters=MetadataFilters(filters=[no_text]))
