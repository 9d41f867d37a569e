"""Pages the server names itself: by an opaque cursor or by a link, in the body or in a header."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from typing_extensions import override

from tap_analytics.pagination.links import header_links
from tap_analytics.pagination.members import dig, has, roots
from tap_analytics.pagination.paging import End, Paging

if t.TYPE_CHECKING:
    from tap_analytics.pagination.paging import Page, Query, Seen


@dataclass(frozen=True, kw_only=True)
class Cursor(Paging):
    """Pages by an opaque cursor in the body: `{"next": "abc"}` leads to `?from=abc`."""

    cursor_path: str = "cursors.next"
    cursor_param: str = "cursor"
    #: Dotted path of a flag that says the last page is reached.
    at_end_path: str | None = None

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        if self.at_end_path and dig(page.payload, self.at_end_path) is True:
            return End.CURSOR
        is_full = page.received >= (seen.asked or 1)
        if seen.pages == 1 and is_full and not has(page.payload, self.cursor_path):
            # A full first page and no word of a cursor: the path may be wrong.
            return End.SINGLE
        return self.follow(dig(page.payload, self.cursor_path))

    @property
    @override
    def members(self) -> frozenset[str]:
        return roots(self.cursor_path, self.at_end_path)

    def follow(self, cursor: object) -> Query | End:
        """Return the token of a cursor; null, empty, false and 0 mean that there is none."""
        return {self.cursor_param: str(cursor)} if cursor else End.CURSOR


@dataclass(frozen=True, kw_only=True)
class HeaderCursor(Cursor):
    """Pages by an opaque cursor in a response header."""

    #: Name of the header.
    cursor_key: str = "next"

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        return self.follow(page.headers.get(self.cursor_key))


@dataclass(frozen=True, kw_only=True)
class JsonLink(Paging):
    """Pages by a link in the body: `{"next": "https://…?page=2"}`; its query is followed."""

    next_url_path: str = "next"

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        link = dig(page.payload, self.next_url_path)
        return page.follow(link) if isinstance(link, str) and link else End.LINK

    @property
    @override
    def members(self) -> frozenset[str]:
        return roots(self.next_url_path)


@dataclass(frozen=True, kw_only=True)
class HeaderLink(Paging):
    """Pages by the `Link` header: `<https://…?page=2>; rel="next"`; its query is followed."""

    links_next_key: str = "next"

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        link = header_links(page).get(self.links_next_key.lower())
        return End.LINK if link is None else page.follow(link)
