"""Cursors and links at odd places: the last row, odd names, objects, values that mean the end."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from support.runs import declared, run
from support.servers import JsonApi, PathApi, ScriptedServer, reply

from tap_analytics.records.path import Match, parse_path

TABLE = [{"id": number, "code": f"c{number}"} for number in range(1, 26)]
LIMIT = 10


def after(query, name="starting_after"):
    start = int(query.get(name, 0))
    return TABLE[start : start + LIMIT]


def paged(origin, concurrency=1, *, selector="data", **paginator):
    endpoint = {"paginator": {"type": "cursor"} | paginator, "data_selector": selector}
    return declared(origin, endpoint=endpoint, concurrency=concurrency)


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("a", ("a",)),
        ("$.a.b", ("a", "b")),
        ("data[-1].id", ("data", -1, "id")),
        ("[0]", (0,)),
        ("['@odata.nextLink']", ("@odata.nextLink",)),
        ('$.meta["next page"]', ("meta", "next page")),
        ("links[?@.rel=='next'].href", ("links", Match("rel", "next"), "href")),
        ('$.links[?(@.rel == "next")]', ("links", Match("rel", "next"))),
        ("links[?(@.rel=='next'].href", None),
        ("links[?@.rel=='next' && @.a]", None),
        ("a..b", None),
        (".a", None),
        ("a[*]", None),
        ("@odata.nextLink", None),
        ("a[b]", None),
        ("", None),
    ],
)
def test_members_of_a_path(path, members):
    assert parse_path(path) == members


# --- the last row -----------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("selector", "path"), [("data", "data[-1].id"), (None, "[-1].id"), (None, "$[-1]['id']")]
)
def test_a_cursor_from_the_last_row_is_followed_to_the_empty_page(selector, path, concurrency):
    def answer(query):
        rows = after(query)
        return {"data": rows} if selector else rows

    with JsonApi(answer) as api:
        more = {"cursor_path": path, "cursor_param": "starting_after"}
        done = run(paged(api.origin, concurrency, selector=selector, **more))
    assert (done.ids(), done.verdict()) == ([*range(1, 26)], "consistent")
    assert [query.get("starting_after") for query in api.queries] == [None, "10", "20", "25"]


@pytest.mark.parametrize("member", [{}, {"key": None}])
def test_a_last_row_without_the_cursor_proves_no_end(member):
    with JsonApi(lambda query: {"data": [row | member for row in after(query)]}) as api:
        done = run(paged(api.origin, cursor_path="data[-1].key", cursor_param="starting_after"))
    assert (len(done.ids()), done.verdict()) == (LIMIT, "unverified")


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("count", [0, 5, 20, 25])
def test_a_cursor_beside_the_rows_of_the_first_of_several_lists_ends_with_null(count, concurrency):
    def answer(query):
        start = int(query.get("cursor", 0))
        following = start + LIMIT if start + LIMIT < count else None
        return {"boards": [{"items": TABLE[:count][start : start + LIMIT], "next": following}]}

    with JsonApi(answer) as api:
        selector, path = "boards[0].items", "boards[0].next"
        done = run(paged(api.origin, concurrency, selector=selector, cursor_path=path))
    assert (done.ids(), done.verdict()) == ([*range(1, count + 1)], "consistent")


def test_the_last_row_may_have_the_key_zero():
    rows = [{"id": number} for number in (-1, 0, 1)]
    with JsonApi(
        lambda query: {"data": [row for row in rows if row["id"] > int(query.get("after", -9))][:1]}
    ) as api:
        done = run(paged(api.origin, cursor_path="data[-1].id", cursor_param="after"))
    assert (done.ids(), done.verdict()) == ([-1, 0, 1], "consistent")


def test_an_empty_list_with_a_cursor_from_the_last_row_is_whole():
    with JsonApi(lambda _: {"data": []}) as api:
        done = run(paged(api.origin, cursor_path="data[-1].id"))
    assert (done.ids(), done.verdict()) == ([], "consistent")


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_cursor_may_be_put_into_an_item_of_a_list(concurrency):
    def answer(received):
        kept, beyond = json.loads(received.body)["filters"]
        assert kept == {"name": "open"}
        page = [row for row in TABLE if row["id"] > int(beyond["value"])][:LIMIT]
        return reply(200, json.dumps({"data": page}).encode())

    with ScriptedServer(answer) as api:
        paths = {"cursor_path": "data[-1].id", "cursor_body_path": "filters.1.value"}
        config = paged(api.origin, concurrency, **paths)
        body = {"filters": [{"name": "open"}, {"name": "id", "value": 0}]}
        config["apis"][0]["resources"][0]["endpoint"] |= {"method": "POST", "json": body}
        done = run(config)
    assert (done.ids(), done.verdict()) == ([*range(1, 26)], "consistent")


# --- what a cursor may be ---------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_cursor_that_is_an_object_is_sent_as_json(concurrency):
    def answer(query):
        start = json.loads(query["from"])["key"] if "from" in query else 0
        following = {"key": start + LIMIT} if start + LIMIT < len(TABLE) else None
        return {"data": TABLE[start : start + LIMIT], "last": following}

    with JsonApi(answer) as api:
        more = {"cursor_path": "last", "cursor_param": "from", "cursor_encoding": "json"}
        done = run(paged(api.origin, concurrency, **more))
    assert (done.ids(), done.verdict()) == ([*range(1, 26)], "consistent")


@pytest.mark.parametrize("word", ["-1", "end"])
def test_a_stop_value_is_no_cursor(word):
    def answer(query):
        start = int(query.get("cursor", 0))
        more = start + LIMIT < len(TABLE)
        end = int(word) if word == "-1" else word
        return {"data": TABLE[start : start + LIMIT], "next": start + LIMIT if more else end}

    with JsonApi(answer) as api:
        done = run(paged(api.origin, cursor_path="next", stop_values=[word]))
    assert (done.ids(), done.verdict()) == ([*range(1, 26)], "consistent")
    assert len(api.requests) == 3


# --- links ------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_link_at_a_member_with_dots_is_followed(concurrency):
    def answer(query):
        start = int(query.get("skip", 0))
        more = start + LIMIT < len(TABLE)
        link = {"@odata.nextLink": f"/items?skip={start + LIMIT}"} if more else {}
        return {"value": TABLE[start : start + LIMIT], **link}

    with JsonApi(answer) as api:
        more = {"type": "json_link", "next_url_path": "['@odata.nextLink']"}
        done = run(paged(api.origin, concurrency, selector="value", **more))
    assert (done.ids(), done.verdict()) == ([*range(1, 26)], "consistent")


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("kind", ["json_link", "header_link"])
@pytest.mark.parametrize("form", ["{origin}/v1/items/{key}", "/v1/items/{key}", "{key}"])
def test_a_link_without_a_query_is_followed_by_its_path(kind, form, concurrency):
    def answer(path, pairs):
        assert ("q" in dict(pairs)) == (path == "/v1/items/all")
        start = 0 if path == "/v1/items/all" else int(path.removeprefix("/v1/items/after%20"))
        page = TABLE[start : start + LIMIT]
        if start + LIMIT >= len(TABLE):
            return {"data": page, "done": True}
        link = form.format(origin=api.origin, key=f"after%20{start + LIMIT}")
        body = json.dumps({"data": page, "next": link if kind == "json_link" else None}).encode()
        header = {"Link": f'<{link}>; rel="next"'} if kind == "header_link" else {}
        return reply(200, body, **header)

    with PathApi(answer) as api:
        config = paged(api.origin, concurrency, type=kind, first_page_params="q")
        config["apis"][0]["resources"][0]["endpoint"] |= {
            "path": "/v1/items/all",
            "params": {"q": 1},
        }
        done = run(config)
    assert (done.ids(), done.verdict()) == ([*range(1, 26)], "consistent")
    assert len(api.requests) == 3


@pytest.mark.parametrize("ends", [{"next": None}, {"meta": {"next": ""}}])
def test_of_several_links_the_first_with_a_value_is_followed(ends):
    def answer(query):
        start = int(query.get("skip", 0))
        if start + LIMIT >= len(TABLE):
            return {"value": TABLE[start:], **ends}
        link = f"/items?skip={start + LIMIT}"
        links = {"meta": {"next": None}, "next": link} if start else {"meta": {"next": link}}
        return {"value": TABLE[start : start + LIMIT], **links}

    with JsonApi(answer) as api:
        more = {"type": "json_link", "next_url_path": "meta.next | next"}
        done = run(paged(api.origin, selector="value", **more))
    assert (done.ids(), done.verdict()) == ([*range(1, 26)], "consistent")


@pytest.mark.parametrize("kind", ["header_link", "auto"])
@pytest.mark.parametrize("count", [3, 25])
def test_a_link_without_results_is_the_end(kind, count):
    def answer(query):
        start = int(query.get("cursor", "0:0").split(":")[1])
        has_more = start + LIMIT < count
        links = (
            f'<{api.origin}/items?cursor={quote(f"0:{start + LIMIT}")}>; rel="next"; '
            f'results="{str(has_more).lower()}"'
        )
        links = f'<{api.origin}/items?cursor=0:0>; rel="previous"; results="false", {links}'
        return reply(200, json.dumps(TABLE[:count][start : start + LIMIT]).encode(), Link=links)

    with JsonApi(answer) as api:
        done = run(paged(api.origin, selector=None, type=kind))
    assert (len(done.ids()), done.verdict()) == (count, "consistent")
    assert len(api.requests) == -(-count // LIMIT)


def test_an_empty_total_path_reads_no_total():
    with JsonApi(lambda query: {"data": after(query, "offset"), "total": 99}) as api:
        done = run(paged(api.origin, type="offset", total_path="", limit=LIMIT))
    assert (len(done.ids()), done.verdict()) == (25, "consistent")
