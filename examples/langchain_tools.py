"""An agent that writes its own memory with tools, instead of having it learnt in the background.

python examples/langchain_tools.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_model import chat_model

from ai_memory_integrations import Memory
from ai_memory_integrations.langchain import create_memory_tools


@dataclass
class Context:
    """Who is signed in: the tools take their subject from here, the model never sees or chooses it."""

    user_id: str


def script(messages: Sequence[BaseMessage]) -> AIMessage | str:
    """What a model would do: note what it is told, look up what it is asked."""
    last = messages[-1]
    if isinstance(last, ToolMessage):
        return "Noted." if last.name == "append_memory" else f"I looked it up: {last.text.count('<memory ')} memories."
    if "?" in last.text:
        return AIMessage("", tool_calls=[{"name": "search_memory", "args": {"query": last.text}, "id": "1"}])
    arguments = {"label": "human", "text": last.text}
    return AIMessage("", tool_calls=[{"name": "append_memory", "args": arguments, "id": "1"}])


def main() -> None:
    with Memory("langchain_tools.db") as memory:
        tools = create_memory_tools(memory, include=["search_memory", "read_memory", "append_memory", "replace_memory"])
        agent: Any = create_agent(
            chat_model(script),
            tools,
            system_prompt="Keep the memory block 'human' up to date. Search your memory before you answer.",
            context_schema=Context,
        )
        memory.add_passages([{"id": "kittens", "text": "Sarah adopted two kittens in March."}], subject_id="sarah")
        for text in ("Sarah likes green tea.", "How many kittens do I have?"):
            print(f"> {text}")
            for message in agent.invoke({"messages": [HumanMessage(text)]}, context=Context("sarah"))["messages"][1:]:
                for call in getattr(message, "tool_calls", []):
                    print(f"  calls {call['name']}({call['args']})")
                if isinstance(message, AIMessage) and message.text:
                    print(f"  {message.text}")
        human = memory.memory_history("human", "sarah")[-1]
        print(f"\nBlock 'human', version {human.version}, written by the {human.actor}: {human.value}")


if __name__ == "__main__":
    main()
