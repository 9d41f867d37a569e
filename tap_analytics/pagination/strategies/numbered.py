"""Paging by offset or page number.

An offset advances by the rows received, not by the limit, and only an empty page, a reached total
or an explicit end in a response ends reading.
"""

from __future__ import annotations

import typing as t
from abc import abstractmethod
from dataclasses import dataclass
from itertools import takewhile

from typing_extensions import override

from tap_analytics.pagination.placement import is_in_query
from tap_analytics.pagination.strategies.metadata import (
    dig,
    followed_link,
    next_link,
    roots,
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

    #: Setting with the name of the parameter for the number.
    number_setting: t.ClassVar[str]
    #: Statuses of responses to a number behind the last page.
    end_status_codes: tuple[int, ...] = ()

    @property
    @abstractmethod
    def maximum(self) -> int | None:
        """Number from which on no page is requested; None for all."""

    @property
    def is_whole(self) -> bool:
        """Whether reading begins at the first row and ends with the last one."""
        return self.maximum is None

    @property
    def number_param(self) -> str:
        """Name of the parameter for the number."""
        return str(getattr(self, self.number_setting))

    @abstractmethod
    def next_number(self, page: Page, seen: PagingState) -> int:
        """Return the number of the page after `page`."""

    def with_overlap(self, following: PageToken, page: Page, seen: PagingState) -> PageToken:  # noqa: ARG002 - for paging by row number
        """Return the token of a link, with an offset that is one lower if pages overlap."""
        return following

    @override
    def named(self, page: Page) -> PageToken | None:
        # Of a link only the query is taken, which isn't where other numbers go.
        return followed_link(page) if is_in_query(self.number_param) else None

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        following = self.named(page)
        if following is not None:
            return self.with_overlap(following, page, seen)
        # The total of an earlier page may be outdated.
        is_named = seen.total is not None and self.total(page) is not None
        if is_named and self.reached(page, seen) >= (seen.total or 0):
            return self._after_total(page, seen)
        names_link, link = next_link(page)
        is_linked = seen.facts.names_next or (names_link and link is None)
        if is_linked and seen.total is None:
            return self._after_links(page, seen)
        is_known = seen.first_page_short or seen.total is not None
        if not page.received or (is_known and page.received <= seen.overlap):
            return StopReason.EMPTY
        has_links = any(isinstance(dig(page.payload, n), dict) for n in ("links", "_links"))
        if seen.pages == 1 and has_links:
            # A server with links may ignore numbers, and a page without a next link be the last.
            return self._confirm(page, seen, StopReason.SINGLE)
        return {self.number_param: str(self.next_number(page, seen))}

    def _after_total(self, page: Page, seen: PagingState) -> Confirm | StopReason:
        """Return what follows the page that reaches the total.

        A total that one page reaches may be the rows of that page; one that a full page reaches,
        or that has fallen, may be too small.
        """
        is_sure = seen.facts.total_proven and not seen.total_fell and not _is_full(page, seen)
        if is_sure or not page.received:
            return StopReason.TOTAL
        end = StopReason.TOTAL if seen.facts.total_proven else StopReason.SINGLE
        return self._confirm(page, seen, end)

    def _after_links(self, page: Page, seen: PagingState) -> Confirm | StopReason:
        # If the server decides the size of pages, a full one can't be told from a short one.
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

    def is_beyond(self, query: PageToken) -> bool:
        """Whether a token has a number from which on no page is requested."""
        number = whole_number(query.get(self.number_param))
        return self.maximum is not None and number is not None and number >= self.maximum

    def skipped(self, page: Page, seen: PagingState) -> PageToken:
        """Return the token of the page after one without rows."""
        return {self.number_param: str(self.next_number(page, seen))}

    @override
    def predict(self, following: PageToken, page: Page, seen: PagingState) -> Iterator[PageToken]:
        tokens = super().predict(following, page, seen)
        return takewhile(lambda token: not self.is_beyond(token), tokens)


def _is_full(page: Page, seen: PagingState) -> bool:
    """Whether a page has as many rows as the limit or the largest page."""
    is_largest = seen.pages > 1 and page.received >= seen.max_rows
    return is_largest or (seen.page_size is not None and page.received >= seen.page_size)


@dataclass(frozen=True, kw_only=True)
class Offset(NumberedStrategy):
    """Pages by row number: `?offset=200&limit=100`, advanced by the rows received.

    So no row is skipped if the server caps `limit`.
    """

    number_setting: t.ClassVar[str] = "offset_param"
    offset_param: str = "offset"
    #: Number of the first row.
    offset: int = 0
    maximum_offset: int | None = None
    total_path: str | None = "total"

    @property
    @override
    def maximum(self) -> int | None:
        return self.maximum_offset

    @property
    @override
    def is_whole(self) -> bool:
        return super().is_whole and not self.offset

    @override
    def start(self) -> PageToken:
        return {self.offset_param: str(self.offset)}

    @override
    def reached(self, page: Page, seen: PagingState) -> int:
        number = whole_number(page.query.get(self.offset_param))
        return (self.offset if number is None else number) - self.offset + page.received

    @override
    def skipped(self, page: Page, seen: PagingState) -> PageToken:
        rows = seen.page_size or seen.max_rows
        return {self.offset_param: str(self.offset + self.reached(page, seen) + rows)}

    @override
    def next_number(self, page: Page, seen: PagingState) -> int:
        reached = self.reached(page, seen)
        # After a short page there is likely no row: without overlap, the empty page proves the end.
        # A first page may be short because the server caps its pages.
        is_last = seen.pages > 1 and page.received < seen.max_rows
        if is_last and (seen.total is None or reached >= seen.total):
            return self.offset + reached
        return self.offset + reached - seen.overlap

    @override
    def beyond(self, page: Page, seen: PagingState) -> int:
        return self.offset + self.reached(page, seen)

    @override
    def with_overlap(self, following: PageToken, page: Page, seen: PagingState) -> PageToken:
        number = whole_number(following.get(self.offset_param))
        if number is None or number != self.beyond(page, seen):
            return following
        return {**following, self.offset_param: str(self.next_number(page, seen))}


@dataclass(frozen=True, kw_only=True)
class LinkedOffset(Offset):
    """Pages by link or cursor if the server gives one, else by row number.

    The first request has no offset, which servers that page by cursor ignore or refuse. A first
    response that has links but no next one, and at most one row, is the end.
    """

    #: Member of a response that holds its links.
    links_member: str = "_links"

    @override
    def start(self) -> PageToken:
        return {}

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        has_links = isinstance(dig(page.payload, self.links_member), dict)
        seen.facts.has_links |= has_links
        is_first = seen.pages == 1 and has_links
        if not is_first or seen.facts.names_next or next_link(page)[0]:
            return super().next_token(page, seen)
        return StopReason.SINGLE if page.received > 1 else StopReason.LINK

    @override
    def probes(self, page: Page, seen: PagingState) -> Iterator[Confirm]:
        yield self._confirm(page, seen, StopReason.SINGLE)


@dataclass(frozen=True, kw_only=True)
class PageNumber(NumberedStrategy):
    """Pages by page number: `?page=3`.

    Without `base_page` the first page is 0, because a server that counts from 0 would lose it
    otherwise; if page 1 repeats page 0, the server counts from 1 and the repetition is dropped.
    """

    number_setting: t.ClassVar[str] = "page_param"
    page_param: str = "page"
    #: Where each response has its number.
    page_path: str | None = None
    base_page: int | None = None
    #: Number of the page to begin with, if it isn't the first.
    page: int | None = None
    maximum_page: int | None = None

    @property
    @override
    def maximum(self) -> int | None:
        return self.maximum_page

    @property
    @override
    def is_whole(self) -> bool:
        return super().is_whole and self.page in {None, self.base_page}

    @override
    def start(self) -> PageToken:
        return {self.page_param: str((self.base_page or 0) if self.page is None else self.page)}

    @override
    def next_number(self, page: Page, seen: PagingState) -> int:
        number = whole_number(page.query.get(self.page_param))
        return (self.base_page or 0) + seen.pages if number is None else number + 1

    @override
    def total(self, page: Page) -> int | None:
        """Return the number of rows; None if the name of the total shows that it counts pages."""
        return None if self._counts_pages else super().total(page)

    @override
    def count_of_pages(self, page: Page) -> tuple[str, int] | None:
        last = self._declared_pages(page)
        return super().count_of_pages(page) if last is None else (self.total_path or "", last)

    def number_in(self, page: Page) -> int | None:
        """Return the number that a response has where it is declared."""
        return whole_number(dig(page.payload, self.page_path)) if self.page_path else None

    @property
    @override
    def envelope_fields(self) -> frozenset[str]:
        return super().envelope_fields | roots(self.page_path)

    @property
    def is_open(self) -> bool:
        """Whether the number of the first page is unknown."""
        return self.base_page is None and self.page is None

    @property
    def _counts_pages(self) -> bool:
        return "page" in (self.total_path or "").rsplit(".", maxsplit=1)[-1].lower()

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        if self.page_path and self.number_in(page) is None:
            return StopReason.SINGLE
        following = super().next_token(page, seen)
        number = self.next_number(page, seen)
        by_number: PageToken = {self.page_param: str(number)}
        # Page 0 of a server that counts from 1 may be empty, or the same as page 1.
        is_open = self.is_open and seen.pages == 1
        if not page.received and isinstance(following, StopReason):
            may_begin = seen.pages == 1 and not self.base_page
            return by_number if may_begin or self._is_among_pages(page, number) else following
        if following is StopReason.TOTAL:
            # The total may count pages: only an empty page shows the end.
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
        """Whether a page is within the number of pages in the response; None without one."""
        last = self._declared_pages(page)
        return None if self.base_page is None or last is None else number < last + self.base_page

    @override
    def allows_repeat(self, page: Page) -> bool:
        return self.is_open and page.query.get(self.page_param) == "1"
