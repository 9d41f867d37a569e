"""Automatic detection of the paging, for APIs without a declared paginator."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from typing_extensions import override

from tap_analytics.pagination.strategies.linked import cursor_text
from tap_analytics.pagination.strategies.metadata import (
    CURSORS,
    PAGE_NUMBERS,
    dig,
    followed_link,
    guessed_next,
    has,
    links_elsewhere,
    next_link,
    says_end,
    whole_number,
)
from tap_analytics.pagination.strategies.numbered import Offset, PageNumber
from tap_analytics.pagination.strategies.strategy import Confirm, PagingStrategy, StopReason
from tap_analytics.transport.errors import TransportError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination.page import Page, PageToken
    from tap_analytics.pagination.strategies.numbered import NumberedStrategy
    from tap_analytics.pagination.strategies.strategy import PagingState

#: Parameters of offsets and page numbers, and members that name them in a response.
NUMBERS = ("offset", "page")


@dataclass(frozen=True, kw_only=True)
class Auto(PagingStrategy):
    """Paging as the first response shows it: a link, a cursor, an offset or a page number."""

    total_path: str | None = "total"

    @override
    def named(self, page: Page) -> PageToken | None:
        if (following := followed_link(page)) is not None:
            return following
        for path, param in CURSORS.items():
            if cursor := cursor_text(dig(page.payload, path)):
                return {param: cursor}
        return None

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        following = self.named(page)
        if following is not None:
            return following
        if numbered := self._numbered(page):
            return numbered.next_token(page, seen)
        if next_link(page)[0] or links_elsewhere(page):
            return StopReason.LINK
        if (guess := self._guess(page)) and self._follows_guesses(seen):
            return guess
        is_null = any(has(page.payload, p) and not dig(page.payload, p) for p in CURSORS)
        if is_null or seen.facts.names_next or self._follows_guesses(seen):
            return StopReason.CURSOR
        return StopReason.CURSOR if says_end(page) else StopReason.SINGLE

    @override
    def predict(self, following: PageToken, page: Page, seen: PagingState) -> Iterator[PageToken]:
        # Without a declared limit, nothing tells a full page from a short one, so offsets may vary.
        is_linked = followed_link(page) is not None
        return super().predict(following, page, seen) if is_linked else iter(())

    @override
    def is_numbered(self, query: PageToken) -> bool:
        return not query.keys().isdisjoint(NUMBERS)

    @override
    def probes(self, page: Page, seen: PagingState) -> Iterator[Confirm]:
        if guess := self._guess(page):
            yield Confirm(guess, StopReason.SINGLE, is_number=False)
        if seen.facts.next_probed:
            return
        last = page.received - 1
        offset: PageToken = {"offset": str(page.received)}
        yield Confirm(offset, StopReason.SINGLE, check=({"offset": str(last)}, last))
        yield Confirm({"page": "2"}, StopReason.SINGLE, check=({"page": "1"}, 0))
        if any((whole_number(dig(page.payload, path)) or 0) > 1 for path in PAGE_NUMBERS):
            yield Confirm({"page": "1"}, StopReason.SINGLE, check=({"page": "0"}, 0))

    @property
    @override
    def envelope_fields(self) -> frozenset[str]:
        return super().envelope_fields | {*NUMBERS}

    def _guess(self, page: Page) -> PageToken | None:
        """Return the token of a next page by a member of an unusual name; a server may ignore it.

        dlt takes such a member for a link, or for the value of the parameter `cursor`.
        """
        value = guessed_next(page.payload)
        if value is None or not value.startswith(("http:", "https:", "/")):
            return None if value is None else {"cursor": value}
        try:
            return page.follow(value)
        except TransportError:
            # It leads to something else.
            return None

    def _follows_guesses(self, seen: PagingState) -> bool:
        """Whether a guess led to the current page, for nothing else names a page behind one."""
        return seen.pages > 1 and not seen.facts.names_next

    def _numbered(self, page: Page) -> NumberedStrategy | None:
        place = functools.partial(dig, page.payload)
        totals: dict[str, t.Any] = {
            "total_path": self.total_path,
            "total_header": self.total_header,
        }
        if "offset" in page.query or whole_number(place("offset")) is not None:
            return Offset(**totals)
        number = 1 if "page" in page.query else whole_number(place("page"))
        return None if number is None else PageNumber(base_page=number, **totals)
