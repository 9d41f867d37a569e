"""Imported configurations of dlt ask for what dlt asks for, and bring the same rows."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from support.runs import run
from support.servers import ScriptedServer, reply

from tap_analytics.commands.importing import import_file

ROWS = [
    {"id": n, "at": f"2024-01-0{n}T00:00:00Z", "kind": "ab"[n % 2], "meta": {"code": f"c{n}"}}
    for n in range(1, 8)
]


@pytest.fixture
def synced(tmp_path):
    """Import the resources of a configuration and run them against a server."""

    def read(api, resources, client="", defaults="{}"):
        path = tmp_path / "shop.py"
        path.write_text(
            f'x = {{"client": {{"base_url": "{api.origin}/v1", {client}}}, '
            f'"resource_defaults": {defaults}, "resources": [{resources}]}}'
        )
        imported, _ = import_file(str(path))
        assert imported.missing == ()
        done = run({"apis": [imported.entry]})
        assert not any(each.failure for each in done.tap.run.results.values())
        return done

    return read


def server(respond):
    """Serve what a function of path, query and body returns; a number is a status."""

    def answer(received):
        parts = urlsplit(received.target)
        query = dict(part.partition("=")[::2] for part in parts.query.split("&") if part)
        body = json.loads(received.body or b"{}") if received.method == "POST" else {}
        found = respond(parts.path.removeprefix("/v1"), query, body)
        if isinstance(found, int):
            return reply(found, b"{}")
        return reply(200, json.dumps(found).encode())

    return ScriptedServer(answer)


def requested(api):
    return {each.target.removeprefix("/v1") for each in api.requests}


@pytest.mark.parametrize(
    "body",
    [ROWS, {"results": ROWS, "count": 7}, {"found": {"items": ROWS}, "errors": []}],
    ids=["bare", "wrapped", "nested"],
)
def test_list_is_found_as_dlt_finds_it(body, synced):
    with server(lambda *_: body) as api:
        assert synced(api, '"items"').ids("shop_items") == list(range(1, 8))


def test_path_of_one_object_is_read_as_one_row_and_ignored_where_it_is_missing(synced):
    def answer(path, *_):
        if path == "/items":
            return ROWS
        return 404 if path.endswith("c3") else {"id": path, "data": [{"id": 0}]}

    child = (
        '{"name": "parts", "include_from_parent": ["kind"], "endpoint": {"path": '
        '"parts/{resources.items.meta.code}", "response_actions": '
        '[{"status_code": 404, "action": "ignore"}]}}'
    )
    with server(answer) as api:
        done = synced(api, f'"items", {child}')
    rows = done.records("shop_parts")
    assert sorted(row["id"] for row in rows) == [f"/parts/c{n}" for n in range(1, 8) if n != 3]
    assert {row["_items_kind"] for row in rows} == {"a", "b"}


def test_parameters_are_sent_as_python_writes_them(synced):
    with server(lambda *_: ROWS) as api:
        endpoint = (
            '{"path": "orgs/{org}/all items?q=1", "paginator": "single_page", '
            '"params": {"org": "a/b", "open": True, "tag": ["x", "y"], "none": None}}'
        )
        synced(api, f'{{"name": "items", "endpoint": {endpoint}}}')
        assert requested(api) == {"/orgs/a/b/all%20items?q=1&open=True&tag=x&tag=y"}


def test_pages_that_dlt_counts_end_where_the_server_has_no_more(synced):
    def answer(_, query, __):
        page = int(query["page"])
        return {"data": ROWS[page * 2 - 2 : page * 2], "last": 4} if page <= 4 else 404

    endpoint = (
        '{"data_selector": "data", "params": {"page": 1}, '
        '"paginator": PageNumberPaginator(base_page=1, total_path="last")}'
    )
    with server(answer) as api:
        done = synced(api, f'{{"name": "items", "endpoint": {endpoint}}}')
    assert done.ids("shop_items") == list(range(1, 8))


def test_bodies_are_merged_and_carry_the_cursor(synced):
    def answer(_, __, body):
        after = body.get("after", 0)
        rows = ROWS[after : after + 2] if body.get("size") == 2 and body.get("kind") else []
        return {"data": rows, "next": after + 2 if after + 2 < 7 else None}

    paginator = '"paginator": JSONResponseCursorPaginator("next", cursor_body_path="after")'
    with server(answer) as api:
        done = synced(
            api,
            '{"name": "items", "endpoint": {"json": {"kind": "any"}}}',
            client=paginator,
            defaults='{"endpoint": {"method": "POST", "json": {"size": 2}}}',
        )
    assert done.ids("shop_items") == list(range(1, 8))


@pytest.mark.parametrize(
    "endpoint",
    [
        '"params": {"since": dlt.sources.incremental("at", "2024-01-03T00:00:00Z")}',
        (
            '"params": {"since": "{incremental.start_value}"}, '
            '"incremental": {"cursor_path": "at", "initial_value": "2024-01-03T00:00:00Z"}'
        ),
        (
            '"incremental": {"cursor_path": "at", "initial_value": "2024-01-03T00:00:00Z", '
            '"start_param": "since", "convert": lambda at: at[:10]}'
        ),
    ],
    ids=["parameter", "placeholder", "converted"],
)
def test_cursor_starts_where_dlt_starts(endpoint, synced):
    def answer(_, query, __):
        return [row for row in ROWS if row["at"][:10] >= query["since"][:10]]

    with server(answer) as api:
        done = synced(api, f'{{"name": "items", "endpoint": {{"path": "items", {endpoint}}}}}')
        assert done.ids("shop_items") == list(range(3, 8))
        expected = "2024-01-03" if "convert" in endpoint else "2024-01-03T00%3A00%3A00Z"
        assert f"/items?since={expected}" in requested(api)


def test_filter_in_python_leaves_out_the_same_rows(synced):
    function = 'lambda row: row["kind"] in ("a", "c") and not row.get("gone") is True'
    with server(lambda *_: ROWS) as api:
        done = synced(api, f'{{"name": "items", "processing_steps": [{{"filter": {function}}}]}}')
    assert done.ids("shop_items") == [2, 4, 6]
