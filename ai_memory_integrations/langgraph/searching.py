"""What a search compares: the texts of an item by the paths of an index, their terms, and their vectors."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from langgraph.store.base import Embeddings, IndexConfig, ensure_embeddings, get_text_at_path, tokenize_path

from ai_memory_integrations.errors import ConfigurationError, InvalidInputError
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.ports import ItemRanking
from ai_memory_integrations.search.item_snapshot import packed
from ai_memory_integrations.search.text import terms_of

logger = logging.getLogger("ai_memory_integrations.langgraph")

WHOLE = "$"
_PAUSE_SECONDS = 30.0
Vector = Sequence[float]


@dataclass(frozen=True)
class Vectors:
    """Vectors by their texts; empty where there is no embedder or it does not answer."""

    documents: Mapping[str, Vector] = field(default_factory=dict)
    queries: Mapping[str, Vector] = field(default_factory=dict)


@dataclass(frozen=True)
class Terms:
    """What stands for an item in the database."""

    terms: bytes = b""
    vectors: bytes = b""
    embedder: str = ""


class Search(Protocol):
    """How a store embeds and ranks."""

    @property
    def paths(self) -> tuple[str, ...]: ...

    def embed(self, documents: Sequence[str], queries: Sequence[str]) -> Vectors: ...

    def terms(self, texts: Sequence[str], vectors: Vectors) -> Terms: ...

    def ranking(self, query: str, vectors: Vectors) -> ItemRanking: ...


def texts_at(value: Mapping[str, Any], paths: Iterable[str]) -> list[str]:
    """The texts of a value at some paths, in their order; missing ones are skipped, `$` is the value as JSON."""
    texts: list[str] = []
    for path in paths:
        texts += [_AS_JSON(value)] if path == WHOLE else get_text_at_path(value, _steps(path))
    return [text for text in texts if text.strip()]


# As `get_text_at_path` writes the whole value, with an encoder that is made once.
_AS_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


@lru_cache(maxsize=1000)
def _steps(path: str) -> list[str]:
    return tokenize_path(path)


class HybridSearch:
    """Without an index: terms, joined with vectors of the memory's own embedder where it has one.

    An embedder that fails costs meaning and never a write: search goes on by terms, and it is asked again later.
    """

    paths = (WHOLE,)

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._paused_until = 0.0

    def embed(self, documents: Sequence[str], queries: Sequence[str]) -> Vectors:
        embedder = self._memory._core.embedder
        texts = list(dict.fromkeys([*documents, *queries]))
        if embedder is None or not texts or time.monotonic() < self._paused_until:
            return Vectors()
        try:
            made = by_text(texts, embedder(texts), embedder.dimension)
        except Exception as error:  # noqa: BLE001 - anybody's model; items stay found by their terms
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            logger.warning(
                "embedder %r failed, items are searched by terms for %g s: %s: %s",
                embedder.name,
                _PAUSE_SECONDS,
                type(error).__name__,
                error,
            )
            return Vectors()
        return Vectors(made, made)

    def terms(self, texts: Sequence[str], vectors: Vectors) -> Terms:
        if not texts:
            return Terms()
        embedder = self._memory._core.embedder
        near = [vectors.documents[text] for text in texts if text in vectors.documents]
        name = embedder.name if embedder is not None and near else ""
        return Terms(terms_of("\n".join(texts)), packed(near), name)

    def ranking(self, query: str, vectors: Vectors) -> ItemRanking:
        embedder = self._memory._core.embedder
        vector = vectors.queries.get(query)
        return ItemRanking(query, lexical=True, vector=vector, embedder="" if embedder is None else embedder.name)


class CosineSearch:
    """With an index: the cosine of the nearest vector of each item, as LangGraph documents it."""

    def __init__(self, config: IndexConfig) -> None:
        self.config = config.copy()
        self.paths = _paths_of(config)
        self._dims = _dims_of(config)
        self.embeddings: Embeddings = ensure_embeddings(config.get("embed"))

    def embed(self, documents: Sequence[str], queries: Sequence[str]) -> Vectors:
        if _only_async(self.embeddings) and (documents or queries):
            return _in_a_loop_of_its_own(self, documents, queries)
        texts = list(dict.fromkeys(documents))
        made = self.embeddings.embed_documents(texts) if texts else []
        asked = {query: self.embeddings.embed_query(query) for query in dict.fromkeys(queries)}
        return self._checked(texts, made, asked)

    async def aembed(self, documents: Sequence[str], queries: Sequence[str]) -> Vectors:
        texts, wanted = list(dict.fromkeys(documents)), list(dict.fromkeys(queries))
        made = await self.embeddings.aembed_documents(texts) if texts else []
        asked = await asyncio.gather(*map(self.embeddings.aembed_query, wanted))
        return self._checked(texts, made, dict(zip(wanted, asked, strict=True)))

    def _checked(self, texts: Sequence[str], made: Sequence[Vector], asked: Mapping[str, Vector]) -> Vectors:
        queries = by_text(list(asked), list(asked.values()), self._dims)
        return Vectors(by_text(texts, made, self._dims), queries)

    def terms(self, texts: Sequence[str], vectors: Vectors) -> Terms:
        if not texts:
            return Terms()
        near = [vectors.documents[text] for text in texts]
        return Terms(terms_of("\n".join(texts)), packed(near), _space(near[0]))

    def ranking(self, query: str, vectors: Vectors) -> ItemRanking:
        vector = vectors.queries[query]
        return ItemRanking(lexical=False, vector=vector, embedder=_space(vector))


def _space(vector: Vector) -> str:
    """Vectors of an index are compared with those of the same length; which model made them, LangGraph does not
    tell."""
    return f"index/{len(vector)}"


def by_text(texts: Sequence[str], made: Any, dims: int | None) -> dict[str, Vector]:
    """Each text's vector. Raises: InvalidInputError when they are not as many or not as long as they should be."""
    vectors = list(made)
    if len(vectors) != len(texts):
        raise InvalidInputError(f"the embedder gave {len(vectors)} vectors for {len(texts)} texts")
    for vector in vectors:
        if dims is not None and len(vector) != dims:
            raise InvalidInputError(
                f"the embedder gave a vector of {len(vector)} dimensions, the index has dims={dims}: they must agree"
            )
    return dict(zip(texts, vectors, strict=True))


def _paths_of(config: IndexConfig) -> tuple[str, ...]:
    """`fields`, which `SqliteStore` calls `text_fields`."""
    options: dict[str, Any] = {**config}
    given = options.get("fields") or options.get("text_fields") or [WHOLE]
    if isinstance(given, str):
        given = [given]
    return checked_paths(given, "index['fields']")


def checked_paths(given: Any, name: str) -> tuple[str, ...]:
    """Paths of fields. Raises: InvalidInputError."""
    if isinstance(given, str) or not isinstance(given, list | tuple):
        raise InvalidInputError(f"{name} is {given!r}: pass a list of paths such as ['title', 'parts[*].text']")
    for path in given:
        if not isinstance(path, str) or not path:
            raise InvalidInputError(f"{name} holds {path!r}: a path is a str such as 'title' or 'parts[*].text'")
    return tuple(given)


def _dims_of(config: IndexConfig) -> int | None:
    if config.get("embed") is None:
        raise ConfigurationError("index= needs 'embed': an Embeddings object, a function or 'provider:model'")
    if config.get("distance_type", "cosine") != "cosine":
        raise ConfigurationError(f"distance_type={config.get('distance_type')!r} is not known: scores are cosines")
    dims: Any = config.get("dims")
    if dims is not None and (isinstance(dims, bool) or not isinstance(dims, int) or dims < 1):
        raise ConfigurationError(f"index['dims'] must be a whole number from 1, got {dims!r}")
    checked: int | None = dims
    return checked


def _only_async(embeddings: Embeddings) -> bool:
    """Whether *embeddings* stands for an async function: LangGraph's wrapper then cannot be called without a loop."""
    return hasattr(embeddings, "afunc") and not hasattr(embeddings, "func")


def _in_a_loop_of_its_own(search: CosineSearch, documents: Sequence[str], queries: Sequence[str]) -> Vectors:
    """For callers that do not await, perhaps inside a loop: in a thread, whose loop ends with the call."""
    made: list[Vectors] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            made.append(asyncio.run(search.aembed(documents, queries)))
        except BaseException as error:  # noqa: BLE001 - carried to the caller whole, whatever it is
            failed.append(error)

    thread = threading.Thread(target=run, name="ai-memory-aembed", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]
