"""Notes and conversations, found by words, tags, metadata and time: `python examples/archival_search.py`.

With `pip install 'ai-memory-integrations[embeddings]'` the last question is found by meaning as well.
"""

from __future__ import annotations

from datetime import UTC, datetime
from tempfile import TemporaryDirectory

from ai_memory_integrations import Memory, Passage

MARCH, JUNE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)

NOTES = [
    Passage(text="Sarah's first trek was the Rota Vicentina.", tags=("travel",), created_at=MARCH),
    Passage(text="She climbed Pico in the Azores and loved it.", tags=("travel", "islands"), created_at=JUNE),
    Passage(text="Her running shoes wear out on the left side.", tags=("health",), metadata={"source": "shop"}),
]
CONVERSATION = [
    {"role": "user", "content": "I adopted two kittens, Miso and Nori.", "created_at": "2026-06-02T09:00:00+00:00"},
    {"role": "assistant", "content": "Congratulations! How old are they?", "created_at": "2026-06-02T09:00:05+00:00"},
    {"role": "user", "content": "Nine weeks. They sleep on my keyboard.", "created_at": "2026-06-02T09:01:00+00:00"},
]


def show(question: str, found: list[Passage]) -> None:
    print(f"\n{question}")
    for passage in found or [Passage(text="nothing")]:
        score = "     " if passage.score is None else f"{passage.score:.2f} "
        when = f" ({passage.created_at:%d %B %Y})" if passage.created_at else ""
        print(f"  {score}{passage.text}{when}")


def main(path: str) -> None:
    with Memory(path, subject_id="user_sarah") as memory:
        memory.add_passages(NOTES)
        memory.add_messages(CONVERSATION, thread_id="pets")
        memory.drain()  # vectors are made behind the writes

        show("How old are the kittens?", memory.search_passages("How old are the kittens?", limit=3))
        show("Trips, by tag:", memory.search_passages("trek climbed", tags=["travel"]))
        show("Trips since May:", memory.search_passages("trek climbed", tags=["travel"], after="2026-05-01T00:00:00Z"))
        show("What the shop noted:", memory.search_passages("shoes", metadata={"source": "shop"}))
        show("What the assistant said:", memory.search_passages("old", tags=["assistant"]))
        show("Newest first, in the thread 'pets':", memory.search_passages(tags=[], thread_id="pets", limit=2))
        show("animals:", memory.search_passages("animals", limit=1))

        best = memory.search_passages("kittens keyboard", limit=1, explain=True)[0]
        print(f"\nWhat the best score for 'kittens keyboard' is made of: {best.explanation}")
        print(f"\nAs text for a prompt:\n{memory.recall(query='kittens', limit=2)}")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(f"{folder}/memory.db")
