"""The values that go in and come out: frozen, checked at the door, JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ai_memory_integrations.ids import new_id

Role = Literal["user", "assistant", "system", "tool"]
RunState = Literal["created", "running", "completed", "failed", "cancelled"]
LearningMode = Literal["background", "inline", "off"]
Actor = Literal["application", "learner", "restore", "import", "agent"]
Metadata = dict[str, Any]

LABEL_PATTERN = r"^[A-Za-z0-9_.\-]{1,64}$"
DEFAULT_THREAD = "default"
DEFAULT_BLOCK_LIMIT = 10_000


class Value(BaseModel):
    """A frozen record that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(Value):
    """Whom or what a memory is about, and the memory agent that stands behind it."""

    subject_id: str
    agent_id: str
    created_at: datetime


class BlockSpec(Value):
    """A block that is to be made."""

    label: Annotated[str, Field(pattern=LABEL_PATTERN)]
    description: str = ""
    value: str = ""
    limit: Annotated[int, Field(gt=0)] = DEFAULT_BLOCK_LIMIT
    read_only: bool = False


class Block(Value):
    """Named, limited text that is always in the prompt. `limit` counts characters of `value`."""

    id: str
    label: str
    description: str = ""
    value: str = ""
    limit: int = DEFAULT_BLOCK_LIMIT
    read_only: bool = False
    version: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None


class BlockVersion(Value):
    """One version of a block: what it held, who wrote it, when, in which run, from which messages."""

    label: str
    block_id: str
    version: int
    value: str
    actor: Actor
    run_id: str | None = None
    message_ids: tuple[str, ...] = ()
    created_at: datetime


class Passage(Value):
    """An archived text found by search.

    `score` is 0..1 and comparable within one result only; it is None outside a search. `explanation` is given
    on request: the parts that made the score.
    """

    text: str
    id: str = Field(default_factory=lambda: new_id("psg"))
    tags: tuple[str, ...] = ()
    metadata: Metadata = Field(default_factory=dict)
    created_at: AwareDatetime | None = None
    role: Role | None = None
    name: str | None = None
    thread_id: str | None = None
    message_id: str | None = None
    score: float | None = None
    explanation: dict[str, Any] | None = None


class Message(Value):
    """One turn of a thread.

    `content` is a string or a list of content parts (`{"type": "text", "text": ...}` and others), `created_at`
    is when it was said (unknown: None) and `received_at` when it arrived here.
    """

    role: Role
    content: str | list[dict[str, Any]] = ""
    id: str = Field(default_factory=lambda: new_id("msg"))
    name: str | None = None
    tool_calls: list[dict[str, Any]] = Field(default_factory=list)
    tool_call_id: str | None = None
    metadata: Metadata = Field(default_factory=dict)
    created_at: AwareDatetime | None = None
    received_at: datetime | None = None
    thread_id: str = DEFAULT_THREAD

    @property
    def text(self) -> str:
        """What was said: the text of the content, parts joined by line breaks; images and the like left out."""
        if isinstance(self.content, str):
            return self.content
        texts = (part.get("text") for part in self.content if part.get("type", "text") in _TEXT_PARTS)
        return "\n".join(text for text in texts if isinstance(text, str) and text)

    @property
    def said_at(self) -> datetime | None:
        """`created_at` where it is known, else `received_at`."""
        return self.created_at or self.received_at


_TEXT_PARTS = ("text", "input_text", "output_text")


class Thread(Value):
    """One conversation of a subject, with the number of messages that can be read and the times of its ends."""

    thread_id: str
    messages: int
    created_at: datetime
    updated_at: datetime


class Usage(Value):
    """What a learner spent on one run. `cost` is in the currency of the prices given, None without prices."""

    input_tokens: int = 0
    output_tokens: int = 0
    steps: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            steps=self.steps + other.steps,
            cost=sum(costs) if costs else None,
        )


class Run(Value):
    """One background learning job."""

    id: str
    subject_id: str
    state: RunState
    learner: str
    messages: int = 0
    created_at: datetime
    due_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 0
    error: str | None = None
    edits: int = 0
    passages: int = 0
    skipped: dict[str, str] = Field(default_factory=dict)
    usage: Usage | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("completed", "failed", "cancelled")


class Stats(Value):
    """Counts for a health endpoint. `waiting` counts messages not yet learnt; `oldest` is the first of them."""

    subjects: int
    waiting: int
    running: int
    failed: int
    oldest: datetime | None = None
    embedding: int = 0


class Finding(Value):
    """One line of a report on what is used here. A `problem` needs somebody; `remedy` is what to type or do, "" when
    there is nothing."""

    level: Literal["fact", "note", "problem"]
    name: str
    text: str
    remedy: str = ""


class ErasureReceipt(Value):
    """What `delete_subject` removed. `complete` is False while an open reader still holds old pages of the file;
    they are erased at the next open or close."""

    subject_id: str
    agent_id: str
    blocks: int = 0
    passages: int = 0
    messages: int = 0
    runs: int = 0
    items: int = 0
    complete: bool = True
    erased_at: datetime
    kept: tuple[str, ...] = ()


Seconds = Annotated[float, Field(ge=0, le=315_360_000)]
"""At most ten years, which stand for never."""


class LearningPolicy(Value):
    """When a run is due: `batch` messages wait, or nothing arrived for `idle` seconds, or the first waits for
    `max_wait` seconds.

    A learner that fails is tried `attempts` times, `retry_delay` seconds apart, doubled each time. `workers` is how
    many subjects are learnt at once. `mode` says who learns: threads in the background, the call that adds
    messages (`inline`), or nobody until it is asked for (`off`).
    """

    batch: Annotated[int, Field(ge=1, le=1_000_000)] = 8
    idle: Seconds = 30.0
    max_wait: Seconds = 300.0
    mode: LearningMode = "background"
    attempts: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    retry_delay: Seconds = 0.5
    daily_tokens: Annotated[int, Field(ge=0)] | None = None
    daily_cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    workers: Annotated[int, Field(ge=1, le=1_000)] = 1


AT_ONCE = LearningPolicy(batch=1, idle=0.0, max_wait=0.0)


class Append(Value):
    """Add a line (or lines) at the end of a block."""

    op: Literal["append"] = "append"
    label: str
    text: str
    message_ids: tuple[str, ...] = ()


class Replace(Value):
    """Put `new` where `old` stands, exactly once; an empty `new` removes it."""

    op: Literal["replace"] = "replace"
    label: str
    old: Annotated[str, Field(min_length=1)]
    new: str
    message_ids: tuple[str, ...] = ()


class Rethink(Value):
    """Rewrite a block whole."""

    op: Literal["rethink"] = "rethink"
    label: str
    value: str
    message_ids: tuple[str, ...] = ()


class Archive(Value):
    """Add a passage."""

    op: Literal["archive"] = "archive"
    text: Annotated[str, Field(min_length=1)]
    tags: tuple[str, ...] = ()
    metadata: Metadata = Field(default_factory=dict)
    created_at: AwareDatetime | None = None
    message_ids: tuple[str, ...] = ()


Edit = Annotated[Append | Replace | Rethink | Archive, Field(discriminator="op")]


class Learned(Value):
    """What a learner made of one batch: edits in the order to apply them, blocks it left alone and why, cost."""

    edits: tuple[Edit, ...] = ()
    skipped: Mapping[str, str] = Field(default_factory=dict)
    usage: Usage | None = None


class PassageQuery(Value):
    """A search within one subject. Filters narrow, they never rank; `tags` match when any of them is there.

    `after` <= `created_at` < `before`. A role of None stands for what was archived and nobody said.
    """

    text: str = ""
    limit: Annotated[int, Field(ge=0)] = 10
    tags: tuple[str, ...] | None = None
    roles: tuple[Role | None, ...] | None = None
    after: AwareDatetime | None = None
    before: AwareDatetime | None = None
    thread_id: str | None = None
    metadata: Metadata = Field(default_factory=dict)
    explain: bool = False
