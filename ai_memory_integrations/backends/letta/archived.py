"""A passage as Letta keeps it, and back: pure.

Letta gives a passage an id of its own, forgets the order of its tags, and tells neither role nor thread; what it finds
by meaning comes without its metadata. So one tag carries what Letta would lose, as JSON. Where that is too much for a
tag it stands in the metadata, and the tag says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from ai_memory_integrations.backends.letta.remote import NewPassage, RemotePassage
from ai_memory_integrations.types import Passage, PassageQuery, Role

_OURS = "ami:"
_IN_TAG = 2000  # bytes: a database index holds no more than 2700 of a tag
_LONGEST = 24_000  # characters: an embedding model takes 8192 tokens
_MOMENT = timedelta(microseconds=1)
_ROLES = get_args(Role)


@dataclass(frozen=True)
class Found:
    """A passage found at Letta: under which id, when Letta takes it to be from, and its place in the order of all
    (-1 where somebody else archived it). `whole` is False when more of it is in its metadata, which was not given."""

    letta_id: str
    at: datetime | None
    place: int
    whole: bool
    passage: Passage


def can_be_sent(passage: Passage) -> bool:
    """Whether Letta can hold a passage as it is: not without text, not with U+0000, not of any length."""
    text = passage.text
    return bool(text.strip()) and "\x00" not in text and len(text) <= _LONGEST and len(passage.id.encode()) <= 500


def to_letta(passages: Sequence[Passage], now: datetime) -> list[NewPassage]:
    """The passages as they are sent; each has a time of its own, by which it is found exactly."""
    taken: set[datetime] = set()
    made: list[NewPassage] = []
    first = int(now.timestamp() * 1_000_000)
    for number, passage in enumerate(passages):
        at = (passage.created_at or now).astimezone(UTC)
        while at in taken:
            at += _MOMENT
        taken.add(at)
        made.append(_new(passage, at, first + number))
    return made


def _new(passage: Passage, at: datetime, place: int) -> NewPassage:
    more: dict[str, Any] = {
        "g": list(passage.tags) or None,
        "c": None if passage.created_at == at else _iso(passage.created_at),
        "r": passage.role,
        "n": passage.name,
        "t": passage.thread_id,
        "m": passage.message_id,
        "x": passage.metadata or None,
    }
    if passage.created_at is None:
        more["c"] = ""
    head = {"i": passage.id, "s": place}
    about = head | {key: value for key, value in more.items() if value is not None}
    mark = _dumped(about)
    # A JSON column holds everything but U+0000; the mark is ASCII and holds that as well.
    metadata: Mapping[str, Any] = {} if "\\u0000" in json.dumps(passage.metadata) else passage.metadata
    if len(mark) > _IN_TAG:
        mark, metadata = _dumped(head | {"X": 1}), {"ami": _dumped(about).removeprefix(_OURS)}
    # Their words stay searchable for who looks at the server; what they were exactly is in the mark.
    plain = (tag for tag in passage.tags if "\x00" not in tag and not tag.startswith(_OURS))
    short = (tag for tag in plain if len(tag.encode()) <= _IN_TAG)
    return NewPassage(text=passage.text, tags=(*dict.fromkeys(short), mark), metadata=metadata, created_at=at)


def from_letta(remote: RemotePassage) -> Found:
    """A passage of Letta as one of ours, whoever archived it."""
    about = _about(remote.tags)
    if about is None:
        return _foreign(remote)
    whole = True
    if "X" in about:
        kept = remote.metadata.get("ami")
        whole = isinstance(kept, str)
        about = json.loads(kept) if isinstance(kept, str) else about
    said = about.get("c")
    created = remote.created_at if said is None else datetime.fromisoformat(said) if said else None
    passage = Passage(
        text=remote.text,
        id=about["i"],
        tags=tuple(about.get("g", ())),
        metadata=about.get("x", {}),
        created_at=created,
        role=about.get("r"),
        name=about.get("n"),
        thread_id=about.get("t"),
        message_id=about.get("m"),
    )
    return Found(remote.id, remote.created_at, about["s"], whole, passage)


def _foreign(remote: RemotePassage) -> Found:
    """What an agent, the AI Memory SDK or a person archived. The SDK tags what was said with the speaker's role."""
    roles = [tag for tag in remote.tags if tag in _ROLES]
    passage = Passage(
        text=remote.text,
        id=remote.id,
        tags=tuple(sorted(remote.tags)),
        metadata=dict(remote.metadata),
        created_at=remote.created_at,
        role=roles[0] if len(roles) == 1 else None,  # type: ignore[arg-type]
    )
    return Found(remote.id, remote.created_at, -1, True, passage)


def newest(found: Iterable[Found]) -> list[Found]:
    """One of each id, the one that came last, in the order in which they came: what was sent twice is there once."""
    by_id: dict[str, Found] = {}
    for each in sorted(found, key=_order):
        by_id.pop(each.passage.id, None)
        by_id[each.passage.id] = each
    return list(by_id.values())


def _order(found: Found) -> tuple[int, float, str]:
    place = found.place
    if place < 0:
        place = 0 if found.at is None else int(found.at.timestamp() * 1_000_000)
    return place, 0.0 if found.at is None else found.at.timestamp(), found.letta_id


def passes(passage: Passage, query: PassageQuery) -> bool:
    """Whether a passage passes a query's filters; one whose time is unknown passes none of time."""
    at = passage.created_at
    return (
        (not query.tags or any(tag in query.tags for tag in passage.tags))
        and (query.roles is None or passage.role in query.roles)
        and (query.thread_id is None or passage.thread_id == query.thread_id)
        and (query.after is None or (at is not None and at >= query.after))
        and (query.before is None or (at is not None and at < query.before))
        and all(key in passage.metadata and passage.metadata[key] == value for key, value in query.metadata.items())
    )


def _about(tags: Iterable[str]) -> dict[str, Any] | None:
    for tag in tags:
        if not tag.startswith(_OURS + "{"):
            continue
        try:
            about = json.loads(tag.removeprefix(_OURS))
        except ValueError:  # somebody else's tag
            continue
        if "i" in about and "s" in about:
            return dict(about)
    return None


def _dumped(about: Mapping[str, Any]) -> str:
    return _OURS + json.dumps(about, ensure_ascii=True, separators=(",", ":"))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
