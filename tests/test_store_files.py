"""Files that cannot be a memory are refused with a clear error, and left as they are."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from ai_memory_integrations import Memory
from ai_memory_integrations.errors import (
    BackendError,
    ConfigurationError,
    NewerSchemaError,
    NotAStoreError,
    StoreFullError,
    StoreNotCreatableError,
    UnknownURLError,
)


def refuses(path: Path, error: type[Exception], match: str) -> None:
    before = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else None
    with Memory(str(path)) as memory, pytest.raises(error, match=match):
        memory.add_messages("sarah", [{"role": "user", "content": "hi"}])
    if before is not None:
        assert hashlib.sha256(path.read_bytes()).digest() == before
        assert list(path.parent.iterdir()) == [path]


def test_a_text_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes")
    refuses(path, NotAStoreError, "no SQLite database.*left as it is")


def test_another_applications_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers(id)")
    connection.commit()
    connection.close()
    refuses(path, NotAStoreError, "another application's database .tables: customers")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory(str(path)) as memory:
        memory.add_messages("sarah", [{"role": "user", "content": "hi"}])
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)
    refuses(path, NotAStoreError, "not a memory file|malformed")


def test_a_newer_schema_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory(str(path)) as memory:
        memory.initialize_subject("sarah")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=999")
    connection.close()
    refuses(path, NewerSchemaError, "schema version 999.*pip install -U ai-memory-integrations")


def test_a_missing_folder_and_a_folder_are_named(tmp_path: Path) -> None:
    refuses(tmp_path / "absent" / "memory.db", StoreNotCreatableError, "folder .*absent.* does not exist")
    refuses(tmp_path, StoreNotCreatableError, "it is a folder")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody may write to")
def test_a_folder_that_cannot_be_written_is_named() -> None:
    refuses(Path("/proc/memory.db"), StoreNotCreatableError, "cannot create or write")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a folder that only its owner may enter")
@pytest.mark.parametrize(
    ("mode", "name", "match"),
    [
        (0o755, "memory.db", "memory.db.*its folder .* cannot be written here"),
        (0o755, "new.db", "its folder .* cannot be written here"),
        (0o700, "memory.db", "Permission denied"),
    ],
)
def test_somebody_elses_folder_is_named(mode: int, name: str, match: str) -> None:
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        folder = Path(above) / "theirs"
        folder.mkdir()
        with Memory(folder / "memory.db", embedder=False, learning="off") as memory:
            memory.add_messages("sarah", [{"role": "user", "content": "hi"}])
        folder.chmod(mode if os.geteuid() == 0 else mode & 0o077)
        with (
            _nobody(),
            Memory(folder / name, embedder=False, learning="off") as memory,
            pytest.raises(StoreNotCreatableError, match=match),
        ):
            memory.add_messages("sarah", [{"role": "user", "content": "hi"}])
        folder.chmod(0o700)


@contextmanager
def _nobody() -> Iterator[None]:
    """Nothing is closed to the superuser, who is somebody else for a while."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_path_that_is_too_long_is_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / f"{'a' * 300}.db", tmp_path / ("a" * 300) / "memory.db"):
        with Memory(path) as memory, pytest.raises(StoreNotCreatableError, match="File name too long"):
            memory.prompt("sarah")


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "memory.db"), learning="off") as memory:
        memory.initialize_subject("sarah")
        database = memory._core.store.database  # type: ignore[attr-defined]
        with database.transaction() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={pages + 20}")
        kept: list[str] = []
        with pytest.raises(StoreFullError, match="no room left"):  # noqa: PT012 - it happens in some round
            for number in range(10_000):
                memory.add_messages("sarah", [{"role": "user", "content": f"{number} {'x' * 500}", "id": str(number)}])
                kept.append(str(number))
        assert [message.id for message in memory.list_messages("sarah")] == kept
        with database.transaction() as connection:
            connection.execute("PRAGMA max_page_count=1000000")
        memory.add_messages("sarah", [{"role": "user", "content": "room again"}])


def test_a_store_that_was_closed_says_so(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "memory.db"))
    memory.initialize_subject("sarah")
    memory.close()
    memory.close()
    with pytest.raises(BackendError, match="closed"):
        memory.list_blocks("sarah")


def test_an_empty_file_becomes_a_memory(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.touch()
    with Memory(str(path)) as memory:
        memory.initialize_subject("sarah")
    with Memory(f"sqlite:///{path}?synchronous=normal") as memory:
        assert [subject.subject_id for subject in memory.list_subjects()] == ["sarah"]


@pytest.mark.parametrize("moment", range(12))
def test_a_file_that_another_makes_at_any_moment_of_the_opening_is_a_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    path, connect = str(tmp_path / "memory.db"), sqlite3.connect

    class Interrupted(sqlite3.Connection):
        """Before its statement of this number somebody else makes the tables."""

        statements = 0

        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            if Interrupted.statements == moment and not self.in_transaction:
                monkeypatch.setattr(sqlite3, "connect", connect)
                with Memory(path) as other:
                    other.initialize_subject("bob")
            Interrupted.statements += 1
            return super().execute(*arguments)

    interrupted = {"factory": Interrupted}
    monkeypatch.setattr(sqlite3, "connect", lambda *arguments, **options: connect(*arguments, **options | interrupted))
    with Memory(path) as memory:
        memory.initialize_subject("sarah")
        assert {"sarah"} <= {subject.subject_id for subject in memory.list_subjects()} <= {"bob", "sarah"}


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("sk-let-NDk4ZTUwMTQtYjc0MS00YzBj", "looks like an API key"),
        ("c2stbGV0LU5EazRaVFV3TVRRdFlqYzBNUzAw", "looks like an API key"),
        ("mysql://me:secret@host/db", "no backend for 'mysql'"),
        ("letta://:secret@host/db", "no path"),
        ("sqlite://memory.db", "three slashes"),
        ("sqlite:///", "names no file"),
        ("sqlite:///memory.db?sync=off", "the only options are synchronous"),
        ("", "empty"),
    ],
)
def test_what_is_no_place_for_memory_is_refused_without_its_secrets(url: str, match: str) -> None:
    with pytest.raises(UnknownURLError, match=match) as caught:
        Memory(url)
    assert "secret" not in str(caught.value)
    assert "NDk4ZTUw" not in str(caught.value)
    assert "RaVFV3" not in str(caught.value)


def test_a_key_for_letta_is_refused_where_memory_is_not_on_letta() -> None:
    with pytest.raises(ConfigurationError, match="is not on Letta") as caught:
        Memory("memory.db", api_key="sk-let-very-secret")
    assert "very-secret" not in str(caught.value)


def test_a_letta_key_in_the_environment_gives_one_warning_and_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LETTA_API_KEY", "sk-let-very-secret")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    caplog.set_level(logging.INFO)
    with Memory() as memory:
        memory.initialize_subject("sarah")
        memory.list_subjects()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "LETTA_API_KEY is set, but memory is kept in the file" in warnings[0].getMessage()
    assert "very-secret" not in caplog.text
    assert str(tmp_path) in caplog.text


def test_the_environment_names_the_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_MEMORY_URL", f"sqlite:///{tmp_path / 'named.db'}")
    with Memory() as memory:
        memory.initialize_subject("sarah")
    assert (tmp_path / "named.db").exists()


def test_a_script_that_never_closes_exits_at_once_and_the_next_process_learns(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    script = (
        "import sys, time; from ai_memory_integrations import Memory\n"
        "memory = Memory(sys.argv[1])\n"
        "memory.add_messages('sarah', [{'role': 'user', 'content': 'My name is Sarah.'}])\n"
        "print(time.time(), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    with Memory(str(path)) as memory:
        memory.flush("sarah")
        assert "Sarah" in (memory.get_user_memory("sarah") or "")
