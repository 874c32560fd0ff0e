"""The process that plays a conversation, and on request kills itself in the middle of a write.

Run as `python -m ai_memory_integrations.demo.player FILE SUBJECT [--transcript PATH] [--die-at NUMBER]`. It reports
on standard output, one JSON object a line: `opened`, `said`, `learnt` after every session, `dying` as the last words.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ai_memory_integrations import Memory, Message
from ai_memory_integrations.demo.transcript import Transcript, bundled, load


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="player")
    parser.add_argument("file")
    parser.add_argument("subject")
    parser.add_argument("--transcript", type=Path)
    parser.add_argument("--die-at", type=int, default=0, help="the message, counted from 1, in whose write it dies")
    asked = parser.parse_args(arguments)
    transcript = bundled() if asked.transcript is None else load(asked.transcript)
    # Learning is asked for at the end of each session, so that the time it takes can be shown.
    with Memory(asked.file, subject_id=asked.subject, learning="off", embedder=False) as memory:
        _play(memory, transcript, asked.die_at)


def _play(memory: Memory, transcript: Transcript, die_at: int) -> None:
    begun = time.perf_counter()
    known = {(said.thread_id, said.id) for said in memory.list_messages()}
    if memory.get_memory_agent_id() is None:
        memory.initialize_user_memory()
    # Load what later calls need, so that the times shown are their own.
    memory.search(query="hello")
    memory._core.scheduler  # noqa: B018
    _report("opened", pid=os.getpid(), ms=_since(begun), messages=len(known))
    said = 0
    for session in transcript.sessions():
        begun, new = time.perf_counter(), 0
        for message in session:
            said += 1
            if said == die_at:
                _die_writing(memory, message, said)
            run_id = memory.add_messages([message])
            new += (message.thread_id, message.id) not in known
            _report("said", number=said)
        stored = _since(begun)
        begun = time.perf_counter()
        memory.wait_for_run(run_id)
        learnt = _since(begun)
        _report("learnt", when=_when(session), new=new, stored_ms=stored, learnt_ms=learnt, blocks=_sizes(memory))


def _die_writing(memory: Memory, message: Message, number: int) -> None:
    """Write a message inside a transaction that is never committed: SIGKILL leaves no time to clean up."""
    with memory._core.store.journal.transaction():
        memory.add_messages([message])
        _report("dying", pid=os.getpid(), number=number)
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def _when(session: tuple[Message, ...]) -> str:
    moment = session[0].created_at
    return session[0].thread_id if moment is None else f"{moment:%a} {moment.day} {moment:%b}"


def _sizes(memory: Memory) -> dict[str, int]:
    return {block.label: len(block.value.splitlines()) for block in memory.list_blocks()}


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


def _report(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
