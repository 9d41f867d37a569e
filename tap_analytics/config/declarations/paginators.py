"""The fields of `paginator`, by its `type`."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from tap_analytics.config.declarations.fields import (
    HEADER_NAME,
    MEMBER,
    PATH,
    TEXT,
    TEXTS,
    Field,
    Kind,
    Variant,
    choice,
    integer,
    read_variant,
)
from tap_analytics.pagination import (
    Auto,
    Cursor,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    PagingStrategy,
    SinglePage,
    UnknownUnit,
)
from tap_analytics.pagination.placement import body_path, in_body, is_in_query
from tap_analytics.records.codec import kind_of
from tap_analytics.records.path import alternatives, parse_path

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.config.declarations.fields import Fields
    from tap_analytics.config.declarations.object_reader import ConfigPath, ObjectReader

_CURSOR_VALUE = re.compile(r"\{\{\s*response\.([\w-]+(?:\.[\w-]+)*)\s*\}\}")


def _cursor_value(reader: ObjectReader, name: str) -> str | None:
    value = reader.text(name)
    path = _CURSOR_VALUE.fullmatch(value.strip()) if value else None
    if value and path is None:
        reader.error(name, 'must read like "{{ response.next }}".')
    return path[1] if path else None


def _optional_path(reader: ObjectReader, name: str) -> str | None:
    return reader.path(name) if reader.given[name] != "" else None


def _paths(reader: ObjectReader, name: str) -> str | None:
    """Read a path, or several with `|` between them."""
    paths = alternatives(value) if (value := reader.text(name)) else ()
    for path in paths:
        if parse_path(path) is None:
            reader.error(name, f"'{path}' must be a dotted path such as meta.next.")
            return None
    return " | ".join(path.removeprefix("$.") for path in paths) or None


def _boolean(reader: ObjectReader, name: str) -> bool | None:
    value = reader.given[name]
    if isinstance(value, bool):
        return value
    reader.error(name, f"must be true or false, not {kind_of(value)}.")
    return None


def _end_codes(reader: ObjectReader, name: str) -> tuple[int, ...]:
    value = reader.given[name]
    codes = value if isinstance(value, list) else [value]
    if all(not isinstance(code, bool) and code in _END_CODES for code in codes):
        return tuple(codes)
    reader.error(name, f"must be a list of {', '.join(map(str, _END_CODES))}.")
    return ()


def _merge(
    reader: ObjectReader,
    values: dict[str, t.Any],
    alias: str,
    name: str,
    convert: Callable[[str], str] = str,
) -> None:
    """Rename a value that says the same in another way."""
    if alias not in values:
        return
    value = values.pop(alias)
    if name in values:
        reader.error(alias, f"and `{name}` say the same. Remove one.")
    else:
        values[name] = convert(value)


def _made(kind: Callable[..., PagingStrategy]) -> Callable[..., PagingStrategy]:
    """Return what makes a paginator whose parameters may be in the body."""

    def make(reader: ObjectReader, values: dict[str, t.Any]) -> PagingStrategy:
        for name in ("limit", "offset", "page", "cursor"):
            _merge(reader, values, f"{name}_body_path", f"{name}_param", in_body)
        _merge(reader, values, "cursor_value", "cursor_path")
        return kind(**values)

    return make


def _offset(reader: ObjectReader, values: dict[str, t.Any]) -> PagingStrategy:
    if values.get("offset_param") != "page":
        return _made(Offset)(reader, values)
    for name in ("offset", "maximum_offset"):
        if name in values:
            reader.error(name, "counts rows, but `page` may count pages. Use the type page_number.")
    others = {name: each for name, each in values.items() if "offset" not in name}
    return _made(UnknownUnit)(reader, others)


_END_CODES = (400, 404, 410, 416, 422)
BOOLEAN = Kind("boolean", _boolean)
#: Fields of all types.
SHARED = {
    "limit": Field(integer(1), "Rows per page; sent only if given, here or as `page_size`."),
    "limit_param": Field(TEXT, "Parameter that carries the limit; null sends none.", nullable=True),
    "limit_body_path": Field(PATH, "Where the JSON body takes the limit, instead of a parameter."),
    "total_path": Field(
        Kind("path", _optional_path),
        "Where the response counts all rows: `total` for `offset`, `single_page` and `auto` "
        "unless it is given; null or empty reads no count.",
        nullable=True,
    ),
    "has_more_path": Field(
        MEMBER,
        "Flag that says whether more pages follow: a boolean, a number, or a text such as `true`.",
    ),
    "at_end_path": Field(MEMBER, "Flag that is true on the last page.", in_dlt=False),
    "total_header": Field(
        HEADER_NAME,
        "Header that counts all rows, where the body doesn't; null reads none.",
        nullable=True,
        in_dlt=False,
    ),
}
_STOP_AFTER_EMPTY = Field(
    BOOLEAN,
    "Whether a page without rows is the last; false reads on while a flag, a total or a maximum "
    "says that more follow.",
)
_END_STATUS_CODES = Field(
    Kind("list of 400, 404, 410, 416, 422", _end_codes),
    "Statuses of responses to a number behind the last page.",
    in_dlt=False,
)
_IN_BODY = Field(PATH, "Where the JSON body takes it, instead of a parameter.")
_STOP_AFTER_SHORT = Field(
    BOOLEAN,
    "Whether a page with fewer rows than `limit` is the last: an error, or rows that were read "
    "before, then show that no page follows.",
    in_dlt=False,
)
_EMPTY_PAGES = Field(
    BOOLEAN, "Whether two pages without rows are the end, though they name a next page."
)
_EMPTY_LINKED_PAGES = replace(_EMPTY_PAGES, in_dlt=False)
_FIRST_PAGE = Field(
    TEXTS,
    "Parameters that are sent on the first page only, where the cursor or link stands for them.",
    in_dlt=False,
)
_CURSOR: Fields = {
    "cursor_param": Field(
        TEXT,
        "Parameter that carries the cursor; where `params` has it too, from the second page on.",
    ),
    "cursor_body_path": _IN_BODY,
    "first_page_params": _FIRST_PAGE,
    "stop_after_empty_page": _EMPTY_PAGES,
    "stop_after_short_page": _STOP_AFTER_SHORT,
    "cursor_encoding": Field(
        choice("json"),
        "Sends the cursor as JSON, such as an object in the query.",
        in_dlt=False,
    ),
    "stop_values": Field(
        TEXTS, "What stands in the place of the cursor on the last page.", in_dlt=False
    ),
}
PAGINATORS: dict[str, Variant[PagingStrategy]] = {
    "auto": Variant(
        makes=Auto,
        make=_made(Auto),
        meaning="By what the first response shows: a link, a cursor, an offset or a page number.",
        fields=SHARED,
    ),
    "cursor": Variant(
        makes=Cursor,
        make=_made(Cursor),
        meaning="By a cursor in the body.",
        fields={
            "cursor_path": Field(
                MEMBER, "Where the response has the cursor, such as `data[-1].id` for the last row."
            ),
            **_CURSOR,
            "cursor_value": Field(
                Kind("expression", _cursor_value),
                'The cursor as `"{{ response.next }}"`, instead of `cursor_path`.',
                in_dlt=False,
            ),
            **SHARED,
        },
    ),
    "header_cursor": Variant(
        makes=HeaderCursor,
        make=_made(HeaderCursor),
        meaning="By a cursor in a header.",
        fields={
            "cursor_key": Field(TEXT, "Header of the response with the cursor."),
            **_CURSOR,
            **SHARED,
        },
    ),
    "header_link": Variant(
        makes=HeaderLink,
        make=_made(HeaderLink),
        meaning="By the `Link` header.",
        fields={
            "links_next_key": Field(TEXT, "Relation of the link to the next page."),
            "first_page_params": _FIRST_PAGE,
            "stop_after_empty_page": _EMPTY_LINKED_PAGES,
            "stop_after_short_page": _STOP_AFTER_SHORT,
            **SHARED,
        },
    ),
    "json_link": Variant(
        makes=JsonLink,
        make=_made(JsonLink),
        meaning="By a link in the body.",
        fields={
            "next_url_path": Field(
                Kind("path", _paths),
                "Where the response has the link, such as `['@odata.nextLink']`, or "
                "`links[?@.rel=='next'].href` in a list of links; of several, such as "
                "`meta.next | next`, the first with a value.",
            ),
            "first_page_params": _FIRST_PAGE,
            "stop_after_empty_page": _EMPTY_LINKED_PAGES,
            "stop_after_short_page": _STOP_AFTER_SHORT,
            "stop_values": Field(
                TEXTS, "What stands in the place of the link on the last page.", in_dlt=False
            ),
            **SHARED,
        },
    ),
    "offset": Variant(
        makes=Offset,
        make=_offset,
        meaning="By row number, advanced by the rows received.",
        fields={
            "offset_param": Field(
                TEXT,
                "Parameter that carries it; whether `page` counts rows or pages, from 0 or from 1, "
                "is found out by the first two pages.",
            ),
            "offset_body_path": _IN_BODY,
            "offset": Field(integer(0), "Number of the first row."),
            "maximum_offset": Field(
                integer(0), "Offset from which on nothing is read, which leaves it `unverified`."
            ),
            "stop_after_empty_page": _STOP_AFTER_EMPTY,
            "stop_after_short_page": _STOP_AFTER_SHORT,
            "end_status_codes": _END_STATUS_CODES,
            **SHARED,
        },
    ),
    "page_number": Variant(
        makes=PageNumber,
        make=_made(PageNumber),
        meaning="By page number.",
        fields={
            "page_param": Field(TEXT, "Parameter that carries it."),
            "page_body_path": _IN_BODY,
            "page_path": Field(
                MEMBER,
                "Where each response has its number: another one than asked for is an error, and "
                "none is the end.",
                in_dlt=False,
            ),
            "page": Field(integer(0), "Number of the page to begin with, if it isn't the first."),
            "maximum_page": Field(
                integer(0), "Page from which on nothing is read, which leaves it `unverified`."
            ),
            "stop_after_empty_page": _STOP_AFTER_EMPTY,
            "stop_after_short_page": _STOP_AFTER_SHORT,
            "end_status_codes": _END_STATUS_CODES,
            "base_page": Field(
                integer(0), "Number of the first page; found out if it isn't given."
            ),
            **SHARED,
        },
    ),
    "single_page": Variant(
        makes=SinglePage,
        make=_made(SinglePage),
        meaning="Not at all: one request.",
        fields=SHARED,
    ),
}


def declared_at(field: str, param: str) -> dict[str, str]:
    """Return the field of a paginator that declares where its value goes; none is a placeholder."""
    if path := body_path(param):
        return {field.replace("_param", "_body_path"): path}
    return {field: param} if is_in_query(param) else {}


def read_paging(value: object, place: ConfigPath) -> PagingStrategy:
    """Read a paginator, an object or just its type; the default is `auto`."""
    if value is None:
        return Auto()
    given = {"type": value} if isinstance(value, str) else value
    return read_variant(given, place, PAGINATORS) or Auto()
