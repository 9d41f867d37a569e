"""Constructs of paging."""

from __future__ import annotations

from support.differential.construct import Construct
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
    nested,
    next_link,
    paginator,
    resource,
    response_filter,
    stream,
)

ROWS = [{"id": n, "name": f"row {n}"} for n in range(1, 9)]
#: As many as fill three pages.
FULL = [{"id": n, "name": f"row {n}"} for n in range(1, 10)]


def by_offset(rows, **words):
    def answer(asked):
        skip, limit = asked.number("offset"), asked.number("limit", 3)
        return {"data": rows[skip : skip + limit], **words}

    return answer


def by_page(rows, first=1, **words):
    def answer(asked):
        page = asked.number("page", first) - first
        return {"data": rows[page * 3 : page * 3 + 3], **words}

    return answer


def cut(rows, at, limit=3):
    """Return a page, and where the next one begins, if there is one."""
    return rows[at : at + limit], (at + limit if at + limit < len(rows) else None)


def with_cursor(name=lambda at: f"c{at}", last=None, first=None):
    def answer(asked):
        known = {first: 0} | {name(at): at for at in (3, 6)}
        given = asked.query.get("cursor")
        if given is None and first:
            return 400, {"error": "no cursor"}
        if given is not None and given not in known:
            return 400, {"error": given}
        data, after = cut(ROWS, known.get(given, 0))
        return {"data": data, "meta": {"next": name(after) if after else last}}

    return answer


OFFSET = {"type": "OffsetIncrement", "page_size": 3}
PAGE = by_number()
NEXT = by_cursor("{{ response.meta.next }}", "{{ not response.meta.next }}")
#: Requests of an offset, a row early, and what the tool asks for instead.
OVERLAP = {"overlap": r"GET /items\?limit=3&offset=[248]"}
OVERLAP_TO_TOTAL = {"overlap": r"GET /items\?limit=3&offset=[249]"}
OVERLAP_OF_TOOL = {"overlap": r"GET /items\?limit=3&offset=3"}
FIRST = {"first page": r"GET /items\?limit=3&offset=0"}
#: Whether a server that sends fewer rows than asked for skips the others.
LOWER = {"lower limit": r"GET /items\?limit=3&page=2"}
UNNUMBERED = {"first page": r"GET /items\?limit=3"}
BEHIND = {"behind the end": r"GET /items\?limit=3&offset=9"}
BODY = r'POST /items \{"page": \{"limit": 3, "offset": %s\}, "state": "open"\}'
#: Pages by number are read again.
AGAIN = {"confirmation": r"GET /items\?limit=3&page=[1-3]"}
BEHIND_PAGES = {"behind the end": r"GET /items\?limit=3&page=4"}


def linked(asked):
    data, after = cut(ROWS, asked.number("after"))
    link = f"{asked.origin}/items?after={after}" if after else None
    return {"data": data, "next": link, "@odata.nextLink": link, "meta": {"next": link}}


def in_header(asked):
    data, after = cut(ROWS, asked.number("after"))
    other = f'<{asked.origin}/items>; rel="first"'
    links = [other, f'<{asked.origin}/items?after={after}>; rel="next"'] if after else [other]
    return with_headers({"data": data}, Link=", ".join(links))


def always_linked(asked):
    """Name a next page on the last one too, as one without results."""
    after = asked.number("after")
    data = ROWS[after : after + 3]
    more = "true" if after + 3 < len(ROWS) else "false"
    link = f'<{asked.origin}/items?after={after + 3}>; rel="next"; results="{more}"'
    return with_headers({"data": data}, Link=link)


def header_cursor(asked):
    data, after = cut(ROWS, asked.number("cursor"))
    return with_headers({"data": data}, **({"X-Next": str(after)} if after else {}))


def last_row(asked):
    data, after = cut(ROWS, asked.number("after"))
    return {"data": data, "has_more": after is not None}


def empty_in_between(asked):
    pages = {None: ([1, 2], "a"), "a": ([], "b"), "b": ([3], "c"), "c": ([], None)}
    ids, after = pages[asked.query.get("cursor")]
    return {"data": [ROWS[n - 1] for n in ids], "meta": {"next": after}}


def body_offset(asked):
    page = asked.json.get("page", {})
    skip, limit = page.get("offset", 0), page.get("limit", 3)
    return {"data": ROWS[skip : skip + limit]}


def linked_elsewhere(asked):
    data, after = cut(ROWS, asked.number("from"))
    return {
        "data": data,
        "info": {"next_url": f"{asked.origin}/items?from={after}"} if after else {},
    }


def body_page(asked):
    page = asked.json.get("page", 1) - 1
    return {"data": ROWS[page * 3 : page * 3 + 3]}


def graphql(asked):
    variables = asked.json["variables"]
    data, after = cut(ROWS, int(variables.get("after") or 0), variables["n"])
    info = {"endCursor": str(after) if after else None, "hasNextPage": after is not None}
    return {"data": {"items": {"nodes": data, "pageInfo": info}}}


def ends_in_404(asked):
    page = asked.number("page", 1) - 1
    data = FULL[page * 3 : page * 3 + 3]
    return {"data": data} if data else (404, {"detail": "Invalid page."})


def capped_offset(asked):
    """Give at most three rows, whatever is asked for."""
    skip = asked.number("offset")
    return {"data": ROWS[skip : skip + min(asked.number("limit", 3), 3)]}


def repeating_last(asked):
    """Answer pages behind the last one by the last one."""
    page = min(asked.number("page", 1), 3) - 1
    return {"data": ROWS[page * 3 : page * 3 + 3]}


def relative_link(asked):
    data, after = cut(ROWS, asked.number("after"))
    path = asked.received.path
    return {"data": data, "next": f"{path}?after={after}" if after else None}


def link_without_parameters(asked):
    """Name the next page by a link that says all, or by one that leaves a parameter out."""
    if asked.query.get("state") != "open":
        return 400, {}
    data, after = cut(ROWS, asked.number("after"))
    link = f"{asked.origin}/items?state=open&after={after}"
    return {"data": data, "next": link if after else None}


def needing_parameters(asked):
    return with_cursor()(asked) if asked.query.get("state") == "open" else (400, {})


CONSTRUCTS = [
    Construct(
        name="offset",
        server=by_offset(ROWS),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(OFFSET, "offset", "limit")),
            more=OVERLAP | FIRST,
            fewer=OVERLAP_OF_TOOL | UNNUMBERED,
        ),
        dlt=dlt(resource(paginator=dlt_offset()), more=OVERLAP, fewer=OVERLAP_OF_TOOL | BEHIND),
    ),
    Construct(
        name="offset-full",
        server=by_offset(FULL),
        rows={"items": FULL},
        airbyte=manifest(
            stream(**paginator(OFFSET, "offset", "limit")),
            more=OVERLAP | FIRST,
            fewer=OVERLAP_OF_TOOL | UNNUMBERED,
        ),
        dlt=dlt(resource(paginator=dlt_offset()), more=OVERLAP, fewer=OVERLAP_OF_TOOL),
    ),
    Construct(
        name="offset-total",
        server=by_offset(FULL, total=9),
        rows={"items": FULL},
        airbyte="reads no totals",
        dlt=dlt(
            resource(paginator={"type": "offset", "limit": 3}),
            more=OVERLAP_TO_TOTAL,
            fewer=OVERLAP_OF_TOOL,
        ),
    ),
    Construct(
        name="offset-total-text",
        server=by_offset(FULL, total="9"),
        rows={"items": FULL},
        airbyte="reads no totals",
        dlt=dlt(
            resource(paginator={"type": "offset", "limit": 3}),
            more=OVERLAP_TO_TOTAL,
            fewer=OVERLAP_OF_TOOL,
        ),
    ),
    Construct(
        name="offset-total-too-small",
        server=by_offset(ROWS, total=6),
        rows={"items": ROWS},
        airbyte="reads no totals",
        dlt=dlt(
            resource(paginator={"type": "offset", "limit": 3}),
            more={"overlap": r"GET /items\?limit=3&offset=[2468]"},
            fewer=OVERLAP_OF_TOOL,
            loses="it ends at the total",
        ),
    ),
    Construct(
        name="offset-total-too-large",
        server=by_offset(ROWS, total=12),
        rows={"items": ROWS},
        airbyte="reads no totals",
        dlt=dlt(
            resource(paginator={"type": "offset", "limit": 3}),
            more={"overlap": r"GET /items\?limit=3&offset=[247]"},
            fewer=OVERLAP_OF_TOOL | BEHIND,
        ),
        verdicts={"items": "short"},
    ),
    Construct(
        name="offset-called-page",
        server=by_page(ROWS, 0),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(OFFSET, "page", None)),
            more={"what the number counts": r"GET /items\?page=[012]"},
            fewer={"first page": "GET /items"},
            loses="it takes a short page for the last and counts rows, not pages",
        ),
        dlt=dlt(
            resource(paginator=dlt_offset(offset_param="page")),
            more={"what the number counts": r"GET /items\?limit=3&page=[012]"},
            loses="it counts rows, not pages",
        ),
    ),
    Construct(
        name="page",
        server=by_page(ROWS),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(PAGE, "page", "limit")), more=AGAIN | BEHIND_PAGES, fewer=UNNUMBERED
        ),
        dlt=dlt(resource(params={"limit": 3}, paginator=dlt_page()), more=AGAIN),
    ),
    Construct(
        name="page-full",
        server=by_page(FULL),
        rows={"items": FULL},
        airbyte=manifest(stream(**paginator(PAGE, "page", "limit")), more=AGAIN, fewer=UNNUMBERED),
        dlt=dlt(resource(params={"limit": 3}, paginator=dlt_page()), more=AGAIN),
    ),
    Construct(
        name="page-from-zero",
        server=by_page(ROWS, 0),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(by_number(first=0), "page")),
            more={"confirmation": r"GET /items\?page=[0-3]"},
            fewer={"first page": "GET /items"},
        ),
        dlt=dlt(
            resource(paginator={"type": "page_number", "total_path": None}),
            more={"confirmation": r"GET /items\?page=[0-3]"},
        ),
    ),
    Construct(
        name="page-total",
        server=by_page(FULL, pages=3),
        rows={"items": FULL},
        airbyte="reads no totals",
        dlt=dlt(
            resource(paginator={"type": "page_number", "base_page": 1, "total_path": "pages"}),
            more={"confirmation": r"GET /items\?page=[1-4]"},
        ),
    ),
    Construct(
        name="page-maximum",
        server=by_page(FULL),
        rows={"items": FULL[:6]},
        airbyte="no maximum",
        dlt=dlt(
            resource(paginator=dlt_page(maximum_page=3)),
            more={"confirmation": r"GET /items\?page=1"},
        ),
        verdicts={"items": "unverified"},
    ),
    Construct(
        name="page-404",
        server=ends_in_404,
        rows={"items": FULL},
        airbyte=manifest(
            stream(**error_handler(response_filter("IGNORE", 404)), **paginator(PAGE, "page")),
            more={"confirmation": r"GET /items\?page=[12]"},
            fewer={"first page": "GET /items"},
        ),
        dlt=dlt(
            resource(
                paginator=dlt_page(), response_actions=[{"status_code": 404, "action": "ignore"}]
            ),
            more={"confirmation": r"GET /items\?page=[12]"},
        ),
        verdicts={"items": "unverified"},
    ),
    Construct(
        name="cursor",
        server=with_cursor(),
        rows={"items": ROWS},
        airbyte=manifest(stream(**paginator(NEXT, "cursor"))),
        dlt=dlt(resource(paginator=dlt_cursor("meta.next"))),
    ),
    Construct(
        name="cursor-characters",
        server=with_cursor(lambda at: f"ä+b/c={at}&d%20 e"),
        rows={"items": ROWS},
        airbyte=manifest(stream(**paginator(NEXT, "cursor"))),
        dlt=dlt(resource(paginator=dlt_cursor("meta.next"))),
    ),
    Construct(
        name="cursor-of-the-first-page",
        server=with_cursor(first="*"),
        rows={"items": ROWS},
        airbyte="cursor-in-the-place-of-the-start is like it",
        dlt=dlt(resource(params={"cursor": "*"}, paginator=dlt_cursor("meta.next"))),
    ),
    Construct(
        name="cursor-digits",
        server=with_cursor(lambda at: f"00{at}"),
        rows={"items": ROWS},
        airbyte=manifest(stream(**paginator(NEXT, "cursor"))),
        dlt=dlt(resource(paginator=dlt_cursor("meta.next"))),
    ),
    Construct(
        name="cursor-stop-word",
        server=with_cursor(last="done"),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(
                    by_cursor("{{ response.meta.next }}", "{{ response.meta.next == 'done' }}"),
                    "cursor",
                )
            )
        ),
        dlt="no stop words",
    ),
    Construct(
        name="cursor-empty-page",
        server=empty_in_between,
        rows={"items": ROWS[:3]},
        airbyte=manifest(stream(**paginator(NEXT, "cursor"))),
        dlt=dlt(resource(paginator=dlt_cursor("meta.next"))),
    ),
    Construct(
        name="cursor-last-row",
        server=last_row,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(
                    by_cursor("{{ last_record['id'] }}", "{{ not response.has_more }}"), "after"
                )
            )
        ),
        dlt=dlt(resource(paginator=dlt_cursor("data[-1].id", "after", has_more_path="has_more"))),
    ),
    Construct(
        name="cursor-last-row-of-response",
        server=last_row,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(by_cursor("{{ response['data'][-1]['id'] }}"), "after")),
            loses="the last page has no last row, so it fails",
        ),
        dlt=dlt(resource(paginator=dlt_cursor("data[-1].id", "after"))),
    ),
    Construct(
        name="cursor-header",
        server=header_cursor,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **paginator(
                    by_cursor("{{ headers['X-Next'] }}", "{{ not headers['X-Next'] }}"), "cursor"
                )
            )
        ),
        dlt=dlt(
            resource(
                paginator={
                    "type": "header_cursor",
                    "cursor_key": "X-Next",
                    "cursor_param": "cursor",
                }
            )
        ),
    ),
    Construct(
        name="link",
        server=linked,
        rows={"items": ROWS},
        airbyte=manifest(stream(**next_link("{{ response.next }}", "{{ not response.next }}"))),
        dlt=dlt(resource(paginator={"type": "json_link", "next_url_path": "next"})),
    ),
    Construct(
        name="link-odata",
        server=linked,
        rows={"items": ROWS},
        airbyte=manifest(stream(**next_link("{{ response['@odata.nextLink'] }}"))),
        dlt=dlt(resource(paginator={"type": "json_link", "next_url_path": "['@odata.nextLink']"})),
    ),
    Construct(
        name="link-header",
        server=in_header,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **next_link(
                    "{{ headers['link']['next']['url'] }}", "{{ 'next' not in headers['link'] }}"
                )
            )
        ),
        dlt=dlt(resource(paginator={"type": "header_link"})),
    ),
    Construct(
        name="link-header-results",
        server=always_linked,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **next_link(
                    "{{ headers['link']['next']['url'] }}",
                    "{{ headers['link']['next']['results'] == 'false' }}",
                )
            )
        ),
        dlt="no end by `results`",
    ),
    Construct(
        name="body-of-get",
        server=body_offset,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                http_method="GET",
                request_body_json={"state": "open"},
                **paginator(OFFSET, nested("page", "offset"), nested("page", "limit")),
            ),
            more={"overlap": BODY.replace("POST", "GET") % "[0248]"},
            fewer={
                "overlap": BODY.replace("POST", "GET") % "3",
                "first page": r'GET /items \{"page": \{"limit": 3\}, "state": "open"\}',
            },
        ),
        dlt=dlt(
            resource(
                json={"state": "open"},
                paginator=dlt_offset(offset_body_path="page.offset", limit_body_path="page.limit"),
            ),
            more={"overlap": BODY.replace("POST", "GET") % "[248]"},
            fewer={
                "overlap": BODY.replace("POST", "GET") % "3",
                "behind the end": BODY.replace("POST", "GET") % "9",
            },
        ),
    ),
    Construct(
        name="body-offset",
        server=body_offset,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                http_method="POST",
                request_body_json={"state": "open"},
                **paginator(OFFSET, nested("page", "offset"), nested("page", "limit")),
            ),
            more={"overlap": BODY % "[0248]"},
            fewer={
                "overlap": BODY % "3",
                "first page": r'POST /items \{"page": \{"limit": 3\}, "state": "open"\}',
            },
        ),
        dlt=dlt(
            resource(
                method="POST",
                json={"state": "open"},
                paginator=dlt_offset(offset_body_path="page.offset", limit_body_path="page.limit"),
            ),
            more={"overlap": BODY % "[248]"},
            fewer={"overlap": BODY % "3", "behind the end": BODY % "9"},
        ),
    ),
    Construct(
        name="body-page",
        server=body_page,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                http_method="POST",
                request_body_json={"state": "open"},
                **paginator(PAGE, into("page", "body_json"), into("limit", "body_json")),
            ),
            more={"confirmation": r'POST /items \{"limit": 3, "page": [124], "state": "open"\}'},
            fewer={"first page": r'POST /items \{"limit": 3, "state": "open"\}'},
        ),
        dlt=dlt(
            resource(
                method="POST",
                json={"state": "open", "limit": 3},
                paginator=dlt_page(page_body_path="page"),
            ),
            more={"confirmation": r'POST /items \{"limit": 3, "page": [12], "state": "open"\}'},
        ),
    ),
    Construct(
        name="graphql",
        server=graphql,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                path="/graphql",
                field_path=["data", "items", "nodes"],
                http_method="POST",
                request_body_json={
                    "query": "query($n: Int) { items { id } }",
                    "variables": {"n": 3},
                },
                **paginator(
                    by_cursor(
                        "{{ response.data['items'].pageInfo.endCursor }}",
                        "{{ not response.data['items'].pageInfo.hasNextPage }}",
                    ),
                    nested("variables", "after"),
                ),
            ),
            more={"a text stays one": r'POST /graphql .*"after": "[36]", .*'},
            fewer={"a number of a text": r'POST /graphql .*"after": [36], .*'},
        ),
        dlt=dlt(
            resource(
                path="graphql",
                data_selector="data.items.nodes",
                method="POST",
                json={"query": "query($n: Int) {{ items {{ id }} }}", "variables": {"n": 3}},
                paginator={
                    "type": "cursor",
                    "cursor_path": "data.items.pageInfo.endCursor",
                    "cursor_body_path": "variables.after",
                },
            )
        ),
    ),
    Construct(
        name="single-page",
        server=lambda _: {"data": ROWS},
        rows={"items": ROWS},
        airbyte=manifest(stream()),
        dlt=dlt(resource(paginator="single_page")),
    ),
    Construct(
        name="auto",
        server=linked,
        rows={"items": ROWS},
        airbyte="a manifest names its paginator",
        dlt=dlt(resource(paginator="auto")),
    ),
    Construct(
        name="auto-cursor",
        server=with_cursor(),
        rows={"items": ROWS},
        airbyte="a manifest names its paginator",
        dlt=dlt(resource(paginator="auto")),
    ),
    Construct(
        name="auto-link-of-another-name",
        server=linked_elsewhere,
        rows={"items": ROWS},
        airbyte="a manifest names its paginator",
        dlt=dlt(resource()),
    ),
    Construct(
        name="auto-of-the-client",
        server=by_page(ROWS),
        rows={"items": ROWS},
        airbyte="a manifest names its paginator",
        dlt=dlt(
            resource(params={"limit": 3}, paginator="auto"),
            client={"paginator": dlt_page()},
            resource_defaults={"endpoint": {"paginator": "single_page"}, "primary_key": "id"},
            more=AGAIN,
        ),
    ),
    Construct(
        name="auto-pages",
        server=by_page(ROWS, 0, total_pages=3),
        rows={"items": ROWS},
        airbyte="a manifest names its paginator",
        dlt=dlt(
            resource(paginator="auto"),
            more={
                "confirmation": r"GET /items(\?page=[013])?",
                "other numbers": r"GET /items\?offset=2",
            },
        ),
    ),
    Construct(
        name="offset-capped",
        server=capped_offset,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator({"type": "OffsetIncrement", "page_size": 5}, "offset", "limit")),
            more={"the cap": r"GET /items\?limit=5&offset=[023468]"},
            fewer={"first page": r"GET /items\?limit=5"},
            loses="it takes a page with fewer rows than asked for as the last",
        ),
        dlt=dlt(
            resource(paginator=dlt_offset(5)),
            more={"the cap": r"GET /items\?limit=5&offset=[2468]"},
            fewer={"the cap": r"GET /items\?limit=5&offset=(5|10)"},
            loses="it advances by what it asked for",
        ),
    ),
    Construct(
        name="page-capped",
        server=by_page(ROWS),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(by_number(5), "page", "limit")),
            more={"the cap": r"GET /items\?limit=5&page=[1-4]"} | LOWER,
            fewer={"first page": r"GET /items\?limit=5"},
            loses="it takes a page with fewer rows than asked for as the last",
        ),
        dlt=dlt(
            resource(params={"limit": 5}, paginator=dlt_page()),
            more={"confirmation": r"GET /items\?limit=5&page=[12]"} | LOWER,
        ),
    ),
    Construct(
        name="page-repeats-last",
        server=repeating_last,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(**paginator(PAGE, "page", "limit")), more=AGAIN | BEHIND_PAGES, fewer=UNNUMBERED
        ),
        dlt="it would read the last page for ever",
    ),
    Construct(
        name="link-relative",
        server=relative_link,
        rows={"items": ROWS},
        airbyte="links are absolute",
        dlt=dlt(resource(paginator={"type": "json_link", "next_url_path": "next"})),
    ),
    Construct(
        name="link-parameters",
        server=link_without_parameters,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                request_parameters={"state": "open"},
                **next_link("{{ response.next }}", "{{ not response.next }}"),
            )
        ),
        dlt=dlt(
            resource(
                params={"state": "open"}, paginator={"type": "json_link", "next_url_path": "next"}
            )
        ),
    ),
    Construct(
        name="cursor-parameters",
        server=needing_parameters,
        rows={"items": ROWS},
        airbyte=manifest(stream(request_parameters={"state": "open"}, **paginator(NEXT, "cursor"))),
        dlt=dlt(resource(params={"state": "open"}, paginator=dlt_cursor("meta.next"))),
    ),
]
