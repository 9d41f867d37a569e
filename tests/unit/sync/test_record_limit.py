"""A preview writes so many records of each stream, reads no further, and changes no state."""

from __future__ import annotations

import json
import logging
import math

import pytest
from support.lists import LIMIT, SCHEMA, by_offset, family, rows_of
from support.runs import STREAM, declared, run
from support.servers import JsonApi

from tap_analytics.tap import TapAnalytics

WIDTHS = (1, 8)
OFFSET = {"type": "offset", "limit": LIMIT}


def preview(origin, most, *, concurrency=1, **resource):
    endpoint = {"paginator": OFFSET} | resource.pop("endpoint", {})
    made = declared(
        origin,
        endpoint=endpoint,
        schema=SCHEMA,
        concurrency=concurrency,
        emit_activate_version_messages=True,
        **resource,
    )
    return made | {"max_records": most}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("total", [True, False], ids=["total", "no total"])
@pytest.mark.parametrize("most", [1, 9, 10, 11, 35])
def test_a_stream_is_cut_and_read_no_further(most, total, width):
    with JsonApi(by_offset(rows_of(200), total=total)) as api:
        done = run(preview(api.origin, most, concurrency=width))
        asked = len(api.requests)
    assert done.ids() == list(range(most))
    # Every page but the first begins with the last row of the one before.
    assert asked == 1 + max(0, math.ceil((most - LIMIT) / (LIMIT - 1)))
    assert (done.error, done.verdict()) == (None, "unverified")
    assert done.of("ACTIVATE_VERSION") == []
    assert done.state == {}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("most", [30, 31, 1000])
def test_a_stream_with_no_more_rows_than_that_ends_as_usual(most, width, caplog):
    with JsonApi(by_offset(rows_of(30), total=True)) as api:
        done = run(preview(api.origin, most, concurrency=width))
    assert done.ids() == list(range(30))
    assert done.verdict() == "verified"
    assert len(done.of("ACTIVATE_VERSION")) == 1
    assert "max_records" not in caplog.text


def test_one_line_says_what_was_cut_and_the_summary_too(caplog, tmp_path):
    path = tmp_path / "summary.json"
    with JsonApi(by_offset(rows_of(30), total=True)) as api:
        run(preview(api.origin, 5) | {"summary_path": str(path)})
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert told == [
        (
            "Cut short after 5 records (max_records), which leaves bookmarks and versions as they "
            f"were: {STREAM}."
        )
    ]
    stream = json.loads(path.read_bytes())["streams"][STREAM]
    assert (stream["status"], stream["verdict"], stream["rows"]) == ("cut", "unverified", 5)


# --- what the next run finds --------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_only_rows_that_are_wanted_count(width):
    bookmark = {"replication_key": "at", "replication_key_value": "2024-01-20"}
    state = {"bookmarks": {STREAM: bookmark}}
    with JsonApi(by_offset(rows_of(100), total=True)) as api:
        endpoint = {"incremental": {"cursor_path": "at"}}
        config = preview(api.origin, 12, concurrency=width, endpoint=endpoint)
        done = run(config, state=state)
    wanted = [row["id"] for row in rows_of(100) if row["at"] >= "2024-01-20"]
    assert done.ids() == wanted[:12]
    assert done.state == state


def test_the_last_wanted_row_is_the_end_where_the_rest_is_not_wanted():
    bookmark = {"replication_key": "at", "replication_key_value": "2024-01-03"}
    with JsonApi(lambda _: {"data": rows_of(5)[::-1], "next": None}) as api:
        endpoint = {"paginator": "json_link", "incremental": {"cursor_path": "at"}}
        config = preview(api.origin, 3, endpoint=endpoint)
        done = run(config, state={"bookmarks": {STREAM: bookmark}})
    assert done.ids() == [4, 3, 2]
    assert done.bookmark() == "2024-01-05"


def test_rows_of_the_last_page_that_are_not_wanted_are_cut_as_well(tmp_path):
    path = tmp_path / "summary.json"
    with JsonApi(lambda _: {"data": rows_of(5), "next": None}) as api:
        config = preview(api.origin, 3, endpoint={"paginator": "json_link"})
        done = run(config | {"summary_path": str(path)})
    assert done.ids() == [0, 1, 2]
    assert done.of("ACTIVATE_VERSION") == []
    assert json.loads(path.read_bytes())["streams"][STREAM]["status"] == "cut"


def test_a_position_is_neither_used_nor_written():
    cursors = {"paginator": {"type": "cursor", "limit": LIMIT}}

    def answer(query):
        start = int(query.get("cursor", 0))
        following = str(start + LIMIT) if start + LIMIT < 90 else None
        return {"data": rows_of(90)[start : start + LIMIT], "cursors": {"next": following}}

    with JsonApi(answer) as api:
        whole = preview(api.origin, 1, endpoint=cursors)
        del whole["max_records"]
        first = run(whole | {"max_requests": 4})
        looked = run(preview(api.origin, 25, endpoint=cursors), state=first.state)
        last = run(whole, state=first.state)
    assert "position" in first.state["bookmarks"][STREAM]
    assert looked.ids() == list(range(25))
    assert looked.state == first.state
    assert last.ids() == list(range(40, 90))


def test_a_preview_on_a_spent_budget_says_that_the_next_run_starts_again(caplog):
    with JsonApi(by_offset(rows_of(200), total=True)) as api:
        done = run(preview(api.origin, 100) | {"max_requests": 3})
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert len(told) == 1
    assert "no run resumes another" in told[0]
    assert done.error is not None
    assert done.state == {}


# --- children -----------------------------------------------------------------------------------


def with_children(origin, most, *, concurrency):
    endpoint = {"path": "/items/{item_id}/parts", "data_selector": "data"}
    child = {"name": "parts", "endpoint": endpoint | {"paginator": "single_page"}}
    children = [child | {"primary_key": "id", "schema": SCHEMA}]
    return preview(origin, most, concurrency=concurrency, children=children)


def asked(api, part):
    return sum(part in received.target for received in api.requests)


@pytest.mark.parametrize("width", WIDTHS)
def test_children_are_counted_in_total(width):
    with family(25, lambda _: 3) as api:
        done = run(with_children(api.origin, 7, concurrency=width))
        assert (asked(api, "parts"), len(api.requests)) == (3, 4)
    assert (done.ids(), done.ids("shop_parts")) == (list(range(7)), list(range(7)))
    assert done.of("ACTIVATE_VERSION") == done.of("ACTIVATE_VERSION", "shop_parts") == []
    assert done.error is None


@pytest.mark.parametrize("width", WIDTHS)
def test_children_of_parents_that_are_not_selected_are_enough(width):
    with family(60, lambda _: 1) as api:
        config = with_children(api.origin, 14, concurrency=width)
        done = run(config, only=("shop_parts",))
        assert (asked(api, "parts"), len(api.requests)) == (14, 16)
    assert done.ids("shop_parts") == list(range(14))


@pytest.mark.parametrize("width", WIDTHS)
def test_parents_that_are_few_end_as_usual_though_their_children_are_cut(width):
    with family(5, lambda _: 3) as api:
        done = run(with_children(api.origin, 7, concurrency=width))
    assert done.ids("shop_parts") == list(range(7))
    assert (len(done.ids()), done.verdict()) == (5, "verified")
    assert len(done.of("ACTIVATE_VERSION")) == 1
    assert done.of("ACTIVATE_VERSION", "shop_parts") == []


def test_the_dry_run_of_the_sdk_continues_as_before():
    with JsonApi(by_offset(rows_of(200), total=True)) as api:
        tap = TapAnalytics(config=preview(api.origin, 5))
        assert tap.run_sync_dry_run(dry_run_record_limit=3)
    assert tap.run.results[STREAM].rows == 3
    assert len(api.requests) <= 2
