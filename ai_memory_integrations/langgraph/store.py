"""`CoreMemoryStore`: LangGraph's store over a memory."""

from __future__ import annotations

import concurrent.futures
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from types import TracebackType
from typing import Any, Self

from langgraph.store.base import (
    BaseStore,
    Embeddings,
    GetOp,
    IndexConfig,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
)

from ai_memory_integrations.door import check_json, check_text
from ai_memory_integrations.errors import AIMemoryError, ConfigurationError, InvalidInputError
from ai_memory_integrations.json_copies import copied
from ai_memory_integrations.langgraph.core_memory import CoreMemoryNamespaces
from ai_memory_integrations.langgraph.filters import Accept, accepting, hints
from ai_memory_integrations.langgraph.gathered import Gathered
from ai_memory_integrations.langgraph.namespaces import ROOT, Namespace, checked, common_prefix, matching
from ai_memory_integrations.langgraph.searching import (
    CosineSearch,
    HybridSearch,
    Search,
    Vectors,
    checked_paths,
    texts_at,
)
from ai_memory_integrations.langgraph.sweeping import Sweeper, nothing_to_do
from ai_memory_integrations.memory import Memory, checked_memory
from ai_memory_integrations.ports import ItemKey, ItemPut, ItemQuery, ItemRow, ItemStore

_SWEEP_MINUTES = 5.0
_NO_VECTORS = Vectors()


@dataclass(frozen=True)
class _Write:
    """A checked `PutOp`: its copied value and the texts that a search finds it by."""

    op: PutOp
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Plan:
    """A checked batch: every op with a tuple as namespace, what decides by its filter, the last write to each key,
    and what has to be embedded."""

    ops: tuple[tuple[Op, Accept | None], ...]
    writes: tuple[_Write, ...]
    documents: tuple[str, ...]
    queries: tuple[str, ...]


class CoreMemoryStore(BaseStore):
    """A store for any LangGraph application, kept where *memory* is kept; and the core memory itself, see
    `core_memory_namespace`.

    Pass a *memory*, which stays open when the store is closed, or a *url* to open one (`sqlite:///store.db`, a path,
    `:memory:`). One object serves sync and async callers from any thread and event loop.

    A search with a query puts items in order and hides none: those with a score come first, the others behind them
    with score None. Without *index* the score is 0..1, made of BM25 and, where the memory has an embedder, of meaning;
    with *index* it is the cosine of the item's nearest vector. Without a query the last written come first.

    *ttl* is LangGraph's `TTLConfig`; `start_ttl_sweeper` deletes what has expired. *root* is the label the core memory
    stands under; with *admin* the store looks through all subjects and writes read-only blocks.

    Raises: ConfigurationError.
    """

    supports_ttl = True

    def __init__(
        self,
        memory: Memory | None = None,
        *,
        url: str | None = None,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        root: str = ROOT,
        admin: bool = False,
    ) -> None:
        if memory is not None and url is not None:
            raise ConfigurationError("pass a memory or a url, not both")
        if isinstance(memory, str | PathLike):
            raise ConfigurationError("memory is a path or URL: pass it as url=")
        checked((root,), GetOp((root,), ""))
        self.memory = Memory(url) if memory is None else checked_memory(memory)
        self._owner = memory is None
        cosine = None if index is None else CosineSearch(index)
        self._search: Search = HybridSearch(self.memory) if cosine is None else cosine
        self.index_config: IndexConfig | None = None if cosine is None else cosine.config
        self.embeddings: Embeddings | None = None if cosine is None else cosine.embeddings
        self.ttl_config: TTLConfig | None = None if ttl is None else ttl.copy()
        self._core_memory = CoreMemoryNamespaces(self.memory, root=root, admin=admin)
        self._sweeper = Sweeper(self.memory)
        self._puts = Gathered(self._put_together)

    @classmethod
    def from_conn_string(
        cls, conn_string: str, *, index: IndexConfig | None = None, ttl: TTLConfig | None = None
    ) -> Self:
        """A store on a path, URL or `:memory:`, to be used in `with` or `async with`, which closes it."""
        return cls(url=conn_string, index=index, ttl=ttl)

    def setup(self) -> None:
        """Open the store and make its tables. Not needed, they are made at first use; it shows early what is wrong.

        Raises: BackendError.
        """
        self._items.list_namespaces(limit=0)

    def close(self) -> None:
        """Stop sweeping and close the memory that this store opened; twice is fine."""
        self._sweeper.stop(1.0)
        if self._owner:
            self.memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.memory._core.closed:
            await self.memory.aio.run(self.close)

    @property
    def _items(self) -> ItemStore:
        return self.memory._core.store.items

    # time to live

    def sweep_ttl(self) -> int:
        """Delete what has expired; how many items that were."""
        return self._items.sweep_items()

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> concurrent.futures.Future[None]:
        """Sweep in the background, by default as the `TTLConfig` says, else every five minutes; without a
        `TTLConfig` nothing is done. The future is done when sweeping has stopped; cancelling it stops it."""
        config = self.ttl_config or {}
        minutes = sweep_interval_minutes or config.get("sweep_interval_minutes") or _SWEEP_MINUTES
        return self._sweeper.start(minutes * 60) if self.ttl_config is not None else nothing_to_do()

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stop sweeping; False when a sweep did not end within *timeout* seconds."""
        return self._sweeper.stop(timeout)

    # LangGraph's contract

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The results in the order of the ops. All is checked before anything is written, all writes happen or none,
        and reads see what was there before them.

        Raises: InvalidNamespaceError, InvalidInputError, ValueError for a filter; what blocks and passages raise.
        """
        ops = list(ops)
        if len(ops) == 1:
            op = ops[0]
            if isinstance(op, SearchOp) and not op.query:
                return [self._search_alone(op)]
            if isinstance(op, GetOp):
                return [self._get_alone(op)]
        plan = self._plan(ops)
        if not plan.documents and not plan.queries:
            return self._carry_out(plan, _NO_VECTORS)
        return self._carry_out(plan, self._search.embed(plan.documents, plan.queries))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`, awaited. Batches of puts that wait at the same time in one event loop share a commit; each happens
        whole or not at all, in their order."""
        ops = list(ops)
        if ops and all(isinstance(op, PutOp) for op in ops) and await self._puts.is_done(ops):
            return [None] * len(ops)
        run = self.memory.aio.run
        if not isinstance(self._search, CosineSearch):
            return await run(self.batch, ops)
        plan = await run(self._plan, ops)
        if not plan.documents and not plan.queries:
            return await run(self._carry_out, plan, _NO_VECTORS)
        vectors = await self._search.aembed(plan.documents, plan.queries)
        return await run(self._carry_out, plan, vectors)

    async def _put_together(self, batches: Sequence[Sequence[Op]]) -> list[bool]:
        """Carry out those batches of puts that are right and not for the core memory; which ones."""
        run = self.memory.aio.run
        plans = await run(lambda: list(map(self._plan_of_puts, batches)))
        right = [plan for plan in plans if plan is not None]
        if not right:
            return [False] * len(plans)
        plan = _Plan(
            tuple(chain.from_iterable(each.ops for each in right)),
            tuple(chain.from_iterable(each.writes for each in right)),
            tuple(chain.from_iterable(each.documents for each in right)),
            (),
        )
        if not plan.documents:
            vectors = _NO_VECTORS
        elif isinstance(self._search, CosineSearch):
            vectors = await self._search.aembed(plan.documents, ())
        else:
            vectors = await run(self._search.embed, plan.documents, ())
        await run(self._carry_out, plan, vectors)
        return [plan is not None for plan in plans]

    def _plan_of_puts(self, ops: Iterable[Op]) -> _Plan | None:
        try:
            plan = self._plan(ops)
        except (AIMemoryError, ValueError, TypeError):  # whoever asked for it does it alone, and is told
            return None
        return None if any(self._core_memory.hold(write.op.namespace) for write in plan.writes) else plan

    def _plan(self, ops: Iterable[Op]) -> _Plan:
        """Check and copy a batch; raises before anything is read or written."""
        taken = [(self._checked(op), accepting(op.filter) if isinstance(op, SearchOp) else None) for op in ops]
        last: dict[ItemKey, PutOp] = {}
        for op, _ in taken:
            if isinstance(op, PutOp):
                last.pop((op.namespace, op.key), None)  # so that the last one written is the last one in the order
                last[op.namespace, op.key] = op
        writes = tuple(map(self._write, last.values()))
        documents = tuple(text for write in writes for text in write.texts)
        queries = tuple(query for op, _ in taken if (query := self._query(op)) is not None)
        return _Plan(tuple(taken), writes, documents, queries)

    def _checked(self, op: Op) -> Op:
        if isinstance(op, GetOp):
            return self._checked_get(op)
        if isinstance(op, SearchOp):
            return self._checked_search(op)
        if isinstance(op, PutOp):
            return self._checked_put(op)
        if isinstance(op, ListNamespacesOp):
            return self._checked_listing(op)
        raise InvalidInputError(f"{type(op).__name__} is no operation of a store")

    def _checked_get(self, op: GetOp) -> GetOp:
        namespace, key = checked(op.namespace, op), check_text(str(op.key), "key")
        if namespace is not op.namespace or key is not op.key:
            op = op._replace(namespace=namespace, key=key)
        if self._core_memory.hold(namespace):
            self._core_memory.check_read(namespace)
        return op

    def _checked_search(self, op: SearchOp) -> SearchOp:
        prefix = checked(op.namespace_prefix, op)
        _check_page(op.limit, op.offset)
        query = None if op.query is None else check_text(op.query, "query")
        if prefix is not op.namespace_prefix or query is not op.query:
            op = op._replace(namespace_prefix=prefix, query=query)
        if self._core_memory.hold(prefix):
            self._core_memory.check_read(prefix)
        return op

    def _checked_put(self, op: PutOp) -> PutOp:
        namespace, key = checked(op.namespace, op), check_text(str(op.key), "key")
        if not namespace:
            raise InvalidNamespaceError("Namespace cannot be empty.")
        if op.value is None:
            value = None
        elif isinstance(op.value, Mapping):
            value = check_json(op.value, f"the value of item {key!r}")
        else:
            raise InvalidInputError(f"the value of item {key!r} is a {type(op.value).__name__}: pass a dict or None")
        op = op._replace(namespace=namespace, key=key, value=value)
        if self._core_memory.hold(op.namespace):
            self._core_memory.check_put(op, default_ttl=(self.ttl_config or {}).get("default_ttl"))
        elif op.ttl is not None:
            _check_ttl(op.ttl)
        return op

    def _checked_listing(self, op: ListNamespacesOp) -> ListNamespacesOp:
        _check_page(op.limit, op.offset)
        if op.max_depth is not None and (isinstance(op.max_depth, bool) or op.max_depth < 1):
            raise InvalidInputError(f"max_depth must be a whole number from 1, got {op.max_depth!r}")
        op = op._replace(match_conditions=tuple(map(_condition, op.match_conditions or ())))
        conditions = tuple(each._replace(path=checked(each.path, op)) for each in op.match_conditions or ())
        prefix = common_prefix(conditions)
        if self._core_memory.hold(prefix):
            self._core_memory.check_read(prefix)
        return op._replace(match_conditions=conditions)

    def _write(self, op: PutOp) -> _Write:
        if op.value is None or op.index is False or self._core_memory.hold(op.namespace):
            return _Write(op)
        paths = self._search.paths if op.index is None else checked_paths(op.index, "index")
        return _Write(op, tuple(texts_at(op.value, paths)))

    def _query(self, op: Op) -> str | None:
        """What items are to be ranked by; the core memory has a ranking of its own."""
        if not isinstance(op, SearchOp) or not op.query or self._core_memory.hold(op.namespace_prefix):
            return None
        return op.query if op.query.strip() else None

    # A batch that reads once and embeds nothing: a plan would cost a quarter of the answer.

    def _get_alone(self, op: GetOp) -> Item | None:
        used: list[ItemKey] = []
        item = self._get(self._checked_get(op), used)
        if used:
            self._items.touch_items(used)
        return item

    def _search_alone(self, op: SearchOp) -> list[SearchItem]:
        used: list[ItemKey] = []
        items = self._find(self._checked_search(op), accepting(op.filter), _NO_VECTORS, used)
        if used:
            self._items.touch_items(used)
        return items

    # what is done with a checked batch

    def _carry_out(self, plan: _Plan, vectors: Vectors) -> list[Result]:
        used: list[ItemKey] = []  # items whose time to live begins again because they were read
        puts = [self._put(write, vectors) for write in plan.writes if not self._core_memory.hold(write.op.namespace)]
        with self._scope(plan):
            results = [self._answer(op, accept, vectors, used) for op, accept in plan.ops]
            for write in plan.writes:
                if self._core_memory.hold(write.op.namespace):
                    self._core_memory.put(write.op)
            if puts:
                self._items.put_items(puts)
        if used:
            self._items.touch_items(used)
        return results

    def _scope(self, plan: _Plan) -> AbstractContextManager[None]:
        if plan.writes:
            return self._items.transaction()
        return self._items.reading() if len(plan.ops) > 1 else nullcontext()

    def _put(self, write: _Write, vectors: Vectors) -> ItemPut:
        op, terms = write.op, self._search.terms(write.texts, vectors)
        return ItemPut(
            namespace=op.namespace,
            key=op.key,
            value=None if op.value is None else dict(op.value),
            ttl=op.ttl,
            terms=terms.terms,
            vectors=terms.vectors,
            embedder=terms.embedder,
        )

    def _answer(self, op: Op, accept: Accept | None, vectors: Vectors, used: list[ItemKey]) -> Result:
        if isinstance(op, GetOp):
            return self._get(op, used)
        if isinstance(op, SearchOp):
            return self._find(op, accept, vectors, used)
        if isinstance(op, ListNamespacesOp):
            return self._list(op)
        return None

    def _get(self, op: GetOp, used: list[ItemKey]) -> Item | None:
        if self._core_memory.hold(op.namespace):
            return self._core_memory.get(op.namespace, op.key)
        row = self._items.get_items([(op.namespace, op.key)], omit_expired=self._omit_expired)[0]
        if row is None:
            return None
        if op.refresh_ttl and row.ttl is not None:
            used.append((row.namespace, row.key))
        return Item(
            value=row.value,
            key=row.key,
            namespace=row.namespace,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    def _find(self, op: SearchOp, accept: Accept | None, vectors: Vectors, used: list[ItemKey]) -> list[SearchItem]:
        if self._core_memory.hold(op.namespace_prefix):
            return self._core_memory.search(op, accept)
        asked = self._query(op)
        query = ItemQuery(
            prefix=op.namespace_prefix,
            accept=accept,
            hints=hints(op.filter),
            ranking=None if asked is None else self._search.ranking(asked, vectors),
            limit=op.limit,
            offset=op.offset,
            omit_expired=self._omit_expired,
        )
        return _search_items(self._items.find_items(query), used if op.refresh_ttl else [])

    def _list(self, op: ListNamespacesOp) -> list[Namespace]:
        conditions = op.match_conditions or ()
        prefix = common_prefix(conditions)
        if self._core_memory.hold(prefix):
            found = self._core_memory.namespaces(prefix)
        elif op.max_depth is None and all(condition == ("prefix", prefix) for condition in conditions):
            return self._items.list_namespaces(
                prefix, limit=op.limit, offset=op.offset, omit_expired=self._omit_expired
            )
        else:
            found = self._items.list_namespaces(prefix, omit_expired=self._omit_expired)
        fitting = found
        for matches in map(matching, conditions):
            fitting = list(filter(matches, fitting))
        if op.max_depth is not None:
            fitting = list(dict.fromkeys(place[: op.max_depth] for place in fitting))
        return fitting[op.offset : op.offset + op.limit]

    @property
    def _omit_expired(self) -> bool:
        return self.ttl_config is not None and bool(self.ttl_config.get("omit_expired", False))


def _search_items(found: Iterable[tuple[ItemRow, float | None]], used: list[ItemKey]) -> list[SearchItem]:
    """What was found for whoever asked; what has a time to live is noted in *used*."""
    items: list[SearchItem] = []
    for row, score in found:
        # Without `__init__`, which looks for times that are strings: ten items take 2 us instead of 5.
        item = SearchItem.__new__(SearchItem)
        item.namespace, item.key, value, item.created_at, item.updated_at, ttl, inside = row
        if ttl is not None:
            used.append((row.namespace, row.key))
        item.value = value if inside is None else copied(value, inside)
        item.score = score
        items.append(item)
    return items


def _condition(given: MatchCondition) -> MatchCondition:
    """A condition of a listing; one label may stand without its tuple."""
    if given.match_type not in ("prefix", "suffix"):
        raise ValueError(f"Unsupported match type: {given.match_type}")
    path: Any = given.path
    return given._replace(path=(path,)) if isinstance(path, str) else given


def _check_page(limit: Any, offset: Any) -> None:
    for name, value in (("limit", limit), ("offset", offset)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidInputError(f"{name} must be a whole number from 0, got {value!r}")


def _check_ttl(ttl: Any) -> None:
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not math.isfinite(ttl) or ttl < 0:
        raise InvalidInputError(f"ttl must be a number of minutes from 0, or None for never, got {ttl!r}")
