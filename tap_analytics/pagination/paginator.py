"""One walk over the pages of an endpoint: the pages that came, and the token of the next one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_analytics.pagination.paging import End, Query, Seen

if t.TYPE_CHECKING:
    from tap_analytics.pagination.paging import Page, Paging


@dataclass
class Paginator(BaseAPIPaginator[Query]):
    """One walk over the pages of one endpoint, in the order the server gives."""

    paging: Paging
    seen: Seen = field(default_factory=Seen)
    #: Why the walk ended, once it has.
    end: End | None = None

    def __post_init__(self) -> None:
        super().__init__(self.paging.start())

    def receive(self, page: Page) -> Query | None:
        """Take note of a page and return the token of the next one, or None at the end."""
        self.seen.pages += 1
        self.seen.rows += page.size
        if self.seen.pages == 1:
            self.seen.began_short = page.received < (self.seen.asked or 0)
        self.seen.largest = max(self.seen.largest, page.received)
        total = self.paging.total(page)
        # A total below what has arrived counts something else: pages, or rows of this page.
        reached = self.paging.reached(page, self.seen)
        self.seen.shrunk |= total is not None and total < (self.seen.total or 0)
        total = self.seen.total if total is None else total
        self.seen.total = total if total is None or total >= reached else None
        following = self.paging.next(page, self.seen)
        self._page_count += 1
        if isinstance(following, End):
            self.end, self._finished = following, True
            return None
        self._value = following
        return following

    @override
    def get_next(self, response: t.Any) -> Query | None:
        """Answer the SDK's question for the next token; `response` is a `Page` here."""
        return self.receive(response)
