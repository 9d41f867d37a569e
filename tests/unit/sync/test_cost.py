"""What a run costs, in counts: they hold on every machine, and a regression shows as a number."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading

import msgspec
import pytest
from support.runs import STREAM, declared, run
from support.servers import JsonApi, ScriptedServer, reply

from tap_analytics.pagination import read_ahead
from tap_analytics.records import codec

LIMIT = 100
WIDTH = 8


def config(origin, *, concurrency=WIDTH, **endpoint):
    return declared(origin, endpoint=endpoint, concurrency=concurrency)


def rows_of(count):
    return [{"id": n, "updated_at": f"2024-01-01T00:00:{n % 60:02d}Z"} for n in range(count)]


def by_offset(rows, *, total=True):
    def answer(query):
        start = int(query.get("offset", 0))
        body = {"data": rows[start : start + int(query.get("limit", LIMIT))]}
        return body | ({"total": len(rows)} if total else {})

    return answer


def by_cursor(rows):
    def answer(query):
        start = int(query.get("cursor", 0))
        end = start + LIMIT
        return {
            "data": rows[start:end],
            "cursors": {"next": str(end) if end < len(rows) else None},
        }

    return answer


def family(parents):
    """Answer with parents in one page, and with two rows below each."""

    def answer(received):
        path = received.target.partition("?")[0]
        if path == "/items":
            found = [{"id": n} for n in range(parents)]
        else:
            parent = int(path.split("/")[2])
            found = [{"id": 2 * parent}, {"id": 2 * parent + 1}]
        return reply(200, json.dumps({"data": found}).encode())

    return ScriptedServer(answer)


def with_children(origin):
    endpoint = {"path": "/items/{item_id}/parts", "data_selector": "data"}
    child = {"name": "parts", "endpoint": endpoint | {"paginator": "single_page"}}
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    return declared(
        origin,
        endpoint={"paginator": "single_page"},
        schema=schema,
        children=[child | {"primary_key": "id", "schema": schema}],
        concurrency=WIDTH,
    )


OFFSET = {"type": "offset", "limit": LIMIT}
CURSOR = {"type": "cursor", "limit": LIMIT}


@pytest.fixture
def decodings(monkeypatch):
    """Count what is decoded, by whatever decoder, in whatever thread."""
    counted = []
    lock = threading.Lock()

    class Counting:
        def __init__(self, decoder):
            self.decoder = decoder

        def decode(self, body):
            with lock:
                counted.append(len(body))
            return self.decoder.decode(body)

    real = msgspec.json.Decoder
    monkeypatch.setattr(codec, "_DECODER", Counting(codec._DECODER))
    monkeypatch.setattr(msgspec.json, "Decoder", lambda *args, **kw: Counting(real(*args, **kw)))
    return counted


@pytest.fixture
def _standing_clock(monkeypatch):
    """Let no time pass between STATE messages, so that only those that are due are written."""
    monkeypatch.setattr("tap_analytics.reporting.run.monotonic", lambda: 0.0)


# --- requests -------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, WIDTH])
def test_a_known_total_costs_no_request_too_many(concurrency):
    # Every page but the first begins with the last row of the one before.
    needed = 1 + math.ceil((2000 - LIMIT) / (LIMIT - 1))
    with JsonApi(by_offset(rows_of(2000))) as api:
        done = run(config(api.origin, paginator=OFFSET, concurrency=concurrency))
    assert len(done.records()) == 2000
    assert len(api.requests) == needed


def test_a_known_total_has_no_page_too_many_read_ahead(monkeypatch):
    # However fast the answers: a page is read ahead where they take longer than this.
    monkeypatch.setattr(read_ahead, "HANDOFF", -1.0)
    # Every page but the first begins with the last row of the one before; the last one is full.
    count = LIMIT + 19 * (LIMIT - 1)
    asked = []
    for concurrency in (1, WIDTH):
        with JsonApi(by_offset(rows_of(count))) as api:
            done = run(config(api.origin, paginator=OFFSET, concurrency=concurrency))
        assert len(done.records()) == count
        asked.append(sorted(int(query["offset"]) for query in api.queries))
    assert asked[0] == asked[1]


def test_an_unknown_end_costs_at_most_a_window_of_requests():
    counts = {}
    for concurrency in (1, WIDTH):
        with JsonApi(by_offset(rows_of(2000), total=False)) as api:
            done = run(config(api.origin, paginator=OFFSET, concurrency=concurrency))
        assert len(done.records()) == 2000
        counts[concurrency] = len(api.requests)
    assert counts[1] <= math.ceil(2000 / (LIMIT - 1)) + 1
    assert counts[WIDTH] <= counts[1] + WIDTH


def test_a_short_list_costs_no_more_than_it_does_serially():
    counts = {}
    for concurrency in (1, WIDTH):
        with JsonApi(by_offset(rows_of(30), total=False)) as api:
            run(config(api.origin, paginator=OFFSET, concurrency=concurrency))
        counts[concurrency] = len(api.requests)
    assert counts[WIDTH] == counts[1] <= 3


def test_a_cursor_costs_a_request_a_page():
    with JsonApi(by_cursor(rows_of(2000))) as api:
        done = run(config(api.origin, paginator=CURSOR))
    assert len(done.records()) == 2000
    assert len(api.requests) == 20


def test_children_cost_a_request_a_page():
    with family(50) as api:
        done = run(with_children(api.origin))
    assert len(done.records("shop_parts")) == 100
    assert len(api.requests) == 51


# --- decodings and writes -------------------------------------------------------------------


@pytest.mark.parametrize("paginator", [OFFSET, CURSOR], ids=["offset", "cursor"])
def test_each_page_is_decoded_once(paginator, decodings):
    answer = by_offset(rows_of(2000)) if paginator is OFFSET else by_cursor(rows_of(2000))
    columns = {"id": {"type": "integer"}, "updated_at": {"type": ["string", "null"]}}
    with JsonApi(answer) as api:
        declared = config(api.origin, paginator=paginator)
        declared["apis"][0]["resources"][0]["schema"] = {"properties": columns}
        done = run(declared)
    assert len(done.records()) == 2000
    assert len(decodings) == len(api.requests)


def test_types_of_an_inferred_schema_are_checked_in_one_more_decoding(decodings):
    with JsonApi(by_offset(rows_of(2000))) as api:
        done = run(config(api.origin, paginator=OFFSET))
    assert len(done.records()) == 2000
    assert len(decodings) < 2 * len(api.requests)


@pytest.mark.usefixtures("_standing_clock")
def test_each_page_is_written_at_once(writes):
    with JsonApi(by_cursor(rows_of(2000))) as api:
        done = run(config(api.origin, paginator=CURSOR))
    states = sum(message["type"] == "STATE" for message in done.messages)
    assert len(done.records()) == 2000
    assert len(writes) <= 20 + len(done.of("SCHEMA")) + states


# --- messages and state ---------------------------------------------------------------------


@pytest.mark.usefixtures("_standing_clock")
def test_children_add_no_schema_and_no_state():
    sizes = set()
    for parents in (5, 50):
        with family(parents) as api:
            done = run(with_children(api.origin))
        states = [line for line in done.lines if b'"type":"STATE"' in line]
        assert len(done.records("shop_parts")) == 2 * parents
        assert len(done.of("SCHEMA")) == len(done.of("SCHEMA", "shop_parts")) == 1
        assert len(states) <= 2
        sizes.add(max(map(len, states), default=0))
    assert len(sizes) == 1


@pytest.mark.usefixtures("_standing_clock")
def test_rows_add_no_schema_and_no_state():
    sizes = set()
    for count in (200, 2000):
        with JsonApi(by_cursor(rows_of(count))) as api:
            incremental = {"incremental": {"cursor_path": "updated_at"}}
            done = run(config(api.origin, paginator=CURSOR, **incremental))
        states = [line for line in done.lines if b'"type":"STATE"' in line]
        assert len(done.records()) == count
        assert len(done.of("SCHEMA")) == 1
        assert done.state["bookmarks"].keys() == {STREAM}
        assert len(states) <= 2
        sizes.add(max(map(len, states)))
    assert len(sizes) == 1


# --- start-up -------------------------------------------------------------------------------


def test_the_version_is_printed_without_importing_the_sdk():
    code = (
        "import sys; from tap_analytics.__main__ import main; main(['--version']); "
        "sys.exit('singer_sdk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith(b"tap-analytics v")
