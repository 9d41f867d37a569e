"""Imported manifests read all rows from a server, or leave the stream out."""

from __future__ import annotations

import json

import pytest
from support.runs import run
from support.servers import PathApi

from tap_analytics.commands.importing import import_file

ROWS = [{"id": n, "deep": {"code": f"c{n}"}} for n in range(1, 8)]
LIST = {"extractor": {"type": "DpathExtractor", "field_path": ["data"]}}


@pytest.fixture
def synced(tmp_path):
    """Import a manifest and run it against its server, at two widths; returns the last run."""

    def read(api, *streams, end_date=None, **parts):
        path = tmp_path / "shop.json"
        path.write_text(json.dumps({"type": "DeclarativeSource", "streams": streams, **parts}))
        imported, _ = import_file(str(path))
        assert imported.headline == f"{len(streams)} of {len(streams)} streams"
        config = {"apis": [imported.entry]} | ({"end_date": end_date} if end_date else {})
        runs = [run({**config, "concurrency": width}) for width in (1, 8)]
        assert [each.failure() for each in runs] == ["", ""]
        assert runs[0].ids("shop_items") == runs[1].ids("shop_items")
        return runs[1]

    return read


def stream(api, name="items", path="/items", requester=None, **retriever):
    sender = {"type": "HttpRequester", "url_base": api.origin, "path": path, **(requester or {})}
    reader = {"type": "SimpleRetriever", "requester": sender, "record_selector": LIST}
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": "id",
        "retriever": reader | retriever,
    }


def paged(strategy, token):
    option = {"type": "RequestOption", "inject_into": "request_parameter", "field_name": token}
    return {
        "type": "DefaultPaginator",
        "pagination_strategy": strategy,
        "page_token_option": option,
    }


def after(_, query):
    given = int(dict(query).get("after") or 0)
    return {"data": ROWS[given : given + 2]}


@pytest.mark.parametrize(
    "value",
    ["{{ response['data'][-1].id }}", "{{ last_record['id'] }}", "{{ last_records[-1].id }}"],
)
def test_cursor_in_the_last_row_reads_all_pages(value, synced):
    pages = paged({"type": "CursorPagination", "cursor_value": value}, "after")
    with PathApi(after) as api:
        assert synced(api, stream(api, paginator=pages)).ids() == list(range(1, 8))


def test_paginator_behind_a_reference_in_parameters_is_kept(synced):
    pages = paged(
        {"type": "CursorPagination", "cursor_value": "{{ response.data[-1].id }}"}, "after"
    )
    with PathApi(after) as api:
        plain = stream(api, paginator={"$ref": "#/definitions/pages"})
        definitions = {"pages": pages, "retriever": plain.pop("retriever")}
        plain["$parameters"] = {"retriever": {"$ref": "#/definitions/retriever"}}
        assert synced(api, plain, definitions=definitions).ids() == list(range(1, 8))


@pytest.mark.parametrize("first", [0, 1])
def test_offset_called_page_is_found_out(first, synced):
    def answer(_, query):
        page = int(dict(query).get("page", first)) - first
        return {"data": ROWS[page * 2 : page * 2 + 2]}

    pages = paged({"type": "OffsetIncrement", "page_size": 2}, "page")
    with PathApi(answer) as api:
        assert synced(api, stream(api, paginator=pages)).ids() == list(range(1, 8))


def test_query_in_the_path_is_sent(synced):
    def answer(_, query):
        wanted = [("open", "1"), ("state", "a"), ("state", "b"), ("mark", "")]
        return {"data": ROWS if sorted(query) == sorted(wanted) else []}

    with PathApi(answer) as api:
        path = "/items?open=1&state=a&state=b&mark="
        assert synced(api, stream(api, path=path)).ids() == list(range(1, 8))


def test_nested_field_of_a_parent_fills_the_path(synced):
    def answer(path, _):
        return {"data": ROWS} if path == "/items" else {"data": [{"id": path}]}

    with PathApi(answer) as api:
        parent = {"stream": stream(api), "parent_key": "deep/code", "partition_field": "code"}
        router = {"type": "SubstreamPartitionRouter", "parent_stream_configs": [parent]}
        path = "/parts/{{ stream_slice.code }}"
        parts = stream(api, "parts", path, partition_router=router)
        done = synced(api, stream(api), parts)
    assert [row["id"] for row in done.records("shop_parts")] == [
        f"/parts/c{n}" for n in range(1, 8)
    ]


def test_what_a_form_fills_in_is_taken_before_what_stands_for_nothing(synced):
    def answer(path, _):
        return {"data": ROWS} if path == "/v2/items" else (404, {})

    properties = {"version": {"type": "string", "default": "v2"}}
    spec = {"connection_specification": {"properties": properties}}
    with PathApi(answer) as api:
        path = "/{{ config['version'] or '' }}/items"
        assert synced(api, stream(api, path=path), spec=spec).ids() == list(range(1, 8))


@pytest.mark.parametrize("page", [{}, {"data": []}, {"data": [{"parts": []}]}])
def test_empty_page_of_a_nested_list_has_no_rows(page, synced):
    rows = {"extractor": {"type": "DpathExtractor", "field_path": ["data", "*", "parts", "*"]}}
    parts = [{"parts": ROWS[:3]}, {"parts": ROWS[3:]}]

    def answer(path, _):
        return {"data": ROWS} if path == "/items" else {"data": parts} if "c1" in path else page

    with PathApi(answer) as api:
        parent = {"stream": stream(api), "parent_key": "deep.code", "partition_field": "code"}
        router = {"type": "SubstreamPartitionRouter", "parent_stream_configs": [parent]}
        path = "/parts/{{ stream_slice.code }}"
        made = stream(api, "parts", path, partition_router=router, record_selector=rows)
        done = synced(api, stream(api), made)
    assert sorted(row["id"] for row in done.records("shop_parts")) == list(range(1, 8))


DAYS = [{"id": n, "at": f"2024-01-0{n}"} for n in range(1, 8)]


def over_time(made, **words):
    cursor = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "datetime_format": "%Y-%m-%d",
        "start_datetime": "2024-01-01",
        "step": "P1D",
        "cursor_granularity": "P1D",
    }
    return made | {"incremental_sync": cursor | words}


def option(name):
    return {"type": "RequestOption", "inject_into": "request_parameter", "field_name": name}


def test_parameter_of_a_day_is_sent_for_each_day(synced):
    def answer(_, query):
        return {"data": [row for row in DAYS if row["at"] == dict(query).get("date")]}

    with PathApi(answer) as api:
        made = over_time(stream(api), start_time_option=option("date"))
        assert synced(api, made, end_date="2024-01-08").ids() == list(range(1, 8))


def test_windows_that_a_server_insists_on_are_asked_for(synced):
    def answer(_, query):
        asked = dict(query)
        if int(asked["until"][-2:]) - int(asked["since"][-2:]) != 1:
            return 400, {}
        return {"data": [row for row in DAYS if asked["since"] <= row["at"] <= asked["until"]]}

    with PathApi(answer) as api:
        bounds = {"start_time_option": option("since"), "end_time_option": option("until")}
        made = over_time(stream(api), step="P2D", **bounds)
        assert synced(api, made, end_date="2024-01-09").ids() == list(range(1, 8))
