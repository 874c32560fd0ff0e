"""Which memory a command works on, and why that one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends.urls import (
    URL_VARIABLE,
    check_url,
    default_url,
    file_of,
    scheme_of,
    without_password,
)
from ai_memory_integrations.errors import ConfigurationError

if TYPE_CHECKING:
    from ai_memory_integrations import Memory


@dataclass(frozen=True)
class Place:
    """A URL and where it comes from: an option, `AI_MEMORY_URL` or the user's data directory."""

    url: str
    source: str
    is_named: bool
    """Whether somebody said that memory belongs here."""

    @staticmethod
    def of(given: str | None, option: str = "--url") -> Place:
        """Raises: UnknownURLError."""
        url, source = default_url() if given is None else (given, option)
        check_url(url)
        return Place(url, source, is_named=given is not None or source == URL_VARIABLE)

    @property
    def shown(self) -> str:
        """The URL without a password; of a file its whole path."""
        return without_password(self.url) if self.path is None else str(self.path)

    @property
    def path(self) -> Path | None:
        """The file, None for memory that is none."""
        name = file_of(self.url)
        return None if name is None else Path(name).expanduser().absolute()

    def is_same(self, other: Place) -> bool:
        """Whether both name one place, in whatever way."""
        if self.path is None or other.path is None:
            return self.url == other.url
        return self.path.resolve() == other.path.resolve()

    @property
    def ends(self) -> bool:
        """Whether what is kept there is gone when the command is done."""
        return self.path is None and scheme_of(self.url) == "sqlite"

    @property
    def exists(self) -> bool:
        """Whether memory can be there: of a server that is left to be seen."""
        if self.path is None:
            return scheme_of(self.url) != "sqlite"
        try:
            return self.path.exists()
        except OSError:
            return True  # opening it says what is wrong with it

    def open(self, **options: Any) -> Memory:
        """The memory that is there: only writing commands make one.

        Raises: ConfigurationError when there is none.
        """
        if not self.exists:
            raise ConfigurationError(
                f"there is no memory in {self.shown} yet (the place comes from {self.source}). It begins with the "
                "first message; name another place with --url or AI_MEMORY_URL."
            )
        from ai_memory_integrations import Memory

        return Memory(self.url, **options)

    def open_or_make(self, **options: Any) -> Memory:
        from ai_memory_integrations import Memory

        # A place that nobody named is left to `Memory`, which makes the user's data directory when it is missing.
        return Memory(self.url if self.is_named else None, **options)
