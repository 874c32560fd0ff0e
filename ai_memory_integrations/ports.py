"""The seams: what a place to keep memory, a learner and an embedder have to offer.

A `Store` bundles the three parts that one URL opens. What each verb means is said here and proved by the contract
suites in `ai_memory_integrations.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from ai_memory_integrations.json_copies import Inside
from ai_memory_integrations.types import (
    Actor,
    Block,
    BlockSpec,
    BlockVersion,
    Edit,
    ErasureReceipt,
    Finding,
    Learned,
    LearningPolicy,
    Message,
    Metadata,
    Passage,
    PassageQuery,
    Role,
    Run,
    Stats,
    Subject,
    Thread,
    Usage,
)


@dataclass(frozen=True)
class Change:
    """Who changes a block and why: kept in the block's history."""

    actor: Actor = "application"
    run_id: str | None = None
    message_ids: tuple[str, ...] = ()


APPLICATION = Change()


class Backend(Protocol):
    """What is known: subjects with their agents, blocks, passages. Every call is whole or not at all."""

    def get_subject(self, subject_id: str) -> Subject | None: ...

    def create_subject(self, subject_id: str, blocks: Sequence[BlockSpec] = ()) -> tuple[Subject, bool]:
        """The subject, and whether this call made it. *blocks* are made with a new subject only.

        Of any number of concurrent calls exactly one makes it; the others get the same agent.
        """
        ...

    def list_subjects(self, *, limit: int | None = None, after: str | None = None) -> list[Subject]:
        """Subjects in the order of their ids' code points, those behind *after*."""
        ...

    def delete_subject(self, subject_id: str) -> ErasureReceipt | None:
        """Erase everything of a subject in every part of the store; None when it is not known."""
        ...

    def list_blocks(self, subject_id: str) -> list[Block]:
        """`human` and `summary` first, then by age; [] for an unknown subject."""
        ...

    def get_block(self, subject_id: str, label: str) -> Block | None: ...

    def create_block(self, subject_id: str, spec: BlockSpec, change: Change = APPLICATION) -> tuple[Block, bool]:
        """The block, and whether this call made it; a block that exists is left as it is.

        Raises: SubjectNotFoundError, BlockLimitError.
        """
        ...

    def write_block(
        self,
        subject_id: str,
        label: str,
        value: str,
        *,
        expected_version: int | None = None,
        change: Change = APPLICATION,
    ) -> Block:
        """The block with its new value and version. The same value again makes no new version.

        Raises: SubjectNotFoundError, BlockNotFoundError, BlockLimitError, VersionConflictError.
        """
        ...

    def delete_block(self, subject_id: str, label: str) -> bool:
        """Remove a block with its history. False when it was not there."""
        ...

    def block_history(self, subject_id: str, label: str) -> list[BlockVersion]:
        """The versions of a block, oldest first, the current one last; [] when it is not there."""
        ...

    def add_passages(self, subject_id: str, passages: Sequence[Passage]) -> list[str]:
        """Ids in the order given. A passage whose id is there already is replaced.

        Raises: SubjectNotFoundError.
        """
        ...

    def get_passage(self, subject_id: str, passage_id: str) -> Passage | None: ...

    def list_passages(
        self,
        subject_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> list[Passage]:
        """Passages in the order they came, those behind the id *after*."""
        ...

    def delete_passages(self, subject_id: str, passage_ids: Sequence[str]) -> int:
        """How many were there and are gone."""
        ...

    def search_passages(
        self, subject_id: str, query: PassageQuery, *, vector: Sequence[float] | None = None
    ) -> list[Passage]:
        """Best first, `score` set; [] for an unknown subject. Never another subject's."""
        ...

    def speakers(self, subject_id: str) -> tuple[str, ...]:
        """The names that passages carry. They are left out of what is embedded of a query: with them a model finds
        turns that address somebody instead of what they said (measured: 3 points of R@10)."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class EmbedderRecord:
    """The embedder whose vectors a store holds."""

    name: str
    dimension: int


@dataclass(frozen=True)
class Unembedded:
    """A passage that has no vector yet. `text` None: passages up to `seq` are gone, there is nothing to embed."""

    subject_id: str
    subject_no: int
    seq: int
    version: int
    text: str | None


class VectorIndex(Protocol):
    """Vectors of passages, written behind: a passage is found by its terms first and by meaning a moment later."""

    def embedder(self) -> EmbedderRecord | None:
        """The one active embedder; None when the store holds no vectors."""
        ...

    def adopt(self, record: EmbedderRecord, *, replace: bool = False) -> EmbedderRecord | None:
        """The active embedder after the call: *record* in an empty store, or with *replace*, which drops every
        vector; otherwise the one that was there."""
        ...

    def unembedded(self, limit: int) -> list[Unembedded]:
        """The next passages without a vector, of one subject, in order; [] when there are none."""
        ...

    def store_vectors(self, done: Sequence[tuple[Unembedded, bytes | None]], embedder: str) -> bool:
        """Write vectors (float16) for what `unembedded` gave, all of it, in order. False, and nothing written,
        when another process was faster or the active embedder is not *embedder*."""
        ...

    def waiting(self) -> int:
        """How many passages have no vector yet."""
        ...


@dataclass(frozen=True)
class Appended:
    """What `Journal.append` did: the run that will learn the messages and the messages that were new."""

    run_id: str
    new: tuple[Message, ...]


@dataclass(frozen=True)
class Claim:
    """A run held by one learning process: its fixed batch, in order, and the token that proves the hold."""

    run: Run
    subject_id: str
    token: str
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class HistorySize:
    """How many blocks there are, their versions with the characters in them, and when the oldest was written."""

    blocks: int
    versions: int
    characters: int
    oldest: datetime | None


class Journal(Protocol):
    """What was said and what is still to be learnt. `docs/explanation/journal.md` draws the states."""

    def transaction(self) -> AbstractContextManager[None]:
        """All calls inside, of this journal and of a backend in the same database, happen whole or not at all."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside `transaction()`."""
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have *call* made by this thread when the outermost transaction it is in has been committed and left, in the
        order asked for; never when it is undone. At once outside of any. What it raises reaches the caller of the
        transaction, whose writes stand."""
        ...

    def append(
        self,
        subject_id: str,
        messages: Sequence[Message],
        *,
        learner: str,
        policy: LearningPolicy,
        learn: bool = True,
    ) -> Appended:
        """Keep messages durably and put the new ones into the subject's open run.

        A message whose `(subject, thread, id)` was seen is not kept again and never learnt again; one that had
        been hidden or removed is shown again. System messages are kept and never learnt. With *learn* False
        nothing is put into a run for learning. The id returned is that of the open run, which is made when
        there is none, so that a call with nothing new can be waited for as well.

        Raises: SubjectNotFoundError.
        """
        ...

    def list_messages(
        self,
        subject_id: str,
        thread_id: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
        after: str | None = None,
        roles: Sequence[Role] | None = None,
    ) -> list[Message]:
        """Visible messages in the order they came; None as thread: all threads. *before* and *after* are message
        ids. With *limit* the last ones, or the first ones when *after* is given. *roles* None: all roles."""
        ...

    def set_messages(self, subject_id: str, thread_id: str, messages: Sequence[Message]) -> None:
        """Show these messages in this order and no others; nothing is put into a run.

        Others are hidden as by `clear_thread`. A message whose identity was seen keeps its state of learning and
        gets the content given.

        Raises: SubjectNotFoundError.
        """
        ...

    def annotate_messages(self, subject_id: str, thread_id: str, message_ids: Sequence[str], metadata: Metadata) -> int:
        """Merge keys into the metadata of visible messages (None removes one); how many messages there were."""
        ...

    def list_threads(self, subject_id: str) -> list[Thread]: ...

    def clear_thread(self, subject_id: str, thread_id: str) -> int:
        """Hide a thread's messages at once; what waits is still learnt, then the text is deleted. Identities stay,
        so a message that comes again is not learnt again. Returns how many were visible."""
        ...

    def delete_messages(self, subject_id: str, thread_id: str, message_ids: Sequence[str]) -> int:
        """As `clear_thread`, for these messages only."""
        ...

    def delete_thread(self, subject_id: str, thread_id: str, *, forget: bool = False) -> int:
        """Remove a thread with its identities. What waits is learnt first, or dropped unlearnt with *forget*, which
        also removes the thread's passages where they are in the same database."""
        ...

    def claim(
        self,
        learner: str,
        *,
        owner: str,
        lease: float,
        run_id: str | None = None,
        subject_id: str | None = None,
    ) -> Claim | None:
        """Take the next run that is due, or the one named, due or not. None when there is nothing to take.

        Never a run of a subject of which another run is in work. The batch is fixed by this call.
        """
        ...

    def renew(self, claim: Claim, lease: float) -> bool:
        """Hold on to a claim for *lease* seconds from now; False when it is lost."""
        ...

    def hold(self, claim: Claim) -> None:
        """Inside `transaction()`: make sure that the claim is good and stays so until the end of it.

        Raises: StaleClaimError.
        """
        ...

    def complete(
        self, claim: Claim, *, edits: int, passages: int, skipped: Mapping[str, str], usage: Usage | None
    ) -> None:
        """End the run, mark its messages as learnt; *usage* is added to what the run has spent.

        Raises: StaleClaimError.
        """
        ...

    def postpone(
        self, claim: Claim, *, error: str, delay: float, usage: Usage | None = None, counted: bool = True
    ) -> None:
        """Give the run back, to be taken again after *delay* seconds. *usage* is added to what the run has spent;
        not *counted*, the attempt was none. Raises: StaleClaimError."""
        ...

    def fail(self, claim: Claim, *, error: str, usage: Usage | None = None) -> None:
        """End the run as failed; its messages wait for `retry_run`. Raises: StaleClaimError."""
        ...

    def make_due(
        self, *, run_id: str | None = None, subject_id: str | None = None, postponed: bool = True
    ) -> list[str]:
        """The open runs of a run id, a subject, or all, made due now, and with *postponed* those that were tried
        already; their ids."""
        ...

    def next_due(self, learner: str) -> float | None:
        """Seconds until a run of this learner is due (0 or less: now); None when none waits."""
        ...

    def get_run(self, run_id: str) -> Run | None: ...

    def list_runs(
        self, subject_id: str | None = None, *, state: str | None = None, limit: int | None = None
    ) -> list[Run]:
        """Runs, newest first."""
        ...

    def retry_run(self, run_id: str) -> Run:
        """A failed run, due now again. Raises: RunNotFoundError."""
        ...

    def cancel_run(self, run_id: str) -> Run:
        """A run that has not ended, cancelled: its messages are not learnt. Raises: RunNotFoundError."""
        ...

    def pending(self, learner: str) -> bool:
        """Whether a run of this learner has not ended."""
        ...

    def usage(self, subject_id: str | None = None, *, since: datetime | None = None) -> dict[str, Usage]:
        """What the runs that ended or were last in work since then have spent, by subject; only those that did."""
        ...

    def adopt(self, from_learner: str, to_learner: str) -> int:
        """Hand what waits for one learner to another, in the batches it stands in; how many messages. What a process
        has in work stays with it; runs that failed still wait for `retry_run`."""
        ...

    def waiting_learners(self) -> dict[str, int]:
        """How many messages wait for each learner, by its name."""
        ...

    def stats(self) -> Stats: ...

    def prune_history(
        self, subject_id: str | None = None, *, keep: int = 1, before: datetime | None = None, dry_run: bool = False
    ) -> int:
        """Remove versions of blocks of a subject, or of all: those beyond the newest *keep* of a block that were
        written before *before*; how many. The current one stays, and what a memory kept elsewhere goes on from.

        Each subject's go whole or not at all. With *dry_run* they are counted.
        """
        ...

    def history_size(self) -> HistorySize: ...

    def close(self) -> None: ...


class Notes(Protocol):
    """What a memory that lives elsewhere needs to know again of a subject: JSON objects by key, in the journal's
    database and in its transactions. They go with the subject."""

    def get(self, subject_id: str, key: str) -> dict[str, Any] | None: ...

    def put(self, subject_id: str, key: str, note: Mapping[str, Any] | None) -> None:
        """Keep *note*; None removes it. Raises: SubjectNotFoundError, unless it removes."""
        ...

    def add(self, subject_id: str, key: str, note: Mapping[str, Any]) -> bool:
        """Keep *note* where there is none under *key*. Of any number of concurrent calls exactly one is True.

        Raises: SubjectNotFoundError.
        """
        ...

    def list(self, subject_id: str, prefix: str = "") -> dict[str, dict[str, Any]]:
        """The notes of a subject whose keys begin with *prefix*, by key, in the order of the keys' code points."""
        ...

    def subjects(self, key: str) -> Sequence[str]:
        """The subjects that have a note under *key*, in the order of their ids."""
        ...


ItemKey = tuple[tuple[str, ...], str]
"""A namespace and a key in it."""


class ItemRow(NamedTuple):
    """One namespaced JSON item of a LangGraph store. `ttl` is its time to live in minutes.

    With `inside` the value is the store's own: whoever hands it out copies it, see `json_copies`. With None nobody else
    has it.
    """

    namespace: tuple[str, ...]
    key: str
    value: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    ttl: float | None = None
    inside: Inside | None = None


@dataclass(frozen=True)
class ItemPut:
    """A write; `value` None deletes. It is made of what JSON has, and the store's own from then on: nobody changes it.

    `terms` (see `search.text.terms_of`) and `vectors` (see `search.item_snapshot.packed`) are what a search compares,
    `embedder` says whose vectors they are.
    """

    namespace: tuple[str, ...]
    key: str
    value: dict[str, Any] | None
    ttl: float | None = None
    terms: bytes = b""
    vectors: bytes = b""
    embedder: str = ""


@dataclass(frozen=True)
class ItemHint:
    """A field, at any of these paths, that compares so with a value in whatever is accepted: for narrowing only."""

    paths: tuple[tuple[str, ...], ...]
    operator: Literal["=", "<=", ">="]
    value: str | float


@dataclass(frozen=True)
class ItemRanking:
    """What to rank by: the terms of `text`, the nearness of `vector` to vectors of `embedder`, or both.

    Without terms a score is the cosine; with them it is 0..1. Items with several vectors count with the nearest.
    """

    text: str = ""
    lexical: bool = True
    vector: Sequence[float] | None = None
    embedder: str = ""


class ItemQuery(NamedTuple):
    """A search at and below a namespace. `accept` decides by the value; None accepts everything."""

    prefix: tuple[str, ...] = ()
    accept: Callable[[Mapping[str, Any]], bool] | None = None
    hints: tuple[ItemHint, ...] = ()
    ranking: ItemRanking | None = None
    limit: int = 10
    offset: int = 0
    omit_expired: bool = False


class ItemStore(Protocol):
    """Namespaced JSON items. The LangGraph room says what they mean; here rows are kept, found and ranked."""

    def transaction(self) -> AbstractContextManager[None]:
        """All calls inside happen whole or not at all, as one with a journal's and a backend's in the same database."""
        ...

    def reading(self) -> AbstractContextManager[None]:
        """All reads inside see one state."""
        ...

    def get_items(self, keys: Sequence[ItemKey], *, omit_expired: bool = False) -> list[ItemRow | None]:
        """One answer for each key, in order."""
        ...

    def put_items(self, puts: Sequence[ItemPut]) -> None:
        """Write in the order given. An item that is there keeps its `created_at`."""
        ...

    def touch_items(self, keys: Sequence[ItemKey]) -> None:
        """Start the time to live of these items again."""
        ...

    def find_items(self, query: ItemQuery) -> list[tuple[ItemRow, float | None]]:
        """Items with their scores: best first, then those that cannot be scored; last written first where scores are
        equal and without a ranking."""
        ...

    def list_namespaces(
        self,
        prefix: tuple[str, ...] = (),
        *,
        limit: int | None = None,
        offset: int = 0,
        omit_expired: bool = False,
    ) -> list[tuple[str, ...]]:
        """Namespaces at and below *prefix* that have items, in the order of their labels' code points."""
        ...

    def sweep_items(self) -> int:
        """Delete what has expired; how many that were."""
        ...


LearningState = Literal["not_for_learning", "waiting", "learnt", "dropped"]


@dataclass(frozen=True)
class KeptMessage:
    """A message as the journal has it: what learning has to do with it, and the run it waits or was learnt in."""

    message: Message
    state: LearningState
    visible: bool
    run_id: str | None


@dataclass(frozen=True)
class SubjectRecords:
    """Everything about a subject but vectors, which are made anew; each part in its order, oldest first."""

    subject: Subject
    blocks: tuple[Block, ...] = ()
    versions: tuple[BlockVersion, ...] = ()
    runs: tuple[Run, ...] = ()
    messages: tuple[KeptMessage, ...] = ()
    passages: tuple[Passage, ...] = ()


class Transfer(Protocol):
    """Whole subjects, out of a store and into one."""

    def read(self, subject_id: str) -> SubjectRecords | None:
        """A subject as it is at one moment; None when it is not known."""
        ...

    def write(self, records: SubjectRecords, *, merge: bool = False) -> SubjectRecords:
        """Add a subject with its ids and times; what was added. With *merge* one that is there gets what it lacks.

        A run that was in work begins again. Raises: SubjectExistsError without *merge*.
        """
        ...


class Store(Protocol):
    """What one URL opens."""

    @property
    def url(self) -> str: ...

    @property
    def backend(self) -> Backend: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def items(self) -> ItemStore: ...

    @property
    def vectors(self) -> VectorIndex | None: ...

    @property
    def transfer(self) -> Transfer: ...

    @property
    def notes(self) -> Notes: ...

    @property
    def learner(self) -> Learner | None:
        """The learner that lives in this place, for where the application names none; None when it brings none."""
        ...

    def recorded_settings(self) -> dict[str, Any] | None:
        """What `record_settings` was given last of each name; None before."""
        ...

    def record_settings(self, settings: Mapping[str, Any]) -> None:
        """Keep the values of a JSON object, each in place of the one before under its name, for whoever opens this
        place by its URL alone. Other names stay, also where several processes record at once."""
        ...

    def examine(self, *, fix: bool = False) -> Sequence[Finding]:
        """What there is to say about this place, for `ai-memory doctor`. With *fix* it repairs what can be repaired
        without asking. An outage is a finding, not an error."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Learner(Protocol):
    """Turns messages into edits. It may be called again for the same batch; its effects are recorded once."""

    @property
    def name(self) -> str:
        """Recorded with waiting messages: only a learner of the same name takes them."""
        ...

    @property
    def policy(self) -> LearningPolicy:
        """When its runs are due, unless the application says otherwise."""
        ...

    def learn(self, blocks: Sequence[Block], messages: Sequence[Message]) -> Learned | Sequence[Edit]: ...


@runtime_checkable
class RunLearner(Learner, Protocol):
    """A learner that has to know the run it works on, because something elsewhere remembers having been asked.

    The blocks it is given are what the journal's database knows, not read anew.
    """

    def learn_run(self, run: Run, blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        """As `learn`, which is not called. Called again for the same run it finds what it began."""
        ...


@runtime_checkable
class ContextLearner(Learner, Protocol):
    """A learner that reads its batch better when it knows what was said directly before: "Lisbon" answers a question.

    In most applications a batch is one turn, and the question stands in the batch before.
    """

    def learn_after(self, before: Sequence[Message], blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        """As `learn`, which is not called. *before* are the last messages of the batch's threads that can still be
        read, a few of each, in order. They were learnt before: no edit may say what they alone say."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Texts to vectors. `name` says model and revision: vectors of different names are never compared."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def __call__(self, texts: Sequence[str]) -> Sequence[Sequence[float]]: ...
