"""What stands behind a `Memory` and all its bound views: made of settings, opened at first use, shared."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from ai_memory_integrations import forking
from ai_memory_integrations.bridge import Bridge
from ai_memory_integrations.errors import BackendError, ConfigurationError, InvalidInputError
from ai_memory_integrations.types import Block, BlockSpec, LearningMode, LearningPolicy

if TYPE_CHECKING:
    from ai_memory_integrations.learning.scheduler import Scheduler
    from ai_memory_integrations.ports import Embedder, Learner, Store
    from ai_memory_integrations.recorded import Recorded
    from ai_memory_integrations.search.indexer import Indexer
    from ai_memory_integrations.subjects import SubjectDirectory

logger = logging.getLogger("ai_memory_integrations")

T = TypeVar("T")

EMBEDDER_VARIABLE = "AI_MEMORY_EMBEDDER"
MODEL_VARIABLE = "AI_MEMORY_MODEL"
HUMAN = BlockSpec(label="human", description="Details about the human user you are speaking to.")
SUMMARY = BlockSpec(
    label="summary", description="A short (1-2 sentences) running summary of the conversation.", limit=1000
)


@dataclass(frozen=True)
class Settings:
    """What the application said; nothing is opened by it."""

    url: str | None = None
    api_key: str | None = None
    store: Store | None = None
    blocks: tuple[BlockSpec, ...] | None = None
    learning: LearningMode | LearningPolicy | None = None
    learner: Any = None
    embedder: Any = None
    again: bool = False
    """What is said is what some process said before: the store may know better."""


class _Part(Generic[T]):
    """An attribute made at first use and kept: one value for all threads.

    `functools.cached_property` will not do: from Python 3.12 on two threads may make two values, before that it holds
    a lock for all instances, and with the lock of the core that is a deadlock.
    """

    def __init__(self, make: Callable[[MemoryCore], T]) -> None:
        self._make = make
        self._name = make.__name__

    def __get__(self, core: MemoryCore, owner: type[MemoryCore]) -> T:
        with core.lock:
            if self._name not in core.__dict__:
                if core.closed:
                    raise BackendError("this memory is closed; open another one to go on")
                core.__dict__[self._name] = self._make(core)
            made: T = core.__dict__[self._name]  # found there at once from now on, before this is called
            return made


class _PartOfWhatWasSaid(_Part[T]):
    """One made of `said`, which is read first: the lock is not held while a store answers."""

    def __get__(self, core: MemoryCore, owner: type[MemoryCore]) -> T:
        _ = core.said
        return super().__get__(core, owner)


class Looks:
    """Which users' memories an application has just looked at and found empty, the last thousand of them.

    Safe without a lock: each call is one operation of a dictionary.
    """

    def __init__(self) -> None:
        self._empty: dict[str, None] = {}

    def note(self, subject_id: str, block: Block | None) -> None:
        if block is not None and block.value:
            self._empty.pop(subject_id, None)
            return
        if len(self._empty) >= 1000:
            self._empty.clear()
        self._empty[subject_id] = None

    def found_empty(self, subject_id: str) -> bool:
        return subject_id in self._empty

    def forget(self, subject_id: str) -> None:
        self._empty.pop(subject_id, None)


class MemoryCore:
    """Opens the parts at first use, once, and closes what it opened. A forked child begins with its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = threading.RLock()
        self.closed = False
        self.looks = Looks()
        self.bridge = Bridge()  # an event loop asks for it, which must not wait for the lock
        self._said: Recorded | None = None
        self._recorded = False
        forking.register(self)

    @_Part
    def store(self) -> Store:
        if self.settings.store is not None:
            return self.settings.store
        from ai_memory_integrations.backends.urls import URL_VARIABLE, default_url, open_store

        store = open_store(self.settings.url, api_key=self.settings.api_key)
        if self.settings.url is None:
            url, source = default_url()
            logger.info("memory is kept in %s (from %s)", url, source)
            if source != URL_VARIABLE and os.environ.get("LETTA_API_KEY"):
                logger.warning(
                    "LETTA_API_KEY is set, but memory is kept in the file %s. For memory on Letta set %s=letta:// or "
                    "pass api_key=; set it to a file's path to end this warning.",
                    url,
                    URL_VARIABLE,
                )
        return store

    @property
    def said(self) -> Recorded:
        """What the application said, at this opening or an earlier one.

        Read without the lock, by two threads rather than by none: whoever has the store to itself may wait for the
        lock meanwhile.
        """
        if self._said is None:
            from ai_memory_integrations.recorded import Recorded, in_store_or

            said = Recorded(blocks=self.settings.blocks, learning=self.settings.learning)
            self._said = in_store_or(self.store, said) if self.settings.again else said
        return self._said

    @property
    def blocks(self) -> tuple[BlockSpec, ...]:
        """What a subject begins with that first appears through messages or a framework."""
        return (HUMAN, SUMMARY) if self.said.blocks is None else self.said.blocks

    def record_settings(self) -> None:
        """Before the first messages are kept: let the store know what the application said. Not while a transaction is
        under way, which may be undone."""
        if self._recorded or self.store.journal.in_transaction:
            return
        if not self.settings.again and self.settings.store is None:  # a store object is never opened by a URL
            from ai_memory_integrations.recorded import Recorded, record

            if self.said != Recorded():
                record(self.store, self.said)
        self._recorded = True

    @_Part
    def learner(self) -> Learner:
        from ai_memory_integrations.learning.function import as_learner

        if self.settings.learner is not None:
            return as_learner(self.settings.learner)
        if (resident := self.store.learner) is not None:
            return resident
        if model := os.environ.get(MODEL_VARIABLE):
            return _model_learner(model)
        from ai_memory_integrations.learning.extractive import ExtractiveLearner

        return ExtractiveLearner()

    @_PartOfWhatWasSaid
    def policy(self) -> LearningPolicy:
        chosen = self.said.learning
        if isinstance(chosen, LearningPolicy):
            return chosen
        if chosen is None:
            return self.learner.policy
        if chosen == "inline":  # whoever adds messages learns them before the call returns
            return self.learner.policy.model_copy(update={"mode": chosen, "batch": 1, "idle": 0.0, "max_wait": 0.0})
        return self.learner.policy.model_copy(update={"mode": chosen})

    @_PartOfWhatWasSaid
    def scheduler(self) -> Scheduler:
        from ai_memory_integrations.backends.owner import process_owner
        from ai_memory_integrations.learning.scheduler import Scheduler

        scheduler = Scheduler(
            self.store.backend,
            self.store.journal,
            self.learner,
            self.policy,
            owner=process_owner(),
            archived=partial(_embed, weakref.ref(self)),
        )
        # Its threads keep it alive: a memory that is dropped without `close` must not leave them behind.
        weakref.finalize(self, scheduler.let_go).atexit = False
        return scheduler

    @_Part
    def embedder(self) -> Embedder | None:
        chosen = self.settings.embedder
        if chosen is False:
            return None
        if chosen is not None:
            return checked_embedder(chosen)
        from ai_memory_integrations.search.embedders import WordLlamaEmbedder, default_embedder

        named = os.environ.get(EMBEDDER_VARIABLE, "")
        if named not in ("", "none", "wordllama"):
            raise ConfigurationError(f"{EMBEDDER_VARIABLE}={named!r} is not known; use wordllama or none")
        if named == "none":
            return None
        return WordLlamaEmbedder() if named else default_embedder()

    @_Part
    def indexer(self) -> Indexer | None:
        vectors, embedder = self.store.vectors, self.embedder
        if vectors is None or embedder is None:
            return None
        from ai_memory_integrations.search.indexer import Indexer

        return Indexer(vectors, embedder)

    @property
    def embedding(self) -> bool:
        """Whether passages are being given their vectors here."""
        indexer = self.__dict__.get("indexer")  # who only looks needs no embedder
        return indexer is not None and indexer.busy

    @_Part
    def directory(self) -> SubjectDirectory:
        from ai_memory_integrations.subjects import SubjectDirectory

        return SubjectDirectory(self.store.backend)

    def close(self) -> None:
        """Stop learning here, close the store if it was opened here. What waits is learnt by the next process."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            parts = dict(self.__dict__)
        if "scheduler" in parts:
            parts["scheduler"].stop()
        if "indexer" in parts and parts["indexer"] is not None:
            parts["indexer"].stop()
        if "store" in parts and self.settings.store is None:
            parts["store"].close()

    def before_fork(self) -> None:
        """Our threads rest already."""

    def after_fork_in_parent(self) -> None:
        """They go on by themselves."""

    def after_fork_in_child(self) -> None:
        """In a forked child: threads and locks of the parent are not here."""
        self.lock = threading.RLock()
        self.bridge = Bridge()
        for name in ("scheduler", "indexer", "directory"):
            self.__dict__.pop(name, None)


def _embed(core: weakref.ref[MemoryCore]) -> None:
    """Passages were archived behind a memory's back: give them their vectors."""
    memory = core()
    if memory is not None and not memory.closed and memory.indexer is not None:
        memory.indexer.added()


def _model_learner(named: str) -> Learner:
    provider, _, model = named.partition(":")
    if provider != "openai" or not model:
        raise ConfigurationError(
            f"{MODEL_VARIABLE}={named!r} is not known: use openai:gpt-4.1-mini or the like, with OPENAI_BASE_URL for a "
            "server of your own; or pass learner= to Memory"
        )
    from ai_memory_integrations.learning.openai_model import OpenAIModel
    from ai_memory_integrations.learning.tool_calling import ToolCallingLearner

    return ToolCallingLearner(OpenAIModel(model))


def checked_embedder(value: object) -> Embedder:
    """*value* as an embedder. Raises: ConfigurationError naming what is missing."""
    from ai_memory_integrations.ports import Embedder

    if isinstance(value, Embedder) and callable(value):
        return value
    raise ConfigurationError(
        f"embedder={type(value).__name__} is no embedder: it needs `name`, `dimension` and to be callable with a list "
        "of texts. Wrap a function with embedder_from_callable(fn, name=..., dimension=...)."
    )


def block_specs(blocks: Sequence[BlockSpec | dict[str, Any] | str]) -> tuple[BlockSpec, ...]:
    """The blocks a new subject starts with; a string is a label, `human` and `summary` have their descriptions."""
    if isinstance(blocks, str):
        raise ConfigurationError(f"blocks={blocks!r} must be a list, such as blocks=[{blocks!r}]")
    if not isinstance(blocks, Iterable):
        raise ConfigurationError(f"blocks= is of type {type(blocks).__name__}: pass a list, such as blocks=['human']")
    specs = tuple(_block_spec(block, f"blocks[{number}]") for number, block in enumerate(blocks))
    if len({spec.label for spec in specs}) < len(specs):
        raise ConfigurationError(f"blocks= names a label twice: {', '.join(spec.label for spec in specs)}")
    return specs


def _block_spec(block: BlockSpec | dict[str, Any] | str, name: str) -> BlockSpec:
    from ai_memory_integrations.door import check_text

    known = {spec.label: spec for spec in (HUMAN, SUMMARY)}
    if isinstance(block, str):
        block = known.get(block) or {"label": block}
    try:
        spec = BlockSpec.model_validate(block)
        check_text(spec.description, "description")
        check_text(spec.value, "value")
    except ValidationError as error:
        first = error.errors()[0]
        where = ": ".join(filter(None, (name, ".".join(map(str, first["loc"])))))
        fields = ", ".join(BlockSpec.model_fields)
        raise ConfigurationError(f"{where}: {first['msg']}. A block has {fields}.") from None
    except InvalidInputError as error:
        raise ConfigurationError(f"{name}: {error}") from None
    if len(spec.value) > spec.limit:
        raise ConfigurationError(f"{name}: its value has {len(spec.value)} characters, its limit is {spec.limit}")
    return spec
