"""Values of pages in the body, in headers, in the path and in forms."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest
from support.runs import declared, run
from support.servers import ScriptedServer, reply

from tap_analytics.pagination import Cursor, Page, PageNumber, PagingState
from tap_analytics.pagination.placement import PAGE, in_body

TABLE = [{"id": number} for number in range(25)]
QUERY = "query($first: Int, $after: String) { items(first: $first, after: $after) { id } }"


def answered(table, start, size, **more):
    return {"data": table[start : start + size], **more}


def by_offset(received, body):
    return answered(TABLE, body["from"], body["size"])


def by_page(received, body):
    page = body["paging"]
    assert page["sort"] == "id"
    return answered(TABLE, (page["number"] - 1) * page["size"], page["size"])


def by_cursor(received, body):
    given = body["variables"]
    start = int(given["after"].removeprefix("c")) if given.get("after") else 0
    end = start + given["first"]
    return answered(TABLE, start, given["first"], next=f"c{end}" if end < len(TABLE) else None)


def by_object(received, body):
    start = body.get("start", {"key": 0})["key"]
    following = {"key": start + 10} if start + 10 < len(TABLE) else None
    return answered(TABLE, start, 10, next=following)


def by_header(received, body):
    return answered(TABLE, int(received.headers["x-page"]) * 10, 10)


def by_cursor_header(received, body):
    start = int(received.headers.get("x-after", 0))
    return answered(TABLE, start, 10, next=str(start + 10) if start + 10 < len(TABLE) else "")


def by_path(received, body):
    _, _, number, size = received.path.split("/")[1:]
    return answered(TABLE, int(number), int(size))


def by_form(received, body):
    given = dict(parse_qsl(received.body.decode()))
    assert given["kind"] == "new"
    return answered(TABLE, int(given["page"]) * 10, 10)


PLACES = {
    "offset in the body": (
        by_offset,
        {"json": {"from": 3, "q": "x"}},
        {"type": "offset", "limit": 10, "offset_body_path": "from", "limit_body_path": "size"},
    ),
    "page in the body": (
        by_page,
        {"json": {"paging": {"sort": "id"}}},
        {
            "type": "page_number",
            "base_page": 1,
            "limit": 10,
            "page_body_path": "paging.number",
            "limit_body_path": "paging.size",
        },
    ),
    "cursor in the body": (
        by_cursor,
        {"json": {"query": QUERY, "variables": {"after": None}}},
        {
            "type": "cursor",
            "limit": 10,
            "cursor_path": "next",
            "cursor_body_path": "variables.after",
            "limit_body_path": "variables.first",
        },
    ),
    "cursor that is an object": (
        by_object,
        {},
        {"type": "cursor", "cursor_path": "next", "cursor_body_path": "start"},
    ),
    "page in a header": (
        by_header,
        {"method": "GET", "headers": {"X-Page": "{paginator.page}"}},
        {"type": "page_number", "base_page": 0},
    ),
    "cursor in a header": (
        by_cursor_header,
        {"method": "GET", "headers": {"X-After": "{paginator.cursor}"}},
        {"type": "cursor", "cursor_path": "next"},
    ),
    "offset in the path": (
        by_path,
        {"method": "GET", "path": "/items/from/{paginator.offset}/{paginator.limit}"},
        {"type": "offset", "limit": 10},
    ),
    "page in a form": (
        by_form,
        {"data": {"kind": "new", "page": "{paginator.page}"}},
        {"type": "page_number", "base_page": 0},
    ),
}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("place", PLACES)
def test_values_of_pages_go_where_they_are_declared(place, concurrency):
    serve, endpoint, paginator = PLACES[place]

    def answer(received):
        body = json.loads(received.body) if received.body.startswith(b"{") else {}
        return reply(200, json.dumps(serve(received, body)).encode())

    with ScriptedServer(answer) as api:
        given = {"method": "POST", **endpoint, "paginator": paginator}
        done = run(declared(api.origin, endpoint=given, concurrency=concurrency))
    assert done.error is None
    assert done.ids() == list(range(25))
    assert done.verdict() == "consistent"
    assert not any(received.query for received in api.requests)


def test_the_rest_of_the_body_is_sent_on_every_page_and_a_first_cursor_as_declared():
    asked = []

    def answer(received):
        asked.append(json.loads(received.body))
        return reply(200, json.dumps(by_cursor(received, asked[-1])).encode())

    _, endpoint, paginator = PLACES["cursor in the body"]
    with ScriptedServer(answer) as api:
        given = {"method": "POST", **endpoint, "paginator": paginator}
        run(declared(api.origin, endpoint=given))
    assert asked == [
        {"query": QUERY, "variables": {"after": after, "first": 10}}
        for after in (None, "c10", "c20")
    ]


@pytest.mark.parametrize("name", ["page", in_body("page"), PAGE])
def test_numbers_are_predicted_wherever_they_go_and_cursors_are_not(name):
    page = Page(query={name: "1"}, payload={}, headers={}, size=10, received=10)
    seen = PagingState(rows=10, pages=1, total=40)
    for paging in (PageNumber(page_param=name, base_page=1), Cursor(cursor_param=name)):
        following = list(paging.predict({name: "2"}, page, seen))
        assert following == ([{name: "3"}, {name: "4"}] if paging.is_numbered({name: "2"}) else [])


def test_a_next_link_does_not_move_a_page_that_goes_into_the_body():
    def answer(received):
        start = json.loads(received.body)["from"]
        more = start + 10 < len(TABLE)
        body = answered(TABLE, start, 10, next="/items?from=10" if more else None)
        return reply(200, json.dumps(body).encode())

    with ScriptedServer(answer) as api:
        paginator = {"type": "offset", "offset_body_path": "from"}
        done = run(declared(api.origin, endpoint={"method": "POST", "paginator": paginator}))
    assert (done.ids(), done.verdict()) == ([*range(25)], "consistent")


@pytest.mark.parametrize("place", ["offset in the body", "cursor in the body", "page in a header"])
def test_a_run_continues_where_values_of_pages_are_not_in_the_query(place):
    serve, endpoint, paginator = PLACES[place]
    fails = [True]

    def answer(received):
        made = serve(received, json.loads(received.body or b"{}"))
        if fails and made["data"] and made["data"][-1]["id"] == 24:
            return reply(500, b"{}")
        return reply(200, json.dumps(made).encode())

    with ScriptedServer(answer) as api:
        given = {"method": "POST", **endpoint, "paginator": paginator}
        first = run(declared(api.origin, endpoint=given))
        fails.clear()
        second = run(declared(api.origin, endpoint=given), state=first.state)
    assert first.error is not None
    assert second.error is None
    assert (first.ids() + second.ids()) == list(range(25))
