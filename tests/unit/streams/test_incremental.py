"""What a declared stream asks for between two runs, and what its bookmark becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.runs import STREAM, declared, run
from support.servers import JsonApi

AT = "2024-01-10T12:00:00Z"


def incremental(**words):
    return {"cursor_path": "at", **words}


def shop(origin, key, *, concurrency=1, endpoint=None, **more):
    given = {"paginator": "single_page", "incremental": key, **(endpoint or {})}
    return declared(origin, endpoint=given, concurrency=concurrency, **more)


def bookmarked(value, key="at"):
    return {
        "bookmarks": {STREAM: {"replication_key": key, "replication_key_value": value}},
    }


def rows(*values, key="at"):
    return {"data": [{"id": number, key: value} for number, value in enumerate(values)]}


# --- the range that is asked for --------------------------------------------------------------


def test_windows_are_asked_for_in_a_body_without_an_end_date():
    key = incremental(step="P1Y", initial_value="2024-01-01")
    ends = {"from": "{incremental.start_value}", "to": "{incremental.end_value}"}

    with JsonApi(lambda _: rows(AT)) as api:
        done = run(shop(api.origin, key, endpoint={"method": "POST", "json": ends}))

    assert (done.failure(), done.ids()) == ("", [0])
    first, second = (json.loads(request.body) for request in api.requests[:2])
    assert first == {"from": "2024-01-01", "to": "2025-01-01"}
    assert second["from"] == first["to"]


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("words", "settings", "sent"),
    [
        ({}, {}, {"since": AT}),
        ({}, {"end_date": "2024-02-01"}, {"since": AT, "until": "2024-02-01"}),
        ({"end_value": "2024-03-01"}, {}, {"since": AT, "until": "2024-03-01"}),
        (
            {"end_value": "2024-03-01"},
            {"end_date": "2024-02-01"},
            {"since": AT, "until": "2024-02-01"},
        ),
        (
            {"end_value": "2024-03-01T01:00:00Z", "convert": "date"},
            {},
            {"since": "2024-01-10", "until": "2024-03-02"},
        ),
        ({"convert": "epoch_s"}, {}, {"since": "1704888000"}),
        ({"convert": "%d.%m.%Y %H:%M"}, {}, {"since": "10.01.2024 12:00"}),
    ],
    ids=["no end", "end date", "end value", "both", "dates", "epoch", "pattern"],
)
def test_a_range_is_sent_as_declared(words, settings, sent, concurrency):
    key = incremental(start_param="since", end_param="until", initial_value=AT, **words)
    with JsonApi(lambda _: rows("2024-01-09T00:00:00Z", AT, "2024-01-31T00:00:00Z")) as api:
        done = run(shop(api.origin, key, concurrency=concurrency, **settings))
        assert api.queries == [sent]
    # What the server sends beyond the range is left out.
    assert done.ids() == [1, 2]
    assert done.bookmark() == "2024-01-31T00:00:00Z"


def test_an_end_is_exclusive_and_the_next_run_begins_there():
    key = incremental(start_param="since", initial_value="2024-01-01", end_value="2024-01-03")
    with JsonApi(lambda _: rows("2024-01-01", "2024-01-02", "2024-01-03")) as api:
        done = run(shop(api.origin, key))
    assert (done.ids(), done.bookmark()) == ([0, 1], "2024-01-02")


@pytest.mark.parametrize(
    ("settings", "ids"), [({}, [0, 1, 2]), ({"end_date": "2024-01-03"}, [0, 1])]
)
def test_rows_at_an_end_that_is_closed_are_read_but_not_at_an_end_date(settings, ids):
    key = incremental(initial_value="2024-01-01", end_value="2024-01-03", range_end="closed")
    days = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
    with JsonApi(lambda _: rows(*days)) as api:
        assert run(shop(api.origin, key, **settings)).ids() == ids


def test_the_last_item_of_a_list_is_a_key_and_null_where_there_is_none():
    changes = [[{"at": "2024-01-02"}], [{"at": "2024-01-09"}, {"at": "2024-01-01"}], []]
    found = {"data": [{"id": n, "changes": each} for n, each in enumerate(changes)]}
    key = {"cursor_path": "changes[-1].at", "initial_value": "2024-01-02"}
    with JsonApi(lambda _: found) as api:
        done = run(shop(api.origin, key))
    assert (done.ids(), done.bookmark()) == ([0, 2], "2024-01-02")


def test_now_is_the_second_in_which_the_run_began():
    key = incremental(start_param="since", end_param="until", initial_value=AT, end_value="now")
    late = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with JsonApi(lambda _: rows(AT, late)) as api:
        before = datetime.now(UTC).replace(microsecond=0)
        done = run(shop(api.origin, key))
        (query,) = api.queries
    assert before <= datetime.fromisoformat(query["until"]) <= datetime.now(UTC)
    # What is later is read when it is due, for the bookmark doesn't cover it.
    assert (done.ids(), done.bookmark()) == ([0], AT)


@pytest.mark.parametrize("step", [{}, {"step": "P1000D"}], ids=["whole", "windows"])
def test_a_run_ends_before_it_began_where_that_is_declared(step):
    now = datetime.now(UTC).replace(microsecond=0)
    start, early, late = (
        (now - span).isoformat()
        for span in (timedelta(days=9), timedelta(days=3), timedelta(hours=40))
    )
    words = {"initial_value": start, "end_value": "now-P2D", "convert": "iso"}
    key = incremental(start_param="since", end_param="until", **words, **step)
    with JsonApi(lambda _: rows(early, late)) as api:
        done = run(shop(api.origin, key))
        query = api.queries[-1]
    until = datetime.fromisoformat(query["until"]) + timedelta(days=2)
    assert now <= until <= datetime.now(UTC)
    assert (done.ids(), done.bookmark()) == ([0], early)


@pytest.mark.parametrize(
    ("unit", "key", "sent"),
    [("epoch_s", 1704888000, "10/01/24"), ("epoch_ms", 1704888000123, "10/01/24")],
)
def test_epoch_values_are_converted(unit, key, sent):
    given = incremental(
        start_param="since", initial_value=key, cursor_format=unit, convert="%d/%m/%y"
    )
    with JsonApi(lambda _: rows(key)) as api:
        done = run(shop(api.origin, given))
        assert api.queries == [{"since": sent}]
    assert done.bookmark() == key


@pytest.mark.parametrize("unit", ["epoch_s", "epoch_ms"])
def test_a_range_of_epoch_values_may_be_given_by_dates(unit):
    days = {"initial_value": "2024-01-10", "end_value": "2024-01-12", "convert": "date"}
    key = incremental(start_param="since", end_param="until", cursor_format=unit, **days)
    with JsonApi(lambda _: rows()) as api:
        assert run(shop(api.origin, key)).error is None
        assert api.queries == [{"since": "2024-01-10", "until": "2024-01-12"}]


def test_milliseconds_may_be_written_as_in_dotnet():
    times = [f"/Date({1704888000000 + day * 86_400_000}+0100)/" for day in (2, 0, 10, 1)]
    names = {"start_param": "since", "cursor_format": "epoch_ms", "convert": "iso"}
    with JsonApi(lambda _: rows(*times)) as api:
        first = run(shop(api.origin, incremental(**names)))
        second = run(shop(api.origin, incremental(**names)), state=first.state)
        asked = [query.get("since") for query in api.queries]
    assert (first.ids(), first.bookmark()) == ([0, 1, 2, 3], times[2])
    assert (second.ids(), asked) == ([2], [None, "2024-01-20T12:00:00Z"])


def test_placeholders_have_converted_values_and_json_has_numbers():
    key = incremental(initial_value=AT, convert="epoch_ms", end_value="2024-02-01")
    body = {"from": "{incremental.start_value}", "span": "<{incremental.end_value}"}
    with JsonApi(lambda _: rows(AT)) as api:
        endpoint = {"method": "POST", "json": body}
        assert run(shop(api.origin, key, endpoint=endpoint)).error is None
        (asked,) = api.requests
    assert json.loads(asked.body) == {"from": 1704888000000, "span": "<1706745600000"}


def test_a_value_that_is_no_time_fails_the_stream_that_converts_it():
    key = incremental(start_param="since", convert="date")
    with JsonApi(lambda _: rows("7")) as api:
        done = run(shop(api.origin, key), state=bookmarked("7"))
    assert "`convert` can't write '7', a value of `at`. Declare its `cursor_format`" in (
        done.failure()
    )


# --- lag --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "stored", "lag", "sent"),
    [
        ({}, AT, 3600, "2024-01-10T11:00:00Z"),
        ({}, "2024-01-10", 3, "2024-01-07"),
        ({"cursor_format": "epoch_s"}, 1704888000, 60, "1704887940"),
        ({"cursor_format": "epoch_ms"}, 1704888000000, 60000, "1704887940000"),
        ({"cursor_format": "number"}, 700, 60, "640"),
        ({}, 700, 60, "640"),
        ({}, AT, "PT1H", "2024-01-10T11:00:00Z"),
        ({}, "2024-01-10", "P3D", "2024-01-07"),
        ({"cursor_format": "epoch_ms"}, 1704888000000, "PT1M", "1704887940000"),
    ],
    ids=[
        *("seconds", "days", "epoch_s", "epoch_ms", "number", "undeclared"),
        *("hours of a duration", "days of a duration", "minutes of a duration"),
    ],
)
def test_a_run_begins_a_lag_before_its_bookmark(words, stored, lag, sent):
    key = incremental(start_param="since", lag=lag, **words)
    with JsonApi(lambda _: rows(stored)) as api:
        done = run(shop(api.origin, key), state=bookmarked(stored))
        assert api.queries[-1] == {"since": sent}
    assert (done.ids(), done.bookmark()) == ([0], stored)


def test_rows_within_the_lag_are_written_and_older_ones_are_not():
    times = ["2024-01-10T10:59:59Z", "2024-01-10T11:00:00Z", AT]
    with JsonApi(lambda _: rows(*times)) as api:
        done = run(shop(api.origin, incremental(lag=3600)), state=bookmarked(AT))
    assert (done.ids(), done.bookmark()) == ([1, 2], AT)


@pytest.mark.parametrize("lag", [60, "PT1M"])
def test_the_longer_of_lag_and_lookback_holds(lag):
    key = incremental(start_param="since", lag=lag)
    with JsonApi(lambda _: rows(AT)) as api:
        run(shop(api.origin, key, lookback_seconds=3600), state=bookmarked(AT))
        assert api.queries[-1] == {"since": "2024-01-10T11:00:00Z"}


# --- a nested key -----------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_nested_replication_key_is_a_column(concurrency):
    def answer(_):
        return {"data": [{"id": n, "meta": {"at": at}} for n, at in enumerate(times)]}

    times = ["2024-01-10T00:00:00Z", "2024-01-11T00:00:00Z"]
    key = {"cursor_path": "meta.at", "start_param": "since", "initial_value": "2024-01-01"}
    with JsonApi(answer) as api:
        first = run(shop(api.origin, key, concurrency=concurrency))
        second = run(shop(api.origin, key, concurrency=concurrency), state=first.state)
        assert [each["since"] for each in api.queries] == ["2024-01-01", times[1]]
    assert first.records() == [
        {"id": n, "meta": {"at": at}, "meta_at": at} for n, at in enumerate(times)
    ]
    assert first.state["bookmarks"][STREAM]["replication_key"] == "meta_at"
    assert (second.ids(), second.bookmark()) == ([1], times[1])


def test_a_nested_replication_key_is_added_to_a_given_schema():
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "meta": {}}}
    with JsonApi(lambda _: {"data": [{"id": 1, "meta": {"at": AT}}]}) as api:
        done = run(shop(api.origin, {"cursor_path": "meta.at"}, schema=schema))
    assert "meta_at" in done.properties()
    assert done.bookmark() == AT


def test_a_column_of_the_name_of_a_nested_key_fails_the_stream():
    with JsonApi(lambda _: {"data": [{"id": 1, "meta": {"at": AT}, "meta_at": "x"}]}) as api:
        done = run(shop(api.origin, {"cursor_path": "meta.at"}))
    assert "a row has a `meta_at` of its own" in done.failure()


# --- links that move the start ----------------------------------------------------------------

SEAMS = [{"id": number, "at": f"2024-01-{1 + number // 3:02}T00:00:00Z"} for number in range(25)]


def exported(query, *, step=10):
    """Return a page of rows from a time on, and the time that it ends with."""
    found = [row for row in SEAMS if row["at"] >= query["since"]][:step]
    return {"data": found, "done": len(found) < step, "end": found[-1]["at"]}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("kind", ["json_link", "cursor"])
def test_rows_that_a_link_repeats_from_its_start_on_are_no_sign_of_moved_rows(kind, concurrency):
    def answer(query):
        found = exported(query)
        return found | {"next": f"/items?since={found['end']}"}

    key = incremental(start_param="since", initial_value="2024-01-01T00:00:00Z")
    words = {"cursor_path": "end", "cursor_param": "since"} if kind == "cursor" else {}
    endpoint = {"paginator": {"type": kind, "at_end_path": "done"} | words}
    with JsonApi(answer) as api:
        done = run(shop(api.origin, key, endpoint=endpoint, concurrency=concurrency))
    assert (sorted(set(done.ids())), done.verdict()) == ([*range(25)], "consistent")
    assert done.bookmark() == SEAMS[-1]["at"]


@pytest.mark.parametrize("since", ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000%2B00:00"])
def test_rows_that_a_link_with_the_same_start_repeats_leave_the_end_unproven(since):
    def answer(query):
        start = int(query.get("skip", 0))
        more = {"next": f"/items?since={since}&skip={start + 9}"} if start + 10 < 25 else {}
        return {"data": SEAMS[start : start + 10], **more}

    key = incremental(start_param="since", initial_value="2024-01-01T00:00:00Z")
    with JsonApi(answer) as api:
        done = run(shop(api.origin, key, endpoint={"paginator": "json_link"}))
    assert (sorted(set(done.ids())), done.verdict()) == ([*range(25)], "unverified")


def test_a_row_that_comes_again_behind_the_seam_leaves_the_end_unproven():
    def answer(query):
        found = exported(query)
        again = [*found["data"], SEAMS[0]] if query["since"] > "2024-01-05" else found["data"]
        return found | {"data": again, "next": f"/items?since={found['end']}"}

    key = incremental(start_param="since", initial_value="2024-01-01T00:00:00Z")
    endpoint = {"paginator": {"type": "json_link", "at_end_path": "done"}}
    with JsonApi(answer) as api:
        done = run(shop(api.origin, key, endpoint=endpoint))
    assert done.verdict() == "unverified"
