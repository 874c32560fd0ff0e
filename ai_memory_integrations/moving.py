"""Subjects from one memory into another, whatever each of them is kept in, and the settings recorded there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ai_memory_integrations.errors import AIMemoryError, SubjectNotFoundError
from ai_memory_integrations.recorded import same_setting
from ai_memory_integrations.subjects import SubjectId, subject_id_of
from ai_memory_integrations.types import Value

if TYPE_CHECKING:
    from ai_memory_integrations.memory import Memory
    from ai_memory_integrations.ports import Store, SubjectRecords

State = Literal["moved", "there", "failed"]


class Moved(Value):
    """What became of one subject: `there` is one that the target had already and that was left as it is; `error` says
    why one failed. The counts are of what was added."""

    subject_id: str
    state: State
    blocks: int = 0
    messages: int = 0
    passages: int = 0
    runs: int = 0
    error: str | None = None


class MovedSetting(Value):
    """What became of a setting that the source has recorded, by its name and its value there: `there` is one that the
    target says the same of, `kept` one that it says otherwise of, as `found`, and keeps."""

    name: str
    state: Literal["moved", "there", "kept"]
    value: Any
    found: Any = None


def move_settings(source: Memory, target: Memory, *, dry_run: bool = False) -> list[MovedSetting]:
    """Record in the target what applications said of their memory in the source (`blocks=`, `learning=`), so that who
    opens it there by its URL alone opens it as before. What became of each, by name; [] where nobody said anything.

    What an application said in the target wins. With *dry_run* everything is read and nothing written.
    """
    wanted: Any = source._core.store.recorded_settings()
    if not isinstance(wanted, dict) or not wanted:
        return []
    store = target._core.store
    if dry_run:
        return _settled(wanted, store)
    with store.journal.transaction():
        store.record_settings({})  # whoever else records waits until this is done
        done = _settled(wanted, store)
        if moved := {each.name: each.value for each in done if each.state == "moved"}:
            store.record_settings(moved)
    return done


def _settled(wanted: dict[str, Any], store: Store) -> list[MovedSetting]:
    found = store.recorded_settings() or {}
    done = []
    for name, value in sorted(wanted.items()):
        if value is None:
            continue
        if found.get(name) is None:
            done.append(MovedSetting(name=name, state="moved", value=value))
        else:
            state: Literal["there", "kept"] = "there" if same_setting(name, value, found[name]) else "kept"
            done.append(MovedSetting(name=name, state=state, value=value, found=found[name]))
    return done


def move_subjects(
    source: Memory,
    target: Memory,
    subject_ids: Iterable[SubjectId] | None = None,
    *,
    merge: bool = False,
    dry_run: bool = False,
    on_moved: Callable[[Moved], None] | None = None,
) -> list[Moved]:
    """Copy subjects, all or those named, with blocks, histories, messages, runs and passages; the source stays as it
    is. What became of each, in the order of their ids or as named.

    Each subject is written whole or not at all, so that what was broken off can be run again: subjects that are there
    are left alone, or with *merge* get what they lack. What was still to be learnt waits for the target's learner. With
    *dry_run* everything is read and nothing written. *on_moved* is told of each subject when it is done.

    Raises: SubjectNotFoundError for one that was named and is not in the source; nothing is written then.
    """
    if subject_ids is None:
        names = [subject.subject_id for subject in source.list_subjects()]
    else:
        names = [subject_id_of(each) for each in subject_ids]
        for name in names:
            if source.get_memory_agent_id(name) is None:
                raise SubjectNotFoundError(name)
    done = []
    for name in names:
        try:
            moved = _move(source, target, name, merge=merge, dry_run=dry_run)
        except AIMemoryError as error:  # the others can still be moved, and this one again
            moved = Moved(subject_id=name, state="failed", error=str(error))
        done.append(moved)
        if on_moved is not None:
            on_moved(moved)
    return done


def _move(source: Memory, target: Memory, name: str, *, merge: bool, dry_run: bool) -> Moved:
    records = source._core.store.transfer.read(name)
    if records is None:
        raise SubjectNotFoundError(name)
    if not merge and target.get_memory_agent_id(name) is not None:
        return Moved(subject_id=name, state="there")
    if not dry_run:
        records = target._core.store.transfer.write(_for_learner(records, target._core.learner.name), merge=merge)
        if records.passages and target._core.indexer is not None:
            target._core.indexer.added()
    return Moved(
        subject_id=name,
        state="moved",
        blocks=len(records.blocks),
        messages=len(records.messages),
        passages=len(records.passages),
        runs=len(records.runs),
    )


def _for_learner(records: SubjectRecords, learner: str) -> SubjectRecords:
    """The same records, with what is still to be learnt put up for *learner*."""
    runs = (run if run.ended else run.model_copy(update={"learner": learner}) for run in records.runs)
    return replace(records, runs=tuple(runs))
