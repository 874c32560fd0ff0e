"""The open memories of this process by where they are, and what it takes to open one again somewhere else.

An adapter that is serialised keeps a `Place`: JSON without passwords. Where it is restored, it goes on with the memory
that the application has open there, else with one opened by the settings that the store has recorded (see `recorded`),
or, where it has none yet, by those of the place.

Of several that are open there it goes on with the one most like what was saved: with the same learner, then the same
embedder, then one that learns or does not as it did; of those alike with the one opened last. So nothing is learnt by a
model that the conversation was not learnt by, or not learnt at all, because a second memory happens to be open for
another purpose; and whoever opens a memory afresh, as a reloaded module does, goes on with the new one. None that is
open is refused: who opens one there with another learner than before means it to be used.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import threading
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from ai_memory_integrations import forking
from ai_memory_integrations.errors import ConfigurationError
from ai_memory_integrations.recorded import Recorded, understood
from ai_memory_integrations.types import BlockSpec, LearningMode, LearningPolicy, Value

if TYPE_CHECKING:
    from ai_memory_integrations.backends.postgres.address import Address
    from ai_memory_integrations.core import Settings
    from ai_memory_integrations.memory import Memory

logger = logging.getLogger("ai_memory_integrations")


class Place(Value):
    """Where a memory is and how it was opened. `learner` and `embedder` are the names of parts that only the
    application can make, an embedder of "" is none at all; None is what nobody said."""

    url: str
    blocks: tuple[BlockSpec, ...] | None = None
    learning: LearningMode | LearningPolicy | None = None
    learner: str | None = None
    embedder: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_far_as_it_is_known(cls, data: Any) -> Any:
        """A later release may have saved it, as it may have recorded what a store says."""
        if not isinstance(data, Mapping):
            return data
        others = {name: value for name, value in data.items() if name not in Recorded.model_fields}
        known, unknown = understood({name: data[name] for name in data if name not in others})
        left_out = [*unknown, *(name for name in others if name not in cls.model_fields)]
        if left_out:
            logger.warning(
                "a memory in %s was saved by a later release of this package, with %s that this one does not know: "
                "left out",
                data.get("url"),
                " and ".join(left_out),
            )
        return {**{name: value for name, value in others.items() if name not in left_out}, **known}


_numbers = itertools.count(1)
_memories: weakref.WeakKeyDictionary[Memory, int] = weakref.WeakKeyDictionary()
"""Each with its number, in the order they were opened in."""


class _Opening:
    """Lets one thread at a time open a memory again: the others find it, and find it whole."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        forking.register(self)

    def before_fork(self) -> None:
        """It is held for moments, and waits for nothing."""

    def after_fork_in_parent(self) -> None:
        """Whoever holds it goes on."""

    def after_fork_in_child(self) -> None:
        self.lock = threading.Lock()


_opening = _Opening()


def remember(memory: Memory) -> None:
    """Let `reopened` find *memory* for as long as it lives and is open."""
    _memories[memory] = next(_numbers)


def place_of(memory: Memory) -> Place:
    """What opens *memory* again; nothing is read or written.

    Raises: ConfigurationError when its URL cannot: it is gone with this process, or a store object was passed.
    """
    settings = memory._core.settings
    if settings.store is not None:
        raise ConfigurationError(
            "a memory made with backend= cannot be opened again by a URL: pass Memory(url) where it shall be serialised"
        )
    url = _url(settings.url)
    if _address(url) is None:
        raise ConfigurationError(
            "memory in ':memory:' ends with this process and cannot be opened again: pass a file, such as "
            "Memory('memory.db'), where it shall be serialised"
        )
    return Place(
        url=_without_secret(url),
        blocks=settings.blocks,
        learning=settings.learning,
        learner=_learner(memory),
        embedder=_embedder(memory),
    )


def _learner(memory: Memory) -> str | None:
    return None if memory._core.settings.learner is None else memory._core.learner.name


def _embedder(memory: Memory) -> str | None:
    embedder = memory._core.settings.embedder
    return None if embedder is None else "" if embedder is False else str(getattr(embedder, "name", embedder))


def _learns(settings: Place | Settings) -> bool:
    return Recorded(learning=settings.learning).learns


def default_place() -> Place:
    """Where memory is when nobody says where: `AI_MEMORY_URL`, else the user's data directory."""
    return Place(url=_without_secret(_url(None)))


def reopened(place: Place) -> Memory:
    """The memory that is open there in this process, of several the one most like *place* and of those alike the one
    opened last; else one opened by the settings that its store has recorded.

    What these leave open is as *place* has it. A password is taken from `AI_MEMORY_URL` where that names the same
    place. Nothing is read yet.

    Raises: ConfigurationError when it needs a learner or embedder that only the application can give.
    """
    address = _address(place.url)
    with _opening.lock:
        found = _open_one(address, place)
        return _opened(place, address) if found is None else found


def _opened(place: Place, address: str | None) -> Memory:
    from ai_memory_integrations.memory import Memory

    parts = {"learner": place.learner, "embedder": place.embedder}
    if needed := {part: name for part, name in parts.items() if name}:
        named = " and ".join(f"the {part} {name!r}" for part, name in needed.items())
        given = ", ".join(f"{part}=..." for part in needed)
        raise ConfigurationError(
            f"the memory in {place.url!r} was used with {named}, which cannot be restored from text: open it first, "
            f"with Memory({place.url!r}, {given}), and keep that object"
        )
    is_default = address is not None and address == _address(_url(None))
    memory = Memory(
        None if is_default else place.url,
        blocks=place.blocks,
        learning=place.learning,
        embedder=None if place.embedder is None else False,
    )
    memory._core.settings = replace(memory._core.settings, again=True)
    return memory


def _open_one(address: str | None, place: Place) -> Memory | None:
    if address is None:
        return None
    found: Memory | None = None
    for memory in _living():
        if _is_at(memory, address) and (found is None or _likeness(memory, place) >= _likeness(found, place)):
            found = memory
    return found


def _likeness(memory: Memory, place: Place) -> tuple[bool, bool, bool]:
    return (
        _learner(memory) == place.learner,
        _embedder(memory) == place.embedder,
        _learns(memory._core.settings) == _learns(place),
    )


def _living() -> list[Memory]:
    """In the order they were opened in."""
    while True:
        try:
            return sorted(_memories, key=_memories.__getitem__)
        except (RuntimeError, KeyError):  # another thread opened one meanwhile, or let one go
            continue


def _is_at(memory: Memory, address: str) -> bool:
    core = memory._core
    return not core.closed and core.settings.store is None and _address(_url(core.settings.url)) == address


def _url(url: str | None) -> str:
    from ai_memory_integrations.backends.urls import default_url

    return default_url()[0] if url is None else url


def _address(url: str) -> str | None:
    """The same text for the same place; None for memory that ends with this process."""
    from ai_memory_integrations.backends.urls import POSTGRES, scheme_of, sqlite_path

    scheme = scheme_of(url)
    if scheme in POSTGRES:
        return _server(url).shown
    if scheme != "sqlite":
        return _without_secret(url)
    path = _file(url)
    return f"{path} (immutable)" if path and sqlite_path(url).immutable else path


def _file(url: str) -> str | None:
    from ai_memory_integrations.backends.urls import file_of

    if (path := file_of(url)) is None:
        return None
    path = os.path.expanduser(path)
    # Not `abspath` for both: it is taken for a call that blocks, and most paths here are whole.
    return os.path.normpath(path) if os.path.isabs(path) else os.path.abspath(path)


def _without_secret(url: str) -> str:
    """A file by its absolute path, a server without the password."""
    from ai_memory_integrations.backends.urls import POSTGRES, scheme_of, sqlite_url

    scheme = scheme_of(url)
    if scheme in POSTGRES:
        return _server(url).without_secret
    if scheme == "letta":
        from ai_memory_integrations.backends.letta.places import shown

        return shown(url, hide=_without_secret, instead="")
    if scheme != "sqlite":
        return re.sub(r"(://[^/@:]*):[^@]*@", r"\1@", url)
    address = _file(url)
    options = url.partition("?")[2] if url.lower().startswith("sqlite:") else ""
    return url if address is None else sqlite_url(address, options)


def _server(url: str) -> Address:
    from ai_memory_integrations.backends.postgres.address import Address

    return Address.of(url)
