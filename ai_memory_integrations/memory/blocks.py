"""Blocks: named, limited text that is always in the prompt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ai_memory_integrations.door import aware, check_actor, check_count, check_label, check_limit, check_text
from ai_memory_integrations.errors import (
    BlockNotFoundError,
    InvalidInputError,
    SubjectNotFoundError,
    VersionConflictError,
)
from ai_memory_integrations.learning import edits
from ai_memory_integrations.memory.bound import Bound
from ai_memory_integrations.ports import Change
from ai_memory_integrations.prompt import render_block
from ai_memory_integrations.subjects import SubjectId
from ai_memory_integrations.types import DEFAULT_BLOCK_LIMIT, Actor, Block, BlockSpec, BlockVersion


class BlockMethods(Bound):
    """Making, reading and changing blocks."""

    def initialize_memory(
        self,
        label: str,
        description: str = "",
        value: str = "",
        char_limit: int = DEFAULT_BLOCK_LIMIT,
        reset: bool = False,
        subject_id: SubjectId | None = None,
        *,
        read_only: bool = False,
    ) -> str:
        """Make a block, and its subject when that is new; the block's id. One that is there is left as it is, or
        replaced by a new one with *reset*. A *read_only* block is not written by learners and tools.

        Raises: BlockLimitError, InvalidInputError.
        """
        subject = self._subject(subject_id)
        spec = BlockSpec(
            label=check_label(label),
            description=check_text(description, "description"),
            value=check_text(value, "value"),
            limit=check_limit(char_limit),
            read_only=bool(read_only),
        )
        store = self._core.store
        with store.journal.transaction():
            store.backend.create_subject(subject)
            if reset:
                store.backend.delete_block(subject, label)
            block, _ = store.backend.create_block(subject, spec)
        return block.id

    def get_memory(self, label: str, prompt_formatted: bool = False, subject_id: SubjectId | None = None) -> str | None:
        """A block's value, or the block as it stands in a prompt; None when it is missing."""
        block = self.get_block(label, subject_id)
        if block is None:
            return None
        return render_block(block) if prompt_formatted else block.value

    def get_block(self, label: str, subject_id: SubjectId | None = None) -> Block | None:
        """A block with its description, limit and version; None when it is missing."""
        return self._core.store.backend.get_block(self._subject(subject_id), check_label(label))

    def list_blocks(self, subject_id: SubjectId | None = None) -> list[Block]:
        """All blocks: `human` and `summary` first, then by age; [] for an unknown subject."""
        return self._core.store.backend.list_blocks(self._subject(subject_id))

    def delete_block(self, label: str, subject_id: SubjectId | None = None) -> bool:
        """Remove a block with its history; False when it was not there."""
        return self._core.store.backend.delete_block(self._subject(subject_id), check_label(label))

    def update_memory(
        self,
        label: str,
        value: str,
        expected_version: int | None = None,
        subject_id: SubjectId | None = None,
        *,
        actor: Actor = "application",
    ) -> Block:
        """The block with its new value. With *expected_version* only if nobody changed it since. *actor* stands in
        the history.

        Raises: BlockNotFoundError, SubjectNotFoundError, BlockLimitError, VersionConflictError.
        """
        if expected_version is not None:
            expected_version = check_count(expected_version, "expected_version")
        return self._core.store.backend.write_block(
            self._subject(subject_id),
            check_label(label),
            check_text(value, "value"),
            expected_version=expected_version,
            change=Change(check_actor(actor)),
        )

    def append_memory(self, label: str, text: str, subject_id: SubjectId | None = None) -> Block:
        """The block with *text* on a line of its own at the end. Raises as `update_memory` does."""
        return self._edit(label, lambda value: edits.append(value, check_text(text, "text")), subject_id)

    def replace_memory(self, label: str, old: str, new: str, subject_id: SubjectId | None = None) -> Block:
        """The block with *new* where *old* stands; an empty *new* removes it.

        Raises: EditError when *old* is not there or stands there more than once; else as `update_memory`.
        """
        sought, put = check_text(old, "old"), check_text(new, "new")
        return self._edit(label, lambda value: edits.replace(label, value, sought, put), subject_id)

    def _edit(self, label: str, edit: Callable[[str], str], subject_id: SubjectId | None) -> Block:
        subject, backend = self._subject(subject_id), self._core.store.backend
        while True:
            block = self._existing_block(subject, check_label(label))
            try:
                return backend.write_block(subject, label, edit(block.value), expected_version=block.version)
            except VersionConflictError:  # somebody wrote it since: the edit is made again, on what they wrote
                continue

    def _existing_block(self, subject: str, label: str) -> Block:
        backend = self._core.store.backend
        block = backend.get_block(subject, label)
        if block is not None:
            return block
        if backend.get_subject(subject) is None:
            raise SubjectNotFoundError(subject)
        raise BlockNotFoundError(subject, label, [known.label for known in backend.list_blocks(subject)])

    def memory_history(self, label: str, subject_id: SubjectId | None = None) -> list[BlockVersion]:
        """The versions of a block, oldest first, with who wrote each, when and why; [] when it is missing."""
        return self._core.store.backend.block_history(self._subject(subject_id), check_label(label))

    def prune_history(
        self,
        subject_id: SubjectId | None = None,
        *,
        keep: int | None = None,
        before: datetime | None = None,
        dry_run: bool = False,
    ) -> int:
        """Remove old versions of blocks, of the subject given or bound, else of all; how many. Nothing else removes
        any, but what deletes a block or a subject.

        The newest *keep* of each block stay (the current one always), and those written since *before*; given both, a
        version stays for either reason. Versions keep their numbers. On Letta those stay as well that what is not yet
        the same in both places goes on from. With *dry_run* nothing is removed.

        Raises: InvalidInputError when neither is given, or *before* has no zone.
        """
        if keep is None and before is None:
            raise InvalidInputError("nothing says which versions stay: pass keep=, before= or both")
        subject = self._bound if subject_id is None else self._subject(subject_id)
        return self._core.store.journal.prune_history(
            subject,
            keep=1 if keep is None else check_count(keep, "keep", least=1),
            before=None if before is None else aware(before, "before"),
            dry_run=dry_run,
        )

    def restore_memory(self, label: str, version: int, subject_id: SubjectId | None = None) -> Block:
        """The block with the value it had at *version*, as a new version.

        Raises: InvalidInputError when there is no such version; BlockNotFoundError, SubjectNotFoundError.
        """
        subject = self._subject(subject_id)
        version = check_count(version, "version", least=1)
        backend = self._core.store.backend
        self._existing_block(subject, check_label(label))
        history = {each.version: each for each in backend.block_history(subject, label)}
        if version not in history:
            known = f"{min(history)} to {max(history)}" if history else "none"
            raise InvalidInputError(f"block {label!r} of subject {subject!r} has versions {known}, not {version!r}")
        return backend.write_block(subject, label, history[version].value, change=Change("restore"))
