"""The pages of one endpoint in order, each verified as it comes."""

from __future__ import annotations

import typing as t

from tap_analytics.pagination.end_check import EndCheck
from tap_analytics.pagination.guard import PaginationGuard
from tap_analytics.pagination.overlap import open_source
from tap_analytics.pagination.paginator import Paginator
from tap_analytics.pagination.rescan import Rescan, fingerprint
from tap_analytics.pagination.strategies.numbered import NumberedStrategy
from tap_analytics.pagination.strategies.strategy import StopReason
from tap_analytics.pagination.unit import from_one, refuses_zero, settle
from tap_analytics.records.digests import digest_of
from tap_analytics.records.rows import DictRows
from tap_analytics.transport.errors import Ignored, NotFound, Rejected
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Sequence

    from tap_analytics.pagination.completeness import Finding
    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.page import FetchedPage, PageToken
    from tap_analytics.pagination.position import Checkpoint
    from tap_analytics.pagination.row_range import ReadRange
    from tap_analytics.transport.errors import TransportError


class PageSequence:
    """Fetches the pages of an endpoint in order, checks them, and judges whether that is all.

    Raises `PaginationError` and the transport's errors.
    """

    def __init__(self, fetcher: PageFetcher, *, within: ReadRange | None = None) -> None:
        self.endpoint = endpoint = fetcher.endpoint
        #: The range of rows to read; None for all of them.
        self.within = within
        self.paginator = Paginator(endpoint.paging, endpoint.page_size, endpoint.facts)
        self.guard = PaginationGuard(
            paginator=self.paginator,
            label=endpoint.label,
            keyed=bool(endpoint.primary_keys),
            has_body=endpoint.has_body,
        )
        #: The new keys of the current page.
        self.keys: Sequence[Hashable] = ()
        #: Token of the next page; None at the end.
        self.following: PageToken | None = None
        self._last_key: Hashable = None
        self._resumed: FetchedPage | None = None
        if within is not None:
            self.paginator.begin_at(within.token, rows=within.start)
        self._open(fetcher)

    def _open(self, fetcher: PageFetcher) -> None:
        self._fetcher = fetcher
        self._source = source = open_source(fetcher, self.guard)
        self._end_check = EndCheck(fetcher=fetcher, source=source, guard=self.guard)
        self.rescan = Rescan(fetcher=fetcher, source=source, guard=self.guard)

    def pages(self) -> Generator[FetchedPage]:
        """Yield what is new of each page."""
        self._settle()
        token: PageToken | None = self.paginator.token
        try:
            while token is not None:
                self.guard.check_token(token)
                try:
                    fetched = self._fetch(token)
                except Ignored as error:
                    self.ignore(error)
                    return
                if fetched is None:
                    token = self._end_check.another()
                    continue
                self.following = self._advance(fetched)
                if self.within is not None:
                    fetched = self._cut(fetched, self.within)
                yield fetched
                token = self.following
                if token is None:
                    token = self._end_check.after(fetched)
        finally:
            self._fetcher.discard()

    def _settle(self) -> None:
        """Find out the unit of the page number, unless it is known."""
        fetcher = settle(self._fetcher)
        if fetcher is not self._fetcher:
            self._begin(fetcher)

    def _begin(self, fetcher: PageFetcher) -> None:
        """Begin with the first page of another paging."""
        self.endpoint = fetcher.endpoint
        self.paginator.paging, self.paginator.token = fetcher.endpoint.paging, fetcher.first
        self._open(fetcher)

    def stop(self, reason: StopReason) -> None:
        """End after the current page."""
        self.paginator.stop(reason)
        self.following = None

    def ignore(self, error: Ignored) -> None:
        """End at a response that is ignored, which is no evidence that nothing follows."""
        self.guard.doubt_because(
            f"{error.what}, which `response_actions` ignores, so rows may be missing"
        )
        self.stop(StopReason.IGNORED)

    def _fetch(self, token: PageToken) -> FetchedPage | None:
        """Return what is new of the next page; None if it only confirms the end."""
        if self._resumed is not None:
            fetched, self._resumed = self._resumed, None
            return fetched
        if self.paginator.confirming is not None and self._end_check.is_end(token, self.keys):
            return None
        try:
            return self._source.read(token)
        except (NotFound, Rejected) as error:
            if self.paginator.page is None and refuses_zero(self.paginator.paging, token, error):
                self._begin(from_one(self._fetcher))
                return self._fetch(self.paginator.token)
            if not self._is_behind(token, error):
                raise
            self.paginator.end_behind()
            self.following = None
            return None

    def _is_behind(self, token: PageToken, error: TransportError) -> bool:
        """Whether an error is declared to answer a number behind the last page."""
        paging = self.paginator.paging
        is_declared = (
            isinstance(paging, NumberedStrategy) and error.status in paging.end_status_codes
        )
        return is_declared and self.paginator.page is not None and paging.is_numbered(token)

    def _advance(self, fetched: FetchedPage) -> PageToken | None:
        """Check a page and return the token of the next one, or None at the end."""
        self.keys = fetched.keys
        self._last_key = fetched.keys[-1] if fetched.keys else self._last_key
        mark = fingerprint(fetched.keys)
        if not self.guard.check_page(fetched.page, mark):
            fetched.page.size, fetched.rows, self.keys = 0, DictRows([]), ()
        token = self.paginator.get_next(fetched.page)
        if fetched.page.size == fetched.page.received > 0:
            self.rescan.remember(fetched.page.query, mark, rows=fetched.page.size)
        if token is None:
            return None
        # A link may repeat the credential of the request it answers; the next one is signed anew.
        secret = self.endpoint.connection.auth.of(self.endpoint.name).param_names
        return {name: value for name, value in token.items() if name not in secret}

    def _cut(self, fetched: FetchedPage, within: ReadRange) -> FetchedPage:
        """Return the rows in the range; a page without new rows is left as it is."""
        if not self.keys:
            return fetched
        fetched = within.cut(fetched, self.guard)
        self.keys = fetched.keys
        self._last_key = fetched.keys[-1] if fetched.keys else self._last_key
        if self.paginator.end is StopReason.RANGE:
            self.following = None
        return fetched

    def place(self, *, repeats: int) -> dict[str, t.Any]:
        """Return the fields of a `Checkpoint` after the current page; `repeats` as in `finding`."""
        doubt = self.guard.standing_doubt(repeats=repeats)
        return {
            **self.paginator.place(),
            "last_key_digest": digest_of(self._last_key),
            "doubt": None if doubt is None else redact(doubt),
            "checks": self.rescan.checks,
            "filtered": bool(self._fetcher.window),
            "first_key": None if self.within is None else self.within.first_key,
        }

    def resume(self, position: Checkpoint) -> bool:
        """Continue after the position of an earlier run; False if it is no longer valid."""
        self._settle()
        reopened = position.reopen(self._fetcher)
        unread = None if reopened is None else position.rows_after(reopened[1].keys)
        if reopened is None or unread is None:
            return False
        fetcher, fetched = reopened
        self.paginator.restore(position, page_rows=len(unread))
        if self.within is not None:
            self.within.first_key = position.first_key
        self._open(fetcher)
        self._source.resume(fetched)
        self.guard.doubt_because(position.doubt)
        self.rescan.restore(position.checks, rows=len(unread))
        self._resumed = fetched.filter(unread)
        return True

    def finding(self, *, repeats: int = 0) -> Finding:
        """Return the verdict, once all is read; `repeats` as in `PaginationGuard.finding`."""
        check = self._end_check
        return self.guard.finding(
            repeats=repeats, missing=check.missing, awaits_next=check.awaits_next
        )

    def closing_cost(self, *, whole: bool) -> int:
        """Return the number of requests to verify that nothing follows and no row has moved."""
        return self._end_check.cost + self.rescan.cost(whole=whole)
