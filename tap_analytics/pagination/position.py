"""The saved position of an interrupted stream: the last page written, and how to return to it."""

from __future__ import annotations

import typing as t
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from tap_analytics.errors import PaginationError
from tap_analytics.records.digests import digest_of
from tap_analytics.records.notation import parse_iso
from tap_analytics.transport.errors import TransportError

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.page import FetchedPage

#: Member of a stream's bookmark that holds the position.
MEMBER = "position"
#: Failures of the API as a whole, not only of a page whose token has expired.
_LASTING = frozenset({"credentials", "forbidden", "unreachable"})
#: A token as pairs, because Meltano may merge the objects of two states member by member.
Pairs = tuple[tuple[str, str | tuple[str, ...]], ...]
#: Names in the state of fields that have other names here.
_MEMBERS = {
    "last_key_digest": "seam",
    "total_proven": "counted",
    "names_next": "spoken",
    "fingerprint": "shape",
}


class Checkpoint(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename=_MEMBERS,
):
    """The last page that was written; the state has these fields."""

    #: Token of the page.
    token: Pairs
    #: Digest of the key of the page's last row.
    last_key_digest: str
    #: Rows up to its end.
    rows: int
    #: Pages up to its end.
    pages: int
    #: Version of the rows; null if they have none.
    version: int | None
    #: Last total of the API; null if it gave none.
    total: int | None
    #: Whether that total is known to be that of the list, not of the page.
    total_proven: bool
    #: Whether a response has named its next page, so that one without is the last.
    names_next: bool
    #: Doubt about completeness so far, such as rows that moved; null for none.
    doubt: str | None
    #: A few pages read by number, with fingerprints of their keys, to find rows that moved.
    checks: tuple[tuple[Pairs, str], ...]
    #: Highest replication value so far; null with FULL_TABLE.
    highest: t.Any
    #: When the first of the runs began; rows it read may have changed since. ISO 8601, UTC.
    began: str
    #: Digest of the settings and catalog that affect the rows.
    fingerprint: str
    #: Whether requests had the filter; they don't if the server refused it.
    filtered: bool
    #: Digest of the first key of a shard's range of rows; absent in other runs.
    first_key: str | None = None
    #: Lists read to their end, of a stream with one for each value or window; then there is no
    #: token, and `seam` is the digest of the last list's values. Absent in other streams.
    lists: int = 0
    #: The worst verdict of these lists; absent in other streams.
    verdict: str = ""
    #: API and account, as in a bookmark.
    source: dict[str, str | None]
    #: When the page was written. ISO 8601, UTC.
    at: str

    def to_state(self) -> dict[str, t.Any]:
        """Return the position as JSON values, for the state."""
        return t.cast("dict[str, t.Any]", msgspec.to_builtins(self, builtin_types=(Decimal,)))

    @classmethod
    def from_state(
        cls, bookmark: Mapping[str, t.Any], *, fingerprint: str, hours: float
    ) -> Checkpoint | None:
        """Return the position in a bookmark if it is still valid, else None."""
        given = bookmark.get(MEMBER)
        if not still_holds(given, fingerprint=fingerprint, hours=hours):
            return None
        with suppress(msgspec.ValidationError):
            return msgspec.convert(given, cls)
        return None

    def rows_after(self, keys: Iterable[Hashable]) -> list[bool] | None:
        """Return which rows come after the last one written; None if that row isn't there."""
        digests = [digest_of(key) for key in keys]
        if self.last_key_digest not in digests:
            return None
        place = digests.index(self.last_key_digest)
        return [number > place for number in range(len(digests))]

    def reopen(self, fetcher: PageFetcher) -> tuple[PageFetcher, FetchedPage] | None:
        """Return a fetcher that begins with the page, and the page; None if its token has expired.

        Raises failures of the API as a whole.
        """
        window, token = fetcher.window if self.filtered else {}, dict(self.token)
        fetcher = replace(fetcher, first=token, window=window, has_begun=True)
        try:
            return fetcher, fetcher.fetch(token)
        except (TransportError, PaginationError) as error:
            # Servers answer an expired cursor in many ways.
            if getattr(error, "cause", None) in _LASTING:
                raise
            return None


def still_holds(
    mark: object, *, fingerprint: str, hours: float
) -> t.TypeGuard[Mapping[str, t.Any]]:
    """Whether an object in the state was made with the same settings, and not too long ago."""
    if not isinstance(mark, dict) or mark.get("shape") != fingerprint:
        return False
    at = parse_iso(str(mark.get("at")))
    return at is not None and datetime.now(UTC) - at <= timedelta(hours=hours)
