"""Gives passages their vectors, behind the writes: in a thread that ends when nothing waits."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.errors import BackendError
from ai_memory_integrations.forking import at_work
from ai_memory_integrations.ports import Embedder, EmbedderRecord, Unembedded, VectorIndex
from ai_memory_integrations.search.snapshot import unit_rows
from ai_memory_integrations.search.text import without_names

logger = logging.getLogger("ai_memory_integrations.search")

BATCH = 64
_PAUSE_SECONDS = 30.0
_KNOWN_SECONDS = 1.0


class Indexer:
    """Embeds what has no vector yet, and queries. An embedder that fails leaves search working on terms."""

    def __init__(self, vectors: VectorIndex, embedder: Embedder) -> None:
        self._vectors = vectors
        self._embedder = embedder
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._again = False
        self._stopped = False
        self._warned = False
        self._prepared = False
        self._paused_until = 0.0
        self._known_until = 0.0

    @property
    def active(self) -> bool:
        """Whether this embedder's vectors are the store's. An empty store takes the first embedder it meets; that
        another process has reindexed is noticed within a second."""
        if time.monotonic() < self._known_until:
            return True
        record = EmbedderRecord(self._embedder.name, self._embedder.dimension)
        found = self._vectors.embedder()
        if found is None and not self._warned:
            found = self._vectors.adopt(record)
        if found == record:
            self._known_until = time.monotonic() + _KNOWN_SECONDS
            return True
        if not self._warned:
            self._warned = True
            stored = "none, it was filled without an embedder" if found is None else repr(found.name)
            logger.warning(
                "the embedder here is %r, that of the store is %s: searching by terms only. "
                "To use this embedder from now on, run: ai-memory reindex",
                record.name,
                stored,
            )
        return False

    def prepare(self) -> None:
        """Before the first passages are written: an empty store takes this embedder."""
        if not self._prepared:
            self._prepared = self.active or self._warned

    def added(self) -> None:
        """Passages were added: embed them in the background."""
        with self._lock:
            self._again = True
            if self._thread is None:
                self._thread = threading.Thread(
                    target=contextvars.Context().run, args=(self._loop,), name="ai-memory-embed", daemon=True
                )
                self._thread.start()

    def query_vector(self, text: str, names: Iterable[str] = ()) -> Sequence[float] | None:
        """The vector of a query without the names of participants (see `without_names`); None when the embedder is not
        the store's or does not answer."""
        if not self.active or self.paused or not text.strip():
            return None
        try:
            row = np.asarray(self._embedder([without_names(text, names)]), np.float32)
            vector: Sequence[float] = _checked(row, 1, self._embedder)[0]
            return vector
        except BackendError:
            raise
        except Exception as error:  # noqa: BLE001 - anybody's model; search goes on by terms
            self._pause(error)
            return None

    def reindex(self) -> None:
        """Make this embedder the store's: every vector is dropped and made anew. The texts stay searchable."""
        self._vectors.adopt(EmbedderRecord(self._embedder.name, self._embedder.dimension), replace=True)
        self._warned = False

    @property
    def paused(self) -> bool:
        """True for a while after the embedder failed."""
        return time.monotonic() < self._paused_until

    def step(self) -> bool:
        """Embed one batch in this thread; False when nothing waits or the embedder does not answer."""
        if self._stopped or not self.active or self.paused:
            return False
        batch = self._vectors.unembedded(BATCH)
        if not batch:
            return False
        done = self._embed(batch)
        if done is None:
            return False
        self._vectors.store_vectors(done, self._embedder.name)
        return True

    def _embed(self, batch: Sequence[Unembedded]) -> list[tuple[Unembedded, bytes | None]] | None:
        texts = [passage.text for passage in batch if passage.text is not None]
        if not texts:
            return [(passage, None) for passage in batch]
        try:
            rows = _checked(np.asarray(self._embedder(texts), np.float32), len(texts), self._embedder)
        except Exception as error:  # noqa: BLE001 - anybody's model; passages stay found by their terms
            self._pause(error)
            return None
        vectors = unit_rows(rows).astype("<f2")  # of any other length float16 might lose them
        return [(passage, vector.tobytes()) for passage, vector in zip(batch, vectors, strict=True)]

    def _pause(self, error: BaseException) -> None:
        self._paused_until = time.monotonic() + _PAUSE_SECONDS
        logger.warning(
            "embedder %r failed, searching by terms for %g s: %s: %s",
            self._embedder.name,
            _PAUSE_SECONDS,
            type(error).__name__,
            error,
        )

    @property
    def busy(self) -> bool:
        """Whether passages are being embedded here."""
        return self._thread is not None

    def stop(self) -> None:
        """Begin no further batch. What has no vector yet gets one in the next process."""
        self._stopped = True
        thread = self._thread
        if thread is not None:
            thread.join(timeout=1.0)

    def _step_at_work(self) -> bool:
        with at_work():
            return self.step()

    def _loop(self) -> None:
        while True:
            with self._lock:
                if self._stopped or not self._again:
                    self._thread = None
                    return
                self._again = False
            try:
                while self._step_at_work():
                    pass
            except BackendError as error:
                logger.warning("embedding waits for the storage: %s", error)
            except BaseException as error:  # noqa: BLE001 - this thread must come to its end, `drain` waits for it
                self._pause(error)


def _checked(rows: NDArray[np.float32], count: int, embedder: Embedder) -> NDArray[np.float32]:
    if rows.shape != (count, embedder.dimension):
        raise ValueError(f"expected {count} vectors of {embedder.dimension} numbers, got shape {rows.shape}")
    # The sum of the squares nearly always tells, in fewer calls.
    if not isfinite(np.vdot(rows, rows)) and not np.isfinite(rows).all():
        raise ValueError("a vector holds a number that is not finite")
    return rows
