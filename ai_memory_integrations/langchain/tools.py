"""The memory tools of `toolkit`, as LangChain's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import ValidationError
from pydantic.v1 import ValidationError as ValidationErrorV1

from ai_memory_integrations.langchain_callers import subject_of
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.subjects import SubjectSource, check_source
from ai_memory_integrations.toolkit import MemoryTool, ToolError, memory_tools


def create_memory_tools(
    memory: Memory, *, subject: SubjectSource | None = None, include: Sequence[str] | None = None
) -> list[BaseTool]:
    """Tools with which an agent reads and writes its memory, sync and async.

    *include* names them, all by default: `search_memory`, `read_memory`, `append_memory`, `replace_memory`,
    `rethink_memory`, `archive_memory`, `forget_memory`. The subject comes from the call's config and runtime, never
    from the model. What goes wrong is told to the model with what to do; mistakes of set-up raise.

    Raises: ConfigurationError for an unknown name.
    """
    if subject is not None:
        check_source(subject)
    return [_langchain_tool(tool, memory, subject) for tool in memory_tools(include)]


def _langchain_tool(tool: MemoryTool, memory: Memory, subject: SubjectSource | None) -> BaseTool:
    def use(config: RunnableConfig, **arguments: Any) -> str:
        bound = memory.for_subject(subject_of(memory, subject, config))
        try:
            return tool.use(bound, **arguments)
        except ToolError as error:
            raise ToolException(str(error)) from error

    async def ause(config: RunnableConfig, **arguments: Any) -> str:
        return await memory.aio.run(use, config, **arguments)

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema=tool.arguments,
        func=use,
        coroutine=ause,
        handle_tool_error=True,
        handle_validation_error=_told,
    )


def _told(error: ValidationError | ValidationErrorV1) -> str:
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return f"The arguments cannot be used. {wrong}. Call the tool again with arguments that fit."
