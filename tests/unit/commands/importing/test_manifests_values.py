"""Imported manifests send the values of parents, lists and windows that the original sends."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from support.runs import run
from support.servers import PathApi

from tap_analytics.commands.importing import import_file

SHOPS = [{"id": n, "name": f"s {n}/{n}", "at": {"code": f"c{n}"}} for n in (1, 2)]
LIST = {"extractor": {"type": "DpathExtractor", "field_path": ["data"]}}


@pytest.fixture
def sent(tmp_path):
    """Import streams and run them at two widths; returns the requests of `/parts`, and the run."""

    def read(api, *streams, config=None, **parts):
        path = tmp_path / "shop.json"
        path.write_text(json.dumps({"type": "DeclarativeSource", "streams": streams, **parts}))
        imported, _ = import_file(str(path))
        assert imported.headline == f"{len(streams)} of {len(streams)} streams", imported.notes
        found = []
        for width in (1, 8):
            api.requests.clear()
            done = run({"apis": [imported.entry], "concurrency": width} | (config or {}))
            assert done.failure("shop_parts") == ""
            asked = [each for each in api.requests if each.path.startswith("/parts")]
            found.append([(each.target, each.body.decode(), dict(each.headers)) for each in asked])
        assert sorted(map(str, found[0])) == sorted(map(str, found[1]))
        return sorted(found[0], key=str), done

    return read


def stream(api, name, path=None, router=None, cursor=None, **requester):
    sender = {"type": "HttpRequester", "url_base": api.origin, "path": path or f"/{name}"}
    retriever = {"requester": sender | requester, "record_selector": LIST}
    retriever |= {"partition_router": router} if router else {}
    made = {"name": name, "primary_key": "id", "retriever": retriever}
    return made | ({"incremental_sync": cursor} if cursor else {})


def below(parent, key="id", name="shop", **words):
    config = {"stream": parent, "parent_key": key, "partition_field": name, **words}
    return {"type": "SubstreamPartitionRouter", "parent_stream_configs": [config]}


def listed(values, name="size", **words):
    return {"type": "ListPartitionRouter", "cursor_field": name, "values": values, **words}


def answer(path, _):
    return {"data": SHOPS if path == "/shops" else []}


def option(place, name):
    return {"type": "RequestOption", "inject_into": place, "field_name": name}


@pytest.mark.parametrize(
    ("router", "requester", "targets", "bodies"),
    [
        (
            {"key": "name"},
            {"path": "/parts/{{ stream_slice.shop }}"},
            ["/parts/s%201/1", "/parts/s%202/2"],
            [""],
        ),
        (
            {"key": "name"},
            {"path": "/parts/{{ sanitize_url(stream_slice.shop) }}"},
            ["/parts/s%201%2F1", "/parts/s%202%2F2"],
            [""],
        ),
        (
            {"key": "at/code"},
            {"request_parameters": {"q": "shop:{{ stream_partition['shop'] }}"}},
            ["/parts?q=shop%3Ac1", "/parts?q=shop%3Ac2"],
            [""],
        ),
        (
            {"extra_fields": [["at", "code"]]},
            {
                "http_method": "POST",
                "request_body_json": {
                    "ids": ["{{ stream_partition.shop }}"],
                    "of": {"code": "{{ stream_slice.extra_fields['at.code'] }}", "n": "5"},
                },
            },
            ["/parts"],
            [f'{{"ids":[{n}],"of":{{"code":"c{n}","n":5}}}}' for n in (1, 2)],
        ),
        (
            {},
            {
                "http_method": "POST",
                "request_body": {
                    "type": "RequestBodyUrlEncodedForm",
                    "value": {"a": "{{ stream_partition.shop }}", "b": "['x', 'y']"},
                },
            },
            ["/parts"],
            ["a=1&b=x&b=y", "a=2&b=x&b=y"],
        ),
        (
            {},
            {
                "http_method": "POST",
                "request_body": {
                    "type": "RequestBodyGraphQL",
                    "value": {
                        "query": "{ shop(id: {{ stream_partition.shop }}) { parts { id } } }"
                    },
                },
            },
            ["/parts"],
            [f'{{"query":"{{ shop(id: {n}) {{ parts {{ id }} }} }}"}}' for n in (1, 2)],
        ),
        (
            {},
            {
                "http_method": "POST",
                "request_headers": {"Content-Type": "application/json"},
                "request_body_data": '{"shop": "{{ stream_partition.shop }}", "open": true}',
            },
            ["/parts"],
            ['{"shop":1,"open":true}', '{"shop":2,"open":true}'],
        ),
        (
            {"request_option": option("body_json", "shop")},
            {"http_method": "POST", "request_body_json": {"a": 1}},
            ["/parts"],
            ['{"a":1,"shop":1}', '{"a":1,"shop":2}'],
        ),
    ],
)
def test_value_of_each_parent_is_sent(router, requester, targets, bodies, sent):
    with PathApi(answer) as api:
        shops = stream(api, "shops")
        asked, _ = sent(
            api, shops, stream(api, "parts", router=below(shops, **router), **requester)
        )

    assert sorted({target for target, _, _ in asked}) == targets
    assert sorted({body for _, body, _ in asked}) == bodies
    assert len(asked) == len(SHOPS)


def test_value_of_each_parent_is_sent_in_a_header(sent):
    with PathApi(answer) as api:
        shops = stream(api, "shops")
        router = below(shops, request_option=option("header", "X-Shop"))
        asked, _ = sent(api, shops, stream(api, "parts", router=router))

    assert sorted(headers["x-shop"] for _, _, headers in asked) == ["1", "2"]


def test_values_of_grandparents_and_their_lists_are_sent(sent):
    def server(path, query):
        region = dict(query).get("region")
        if path == "/shops":
            return {"data": [{"id": f"{region}{n}"} for n in (1, 2)]}
        return {"data": [{"id": "p"}] if path.startswith("/items") else []}

    with PathApi(server) as api:
        lists = listed(["eu", "us"], "region", request_option=option("request_parameter", "region"))
        shops = stream(api, "shops", router=lists)
        items = stream(api, "items", "/items/{{ stream_slice.shop }}", below(shops))
        path = "/parts/{{ stream_slice.parent_slice.shop }}/{{ stream_partition.item }}"
        region = {"r": "{{ stream_slice.parent_slice.parent_slice.region }}"}
        parts = stream(api, "parts", path, below(items, name="item"), request_parameters=region)
        asked, _ = sent(api, shops, items, parts)

    targets = [f"/parts/{region}{n}/p?r={region}" for region in ("eu", "us") for n in (1, 2)]
    assert [target for target, _, _ in asked] == targets


def test_lists_are_crossed_with_each_other_and_with_parents(sent):
    with PathApi(answer) as api:
        shops = stream(api, "shops")
        sizes = listed([1, 2], request_option=option("request_parameter", "size"))
        colours = listed("{{ config['colours'] }}", "colour")
        settings = {"properties": {"colours": {"default": ["red", "blue"]}}}
        path = "/parts/{{ stream_slice.shop }}/{{ stream_partition.colour }}"
        made = stream(api, "parts", path, [below(shops), sizes, colours])
        asked, _ = sent(api, shops, made, spec={"connection_specification": settings})

    assert {target for target, _, _ in asked} == {
        f"/parts/{shop}/{colour}?size={size}"
        for shop in (1, 2)
        for colour in ("red", "blue")
        for size in (1, 2)
    }


def test_list_from_a_setting_is_that_of_its_variable(sent, monkeypatch):
    monkeypatch.setenv("SHOP_COLOURS", "red, blue")
    with PathApi(answer) as api:
        router = listed("{{ config['colours'] }}", "colour")
        made = stream(api, "parts", "/parts/{{ stream_slice['colour'] }}", router)
        asked, _ = sent(api, made)

    assert [target for target, _, _ in asked] == ["/parts/blue", "/parts/red"]


def test_moment_of_the_run_is_sent(sent):
    before = datetime.now(UTC).date()
    with PathApi(answer) as api:
        to = {"from": "2024-01-01", "to": "{{ now_utc().strftime('%Y-%m-%d') }}"}
        asked, _ = sent(api, stream(api, "parts", request_parameters=to))

    days = {str(before), str(datetime.now(UTC).date())}
    assert {target for target, _, _ in asked} <= {
        f"/parts?from=2024-01-01&to={day}" for day in days
    }


# --- windows --------------------------------------------------------------------------------

TIME = {
    "type": "DatetimeBasedCursor",
    "cursor_field": "at",
    "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
    "start_datetime": "2024-01-01T00:00:00Z",
    "step": "P1D",
    "cursor_granularity": "PT1S",
}
TWO_DAYS = {"end_date": "2024-01-03T00:00:00Z"}


@pytest.mark.parametrize(
    ("requester", "targets", "bodies"),
    [
        (
            {"path": "/parts/{{ stream_interval.start_time }}"},
            ["/parts/2024-01-01T00%3A00%3A00Z", "/parts/2024-01-02T00%3A00%3A00Z"],
            [""],
        ),
        (
            {
                "request_parameters": {
                    "q": "at>={{ format_datetime(stream_slice['start_time'], '%Y-%m-%d') }}",
                    "to": "{{ format_datetime(stream_slice.end_time, '%Y-%m-%d') }}",
                }
            },
            [
                "/parts?q=at%3E%3D2024-01-01&to=2024-01-01",
                "/parts?q=at%3E%3D2024-01-02&to=2024-01-02",
            ],
            [""],
        ),
        (
            {
                "http_method": "POST",
                "request_body_json": {
                    "from": "{{ (timestamp(stream_interval['start_time']) * 1000) | int }}",
                    "to": "{{ (timestamp(stream_interval['end_time']) * 1000) | int }}",
                },
            },
            ["/parts"],
            [
                '{"from":1704067200000,"to":1704153599000}',
                '{"from":1704153600000,"to":1704239999000}',
            ],
        ),
        (
            {"request_parameters": {"since": "{{ stream_interval.start_time or '' }}"}},
            ["/parts?since=2024-01-01T00%3A00%3A00Z", "/parts?since=2024-01-02T00%3A00%3A00Z"],
            [""],
        ),
    ],
)
def test_ends_of_each_window_are_sent(requester, targets, bodies, sent):
    with PathApi(answer) as api:
        made = stream(api, "parts", cursor=TIME, **requester)
        asked, _ = sent(api, made, config=TWO_DAYS)

    assert sorted({target for target, _, _ in asked}) == targets
    assert sorted({body for _, body, _ in asked}) == bodies


START_OF = "{{ stream_slice.start_time%s }}"
END_OF = "{{ stream_slice.end_time%s }}"


@pytest.mark.parametrize(
    ("path", "targets"),
    [
        (f"/{START_OF % '[:4]'}/{START_OF % '[5:7] | int'}", ["/2024/1", "/2024/2"]),
        ("/" + START_OF % "[:7]", ["/2024-01", "/2024-02"]),
        ("/" + START_OF % ".split('T')[0].split('-')[1]", ["/01", "/02"]),
    ],
)
def test_parts_of_the_start_of_a_window_are_sent(path, targets, sent):
    with PathApi(answer) as api:
        made = stream(api, "parts", f"/parts{path}", cursor=TIME | {"step": "P1M"})
        asked, _ = sent(api, made, config={"end_date": "2024-03-01T00:00:00Z"})

    assert sorted({target for target, _, _ in asked}) == [f"/parts{each}" for each in targets]


@pytest.mark.parametrize(
    ("step", "requester"),
    [
        # Several windows would be asked for by the same request.
        ("P1D", {"path": "/parts/" + START_OF % "[:7]"}),
        ("P1M", {"path": "/parts/" + END_OF % "[:4]"}),
        ("P1M", {"path": "/parts/" + START_OF % "[:7].replace('-', '/')"}),
        # There it is a number.
        ("P1M", {"http_method": "POST", "request_body_json": {"year": START_OF % "[:4]"}}),
    ],
)
def test_other_parts_of_a_window_leave_the_stream_out(step, requester, tmp_path):
    with PathApi(answer) as api:
        streams = [
            stream(api, "shops"),
            stream(api, "parts", cursor=TIME | {"step": step}, **requester),
        ]
    path = tmp_path / "shop.json"
    path.write_text(json.dumps({"type": "DeclarativeSource", "streams": streams}))
    imported, _ = import_file(str(path))

    assert imported.headline == "1 of 2 streams"
