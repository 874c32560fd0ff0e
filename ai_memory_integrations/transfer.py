"""A subject as JSON records and back: what `ai-memory export` and `ai-memory import` stand on.

The first record is the header, with the version of this format and how many records of each type follow; then come
the subject, its blocks with every version, runs, messages and passages, in their order. Every record has a `type`; its
other keys are the fields of the value of that name in `ai_memory_integrations.types`. A message also says whether it
is `visible`, what learning has to do with it (`state`) and in which run (`run_id`). Vectors are left out: they are made
anew from the texts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError

from ai_memory_integrations.door import check_id, check_json, check_label
from ai_memory_integrations.errors import InvalidInputError, SubjectNotFoundError
from ai_memory_integrations.ports import KeptMessage, LearningState, SubjectRecords
from ai_memory_integrations.subjects import SubjectId, subject_id_of
from ai_memory_integrations.types import Block, BlockVersion, Message, Passage, Run, Subject, Value

if TYPE_CHECKING:
    from ai_memory_integrations.memory import Memory

FORMAT = "ai-memory-subject"
VERSION = 1

_M = TypeVar("_M", bound=BaseModel)
_DELETED = "\x7f"  # what a store keeps of a deleted thread until it is learnt begins so
_NOT_KEPT = {"score", "explanation"}  # they belong to a search


class Imported(Value):
    """What an import added; what was there already is not counted."""

    subject_id: str
    blocks: int = 0
    messages: int = 0
    passages: int = 0
    runs: int = 0


class TransferError(InvalidInputError):
    """Records are no export of this package, or not all of one; nothing was written."""


def export_subject(memory: Memory, subject_id: SubjectId | None = None) -> Iterator[dict[str, Any]]:
    """Everything about a subject, given or bound, as records that JSON can hold; read whole before the first one.

    Raises: SubjectNotFoundError.
    """
    subject = memory._subject(subject_id)
    found = memory._core.store.transfer.read(subject)
    if found is None:
        raise SubjectNotFoundError(subject)
    yield _header(found)
    yield _record("subject", found.subject)
    for block in found.blocks:
        yield _record("block", block)
        yield from (_record("block_version", version) for version in found.versions if version.block_id == block.id)
    yield from (_record("run", run, exclude={"subject_id"}) for run in found.runs)
    for kept in found.messages:
        yield _record("message", kept.message) | {"state": kept.state, "visible": kept.visible, "run_id": kept.run_id}
    yield from (_record("passage", passage, exclude=_NOT_KEPT) for passage in found.passages)


def import_subject(memory: Memory, records: Iterable[Mapping[str, Any]], *, merge: bool = False) -> Imported:
    """Add an exported subject, whole or not at all. With *merge* one that is there gets what it lacks and keeps what
    it has; a message whose id it knows is not learnt again.

    Raises: TransferError, SubjectExistsError without *merge*.
    """
    taken = _taken(records)
    core = memory._core
    added = core.store.transfer.write(taken, merge=merge)
    if added.passages and core.indexer is not None:
        core.indexer.added()
    return Imported(
        subject_id=taken.subject.subject_id,
        blocks=len(added.blocks),
        messages=len(added.messages),
        passages=len(added.passages),
        runs=len(added.runs),
    )


def to_lines(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Each record as a line of JSON, with its line break."""
    for record in records:
        yield json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def from_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The records on lines of JSON; empty lines are skipped, and a byte order mark that an editor put before the first.
    Raises: TransferError, which names the line."""
    for number, line in enumerate(lines, 1):
        text = line.removeprefix("\ufeff") if number == 1 else line
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except ValueError as error:
            raise TransferError(f"line {number} is not JSON: {error}") from error
        except RecursionError:
            raise TransferError(f"line {number} is nested deeper than any record of `ai-memory export`") from None
        if not isinstance(record, dict):
            raise TransferError(f"line {number} is not an object; is it a file of `ai-memory export`?")
        yield record


def _header(found: SubjectRecords) -> dict[str, Any]:
    return {
        "type": "header",
        "format": FORMAT,
        "version": VERSION,
        "records": {
            "block": len(found.blocks),
            "block_version": len(found.versions),
            "run": len(found.runs),
            "message": len(found.messages),
            "passage": len(found.passages),
        },
    }


def _record(kind: str, value: BaseModel, *, exclude: set[str] | None = None) -> dict[str, Any]:
    return {"type": kind, **value.model_dump(mode="json", exclude=exclude)}


def _taken(records: Iterable[Mapping[str, Any]]) -> SubjectRecords:
    each = iter(records)
    expected = _checked_header(next(each, None))
    subject: Subject | None = None
    found: dict[str, list[Any]] = {kind: [] for kind in _READERS}
    for number, record in enumerate(each, 2):
        place = f"record {number}"
        if not isinstance(record, Mapping):
            raise TransferError(f"{place} is {type(record).__name__}, not an object of `ai-memory export`")
        fields = _checked_fields(record, place)
        kind = fields.pop("type", None)
        if kind == "subject" and subject is None:
            subject = _parsed(Subject, fields, place)
            subject_id_of(subject.subject_id)
        elif isinstance(kind, str) and kind in _READERS and subject is not None:
            found[kind].append(_READERS[kind](fields, place, subject))
        else:
            raise TransferError(
                f"{place} has the type {kind!r}, which does not belong there: a file holds one header, one subject, "
                f"then {', '.join(_READERS)}"
            )
    _check_whole(expected, found, subject)
    return SubjectRecords(
        subject=cast("Subject", subject),
        blocks=tuple(found["block"]),
        versions=tuple(found["block_version"]),
        runs=tuple(found["run"]),
        messages=tuple(found["message"]),
        passages=tuple(found["passage"]),
    )


def _checked_fields(record: Mapping[str, Any], place: str) -> dict[str, Any]:
    fields: dict[str, Any] = check_json(dict(record), place)
    for name, value in fields.items():
        if isinstance(value, int) and not 0 <= value < 2**63:
            raise TransferError(f"{place}: {name} is {value:.3g}, which nothing of the kind can be")
    return fields


def _checked_header(header: Mapping[str, Any] | None) -> Mapping[str, int]:
    if not isinstance(header, Mapping) or header.get("format") != FORMAT:
        raise TransferError("this is no export of a subject: its first record is no header of `ai-memory export`")
    if header.get("version") != VERSION:
        raise TransferError(
            f"this export has format version {header.get('version')!r}, this release reads {VERSION}. Upgrade: "
            "pip install -U ai-memory-integrations"
        )
    records = header.get("records")
    return records if isinstance(records, Mapping) else {}


def _check_whole(expected: Mapping[str, int], found: Mapping[str, list[Any]], subject: Subject | None) -> None:
    if subject is None:
        raise TransferError("this export is cut short: it has no subject")
    for kind in found:
        if len(found[kind]) != expected.get(kind):
            raise TransferError(
                f"this export is not whole: its header names {expected.get(kind)} records of type {kind!r}, "
                f"there are {len(found[kind])}. Nothing was imported."
            )
    _check_references(found)


def _check_references(found: Mapping[str, list[Any]]) -> None:
    runs = {run.id for run in found["run"]}
    blocks = {block.id: block for block in found["block"]}
    twice = [
        (kind, name)
        for kind, names in (
            ("block", Counter(block.label for block in found["block"])),
            ("run", Counter(run.id for run in found["run"])),
            ("message", Counter((kept.message.thread_id, kept.message.id) for kept in found["message"])),
            ("passage", Counter(passage.id for passage in found["passage"])),
        )
        for name, count in names.items()
        if count > 1
    ]
    if twice:
        raise TransferError(f"the {twice[0][0]} {twice[0][1]!r} is there twice")
    for kept in found["message"]:
        if kept.state == "waiting" and kept.run_id not in runs:
            raise TransferError(f"the message {kept.message.id!r} waits in run {kept.run_id!r}, which is not there")
    known: set[tuple[str, int]] = set()
    for version in found["block_version"]:
        if version.block_id not in blocks:
            raise TransferError(f"a version of the block {version.label!r} belongs to no block that is there")
        if version.version > (current := blocks[version.block_id].version):  # the next one written would be it again
            raise TransferError(
                f"the history of the block {version.label!r} has version {version.version}, newer than the block, "
                f"which has {current}"
            )
        if (version.block_id, version.version) in known:
            raise TransferError(f"version {version.version} of the block {version.label!r} is there twice")
        known.add((version.block_id, version.version))


def _read_run(fields: dict[str, Any], place: str, subject: Subject) -> Run:
    return _parsed(Run, {**fields, "subject_id": subject.subject_id}, place)


def _read_message(fields: dict[str, Any], place: str, subject: Subject) -> KeptMessage:
    state, visible, run_id = (fields.pop(key, None) for key in ("state", "visible", "run_id"))
    if state not in get_args(LearningState) or not isinstance(visible, bool) or not isinstance(run_id, str | None):
        raise TransferError(f"{place}: state is one of {', '.join(get_args(LearningState))}, visible is true or false")
    message = _parsed(Message, fields, place)
    if message.received_at is None:
        raise TransferError(f"{place}: a message without received_at")
    if not message.thread_id.startswith(_DELETED):
        check_id(message.thread_id, f"{place}: thread_id")
        check_id(message.id, f"{place}: id")
    return KeptMessage(message, state=state, visible=visible, run_id=run_id)


def _read_block(fields: dict[str, Any], place: str, subject: Subject) -> Block:
    block = _parsed(Block, fields, place)
    if block.created_at is None or block.updated_at is None:
        raise TransferError(f"{place}: a block without created_at or updated_at")
    check_label(block.label)  # it becomes a tag in prompts
    if block.limit < 1:
        raise TransferError(f"{place}: the limit of block {block.label!r} is {block.limit}")
    return block


def _read_version(fields: dict[str, Any], place: str, subject: Subject) -> BlockVersion:
    return _parsed(BlockVersion, fields, place)


def _read_passage(fields: dict[str, Any], place: str, subject: Subject) -> Passage:
    return _parsed(Passage, fields, place)


_READERS: dict[str, Callable[[dict[str, Any], str, Subject], Any]] = {
    "block": _read_block,
    "block_version": _read_version,
    "run": _read_run,
    "message": _read_message,
    "passage": _read_passage,
}


def _parsed(model: type[_M], fields: Mapping[str, Any], place: str) -> _M:
    try:
        value = model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TransferError(f"{place}: {where}: {first['msg']}") from error
    for name in model.model_fields:
        moment = getattr(value, name)
        if isinstance(moment, datetime) and moment.utcoffset() is None:
            raise TransferError(f"{place}: {name} has no time zone")
    return value
