"""How often search finds the annotated evidence of LoCoMo's questions: `python benchmarks/retrieval.py PATH`.

PATH is a file in the format of the data set's `locomo10.json` (not part of this project: its licence is
CC BY-NC 4.0). R@k is the share of a question's evidence turns among the first k passages, the mean over questions.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ai_memory_integrations.ports import Embedder
from ai_memory_integrations.search.embedders import default_embedder
from ai_memory_integrations.search.engine import SearchEngine, microseconds
from ai_memory_integrations.search.scoring import WEIGHTS, Weights
from ai_memory_integrations.search.snapshot import IndexDelta, IndexRow, IndexState
from ai_memory_integrations.search.text import query_terms, terms_of, without_names
from ai_memory_integrations.types import PassageQuery

DEPTHS = (5, 10, 25, 50)
ADVERSARIAL = 5


@dataclass(frozen=True)
class Turn:
    key: str
    speaker: str
    text: str
    said: datetime
    session: str


@dataclass(frozen=True)
class Question:
    text: str
    evidence: frozenset[str]
    category: int


@dataclass(frozen=True)
class Conversation:
    turns: list[Turn]
    questions: list[Question]
    names: tuple[str, ...]


def read(path: Path) -> list[Conversation]:
    """The conversations of a file; says how many questions have evidence that had to be repaired or left out."""
    conversations, repaired = [], 0
    for sample in json.loads(path.read_text("utf-8")):
        turns = list(_turns(sample["conversation"]))
        known = {turn.key for turn in turns}
        questions = []
        for asked in sample["qa"]:
            raw = " ".join(asked.get("evidence", []))
            keys = {f"D{int(day)}:{int(turn)}" for day, turn in re.findall(r"D:?(\d+):(\d+)", raw)}
            repaired += len(keys & known) != len(asked.get("evidence", []))
            if keys & known:
                questions.append(Question(asked["question"], frozenset(keys & known), asked["category"]))
        conversations.append(Conversation(turns, questions, tuple(sorted({turn.speaker for turn in turns}))))
    asked = sum(len(conversation.questions) for conversation in conversations)
    said = sum(len(conversation.turns) for conversation in conversations)
    print(f"{asked} questions, {said} turns; evidence of {repaired} questions was repaired or left out\n")
    return conversations


def _turns(conversation: dict[str, Any]) -> Iterator[Turn]:
    for session in sorted((key for key in conversation if re.fullmatch(r"session_\d+", key)), key=_number):
        start = datetime.strptime(conversation[f"{session}_date_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        for place, turn in enumerate(conversation[session]):
            caption = turn.get("blip_caption")
            text = f"{turn['text']} [{caption}]" if caption else turn["text"]
            yield Turn(turn["dia_id"], turn["speaker"], text, start + timedelta(seconds=20 * place), session)


def _number(session: str) -> int:
    return int(session.rsplit("_", 1)[1])


class Bench:
    """Conversations indexed once, asked with many weights. *one_thread* hides where sessions begin, *hard* takes
    every word out of a question that stands in its evidence."""

    def __init__(
        self,
        conversations: Sequence[Conversation],
        embedder: Embedder | None,
        *,
        one_thread: bool = False,
        hard: bool = False,
    ) -> None:
        self._asked: list[tuple[IndexDelta, Conversation, list[str], list[Any]]] = []
        for number, conversation in enumerate(conversations):
            texts = [_without_evidence(conversation, asked) if hard else asked.text for asked in conversation.questions]
            vectors: Sequence[Any] = [None] * len(texts)
            if embedder is not None:
                vectors = embedder([without_names(text, conversation.names) for text in texts])
            self._asked.append((_delta(number, conversation, embedder, one_thread), conversation, texts, list(vectors)))

    def recalls(self, weights: Weights) -> Iterator[tuple[int, list[float]]]:
        """The category of every question and its R@k at each depth."""
        engine = SearchEngine(weights=weights)
        for delta, conversation, texts, vectors in self._asked:

            def read(known: IndexState | None, delta: IndexDelta = delta) -> IndexDelta | None:
                return None if known else delta

            for question, text, vector in zip(conversation.questions, texts, vectors, strict=True):
                query = PassageQuery(text=text, limit=max(DEPTHS))
                hits = engine.search(delta.state.subject_no, read, query, vector=vector)
                keys = [conversation.turns[hit.seq - 1].key for hit in hits]
                found = [len(question.evidence & set(keys[:depth])) / len(question.evidence) for depth in DEPTHS]
                yield question.category, found


def _delta(number: int, conversation: Conversation, embedder: Embedder | None, one_thread: bool) -> IndexDelta:
    turns = conversation.turns
    rows = [
        IndexRow(
            seq,
            terms_of(turn.text, created_at=turn.said),
            created_us=microseconds(turn.said),
            thread="default" if one_thread else turn.session,
            role="user",
            name=turn.speaker,
        )
        for seq, turn in enumerate(turns, 1)
    ]
    vectors: list[tuple[int, bytes]] = []
    if embedder is not None:
        made = embedder([turn.text for turn in turns])
        vectors = [(seq, np.asarray(vector, "<f2").tobytes()) for seq, vector in enumerate(made, 1)]
    return IndexDelta(IndexState(number, len(rows), 0, len(vectors)), True, rows, vectors)


def _without_evidence(conversation: Conversation, asked: Question) -> str:
    evidence = " ".join(turn.text for turn in conversation.turns if turn.key in asked.evidence)
    known = set(query_terms(evidence).tolist())
    return " ".join(word for word in asked.text.split() if known.isdisjoint(query_terms(word).tolist()))


def line(label: str, bench: Bench, weights: Weights) -> str:
    """One row of the table: R@k without and with adversarial questions."""
    rows = list(bench.recalls(weights))
    plain = np.mean([found for category, found in rows if category != ADVERSARIAL], axis=0)
    every = np.mean([found for _, found in rows], axis=0)
    return f"| {label} | " + " | ".join(f"{100 * value:.1f}" for value in (*plain, *every)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    conversations = read(parser.parse_args().path)
    depths = [f"R@{depth}" for depth in DEPTHS]
    print("| configuration | " + " | ".join(depths + [f"{depth} with adversarial" for depth in depths]) + " |")
    print("|---" * (1 + 2 * len(DEPTHS)) + "|")
    words = Bench(conversations, None)
    alone = replace(WEIGHTS, to_next=0, to_previous=0, session=0, speaker=0)
    print(line("BM25 with date", words, alone))
    print(line("+ neighbours", words, replace(WEIGHTS, session=0, speaker=0)))
    print(line("+ speaker", words, replace(WEIGHTS, session=0)))
    print(line("+ session: search without a model", words, WEIGHTS))
    print(line("the same, all sessions in one thread", Bench(conversations, None, one_thread=True), WEIGHTS))
    hard = Bench(conversations, None, hard=True)
    print(line("questions without the words of their evidence", hard, WEIGHTS))
    embedder = default_embedder()
    if embedder is None:
        print("\nNo embedder: pip install 'ai-memory-integrations[embeddings]' measures with one.")
        return
    both = Bench(conversations, embedder)
    print(line("vectors alone", both, replace(alone, lexical=0)))
    print(line("vectors with neighbours", both, replace(WEIGHTS, lexical=0, session=0, speaker=0)))
    print(line("hybrid search", both, WEIGHTS))
    hard = Bench(conversations, embedder, hard=True)
    print(line("questions without the words of their evidence", hard, WEIGHTS))


if __name__ == "__main__":
    main()
