"""The commands. Those that read open an existing memory only, and never learn."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TextIO, cast

import typer

from ai_memory_integrations.cli.evaluation import eval_learning
from ai_memory_integrations.cli.files import add_files
from ai_memory_integrations.cli.migrate import migrate
from ai_memory_integrations.cli.place import Place
from ai_memory_integrations.cli.screen import (
    console,
    counted,
    in_utf8,
    moment,
    one_line,
    print_json,
    safe,
    spinner,
    table,
)
from ai_memory_integrations.errors import AIMemoryError, InvalidInputError, SubjectNotFoundError
from ai_memory_integrations.types import BlockVersion, Run, RunState, Usage

app = typer.Typer(
    help="What a memory holds, and what it still has to learn.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SubjectName = Annotated[str, typer.Argument(metavar="SUBJECT", help="Whom or what the memory is about.")]


def _version(asked: bool) -> None:
    if asked:
        from ai_memory_integrations import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _settings(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(help="A file or URL; else AI_MEMORY_URL, else the file in your data directory.", metavar="URL"),
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    context.obj = url


def _place(context: typer.Context) -> Place:
    return Place.of(context.obj)


@app.command()
def demo(
    context: typer.Context,
    path: Annotated[Path | None, typer.Argument(help="Your own conversation, JSON or JSON Lines.")] = None,
    no_input: Annotated[bool, typer.Option("--no-input", help="Ask nothing.")] = False,
) -> None:
    """See a memory at work. On a file of its own; no key, no server. With --url it plays there, as a new subject."""
    from ai_memory_integrations.demo.show import run

    asks = not no_input and sys.stdin.isatty() and sys.stdout.isatty()
    url = None if context.obj is None else Place.of(context.obj).url
    if not run(path, url=url, ask=asks):
        raise typer.Exit(1)


@app.command()
def subjects(context: typer.Context, json: Json = False) -> None:
    """List the subjects."""
    with _place(context).open(learning="off") as memory:
        found = memory.list_subjects()
    if json:
        print_json(found)
        return
    table(("subject", "agent", "since"), ((each.subject_id, each.agent_id, moment(each.created_at)) for each in found))


@app.command()
def show(
    context: typer.Context,
    subject: SubjectName,
    history: Annotated[bool, typer.Option("--history", help="Every version: what changed, when and why.")] = False,
    json: Json = False,
) -> None:
    """Show a subject's blocks and threads."""
    with _place(context).open(subject_id=subject, learning="off") as memory:
        if memory.get_memory_agent_id() is None:
            raise SubjectNotFoundError(subject)
        blocks = memory.list_blocks()
        versions = {block.label: memory.memory_history(block.label) for block in blocks} if history else {}
        threads = memory.list_threads()
        waiting = sum(run.messages for run in memory.list_runs() if not run.ended)
    if json:
        print_json(
            {"subject_id": subject, "blocks": blocks, "threads": threads, "waiting": waiting}
            | ({"history": versions} if history else {})
        )
        return
    screen = console()
    for block in blocks:
        about = (
            f"version {block.version}, {len(block.value):,} of {block.limit:,} characters, {moment(block.updated_at)}"
        )
        screen.print(f"{block.label}  ({about})", style="bold")
        for line in block.value.splitlines():
            screen.print(f"  {safe(line)}")
        for before, after in pairwise(versions.get(block.label, ())):
            _show_change(before, after)
        screen.print()
    for thread in threads:
        screen.print(
            f"thread {safe(thread.thread_id)}: {counted(thread.messages, 'message')}, {moment(thread.updated_at)}"
        )
    if waiting:
        screen.print(f"{counted(waiting, 'message')} not learnt yet")


def _show_change(before: BlockVersion, after: BlockVersion) -> None:
    """What one version changed, as a dated diff."""
    screen = console()
    by = f"by {after.actor}" + (f", {after.run_id}" if after.run_id else "")
    screen.print(f"  version {after.version}, {moment(after.created_at)} {by}", style="dim")
    old, new = before.value.splitlines(), after.value.splitlines()
    for line in old:
        if line not in new:
            screen.print(f"    - {safe(line)}", style="red")
    for line in new:
        if line not in old:
            screen.print(f"    + {safe(line)}", style="green")


@app.command()
def search(
    context: typer.Context,
    subject: SubjectName,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many.")] = 10,
    tag: Annotated[list[str] | None, typer.Option("--tag", "-t", help="Only passages with one of these tags.")] = None,
    thread: Annotated[str | None, typer.Option(help="Only this thread.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="With --json: what each score is made of.")] = False,
    json: Json = False,
) -> None:
    """Search what was said and archived. Best match first; --tag assistant searches answers."""
    with _place(context).open(subject_id=subject, learning="off") as memory:
        if memory.get_memory_agent_id() is None:
            raise SubjectNotFoundError(subject)
        found = memory.search_passages(query, limit=limit, tags=tag or None, thread_id=thread, explain=explain)
    if json:
        print_json(found)
        return
    table(
        ("score", "when", "who", "text"),
        (
            (
                "" if each.score is None else f"{each.score:.2f}",
                moment(each.created_at),
                each.name or each.role or "",
                one_line(each.text),
            )
            for each in found
        ),
    )


@app.command()
def runs(
    context: typer.Context,
    subject: Annotated[str | None, typer.Argument(metavar="[SUBJECT]", help="Only of this subject.")] = None,
    state: Annotated[str | None, typer.Option(help="created, running, completed, failed or cancelled.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many.")] = 20,
    stats: Annotated[bool, typer.Option("--stats", help="What learning has spent, by subject.")] = False,
    json: Json = False,
) -> None:
    """List learning runs, newest first; or what they have spent."""
    if stats:
        _show_spending(context, subject, json=json)
        return
    with _place(context).open(learning="off") as memory:
        found = memory.list_runs(subject, state=_run_state(state), limit=limit)
    if json:
        print_json(found)
        return
    table(("run", "subject", "state", "messages", "edits", "created", "error"), map(_run_row, found))


def _run_row(run: Run) -> tuple[str, ...]:
    counts = (str(run.messages), str(run.edits))
    return (run.id, run.subject_id, run.state, *counts, moment(run.created_at), one_line(run.error or "", 80))


def _show_spending(context: typer.Context, subject: str | None, *, json: bool) -> None:
    with _place(context).open(learning="off") as memory:
        counts = Counter(run.subject_id for run in memory.list_runs(subject) if run.ended)
        spent = memory.usage(subject)
    known = {name: spent.get(name, Usage()) for name in sorted({*counts, *spent})}
    if json:
        print_json({name: {"runs": counts[name], **usage.model_dump()} for name, usage in known.items()})
        return
    rows = [(name, counts[name], usage) for name, usage in known.items()]
    if len(rows) > 1:
        rows.append(("all", counts.total(), sum(known.values(), Usage())))
    table(("subject", "runs", "steps", "tokens in", "tokens out", "cost"), (_spending_row(*row) for row in rows))


def _spending_row(name: str, count: int, usage: Usage) -> tuple[str, ...]:
    numbers = (count, usage.steps, usage.input_tokens, usage.output_tokens)
    return (name, *(f"{number:,}" for number in numbers), "" if usage.cost is None else f"{usage.cost:.4f}")


def _run_state(value: str | None) -> RunState | None:
    for known in _STATES:
        if value == known:
            return known
    if value is None:
        return None
    raise typer.BadParameter(f"{value!r} is none of {', '.join(_STATES)}", param_hint="--state")


_STATES: tuple[RunState, ...] = ("created", "running", "completed", "failed", "cancelled")


@app.command()
def learn(
    context: typer.Context,
    retry: Annotated[bool, typer.Option("--retry", help="Also what failed.")] = False,
    adopt: Annotated[
        str | None, typer.Option(metavar="LEARNER", help="Also what waits for a learner that is no more.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait at most.")] = 300,
    json: Json = False,
) -> None:
    """Learn now what waits. Exit code 1 when something failed or there was not enough time."""
    with _place(context).open() as memory:
        mine = memory._core.learner.name
        if adopt is not None:
            memory._core.store.journal.adopt(adopt, mine)
        failed_before = [run for run in memory.list_runs(state="failed") if run.learner == mine]
        asked = {run.id for state in _UNFINISHED for run in memory.list_runs(state=state) if run.learner == mine}
        for run in failed_before if retry else ():
            asked.add(memory.retry_run(run.id).id)
        with spinner("learning"):
            in_time = memory.drain(timeout)
        done = [run for run in map(memory.get_run, sorted(asked)) if run is not None]
        others = {
            name: number for name, number in memory._core.store.journal.waiting_learners().items() if name != mine
        }
    _report_learning(mine, done, others, json=json)
    if not in_time or any(run.state == "failed" for run in done):
        raise typer.Exit(1)


_UNFINISHED: tuple[RunState, ...] = ("created", "running")


def _report_learning(mine: str, done: list[Run], others: dict[str, int], *, json: bool) -> None:
    if json:
        print_json({"learner": mine, "runs": done, "waiting_for_others": others})
        return
    completed = [run for run in done if run.state == "completed"]
    messages = counted(sum(run.messages for run in completed), "message")
    typer.echo(f"{messages} learnt in {counted(len(completed), 'run')} by {mine}")
    for run in done:
        if run.state != "completed":
            typer.echo(f"{run.id} of {safe(run.subject_id)} is {run.state}: {one_line(run.error or '')}", err=True)
    for name, number in others.items():
        typer.echo(
            f"{counted(number, 'message')} left for the learner {safe(name)!r}; here is {mine!r}, which takes them "
            f"with --adopt {shlex.quote(safe(name))}",
            err=True,
        )


@app.command("export")
def export_(
    context: typer.Context,
    subject: SubjectName,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A new file; else standard output.")] = None,
) -> None:
    """Write everything about a subject as JSON Lines."""
    from ai_memory_integrations.transfer import export_subject, to_lines

    with _place(context).open(subject_id=subject, learning="off", embedder=False) as memory:
        lines = to_lines(list(export_subject(memory)))
        with _opened(output, "x") as file:
            file.writelines(lines)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file of `ai-memory export`; - is standard input.")],
    merge: Annotated[
        bool, typer.Option("--merge", help="Into a subject that is there: adds what it lacks, keeps what it has.")
    ] = False,
    json: Json = False,
) -> None:
    """Read a subject from JSON Lines, whole or not at all."""
    from ai_memory_integrations.transfer import from_lines, import_subject

    with (
        _opened(None if str(file) == "-" else file, "r") as lines,
        _place(context).open_or_make(learning="off", embedder=False) as memory,
    ):
        added = import_subject(memory, from_lines(lines), merge=merge)
    if json:
        print_json(added)
        return
    parts = (counted(added.blocks, "block"), counted(added.messages, "message"), counted(added.passages, "passage"))
    typer.echo(f"{safe(added.subject_id)}: {', '.join(parts)} added")


@contextmanager
def _opened(path: Path | None, mode: Literal["r", "x"]) -> Iterator[TextIO]:
    """A file, or standard input or output; what goes wrong with a file is an error of this package. One that could not
    be written whole is removed."""
    name = path or f"standard {'input' if mode == 'r' else 'output'}"
    made = False
    try:
        if path is None:
            stream = in_utf8(sys.stdin if mode == "r" else sys.stdout)
            yield stream
            stream.flush()
            return
        with path.open(mode, encoding="utf-8") as file:
            made = mode == "x"
            yield cast("TextIO", file)
    except (AIMemoryError, BrokenPipeError):  # nobody reads on: that is no failure
        raise
    except OSError as error:
        if made and path is not None:
            path.unlink(missing_ok=True)
        raise InvalidInputError(f"{name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name} is not UTF-8 text: {error.reason}") from error


@app.command()
def forget(
    context: typer.Context,
    subject: SubjectName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Erase everything about a subject, for good."""
    with _place(context).open(subject_id=subject, learning="off", embedder=False) as memory:
        if memory.get_memory_agent_id() is None:
            raise SubjectNotFoundError(subject)
        if not yes:
            typer.confirm(f"Erase everything about {safe(subject)!r}? It cannot be undone", abort=True, err=True)
        receipt = memory.delete_subject()
    if receipt is None:
        raise SubjectNotFoundError(subject)
    if json:
        print_json(receipt)
        return
    gone = (
        counted(receipt.blocks, "block"),
        counted(receipt.messages, "message"),
        counted(receipt.passages, "passage"),
        counted(receipt.runs, "run"),
        counted(receipt.items, "item"),
    )
    typer.echo(f"{safe(subject)} ({receipt.agent_id}) was erased {moment(receipt.erased_at)}: {', '.join(gone)}")
    if not receipt.complete:
        typer.echo(
            "Another process still reads old pages of the file; they are erased when it is next opened or closed."
        )
    for kept in receipt.kept:
        typer.echo(f"kept: {safe(kept)}")


@app.command()
def prune(
    context: typer.Context,
    subject: Annotated[str | None, typer.Argument(metavar="[SUBJECT]", help="Only of this subject.")] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, metavar="N", help="The newest N versions of each block stay.")
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", min=0, metavar="N", help="The versions of the last N days stay.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them, remove nothing.")] = False,
    json: Json = False,
) -> None:
    """Remove old versions of blocks. A version stays for either reason; the current one always does."""
    with _place(context).open(subject_id=subject, learning="off", embedder=False) as memory:
        if subject is not None and memory.get_memory_agent_id() is None:
            raise SubjectNotFoundError(subject)
        try:
            before = None if days is None else datetime.now(UTC) - timedelta(days=days)
        except (OverflowError, ValueError):
            raise typer.BadParameter(f"{days:g} days ago there were no dates", param_hint="--days") from None
        if keep is None and before is None:
            raise typer.BadParameter("say which versions stay: --keep, --days or both")
        removed = memory.prune_history(keep=keep, before=before, dry_run=dry_run)
    if json:
        print_json({"versions": removed, "dry_run": dry_run})
    else:
        typer.echo(f"{counted(removed, 'version')} {'would be ' if dry_run else ''}removed")


@app.command()
def reindex(context: typer.Context, json: Json = False) -> None:
    """Make every vector anew. The embedder that is installed here becomes the store's."""
    with _place(context).open(learning="off") as memory:
        memory.reindex()
        indexer = memory._core.indexer
        with spinner("embedding"):
            while indexer is not None and indexer.busy:
                time.sleep(0.05)
        left = memory.stats().embedding
        name = memory._core.embedder.name if memory._core.embedder is not None else ""
    if json:
        print_json({"embedder": name, "without_vector": left})
    elif not left:
        typer.echo(f"every passage has its vector by {name}")
    if left:
        typer.echo(
            f"{counted(left, 'passage')} without a vector yet: the embedder did not answer; run this again", err=True
        )
        raise typer.Exit(1)


@app.command()
def doctor(
    context: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired without asking.")] = False,
    json: Json = False,
) -> None:
    """Say what is used, what waits, what to do. Exit code 1 when something needs you."""
    from ai_memory_integrations.cli.doctor import examine

    findings = examine(context.obj, fix=fix)
    if json:
        print_json([finding.model_dump() for finding in findings])
    else:
        screen = console()
        for finding in findings:
            screen.print(f"{_MARKS[finding.level]}{finding.name:<10}", style=_STYLES[finding.level], end=" ")
            screen.print(safe(finding.text))
            if finding.remedy:
                screen.print(f"{'':<14}{safe(finding.remedy)}")
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


_MARKS = {"fact": "    ", "note": " -  ", "problem": " !  "}
_STYLES = {"fact": "dim", "note": "yellow", "problem": "bold red"}


app.command()(migrate)
app.command("eval-learning")(eval_learning)
app.command("add-files")(add_files)
