"""The memory tools of `toolkit`, as LlamaIndex's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.tools.function_tool import FunctionTool
from llama_index.core.tools.tool_spec.base import BaseToolSpec
from llama_index.core.tools.types import ToolMetadata
from pydantic import ValidationError

from ai_memory_integrations.llama_index.binding import Bound, bound
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.subjects import SubjectSource
from ai_memory_integrations.toolkit import MemoryTool, ToolError, memory_tools


class CoreMemoryToolSpec(BaseToolSpec):
    """Tools with which an agent reads and writes its memory: `CoreMemoryToolSpec(memory, "user_sarah").to_tool_list()`.

    *include* names them, all by default: `search_memory`, `read_memory`, `append_memory`, `replace_memory`,
    `rethink_memory`, `archive_memory`, `forget_memory`. Whose memory it is never stands in an argument; *subject* may
    be a callable of the application. What goes wrong is told to the model with what to do; mistakes of set-up raise.

    Raises: ConfigurationError for an unknown name, NoSubjectError.
    """

    def __init__(
        self,
        memory: Memory | None = None,
        subject: SubjectSource | None = None,
        *,
        include: Sequence[str] | None = None,
    ) -> None:
        self._bound = bound(memory, subject)
        self.spec_functions = [tool.name for tool in memory_tools(include)]

    def to_tool_list(
        self,
        spec_functions: Sequence[str | tuple[str, str]] | None = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """The tools, sync and async in one; *spec_functions* names fewer."""
        wanted = self.spec_functions if spec_functions is None else spec_functions
        names = [each if isinstance(each, str) else each[0] for each in wanted]
        described = func_to_metadata_mapping or {}
        return [_function_tool(tool, self._bound, described.get(tool.name)) for tool in memory_tools(names)]


def _function_tool(tool: MemoryTool, to: Bound, metadata: ToolMetadata | None) -> FunctionTool:
    def use(**arguments: Any) -> str:
        memory = to.memory.for_subject(to.subject_id())
        try:
            asked = tool.arguments.model_validate(arguments)
            return tool.use(memory, **asked.model_dump())
        except ValidationError as error:
            return _told(error)
        except ToolError as error:
            return str(error)

    async def ause(**arguments: Any) -> str:
        return await to.memory.aio.run(use, **arguments)

    known = metadata or ToolMetadata(name=tool.name, description=tool.description, fn_schema=tool.arguments)
    return FunctionTool.from_defaults(fn=use, async_fn=ause, tool_metadata=known)


def _told(error: ValidationError) -> str:
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return f"The arguments cannot be used. {wrong}. Call the tool again with arguments that fit."
