"""Archival memory: passages that search brings back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.door import (
    as_passages,
    aware,
    check_count,
    check_tags,
    check_text,
    json_object,
    optional_count,
    optional_id,
    wanted_id,
)
from ai_memory_integrations.errors import ConfigurationError, InvalidInputError
from ai_memory_integrations.memory.bound import Bound
from ai_memory_integrations.subjects import SubjectId
from ai_memory_integrations.types import Metadata, Passage, PassageQuery, Role

if TYPE_CHECKING:
    from ai_memory_integrations.files import FilesAdded, FileSpec, OnProgress

SDK_TAG = "ai-memory-sdk"


class ArchiveMethods(Bound):
    """Searching, adding and removing passages."""

    def search(
        self,
        user_id: SubjectId | None = None,
        query: str | None = None,
        tags: Sequence[str] | None = None,
        limit: int = 10,
        *,
        subject_id: SubjectId | None = None,
    ) -> list[str]:
        """Texts that were said or archived, best match first; [] when nothing is found.

        *tags* None means what users said and what was archived, [] everything; else any of the tags (messages carry
        their role as a tag).
        """
        subject, text = self._asked(user_id, query, subject_id)
        found = self.search_passages(text, tags=tags, limit=limit, subject_id=subject)
        return [passage.text for passage in found]

    def search_passages(
        self,
        query: str = "",
        *,
        tags: Sequence[str] | None = None,
        after: datetime | str | None = None,
        before: datetime | str | None = None,
        thread_id: str | None = None,
        metadata: Metadata | None = None,
        limit: int = 10,
        explain: bool = False,
        subject_id: SubjectId | None = None,
    ) -> list[Passage]:
        """Passages, best match first, with their scores; an empty *query* gives the newest first.

        *tags* as in `search`; *after* <= `created_at` < *before*; *metadata* must be equal in every key given.
        With *explain* each says what its score is made of.

        Raises: InvalidInputError for naive times and wrong values.
        """
        wanted, roles = _tag_filter(tags)
        asked = PassageQuery(
            text=check_text(query, "query"),
            limit=check_count(limit, "limit"),
            tags=wanted,
            roles=roles,
            after=None if after is None else aware(after, "after"),
            before=None if before is None else aware(before, "before"),
            thread_id=optional_id(thread_id, "thread_id"),
            metadata={} if metadata is None else json_object(metadata, "metadata"),
            explain=bool(explain),
        )
        subject = self._subject(subject_id)
        return self._core.store.backend.search_passages(subject, asked, vector=self._query_vector(subject, asked.text))

    def _query_vector(self, subject: str, text: str) -> Sequence[float] | None:
        indexer = self._core.indexer
        if indexer is None or not text.strip():
            return None
        return indexer.query_vector(text, self._core.store.backend.speakers(subject))

    def add_passages(
        self, passages: Iterable[str | Mapping[str, Any] | Passage], *, subject_id: SubjectId | None = None
    ) -> list[str]:
        """Archive texts; their ids in the same order. One whose `id` is there already replaces it.

        Raises: InvalidInputError and nothing is written.
        """
        subject = self._subject(subject_id)
        core = self._core
        now = datetime.now(UTC)
        taken = [
            passage if passage.created_at is not None else passage.model_copy(update={"created_at": now})
            for passage in as_passages(passages)
        ]
        if core.indexer is not None:
            core.indexer.prepare()
        with core.store.journal.transaction():
            core.store.backend.create_subject(subject, core.blocks)
            ids = core.store.backend.add_passages(subject, taken)
        if ids and core.indexer is not None:
            core.indexer.added()
        return ids

    def add_files(
        self,
        paths: Iterable[FileSpec],
        *,
        subject_id: SubjectId | None = None,
        tags: Sequence[str] = (),
        on_progress: OnProgress | None = None,
    ) -> FilesAdded:
        """Archive text and Markdown files in parts, with their headings; what that added, file by file.

        A path is a file, or a directory, of which the `.txt`, `.md` and `.markdown` files are taken; or a dict with
        `path`, the `label` that passages name as their `source` (else the path as given) and a `description`. A file
        that is there already is not added again, one that changed replaces its passages, each file whole or not at
        all. *on_progress* is told of every file when it begins and of every thousand parts written.

        Raises: InvalidInputError for what is missing or no UTF-8 text; nothing is written then.
        """
        from ai_memory_integrations.files import add_files

        return add_files(self._core, self._subject(subject_id), paths, tags=tags, on_progress=on_progress)

    def get_passage(self, passage_id: str, *, subject_id: SubjectId | None = None) -> Passage | None:
        """A passage, or None."""
        return self._core.store.backend.get_passage(self._subject(subject_id), wanted_id(passage_id, "passage_id"))

    def list_passages(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        tags: Sequence[str] | None = None,
        subject_id: SubjectId | None = None,
    ) -> list[Passage]:
        """Passages in the order they came, those behind the id *after*; with *tags* those that have any of them."""
        return self._core.store.backend.list_passages(
            self._subject(subject_id),
            limit=optional_count(limit),
            after=optional_id(after, "after"),
            tags=None if tags is None else check_tags(tags),
        )

    def delete_passage(self, passage_id: str, *, subject_id: SubjectId | None = None) -> bool:
        """False when it was not there."""
        wanted = [wanted_id(passage_id, "passage_id")]
        return self._core.store.backend.delete_passages(self._subject(subject_id), wanted) > 0

    def reindex(self) -> None:
        """Make this memory's embedder the store's: every vector is made anew in the background, `drain` waits for it.

        Raises: ConfigurationError without an embedder.
        """
        if self._core.indexer is None:
            raise ConfigurationError(
                "there is no embedder to index with: pip install 'ai-memory-integrations[embeddings]', "
                "or pass embedder="
            )
        self._core.indexer.reindex()
        self._core.indexer.added()

    def _asked(self, user_id: SubjectId | None, query: str | None, subject_id: SubjectId | None) -> tuple[str, str]:
        if query is None and isinstance(user_id, str) and (subject_id is not None or self._bound is not None):
            user_id, query = None, user_id
        if query is None:
            raise InvalidInputError("query must be given: search(user_id, query), or search(query=...) when bound")
        return self._named(user_id, subject_id), query


def _tag_filter(tags: Sequence[str] | None) -> tuple[tuple[str, ...] | None, tuple[Role | None, ...] | None]:
    """The AI Memory SDK's meaning of tags: None is what users said and what was archived, [] everything. Its own tag
    stands on every message."""
    if tags is None:
        return None, ("user", None)
    wanted = tuple(tag for tag in check_tags(tags) if tag != SDK_TAG)
    if wanted:
        return wanted, None
    return None, ("user", "assistant") if tags else None
