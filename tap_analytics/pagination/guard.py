"""Checks that pages advance, and collects doubts about completeness.

A repeated page means that reading makes no progress, whatever the tokens say; and reading must not
end without evidence. Both are checked here, in the order the pages were read.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from tap_analytics.errors import PaginationError
from tap_analytics.pagination.completeness import decide
from tap_analytics.pagination.page import describe
from tap_analytics.pagination.strategies.numbered import PageNumber
from tap_analytics.pagination.strategies.strategy import StopReason
from tap_analytics.records.decoders import Lines, marks_end
from tap_analytics.records.digests import Digests
from tap_analytics.records.payload import failure_in
from tap_analytics.records.writer import ENCODER

if t.TYPE_CHECKING:
    from tap_analytics.pagination.completeness import Finding
    from tap_analytics.pagination.page import Page, PageToken
    from tap_analytics.pagination.paginator import Paginator

#: Maximum number of consecutive equal pages; more are a loop.
EQUAL_LIMIT = 3
#: Maximum number of consecutive empty pages; more are a loop.
EMPTY_LIMIT = 100
#: Maximum number of consecutive pages without a new row; more are a loop.
STALE_LIMIT = 20
CUT_OFF = (
    "the API sent lines without `Content-Length` or chunks, so that some may have been cut off; "
    "ask it for JSON in one piece"
)
#: Statuses of partial responses.
PARTIAL = frozenset({202, 206})

QUIETER = "read the stream at a quieter time, or in an order that doesn't change"
UNSTABLE = "ask for a stable order in `params`, or correct `primary_key` if it isn't unique"
EQUAL_PAGES = "pages have the same rows, so the server may have repeated one; set `primary_key`"
IN_BODY = (
    " The request has a JSON body: if the API expects the page there, declare `offset_body_path`, "
    "`page_body_path` or `cursor_body_path`."
)
ROWS_MOVED = f"rows moved while they were read by page number; {QUIETER}"
NOT_RESCANNED = "not all pages could be read again to find rows that moved; read it in one run"
ROWS_INSERTED = (
    f"rows were inserted before the current offset, and not all of them were found; {QUIETER}"
)
RESPONSES_DIFFER = f"the same request returned other rows each time; {UNSTABLE}"
ORDER_CHANGED = (
    f"rows were returned in another order than before, so others may be missing; {UNSTABLE}"
)
NO_EVIDENCE = "no response showed that nothing follows; declare a `paginator` that fits the API"


@dataclass(slots=True)
class PaginationGuard:
    """Checks that the pages of one endpoint advance, and collects doubts about completeness.

    Raises `PaginationError`, with `repeated` in its message, as soon as a token or a page is
    repeated without a valid reason.
    """

    paginator: Paginator
    #: The endpoint, as it is named in messages.
    label: str
    #: Whether rows have primary keys, so that equal pages are repeated ones.
    keyed: bool
    has_body: bool = False
    _tokens: Digests = field(default_factory=Digests)
    _prints: Digests = field(default_factory=Digests)
    #: Keys that came again because a page begins with the value that the one before ended with.
    explained: int = 0
    #: Why completeness is doubtful, whatever else was shown.
    doubt: str | None = None
    _empty: int = 0
    _stale: int = 0
    _null: str | None = None

    def check_token(self, query: PageToken) -> None:
        """Check the token of the next request; none may be repeated."""
        if self._tokens.add(ENCODER.encode(sorted(query.items()))) > 1:
            raise PaginationError(
                f"{self.label}: the server repeated the cursor or link {describe(query)}, so "
                "paging would never end. The API must hand out a new one on each page: check "
                f"`cursor_path`/`next_url_path`, or use another paginator type.{self._body_hint}"
            )

    def check_page(self, page: Page, fingerprint: bytes) -> bool:
        """Check a received page; return False for a repeated page to drop."""
        self._check_whole(page)
        self._check_number(page)
        self._empty = 0 if page.size else self._empty + 1
        if self._empty >= EMPTY_LIMIT:
            raise PaginationError(
                f"{self.label}: {EMPTY_LIMIT} pages in a row came without a row while the server "
                "kept naming a next page: a repeated empty page. Check the API's paging."
            )
        if not page.size:
            return True
        times = self._prints.add(fingerprint)
        if times == 1:
            return True
        if self.paginator.paging.allows_repeat(page):
            return False
        if times >= self._allowed(page):
            raise self.repeated(page)
        self.doubt_because(EQUAL_PAGES)
        return True

    def progress(self, *, new: int) -> None:
        """Count pages without a new key, such as those with the same rows in another order.

        Raises `PaginationError` after `STALE_LIMIT` of them. `new` is the number of new keys of
        the page checked last.
        """
        page = self.paginator.page
        if page is not None and page.size:
            self._stale = 0 if new else self._stale + 1
            if self._stale >= STALE_LIMIT:
                raise self.repeated(page)

    def doubt_because(self, reason: str | None) -> None:
        """Record a doubt about completeness; the first reason is reported."""
        self.doubt = self.doubt or reason

    def withdraw(self, reason: str) -> None:
        """Withdraw a doubt."""
        if self.doubt == reason:
            self.doubt = None

    def _check_whole(self, page: Page) -> None:
        """Doubt a response with a partial status, or with null instead of a list."""
        if page.status in PARTIAL:
            self.doubt_because(
                f"the API answered {page.status} to {describe(page.query)}, which is no whole "
                "answer; run again when it answers 200"
            )
        if isinstance(page.payload, Lines) and not marks_end(page.headers):
            self.doubt_because(CUT_OFF)
        if not page.received and (failed := failure_in(page.payload)):
            self.doubt_because(
                f"the API answered {describe(page.query)} with `{failed}` and no rows, so rows may "
                "be missing; declare what it means by `response_actions`"
            )
        if page.is_null:
            self._null = self._null or (
                f"the API answered {describe(page.query)} with null or {{}} where rows are "
                "expected, which may hide rows; an empty list, or a total (`total_path`), would "
                "show the end"
            )

    def _check_number(self, page: Page) -> None:
        """Raise `PaginationError` for a response that has another number than it was asked for."""
        paging = self.paginator.paging
        if not isinstance(paging, PageNumber) or paging.is_open:
            return
        asked, number = page.query.get(paging.page_param), paging.number_in(page)
        if number is not None and asked is not None and str(number) != asked:
            raise PaginationError(
                f"{self.label}: page {asked} has the number {number} in `{paging.page_path}`, so "
                "pages may be skipped or repeated. Check `page_path`, and how the API counts."
            )

    def forget_tokens(self) -> None:
        """Allow repeated requests after rows have moved."""
        self._tokens.clear()

    def finding(
        self, *, repeats: int = 0, missing: str = NO_EVIDENCE, awaits_next: bool = False
    ) -> Finding:
        """Return the verdict on what was read to its end.

        `repeats` is the number of keys received more than once though no rows are known to have
        moved; `missing` and `awaits_next` apply if no response has shown the end.
        """
        paginator = self.paginator
        doubt = self.standing_doubt(repeats=repeats) or self._objection()
        found = decide(paginator.seen, paginator.end, doubt=doubt, missing=missing)
        return replace(found, awaits_next=awaits_next and found.missing == missing)

    def standing_doubt(self, *, repeats: int = 0) -> str | None:
        """Return the doubt about the pages so far, if any."""
        seen = self.paginator.seen
        if self.doubt:
            return self.doubt
        if self._null and (seen.rows or seen.total or seen.facts.names_next):
            return self._null
        repeats -= self.explained
        if repeats > 0:
            keys = "1 key was" if repeats == 1 else f"{repeats} keys were"
            return f"{keys} received more than once, so other rows may be missing; {UNSTABLE}"
        if seen.total_fell and not seen.overlap:
            return f"the total fell while rows were read; {QUIETER}"
        return None

    def _objection(self) -> str | None:
        """Return metadata of the last response that contradicts the end."""
        end, sign = self.paginator.end, self.paginator.contradiction
        if not sign or end in {StopReason.BOOKMARK, StopReason.RANGE, StopReason.MAXIMUM}:
            return None
        declared = "`single_page` is declared, but " if end is StopReason.DECLARED else ""
        return (
            f"{declared}the last response has {sign}, so more rows may follow; declare the "
            "`paginator` that reads them"
        )

    def _allowed(self, page: Page) -> float:
        """Return how often a page may be received before it is a loop."""
        numbered = self.paginator.paging.is_numbered(page.query)
        if not self.keyed:
            ends = not numbered or self.paginator.seen.total is not None
            return float("inf") if ends else EQUAL_LIMIT
        return 2 if numbered else EQUAL_LIMIT

    def repeated(self, page: Page) -> PaginationError:
        """Return the error for a page whose rows were all received before."""
        rest = ". Its cursor or next link doesn't advance: check the API's paging."
        if self.paginator.paging.is_numbered(page.query):
            rest = (
                ". It ignores the parameter, or returns the last page again after the end. Use a "
                "paginator that follows the API's own cursor or next link, `single_page` if it "
                "returns everything at once, or another parameter name."
            )
        return PaginationError(
            f"{self.label}: the server repeated a page: {describe(page.query)} returned rows that "
            f"were received before{rest}{self._body_hint}"
        )

    @property
    def _body_hint(self) -> str:
        return IN_BODY if self.has_body else ""
