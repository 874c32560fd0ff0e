"""Memory as text for a prompt."""

from __future__ import annotations

from ai_memory_integrations.memory.archive import ArchiveMethods
from ai_memory_integrations.prompt import render_blocks, render_passages
from ai_memory_integrations.recalling import excerpt
from ai_memory_integrations.subjects import SubjectId


class PromptMethods(ArchiveMethods):
    """Blocks and recalled passages as text."""

    def prompt(self, subject_id: SubjectId | None = None, query: str | None = None, *, limit: int = 5) -> str:
        """All blocks as text for the system prompt; with *query* also the passages that match it. "" for nothing.

        The same blocks give the same bytes. Text from memory is escaped: it is data, not markup.
        """
        subject = self._subject(subject_id)
        blocks = render_blocks(self._core.store.backend.list_blocks(subject))
        if not query:
            return blocks
        return "\n\n".join(filter(None, (blocks, self.recall(subject, query, limit=limit))))

    def recall(
        self,
        user_id: SubjectId | None = None,
        query: str | None = None,
        *,
        limit: int = 5,
        subject_id: SubjectId | None = None,
    ) -> str:
        """The passages that match *query*, as text for a prompt; "" when there are none. Of a long one the part that
        fits best, with "…" for the rest; `search_passages` has it whole."""
        subject, text = self._asked(user_id, query, subject_id)
        found = self.search_passages(text, limit=limit, subject_id=subject)
        return render_passages(excerpt(passage, text) for passage in found)
