"""Steps of processing on real responses: rows, children, keys and proof."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from support.runs import declared, run
from support.servers import ScriptedServer, reply

ROWS = [
    {"id": n, "status": "open" if n % 3 else "closed", "meta": {"id": n * 10}} for n in range(1, 31)
]
PAGED = {"paginator": {"type": "offset", "limit": 7, "total_path": "total"}}


def serve(received):
    """Serve the rows by offset with their total, and one part for each row."""
    path, _, query = received.target.partition("?")
    if path != "/items":
        return reply(200, json.dumps([{"id": path}]).encode())
    asked = dict(part.split("=") for part in query.split("&"))
    start = int(asked["offset"])
    body = {"data": ROWS[start : start + int(asked["limit"])], "total": len(ROWS)}
    return reply(200, json.dumps(body).encode())


def parts(**more):
    endpoint = {"path": "/items/{item_id}/parts", "paginator": "single_page"}
    return {"name": "parts", "endpoint": endpoint, "primary_key": ["item_id", "id"]} | more


def lines(done):
    """The lines of all streams, without the version of the run."""
    return {
        name: re.sub(rb'"version":\d+', b"", b"".join(each)) for name, each in done.streams.items()
    }


def both(*, endpoint=PAGED, **resource):
    """The same run at both ends of `concurrency`; their lines are the same."""
    with ScriptedServer(serve) as api:
        one, many = (
            run(declared(api.origin, endpoint=endpoint, concurrency=width, **resource))
            for width in (1, 8)
        )
    assert one.error is None
    assert [lines(done) for done in (one, many)] == [lines(one)] * 2
    return one


@pytest.mark.parametrize("child", [False, True])
def test_a_filter_leaves_out_rows_and_what_is_below_them(child, caplog):
    steps = [{"filter": "@.status == 'open'"}]
    children = [parts()] if child else []
    done = both(processing_steps=steps, children=children, emit_activate_version_messages=True)
    kept = [row["id"] for row in ROWS if row["status"] == "open"]
    assert done.ids() == kept
    # All rows of the list count for its total.
    assert done.verdict() == "verified"
    assert done.of("ACTIVATE_VERSION")
    if child:
        assert [row["item_id"] for row in done.records("shop_parts")] == kept
        assert "a filter or stream map left out parents" in caplog.text
        assert not done.of("ACTIVATE_VERSION", "shop_parts")


def test_a_filter_that_keeps_all_parents_leaves_the_proof_of_their_children():
    steps = [{"filter": "@.id > 0"}]
    done = both(processing_steps=steps, children=[parts()], emit_activate_version_messages=True)
    assert len(done.records("shop_parts")) == len(ROWS)
    assert done.of("ACTIVATE_VERSION", "shop_parts")


def test_a_parent_that_comes_through_the_filter_later_brings_its_children():
    stamp = "2024-06-01T00:00:00Z"

    def answer(received):
        path = received.target.partition("?")[0]
        row = {"id": path, "at": stamp}
        body = [{"id": n, "status": s} for n, s in ((1, "open"), (2, status))]
        return reply(200, json.dumps(body if path == "/items" else [row]).encode())

    status = "closed"
    child = parts()
    child["endpoint"] = child["endpoint"] | {"incremental": {"cursor_path": "at"}}
    with ScriptedServer(answer) as api:
        given = declared(
            api.origin,
            endpoint={"paginator": "single_page", "data_selector": None},
            processing_steps=[{"filter": "@.status == 'open'"}],
            children=[child],
        )
        first = run(given)
        status = "open"
        state = json.loads(json.dumps(first.state).replace(stamp, "2024-06-02T00:00:00Z"))
        second = run(given, state=state)
    assert [row["item_id"] for row in first.records("shop_parts")] == [1]
    assert first.bookmark("shop_parts") == stamp
    assert [row["item_id"] for row in second.records("shop_parts")] == [2]


def test_fields_are_renamed_added_and_removed():
    steps = [
        {"rename_fields": {"id": "uid", "meta.id": "number"}},
        {"add_fields": {"region": "eu", "text": "{record.uid}/{record.number}"}},
        {"remove_fields": ["meta", "status"]},
    ]
    done = both(processing_steps=steps, primary_key=["region", "uid"])
    assert done.records()[1] == {"uid": 2, "number": 20, "region": "eu", "text": "2/20"}
    assert set(done.properties()) == {"uid", "number", "region", "text"}
    assert done.of("SCHEMA")[0]["key_properties"] == ["region", "uid"]
    assert done.verdict() == "verified"


def test_key_that_is_a_hash_of_the_row_is_proven_by_the_content():
    done = both(processing_steps=[{"add_hashes": {"uid": "{record}"}}], primary_key="uid")
    text = str(ROWS[0]).encode()
    assert done.records()[0]["uid"] == hashlib.md5(text, usedforsecurity=False).hexdigest()
    assert done.verdict() == "verified"


def test_values_of_the_parent_become_fields():
    child = parts(
        primary_key=["owner", "id"],
        processing_steps=[
            {
                "add_fields": {
                    "owner": "{resources.items.meta.id}",
                    "of": "item {resources.items.id}",
                }
            }
        ],
    )
    done = both(children=[child])
    assert done.records("shop_parts")[0] == {
        "id": "/items/1/parts",
        "owner": 10,
        "of": "item 1",
        "item_id": 1,
    }


def test_a_nested_key_is_a_column():
    done = both(primary_key=["meta.id"])
    assert done.records()[0] == {**ROWS[0], "meta_id": 10}
    assert done.of("SCHEMA")[0]["key_properties"] == ["meta_id"]
    assert done.properties()["meta_id"]["type"] == ["integer"]
    assert done.verdict() == "verified"


def test_a_nested_key_goes_with_a_schema_and_with_flattening():
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "meta": {}}}
    done = both(
        primary_key="meta.id", schema=schema, flattening_enabled=True, flattening_max_depth=2
    )
    assert done.records()[0]["meta_id"] == 10


@pytest.mark.parametrize("key", ["meta.id", "uid"])
def test_rows_that_come_again_are_known_by_the_fields_that_make_their_key(key):
    """A row whose other fields changed in between is the same row."""
    rows = [{"meta": {"id": n}, "at": 0} for n in range(1, 7)]
    rows += [{"meta": {"id": 1}, "at": 1}]

    def answer(received):
        page = int(received.target.rpartition("page=")[2]) - 1
        return reply(200, json.dumps({"data": rows[page * 3 : page * 3 + 3]}).encode())

    steps = [{"rename_fields": {"meta.id": "uid"}}] if key == "uid" else []
    paginator = {"type": "page_number", "page_param": "page", "base_page": 1}
    with ScriptedServer(answer) as api:
        given = declared(
            api.origin,
            endpoint={"paginator": paginator},
            primary_key=key,
            processing_steps=steps,
        )
        done = run(given)
    assert done.verdict() == "unverified"
    assert len(done.records()) == 7


def test_a_row_without_its_nested_key_fails_the_stream():
    with ScriptedServer(lambda _: reply(200, b'{"data": [{"meta": {}}]}')) as api:
        given = declared(api.origin, endpoint={"paginator": "single_page"}, primary_key="meta.id")
        done = run(given)
    assert "primary key `meta_id`" in done.failure()
    assert done.records() == []


def test_a_field_that_stands_where_the_column_of_a_key_goes_fails_the_stream():
    body = b'{"data": [{"meta": {"id": 1}, "meta_id": 2}]}'
    with ScriptedServer(lambda _: reply(200, body)) as api:
        given = declared(api.origin, endpoint={"paginator": "single_page"}, primary_key="meta.id")
        done = run(given)
    assert "shop_items (/items): a row has a `meta_id` of its own" in done.failure()


@pytest.mark.parametrize("selector", ["data[?(@.status == 'open')]", "$.data[?@.status == 'open']"])
def test_rows_that_a_selector_leaves_out_count_for_the_proof(selector):
    done = both(endpoint=PAGED | {"data_selector": selector})
    assert done.ids() == [row["id"] for row in ROWS if row["status"] == "open"]
    assert done.verdict() == "verified"


@pytest.mark.parametrize(
    ("selector", "body"),
    [
        ("data[*].node", {"data": []}),
        ("data.*.node", {"data": {}}),
        ("groups[*].items[*]", {"groups": [{"items": []}]}),
        ("*.node", []),
        ("*", []),
        ("data[?(@.open)]", {"data": []}),
        ("data[?(@.open)]", {"data": [{"id": 1}]}),
    ],
)
def test_a_page_on_which_a_selector_finds_no_rows_has_none(selector, body):
    endpoint = {"data_selector": selector, "paginator": "single_page"}
    with ScriptedServer([reply(200, json.dumps(body).encode())]) as api:
        done = run(declared(api.origin, endpoint=endpoint))
    assert (done.failure(), done.records(), done.verdict()) == ("", [], "consistent")


# --- where rows are ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "body", "expected"),
    [
        ("rates.*", {"rates": {"EUR": {"id": 1}, "USD": {"id": 2}}}, [(1, "EUR"), (2, "USD")]),
        ("$.a.rates.*", {"a": {"rates": {"EUR": {"id": 1}}}}, [(1, "EUR")]),
        ("*", {"EUR": {"id": 1}}, [(1, "EUR")]),
        ("$.*", {"EUR": {"id": 1}}, [(1, "EUR")]),
        # A list under each key, and a row that has the column itself.
        ("rates.*", {"rates": {"a": [{"id": 1}, {"id": 2, "code": "b"}]}}, [(1, "a"), (2, "b")]),
        ("rates.*", {"rates": {}}, []),
        ("rates.*", {"rates": []}, []),
        ("rates.*", {"rates": None}, []),
    ],
)
def test_the_key_of_a_map_is_a_column(selector, body, expected):
    endpoint = {"data_selector": selector, "map_key": "code", "paginator": "single_page"}
    with ScriptedServer(lambda _: reply(200, json.dumps(body).encode())) as api:
        done = run(declared(api.origin, endpoint=endpoint, primary_key=["code", "id"]))
    assert done.error is None
    assert [(row["id"], row["code"]) for row in done.records()] == expected
    assert done.verdict() == "consistent"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"other": {}}, "found no rows at `rates.*`"),
        ({"rates": [{"id": 1}]}, "`rates.*` leads into a list where a map"),
        ({"rates": {"EUR": 1.1}}, "`rates.EUR` is a number where a list of rows"),
    ],
)
def test_what_is_no_map_of_rows_fails_the_stream(body, words):
    endpoint = {"data_selector": "rates.*", "map_key": "code", "paginator": "single_page"}
    with ScriptedServer(lambda _: reply(200, json.dumps(body).encode())) as api:
        done = run(declared(api.origin, endpoint=endpoint))
    assert words in done.failure()


def test_maps_of_rows_are_paged_like_lists():
    rows = {f"k{n}": {"n": n} for n in range(25)}

    def answer(received):
        asked = dict(part.split("=") for part in received.target.partition("?")[2].split("&"))
        start, limit = int(asked["offset"]), int(asked["limit"])
        body = {"rows": dict([*rows.items()][start : start + limit]), "total": len(rows)}
        return reply(200, json.dumps(body).encode())

    endpoint = PAGED | {"data_selector": "rows.*", "map_key": "code"}
    with ScriptedServer(answer) as api:
        one, many = (
            run(declared(api.origin, endpoint=endpoint, primary_key="code", concurrency=width))
            for width in (1, 8)
        )
    assert one.records() == [{"n": n, "code": f"k{n}"} for n in range(25)]
    assert lines(one) == lines(many)
    assert one.verdict() == "verified"


@pytest.mark.parametrize("selector", ["data", "data[*]", "data[*].node", "edges.*"])
def test_a_parent_whose_list_is_an_empty_object_has_no_children(selector):
    def answer(received):
        path = received.target.partition("?")[0]
        below = {} if path.startswith("/items/2") else {"data": [{"id": 1, "node": {"id": 1}}]}
        below |= {"edges": {"x": {"id": 1}}} if below else {}
        return reply(
            200, json.dumps([{"id": 1}, {"id": 2}] if path == "/items" else below).encode()
        )

    child = parts()
    child["endpoint"] |= {"data_selector": selector}
    with ScriptedServer(answer) as api:
        endpoint = {"paginator": "single_page", "data_selector": None}
        done = run(declared(api.origin, endpoint=endpoint, children=[child]))
    assert done.error is None
    assert [row["item_id"] for row in done.records("shop_parts")] == [1]
    assert done.verdict("shop_parts") == "consistent"


def test_an_empty_object_without_a_parent_is_no_list():
    with ScriptedServer(lambda _: reply(200, b"{}")) as api:
        done = run(declared(api.origin, endpoint={"paginator": "single_page"}))
    assert "found no rows at `data`" in done.failure()


def test_an_empty_object_behind_rows_may_hide_rows():
    def answer(received):
        target = received.target
        if target.startswith("/items?") or target == "/items":
            return reply(200, b'[{"id": 1}]')
        body = {} if "cursor=b" in target else {"data": [{"id": 1}], "next": "b"}
        return reply(200, json.dumps(body).encode())

    paginator = {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"}
    child = parts()
    child["endpoint"] |= {"data_selector": "data", "paginator": paginator}
    with ScriptedServer(answer) as api:
        endpoint = {"paginator": "single_page", "data_selector": None}
        done = run(declared(api.origin, endpoint=endpoint, children=[child]))
    assert len(done.records("shop_parts")) == 1
    assert done.verdict("shop_parts") == "unverified"
