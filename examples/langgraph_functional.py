"""LangGraph's functional API with memory: the nodes are called like functions.

    python examples/langgraph_functional.py

Memory is one file, langgraph_functional.db, in the current folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langchain_model import chat_model
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task

from ai_memory_integrations import Memory
from ai_memory_integrations.langgraph import inject_memory, learn_messages, with_memory


def script(messages: Sequence[BaseMessage]) -> str:
    known = [line for line in messages[0].text.splitlines() if line.startswith(("Name:", "Lives in:", "Likes:"))]
    return f"I remember: {'; '.join(known)}." if known else "Nice to meet you."


def main() -> None:
    model = chat_model(script)
    with Memory("langgraph_functional.db") as memory:
        inject, learn = inject_memory(memory), learn_messages(memory, wait=True)

        @task
        def answer(messages: list[AnyMessage]) -> AIMessage:
            state: dict[str, Any] = {"messages": messages}
            return model.invoke(with_memory(state | inject.invoke(state), system="Answer in one sentence."))

        @entrypoint(checkpointer=InMemorySaver())
        def talk(text: str, *, previous: list[AnyMessage] | None = None) -> Any:
            messages = [*(previous or []), HumanMessage(text)]
            messages.append(answer(messages).result())
            learn.invoke({"messages": messages})
            return entrypoint.final(value=messages[-1].text, save=messages)

        for thread_id, text in (
            ("monday", "My name is Sarah and I live in Lisbon."),
            ("monday", "I like hiking."),
            ("tuesday", "What do you know about me?"),
        ):
            config: Any = {"configurable": {"user_id": "sarah", "thread_id": thread_id}}
            print(f"{thread_id}\n  > {text}\n  {talk.invoke(text, config)}")


if __name__ == "__main__":
    main()
