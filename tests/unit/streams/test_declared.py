"""Declared resources behave like built-in streams: parents, columns, samples, dispositions."""

from __future__ import annotations

import json
import logging

import pytest
from support.runs import STREAM, declared, deselect, discover, run, select
from support.servers import JsonApi, ScriptedServer, reply

from tap_analytics.tap import TapAnalytics

ITEMS = [{"id": n, "code": f"c{n}", "deep": {"ref": f"r{n}"}} for n in (1, 2, 3)]


def routes(tables):
    """Serve each path's rows in one page; a path nobody knows is a 404."""

    def answer(received):
        path = received.target.partition("?")[0]
        if path not in tables:
            return reply(404, b'{"error": "no such thing"}')
        table = tables[path]
        return table if isinstance(table, bytes) else reply(200, json.dumps(table).encode())

    return ScriptedServer(answer)


def child(name, path, **more):
    endpoint = {"path": path, "paginator": "single_page"} | more.pop("endpoint", {})
    return {"name": name, "endpoint": endpoint, "primary_key": more.pop("key", "id"), **more}


def family(origin, *children, **more):
    endpoint = {"paginator": "single_page", "data_selector": None} | more.pop("endpoint", {})
    return declared(origin, endpoint=endpoint, children=list(children), **more)


# --- parents and children -------------------------------------------------------------------------


@pytest.mark.parametrize("page", [0, 1, 2])
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ([1], "has a list as `code`"),
        ({"a": 1}, "has an object as `code`"),
        (True, "has a boolean as `code`"),
        ("", "has '' as `code`"),
        ("..", "has '..' as `code`"),
    ],
    ids=str,
)
def test_a_value_that_no_path_can_hold_fails_the_child_alone_at_every_width(code, words, page):
    rows = [{"id": n, "code": f"c{n}"} for n in range(30)]
    rows[page * 10 + 4]["code"] = code

    def answer(query):
        start = int(query["offset"])
        return {"data": rows[start : start + 10]}

    def serve(received):
        path, _, query = received.target.partition("?")
        if path == "/items":
            body = answer(dict(part.split("=") for part in query.split("&")))
        else:
            body = [{"id": path}]
        return reply(200, json.dumps(body).encode())

    resolve = {"x": {"type": "resolve", "resource": "items", "field": "code"}}
    found = []
    with ScriptedServer(serve) as api:
        for concurrency in (1, 8):
            given = declared(
                api.origin,
                endpoint={"paginator": {"type": "offset", "limit": 10}},
                schema={"type": "object", "properties": {"id": {"type": "integer"}, "code": {}}},
                children=[child("parts", "/items/{x}/parts", endpoint={"params": resolve})],
                concurrency=concurrency,
            )
            done = run(given)
            assert done.ids() == list(range(30))
            found.append((done.failure(), done.failure("shop_parts"), done.records("shop_parts")))
    assert found[0] == found[1]
    assert found[0][0] == ""
    assert f"a row of shop_items with id={page * 10 + 4} {words}" in found[0][1]
    assert "`params.x`" in found[0][1]
    # The second page begins with the last row of the first.
    assert len(found[0][2]) == (0, 10, 19)[page]


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("lacking", [{"owner": None}, {}, {"owner": {}}, {"owner": {"id": None}}])
def test_parents_without_a_value_of_the_path_are_skipped_and_counted(lacking, concurrency, caplog):
    rows = [{"id": n, "owner": {"id": f"o{n}"}} for n in range(30)]
    for n in (0, 10, 14, 29):
        rows[n] = {"id": n, **lacking}

    def serve(received):
        path, _, query = received.target.partition("?")
        if path != "/items":
            return reply(200, json.dumps([{"id": path}]).encode())
        start = int(query.partition("offset=")[2].partition("&")[0])
        return reply(200, json.dumps({"data": rows[start : start + 10]}).encode())

    caplog.set_level(logging.INFO)
    with ScriptedServer(serve) as api:
        given = declared(
            api.origin,
            endpoint={"paginator": {"type": "offset", "limit": 10}},
            children=[child("parts", "/owners/{resources.items.owner.id}/parts")],
            concurrency=concurrency,
        )
        done = run(given)
    assert done.error is None
    assert done.ids() == list(range(30))
    left = [f"/owners/o{n}/parts" for n in range(30) if n not in {0, 10, 14, 29}]
    assert done.ids("shop_parts") == left
    assert done.tap.run.results["shop_parts"].parents_skipped == 4
    assert "4 parents skipped" in caplog.text


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("path", "params", "column", "values"),
    [
        ("/items/{item_id}/parts", {}, "item_id", [1, 2, 3]),
        ("/items/{items_code}/parts", {}, "items_code", ["c1", "c2", "c3"]),
        (
            "/items/{x}/parts",
            {"x": {"type": "resolve", "resource": "items", "field": "code"}},
            "x",
            ["c1", "c2", "c3"],
        ),
        (
            "/items/{x}/parts",
            {"x": {"type": "resolve", "resource": "items", "field": "deep.ref"}},
            "x",
            ["r1", "r2", "r3"],
        ),
    ],
    ids=["singular", "plural", "resolve", "nested field"],
)
def test_a_placeholder_takes_its_values_from_the_parents_rows(
    path, params, column, values, concurrency
):
    tables = {"/items": ITEMS}
    tables |= {f"/items/{value}/parts": [{"id": 10}, {"id": 11}] for value in values}
    with routes(tables) as api:
        given = family(api.origin, child("parts", path, endpoint={"params": params}))
        done = run(given | {"concurrency": concurrency})
    assert done.error is None
    assert done.records("shop_parts") == [
        {"id": number, column: value} for value in values for number in (10, 11)
    ]
    assert column in done.properties("shop_parts")
    assert len(done.of("SCHEMA", "shop_parts")) == 1


def test_a_row_keeps_its_own_value_of_a_placeholder():
    tables = {"/items": ITEMS[:1], "/items/1/parts": [{"id": 10, "item_id": "own"}]}
    with routes(tables) as api:
        done = run(family(api.origin, child("parts", "/items/{item_id}/parts")))
    assert done.records("shop_parts") == [{"id": 10, "item_id": "own"}]


def test_values_are_quoted_in_the_path():
    asked = []

    def answer(received):
        asked.append(received.target)
        return reply(200, b'[{"id": "a/b?c=d e%"}]' if len(asked) == 1 else b"[]")

    with ScriptedServer(answer) as api:
        run(family(api.origin, child("parts", "/items/{item_id}/parts")))
    assert "/items/a%2Fb%3Fc%3Dd%20e%25/parts" in asked


def test_brothers_do_not_get_each_others_columns():
    tables = {"/items": ITEMS[:2]}
    for number in (1, 2):
        tables[f"/items/{number}/parts"] = [{"id": 10}]
        tables[f"/by-code/c{number}"] = [{"id": 20}]
    resolve = {"code": {"type": "resolve", "resource": "items", "field": "code"}}
    with routes(tables) as api:
        given = family(
            api.origin,
            child("parts", "/items/{item_id}/parts"),
            child("notes", "/by-code/{code}", endpoint={"params": resolve}),
        )
        done = run(given)
    assert done.error is None
    assert done.records("shop_parts") == [{"id": 10, "item_id": 1}, {"id": 10, "item_id": 2}]
    assert done.records("shop_notes") == [{"id": 20, "code": "c1"}, {"id": 20, "code": "c2"}]


def test_siblings_may_use_one_placeholder_for_different_fields():
    tables = {"/items": ITEMS[:1], "/items/1/parts": [{"id": 10}], "/by-code/c1": [{"id": 20}]}

    def resolve(field):
        return {"ref": {"type": "resolve", "resource": "items", "field": field}}

    with routes(tables) as api:
        given = family(
            api.origin,
            child("parts", "/items/{ref}/parts", endpoint={"params": resolve("id")}),
            child("notes", "/by-code/{ref}", endpoint={"params": resolve("code")}),
        )
        done = run(given)
    assert done.records("shop_parts") == [{"id": 10, "ref": 1}]
    assert done.records("shop_notes") == [{"id": 20, "ref": "c1"}]


@pytest.mark.parametrize("policy", ["evolve", "fail"])
def test_grandchildren_are_read_and_know_nothing_but_what_their_path_names(policy):
    tables = {
        "/items": ITEMS[:2],
        "/items/1/parts": [{"id": 10}],
        "/items/2/parts": [{"id": 20}],
        "/parts/10/bits": [{"id": 100}],
        "/parts/20/bits": [{"id": 200}],
    }
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    with routes(tables) as api:
        given = family(
            api.origin,
            child("parts", "/items/{item_id}/parts", schema=schema),
            child("bits", "/parts/{part_id}/bits", schema=schema),
            on_unknown_field=policy,
        )
        done = run(given)
    assert done.error is None
    assert done.records("shop_bits") == [{"id": 100, "part_id": 10}, {"id": 200, "part_id": 20}]
    assert len(done.of("SCHEMA", "shop_bits")) == 1


def test_a_parent_that_is_gone_is_counted(caplog):
    tables = {"/items": ITEMS, "/items/1/parts": [{"id": 10}], "/items/3/parts": [{"id": 30}]}
    with routes(tables) as api:
        caplog.set_level(logging.INFO)
        done = run(family(api.origin, child("parts", "/items/{item_id}/parts")))
    assert done.tap.run.results["shop_parts"].parents_missing == 1
    assert "1 parent gone" in caplog.text


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_whichever_parent_is_gone_the_others_children_are_read(gone):
    tables = {"/items": ITEMS} | {f"/items/{n}/parts": [{"id": n * 10}] for n in (1, 2, 3)}
    del tables[f"/items/{gone}/parts"]
    with routes(tables) as api:
        done = run(family(api.origin, child("parts", "/items/{item_id}/parts")))
    assert done.error is None
    assert done.ids("shop_parts") == [n * 10 for n in (1, 2, 3) if n != gone]


def test_a_path_that_the_server_lacks_fails_the_child_and_not_the_parent():
    with routes({"/items": ITEMS}) as api:
        done = run(family(api.origin, child("parts", "/items/{item_id}/parts")))
    assert done.error is not None
    assert "404" in done.failure("shop_parts")
    assert done.failure() == ""
    assert done.ids() == [1, 2, 3]


def test_a_404_in_the_middle_of_a_child_is_not_a_parent_that_is_gone():
    def answer(received):
        path, _, query = received.target.partition("?")
        if path == "/items":
            return reply(200, json.dumps(ITEMS[:1]).encode())
        return (
            reply(404, b"{}")
            if "from=b" in query
            else reply(200, b'{"data":[{"id":1}],"next":"b"}')
        )

    paging = {"type": "cursor", "cursor_path": "next", "cursor_param": "from"}
    with ScriptedServer(answer) as api:
        endpoint = {"paginator": paging, "data_selector": "data"}
        done = run(family(api.origin, child("parts", "/items/{item_id}/parts", endpoint=endpoint)))
    assert "404" in done.failure("shop_parts")
    assert done.failure() == ""


def test_a_parent_without_the_field_its_children_need_is_reported():
    with routes({"/items": [{"id": 1}]}) as api:
        resolve = {"x": {"type": "resolve", "resource": "items", "field": "code"}}
        given = family(api.origin, child("parts", "/x/{x}", endpoint={"params": resolve}))
        done = run(given)
    assert "`code`" in done.failure("shop_parts")


def test_a_failing_child_stops_neither_its_parent_nor_its_brother():
    tables = {"/items": ITEMS, "/items/1/parts": reply(403, b"{}")}
    tables |= {f"/items/{n}/notes": [{"id": n * 10}] for n in (1, 2, 3)}
    with routes(tables) as api:
        given = family(
            api.origin,
            child("parts", "/items/{item_id}/parts"),
            child("notes", "/items/{item_id}/notes"),
        )
        done = run(given)
    assert "403" in done.failure("shop_parts")
    assert done.ids() == [1, 2, 3]
    assert done.ids("shop_notes") == [10, 20, 30]


def test_a_child_alone_reads_its_parent_without_writing_it():
    tables = {"/items": ITEMS[:1], "/items/1/parts": [{"id": 10}]}
    with routes(tables) as api:
        paging = {"paginator": "single_page"}
        parts = child("parts", "/items/{item_id}/parts", endpoint=paging)
        given = family(api.origin, parts, endpoint=paging)
        done = run(given | {"emit_activate_version_messages": True}, only=("shop_parts",))
    assert {m["stream"] for m in done.messages if "stream" in m} == {"shop_parts"}
    assert done.kinds == ["SCHEMA", "RECORD", "ACTIVATE_VERSION"]


@pytest.mark.parametrize("dropped", [None, {"__filter__": "id > 1"}], ids=["removed", "filtered"])
def test_what_a_stream_map_drops_of_the_parent_is_never_taken_for_deleted_children(dropped):
    tables = {"/items": ITEMS} | {f"/items/{n}/parts": [{"id": n * 10}] for n in (1, 2, 3)}
    with routes(tables) as api:
        paging = {"paginator": "header_link"}
        given = family(
            api.origin,
            child("parts", "/items/{item_id}/parts", endpoint=paging),
            endpoint=paging,
            stream_maps={STREAM: dropped},
            emit_activate_version_messages=True,
        )
        done = run(given)
    # All children, or no claim that those that came are all.
    is_whole = set(done.ids("shop_parts")) == {10, 20, 30}
    assert is_whole or not done.of("ACTIVATE_VERSION", "shop_parts")


# --- schemas ------------------------------------------------------------------------------------


def test_the_first_page_is_requested_once_for_the_schema_and_the_sync():
    def answer(query):
        start = int(query["offset"])
        return {"data": ITEMS[start : start + 3]}

    with JsonApi(answer) as api:
        given = declared(api.origin, endpoint={"paginator": {"type": "offset", "limit": 3}})
        done = run(given)
    assert done.ids() == [1, 2, 3]
    assert [query["offset"] for query in api.queries].count("0") == 1


def test_the_sample_of_an_incremental_stream_is_the_first_page_of_its_sync():
    rows = [{"id": 1, "at": "2024-02-01T00:00:00Z"}]
    state = {
        "bookmarks": {STREAM: {"replication_key": "at", "replication_key_value": "2024-01-01"}}
    }
    with JsonApi(lambda _: {"data": rows}) as api:
        incremental = {"cursor_path": "at", "start_param": "since"}
        endpoint = {"paginator": "single_page", "incremental": incremental}
        done = run(declared(api.origin, endpoint=endpoint), state=state)
    assert api.queries == [{"since": "2024-01-01"}]
    assert done.ids() == [1]


def test_a_given_schema_is_taken_and_nothing_is_sampled():
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    with JsonApi(lambda _: {"data": []}) as api:
        catalog = discover(declared(api.origin, schema=schema))
        assert api.requests == []
    assert catalog["streams"][0]["schema"]["properties"] == {"id": {"type": "integer"}}


@pytest.mark.parametrize("rows", [[], [{"name": "x", "id": 1}]])
def test_a_sampled_schema_always_holds_the_key_and_the_cursor(rows):
    with JsonApi(lambda _: {"data": rows}) as api:
        endpoint = {"paginator": "single_page", "incremental": {"cursor_path": "at"}}
        done = run(declared(api.origin, endpoint=endpoint))
    assert {"id", "at"} <= set(done.properties())
    assert "null" not in done.properties()["id"]["type"]
    assert done.kinds[0] == "SCHEMA"


def test_a_schema_that_cannot_be_sampled_fails_discovery_and_its_stream_alone(capsys):
    with routes({"/others": [{"id": 1}]}) as api:
        others = child("others", "/others")
        given = family(api.origin, others)
        done = run(given)
        assert "404" in done.failure()
        assert done.ids("shop_others") == [1]
        with pytest.raises(Exception, match=r"No schema could be sampled for shop_items.*404"):
            TapAnalytics(config=given).run_discovery()
    assert capsys.readouterr().out == ""


def test_with_a_catalog_nothing_is_sampled():
    with JsonApi(lambda _: {"data": ITEMS}) as api:
        given = declared(api.origin, endpoint={"paginator": "single_page"})
        catalog = discover(given)
        before = len(api.requests)
        tap = TapAnalytics(config=given, catalog=catalog)
        assert set(tap.streams[STREAM].schema["properties"]) == {"id", "code", "deep"}
        assert len(api.requests) == before


# --- requests -----------------------------------------------------------------------------------


def test_a_resource_declares_its_requests():
    with JsonApi(lambda _: {"data": [{"id": 1}]}) as api:
        endpoint = {
            "method": "POST",
            "params": {"status": "open", "tags": ["a", "b"]},
            "json": {"filter": {"x": [1, None]}},
            "headers": {"X-Own": "1"},
            "paginator": "single_page",
        }
        done = run(declared(api.origin, endpoint=endpoint))
        asked = api.requests[0]
    assert done.ids() == [1]
    assert asked.method == "POST"
    assert asked.target == "/items?status=open&tags=a&tags=b"
    assert json.loads(asked.body) == {"filter": {"x": [1, None]}}
    assert asked.headers["x-own"] == "1"
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize("body", [None, {"page": 1}], ids=["no body", "body"])
@pytest.mark.parametrize(
    ("paginator", "response"),
    [
        ({"type": "page_number", "total_path": None}, {"data": [{"id": 1}]}),
        ({"type": "cursor", "cursor_path": "next"}, {"data": [{"id": 1}], "next": "a"}),
    ],
    ids=["page", "cursor"],
)
def test_a_page_that_repeats_says_what_puts_pages_into_a_body(body, paginator, response):
    endpoint = {"method": "POST", "paginator": paginator} | ({"json": body} if body else {})
    with JsonApi(lambda _: response) as api:
        done = run(declared(api.origin, endpoint=endpoint))
    assert "repeated" in done.failure()
    told = "has a JSON body: if the API expects the page there, declare" in done.failure()
    assert told == (body is not None)


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row | {"id": {"n": row["id"]}},
        lambda row: row | {"id": None},
        lambda row: {"name": row["name"]},
    ],
    ids=["object", "null", "missing"],
)
def test_a_key_that_is_none_is_reported_as_such(spoil, concurrency):
    rows = [{"id": number, "name": f"n{number}"} for number in range(6)]
    rows[3:] = map(spoil, rows[3:])

    def answer(query):
        begin = int(query["offset"])
        return {"data": rows[begin : begin + int(query["limit"])], "total": len(rows)}

    paginator = {"type": "offset", "limit": 2, "total_path": "total"}
    schema = {"properties": {"id": {}, "name": {"type": "string"}}}
    with JsonApi(answer) as api:
        config = declared(
            api.origin, concurrency=concurrency, endpoint={"paginator": paginator}, schema=schema
        )
        done = run(config)
    assert "primary key `id`" in done.failure()
    assert "Check `path`, `data_selector` and `primary_key`." in done.failure()


def test_a_key_that_is_deselected_is_read_all_the_same():
    rows = [{"id": number, "name": f"n{number}"} for number in range(6)]

    def answer(query):
        begin = int(query["offset"])
        return {"data": rows[begin : begin + int(query["limit"])], "total": len(rows)}

    paginator = {"type": "offset", "limit": 2, "total_path": "total"}
    with JsonApi(answer) as api:
        config = declared(api.origin, endpoint={"paginator": paginator})
        done = run(config, catalog=deselect(select(discover(config), STREAM), STREAM, "id"))
    assert done.failure() == ""
    assert done.ids() == list(range(6))


@pytest.mark.parametrize(
    ("disposition", "key", "kinds", "keys"),
    [
        ("merge", "id", ["SCHEMA", "RECORD"], ["id"]),
        ("append", [], ["SCHEMA", "RECORD"], []),
        ("replace", "id", ["SCHEMA", "RECORD", "ACTIVATE_VERSION"], ["id"]),
    ],
)
def test_a_write_disposition_becomes_singer_metadata(disposition, key, kinds, keys):
    with JsonApi(lambda _: {"data": [{"id": 1}], "total": 1}) as api:
        given = declared(
            api.origin,
            endpoint={"paginator": "single_page"},
            write_disposition=disposition,
            primary_key=key,
        )
        done = run(given)
    assert done.kinds == kinds
    assert done.of("SCHEMA")[0]["key_properties"] == keys


@pytest.mark.parametrize(
    ("selector", "body"),
    [
        ("data.items", {"data": {"items": ITEMS}}),
        ("$.data.items[*]", {"data": {"items": ITEMS}}),
        ("$.data[?(@.kind == 'a')].row", {"data": [{"kind": "a", "row": row} for row in ITEMS]}),
        (None, ITEMS),
        ("user-list", {"user-list": ITEMS}),
        ("auto", ITEMS),
        ("auto", {"found": {"tags": ["x"]}, "meta": {"page": {"items": ITEMS}}}),
        ("auto", {"one": ITEMS, "two": [{"id": 5}]}),
    ],
    ids=[
        *("dotted", "jsonpath", "jsonpath filter", "none", "dash"),
        *("auto, bare", "auto, usual name", "auto, first"),
    ],
)
def test_a_selector_leads_to_the_rows(selector, body):
    with JsonApi(lambda _: body) as api:
        endpoint = {"paginator": "single_page", "data_selector": selector}
        done = run(declared(api.origin, endpoint=endpoint))
    assert done.records() == ITEMS


def test_without_a_list_the_response_is_one_row():
    one = {"id": 1, "far": {"too": {"deep": {"items": [{"id": 9}]}}}}
    with JsonApi(lambda _: one) as api:
        endpoint = {"paginator": "single_page", "data_selector": "auto"}
        done = run(declared(api.origin, endpoint=endpoint))
    assert done.records() == [one]


# --- values in requests -----------------------------------------------------------------------


def recorded(respond):
    """A server that answers a path with rows."""
    return ScriptedServer(lambda got: reply(200, json.dumps(respond(got)).encode()))


def rows_at(path):
    return [ITEMS[0] | {"owner": {"id": "o/1"}}, ITEMS[1] | {"owner": {"id": "o2"}}] * (
        path == "/items"
    ) or [{"n": 1}]


def posted(api):
    return [json.loads(each.body) for each in api.requests if each.method == "POST"]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_values_of_a_parent_stand_anywhere_in_a_request(concurrency):
    endpoint = {
        "method": "POST",
        "params": {"item": "{resources.items.id}", "tag": ["x", "{resources.items.code}"]},
        "headers": {"X-Owner": "is {resources.items.owner.id}"},
        "json": {"id": "{resources.items.id}", "text": "no. {resources.items.id}, {{x}}"},
        "data_selector": None,
    }
    parts = child("parts", "/by/{resources.items.owner.id}/parts", key="n", endpoint=endpoint)
    with recorded(lambda got: rows_at(got.path)) as api:
        done = run(family(api.origin, parts) | {"concurrency": concurrency})
        asked = [each for each in api.requests if each.method == "POST"]
        bodies = posted(api)
    assert done.error is None
    assert [each.target for each in asked] == [
        "/by/o%2F1/parts?item=1&tag=x&tag=c1",
        "/by/o2/parts?item=2&tag=x&tag=c2",
    ]
    assert [each.headers["x-owner"] for each in asked] == ["is o/1", "is o2"]
    assert bodies == [{"id": n, "text": f"no. {n}, {{x}}"} for n in (1, 2)]
    # Only what is included becomes a column.
    assert done.records("shop_parts") == [{"n": 1}, {"n": 1}]


def test_a_form_is_a_body():
    with JsonApi(lambda _: {"data": [{"id": 1}]}) as api:
        form = {"q": "a b", "ids": [1, 2], "none": None}
        endpoint = {"method": "POST", "data": form, "paginator": "single_page"}
        done = run(declared(api.origin, endpoint=endpoint))
        asked = api.requests[0]
    assert done.ids() == [1]
    assert asked.body == b"q=a+b&ids=1&ids=2"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_grandchild_gets_values_of_all_ancestors():
    tables = {
        "/items": [{"id": n, "deep": {"ref": f"r{n}"}} for n in (1, 2)],
        "/items/1/parts": [{"id": 10}],
        "/items/2/parts": [{"id": 20}],
        "/bits": [{"id": 100}],
    }
    bits = child(
        "bits",
        "/bits",
        key=["_parts_id", "id"],
        endpoint={"params": {"p": "{resources.parts.id}", "r": "{resources.items.deep.ref}"}},
        include_from_parent=["id"],
    )
    with routes(tables) as api:
        parts = child("parts", "/items/{resources.items.id}/parts")
        done = run(family(api.origin, parts, bits) | {"concurrency": 4})
        asked = [each.target for each in api.requests if each.path == "/bits"]
    assert done.error is None
    assert asked == ["/bits?p=10&r=r1", "/bits?p=20&r=r2"]
    assert done.records("shop_parts") == [{"id": 10}, {"id": 20}]
    assert done.records("shop_bits") == [
        {"id": 100, "_parts_id": 10},
        {"id": 100, "_parts_id": 20},
    ]


@pytest.mark.parametrize("schema", [None, {"properties": {"id": {"type": "integer"}}}])
def test_fields_of_the_parent_become_columns(schema):
    tables = {"/items": [{"id": 1, "tags": ["a"]}, {"id": 2}], "/parts": [{"id": 10}]}
    parts = child(
        "parts",
        "/parts",
        key=["_items_id", "id"],
        endpoint={"params": {"item": "{resources.items.id}"}},
        include_from_parent=["id", "tags"],
        **({"schema": schema} if schema else {}),
    )
    with routes(tables) as api:
        done = run(family(api.origin, parts))
    assert done.error is None
    assert done.records("shop_parts") == [
        {"id": 10, "_items_id": 1, "_items_tags": ["a"]},
        {"id": 10, "_items_id": 2, "_items_tags": None},
    ]
    assert {"_items_id", "_items_tags"} <= set(done.properties("shop_parts"))
    assert done.tap.streams["shop_parts"].references == {
        "_items_id": "shop_items.id",
        "_items_tags": "shop_items.tags",
    }
    assert done.of("SCHEMA", "shop_parts")[-1]["key_properties"] == ["_items_id", "id"]


def test_what_children_need_of_a_parent_may_be_deselected():
    parts = child("parts", "/parts/{resources.items.code}", include_from_parent=["deep"])
    with routes({"/items": ITEMS[:1], "/parts/c1": [{"id": 10}]}) as api:
        given = family(api.origin, parts)
        catalog = select(discover(given), STREAM, "shop_parts")
        for name in ("code", "deep"):
            catalog = deselect(catalog, STREAM, name)
        done = run(given, catalog=catalog)
    assert done.records() == [{"id": 1}]
    assert done.records("shop_parts") == [{"id": 10, "_items_deep": {"ref": "r1"}}]


BOTH = {"x": "{resources.items.x}", "y": "{resources.items.id}"}


@pytest.mark.parametrize(
    ("where", "value", "fault"),
    [
        ({"params": BOTH}, None, "has no `x`, which the request needs"),
        ({"params": BOTH}, [1], "has a list as `x`"),
        ({"method": "POST", "json": BOTH}, None, "has no `x`"),
    ],
    ids=["param", "list", "json"],
)
def test_a_value_that_the_request_needs_and_the_parent_lacks_fails_the_child(where, value, fault):
    with routes({"/items": [{"id": 1, "x": value}], "/parts": [{"id": 10}]}) as api:
        done = run(family(api.origin, child("parts", "/parts", endpoint=where)))
        assert [each.path for each in api.requests] == ["/items"]
    assert f"a row of shop_items with id=1 {fault}" in done.failure("shop_parts")
    assert done.ids() == [1]


@pytest.mark.parametrize(
    ("where", "rows", "read"),
    [
        ({"params": {"x": "{resources.items.x}"}}, [{"id": 1, "x": None}, {"id": 2, "x": 5}], 1),
        ({"params": {"x": "{resources.items.x}"}}, [{"id": 1, "x": None}, {"id": 2}], 0),
        ({"method": "POST", "json": {"x": "{resources.items.x}"}}, [{"id": 1, "x": None}], 0),
    ],
    ids=["some", "none", "json"],
)
def test_a_parent_that_lacks_all_that_the_request_needs_is_skipped(where, rows, read):
    with routes({"/items": rows, "/parts": [{"id": 10}]}) as api:
        done = run(family(api.origin, child("parts", "/parts", endpoint=where)))
        assert [each.path for each in api.requests] == ["/items", *["/parts"] * read]
    assert done.error is None
    assert done.ids("shop_parts") == [10] * read
    assert done.tap.run.results["shop_parts"].parents_skipped == len(rows) - read


def test_a_field_that_no_parent_has_fails_the_child():
    with routes({"/items": ITEMS}) as api:
        done = run(family(api.origin, child("parts", "/of/{resources.items.owner.id}")))
    assert "a row of shop_items with id=1 has no `owner.id`" in done.failure("shop_parts")
    assert done.ids() == [1, 2, 3]


def test_time_of_a_parent_is_sent_in_a_pattern_also_below_its_child():
    parts = child("parts", "/in/{resources.items.at.%Y}")
    screws = child("screws", "/in/{resources.items.at.%Y}/{resources.parts.id}")
    served = {"/items": [{"id": 1, "at": "2024-03-31"}], "/in/2024": [{"id": 7}]}
    with routes({**served, "/in/2024/7": [{"id": 9}]}) as api:
        done = run(family(api.origin, parts, screws))
    assert done.error is None
    assert done.records("shop_parts") == [{"id": 7}]
    assert done.records("shop_screws") == [{"id": 9}]


def test_value_of_a_parent_that_is_no_time_fails_the_child():
    with routes({"/items": [{"id": 1, "at": "soon"}]}) as api:
        done = run(family(api.origin, child("parts", "/in/{resources.items.at.%Y}")))
    fault = "`at` of a row of items is 'soon', which {resources.items.at.%Y} can't write"
    assert fault in done.failure("shop_parts")
    assert done.ids() == [1]


def test_a_json_value_may_be_an_object():
    body = {"x": "{resources.items.deep}", "y": ["{resources.items.id}"]}
    where = {"method": "POST", "json": body}
    with recorded(lambda got: rows_at(got.path)) as api:
        done = run(family(api.origin, child("parts", "/parts", key="n", endpoint=where)))
        assert posted(api) == [{"x": {"ref": f"r{n}"}, "y": [n]} for n in (1, 2)]
    assert done.error is None


# --- values of the bookmark -------------------------------------------------------------------

MARK = {"replication_key": "at", "replication_key_value": "2024-01-01"}
SINCE = {
    "method": "POST",
    "params": {"from": "{incremental.start_value}", "to": "{incremental.end_value}"},
    "json": {"since": "{incremental.start_value}", "first": "{incremental.initial_value}"},
    "paginator": "single_page",
}


@pytest.mark.parametrize(
    ("key", "unit", "given", "sent", "to"),
    [
        ("2024-02-01", None, {}, "2024-02-01", None),
        ("2024-02-01", None, {"start_date": "2024-03-01"}, "2024-03-01", None),
        ("2024-02-01", None, {"end_date": "2024-03-01"}, "2024-02-01", "2024-03-01"),
        (1706745600, "epoch_s", {"end_date": "2024-03-01"}, 1706745600, "1709251200"),
    ],
    ids=["initial", "start date", "end date", "epoch"],
)
def test_a_request_without_a_bookmark_begins_where_the_settings_say(key, unit, given, sent, to):
    incremental = {"cursor_path": "at", "initial_value": key}
    incremental |= {"cursor_format": unit} if unit else {}
    with JsonApi(lambda _: {"data": [{"id": 1, "at": key}]}) as api:
        done = run(declared(api.origin, endpoint=SINCE | {"incremental": incremental}, **given))
        asked = api.requests
    assert done.error is None
    # The page that was sampled for the schema is not asked for again.
    assert len(asked) == 1
    assert json.loads(asked[0].body) == {"since": sent, "first": key}
    assert asked[0].query == {"from": str(sent)} | ({"to": to} if to else {})


def test_a_request_begins_at_the_bookmark():
    incremental = {"cursor_path": "at", "initial_value": "2020-01-01"}
    state = {"bookmarks": {STREAM: MARK}}
    with JsonApi(lambda _: {"data": [{"id": 1, "at": "2024-02-01"}]}) as api:
        endpoint = SINCE | {"incremental": incremental}
        done = run(declared(api.origin, endpoint=endpoint), state=state)
        assert [json.loads(each.body) for each in api.requests] == [
            {"since": "2024-01-01", "first": "2020-01-01"}
        ]
    assert done.bookmark() == "2024-02-01"


def test_all_rows_of_a_parent_are_requested_whatever_its_bookmark():
    incremental = {"cursor_path": "at", "initial_value": "2020-01-01"}
    state = {"bookmarks": {STREAM: MARK}}
    params = {"since": "{incremental.start_value}"}
    tables = {"/items": [{"id": 1, "at": "2024-02-01"}], "/parts/1": [{"id": 10}]}
    with routes(tables) as api:
        endpoint = {"params": params, "incremental": incremental}
        parts = child("parts", "/parts/{item_id}")
        done = run(family(api.origin, parts, endpoint=endpoint), state=state)
        assert [each.query for each in api.requests if each.path == "/items"] == [
            {"since": "2020-01-01"}
        ]
    assert done.ids("shop_parts") == [10]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/items/{incremental.start_value}", "Set `initial_value` of `incremental`, or its `cu"),
        ("/items/{incremental.end_value}", "Set `end_date`, and the `cursor_format`"),
        ("/items/{incremental.initial_value}", "Set `initial_value` of `incremental`."),
    ],
)
def test_a_value_that_nothing_gives_fails_the_stream_before_a_request(path, fault):
    with JsonApi(lambda _: {"data": []}) as api:
        endpoint = {"path": path, "incremental": {"cursor_path": "at"}}
        done = run(declared(api.origin, endpoint=endpoint))
        assert api.requests == []
    assert fault in done.failure()


AT = {"type": "string", "format": "date-time"}


@pytest.mark.parametrize(
    ("unit", "schema", "known"),
    [
        ({"cursor_format": "iso"}, {}, True),
        ({}, {"schema": {"properties": {"id": {}, "at": AT}}}, True),
        ({}, {}, False),
    ],
    ids=["format", "schema", "nothing"],
)
def test_a_start_date_is_sent_only_in_a_format_that_is_known(unit, schema, known):
    endpoint = {
        "params": {"since": "{incremental.start_value}"},
        "incremental": {"cursor_path": "at", **unit},
        "paginator": "single_page",
    }
    with JsonApi(lambda _: {"data": [{"id": 1, "at": "2024-02-01T00:00:00Z"}]}) as api:
        done = run(declared(api.origin, endpoint=endpoint, start_date="2024-01-01", **schema))
        assert api.queries == ([{"since": "2024-01-01"}] if known else [])
    lacking = "the request needs {incremental.start_value}"
    assert (lacking in done.failure()) == (not known)
