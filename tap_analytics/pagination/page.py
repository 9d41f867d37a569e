"""A page: its token, the paging metadata of its response, and its rows.

A token *is* the query that fetches the page, so all kinds of paging share one reader.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urljoin, urlsplit

from tap_analytics.transport.errors import OriginRefused, Rejected, shorten
from tap_analytics.transport.origin import origin_of, shown_origin

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from tap_analytics.records.rows import Rows

    #: Returns which keys are new.
    Fresh = Callable[[Sequence[Hashable]], list[bool]]

#: Parameters by name; a tuple is sent as one parameter per value, and so an empty one not at all.
PageToken = dict[str, str | tuple[str, ...]]
#: Name of a value that is no parameter, but the path of a link, in place of the request's.
LINK_PATH = "path of the link"
#: Maximum length of a page token in a message.
_SHOWN = 80


@dataclass(slots=True, kw_only=True)
class Page:
    """Paging metadata of a response: envelope, headers and number of rows."""

    query: PageToken
    payload: t.Any
    headers: Mapping[str, str]
    #: Rows that are new.
    size: int
    #: Rows in the response, including the overlap with the previous page.
    received: int = 0
    #: URL of the request, without its query.
    url: str = ""
    status: int = 200
    #: Whether the response has null instead of a list of rows.
    is_null: bool = False

    def follow(self, link: str) -> PageToken:
        """Return the query of a next link, or its path where it has no query.

        A path beside a query isn't used: behind a proxy it is another than that of the request.
        Parameters of the endpoint that the link doesn't have are sent as before, such as the limit.
        Raises `OriginRefused` for a link to another origin, where credentials must not go, and
        `Rejected` for one that is no URL.
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
                hint="If the API has moved there, set `base_url` to it.",
            )
        path = urlsplit(urljoin(self.url, link)).path
        if not parts.query and path != here.path:
            return {LINK_PATH: path}
        query = parse_qs(parts.query, keep_blank_values=True)
        return {name: tuple(each) if len(each) > 1 else each[0] for name, each in query.items()}


@dataclass(slots=True, kw_only=True)
class FetchedPage:
    """A page with its rows."""

    page: Page
    rows: Rows
    #: Seconds from sending the request to the last byte of the response.
    elapsed: float
    #: What identifies each row: its primary key, or its content if it has none.
    keys: Sequence[Hashable] = ()

    def filter(self, flags: Sequence[bool]) -> FetchedPage:
        """Return the page with the rows whose flag is set; the others were received before."""
        kept = [key for key, flag in zip(self.keys, flags, strict=True) if flag]
        page = replace(self.page, size=len(kept))
        return replace(self, page=page, rows=self.rows.filter(flags), keys=kept)


def describe(query: PageToken) -> str:
    """Format a page token for a message, truncated."""
    sent = [f"{name}={value}" for name, value in query.items() if value != ()]
    text = ", ".join(sent) or "the first page"
    return shorten(text, _SHOWN)
