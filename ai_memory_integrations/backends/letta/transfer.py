"""Whole subjects out of Letta with their journal, and into them."""

from __future__ import annotations

from dataclasses import replace

from ai_memory_integrations.backends.letta.backend import LettaBackend
from ai_memory_integrations.backends.letta.blocks import Blocks
from ai_memory_integrations.ports import Journal, SubjectRecords, Transfer


class LettaTransfer(Transfer):
    """`Transfer` of a Letta store: the record's, brought up to what Letta has and with the passages that are there.

    What is written goes to the record and is then sent; while Letta is away it waits there.
    """

    def __init__(self, record: Transfer, journal: Journal, backend: LettaBackend, blocks: Blocks) -> None:
        self._record = record
        self._journal = journal
        self._backend = backend
        self._blocks = blocks

    def read(self, subject_id: str) -> SubjectRecords | None:
        subject = self._backend.get_subject(subject_id)
        if subject is None:
            return None
        self._backend.list_blocks(subject_id)
        passages = tuple(self._backend.list_passages(subject_id))
        records = self._record.read(subject_id)
        return None if records is None else replace(records, passages=passages)

    def write(self, records: SubjectRecords, *, merge: bool = False) -> SubjectRecords:
        subject_id = records.subject.subject_id
        self._backend.get_subject(subject_id)  # one that only Letta knows is there, too
        known = {passage.id for passage in self._backend.list_passages(subject_id)} if merge else set()
        new = tuple(passage for passage in records.passages if passage.id not in known)
        with self._journal.transaction():
            written = self._record.write(replace(records, passages=new), merge=merge)
            self._blocks.wrote(subject_id)
        self._backend.send(subject_id)
        return written
