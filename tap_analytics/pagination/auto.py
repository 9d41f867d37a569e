"""Paging as the responses themselves show it, for APIs whose declaration names none."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from typing_extensions import override

from tap_analytics.pagination.links import LINK_MEMBERS, next_link
from tap_analytics.pagination.members import dig, has, roots, whole_number
from tap_analytics.pagination.numbered import Offset, PageNumber
from tap_analytics.pagination.paging import End, Paging

if t.TYPE_CHECKING:
    from tap_analytics.pagination.numbered import NumberedPaging
    from tap_analytics.pagination.paging import Page, Query, Seen

#: Where `auto` looks for a cursor, and the parameter that sends it back.
CURSORS = {
    "next_cursor": "cursor",
    "nextCursor": "cursor",
    "cursors.next": "cursor",
    "meta.next_cursor": "cursor",
    "pagination.next_cursor": "cursor",
    "response_metadata.next_cursor": "cursor",
    "paging.cursors.after": "after",
    "paging.next.after": "after",
    "next_page_token": "page_token",
    "nextPageToken": "pageToken",
}
#: What `auto` counts by where the response names its own place.
NUMBERS = ("offset", "page")


@dataclass(frozen=True, kw_only=True)
class Auto(Paging):
    """Paging as the first response shows it: a link, a cursor, an offset or a page number."""

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        has_links, link = next_link(page)
        if link is not None:
            return page.follow(link)
        for path, param in CURSORS.items():
            if cursor := dig(page.payload, path):
                return {param: str(cursor)}
        if numbered := self._numbered(page):
            return numbered.next(page, seen)
        if has_links:
            return End.LINK
        return End.CURSOR if any(has(page.payload, path) for path in CURSORS) else End.SINGLE

    @override
    def is_numbered(self, query: Query) -> bool:
        return not query.keys().isdisjoint(NUMBERS)

    @property
    @override
    def members(self) -> frozenset[str]:
        return LINK_MEMBERS | roots(*CURSORS) | {"total", *NUMBERS}

    @override
    def total(self, page: Page) -> int | None:
        return whole_number(dig(page.payload, "total"))

    @staticmethod
    def _numbered(page: Page) -> NumberedPaging | None:
        if whole_number(dig(page.payload, "offset")) is not None:
            return Offset()
        number = whole_number(dig(page.payload, "page"))
        return None if number is None else PageNumber(base_page=number, total_path="total")
