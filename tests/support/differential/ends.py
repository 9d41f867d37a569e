"""Constructs of where a list begins and ends, and of what carries the page."""

from __future__ import annotations

from support.differential.construct import Construct
from support.differential.pages import OFFSET, PAGE, ROWS, by_page, cut
from support.differential.server import with_headers
from support.differential.writing import (
    by_cursor,
    by_number,
    dlt,
    dlt_cursor,
    dlt_offset,
    dlt_page,
    error_handler,
    into,
    manifest,
    next_link,
    paginator,
    resource,
    response_filter,
    selected,
    spec,
    stream,
)

AGAIN = {"confirmation": r"GET /items\?page=[1-4]"}
UNNUMBERED = {"first page": "GET /items"}


def counted(asked):
    """Say on each page how many there are."""
    page = asked.number("page", 1)
    data = ROWS[page * 3 - 3 : page * 3]
    return {"data": data, "page": page, "pages": 3, "more": page < 3, "last": page >= 3}


def by_flag(asked):
    """Have a cursor on the last page, too, and a flag."""
    at = asked.number("cursor")
    data, after = cut(ROWS, at)
    return {"data": data, "next": after or 99, "more": after is not None, "end": after is None}


def empty_last(asked):
    """Have a cursor for ever."""
    at = asked.number("cursor")
    return {"data": ROWS[at : at + 3], "next": at + 3}


def in_header(asked):
    page = int(asked.headers.get("x-page", 1)) - 1
    return {"data": ROWS[page * 3 : page * 3 + 3]}


def in_form(asked):
    page = int(asked.form.get("page", 1)) - 1
    return {"data": ROWS[page * 3 : page * 3 + 3]}


def token_in_body(asked):
    data, after = cut(ROWS, asked.json.get("cursor") or 0)
    return {"data": data, "next": after}


def older(asked):
    """Name the next page by another relation."""
    data, after = cut(ROWS, asked.number("after"))
    link = f'<{asked.origin}/items?after={after}>; rel="older"'
    return with_headers({"data": data}, **({"Link": link} if after else {}))


def skipping(asked):
    skip, top = asked.number("skip"), asked.number("top", 3)
    return {"data": ROWS[skip : skip + top]}


def total_of_pages(asked):
    """Count pages as `count`, and refuse those behind the last."""
    page = asked.number("page", 1)
    return {"data": ROWS[page * 3 - 3 : page * 3], "count": 3} if page < 4 else (404, {})


def after_row(asked):
    ids = [row["id"] for row in ROWS]
    at = ids.index(asked.number("after")) + 1 if asked.number("after") else 0
    return {"data": ROWS[at : at + 3]}


def one_by_one(asked):
    """Give the row whose number is in the path."""
    number = int(asked.path.split("/")[2])
    return ROWS[number - 1] if number <= len(ROWS) else (404, {"error": "no such item"})


CONSTRUCTS = [
    Construct(
        name="page-path",
        server=one_by_one,
        rows={"items": ROWS[1:]},
        config={"first": "2"},
        airbyte=manifest(
            stream(
                path="items/{{ config['first'] or 1 }}/info.json",
                field_path=[],
                **error_handler(response_filter("IGNORE", 404)),
                **next_link(
                    "items/{{ response['id'] + 1 or 0 }}/info.json",
                    "{{ not response.get('id', {}) }}",
                ),
            ),
            spec=spec(first={"type": "string", "default": "2"}),
            more={"confirmation": r"GET /items/[2-7]/info\.json"},
        ),
        dlt="no numbers in paths",
        verdicts={"items": "unverified"},
    ),
    Construct(
        name="flag",
        server=by_flag,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(
                    by_cursor("{{ response['next'] }}", "{{ not response['more'] }}"), "cursor"
                )
            )
        ),
        dlt=dlt(resource(paginator=dlt_cursor("next", has_more_path="more"))),
    ),
    Construct(
        name="flag-end",
        server=by_flag,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(by_cursor("{{ response.next }}", "{{ response.end }}"), "cursor"))
        ),
        dlt="only flags of more",
    ),
    Construct(
        name="pages-counted",
        server=counted,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(
                    by_cursor("{{ response.page + 1 }}", "{{ response.page == response.pages }}"),
                    "page",
                )
            ),
            more={"what is the first page": r"GET /items\?page=0", **AGAIN},
            fewer=UNNUMBERED,
        ),
        dlt=dlt(resource(paginator=dlt_page(has_more_path="more")), more=AGAIN),
    ),
    Construct(
        name="last-page-size",
        server=empty_last,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(by_cursor("{{ response.next }}", "{{ last_page_size == 0 }}"), "cursor")
            ),
            more={"confirmation": r"GET /items\?cursor=12"},
        ),
        dlt=dlt(
            resource(paginator=dlt_cursor("next", stop_after_empty_page=True)),
            more={"confirmation": r"GET /items\?cursor=12"},
        ),
    ),
    Construct(
        name="cursor-body",
        server=token_in_body,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                http_method="POST",
                request_body_json={"state": "open"},
                **paginator(
                    by_cursor("{{ response.next }}", "{{ not response.next }}"),
                    into("cursor", "body_json"),
                ),
            )
        ),
        dlt=dlt(
            resource(
                method="POST",
                json={"state": "open"},
                paginator={"type": "cursor", "cursor_path": "next", "cursor_body_path": "cursor"},
            )
        ),
    ),
    Construct(
        name="page-header",
        server=in_header,
        headers=("X-Page",),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(PAGE, into("X-Page", "header"))),
            more={"confirmation": r"GET /items X-Page: [124]"},
            fewer=UNNUMBERED,
        ),
        dlt="pages are parameters or in the body",
    ),
    Construct(
        name="page-form",
        server=in_form,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                http_method="POST",
                request_body_data={"state": "open"},
                **paginator(PAGE, into("page", "body_data")),
            ),
            more={"confirmation": r"POST /items page=[124]&state=open"},
            fewer={"first page": "POST /items state=open"},
        ),
        dlt="pages are parameters or in JSON",
    ),
    Construct(
        name="page-first-sent",
        server=by_page(ROWS),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(PAGE | {"inject_on_first_request": True}, "page")), more=AGAIN
        ),
        dlt="the same as page",
    ),
    Construct(
        name="page-without-size",
        server=by_page(ROWS),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator({"type": "PageIncrement", "start_from_page": 1}, "page")),
            more=AGAIN,
            fewer=UNNUMBERED,
        ),
        dlt="the same as page",
    ),
    Construct(
        name="page-later",
        server=by_page(ROWS),
        rows={"items": ROWS[3:]},
        airbyte=manifest(
            stream(**paginator(by_number(first=2) | {"inject_on_first_request": True}, "page")),
            more=AGAIN,
        ),
        dlt=dlt(resource(paginator=dlt_page(page=2)), more=AGAIN),
    ),
    Construct(
        name="offset-names",
        server=skipping,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(OFFSET, "skip", "top")),
            more={"overlap": r"GET /items\?skip=[0248]&top=3"},
            fewer={"overlap": r"GET /items\?(skip=3&)?top=3"},
        ),
        dlt=dlt(
            resource(paginator=dlt_offset(offset_param="skip", limit_param="top")),
            more={"overlap": r"GET /items\?skip=[248]&top=3"},
            fewer={"overlap": r"GET /items\?skip=[39]&top=3"},
        ),
    ),
    Construct(
        name="offset-maximum",
        server=skipping,
        rows={"items": ROWS[:6]},
        verdicts={"items": "unverified"},
        airbyte="no maximum",
        dlt=dlt(
            resource(
                paginator=dlt_offset(offset_param="skip", limit_param="top", maximum_offset=6)
            ),
            more={"confirmation": r"GET /items\?skip=0&top=3"},
        ),
    ),
    Construct(
        name="link-relation",
        server=older,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **next_link(
                    "{{ headers['link']['older']['url'] }}", "{{ 'older' not in headers['link'] }}"
                )
            )
        ),
        dlt=dlt(resource(paginator={"type": "header_link", "links_next_key": "older"})),
    ),
    Construct(
        name="total-of-pages",
        server=total_of_pages,
        rows={"items": ROWS},
        airbyte="reads no totals",
        dlt=dlt(resource(paginator=dlt_page(total_path="count")), more=AGAIN),
    ),
    Construct(
        name="total-of-rows",
        server=by_page(ROWS, total=len(ROWS)),
        rows={"items": ROWS},
        airbyte="reads no totals",
        dlt=dlt(resource(paginator={"type": "page_number", "base_page": 1}), more=AGAIN),
    ),
    Construct(
        name="last-page-size-filtered",
        server=after_row,
        rows={"items": [row for row in ROWS if row["id"] not in (2, 4)]},
        airbyte=manifest(
            stream(
                **selected("{{ record.id not in [2, 4] }}"),
                **paginator(by_cursor("{{ last_record.id }}", "{{ last_page_size < 3 }}"), "after"),
            ),
            more={"pages after one that lost rows": r"GET /items\?after=[368]"},
            loses="it takes a page for the last from which a filter took rows",
        ),
        dlt=dlt(
            resource(
                data_selector="data[?(@.id != 2 & @.id != 4)]",
                paginator=dlt_cursor("data[-1].id", "after"),
            )
        ),
    ),
]
