"""Archival memory as a LangChain retriever, and its documents as text for a prompt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from pydantic import ConfigDict, Field

from ai_memory_integrations.langchain_callers import subject_of
from ai_memory_integrations.memory import Memory, checked_memory
from ai_memory_integrations.prompt import render_blocks, render_prompt
from ai_memory_integrations.subjects import SubjectSource, check_source
from ai_memory_integrations.types import Block, Passage


class CoreMemoryRetriever(BaseRetriever):
    """Documents from a subject's memory, best match first.

    Without *subject* it is the memory's, filled from the config of each call. *k* is how many at most. *tags* None
    means what users said and what was archived, [] everything, else any of the tags; *filter* must be equal in every
    key given; *after* <= time < *before*. With *include_blocks* the blocks come first, beyond *k*. All of them but
    *subject* may also be given to `invoke`. A document has a stable `id`; its metadata is the passage's own with
    `memory_kind` ("passage" or "block"), `score` (0..1, comparable within one result) and where it comes from.

    Raises: NoSubjectError, SubjectMismatchError, InvalidInputError for naive times; BackendError.
    """

    model_config = ConfigDict(extra="forbid")  # a misspelt option must not be dropped in silence

    memory: Memory = Field(repr=False, exclude=True)
    subject: Any = None
    k: int = Field(default=5, ge=0)
    filter: dict[str, Any] | None = None
    after: datetime | None = None
    before: datetime | None = None
    thread_id: str | None = None
    include_blocks: bool = False

    def __init__(
        self,
        memory: Memory,
        subject: SubjectSource | None = None,
        k: int = 5,
        tags: list[str] | None = None,
        **options: Any,
    ) -> None:
        checked_memory(memory)
        if subject is not None:
            check_source(subject)
        fields: dict[str, Any] = {"memory": memory, "subject": subject, "k": k, "tags": tags}
        super().__init__(**fields, **options)

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:
        # The hooks below get no config: it is carried among the arguments.
        return super().invoke(input, config, **{**kwargs, "called_with": config})

    async def ainvoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:
        return await super().ainvoke(input, config, **{**kwargs, "called_with": config})

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        called_with: RunnableConfig | None = None,
        **options: Any,
    ) -> list[Document]:
        return self._documents(query, called_with, k=k, **options)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        called_with: RunnableConfig | None = None,
        **options: Any,
    ) -> list[Document]:
        return await self.memory.aio.run(self._documents, query, called_with, k=k, **options)

    def _documents(
        self, query: str, config: RunnableConfig | None, *, k: int | None = None, **options: Any
    ) -> list[Document]:
        subject_id = subject_of(self.memory, self.subject, config)
        memory = self.memory.for_subject(subject_id)
        asked = {name: options.pop(name, getattr(self, name)) for name in _OPTIONS}
        if options:
            raise TypeError(f"the retriever takes k, {', '.join(_OPTIONS)}, not {', '.join(sorted(options))}")
        blocks = memory.list_blocks() if asked.pop("include_blocks") else []
        metadata = asked.pop("filter")
        passages = memory.search_passages(query, limit=self.k if k is None else k, metadata=metadata, **asked)
        return [*map(_block_document, blocks), *map(_passage_document, passages)]


_OPTIONS = ("tags", "filter", "after", "before", "thread_id", "include_blocks")
KIND = "memory_kind"
_BLOCK_FACTS = ("label", "description", "limit", "version")


def format_documents(documents: Iterable[Document]) -> str:
    """Documents of any retriever as text for a prompt: blocks, then passages; "" for none. Escaped: it is data."""
    documents = list(documents)
    blocks = [_block(each) for each in documents if _is_block(each)]
    return render_prompt(blocks, [_passage(each) for each in documents if not _is_block(each)])


def format_blocks(blocks: Iterable[Block | Document]) -> str:
    """Blocks, or the blocks among documents, as text for a prompt; "" for none. Escaped: it is data."""
    given = [each for each in blocks if isinstance(each, Block) or _is_block(each)]
    return render_blocks(each if isinstance(each, Block) else _block(each) for each in given)


def _is_block(document: Document) -> bool:
    return document.metadata.get(KIND) == "block"


def _passage_document(passage: Passage) -> Document:
    about = passage.model_dump(mode="json", include={"score", "role", "name", "thread_id", "message_id", "created_at"})
    known = {key: value for key, value in about.items() if value is not None}
    metadata = {**passage.metadata, KIND: "passage", "tags": list(passage.tags), **known}
    return Document(id=passage.id, page_content=passage.text, metadata=metadata)


def _block_document(block: Block) -> Document:
    metadata = {KIND: "block", **{name: getattr(block, name) for name in _BLOCK_FACTS}}
    return Document(id=block.id, page_content=block.value, metadata=metadata)


def _block(document: Document) -> Block:
    facts = {name: document.metadata[name] for name in _BLOCK_FACTS if name in document.metadata}
    return Block(id=document.id or "", value=document.page_content, **facts)


def _passage(document: Document) -> Passage:
    about = document.metadata
    if about.get(KIND) != "passage":
        return Passage(text=document.page_content)
    facts = {name: about.get(name) for name in ("role", "name", "created_at")}
    return Passage.model_validate({"text": document.page_content, **facts})
