"""Streams that are read once for each value of a list."""

from __future__ import annotations

import json
import threading

import pytest
from support.patience import PATIENCE
from support.runs import STREAM, declared, discover, run, select
from support.servers import PathApi

from tap_analytics.commands.plan.sync_plan import SyncPlan
from tap_analytics.tap import TapAnalytics

REGIONS = {"region": ["eu", "us", "asia"]}
ROWS = {"eu": [1, 2, 3], "us": [4, 5], "asia": []}


def paged(rows, query):
    """Return a page of two rows, with the total of all."""
    start = int(query.get("offset", 0))
    return {"data": rows[start : start + 2], "total": len(rows)}


def shop(origin, *, partitions=REGIONS, concurrency=1, endpoint=None, **more):
    given = {
        "path": "/{partitions.region}/items",
        "paginator": {"type": "offset", "limit": 2, "total_path": "total"},
        **(endpoint or {}),
    }
    return declared(origin, endpoint=given, partitions=partitions, concurrency=concurrency, **more)


def by_region(path, pairs):
    region = path.split("/")[1]
    if region not in ROWS:
        return 404, {"error": "no such region"}
    return paged([{"id": number} for number in ROWS[region]], dict(pairs))


EXPECTED = [
    {"id": number, "region": region} for region, numbers in ROWS.items() for number in numbers
]


def test_each_value_is_read_as_one_stream_at_every_width():
    found, asked = [], []
    for concurrency in (1, 8):
        with PathApi(by_region) as api:
            done = run(shop(api.origin, concurrency=concurrency))
            asked.append(sorted({path for path, _ in api.asked}))
        assert done.error is None
        assert done.records() == EXPECTED
        assert done.verdict() == "verified"
        found.append(done.streams)
    assert found[0] == found[1]
    assert asked[0] == asked[1] == ["/asia/items", "/eu/items", "/us/items"]


def test_the_next_values_are_requested_side_by_side():
    asked, together = [], threading.Event()

    def answer(path, pairs):
        asked.append(path)
        if len(asked) == 10:
            together.set()
        # The first list shows that it is short; then eight are read at once.
        assert path in {"/r0/items", "/r1/items"} or together.wait(PATIENCE)
        return [{"id": path}]

    with PathApi(answer) as api:
        values = {"region": [f"r{number}" for number in range(40)]}
        endpoint = {"paginator": "single_page", "data_selector": None}
        given = shop(api.origin, partitions=values, endpoint=endpoint, concurrency=8)
        given["apis"][0]["resources"][0]["schema"] = {"properties": {"id": {"type": "string"}}}
        done = run(given)
        assert len(api.asked) == 40
    assert done.error is None
    assert done.ids() == [f"/r{number}/items" for number in range(40)]


def test_lists_of_many_pages_leave_the_room_to_them():
    def answer(path, pairs):
        return paged([{"id": f"{path[1]}{number}"} for number in range(20)], dict(pairs))

    with PathApi(answer) as api:
        lists = {"region": ["a", "b", "c", "d", "e", "f", "g", "h", "i"]}
        done = run(shop(api.origin, partitions=lists, concurrency=8))
        paths = [path for path, _ in api.asked]
    assert len(done.ids()) == 180
    before = paths[: len(paths) - paths[::-1].index("/a/items")]
    assert set(before) <= {"/a/items", "/b/items"}


def test_lists_with_children_leave_the_room_to_them():
    together, asked = threading.Event(), []
    schema = {"properties": {"id": {"type": "string"}}}

    def answer(path, pairs):
        if path.startswith("/parts"):
            asked.append(path)
            if len(asked) == 2:
                together.set()
            # The first child isn't answered before another one has been asked for.
            assert together.wait(PATIENCE)
            return [{"id": path}]
        return {"data": [{"id": f"{path[1]}{number}"} for number in range(9)]}

    parts = {
        "name": "parts",
        "primary_key": "id",
        "endpoint": {"path": "/parts/{resources.items.id}", "paginator": "single_page"},
        "schema": schema,
    }
    with PathApi(answer) as api:
        given = shop(
            api.origin,
            endpoint={"paginator": "single_page"},
            children=[parts],
            concurrency=2,
            schema=schema,
        )
        done = run(given)
    assert done.error is None
    assert len(done.ids("shop_parts")) == 27


@pytest.mark.parametrize("concurrency", [1, 8])
def test_values_stand_anywhere_in_a_request(concurrency):
    def answer(path, pairs):
        return {"data": []}

    endpoint = {
        "path": "/items",
        "method": "POST",
        "params": {"kind": "{partitions.kind}"},
        "headers": {"X-Region": "{partitions.region}"},
        "json": {"kind": "{partitions.kind}", "text": "kind:{partitions.kind}"},
        "paginator": "single_page",
    }
    lists = {"region": "eu, us", "kind": [1, 2]}
    with PathApi(answer) as api:
        done = run(
            shop(api.origin, partitions=lists, endpoint=endpoint, concurrency=concurrency),
        )
        found = [
            (each.query["kind"], each.headers["x-region"], json.loads(each.body))
            for each in api.requests
        ]
    assert done.error is None
    bodies = {number: {"kind": number, "text": f"kind:{number}"} for number in (1, 2)}
    expected = [
        (str(number), region, bodies[number]) for region in ("eu", "us") for number in (1, 2)
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_a_row_keeps_its_own_value():
    with PathApi(lambda path, pairs: {"data": [{"id": path, "region": "own"}]}) as api:
        done = run(shop(api.origin, endpoint={"paginator": "single_page"}))
    assert {each["region"] for each in done.records()} == {"own"}


# --- keys -------------------------------------------------------------------------------------


def same_rows(path, pairs):
    return paged([{"id": 1}, {"id": 2}], dict(pairs))


def test_keys_may_be_unique_within_a_value_where_its_column_is_part_of_the_key():
    with PathApi(same_rows) as api:
        done = run(shop(api.origin, primary_key=["region", "id"]))
    assert len(done.records()) == 6
    assert done.verdict() == "verified"
    assert done.of("SCHEMA")[0]["key_properties"] == ["region", "id"]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_key_under_two_values_is_a_doubt(concurrency):
    with PathApi(same_rows) as api:
        done = run(shop(api.origin, concurrency=concurrency))
    assert done.verdict() == "unverified"
    assert "received more than once" in done.tap.run.results[STREAM].finding.missing


# --- parents and children ---------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_children_are_read_below_the_rows_of_every_value(concurrency):
    def answer(path, pairs):
        if path.startswith("/parts/"):
            return [{"id": f"p{path[7:]}"}]
        return by_region(path, pairs)

    parts = {
        "name": "parts",
        "primary_key": "id",
        "endpoint": {
            "path": "/parts/{resources.items.region}-{resources.items.id}",
            "paginator": "single_page",
        },
        "include_from_parent": ["region"],
    }
    with PathApi(answer) as api:
        done = run(shop(api.origin, children=[parts], concurrency=concurrency))
    assert done.error is None
    assert done.records("shop_parts") == [
        {"id": f"p{each['region']}-{each['id']}", "_items_region": each["region"]}
        for each in EXPECTED
    ]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_values_are_crossed_with_parents(concurrency):
    def answer(path, pairs):
        if path == "/items":
            return {"data": [{"id": 1}, {"id": 2}]}
        return [{"id": f"{path}?{dict(pairs)['kind']}"}]

    parts = {
        "name": "parts",
        "primary_key": "id",
        "partitions": {"kind": ["a", "b"]},
        "endpoint": {
            "path": "/items/{item_id}/parts",
            "params": {"kind": "{partitions.kind}"},
            "paginator": "single_page",
        },
    }
    with PathApi(answer) as api:
        endpoint = {"paginator": "single_page"}
        given = declared(api.origin, endpoint=endpoint, children=[parts], concurrency=concurrency)
        done = run(given)
    assert done.records("shop_parts") == [
        {"id": f"/items/{parent}/parts?{kind}", "item_id": parent, "kind": kind}
        for parent in (1, 2)
        for kind in ("a", "b")
    ]


# --- failures and limits ----------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_value_that_the_server_lacks_fails_the_stream(concurrency):
    with PathApi(by_region) as api:
        lists = {"region": ["eu", "moon", "us"]}
        done = run(shop(api.origin, partitions=lists, concurrency=concurrency))
    assert "404" in done.failure()
    assert done.ids() == [1, 2, 3]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_total_that_one_value_misses_makes_the_stream_short(concurrency):
    def answer(path, pairs):
        page = by_region(path, pairs)
        return {**page, "total": 7} if path == "/us/items" else page

    with PathApi(answer) as api:
        done = run(shop(api.origin, concurrency=concurrency))
    assert done.verdict() == "short"


def test_a_record_limit_ends_between_values():
    with PathApi(by_region) as api:
        done = run(shop(api.origin, concurrency=8) | {"max_records": 3})
    assert done.ids() == [1, 2, 3]
    assert done.verdict() == "unverified"


def test_a_plan_counts_every_value():
    values = {"region": [f"r{number}" for number in range(40)]}
    with PathApi(lambda path, pairs: {"data": [{"id": path}]}) as api:
        given = shop(api.origin, partitions=values, endpoint={"paginator": "single_page"})
        planned = SyncPlan(TapAnalytics(config=given, setup_mapper=False))
        (estimate,) = planned.estimates
        before = len(api.asked)
        run(given)
        sent = len(api.asked) - before
    assert before < 5
    assert (estimate.figures.requests, estimate.figures.wanted) == (40, 40)
    assert sent == 40


def test_the_doctor_checks_a_value(doctor):
    with PathApi(by_region) as api:
        report = doctor(shop(api.origin))
    assert report.findings == []


# --- bookmarks --------------------------------------------------------------------------------


def test_there_is_one_bookmark_and_a_new_value_is_read_from_its_start():
    def answer(path, pairs):
        region, since = path.split("/")[1], dict(pairs).get("since", "")
        times = [f"2024-01-0{number}" for number in (1, 2, 3)]
        return {"data": [{"id": f"{region}{at}", "at": at} for at in times if at >= since]}

    endpoint = {
        "paginator": "single_page",
        "incremental": {"cursor_path": "at", "start_param": "since", "cursor_format": "iso"},
    }
    with PathApi(answer) as api:
        first = run(shop(api.origin, partitions={"region": ["eu"]}, endpoint=endpoint))
        lists = {"region": ["eu", "us"]}
        second = run(shop(api.origin, partitions=lists, endpoint=endpoint), state=first.state)
        asked = api.asked[1:]
    assert first.bookmark() == second.bookmark() == "2024-01-03"
    assert second.ids() == ["eu2024-01-03", "us2024-01-01", "us2024-01-02", "us2024-01-03"]
    assert [("since" in dict(pairs)) for path, pairs in asked if path == "/us/items"] == [False]


def test_the_schema_is_sampled_of_the_first_value_with_rows():
    with PathApi(by_region) as api:
        catalog = discover(shop(api.origin, partitions={"region": ["asia", "us"]}))
        done = run(
            shop(api.origin, partitions={"region": ["asia", "us"]}),
            catalog=select(catalog, STREAM),
        )
    (entry,) = catalog["streams"]
    assert set(entry["schema"]["properties"]) == {"id", "region"}
    assert done.ids() == [4, 5]
