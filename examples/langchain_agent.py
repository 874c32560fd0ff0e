"""An agent that knows its user again: in another conversation, and in another process.

    python examples/langchain_agent.py

Memory is one file, langchain_agent.db, in the current folder. Run it twice: the second time it knows more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_model import chat_model
from langgraph.checkpoint.memory import InMemorySaver

from ai_memory_integrations import Memory
from ai_memory_integrations.langchain import CoreMemoryMiddleware


def script(messages: Sequence[BaseMessage]) -> str:
    """What a model would make of the memory in its prompt."""
    prompt = messages[0].text
    known = [line for line in prompt.splitlines() if line.startswith(("Name:", "Lives in:", "Likes:"))]
    return f"I remember: {'; '.join(known)}." if known else "Nice to meet you. I know nothing of you yet."


def main() -> None:
    with Memory("langchain_agent.db", subject="user_{user_id}") as memory:
        agent: Any = create_agent(
            chat_model(script),
            system_prompt="You are a helpful assistant. Answer in one sentence.",
            middleware=[CoreMemoryMiddleware(memory)],  # this line is all that memory needs
            checkpointer=InMemorySaver(),
        )

        def say(user_id: str, thread_id: str, text: str) -> None:
            config = {"configurable": {"user_id": user_id, "thread_id": thread_id}}
            answer = agent.invoke({"messages": [HumanMessage(text)]}, config)["messages"][-1]
            print(f"{user_id}, {thread_id}\n  > {text}\n  {answer.text}")
            memory.flush(f"user_{user_id}")  # only so that this short program can show what was learnt

        say("sarah", "monday", "Hi! My name is Sarah and I live in Lisbon.")
        say("sarah", "tuesday", "What do you know about me?")
        say("bob", "tuesday", "And what do you know about me?")
        print(f"\nWhat stands in the prompt for Sarah from now on:\n{memory.prompt('user_sarah')}")


if __name__ == "__main__":
    main()
