"""Bookmarks: what a run asks for, what it keeps, and where the next one begins."""

from __future__ import annotations

import io
import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.patience import just_before
from support.runs import STREAM, declared, discover, run
from support.servers import JsonApi as PlainApi
from support.servers import reply

from tap_analytics.config.files import read_json
from tap_analytics.demo import DemoApi
from tap_analytics.pagination.early_stop import DescendingOrder
from tap_analytics.records.bookmark import Bookmark
from tap_analytics.records.notation import comparable, in_unit, parse_iso, unit_of
from tap_analytics.records.rows import DictRows, RowDecoder
from tap_analytics.records.window import Window
from tap_analytics.records.writer import ENCODER

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
moments = st.datetimes(
    min_value=datetime(2001, 9, 10),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
)
units = st.sampled_from(["iso", "epoch_s", "epoch_ms"])


def opened(*, unit=None, warn=lambda _: None, opened=None, **given_values):
    return Bookmark(
        window=Window(unit=unit, **given_values), warn=warn, opened=opened or datetime.now(UTC)
    )


def wants_from(low, place):
    return low is None or place >= low


def wants(bookmark, value):
    return bookmark.window.select([value])[0]


def stored_and_read_again(value):
    """Return a bookmark as the next run finds it: written as STATE, read from the state file."""
    state = {"bookmarks": {STREAM: {"replication_key_value": value}}}
    text = ENCODER.encode({"type": "STATE", "value": state}).decode()
    read = read_json(io.StringIO(text), "state")
    return read["bookmarks"][STREAM]["replication_key_value"]


# --- units ------------------------------------------------------------------------------------


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
    assert unit_of(written) == ("iso" if unit == "iso" else "undeclared")
    assert comparable(written, unit) is not None


@given(moments, moments, units)
def test_values_are_ordered_as_their_moments_are(one, other, unit):
    floored = [moment.replace(microsecond=0) for moment in (one, other)]
    places = [comparable(in_unit(moment, unit), unit) for moment in floored]
    assert (places[0] < places[1]) == (floored[0] < floored[1])


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1_700_000_000, "undeclared"),
        (1_700_000_000_000, "undeclared"),
        (Decimal("1700000000.5"), "undeclared"),
        (42, "undeclared"),
        ("1700000119", "undeclared"),
        ("1700000119.000200", "undeclared"),
        ("20240101", "undeclared"),
        ("20240101120000", "undeclared"),
        ("-7", "undeclared"),
        ("20240101T120000Z", "iso"),
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
def test_times_are_distinguished_from_numbers(value, unit):
    assert unit_of(value) == unit


@pytest.mark.parametrize("digits", ["1612053012345", "1700000000000", "1700000000", "1512053123"])
def test_digits_are_never_taken_for_a_date_of_long_ago(digits):
    bookmark = opened(start_date="2015-01-01T00:00:00Z")
    assert wants(bookmark, digits)


@pytest.mark.parametrize(
    ("value", "unit", "place"),
    [
        ("1700000000", "epoch_s", 1_700_000_000),
        (" 17 ", "number", 17),
        ("x", "epoch_s", None),
        ("²", "epoch_ms", None),
        (True, "number", None),
        (1_700_000_000_000, "epoch_s", None),
        (1_700_000_000, "epoch_ms", None),
        (1_700_000_000_000_000, "epoch_ms", None),
        (0, "epoch_s", 0),
        ("2023-11-14T22:13:20.5Z", "epoch_s", Decimal("1700000000.5")),
        ("2023-11-14T22:13:20Z", "epoch_ms", 1_700_000_000_000),
        ("2023-11-14T22:13:20Z", "number", None),
        ("2023-11-14T22:13:20", "epoch_s", None),
        ("2023-11-14", "epoch_ms", None),
        ("20240101", "iso", datetime(2024, 1, 1, tzinfo=UTC)),
        (None, "iso", None),
        (7, "iso", None),
        ([], "epoch_s", None),
    ],
)
def test_only_values_of_the_unit_have_a_place(value, unit, place):
    assert comparable(value, unit) == place


def test_times_of_one_moment_are_equal_in_any_zone():
    assert comparable("2024-01-01T02:00:00+02:00", "iso") == comparable(
        "2024-01-01T00:00:00Z", "iso"
    )
    assert comparable("2024-01-01", "iso") == comparable("2024-01-01T00:00:00", "iso")


# --- the start ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_values", "start"),
    [
        ({}, None),
        ({"stored": "2024-05-01T00:00:00Z"}, "2024-05-01T00:00:00Z"),
        ({"start_date": "2024-05-01T00:00:00Z"}, None),
        ({"start_date": "2024-05-01", "unit": "iso"}, "2024-05-01"),
        ({"start_date": "2024-05-01", "holds_times": True}, "2024-05-01"),
        ({"start_date": "2024-05-01", "initial": "2024-01-01"}, "2024-05-01"),
        ({"start_date": "2024-05-01", "initial": 7}, 7),
        ({"stored": "2024-05-01T00:00:00Z", "start_date": "2024-06-01"}, "2024-06-01"),
        ({"stored": "2024-07-01T00:00:00Z", "start_date": "2024-06-01"}, "2024-07-01T00:00:00Z"),
        ({"stored": "2024-07-01T00:00:00Z", "lookback": 3600}, "2024-06-30T23:00:00Z"),
        (
            {"stored": "2024-07-01T00:00:00Z", "lookback": 3600, "start_date": "2024-07-01"},
            "2024-07-01",
        ),
        ({"initial": "2024-01-01"}, "2024-01-01"),
        ({"initial": "2024-01-01", "stored": "2024-07-01"}, "2024-07-01"),
        ({"stored": 1_700_000_000}, 1_700_000_000),
        ({"stored": 1_700_000_000, "lookback": 60}, None),
        ({"stored": 1_700_000_000, "lookback": 60, "unit": "epoch_s"}, 1_699_999_940),
        ({"stored": "1700000000", "lookback": 60, "unit": "epoch_s"}, 1_699_999_940),
        ({"stored": 1_700_000_000_000, "lookback": 60, "unit": "epoch_ms"}, 1_699_999_940_000),
        ({"stored": 1_700_000_000, "start_date": "2024-01-01"}, 1_700_000_000),
        (
            {"stored": 1_700_000_000, "start_date": "2024-01-01", "unit": "epoch_s"},
            1_704_067_200,
        ),
        ({"stored": "2023-11-14T22:13:20Z", "unit": "epoch_s"}, 1_700_000_000),
        ({"initial": "2023-11-14T22:13:20Z", "unit": "epoch_ms"}, 1_700_000_000_000),
        ({"initial": "2023-11-14", "unit": "epoch_s"}, 1_699_920_000),
        ({"unit": "epoch_ms", "start_date": "2024-01-01"}, 1_704_067_200_000),
        ({"stored": 7, "lookback": 60, "start_date": "2024-01-01", "unit": "number"}, 7),
        ({"stored": "0001-01-01T00:00:00Z", "lookback": 60}, None),
    ],
    ids=str,
)
def test_a_run_starts_at_the_later_of_bookmark_and_start_date(given_values, start):
    assert opened(**given_values).window.start == start


@pytest.mark.parametrize("initial", ["0", "v17", "1700000000"])
def test_an_initial_value_of_any_notation_is_sent(initial):
    with JsonApi(lambda _: {"data": []}) as api:
        incremental = {"cursor_path": "at", "start_param": "since", "initial_value": initial}
        run(declared(api.origin, endpoint={"paginator": "json_link", "incremental": incremental}))
    assert [query.get("since") for query in api.queries] == [initial]


# --- rows ---------------------------------------------------------------------------------------


@given(
    st.one_of(
        st.integers(0, 10**14),
        st.decimals(min_value=0, max_value=10**13, places=6).filter(lambda d: d.is_finite()),
        moments.map(lambda moment: in_unit(moment, "iso")),
    )
)
def test_a_row_equal_to_the_bookmark_is_read_again_by_the_next_run(value):
    first = opened()
    assert wants(first, value)
    first.admit([value])
    reached = first.close(began=datetime(2300, 1, 1, tzinfo=UTC))
    second = opened(stored=stored_and_read_again(reached))
    assert wants(second, value)


@pytest.mark.parametrize("value", [None, "yesterday", True, [], {}])
def test_a_row_without_a_readable_value_is_always_wanted(value):
    bookmark = opened(unit="iso", stored="2024-01-01T00:00:00Z", end_date="2024-02-01")
    assert wants(bookmark, value)
    bookmark.admit([value])
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
        if wants(bookmark, value)
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
        assert sum(wants(window, value) for window in windows) == 1


@pytest.mark.parametrize("bad", ["not a date", "2024-13-45", True, {"a": 1}], ids=str)
@pytest.mark.parametrize("unit", ["iso", "epoch_s", "epoch_ms"])
def test_a_state_that_cannot_be_read_costs_no_row(bad, unit):
    bookmark = opened(unit=unit, stored=bad, lookback=60)
    assert wants(bookmark, in_unit(LONG_AGO, unit))


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
    bookmark = opened(unit=unit, stored=kept, opened=began)
    bookmark.admit(written)
    reached = bookmark.close(began=began)

    ceiling = comparable(in_unit(began.replace(microsecond=0), unit), unit)
    low = comparable(kept, unit)
    # What lies in the future is not trusted.
    low = None if low is None or low > ceiling else low
    wanted = [
        place for value in written if (place := comparable(value, unit)) and wants_from(low, place)
    ]
    past = [place for place in wanted if place <= ceiling]
    expected = max(past) if past else ceiling if wanted else low
    assert comparable(reached, unit) == expected


@pytest.mark.parametrize(
    ("unit", "value", "capped"),
    [
        ("iso", "2999-01-01", None),
        ("iso", "2999-01-01 00:00:00", None),
        ("iso", "2999-01-01T00:00:00+02:00", "2024-05-05T10:00:00Z"),
        ("epoch_s", "9999999999", "1714903200"),
        ("epoch_s", 9_999_999_999, 1_714_903_200),
        (None, 1_900_000_000, None),
        ("number", 1_900_000_000, 1_900_000_000),
    ],
    ids=repr,
)
def test_where_all_values_are_later_than_the_run_it_is_the_bookmark_if_that_can_be_written(
    unit, value, capped
):
    """A row that changes on the same day would otherwise be older than the bookmark."""
    began = datetime(2024, 5, 5, 10, 0, 0, 5, tzinfo=UTC)
    bookmark = opened(unit=unit, opened=began)
    assert bookmark.admit([value, None]) == [True, True]
    assert bookmark.close(began=began) == capped


def test_a_value_that_is_null_is_no_reason_for_unverified():
    told = []
    bookmark = opened(warn=told.append)
    bookmark.admit([None, day(1)])
    assert bookmark.close(began=datetime.now(UTC)) == day(1)
    assert told == []


def test_an_end_date_keeps_the_bookmark_in_its_window():
    bookmark = opened(unit="iso", end_date="2024-02-01")
    values = ["2024-01-10T00:00:00Z", "2024-03-01T00:00:00Z"]
    bookmark.admit([value for value in values if wants(bookmark, value)])
    assert bookmark.close(began=datetime(2025, 1, 1, tzinfo=UTC)) == "2024-01-10T00:00:00Z"


def test_a_bookmark_keeps_the_spelling_of_the_api():
    bookmark = opened()
    bookmark.admit(["2024-01-01T02:00:00.000+02:00"])
    assert bookmark.close(began=datetime.now(UTC)) == "2024-01-01T02:00:00.000+02:00"


def test_a_plain_count_has_no_moment_to_stop_at():
    bookmark = opened(unit="number")
    bookmark.admit([1, 12, 3])
    assert bookmark.close(began=LONG_AGO) == 12


# --- newest first -------------------------------------------------------------------------------

#: A run of rows long enough, with what comes before it, for an order to be believed.
TAIL = 40


def day(number):
    return f"2024-01-{number:02}T00:00:00Z"


def minute(number):
    """Return a moment that is the later the higher the number is."""
    return in_unit(datetime(2024, 1, 10, tzinfo=UTC) + timedelta(minutes=number), "iso")


def newest_first(stored=0, **more):
    """Return the order of rows whose bookmark is `minute(stored)`."""
    return DescendingOrder("at", Window(unit="iso", stored=minute(stored), **more))


def made(rows):
    """Return rows of (number, time of change), made in an order that is neither."""
    return [
        {
            "id": f"{n * 53 % 101:03}",
            "at": None if at is None else minute(at),
            "made": minute(n * 37 % 101),
        }
        for n, at in rows
    ]


def stop_of(order, pages):
    """Return after which page reading stops, from 1, or None where it goes on to the end."""
    for number, page in enumerate(pages, start=1):
        if order.passed(DictRows(page)):
            return number
    return None


def paged(values, size):
    rows = made(enumerate(values))
    return [rows[at : at + size] for at in range(0, len(rows), size)]


FALLING = [5, 3, *range(-1, -TAIL, -1)]


@pytest.mark.parametrize(
    ("values", "size", "stops_after"),
    [
        (FALLING, 20, 2),
        (FALLING, 100, None),
        (FALLING, 5, 3),
        (FALLING, 1, 14),
        ([0, *FALLING[2:]], 20, 2),
        ([-1, *FALLING[3:]], 20, None),
        ([5, *FALLING[2:20], 4, *FALLING[20:]], 10, None),
        ([5, 6, *FALLING[2:]], 10, None),
        ([5, None, *FALLING[2:]], 10, None),
        ([5, 5, 5, *FALLING[2:]], 20, 2),
        ([5, *[-1] * TAIL], 10, None),
        ([5, *[-1] * TAIL, *range(-2, -TAIL, -1)], 10, 6),
    ],
)
def test_reading_stops_only_where_the_order_alone_explains_what_has_come(values, size, stops_after):
    assert stop_of(newest_first(), paged(values, size)) == stops_after


def test_a_page_without_rows_proves_nothing():
    pages = paged(FALLING, 20)
    assert stop_of(newest_first(), [[], pages[0], [], pages[1]]) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda n, row: row | {"made": row["at"]},
        lambda n, row: row | {"made": minute(500 - n)},
        lambda n, row: row | {"made": minute(n)},
        lambda n, row: row | {"number": n},
        lambda n, row: row | {"number": str(n)},
        lambda n, row: {"id": row["id"], "at": row["at"]},
        lambda n, row: row | {"made": "never"},
    ],
    ids=["unchanged", "made last", "made first", "number", "digits", "bare", "no times"],
)
def test_no_order_is_trusted_that_another_column_may_have(change):
    """Rows in the order they were made are in that of their change, as long as none has changed."""
    rows = [
        change(n, {"id": f"{n * 53 % 101:03}", "at": minute(at), "made": minute(n * 37 % 101)})
        for n, at in enumerate(FALLING)
    ]
    pages = [rows[at : at + 10] for at in range(0, len(rows), 10)]
    assert stop_of(newest_first(), pages) is None


def test_columns_of_other_kinds_say_nothing_of_an_order():
    rows = [
        row
        | {"flag": n > 20, "nested": {"n": n}, "rare": n if n in {3, 5} else None, "one": "x"}
        | ({"late": n} if n > 3 else {})
        for page in paged(FALLING, 100)
        for n, row in enumerate(page)
    ]
    assert stop_of(newest_first(), [rows[:20], rows[20:]]) == 2


def late(n, row, column, value):
    """Leave a column as it is up to the end of the first page."""
    return row if n < 10 else row | {column: value}


@pytest.mark.parametrize(
    ("made", "value"),
    [(lambda n: minute(-n), None), (minute, "never"), (minute, {"deep": 1}), (lambda n: n, "x")],
    ids=["gone", "text", "object", "number"],
)
@pytest.mark.parametrize("decoded", [True, False])
def test_a_column_that_changes_its_kind_proves_no_order(made, value, decoded):
    rows = [
        late(n, {"id": f"{n * 37 % 101:03}", "at": minute(at), "made": made(n)}, "made", value)
        for n, at in enumerate(FALLING)
    ]
    order, pages = newest_first(), [rows[at : at + 10] for at in range(0, len(rows), 10)]
    codec = RowDecoder(
        path=("data",), typed={"at"}, known=rows[0], refused=(), members=(), keeps_unknown=True
    )
    codec.learn(rows[:10])
    bodies = [ENCODER.encode({"data": page}) for page in pages[1:]]
    later = [
        DictRows(page) if decoded else codec.decode(body)[1]
        for page, body in zip(pages[1:], bodies, strict=True)
    ]
    assert not any(order.passed(page) for page in [DictRows(pages[0]), *later])


def test_columns_that_are_not_decoded_are_followed_as_others_are():
    rows = [row for page in paged(FALLING, 100) for row in page]
    codec = RowDecoder(
        path=("data",), typed={"at"}, known=rows[0], refused=(), members=(), keeps_unknown=True
    )
    codec.learn(rows[:1])
    pages = [codec.decode(ENCODER.encode({"data": [row]}))[1] for row in rows[1:]]
    order = newest_first()
    stops = [order.passed(page) for page in [DictRows(rows[:1]), *pages]]
    assert stops.index(True) == 13


def test_the_lookback_is_read_as_well():
    order = newest_first(lookback=20 * 60)
    assert stop_of(order, paged(FALLING, 10)) == 4


def test_without_a_notation_no_order_is_trusted():
    assert (
        stop_of(DescendingOrder("at", Window(unit=None, stored=minute(0))), paged(FALLING, 10))
        is None
    )


def orders(random, rows, size):
    """Return rows in the orders of servers that don't sort all of them by the time of change."""
    by_change = sorted(rows, key=lambda row: row["at"], reverse=True)
    for name in ("made", "id", "seen"):
        yield sorted(rows, key=lambda row, by=name: row[by])
        yield sorted(rows, key=lambda row, by=name: row[by], reverse=True)
    shuffled = random.sample(rows, len(rows))
    yield shuffled
    pages = [shuffled[at : at + size] for at in range(0, len(rows), size)]
    yield [row for page in pages for row in sorted(page, key=lambda row: row["at"], reverse=True)]
    yield by_change[::-1]
    yield sorted(shuffled, key=lambda row: row["at"][:13], reverse=True)
    pinned = random.randrange(len(rows))
    yield [by_change[pinned], *by_change[:pinned], *by_change[pinned + 1 :]]


def made_at_random(random):
    """Return rows of which some have changed since they were made, and some were seen since."""
    count, share = random.choice([20, 100, 400]), random.choice([0.0, 0.01, 0.1, 0.9])
    for number in range(count):
        later = [random.randrange(number, count + 1) for _ in range(2)]
        changed, seen = later if random.random() < share else (number, number)
        at = {"at": minute(changed), "made": minute(number), "seen": minute(seen)}
        yield {"id": f"{number:04}"} | at


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_no_row_is_lost_in_whatever_order_a_server_sends(size):
    random, early = Random(size), 0
    for _ in range(25):
        rows = [*made_at_random(random)]
        newest = sorted(rows, key=lambda row: row["at"], reverse=True)
        for sent in (*orders(random, rows, size), newest):
            bookmark = random.choice(rows)["at"]
            order = DescendingOrder("at", Window(unit="iso", stored=bookmark))
            pages = [sent[at : at + size] for at in range(0, len(sent), size)]
            stop = stop_of(order, pages)
            lost = [row for page in pages[stop or len(pages) :] for row in page]
            assert not [row for row in lost if row["at"] >= bookmark]
            early += sent is newest and bool(lost)
    assert early > 5


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


def config(origin, *, paginator="json_link", **resource):
    words = ("start_param", "cursor_format", "initial_value")
    incremental = {word: resource.pop(word) for word in words if word in resource}
    endpoint = {"paginator": paginator, "incremental": {"cursor_path": "at"} | incremental}
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
        done = run(config(api.origin, cursor_format=style))
    after = datetime.now(UTC)
    place = comparable(done.bookmark(), style)
    assert (
        comparable(in_unit(before, style), style)
        <= place
        <= comparable(in_unit(after, style), style)
    )
    assert isinstance(done.bookmark(), type(future))


def test_a_server_whose_clock_is_behind_sets_the_bookmark():
    behind = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    body = json.dumps({"data": [at(1, in_unit(datetime.now(UTC), "iso"))], "next": None}).encode()
    with JsonApi(lambda _: reply(200, body, Date=format_datetime(behind, usegmt=True))) as api:
        done = run(config(api.origin))
    assert just_before(behind, parse_iso(done.bookmark()))


def test_rows_stamped_after_a_slow_server_began_are_read_again():
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    rows = [at(1, day(1)), at(2, in_unit(hour_ago + timedelta(minutes=30), "iso"))]
    body = json.dumps({"data": rows, "next": None}).encode()
    with JsonApi(lambda _: reply(200, body, Date=format_datetime(hour_ago, usegmt=True))) as api:
        done = run(config(api.origin))
    assert just_before(hour_ago, parse_iso(done.bookmark()))


def test_a_bookmark_later_than_the_clock_of_the_server_is_reported_and_dropped(caplog):
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    later = in_unit(hour_ago + timedelta(minutes=30), "iso")
    body = json.dumps({"data": [at(1, day(1)), at(2, later)], "next": None}).encode()
    state = {"bookmarks": {STREAM: {"replication_key": "at", "replication_key_value": later}}}
    with JsonApi(lambda _: reply(200, body, Date=format_datetime(hour_ago, usegmt=True))) as api:
        first = run(config(api.origin), state=state)
        second = run(config(api.origin), state=first.state)
    assert first.bookmark() is None
    assert [r for r in caplog.records if "server's clock" in r.getMessage() and r.levelno == 30]
    assert second.ids() == [1, 2]


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


def test_a_server_that_can_filter_gets_requests_for_what_is_new_only():
    with JsonApi(lambda _: {"data": [at(1, day(1))]}) as api:
        first = run(config(api.origin, start_param="since"))
        run(config(api.origin, start_param="since"), state=first.state)
        run(config(api.origin, start_param="since", start_date="2024-05-05"))
    # The page of the sample says that the key holds times; then the server is asked for them.
    assert [query.get("since") for query in api.queries] == [None, day(1), None, "2024-05-05"]


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


@pytest.mark.parametrize(
    "paginator",
    [
        {"type": "offset", "limit": 2},
        {"type": "cursor", "cursor_path": "more", "cursor_param": "offset"},
    ],
    ids=["offset", "cursor"],
)
def test_a_refusal_in_the_middle_of_a_filtered_stream_loses_no_row(paginator):
    # Filtered rows come in the order of their change, all rows in the order of their number.
    table = [at(1, day(10)), at(2, day(9)), *(at(n, day(n)) for n in range(3, 9))]

    def answer(query):
        start = int(query.get("offset", 0))
        more = {"more": str(start + 2) if start + 2 < len(table) else None}
        if "since" not in query:
            return {"data": table[start : start + 2]} | more
        if start:
            return reply(400, b'{"error": "try again later"}')
        changed = [row for row in table if row["at"] >= query["since"]]
        return {"data": sorted(changed, key=lambda row: row["at"])[:2]} | more

    state = {"bookmarks": {STREAM: {"replication_key": "at", "replication_key_value": day(6)}}}
    with PlainApi(answer) as api:
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
    state = {"bookmarks": {STREAM: {"replication_key": "made", "replication_key_value": day(9)}}}
    with JsonApi(lambda _: {"data": [at(1, day(1))]}) as api:
        done = run(config(api.origin), state=state)
    assert done.ids() == [1]


def test_a_key_that_the_catalog_chooses_is_not_that_of_filter_and_notation():
    rows = [at(n, 1_700_000_000 - n, made=1_700_000_000_000 + n) for n in range(5)]
    with JsonApi(lambda _: {"data": rows}) as api:
        given = config(api.origin, cursor_format="epoch_s", start_param="since")
        catalog = discover(given)
        catalog["streams"][0]["replication_key"] = "made"
        first = run(given, catalog=catalog)
        second = run(given | {"start_date": "2020-01-01"}, catalog=catalog, state=first.state)
    assert first.bookmark() == 1_700_000_000_004
    assert second.ids() == [4]
    assert all("since" not in query for query in api.queries)


def test_a_key_that_the_catalog_chooses_is_read_in_an_order_that_does_not_move():
    with DemoApi(scale=0.1) as demo:
        given = {"success": demo.config["success"]}
        catalog = discover(given)
        for entry in catalog["streams"]:
            if entry["tap_stream_id"] == "success_notes":
                entry["replication_key"] = "createdAt"
        first = run(given, catalog=catalog, only=("success_notes",))
        demo.reset_counts()
        second = run(given, catalog=catalog, only=("success_notes",), state=first.state)
        asked = {request.params["sortBy"] for request in demo.requests}
    assert len(second.records("success_notes")) < len(first.records("success_notes"))
    assert asked == {"createdAt"}


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
