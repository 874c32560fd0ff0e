"""The failures of a Letta server and of the way to it, as the package's errors: what was asked, why not, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.errors import (
    AIMemoryError,
    AnswerLostError,
    BackendUnavailableError,
    ConfigurationError,
    GoneFromServerError,
    RefusedByServerError,
    ServerConflictError,
)

if TYPE_CHECKING:
    from letta_client import APIError

_SHOWN = 300


def translated(error: APIError, what: str, url: str, *, repeatable: bool) -> AIMemoryError:
    """*error*, met while *what* was asked of the server at *url*, as ours.

    A request that is not *repeatable* and whose answer was lost may have been carried out: that is an error of its own.
    """
    import letta_client

    if isinstance(error, letta_client.APIConnectionError):
        return _no_answer(error, what, url, repeatable=repeatable)
    if not isinstance(error, letta_client.APIStatusError):
        return RefusedByServerError(what, 0, _shown(str(error)))
    return _status(error.status_code, error.body, what, url)


def was_not_sent(error: APIError) -> bool:
    """Whether the server cannot have seen the request, so that it may be repeated whatever it asked for."""
    import httpx

    cause = error.__cause__
    return isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _no_answer(error: APIError, what: str, url: str, *, repeatable: bool) -> AIMemoryError:
    import letta_client

    timed_out = isinstance(error, letta_client.APITimeoutError)
    reason = "did not answer in time" if timed_out else f"cannot be reached ({_shown(str(error.__cause__ or error))})"
    text = f"Letta at {url} {reason} while it was asked to {what}."
    if not repeatable and not was_not_sent(error):
        return AnswerLostError(f"{text} It may have done it all the same.")
    return BackendUnavailableError(
        f"{text} Check that the server runs and that the URL is right (LETTA_BASE_URL, or letta://host:port)."
    )


def _status(status: int, body: object, what: str, url: str) -> AIMemoryError:
    kind, detail = _detail(body)
    if kind == "llm_authentication":
        return ConfigurationError(
            f"Letta at {url} was refused by its model provider while it was asked to {what}: {detail} The key of the "
            "provider (such as OPENAI_API_KEY) is set where the Letta server runs, not here; your own key for Letta "
            "is right."
        )
    if kind == "llm_insufficient_credits" or status == 402:
        return ConfigurationError(f"the account behind Letta at {url} has no credits left to {what}: {detail}")
    if status in (401, 403):
        return ConfigurationError(
            f"Letta at {url} refused the key it was given to {what} ({status}): {detail} Set LETTA_API_KEY or pass "
            "api_key=; for a server of your own it is the password it was started with."
        )
    if (status == 404 and "handle" in detail.lower()) or (status == 400 and "embedding model" in detail.lower()):
        return ConfigurationError(
            f"Letta at {url} could not {what}: {detail} Name a model and an embedding that this server offers: "
            "letta://host?model=provider/name&embedding=provider/name; its list is at /v1/models/."
        )
    if status == 404:
        return GoneFromServerError(what, status, detail.partition(", access level")[0])  # what follows is the account
    if status == 409:
        return ServerConflictError(what, status, detail)
    if status in (408, 429) or status >= 500:
        busy = "is busy or limits the rate of requests" if status == 429 else f"failed ({status})"
        failed = BackendUnavailableError(
            f"Letta at {url} {busy} while it was asked to {what}: {detail} Try again later."
        )
        failed.status = status
        return failed
    return RefusedByServerError(what, status, detail)


def _detail(body: object) -> tuple[str, str]:
    """The kind of error and the server's words, in whatever form they come."""
    if not isinstance(body, Mapping):
        return "", _shown(str(body or "it gave no reason"))
    inner = body.get("error")
    if isinstance(inner, Mapping):
        words = inner.get("detail") or inner.get("message") or inner
        return str(inner.get("type") or ""), _shown(_words(words))
    return "", _shown(_words(body.get("detail") or body.get("message") or inner or body))


def _words(value: Any) -> str:
    if isinstance(value, list):  # the complaints of a validation
        return "; ".join(
            f"{'.'.join(map(str, each.get('loc', ())))}: {each.get('msg', '')}"
            if isinstance(each, Mapping)
            else str(each)
            for each in value
        )
    return str(value)


def _shown(text: str) -> str:
    """Server texts can carry a whole request: as much as a line of a log holds, ending as a sentence."""
    line = " ".join(text.split())
    line = line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
    return line if line.endswith((".", "!", "?")) else line + "."
