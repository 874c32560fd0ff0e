"""A graph that knows its user again: two nodes beside the one that calls the model.

    python examples/langgraph_memory_node.py

Memory is one file, langgraph_memory_node.db, in the current folder. Run it twice: the second time it knows more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_model import chat_model
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from ai_memory_integrations import Memory
from ai_memory_integrations.langgraph import MemoryState, inject_memory, learn_messages, with_memory


def script(messages: Sequence[BaseMessage]) -> str:
    """What a model would make of the memory in its prompt."""
    known = [line for line in messages[0].text.splitlines() if line.startswith(("Name:", "Lives in:", "Likes:"))]
    return f"I remember: {'; '.join(known)}." if known else "Nice to meet you. I know nothing of you yet."


def main() -> None:
    model = chat_model(script)

    def talk(state: MemoryState) -> dict[str, Any]:
        # The memory stands in these messages only: it is in no message of the state.
        return {"messages": [model.invoke(with_memory(state, system="Answer in one sentence."))]}

    with Memory("langgraph_memory_node.db", subject="user_{user_id}") as memory:
        graph = StateGraph(MemoryState).add_sequence([inject_memory(memory), talk, learn_messages(memory)])
        app: Any = graph.add_edge(START, "inject_memory").compile(checkpointer=InMemorySaver())

        def say(user_id: str, thread_id: str, text: str) -> None:
            config = {"configurable": {"user_id": user_id, "thread_id": thread_id}}
            answer = app.invoke({"messages": [("user", text)]}, config)["messages"][-1]
            print(f"{user_id}, {thread_id}\n  > {text}\n  {answer.text}")
            memory.flush(f"user_{user_id}")  # only so that this short program can show what was learnt

        say("sarah", "monday", "Hi! My name is Sarah and I live in Lisbon.")
        say("sarah", "tuesday", "What do you know about me?")
        say("bob", "tuesday", "And what do you know about me?")
        print(f"\nWhat stands in the prompt for Sarah from now on:\n{memory.prompt('user_sarah')}")


if __name__ == "__main__":
    main()
