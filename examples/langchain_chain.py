"""A classic chain with a durable history and recalled memories: prompt | model, no agent.

python examples/langchain_chain.py
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnablePassthrough
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_model import chat_model

from ai_memory_integrations import Memory
from ai_memory_integrations.langchain import CoreMemoryRetriever, chat_history_factory, format_documents

# LangChain asks to build agents instead of such chains; many applications still have them.
warnings.filterwarnings("ignore", message="RunnableWithMessageHistory is deprecated")

PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "You are a helpful assistant. Answer in one sentence.\n\n{memories}"),
        MessagesPlaceholder("history"),
        ("human", "{question}"),
    ]
)


def script(messages: Sequence[BaseMessage]) -> str:
    """What a model would make of the memories in its prompt."""
    recalled = messages[0].text.count("<memory ")
    return f"I was given {recalled} memories and {len(messages) - 2} earlier messages."


def main() -> None:
    with Memory("langchain_chain.db") as memory:
        facts = {"allergy": "Sarah is allergic to peanuts.", "sister": "Sarah's sister Ana lives in Porto."}
        memory.add_passages([{"id": name, "text": text} for name, text in facts.items()], subject_id="sarah")
        memories = itemgetter("question") | CoreMemoryRetriever(memory, k=3) | format_documents
        factory = chat_history_factory(memory)
        chain = RunnableWithMessageHistory(
            RunnablePassthrough.assign(memories=memories) | PROMPT | chat_model(script),
            factory,
            history_factory_config=factory.fields,  # user_id and session_id
            input_messages_key="question",
            history_messages_key="history",
        )
        config: Any = {"configurable": {"user_id": "sarah", "session_id": "dinner"}}
        for question in ("Where does Ana live?", "May I have the peanuts?", "What did I ask first?"):
            print(f"> {question}\n  {chain.invoke({'question': question}, config).text}")

        print("\nFound for 'peanuts' in sarah's memory:")
        for document in CoreMemoryRetriever(memory, k=2).invoke("peanuts", config):
            print(f"  {document.metadata['score']:.2f}  {document.page_content}")
        print("Found in bob's:", CoreMemoryRetriever(memory).invoke("peanuts", {"configurable": {"user_id": "bob"}}))


if __name__ == "__main__":
    main()
