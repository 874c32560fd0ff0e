"""`ai-memory migrate`: from one place of memory to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ai_memory_integrations.cli.place import Place
from ai_memory_integrations.cli.screen import counted, print_json, safe
from ai_memory_integrations.cli.settings import told_of
from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.moving import Moved, MovedSetting, move_settings, move_subjects

if TYPE_CHECKING:
    from ai_memory_integrations import Memory


def migrate(
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="Where memory is: a file, a URL, or just letta.")
    ],
    target: Annotated[str, typer.Option("--to", metavar="URL", help="Where it shall be; a file is made when missing.")],
    subject: Annotated[
        list[str] | None, typer.Option(metavar="SUBJECT", help="Only this one; can be given several times.")
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Subjects that are there get what they lack and keep what they have.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read everything, write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Copy subjects from one memory to another: blocks, histories, messages, what waits to be learnt, passages.

    Settings that an application recorded go along, unless subjects are named; what is recorded in the new place wins.
    The source stays as it is. It can be broken off and run again. Exit code 1 when a subject could not be moved.
    """
    here = Place.of("letta://" if source == "letta" else source, "--from")
    there = Place.of("letta://" if target == "letta" else target, "--to")
    if here.is_same(there):
        raise ConfigurationError(f"--from and --to are the same place: {here.shown}")
    if there.ends:
        raise ConfigurationError(f"--to {there.shown} ends with this command: name a file or a server")
    with here.open(learning="off", embedder=False) as old, _target(there, dry_run=dry_run) as new:
        # First: whoever opens the new place while subjects still arrive finds what they shall begin with.
        settings = [] if subject else move_settings(old, new, dry_run=dry_run)
        if not json:
            _show_settings(settings, dry_run=dry_run)
        done = move_subjects(old, new, subject or None, merge=merge, dry_run=dry_run, on_moved=None if json else _show)
    if json:
        print_json({"from": here.shown, "to": there.shown, "dry_run": dry_run, "subjects": done, "settings": settings})
    else:
        _sum_up(done, there, dry_run=dry_run)
    if any(moved.state == "failed" for moved in done):
        raise typer.Exit(1)


def _target(there: Place, *, dry_run: bool) -> Memory:
    """The memory to move to; a dry run makes no file."""
    if dry_run and not there.exists:
        from ai_memory_integrations import Memory

        return Memory(":memory:", learning="off", embedder=False)
    return there.open_or_make(learning="off", embedder=False)


def _show_settings(settings: list[MovedSetting], *, dry_run: bool) -> None:
    for setting in settings:
        here, there = (safe(told_of(setting.name, value)) for value in (setting.value, setting.found))
        if setting.state == "moved":
            typer.echo(f"setting {'would be moved' if dry_run else 'moved'}: {here}")
        elif setting.state == "kept":
            told = f"not {here}" if here != there else "what differs is not in this line: see --json"
            typer.echo(f"setting left as it is there: {there} ({told})")


def _show(moved: Moved) -> None:
    if moved.state == "failed":
        typer.echo(f"{safe(moved.subject_id)}: not moved: {safe(moved.error)}", err=True)
    elif moved.state == "there":
        typer.echo(f"{safe(moved.subject_id)}: is there already; --merge adds what it lacks")
    else:
        typer.echo(f"{safe(moved.subject_id)}: {_counts([moved])}")


def _sum_up(done: list[Moved], there: Place, *, dry_run: bool) -> None:
    moved = [each for each in done if each.state == "moved"]
    what = "would be moved to" if dry_run else "moved to"
    text = f"{counted(len(moved), 'subject')} {what} {safe(there.shown)}"
    typer.echo(f"{text}: {_counts(moved)}" if moved else text)
    if known := sum(each.state == "there" for each in done):
        typer.echo(f"{counted(known, 'subject')} left as they are there")


def _counts(moved: list[Moved]) -> str:
    counts = {
        "block": sum(each.blocks for each in moved),
        "message": sum(each.messages for each in moved),
        "passage": sum(each.passages for each in moved),
    }
    return ", ".join(counted(count, thing) for thing, count in counts.items())
