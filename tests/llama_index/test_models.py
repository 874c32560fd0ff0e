"""LlamaIndex's models at work for a memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
from llama_index.core.llms import MockLLM
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.learning.tool_calling import ToolCallingLearner
from ai_memory_integrations.llama_index import LlamaIndexEmbedder, LlamaIndexModel
from ai_memory_integrations.testing import ScriptedLLM

MEANINGS = [("cat", "miso", "purrs"), ("car", "engine", "drives")]


class Meanings(BaseEmbedding):
    """Knows what a few words have to do with each other."""

    def _vector(self, text: str) -> list[float]:
        return [float(any(word in text.lower() for word in words)) + 0.01 for words in MEANINGS]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._vector(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._vector(text)


def test_any_embedding_model_gives_a_memory_meaning(tmp_path: Path) -> None:
    embedder = LlamaIndexEmbedder(Meanings(model_name="meanings-1"))
    assert embedder.name == "Meanings/meanings-1"
    assert embedder.dimension == 2
    with Memory(str(tmp_path / "m.db"), embedder=embedder) as memory:
        memory.add_passages(["Miso purrs.", "The engine drives."], subject_id="sarah")
        assert memory.drain(PATIENCE)
        assert memory.search("sarah", "cat", limit=1) == ["Miso purrs."]


def test_a_model_that_does_not_name_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="pass name="):
        LlamaIndexEmbedder(Meanings())
    named: Any = LlamaIndexEmbedder(Meanings(), name="mine@1", dimension=2)
    assert (named.name, named.dimension) == ("mine@1", 2)


def calling(name: str, **arguments: Any) -> ChatMessage:
    call = ToolCallBlock(tool_call_id=f"call-{name}", tool_name=name, tool_kwargs=arguments)
    return ChatMessage(role="assistant", blocks=[TextBlock(text="Let me see."), call])


def test_any_function_calling_llm_teaches_a_memory(tmp_path: Path) -> None:
    llm = ScriptedLLM([calling("memory_append", label="human", content="Name: Sarah"), calling("finish")])
    learner = ToolCallingLearner(LlamaIndexModel(llm))
    assert learner.name == "tool-calling/ScriptedLLM/scripted"
    with Memory(str(tmp_path / "m.db"), learner=learner) as memory:
        run = memory.wait_for_run(memory.add_messages("sarah", [{"role": "user", "content": "I am Sarah."}]))
        assert memory.get_user_memory("sarah") == "Name: Sarah"
    assert run.usage is not None
    assert run.usage.steps == 2
    first, second = llm.requests
    assert "memory_append" in first.tools
    assert "I am Sarah." in str(first.messages[-1].content)
    assert [message.role.value for message in second.messages] == ["system", "user", "assistant", "tool"]
    assert second.messages[3].additional_kwargs == {"tool_call_id": "call-memory_append"}


def test_the_llm_sees_the_tools_parameters_as_they_are() -> None:
    from ai_memory_integrations.learning.tool_calling import TOOLS
    from ai_memory_integrations.llama_index.models import _tool

    for schema in TOOLS:
        shown = _tool(schema["function"]).metadata.to_openai_tool()["function"]
        assert shown["name"] == schema["function"]["name"]
        assert shown["parameters"]["properties"] == schema["function"]["parameters"]["properties"]


def test_an_llm_that_calls_no_functions_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="MockLLM calls no functions"):
        LlamaIndexModel(MockLLM())  # type: ignore[arg-type]
