"""Where a model works on memory blocks: the tools it is given, and what its calls do to copies of the blocks."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ai_memory_integrations.errors import EditError
from ai_memory_integrations.learning import edits
from ai_memory_integrations.learning.chat_model import ToolCall, ToolSchema, sendable
from ai_memory_integrations.prompt import escape
from ai_memory_integrations.types import Append, Archive, Block, Edit, Message, Replace, Rethink


class _Call(BaseModel):
    """Arguments of a tool. What a model adds to them is of no interest."""

    model_config = ConfigDict(extra="ignore")


class MemoryAppend(_Call):
    """Add a line at the end of a block."""

    label: str = Field(description="The block's label.")
    content: str = Field(min_length=1, description="The line to add.")
    messages: list[int] = Field(default_factory=list, description="Numbers (n) of the messages it comes from.")


class MemoryReplace(_Call):
    """Put new text in the one place where the old text stands in a block; an empty new text removes it."""

    label: str = Field(description="The block's label.")
    old: str = Field(min_length=1, description="Text that stands in the block exactly once, exactly as it stands.")
    new: str = Field(description="What to put there.")
    messages: list[int] = Field(default_factory=list, description="Numbers (n) of the messages it comes from.")


class MemoryRethink(_Call):
    """Write a block anew, for example to shorten it. Keep what is still true."""

    label: str = Field(description="The block's label.")
    value: str = Field(description="The whole new text.")
    messages: list[int] = Field(default_factory=list, description="Numbers (n) of the messages it comes from.")


class ArchivalInsert(_Call):
    """Archive a fact; it is found by search and does not stand in the prompt."""

    text: str = Field(min_length=1, description="One fact, in a sentence that can be understood by itself.")
    tags: list[str] = Field(default_factory=list, description="A few words to file it under.")
    messages: list[int] = Field(default_factory=list, description="Numbers (n) of the messages it comes from.")


class Finish(_Call):
    """Everything is recorded."""


_TOOLS: dict[str, type[_Call]] = {
    "memory_append": MemoryAppend,
    "memory_replace": MemoryReplace,
    "memory_rethink": MemoryRethink,
    "archival_insert": ArchivalInsert,
    "finish": Finish,
}


def _schema(name: str, arguments: type[_Call]) -> ToolSchema:
    parameters = arguments.model_json_schema()
    description = parameters.pop("description")
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS: list[ToolSchema] = [_schema(name, arguments) for name, arguments in _TOOLS.items()]


_READ_ONLY = ' read_only="true"'
_FACT_LIMIT = 4_000  # characters of a passage
_MUCH = 200  # characters: of a block that holds more, half is not thrown away without asking


class _Refused(Exception):  # noqa: N818 - it never leaves this module; it is a word to the model
    """Why a call was not carried out, for the model."""


class Desk:
    """Copies of the blocks that the model works on, and the edits that came of it."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = {block.label: block for block in blocks}
        self._values = {block.label: block.value for block in blocks}
        self._finished = False
        self._doubted: tuple[str, str] | None = None
        self.edits: list[Edit] = []
        self.part: Sequence[Message] = ()

    def view(self) -> str:
        """The blocks as the model sees them."""
        shown = [
            f'<block label="{label}" description="{html.escape(block.description)}" limit="{block.limit}" '
            f'room_left="{max(block.limit - len(self._values[label]), 0)}"'
            f"{_READ_ONLY if block.read_only else ''}>\n{escape(self._values[label])}\n</block>"
            for label, block in self._blocks.items()
        ]
        return "\n".join(["<memory>", *shown, "</memory>"])

    def finished(self) -> bool:
        """Whether the model called finish since this was asked last."""
        finished, self._finished = self._finished, False
        return finished

    def carry_out(self, call: ToolCall) -> str:
        """Do what a call asks for, or nothing; what to tell the model."""
        arguments = _TOOLS.get(call.name)
        if arguments is None:
            return f"There is no tool {call.name[:80]!r}. There are {', '.join(_TOOLS)}."
        if call.arguments is None:
            return f"The arguments of {call.name} are no JSON object: {call.raw[:80]!r}"
        try:
            return self._do(arguments.model_validate(call.arguments))
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
            return f"The arguments of {call.name} are wrong: {wrong}"
        except (_Refused, EditError) as error:
            return f"Not done: {error}"

    def _do(self, call: _Call) -> str:
        match call:
            case MemoryAppend():
                text = _plain(call.content)
                edit: Append | Replace | Rethink = Append(
                    label=call.label, text=text, message_ids=self._sources(call.messages)
                )
                return self._write(edit, lambda value: _appended(value, text))
            case MemoryReplace():
                old, new = _plain(call.old), _plain(call.new)
                edit = Replace(label=call.label, old=old, new=new, message_ids=self._sources(call.messages))
                return self._write(edit, lambda value: edits.replace(call.label, value, old, new))
            case MemoryRethink():
                value = _plain(call.value)
                edit = Rethink(label=call.label, value=value, message_ids=self._sources(call.messages))
                return self._write(edit, lambda _: value)
            case ArchivalInsert():
                return self._archive(call)
            case _:
                self._finished = True
                return "Good."

    def _archive(self, call: ArchivalInsert) -> str:
        text = _plain(call.text)
        if not _says_something(text):
            raise _Refused("the text says nothing")
        if len(text) > _FACT_LIMIT:
            raise _Refused(f"a passage holds at most {_FACT_LIMIT} characters, this has {len(text)}: one fact each")
        if any(isinstance(edit, Archive) and edit.text == text for edit in self.edits):
            raise _Refused("it is archived already")
        tags = tuple(dict.fromkeys(_plain(tag) for tag in call.tags if tag.strip()))
        self.edits.append(Archive(text=text, tags=tags, message_ids=self._sources(call.messages)))
        return "Archived."

    def _write(self, edit: Append | Replace | Rethink, change: Callable[[str], str]) -> str:
        block = self._blocks.get(edit.label)
        if block is None:
            raise _Refused(f"there is no block {edit.label!r}; there are {', '.join(map(repr, self._blocks))}")
        if block.read_only:
            raise _Refused(f"block {edit.label!r} is read-only")
        before = self._values[edit.label]
        after = change(before)
        if len(after) > block.limit:
            raise _Refused(
                f"block {edit.label!r} holds at most {block.limit} characters, this would make {len(after)}. Make it "
                f"shorter by {len(after) - block.limit} with memory_rethink, or archive details with archival_insert."
            )
        if _says_something(before) and not _says_something(after):
            raise _Refused(f"this would empty block {edit.label!r}; keep what is still true")
        if len(before) > _MUCH and len(after) < len(before) / 2 and (edit.label, after) != self._doubted:
            self._doubted = (edit.label, after)
            raise _Refused(
                f"this leaves {len(after)} of {len(before)} characters in {edit.label!r}. "
                "Repeat the call if everything else is no longer true; otherwise keep it."
            )
        self._values[edit.label] = after
        self.edits.append(edit)
        return f"Done. {block.limit - len(after)} characters are left in {edit.label!r}."

    def _sources(self, numbers: Sequence[int]) -> tuple[str, ...]:
        """Ids of the messages a model named; where it named none, of all that users said in this part."""
        named = [self.part[number - 1].id for number in dict.fromkeys(numbers) if 0 < number <= len(self.part)]
        return tuple(named or [message.id for message in self.part if message.role == "user"])


def _appended(value: str, text: str) -> str:
    if not _says_something(text):
        raise _Refused("the line says nothing")
    if f"\n{text}\n" in f"\n{value}\n":
        raise _Refused("it stands there already")
    return edits.append(value, text)


def _says_something(text: str) -> bool:
    """Whether there is a letter or a digit in it: dashes, dots and invisible characters are as good as nothing."""
    return any(map(str.isalnum, text))


_MARKS: Mapping[str, str] = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


def _plain(text: str) -> str:
    """What a model wrote, with the marks it was shown turned back into characters; `&amp;` last, so that an escaped
    mark stays a mark. Raises: _Refused when no storage can keep it."""
    if text != sendable(text):
        raise _Refused("half a character (a lone surrogate) cannot be kept; write the whole one")
    for mark, character in _MARKS.items():
        text = text.replace(mark, character)
    return text
