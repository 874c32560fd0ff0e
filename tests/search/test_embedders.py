"""The local embedder: offline, small, the same everywhere; and any function as one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.ports import Embedder
from ai_memory_integrations.search.embedders import WordLlamaEmbedder, default_embedder, embedder_from_callable


def test_the_default_embedder_says_what_it_is() -> None:
    embedder = default_embedder()
    assert isinstance(embedder, Embedder)
    assert (embedder.name, embedder.dimension) == ("wordllama/l2_supercat_256@0.4", 256)


def test_rows_have_length_1_and_blank_texts_are_zeros() -> None:
    rows = WordLlamaEmbedder()(["I love cats", "", " \n", "word " * 50_000, "\ud800", "🐱猫"])
    assert rows.dtype == np.float32
    assert rows.shape == (6, 256)
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 0, 0, 1, 1, 1], abs=1e-5)
    assert WordLlamaEmbedder()([]).shape == (0, 256)


def test_a_text_has_the_same_vector_alone_and_among_others() -> None:
    embedder = WordLlamaEmbedder()
    assert (embedder(["I love cats"])[0] == embedder(["a much longer text " * 9, "I love cats"])[1]).all()


def test_it_works_in_a_process_that_may_not_touch_the_network() -> None:
    code = """
import socket, logging
def refuse(*args, **kwargs): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from ai_memory_integrations.search.embedders import default_embedder
assert len(default_embedder()(["animals"])[0]) == 256
assert logging.getLogger().handlers == [] and logging.getLogger().level == logging.WARNING
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=PATIENCE)


def test_meaning_finds_what_shares_no_word(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "memory.db"), subject_id="sarah", embedder=default_embedder()) as memory:
        memory.add_passages(["I love cats", "The stock market fell", "We moved to a new flat"])
        memory.drain(timeout=PATIENCE)
        assert memory.search(query="animals")[0] == "I love cats"


def test_any_function_is_an_embedder() -> None:
    embedder = embedder_from_callable(lambda texts: [[float(len(text))] for text in texts], name="length", dimension=1)
    assert isinstance(embedder, Embedder)
    assert (embedder.name, embedder.dimension, embedder(["abc"])) == ("length", 1, [[3.0]])


def test_what_is_missing_says_how_to_get_it() -> None:
    code = """
import sys, importlib.metadata
from ai_memory_integrations.errors import MissingExtraError
class Without(importlib.metadata.DistributionFinder):
    def find_distributions(self, context=importlib.metadata.DistributionFinder.Context()):
        return iter(())
sys.meta_path[:] = [Without()] + [f for f in sys.meta_path if not hasattr(f, "find_distributions")] + [
    type("OnlyImports", (), {"find_spec": staticmethod(f.find_spec)})() for f in sys.meta_path
    if hasattr(f, "find_distributions")
]
from ai_memory_integrations.search.embedders import WordLlamaEmbedder, default_embedder
assert default_embedder() is None
try:
    WordLlamaEmbedder()
except MissingExtraError as error:
    assert "pip install 'ai-memory-integrations[embeddings]'" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
