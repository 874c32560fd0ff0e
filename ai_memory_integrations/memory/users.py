"""The AI Memory SDK's helpers for users: the blocks `human` and `summary`."""

from __future__ import annotations

from ai_memory_integrations.core import HUMAN, SUMMARY
from ai_memory_integrations.door import check_limit, check_text
from ai_memory_integrations.memory.subjects import SubjectMethods
from ai_memory_integrations.prompt import render_block, render_summary
from ai_memory_integrations.subjects import SubjectId
from ai_memory_integrations.types import BlockSpec


class UserMethods(SubjectMethods):
    """A user's memory by the AI Memory SDK's names."""

    def initialize_user_memory(
        self,
        user_id: SubjectId | None = None,
        user_context_block_prompt: str = HUMAN.description,
        user_context_block_char_limit: int = HUMAN.limit,
        user_context_block_value: str = "",
        summary_block_prompt: str = SUMMARY.description,
        summary_block_char_limit: int = SUMMARY.limit,
        reset: bool = False,
        *,
        summary_block_value: str = "",
    ) -> str:
        """Make a subject with the blocks `human` and `summary`; its agent's id. With *reset* the blocks of one that is
        there start afresh; messages not yet learnt are learnt into the new ones. Called right after `get_user_memory`
        found nothing, it keeps what was learnt between the two calls.

        Raises: SubjectExistsError, BlockLimitError.
        """
        human = BlockSpec(
            label="human",
            description=check_text(user_context_block_prompt, "user_context_block_prompt"),
            limit=check_limit(user_context_block_char_limit),
            value=check_text(user_context_block_value, "user_context_block_value"),
        )
        summary = BlockSpec(
            label="summary",
            description=check_text(summary_block_prompt, "summary_block_prompt"),
            limit=check_limit(summary_block_char_limit),
            value=check_text(summary_block_value, "summary_block_value"),
        )
        return self._begin(self._subject(user_id), (human, summary), reset=reset)

    def get_user_memory(self, user_id: SubjectId | None = None, prompt_formatted: bool = False) -> str | None:
        """The block `human`, or None."""
        subject = self._subject(user_id)
        block = self.get_block("human", subject)
        self._core.looks.note(subject, block)
        if block is None:
            return None
        return render_block(block) if prompt_formatted else block.value

    def get_summary(self, user_id: SubjectId | None = None, prompt_formatted: bool = False) -> str | None:
        """The block `summary`, or None; formatted as `<conversation_summary>`."""
        block = self.get_block("summary", user_id)
        if block is None:
            return None
        return render_summary(block) if prompt_formatted else block.value
