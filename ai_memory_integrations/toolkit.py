"""What a language model may do with a memory: the tools that every framework's room offers, in one place.

Each works on a memory bound to one subject, so whose memory it is never stands in an argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, Field, create_model

from ai_memory_integrations.door import check_label
from ai_memory_integrations.errors import (
    AIMemoryError,
    BackendError,
    BlockLimitError,
    BlockNotFoundError,
    ConfigurationError,
    PassageNotFoundError,
    ReadOnlyBlockError,
    VersionConflictError,
)
from ai_memory_integrations.learning import edits
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.prompt import render_blocks, render_passages
from ai_memory_integrations.recalling import excerpt
from ai_memory_integrations.types import Block

_ATTEMPTS = 5


class SearchMemory(BaseModel):
    query: str = Field(description="What to look for, in a few words.")
    limit: int = Field(default=5, ge=1, le=50, description="How many memories at most.")


class ReadMemory(BaseModel):
    label: str | None = Field(default=None, description="The label of a block; leave it out to read all blocks.")


class AppendMemory(BaseModel):
    label: str = Field(description="The label of the block, such as 'human'.")
    text: str = Field(min_length=1, description="The line to add at the end of the block.")


class ReplaceMemory(BaseModel):
    label: str = Field(description="The label of the block, such as 'human'.")
    old: str = Field(min_length=1, description="The exact text to replace; it must stand in the block exactly once.")
    new: str = Field(description="What to put in its place; empty to remove it.")


class RethinkMemory(BaseModel):
    label: str = Field(description="The label of the block, such as 'human'.")
    value: str = Field(min_length=1, description="The whole new text of the block.")


class ArchiveMemory(BaseModel):
    text: str = Field(min_length=1, description="What to remember, in a sentence that can be understood by itself.")
    tags: list[str] = Field(default_factory=list, description="A few words to file it under.")


class ForgetMemory(BaseModel):
    passage_id: str = Field(description="The id of the memory, as search_memory gives it.")


@dataclass(frozen=True)
class MemoryTool:
    """A tool by name: what it is for, the model of its arguments, and what it does."""

    name: str
    description: str
    arguments: type[BaseModel]
    function: Callable[..., str]

    def use(self, memory: Memory, **arguments: Any) -> str:
        """What to tell the language model when it called the tool; *memory* is bound to the subject.

        Raises: ToolError with a text for the language model that says what to do; ConfigurationError.
        """
        try:
            return self.function(memory, **arguments)
        except (ConfigurationError, ToolError):
            raise
        except AIMemoryError as error:
            raise ToolError(_told(error)) from error


class ToolError(AIMemoryError):
    """A tool could not do what it was asked to; the text is for the language model."""


def memory_tools(include: Iterable[str] | None = None) -> list[MemoryTool]:
    """The tools named in *include*, in its order; all of them when it is None.

    Raises: ConfigurationError for a name that is not known.
    """
    if include is None:
        return list(_TOOLS.values())
    if isinstance(include, str):
        raise ConfigurationError(f"include={include!r} is a string; pass a list such as [{include!r}]")
    names = list(include)
    if unknown := [name for name in names if name not in _TOOLS]:
        raise ConfigurationError(f"there is no memory tool {unknown[0]!r}; there are {', '.join(_TOOLS)}")
    return [_TOOLS[name] for name in names]


def named(tool: MemoryTool, name: str) -> MemoryTool:
    """*tool* for the memory called *name*, where an agent has more than one: `<name>_search_memory` and so on, also in
    what it says of other tools."""

    def say(text: str) -> str:
        return _TOOL_NAMES.sub(lambda found: f"{name}_{found[0]}", text)

    def use(memory: Memory, **arguments: Any) -> str:
        try:
            return tool.use(memory, **arguments)
        except ToolError as error:
            raise ToolError(say(str(error))) from error

    fields = {
        key: (field.annotation, field.merge_field_infos(field, description=say(field.description or "")))
        for key, field in tool.arguments.model_fields.items()
    }
    arguments: type[BaseModel] = create_model(tool.arguments.__name__, **fields)  # type: ignore[call-overload]
    description = f"{say(tool.description)} Of the memory named {name!r}."
    return replace(tool, name=f"{name}_{tool.name}", description=description, arguments=arguments, function=use)


def _search(memory: Memory, query: str, limit: int = 5) -> str:
    found = memory.search_passages(query, limit=limit)
    return render_passages((excerpt(passage, query) for passage in found), ids=True) or "Nothing was found."


def _read(memory: Memory, label: str | None = None) -> str:
    if label is None:
        return render_blocks(memory.list_blocks()) or "There are no memory blocks."
    return render_blocks([_block(memory, label)])


def _append(memory: Memory, label: str, text: str) -> str:
    return _edit(memory, label, lambda value: edits.append(value, text))


def _replace(memory: Memory, label: str, old: str, new: str) -> str:
    return _edit(memory, label, lambda value: edits.replace(label, value, old, new))


def _rethink(memory: Memory, label: str, value: str) -> str:
    return _edit(memory, label, lambda _: value)


def _archive(memory: Memory, text: str, tags: Iterable[str] = ()) -> str:
    passage_id = memory.add_passages([{"text": text, "tags": list(tags)}])[0]
    return f"Archived as {passage_id}."


def _forget(memory: Memory, passage_id: str) -> str:
    if not memory.delete_passage(passage_id):
        raise PassageNotFoundError("", passage_id)
    return f"Forgotten: {passage_id}."


def _edit(memory: Memory, label: str, change: Callable[[str], str]) -> str:
    """Change a block as it stands; somebody else may be writing it, a learner above all."""
    memory.ensure_subject()
    for attempt in range(1, _ATTEMPTS + 1):
        block = _block(memory, label)
        if block.read_only:
            raise ReadOnlyBlockError("", label)
        try:
            written = memory.update_memory(label, change(block.value), expected_version=block.version, actor="agent")
        except VersionConflictError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return render_blocks([written])
    raise AssertionError("the last attempt returns or raises")


def _block(memory: Memory, label: str) -> Block:
    block = memory.get_block(check_label(label))
    if block is None:
        raise BlockNotFoundError("", label, [known.label for known in memory.list_blocks()])
    return block


def _told(error: AIMemoryError) -> str:
    """The error for a language model: no subject, no Python, and what to do next."""
    match error:
        case BlockNotFoundError(label=label, known=known):
            there = f"There are {', '.join(map(repr, known))}." if known else "There are none: use archive_memory."
            return f"There is no block {label!r}. {there}"
        case BlockLimitError(label=label, size=size, limit=limit):
            return (
                f"Block {label!r} holds at most {limit} characters, this would make {size}. Shorten it with "
                "rethink_memory, or move details out of it with archive_memory."
            )
        case ReadOnlyBlockError(label=label):
            return f"Block {label!r} is read-only. Use another block, or archive_memory."
        case PassageNotFoundError(passage_id=passage_id):
            return f"There is no memory {passage_id!r}. Take the id that search_memory gives."
        case VersionConflictError(label=label):
            return f"Block {label!r} is being changed by somebody else. Read it with read_memory and try again."
        case BackendError():
            return "The memory cannot be reached just now. Go on without it."
        case _:
            return f"That did not work: {error}"


_TOOLS = {
    tool.name: tool
    for tool in (
        MemoryTool(
            "search_memory",
            "Search what is remembered of the user: earlier conversations and archived facts.",
            SearchMemory,
            _search,
        ),
        MemoryTool("read_memory", "Read the memory blocks of the user as they are now, one or all.", ReadMemory, _read),
        MemoryTool("append_memory", "Add a line at the end of a memory block.", AppendMemory, _append),
        MemoryTool(
            "replace_memory",
            "Correct a memory block: put new text where the old text stands, or remove it.",
            ReplaceMemory,
            _replace,
        ),
        MemoryTool("rethink_memory", "Rewrite a memory block as a whole.", RethinkMemory, _rethink),
        MemoryTool(
            "archive_memory",
            "Remember a fact for good. It is found by search_memory and does not stand in the prompt.",
            ArchiveMemory,
            _archive,
        ),
        MemoryTool("forget_memory", "Forget a memory that search_memory found, for good.", ForgetMemory, _forget),
    )
}
_TOOL_NAMES = re.compile(rf"\b(?:{'|'.join(_TOOLS)})\b")
