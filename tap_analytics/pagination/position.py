"""The saved position of an interrupted stream: the last page written."""

from __future__ import annotations

import typing as t
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from tap_analytics.records.digests import digest_of
from tap_analytics.records.notation import parse_iso

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

#: Member of a stream's bookmark that holds the position.
MEMBER = "position"


#: A token as pairs, for Meltano may merge two states, and objects in them member by member.
Pairs = tuple[tuple[str, str | tuple[str, ...]], ...]


#: Members of the state that are named otherwise than the fields.
_MEMBERS = {
    "last_key_digest": "seam",
    "total_proven": "counted",
    "names_next": "spoken",
    "fingerprint": "shape",
}


class Checkpoint(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_MEMBERS
):
    """The last page that was written."""

    #: Token of the page.
    token: Pairs
    #: Digest of the key of the page's last row.
    last_key_digest: str
    #: Rows up to its end.
    rows: int
    #: Pages up to its end.
    pages: int
    #: Version that the rows carry; null where they carry none.
    version: int | None
    #: Total the API gave last; null where it gave none.
    total: int | None
    #: Whether that total is known to be that of the list, not of the page.
    total_proven: bool
    #: Whether a response named its next page: one that doesn't is the last.
    names_next: bool
    #: Doubt about the pages so far, such as rows that moved; null for none.
    doubt: str | None
    #: A few pages read by number, with fingerprints of their keys: a change shows rows that moved.
    checks: tuple[tuple[Pairs, str], ...]
    #: Highest replication value so far; null for full tables.
    highest: t.Any
    #: Moment the first of the runs began: rows of the pages read then may have changed since.
    began: str
    #: Digest of all that decides which rows are wanted and how they go out.
    fingerprint: str
    #: Whether the server's own filter was in force; it isn't where the server refused it.
    filtered: bool
    #: The API and the account it was made from, as beside a bookmark.
    source: dict[str, str | None]
    #: Moment the page was written, ISO 8601 in UTC.
    at: str

    def to_state(self) -> dict[str, t.Any]:
        """Return the position as it stands in a bookmark."""
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
        """Return which rows of the page come after those written; None if their end is gone."""
        digests = [digest_of(key) for key in keys]
        if self.last_key_digest not in digests:
            return None
        place = digests.index(self.last_key_digest)
        return [number > place for number in range(len(digests))]


def still_holds(
    mark: object, *, fingerprint: str, hours: float
) -> t.TypeGuard[Mapping[str, t.Any]]:
    """Whether a mark in the state was made from the same settings, and not too long ago."""
    if not isinstance(mark, dict) or mark.get("shape") != fingerprint:
        return False
    at = parse_iso(str(mark.get("at")))
    return at is not None and datetime.now(UTC) - at <= timedelta(hours=hours)
