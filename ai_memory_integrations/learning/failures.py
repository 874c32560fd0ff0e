"""Why a model did not answer, through whatever client it was asked, and when to ask again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ai_memory_integrations.errors import LearningError, ModelUnavailableError

LONGEST_WAIT = 3600.0
"""Seconds. A server that asks for more is asked again after these."""

_SHOWN = 500  # characters of a reason: some clients repeat everything they were asked
_BUSY = frozenset({408, 409, 425, 429})


def from_status(status: int, reason: str, headers: Mapping[str, str]) -> LearningError:
    """The error for an HTTP status; of one that says when to come back it is known."""
    if status in _BUSY or status >= 500:
        return ModelUnavailableError(reason, retry_after=retry_after(headers))
    return LearningError(reason)


def from_exception(error: Exception) -> LearningError:
    """What any client raised. Clients of HTTP services keep a status and a response; all name their time-outs so."""
    if isinstance(error, LearningError):
        return error
    reason = f"{type(error).__name__}: {error}"[:_SHOWN]
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    if isinstance(status, int):
        headers = getattr(response, "headers", None)
        return from_status(status, reason, headers if isinstance(headers, Mapping) else {})
    names = [kind.__name__ for kind in type(error).__mro__]
    if any("Timeout" in name or "Connect" in name for name in names):
        return ModelUnavailableError(reason)
    return LearningError(reason)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as `Retry-After` says, as a number or a date, at most `LONGEST_WAIT`; None without a sense."""
    found = {name.lower(): value for name, value in headers.items()}
    value = found.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
