"""Where a walk that was cut can go on: its position in the state, and whether it still holds.

A position names the last page whose rows are written. The next run reads that page again and looks
for the row that ended it: if the row is there, the walk goes on behind it, under the same version;
if not, or if what shapes the stream has changed, it starts again.
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tap_analytics.incremental import parse_iso
from tap_analytics.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping

    from singer_sdk.helpers.types import TapState

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination import Query
    from tap_analytics.walk import Walk

#: Member of a stream's bookmark that holds the position.
MEMBER = "position"


@dataclass(frozen=True, kw_only=True)
class Position:
    """The last page that was written."""

    #: Token of the page.
    token: Query
    #: Digest of the key of the page's last row.
    seam: str
    #: Rows up to its end.
    rows: int
    #: Pages up to its end.
    pages: int
    #: Version that the rows carry; null where they carry none.
    version: int | None
    #: Highest replication value so far; null for full tables.
    highest: t.Any
    #: Moment the first of the runs began: rows of the pages read then may have changed since.
    began: str
    #: Digest of what shapes the stream: its request, its columns, its keys.
    shape: str
    #: Moment the page was written, ISO 8601 in UTC.
    at: str

    def to_state(self) -> dict[str, t.Any]:
        """Return the position as it stands in a bookmark."""
        return {**self.__dict__}

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

    def behind(self, keys: Iterable[Hashable]) -> list[bool] | None:
        """Return which rows of the page come after those written; None if their end is gone."""
        digests = [digest(key) for key in keys]
        if self.seam not in digests:
            return None
        place = digests.index(self.seam)
        return [number > place for number in range(len(digests))]


class Resumption:
    """Takes up the walk of one stream where it was cut, and keeps its place for the next run."""

    def __init__(
        self, stream: AnalyticsStream, walk: Walk, *, columns: Collection[str], state: TapState
    ) -> None:
        self._stream = stream
        self._walk = walk
        self._state = state
        self._shape = digest(
            [
                repr(walk.pages.request(stream.paging.start())),
                list(stream.primary_keys),
                stream.replication_method,
                sorted(columns),
                repr(stream.config.get("stream_maps")),
            ]
        )

    def take_up(self) -> Position | None:
        """Put the walk behind the position in the state and return that, if there is one to use."""
        stream = self._stream
        hours = stream.config.get("resume_within_hours", 0)
        bookmark = self._state.get("bookmarks", {}).get(stream.name, {})
        position = Position.from_state(bookmark, shape=self._shape, hours=hours)
        if position is None:
            return None
        if not self._walk.resume(position):
            stream.logger.warning("The place where the last run ended is gone; starting again.")
            return None
        stream.logger.info("Going on behind row %d of the last run.", position.rows)
        return position

    def note(self, *, version: int | None, highest: t.Any, began: datetime) -> None:  # noqa: ANN401 - a value of the replication key
        """Put the page in hand into the state.

        The caller holds the writer's lock since before it wrote the page, so that no STATE says
        less than the target has.
        """
        seen = self._walk.paginator.seen
        position = Position(
            token=self._walk.token,
            seam=digest(self._walk.last_key),
            rows=seen.rows,
            pages=seen.pages,
            version=version,
            highest=highest,
            began=began.isoformat(),
            shape=self._shape,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        bookmarks = self._state.setdefault("bookmarks", {})
        bookmarks.setdefault(self._stream.name, {})[MEMBER] = position.to_state()


def forget(state: TapState, stream: str) -> None:
    """Take a stream that was read to its end, and has no bookmark, out of the state."""
    bookmarks = state.get("bookmarks", {})
    if MEMBER in bookmarks.get(stream, {}):
        del bookmarks[stream]


def digest(value: object) -> str:
    """Return a short digest of a key, the same in every process."""
    return hashlib.blake2b(ENCODER.encode(value), digest_size=8).hexdigest()


def _token(given: Mapping[str, t.Any]) -> Query:
    """Return a token as it was before JSON made lists of its tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else str(value)
        for name, value in given.items()
    }
