"""Text and Markdown files as passages: read, split into parts with their headings, kept up to date.

The id of a passage comes from the name of its file and the number of its part, so that a file is found again without
a search and adding it once more writes nothing.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.door import check_id, check_text
from ai_memory_integrations.errors import InvalidInputError
from ai_memory_integrations.parts import split
from ai_memory_integrations.types import Metadata, Passage, Value

if TYPE_CHECKING:
    from ai_memory_integrations.core import MemoryCore
    from ai_memory_integrations.ports import Store

FilePath = str | os.PathLike[str]
FileSpec = FilePath | Mapping[str, Any]

MARKDOWN = frozenset({".md", ".markdown"})
SUFFIXES = MARKDOWN | {".txt"}
"""What is taken from a directory. A file that is named itself may have any suffix."""

_PROGRESS_PARTS = 1000
_NAMESPACE = uuid.UUID("6f0d2a52-8f5b-5d0e-9f5e-3c1f6a0c9d11")


class FileAdded(Value):
    """What became of one file: counts of parts, and the ids of its passages in the order of the text."""

    source: str
    added: int
    unchanged: int
    removed: int
    passage_ids: tuple[str, ...]


class FilesAdded(Value):
    """What `add_files` did, files in the order they were read."""

    files: tuple[FileAdded, ...]

    @property
    def added(self) -> int:
        """Passages written: new ones, and those of files that changed."""
        return sum(file.added for file in self.files)

    @property
    def unchanged(self) -> int:
        """Passages that were there already."""
        return sum(file.unchanged for file in self.files)

    @property
    def removed(self) -> int:
        """Passages of files that are shorter now than they were."""
        return sum(file.removed for file in self.files)


class FileProgress(Value):
    """How far `add_files` is: `part` of `parts` of the file number `file` of `files` are written."""

    source: str
    file: int
    files: int
    part: int
    parts: int


OnProgress = Callable[[FileProgress], None]


@dataclass(frozen=True)
class SourceFile:
    """A file that is to be learnt. `source` is what passages say of where they come from."""

    path: Path
    source: str
    metadata: Metadata = field(default_factory=dict)


# which files


def find_files(paths: Iterable[FileSpec]) -> list[SourceFile]:
    """Files in the order given, those of a directory sorted by name; hidden ones are left out there.

    Raises: InvalidInputError, which names what cannot be read; no file has been learnt then.
    """
    if isinstance(paths, str | bytes | os.PathLike | Mapping):
        raise InvalidInputError(f"paths is one path: put it into a list, such as [{_shown(paths)!r}]")
    found: list[SourceFile] = []
    for place, given in enumerate(paths):
        found.extend(_expanded(_source_file(given, f"paths[{place}]")))
    first: dict[str, Path] = {}
    for file in found:
        if file.source in first:
            raise InvalidInputError(f"{file.path} and {first[file.source]} are both called {file.source!r}")
        first[file.source] = file.path
    for file in found:
        read_text(file)
    return found


def _source_file(given: FileSpec, name: str) -> SourceFile:
    if isinstance(given, str | os.PathLike):
        path = Path(_path_text(given, name))
        return SourceFile(path, path.as_posix())
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"{name} is {type(given).__name__}: pass a path, or a dict with 'path'")
    if unknown := sorted(map(str, given.keys() - {"path", "file_path", "label", "description"})):
        raise InvalidInputError(f"{name} has the unknown key {unknown[0]!r}: use path, label and description")
    named = [given[key] for key in ("path", "file_path") if given.get(key) is not None]
    if len(named) != 1:
        raise InvalidInputError(f"{name} has {'both' if named else 'neither'} 'path' and 'file_path': give one of them")
    path = Path(_path_text(named[0], name))
    label, description = given.get("label"), given.get("description")
    return SourceFile(
        path,
        path.as_posix() if label is None else check_text(label, f"{name}.label"),
        {} if description is None else {"description": check_text(description, f"{name}.description")},
    )


def _path_text(given: object, name: str) -> str:
    text = check_text(os.fspath(given) if isinstance(given, os.PathLike) else given, name)
    if not text.strip() or "\0" in text:
        raise InvalidInputError(f"{name} is no path: {text!r}")
    return text


def _expanded(file: SourceFile) -> list[SourceFile]:
    try:
        if not file.path.is_dir():
            return [file]
        names = sorted(
            path.relative_to(file.path)
            for path in file.path.rglob("*")
            if path.suffix.lower() in SUFFIXES and path.is_file()
        )
    except OSError as error:
        raise InvalidInputError(f"{file.path}: {error.strerror or error}") from error
    shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    if not shown:
        raise InvalidInputError(f"{file.path} has no file that ends in {', '.join(sorted(SUFFIXES))}")
    prefix = "" if file.source == "." else f"{file.source.rstrip('/')}/"  # a label may be a URL, which is no path
    return [
        SourceFile(file.path / name, check_text(prefix + name.as_posix(), "a file name"), file.metadata)
        for name in shown
    ]


def _shown(path: Any) -> str:
    return str(path.get("path", "notes.md")) if isinstance(path, Mapping) else os.fsdecode(path)


def read_text(file: SourceFile) -> str:
    """The text of a file, line breaks as they are, without a byte order mark.

    Raises: InvalidInputError, which names the file, and the byte that is no text.
    """
    try:
        raw = file.path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{file.path}: {error.strerror or error}") from error
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidInputError(f"{file.path} is UTF-16: save it as UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{file.path} is not UTF-8 text: byte {error.start} is 0x{raw[error.start]:02x}. Save it as UTF-8, or "
            "turn it into text first"
        ) from error
    if (null := text.find("\0")) >= 0:
        place = len(text[:null].encode()) + len(raw) - len(text.encode())
        raise InvalidInputError(f"{file.path} is no text: byte {place} is 0x00")
    return text


# as passages


def passages_of(file: SourceFile, text: str, *, tags: Sequence[str], created_at: datetime) -> list[Passage]:
    """The parts of a text as passages, in order; blank ones are left out.

    A part begins with the headings it stands under, unless they stand in it. Its metadata say `source`, `heading`,
    `part` of `parts`, where it stands (`start` to `end`, characters of the text) and the file's `sha256`.
    """
    parts = [
        part
        for part in split(text, markdown=file.path.suffix.lower() in MARKDOWN)
        if text[part.start : part.end].strip()
    ]
    digest = hashlib.sha256(text.encode()).hexdigest()
    made: list[Passage] = []
    for number, part in enumerate(parts, start=1):
        stands = text[part.start : part.end]
        body = stands.strip("\r\n")
        start = part.start + len(stands) - len(stands.lstrip("\r\n"))
        made.append(
            Passage(
                id=passage_id(file.source, number),
                text=f"{part.above}\n\n{body}" if part.above else body,
                tags=tuple(tags),
                metadata={
                    **file.metadata,
                    "source": file.source,
                    "heading": part.heading,
                    "part": number,
                    "parts": len(parts),
                    "start": start,
                    "end": start + len(body),
                    "sha256": digest,
                },
                created_at=created_at,
            )
        )
    return made


def passage_id(source: str, number: int) -> str:
    """The id of a part of a file, the first is number 1: the same for every subject and every time."""
    return f"psg_{uuid.uuid5(_NAMESPACE, f'{number} {source}').hex}"


def add_files(
    core: MemoryCore,
    subject_id: str,
    paths: Iterable[FileSpec],
    *,
    tags: Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> FilesAdded:
    """`Memory.add_files`. Every file is looked through before the first is written; one is in memory at a time."""
    checked = _tags(tags)
    files = find_files(paths)
    if files and core.indexer is not None:
        core.indexer.prepare()
    done: list[FileAdded] = []
    for number, file in enumerate(files, start=1):
        passages = passages_of(file, read_text(file), tags=checked, created_at=datetime.now(UTC))
        at = FileProgress(source=file.source, file=number, files=len(files), part=0, parts=len(passages))

        def tell(part: int, at: FileProgress = at) -> None:
            if on_progress is not None:
                on_progress(at.model_copy(update={"part": part}))

        tell(0)
        with core.store.journal.transaction():
            core.store.backend.create_subject(subject_id, core.blocks)
            done.append(_store(core.store, subject_id, file.source, passages, tell))
        if done[-1].added and core.indexer is not None:
            core.indexer.added()
    return FilesAdded(files=tuple(done))


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise InvalidInputError(f"tags must be a list of strings, such as [{tags!r}]")
    return tuple(check_id(tag, f"tags[{place}]") for place, tag in enumerate(tags))


def _store(
    store: Store, subject_id: str, source: str, passages: Sequence[Passage], tell: Callable[[int], None]
) -> FileAdded:
    """Make *passages* the parts of a file and drop those it had beyond them; inside a transaction."""
    known = [store.backend.get_passage(subject_id, passage.id) for passage in passages]
    changed = [new for new, old in zip(passages, known, strict=True) if not _same(new, old)]
    beyond = _beyond(store, subject_id, source, len(passages), [old for old in known if old is not None])
    if beyond:
        store.backend.delete_passages(subject_id, beyond)
    unchanged = len(passages) - len(changed)
    for start in range(0, len(changed), _PROGRESS_PARTS):
        part = changed[start : start + _PROGRESS_PARTS]
        store.backend.add_passages(subject_id, part)
        tell(unchanged + start + len(part))
    return FileAdded(
        source=source,
        added=len(changed),
        unchanged=unchanged,
        removed=len(beyond),
        passage_ids=tuple(passage.id for passage in passages),
    )


def _same(new: Passage, old: Passage | None) -> bool:
    return old is not None and (new.text, new.tags, new.metadata) == (old.text, old.tags, old.metadata)


def _beyond(store: Store, subject_id: str, source: str, parts: int, known: Sequence[Passage]) -> list[str]:
    """The ids of the parts a file had behind its first *parts*. Each part knows how many there were."""
    if not known and (next_part := store.backend.get_passage(subject_id, passage_id(source, parts + 1))) is not None:
        known = [next_part]
    were = max((int(passage.metadata.get("parts", 0)) for passage in known), default=0)
    ids = (passage_id(source, number) for number in range(parts + 1, were + 1))
    return [each for each in ids if store.backend.get_passage(subject_id, each) is not None]
