"""Subjects and the agents behind them."""

from __future__ import annotations

from collections.abc import Sequence

from ai_memory_integrations.door import optional_count, optional_id
from ai_memory_integrations.errors import SubjectExistsError
from ai_memory_integrations.memory.blocks import BlockMethods
from ai_memory_integrations.subjects import SubjectId
from ai_memory_integrations.types import BlockSpec, ErasureReceipt, Subject


class SubjectMethods(BlockMethods):
    """Making, finding and erasing subjects."""

    def initialize_subject(self, subject_id: SubjectId | None = None, reset: bool = False) -> str:
        """Make a subject without blocks; its agent's id. With *reset* one that is there starts with no blocks;
        messages not yet learnt, threads and passages stay.

        Raises: SubjectExistsError.
        """
        return self._begin(self._subject(subject_id), (), reset=reset)

    def ensure_subject(self, subject_id: SubjectId | None = None) -> str:
        """The id of the agent behind a subject; a new one begins with the blocks that `blocks=` names."""
        subject, _ = self._core.store.backend.create_subject(self._subject(subject_id), self._core.blocks)
        return subject.agent_id

    def get_memory_agent_id(self, user_id: SubjectId | None = None) -> str | None:
        """The id of the agent behind a subject; None when it is not known."""
        known = self._core.store.backend.get_subject(self._subject(user_id))
        return None if known is None else known.agent_id

    def list_subjects(self, *, limit: int | None = None, after: str | None = None) -> list[Subject]:
        """Subjects in the order of their ids, those behind *after*."""
        return self._core.store.backend.list_subjects(limit=optional_count(limit), after=optional_id(after, "after"))

    def delete_subject(self, subject_id: SubjectId | None = None) -> ErasureReceipt | None:
        """Erase everything about a subject; what was removed, or None when it is not known."""
        subject = self._subject(subject_id)
        receipt = self._core.store.backend.delete_subject(subject)
        self._core.directory.forget(subject)
        return receipt

    def delete_user(self, user_id: SubjectId | None = None) -> ErasureReceipt | None:
        """`delete_subject` by the AI Memory SDK's name."""
        return self.delete_subject(user_id)

    def _begin(self, subject_id: str, blocks: Sequence[BlockSpec], *, reset: bool) -> str:
        store = self._core.store
        subject, created = store.backend.create_subject(subject_id, blocks)
        if created:
            return subject.agent_id
        if not reset:
            raise SubjectExistsError(subject_id, subject.agent_id)
        with store.journal.transaction():
            # "Empty, so reset" is the SDK's own idiom: what was learnt since that look is not what it means to lose.
            if blocks and self._core.looks.found_empty(subject_id) and self.get_memory("human", subject_id=subject_id):
                return subject.agent_id
            for block in store.backend.list_blocks(subject_id):
                store.backend.delete_block(subject_id, block.label)
            for spec in blocks:
                store.backend.create_block(subject_id, spec)
        return subject.agent_id
