"""Selectors, keys, bookmarks and parents as the doctor finds them."""

from __future__ import annotations

import json

import pytest
from support.doctor import cut, items
from support.runs import declared
from support.servers import JsonApi, ScriptedServer, reply

ROWS = items(10)
ONCE = {"paginator": "single_page"}


# --- the selector -----------------------------------------------------------------------------


def test_a_list_at_another_path_is_found(doctor):
    endpoint = {"paginator": {"type": "offset", "limit": 4, "total_path": None}}
    report = doctor.check_patch(
        lambda query: {"result": {"items": cut(ROWS, query)}, "facets": []},
        rows=10,
        endpoint=endpoint,
    )
    assert report.findings == [("wrong", "selector")]
    assert report.resource == {"endpoint": {"data_selector": "result.items"}}
    assert "the response holds a list at `result.items`" in report.texts


def test_a_response_that_is_the_list_is_found(doctor):
    report = doctor.check_patch(lambda _: ROWS, rows=10, endpoint=ONCE)
    assert report.resource == {"endpoint": {"data_selector": None}}


def test_a_missing_selector_is_found(doctor):
    endpoint = ONCE | {"data_selector": None}
    report = doctor.check_patch(lambda _: {"items": ROWS}, rows=10, endpoint=endpoint)
    assert report.resource == {"endpoint": {"data_selector": "items"}}


def test_a_selector_that_takes_the_wrapper_for_a_row_is_found(doctor):
    report = doctor.check_patch(lambda _: {"data": {"rows": ROWS, "n": 1}}, rows=10, endpoint=ONCE)
    assert report.findings == [("wrong", "selector")]
    assert report.resource == {"endpoint": {"data_selector": "data.rows"}}


def test_a_selector_that_takes_an_empty_list_beside_the_rows_is_found(doctor):
    report = doctor.check_patch(
        lambda _: {"data": [], "items": ROWS}, rows=10, wrong=False, endpoint=ONCE
    )
    assert report.findings == [("warning", "selector")]


def test_a_response_without_a_list_is_reported(doctor):
    with JsonApi(lambda _: {"status": "fine"}) as api:
        report = doctor(declared(api.origin, endpoint=ONCE))
    assert (report.code, report.patch) == (1, {})
    assert "the response is an object with `status`" in report.texts


def test_an_empty_list_is_no_error(doctor):
    with JsonApi(lambda _: {"data": []}) as api:
        report = doctor(declared(api.origin, endpoint=ONCE))
        assert len(api.requests) == 1
    assert (report.code, report.patch) == (0, {})
    assert report.findings == [("note", "empty")]


# --- keys -------------------------------------------------------------------------------------


def test_another_key_is_suggested_for_a_missing_one(doctor):
    rows = [{"uuid": f"u{row['id']}", "n": row["id"]} for row in ROWS]
    report = doctor.check_patch(lambda _: {"data": rows}, rows=10, key="n", endpoint=ONCE)
    assert report.findings == [("wrong", "key_missing")]
    assert report.resource == {"primary_key": "uuid"}


def test_a_missing_key_hides_no_wrong_paginator(doctor):
    rows = [{"uuid": f"u{row['id']}", "n": row["id"]} for row in ROWS]
    report = doctor.check_patch(
        lambda query: {"data": cut(rows, query), "offset": int(query.get("offset", 0))},
        rows=10,
        key="n",
        endpoint={"paginator": {"type": "page_number", "limit": 4}},
    )
    assert report.findings == [("wrong", "key_missing"), ("wrong", "number_ignored")]


def test_a_key_named_for_the_resource_is_found(doctor):
    rows = [{"group_id": 1, "item_id": f"i{row['id']}", "n": row["id"]} for row in ROWS]
    report = doctor.check_patch(lambda _: {"data": rows}, rows=10, key="n", endpoint=ONCE)
    assert report.resource == {"primary_key": "item_id"}


def test_doing_without_a_key_is_never_suggested_as_a_setting(doctor):
    rows = [{"n": row["id"], "colour": "red"} for row in ROWS]
    with JsonApi(lambda _: {"data": rows}) as api:
        report = doctor(declared(api.origin, endpoint=ONCE))
    assert (report.code, report.patch) == (1, {})
    assert report.findings == [("wrong", "key_missing")]
    assert "`primary_key: null` with `write_disposition: append`" in report.texts


def test_a_key_that_is_only_the_default_is_a_warning(doctor):
    rows = [{"uid": row["id"]} for row in ROWS]
    with JsonApi(lambda _: {"data": rows}) as api:
        config = declared(api.origin, endpoint=ONCE)
        [entry] = config["apis"]
        del entry["resources"][0]["primary_key"]
        entry["resource_defaults"] = {"primary_key": "id"}
        report = doctor(config)
    assert (report.code, report.findings) == (0, [("warning", "key_missing")])
    assert report.resource == {"primary_key": "uid"}


def test_a_unique_key_is_suggested_for_a_repeated_one(doctor):
    rows = [{"id": row["id"] // 2, "line": row["id"] % 2, "n": row["id"]} for row in ROWS]
    report = doctor.check_patch(lambda _: {"data": rows}, rows=10, key="n", endpoint=ONCE)
    assert report.findings == [("wrong", "key_repeated")]
    assert report.resource == {"primary_key": ["id", "line"]}
    assert report.stream()["key"] == "repeated"


def test_a_key_repeated_on_the_second_page_is_reported(doctor):
    rows = [{"id": (row["id"] - 1) % 4 + (row["id"] > 4) * 3, "n": row["id"]} for row in ROWS[:8]]
    endpoint = {"paginator": {"type": "offset", "limit": 4}}
    with JsonApi(lambda query: {"data": cut(rows, query), "total": 8}) as api:
        report = doctor(declared(api.origin, endpoint=endpoint))
    assert report.code == 1
    assert report.findings == [("wrong", "overlap")]


def test_identical_rows_need_no_other_key(doctor):
    with JsonApi(lambda _: {"data": [*ROWS, ROWS[0]]}) as api:
        report = doctor(declared(api.origin, endpoint=ONCE))
    assert (report.code, report.patch) == (1, {})


# --- bookmarks --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["changed", "name"])
def test_a_missing_or_unreadable_replication_key_is_reported(doctor, key):
    endpoint = ONCE | {"incremental": {"cursor_path": key}}
    report = doctor.check_patch(lambda _: {"data": ROWS}, rows=10, endpoint=endpoint)
    code = "bookmark_unreadable" if key == "name" else "bookmark_missing"
    assert report.findings == [("wrong", code)]
    assert report.resource == {"endpoint": {"incremental": {"cursor_path": "updated_at"}}}


def test_a_readable_replication_key_has_no_findings(doctor):
    endpoint = ONCE | {"incremental": {"cursor_path": "updated_at"}}
    with JsonApi(lambda _: {"data": ROWS}) as api:
        report = doctor(declared(api.origin, endpoint=endpoint))
    assert (report.code, report.patch) == (0, {})
    assert report.stream()["bookmark"] == "reads"


def test_rows_without_the_replication_key_are_noted(doctor):
    endpoint = ONCE | {"incremental": {"cursor_path": "updated_at"}}
    with JsonApi(lambda _: {"data": [*ROWS, {"id": 11}]}) as api:
        report = doctor(declared(api.origin, endpoint=endpoint))
    assert (report.code, report.findings) == (0, [("note", "bookmark_partial")])


def test_a_refused_filter_is_reported(doctor):
    def answer(query):
        return reply(400, b'{"error": "since?"}') if "since" in query else {"data": ROWS}

    incremental = {"cursor_path": "updated_at", "cursor_format": "iso", "start_param": "since"}
    report = doctor.check_patch(
        answer,
        rows=10,
        wrong=False,
        start_date="2025-01-01",
        endpoint=ONCE | {"incremental": incremental},
    )
    assert report.findings == [("warning", "filter_refused")]
    assert report.resource == {"endpoint": {"incremental": {"start_param": None}}}


# --- parents ----------------------------------------------------------------------------------


class Family(JsonApi):
    """Items, and the parts of each; answers by path."""

    def __init__(self, parents, parts):
        super().__init__(lambda query: None)
        self._script = lambda received: self._reply(self._at(received.target, parents, parts))

    @staticmethod
    def _at(target, parents, parts):
        path = target.partition("?")[0].strip("/").split("/")
        return {"data": parents} if len(path) == 1 else parts(path[1])


PARTS = {
    "name": "parts",
    "endpoint": {"path": "/items/{item_id}/parts", "data_selector": "data"} | ONCE,
    "primary_key": ["item_id", "id"],
}


def test_a_child_is_requested_for_the_first_parent(doctor):
    with Family(ROWS, lambda item: {"data": [{"id": f"{item}.1"}]}) as api:
        report = doctor(declared(api.origin, endpoint=ONCE, children=[PARTS]))
        below = [path for path in api.paths if path.endswith("parts")]
    assert (report.code, report.patch) == (0, {})
    assert set(below) == {"/items/1/parts"}
    assert len(below) <= 3
    assert len(api.paths) - len(below) <= 3
    assert report.stream("shop_parts")["rows"] == 1


@pytest.mark.parametrize("first", [reply(404, b"{}"), {"data": []}], ids=["gone", "empty"])
def test_a_second_parent_is_tried_if_the_first_has_no_children(doctor, first):
    parts = lambda item: first if item == "1" else {"data": [{"id": "x"}]}  # noqa: E731 - one line
    with Family(ROWS, parts) as api:
        report = doctor(declared(api.origin, endpoint=ONCE, children=[PARTS]))
        assert len([path for path in api.paths if path.endswith("parts")]) <= 4
    assert report.code == 0
    assert report.stream("shop_parts")["rows"] == 1


def test_a_child_is_not_checked_without_a_row_of_its_parent(doctor):
    with Family([], lambda _: {"data": []}) as api:
        report = doctor(declared(api.origin, endpoint=ONCE, children=[PARTS]))
        assert not [path for path in api.paths if path.endswith("parts")]
    assert report.code == 0
    assert report.stream("shop_parts")["result"] == "not checked"
    assert "shop_items" in report.stream("shop_parts")["not_checked"]


def test_a_child_of_a_parent_that_fails_is_not_checked(doctor):
    with JsonApi(lambda _: reply(500, b"{}")) as api:
        report = doctor(declared(api.origin, endpoint=ONCE, children=[PARTS]))
    assert report.code == 1
    assert report.stream("shop_parts")["not_checked"] == "its parent shop_items failed"


def test_a_parent_without_the_field_is_reported(doctor):
    rows = [{"number": 1}]
    with Family(rows, lambda _: {"data": []}) as api:
        config = declared(api.origin, endpoint=ONCE, primary_key="number", children=[PARTS])
        report = doctor(config)
    assert (report.code, report.findings) == (1, [("wrong", "parent_field")])


def test_checking_only_a_child_takes_one_request_to_its_parent(doctor):
    with Family(ROWS, lambda item: {"data": [{"id": f"{item}.1"}]}) as api:
        config = declared(api.origin, endpoint=ONCE, children=[PARTS])
        report = doctor(config, "--stream", "shop_parts")
        assert [path for path in api.paths if path == "/items"] == ["/items"]
    assert report.code == 0
    [entry] = report.data["apis"]
    assert [stream["name"] for stream in entry["streams"]] == ["shop_parts"]


def test_a_failing_parent_is_reported_if_only_its_child_is_checked(doctor):
    with JsonApi(lambda _: reply(500, b"{}")) as api:
        config = declared(api.origin, endpoint=ONCE, children=[PARTS])
        report = doctor(config, "--stream", "shop_parts")
    assert report.code == 1
    assert "500" in report.texts


def test_a_grandchild_is_requested_for_the_first_child(doctor):
    screws = {
        "name": "screws",
        "endpoint": {"path": "/items/{item_id}/parts/{part_id}/screws"} | ONCE,
        "primary_key": ["item_id", "part_id", "id"],
    }

    def answer(received):
        path = received.target.partition("?")[0]
        rows = {
            "/items": ROWS,
            "/items/1/parts": [{"id": 7}],
            "/items/1/parts/7/screws": [{"id": 1}],
        }
        found = rows.get(path)
        wrapped = found if path.endswith("screws") else {"data": found}
        return reply(404, b"{}") if found is None else reply(200, json.dumps(wrapped).encode())

    for parts, result in (
        (PARTS, "ok"),
        ({**PARTS, "endpoint": "/items/{item_id}/none"}, "not checked"),
    ):
        with ScriptedServer(answer) as server:
            report = doctor(declared(server.origin, endpoint=ONCE, children=[parts, screws]))
        assert report.stream("shop_screws")["result"] == result
    assert report.stream("shop_screws")["not_checked"] == "its parent shop_parts failed"


# --- rows that are processed ------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        {"primary_key": "meta.id"},
        {"primary_key": "uid", "processing_steps": [{"rename_fields": {"meta.id": "uid"}}]},
    ],
    ids=["nested", "renamed"],
)
def test_a_key_that_is_made_of_a_nested_field_is_no_finding(doctor, words):
    rows = [{"meta": {"id": row["id"]}} for row in ROWS]
    with JsonApi(lambda _: {"data": rows}) as api:
        report = doctor(declared(api.origin, endpoint=ONCE, **words))
    assert (report.code, report.findings) == (0, [])


def test_steps_that_leave_out_all_rows_are_reported(doctor):
    with JsonApi(lambda _: {"data": ROWS}) as api:
        steps = [{"filter": "@.id > 100"}]
        report = doctor(declared(api.origin, endpoint=ONCE, processing_steps=steps))
    assert (report.code, report.findings) == (0, [("note", "empty")])
    assert "leave out all rows" in report.texts
