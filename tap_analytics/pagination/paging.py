"""What every kind of paging has in common: it is given a page and names the token of the next.

A page token *is* the query that fetches the page, so every kind of paging reads the same: a frozen
`Paging` declares how, `Paginator` walks, and the stream adds the token to its parameters.
"""

from __future__ import annotations

import enum
import typing as t
from abc import ABC, abstractmethod
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

from tap_analytics.pagination.members import dig, whole_number
from tap_analytics.transport.channel import origin_of, shown_origin
from tap_analytics.transport.errors import OriginRefused, Rejected

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Parameters by name; a tuple is sent as one parameter per value.
Query = dict[str, str | tuple[str, ...]]


class End(enum.Enum):
    """Why a walk ended: the evidence that no page is left."""

    TOTAL = "the total the API gives is reached"
    LINK = "the response has link metadata and no next link"
    CURSOR = "the response has no further cursor"
    EMPTY = "the page after the last row is empty"
    OBJECT = "the response is one object, not a list"
    SINGLE = "the endpoint has one page"
    OLDER = "rows come newest first and have passed the bookmark"

    @property
    def proves(self) -> bool:
        """Whether this is evidence of the server's, not an assumption of ours."""
        return self is not End.SINGLE


@dataclass(slots=True, kw_only=True)
class Page:
    """What one response says about paging: its envelope, its headers and how many rows it has."""

    query: Query
    payload: t.Any
    headers: Mapping[str, str]
    #: Rows that are new.
    size: int
    #: Rows in the response, those the page before had included.
    received: int = 0
    #: Where the page came from, without its query.
    url: str = ""

    def follow(self, link: str) -> Query:
        """Return the query of a next link, the only part of it that is ever followed.

        Raises `OriginRefused` for a link to another origin: credentials must not go there, and
        what it means here nobody knows. One that is no URL is `Rejected`.
        """
        here = urlsplit(self.url)
        try:
            parts = urlsplit(link)
            there = parts._replace(scheme=parts.scheme or here.scheme)
            target = origin_of(there.geturl()) if parts.netloc else ""
        except ValueError:
            raise Rejected(
                f"the next link of {here.path} is no URL that can be read",
                hint="Check what the API sends, and where the paginator looks for the link.",
            ) from None
        if target and target != origin_of(self.url):
            raise OriginRefused(
                f"the next link of {here.path} leads to {shown_origin(there.geturl())}, "
                f"which is not the configured {origin_of(self.url)}",
                hint="If that is where the API lives, set `base_url` to it.",
            )
        query: Query = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            before = query.get(name, ())
            given = (before,) if isinstance(before, str) else before
            query[name] = (*given, value) if given else value
        return query


@dataclass(slots=True)
class Seen:
    """What a walk has received so far, this page included."""

    rows: int = 0
    pages: int = 0
    total: int | None = None
    #: Whether the total fell while it was read: rows may have moved past the reader.
    shrunk: bool = False
    #: Rows by which a page read by row number begins early, to join the page before.
    overlap: int = 0
    #: Rows per page that are asked for; None where the server decides.
    asked: int | None = None
    #: Whether the first page had less than was asked for: all there is, or all the server gives.
    began_short: bool = False
    #: Rows of the largest page: a smaller one is likely the last.
    largest: int = 0


@dataclass(frozen=True, kw_only=True)
class Paging(ABC):
    """How an endpoint is paged: where a walk starts and what follows a page."""

    #: Rows per page to ask for; None sends no limit, unless the API's `page_size` is set.
    limit: int | None = None
    #: Name of the parameter that carries the limit; None where the endpoint takes none.
    limit_param: str | None = "limit"

    def start(self) -> Query:
        """Return the token of the first page."""
        return {}

    @abstractmethod
    def next(self, page: Page, seen: Seen) -> Query | End:
        """Return the token of the page after `page`, or why there is none."""

    def is_numbered(self, query: Query) -> bool:  # noqa: ARG002 - for paging that counts
        """Whether a token names its page by a number that this side counts."""
        return False

    def ahead(self, following: Query, page: Page, seen: Seen) -> Iterator[Query]:  # noqa: ARG002 - for paging that can be numbered
        """Name the pages that may come after `following`; only numbered pages can be named."""
        return iter(())

    @property
    def members(self) -> frozenset[str]:
        """Members of a response that `next` and `total` look at."""
        return frozenset()

    def total(self, page: Page) -> int | None:  # noqa: ARG002 - for paging that knows a total
        """Return how many rows the API says there are, where it says so."""
        return None

    def reached(self, page: Page, seen: Seen) -> int:  # noqa: ARG002 - for paging that knows its place
        """Return how many rows of the list lie behind the reader."""
        return seen.rows

    def absorbs_repeat(self, page: Page) -> bool:  # noqa: ARG002 - for paging that probes
        """Whether a page that repeats the one before is part of finding out where pages begin."""
        return False


@dataclass(frozen=True, kw_only=True)
class SinglePage(Paging):
    """An endpoint that answers everything at once."""

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        return End.SINGLE

    @override
    def total(self, page: Page) -> int | None:
        return whole_number(dig(page.payload, "total"))
