"""Pages that can be counted, by row number or by page number.

The number grows by what the server gave, not by what was asked for, and only an empty page, a
reached total or the server's own word is the end.
"""

from __future__ import annotations

import typing as t
from abc import abstractmethod
from dataclasses import dataclass
from itertools import count

from typing_extensions import override

from tap_analytics.pagination.links import LINK_MEMBERS, next_link
from tap_analytics.pagination.members import dig, roots, whole_number
from tap_analytics.pagination.paging import End, Paging

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination.paging import Page, Query, Seen


@dataclass(frozen=True, kw_only=True)
class NumberedPaging(Paging):
    """Pages that can be counted, by row or by page; base of `Offset` and `PageNumber`."""

    #: Dotted path of the row count in the response; optional there.
    total_path: str | None = None

    @property
    @abstractmethod
    def number_param(self) -> str:
        """Name of the parameter that carries the number."""

    @abstractmethod
    def counted(self, page: Page, seen: Seen) -> int:
        """Return the number of the page after `page`."""

    @abstractmethod
    def stride(self, page: Page, seen: Seen) -> int:
        """Return by how much the number grows from page to page."""

    def stepped_back(self, following: Query, page: Page, seen: Seen) -> Query:  # noqa: ARG002 - for paging by row number
        """Return a link's token, a few rows earlier where that checks the seam."""
        return following

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        has_links, link = next_link(page)
        if link is not None:
            return self.stepped_back(page.follow(link), page, seen)
        if self._has_reached_total(page, seen):
            return End.TOTAL
        if has_links and seen.total is None:
            return End.LINK
        told = seen.began_short or seen.total is not None
        if not page.received or (told and page.received <= seen.overlap):
            return End.EMPTY
        return {self.number_param: str(self.counted(page, seen))}

    @override
    def is_numbered(self, query: Query) -> bool:
        return self.number_param in query

    def _has_reached_total(self, page: Page, seen: Seen) -> bool:
        """Whether this page reaches the total it names; one named before may hold no more."""
        if seen.total is None or self.total(page) is None:
            return False
        return self.reached(page, seen) >= seen.total

    @property
    @override
    def members(self) -> frozenset[str]:
        return LINK_MEMBERS | roots(self.total_path)

    @override
    def ahead(self, following: Query, page: Page, seen: Seen) -> Iterator[Query]:
        number = whole_number(following.get(self.number_param))
        stride = self.stride(page, seen)
        rows = page.received - seen.overlap
        if number is None or rows <= 0:
            return
        reached = self.reached(page, seen)
        for step in count(1):
            if seen.total is not None and reached + step * rows >= seen.total:
                return
            yield {**following, self.number_param: str(number + step * stride)}

    @override
    def total(self, page: Page) -> int | None:
        return whole_number(dig(page.payload, self.total_path)) if self.total_path else None


@dataclass(frozen=True, kw_only=True)
class Offset(NumberedPaging):
    """Pages by row number: `?offset=200&limit=100`, advanced by the rows received.

    A page smaller than asked moves the offset by what it held, so a server that caps `limit` skips
    nothing, and only an empty page or a reached total is the end.
    """

    offset_param: str = "offset"
    total_path: str | None = "total"

    @property
    @override
    def number_param(self) -> str:
        return self.offset_param

    @override
    def start(self) -> Query:
        return {self.offset_param: "0"}

    @override
    def reached(self, page: Page, seen: Seen) -> int:
        return (whole_number(page.query.get(self.offset_param)) or 0) + page.received

    @override
    def counted(self, page: Page, seen: Seen) -> int:
        reached = self.reached(page, seen)
        # What follows a short page is likely nothing: asked for as it is, it proves the end. A
        # first page may be short because the server caps its pages.
        is_last = seen.pages > 1 and page.received < seen.largest
        if is_last and (seen.total is None or reached >= seen.total):
            return reached
        return reached - seen.overlap

    @override
    def stride(self, page: Page, seen: Seen) -> int:
        return page.received - seen.overlap

    @override
    def stepped_back(self, following: Query, page: Page, seen: Seen) -> Query:
        number = whole_number(following.get(self.offset_param))
        if number is None or number != self.reached(page, seen):
            return following
        return {**following, self.offset_param: str(self.counted(page, seen))}


@dataclass(frozen=True, kw_only=True)
class LinkedOffset(Offset):
    """Pages by link or cursor where the server gives one, else by row number.

    The first request names no offset: servers that page by cursor ignore it or refuse it.
    """

    @override
    def start(self) -> Query:
        return {}


@dataclass(frozen=True, kw_only=True)
class PageNumber(NumberedPaging):
    """Pages by page number: `?page=3`.

    Without `base_page` the walk starts at 0; where page 1 repeats page 0 the server counts from 1
    and the repetition is dropped. Starting at 1 would lose the first page of the others in silence.
    """

    page_param: str = "page"
    base_page: int | None = None

    @property
    @override
    def number_param(self) -> str:
        return self.page_param

    @override
    def start(self) -> Query:
        return {self.page_param: str(self.base_page or 0)}

    @override
    def counted(self, page: Page, seen: Seen) -> int:
        number = whole_number(page.query.get(self.page_param))
        return (self.base_page or 0) + seen.pages if number is None else number + 1

    @override
    def stride(self, page: Page, seen: Seen) -> int:
        return 1

    @override
    def total(self, page: Page) -> int | None:
        """Return the row count; a count of pages, told by its name, is turned into none."""
        if self.total_path and "page" in self.total_path.rsplit(".", maxsplit=1)[-1].lower():
            return None
        return super().total(page)

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        following = super().next(page, seen)
        if following is End.EMPTY and self.base_page is None and seen.pages == 1:
            # Page 0 of a server that counts from 1 may well be empty.
            return {self.page_param: "1"}
        if following is End.TOTAL:
            # A `total` beside page numbers may count pages: only an empty page tells.
            return {self.page_param: str(self.counted(page, seen))} if page.size else End.EMPTY
        if isinstance(following, dict) and self._is_past_last(page, following):
            return End.TOTAL
        return following

    def _is_past_last(self, page: Page, following: Query) -> bool:
        """Whether the response counts the pages and `following` is not among them."""
        if self.base_page is None or not self.total_path or self.total(page) is not None:
            return False
        last = whole_number(dig(page.payload, self.total_path))
        number = whole_number(following.get(self.page_param))
        return last is not None and number is not None and number >= last + self.base_page

    @override
    def absorbs_repeat(self, page: Page) -> bool:
        return self.base_page is None and page.query.get(self.page_param) == "1"
