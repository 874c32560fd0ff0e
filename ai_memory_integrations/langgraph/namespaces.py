"""Namespaces: what LangGraph allows, how listings match them, and where the core memory of a subject stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal
from urllib.parse import unquote

from langgraph.store.base import InvalidNamespaceError, MatchCondition, Op, validate_op_namespace

from ai_memory_integrations.subjects import SubjectId, subject_id_of

Namespace = tuple[str, ...]
Part = Literal["blocks", "passages"]

ROOT = "core_memory"
_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODED = {"%": "%25", ".": "%2E", "*": "%2A"}


def core_memory_namespace(subject_id: SubjectId, part: Part | None = None, *, root: str = ROOT) -> Namespace:
    """Where a subject's blocks or passages stand in a store; both when *part* is None.

    `%`, `.` and `*` of the subject are percent-encoded, because LangGraph allows no dots in a label and `*` stands
    for any. Raises: InvalidSubjectError, ValueError.
    """
    if part not in (None, "blocks", "passages"):
        raise ValueError(f"part={part!r} is not known: use 'blocks', 'passages' or None for both")
    place = (root, encoded(subject_id_of(subject_id)))
    return place if part is None else (*place, part)


def encoded(subject_id: str) -> str:
    """A subject as a label."""
    return re.sub("[%.*]", lambda found: _ENCODED[found[0]], subject_id)


def decoded(label: str) -> str:
    """The subject of a label. Raises: InvalidNamespaceError when `encoded` gives no such label."""
    subject_id = unquote(label, errors="strict") if _readable(label) else ""
    if not subject_id or encoded(subject_id) != label:
        raise InvalidNamespaceError(
            f"namespace label {label!r} is no encoded subject: make the namespace with core_memory_namespace()."
        )
    return subject_id


def _readable(label: str) -> bool:
    return not re.search("%(?!25|2E|2A)", label)


def checked(namespace: Sequence[str], op: Op) -> Namespace:
    """*namespace* of *op* as a tuple. Raises: InvalidNamespaceError."""
    if not isinstance(namespace, tuple) and (isinstance(namespace, str) or not isinstance(namespace, Iterable)):
        raise InvalidNamespaceError(f"namespace {namespace!r} is no tuple of labels: write ({namespace!r},)")
    validate_op_namespace(op)
    for label in namespace:
        if not label.isascii() and _SURROGATE.search(label):
            raise InvalidNamespaceError(f"namespace label {label!r} has a lone surrogate, which is no text")
    return tuple(namespace)


def matching(condition: MatchCondition) -> Callable[[Namespace], bool]:
    """What decides whether a namespace begins or ends as *condition* says; `*` stands for exactly one label."""
    path, at_end = tuple(condition.path), condition.match_type == "suffix"
    piece = slice(-len(path), None) if at_end and path else slice(len(path))
    if "*" not in path:
        return lambda namespace: namespace[piece] == path

    def matches(namespace: Namespace) -> bool:
        labels = namespace[piece]
        return len(labels) == len(path) and all(
            wanted in ("*", label) for wanted, label in zip(path, labels, strict=True)
        )

    return matches


def common_prefix(conditions: Iterable[MatchCondition]) -> Namespace:
    """The longest namespace without wildcards at or below which everything is that fits all conditions."""
    longest: Namespace = ()
    for condition in conditions:
        if condition.match_type == "prefix":
            path = tuple(condition.path)
            plain = path[: path.index("*")] if "*" in path else path
            longest = max(longest, plain, key=len)
    return longest
