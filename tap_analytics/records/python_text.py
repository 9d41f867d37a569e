"""Texts of JSON values as Python writes them, which tools hash that are written in it."""

from __future__ import annotations

import hashlib
import math
import typing as t
from decimal import Decimal

import msgspec

#: The integers that parsers keep, those of 64 bits; others become floating-point numbers.
_INTEGERS: t.Final = range(-(2**63), 2**64)


def md5(value: object) -> str:
    """Return the MD5 of the text of a JSON value, in hexadecimal digits.

    The text is that of `str`, of the value that `orjson.loads` gives. Raises `ValueError` for
    a number that is too large for it.
    """
    text = str(_plain(value))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def copied(value: t.Any) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return a copy of a JSON value, of what is nested in it too."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value


def _plain(value: object) -> object:
    """Return a value with its numbers as `orjson` reads them."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    is_large = type(value) is int and value not in _INTEGERS
    return _double(value) if is_large or isinstance(value, Decimal | msgspec.Raw) else value


def _double(value: object) -> float:
    number = math.inf if isinstance(value, msgspec.Raw) else float(str(value))
    if math.isinf(number):
        raise ValueError("a number is too large.")
    return number
