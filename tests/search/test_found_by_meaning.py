"""When what was said is found by its meaning, and not by its words alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from threading import Event

import pytest
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.memory import runs
from ai_memory_integrations.ports import Embedder
from ai_memory_integrations.search.embedders import embedder_from_callable

CATS = [{"role": "user", "content": "I love cats."}]


def about_animals(*, hold: Event | None = None) -> Embedder:
    """An embedder to which cats are animals. It takes its time with what is kept, until *hold* is set."""

    def embed(texts: Sequence[str]) -> list[list[float]]:
        if any("cats" in text for text in texts):
            if hold is None:
                time.sleep(0.2)
            else:
                assert hold.wait(PATIENCE)
        return [[1.0, 0.0] if "cats" in text or "animals" in text else [0.0, 1.0] for text in texts]

    return embedder_from_callable(embed, name="about animals", dimension=2)


@pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])
def test_what_a_run_was_waited_for_is_found_by_meaning(
    place: str, awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "EMBEDDED_SECONDS", PATIENCE)
    with Memory(place, embedder=about_animals()) as memory:
        run = memory.add_messages("sarah", CATS)
        if awaited:
            asyncio.run(memory.aio.wait_for_run(run, timeout=PATIENCE))
        else:
            memory.wait_for_run(run, timeout=PATIENCE)
        assert memory.search("sarah", "animals") == ["I love cats."]


def test_what_was_flushed_is_found_by_meaning(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "EMBEDDED_SECONDS", PATIENCE)
    with Memory(place, embedder=about_animals(), learning="off") as memory:
        memory.add_messages("sarah", CATS)
        memory.flush("sarah", timeout=PATIENCE)
        assert memory.search("sarah", "animals") == ["I love cats."]


def test_a_run_is_not_held_up_by_an_embedder_for_long(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "EMBEDDED_SECONDS", 0.1)
    hold = Event()
    with Memory(place, embedder=about_animals(hold=hold)) as memory:
        run = memory.add_messages("sarah", CATS)
        assert memory.wait_for_run(run, timeout=PATIENCE).state == "completed"
        assert memory.search("sarah", "animals") == []
        hold.set()
        assert memory.drain(timeout=PATIENCE)
        assert memory.search("sarah", "animals") == ["I love cats."]
