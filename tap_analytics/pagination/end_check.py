"""Requests to verify that a page was the last one, if no response has shown it.

A page without a next link or cursor may be the last one, or the declaration may name the wrong
member. So the page is requested with a smaller limit: if it then names a next page, the declaration
is right, and the first response was the end. With numbered pages, the next number is requested
instead. If the server ignores both, the end is unverified, which is not an error.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from tap_analytics.errors import PaginationError
from tap_analytics.pagination.guard import NO_EVIDENCE
from tap_analytics.pagination.strategies.auto import Auto
from tap_analytics.pagination.strategies.linked import LinkedPaging
from tap_analytics.pagination.strategies.metadata import hint_of_more
from tap_analytics.pagination.strategies.numbered import PageNumber
from tap_analytics.pagination.strategies.strategy import StopReason
from tap_analytics.transport.errors import NotFound, Rejected, TransportError

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.guard import PaginationGuard
    from tap_analytics.pagination.overlap import PageSource
    from tap_analytics.pagination.page import FetchedPage, Page, PageToken
    from tap_analytics.pagination.paginator import Paginator
    from tap_analytics.pagination.strategies.strategy import Confirm

#: Names of parameters that limit the number of rows.
_LIMIT_NAME = re.compile(r"limit|size|per_?page|count|max|top|take|first|rows", re.IGNORECASE)
#: Statuses of responses to a page number after the last one.
NO_SUCH_PAGE = frozenset({400, 404, 416, 422})
#: Failures of a request that only verifies something; they show nothing.
_NO_PAGE = (TransportError, PaginationError)


@dataclass(slots=True, kw_only=True)
class EndCheck:
    """Looks for evidence that the only page of an endpoint is the last one."""

    fetcher: PageFetcher
    source: PageSource
    guard: PaginationGuard
    #: Which evidence is missing if no response shows the end.
    missing: str = NO_EVIDENCE
    #: Whether it isn't missing once another endpoint of the stream has named a next page.
    awaits_next: bool = False
    _keys: Sequence[Hashable] = ()
    #: Further pages to request by number, if the server ignores the one requested.
    _probes: Iterator[Confirm] = field(default_factory=lambda: iter(()))

    @property
    def _paginator(self) -> Paginator:
        return self.guard.paginator

    @property
    def cost(self) -> int:
        """The number of requests to verify the end, as far as it is known."""
        paginator, seen = self._paginator, self._paginator.seen
        if paginator.end is StopReason.SINGLE and seen.pages == 1:
            is_probed = paginator.facts.next_probed or isinstance(paginator.paging, Auto)
            # Of a single row that a filter leaves, the list without it is requested.
            return seen.max_rows > (0 if self.fetcher.window else 1) and not is_probed
        return paginator.confirming is not None

    def after(self, fetched: FetchedPage) -> PageToken | None:
        """Look for evidence after the last page; return the token of a further one, if any."""
        paginator, page = self._paginator, fetched.page
        if paginator.end is StopReason.DECLARED:
            self._doubt_full(page)
        self._check_limit()
        if paginator.end is not StopReason.SINGLE or paginator.seen.pages > 1:
            return None
        self.missing, self.awaits_next = self._missing(page), True
        is_probed = paginator.facts.next_probed
        if not page.received or (not is_probed and self._names_next(page)):
            return None
        self._keys = fetched.keys
        self._probes = paginator.paging.probes(page, paginator.seen)
        return self._next_probe()

    def is_end(self, token: PageToken, last: Sequence[Hashable]) -> bool:
        """Whether the page that `token` names confirms the end; `last` are the keys before it.

        One with new rows is kept for the next `fetch`.
        """
        paginator, confirm = self._paginator, t.cast("Confirm", self._paginator.confirming)
        is_plain = confirm.check is None and confirm.is_number
        try:
            is_known = is_plain and paginator.facts.ignores_number
            fetched = None if is_known else self.fetcher.fetch(token)
        except (NotFound, Rejected) as error:
            if error.status not in NO_SUCH_PAGE:
                raise
            fetched = None
        if fetched is not None and not self.source.has_read(fetched.keys, last):
            self.fetcher.keep(token, fetched)
            return False
        paginator.learn(ignores_number=is_plain)
        paginator.stop(confirm.otherwise)
        return True

    def another(self) -> PageToken | None:
        """Return the token of another page to request after one whose number was ignored."""
        return self._next_probe() if self._paginator.end is StopReason.SINGLE else None

    def _next_probe(self) -> PageToken | None:
        for confirm in self._probes:
            if confirm.check is None or self._applies_number(*confirm.check):
                return self._paginator.resume(confirm)
        return None

    def _applies_number(self, token: PageToken, place: int) -> bool:
        """Whether the page of a token begins with the row at a place of the current page."""
        try:
            found = self.fetcher.fetch(token).keys
        except _NO_PAGE:
            return False
        return bool(found) and found[0] == self._keys[place]

    def _names_next(self, page: Page) -> bool:
        """Whether the API names a next page with a smaller limit.

        A total that stays the same beside fewer rows is that of the list, not of the page.
        """
        paginator, seen = self._paginator, self._paginator.seen
        paging = paginator.paging
        cut = self._cut(page)
        if cut is None:
            return False
        is_met = seen.total is not None and seen.rows >= seen.total
        if is_met and paging.total(cut) == seen.total != cut.received:
            paginator.learn(total_proven=True)
            paginator.stop(StopReason.TOTAL)
        try:
            is_named = paging.named(cut) is not None
        except TransportError:
            return is_met and seen.facts.total_proven
        if is_named:
            paginator.learn(names_next=True)
            paginator.stop(getattr(paging, "ending", StopReason.LINK))
        elif 0 < cut.received < page.received:
            self.awaits_next = False
        return is_named or (is_met and seen.facts.total_proven)

    def _cut(self, page: Page) -> Page | None:
        """Return the page with a row less; of a single one, a page of the list unfiltered."""
        paging, rows = self._paginator.paging, page.received - 1
        limit, fetcher = self._paginator.page_size, self.fetcher
        if paging.limit_param is None or (limit is not None and page.received > limit):
            return None
        if not rows and not fetcher.window:
            return None
        if not isinstance(paging, LinkedPaging) and limit is None:
            return None
        self._paginator.learn(next_probed=True)
        if not rows:
            fetcher = replace(fetcher, window={}, decoder=None)
        try:
            return fetcher.fetch({**page.query, paging.limit_param: str(rows or 1)}).page
        except _NO_PAGE:
            return None

    def _check_limit(self) -> None:
        """Raise `PaginationError` if a server sends fewer rows than asked for, and skips the rest.

        Where it counts pages of the limit that it was asked for, a page with the limit that it
        allows has rows that neither that page nor the one before had. Pages of which rows are left
        out have none.
        """
        paginator, seen, paging = self._paginator, self._paginator.seen, self._paginator.paging
        if not isinstance(paging, PageNumber) or paging.limit_param is None:
            return
        is_capped = seen.first_page_short and seen.filled > 1
        is_capped &= seen.max_rows < (paginator.page_size or 0)
        is_known = paginator.facts.limit_checked or paginator.facts.names_next
        if not is_capped or is_known or paginator.end is StopReason.TOTAL:
            return
        paginator.learn(limit_checked=True)
        # Page 0 and page 1 may be the same.
        if any(self._skips_rows(paging, behind) for behind in ((1, 2) if paging.is_open else (1,))):
            raise PaginationError(
                f"{self.guard.label}: the server sends at most {seen.max_rows} rows per page, but "
                f"counts pages of the {paginator.page_size} it was asked for, so it skips rows. "
                f"Set `limit` to {seen.max_rows}."
            )

    def _skips_rows(self, paging: PageNumber, behind: int) -> bool:
        start = int(str(paging.start()[paging.page_param])) + behind
        before, page = ({paging.page_param: str(number)} for number in (start - 1, start))
        allowed = page | {str(paging.limit_param): str(self._paginator.seen.max_rows)}
        tokens: list[PageToken] = [{**each} for each in (before, page, allowed, page)]
        try:
            first, second, smaller, again = (self.fetcher.fetch(token).keys for token in tokens)
        except _NO_PAGE:
            return False
        return second[:1] == again[:1] and not {*first, *second}.issuperset(smaller)

    def _doubt_full(self, page: Page) -> None:
        """Doubt a `single_page` that is as full as the limit."""
        for name, value in self.fetcher.request(page.query).params:
            if page.received and value == str(page.received) and _LIMIT_NAME.search(name):
                self.guard.doubt_because(
                    f"`single_page` is declared, but the page has as many rows as `{name}={value}` "
                    "asks for, so there may be more; declare the `paginator` that reads them, or "
                    "ask for more rows than there are"
                )

    def _missing(self, page: Page) -> str:
        """Return the missing evidence and the settings that would provide it."""
        paging = self._paginator.paging
        if not isinstance(paging, LinkedPaging):
            return NO_EVIDENCE
        hint = hint_of_more(page)
        found = f", though it has {hint}" if hint else ""
        return (
            f"the only page has nothing at {paging.place}{found}, so nothing shows that it is the "
            "last one; correct the setting, set `limit` and `limit_param` so that the tap can ask "
            "for fewer rows, or declare a `total_path`, or `single_page` if the API returns "
            "everything at once"
        )
