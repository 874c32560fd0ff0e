"""PostgreSQL's errors as ours, with the remedy; the cause is kept, and no text has the password."""

from __future__ import annotations

import psycopg

from ai_memory_integrations.backends.postgres.address import Address
from ai_memory_integrations.errors import BackendError, BackendUnavailableError, StoreFullError

_CONFLICTS = ("40001", "40P01")  # serialization failure, deadlock
_LOCKED = ("55P03", "57014")
_BUSY = ("53300", "53400")
_GOING = ("57P01", "57P02", "57P03")  # the server stops or starts
_REFUSED = ("28000", "28P01")
_UNKNOWN_DATABASE = "3D000"
_NOT_ALLOWED = "42501"
_READ_ONLY = "25006"
_FULL = "53100"


# A server that refuses a connection says why in text alone. In another language there is the general remedy only.
_SAID_ON_CONNECTING = {
    "28P01": ("authentication failed", "no pg_hba.conf entry", "no password supplied"),
    _UNKNOWN_DATABASE: ('" does not exist',),
    "53300": ("too many clients", "too many connections", "remaining connection slots"),
}


def is_conflict(error: BaseException | None) -> bool:
    """Whether PostgreSQL undid a transaction so that others could go on: done again, it will succeed."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _CONFLICTS


def translated(error: psycopg.Error, address: Address) -> BackendError:
    place, said = address.shown, _said(error)
    match error.sqlstate or _state_said(said):
        case state if state in _CONFLICTS:
            return BackendUnavailableError(
                f"{place!r}: others changed the same at the same time; nothing was written. Repeat the transaction."
            )
        case state if state in _LOCKED:
            return BackendUnavailableError(
                f"{place!r}: what is to be changed was kept locked; nothing was written. Repeat the call; if it "
                "persists, look in pg_stat_activity for a session that holds a long transaction."
            )
        case state if state in _BUSY:
            return BackendUnavailableError(
                f"{place!r} has no connection left: {said}. Allow fewer a process with ?connections=, more on the "
                "server, or put a pooler in front of it."
            )
        case state if state in _REFUSED:
            return BackendError(f"{place!r} refused the user: {said}. Check the user and the password in the URL.")
        case state if state == _UNKNOWN_DATABASE:
            return BackendError(f"{place!r}: {said}. Make it with: createdb NAME --encoding UTF8 --template template0")
        case state if state == _NOT_ALLOWED:
            return BackendError(
                f"{place!r}: {said}. Let an administrator run: CREATE SCHEMA {address.schema} AUTHORIZATION "
                "the_user_in_the_url"
            )
        case state if state == _READ_ONLY:
            return BackendError(
                f"{place!r} can only be read: {said}. Name the primary server, or add ?target_session_attrs=read-write"
            )
        case state if state == _FULL:
            return StoreFullError(place)
        case state if state in _GOING or state is None or state.startswith("08"):
            if isinstance(error, psycopg.OperationalError):
                return BackendUnavailableError(
                    f"{place!r} cannot be reached: {said}. See whether the server runs and the URL names it, its "
                    "database and its user, then repeat the call."
                )
    return BackendError(f"{place!r}: {said}")


def _state_said(text: str) -> str | None:
    """The state that a text stands for, where the driver knows none."""
    for state, signs in _SAID_ON_CONNECTING.items():
        if any(sign in text for sign in signs):
            return state
    return None


def _said(error: psycopg.Error) -> str:
    """The server's own words in one line."""
    text = error.diag.message_primary or str(error)
    return " ".join(text.split()).rstrip(".")
