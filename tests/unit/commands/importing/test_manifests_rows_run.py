"""Imported manifests bring the rows that the original keeps, with the fields that it makes."""

from __future__ import annotations

import json

import pytest
from support.runs import run
from support.servers import PathApi, reply

from tap_analytics.commands.importing import import_file

LIST = {"extractor": {"type": "DpathExtractor", "field_path": ["data"]}}
ODD = [
    {"id": 1, "kind": "a", "size": 5, "tags": ["x"], "owner": {"name": "A", "at": 1}},
    {"id": 2, "kind": "b", "size": 0, "tags": [], "owner": {"name": "B", "at": 2}},
    {"id": 3, "kind": None, "size": None, "tags": None, "owner": None},
    {"id": 4},
    {"id": 5, "kind": "a", "size": "5", "tags": "x", "owner": {"at": 5}},
]


@pytest.fixture
def synced(tmp_path):
    """Import streams and run them at two widths, which bring the same; returns the last run."""

    def read(*streams, config=None, state=None, plugin=None, **parts):
        path = tmp_path / "shop.json"
        path.write_text(json.dumps({"type": "DeclarativeSource", "streams": streams, **parts}))
        imported, _ = import_file(str(path), plugin=plugin)
        assert imported.headline == f"{len(streams)} of {len(streams)} streams", imported.notes
        given = {"apis": [imported.entry], **(config or {})}
        runs = [run({**given, "concurrency": width}, state=state) for width in (1, 8)]
        assert [each.failure() for each in runs] == ["", ""]
        assert rows_of(runs[0]) == rows_of(runs[1])
        return runs[1]

    return read


def rows_of(done, name="shop_items"):
    return [message["record"] for message in done.of("RECORD", name)]


def ids_of(done, name="shop_items"):
    return [row["id"] for row in rows_of(done, name)]


def stream(api, name="items", *, selector=None, retriever=None, requester=None, **words):
    sender = {"type": "HttpRequester", "url_base": api.origin, "path": f"/{name}"}
    reader = {"requester": sender | (requester or {}), "record_selector": selector or LIST}
    return {"name": name, "primary_key": "id", "retriever": reader | (retriever or {})} | words


def served(rows):
    return PathApi(lambda *_: {"data": rows})


def added(**fields):
    values = [{"path": [name], "value": value} for name, value in fields.items()]
    return {"type": "AddFields", "fields": values}


#: The classes of a connector, as those of a plugin.
PLUGIN = """
from tap_analytics.streams.declared import DeclaredStream

class AsParametersNestedUpper(DeclaredStream):
    def get_url_params(self, context, next_page_token):
        return {**super().get_url_params(context, next_page_token), "shape": "nested"}

    def select(self, payload):
        return [row for group in payload["groups"] for row in group["rows"]]

    def post_process(self, row, context=None):
        row["kind"] = row["kind"].upper()
        return row
"""


def test_class_of_a_plugin_does_what_the_classes_of_the_manifest_do(tmp_path, monkeypatch, synced):
    (tmp_path / "places_plugins.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    groups = [{"rows": [{"id": 1, "kind": "a"}]}, {"rows": [{"id": 2, "kind": "b"}]}]
    with PathApi(
        lambda _, query: {"groups": groups if ("shape", "nested") in query else []}
    ) as api:
        made = stream(
            api,
            selector={"extractor": {"class_name": "source.Nested"}},
            requester={"type": "CustomRequester", "class_name": "source.AsParameters"},
            transformations=[added(n="1"), {"class_name": "source.Upper"}],
        )
        done = synced(made, plugin="places_plugins")
    assert [(row["id"], row["kind"], row["n"]) for row in rows_of(done)] == [
        (1, "A", 1),
        (2, "B", 1),
    ]


#: What the Airbyte CDK keeps of `ODD`: a field of null or of nothing can fail, and so can values
#: that have no order.
KEPT = [
    ("{{ record.kind == 'a' }}", [1, 5]),
    ("{{ record.kind != 'a' }}", [2, 3, 4]),
    ("{{ record['kind'] in ['a', 'b'] }}", [1, 2, 5]),
    ("{{ record.kind not in ['a'] }}", [2, 3, 4]),
    ("{{ record.kind is not none }}", [1, 2, 4, 5]),
    ("{{ record.get('kind') is not none }}", [1, 2, 5]),
    ("{{ record.size > 0 }}", [1, 3, 5]),
    ("{{ record.get('size', 0) <= 0 }}", [2, 3, 4, 5]),
    ("{{ record.owner.name != 'A' }}", [2, 3, 5]),
    ("{{ record.get('owner', {}).get('name') != 'A' }}", [2, 4, 5]),
    ("{{ (record.get('owner') or {}).get('name') != 'A' }}", [2, 3, 4, 5]),
    ("{{ 'name' in record.get('owner', {}) }}", [1, 2, 3]),
    ("{{ record.size }}", [1, 5]),
    ("{{ not record.size }}", [2, 3, 4]),
    ("{{ record.tags | length > 0 }}", [1, 3, 5]),
    ("{{ record.kind == 'a' and record.size > 1 or record.id == 2 }}", [1, 2, 5]),
    ("{{ record.kind in config.kinds or not config.kinds }}", [1, 2, 3, 4, 5]),
]


@pytest.mark.parametrize(("condition", "kept"), KEPT, ids=[each for each, _ in KEPT])
def test_filter_keeps_what_the_original_keeps(condition, kept, synced):
    selector = LIST | {"record_filter": {"type": "RecordFilter", "condition": condition}}
    with served(ODD) as api:
        assert ids_of(synced(stream(api, selector=selector))) == kept


def test_rows_that_are_filtered_have_no_children(synced):
    selector = LIST | {"record_filter": {"condition": "{{ record.kind == 'a' }}"}}
    with PathApi(lambda path, _: {"data": ODD if path == "/items" else [{"id": path}]}) as api:
        items = stream(api, selector=selector)
        config = {"stream": items, "parent_key": "id", "partition_field": "item"}
        router = {"type": "SubstreamPartitionRouter", "parent_stream_configs": [config]}
        requester = {"path": "/parts/{{ stream_partition.item }}"}
        parts = stream(api, "parts", requester=requester, retriever={"partition_router": router})
        parts["transformations"] = [added(item="{{ stream_partition['item'] }}", by="shop")]
        done = synced(items, parts)

    assert rows_of(done, "shop_parts") == [
        {"id": f"/parts/{n}", "item": n, "by": "shop"} for n in (1, 5)
    ]


def test_value_of_a_list_is_a_field_under_any_name(synced):
    def answer(_, query):
        return {"data": [{"id": dict(query)["region"]}]}

    option = {"inject_into": "request_parameter", "field_name": "region"}
    router = {"type": "ListPartitionRouter", "cursor_field": "region", "values": ["eu", "us"]}
    with PathApi(answer) as api:
        made = stream(api, retriever={"partition_router": router | {"request_option": option}})
        made["transformations"] = [added(place="in {{ stream_partition.region }}")]
        rows = rows_of(synced(made))

    assert [(row["id"], row["region"], row["place"]) for row in rows] == [
        ("eu", "eu", "in eu"),
        ("us", "us", "in us"),
    ]


def test_value_of_a_list_replaces_the_rows_own(synced):
    option = {"inject_into": "request_parameter", "field_name": "region"}
    router = {"type": "ListPartitionRouter", "cursor_field": "region", "values": ["eu", "us"]}
    with PathApi(lambda *_: {"data": [{"id": 1, "region": "all"}]}) as api:
        made = stream(api, retriever={"partition_router": router | {"request_option": option}})
        made |= {"primary_key": ["id", "region"]}
        made["transformations"] = [added(region="{{ stream_partition.region }}")]
        rows = rows_of(synced(made))

    assert [row["region"] for row in rows] == ["eu", "us"]


def test_fields_are_added_and_removed_in_order(synced):
    transformations = [
        added(full="{{ record['a b']['c.d'] }}"),
        {"type": "RemoveFields", "field_pointers": [["a b"]]},
        added(name="{{ record.owner.name }}", tag="{{ record['tags'][0] }}", n="7", s="'{{ 8 }}'"),
        {"type": "RemoveFields", "field_pointers": [["owner", "name"], ["tags"], ["gone"]]},
        added(label="{{ record.name }}-{{ record.id }}"),
    ]
    with served([{**row, "a b": {"c.d": 9}} for row in ODD[:2]]) as api:
        rows = rows_of(synced(stream(api, transformations=transformations)))

    assert rows[0] == {
        "id": 1,
        "kind": "a",
        "size": 5,
        "owner": {"at": 1},
        "full": 9,
        "name": "A",
        "tag": "x",
        "n": 7,
        "s": "8",
        "label": "A-1",
    }
    assert [row["tag"] for row in rows] == ["x", None]


def test_key_and_cursor_may_be_made_of_nested_fields(synced):
    rows = [{"meta": {"id": n, "day": f"2024-01-0{n}"}} for n in range(1, 5)]
    cursor = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "day",
        "datetime_format": "%Y-%m-%d",
        "start_datetime": "2024-01-01",
        "is_client_side_incremental": True,
    }
    changed = [added(day="{{ record.meta.day }}", no="{{ record['meta']['id'] }}")]
    with served(rows) as api:
        made = stream(api, primary_key=["no"], transformations=changed, incremental_sync=cursor)
        first = synced(made)
        state = first.of("STATE", None)[-1]["value"]
        second = synced(made, state=state)

    assert [row["no"] for row in rows_of(first)] == [1, 2, 3, 4]
    assert [row["no"] for row in rows_of(second)] == [4]


def test_nested_key_is_a_column(synced):
    with served([{"meta": {"id": n}} for n in (1, 2)]) as api:
        done = synced(stream(api, primary_key=[["meta", "id"]]))

    assert [row["meta_id"] for row in rows_of(done)] == [1, 2]
    assert done.of("SCHEMA", "shop_items")[0]["key_properties"] == ["meta_id"]


DAYS = [{"id": n, "at": f"2024-01-0{n}"} for n in range(1, 8)]


def ranged(**words):
    cursor = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "datetime_format": "%Y-%m-%d",
        "start_datetime": {"datetime": "02/01/2024", "datetime_format": "%d/%m/%Y"},
        "start_time_option": {"inject_into": "request_parameter", "field_name": "since"},
    }
    return cursor | words


def since(_, query):
    return {"data": [row for row in DAYS if row["at"] >= dict(query)["since"]]}


def test_lookback_is_read_again(synced):
    with PathApi(since) as api:
        made = stream(api, incremental_sync=ranged(lookback_window="P2D"))
        first = synced(made)
        second = synced(made, state=first.of("STATE", None)[-1]["value"])

    assert ids_of(first) == [2, 3, 4, 5, 6, 7]
    assert ids_of(second) == [5, 6, 7]


def test_lookback_of_milliseconds_is_read_again(synced):
    def answer(_, query):
        return {"data": [row for row in rows if row["at"] >= int(dict(query)["since"])]}

    rows = [{"id": n, "at": 1_704_067_200_000 + n * 1000} for n in range(1, 8)]
    cursor = ranged(datetime_format="%ms", lookback_window="PT3S", start_datetime="2024-01-01")
    with PathApi(answer) as api:
        made = stream(api, incremental_sync=cursor)
        first = synced(made)
        second = synced(made, state=first.of("STATE", None)[-1]["value"])

    assert ids_of(first) == [1, 2, 3, 4, 5, 6, 7]
    assert ids_of(second) == [4, 5, 6, 7]


def test_filter_by_the_start_of_a_run_is_that_of_the_cursor(synced):
    rule = {"condition": "{{ record['at'] >= stream_interval['start_time'] }}"}
    cursor = ranged()
    del cursor["start_time_option"]
    with served(DAYS) as api:
        made = stream(api, selector=LIST | {"record_filter": rule}, incremental_sync=cursor)
        first = synced(made)
        second = synced(made, state=first.of("STATE", None)[-1]["value"])

    assert ids_of(first) == [2, 3, 4, 5, 6, 7]
    assert ids_of(second) == [7]


def test_start_that_only_a_user_knows_is_never_left_out(synced, tmp_path):
    cursor = ranged(start_datetime="{{ config['start_date'] }}")
    with PathApi(since) as api:
        made = stream(api, incremental_sync=cursor)
        done = synced(made, config={"start_date": "2024-01-05T00:00:00Z"})
        path = tmp_path / "shop.json"
        imported, _ = import_file(str(path))
        failed = run({"apis": [imported.entry]})

    assert ids_of(done) == [5, 6, 7]
    assert "needs {incremental.start_value}" in failed.failure("shop_items")


def test_all_rows_are_read_in_each_run_where_nothing_filters_them(synced):
    cursor = ranged()
    del cursor["start_time_option"]
    with served(DAYS) as api:
        done = synced(stream(api, incremental_sync=cursor))

    assert ids_of(done) == [1, 2, 3, 4, 5, 6, 7]
    assert done.of("STATE", None) == []


@pytest.mark.parametrize("place", ["header", "body_json", "body_data"])
def test_range_is_sent_in_headers_and_bodies(place, synced):
    option = {"inject_into": place, "field_name": "Since"}
    end = {"inject_into": place, "field_name": "Until"}
    method = {"http_method": "GET" if place == "header" else "POST"}
    cursor = ranged(start_time_option=option, end_time_option=end, step="P3D")
    cursor |= {"cursor_granularity": "P1D"}
    with served([]) as api:
        made = stream(api, requester=method, incremental_sync=cursor)
        synced(made, config={"end_date": "2024-01-07T00:00:00Z"})
        sent = {
            (each.headers.get("since"), each.headers.get("until"))
            if place == "header"
            else each.body.decode()
            for each in api.requests
        }

    windows = [("2024-01-02", "2024-01-04"), ("2024-01-05", "2024-01-06")]
    written = {
        "header": windows,
        "body_json": [f'{{"Since":"{first}","Until":"{last}"}}' for first, last in windows],
        "body_data": [f"Since={first}&Until={last}" for first, last in windows],
    }
    assert sent == set(written[place])


@pytest.mark.parametrize(
    ("decoder", "body"),
    [
        ({"type": "JsonlDecoder"}, b'{"id": 1, "x": "a"}\n{"id": 2, "x": "b"}\n'),
        ({"type": "CsvDecoder", "delimiter": ";"}, b"id;x\n1;a\n2;b\n"),
    ],
)
def test_rows_in_other_formats_are_read(decoder, body, synced):
    made_of = {"extractor": {"type": "DpathExtractor", "field_path": []}}
    columns = {"id": {"type": "integer"}, "x": {"type": ["string", "null"]}}
    schema = {"type": "object", "properties": columns}
    with PathApi(lambda *_: reply(200, body, Content_Type="text/plain")) as api:
        made = stream(api, selector=made_of, retriever={"decoder": decoder})
        made["schema_loader"] = {"type": "InlineSchemaLoader", "schema": schema}
        assert rows_of(synced(made)) == [{"id": 1, "x": "a"}, {"id": 2, "x": "b"}]


@pytest.mark.parametrize("held", [{"a": {"id": 1}, "b": {"id": 2}}, [{"id": 1}, {"id": 2}]])
def test_wildcard_is_for_lists_and_maps(held, synced):
    selector = {"extractor": {"type": "DpathExtractor", "field_path": ["data", "*"]}}
    with served(held) as api:
        assert ids_of(synced(stream(api, selector=selector))) == [1, 2]
