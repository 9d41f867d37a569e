"""How a stream walks through the pages of an API.

A page token *is* the query that fetches the page, so every kind of paging reads the same: a frozen
`Paging` declares how, `Paginator` walks, and the stream adds the token to its parameters. The
server's word comes first: a next link or cursor in the response wins over counting, and only its
query is taken, never its host.
"""

from __future__ import annotations

import enum
import typing as t
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qsl, urlsplit

from requests.utils import parse_header_links
from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_analytics.transport.channel import origin_of
from tap_analytics.transport.errors import OriginRefused

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Parameters by name; a tuple is sent as one parameter per value.
Query = dict[str, str | tuple[str, ...]]

#: Where the APIs of the field put a link to the next page in a response body.
LINK_OBJECTS = ("links", "_links", "paging", "pagination")
#: Relations that speak of pages; a `Link` header may speak of anything.
LINK_RELS = frozenset({"next", "prev", "previous", "first", "last"})
LINK_MEMBERS = frozenset((*LINK_OBJECTS, "next"))
#: Where `auto` looks for a cursor, and the parameter that sends it back.
CURSORS = {
    "next_cursor": "cursor",
    "nextCursor": "cursor",
    "cursors.next": "cursor",
    "meta.next_cursor": "cursor",
    "pagination.next_cursor": "cursor",
    "response_metadata.next_cursor": "cursor",
    "paging.cursors.after": "after",
    "paging.next.after": "after",
    "next_page_token": "page_token",
    "nextPageToken": "pageToken",
}


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
        what it means here nobody knows.
        """
        parts = urlsplit(link)
        if parts.netloc:
            here = urlsplit(self.url)
            there = parts._replace(scheme=parts.scheme or here.scheme)
            if origin_of(there.geturl()) != origin_of(self.url):
                raise OriginRefused(
                    f"the next link of {here.path} leads to {there.scheme}://{there.netloc}, "
                    f"which is not the configured {here.scheme}://{here.netloc}",
                    hint="If that is where the API lives, set base_url to it.",
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


def dig(payload: object, path: str) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value at a dotted path such as `meta.next_cursor`, or None."""
    for part in path.split("."):
        if not isinstance(payload, dict):
            return None
        payload = payload.get(part)
    return payload


def has(payload: object, path: str) -> bool:
    """Whether there is a value at a dotted path, null included."""
    holder, _, member = path.rpartition(".")
    found = dig(payload, holder) if holder else payload
    return isinstance(found, dict) and member in found


def roots(*paths: str | None) -> frozenset[str]:
    """Return the first members of dotted paths."""
    return frozenset(path.partition(".")[0] for path in paths if path)


def whole_number(value: object) -> int | None:
    """Read a row count an API gives as a number or as digits; anything else is no count."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and value >= 0 else None


def header_links(page: Page) -> dict[str, str]:
    """Return the links of the `Link` header by relation; one link may have several."""
    return {
        relation: entry["url"]
        for entry in parse_header_links(page.headers.get("Link") or "")
        for relation in entry.get("rel", "").lower().split()
    }


def next_link(page: Page) -> tuple[bool, str | None]:
    """Look for link metadata: (whether the response has any, the next link if it has one)."""
    rels = header_links(page)
    if "next" in rels:
        return True, rels["next"]
    in_header = not LINK_RELS.isdisjoint(rels)
    if not isinstance(page.payload, dict):
        return in_header, None
    for name in LINK_OBJECTS:
        if isinstance(links := page.payload.get(name), dict):
            link: t.Any = links.get("next")
            link = link.get("href") if isinstance(link, dict) else link
            if isinstance(link, str) and link:
                return True, link
            if name in {"links", "_links"}:
                return True, None
    link = page.payload.get("next", ...)
    if isinstance(link, str) and ("?" in link or link.startswith(("http:", "https:", "/"))):
        return True, link
    return in_header or link is None, None


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

    #: Whether a page can begin a few rows early, so that the seam can be checked.
    overlaps: t.ClassVar[bool] = False

    def absorbs_repeat(self, page: Page) -> bool:  # noqa: ARG002 - for paging that probes
        """Whether a page that repeats the one before is part of finding out where pages begin."""
        return False


@dataclass(frozen=True, kw_only=True)
class NumberedPaging(Paging):
    """Pages that can be counted, by row or by page; base of `Offset` and `PageNumber`."""

    #: Dotted path of the row count in the response; optional there.
    total_path: str | None = None

    @property
    @abstractmethod
    def number_param(self) -> str:
        """Name of the parameter that carries the number."""

    @abstractmethod
    def counted(self, page: Page, seen: Seen) -> int:
        """Return the number of the page after `page`."""

    @abstractmethod
    def stride(self, page: Page, seen: Seen) -> int:
        """Return by how much the number grows from page to page."""

    def stepped_back(self, following: Query, page: Page, seen: Seen) -> Query:  # noqa: ARG002 - for paging by row number
        """Return a link's token, a few rows earlier where that checks the seam."""
        return following

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        has_links, link = next_link(page)
        if link is not None:
            return self.stepped_back(page.follow(link), page, seen)
        if seen.total is not None and self.reached(page, seen) >= seen.total:
            return End.TOTAL
        if has_links and seen.total is None:
            return End.LINK
        told = seen.began_short or seen.total is not None
        if not page.received or (told and page.received <= seen.overlap):
            return End.EMPTY
        return {self.number_param: str(self.counted(page, seen))}

    @property
    @override
    def members(self) -> frozenset[str]:
        return LINK_MEMBERS | roots(self.total_path)

    @override
    def ahead(self, following: Query, page: Page, seen: Seen) -> Iterator[Query]:
        number = whole_number(following.get(self.number_param))
        stride = self.stride(page, seen)
        rows = page.received - seen.overlap
        if number is None or rows <= 0:
            return
        reached = self.reached(page, seen)
        for step in count(1):
            if seen.total is not None and reached + step * rows >= seen.total:
                return
            yield {**following, self.number_param: str(number + step * stride)}

    @override
    def total(self, page: Page) -> int | None:
        return whole_number(dig(page.payload, self.total_path)) if self.total_path else None


@dataclass(frozen=True, kw_only=True)
class Offset(NumberedPaging):
    """Pages by row number: `?offset=200&limit=100`, advanced by the rows received.

    A page smaller than asked moves the offset by what it held, so a server that caps `limit` skips
    nothing, and only an empty page or a reached total is the end.
    """

    offset_param: str = "offset"
    total_path: str | None = "total"

    @property
    @override
    def number_param(self) -> str:
        return self.offset_param

    @override
    def start(self) -> Query:
        return {self.offset_param: "0"}

    overlaps = True

    @override
    def reached(self, page: Page, seen: Seen) -> int:
        return (whole_number(page.query.get(self.offset_param)) or 0) + page.received

    @override
    def counted(self, page: Page, seen: Seen) -> int:
        reached = self.reached(page, seen)
        # What follows a short page is likely nothing: asked for as it is, it proves the end. A
        # first page may be short because the server caps its pages.
        is_last = seen.pages > 1 and page.received < seen.largest
        if is_last and (seen.total is None or reached >= seen.total):
            return reached
        return reached - seen.overlap

    @override
    def stride(self, page: Page, seen: Seen) -> int:
        return page.received - seen.overlap

    @override
    def stepped_back(self, following: Query, page: Page, seen: Seen) -> Query:
        number = whole_number(following.get(self.offset_param))
        if number is None or number != self.reached(page, seen):
            return following
        return {**following, self.offset_param: str(self.counted(page, seen))}


@dataclass(frozen=True, kw_only=True)
class LinkedOffset(Offset):
    """Pages by link or cursor where the server gives one, else by row number.

    The first request names no offset: servers that page by cursor ignore it or refuse it.
    """

    @override
    def start(self) -> Query:
        return {}


@dataclass(frozen=True, kw_only=True)
class PageNumber(NumberedPaging):
    """Pages by page number: `?page=3`.

    Without `base_page` the walk starts at 0; where page 1 repeats page 0 the server counts from 1
    and the repetition is dropped. Starting at 1 would lose the first page of the others in silence.
    """

    page_param: str = "page"
    base_page: int | None = None

    @property
    @override
    def number_param(self) -> str:
        return self.page_param

    @override
    def start(self) -> Query:
        return {self.page_param: str(self.base_page or 0)}

    @override
    def counted(self, page: Page, seen: Seen) -> int:
        number = whole_number(page.query.get(self.page_param))
        return (self.base_page or 0) + seen.pages if number is None else number + 1

    @override
    def stride(self, page: Page, seen: Seen) -> int:
        return 1

    @override
    def total(self, page: Page) -> int | None:
        """Return the row count; a count of pages, told by its name, is turned into none."""
        if self.total_path and "page" in self.total_path.rsplit(".", maxsplit=1)[-1].lower():
            return None
        return super().total(page)

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        following = super().next(page, seen)
        if following is End.EMPTY and self.base_page is None and seen.pages == 1:
            # Page 0 of a server that counts from 1 may well be empty.
            return {self.page_param: "1"}
        if following is End.TOTAL:
            # A `total` beside page numbers may count pages: only an empty page tells.
            return {self.page_param: str(self.counted(page, seen))} if page.size else End.EMPTY
        if isinstance(following, dict) and self._is_past_last(page, following):
            return End.TOTAL
        return following

    def _is_past_last(self, page: Page, following: Query) -> bool:
        """Whether the response counts the pages and `following` is not among them."""
        if self.base_page is None or not self.total_path or self.total(page) is not None:
            return False
        last = whole_number(dig(page.payload, self.total_path))
        number = whole_number(following.get(self.page_param))
        return last is not None and number is not None and number >= last + self.base_page

    @override
    def absorbs_repeat(self, page: Page) -> bool:
        return self.base_page is None and page.query.get(self.page_param) == "1"


@dataclass(frozen=True, kw_only=True)
class Cursor(Paging):
    """Pages by an opaque cursor in the body: `{"next": "abc"}` leads to `?from=abc`."""

    cursor_path: str = "cursors.next"
    cursor_param: str = "cursor"
    #: Dotted path of a flag that says the last page is reached.
    at_end_path: str | None = None

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        if self.at_end_path and dig(page.payload, self.at_end_path) is True:
            return End.CURSOR
        return self.follow(dig(page.payload, self.cursor_path))

    @property
    @override
    def members(self) -> frozenset[str]:
        return roots(self.cursor_path, self.at_end_path)

    def follow(self, cursor: object) -> Query | End:
        """Return the token of a cursor; null, empty, false and 0 mean that there is none."""
        return {self.cursor_param: str(cursor)} if cursor else End.CURSOR


@dataclass(frozen=True, kw_only=True)
class HeaderCursor(Cursor):
    """Pages by an opaque cursor in a response header."""

    #: Name of the header.
    cursor_key: str = "next"

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        return self.follow(page.headers.get(self.cursor_key))


@dataclass(frozen=True, kw_only=True)
class JsonLink(Paging):
    """Pages by a link in the body: `{"next": "https://…?page=2"}`; its query is followed."""

    next_url_path: str = "next"

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        link = dig(page.payload, self.next_url_path)
        return page.follow(link) if isinstance(link, str) and link else End.LINK

    @property
    @override
    def members(self) -> frozenset[str]:
        return roots(self.next_url_path)


@dataclass(frozen=True, kw_only=True)
class HeaderLink(Paging):
    """Pages by the `Link` header: `<https://…?page=2>; rel="next"`; its query is followed."""

    links_next_key: str = "next"

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        link = header_links(page).get(self.links_next_key.lower())
        return End.LINK if link is None else page.follow(link)


@dataclass(frozen=True, kw_only=True)
class SinglePage(Paging):
    """An endpoint that answers everything at once."""

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        return End.SINGLE

    @override
    def total(self, page: Page) -> int | None:
        return whole_number(dig(page.payload, "total"))


@dataclass(frozen=True, kw_only=True)
class Auto(Paging):
    """Paging as the first response shows it: a link, a cursor, an offset or a page number."""

    @override
    def next(self, page: Page, seen: Seen) -> Query | End:
        has_links, link = next_link(page)
        if link is not None:
            return page.follow(link)
        for path, param in CURSORS.items():
            if cursor := dig(page.payload, path):
                return {param: str(cursor)}
        if numbered := self._numbered(page):
            return numbered.next(page, seen)
        if has_links:
            return End.LINK
        return End.CURSOR if any(has(page.payload, path) for path in CURSORS) else End.SINGLE

    @property
    @override
    def members(self) -> frozenset[str]:
        return LINK_MEMBERS | roots(*CURSORS) | {"total", "offset", "page"}

    @override
    def total(self, page: Page) -> int | None:
        return whole_number(dig(page.payload, "total"))

    @staticmethod
    def _numbered(page: Page) -> NumberedPaging | None:
        if whole_number(dig(page.payload, "offset")) is not None:
            return Offset()
        number = whole_number(dig(page.payload, "page"))
        return None if number is None else PageNumber(base_page=number, total_path="total")


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
