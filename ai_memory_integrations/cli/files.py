"""`ai-memory add-files`: text and Markdown files into a memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ai_memory_integrations.cli.place import Place
from ai_memory_integrations.cli.screen import counted, print_json, safe, spinner, table

if TYPE_CHECKING:
    from ai_memory_integrations import Memory
    from ai_memory_integrations.files import OnProgress


def add_files(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Whom or what the memory is about.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Text and Markdown files, or directories.")],
    tag: Annotated[list[str] | None, typer.Option("--tag", "-t", help="A tag for every passage.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Add files, or what changed in them. They are found by search."""
    with Place.of(context.obj).open_or_make(subject_id=subject, learning="off") as memory:
        with _progress() as on_progress:
            done = memory.add_files(paths, tags=tag or (), on_progress=on_progress)
        _embed(memory)
    if json:
        print_json(done)
        return
    table(
        ("file", "added", "unchanged", "removed"),
        ((each.source, f"{each.added:,}", f"{each.unchanged:,}", f"{each.removed:,}") for each in done.files),
    )
    typer.echo(f"{safe(subject)}: {counted(done.added, 'passage')} of {counted(len(done.files), 'file')} added")


def _embed(memory: Memory) -> None:
    """Wait for the vectors, as there may be no other process that makes them."""
    indexer = memory._core.indexer
    with spinner("embedding"):
        while indexer is not None and indexer.busy:
            time.sleep(0.05)


@contextmanager
def _progress() -> Iterator[OnProgress | None]:
    """Shows on a terminal how far it is; silent otherwise."""
    from rich.console import Console
    from rich.progress import Progress

    screen = Console(stderr=True, highlight=False, markup=False)
    if not screen.is_terminal:
        yield None
        return
    with Progress(console=screen, transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda at: bar.update(
            task, description=f"{safe(at.source)} ({at.file} of {at.files})", completed=at.part, total=at.parts
        )
