"""`ai-memory eval-learning`: how well a learner learns, as a table or JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ai_memory_integrations.cli.screen import console, counted, one_line, print_json, safe, table
from ai_memory_integrations.errors import ConfigurationError

if TYPE_CHECKING:
    from ai_memory_integrations.evaluation import Report, Tally

EXTRACTIVE = "extractive"


def eval_learning(
    learner: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="extractive, or module:object of your own; else the model of AI_MEMORY_MODEL, if set."
        ),
    ] = None,
    conversations: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own labelled conversations, JSON Lines.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Only the first so many.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Begin no conversation once a model has spent this many.")
    ] = None,
    show_misses: Annotated[bool, typer.Option("--show-misses", help="What was not learnt or is wrong.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how well a learner learns, on labelled conversations. Exit code 1 when a run failed."""
    from ai_memory_integrations.evaluation import evaluate, read_conversations

    chosen = _learner(learner)
    talks = read_conversations(conversations)[:limit]
    with _progress() as on_progress:
        report = evaluate(chosen, talks, max_tokens=max_tokens, on_progress=on_progress)
    if json:
        print_json(report.model_dump(mode="json", exclude=None if show_misses else {"misses"}))
    else:
        _print(report, show_misses=show_misses)
    for name, error in report.failed.items():
        typer.echo(f"{safe(name)} was cut short: {one_line(error)}", err=True)
    if report.failed:
        raise typer.Exit(1)


def _learner(name: str | None) -> Any:
    """The learner of a name; None is whichever a memory has by itself. Raises: ConfigurationError."""
    if name is None:
        return None
    if name == EXTRACTIVE:
        from ai_memory_integrations.learning.extractive import ExtractiveLearner

        return ExtractiveLearner()
    module, colon, path = name.partition(":")
    if not colon or not module or not path:
        raise ConfigurationError(f"--learner {name!r} is neither {EXTRACTIVE!r} nor of the form module:object")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: the module may be a file in this directory
    try:
        found: Any = import_module(module)
    except ImportError as error:
        raise ConfigurationError(f"--learner {name!r}: {error}") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise ConfigurationError(f"--learner {name!r}: there is no {part!r} in {module!r}")
        found = getattr(found, part)
    return found


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Shows on a terminal which conversation is played; silent otherwise."""
    from rich.console import Console
    from rich.progress import Progress

    screen = Console(stderr=True, highlight=False, markup=False)
    if not screen.is_terminal:
        yield None
        return
    with Progress(console=screen, transient=True) as bar:
        task = bar.add_task("learning", total=None)
        yield lambda name, done, of: bar.update(task, description=safe(name), completed=done, total=of)


def _print(report: Report, *, show_misses: bool) -> None:
    screen = console()
    screen.print(
        f"{safe(report.learner)}: {counted(report.conversations, 'conversation')}, "
        f"{counted(report.messages, 'message')}, {counted(report.runs, 'run')}, {report.seconds:.1f} s",
        style="bold",
    )
    table(
        ("kind", "facts", "learnt", "recall", "traps", "wrong", "kept out", "precision"),
        (_row(kind, tally) for kind, tally in [*report.kinds.items(), ("total", report.total)]),
    )
    screen.print(
        f"{counted(report.lines, 'line')} written, {len(report.unlabelled)} of them match no label; "
        f"precision if those are all wrong: {_ratio(report.strict_precision)}"
    )
    if report.usage is not None:
        cost = "" if report.usage.cost is None else f", cost {report.usage.cost:.4f}"
        screen.print(
            f"{report.usage.input_tokens:,} tokens read, {report.usage.output_tokens:,} written, "
            f"{counted(report.usage.steps, 'step')}{cost}"
        )
    if report.unplayed:
        why = "too many failed" if report.failed else "the tokens allowed were spent"
        screen.print(f"{counted(report.unplayed, 'conversation')} not played: {why}")
    if show_misses:
        _print_misses(report)


def _row(kind: str, tally: Tally) -> tuple[str, ...]:
    facts = (str(tally.facts), str(tally.learnt), _ratio(tally.recall)) if tally.facts else ("", "", "")
    traps = (str(tally.traps), str(tally.wrong), _ratio(tally.kept_out)) if tally.traps else ("", "", "")
    return (kind.replace("_", " "), *facts, *traps, _ratio(tally.precision) if tally.facts else "")


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _print_misses(report: Report) -> None:
    screen = console()
    screen.print()
    for miss in report.misses:
        what = f"not known: {' | '.join(miss.missing)}" if miss.claimed is None else f"wrong: {one_line(miss.claimed)}"
        screen.print(f"{safe(miss.conversation)}, {miss.kind.replace('_', ' ')}: {what}")
        screen.print(f"    {one_line(miss.said)}", style="dim")
    for name, line in report.unlabelled:
        screen.print(f"{safe(name)}: no label for: {one_line(line)}")
