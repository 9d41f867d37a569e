"""The fields of `paginator`, by its `type`."""

from __future__ import annotations

import re
import typing as t

from tap_analytics.config.declarations.fields import (
    HEADER_NAME,
    PATH,
    TEXT,
    Field,
    Kind,
    Variant,
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
)

if t.TYPE_CHECKING:
    from tap_analytics.config.declarations.object_reader import ConfigPath, ObjectReader

_CURSOR_VALUE = re.compile(r"\{\{\s*response\.([\w-]+(?:\.[\w-]+)*)\s*\}\}")


def _cursor_value(reader: ObjectReader, name: str) -> str | None:
    value = reader.text(name)
    path = _CURSOR_VALUE.fullmatch(value.strip()) if value else None
    if value and path is None:
        reader.error(name, 'must read like "{{ response.next }}".')
    return path[1] if path else None


def _cursor(reader: ObjectReader, values: dict[str, t.Any]) -> PagingStrategy:
    if "cursor_value" in values:
        if "cursor_path" in values:
            reader.error("cursor_value", "and `cursor_path` say the same. Remove one.")
        values["cursor_path"] = values.pop("cursor_value")
    return Cursor(**values)


def _offset(_: ObjectReader, values: dict[str, t.Any]) -> PagingStrategy:
    paging = Offset(**values)
    if paging.offset_param != "page":
        return paging
    limits = {name: getattr(paging, name) for name in SHARED}
    return PageNumber(page_param="page", base_page=1, **limits)


#: Fields of all types.
SHARED = {
    "limit": Field(integer(1), "Rows per page; sent only if given, here or as `page_size`."),
    "limit_param": Field(TEXT, "Parameter that carries the limit; null sends none.", nullable=True),
    "total_path": Field(
        PATH,
        "Where the response counts all rows: `total` for `offset`, `single_page` and `auto` "
        "unless it is given; null reads no count.",
        nullable=True,
    ),
    "total_header": Field(
        HEADER_NAME,
        "Header that counts all rows, where the body doesn't; null reads none.",
        nullable=True,
        in_dlt=False,
    ),
}
_CURSOR_PARAM = Field(TEXT, "Parameter that carries the cursor.")
PAGINATORS: dict[str, Variant[PagingStrategy]] = {
    "auto": Variant(
        makes=Auto,
        meaning="By what the first response shows: a link, a cursor, an offset or a page number.",
        fields=SHARED,
    ),
    "cursor": Variant(
        makes=Cursor,
        make=_cursor,
        meaning="By a cursor in the body.",
        fields={
            "cursor_path": Field(PATH, "Where the response has the cursor."),
            "cursor_param": _CURSOR_PARAM,
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
        meaning="By a cursor in a header.",
        fields={
            "cursor_key": Field(TEXT, "Header of the response with the cursor."),
            "cursor_param": _CURSOR_PARAM,
            **SHARED,
        },
    ),
    "header_link": Variant(
        makes=HeaderLink,
        meaning="By the `Link` header.",
        fields={
            "links_next_key": Field(TEXT, "Relation of the link to the next page."),
            **SHARED,
        },
    ),
    "json_link": Variant(
        makes=JsonLink,
        meaning="By a link in the body.",
        fields={
            "next_url_path": Field(PATH, "Where the response has the link."),
            **SHARED,
        },
    ),
    "offset": Variant(
        makes=Offset,
        make=_offset,
        meaning="By row number, advanced by the rows received.",
        fields={
            "offset_param": Field(TEXT, "Parameter that carries it; `page` counts pages, from 1."),
            **SHARED,
        },
    ),
    "page_number": Variant(
        makes=PageNumber,
        meaning="By page number.",
        fields={
            "page_param": Field(TEXT, "Parameter that carries it."),
            "base_page": Field(
                integer(0), "Number of the first page; found out if it isn't given."
            ),
            **SHARED,
        },
    ),
    "single_page": Variant(makes=SinglePage, meaning="Not at all: one request.", fields=SHARED),
}


def read_paging(value: object, place: ConfigPath) -> PagingStrategy:
    """Read a paginator, an object or just its type; the default is `auto`."""
    if value is None:
        return Auto()
    given = {"type": value} if isinstance(value, str) else value
    return read_variant(given, place, PAGINATORS) or Auto()
