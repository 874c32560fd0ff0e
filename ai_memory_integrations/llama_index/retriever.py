"""Passages as LlamaIndex's nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from ai_memory_integrations.door import aware
from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.llama_index.binding import bound
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.subjects import SubjectSource
from ai_memory_integrations.types import Metadata, Passage

_OURS = ("role", "name", "tags", "session_id", "message_id", "created_at")
_OF_TEXT = (FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE)
_FIRST_LOOK = 64


class CoreMemoryRetriever(BaseRetriever):
    """What a subject said and what was archived of them, best match first, as nodes with ids and scores.

    *tags* as in `Memory.search`: None means what users said and what was archived, [] everything. *after* <=
    `created_at` < *before*; *session_id* keeps to one conversation. *filters* see a passage's own metadata and
    `role`, `name`, `tags`, `session_id`, `message_id` and `created_at`; a value that cannot be compared with a filter's
    does not meet it. *subject* may be a callable: it is asked on
    every retrieval.

    Raises: NoSubjectError, InvalidInputError for wrong values.
    """

    def __init__(
        self,
        memory: Memory | None = None,
        subject: SubjectSource | None = None,
        *,
        similarity_top_k: int = 5,
        tags: Sequence[str] | None = None,
        after: datetime | str | None = None,
        before: datetime | str | None = None,
        session_id: str | None = None,
        filters: MetadataFilters | None = None,
        **options: Any,
    ) -> None:
        if similarity_top_k < 1:
            raise InvalidInputError(f"similarity_top_k must be a whole number from 1, got {similarity_top_k!r}")
        self._bound = bound(memory, subject)
        self._top_k = similarity_top_k
        self._tags = None if tags is None else list(tags)
        self._after = None if after is None else aware(after, "after")
        self._before = None if before is None else aware(before, "before")
        self._session_id = session_id
        self._filters = filters
        if filters is not None:
            _check_filters(filters)
        super().__init__(**options)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        subject_id = self._bound.subject_id()
        wanted = _equal(self._filters)
        limit = self._top_k if self._filters is None or wanted is not None else max(self._top_k, _FIRST_LOOK)
        while True:
            found = self._bound.memory.search_passages(
                query_bundle.query_str,
                tags=self._tags,
                after=self._after,
                before=self._before,
                thread_id=self._session_id,
                metadata=wanted,
                limit=limit,
                subject_id=subject_id,
            )
            nodes = [_node(passage) for passage in found]
            if wanted is None:
                nodes = _filtered(nodes, self._filters)
            if len(nodes) >= self._top_k or len(found) < limit:
                return nodes[: self._top_k]
            limit *= 4

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await self._bound.memory.aio.run(self._retrieve, query_bundle)


def _equal(filters: MetadataFilters | None) -> Metadata | None:
    """The filters as what metadata must equal, which the search itself can do; None when they say more."""
    if filters is None or filters.condition not in (None, FilterCondition.AND):
        return None
    equal: Metadata = {}
    for each in filters.filters:
        if not isinstance(each, MetadataFilter) or each.operator != FilterOperator.EQ:
            return None
        if each.key in equal or each.key in _OURS or each.value is None:
            return None
        equal[each.key] = each.value
    return equal


_COMBINED: dict[FilterCondition, Callable[[Iterable[bool]], bool]] = {
    FilterCondition.AND: all,
    FilterCondition.OR: any,
    FilterCondition.NOT: lambda met: not any(met),
}


def _filtered(nodes: list[NodeWithScore], filters: MetadataFilters | None) -> list[NodeWithScore]:
    if filters is None or not filters.filters:
        return nodes
    metadata = {node.node_id: node.metadata for node in nodes}
    each = [build_metadata_filter_fn(metadata.__getitem__, MetadataFilters(filters=[one])) for one in filters.filters]
    combined = _COMBINED[filters.condition or FilterCondition.AND]
    return [node for node in nodes if combined(_meets(passes, node) for passes in each)]


def _meets(passes: Callable[[str], bool], node: NodeWithScore) -> bool:
    try:
        return passes(node.node_id)
    except TypeError:  # metadata is whatever anybody wrote: a value of another kind is not what was asked for
        return False


def _check_filters(filters: MetadataFilters) -> None:
    """Raises: InvalidInputError for a filter that no value could meet."""
    for each in filters.filters:
        if isinstance(each, MetadataFilter) and each.operator in _OF_TEXT and not isinstance(each.value, str):
            raise InvalidInputError(
                f"the filter {each.operator.value} on {each.key!r} needs a text, got {each.value!r}"
            )


def _node(passage: Passage) -> NodeWithScore:
    ours = {
        "role": passage.role,
        "name": passage.name,
        "tags": list(passage.tags) or None,
        "session_id": passage.thread_id,
        "message_id": passage.message_id,
        "created_at": None if passage.created_at is None else passage.created_at.isoformat(),
    }
    metadata = {**passage.metadata, **{key: value for key, value in ours.items() if value is not None}}
    node = TextNode(
        id_=passage.id,
        text=passage.text,
        metadata=metadata,
        excluded_llm_metadata_keys=["tags", "session_id", "message_id"],
        excluded_embed_metadata_keys=list(metadata),
    )
    return NodeWithScore(node=node, score=passage.score)
