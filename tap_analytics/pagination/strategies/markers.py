"""Words by which responses say that more rows follow, wherever the declaration looks for them.

They are evidence against an end that nobody else has shown: a flag, a cursor, a next link or a
count of pages that the paginator doesn't know of.
"""

from __future__ import annotations

import re
import typing as t

from tap_analytics.pagination.strategies.envelope import dig, roots, whole_number
from tap_analytics.pagination.strategies.links import LINK_MEMBERS, next_link

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination.page import Page

#: Where cursors are looked for, and the parameter that sends each back.
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
_HOLDERS = ("meta", "pagination", "paging", "page_info", "pageInfo", "page", "response_metadata")
_FLAG_NAMES = (
    *("has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage"),
    *("more", "more_results", "moreResults"),
)
FLAGS = (*_FLAG_NAMES, *(f"{holder}.{name}" for holder in _HOLDERS for name in _FLAG_NAMES))
_COUNT_NAMES = ("total_pages", "totalPages", "page_count", "pageCount", "last_page", "lastPage")
PAGE_COUNTS = (*_COUNT_NAMES, *(f"{holder}.{name}" for holder in _HOLDERS for name in _COUNT_NAMES))
_TOTAL_NAMES = ("total", "total_count", "totalCount", "total_results", "totalResults")
TOTALS = (*_TOTAL_NAMES, *(f"{holder}.{name}" for holder in _HOLDERS for name in _TOTAL_NAMES))
#: Members of a response that are looked at.
SIGNS = LINK_MEMBERS | roots(*CURSORS, *FLAGS, *PAGE_COUNTS, *TOTALS)

#: Names that speak of a next page, of members and of headers nobody knows.
_HINT = re.compile(r"next|cursor|continu|(^|_)more|after|page_?token", re.IGNORECASE)
_HEADER_HINT = re.compile(r"(^|-)(next|cursor|continuation)(-|$)", re.IGNORECASE)


def flag_of_more(page: Page) -> tuple[str, bool] | None:
    """Return the flag by which a response says whether more follows, and what it says."""
    for path in FLAGS:
        if isinstance(value := dig(page.payload, path), bool):
            return path, value
    return None


def says_end(page: Page) -> bool:
    """Whether a flag says that no page follows."""
    flag = flag_of_more(page)
    return flag is not None and not flag[1]


def count_of_pages(page: Page) -> tuple[str, int] | None:
    """Return where a response counts the pages, and how many it counts."""
    for path in PAGE_COUNTS:
        if (count := whole_number(dig(page.payload, path))) is not None:
            return path, count
    return None


def larger_total(page: Page) -> str | None:
    """Return what counts more rows than a page has, wherever it is usual to count them."""
    for path in TOTALS:
        if (whole_number(dig(page.payload, path)) or 0) > page.received:
            return f"`{path}: {dig(page.payload, path)}`"
    return None


def sign_of_more(page: Page) -> str | None:
    """Return what says, in a known word, that a page is not the last one."""
    flag = flag_of_more(page)
    if flag is not None and flag[1]:
        return f"`{flag[0]}: true`"
    if next_link(page)[1] is not None:
        return "a next link"
    for path in (*CURSORS, "next"):
        value = dig(page.payload, path)
        if value and isinstance(value, (str, int)) and value is not True:
            return f"a cursor at `{path}`"
    name = next((n for n, value in page.headers.items() if value and _HEADER_HINT.search(n)), None)
    return f"a header `{name}`" if name else None


def hint_of_more(page: Page) -> str | None:
    """Return what may say that a page is not the last one, names that nobody knows included."""
    if sign := sign_of_more(page):
        return sign
    counted = count_of_pages(page)
    if counted is not None and counted[1] > 1:
        return f"`{counted[0]}: {counted[1]}`"
    path = next(_hints(page.payload), None)
    return f"a value at `{path}`" if path else None


def _hints(payload: object, prefix: str = "") -> Iterator[str]:
    for name, value in payload.items() if isinstance(payload, dict) else ():
        if isinstance(value, dict) and not prefix:
            yield from _hints(value, f"{name}.")
        elif value and isinstance(value, (str, int)) and _HINT.search(name) and "prev" not in name:
            yield f"{prefix}{name}"
