"""Memory in a file that nobody writes is read where nothing can be written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ai_memory_integrations import Memory
from ai_memory_integrations.cli import main
from ai_memory_integrations.errors import BackendError, StoreNotCreatableError, UnknownURLError
from ai_memory_integrations.opened import place_of, reopened
from ai_memory_integrations.transfer import export_subject

SAID = [{"role": "user", "content": "My name is Sarah. I live in Lisbon."}]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "disc" / "memory é#1.db"
    path.parent.mkdir()
    with Memory(str(path), subject_id="sarah") as memory:
        memory.add_messages(SAID)
        memory.flush()
    return path


def sealed(path: Path) -> str:
    return f"sqlite:///{str(path).replace('#', '%23')}?immutable=1"


def beside(path: Path) -> list[tuple[str, int]]:
    return [(each.name, each.stat().st_mtime_ns) for each in sorted(path.parent.iterdir())]


def test_it_is_read_searched_and_exported_and_nothing_is_made(file: Path) -> None:
    with Memory(str(file), subject_id="sarah", learning="off") as memory:
        known = list(export_subject(memory))
    before = beside(file)
    with Memory(sealed(file), subject_id="sarah") as memory:
        assert "Lisbon" in (memory.get_memory("human") or "")
        assert memory.search(query="Lisbon")
        assert "Sarah" in memory.prompt()
        assert list(export_subject(memory)) == known
        assert beside(file) == before
    assert beside(file) == before


def test_it_is_read_in_a_folder_that_cannot_be_written(file: Path) -> None:
    os.chmod(file, 0o444)
    os.chmod(file.parent, 0o555)
    try:
        with Memory(sealed(file), subject_id="sarah") as memory:
            assert "Lisbon" in (memory.get_memory("human") or "")
    finally:
        os.chmod(file.parent, 0o755)


def test_what_would_write_is_refused(file: Path) -> None:
    before = beside(file)
    with Memory(sealed(file), subject_id="sarah") as memory:
        for write in (
            lambda: memory.add_messages(SAID),
            lambda: memory.update_memory("human", "Nobody"),
            memory.delete_subject,
            lambda: memory.prune_history(keep=1),
        ):
            with pytest.raises(StoreNotCreatableError, match="readonly"):
                write()
        assert "Lisbon" in (memory.get_memory("human") or "")
    assert beside(file) == before


def test_a_log_that_was_left_beside_it_is_refused(file: Path) -> None:
    file.with_name(f"{file.name}-wal").write_bytes(b"commits")
    with Memory(sealed(file)) as memory, pytest.raises(BackendError, match="holds commits that are not in the file"):
        memory.list_subjects()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with Memory(sealed(tmp_path / "none.db")) as memory, pytest.raises(BackendError):
        memory.list_subjects()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_memory_yet(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with Memory(sealed(tmp_path / "empty.db")) as memory, pytest.raises(BackendError, match="older release"):
        memory.list_subjects()


def test_the_commands_that_read_work(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["subjects"], ["show", "sarah", "--history"], ["search", "sarah", "Lisbon"], ["runs"], ["doctor"]):
        with pytest.raises(SystemExit) as ended:
            main(["--url", sealed(file), *command])
        assert ended.value.code == 0, capsys.readouterr().err
    assert "opened with immutable=1" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--url", sealed(file), "export", "sarah"])
    assert json.loads(capsys.readouterr().out.splitlines()[0])
    with pytest.raises(SystemExit) as ended:
        main(["--url", sealed(file), "forget", "sarah", "--yes"])
    assert ended.value.code == 1


def test_what_is_restored_does_not_take_it_for_the_memory_that_is_written(file: Path) -> None:
    with Memory(str(file), learning="off") as written, Memory(sealed(file)) as only_read:
        assert reopened(place_of(written)) is written
        assert reopened(place_of(only_read)) is only_read


def test_the_option_is_one_or_nothing(file: Path) -> None:
    with pytest.raises(UnknownURLError, match="immutable=1"):
        Memory(sealed(file).replace("=1", "=yes"))
