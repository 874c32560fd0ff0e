"""What a turn of a LangChain agent costs with memory, beside the same agent without and one with LangMem's tools.

    python -m benchmarks.langchain_overhead

The model answers at once, so what is measured is everything but the model. Each turn has one tool call. Threads are
short (ten turns) and kept in `InMemorySaver` in every case. Ours writes each turn durably to a file; LangMem's store
is in this process's memory and is written only when the model calls its tool, which it does in every turn here.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from ai_memory_integrations import Memory
from ai_memory_integrations.langchain import CoreMemoryMiddleware
from ai_memory_integrations.testing import ScriptedChatModel
from benchmarks.measure import Case, Row, compare, machine, table

SUBJECTS, TURNS = 20, 10
WORDS = ["I", "moved", "to", "Lisbon", "in", "March", "and", "I", "have", "two", "cats", "now,", "Miso", "and", "Nori"]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}."


def model(tool: str, arguments: dict[str, Any]) -> ScriptedChatModel:
    def answer(messages: Sequence[BaseMessage]) -> AIMessage | str:
        if not isinstance(messages[-1], HumanMessage):
            return "Done."
        return AIMessage("", tool_calls=[{"name": tool, "args": arguments, "id": "c1"}])

    return ScriptedChatModel(answer)


def turn(agent: Any) -> Case:
    def case(number: int) -> object:
        thread = number // TURNS
        subject = thread % SUBJECTS
        said = f"{WORDS[number % len(WORDS)]} {WORDS[number * 7 % len(WORDS)]}, number {number}?"
        config = {"configurable": {"user_id": f"u{subject}", "langgraph_user_id": f"u{subject}", "thread_id": thread}}
        return agent.invoke({"messages": [HumanMessage(said)]}, config)

    return case


def measure(folder: Path, *, rounds: int = 300) -> list[Row]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LangMem imports something deprecated
        from langmem import create_manage_memory_tool, create_search_memory_tool

    asked = ("weather", {"city": "Rome"})
    noted = ("manage_memory", {"content": "Has two cats, Miso and Nori.", "action": "create"})
    namespace = ("memories", "{langgraph_user_id}")
    langmem = [create_manage_memory_tool(namespace), create_search_memory_tool(namespace)]
    with (
        Memory(str(folder / "lean.db"), subject="{user_id}", learning="off", embedder=False) as lean,
        Memory(str(folder / "full.db"), subject="{user_id}", embedder=False) as full,
    ):
        reading = CoreMemoryMiddleware(lean, recall=0, record=False)
        for number in range(SUBJECTS):
            lean.initialize_user_memory(f"u{number}", user_context_block_value=" ".join(WORDS))
        recording = CoreMemoryMiddleware(lean, recall=0)
        agents = {
            "agent without memory": create_agent(model(*asked), [weather], checkpointer=InMemorySaver()),
            "blocks only": create_agent(model(*asked), [weather], middleware=[reading], checkpointer=InMemorySaver()),
            "blocks, turns recorded": create_agent(
                model(*asked), [weather], middleware=[recording], checkpointer=InMemorySaver()
            ),
            "blocks, recall, recorded and learnt": create_agent(
                model(*asked), [weather], middleware=[CoreMemoryMiddleware(full)], checkpointer=InMemorySaver()
            ),
            "LangMem's tools on InMemoryStore": create_agent(
                model(*noted), [weather, *langmem], checkpointer=InMemorySaver(), store=InMemoryStore()
            ),
        }
        cases = {name: turn(agent) for name, agent in agents.items()}
        for case in cases.values():
            case(-1)  # what is made with the first call is not part of a turn
        return compare("one turn of an agent with one tool call", cases, rounds=rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    print(f"Measured on {machine()}\n", flush=True)
    with TemporaryDirectory(prefix="ai-memory-bench-") as folder:
        print(table(measure(Path(folder), rounds=rounds)))


if __name__ == "__main__":
    main()
