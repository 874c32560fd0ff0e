"""What a `letta://` URL says, and which memories open one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fresh import run

from ai_memory_integrations import Memory
from ai_memory_integrations.backends.letta.places import letta_place
from ai_memory_integrations.backends.letta.store import LettaStore, open_letta
from ai_memory_integrations.backends.sqlite import SQLiteStore
from ai_memory_integrations.backends.urls import check_url, open_store, without_password
from ai_memory_integrations.errors import ConfigurationError, UnknownURLError
from ai_memory_integrations.opened import place_of, reopened


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LETTA_BASE_URL", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("letta://", "https://api.letta.com"),
        ("letta://api.letta.com", "https://api.letta.com"),
        ("letta://localhost", "http://localhost:8283"),
        ("letta://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("letta://[::1]", "http://[::1]:8283"),
        ("letta://letta.example.com:8283", "https://letta.example.com:8283"),
        ("letta://letta.internal:8283?tls=false", "http://letta.internal:8283"),
        ("letta://localhost?tls=true", "https://localhost:8283"),
        ("LETTA://:key@host/", "https://host"),
    ],
)
def test_a_url_names_a_server(url: str, base: str) -> None:
    assert letta_place(url).base_url == base


def test_without_a_host_the_environment_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTA_BASE_URL", "http://letta:8283/")
    assert letta_place("letta://?stale=2").base_url == "http://letta:8283"
    assert letta_place("letta://host").base_url == "https://host"


def test_options_say_how_to_use_it() -> None:
    place = letta_place(
        "letta://:k%2Fey@host?journal=postgresql%3A%2F%2Fu%3Apw%40db%2Fx&model=a/b&embedding=c/d&project=p"
        "&namespace=shop&stale=1.5&timeout=5&retries=0&patience=60&usage=true&exclusive=true"
    )
    assert (place.api_key, place.journal, place.model, place.embedding) == (
        "k/ey",
        "postgresql://u:pw@db/x",
        "a/b",
        "c/d",
    )
    assert (place.project, place.namespace, place.stale, place.timeout, place.retries) == ("p", "shop", 1.5, 5.0, 0)
    assert (place.patience, place.usage, place.exclusive) == (60.0, True, True)
    assert not letta_place("letta://host").exclusive


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("letta://host?modle=x", "option 'modle' is not known"),
        ("letta://host/path", "no path"),
        ("letta://:se/cret@host", "cannot be read"),
        ("letta://host:99999", "cannot be read"),
        ("letta://host?journal=letta://other", "the URL of an SQL store"),
        ("letta://host?journal=", "the URL of an SQL store"),
        ("letta://host?journal=mysql://u:secret@h/x", "no backend for 'mysql'"),
        ("letta://host?namespace=a b", "is not usable"),
        ("letta://host?stale=soon", "no number"),
        ("letta://host?usage=much", "true or false"),
        ("letta://host?exclusive=1", "true or false"),
        ("letta://host?retries=1.5", "no number"),
        ("letta://host?tls=maybe", "true or false"),
    ],
)
def test_what_it_cannot_say_is_refused_without_its_secrets(url: str, words: str) -> None:
    with pytest.raises(UnknownURLError, match=words) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)
    assert "se/cret" not in str(caught.value)


def test_keys_and_passwords_are_hidden_where_a_url_is_shown() -> None:
    url = "letta://:key@host:8283?journal=postgresql%3A%2F%2Fu%3Apw%40db%2Fx&stale=2"
    assert without_password(url) == "letta://:***@host:8283?journal=postgresql://u:***@db/x&stale=2"
    assert "key@" not in repr(Memory(url))
    assert open_letta("letta://:key@host?journal=:memory:").url == "letta://:***@host?journal=:memory:"


class TestTheJournal:
    def test_is_a_file_named_after_the_server(self, tmp_path: Path) -> None:
        store = open_store("letta://localhost?namespace=shop&project=p/1")
        assert isinstance(store, LettaStore)
        assert store.record.url == f"sqlite:///{tmp_path}/ai-memory/letta-localhost_8283-p_1-shop.db"
        store.close()

    def test_is_what_the_url_names(self, tmp_path: Path) -> None:
        store = open_store(f"letta://localhost?journal=sqlite:///{tmp_path}/j.db")
        assert isinstance(store, LettaStore)
        assert isinstance(store.record, SQLiteStore)
        assert store.record.path == f"{tmp_path}/j.db"
        store.close()

    def test_is_what_the_application_passes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file, url = tmp_path / "a & b=c.db", "letta://localhost?stale=2"
        for memory in (Memory(url, journal=file), Memory(url, journal=f"sqlite:///{file}")):
            store = memory._core.store
            assert isinstance(store, LettaStore)
            assert isinstance(store.record, SQLiteStore)
            assert store.record.path == str(file)
            memory.close()
        monkeypatch.setenv("AI_MEMORY_URL", "letta://localhost")
        monkeypatch.setenv("PGPASSWORD", "unused")
        shown = repr(Memory(journal="postgresql://u:secret@db/x"))
        assert "postgresql://u:***@db/x" in shown

    @pytest.mark.parametrize(
        ("url", "journal", "words"),
        [
            ("memory.db", "j.db", "'memory.db' keeps its journal in the same database"),
            (None, "j.db", "keeps its journal in the same database"),
            ("letta://host?journal=a.db", "b.db", "names a journal already"),
            ("letta://host", "letta://other", "the URL of an SQL store"),
            ("letta://host", "", "it is empty"),
            ("letta://host", "mysql://u:secret@h/x", "no backend for 'mysql'"),
            ("letta://host", 5, "it is neither text nor a path"),
        ],
    )
    def test_is_refused_where_there_can_be_none(self, url: str | None, journal: Any, words: str) -> None:
        with pytest.raises((ConfigurationError, UnknownURLError), match=words) as caught:
            Memory(url, journal=journal)
        assert "secret" not in str(caught.value)
        store = SQLiteStore(":memory:")
        with pytest.raises(ConfigurationError, match="backend="):
            Memory(backend=store, journal="j.db")
        store.close()


class TestAKey:
    def test_alone_means_letta(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Memory(api_key="sk-let-secret") as memory:
            assert memory.url == "letta://"
            assert "secret" not in repr(memory)
        monkeypatch.setenv("AI_MEMORY_URL", "letta://localhost?namespace=shop")
        with Memory(api_key="sk-let-secret") as memory:
            assert memory.url == "letta://localhost?namespace=shop"

    def test_is_refused_for_what_is_not_letta(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="is not on Letta"):
            Memory(str(tmp_path / "memory.db"), api_key="sk-let-secret")
        store = SQLiteStore(":memory:")
        with pytest.raises(ConfigurationError, match="backend="):
            Memory(backend=store, api_key="sk-let-secret")
        store.close()


def test_a_memory_on_letta_is_opened_again_without_its_key(tmp_path: Path) -> None:
    url = f"letta://:key@localhost?journal=sqlite:///{tmp_path}/j.db"
    memory = Memory(url)
    place = place_of(memory)
    assert place.url == f"letta://@localhost?journal=sqlite:////{str(tmp_path).lstrip('/')}/j.db"
    assert reopened(place)._core is memory._core
    memory.close()


def test_without_its_client_the_error_names_the_command(tmp_path: Path) -> None:
    said = run(
        "from ai_memory_integrations import Memory\n"
        f"Memory('letta://localhost', journal={str(tmp_path / 'j.db')!r}).list_blocks('sarah')",
        missing=("letta_client",),
    )
    assert "MissingExtraError" in said
    assert "pip install 'ai-memory-integrations[letta]'" in said
