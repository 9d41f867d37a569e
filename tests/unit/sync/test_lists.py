"""Interrupted runs of streams with a list for each value or window: they resume at a list."""

from __future__ import annotations

import json

import pytest
from support.runs import STREAM, bag, declared, run
from support.servers import PathApi

REGIONS = ("eu", "us", "asia")
DAYS = [f"2024-{month:02}-{day:02}T00:00:00Z" for month in (1, 2, 3) for day in (1, 10, 15, 28)]
ROWS = [{"id": f"{region} {day}", "at": day} for region in REGIONS for day in DAYS]
COLUMNS = {"id": {"type": "string"}, "at": {"type": "string"}, "region": {"type": "string"}}
SCHEMA = {"type": "object", "properties": COLUMNS}
PAGING = {"type": "offset", "limit": 2, "total_path": "total"}
KEY = {
    "cursor_path": "at",
    "cursor_format": "iso",
    "start_param": "since",
    "end_param": "until",
    "step": "P14D",
    "initial_value": "2024-01-01T00:00:00Z",
    "end_value": "2024-04-01T00:00:00Z",
}
PARTED = {"partitions": {"region": [*REGIONS]}, "primary_key": ["region", "id"]}
BY_REGION = {"path": "/items/{partitions.region}", "paginator": PAGING}

PARTS = {"name": "parts", "endpoint": {"path": "/items/{items_id}/parts", "paginator": PAGING}}


class Server:
    """Serves regions and windows; refuses every request after some, until it is mended."""

    def __init__(self, *, inclusive=False, totals=("eu", "us", "asia", ""), after=1_000_000):
        self.inclusive, self.totals, self.left = inclusive, totals, after

    def answer(self, path, pairs):
        self.left -= 1
        if self.left < 0:
            return 403, {}
        query, region = dict(pairs), path.removeprefix("/items").strip("/")
        since, until = query.get("since", ""), query.get("until", "9")
        found = [
            row
            for row in ROWS
            if row["id"].startswith(region)
            and (since <= row["at"] < until or (self.inclusive and row["at"] == until))
        ]
        start = int(query["offset"])
        body = {"data": found[start : start + 2]}
        return body | ({"total": len(found)} if region in self.totals else {})


def shop(origin, endpoint, *, concurrency=1, **more):
    more = {"schema": SCHEMA} | more
    return declared(origin, endpoint=endpoint, concurrency=concurrency, **more)


SHAPES = {
    "windows": ({"paginator": PAGING, "incremental": KEY}, {}, {}),
    "windows that share a day": (
        {"paginator": PAGING, "incremental": KEY},
        {},
        {"inclusive": True},
    ),
    "values": (BY_REGION, PARTED, {}),
    "values with versions": (BY_REGION, PARTED | {"write_disposition": "replace"}, {}),
    "values, proven otherwise": (BY_REGION, PARTED, {"totals": ("us", "asia")}),
    "windows of values": (BY_REGION | {"incremental": KEY}, PARTED, {}),
}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(("endpoint", "resource", "served"), SHAPES.values(), ids=SHAPES)
def test_wherever_a_run_is_killed_the_next_one_reads_the_lists_that_are_left(
    endpoint, resource, served, concurrency, monkeypatch
):
    """What a target has is the messages up to a STATE; what follows may be lost with the run."""
    monkeypatch.setattr("tap_analytics.reporting.run.STATE_INTERVAL", 0)
    with PathApi(Server(**served).answer) as api:
        config = shop(api.origin, endpoint, concurrency=concurrency, **resource)
        uncut = run(config)
        requests = len(api.requests)
        places = [place for place, line in enumerate(uncut.lines) if b'"position"' in line]
        versions = {each.get("version") for each in uncut.of("RECORD")}
        for number, place in enumerate(places, start=1):
            api.requests.clear()
            kept = [json.loads(line) for line in uncut.lines[: place + 1]]
            rest = run(config, state=kept[-1]["value"])
            before = [each["record"] for each in kept if each["type"] == "RECORD"]
            again = set(bag(before)) & set(bag(rest.records()))
            # A row on the border of two windows has a key.
            assert len(again) <= (3 if served.get("inclusive") else 0)
            assert set(bag(before + rest.records())) == set(bag(uncut.records()))
            assert (rest.error, rest.verdict()) == (None, uncut.verdict())
            assert len(api.requests) <= requests - number
            assert rest.bookmarks == uncut.bookmarks
            assert {each.get("version") for each in rest.of("RECORD")} <= versions
            activated = {each["version"] for each in rest.of("ACTIVATE_VERSION")}
            assert activated <= versions
            assert bool(activated) == ("write_disposition" in resource)
    assert uncut.error is None
    assert len(uncut.records()) == len(ROWS)
    assert len(places) >= len(REGIONS)


def interrupted(api, server, config, *, after):
    """Run until the server refuses, and return the state; the server is mended then."""
    server.left = after
    done = run(config)
    assert done.code == 1
    server.left = 1_000_000
    api.requests.clear()
    return done.state


def position(state):
    return state.get("bookmarks", {}).get(STREAM, {}).get("position")


def test_a_run_that_fails_in_a_list_reads_this_list_again_and_none_before():
    server = Server()
    with PathApi(server.answer) as api:
        config = shop(api.origin, BY_REGION, **PARTED)
        state = interrupted(api, server, config, after=16)
        assert (position(state)["lists"], position(state)["rows"]) == (1, len(DAYS))
        rest = run(config, state=state)
    assert rest.error is None
    assert {path for path, _ in api.asked} == {"/items/us", "/items/asia"}
    assert {row["region"] for row in rest.records()} == {"us", "asia"}
    assert position(rest.state) is None


@pytest.mark.parametrize(
    ("endpoint", "resource"),
    [
        (BY_REGION, PARTED | {"partitions": {"region": ["us", "eu", "asia"]}}),
        (BY_REGION | {"params": {"status": "open"}}, PARTED),
        ({"paginator": PAGING, "incremental": KEY}, {}),
    ],
    ids=["other values", "another parameter", "windows"],
)
def test_a_change_of_what_is_read_starts_the_stream_again(endpoint, resource):
    server = Server()
    with PathApi(server.answer) as api:
        state = interrupted(api, server, shop(api.origin, BY_REGION, **PARTED), after=16)
        rest = run(shop(api.origin, endpoint, **resource), state=state)
    assert rest.error is None
    assert len(rest.records()) == len(ROWS)


@pytest.mark.parametrize(
    ("endpoint", "resource"),
    [
        ({"paginator": PAGING, "incremental": KEY}, {"primary_key": []}),
        (BY_REGION, {"partitions": {"region": [*REGIONS]}}),
        (BY_REGION, PARTED | {"children": [PARTS]}),
    ],
    ids=["windows without a key", "a key that several values may have", "children"],
)
def test_a_stream_whose_rows_may_come_in_two_lists_is_restarted(endpoint, resource):
    """What tells that a row comes again isn't in the state."""
    server = Server()
    with PathApi(server.answer) as api:
        state = interrupted(api, server, shop(api.origin, endpoint, **resource), after=16)
    assert position(state) is None


def test_no_list_behind_one_that_may_lack_rows_is_left_out():
    server = Server(totals=("eu", "us", "asia"))
    answer = lambda path, pairs: (  # noqa: E731 - one value has a total that it doesn't reach
        {"data": [], "total": 5} if path == "/items/us" else server.answer(path, pairs)
    )
    with PathApi(answer) as api:
        config = shop(api.origin, BY_REGION, on_shortfall="warn", **PARTED)
        state = interrupted(api, server, config, after=16)
        assert position(state)["lists"] == 1
        rest = run(config, state=state)
    assert {path for path, _ in api.asked} == {"/items/us", "/items/asia"}
    assert rest.verdict() == "short"


def test_the_bookmark_stays_behind_the_run_that_read_the_first_lists():
    """A row of a window that is left out may have changed while the others were read."""
    server = Server()
    with PathApi(server.answer) as api:
        api.date = "Mon, 04 Mar 2024 00:00:00 GMT"
        endpoint = {"paginator": PAGING, "incremental": KEY | {"end_value": "now"}}
        config = shop(api.origin, endpoint)
        state = interrupted(api, server, config, after=16)
        assert position(state)["lists"] >= 1
        api.date = "Mon, 01 Apr 2024 00:00:00 GMT"
        rest = run(config, state=state)
    assert rest.error is None
    assert rest.bookmark() == "2024-03-04T00:00:00Z"


@pytest.mark.parametrize("rows", [True, False], ids=["rows", "no rows"])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_small_budgets_of_requests_add_up_to_all_lists(rows, concurrency, caplog):
    """A list without rows is progress, too."""
    server = Server()
    answer = server.answer if rows else lambda _path, _pairs: {"data": [], "total": 0}
    found, state, runs = [], None, 0
    with PathApi(answer) as api:
        endpoint = {"paginator": PAGING, "incremental": KEY}
        config = shop(api.origin, endpoint, concurrency=concurrency)
        config["max_requests"] = 2 if not rows else 9
        while runs < 20:
            done = run(config, state=state)
            found, state, runs = found + done.records(), done.state, runs + 1
            if done.error is None:
                break
    assert 1 < runs < 20
    assert set(bag(found)) == set(bag(ROWS if rows else []))
    assert "would end at the same point" not in caplog.text
