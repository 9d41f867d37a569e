"""Requests that only find out whether a page was the last one, where no response has said so.

A page that names no next one may be the last, or the word for the next page may be another one than
the declaration says. So the page is asked for with fewer rows: if it is cut and names a next page
then, the API speaks the word, and its absence was the end. Where pages can be counted, the next
number is asked for instead. A server that ignores all that has shown nothing, and that is no error.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from tap_analytics.pagination import LinkedPaging, StopReason
from tap_analytics.pagination.completeness import NOTHING_SHOWN, PaginationError
from tap_analytics.pagination.strategies.markers import hint_of_more
from tap_analytics.transport.errors import NotFound, Rejected, TransportError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from tap_analytics.pagination import Confirm, Page, PageToken, Paginator
    from tap_analytics.pagination.completeness import PaginationGuard
    from tap_analytics.pagination.endpoint import Endpoint
    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.page import FetchedPage

#: Names of parameters that ask for so many rows.
_LIMIT_NAME = re.compile(r"limit|size|per_?page|count|max|top|take|first|rows", re.IGNORECASE)
#: Statuses by which servers refuse the number of a page that isn't there.
_NO_SUCH_PAGE = frozenset({400, 404, 416, 422})
#: What an answer that can't be had shows: nothing.
_NO_ANSWER = (TransportError, PaginationError)


@dataclass(slots=True, kw_only=True)
class EndCheck:
    """Looks for evidence of the end behind the only page of a walk."""

    endpoint: Endpoint
    pages: PageFetcher
    proof: PaginationGuard
    #: Takes a page of the walk.
    fetch: Callable[[PageToken], FetchedPage]
    _keys: Sequence[Hashable] = ()
    #: Further ways to count on, if the server ignores the one that is tried.
    _others: Iterator[Confirm] = field(default_factory=lambda: iter(()))

    @property
    def paginator(self) -> Paginator:
        """The pages that came."""
        return self.proof.paginator

    def after(self, fetched: FetchedPage) -> PageToken | None:
        """Look for evidence behind a page; return the token to go on with, if there is one."""
        paginator, page = self.paginator, fetched.page
        if paginator.end is StopReason.DECLARED:
            self._doubt_full(page)
        if paginator.end is not StopReason.SINGLE or paginator.seen.pages > 1:
            return None
        self.proof.missing, self.proof.awaits_word = self._missing(page), True
        shown = self.endpoint.shown
        if shown.tried or not page.received or self._names_next(page):
            return None
        self._keys = fetched.keys
        self._others = self.endpoint.paging.counted_on(page, paginator.seen)
        return self._count_on()

    def confirmed(
        self, query: PageToken, *, known: Callable[[Sequence[Hashable]], bool]
    ) -> FetchedPage | None:
        """Return a page that was asked for to confirm the end, None where the server ignores it."""
        confirm = t.cast("Confirm", self.paginator.confirming)
        shown, is_plain = self.endpoint.shown, confirm.check is None
        try:
            fetched = None if is_plain and shown.ignores_number else self.fetch(query)
        except (NotFound, Rejected) as error:
            if error.status not in _NO_SUCH_PAGE:
                raise
            fetched = None
        if fetched is not None and not known(fetched.keys):
            return fetched
        shown.ignores_number |= is_plain
        self.paginator.stop(confirm.otherwise)
        return None

    def another(self) -> PageToken | None:
        """Return the token of another way to count on, behind one that the server ignores."""
        return self._count_on() if self.paginator.end is StopReason.SINGLE else None

    def _count_on(self) -> PageToken | None:
        for confirm in self._others:
            if confirm.check is None or self._heeds(*confirm.check):
                return self.paginator.go_on(confirm)
        return None

    def _heeds(self, token: PageToken, place: int) -> bool:
        """Whether the page of a token begins with a row of the page in hand, as it should."""
        try:
            found = self.pages.fetch(token).keys
        except _NO_ANSWER:
            return False
        return bool(found) and found[0] == self._keys[place]

    def _names_next(self, page: Page) -> bool:
        """Whether the API names a next page where it is asked for fewer rows.

        What it counts then beside fewer rows is the list, not the page.
        """
        paging, seen = self.endpoint.paging, self.paginator.seen
        cut = self._cut(page)
        if cut is None:
            return False
        is_met = seen.total is not None and seen.rows >= seen.total
        if is_met and paging.total(cut) == seen.total != cut.received:
            seen.counted = True
            self.paginator.stop(StopReason.TOTAL)
        try:
            seen.spoken = paging.named(cut) is not None
        except TransportError:
            return is_met and seen.counted
        if seen.spoken:
            self.paginator.stop(getattr(paging, "ending", StopReason.LINK))
        elif 0 < cut.received < page.received:
            self.proof.awaits_word = False
        return seen.spoken or (is_met and seen.counted)

    def _cut(self, page: Page) -> Page | None:
        """Return the page with a row less; of a single one, a page of the list unfiltered."""
        paging, rows = self.endpoint.paging, page.received - 1
        limit, pages = self.endpoint.page_size, self.pages
        if paging.limit_param is None or (limit is not None and page.received > limit):
            return None
        if not rows and not pages.window:
            return None
        if not isinstance(paging, LinkedPaging) and limit is None:
            return None
        self.endpoint.shown.tried = True
        if not rows:
            pages = pages.unfiltered()
        try:
            return pages.fetch({**page.query, paging.limit_param: str(rows or 1)}).page
        except _NO_ANSWER:
            return None

    def _doubt_full(self, page: Page) -> None:
        """Doubt a page that is declared to be all, and is as full as was asked for."""
        for name, value in self.pages.request(page.query).params:
            if page.received and value == str(page.received) and _LIMIT_NAME.search(name):
                self.proof.doubt_because(
                    f"`single_page` is declared, but the page has as many rows as `{name}={value}` "
                    "asks for, so there may be more; declare the `paginator` that reads them, or "
                    "ask for more rows than there are"
                )

    def _missing(self, page: Page) -> str:
        """Say what the only page of a walk lacks, and which words would make up for it."""
        paging = self.endpoint.paging
        if not isinstance(paging, LinkedPaging):
            return NOTHING_SHOWN
        hint = hint_of_more(page)
        found = f", though it has {hint}" if hint else ""
        return (
            f"the only page has nothing at {paging.word}{found}, so nothing shows that it is the "
            "last one; correct the word, set `limit` and `limit_param` so that the tap can ask for "
            "fewer rows, or declare a `total_path`, or `single_page` if the API answers everything "
            "at once"
        )
