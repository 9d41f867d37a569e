"""The parents covered by the bookmark of a child stream, as stored in the state."""

from __future__ import annotations

import typing as t
from base64 import b64decode, b64encode

from tap_analytics.records.digests import digest_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

#: The most parents that a state names, at 11 characters each.
PARENTS_LIMIT = 5000


class CoveredParents:
    """The parents whose rows a bookmark covers: a parent that is new has older ones as well.

    They are kept as digests. The rows of a parent that isn't covered are read as if there were no
    bookmark, so a state without room for all parents costs time, not rows.
    """

    def __init__(self, stored: object) -> None:
        """Read the parents from the state; `stored` is None if it has none."""
        covered = _parse(stored)
        self.is_known = covered is not None
        self._covered = {*(covered or ())}
        #: Parents whose rows this run has read to the end.
        self._read: dict[bytes, None] = {}

    def __contains__(self, context: Mapping[str, t.Any]) -> bool:
        return _digest(context) in self._covered

    def add(self, context: Mapping[str, t.Any]) -> None:
        """Record a parent that was read to its end."""
        self._read[_digest(context)] = None

    def add_state(self, stored: object) -> None:
        """Record the parents that another process has read to their end."""
        self._read.update(dict.fromkeys(_parse(stored) or ()))

    @property
    def unnamed(self) -> int:
        """How many of the parents that were read have no place in the state."""
        return max(0, len(self._read) - PARENTS_LIMIT)

    def to_state(self) -> str:
        """Return the parents that this run has read, as the next one finds them."""
        return b64encode(b"".join([*self._read][:PARENTS_LIMIT])).decode()


def _parse(stored: object) -> list[bytes] | None:
    """Return the digests of a state, None where it has none."""
    try:
        content = b64decode(t.cast("str", stored), validate=True)
    except (TypeError, ValueError):
        return None
    return [content[at : at + 8] for at in range(0, len(content), 8)]


def _digest(context: Mapping[str, t.Any]) -> bytes:
    return bytes.fromhex(digest_of(sorted(context.items())))
