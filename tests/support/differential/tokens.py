"""Constructs of paging that only manifests have: computed pages, and what ends a list."""

from __future__ import annotations

from support.differential.construct import Construct
from support.differential.pages import OFFSET, PAGE, ROWS, UNNUMBERED, cut
from support.differential.writing import (
    by_cursor,
    dlt,
    dlt_cursor,
    each_of,
    into,
    manifest,
    nested,
    next_link,
    over_time,
    paginator,
    resource,
    spec,
    stream,
)

NOT_IN_DLT = "not a word of dlt"
DAYS = [{"id": n, "at": f"2024-01-{n:02}"} for n in range(1, 9)]
BY_DAY = {"datetime_format": "%Y-%m-%d", "start_datetime": "2024-01-01", "end_datetime": None}
TOKEN = "{{ next_page_token['next_page_token'] or 0 }}"


def part(at, **words):
    return {"data": ROWS[at : at + 3], **words}


def offset_in_text(asked):
    first, _, limit = asked.query["range"].partition("+")
    return part(int(first)) if limit == "3" else (400, {})


def always_followed(asked):
    at = asked.number("after")
    return part(at, next=f"{asked.origin}/items?after={at + 3}", done=at + 3 >= len(ROWS))


def always_a_cursor(asked):
    at = asked.number("after")
    return part(at, next=at + 3)


def part_of_link(asked):
    data, after = cut(ROWS, asked.number("after"))
    return {"data": data, "next": f"{asked.origin}/items?after={after}" if after else None}


def since(asked):
    """Give the rows from a day on, and the day behind them; at the end, the last row again."""
    first = asked.query["since"]
    found = [row for row in DAYS if row["at"] >= first][:3] or DAYS[-1:]
    return {"data": found, "until": f"2024-01-{found[-1]['id'] + 1:02}"}


def counted(asked):
    page = asked.number("page", 1)
    return (400, {}) if page < 1 else part(page * 3 - 3, page=page, pages=3)


def from_start(asked):
    start = asked.number("start")
    return part(start, start=start, size=3, total=len(ROWS))


def refusing_pages(asked):
    page = asked.number("page", 1)
    return part(page * 3 - 3) if 1 <= page <= 3 else (404, {})


def refusing_offsets(asked):
    offset = asked.number("offset")
    return part(offset) if offset < len(ROWS) else (400, {})


def listed_links(asked):
    data, after = cut(ROWS, asked.number("after"))
    links = [{"href": f"{asked.origin}/items", "rel": "first"}]
    if after:
        links.append({"href": f"{asked.origin}/items?after={after}", "rel": "next"})
    return {"data": data, "links": links}


def taking_a_token_alone(asked):
    """Refuse, beside a token, what it stands for already."""
    at, names = asked.number("token"), asked.query.keys()
    if (at and names & {"limit", "sort", "since"}) or "fields" not in names:
        return 400, {"error": sorted(names)}
    known = [row for row in DAYS if row["at"] >= (asked.query.get("since") or "")]
    more = at + 3 < len(known)
    link = f"{asked.origin}/items?token={at + 3}" if more else None
    return {"data": known[at : at + 3], "next": link}


ON_FIRST = "{{ %s if not next_page_token.next_page_token }}"
SELECTED = "response.get('links', []) | selectattr('rel', 'equalto', 'next')"


def counting_its_rows(asked):
    """Name a next page on each; the last has a row of the one before again."""
    at = asked.number("after")
    data = ROWS[at : at + 4] or ROWS[-1:]
    following = f"{asked.origin}/items?after={min(at + len(data), len(ROWS))}"
    return {"data": data, "next": following, "count": len(data)}


def taking_a_cursor_alone(asked):
    """Refuse, beside a cursor, the range and the list that it stands for."""
    at, names = asked.number("cursor"), asked.query.keys()
    if at and names & {"since", "kind"}:
        return 400, {"error": sorted(names)}
    return {"data": DAYS[at : at + 3], "next": at + 3 if at + 3 < len(DAYS) else None}


def beginning_at_one(asked):
    """Refuse a request without its cursor, which is 1 on the first page."""
    at = int(asked.query["scroll"]) - 1
    return part(at, scroll=str(at + 4) if at + 3 < len(ROWS) else None)


def linked_by_turns(asked):
    data, after = cut(ROWS, asked.number("after"))
    link = f"{asked.origin}/items?after={after}" if after else None
    return {"data": data, **({"meta": {"next": link}} if after == 3 else {"next": link})}


def in_variables(asked):
    paging = asked.json["variables"]["paging"]
    data, after = cut(ROWS, int(paging.get("after", "c0")[1:]), paging["first"])
    return {"data": data, "page": {"end": f"c{after}" if after else None, "more": bool(after)}}


CONSTRUCTS = [
    Construct(
        name="cursor-with-a-first-value",
        server=beginning_at_one,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                request_parameters={
                    "scroll": "{{ next_page_token['next_page_token'] if next_page_token else '1' }}"
                },
                **paginator(by_cursor("{{ response.scroll }}", "{{ not response.data }}")),
            )
        ),
        dlt=dlt(resource(params={"scroll": "1"}, paginator=dlt_cursor("scroll", param="scroll"))),
    ),
    Construct(
        name="link-at-one-of-two-members",
        server=linked_by_turns,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **next_link(
                    "{{ response.get('meta', {}).get('next') or response.next }}",
                    "{{ not response.get('meta', {}).get('next') and not response.next }}",
                )
            )
        ),
        dlt="its unions of paths don't find the second member",
    ),
    Construct(
        name="cursor-beside-a-number",
        server=in_variables,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                http_method="POST",
                request_body_json={"query": "…", "variables": {"paging": {"first": 3}}},
                **paginator(
                    by_cursor(
                        '{{ \'{"paging": {"first": 3, "after": "\' + response.page.end + \'"}}\''
                        ' if response.page.end else "" }}',
                        "{{ response.page.more is false }}",
                    ),
                    nested("variables"),
                ),
            )
        ),
        dlt="it takes the cursor at a path of the body, without what is beside it",
    ),
    Construct(
        name="range-of-the-first-page",
        server=taking_a_cursor_alone,
        rows={"items": DAYS},
        airbyte=manifest(
            stream(
                ignore_stream_slicer_parameters_on_paginated_requests=True,
                **over_time(**BY_DAY),
                partition_router=each_of("kind", "day", option=into("kind")),
                **paginator(by_cursor("{{ response.next }}"), "cursor"),
            )
        ),
        columns=["kind"],
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="link-until-a-count-of-one",
        server=counting_its_rows,
        rows={"items": [*ROWS, ROWS[-1]]},
        airbyte=manifest(
            stream(**next_link("{{ response.next }}", "{{ response.get('count', {}) <= 1 }}"))
        ),
        dlt=NOT_IN_DLT,
        # A key that comes twice.
        verdicts={"items": "unverified"},
    ),
    Construct(
        name="link-in-a-list-of-links",
        server=listed_links,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **next_link(
                    f"{{{{ {SELECTED} | map(attribute='href') | first }}}}",
                    f"{{{{ not {SELECTED} | list }}}}",
                )
            )
        ),
        dlt=dlt(
            resource(
                paginator={"type": "json_link", "next_url_path": "links[?(@.rel=='next')].href"}
            )
        ),
    ),
    Construct(
        name="parameters-of-the-first-page",
        server=taking_a_token_alone,
        rows={"items": DAYS},
        airbyte=manifest(
            stream(
                request_parameters={
                    "limit": ON_FIRST % "config.page_size",
                    "sort": "{{ 'at' if not next_page_token else '' }}",
                    "fields": "id,at",
                    "since": ON_FIRST % "stream_interval.start_time",
                },
                **over_time(**BY_DAY, start_time_option=None),
                **next_link("{{ response.next }}"),
            ),
            spec=spec(page_size={"type": "integer", "default": 3}),
        ),
        config={"page_size": 3},
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="offset-in-a-text",
        server=offset_in_text,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(request_parameters={"range": f"{TOKEN}+3"}, **paginator(OFFSET)),
            more={"overlap": r"GET /items\?range=[248]%2B3"},
            fewer={"overlap": r"GET /items\?range=3%2B3"},
        ),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="link-on-the-last-page",
        server=always_followed,
        rows={"items": ROWS},
        airbyte=manifest(stream(**next_link("{{ response.next }}", "{{ response.done }}"))),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="cursor-until-a-short-page",
        server=always_a_cursor,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(by_cursor("{{ response.next }}", "{{ last_page_size < 3 }}"), "after")
            ),
            more={"behind a short page": r"GET /items\?after=(9|12)"},
        ),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="cursor-until-an-empty-page",
        server=always_a_cursor,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(by_cursor("{{ response.next if response.data else '' }}"), "after")),
            more={"confirmation": r"GET /items\?after=12"},
        ),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="part-of-a-link",
        server=part_of_link,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(
                    by_cursor("{{ (response.next or '') | regex_search('[?&]after=([0-9]+)') }}"),
                    "after",
                )
            )
        ),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="cursor-in-the-place-of-the-start",
        server=since,
        rows={"items": DAYS},
        airbyte=manifest(
            stream(
                ignore_stream_slicer_parameters_on_paginated_requests=True,
                **over_time(**BY_DAY),
                **paginator(
                    by_cursor("{{ response.until }}", "{{ last_page_size < 3 }}", page_size=3),
                    "since",
                    "limit",
                ),
            ),
            more={"behind a short page": r"GET /items\?limit=3&since=2024-01-09"},
        ),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="page-of-the-response",
        server=counted,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(
                    by_cursor("{{ response.page + 1 }}", "{{ response.page >= response.pages }}"),
                    "page",
                )
            ),
            more={"confirmation": r"GET /items\?page=[012]"},
            fewer={"first page": "GET /items"},
        ),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="offset-of-the-response",
        server=from_start,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(
                    by_cursor(
                        "{{ response.start + response.size }}",
                        "{{ response.start + response.size >= response.total }}",
                    ),
                    "start",
                )
            ),
            more={"overlap": r"GET /items\?start=[024]"},
            fewer={"overlap": r"GET /items(\?start=3)?"},
        ),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="page-from-an-unknown-number",
        server=refusing_pages,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator({"type": "PageIncrement", "page_size": 3}, "page", "limit")),
            more={"first number, confirmation": r"GET /items\?limit=3&page=[0124]"},
            fewer=UNNUMBERED,
            loses="it counts from 0, so that it brings the first page twice",
        ),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="page-behind-a-short-one",
        server=refusing_pages,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(PAGE, "page", "limit")),
            more={"confirmation": r"GET /items\?limit=3&page=[124]"},
            fewer=UNNUMBERED,
        ),
        dlt=NOT_IN_DLT,
    ),
    Construct(
        name="offset-behind-a-short-page",
        server=refusing_offsets,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(OFFSET, "offset", "limit")),
            more={"overlap": r"GET /items\?limit=3&offset=[0248]"},
            fewer={"overlap": r"GET /items\?limit=3(&offset=3)?"},
        ),
        dlt=NOT_IN_DLT,
    ),
]
