"""Paging by offset or page number.

The number advances by the rows received, not by the limit, and only an empty page, a reached total
or an explicit end in a response ends reading.
"""

from __future__ import annotations

import typing as t
from abc import abstractmethod
from dataclasses import dataclass
from itertools import count

from typing_extensions import override

from tap_analytics.pagination.strategies.metadata import (
    dig,
    followed_link,
    next_link,
    whole_number,
)
from tap_analytics.pagination.strategies.strategy import Confirm, PagingStrategy, StopReason

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination.page import Page, PageToken
    from tap_analytics.pagination.strategies.strategy import PagingState


@dataclass(frozen=True, kw_only=True)
class NumberedStrategy(PagingStrategy):
    """Base of `Offset` and `PageNumber`."""

    #: Name of the setting that names the parameter which carries the number.
    number_setting: t.ClassVar[str]

    @property
    def number_param(self) -> str:
        """Name of the parameter that carries the number."""
        return str(getattr(self, self.number_setting))

    @abstractmethod
    def next_number(self, page: Page, seen: PagingState) -> int:
        """Return the number of the page after `page`."""

    def stride(self, rows: int) -> int:  # noqa: ARG002 - for paging by row number
        """Return by how much the number grows behind a page that brings so many rows."""
        return 1

    def with_overlap(self, following: PageToken, page: Page, seen: PagingState) -> PageToken:  # noqa: ARG002 - for paging by row number
        """Return a link's token, a row earlier where pages are to overlap."""
        return following

    @override
    def named(self, page: Page) -> PageToken | None:
        return followed_link(page)

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        following = self.named(page)
        if following is not None:
            return self.with_overlap(following, page, seen)
        # A total that an earlier page has named may hold no more.
        is_named = seen.total is not None and self.total(page) is not None
        if is_named and self.reached(page, seen) >= (seen.total or 0):
            return self._behind_total(page, seen)
        is_linked = seen.facts.names_next or next_link(page)[0]
        if is_linked and seen.total is None:
            return self._behind_links(page, seen)
        is_known = seen.first_page_short or seen.total is not None
        if not page.received or (is_known and page.received <= seen.overlap):
            return StopReason.EMPTY
        has_links = any(isinstance(dig(page.payload, n), dict) for n in ("links", "_links"))
        if seen.pages == 1 and has_links:
            # Links that name no page may be all there is: such a server may not know numbers.
            return self._confirm(page, seen, StopReason.SINGLE)
        return {self.number_param: str(self.next_number(page, seen))}

    def _behind_total(self, page: Page, seen: PagingState) -> Confirm | StopReason:
        """Return what follows the page that reaches the total.

        A total that one page reaches may be the page's own count; one that a full page reaches, or
        that has fallen, may be too small.
        """
        is_sure = seen.facts.total_proven and not seen.total_fell and not _is_full(page, seen)
        if is_sure or not page.received:
            return StopReason.TOTAL
        end = StopReason.TOTAL if seen.facts.total_proven else StopReason.SINGLE
        return self._confirm(page, seen, end)

    def _behind_links(self, page: Page, seen: PagingState) -> Confirm | StopReason:
        # Where the server chooses the size of pages, nobody knows which one is full.
        is_short = seen.page_size is not None and not _is_full(page, seen)
        if not page.received or is_short or not self.is_numbered(page.query):
            return StopReason.LINK
        return self._confirm(page, seen, StopReason.LINK)

    def _confirm(self, page: Page, seen: PagingState, otherwise: StopReason) -> Confirm:
        return Confirm({self.number_param: str(self.beyond(page, seen))}, otherwise)

    def beyond(self, page: Page, seen: PagingState) -> int:
        """Return the number of the page that begins where this one ends."""
        return self.next_number(page, seen)

    @override
    def is_numbered(self, query: PageToken) -> bool:
        return self.number_param in query

    @override
    def predict(self, following: PageToken, page: Page, seen: PagingState) -> Iterator[PageToken]:
        number = whole_number(following.get(self.number_param))
        rows = page.received - seen.overlap
        if number is None or rows <= 0:
            return
        reached = self.reached(page, seen)
        for step in count(1):
            if seen.total is not None and reached + step * rows >= seen.total:
                return
            yield {**following, self.number_param: str(number + step * self.stride(rows))}


def _is_full(page: Page, seen: PagingState) -> bool:
    """Whether a page has as many rows as the limit or the largest page."""
    is_largest = seen.pages > 1 and page.received >= seen.max_rows
    return is_largest or (seen.page_size is not None and page.received >= seen.page_size)


@dataclass(frozen=True, kw_only=True)
class Offset(NumberedStrategy):
    """Pages by row number: `?offset=200&limit=100`, advanced by the rows received.

    A page smaller than asked moves the offset by what it held, so a server that caps `limit` skips
    nothing, and only an empty page or a reached total is the end.
    """

    number_setting: t.ClassVar[str] = "offset_param"
    offset_param: str = "offset"
    total_path: str | None = "total"

    @override
    def start(self) -> PageToken:
        return {self.offset_param: "0"}

    @override
    def reached(self, page: Page, seen: PagingState) -> int:
        return (whole_number(page.query.get(self.offset_param)) or 0) + page.received

    @override
    def next_number(self, page: Page, seen: PagingState) -> int:
        reached = self.reached(page, seen)
        # What follows a short page is likely nothing: asked for as it is, it proves the end. A
        # first page may be short because the server caps its pages.
        is_last = seen.pages > 1 and page.received < seen.max_rows
        if is_last and (seen.total is None or reached >= seen.total):
            return reached
        return reached - seen.overlap

    @override
    def beyond(self, page: Page, seen: PagingState) -> int:
        return self.reached(page, seen)

    @override
    def stride(self, rows: int) -> int:
        return rows

    @override
    def with_overlap(self, following: PageToken, page: Page, seen: PagingState) -> PageToken:
        number = whole_number(following.get(self.offset_param))
        if number is None or number != self.reached(page, seen):
            return following
        return {**following, self.offset_param: str(self.next_number(page, seen))}


@dataclass(frozen=True, kw_only=True)
class LinkedOffset(Offset):
    """Pages by link or cursor where the server gives one, else by row number.

    The first request names no offset: servers that page by cursor ignore it or refuse it. It is for
    APIs whose links are known: a response that has them, and at most a row, shows the end.
    """

    #: Member of a response that holds its links.
    links_member: str = "_links"

    @override
    def start(self) -> PageToken:
        return {}

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        is_first = seen.pages == 1 and isinstance(dig(page.payload, self.links_member), dict)
        if not is_first or seen.facts.names_next or next_link(page)[0]:
            return super().next_token(page, seen)
        return StopReason.SINGLE if page.received > 1 else StopReason.LINK

    @override
    def probes(self, page: Page, seen: PagingState) -> Iterator[Confirm]:
        yield self._confirm(page, seen, StopReason.SINGLE)


@dataclass(frozen=True, kw_only=True)
class PageNumber(NumberedStrategy):
    """Pages by page number: `?page=3`.

    Without `base_page` the first page is 0; where page 1 repeats page 0 the server counts from 1
    and the repetition is dropped. Beginning at 1 would lose the first page of the others unnoticed.
    """

    number_setting: t.ClassVar[str] = "page_param"
    page_param: str = "page"
    base_page: int | None = None

    @override
    def start(self) -> PageToken:
        return {self.page_param: str(self.base_page or 0)}

    @override
    def next_number(self, page: Page, seen: PagingState) -> int:
        number = whole_number(page.query.get(self.page_param))
        return (self.base_page or 0) + seen.pages if number is None else number + 1

    @override
    def total(self, page: Page) -> int | None:
        """Return the total number of rows; None if its name shows that it counts pages."""
        return None if self._counts_pages else super().total(page)

    @override
    def count_of_pages(self, page: Page) -> tuple[str, int] | None:
        last = self._declared_pages(page)
        return super().count_of_pages(page) if last is None else (self.total_path or "", last)

    @property
    def _counts_pages(self) -> bool:
        return "page" in (self.total_path or "").rsplit(".", maxsplit=1)[-1].lower()

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        following = super().next_token(page, seen)
        number = self.next_number(page, seen)
        by_number: PageToken = {self.page_param: str(number)}
        # Page 0 of a server that counts from 1 may be empty, or page 1 again.
        is_open = self.base_page is None and seen.pages == 1
        if not page.received and isinstance(following, StopReason):
            may_begin = seen.pages == 1 and not self.base_page
            return by_number if may_begin or self._is_among_pages(page, number) else following
        if following is StopReason.TOTAL:
            # A `total` beside page numbers may count pages: only an empty page tells.
            return by_number if page.received else StopReason.EMPTY
        if isinstance(following, Confirm):
            return following.query if is_open else following
        if following == by_number and self._is_among_pages(page, number) is False:
            is_sure = seen.pages > 1 and not _is_full(page, seen)
            otherwise = StopReason.SINGLE if seen.pages == 1 else StopReason.TOTAL
            return StopReason.TOTAL if is_sure else Confirm(by_number, otherwise)
        return following

    def _declared_pages(self, page: Page) -> int | None:
        path = (self.total_path or "") if self._counts_pages else ""
        return whole_number(dig(page.payload, path))

    def _is_among_pages(self, page: Page, number: int) -> bool | None:
        """Whether a page is one of those the response counts; None if it counts none."""
        last = self._declared_pages(page)
        return None if self.base_page is None or last is None else number < last + self.base_page

    @override
    def allows_repeat(self, page: Page) -> bool:
        return self.base_page is None and page.query.get(self.page_param) == "1"
