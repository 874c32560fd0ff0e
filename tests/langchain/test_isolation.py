"""No subject ever meets another's memory, whatever is interleaved."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_calls import called_by
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.langchain import (
    CoreMemoryMiddleware,
    CoreMemoryRetriever,
    chat_history_factory,
    create_memory_tools,
    format_documents,
)
from ai_memory_integrations.testing import ScriptedChatModel, temporary_memory

USERS = ("sarah", "bob", "alice@example.com", "böb", "sarah2")
SECRET = re.compile(r"secret-of-\S+?-\d+")
KINDS = ("agent", "history", "tool write", "tool read", "retrieve", "nosy agent", "nosy tool")


def nosy(messages: Any) -> AIMessage | str:
    """A model that tries to look into everybody's memory with every argument it can think of, then repeats it all."""
    last = messages[-1]
    if isinstance(last, HumanMessage) and "nosy" in last.text:
        others = {"subject": "user_bob", "subject_id": "user_sarah", "user_id": "bob", "runtime": {"context": "bob"}}
        return AIMessage(
            "",
            tool_calls=[
                {"name": "search_memory", "args": {"query": "secret user_bob", "limit": 50, **others}, "id": "c1"},
                {"name": "read_memory", "args": others, "id": "c2"},
            ],
        )
    return "I saw: " + " ".join(SECRET.findall(str(messages)))


class Room:
    """One middleware, one history factory, one retriever and one set of tools for everybody."""

    def __init__(self, memory: Memory) -> None:
        self.model = ScriptedChatModel(nosy)
        self.tools = {tool.name: tool for tool in create_memory_tools(memory)}
        middleware = CoreMemoryMiddleware(memory, tools=True)
        self.agent = create_agent(self.model, middleware=[middleware], checkpointer=InMemorySaver())
        self.histories = chat_history_factory(memory, include_blocks=True)
        self.retriever = CoreMemoryRetriever(memory, k=50, tags=[], include_blocks=True)

    def act(self, kind: str, user: str, n: int) -> str:
        """Everything that came back to *user*."""
        config = called_by(user, f"thread-of-{user}")
        secret = f"secret-of-{user}-{n}"
        if kind in ("agent", "nosy agent"):
            question: Any = {"messages": f"nosy {secret}" if kind == "nosy agent" else f"I know {secret}"}
            if n % 2:
                return str(self.agent.invoke(question, config)["messages"])
            return str(asyncio.run(self.agent.ainvoke(question, config))["messages"])
        if kind == "history":
            history = self.histories(user, f"thread-of-{user}")
            before = str(history.messages)
            history.add_messages([HumanMessage(f"I keep {secret}")])
            return before + str(history.messages)
        if kind == "tool write":
            self.tools["archive_memory"].invoke({"text": f"A {secret}."}, config)
            return str(self.tools["append_memory"].invoke({"label": "human", "text": secret}, config))
        if kind == "tool read":
            arguments = {"query": "secret user_bob", "limit": 50}
            return str(self.tools["search_memory"].invoke(arguments, config))
        if kind == "nosy tool":
            arguments = {"query": "secret", "limit": 50, "subject_id": "user_bob", "user_id": "bob"}
            return str(asyncio.run(self.tools["search_memory"].ainvoke(arguments, config)))
        return format_documents(self.retriever.invoke("secret", config))


ACTS = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(USERS)), min_size=5, max_size=25)


@pytest.mark.parametrize("at_once", [False, True])
@given(acts=ACTS)
@settings(max_examples=12, deadline=None)
def test_no_subjects_text_reaches_another(at_once: bool, acts: list[tuple[str, str]]) -> None:
    with temporary_memory(subject="user_{user_id}", embedder=False) as memory:
        room = Room(memory)
        # One thread at a time for each user, because a thread of a graph has one turn at a time.
        jobs = [(kind, user, n) for n, (kind, user) in enumerate(acts)]
        if at_once:
            with ThreadPoolExecutor(len(USERS)) as pool:
                rows = list(pool.map(lambda user: [_done(room, job) for job in jobs if job[1] == user], USERS))
            seen = [each for row in rows for each in row]
        else:
            seen = [_done(room, job) for job in jobs]
        memory.drain(PATIENCE)
        for user in USERS:
            texts = [text for who, text in seen if who == user]
            texts += [memory.prompt(f"user_{user}"), str(memory.list_messages(f"user_{user}"))]
            found = {secret for text in texts for secret in SECRET.findall(text)}
            assert not {secret for secret in found if not re.fullmatch(rf"secret-of-{re.escape(user)}-\d+", secret)}
        for request in room.model.requests:
            whose = {secret.rsplit("-", 1)[0] for secret in SECRET.findall(str(request.messages))}
            assert len(whose) <= 1


def _done(room: Room, job: tuple[str, str, int]) -> tuple[str, str]:
    return job[1], room.act(*job)
