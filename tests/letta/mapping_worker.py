"""One of several processes that meet the same new subjects at the same moment."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from ai_memory_integrations.backends.letta.server import LettaServer
from ai_memory_integrations.backends.letta.store import LettaStore
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.types import BlockSpec


def main(url: str, namespace: str, journal: str, meeting: str, name: str, processes: str, rounds: str) -> None:
    place = Path(meeting)
    store = LettaStore(LettaServer(url, api_key="none"), SQLiteStore(journal), url=url, namespace=namespace)
    made: list[bool] = []
    for number in range(int(rounds)):
        (place / f"{number}.{name}").touch()
        while len(list(place.glob(f"{number}.*"))) < int(processes):
            time.sleep(0.001)
        _, created = store.backend.create_subject(f"subject {number}", [BlockSpec(label="human"), BlockSpec(label="x")])
        made.append(created)
    # Whoever was told of an agent that gave way finds the one that stayed.
    agents = []
    for number in range(int(rounds)):
        store.backend.list_blocks(f"subject {number}")
        agents.append(store.agents.ensure(f"subject {number}").agent_id)
    store.close()
    print(json.dumps({"made": made, "agents": agents}))


if __name__ == "__main__":
    main(*sys.argv[1:])
