"""Replication keys in any notation, over several runs: no change of a row is ever missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from support.runs import STREAM, declared, discover, run
from support.servers import JsonApi

from tap_analytics.records.notation import in_unit

NOW = datetime.now(UTC)


def config(origin, *, top=None, **incremental):
    endpoint = {
        "paginator": {"type": "offset", "limit": 10},
        "incremental": {"cursor_path": "at"} | incremental,
    }
    return declared(origin, endpoint=endpoint, **(top or {}))


def served(rows, query):
    start = int(query["offset"])
    return {"data": rows[start : start + 10]}


def table(count, value):
    return [{"id": number, "at": value(number)} for number in range(count)]


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


# --- numbers that nobody declares ---------------------------------------------------------------


@pytest.mark.parametrize(
    "first", [0, 1_500_000_000, 1_700_000_000_000, 20_240_101_120_000, 1_700_000_000_000_000]
)
@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize(
    "top", [{"start_date": "2024-06-01"}, {"end_date": "2001-01-01"}], ids=["start", "end"]
)
def test_dates_filter_no_numbers_of_which_nothing_says_what_they_are(first, text, top, caplog):
    rows = table(30, lambda n: str(first + n) if text else first + n)
    with JsonApi(lambda query: served(rows, query)) as api:
        first_run = run(config(api.origin, top=top, start_param="since"))
        rows[3]["at"] = str(first + 40) if text else first + 40
        second = run(config(api.origin, top=top, start_param="since"), state=first_run.state)
    assert first_run.ids() == list(range(30))
    assert first_run.bookmark() == (str(first + 29) if text else first + 29)
    assert second.ids() == [3, 29]
    asked = {query.get("since") for query in api.queries}
    assert asked == {None, str(first + 29)}
    [name] = top
    [warning] = {line for line in told(caplog) if name in line}
    assert "`at`" in warning
    assert "cursor_format" in warning


@pytest.mark.parametrize(
    ("unit", "since"), [("epoch_s", "1717200000"), ("epoch_ms", "1717200000000")]
)
@pytest.mark.parametrize("text", [False, True])
def test_a_declared_notation_is_what_a_server_is_asked_in(unit, since, text, caplog):
    moment = datetime(2024, 5, 30, tzinfo=UTC)

    def value(number):
        found = in_unit(moment + timedelta(days=number), unit)
        return str(found) if text else found

    rows = table(10, value)
    top = {"start_date": "2024-06-01", "end_date": "2024-06-05"}
    with JsonApi(lambda query: served(rows, query)) as api:
        done = run(config(api.origin, top=top, start_param="since", cursor_format=unit))
    assert done.ids() == [2, 3, 4, 5]
    assert {query["since"] for query in api.queries} == {since}
    assert not told(caplog)


def test_a_declared_count_knows_no_dates(caplog):
    rows = table(30, lambda n: 1_790_000_000 + 10**7 * n)
    top = {"start_date": "2024-06-01", "lookback_seconds": 60}
    with JsonApi(lambda query: served(rows, query)) as api:
        given = config(api.origin, top=top, cursor_format="number")
        first = run(given)
        second = run(given, state=first.state)
    assert first.ids() == list(range(30))
    assert second.ids() == [29]
    assert not told(caplog)


def test_a_lookback_over_numbers_of_which_nothing_says_what_they_are_reads_all(caplog):
    rows = table(30, lambda n: 1_500_000_000 + n)
    with JsonApi(lambda query: served(rows, query)) as api:
        first = run(config(api.origin))
        second = run(config(api.origin, top={"lookback_seconds": 60}), state=first.state)
    assert second.ids() == list(range(30))
    assert [line for line in told(caplog) if "lookback_seconds" in line]


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
def test_a_number_that_may_be_a_time_after_the_run_began_is_read_again(scale, caplog):
    soon = int((NOW + timedelta(hours=1)).timestamp()) * scale
    rows = table(30, lambda n: soon - 10**6 * scale * (30 - n) if n < 20 else soon + n * scale)
    with JsonApi(lambda query: served(rows, query)) as api:
        first = run(config(api.origin))
        second = run(config(api.origin), state=first.state)
    assert first.bookmark() == rows[19]["at"]
    assert second.ids() == list(range(19, 30))
    assert [line for line in told(caplog) if "in the future if they are times" in line]


@pytest.mark.parametrize("pattern", ["%Y%m%d%H%M%S", "%Y%m%d"])
def test_a_number_that_may_be_a_date_after_the_run_began_is_read_again(pattern):
    def stamp(days):
        return int((NOW + timedelta(days=days)).strftime(pattern))

    rows = table(30, lambda n: stamp(n - 24.25))
    with JsonApi(lambda query: served(rows, query)) as api:
        first = run(config(api.origin))
    # Perhaps a server's own time, up to 12 hours behind UTC.
    assert stamp(-2) <= first.bookmark() <= stamp(-0.5 if "%H" in pattern else 0)


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        (1_700_000_000_000, 1_700_000_001),
        ("1700000000000", "1700000001"),
        (1_700_000_000_000_000, 1_700_000_001_000),
        (20_231_114_221_320, 1_700_000_001_000),
        (1_700_000_000, 1_700_000_001_000),
        (1_700_000_000, "2023-11-14T22:13:21Z"),
        ("2023-11-14T22:13:20Z", 1_700_000_001),
        ("2023-11-14T22:13:20Z", "1700000001000"),
        ("2023-11-14T22:13:20Z", "2023-11-14T14:13:21"),
        ("2023-11-14T22:13:20Z", "2023-11-14"),
        ("2023-11-14T22:13:20", "2023-11-14T16:13:21-06:00"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("unit", [None, "iso", "epoch_s", "epoch_ms"])
def test_a_change_in_another_notation_than_the_bookmark_arrives(stored, value, unit):
    rows = [{"id": 1, "at": stored}, {"id": 2, "at": value}]
    with JsonApi(lambda query: served(rows, query)) as api:
        given = config(api.origin, **({"cursor_format": unit} if unit else {}))
        done = run(given, state=mark(stored))
    assert done.error is None
    assert 2 in done.ids()


# --- times --------------------------------------------------------------------------------------


def test_a_server_gets_a_time_once_rows_have_shown_times():
    rows = table(30, lambda n: f"2024-01-{n + 1:02}T00:00:00Z")

    def answer(query):
        return served([row for row in rows if row["at"] >= query.get("since", "")], query)

    top = {"start_date": "2024-01-12"}
    with JsonApi(answer) as api:
        given = config(api.origin, start_param="since")
        catalog = discover(given)
        given |= top
        api.requests.clear()
        done = run(given, catalog=catalog)
        asked = [(query["offset"], query.get("since")) for query in api.queries]
    assert done.ids() == list(range(11, 30))
    assert asked[0] == ("0", None)
    assert {since for _, since in asked[1:]} == {"2024-01-12"}


@pytest.mark.parametrize("rows", [[], [{"id": 1, "at": None}]], ids=["none", "null"])
def test_a_first_page_that_shows_no_notation_costs_no_request(rows):
    with JsonApi(lambda query: served(rows, query)) as api:
        given = config(api.origin, start_param="since") | {"start_date": "2024-01-12"}
        catalog = discover(given)
        api.requests.clear()
        done = run(given, catalog=catalog)
    assert len(done.records()) == len(rows)
    assert (api.queries[0]["offset"], api.queries[0].get("since")) == ("0", None)
    assert len(api.queries) == 1 + len(rows)


def test_a_schema_of_times_declares_them():
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "at": {"type": ["string", "null"], "format": "date-time"},
        },
    }
    with JsonApi(lambda query: served([], query)) as api:
        top = {"start_date": "2024-01-12", "schema": schema}
        run(config(api.origin, start_param="since", top=top))
    assert [query.get("since") for query in api.queries] == ["2024-01-12"]


@pytest.mark.parametrize("hours", [-12, -7, 0, 14])
def test_a_time_without_an_offset_is_not_trusted_to_the_hour(hours):
    """A row that changes after the run has read it must come next time, in whatever zone."""
    here = NOW + timedelta(hours=hours)
    rows = table(30, lambda n: (here - timedelta(hours=29 - n)).strftime("%Y-%m-%d %H:%M:%S"))
    with JsonApi(lambda query: served(rows, query)) as api:
        first = run(config(api.origin))
        declared_iso = run(config(api.origin, cursor_format="iso"))
    # What the server's clock shows, 12 hours behind UTC at the most.
    assert first.bookmark() <= (NOW - timedelta(hours=12)).strftime("%Y-%m-%d %H:%M:%S")
    assert first.bookmark() >= (NOW - timedelta(hours=13, minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
    limit = min(here, NOW).strftime("%Y-%m-%d %H:%M:%S")
    assert declared_iso.bookmark() <= limit


@pytest.mark.parametrize("value", ["v17", "05/03/2024", "Mon, 01 Jan 2024 00:00:00 GMT"])
def test_values_that_cannot_be_compared_are_read_in_every_run_which_says_so(value, caplog):
    rows = table(12, lambda n: value if n != 3 else None)
    with JsonApi(lambda query: served(rows, query)) as api:
        first = run(config(api.origin))
        again = run(config(api.origin), state=first.state)
    for done in (first, again):
        assert done.ids() == list(range(12))
        assert done.bookmark() is None
    assert len([line for line in told(caplog) if repr(value)[:20] in line]) == 2


def test_one_value_that_cannot_be_compared_does_not_keep_the_bookmark_back(caplog):
    rows = table(12, lambda n: "soon" if n == 3 else f"2024-01-{n + 1:02}")
    with JsonApi(lambda query: served(rows, query)) as api:
        first = run(config(api.origin))
        second = run(config(api.origin), state=first.state)
    assert first.bookmark() == "2024-01-12"
    assert second.ids() == [3, 11]
    assert len([line for line in told(caplog) if "'soon'" in line]) == 2


# --- the state ----------------------------------------------------------------------------------


def mark(value):
    return {"bookmarks": {STREAM: {"replication_key": "at", "replication_key_value": value}}}


@pytest.mark.parametrize(
    ("unit", "value", "stored"),
    [
        (None, "2024-01-05T00:00:00Z", "2999-01-01T00:00:00Z"),
        ("iso", "2024-01-05T00:00:00Z", "2999-01-01T00:00:00Z"),
        ("iso", "2024-01-05", "2999-01-01"),
        ("epoch_s", 1_700_000_000, 2_700_000_000),
        ("epoch_ms", 1_700_000_000_000, 2_700_000_000_000),
        (None, 1_700_000_000, 2_700_000_000),
        (None, "1700000000", "2700000000"),
        (None, 1_700_000_000_000, 2_700_000_000_000),
    ],
    ids=repr,
)
def test_a_bookmark_in_the_future_is_reported_and_not_used(unit, value, stored, caplog):
    rows = table(12, lambda _: value)
    with JsonApi(lambda query: served(rows, query)) as api:
        given = config(api.origin, start_param="since", **({"cursor_format": unit} if unit else {}))
        done = run(given, state=mark(stored))
    assert done.ids() == list(range(12))
    assert done.bookmark() == value
    assert all("since" not in query for query in api.queries)
    assert [line for line in told(caplog) if repr(stored) in line and "future" in line]


def test_from_a_bookmark_in_the_future_a_run_goes_back_to_the_start_date():
    rows = table(12, lambda n: f"2024-01-{n + 1:02}")
    with JsonApi(lambda query: served(rows, query)) as api:
        given = config(api.origin, top={"start_date": "2024-01-05"}, cursor_format="iso")
        done = run(given, state=mark("2999-01-01"))
    assert done.ids() == list(range(4, 12))
    assert done.bookmark() == "2024-01-12"


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        (1_700_000_000, lambda n: 1_699_999_998 + n),
        (Decimal("1700000000.5"), lambda n: Decimal("1699999998.5") + n),
        ("1700000000", lambda n: str(1_699_999_998 + n)),
        ("2024-01-03T00:00:00Z", lambda n: f"2024-01-{n + 1:02}T00:00:00Z"),
        ("2024-01-03 00:00:00", lambda n: f"2024-01-{n + 1:02} 00:00:00"),
        (42, lambda n: 40 + n),
    ],
    ids=lambda value: "" if callable(value) else repr(value),
)
def test_a_bookmark_of_version_0_2_0_is_used(stored, value):
    rows = table(5, lambda n: float(value(n)) if isinstance(value(n), Decimal) else value(n))
    with JsonApi(lambda query: served(rows, query)) as api:
        done = run(config(api.origin), state=mark(stored))
    assert done.ids() == [2, 3, 4]


# --- changes while and between runs -------------------------------------------------------------

DAY = timedelta(days=1)
NOTATIONS = {
    "iso": lambda moment: in_unit(moment, "iso"),
    "offset": lambda moment: (moment + timedelta(hours=2)).isoformat()[:26] + "+02:00",
    "naive": lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S"),
    "behind": lambda moment: (moment - timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S"),
    "ahead": lambda moment: (moment + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S"),
    "day": lambda moment: moment.strftime("%Y-%m-%d"),
    "epoch_s": lambda moment: in_unit(moment, "epoch_s"),
    "epoch_ms": lambda moment: in_unit(moment, "epoch_ms"),
    "fraction": lambda moment: round(moment.timestamp(), 3),
    "digits_s": lambda moment: str(in_unit(moment, "epoch_s")),
    "digits_ms": lambda moment: str(in_unit(moment, "epoch_ms")),
    "stamp": lambda moment: int(moment.strftime("%Y%m%d%H%M%S")),
    "null": lambda _: None,
    "odd": lambda moment: moment.strftime("%d.%m.%Y"),
}
#: A server's own time: nobody could tell one zone from another.
ZONES = {"naive", "behind", "ahead"}
MIXES = [*([name] for name in NOTATIONS), ["iso", "epoch_s"], ["epoch_s", "epoch_ms"]]
MIXES += [["epoch_ms", "digits_s", "iso"], ["iso", "offset"], ["epoch_s", "null", "odd"]]
MIXES += [[name for name in NOTATIONS if name not in {"behind", "ahead"}]]


class Table:
    """Rows that change while and between runs, each change in a notation of its own."""

    def __init__(self, random, names):
        self.random, self.names = random, names
        self.rows = {}
        for number in range(25):
            self.change(number, NOW - 30 * DAY + number * DAY)

    def change(self, number, moment):
        notation = NOTATIONS[self.random.choice(self.names)]
        version = self.rows.get(number, {"version": 0})["version"] + 1
        row = {"id": number, "version": version, "at": notation(moment)}
        self.rows[number] = {**row, "at": row["at"]} if self.random.random() > 0.02 else row

    def answer(self, query):
        start = int(query["offset"])
        page = [dict(self.rows[n]) for n in sorted(self.rows)[start : start + 10]]
        if self.busy:
            # One row that was read, and one that is yet to come.
            for number in (self.random.randrange(10), self.random.randrange(10, 25)):
                self.change(number, datetime.now(UTC))
        return {"data": page}

    busy = False


@pytest.mark.parametrize("names", MIXES, ids=",".join)
def test_whatever_a_key_holds_the_latest_version_of_every_row_arrives(names):
    check_runs_in_a_row(Random(str(names)), names)


def check_runs_in_a_row(random, names):
    rows, arrived, state = Table(random, names), {}, None
    words = [{"cursor_format": name} for name in ("iso", "epoch_s", "epoch_ms") if name in names]
    with JsonApi(rows.answer) as api:
        given = config(api.origin, **random.choice([{}, *words]))
        given["concurrency"] = random.choice([1, 16])
        catalog = discover(given)
        for number in range(6):
            rows.busy = number in {1, 3}
            done = run(given, state=state, catalog=catalog)
            assert done.error is None
            state = done.state
            for row in done.records():
                arrived[row["id"]] = row["version"]
            if not rows.busy:
                assert arrived == {n: row["version"] for n, row in rows.rows.items()}
            if number == 4:
                rows.names = [random.choice([*sorted(NOTATIONS.keys() - ZONES | ZONES & {*names})])]
            for _ in range(random.randrange(4)):
                rows.change(random.randrange(30), datetime.now(UTC))
