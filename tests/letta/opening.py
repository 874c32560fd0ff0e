"""Memories on the tests' Letta server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from letta_client import Letta

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.letta.delivery import Patience
from ai_memory_integrations.backends.letta.learner import LettaLearner
from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.urls import open_store
from ai_memory_integrations.types import LearningPolicy

AT_ONCE = LearningPolicy(batch=1, idle=0.0, max_wait=0.0, attempts=8, retry_delay=0.2, workers=4)
BATCHED = AT_ONCE.model_copy(update={"batch": 20, "idle": 0.2, "max_wait": 5.0})
QUICK = Patience(settle=1.0, run=300.0)


def store_at(
    url: str,
    journal: str | Path,
    *,
    patience: Patience = QUICK,
    timeout: float = 60.0,
    exclusive: bool = False,
    **more: Any,
) -> LettaStore:
    """A store on the server at *url*, with its journal in a file or where a URL says."""
    store = LettaStore(
        LettaServer(url, api_key="none", timeout=timeout),
        open_store(str(journal)),
        url=url,
        patience=patience,
        exclusive=exclusive,
    )
    if more:
        record = store.record
        store.learner = LettaLearner(
            store.server,
            store.backend,
            record=record.backend,
            journal=record.journal,
            notes=record.notes,
            patience=patience,
            exclusive=exclusive,
            **more,
        )
    return store


@contextmanager
def memory_at(
    url: str, journal: str | Path, learning: LearningPolicy | str = AT_ONCE, learner: Any = None, **more: Any
) -> Iterator[Memory]:
    """A memory that is closed with its store; what it has in work is not waited for."""
    store = store_at(url, journal, **more)
    with Memory(backend=store, learning=learning, learner=learner) as memory:  # type: ignore[arg-type]
        yield memory
    store.close()


def agent_of(memory: Memory, subject: str) -> str:
    agent = memory.get_memory_agent_id(subject)
    assert agent is not None
    return agent


def batches(client: Letta, agent: str) -> Counter[str]:
    """Of each part of a batch, how many runs of Letta completed it."""
    found: Counter[str] = Counter()
    for run in client.runs.list(agent_id=agent, limit=1000, order="asc").items:
        mark = run.request_config and run.request_config.assistant_message_tool_kwarg
        if run.status == "completed" and mark and mark.startswith("ami:"):
            found[re.sub(r"\.\w+$", "", mark)] += 1
    return found


def value_at(client: Letta, agent: str, label: str = "human") -> str:
    """What Letta itself holds."""
    return {block.label: block.value for block in client.agents.blocks.list(agent).items}[label]


def said(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]
