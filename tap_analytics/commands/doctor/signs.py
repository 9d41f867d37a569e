"""What a response shows of its paging: links, cursors and totals, wherever they stand."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from tap_analytics.config.declarations.object_reader import DOTTED
from tap_analytics.pagination import whole_number
from tap_analytics.pagination.strategies.links import header_links
from tap_analytics.pagination.strategies.markers import CURSORS
from tap_analytics.transport.errors import OriginRefused, Rejected

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination import Page, PageToken

#: Levels below the response that are looked at.
_DEEPEST = 4
_LINK_NAME = re.compile(r"next(_?(url|link|page|page_?url|href))?|href", re.IGNORECASE)
_CURSOR_NAME = re.compile(
    r"(next_?)?(cursor|after|(page_?)?token|continuation(_?token)?|bookmark|scroll_?id)|next",
    re.IGNORECASE,
)
_CURSOR_HEADER = re.compile(r"(x-)?(next-(cursor|page|token)|cursor(-next)?|continuation(-token)?)")
_TOTAL_NAME = re.compile(
    r"(total|count)|total_?(count|results?|size|items?|records?|rows|hits)"
    r"|(count|results|items|records|rows)_?total",
    re.IGNORECASE,
)
_PAGES_NAME = re.compile(r"total_?pages|pages?_?(count|total)|last_?page", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Sign:
    """A way to the next page: the paginator that takes it, and the page's token."""

    paginator: dict[str, t.Any]
    query: PageToken
    #: Where it stands, to be told.
    where: str


def signs(page: Page) -> list[Sign]:
    """Return the ways to a next page that a response shows, the surest first."""
    return [*_header_links(page), *_links(page), *_cursors(page), *_header_cursors(page)]


def totals(page: Page) -> list[tuple[str, int]]:
    """Return the paths of what may be the number of all rows, with the numbers."""
    return _numbers(page, _TOTAL_NAME)


def page_counts(page: Page) -> list[tuple[str, int]]:
    """Return the paths of what may be the number of all pages, with the numbers."""
    return _numbers(page, _PAGES_NAME)


def _header_links(page: Page) -> Iterator[Sign]:
    if link := header_links(page).get("next"):
        yield from _followed(
            page, link, {"type": "header_link", "links_next_key": "next"}, "in the `Link` header"
        )


def _links(page: Page) -> Iterator[Sign]:
    for path, value in members(page.payload):
        last = path.rpartition(".")[2]
        under_next = path.lower().endswith("next.href") or last.lower() != "href"
        if isinstance(value, str) and _LINK_NAME.fullmatch(last) and under_next and _is_link(value):
            clause = {"type": "json_link", "next_url_path": path}
            yield from _followed(page, value, clause, f"at `{path}`")


def _followed(page: Page, link: str, clause: dict[str, t.Any], where: str) -> Iterator[Sign]:
    try:
        query = page.follow(link)
    except (OriginRefused, Rejected):
        return
    if query:
        yield Sign(paginator=clause, query=query, where=f"a link to the next page {where}")


def _cursors(page: Page) -> Iterator[Sign]:
    found = []
    for path, value in members(page.payload):
        is_cursor = _CURSOR_NAME.fullmatch(path.rpartition(".")[2]) is not None
        if is_cursor and isinstance(value, (str, int)) and value and not isinstance(value, bool):
            text = str(value)
            if not (isinstance(value, str) and _is_link(text)):
                found.append((path, text))
    # A path everybody knows goes before one that only sounds like it.
    for path, text in sorted(found, key=lambda each: each[0] not in CURSORS):
        param = CURSORS.get(path) or param_for(path)
        clause = {"type": "cursor", "cursor_path": path, "cursor_param": param}
        yield Sign(paginator=clause, query={param: text}, where=f"a cursor at `{path}`")


def param_for(path: str) -> str:
    """Guess the parameter that sends a cursor back: the member's name without its `next`."""
    name = re.sub(r"^next_?", "", path.rpartition(".")[2], flags=re.IGNORECASE)
    return name[:1].lower() + name[1:] if name else "cursor"


def _header_cursors(page: Page) -> Iterator[Sign]:
    for name, value in page.headers.items():
        if _CURSOR_HEADER.fullmatch(name.lower()) and value:
            param = "page" if "page" in name.lower() else "cursor"
            clause = {"type": "header_cursor", "cursor_key": name, "cursor_param": param}
            yield Sign(
                paginator=clause, query={param: value}, where=f"a cursor in the header `{name}`"
            )


def _numbers(page: Page, name: re.Pattern[str]) -> list[tuple[str, int]]:
    return [
        (path, number)
        for path, value in members(page.payload)
        if name.fullmatch(path.rpartition(".")[2]) and (number := whole_number(value)) is not None
    ]


def members(
    payload: object, prefix: str = "", depth: int = _DEEPEST
) -> Iterator[tuple[str, t.Any]]:
    """Yield the values of a response with their dotted paths, but for those inside of lists."""
    if not isinstance(payload, dict) or not depth:
        return
    for name, value in payload.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from members(value, f"{path}.", depth - 1)
        elif DOTTED.fullmatch(path) and "." not in name:
            yield path, value


def _is_link(text: str) -> bool:
    return text.startswith(("http://", "https://", "/", "?"))
