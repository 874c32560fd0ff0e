"""A memory that crosses a fork, and one that several processes share."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE

SCRIPT = """
import os, sys
from ai_memory_integrations import Memory

memory = Memory(sys.argv[1])
memory.add_messages("parent", [{"role": "user", "content": "My name is Parent."}])
memory.search("parent", "name")
children = []
names = ["Anna", "Bert", "Carla", "Dino"]
for number in range(4):
    pid = os.fork()
    if pid == 0:
        name = f"child{number}"
        for turn in range(5):
            memory.add_messages(name, [{"role": "user", "content": f"My name is {names[number]}. Turn {turn}."}])
        memory.flush(name)
        assert names[number] in memory.get_user_memory(name), memory.get_user_memory(name)
        assert len(memory.search(name, "turn")) == 5
        assert memory.search("parent", "name"), "what the parent said"
        os._exit(0)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
assert codes == [0] * 4, codes
memory.flush("parent")
assert "Parent" in memory.get_user_memory("parent")
assert len(memory.list_subjects()) == 5
memory.close()
print("ok")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_of_a_fork_go_on_with_a_memory_in_use(place: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT, place],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("ok\n", "", 0)


def count(path: str, number: int) -> int:
    from ai_memory_integrations import Memory

    with Memory(path) as memory:
        for turn in range(10):
            memory.add_messages("shared", [{"role": "user", "content": f"{number}:{turn}"}])
        return len(memory.list_messages("shared"))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_share_a_place(place: str, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot start processes by {method}")
    with multiprocessing.get_context(method).Pool(3) as pool:
        pool.starmap(count, [(place, number) for number in range(3)])
    from ai_memory_integrations import Memory

    with Memory(place) as memory:
        assert len(memory.list_messages("shared")) == 30
        assert memory.drain(PATIENCE)
        assert memory.stats().waiting == 0


SAY = """
import sys
from ai_memory_integrations import Memory

with Memory(sys.argv[1], learning="off") as memory:
    memory.add_messages("sarah", [{"role": "user", "content": sys.argv[2]}])
    print([message.text for message in memory.list_messages("sarah")])
"""


def say_in_another_process(path: Path, text: str) -> str:
    command = [sys.executable, "-c", SAY, str(path), text]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.strip()


def test_two_memories_of_one_process_keep_what_they_acknowledge_when_another_process_closes_the_file(
    tmp_path: Path,
) -> None:
    from ai_memory_integrations import Memory

    path = tmp_path / "memory.db"
    with Memory(path, learning="off") as one, Memory(path, learning="off") as two:
        one.add_messages("sarah", [{"role": "user", "content": "one"}])
        assert len(two.list_messages("sarah")) == 1
        say_in_another_process(path, "two")
        one.add_messages("sarah", [{"role": "user", "content": "three"}])
        assert say_in_another_process(path, "four") == "['one', 'two', 'three', 'four']"
        assert len(two.list_messages("sarah")) == 4
