"""Rows with columns of their window, one of which is the replication key."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from support.runs import bag, declared, run
from support.servers import JsonApi, PathApi

from tap_analytics.commands.plan.sync_plan import SyncPlan
from tap_analytics.commands.shards import divide
from tap_analytics.config.shard import WHOLE
from tap_analytics.tap import TapAnalytics

KEY = {
    "cursor_path": "day",
    "start_param": "since",
    "end_param": "until",
    "convert": "date",
    "step": "P7D",
    "granularity": "P1D",
    "initial_value": "2024-01-01",
}
COLUMNS = {"day": "{incremental.start_value}", "until": "{incremental.end_value}"}


def shop(origin, key=None, *, columns=COLUMNS, endpoint=None, **more):
    words = {"paginator": "single_page", "incremental": KEY | (key or {}), **(endpoint or {})}
    steps = [{"add_fields": columns}]
    resource = {"primary_key": ["day", "id"], "processing_steps": steps} | more
    given = declared(origin, endpoint=words, **resource)
    if resource["primary_key"] is None:
        del given["apis"][0]["resources"][0]["primary_key"]
    return given


def same_rows(query):
    """Answer the same two rows whatever the window, as a report of sums may."""
    return {"data": [{"id": 1, "sum": 5}, {"id": 2, "sum": 0}]}


def asked(api):
    found = [(each["since"], each["until"]) for each in api.queries]
    return [*dict.fromkeys(found)]


def windows_of(records):
    return [*dict.fromkeys((each["day"], each["until"]) for each in records)]


#: When all runs begin.
NOON = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


class Clock(datetime):
    """The time of the tests."""

    moment = NOON

    @classmethod
    def now(cls, tz=None):
        return cls.moment.astimezone(tz)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The clock of all connections; midnight never passes in a test."""
    monkeypatch.setattr("tap_analytics.transport.connection.datetime", Clock)
    return Clock


def days_ago(count):
    return f"{NOON.date() - timedelta(days=count)}"


# --- rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("primary_key", [["day", "id"], None], ids=["keyed", "keyless"])
def test_equal_rows_of_all_windows_are_written_with_their_window(primary_key):
    found = []
    for concurrency in (1, 16):
        with JsonApi(same_rows) as api:
            given = shop(
                api.origin,
                primary_key=primary_key,
                end_date="2024-01-20",
                concurrency=concurrency,
            )
            done = run(given)
            windows = asked(api)
        assert sorted(windows) == [
            ("2024-01-01", "2024-01-07"),
            ("2024-01-08", "2024-01-14"),
            ("2024-01-15", "2024-01-19"),
        ]
        assert [(each["day"], each["until"], each["id"]) for each in done.records()] == [
            (*window, number) for window in sorted(windows) for number in (1, 2)
        ]
        assert (done.error, done.verdict()) == (None, "consistent")
        assert done.bookmark() == "2024-01-20"
        found.append(done.streams)
    assert found[0] == found[1]


def test_an_end_is_not_compared_with_the_range():
    key = {"cursor_path": "until", "granularity": None, "end_value": "2024-01-15"}
    with JsonApi(same_rows) as api:
        done = run(shop(api.origin, key, primary_key=["until", "id"]))
    ends = ["2024-01-08"] * 2 + ["2024-01-15"] * 2
    assert [each["until"] for each in done.records()] == ends
    assert done.bookmark() == "2024-01-15"


def test_epoch_values_keep_their_type():
    key = {
        "convert": "epoch_s",
        "cursor_format": "epoch_s",
        "granularity": None,
        "initial_value": 1704067200,
        "end_value": 1704240000,
        "step": "P1D",
    }
    with JsonApi(same_rows) as api:
        done = run(shop(api.origin, key))
    assert windows_of(done.records()) == [(1704067200, 1704153600), (1704153600, 1704240000)]
    assert done.bookmark() == 1704240000


def test_a_window_that_has_another_format_gives_a_bookmark_in_iso():
    key = {"convert": "%d/%m/%Y", "end_value": "2024-02-03"}
    with JsonApi(same_rows) as api:
        done = run(shop(api.origin, key))
        first = len(api.queries)
        later = run(shop(api.origin, key | {"end_value": "2024-02-05"}), state=done.state)
        again = [(each["since"], each["until"]) for each in api.queries[first:]]
    assert done.records()[-1]["day"] == "29/01/2024"
    assert done.bookmark() == "2024-02-03"
    assert {*again} == {("03/02/2024", "04/02/2024")}
    assert windows_of(later.records()) == [("03/02/2024", "04/02/2024")]


def test_a_column_of_a_window_needs_no_replication_key_of_it():
    key = {"cursor_path": "at", "end_value": "2024-01-15"}

    def answer(query):
        return {"data": [{"id": 1, "at": query["since"]}]}

    with JsonApi(answer) as api:
        done = run(shop(api.origin, key))
    assert windows_of(done.records()) == [
        ("2024-01-01", "2024-01-07"),
        ("2024-01-08", "2024-01-14"),
    ]
    assert (done.verdict(), done.bookmark()) == ("consistent", "2024-01-08")


def test_a_key_that_comes_again_in_another_window_is_a_doubt_unless_it_has_the_window():
    columns = {"until": "{incremental.end_value}"}
    key = {"cursor_path": "until", "end_value": "2024-01-15"}

    def answer(query):
        return {"data": [{"id": 1, "state": query["since"]}]}

    with JsonApi(answer) as api:
        done = run(shop(api.origin, key, columns=columns, primary_key="id"))
        scoped = run(shop(api.origin, key, columns=columns, primary_key=["until", "id"]))
    assert (done.verdict(), done.bookmark()) == ("unverified", None)
    assert (scoped.verdict(), scoped.bookmark()) == ("consistent", "2024-01-15")


# --- the next run -----------------------------------------------------------------------------


# A server may be so far behind UTC that a day is over there half a day later.
@pytest.mark.parametrize(("hours", "last"), [(0, 1), (-1, 2)])
def test_without_a_key_each_day_is_in_one_window_that_is_over(hours, last, clock, monkeypatch):
    monkeypatch.setattr(clock, "moment", NOON + timedelta(hours=hours))
    key = {"initial_value": days_ago(20)}
    with JsonApi(same_rows) as api:
        first = run(shop(api.origin, key, primary_key=None))
        second = run(shop(api.origin, key, primary_key=None), state=first.state)
    windows = windows_of(first.records())
    assert windows[0][0] == days_ago(20)
    assert windows[-1][1] == days_ago(last)
    assert first.bookmark() > windows[-1][1]
    for (_, end), (start, _) in pairwise([*windows, (first.bookmark(), "")]):
        assert datetime.fromisoformat(start) - datetime.fromisoformat(end) == timedelta(days=1)
    assert second.error is None
    assert {*windows_of(second.records())}.isdisjoint(windows)
    assert second.bookmark() >= first.bookmark()


def test_without_a_key_nothing_is_asked_for_where_no_window_is_over():
    with JsonApi(same_rows) as api:
        done = run(shop(api.origin, {"initial_value": days_ago(0)}, primary_key=None))
        assert api.queries == []
    assert (done.error, done.records(), done.bookmark()) == (None, [], None)


def test_with_the_start_in_the_key_an_open_window_is_read_again():
    key = {"initial_value": days_ago(16)}
    with JsonApi(same_rows) as api:
        first = run(shop(api.origin, key))
        second = run(shop(api.origin, key), state=first.state)
    begins = [start for start, _ in windows_of(first.records())]
    assert begins == [days_ago(16), days_ago(9), days_ago(2)]
    assert windows_of(first.records())[-1][1] == days_ago(0)
    assert first.bookmark() == second.bookmark() == days_ago(2)
    assert [start for start, _ in windows_of(second.records())] == [days_ago(2)]


def test_windows_without_rows_move_the_bookmark():
    def answer(query):
        return {"data": [{"id": 1}] if query["since"] == "2024-01-01" else []}

    with JsonApi(answer) as api:
        done = run(shop(api.origin, {"end_value": "2024-02-01"}))
    assert windows_of(done.records()) == [("2024-01-01", "2024-01-07")]
    assert done.bookmark() == "2024-02-01"


def test_a_window_that_is_not_whole_keeps_the_bookmark():
    def answer(query):
        return same_rows(query) | ({"total": 9} if query["since"] == "2024-01-08" else {})

    with JsonApi(answer) as api:
        done = run(shop(api.origin, {"end_value": "2024-02-01"}))
    assert (done.verdict(), done.bookmark()) == ("short", None)


@pytest.mark.parametrize(
    ("lag", "begin"), [(3, days_ago(3)), (0, days_ago(0))], ids=["lag", "no lag"]
)
def test_days_are_read_again_by_a_lag(lag, begin):
    key = {"step": "P1D", "initial_value": days_ago(10), "lag": lag}
    with JsonApi(same_rows) as api:
        state = {"bookmarks": {"shop_items": bookmark(days_ago(0))}}
        done = run(shop(api.origin, key), state=state)
    assert windows_of(done.records())[0][0] == begin
    assert done.bookmark() == days_ago(0)


def test_lookback_reads_no_window_again_whose_rows_would_come_twice():
    key = {"initial_value": days_ago(20)}
    state = {"bookmarks": {"shop_items": bookmark(days_ago(5))}}
    with JsonApi(same_rows) as api:
        done = run(shop(api.origin, key, primary_key=None, lookback_seconds=864000), state=state)
    assert windows_of(done.records())[0][0] == days_ago(5)


def bookmark(value):
    return {"replication_key": "day", "replication_key_value": value}


# --- without a step ---------------------------------------------------------------------------


def test_without_a_step_a_run_reads_one_window_up_to_its_begin():
    key = {
        "convert": "epoch_s",
        "cursor_format": "epoch_s",
        "cursor_path": "until",
        "step": None,
        "granularity": None,
        "initial_value": 1704067200,
    }
    with JsonApi(same_rows) as api:
        first = run(shop(api.origin, key, primary_key=None))
        second = run(shop(api.origin, key, primary_key=None), state=first.state)
    ((start, end),) = windows_of(first.records())
    assert start == 1704067200
    assert first.bookmark() == end
    assert [begin for begin, _ in windows_of(second.records())] in ([end], [])


def test_the_clock_of_the_server_ends_the_last_window():
    key = {"convert": "iso", "step": None, "granularity": None}
    with PathApi(lambda *_: same_rows({})) as api:
        api.date = "Fri, 01 Mar 2024 10:30:00 GMT"
        done = run(shop(api.origin, key, primary_key=None))
    ends = {each["until"] for each in done.records()}
    assert ends == {done.bookmark()} == {"2024-03-01T10:30:00Z"}


# --- interrupted runs -------------------------------------------------------------------------

BY_REGION = {"params": {"region": "{partitions.region}"}}
INTERRUPTED = {
    "no key": {"primary_key": None},
    "no key, lists": {
        "primary_key": None,
        "endpoint": BY_REGION,
        "partitions": {"region": ["eu", "us"]},
    },
    "both ends in the key": {"primary_key": ["day", "until", "id"]},
    "the start in the key": {},
}


@pytest.mark.parametrize("resource", INTERRUPTED.values(), ids=INTERRUPTED)
@pytest.mark.parametrize("concurrency", [1, 16])
def test_wherever_a_run_is_killed_the_next_ones_bring_each_row_once(
    resource, concurrency, monkeypatch
):
    """What a target has is the messages up to a STATE; the next run is on another day."""
    monkeypatch.setattr("tap_analytics.reporting.run.STATE_INTERVAL", 0)
    is_keyed = resource.get("primary_key", True) is not None
    with PathApi(lambda *_: same_rows({})) as api:
        given = shop(api.origin, concurrency=concurrency, **resource)
        api.date = "Fri, 01 Mar 2024 10:30:00 GMT"
        uncut = run(given)
        api.date = "Tue, 12 Mar 2024 10:30:00 GMT"
        expected = uncut.records() + run(given, state=uncut.state).records()
        places = [place for place, line in enumerate(uncut.lines) if b'"position"' in line]
        for place in places[::3]:
            kept = [json.loads(line) for line in uncut.lines[: place + 1]]
            rest = run(given, state=kept[-1]["value"])
            last = run(given, state=rest.state)
            found = [each["record"] for each in kept if each["type"] == "RECORD"]
            found += rest.records() + last.records()
            assert (rest.error, last.error) == (None, None)
            if is_keyed:
                assert table(found) == table(expected)
            else:
                assert bag(found) == bag(expected)
    assert uncut.error is None
    assert 8 <= len(places) <= 20


def table(records):
    """Return what a target has that replaces rows by their first day and id."""
    return {(each["day"], each["id"]): each for each in records}


# --- parents ----------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_child_has_windows_of_its_own_below_each_parent(concurrency):
    def answer(path, pairs):
        return {"data": [{"id": 1}, {"id": 2}]} if path == "/items" else {"sum": 5}

    sums = {
        "name": "sums",
        "processing_steps": [{"add_fields": COLUMNS | {"item": "{resources.items.id}"}}],
        "endpoint": {
            "path": "/items/{resources.items.id}/sums",
            "paginator": "single_page",
            "data_selector": "$",
            "incremental": KEY | {"end_value": "2024-01-11"},
        },
    }
    with PathApi(answer) as api:
        endpoint = {"paginator": "single_page"}
        given = declared(api.origin, endpoint=endpoint, children=[sums], concurrency=concurrency)
        first = run(given)
        second = run(given, state=first.state)
    windows = [("2024-01-01", "2024-01-07"), ("2024-01-08", "2024-01-10")]
    rows = [(each["item"], each["day"], each["until"]) for each in first.records("shop_sums")]
    assert rows == [(parent, *window) for parent in (1, 2) for window in windows]
    assert first.bookmark("shop_sums") == "2024-01-11"
    assert second.records("shop_sums") == []
    assert second.bookmark("shop_sums") == "2024-01-11"


# --- plan and shards --------------------------------------------------------------------------


@pytest.mark.parametrize(("begin", "requests"), [(20, 3), (0, 0)], ids=["windows", "none"])
def test_plan_and_shards_know_the_windows(begin, requests):
    key = {"initial_value": days_ago(begin)}
    with JsonApi(same_rows) as api:
        given = shop(api.origin, key, primary_key=["until", "id"])
        plan = SyncPlan(tap := TapAnalytics(config=given, setup_mapper=False))
        (estimate,) = plan.estimates
        made = divide(tap, plan.estimates, count=4)
    assert estimate.figures.requests == requests
    assert [each.streams for each in made.shards] == [{"shop_items": WHOLE}]


def test_lists_with_windows_of_their_own_are_read_by_one_shard():
    with JsonApi(same_rows) as api:
        given = shop(api.origin, endpoint=BY_REGION, partitions={"region": ["eu", "us"]})
        plan = SyncPlan(tap := TapAnalytics(config=given, setup_mapper=False))
        made = divide(tap, plan.estimates, count=2)
    assert [each.streams for each in made.shards] == [{"shop_items": WHOLE}]


def test_the_doctor_finds_nothing_wrong(doctor):
    with JsonApi(same_rows) as api:
        key = {"end_value": "2024-01-20", "convert": "%d/%m/%Y"}
        report = doctor(shop(api.origin, key))
    assert report.findings == []
