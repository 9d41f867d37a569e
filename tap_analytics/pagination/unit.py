"""What `page` counts where a declaration calls it an offset: rows, or pages from 0 or from 1.

The responses to page 1 and page 0 show it: pages from 0 have other rows, offsets have the same rows
but for one, and a server that counts from 1 has no page 0, or repeats the first one.
"""

from __future__ import annotations

import typing as t
from dataclasses import fields, replace

from tap_analytics.errors import PaginationError
from tap_analytics.pagination.end_check import NO_SUCH_PAGE
from tap_analytics.pagination.strategies.numbered import NumberedStrategy, Offset, PageNumber
from tap_analytics.pagination.strategies.unknown_unit import UnknownUnit
from tap_analytics.transport.errors import NotFound, Rejected

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.page import FetchedPage, PageToken
    from tap_analytics.pagination.strategies.strategy import PagingStrategy
    from tap_analytics.records.rows import Row
    from tap_analytics.transport.errors import TransportError


def refuses_zero(paging: PagingStrategy, token: PageToken, error: TransportError) -> bool:
    """Whether an error answers page 0, which is asked for because the first number is unknown."""
    is_first = isinstance(paging, PageNumber) and paging.is_open and token == paging.start()
    return is_first and error.status in NO_SUCH_PAGE


def from_one(fetcher: PageFetcher) -> PageFetcher:
    """Return a fetcher of pages whose first one has the number 1."""
    endpoint = fetcher.endpoint
    paging = replace(t.cast("PageNumber", endpoint.paging), base_page=1)
    endpoint.facts.unit = paging
    return _settled(fetcher, paging)


def sample(fetcher: PageFetcher, *, beside: bool) -> list[Row]:
    """Return what `PageFetcher.sample` does, of page 1 if there is no page 0."""
    paging = fetcher.endpoint.paging
    try:
        return fetcher.sample(beside=beside)
    except (NotFound, Rejected) as error:
        if not refuses_zero(paging, fetcher.first, error):
            raise
        return from_one(fetcher).sample(beside=beside)


def _settled(fetcher: PageFetcher, paging: PagingStrategy) -> PageFetcher:
    endpoint = replace(fetcher.endpoint, paging=paging)
    settled = replace(fetcher, endpoint=endpoint, first=paging.start())
    settled.window = fetcher.window
    return settled


def settle(fetcher: PageFetcher) -> PageFetcher:
    """Return a fetcher whose paging has a known unit, which is found out once per stream.

    Raises the transport's errors, and `PaginationError` if the two pages don't show the unit.
    """
    endpoint, paging = fetcher.endpoint, fetcher.endpoint.paging
    found, pages = endpoint.facts.unit, {}
    if not isinstance(paging, UnknownUnit):
        is_known = found is not None and isinstance(paging, PageNumber) and paging.is_open
        return _settled(fetcher, found) if is_known and found else fetcher
    if found is None:
        pages = {number: _page(fetcher, paging, number) for number in (1, 0)}
        found = _found(paging, pages, label=endpoint.label)
        if pages[1] is not None and pages[1].keys:
            endpoint.facts.unit = found
    settled = _settled(fetcher, found)
    early = pages.get(int(str(settled.first[paging.page_param])))
    if early is not None:
        page = replace(early.page, query=settled.first)
        settled.keep(settled.first, replace(early, page=page))
    return settled


def _page(fetcher: PageFetcher, paging: UnknownUnit, number: int) -> FetchedPage | None:
    """Return a page; None for page 0 where there is none."""
    try:
        return fetcher.fetch({paging.page_param: str(number)})
    except (NotFound, Rejected) as error:
        if number or error.status not in NO_SUCH_PAGE:
            raise
        return None


def _found(
    paging: UnknownUnit, pages: dict[int, FetchedPage | None], *, label: str
) -> NumberedStrategy:
    first, zero = (() if page is None else page.keys for page in (pages[1], pages[0]))
    declared = {each.name: getattr(paging, each.name) for each in fields(NumberedStrategy)}
    by_page = PageNumber(page_param=paging.page_param, base_page=1, **declared)
    if not zero or set(zero) == set(first):
        return by_page
    if _is_next_row(zero, first):
        return Offset(offset_param=paging.page_param, **declared)
    if set(zero).isdisjoint(first):
        return replace(by_page, base_page=0)
    raise PaginationError(
        f"{label}: `{paging.page_param}` 0 and 1 have some rows in common, so it can't be told "
        "whether it counts rows or pages. Declare `page_number` with its `base_page`, or ask for a "
        "stable order in `params`."
    )


def _is_next_row(zero: Sequence[Hashable], first: Sequence[Hashable]) -> bool:
    """Whether a page begins with the second row of another."""
    rest = list(zero[1:])
    return bool(rest) and list(first[: len(rest)]) == rest
