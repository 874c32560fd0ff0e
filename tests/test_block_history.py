"""Old versions of blocks are kept until somebody asks for them to go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ai_memory_integrations import AsyncMemory, Memory
from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.transfer import export_subject, import_subject


def write(memory: Memory, subject: str, times: int) -> None:
    memory.initialize_memory("plans", subject_id=subject)
    for number in range(times):
        memory.update_memory("plans", f"plan {number}", subject_id=subject)


def kept(memory: Memory, subject: str) -> list[int]:
    return [each.version for each in memory.memory_history("plans", subject)]


def test_the_newest_versions_stay_with_their_numbers(place: str) -> None:
    with Memory(place, learning="off") as memory:
        write(memory, "sarah", 4)
        write(memory, "bob", 2)
        assert memory.prune_history("sarah", keep=2) == 3
        assert (kept(memory, "sarah"), kept(memory, "bob")) == ([4, 5], [1, 2, 3])
        assert memory.prune_history(keep=1) == 3
        assert memory.get_memory("plans", subject_id="sarah") == "plan 3"
        memory.update_memory("plans", "plan 4", expected_version=5, subject_id="sarah")
        assert kept(memory, "sarah") == [5, 6]
        assert memory.restore_memory("plans", 5, "sarah").value == "plan 3"
        with pytest.raises(InvalidInputError, match="has versions 5 to 7, not 1"):
            memory.restore_memory("plans", 1, "sarah")


def test_versions_since_a_moment_stay_and_those_counted(place: str) -> None:
    with Memory(place, subject_id="sarah", learning="off") as memory:
        write(memory, "sarah", 4)
        since = memory.memory_history("plans")[3].created_at
        assert memory.prune_history(before=since, keep=3) == 2
        assert memory.prune_history(before=since, dry_run=True) == 1
        assert memory.prune_history(before=since) == 1
        assert kept(memory, "sarah") == [4, 5]
        assert memory.prune_history(before=datetime.now(UTC) + timedelta(days=1)) == 1, "the current one stays"


def test_a_bound_memory_prunes_its_own_subject(place: str) -> None:
    with Memory(place, learning="off") as memory:
        write(memory, "sarah", 2)
        write(memory, "bob", 2)
        assert memory.for_subject("sarah").prune_history(keep=1) == 2
        assert kept(memory, "bob") == [1, 2, 3]


async def test_it_can_be_awaited(place: str) -> None:
    async with AsyncMemory(place, learning="off") as memory:
        write(memory.blocking, "sarah", 2)
        assert await memory.prune_history("sarah", keep=2) == 1


def test_what_stays_has_to_be_said(tmp_path: Path) -> None:
    with Memory(str(tmp_path / "m.db")) as memory:
        with pytest.raises(InvalidInputError, match="pass keep=, before= or both"):
            memory.prune_history()
        with pytest.raises(InvalidInputError, match="keep must be a whole number from 1"):
            memory.prune_history(keep=0)
        with pytest.raises(InvalidInputError, match="has no time zone"):
            memory.prune_history(before=datetime(2026, 1, 1))
        assert memory.prune_history("nobody", keep=1) == 0


def test_what_is_left_of_a_history_moves(place: str, tmp_path: Path) -> None:
    with Memory(place, learning="off") as memory, Memory(str(tmp_path / "other.db"), learning="off") as other:
        write(memory, "sarah", 4)
        memory.prune_history(keep=2)
        import_subject(other, list(export_subject(memory, "sarah")))
        assert other.memory_history("plans", "sarah") == memory.memory_history("plans", "sarah")
