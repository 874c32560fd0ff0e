"""A LangGraph store that is the core memory as well.

    python examples/langgraph_store.py

Everything is kept in one file, langgraph_store.db, in the current folder; search needs no embedding model.
"""

from __future__ import annotations

from typing import Any

from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.base import BaseStore

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import VersionConflictError
from ai_memory_integrations.langgraph import CoreMemoryStore, core_memory_namespace

NOTES = {
    "trip": {"text": "Sarah flies to Porto on Friday.", "kind": "travel", "nights": 3},
    "hotel": {"text": "The hotel in Porto has no lift.", "kind": "travel", "nights": 3},
    "tea": {"text": "She drinks green tea in the morning.", "kind": "taste"},
}


@tool
def find_note(query: str, runtime: ToolRuntime[Any, Any]) -> str:
    """Find a note about the user."""
    store: BaseStore = runtime.store  # type: ignore[assignment]  # the graph was compiled with one
    found = store.search(("notes", "sarah"), query=query, limit=1)
    return str(found[0].value["text"])


def main() -> None:
    with Memory("langgraph_store.db") as memory:
        store = CoreMemoryStore(memory)

        print("Items of your own, found by what they say and by what they hold:")
        for key, note in NOTES.items():
            store.put(("notes", "sarah"), key, note)
        for item in store.search(("notes",), query="when does she travel to Porto?", limit=2):
            print(f"  {item.score:.2f}  {item.key}: {item.value['text']}")
        print("  travel only:", [item.key for item in store.search(("notes",), filter={"kind": "travel"})])
        print("  3 nights or more:", [item.key for item in store.search(("notes",), filter={"nights": {"$gte": 3}})])

        print("\nThe core memory of a user, the same blocks and passages as everywhere else:")
        memory.initialize_memory(
            "human", "Details about the user.", "Name: Sarah", reset=True, subject_id="sarah@x.org"
        )
        memory.add_passages([{"id": "job", "text": "Sarah is a baker."}], subject_id="sarah@x.org")
        blocks = core_memory_namespace("sarah@x.org", "blocks")
        block = store.get(blocks, "human")
        assert block is not None
        print(f"  {blocks}: {block.value}")
        store.put(blocks, "human", {**block.value, "value": "Name: Sarah Klein"})
        print("  by the memory:", memory.get_memory("human", subject_id="sarah@x.org"))
        try:
            store.put(blocks, "human", {**block.value, "value": "Name: Sara"})
        except VersionConflictError as error:
            print("  an outdated edit is refused:", error)
        found = store.search(core_memory_namespace("sarah@x.org"), query="baker")
        print("  found:", found[0].namespace[-1], found[0].key, found[0].value["text"])

        print("\nIn a tool of an agent or a graph that was compiled with the store:")
        print(f"  {ask(store, 'tea')}")


def ask(store: CoreMemoryStore, query: str) -> str:
    """What a graph's tool node answers to a model that calls the tool."""
    graph = StateGraph(MessagesState).add_node("tools", ToolNode([find_note])).add_edge(START, "tools")
    call = AIMessage("", tool_calls=[{"name": "find_note", "args": {"query": query}, "id": "1"}])
    messages = graph.compile(store=store).invoke({"messages": [call]})["messages"]
    return str(messages[-1].text)


if __name__ == "__main__":
    main()
