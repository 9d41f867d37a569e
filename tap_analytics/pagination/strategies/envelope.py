"""Reading single members of a decoded response: values at dotted paths, and row counts."""

from __future__ import annotations

import typing as t
from decimal import Decimal

#: Digits of the longest number that counts rows.
_DIGITS = 18


def dig(payload: object, path: str) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value at a dotted path such as `meta.next_cursor`, or None."""
    for part in path.split("."):
        if not isinstance(payload, dict):
            return None
        payload = payload.get(part)
    return payload


def has(payload: object, path: str) -> bool:
    """Whether there is a value at a dotted path, null included."""
    holder, _, member = path.rpartition(".")
    found = dig(payload, holder) if holder else payload
    return isinstance(found, dict) and member in found


def roots(*paths: str | None) -> frozenset[str]:
    """Return the first members of dotted paths."""
    return frozenset(path.partition(".")[0] for path in paths if path)


def whole_number(value: object) -> int | None:
    """Read a row count an API gives as a number, `100.0` too, or as digits; else it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip()
        is_count = value.isascii() and value.isdigit() and len(value) <= _DIGITS
        return int(value) if is_count else None
    if not isinstance(value, (int, float, Decimal)) or not 0 <= value < 10**_DIGITS:
        return None
    return int(value) if value == int(value) else None
