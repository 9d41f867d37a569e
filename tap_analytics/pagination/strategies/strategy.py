"""Base of the pagination strategies: from a page to the token of the next one."""

from __future__ import annotations

import enum
import typing as t
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import count

from typing_extensions import override

from tap_analytics.pagination.strategies.metadata import (
    CURSORS,
    FLAGS,
    SIGNS,
    count_of_pages,
    dig,
    flag_of_more,
    roots,
    truth,
    whole_number,
)
from tap_analytics.records.path import members_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination.page import Page, PageToken


class StopReason(enum.Enum):
    """Why reading ended: the evidence that no page is left."""

    TOTAL = "the total the API gives is reached"
    LINK = "the API links to next pages, and this response has no such link"
    CURSOR = "the API hands out cursors, and this response has none"
    EMPTY = "the page after the last row is empty"
    OBJECT = "the response is one object, not a list"
    DECLARED = "the declaration says that there is one page"
    SINGLE = "no response has said whether another page follows"
    FLAG = "the API says that no page follows"
    MAXIMUM = "the declared maximum is reached"
    RANGE = "the row after the range to read has been found"
    BOOKMARK = "rows come newest first and have passed the bookmark"
    IGNORED = "a response that is declared to be ignored took the place of the page"


@dataclass(frozen=True, slots=True)
class Confirm:
    """A page to request to confirm the end; a server may ignore or refuse it."""

    query: PageToken
    #: Why reading ends if the response has no new row, or is an error.
    otherwise: StopReason
    #: Another page, which has to begin with the row at this place of the page before: otherwise
    #: the server ignores the number, and an empty page shows nothing.
    check: tuple[PageToken, int] | None = None
    #: Whether a server that ignores it may ignore all numbers, which then show no end.
    is_number: bool = True


@dataclass(slots=True)
class PagingFacts:
    """What a run has learned of a stream's paging, from all its endpoints."""

    #: Whether a response named its next page: one that doesn't is the last.
    names_next: bool = False
    #: Whether a response had the member that holds links, even if it names no next page there.
    has_links: bool = False
    #: Whether a total differed from the rows of its page, so that it is that of the list.
    total_proven: bool = False
    #: Whether a smaller limit was sent to make the API name a next page.
    next_probed: bool = False
    #: Whether a limit above that of the server was found to skip no rows.
    limit_checked: bool = False
    #: Whether the server ignored the number of a page, which therefore can't show the end.
    ignores_number: bool = False
    #: Whether a response named another next page than the one that was predicted.
    mispredicted: bool = False
    #: Whether a declared flag said that more pages follow.
    flag_seen: bool = False
    #: The paging, where the unit of its number had to be found out.
    unit: PagingStrategy | None = None
    #: Whether `post_process` left out rows, below which no child is read.
    leaves_out_rows: bool = False


@dataclass(slots=True)
class PagingState:
    """What has been received of one endpoint so far, this page included."""

    rows: int = 0
    pages: int = 0
    total: int | None = None
    #: Pages with new rows.
    filled: int = 0
    #: Whether the total fell while pages were read, so that rows may have moved.
    total_fell: bool = False
    #: Rows by which pages that go by row number overlap.
    overlap: int = 0
    #: Rows to request per page; None if the server decides.
    page_size: int | None = None
    #: Whether the first page had fewer rows than requested: the list is short, or the server caps.
    first_page_short: bool = False
    #: Rows of the largest page: a smaller one is likely the last.
    max_rows: int = 0
    #: What has been learned of the paging, from this endpoint or another one of its stream.
    facts: PagingFacts = field(default_factory=PagingFacts)

    @property
    def progress(self) -> tuple[int, int] | None:
        """The rows read and those of the whole list; None if the total is unknown.

        A total that one page reaches may be the number of rows of that page.
        """
        if self.total is None or self.total <= self.max_rows:
            return None
        return min(self.rows, self.total), self.total


@dataclass(frozen=True, kw_only=True)
class PagingStrategy(ABC):
    """How an endpoint is paged: the first page, and what follows a page."""

    #: Rows per page to request; None sends no limit, unless the API's `page_size` is set.
    limit: int | None = None
    #: Name of the parameter that carries the limit; None where the endpoint takes none.
    limit_param: str | None = "limit"
    #: Dotted path of the row count in the response; optional there.
    total_path: str | None = None
    #: Name of the response header that holds the row count, where the body has none.
    total_header: str | None = "X-Total-Count"

    #: Path of the flag that says whether more pages follow.
    has_more_path: str | None = None
    #: Path of the flag that is true on the last page.
    at_end_path: str | None = None
    #: Whether a page without rows is the last; None as the strategy has it.
    stop_after_empty_page: bool | None = None
    #: Whether a page with fewer rows than the limit is declared to be the last.
    stop_after_short_page: bool = False

    def start(self) -> PageToken:
        """Return the token of the first page."""
        return {}

    @abstractmethod
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        """Return the token of the page after `page`, or why there is none."""

    def named(self, page: Page) -> PageToken | None:  # noqa: ARG002 - for paging the server names
        """Return the token of the next page where the response itself names one."""
        return None

    def flag(self, page: Page) -> str | None:
        """Return the flag of a response that more pages follow, if any."""
        path = self.has_more_path or self.at_end_path
        if path and self.has_more(page):
            return f"`{path}: {dig(page.payload, path)}`"
        flag = flag_of_more(page)
        return f"`{flag[0]}: true`" if flag is not None and flag[1] else None

    def has_more(self, page: Page) -> bool | None:
        """Return what the declared flags of a response say: whether more pages follow."""
        more = truth(dig(page.payload, self.has_more_path)) if self.has_more_path else None
        at_end = truth(dig(page.payload, self.at_end_path)) if self.at_end_path else None
        said = [flag for flag in (more, None if at_end is None else not at_end) if flag is not None]
        return all(said) if said else None

    @property
    def has_known_flag(self) -> bool:
        """Whether the name of the declared flag says what it means."""
        return str(members_of(self.has_more_path or "")[-1]) in FLAGS

    def count_of_pages(self, page: Page) -> tuple[str, int] | None:
        """Return where a response counts the pages, and how many it counts."""
        return count_of_pages(page)

    def probes(self, page: Page, seen: PagingState) -> Iterator[Confirm]:  # noqa: ARG002 - for paging that can count where nothing is named
        """Yield the pages to request by number after a page that named none."""
        return iter(())

    def is_numbered(self, query: PageToken) -> bool:  # noqa: ARG002 - for paging that counts
        """Whether a token has a page or row number counted by the tap, not by the server."""
        return False

    def predict(self, following: PageToken, page: Page, seen: PagingState) -> Iterator[PageToken]:
        """Yield the tokens after `following`, up to the total, if they can be predicted.

        They can if `following` differs from the token of `page` only in a number that is one
        higher, as page numbers are, or higher by the rows of the page, as offsets are.
        """
        query, rows = page.query, page.received - seen.overlap
        changed = {
            name for name in {**query, **following} if query.get(name) != following.get(name)
        }
        if rows <= 0 or len(changed) != 1 or not changed.isdisjoint(CURSORS.values()):
            return
        [param] = changed
        before, number = whole_number(query.get(param, "0")), whole_number(following.get(param))
        if before is None or number is None or (stride := number - before) not in {1, rows}:
            return
        reached = self.reached(page, seen)
        for step in count(1):
            if seen.total is not None and reached + step * rows >= seen.total:
                return
            yield {**following, param: str(number + step * stride)}

    @property
    def reads_rows(self) -> bool:
        """Whether rows say which page is next, so that they have to be decoded."""
        return False

    @property
    def envelope_fields(self) -> frozenset[str]:
        """Members of a response that `next` and `total` look at."""
        return SIGNS | roots(self.total_path, self.has_more_path, self.at_end_path)

    def total(self, page: Page) -> int | None:
        """Return the total number of rows, if the API reports it."""
        count = whole_number(dig(page.payload, self.total_path)) if self.total_path else None
        if count is None and self.total_header:
            count = whole_number(page.headers.get(self.total_header))
        return count

    def reached(self, page: Page, seen: PagingState) -> int:  # noqa: ARG002 - for paging by row number
        """Return the number of rows of the list up to the end of a page."""
        return seen.rows

    def allows_repeat(self, page: Page) -> bool:  # noqa: ARG002 - for paging that probes
        """Whether a repeated page is expected while the number of the first page is unknown."""
        return False


@dataclass(frozen=True, kw_only=True)
class SinglePage(PagingStrategy):
    """An endpoint declared to return all rows at once."""

    total_path: str | None = "total"

    @override
    def next_token(self, page: Page, seen: PagingState) -> PageToken | Confirm | StopReason:
        return StopReason.DECLARED
