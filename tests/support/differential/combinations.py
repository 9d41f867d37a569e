"""Constructs in any combination: where a page, a parent and a start stand, and what is left out."""

from __future__ import annotations

import itertools
import random
import typing as t
from dataclasses import dataclass
from urllib.parse import unquote, urlencode

from support.differential.construct import Construct
from support.differential.server import with_headers
from support.differential.writing import (
    below,
    by_cursor,
    by_number,
    dlt,
    each_of,
    into,
    manifest,
    over_time,
    paginator,
    resource,
    selected,
    stream,
)

if t.TYPE_CHECKING:
    from support.differential.construct import Description
    from support.differential.server import Asked

SHOPS = ("x", "y z")
#: What ids begin with that are below no parent; digits alone are a number in a manifest.
NO_SHOP = "i"
START, END = "2024-01-02T00:00:00Z", "2024-01-20T00:00:00Z"
OPEN = "{{ record.state == 'open' }}"
QUERY, BODY, HEADER = "request_parameter", "body_json", "header"


@dataclass(frozen=True)
class Shape:
    """How an API is read; `paging`, `parent` and `start` are empty where it has none."""

    paging: str
    place: str
    parent: str
    start: str
    is_filtered: bool
    size: int

    @property
    def is_post(self) -> bool:
        return BODY in {self.place, self.parent, self.start}

    @property
    def in_dlt(self) -> bool:
        """Whether dlt has words for it."""
        parts = {self.paging, self.parent, self.start}
        return self.place != HEADER and parts.isdisjoint({"list", "windows"})

    @property
    def loses(self) -> bool:
        """Whether the Airbyte CDK takes a page for short from which rows were left out."""
        return self.paging == "last" and self.is_filtered


def shapes(count: int, seed: int) -> list[Shape]:
    """Return some of the combinations."""
    every = itertools.product(
        ("", "page", "offset", "cursor", "last", "link", "link header"),
        (QUERY, BODY, HEADER),
        ("", "path", QUERY, HEADER, BODY, "list"),
        ("", QUERY, BODY, "windows"),
        (False, True),
        (3, 4),
    )
    linked = {"", "link", "link header"}
    sound = [
        made
        for made in itertools.starmap(Shape, every)
        # A link is a URL.
        if not (made.paging in linked and (made.place != QUERY or made.is_post))
    ]
    return random.Random(seed).sample(sound, count)


# --- the server ------------------------------------------------------------------------------


def rows_of(shop: str, run: int) -> list[dict[str, t.Any]]:
    rows = [
        {"id": f"{shop}{n}", "at": f"2024-01-{1 + n % 9:02}T10:00:00Z", "state": "open"}
        | ({"state": "shut"} if n % 3 == 0 else {})
        for n in range(1, 12)
    ]
    new = [("3", "12"), ("20", "09")] if run == 2 else []
    return rows + [
        {"id": f"{shop}{n}", "at": f"2024-01-{day}T10:00:00Z", "state": "open"} for n, day in new
    ]


def answer(shape: Shape, asked: Asked) -> t.Any:
    if asked.path == "/shops":
        return {"data": [{"id": shop} for shop in SHOPS]}
    shop = NO_SHOP
    if shape.parent:
        on_path = unquote(asked.path.split("/")[2]) if shape.parent == "path" else None
        shop = _given(asked, shape.parent, "shop") if on_path is None else on_path
        if shop not in SHOPS:
            return 400, {"error": f"no shop {shop}"}
    rows = rows_of(shop, asked.run)
    if shape.start:
        since = _given(asked, shape.start, "since")
        until = asked.query["until"] if shape.start == "windows" else "9"
        rows = [row for row in rows if since <= row["at"] <= until]
    return _page(shape, asked, rows)


def _given(asked: Asked, place: str, name: str) -> t.Any:
    if place == BODY:
        return (asked.json or {}).get(name)
    return asked.headers.get(f"x-{name}") if place == HEADER else asked.query.get(name)


def _page(shape: Shape, asked: Asked, rows: list[dict[str, t.Any]]) -> t.Any:
    if not shape.paging:
        return {"data": rows}
    given = _given(asked, shape.place, "after")
    if shape.paging == "page":
        at = (int(given or 1) - 1) * shape.size
    elif shape.paging == "last":
        at = [row["id"] for row in rows].index(given) + 1 if given else 0
    else:
        at = int(given or 0)
    following = at + shape.size if at + shape.size < len(rows) else None
    query = urlencode({**asked.query, "after": following})
    link = f"{asked.origin}{asked.path}?{query}" if following else None
    body: dict[str, t.Any] = {"data": rows[at : at + shape.size]}
    if shape.paging in {"cursor", "link"}:
        body["next"] = link if shape.paging == "link" else following
    is_header = shape.paging == "link header" and link
    return with_headers(body, **({"Link": f'<{link}>; rel="next"'} if is_header else {}))


# --- the descriptions ------------------------------------------------------------------------


def manifest_of(shape: Shape) -> Description:
    path, parts = "/items", _strategy(shape)
    if shape.parent == "path":
        path, parts = "/shops/{{ stream_partition.shop }}/items", {**parts, **_shops()}
    elif shape.parent == "list":
        parts |= {"partition_router": each_of("shop", *SHOPS, option=into("shop"))}
    elif shape.parent:
        name = "X-Shop" if shape.parent == HEADER else "shop"
        parts |= _shops(request_option=into(name, shape.parent))
    if shape.is_filtered:
        parts |= selected(OPEN)
    parts |= {"http_method": "POST"} if shape.is_post else {}
    parts |= _cursor(shape) if shape.start else {}
    return manifest(stream("items", path, **parts))


def _shops(**words: t.Any) -> dict[str, t.Any]:
    return below(stream("shops"), field="shop", **words)


def _strategy(shape: Shape) -> dict[str, t.Any]:
    option = into("X-After" if shape.place == HEADER else "after", shape.place)
    next_link = "headers['link']['next']['url']"
    strategies: dict[str, tuple[dict[str, t.Any], t.Any]] = {
        "page": (by_number(shape.size), option),
        "offset": ({"type": "OffsetIncrement", "page_size": shape.size}, option),
        "cursor": (by_cursor("{{ response.next }}", "{{ not response.next }}"), option),
        "last": (
            by_cursor("{{ last_record.id }}", f"{{{{ last_page_size < {shape.size} }}}}"),
            option,
        ),
        "link": (
            by_cursor("{{ response.next }}", "{{ not response.next }}"),
            {"type": "RequestPath"},
        ),
        "link header": (
            by_cursor(f"{{{{ {next_link} }}}}", "{{ 'next' not in headers.get('link', {}) }}"),
            {"type": "RequestPath"},
        ),
    }
    return paginator(*strategies[shape.paging]) if shape.paging else {}


def _cursor(shape: Shape) -> dict[str, t.Any]:
    ends = {"step": "P3D", "cursor_granularity": "PT1S", "end_time_option": into("until")}
    return over_time(
        start_datetime=START,
        end_datetime="{{ config.get('end_date', now_utc()) }}",
        start_time_option=into("since", BODY if shape.start == BODY else QUERY),
        **(ends if shape.start == "windows" else {}),
    )


def dlt_of(shape: Shape) -> Description:
    in_body = shape.place == BODY
    name = {"body_path" if in_body else "param": "after"}
    paging = {
        "": {"type": "single_page"},
        "page": {"type": "page_number", "base_page": 1, "total_path": None},
        "offset": {"type": "offset", "limit": shape.size, "total_path": None},
        "cursor": {"type": "cursor", "cursor_path": "next"},
        "last": {"type": "cursor", "cursor_path": "data[-1].id"},
        "link": {"type": "json_link"},
        "link header": {"type": "header_link"},
    }[shape.paging]
    prefix = {"page": "page_", "offset": "offset_", "cursor": "cursor_", "last": "cursor_"}
    for suffix, value in name.items() if shape.paging in prefix else ():
        paging = paging | {f"{prefix[shape.paging]}{suffix}": value}
    values: dict[str, dict[str, t.Any]] = {QUERY: {}, BODY: {}, HEADER: {}}
    if shape.parent in values:
        given = "X-Shop" if shape.parent == HEADER else "shop"
        values[shape.parent][given] = "{resources.shops.id}"
    if shape.start:
        values[shape.start]["since"] = "{incremental.start_value}"
    endpoint: dict[str, t.Any] = {"paginator": paging, "params": values[QUERY]}
    endpoint |= {"headers": values[HEADER]} if values[HEADER] else {}
    endpoint |= {"method": "POST", "json": values[BODY]} if shape.is_post else {}
    if shape.start:
        endpoint["incremental"] = {"cursor_path": "at", "initial_value": START}
    if shape.is_filtered:
        endpoint["data_selector"] = "data[?(@.state=='open')]"
    path = "shops/{resources.shops.id}/items" if shape.parent == "path" else "items"
    shops = [resource("shops", paginator="single_page")] if shape.parent else []
    return dlt(*shops, resource("items", path, **endpoint))


def combined(shape: Shape, name: str) -> Construct:
    """Return the construct of a combination."""

    def expected(run: int) -> list[dict[str, t.Any]]:
        rows = [
            row for shop in (SHOPS if shape.parent else (NO_SHOP,)) for row in rows_of(shop, run)
        ]
        rows = [row for row in rows if not shape.start or row["at"] >= START]
        return [row for row in rows if not shape.is_filtered or row["state"] == "open"]

    first = expected(1)
    changed = [row for row in expected(2) if row not in first]
    return Construct(
        name=name,
        server=lambda asked: answer(shape, asked),
        rows={"items": first},
        changed={"items": changed} if shape.start else {},
        columns=("shop", "shops_id"),
        config={"end_date": END},
        settings={"end_date": END} if shape.start else {},
        airbyte=manifest_of(shape),
        dlt=dlt_of(shape) if shape.in_dlt else "it has no words for it",
    )
