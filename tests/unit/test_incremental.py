"""Bookmarks: what a run asks for, what it keeps, and where the next one begins."""

from __future__ import annotations

import io
import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from runs import STREAM, declared, run
from runs import JsonApi as PlainApi
from scripted_server import reply

from tap_analytics.demo import DemoApi
from tap_analytics.incremental import (
    Bookmark,
    NewestFirst,
    in_unit,
    instant,
    parse_iso,
    unit_of,
)
from tap_analytics.inputs import read_json
from tap_analytics.writer import ENCODER

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
moments = st.datetimes(
    min_value=datetime(2001, 9, 10),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
)
units = st.sampled_from(["iso", "epoch_s", "epoch_ms"])


def opened(**given_values):
    return Bookmark.open(
        **{
            "unit": None,
            "stored": None,
            "initial": None,
            "start_date": None,
            "end_date": None,
            "lookback": 0,
            **given_values,
        }
    )


def stored_and_read_again(value):
    """Return a bookmark as the next run finds it: written as STATE, read from the state file."""
    state = {"bookmarks": {STREAM: {"replication_key_value": value}}}
    text = ENCODER.encode({"type": "STATE", "value": state}).decode()
    read = read_json(io.StringIO(text), "state")
    return read["bookmarks"][STREAM]["replication_key_value"]


# --- units ------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, derandomize=True)
@given(moments, units)
@example(datetime(2004, 1, 26, 23, 51, 8, 353_000, tzinfo=UTC), "epoch_ms")
def test_a_moment_written_in_a_unit_is_the_same_moment(moment, unit):
    if unit != "iso":
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if unit == "epoch_s":
        moment = moment.replace(microsecond=0)
    written = in_unit(moment, unit)
    scale = {"epoch_s": 1, "epoch_ms": 1000}.get(unit)
    if scale is None:
        assert parse_iso(written) == moment
        assert written.endswith("Z")
    else:
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        assert written == since // timedelta(milliseconds=1000 // scale)
    assert unit_of(written) == unit


@settings(max_examples=200, deadline=None, derandomize=True)
@given(moments, moments, units)
def test_values_are_ordered_as_their_moments_are(one, other, unit):
    floored = [moment.replace(microsecond=0) for moment in (one, other)]
    places = [instant(in_unit(moment, unit), unit) for moment in floored]
    assert (places[0] < places[1]) == (floored[0] < floored[1])


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1_700_000_000, "epoch_s"),
        (1_700_000_000_000, "epoch_ms"),
        (Decimal("1700000000.5"), "epoch_s"),
        (42, "number"),
        ("2024-01-01", "iso"),
        ("2024-01-01T00:00:00Z", "iso"),
        ("2024-01-01T02:00:00+02:00", "iso"),
        ("2024-01-01T00:00:00.123456789Z", "iso"),
        ("2024-01-01 10:00:00", "iso"),
        ("yesterday", None),
        ("", None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_the_notation_of_a_value_is_told(value, unit):
    assert unit_of(value) == unit


@pytest.mark.parametrize("digits", ["1612053012345", "1700000000000", "1700000000", "1512053123"])
def test_digits_are_never_taken_for_a_date_of_long_ago(digits):
    bookmark = opened(start_date="2015-01-01T00:00:00Z")
    assert bookmark.wants(digits)


@pytest.mark.parametrize(
    ("value", "unit", "place"),
    [
        ("1700000000", "epoch_s", 1_700_000_000),
        (" 17 ", "number", 17),
        ("x", "epoch_s", None),
        ("²", "epoch_ms", None),
        (True, "number", None),
        (None, "iso", None),
        (7, "iso", None),
        ([], "epoch_s", None),
    ],
)
def test_only_values_of_the_unit_have_a_place(value, unit, place):
    assert instant(value, unit) == place


def test_times_of_one_moment_are_equal_in_any_zone():
    assert instant("2024-01-01T02:00:00+02:00", "iso") == instant("2024-01-01T00:00:00Z", "iso")
    assert instant("2024-01-01", "iso") == instant("2024-01-01T00:00:00", "iso")


# --- the start ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_values", "start"),
    [
        ({}, None),
        ({"stored": "2024-05-01T00:00:00Z"}, "2024-05-01T00:00:00Z"),
        ({"start_date": "2024-05-01T00:00:00Z"}, "2024-05-01T00:00:00Z"),
        ({"stored": "2024-05-01T00:00:00Z", "start_date": "2024-06-01"}, "2024-06-01"),
        ({"stored": "2024-07-01T00:00:00Z", "start_date": "2024-06-01"}, "2024-07-01T00:00:00Z"),
        ({"stored": "2024-07-01T00:00:00Z", "lookback": 3600}, "2024-06-30T23:00:00Z"),
        (
            {"stored": "2024-07-01T00:00:00Z", "lookback": 3600, "start_date": "2024-07-01"},
            "2024-07-01",
        ),
        ({"initial": "2024-01-01"}, "2024-01-01"),
        ({"initial": "2024-01-01", "stored": "2024-07-01"}, "2024-07-01"),
        ({"initial": "2024-01-01", "start_date": "2024-02-01"}, "2024-02-01"),
        ({"stored": 1_700_000_000, "lookback": 60}, 1_699_999_940),
        ({"stored": 1_700_000_000_000, "lookback": 60}, 1_699_999_940_000),
        ({"stored": 1_700_000_000, "start_date": "2024-01-01"}, 1_704_067_200),
        ({"unit": "epoch_ms", "start_date": "2024-01-01"}, 1_704_067_200_000),
        ({"stored": 7, "lookback": 60, "start_date": "2024-01-01"}, 7),
    ],
    ids=str,
)
def test_a_run_starts_at_the_later_of_bookmark_and_start_date(given_values, start):
    assert opened(**given_values).start == start


@pytest.mark.parametrize("initial", ["0", "v17", "1700000000"])
def test_an_initial_value_of_any_notation_is_asked_for(initial):
    with JsonApi(lambda _: {"data": []}) as api:
        incremental = {"cursor_path": "at", "start_param": "since", "initial_value": initial}
        run(declared(api.origin, endpoint={"paginator": "json_link", "incremental": incremental}))
    assert [query.get("since") for query in api.queries] == [initial]


# --- rows ---------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.integers(0, 10**14),
        st.decimals(min_value=0, max_value=10**13, places=6).filter(lambda d: d.is_finite()),
        moments.map(lambda moment: in_unit(moment, "iso")),
    )
)
def test_a_row_equal_to_the_bookmark_is_read_again_by_the_next_run(value):
    first = opened()
    assert first.wants(value)
    first.observe([value])
    reached = first.close(began=datetime(2300, 1, 1, tzinfo=UTC))
    second = opened(stored=stored_and_read_again(reached))
    assert second.wants(value)


@pytest.mark.parametrize("value", [None, "yesterday", True, [], {}])
def test_a_row_without_a_readable_value_is_always_wanted(value):
    bookmark = opened(unit="iso", stored="2024-01-01T00:00:00Z", end_date="2024-02-01")
    assert bookmark.wants(value)
    bookmark.observe([value])
    assert bookmark.close(began=datetime.now(UTC)) == "2024-01-01T00:00:00Z"


def test_the_end_of_a_window_is_not_in_it_and_its_start_is():
    bookmark = opened(unit="iso", start_date="2024-01-01", end_date="2024-02-01")
    wanted = [
        value
        for value in (
            "2023-12-31T23:59:59.999Z",
            "2024-01-01T00:00:00Z",
            "2024-01-31T23:59:59.999Z",
            "2024-02-01T00:00:00Z",
            "2024-02-01T01:30:00+02:00",
        )
        if bookmark.wants(value)
    ]
    assert wanted == [
        "2024-01-01T00:00:00Z",
        "2024-01-31T23:59:59.999Z",
        "2024-02-01T01:30:00+02:00",
    ]


def test_windows_that_meet_share_no_row_and_lose_none():
    cuts = ["2024-01-01", "2024-02-01T00:00:00.5Z", "2024-03-01"]
    values = [1_706_745_600_000 + shift for shift in range(-2, 1003)]
    windows = [
        opened(unit="epoch_ms", start_date=start, end_date=end)
        for start, end in itertools.pairwise(cuts)
    ]
    for value in values:
        assert sum(window.wants(value) for window in windows) == 1


@pytest.mark.parametrize("bad", ["not a date", "2024-13-45", True, {"a": 1}], ids=str)
@pytest.mark.parametrize("unit", ["iso", "epoch_s", "epoch_ms"])
def test_a_state_that_cannot_be_read_costs_no_row(bad, unit):
    bookmark = opened(unit=unit, stored=bad, lookback=60)
    assert bookmark.wants(in_unit(LONG_AGO, unit))


@pytest.mark.parametrize("stream", ["success_accounts", "wiki_audit", "learning_people"])
def test_a_run_with_a_state_that_cannot_be_read_reads_everything(stream):
    with DemoApi(scale=0.1) as demo:
        api, _, _ = stream.partition("_")
        fresh = run({api: demo.config[api]}, only=(stream,))
        state = json.loads(json.dumps(fresh.state))
        state["bookmarks"][stream]["replication_key_value"] = "2024-13-45"
        done = run({api: demo.config[api]}, state=state, only=(stream,))
        assert done.error is None
        assert sorted(map(str, done.records(stream))) == sorted(map(str, fresh.records(stream)))
        assert done.bookmark(stream) == fresh.bookmark(stream)


# --- the end ------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    units,
    st.lists(moments, max_size=8),
    moments,
    st.one_of(st.none(), moments),
)
def test_a_bookmark_is_the_highest_value_but_never_past_the_start_of_the_run(
    unit, seen, began, stored
):
    written = [in_unit(moment, unit) for moment in seen]
    kept = None if stored is None else in_unit(stored, unit)
    bookmark = opened(unit=unit, stored=kept)
    bookmark.observe(written)
    reached = bookmark.close(began=began)

    ceiling = began.replace(microsecond=0)
    places = [instant(value, unit) for value in written]
    if reached is None:
        assert not written
        assert kept is None
    elif kept is not None and instant(reached, unit) == instant(kept, unit):
        assert all(place <= instant(kept, unit) for place in places) or (
            instant(kept, unit) >= instant(in_unit(ceiling, unit), unit)
        )
    else:
        assert instant(reached, unit) <= instant(in_unit(ceiling, unit), unit)
        assert instant(reached, unit) <= max(places)
        assert kept is None or instant(reached, unit) > instant(kept, unit)


@pytest.mark.parametrize("first", [0, -1, 17, None])
def test_the_first_value_does_not_decide_alone_what_the_others_are(first):
    began = datetime(2024, 1, 1, tzinfo=UTC)
    bookmark = opened(start_date="2015-01-01")
    values = [first, 1_304_067_200, 1_504_067_200, 1_904_067_200]
    wanted = [value for value in values if bookmark.wants(value)]
    bookmark.observe(wanted)
    assert bookmark.close(began=began) == 1_704_067_200


def test_an_end_date_keeps_the_bookmark_in_its_window():
    bookmark = opened(unit="iso", end_date="2024-02-01")
    values = ["2024-01-10T00:00:00Z", "2024-03-01T00:00:00Z"]
    bookmark.observe([value for value in values if bookmark.wants(value)])
    assert bookmark.close(began=datetime(2025, 1, 1, tzinfo=UTC)) == "2024-01-10T00:00:00Z"


def test_a_bookmark_keeps_the_spelling_of_the_api():
    bookmark = opened()
    bookmark.observe(["2024-01-01T02:00:00.000+02:00"])
    assert bookmark.close(began=datetime.now(UTC)) == "2024-01-01T02:00:00.000+02:00"


def test_a_plain_count_has_no_moment_to_stop_at():
    bookmark = opened(unit="number")
    bookmark.observe([1, 12, 3])
    assert bookmark.close(began=LONG_AGO) == 12


def test_a_run_that_never_learnt_the_notation_leaves_the_bookmark_alone():
    assert opened(stored="v17").close(began=LONG_AGO) == "v17"
    bookmark = opened()
    bookmark.observe(["v18"])
    assert bookmark.close(began=LONG_AGO) is None


# --- newest first -------------------------------------------------------------------------------


def day(number):
    return f"2024-01-{number:02}T00:00:00Z"


def newest_first(stored=10, **more):
    return NewestFirst("at", opened(unit="iso", stored=day(stored), **more))


@pytest.mark.parametrize(
    ("pages", "stops_after"),
    [
        ([[20, 15], [12, 9], [8]], 2),
        ([[20, 9], [8]], 1),
        ([[20, 10], [10, 9], [8]], 2),
        ([[10, 9], [8]], 1),
        ([[9, 8], [7], [20]], None),
        ([[20, 9, 15], [8], [7]], None),
        ([[12, 14], [9], [8]], None),
        ([[20], [21], [9], [8]], None),
        ([[20, None], [9], [8]], None),
        ([[], [20, 9], [8]], 2),
        ([[20, 20, 12]], None),
    ],
    ids=str,
)
def test_reading_stops_only_while_every_row_proves_the_order(pages, stops_after):
    order = newest_first()
    passed = [order.passed([day(n) if n else None for n in page]) for page in pages]
    stopped = next((number for number, flag in enumerate(passed, start=1) if flag), None)
    assert stopped == stops_after


def test_the_lookback_is_read_as_well():
    order = newest_first(lookback=2 * 86_400)
    assert not order.passed([day(12), day(9)])
    assert not order.passed([day(8)])
    assert order.passed([day(7)])


def test_without_a_notation_no_order_is_believed():
    assert not NewestFirst("at", opened()).passed(["x"])


# --- whole runs ---------------------------------------------------------------------------------


def at(number, value, **fields):
    return {"id": number, "at": value, **fields}


class JsonApi(PlainApi):
    """Shows where the list ends, as a bookmark asks for it: no next link, or an empty page."""

    def __init__(self, answer):
        def ended(query):
            found = answer(query)
            paged = "offset" in query or isinstance(found, bytes)
            return found if paged else {**found, "next": None}

        super().__init__(ended)


def config(origin, *, start_param=None, paginator="json_link", **resource):
    incremental = {"cursor_path": "at"} | ({"start_param": start_param} if start_param else {})
    endpoint = {"paginator": paginator, "incremental": incremental}
    return declared(origin, endpoint=endpoint, **resource)


@pytest.mark.parametrize("style", ["iso", "epoch_s", "epoch_ms"])
def test_the_second_run_reads_what_changed_and_what_equals_the_bookmark(style):
    old, mid, new = (in_unit(LONG_AGO + timedelta(days=n), style) for n in (0, 1, 2))
    table = [at(1, old), at(2, mid), at(3, None)]
    with JsonApi(lambda _: {"data": [dict(row) for row in table]}) as api:
        first = run(config(api.origin))
        table.append(at(4, new))
        second = run(config(api.origin), state=first.state)
        third = run(config(api.origin), state=second.state)
    assert first.ids() == [1, 2, 3]
    assert first.bookmark() == mid
    assert second.ids() == [2, 3, 4]
    assert second.bookmark() == new
    assert third.ids() == [3, 4]


@pytest.mark.parametrize("style", ["iso", "epoch_s", "epoch_ms"])
def test_a_bookmark_never_passes_the_moment_the_run_began(style):
    future = in_unit(datetime.now(UTC) + timedelta(days=1), style)
    before = datetime.now(UTC).replace(microsecond=0)
    with JsonApi(lambda _: {"data": [at(1, future)]}) as api:
        done = run(config(api.origin))
    after = datetime.now(UTC)
    place = instant(done.bookmark(), style)
    assert instant(in_unit(before, style), style) <= place <= instant(in_unit(after, style), style)
    assert unit_of(done.bookmark()) == style


def test_a_server_whose_clock_is_behind_sets_the_bookmark():
    behind = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    body = json.dumps({"data": [at(1, in_unit(datetime.now(UTC), "iso"))], "next": None}).encode()
    with JsonApi(lambda _: reply(200, body, Date=format_datetime(behind, usegmt=True))) as api:
        done = run(config(api.origin))
    assert parse_iso(done.bookmark()) == behind


@pytest.mark.parametrize("date", ["nonsense", "Mon, 01 Jan 2035 00:00:00 GMT"])
def test_a_server_whose_clock_is_ahead_or_broken_does_not(date):
    body = json.dumps({"data": [at(1, "2034-01-01T00:00:00Z")], "next": None}).encode()
    with JsonApi(lambda _: reply(200, body, Date=date)) as api:
        done = run(config(api.origin))
    assert parse_iso(done.bookmark()) <= datetime.now(UTC)


def test_a_window_is_read_from_start_until_before_end():
    table = [at(n, f"2024-0{n}-01T00:00:00Z") for n in range(1, 7)]
    with JsonApi(lambda _: {"data": table}) as api:
        done = run(config(api.origin, start_date="2024-02-01", end_date="2024-04-01"))
    assert done.ids() == [2, 3]
    assert done.bookmark() == "2024-03-01T00:00:00Z"


def test_a_lookback_is_read_again():
    table = [at(1, day(1)), at(2, day(2)), at(3, day(3))]
    with JsonApi(lambda _: {"data": table}) as api:
        first = run(config(api.origin))
        second = run(config(api.origin, lookback_seconds=86_400), state=first.state)
    assert second.ids() == [2, 3]
    assert second.bookmark() == day(3)


def test_a_server_that_can_filter_is_asked_for_what_is_new_only():
    with JsonApi(lambda _: {"data": [at(1, day(1))]}) as api:
        first = run(config(api.origin, start_param="since"))
        run(config(api.origin, start_param="since"), state=first.state)
        run(config(api.origin, start_param="since", start_date="2024-05-05"))
    assert [query.get("since") for query in api.queries] == [None, day(1), "2024-05-05"]


@pytest.mark.parametrize("status", [400, 422])
def test_where_the_filter_is_refused_everything_is_read_and_compared_here(status):
    table = [at(n, day(n)) for n in range(1, 6)]

    def answer(query):
        if "since" in query:
            return reply(status, b'{"error": "unknown parameter since"}')
        start = int(query["offset"])
        return {"data": table[start : start + 2]}

    state = {"bookmarks": {STREAM: {"replication_key": "at", "replication_key_value": day(3)}}}
    with JsonApi(answer) as api:
        paginator = {"type": "offset", "limit": 2}
        given = config(api.origin, start_param="since", paginator=paginator)
        done = run(given, state=state)
    assert done.error is None
    assert done.ids() == [3, 4, 5]
    assert done.bookmark() == day(5)


def test_a_refusal_in_the_middle_of_a_filtered_walk_loses_no_row():
    # Filtered rows come in the order of their change, all rows in the order of their number.
    table = [at(1, day(10)), at(2, day(9)), *(at(n, day(n)) for n in range(3, 9))]

    def answer(query):
        start = int(query["offset"])
        if "since" not in query:
            return {"data": table[start : start + 2]}
        if start:
            return reply(400, b'{"error": "try again later"}')
        changed = [row for row in table if row["at"] >= query["since"]]
        return {"data": sorted(changed, key=lambda row: row["at"])[:2]}

    state = {"bookmarks": {STREAM: {"replication_key": "at", "replication_key_value": day(6)}}}
    with JsonApi(answer) as api:
        paginator = {"type": "offset", "limit": 2}
        done = run(config(api.origin, start_param="since", paginator=paginator), state=state)
    assert done.error is not None or {1, 2, 6, 7, 8} <= set(done.ids())


def test_a_run_that_fails_leaves_the_bookmark_where_it_was():
    def answer(query):
        if query["offset"] == "0":
            return {"data": [at(1, day(9)), at(2, day(8))]}
        return reply(403, b"{}")

    state = {"bookmarks": {STREAM: {"replication_key": "at", "replication_key_value": day(3)}}}
    with JsonApi(answer) as api:
        paginator = {"type": "offset", "limit": 2}
        done = run(config(api.origin, paginator=paginator), state=state)
    assert done.error is not None
    assert done.ids() == [1, 2]
    assert done.bookmark() == day(3)


def test_the_bookmark_of_another_replication_key_is_not_taken():
    state = {"bookmarks": {STREAM: {"replication_key": "id", "replication_key_value": 99}}}
    with JsonApi(lambda _: {"data": [at(1, day(1))]}) as api:
        done = run(config(api.origin), state=state)
    assert done.ids() == [1]


def test_children_of_unchanged_parents_are_read():
    def answer(query):
        del query
        return {"data": [at(1, day(1)), at(2, day(2))]}

    with JsonApi(answer) as api:
        child = {
            "name": "parts",
            "endpoint": {
                "path": "/items/{item_id}/parts",
                "data_selector": "data",
                "paginator": "json_link",
            },
            "primary_key": ["item_id", "id"],
        }
        given = config(api.origin, start_param="since", children=[child])
        first = run(given)
        second = run(given, state=first.state)
    assert second.ids() == [2]
    assert {row["item_id"] for row in second.records("shop_parts")} == {1, 2}
    assert all("since" not in query for query in api.queries)
    assert list(second.state["bookmarks"]) == [STREAM]
