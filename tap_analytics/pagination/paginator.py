"""The paging of one endpoint: its state and the token of the next page."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_analytics.pagination.page import PageToken
from tap_analytics.pagination.strategies.declared_end import with_declared_end
from tap_analytics.pagination.strategies.metadata import larger_total, sign_of_more
from tap_analytics.pagination.strategies.strategy import (
    Confirm,
    PagingFacts,
    PagingState,
    StopReason,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination.page import Page
    from tap_analytics.pagination.position import Checkpoint
    from tap_analytics.pagination.strategies.strategy import PagingStrategy


@dataclass
class Paginator(BaseAPIPaginator[PageToken]):
    """Processes the pages of one endpoint in order and updates their state."""

    paging: PagingStrategy
    #: Rows to request per page; None if the server decides.
    page_size: int | None = None
    facts: PagingFacts = field(default_factory=PagingFacts)
    seen: PagingState = field(init=False)
    #: Token of the current page; at first, that of the first page.
    token: PageToken = field(init=False)
    #: The current page.
    page: Page | None = None
    #: Why reading ended; None before it has.
    end: StopReason | None = None
    #: Metadata of the last page that contradicts the end, as messages name it.
    contradiction: str | None = None
    #: The next page, if it is requested only to confirm that nothing follows.
    confirming: Confirm | None = None
    #: Where responses give the number of pages, and that number.
    _pages_counted: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        self.token = self.paging.start()
        super().__init__(self.token)
        self.seen = PagingState(page_size=self.page_size, facts=self.facts)

    @override
    def get_next(self, response: t.Any) -> PageToken | None:
        """Take a `Page` and return the token of the next one, or None at the end."""
        self.page = page = t.cast("Page", response)
        seen, self.token = self.seen, page.query
        seen.pages += 1
        seen.rows += page.size
        seen.filled += page.size > 0
        if seen.pages == 1:
            seen.first_page_short = page.received < (seen.page_size or 0)
        seen.max_rows = max(seen.max_rows, page.received)
        self._count(page)
        self._pages_counted = self.paging.count_of_pages(page) or self._pages_counted
        following = with_declared_end(self.paging, page, seen, confirming=self.confirming)
        self.learn(names_next=self.paging.named(page) is not None)
        self.learn(flag_seen=self.paging.has_more(page) is True)
        self._page_count += 1
        if isinstance(following, Confirm):
            # The page is the last one if the server ignores the number of the next.
            self.contradiction = self._contradiction(page, following.otherwise)
        if isinstance(following, StopReason):
            self.contradiction = self._contradiction(page, following)
            self.stop(following)
            return None
        return self.resume(following)

    def resume(self, following: PageToken | Confirm) -> PageToken:
        """Return the token of the next page, which may be one that only confirms the end."""
        self.confirming = following if isinstance(following, Confirm) else None
        self.end, self._finished = None, False
        self._value = following.query if isinstance(following, Confirm) else following
        return self._value

    def predict(self, following: PageToken) -> Iterator[PageToken]:
        """Yield the tokens after that of the next page, as far as they can be predicted."""
        if self.page is None or self.confirming is not None or self.facts.mispredicted:
            return iter(())
        return self.paging.predict(following, self.page, self.seen)

    def stop(self, end: StopReason) -> None:
        """End, for a reason."""
        self.confirming = None
        self.end, self._finished = end, True

    def end_behind(self) -> None:
        """End where the page behind the last one doesn't exist."""
        if self.page is not None:
            self.contradiction = self._contradiction(self.page, StopReason.EMPTY)
        self.stop(StopReason.EMPTY)

    def learn(self, **shown: bool) -> None:
        """Set `PagingFacts` that were shown, for all endpoints of the stream; none is unset."""
        for name, value in shown.items():
            setattr(self.facts, name, value or getattr(self.facts, name))

    def add_rows(self, count: int) -> None:
        """Count rows that were not on the next page."""
        self.seen.rows += count

    def begin_at(self, token: PageToken, *, rows: int) -> None:
        """Begin with a later page, behind so many rows."""
        self.token, self.seen.rows = token, rows

    def overlap_by(self, rows: int) -> None:
        """Start each page some rows early."""
        self.seen.overlap = rows

    def place(self) -> dict[str, t.Any]:
        """Return the fields of a `Checkpoint` that `restore` needs."""
        seen = self.seen
        return {
            "token": tuple(self.token.items()),
            "rows": seen.rows,
            "pages": seen.pages,
            "total": seen.total,
            "total_proven": seen.facts.total_proven,
            "names_next": seen.facts.names_next,
        }

    def restore(self, position: Checkpoint, *, page_rows: int) -> None:
        """Continue after a saved position, whose page is read again."""
        seen, self.token = self.seen, dict(position.token)
        seen.rows, seen.max_rows = position.rows, page_rows
        seen.pages = seen.filled = position.pages - 1
        seen.total = position.total
        self.learn(names_next=position.names_next, total_proven=position.total_proven)

    def _count(self, page: Page) -> None:
        """Record the total of a page, unless it counts something else."""
        seen, total = self.seen, self.paging.total(page)
        if total is not None:
            self.learn(total_proven=total != page.received)
            seen.total_fell |= self.facts.total_proven and total < (seen.total or 0)
        # A total below the rows received counts something else: pages, or rows of this page.
        total = seen.total if total is None else total
        reached = self.paging.reached(page, seen)
        seen.total = total if total is None or total >= reached else None

    def _contradiction(self, page: Page, end: StopReason) -> str | None:
        if flag := self.paging.flag(page):
            return flag
        counted = self._pages_counted
        if counted is not None and counted[1] > max(1, self.seen.filled):
            return f"`{counted[0]}: {counted[1]}`"
        # Once a next page was named where it is expected, other members are no evidence.
        is_null = end in {StopReason.LINK, StopReason.CURSOR} and not self.facts.names_next
        sign = sign_of_more(page) if is_null or end is StopReason.DECLARED else None
        return sign or (larger_total(page) if end is StopReason.DECLARED else None)
