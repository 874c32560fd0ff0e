"""A hook of MkDocs: puts what the commands say of themselves where a page has `<!-- commands -->`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from ai_memory_integrations.cli.commands import app

MARK = "<!-- commands -->"
WIDTH = 96


def on_page_markdown(markdown: str, **_: Any) -> str:
    return markdown.replace(MARK, "\n\n".join(_sections()))


def _sections() -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    width = {"max_content_width": WIDTH, "terminal_width": WIDTH}
    context = group.make_context("ai-memory", [], resilient_parsing=True, **width)
    yield _section("ai-memory", group.get_help(context))
    for name, command in group.commands.items():
        inner = command.context_class(command, info_name=name, parent=context, **width)
        yield _section(f"ai-memory {name}", command.get_help(inner))


def _section(title: str, said: str) -> str:
    return f"## {title}\n\n```text\n{said.strip()}\n```"
