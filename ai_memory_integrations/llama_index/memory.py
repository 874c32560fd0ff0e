"""`CoreMemory`: what an agent or chat engine is given as `memory=`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec, Self, TypeVar

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.core.llms.llm import LLM
from llama_index.core.memory.types import BaseMemory
from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from ai_memory_integrations.bridge import Bridge
from ai_memory_integrations.door import check_id, readable
from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.ids import new_id
from ai_memory_integrations.llama_index import messages as convert
from ai_memory_integrations.llama_index.binding import default_memory
from ai_memory_integrations.llama_index.outages import OnError, Outages
from ai_memory_integrations.llama_index.tokens import Tokenizer, count_message, count_text, tokenizer
from ai_memory_integrations.llama_index.window import Item, Window, choose
from ai_memory_integrations.memory import Memory, checked_memory
from ai_memory_integrations.opened import Place, place_of, reopened
from ai_memory_integrations.outbox import Outbox
from ai_memory_integrations.prompt import render_blocks, render_passages
from ai_memory_integrations.recalling import recalled
from ai_memory_integrations.subjects import SubjectSource
from ai_memory_integrations.tool_results import with_results
from ai_memory_integrations.types import DEFAULT_THREAD, Message, Passage

logger = logging.getLogger("ai_memory_integrations")

P = ParamSpec("P")
T = TypeVar("T")

TOKEN_LIMIT = 30_000
_PAGE = 64


@dataclass
class _State:
    """What one object remembers between calls; nothing of it is needed to go on elsewhere."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    outages: Outages = field(default_factory=Outages)
    history: list[Message] = field(default_factory=list)  # as last read, for the time of an outage
    outbox: Outbox | None = None
    unanswered: list[Message] = field(default_factory=list)  # what a conversation that was set ends with
    costs: dict[str, int] = field(default_factory=dict)
    turn: tuple[tuple[str | None, str], str, list[Passage]] | None = None
    begins: str | None = None  # the first message shown last time

    def begin_again(self, history: list[Message]) -> None:
        """The conversation is another one from here."""
        self.history, self.costs, self.unanswered = history, {}, []
        self.turn = self.begins = None


class CoreMemory(BaseMemory):
    """A subject's memory and one conversation of theirs, durable and shared with the other frameworks.

    `get` gives the newest whole turns that fit `token_limit`, behind one system message with the conversation's own
    system messages, the subject's blocks and `recall` passages that match what the user said; the memory in it stays
    the same for a turn. What is put is kept at once and learnt in the background; what falls out of the window is
    learnt without further delay. During an outage the conversation goes on in this process and is kept afterwards,
    unless `on_error` is "raise".

    It is serialised without the conversation and without passwords: restored, it goes on with the memory that is open
    at the same place in the process, else it opens it with the settings that its store has recorded.
    """

    subject_id: str
    session_id: str = DEFAULT_THREAD
    token_limit: int = Field(default=TOKEN_LIMIT, gt=0)
    recall: int = Field(default=5, ge=0)
    on_error: OnError = "log"
    place: Place | None = None

    _memory: Memory | None = PrivateAttr(default=None)
    _tokenizer: Tokenizer | None = PrivateAttr(default=None)
    _state: _State = PrivateAttr(default_factory=_State)

    @classmethod
    def class_name(cls) -> str:
        return "CoreMemory"

    @classmethod
    def from_defaults(
        cls,
        memory: Memory | None = None,
        subject: SubjectSource | None = None,
        session_id: str | None = None,
        *,
        token_limit: int | None = None,
        chat_history: Sequence[ChatMessage] | None = None,
        llm: LLM | None = None,
        recall: int = 5,
        tokenizer_fn: Tokenizer | None = None,
        on_error: OnError = "log",
        **ignored: Any,
    ) -> Self:
        """A memory for *subject* (else the one *memory* is bound to) and their conversation *session_id*.

        Without *memory* it is where `AI_MEMORY_URL` says, else in the user's data directory. *token_limit* is 30000,
        or three quarters of what *llm* can read. *chat_history*, unless it is empty, becomes the conversation; it is
        not learnt. Nothing is opened otherwise. Chat engines pass more, which is ignored.

        Raises: NoSubjectError, ConfigurationError.
        """
        kept = default_memory() if memory is None else checked_memory(memory)
        if token_limit is None:
            token_limit = TOKEN_LIMIT if llm is None else llm.metadata.context_window * 3 // 4
        made = cls(
            subject_id=kept.resolve_subject(subject),
            session_id=DEFAULT_THREAD if session_id is None else check_id(session_id, "session_id"),
            token_limit=token_limit,
            recall=recall,
            on_error=on_error,
            place=_place(kept),
        )
        made._memory = kept
        made._tokenizer = tokenizer_fn
        if chat_history:
            made.set(list(chat_history))
        return made

    @property
    def memory(self) -> Memory:
        """The memory behind it, opened again when this object was restored. Raises: ConfigurationError."""
        if self._memory is None:
            self._memory = default_memory() if self.place is None else reopened(self.place)
        return self._memory

    async def _run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """*call* on the memory's threads. A restored object looks there as well for what is open in the process:
        that is by the paths of files, which an event loop does not ask for."""
        if self._memory is None:
            await Bridge(patience=0.0).run(getattr, self, "memory")
        return await self.memory.aio.run(call, *args, **kwargs)

    @property
    def tokenizer_fn(self) -> Tokenizer:
        """What counts tokens; chat engines ask for it."""
        return self._tokenizer or tokenizer()

    @property
    def outages(self) -> int:
        """How many calls could not reach the memory since this object was made."""
        return self._state.outages.count

    # reading

    def get(
        self, input: str | ChatMessage | None = None, initial_token_count: int = 0, **ignored: Any
    ) -> list[ChatMessage]:
        """What a model is given, oldest first; [] where nothing was said and nothing is known.

        *input* is what to recall passages for, by default what the user said last. *initial_token_count* is what the
        prompt holds already. A tool call that was not answered before the conversation went on has a result that
        says so, because providers refuse one without; `get_all` has what was put.
        """
        items = self._items(_text(input))
        said = next((item.message for item in reversed(items) if item.role == "user"), None)
        budget = self.token_limit - initial_token_count
        blocks, passages = self._remembered(items, said, _text(input), budget)
        remembered = "\n\n".join(filter(None, (blocks, render_passages(passages))))
        window = choose(items, budget - count_text(remembered, self.tokenizer_fn))
        self._hand_over(window)
        return [*_leading(window.system, remembered), *(convert.to_chat(message) for message in window.shown)]

    async def aget(
        self, input: str | ChatMessage | None = None, initial_token_count: int = 0, **ignored: Any
    ) -> list[ChatMessage]:
        """`get`, awaited."""
        return await self._run(self.get, input, initial_token_count)

    def get_all(self) -> list[ChatMessage]:
        """The whole conversation, oldest first, each message with its id in `additional_kwargs["ai_memory_id"]`."""
        kept = self.memory.list_messages(self.subject_id, self.session_id)
        return [convert.to_chat_with_id(message) for message in kept]

    async def aget_all(self) -> list[ChatMessage]:
        """`get_all`, awaited."""
        return await self._run(self.get_all)

    def _items(self, asked: str | None) -> list[Item[Message]]:
        """All system messages, and the newest others: more than fit, or all there are. Where *asked* was not said yet
        the last turn is over: chat engines ask before they put it."""
        state = self._state
        with state.outages.passing("the conversation was not read", self.on_error):
            state.history = self._read()
        known = {message.id for message in state.history}
        kept = [*state.history, *(message for message in self._waiting() if message.id not in known)]
        said_last = next((message.text for message in reversed(kept) if message.role == "user"), None)
        messages = with_results(kept, over=bool(asked) and readable(asked or "") != said_last)
        state.costs = {message.id: self._cost(message) for message in messages}
        return [Item(message, message.role, state.costs[message.id]) for message in messages]

    def _read(self) -> list[Message]:
        read: list[Message] = []
        cost = 0
        while True:
            first = read[0].id if read else None
            page = self.memory.list_messages(self.subject_id, self.session_id, limit=_PAGE, before=first)
            read = [*page, *read]
            if len(page) < _PAGE:
                return read
            cost += sum(map(self._cost, page))
            if cost > self.token_limit and any(message.role == "user" for message in read):
                break
        earlier = self.memory.list_messages(self.subject_id, self.session_id, before=read[0].id, roles=["system"])
        return [*earlier, *read]

    def _cost(self, message: Message) -> int:
        known = self._state.costs.get(message.id)
        return count_message(convert.to_chat(message), self.tokenizer_fn) if known is None else known

    def _remembered(
        self, items: Sequence[Item[Message]], said: Message | None, asked: str | None, budget: int
    ) -> tuple[str, list[Passage]]:
        """The blocks as text and the passages recalled, the same for the whole turn."""
        state = self._state
        query = readable(asked or (said.text if said else ""))
        turn = (said.id if said else None, query)
        if state.turn is not None and state.turn[0] == turn:
            return state.turn[1:]
        blocks, passages = "", list[Passage]()
        before = state.outages.count
        with state.outages.passing("what is remembered was not read", self.on_error):
            blocks = render_blocks(self.memory.list_blocks(self.subject_id))
            if query.strip() and self.recall:
                window = choose(items, budget - count_text(blocks, self.tokenizer_fn))
                passages = self._search(query, window.shown)
        if state.outages.count == before:
            state.turn = turn, blocks, passages
        return blocks, passages

    def _search(self, query: str, shown: Sequence[Message]) -> list[Passage]:
        """Passages that are not in the window anyway, at most a quarter of all tokens."""
        ids, texts = {message.id for message in shown}, {message.text for message in shown}
        found = recalled(
            lambda limit: self.memory.search_passages(query, limit=limit, subject_id=self.subject_id),
            query,
            self.recall * 2,  # some may be too long
            leave_out=lambda passage: (
                passage.text in texts or (passage.thread_id == self.session_id and passage.message_id in ids)
            ),
        )
        room = self.token_limit // 4
        chosen: list[Passage] = []
        for passage in found:
            cost = count_text(passage.text, self.tokenizer_fn)
            if cost <= room and len(chosen) < self.recall:
                room -= cost
                chosen.append(passage)
        return chosen

    def _hand_over(self, window: Window[Message]) -> None:
        """Have learnt what has just fallen out of the window."""
        begins = window.shown[0].id if window.shown else None
        if window.fallen and begins != self._state.begins:
            with self._state.outages.passing("learning was not started", self.on_error):
                self.memory.make_due(self.subject_id)
        self._state.begins = begins

    # writing

    def put(self, message: ChatMessage) -> None:
        """Keep a message and have it learnt. One that came from `get_all` is in the conversation already."""
        self.put_messages([message])

    async def aput(self, message: ChatMessage) -> None:
        """`put`, awaited."""
        await self.aput_messages([message])

    def put_messages(self, messages: Sequence[ChatMessage]) -> None:
        """Keep messages, all or none, and have them learnt. Memory that was put into a prompt is left out."""
        taken = convert.to_messages(messages, thread_id=self.session_id)
        self._keep([*self._answered(taken), *taken])
        _ = self.tokenizer_fn  # read from its file here and not when a chat engine asks for it on its event loop

    async def aput_messages(self, messages: Sequence[ChatMessage]) -> None:
        """`put_messages`, awaited."""
        await self._run(self.put_messages, messages)

    def set(self, messages: Sequence[ChatMessage]) -> None:
        """Make these the conversation. They are old: those that are new here are not learnt, those that are not
        stay the same messages. Only what the user says at the end of it is learnt, once it is answered here."""
        current: list[Message] = []
        wanted = convert.to_messages(messages, thread_id=self.session_id)
        with self._state.outages.passing("the conversation was not replaced", self.on_error):
            self._bring_waiting()
            current = self.memory.list_messages(self.subject_id, self.session_id)
            wanted = convert.aligned(messages, current, thread_id=self.session_id)
            if wanted != current:
                self.memory.set_messages(wanted, thread_id=self.session_id, subject_id=self.subject_id)
        self._state.begin_again(wanted)
        self._state.unanswered = _asked_last(wanted, {message.id for message in current})

    async def aset(self, messages: Sequence[ChatMessage]) -> None:
        """`set`, awaited."""
        await self._run(self.set, messages)

    def reset(self) -> None:
        """Empty the conversation. What was learnt stays, and what waits is still learnt."""
        self._bring_waiting()
        self.memory.clear_thread(self.subject_id, self.session_id)
        self._state.begin_again([])

    async def areset(self) -> None:
        """`reset`, awaited."""
        await self._run(self.reset)

    def _answered(self, messages: Sequence[Message]) -> list[Message]:
        """What a conversation that was set ended with, when *messages* begin with an answer to it: then it was said
        just now, and is put once more in order to be learnt."""
        asked = self._state.unanswered
        if not messages or not asked:
            return []
        self._state.unanswered = []
        if messages[0].role == "user":
            return []
        with self._state.outages.passing("what was asked is not learnt", self.on_error):
            ids = [message.id for message in asked]
            self.memory.delete_messages(ids, thread_id=self.session_id, subject_id=self.subject_id)
            return [message.model_copy(update={"id": new_id("msg")}) for message in asked]
        return []

    def _keep(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        if self.on_error == "raise":
            self.memory.add_messages(self.subject_id, messages, thread_id=self.session_id)
        elif (error := self._outbox.send(self.subject_id, self.session_id, messages)) is not None:
            self._state.outages.pass_over(f"{len(messages)} messages are not kept yet and tried again", error)

    @property
    def _outbox(self) -> Outbox:
        state = self._state
        with state.lock:
            if state.outbox is None:
                state.outbox = Outbox(self.memory)
            return state.outbox

    def _waiting(self) -> list[Message]:
        """What an outage kept from being kept."""
        outbox = self._state.outbox
        return [] if outbox is None else outbox.waiting_in(self.subject_id, self.session_id)

    def _bring_waiting(self) -> None:
        """Keep it now. The outbox may send it a second time: a message is the same by its id."""
        if waiting := self._waiting():
            self.memory.add_messages(self.subject_id, waiting, thread_id=self.session_id)

    # as text

    @model_serializer(mode="wrap")
    def custom_model_dump(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        self._check_reopenable()
        data: dict[str, Any] = handler(self)
        return {**data, "class_name": self.class_name()}

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """Its fields as JSON, without the conversation and without passwords.

        Raises: ConfigurationError when the memory cannot be opened again by its URL.
        """
        self._check_reopenable()
        return super().to_dict(**kwargs)

    def __getstate__(self) -> dict[str, Any]:
        self._check_reopenable()
        return {**BaseModel.__getstate__(self), "__pydantic_private__": None}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        twin = type(self)(**{name: getattr(self, name) for name in type(self).model_fields})
        twin._memory, twin._tokenizer = self._memory, self._tokenizer
        return twin

    def _check_reopenable(self) -> None:
        if self.place is not None or self._memory is None:
            return
        try:
            place_of(self._memory)
        except ConfigurationError as error:
            # LlamaIndex drops a memory that refuses from its context, and says nothing of the reason.
            logger.warning("CoreMemory is not serialised: %s", error)
            raise


def _text(input: str | ChatMessage | None) -> str | None:
    return input.content if isinstance(input, ChatMessage) else input


def _asked_last(messages: Sequence[Message], known: set[str]) -> list[Message]:
    """The user messages at the end, unless they were there before."""
    place = len(messages)
    while place and messages[place - 1].role == "user" and messages[place - 1].id not in known:
        place -= 1
    return list(messages[place:])


def _leading(system: Sequence[Message], remembered: str) -> list[ChatMessage]:
    """One system message: the conversation's own, then memory; none without either."""
    blocks = [block for message in system for block in convert.to_chat(message).blocks]
    if remembered:
        blocks.append(TextBlock(text=remembered))
    if not blocks:
        return []
    texts = [block.text for block in blocks if isinstance(block, TextBlock)]
    if len(texts) == len(blocks):
        blocks = [TextBlock(text="\n\n".join(texts))]
    return [ChatMessage(role=MessageRole.SYSTEM, blocks=blocks)]


def _place(memory: Memory) -> Place | None:
    try:
        return place_of(memory)
    except ConfigurationError:
        return None
