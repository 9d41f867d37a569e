"""Paging as the responses themselves show it, for APIs whose declaration names none."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from typing_extensions import override

from tap_analytics.pagination.linked import cursor_text
from tap_analytics.pagination.links import names_pages, next_link
from tap_analytics.pagination.markers import CURSORS, says_end
from tap_analytics.pagination.members import dig, has, whole_number
from tap_analytics.pagination.numbered import Offset, PageNumber
from tap_analytics.pagination.paging import Confirm, End, Paging

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination.numbered import NumberedPaging
    from tap_analytics.pagination.paging import Page, Query, Seen

#: What `auto` counts by where the response names its own place.
NUMBERS = ("offset", "page")


@dataclass(frozen=True, kw_only=True)
class Auto(Paging):
    """Paging as the first response shows it: a link, a cursor, an offset or a page number."""

    total_path: str | None = "total"

    @override
    def named(self, page: Page) -> Query | None:
        _, link = next_link(page)
        if link is not None:
            return page.follow(link)
        for path, param in CURSORS.items():
            if cursor := cursor_text(dig(page.payload, path)):
                return {param: cursor}
        return None

    @override
    def next(self, page: Page, seen: Seen) -> Query | Confirm | End:
        following = self.named(page)
        if following is not None:
            return following
        if numbered := self._numbered(page):
            return numbered.next(page, seen)
        if next_link(page)[0] or names_pages(page):
            return End.LINK
        is_null = any(has(page.payload, p) and not dig(page.payload, p) for p in CURSORS)
        if is_null or seen.spoken:
            return End.CURSOR
        return End.CURSOR if says_end(page) else End.SINGLE

    @override
    def is_numbered(self, query: Query) -> bool:
        return not query.keys().isdisjoint(NUMBERS)

    @override
    def counted_on(self, page: Page, seen: Seen) -> Iterator[Confirm]:
        last = page.received - 1
        offset: Query = {"offset": str(page.received)}
        yield Confirm(offset, End.SINGLE, check=({"offset": str(last)}, last))
        yield Confirm({"page": "2"}, End.SINGLE, check=({"page": "1"}, 0))

    @property
    @override
    def members(self) -> frozenset[str]:
        return super().members | {*NUMBERS}

    def _numbered(self, page: Page) -> NumberedPaging | None:
        """Return the paging by the number in a response, or in the request it answers."""
        place = functools.partial(dig, page.payload)
        words: dict[str, t.Any] = {"total_path": self.total_path, "total_header": self.total_header}
        if "offset" in page.query or whole_number(place("offset")) is not None:
            return Offset(**words)
        number = 1 if "page" in page.query else whole_number(place("page"))
        return None if number is None else PageNumber(base_page=number, **words)
