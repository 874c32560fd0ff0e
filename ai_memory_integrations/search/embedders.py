"""Texts to vectors on this machine, or through any function."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.errors import MissingExtraError
from ai_memory_integrations.ports import Embedder

if TYPE_CHECKING:
    from wordllama.inference import WordLlamaInference

_MODEL = "l2_supercat"
_RELEASE = "0.4"
_LONGEST = 20_000  # characters of a text that count: a mean over more says less, and memory is finite


class WordLlamaEmbedder:
    """wordllama's static embeddings: small, without a GPU, from the files in its wheel, never from the network.

    The model is loaded with the first call. It may be used by many threads and across a fork.
    Raises: MissingExtraError when wordllama is absent, too old or too new.
    """

    dimension = 256
    name = f"wordllama/{_MODEL}_256@{_RELEASE}"

    def __init__(self) -> None:
        _require_release()
        self._model: WordLlamaInference | None = None

    def __call__(self, texts: Sequence[str]) -> Any:
        """A float32 array with one row of length 1 for each text; zeros for a blank one."""
        if self._model is None:
            self._model = _load()  # two threads may both load it; a lock could be held while the process forks
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[:] = _embed(self._model, text)
        return rows


def _embed(model: WordLlamaInference, text: str) -> NDArray[np.float32]:
    """The mean of the tokens' vectors. One text at a time: the model's own batches are padded to the longest text
    and start threads that do not survive a fork."""
    readable = text[:_LONGEST].encode("utf-8", "replace").decode("utf-8")
    tokens = model.tokenizer.encode(readable, add_special_tokens=False).ids if readable.strip() else []
    if not tokens:
        return np.zeros(model.embedding.shape[1], np.float32)
    mean: NDArray[np.float32] = model.embedding[np.minimum(tokens, len(model.embedding) - 1)].mean(axis=0)
    norm = np.sqrt(mean @ mean)
    return mean / norm if norm > 0 else mean


def _load() -> WordLlamaInference:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    import wordllama

    root.handlers[:] = handlers  # importing it configures the logging of the whole program
    root.setLevel(level)
    # The wheel keeps its tokenizer in "tokenizers", its loader looks in "tokenizer" and then in the cache directory:
    # naming the package as the cache finds it without the network.
    return wordllama.WordLlama.load(
        _MODEL, cache_dir=Path(wordllama.__file__).parent, dim=WordLlamaEmbedder.dimension, disable_download=True
    )


def _require_release() -> None:
    try:
        found = version("wordllama")
    except PackageNotFoundError:
        raise MissingExtraError("WordLlamaEmbedder", "embeddings") from None
    if not found.startswith(f"{_RELEASE}."):
        raise MissingExtraError(
            "WordLlamaEmbedder", "embeddings", reason=f"wordllama {found} is installed, {_RELEASE} is needed"
        )


class _CallableEmbedder:
    def __init__(self, fn: Callable[[Sequence[str]], Sequence[Sequence[float]]], name: str, dimension: int) -> None:
        self._fn, self.name, self.dimension = fn, name, dimension

    def __call__(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return self._fn(texts)


def embedder_from_callable(
    fn: Callable[[Sequence[str]], Sequence[Sequence[float]]], *, name: str, dimension: int
) -> Embedder:
    """A function from texts to vectors as an embedder. *name* must change when its vectors do."""
    return _CallableEmbedder(fn, name, dimension)


def default_embedder() -> Embedder | None:
    """The local embedder when `[embeddings]` is installed, else None. Loads nothing yet."""
    try:
        return WordLlamaEmbedder()
    except MissingExtraError:
        return None
