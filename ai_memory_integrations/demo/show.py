"""The demo: what the playing processes report, and what the file says when it is asked afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends.urls import without_password
from ai_memory_integrations.cli.screen import counted, safe
from ai_memory_integrations.core import MODEL_VARIABLE
from ai_memory_integrations.demo.child import play
from ai_memory_integrations.demo.findings import changes, count
from ai_memory_integrations.demo.page import INDENT, Page, Part, milliseconds, ms, period, quoted, shortened, timed
from ai_memory_integrations.demo.transcript import Transcript, bundled, load

if TYPE_CHECKING:
    from ai_memory_integrations import Memory, Passage
    from ai_memory_integrations.ports import Embedder

QUESTIONS = (
    "What am I allergic to?",
    "Where did we move to?",
    "When did I promise the cello back?",
    "What does Sami not eat?",
)
BY_MEANING, EVIDENCE = "What car do we drive?", "Volvo"
NOT_A_MODEL = "learnt by rules, no model; AI_MEMORY_MODEL=... learns with yours"

_SESSIONS = 12
_CHANGES = 6


def run(path: Path | None = None, *, url: str | None = None, ask: bool = False) -> bool:
    """Play the file at *path*, or the conversation of this package, and show what becomes of it.

    It is played on a new file, or in the place that *url* names, where its subject is a new one. With *ask* the user
    is asked for something to remember. True when nothing was lost and nothing taken twice.
    Raises: TranscriptError, DemoFailedError.
    """
    demo = Demo(bundled() if path is None else load(path), path, url)
    demo.introduce()
    demo.tell()
    whole = demo.tell_again()
    demo.show_changes()
    demo.show_blocks()
    if path is None:
        demo.answer()
        if find_spec("wordllama") is not None and demo.embeds:
            demo.search_by_meaning()
    if ask:
        demo.ask()
    demo.leave()
    return whole


def paste(file: str, subject: str) -> tuple[str, ...]:
    """Four lines of Python that go on where the demo ends."""
    return (
        "from ai_memory_integrations import Memory",
        f"memory = Memory({file!r}, subject_id={subject!r})",
        "memory.wait_for_run(memory.add_messages([{'role': 'user', 'content': 'I play the viola.'}]))",
        "print(memory.prompt(query='music'))",
    )


class Demo:
    """One showing: a conversation, a new file or a new subject, a page."""

    def __init__(self, transcript: Transcript, path: Path | None, url: str | None) -> None:
        self.transcript, self.path = transcript, path
        self.total = len(transcript.messages)
        self.subject = "mara" if path is None else "you"
        self.file = str(Path(mkdtemp(prefix="ai-memory-demo-"), "memory.db")) if url is None else url
        self.elsewhere = url is not None
        if self.elsewhere:  # nobody's memory is touched
            self.subject += f"-{token_hex(4)}"
        self.page = Page()
        self._lines = 0
        self._sessions = 0

    def introduce(self) -> None:
        whom = "of a violin maker called Mara" if self.path is None else f"from {safe(self.path)}"
        when = period([said.created_at for said in self.transcript.messages if said.created_at is not None])
        about = f"  {counted(self.total, 'message')} {whom}{when and ', '}{when}"
        self.page.title(("ai-memory", "bold"), about)
        if self.elsewhere:
            self.page.line(f"{safe(without_password(self.file))}, as {self.subject}", label="place ")
        else:
            self.page.line(self.file, label="file  ")
        self.page.line(self._learner(), label="note  ")
        if self.transcript.ignored:
            self.page.line(f"not read in that file: {safe(', '.join(self.transcript.ignored))}", label="note  ")

    def tell(self) -> None:
        """A process is told the conversation and dies in the middle of it."""
        self.page.part("Messages go in, memory grows")
        for event in self._events(die_at=(self.total * 5 + 7) // 8):
            if event["event"] == "opened":
                made = "came" if self.elsewhere else "made the file"
                self.page.line(f"process {event['pid']} {made}", milliseconds(event["ms"]))
            elif event["event"] == "learnt":
                self._session(event)
            elif event["event"] == "dying":
                self.page.part("The process kills itself in the middle of a write")
                where = f" (SIGKILL) in the transaction of message {event['number']}, after"
                acknowledged = f" {event['number'] - 1} were acknowledged"
                self.page.line(f"process {event['pid']} ", ("killed", "bold red"), where, acknowledged)

    def tell_again(self) -> bool:
        """A new process opens the file and is told everything again; True when all is there, once."""
        for event in self._events():
            if event["event"] == "opened":
                opened = "came" if self.elsewhere else "opened the file"
                there = f"process {event['pid']} {opened}: {event['messages']} are there"
                self.page.line(there, milliseconds(event["ms"]))
                self.page.line("the caller got no answer, so it tells everything again from the start")
            elif event["event"] == "learnt" and event["new"]:
                self._session(event)
        if self._sessions > _SESSIONS:
            self.page.line(f"... and {self._sessions - _SESSIONS} more sessions")
        with timed() as took, self._memory() as memory:
            found = count(memory, self.transcript)
        verdict = f"{found.found} of {found.told} messages, {found.lost} lost, {found.twice} twice"
        self.page.line((verdict, "bold green" if found.whole else "bold red"), *took)
        return found.whole

    def show_changes(self) -> None:
        with self._memory() as memory:
            found = list(changes(memory))
        if not found:
            return
        self.page.part("What changed, and who said so")
        for change in found[-_CHANGES:]:
            self.page.line((safe(change.removed), "red"), label="- ")
            for line in change.added:
                self.page.line((safe(line), "green"), label="+ ")
            if change.message is not None:
                self.page.line(*quoted(change.message.text, change.message.said_at), label="  because  ")
        if len(found) > _CHANGES:
            self.page.line(f"and {len(found) - _CHANGES} earlier changes")

    def show_blocks(self) -> None:
        self.page.part("What stands in every prompt from now on")
        with self._memory() as memory:
            blocks = memory.list_blocks()
        for block in blocks:
            self.page.line((f"{block.label}, version {block.version}", "dim"))
            for line in shortened(block.value.splitlines()):
                self.page.line(line, label="  ")

    def answer(self) -> None:
        self.page.part("The same questions, without and with memory")
        with self._memory() as memory:
            for question in QUESTIONS:
                self.page.line((question, "bold"))
                without = memory.for_subject("nobody").search_passages(question, limit=1)
                with timed() as took:
                    found = memory.search_passages(question, limit=1)
                self.page.line(*_answer(without), label="without  ")
                self.page.line(*_answer(found), *took, label="with     ")

    def search_by_meaning(self) -> None:
        """One question by terms, then by meaning; its evidence has none of its words."""
        from ai_memory_integrations.search.embedders import WordLlamaEmbedder

        self.page.part("A question that shares no word with its answer")
        self.page.line((BY_MEANING, "bold"))
        with self._memory() as memory:
            self._rank("before, by terms   ", memory)
        with self._memory(embedder=WordLlamaEmbedder()) as memory:
            with timed() as took:
                memory.reindex()
                memory.drain()
            self.page.line("every passage, on this machine", *took, label="embedded           ")
            self._rank("after, by meaning  ", memory)

    def ask(self) -> None:
        self.page.part("Now you")
        told = self.page.ask("Tell me one thing about you:")
        if not told:
            self.page.line("Another time, then.")
            return
        with self._memory(f"{self.subject}-you" if self.elsewhere else "you") as you:
            before = (you.get_memory("human") or "").splitlines()
            with timed() as took:
                run = you.wait_for_run(you.add_messages([{"role": "user", "content": told}]))
            self.page.line(f"{run.id} {run.state}", *took, label="run     ")
            new = [line for line in (you.get_memory("human") or "").splitlines() if line not in before]
            for line in new:
                self.page.line((f"+ {safe(line)}", "green"), label="block   ")
            if all(line.startswith("Spoke on: ") for line in new):
                self.page.line("the rules found no fact in it; it is kept and found all the same", label="        ")
            with timed() as took:
                found = you.search_passages(told, limit=1)
            self.page.line(*_answer(found), *took, label="search  ")

    def leave(self) -> None:
        self.page.part("Go on from here")
        for line in paste(self.file, self.subject):
            self.page.verbatim(line)
        if self.elsewhere:
            self.page.verbatim("")
            self.page.line((f"to erase it again: ai-memory --url ... forget {self.subject}", "dim"))
        if find_spec("wordllama") is None and self.embeds:
            self.page.verbatim("")
            self.page.line(("to find by meaning too, offline: pip install 'ai-memory-integrations[embeddings]'", "dim"))

    # details

    @property
    def embeds(self) -> bool:
        """Whether vectors are made here, not where memory is."""
        with self._memory() as memory:
            return memory._core.store.vectors is not None

    def _learner(self) -> str:
        with self._memory() as memory:
            if memory._core.store.learner is not None:
                return "learnt by the memory agent that lives there"
        model = os.environ.get(MODEL_VARIABLE)
        return f"learnt by {safe(model)}" if model else NOT_A_MODEL

    def _memory(self, subject_id: str | None = None, embedder: Embedder | bool = False) -> Memory:
        from ai_memory_integrations import Memory

        return Memory(self.file, subject_id=subject_id or self.subject, embedder=embedder)

    def _events(self, die_at: int = 0) -> Iterator[dict[str, Any]]:
        """What a new process reports, with the progress shown on a terminal."""
        with self.page.working("a new process starts") as status:
            for event in play(self.file, self.subject, self.path, die_at=die_at):
                if event["event"] == "said":
                    status.update(f"{INDENT}message {event['number']} of {self.total}")
                yield event

    def _session(self, event: dict[str, Any]) -> None:
        lines = event["blocks"].get("human", 0)
        more, self._lines = lines - self._lines, lines
        self._sessions += 1
        if self._sessions > _SESSIONS:
            return
        self.page.line(
            f"{counted(event['new'], 'message'):<12}",
            f"kept {ms(event['stored_ms']):<9} learnt {ms(event['learnt_ms']):<9} ",
            f"human {counted(lines, 'line')} ",
            (f"{more:+d}" if more else "", "green"),
            label=f"{safe(event['when']):<11.11} ",
        )

    def _rank(self, how: str, memory: Memory) -> None:
        with timed() as took:
            found = memory.search_passages(BY_MEANING, limit=100)
        ranks = (rank for rank, passage in enumerate(found) if EVIDENCE in passage.text)
        place = next(ranks, None)
        if place is None:
            self.page.line(f"not among the {len(found)} found" if found else "not found", *took, label=how)
        else:
            self.page.line(f"rank {place + 1}  ", *_answer([found[place]]), *took, label=how)


def _answer(found: list[Passage]) -> tuple[Part, ...]:
    return quoted(found[0].text, found[0].created_at) if found else (("nothing to answer from", "dim"),)
