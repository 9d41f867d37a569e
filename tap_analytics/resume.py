"""Where a walk that was cut can go on: its position in the state, and whether it still holds.

A position names the last page whose rows are written. The next run reads that page again and looks
for the row that ended it: if the row is there, the walk goes on behind it, under the same version;
if not, or if what shapes the stream has changed, it starts again.
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from tap_analytics.incremental import parse_iso
from tap_analytics.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.pagination import Query

#: Member of a stream's bookmark that holds the position.
MEMBER = "position"


@dataclass(frozen=True, kw_only=True)
class Position:
    """The last page that was written."""

    #: Token of the page.
    token: Query
    #: Digest of the key of the page's last row.
    seam: str
    #: Rows and pages up to its end.
    rows: int
    pages: int
    version: int | None
    #: Highest replication value so far, and the moment the first of the runs began: rows of the
    #: pages read then may have changed since.
    highest: t.Any
    began: str
    #: Digest of what shapes the stream: its request, its columns, its keys.
    shape: str
    #: ISO 8601, UTC.
    at: str

    def to_state(self) -> dict[str, t.Any]:
        """Return the position as it stands in a bookmark."""
        return asdict(self)

    @classmethod
    def from_state(
        cls, bookmark: Mapping[str, t.Any], *, shape: str, hours: float
    ) -> Position | None:
        """Return the position of a bookmark if it still holds, else None."""
        given = bookmark.get(MEMBER)
        if not isinstance(given, dict) or given.get("shape") != shape:
            return None
        at = parse_iso(str(given.get("at")))
        if at is None or datetime.now(UTC) - at > timedelta(hours=hours):
            return None
        try:
            return cls(**{**given, "token": _token(given["token"])})
        except (TypeError, KeyError, AttributeError):
            return None


def _token(given: Mapping[str, t.Any]) -> Query:
    """Return a token as it was before JSON made lists of its tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else str(value)
        for name, value in given.items()
    }


def digest(value: object) -> str:
    """Return a short digest of a key, the same in every process."""
    return hashlib.blake2b(ENCODER.encode(value), digest_size=8).hexdigest()


def now() -> str:
    """Return the moment as positions carry it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
