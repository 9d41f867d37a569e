"""Whole runs: every row of every stream, in the same bytes at every concurrency."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

import pytest
from support.processes import hurried, run
from support.runs import bag, bookmarks

from tap_analytics.demo import DemoApi

DIALECTS = ("real", "spec")
#: Smaller pages make more of them.
PAGE_SIZE = 10
#: What a bad day brings: each of the built-in APIs and the declared one meets several of these.
BAD_DAY = [
    {"status": 429, "headers": {"Retry-After": "0"}, "match": {"path": "/people"}, "after": 1},
    {"status": 429, "match": {"path": "/campaigns"}, "times": 2},
    {"status": 503, "match": {"path": "/enrollments"}, "times": 3},
    {"status": 503, "match": {"path": "/tasks"}, "times": 2, "after": 1},
    {"action": "reset", "match": {"path": "/pages"}, "times": 2},
    {"action": "reset_mid", "match": {"path": "/users"}, "times": 2, "after": 1},
    {"action": "cut", "match": {"path": "/notes"}, "after": 2},
    {"action": "truncate_json", "match": {"path": "/audit"}, "times": 2, "after": 1},
    {"action": "empty", "match": {"path": "/accounts$"}, "times": 2},
    {"action": "html", "match": {"path": "/conversations"}, "times": 2, "after": 1},
    {"action": "gzip_cut", "match": {"path": "/feeds"}, "after": 1},
    {"action": "reset", "match": {"path": "/v1/resource"}, "times": 2, "after": 1},
]


def whole(dialect, concurrency, faults=()):
    """Return what there was to deliver, and a run over all of it."""
    with DemoApi(dialect=dialect, scale=0.2, faults=faults) as demo:
        config = hurried(demo.config) | {"concurrency": concurrency}
        for name in ("learning", "experimentation", "wiki", "success"):
            config[name] = config[name] | {"page_size": PAGE_SIZE}
        paginator = config["apis"][0]["resources"][0]["endpoint"]["paginator"]
        config["apis"][0]["resources"][0]["endpoint"]["paginator"] = paginator | {"limit": 10}
        done = run(config)
        expected = {name: demo.rows(name, parse_float=Decimal) for name in demo.streams}
        return expected, done, demo.in_flight_max


serial = cache(lambda dialect: whole(dialect, 1))


def delivered(expected, done):
    """Check that each stream holds exactly the rows there are."""
    assert len(expected) == 24
    for name, rows in expected.items():
        got = [{k: v for k, v in row.items() if k != "record_hash"} for row in done.records(name)]
        assert bag(got) == bag(rows), name
    assert done.code == 0
    assert done.errors == []


def in_order(done):
    """Check that schemas stand before their records, and records before the STATE that has them."""
    seen, settled = set(), set()
    for message in done.messages:
        if message["type"] == "STATE":
            settled = set(bookmarks(message["value"]))
            continue
        assert message["stream"] not in settled
        if message["type"] == "SCHEMA":
            assert message["stream"] not in seen
            seen.add(message["stream"])
        assert message["stream"] in seen
    assert len(seen) == 24
    assert len(settled) == 12


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_serial_run_delivers_every_row_one_request_at_a_time(dialect):
    expected, done, in_flight = serial(dialect)
    delivered(expected, done)
    in_order(done)
    assert done.warnings == []
    assert in_flight == 1


def marks(done):
    """Return the bookmarks of a run, without the address of the server that they were made from."""
    return {
        stream: {name: value for name, value in mark.items() if name != "source"}
        for stream, mark in done.state["bookmarks"].items()
    }


@pytest.mark.parametrize("concurrency", [2, 16])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_lines_are_the_same_at_any_concurrency(dialect, concurrency):
    _, done, _ = whole(dialect, concurrency)
    _, slow, _ = serial(dialect)
    assert done.code == 0
    assert done.streams == slow.streams
    assert marks(done) == marks(slow)
    in_order(done)


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_lines_are_the_same_under_faults(dialect, concurrency):
    _, done, _ = whole(dialect, concurrency, BAD_DAY)
    _, slow, _ = serial(dialect)
    assert done.code == 0, done.errors
    assert done.streams == slow.streams
    assert marks(done) == marks(slow)
    retries = [line for line in done.warnings if re.search("retry 1 of 3|throttled", line)]
    assert len(retries) >= 10


def test_every_line_on_stderr_carries_its_level():
    for dialect in DIALECTS:
        _, done, _ = serial(dialect)
        assert [line for line in done.said if "| INFO " not in line] == []


def test_the_summary_reports_rows_and_verdicts():
    expected, done, _ = serial("real")
    told = " ".join(done.level("INFO"))
    for name, rows in expected.items():
        assert re.search(rf"\b{name}: {len(rows)} rows?,", told), name
    assert "24 of 24 streams complete" in told
    assert re.search(r"declared_resource_name: 50 rows, \d+ pages, verified", told)
