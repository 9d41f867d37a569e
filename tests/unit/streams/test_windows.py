"""Ranges that are read in windows: contiguous, each proven, rows on a border once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.runs import declared, run
from support.servers import JsonApi, PathApi, reply

from tap_analytics.commands.plan.sync_plan import SyncPlan
from tap_analytics.commands.shards import divide
from tap_analytics.config.shard import WHOLE
from tap_analytics.records.duration import Duration
from tap_analytics.tap import TapAnalytics

KEY = {
    "cursor_path": "at",
    "cursor_format": "iso",
    "start_param": "since",
    "end_param": "until",
    "step": "P1M",
    "initial_value": "2024-01-15",
    "end_value": "2024-04-01",
}
SCHEMA = {"properties": {"id": {}, "at": {}}}
DAYS = [f"2024-{month:02}-{day:02}" for month in (1, 2, 3) for day in (1, 14, 15, 28)]
EXPECTED = [day for day in DAYS if day >= "2024-01-15"]


def shop(origin, key=None, *, concurrency=1, endpoint=None, **more):
    paginator = {"type": "offset", "limit": 2, "total_path": "total"}
    words = {"paginator": paginator, "incremental": KEY | (key or {}), **(endpoint or {})}
    return declared(origin, endpoint=words, concurrency=concurrency, **more)


def serve(days, *, inclusive=False, capped=timedelta(days=31)):
    """Return what answers with the days in a window, and refuses one that is too long."""

    def answer(query):
        since, until = query["since"], query["until"]
        if datetime.fromisoformat(until) - datetime.fromisoformat(since) > capped:
            return reply(400, b'{"error": "the window is too long"}')
        found = [day for day in days if since <= day < until or (inclusive and day == until)]
        start = int(query["offset"])
        page = [{"id": day, "at": day} for day in found[start : start + 2]]
        return {"data": page, "total": len(found)}

    return answer


def windows(queries):
    """Return each window that was asked for once, in order."""
    found = sorted({(each["since"], each["until"]) for each in queries})
    assert [end for _, end in found[:-1]] == [start for start, _ in found[1:]]
    return found


# --- windows ----------------------------------------------------------------------------------


def test_a_range_is_read_in_windows_with_the_same_rows_at_every_width():
    found = []
    for concurrency in (1, 8):
        with JsonApi(serve(DAYS)) as api:
            done = run(shop(api.origin, concurrency=concurrency))
            assert windows(api.queries) == [
                ("2024-01-15", "2024-02-15"),
                ("2024-02-15", "2024-03-15"),
                ("2024-03-15", "2024-04-01"),
            ]
        assert done.error is None
        assert (done.ids(), done.verdict()) == (EXPECTED, "verified")
        assert done.bookmark() == "2024-03-28"
        found.append(done.streams)
    assert found[0] == found[1]


def test_the_next_run_begins_at_the_bookmark_and_ends_now():
    key = {"end_value": None, "convert": "date", "granularity": "P1D", "step": "P7D"}
    today = datetime.now(UTC).date()
    days = [f"{today - timedelta(days=back)}" for back in range(30, -1, -1)]
    with JsonApi(serve(days, inclusive=True)) as api:
        first = run(shop(api.origin, key | {"initial_value": days[0]}))
        before = len(api.queries)
        second = run(shop(api.origin, key), state=first.state)
        asked = api.queries[before:]
    assert (first.ids(), first.bookmark()) == (days, f"{today}")
    assert {(each["since"], each["until"]) for each in asked} <= {
        (f"{today}", f"{today}"),
        # Midnight may have passed.
        (f"{today}", f"{today + timedelta(days=1)}"),
    }
    assert (second.ids(), second.bookmark()) == ([f"{today}"], f"{today}")


@pytest.mark.parametrize("concurrency", [1, 8])
def test_inclusive_ends_lie_a_granularity_before_the_next_start(concurrency):
    with JsonApi(serve(DAYS, inclusive=True)) as api:
        done = run(shop(api.origin, {"granularity": "P1D"}, concurrency=concurrency))
        assert sorted({(each["since"], each["until"]) for each in api.queries}) == [
            ("2024-01-15", "2024-02-14"),
            ("2024-02-15", "2024-03-14"),
            ("2024-03-15", "2024-03-31"),
        ]
    assert (done.ids(), done.verdict()) == (EXPECTED, "verified")


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("primary_key", ["id", None], ids=["keyed", "keyless"])
def test_a_row_on_a_border_that_both_windows_have_is_written_once(primary_key, concurrency):
    with JsonApi(serve(DAYS, inclusive=True)) as api:
        given = shop(api.origin, concurrency=concurrency)
        if primary_key is None:
            del given["apis"][0]["resources"][0]["primary_key"]
        done = run(given)
    assert [each["at"] for each in done.records()] == EXPECTED
    assert done.verdict() == "verified"


def test_equal_rows_without_a_key_and_a_time_are_all_written():
    with JsonApi(lambda query: {"data": [{"views": 5}]}) as api:
        given = shop(api.origin, endpoint={"paginator": "single_page"})
        del given["apis"][0]["resources"][0]["primary_key"]
        done = run(given)
    assert done.records() == [{"views": 5}] * 3


def test_times_are_sent_in_the_format_and_by_the_second():
    key = {
        "step": "PT12H",
        "granularity": "PT1S",
        "convert": "%Y-%m-%d %H:%M:%S",
        "initial_value": "2024-01-01T06:00:00.5Z",
        "end_value": "2024-01-02T06:00:00Z",
    }
    with JsonApi(lambda query: {"data": [], "total": 0}) as api:
        done = run(shop(api.origin, key, schema=SCHEMA))
        assert [(each["since"], each["until"]) for each in api.queries] == [
            ("2024-01-01 06:00:00", "2024-01-01 17:59:59"),
            ("2024-01-01 18:00:00", "2024-01-02 05:59:59"),
        ]
    assert done.error is None


def test_a_parameter_of_one_day_is_asked_for_day_by_day():
    days = {"2024-01-01": 2, "2024-01-02": 0, "2024-01-03": 1}

    def answer(query):
        rows = [
            {"id": f"{query['date']}-{n}", "at": query["date"]} for n in range(days[query["date"]])
        ]
        return {"data": rows}

    key = {
        "start_param": "date",
        "end_param": None,
        "step": "P1D",
        "convert": "date",
        "initial_value": "2024-01-01T10:00:00Z",
        "end_value": "2024-01-04",
    }
    with JsonApi(answer) as api:
        done = run(shop(api.origin, key, endpoint={"paginator": "single_page"}))
        assert [each["date"] for each in api.queries] == [*days]
    # What is before the initial value is left out.
    assert done.ids() == ["2024-01-03-0"]


def test_epoch_values_and_placeholders_are_windows_too():
    key = {
        "cursor_format": "epoch_s",
        "start_param": None,
        "end_param": None,
        "initial_value": 1704067200,
        "end_value": 1704240000,
        "step": "P1D",
    }
    endpoint = {
        "method": "POST",
        "json": {"from": "{incremental.start_value}", "to": "{incremental.end_value}"},
        "paginator": "single_page",
    }
    with JsonApi(lambda _: {"data": []}) as api:
        assert run(shop(api.origin, key, endpoint=endpoint, schema=SCHEMA)).error is None
        bodies = [each.body for each in api.requests]
    assert bodies == [
        b'{"from":1704067200,"to":1704153600}',
        b'{"from":1704153600,"to":1704240000}',
    ]


@pytest.mark.parametrize(
    ("initial", "end", "months"),
    [
        ("2023-11-01", "2024-02-01", ["2023/11", "2023/12", "2024/1"]),
        # Windows that begin within a month would leave out the last one.
        ("2023-11-15", "2024-02-10", ["2023/11", "2023/12", "2024/1", "2024/2"]),
        ("2024-01-31", "2024-01-31T00:00:01Z", ["2024/1"]),
    ],
)
def test_windows_begin_with_a_month_where_requests_have_only_months(initial, end, months):
    key = {"start_param": None, "end_param": None, "initial_value": initial, "end_value": end}
    path = "/items/{incremental.start_value.%Y}/{incremental.start_value.%-m}"
    with PathApi(lambda *_: {"data": []}) as api:
        endpoint = {"path": path, "paginator": "single_page"}
        assert run(shop(api.origin, key, endpoint=endpoint, schema=SCHEMA)).error is None
        assert [each.target for each in api.requests] == [f"/items/{each}" for each in months]


# --- parents, values and children -------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_values_and_children_are_read_in_windows(concurrency):
    def answer(path, pairs):
        query = dict(pairs)
        if path.startswith("/parts/"):
            return [{"id": f"{path}"}]
        region = query["region"]
        found = [day for day in DAYS if query["since"] <= day < query["until"]]
        return {"data": [{"id": f"{region}{day}", "at": day} for day in found]}

    parts = {
        "name": "parts",
        "primary_key": "id",
        "endpoint": {"path": "/parts/{resources.items.id}", "paginator": "single_page"},
    }
    endpoint = {"params": {"region": "{partitions.region}"}, "paginator": "single_page"}
    with PathApi(answer) as api:
        given = shop(
            api.origin,
            endpoint=endpoint,
            partitions={"region": ["eu", "us"]},
            children=[parts],
            concurrency=concurrency,
        )
        done = run(given)
    expected = [f"{region}{day}" for region in ("eu", "us") for day in EXPECTED]
    assert done.error is None
    assert done.ids() == expected
    assert done.ids("shop_parts") == [f"/parts/{each}" for each in expected]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_child_is_read_in_windows_below_each_parent(concurrency):
    def answer(path, pairs):
        query = dict(pairs)
        if path == "/items":
            return {"data": [{"id": 1}, {"id": 2}]}
        found = [day for day in DAYS if query["since"] <= day < query["until"]]
        return [{"id": day, "at": day} for day in found]

    parts = {
        "name": "parts",
        "primary_key": ["item_id", "id"],
        "endpoint": {
            "path": "/items/{item_id}/parts",
            "paginator": "single_page",
            "incremental": KEY,
        },
    }
    with PathApi(answer) as api:
        endpoint = {"paginator": "single_page"}
        given = declared(api.origin, endpoint=endpoint, children=[parts], concurrency=concurrency)
        first = run(given)
        asked = len(api.asked)
        second = run(given, state=first.state)
        again = [dict(pairs) for path, pairs in api.asked[asked:] if path != "/items"]
    assert [(each["item_id"], each["id"]) for each in first.records("shop_parts")] == [
        (parent, day) for parent in (1, 2) for day in EXPECTED
    ]
    assert first.bookmark("shop_parts") == "2024-03-28"
    assert second.ids("shop_parts") == ["2024-03-28"] * 2
    assert {(each["since"], each["until"]) for each in again} == {("2024-03-28", "2024-04-01")}


# --- proof ------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_window_that_is_short_makes_the_stream_short_and_keeps_the_bookmark(concurrency):
    def answer(query):
        page = serve(DAYS)(query)
        return page | {"total": 9} if query["since"] == "2024-02-15" else page

    with JsonApi(answer) as api:
        done = run(shop(api.origin, concurrency=concurrency))
    assert (done.verdict(), done.bookmark()) == ("short", None)


def test_a_fault_in_a_window_changes_no_row_at_any_width():
    found = []
    for concurrency in (1, 8):
        failed = set()

        def answer(query, failed=failed):
            asked = (query["since"], query["offset"])
            if asked not in failed:
                failed.add(asked)
                return reply(503, b"{}")
            return serve(DAYS)(query)

        with JsonApi(answer) as api:
            done = run(shop(api.origin, concurrency=concurrency, schema=SCHEMA))
        assert (done.ids(), done.verdict()) == (EXPECTED, "verified")
        found.append(done.streams)
    assert found[0] == found[1]


def test_a_server_that_ignores_windows_gives_each_row_once():
    def answer(query):
        start = int(query["offset"])
        found = [{"id": day, "at": day} for day in DAYS[start : start + 2]]
        return {"data": found, "total": len(DAYS)}

    with JsonApi(answer) as api:
        done = run(shop(api.origin))
    assert done.ids() == EXPECTED
    assert done.verdict() == "verified"


@pytest.mark.parametrize("has_changed", [False, True])
def test_a_key_in_two_windows_is_a_doubt_unless_its_row_has_changed_meanwhile(has_changed):
    now = datetime.now(UTC)
    later = (now + timedelta(minutes=1) if has_changed else now - timedelta(days=9)).isoformat()

    def answer(query):
        is_first, is_last = query["since"] == "2024-01-15", query["until"] > f"{now.date()}"
        found = [{"id": 1, "at": "2024-01-20" if is_first else later}] * (is_first or is_last)
        return {"data": found[int(query["offset"]) :], "total": len(found)}

    with JsonApi(answer) as api:
        done = run(shop(api.origin, {"step": "P1Y", "end_value": None}))
    assert [each["at"] for each in done.records()] == ["2024-01-20", later]
    assert done.verdict() == ("verified" if has_changed else "unverified")


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_window_that_the_server_refuses_fails_the_stream(concurrency):
    with JsonApi(serve(DAYS, capped=timedelta(days=3))) as api:
        done = run(shop(api.origin, concurrency=concurrency))
    assert "400" in done.failure()
    assert "Check `step`, `granularity` and `convert`" in done.failure()
    assert done.ids() == []


def test_a_range_that_the_server_insists_on_is_named():
    def answer(query):
        return {"data": []} if {"since", "until"} <= {*query} else reply(400, b'{"error": "no"}')

    key = {"step": None, "end_value": None}
    with JsonApi(answer) as api:
        done = run(shop(api.origin, key, endpoint={"paginator": "single_page"}))
        whole = run(
            shop(api.origin, key | {"end_value": "now"}, endpoint={"paginator": "single_page"})
        )
    assert "`until` was not sent: the API may insist on it. Set `end_value`" in done.failure()
    assert whole.error is None


def test_a_stream_without_a_moment_to_begin_with_fails():
    with JsonApi(serve(DAYS)) as api:
        done = run(shop(api.origin, {"initial_value": None}))
        assert api.queries == []
        dated = run(shop(api.origin, {"initial_value": None}, start_date="2024-03-01"))
    assert "`step` needs a moment to begin with. Set `initial_value`" in done.failure()
    assert dated.ids() == [day for day in DAYS if day >= "2024-03-01"]


# --- plan and doctor --------------------------------------------------------------------------


def test_a_plan_counts_every_window():
    with JsonApi(lambda _: {"data": []}) as api:
        endpoint = {"paginator": "single_page"}
        given = shop(api.origin, {"step": "P1D"}, endpoint=endpoint, schema=SCHEMA)
        planned = SyncPlan(TapAnalytics(config=given, setup_mapper=False))
        (estimate,) = planned.estimates
        before = len(api.queries)
        run(given)
        sent = len(api.queries) - before
    assert before < 5
    assert estimate.figures.requests == sent == 77


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_schema_is_sampled_of_the_last_window_where_the_first_has_no_row(concurrency):
    with JsonApi(serve(["2024-03-20"])) as api:
        done = run(shop(api.origin, concurrency=concurrency))
        assert len(windows(api.queries)) == 3
    assert (done.ids(), done.verdict()) == (["2024-03-20"], "consistent")
    assert len(done.of("SCHEMA")) == 1


def test_shards_divide_windows_by_time_and_never_by_row_numbers():
    days = [f"2024-03-{day:02}" for day in range(1, 31)]
    with JsonApi(serve(days)) as api:
        key = {"initial_value": "2024-03-01", "step": "P20D"}
        given = shop(api.origin, key, schema=SCHEMA)
        plan = SyncPlan(tap := TapAnalytics(config=given, setup_mapper=False))
        made = divide(tap, plan.estimates, count=4)
    assert [each.streams for each in made.shards] == [{"shop_items": WHOLE}]


def test_the_doctor_reports_a_window_that_the_server_refuses(doctor):
    def answer(query):
        whole = {"data": [{"id": 1, "at": "2024-02-01"}], "total": 1}
        return reply(400, b'{"error": "no"}') if "since" in query else whole

    with JsonApi(answer) as api:
        report = doctor(shop(api.origin))
    assert ("wrong", "filter_refused") in report.findings
    assert "Check `step`, `granularity` and `convert`." in report.texts


def test_the_doctor_checks_a_window(doctor):
    with JsonApi(serve(DAYS)) as api:
        report = doctor(shop(api.origin))
    assert report.findings == []


# --- durations --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "P", "PT", "P0D", "1D", "P-1D", "P1.5M", "P1DT", "p1d"])
def test_other_texts_are_no_durations(text):
    assert Duration.parse(text) is None


MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2040, 1, 1))  # noqa: DTZ001 - made aware below


@settings(max_examples=60)
@given(
    MOMENTS,
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=900)),
    st.sampled_from(["P1M", "P3M", "P1Y", "P7D", "PT36H", "P1M2DT3H", "P10D"]),
)
def test_windows_cover_a_range_without_gap_or_overlap(start, length, text):
    start = start.replace(tzinfo=UTC)
    step, end = Duration.parse(text), start + length
    found = list(step.windows(start, end))
    assert found[0][0] == start
    assert found[-1][1] == end or (length == timedelta(0) and len(found) == 1)
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert all(begin < until <= step.after(begin, 1) + timedelta(days=3) for begin, until in found)
