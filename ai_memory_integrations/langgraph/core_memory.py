"""The blocks and passages of a memory as the namespaces of a store: the same blocks and passages, not copies.

(root, subject, "blocks")     key: label, value: {"value", "description", "limit", "version"}
(root, subject, "passages")   key: passage id, value: {"text", "tags", "metadata"} and, where there is one, "role",
                              "name", "thread_id", "message_id"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from langgraph.store.base import InvalidNamespaceError, Item, PutOp, SearchItem, SearchOp

from ai_memory_integrations.door import as_passages, check_id, check_json, check_label, check_text
from ai_memory_integrations.errors import InvalidInputError, ReadOnlyBlockError, VersionConflictError
from ai_memory_integrations.langgraph.filters import Accept
from ai_memory_integrations.langgraph.namespaces import ROOT, Namespace, decoded, encoded
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.search.items import rank_texts
from ai_memory_integrations.search.text import terms_of
from ai_memory_integrations.types import DEFAULT_BLOCK_LIMIT, Block, Passage

_BLOCK_KEYS = ("value", "description", "limit", "version")
_PASSAGE_KEYS = ("text", "tags", "metadata", "role", "name", "thread_id", "message_id")
_PARTS = ("blocks", "passages")
_ALL = 1_000_000_000
_UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class CoreMemoryNamespaces:
    """What stands below *root*. Without *admin* only one subject at a time, the bound one where *memory* has one, and
    no writing to read-only blocks."""

    def __init__(self, memory: Memory, *, root: str = ROOT, admin: bool = False) -> None:
        self._memory = memory
        self.root = root
        self._admin = admin

    def hold(self, namespace: Namespace) -> bool:
        """Whether a namespace stands below the root."""
        return bool(namespace) and namespace[0] == self.root

    def subject_of(self, namespace: Namespace) -> str:
        """The subject of a namespace below the root. Raises: InvalidNamespaceError."""
        if len(namespace) < 2:
            raise InvalidNamespaceError(
                f"namespace {namespace} names no subject: use core_memory_namespace(subject_id). Only a store opened "
                "with admin=True may look through the core memory of everybody."
            )
        subject_id = decoded(namespace[1])
        bound = self._memory.subject_id
        if bound not in (None, subject_id) and not self._admin:
            raise InvalidNamespaceError(f"this store's memory is bound to subject {bound!r}; it serves no other")
        return subject_id

    def check_read(self, namespace: Namespace) -> None:
        """Raises: InvalidNamespaceError where this store may not look."""
        if len(namespace) >= 2 or not self._admin:
            self.subject_of(namespace)

    # one by one

    def get(self, namespace: Namespace, key: str) -> Item | None:
        """A block by its label, a passage by its id, None for anything else."""
        memory, part = self._bound(namespace), namespace[2:]
        if part == ("blocks",):
            return next((_block_item(namespace, block) for block in memory.list_blocks() if block.label == key), None)
        if part == ("passages",):
            passage = memory.get_passage(key)
            return None if passage is None else _passage_item(namespace, passage)
        return None

    def check_put(self, op: PutOp, *, default_ttl: float | None) -> None:
        """Everything about a write that can be known before it is tried.

        Raises: InvalidNamespaceError, InvalidInputError.
        """
        namespace = tuple(op.namespace)
        self.subject_of(namespace)
        if namespace[2:] not in (("blocks",), ("passages",)):
            raise InvalidNamespaceError(
                f"nothing can be written to {namespace}: below a subject there are 'blocks' and 'passages'"
            )
        if op.value is None:
            return
        if op.ttl is not None and op.ttl != default_ttl:
            raise InvalidInputError(f"ttl={op.ttl!r}: blocks and passages do not expire; leave ttl out")
        if op.index is not None:
            raise InvalidInputError(f"index={op.index!r}: the core memory has its own index; leave index out")
        if namespace[2] == "blocks":
            check_label(op.key)
            _check_block(op.value)
        else:
            _as_passage(op.key, op.value)

    def put(self, op: PutOp) -> None:
        """Write or delete a block or a passage; `check_put` has passed it.

        Raises: BlockLimitError, VersionConflictError, ReadOnlyBlockError, InvalidInputError.
        """
        memory = self._bound(tuple(op.namespace))
        if op.namespace[2] == "blocks":
            self._put_block(memory, op.key, op.value)
        elif op.value is None:
            memory.delete_passage(op.key)
        else:
            passage, known = _as_passage(op.key, op.value), memory.get_passage(op.key)
            created = None if known is None else known.created_at
            memory.add_passages([passage.model_copy(update={"created_at": created})])

    def _put_block(self, memory: Memory, label: str, value: Mapping[str, Any] | None) -> None:
        subject_id = str(memory.subject_id)
        known = next((block for block in memory.list_blocks() if block.label == label), None)
        if known is not None and known.read_only and not self._admin:
            raise ReadOnlyBlockError(subject_id, label)
        if value is None:
            if known is not None:
                memory.delete_block(label)
            return
        version = value.get("version")
        if known is None:
            if version is not None:
                raise VersionConflictError(subject_id, label, version, 0)
            limit = value.get("limit", DEFAULT_BLOCK_LIMIT)
            memory.initialize_memory(label, value.get("description", ""), value["value"], limit)
            return
        for name, now in (("description", known.description), ("limit", known.limit)):
            if value.get(name, now) != now:
                raise InvalidInputError(
                    f"block {label!r} of subject {subject_id!r} has {name} {now!r}, which is fixed when the block is "
                    "made: leave it out"
                )
        memory.update_memory(label, value["value"], expected_version=version)

    def _bound(self, namespace: Namespace) -> Memory:
        return self._memory.for_subject(self.subject_of(namespace))

    # all of them

    def search(self, op: SearchOp, accept: Accept | None) -> list[SearchItem]:
        """Blocks and passages that are accepted: by their scores with a query, else the last changed first."""
        enough = op.offset + op.limit if accept is None and len(op.namespace_prefix) > 1 else _ALL
        found = [
            item
            for namespace in self._places(tuple(op.namespace_prefix))
            for item in self._items(namespace, op.query or "", enough)
            if accept is None or accept(item.value)
        ]
        found.sort(key=lambda item: item.updated_at, reverse=True)
        found.sort(key=lambda item: (item.score is None, -(item.score or 0.0)))
        return found[op.offset : op.offset + op.limit]

    def namespaces(self, prefix: Namespace) -> list[Namespace]:
        """Those at and below *prefix* that have anything in them."""
        return [place for place in self._places(prefix) if next(self._items(place, "", 1), None) is not None]

    def _places(self, prefix: Namespace) -> Iterator[Namespace]:
        if len(prefix) > 1:
            subjects = [prefix[1]]
        else:
            subjects = [encoded(subject.subject_id) for subject in self._memory.list_subjects()]
        for subject in subjects:
            for part in _PARTS:
                place = (self.root, subject, part)
                if place[: len(prefix)] == prefix:
                    yield place

    def _items(self, namespace: Namespace, query: str, enough: int) -> Iterator[SearchItem]:
        memory = self._bound(namespace)
        if namespace[2] == "blocks":
            return _scored_blocks(namespace, memory.list_blocks(), query)
        # Tags [] mean everything that is archived, also what assistants said.
        passages = memory.search_passages(query, tags=[], limit=enough)
        return (_found(_passage_item(namespace, passage), passage.score) for passage in passages)


def _scored_blocks(namespace: Namespace, blocks: list[Block], query: str) -> Iterator[SearchItem]:
    scores: list[float | None] = [None] * len(blocks)
    if query.strip():
        texts = [f"{block.label} {block.description} {block.value}" for block in blocks]
        scores = [score or None for score in rank_texts([terms_of(text) for text in texts], query).tolist()]
    for block, score in zip(blocks, scores, strict=True):
        yield _found(_block_item(namespace, block), score)


def _found(item: Item, score: float | None) -> SearchItem:
    return SearchItem(item.namespace, item.key, item.value, item.created_at, item.updated_at, score)


def _block_item(namespace: Namespace, block: Block) -> Item:
    value = {"value": block.value, "description": block.description, "limit": block.limit, "version": block.version}
    return Item(
        value=value,
        key=block.label,
        namespace=namespace,
        created_at=block.created_at or _UNKNOWN_TIME,
        updated_at=block.updated_at or _UNKNOWN_TIME,
    )


def _passage_item(namespace: Namespace, passage: Passage) -> Item:
    value: dict[str, Any] = {"text": passage.text, "tags": list(passage.tags), "metadata": passage.metadata}
    for name in ("role", "name", "thread_id", "message_id"):
        if (present := getattr(passage, name)) is not None:
            value[name] = present
    created = passage.created_at or _UNKNOWN_TIME
    return Item(value=value, key=passage.id, namespace=namespace, created_at=created, updated_at=created)


def _check_block(value: Mapping[str, Any]) -> None:
    _check_keys(value, _BLOCK_KEYS, "block", "value")
    check_text(value["value"], "value")
    check_text(value.get("description", ""), "description")
    for name, least in (("limit", 1), ("version", 1)):
        number = value.get(name, least)
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise InvalidInputError(f"a block's {name} must be a whole number from {least}, got {number!r}")


def _as_passage(key: str, value: Mapping[str, Any]) -> Passage:
    _check_keys(value, _PASSAGE_KEYS, "passage", "text")
    return as_passages([{**check_json(value, "value"), "id": check_id(key, "key")}])[0]


def _check_keys(value: Mapping[str, Any], known: tuple[str, ...], kind: str, needed: str) -> None:
    unknown = [name for name in value if name not in known]
    if unknown or needed not in value:
        wrong = f"{unknown[0]!r} is not known" if unknown else f"{needed!r} is missing"
        raise InvalidInputError(
            f"the value of a {kind} in the core memory: {wrong}. It has {', '.join(map(repr, known))}; keep other "
            "values in a namespace of your own."
        )
