"""One walk over the pages of an endpoint: the pages that came, and the token of the next one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_analytics.pagination.page import PageToken
from tap_analytics.pagination.strategies.markers import larger_total, sign_of_more
from tap_analytics.pagination.strategies.strategy import Confirm, PagingState, StopReason

if t.TYPE_CHECKING:
    from tap_analytics.pagination.page import Page
    from tap_analytics.pagination.strategies.strategy import PagingStrategy


@dataclass
class Paginator(BaseAPIPaginator[PageToken]):
    """One walk over the pages of one endpoint, in the order the server gives."""

    paging: PagingStrategy
    seen: PagingState = field(default_factory=PagingState)
    #: Why the walk ended, once it has.
    end: StopReason | None = None
    #: What the last page has that speaks against the end, as a message names it.
    contradiction: str | None = None
    #: The page to ask for next, if that is only done to see that nothing follows.
    confirming: Confirm | None = None
    #: Where responses count the pages, and how many they count.
    _counted: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        super().__init__(self.paging.start())

    def receive(self, page: Page) -> PageToken | None:
        """Take note of a page and return the token of the next one, or None at the end."""
        self.seen.pages += 1
        self.seen.rows += page.size
        self.seen.filled += page.size > 0
        if self.seen.pages == 1:
            self.seen.first_page_short = page.received < (self.seen.page_size or 0)
        self.seen.max_rows = max(self.seen.max_rows, page.received)
        self._count(page)
        self._counted = self.paging.count_of_pages(page) or self._counted
        following = self.paging.next_token(page, self.seen)
        self.seen.spoken |= self.paging.named(page) is not None
        self._page_count += 1
        if isinstance(following, Confirm):
            # The walk ends here if the server ignores the page that is asked for.
            self.contradiction = self._contradiction(page, following.otherwise)
        if isinstance(following, StopReason):
            self.contradiction = self._contradiction(page, following)
            self.stop(following)
            return None
        return self.go_on(following)

    def go_on(self, following: PageToken | Confirm) -> PageToken:
        """Return the token of the next page, which may be one that only confirms the end."""
        self.confirming = following if isinstance(following, Confirm) else None
        self.end, self._finished = None, False
        self._value = following.query if isinstance(following, Confirm) else following
        return self._value

    def stop(self, end: StopReason) -> None:
        """End the walk."""
        self.confirming = None
        self.end, self._finished = end, True

    def _count(self, page: Page) -> None:
        """Take note of the total on a page, unless it counts something else."""
        seen, total = self.seen, self.paging.total(page)
        if total is not None:
            seen.counted |= total != page.received
            seen.total_fell |= seen.counted and total < (seen.total or 0)
        # A total below what has arrived counts something else: pages, or rows of this page.
        total = seen.total if total is None else total
        reached = self.paging.reached(page, seen)
        seen.total = total if total is None or total >= reached else None

    def _contradiction(self, page: Page, end: StopReason) -> str | None:
        if flag := self.paging.flag(page):
            return flag
        counted = self._counted
        if counted is not None and counted[1] > max(1, self.seen.filled):
            return f"`{counted[0]}: {counted[1]}`"
        # A word that was followed before is the API's own; what others say matters less.
        is_null = end in {StopReason.LINK, StopReason.CURSOR} and not self.seen.spoken
        sign = sign_of_more(page) if is_null or end is StopReason.DECLARED else None
        return sign or (larger_total(page) if end is StopReason.DECLARED else None)

    @override
    def get_next(self, response: t.Any) -> PageToken | None:
        """Answer the SDK's question for the next token; `response` is a `Page` here."""
        return self.receive(response)
