"""The arithmetic of pages: numbers from a query, cursors that remember a row and not a position."""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from tap_analytics.demo.dialects.errors import Refused

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row

#: Longer numbers are a mistake of the client.
MAX_DIGITS = 18
Key: t.TypeAlias = tuple[str, ...]


def whole(
    params: t.Mapping[str, str], name: str, *, default: int, least: int = 0, most: int | None = None
) -> int:
    """Read a whole number from the query; one above `most` is clamped in silence, as services do.

    Raises:
        Refused: It is not a number, or below `least`.
    """
    text = params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS) or int(text) < least:
        raise Refused(400, f"{name} must be a whole number from {least} on, not {text!r}")
    return int(text) if most is None else min(int(text), most)


def encode_cursor(value: object) -> str:
    """Return an opaque cursor that ends in `=`, so that a client has to encode it."""
    text = json.dumps(value, separators=(",", ":"))
    while len(text.encode()) % 3 == 0:
        text += " "
    return base64.b64encode(text.encode()).decode()


def decode_cursor(text: str) -> t.Any:  # noqa: ANN401 - what a cursor holds is for its API to check
    """Return what a cursor holds.

    Raises:
        Refused: No API here made it.
    """
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise Refused(400, "the cursor is not valid") from None


@dataclass(frozen=True)
class Ordered:
    """Rows ascending by key, with a page of them found by the key it comes after."""

    rows: t.Sequence[Row]
    keys: t.Sequence[Key]

    @classmethod
    def by(cls, rows: t.Iterable[Row], key: t.Callable[[Row], Key]) -> Ordered:
        """Sort rows by a key that no two of them share."""
        ordered = sorted(rows, key=key)
        return cls(ordered, [key(row) for row in ordered])

    def page(
        self, *, after: Key | None, limit: int, descending: bool = False
    ) -> tuple[t.Sequence[Row], bool]:
        """Return the rows behind a key, and whether more follow them."""
        if descending:
            stop = len(self.rows) if after is None else bisect_left(self.keys, after)
            start = max(0, stop - limit)
            return self.rows[start:stop][::-1], start > 0
        start = 0 if after is None else bisect_right(self.keys, after)
        return self.rows[start : start + limit], start + limit < len(self.rows)


def as_key(value: object, *, length: int) -> Key:
    """Return a key that a cursor carried.

    Raises:
        Refused: The cursor carries something else.
    """
    if not isinstance(value, list) or [type(part) for part in value] != [str] * length:
        raise Refused(400, "the cursor is not valid for this list")
    return tuple(value)
