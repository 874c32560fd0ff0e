"""Agent middleware: an agent made with `create_agent` that remembers its users."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields, replace
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from langchain.agents.middleware.types import (
    AgentMiddleware,
    AgentState,
    ModelRequest,
    ModelResponse,
    PrivateStateAttr,
)
from langchain_core.messages import AnyMessage, BaseMessage, SystemMessage
from langgraph.runtime import Runtime

from ai_memory_integrations.door import readable
from ai_memory_integrations.errors import (
    BackendError,
    ConfigurationError,
    InvalidInputError,
    NewerSchemaError,
    NotAStoreError,
    StoreNotCreatableError,
)
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.langchain.tools import check_name, create_memory_tools
from ai_memory_integrations.langchain_callers import checked_recall, subject_of, thread_of
from ai_memory_integrations.langchain_messages import once, role_of, spoken, to_message
from ai_memory_integrations.memory import Memory, checked_memory
from ai_memory_integrations.outbox import Outbox
from ai_memory_integrations.prompt import render_blocks, render_passages
from ai_memory_integrations.recalling import recalled as worth_recalling
from ai_memory_integrations.subjects import SubjectSource, check_source
from ai_memory_integrations.turns import turn_start
from ai_memory_integrations.types import Value

logger = logging.getLogger("ai_memory_integrations.langchain")

_SET_UP = (NewerSchemaError, NotAStoreError, StoreNotCreatableError)


TURNS = 1000


class MemoryAgentState(AgentState[Any]):
    """What memory keeps in a thread: the id of the turn and that of the last message recorded, "" before the first;
    whose turn it is, and the id of the newest message when it began.

    What is remembered is never in the state, because a graph streams its state to whoever listens.
    """

    ai_memory_turn: NotRequired[Annotated[str, PrivateStateAttr]]
    ai_memory_recorded: NotRequired[Annotated[str, PrivateStateAttr]]
    ai_memory_subject: NotRequired[Annotated[str, PrivateStateAttr]]
    ai_memory_begun: NotRequired[Annotated[str, PrivateStateAttr]]


@dataclass(frozen=True)
class Keys:
    """The keys of the state under which a middleware keeps what `MemoryAgentState` says."""

    turn: str = "ai_memory_turn"
    recorded: str = "ai_memory_recorded"
    subject: str = "ai_memory_subject"
    begun: str = "ai_memory_begun"


@dataclass(frozen=True)
class Turn:
    """What memory puts into the prompts of a turn, and the messages that were not yet recorded when it began."""

    subject_id: str
    blocks: str
    recalled: str
    begun_with: tuple[AnyMessage, ...] = ()


class Turns:
    """The turns that run in this process, by id; the oldest give way. One that is not here is read again."""

    def __init__(self, size: int = TURNS) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._turns: dict[str, Turn] = {}

    def get(self, turn_id: str) -> Turn | None:
        return self._turns.get(turn_id)

    def put(self, turn_id: str, turn: Turn) -> Turn:
        with self._lock:
            self._turns[turn_id] = turn
            if len(self._turns) > self._size:
                del self._turns[next(iter(self._turns))]
        return turn

    def end(self, turn_id: str) -> Turn | None:
        with self._lock:
            return self._turns.pop(turn_id, None)


class MiddlewareStats(Value):
    """Counts since the middleware was made. `waiting` messages are tried again, `lost` ones were given up."""

    failed_reads: int
    recorded: int
    waiting: int
    lost: int


class CoreMemoryMiddleware(AgentMiddleware[Any, Any, Any]):
    """Gives an agent the blocks of the subject it talks with, recalls what fits, and records each turn.

    Without *subject* it is the memory's, filled from the runtime's context, the config and the authenticated user.
    *recall* is how many passages at most stand beside the newest message (0: none); they change with every turn, so
    that is where a provider's prompt cache loses nothing, but `recall_into="system"` puts them behind the blocks.
    *record* has what is new in a turn kept and learnt in the background. *tools* gives the agent the memory tools.
    *name* tells one from another in an agent with two, such as a user's memory and a team's: it stands in the prompt
    beside what is remembered and before the names of the tools, and each keeps its own place in the thread.

    When memory cannot be reached the turn goes on without it: that is logged and counted in `stats`, and what could
    not be recorded is tried again for a while and with the thread's next turn. `on_error="raise"` raises instead.
    Mistakes of set-up, such as no subject or a path that is no store, always raise. One middleware serves any number
    of agents, subjects and threads at once.
    """

    state_schema = MemoryAgentState

    def __init__(
        self,
        memory: Memory,
        *,
        subject: SubjectSource | None = None,
        recall: int = 5,
        recall_into: Literal["user", "system"] = "user",
        record: bool = True,
        tools: bool = False,
        on_error: Literal["log", "raise"] = "log",
        name: str | None = None,
    ) -> None:
        super().__init__()
        if recall_into not in ("user", "system"):
            raise ConfigurationError(f"recall_into={recall_into!r} is not known; use 'user' or 'system'")
        if on_error not in ("log", "raise"):
            raise ConfigurationError(f"on_error={on_error!r} is not known; use 'log' or 'raise'")
        self.memory = checked_memory(memory)
        self._name = None if name is None else check_name(name)
        self._keys = Keys()
        if name is not None:
            self._keys = Keys(**{each.name: f"ai_memory_{name}_{each.name}" for each in fields(Keys)})
            self.state_schema = _state_with(self._keys)
        self.tools = create_memory_tools(memory, subject=subject, name=name) if tools else []
        self._subject = None if subject is None else check_source(subject)
        self._recall = checked_recall(recall)
        self._recall_into = recall_into
        self._record = record
        self._on_error = on_error
        self._outbox = Outbox(memory)
        self._turns = Turns()
        self._counting = threading.Lock()
        self._failed_reads = 0

    @property
    def name(self) -> str:
        """What LangChain tells middleware apart by: *name*, else that of the class."""
        return self._name or super().name

    @property
    def stats(self) -> MiddlewareStats:
        """What went well and what did not, for a health endpoint."""
        outbox = self._outbox
        return MiddlewareStats(
            failed_reads=self._failed_reads, recorded=outbox.kept, waiting=outbox.waiting, lost=outbox.lost
        )

    # the hooks: each once, the async one in one hop to a thread of the memory

    def before_agent(self, state: Mapping[str, Any], runtime: Runtime[Any]) -> dict[str, Any]:
        keys, messages, subject_id = self._keys, state["messages"], subject_of(self.memory, self._subject)
        turn = self._read(subject_id, messages)
        turn_id = new_id("turn")
        update = {keys.turn: turn_id}
        if self._record:
            thread_id = thread_of()  # one that cannot be used is a mistake of set-up, said before there is an answer
            begun_with = new = _unrecorded(messages, state.get(keys.recorded))
            if (other := state.get(keys.subject, subject_id)) != subject_id:
                begun_with = _behind_the_turn(state.get(keys.begun, ""), new)
            turn = replace(turn, begun_with=tuple(begun_with))
            if keys.recorded not in state or len(begun_with) < len(new):
                older = messages[: len(messages) - len(begun_with)]
                update[keys.recorded] = (older[-1].id or "") if older else ""
            if len(begun_with) < len(new):
                logger.warning(
                    "%d messages in thread %r are of a turn of subject %r that has not ended: they are not recorded "
                    "for subject %r, whose turn begins",
                    len(new) - len(begun_with),
                    thread_id,
                    other,
                    subject_id,
                )
            update[keys.subject] = subject_id
            update[keys.begun] = (messages[-1].id or "") if messages else ""
        self._turns.put(turn_id, turn)
        return update

    async def abefore_agent(self, state: Mapping[str, Any], runtime: Runtime[Any]) -> dict[str, Any]:
        return await self.memory.aio.run(self.before_agent, state, runtime)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        return handler(self._with_memory(request, self._turn_of(request.state)))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        turn = await self.memory.aio.run(self._turn_of, request.state)
        return await handler(self._with_memory(request, turn))

    def after_agent(self, state: Mapping[str, Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        keys, messages = self._keys, state["messages"]
        turn = self._turns.end(state.get(keys.turn, ""))
        if not self._record or not messages:
            return None
        subject_id, new = subject_of(self.memory, self._subject), _unrecorded(messages, state.get(keys.recorded))
        # Whose turn it is stands there also behind a turn that ended, where another middleware answers before this one.
        unfinished = any(each.id == state.get(keys.begun) for each in new)
        if unfinished and (begun_by := state.get(keys.subject, subject_id)) != subject_id:
            logger.warning(
                "a turn of subject %r in thread %r was ended in a call for subject %r: it is recorded with the next "
                "turn of %r there. Resume a turn with the subject it began with",
                begun_by,
                thread_of(),
                subject_id,
                begun_by,
            )
            return None
        begun_with = turn.begun_with if turn else ()
        if not self._keep([*begun_with, *new]):
            return None
        return {keys.recorded: messages[-1].id or ""}

    async def aafter_agent(self, state: Mapping[str, Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        return await self.memory.aio.run(self.after_agent, state, runtime)

    # what they do

    def _turn_of(self, state: Mapping[str, Any]) -> Turn:
        """The turn as it was read when it began. One that began in another process, or so long ago that it gave way,
        is read again and fixed from now on."""
        turn_id = state.get(self._keys.turn, "")
        subject_id = subject_of(self.memory, self._subject)
        turn = self._turns.get(turn_id)
        if turn is not None and turn.subject_id == subject_id:
            return turn
        turn = self._read(subject_id, state["messages"])
        return self._turns.put(turn_id, turn) if turn_id else turn

    def _read(self, subject_id: str, messages: Sequence[AnyMessage]) -> Turn:
        """Read what the turn's prompts get."""
        memory = self.memory.for_subject(subject_id)
        blocks = recalled = ""
        with self._reading():
            blocks = render_blocks(memory.list_blocks(), name=self._name)
            query = _asked(messages)
            if query and self._recall:
                # What stands in the conversation anyway is not recalled into it.
                there = {each.text for each in messages}
                found = worth_recalling(
                    lambda limit: memory.search_passages(query, limit=limit),
                    query,
                    self._recall,
                    leave_out=lambda passage: passage.text in there,
                )
                recalled = render_passages(found, name=self._name)
        return Turn(subject_id, blocks, recalled)

    def _with_memory(self, request: ModelRequest[Any], turn: Turn) -> ModelRequest[Any]:
        in_system = [turn.blocks, turn.recalled if self._recall_into == "system" else ""]
        if any(in_system):
            system = request.system_message or SystemMessage([])
            request = request.override(system_message=_with_parts(system, in_system))
        if turn.recalled and self._recall_into == "user":
            messages = list(request.messages)
            # The newest message, be it a tool's: no request before it had it, so the next one can begin like this one.
            place = next((n for n in reversed(range(len(messages))) if role_of(messages[n]) in ("user", "tool")), None)
            if place is not None:
                messages[place] = _with_parts(messages[place], [turn.recalled])
                request = request.override(messages=messages)
        return request

    def _keep(self, messages: Sequence[AnyMessage]) -> bool:
        """Record a turn; False when it could not be, so that the thread's next turn tries again."""
        subject_id, thread_id = subject_of(self.memory, self._subject), thread_of()
        said = once(to_message(each, thread_id=thread_id) for each in spoken(messages))
        if not said:
            return True
        try:
            if self._on_error == "raise":
                self.memory.add_messages(subject_id, said, thread_id=thread_id)
            elif (error := self._outbox.send(subject_id, thread_id, said)) is not None:
                logger.warning(
                    "%d messages of subject %r, thread %r are not recorded yet and tried again: %s",
                    len(said),
                    subject_id,
                    thread_id,
                    error,
                )
                return False
        except InvalidInputError as error:
            if self._on_error == "raise":
                raise
            self._outbox.give_up(subject_id, thread_id, said, str(error))
        return True

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except BackendError as error:
            if self._on_error == "raise" or isinstance(error, _SET_UP):
                raise
            with self._counting:
                self._failed_reads += 1
            logger.warning("memory could not be read, the turn goes on without it: %s", error)


def _state_with(keys: Keys) -> Any:
    """`MemoryAgentState` under other keys."""
    make: Any = TypedDict  # with keys that are known only now
    private = NotRequired[Annotated[str, PrivateStateAttr]]
    return make("NamedMemoryAgentState", dict.fromkeys(astuple(keys), private))


def _asked(messages: Sequence[AnyMessage]) -> str:
    """What the user says in the newest turn, as text that can be looked for: without halves of surrogate pairs."""
    newest = spoken(_newest_turn(messages))
    said = "\n".join(each.text for each in newest if role_of(each) == "user")
    return readable(said).strip()


def _unrecorded(messages: list[AnyMessage], recorded: str | None) -> list[AnyMessage]:
    """What is new: behind the last recorded message, or from the turn's first user message on where there is none.

    Without a checkpointer there is none: the state begins anew and old messages come with new ids.
    """
    if recorded == "":
        return messages
    for place in range(len(messages), 0, -1):
        if recorded is not None and messages[place - 1].id == recorded:
            return messages[place:]
    return _newest_turn(messages)


def _behind_the_turn(begun: str, messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """What users said, and all that followed, behind a turn whose newest message was *begun* when it began: all of it
    where that turn is not among *messages*."""
    place = next((n for n, each in enumerate(messages) if each.id == begun), None)
    if place is None:
        return list(messages)
    start = next((n for n in range(place + 1, len(messages)) if _role(messages[n]) == "user"), len(messages))
    return list(messages[start:])


def _newest_turn(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    return list(messages[turn_start([_role(each) for each in messages]) :])


def _role(message: BaseMessage) -> str:
    """A summary that another middleware put into the thread is no user's message, though it looks like one."""
    return "system" if message.additional_kwargs.get("lc_source") is not None else role_of(message)


def _with_parts(message: Any, texts: Sequence[str]) -> Any:
    """A copy of *message* with text parts behind its own content, which stays as it is."""
    content = message.content
    own = list(content) if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
    for text in filter(None, texts):
        # A blank line between the parts, because not every provider's class puts one there.
        own.append({"type": "text", "text": f"\n\n{text}" if own else text})
    return message.model_copy(update={"content": own})
