"""Who calls, as LangChain and LangGraph know it: values for the mapping layer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, set_config_context

from ai_memory_integrations.door import check_id
from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.memory import Memory
from ai_memory_integrations.subjects import SubjectSource
from ai_memory_integrations.types import DEFAULT_THREAD

if TYPE_CHECKING:
    from langchain.tools import ToolRuntime
    from langgraph.runtime import Runtime


def subject_of(
    memory: Memory,
    subject: SubjectSource | None,
    config: RunnableConfig | None = None,
    runtime: ToolRuntime[Any, Any] | None = None,
) -> str:
    """The subject of a call with *config*, or of the runnable that is running; *runtime* is a tool's.

    Raises: NoSubjectError, SubjectMismatchError, InvalidSubjectError.
    """
    around, called = ensure_config(), ensure_config(config)
    configurable = called.get("configurable", {})
    running = runtime or _runtime(called)
    # A config of its own takes the place of the one around it, but never of who is signed in there.
    identity = _identity(around, _runtime(around)) or _identity(called, running)
    context = getattr(running, "context", None)
    return memory.resolve_subject(subject, context=context, configurable=configurable, identity=identity)


def thread_of(config: RunnableConfig | None = None) -> str:
    """The thread of a call; "default" when it names none."""
    called = ensure_config(config)
    execution = getattr(_runtime(called), "execution_info", None)
    thread_id = getattr(execution, "thread_id", None) or called.get("configurable", {}).get("thread_id")
    return DEFAULT_THREAD if thread_id is None else check_id(thread_id, "thread_id")


def checked_recall(recall: object) -> int:
    """How many passages to recall at most. Raises: ConfigurationError."""
    if not isinstance(recall, int) or recall < 0:
        raise ConfigurationError(f"recall={recall!r} must be a number of passages from 0")
    return recall


def _runtime(config: RunnableConfig) -> Runtime[Any] | None:
    """LangGraph's runtime of a call, None outside of a graph. Only who has loaded LangGraph can run one."""
    if "langgraph.runtime" not in sys.modules:
        return None
    from langgraph.runtime import get_runtime

    running: Callable[[], Runtime[Any] | None] = get_runtime  # None where no graph runs, whatever its type says
    with set_config_context(config) as context:
        return context.run(running)


def _identity(config: RunnableConfig, runtime: Runtime[Any] | ToolRuntime[Any, Any] | None) -> str | None:
    """The user whom a LangGraph server has authenticated."""
    configurable = config.get("configurable", {})
    server = getattr(runtime, "server_info", None)
    user = getattr(server, "user", None) or configurable.get("langgraph_auth_user")
    if user is None:
        return configurable.get("langgraph_auth_user_id")
    identity = user.get("identity") if isinstance(user, Mapping) else getattr(user, "identity", None)
    if not isinstance(identity, str) or not identity:
        raise ConfigurationError("the authenticated user has no identity; the server's auth handler must give one")
    return identity
