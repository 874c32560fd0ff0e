"""Filters of a search: refused by name when they are malformed, else a function that decides by an item's value.

A condition is a value to be equal to, operators (`$eq $ne $gt $gte $lt $lte`), or a dict of conditions on what is
inside. A key with dots is a field of that name or, when there is none, a path. A field that is missing is None.
Numbers are compared as numbers and strings as strings; nothing is smaller or larger than something of another kind,
and True is not 1.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ai_memory_integrations.door import MAX_DEPTH
from ai_memory_integrations.ports import ItemHint

Accept = Callable[[Mapping[str, Any]], bool]
_Test = Callable[[Any], bool]
_Sign = Literal["=", "<=", ">="]

_REFUSED = re.compile("['\"\\\\$();\\x00-\\x1f\\x7f]")
_PLAIN = re.compile(r"[A-Za-z0-9_\-]+")
_NUMBER = (int, float)
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def accepting(filter: Mapping[str, Any] | None) -> Accept | None:
    """What decides whether a value passes; None when everything does. Raises: ValueError."""
    if not filter:
        return None
    return _fields(filter, 0)


def hints(filter: Mapping[str, Any] | None) -> tuple[ItemHint, ...]:
    """What a database can look for: every value that passes the filter fits all of it."""
    if not filter:
        return ()
    found: list[ItemHint] = []
    for key, wanted in filter.items():
        steps = key.split(".")
        if not all(map(_PLAIN.fullmatch, steps)):
            continue
        paths = ((key,),) if len(steps) == 1 else ((key,), tuple(steps))
        asked = wanted.items() if isinstance(wanted, Mapping) else [("$eq", wanted)]
        found += [ItemHint(paths, *bound) for name, value in asked for bound in _bounds(name, value)]
    return tuple(found)


def _bounds(name: Any, value: Any) -> list[tuple[_Sign, str | float]]:
    """What a database may compare with: a little wide, because not every one reads a number to its last bit."""
    low: str | float
    high: str | float
    if isinstance(value, str) and "\0" not in value:
        if name == "$eq":
            return [("=", value)]
        low = high = value
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63:
        margin = abs(value) * 1e-9
        low, high = value - margin, value + margin
    else:
        return []
    bounds: list[tuple[_Sign, str | float]] = []
    if name in ("$eq", "$gt", "$gte"):
        bounds.append((">=", low))
    if name in ("$eq", "$lt", "$lte"):
        bounds.append(("<=", high))
    return bounds


def _fields(filter: Mapping[str, Any], depth: int) -> Accept:
    tests = [_field(_checked_key(key), _condition(wanted, depth)) for key, wanted in filter.items()]
    return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)


def _field(key: str, test: _Test) -> Accept:
    if "." in key:
        return lambda value: test(_at(value, key))
    return lambda value: test(value.get(key))


def _checked_key(key: object) -> str:
    if not isinstance(key, str) or not key or _REFUSED.search(key):
        raise ValueError(
            f"Invalid filter key: {key!r}. It names a field of the value, or a path such as 'user.name', without "
            "quotes, backslashes, parentheses, '$' and ';'."
        )
    return key


def _condition(wanted: Any, depth: int) -> _Test:
    if depth > MAX_DEPTH:
        raise ValueError(f"the filter is nested deeper than {MAX_DEPTH}")
    if isinstance(wanted, Mapping):
        if any(isinstance(name, str) and name.startswith("$") for name in wanted):
            tests = [_operator(name, value) for name, value in wanted.items()]
            return lambda value: all(test(value) for test in tests)
        inside = _fields(wanted, depth + 1)
        return lambda value: isinstance(value, Mapping) and inside(value)
    if isinstance(wanted, list | tuple):
        each = [_condition(one, depth + 1) for one in wanted]
        return lambda value: (
            isinstance(value, list)
            and len(value) == len(each)
            and all(test(one) for test, one in zip(each, value, strict=True))
        )
    return _equality(wanted)


def _operator(name: Any, wanted: Any) -> _Test:
    if name == "$eq":
        return _equality(wanted)
    if name == "$ne":
        equal = _equality(wanted)
        return lambda value: not equal(value)
    if name not in _COMPARED:
        raise ValueError(f"Unsupported operator: {name}. There are $eq, $ne, {', '.join(_COMPARED)}.")
    compare = _COMPARED[name]
    if isinstance(wanted, str):
        return lambda value: isinstance(value, str) and compare(value, wanted)
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        return lambda value: False
    return lambda value: isinstance(value, _NUMBER) and not isinstance(value, bool) and compare(value, wanted)


def _equality(wanted: Any) -> _Test:
    if isinstance(wanted, str):  # what most filters ask for, without the cases of `_equal`
        return lambda value: bool(value == wanted)
    return lambda value: _equal(value, wanted)


def _equal(value: Any, wanted: Any) -> bool:
    """Equal as JSON: True is not 1, 1 is 1.0, a tuple is a list."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, list) and isinstance(wanted, list | tuple):
        return len(value) == len(wanted) and all(map(_equal, value, wanted))
    if isinstance(value, dict) and isinstance(wanted, Mapping):
        return value.keys() == wanted.keys() and all(_equal(value[key], wanted[key]) for key in value)
    return bool(value == wanted)


def _at(value: Mapping[str, Any], key: str) -> Any:
    """A field, else what the path leads to, else None."""
    if key in value:
        return value.get(key)
    found: Any = value
    for step in key.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(step)
    return found
