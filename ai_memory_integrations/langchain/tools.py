"""The memory tools of `toolkit`, as LangChain's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import ValidationError
from pydantic.v1 import ValidationError as ValidationErrorV1

from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.langchain_callers import subject_of
from ai_memory_integrations.memory import Memory, checked_memory
from ai_memory_integrations.subjects import SubjectSource, check_source
from ai_memory_integrations.toolkit import MemoryTool, ToolError, memory_tools, named

_Context = TypeVar("_Context")
_State = TypeVar("_State")

if TYPE_CHECKING:
    from langchain.tools import ToolRuntime
else:
    try:
        from langchain.tools import ToolRuntime
    except ModuleNotFoundError:

        class ToolRuntime(Generic[_Context, _State]):
            """Never made: with langchain-core alone no agent runs that could inject one."""


_NO_RUNTIME: Any = None
"""A tool that is called by itself has none. LangChain finds only an argument annotated by the bare type, so
`| None` cannot be said there."""


def create_memory_tools(
    memory: Memory,
    *,
    subject: SubjectSource | None = None,
    include: Sequence[str] | None = None,
    name: str | None = None,
) -> list[BaseTool]:
    """Tools with which an agent reads and writes its memory, sync and async.

    *include* names them, all by default: `search_memory`, `read_memory`, `append_memory`, `replace_memory`,
    `rethink_memory`, `archive_memory`, `forget_memory`. With *name*, for an agent that has more than one memory, they
    are called `<name>_search_memory` and so on. The subject comes from the `ToolRuntime` that an agent
    injects, or from the config where a tool is called by itself; never from the model. What goes wrong is told to the
    model with what to do; mistakes of set-up raise.

    Raises: ConfigurationError for an unknown tool, or a name that no tool's can begin with.
    """
    checked_memory(memory)
    if subject is not None:
        check_source(subject)
    tools = memory_tools(include)
    if name is not None:
        check_name(name)
        tools = [named(tool, name) for tool in tools]
    return [_langchain_tool(tool, memory, subject) for tool in tools]


def check_name(name: object) -> str:
    """The name of one memory among several. Raises: ConfigurationError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"name={name!r} must be a letter and then at most 31 letters, digits, '_' or '-', such as 'team': names of "
            "tools and state keys begin with it"
        )
    return name


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def _langchain_tool(tool: MemoryTool, memory: Memory, subject: SubjectSource | None) -> BaseTool:
    def use(*given: Any, config: RunnableConfig, runtime: ToolRuntime[Any, Any] = _NO_RUNTIME, **arguments: Any) -> str:
        # A tool that is invoked with a string gets it by its place, and not by name.
        arguments = {**dict(zip(tool.arguments.model_fields, given, strict=False)), **arguments}
        bound = memory.for_subject(subject_of(memory, subject, config, _injected(runtime)))
        try:
            return tool.use(bound, **arguments)
        except ToolError as error:
            raise ToolException(str(error)) from error

    async def ause(
        *given: Any, config: RunnableConfig, runtime: ToolRuntime[Any, Any] = _NO_RUNTIME, **arguments: Any
    ) -> str:
        return await memory.aio.run(use, *given, config=config, runtime=runtime, **arguments)

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema=tool.arguments,
        func=use,
        coroutine=ause,
        handle_tool_error=True,
        handle_validation_error=_told,
    )


def _injected(runtime: object) -> ToolRuntime[Any, Any] | None:
    """A model may write an argument of that name, but only an agent makes the object."""
    return runtime if isinstance(runtime, ToolRuntime) else None


def _told(error: ValidationError | ValidationErrorV1) -> str:
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return f"The arguments cannot be used. {wrong}. Call the tool again with arguments that fit."
