"""Paging metadata in responses: dotted paths, links, totals and flags.

A next link that is null is evidence of the end; an object of links without one is not. Metadata
that the paginator doesn't use is evidence against an end that nothing else has shown.
"""

from __future__ import annotations

import re
import typing as t
from decimal import Decimal

from requests.utils import parse_header_links

from tap_analytics.records.path import alternatives, members_of
from tap_analytics.records.payload import at_path

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_analytics.pagination.page import Page, PageToken

_TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
#: Digits of the longest number that counts rows.
_DIGITS = 18
#: Settings of paging that name members of a response, which may be its only row.
_PATHS_IN_ROWS = ("cursor_path", "next_url_path", "page_path", "has_more_path", "at_end_path")


def dig(payload: object, path: str) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value at a dotted path such as `meta.next_cursor`, or None."""
    return at_path(payload, members_of(path))


def has(payload: object, path: str) -> bool:
    """Whether there is a value at a dotted path, null included."""
    return at_path(payload, members_of(path), ...) is not ...


def roots(*paths: str | None) -> frozenset[str]:
    """Return the first members of dotted paths, each of which may be several."""
    found = (each for path in paths if path for each in alternatives(path))
    return frozenset(str(members_of(path)[0]) for path in found)


def metadata_of_row(paging: object, row: Mapping[str, t.Any]) -> object:
    """Return what is declared to be paging metadata of a response that is itself a row.

    A count is none: its path has a default, which may be a column.
    """
    names = roots(*(getattr(paging, path, None) for path in _PATHS_IN_ROWS))
    return {name: row[name] for name in names if name in row} or None


def whole_number(value: object) -> int | None:
    """Return a count given as a number, such as `100.0`, or as digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip()
        is_count = value.isascii() and value.isdigit() and len(value) <= _DIGITS
        return int(value) if is_count else None
    if not isinstance(value, (int, float, Decimal)) or not 0 <= value < 10**_DIGITS:
        return None
    return int(value) if value == int(value) else None


def truth(value: object) -> bool | None:
    """Return a flag given as a boolean, a number, or a text such as `yes`; None for others."""
    if isinstance(value, str):
        return _TRUTHS.get(value.strip().lower())
    return value > 0 if isinstance(value, (bool, int, Decimal)) else None


#: Where APIs put a link to the next page in a response body.
LINK_OBJECTS = ("links", "_links", "paging", "pagination")
LINK_MEMBERS = frozenset((*LINK_OBJECTS, "next"))
#: Relations of links to other pages than the next one.
LINK_RELS = frozenset({"prev", "previous", "first", "last"})


def header_links(page: Page) -> dict[str, str]:
    """Return the links of the `Link` header by relation."""
    return {relation: url for relation, url in _relations(page) if url is not None}


def has_empty_link(page: Page, relation: str = "next") -> bool:
    """Whether the `Link` header has a link that leads to no rows, as `results="false"` says."""
    return (relation, None) in _relations(page)


def _relations(page: Page) -> list[tuple[str, str | None]]:
    """Return the relations of the `Link` header, with None for those without results."""
    return [
        (relation, None if entry.get("results") == "false" else entry["url"])
        for entry in parse_header_links(page.headers.get("Link") or "")
        for relation in entry.get("rel", "").lower().split()
    ]


def link_in(value: object) -> str | None:
    """Return the link in a string or in an object with `href` or `url`, else None."""
    if isinstance(value, dict):
        value = value.get("href") or value.get("url")
    return value if isinstance(value, str) and value else None


def next_link(page: Page) -> tuple[bool, str | None]:
    """Return whether the response has a member for the next link, and the link if there is one."""
    if link := header_links(page).get("next"):
        return True, link
    named = has_empty_link(page)
    if not isinstance(page.payload, dict):
        return named, None
    for links in _link_objects(page):
        if link := link_in(links.get("next")):
            return True, link
        named |= "next" in links and not links["next"]
    value = page.payload.get("next", ...)
    link = link_in(value)
    if link and ("?" in link or link.startswith(("http:", "https:", "/"))):
        return True, link
    return named or value is None or value is False, None


def followed_link(page: Page) -> PageToken | None:
    """Return the token of the next link, None without one; raises what `Page.follow` raises."""
    _, link = next_link(page)
    return None if link is None else page.follow(link)


def links_elsewhere(page: Page) -> bool:
    """Whether links of a response lead to other pages than the next one."""
    if not LINK_RELS.isdisjoint(header_links(page)):
        return True
    return any(link_in(links.get(rel)) for links in _link_objects(page) for rel in LINK_RELS)


def _link_objects(page: Page) -> list[dict[str, t.Any]]:
    found = (dig(page.payload, name) for name in LINK_OBJECTS)
    return [links for links in found if isinstance(links, dict)]


#: Paths where `auto` looks for cursors, and the parameter of each.
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


def _paths(*names: str) -> tuple[str, ...]:
    """Return the names at the top level and in common metadata objects."""
    parents = ("meta", "pagination", "paging", "page_info", "pageInfo", "page", "response_metadata")
    return (*names, *(f"{parent}.{name}" for parent in parents for name in names))


FLAGS = _paths(
    *("has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage"),
    *("more", "more_results", "moreResults"),
)
PAGE_COUNTS = _paths(
    *("total_pages", "totalPages", "page_count", "pageCount", "last_page", "lastPage")
)
#: Those, and others that may count something else.
PAGE_NUMBERS = (*PAGE_COUNTS, *_paths("pages", "totalpages"))
TOTALS = _paths("total", "total_count", "totalCount", "total_results", "totalResults")
#: Members of a response that may be paging metadata.
SIGNS = LINK_MEMBERS | roots(*CURSORS, *FLAGS, *PAGE_COUNTS, *TOTALS)
#: Parts of unknown names, of members and of headers, that hint at a next page.
_HINT = re.compile(r"next|cursor|continu|(^|_)more|after|page_?token", re.IGNORECASE)
_HEADER_HINT = re.compile(r"(^|-)(next|cursor|continuation)(-|$)", re.IGNORECASE)


def flag_of_more(page: Page) -> tuple[str, bool] | None:
    """Return the flag whether more pages follow, and its value."""
    for path in FLAGS:
        if isinstance(value := dig(page.payload, path), bool):
            return path, value
    return None


def says_end(page: Page) -> bool:
    """Whether a flag means that no page follows."""
    flag = flag_of_more(page)
    return flag is not None and not flag[1]


def count_of_pages(page: Page) -> tuple[str, int] | None:
    """Return where a response counts the pages, and how many it counts."""
    for path in PAGE_COUNTS:
        if (count := whole_number(dig(page.payload, path))) is not None:
            return path, count
    return None


def larger_total(page: Page) -> str | None:
    """Return a total with a known name that is larger than the rows of a page."""
    for path in TOTALS:
        if (whole_number(dig(page.payload, path)) or 0) > page.received:
            return f"`{path}: {dig(page.payload, path)}`"
    return None


def sign_of_more(page: Page) -> str | None:
    """Return metadata with a known name that shows that a page is not the last one."""
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
    """Return metadata, of unknown names too, that may show that a page is not the last."""
    if sign := sign_of_more(page):
        return sign
    counted = count_of_pages(page)
    if counted is not None and counted[1] > 1:
        return f"`{counted[0]}: {counted[1]}`"
    path = next(_hints(page.payload), None)
    return f"a value at `{path}`" if path else None


def guessed_next(payload: object) -> str | None:
    """Return the text or number of the first member whose name begins with `next`, as dlt does."""
    for name, value in payload.items() if isinstance(payload, dict) else ():
        is_next = name.lower().startswith("next")
        inner = value.items() if isinstance(value, dict) and is_next else ()
        links = (each for part, each in inner if part.lower().startswith(("href", "url")))
        for each in (*links, value if is_next else None):
            if each and isinstance(each, (str, int)) and each is not True:
                return str(each)
        if (found := guessed_next(value)) is not None:
            return found
    return None


def guessed_roots(payload: object) -> list[str]:
    """Return the members at the top of a response that have such a text or number."""
    members = payload.items() if isinstance(payload, dict) else ()
    return [name for name, value in members if guessed_next({name: value}) is not None]


def _hints(payload: object, prefix: str = "") -> Iterator[str]:
    for name, value in payload.items() if isinstance(payload, dict) else ():
        if isinstance(value, dict) and not prefix:
            yield from _hints(value, f"{name}.")
        elif value and isinstance(value, (str, int)) and _HINT.search(name) and "prev" not in name:
            yield f"{prefix}{name}"
