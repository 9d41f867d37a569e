"""Members of a response that may name the next page, or count rows or pages."""

from __future__ import annotations

import re
import typing as t

from tap_analytics.config.declarations.object_reader import DOTTED
from tap_analytics.pagination import whole_number
from tap_analytics.pagination.strategies.metadata import CURSORS, header_links
from tap_analytics.transport.errors import OriginRefused, Rejected

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.pagination import Page

#: Depth to which responses are searched.
_DEPTH = 4
_LINK = re.compile(r"next(_?(url|link|page|page_?url|href))?|href", re.IGNORECASE)
_CURSOR = re.compile(
    r"(next_?)?(cursor|after|(page_?)?token|continuation(_?token)?|bookmark|scroll_?id)|next",
    re.IGNORECASE,
)
_CURSOR_HEADER = re.compile(r"(x-)?(next-(cursor|page|token)|cursor(-next)?|continuation(-token)?)")
TOTAL = re.compile(
    r"(total|count)|total_?(count|results?|size|items?|records?|rows|hits)"
    r"|(count|results|items|records|rows)_?total",
    re.IGNORECASE,
)
PAGES = re.compile(r"total_?pages|pages?_?(count|total)|last_?page", re.IGNORECASE)

Declaration = dict[str, t.Any]


def hints(page: Page) -> list[Declaration]:
    """Return paginators that would find a next page in a response, the most certain first."""
    found = [*_links(page), *_cursors(page)]
    return sorted(found, key=lambda paginator: _ORDER.index(paginator["type"]))


_ORDER = ("header_link", "json_link", "cursor", "header_cursor")


def counts(page: Page, name: re.Pattern[str]) -> list[tuple[str, int]]:
    """Return the path and the value of each integer whose name matches."""
    return [
        (path, number)
        for path, value in members(page.payload)
        if name.fullmatch(_last(path)) and (number := whole_number(value)) is not None
    ]


def _links(page: Page) -> Iterator[Declaration]:
    if _is_followable(page, header_links(page).get("next")):
        yield {"type": "header_link", "links_next_key": "next"}
    for path, value in (*members(page.payload), *_quoted(page.payload)):
        name = _last(path).lower().removesuffix("']")
        is_next = name != "href" or path.lower().endswith("next.href")
        if _LINK.fullmatch(name) and is_next and _is_link(value) and _is_followable(page, value):
            yield {"type": "json_link", "next_url_path": path}


def _quoted(payload: object) -> Iterator[tuple[str, t.Any]]:
    """Yield the members whose names have dots, such as `@odata.nextLink`, with quoted paths."""
    for name, value in payload.items() if isinstance(payload, dict) else ():
        if "." in name and name.isprintable() and not {"'", "\\"} & {*name}:
            yield f"['{name}']", value


def _is_followable(page: Page, link: str | None) -> bool:
    try:
        return bool(link and page.follow(link))
    except (OriginRefused, Rejected):
        return False


def _cursors(page: Page) -> Iterator[Declaration]:
    found = [
        path
        for path, value in members(page.payload)
        if _CURSOR.fullmatch(_last(path)) and value and not _is_link(value)
        if isinstance(value, (str, int)) and not isinstance(value, bool)
    ]
    # Well-known paths before paths that only look similar.
    for path in sorted(found, key=lambda path: path not in CURSORS):
        yield {"type": "cursor", "cursor_path": path, "cursor_param": param_for(path)}
    for name, value in page.headers.items():
        if _CURSOR_HEADER.fullmatch(name.lower()) and value:
            param = "page" if "page" in name.lower() else "cursor"
            yield {"type": "header_cursor", "cursor_key": name, "cursor_param": param}


def param_for(path: str) -> str:
    """Return the parameter that sends a cursor: a known one, else the name without `next`."""
    name = re.sub(r"^next_?", "", _last(path), flags=re.IGNORECASE)
    return CURSORS.get(path) or (name[:1].lower() + name[1:] if name else "cursor")


def members(payload: object, prefix: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, t.Any]]:
    """Yield the values of a response with their dotted paths, except those inside lists."""
    for name, value in payload.items() if isinstance(payload, dict) and depth else ():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from members(value, f"{path}.", depth - 1)
        elif DOTTED.fullmatch(path) and "." not in name:
            yield path, value


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _is_link(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://", "/", "?"))


_DESCRIPTIONS = {
    "cursor": "a cursor at `{cursor_path}`, sent as `{cursor_param}`",
    "header_cursor": "a cursor in the header `{cursor_key}`",
    "header_link": "the `Link` header",
    "json_link": "a link at `{next_url_path}`",
    "offset": "row numbers in `{offset_param}`",
    "page_number": "page numbers in `{page_param}`",
}
_DEFAULTS = {"offset_param": "offset", "page_param": "page", "cursor_param": "cursor"}


def describe(paginator: Declaration) -> str:
    """Describe a paginator."""
    return _DESCRIPTIONS[paginator["type"]].format(**{**_DEFAULTS, **paginator})
