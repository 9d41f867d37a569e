"""Known mistakes of REST extractors: the command with a server that counts requests."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from support import runs
from support.patience import PATIENCE
from support.processes import run, start
from support.servers import PathApi, ScriptedServer, redirect, reply

SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}
OFFSET = {"type": "offset", "limit": 100}
CURSOR = {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor", "limit": 100}
STREAM = "odd_things"


def things(paginator=OFFSET, **endpoint):
    words = {"path": "/things", "data_selector": "data", "paginator": paginator} | endpoint
    return {"name": "things", "endpoint": words, "schema": SCHEMA}


def rows(start, stop):
    return [{"id": number} for number in range(start, stop)]


def counted(start, count, limit=100):
    """Return the rows of a page of a list of `count` rows."""
    return rows(start, min(count, start + limit)) if start >= 0 else []


def number(query, name="offset"):
    return int(dict(query).get(name, 0))


def ids(done):
    return [row["id"] for row in done.records(STREAM)]


# --- paging -------------------------------------------------------------------------------------

LOOPS = {
    "the offset is ignored": (OFFSET, lambda query, n: {"data": rows(0, 100)}, 6),
    "the last page comes again beyond the end": (
        OFFSET,
        lambda query, n: {"data": counted(number(query), 250) or rows(150, 250)},
        9,
    ),
    "the offset stops at the last page": (
        OFFSET,
        lambda query, n: {"data": counted(min(number(query), 150), 250)},
        9,
    ),
    "two pages come in turn": (
        OFFSET,
        lambda query, n: {"data": rows(n % 2 * 100, n % 2 * 100 + 100)},
        9,
    ),
    "the cursor never changes": (CURSOR, lambda query, n: {"data": rows(n, n + 9), "next": "a"}, 3),
    "cursors come in turn": (
        CURSOR,
        lambda query, n: {"data": rows(n, n + 9), "next": "ab"[n % 2]},
        4,
    ),
    "the next link leads to its own page": (
        "json_link",
        lambda query, n: {"data": rows(n, n + 9), "next": "/things?page=2"},
        3,
    ),
}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("case", LOOPS)
def test_a_loop_ends(case, concurrency):
    """Others sent 778 to 2,706 requests in ten seconds and went on."""
    paginator, said, handful = LOOPS[case]
    with PathApi(lambda path, query: said(query, len(api.asked) - 1)) as api:
        done = run(api.config(things(paginator)) | {"concurrency": concurrency})
        asked = len(api.asked)
    assert done.code == 1
    assert len(done.errors) == 1
    assert "repeated" in done.errors[0]
    assert "/things" in done.errors[0]
    # What is read ahead may be asked for in vain.
    assert asked <= handful + (2 * concurrency if concurrency > 1 else 0)


def test_a_check_of_a_looping_api_ends():
    with PathApi(lambda path, query: {"data": rows(0, 100), "next": "a"}) as api:
        run(api.config(things(CURSOR)), "--test")
        asked = len(api.asked)
    assert asked <= 3


def test_a_page_index_is_no_row_number():
    """The parameter is named `page`: others sent 0, 100, 200 and kept 100 rows of 5,000."""

    def answer(path, query):
        return {"data": counted((number(query, "page") - 1) * 100, 5000)}

    with PathApi(answer) as api:
        done = run(api.config(things(OFFSET | {"offset_param": "page"})))
    assert (done.code, done.errors) == (0, [])
    assert ids(done) == list(range(5000))


@pytest.mark.parametrize("paginator", [OFFSET, CURSOR, {"type": "page_number", "limit": 100}])
def test_the_first_row_is_there(paginator):
    """Where nothing says where to begin, others began at 1: 4,999 of 5,000."""

    def answer(path, query):
        given = dict(query)
        start = number(query) + number(query, "cursor") + number(query, "page") * 100
        more = {"next": str(start + 100)} if paginator is CURSOR and start < 4900 else {}
        assert given["limit"] == "100"
        return {"data": counted(start, 5000)} | more

    with PathApi(answer) as api:
        done = run(api.config(things(paginator)))
    assert done.code == 0, done.errors
    assert sorted(ids(done)) == list(range(5000))


@pytest.mark.parametrize(
    ("paginator", "most"),
    # Pages by number are looked at again: all but the last one, which is short.
    [(OFFSET, 4), ({"type": "page_number", "limit": 100}, 6)],
)
def test_no_total_is_needed(paginator, most):
    """No total, no flag, no link: others failed, or stopped after page 1."""

    def answer(path, query):
        return {"data": counted(number(query) + number(query, "page") * 100, 250)}

    with PathApi(answer) as api:
        done = run(api.config(things(paginator)) | {"concurrency": 1})
        asked = len(api.asked)
    assert (done.code, done.errors) == (0, [])
    assert ids(done) == list(range(250))
    assert asked <= most


@pytest.mark.parametrize("total", [True, False])
def test_a_capped_limit(total):
    """A hundred are asked for and 50 come: others kept 50 to 2,500 of 5,000 rows, exit 0."""

    def answer(path, query):
        said = {"data": counted(number(query), 5000, limit=50)}
        return said | {"total": 5000} if total else said

    with PathApi(answer) as api:
        done = run(api.config(things()))
    assert (done.code, done.errors) == (0, [])
    assert ids(done) == list(range(5000))


@pytest.mark.parametrize("total", [True, False])
def test_a_row_deleted_midway_loses_no_other(total):
    """Others delivered 999 of 1,000, exit 0."""
    table = rows(0, 1001)

    def answer(path, query):
        start = number(query)
        if start > 300 and len(table) == 1001:
            del table[5]
        said = {"data": table[start : start + 100]}
        return said | {"total": len(table)} if total else said

    with PathApi(answer) as api:
        done = run(api.config(things()) | {"concurrency": 1})
    assert (done.code, done.errors) == (0, [])
    assert ids(done) == list(range(1001))


def test_a_shortfall_fails():
    with PathApi(lambda path, query: {"data": counted(number(query), 990), "total": 1000}) as api:
        done = run(api.config(things()))
    assert done.code == 1
    assert len(ids(done)) == 990
    assert len(done.errors) == 1
    assert "rows are missing" in done.errors[0]


def test_a_selector_that_misses_fails():
    """Others: no rows, exit 0. The error names the place where the rows are."""
    with PathApi(lambda path, query: {"items": rows(0, 100)}) as api:
        done = run(api.config(things()))
        asked = len(api.asked)
    assert done.code == 1
    assert len(done.errors) == 1
    assert "items" in done.errors[0]
    assert asked == 1


# --- requests -----------------------------------------------------------------------------------


def parents_and_parts(parents, *, together=None):
    """Answer for so many parents with one part each; the first parts wait for each other."""
    waiting = iter(range(together.parties if together else 0))

    def answer(path, query):
        if path == "/things":
            return {"data": counted(number(query), parents), "total": parents}
        if next(waiting, None) is not None:
            together.wait(PATIENCE)
        part = {"id": int(path.split("/")[2])}
        return {"data": [] if number(query) else [part], "total": 1}

    parts = {
        "name": "parts",
        "endpoint": {
            "path": "/things/{thing_id}/parts",
            "data_selector": "data",
            "paginator": OFFSET,
        },
        "schema": SCHEMA,
    }
    return answer, parts


def test_children_cost_what_they_must():
    """200 parents on 3 pages: 204 requests, where others sent 403, and 8 of them in flight.

    One of them sees that the total of the parts isn't the count of their page, for all parents.
    """
    together = threading.Barrier(8)
    answer, parts = parents_and_parts(200, together=together)
    with PathApi(answer) as api:
        done = run(api.config(things(), parts) | {"concurrency": 8})
        asked = [path for path, _ in api.asked]
    assert done.code == 0, done.errors
    assert not together.broken
    assert sorted(row["id"] for row in done.records("odd_parts")) == list(range(200))
    assert len(asked) == 204
    assert len(set(asked)) == 201


# --- rates and retries --------------------------------------------------------------------------


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_waited_for(as_date):
    """Others waited for one second of four, or crashed at the date."""
    moments = []

    def answer(path, query):
        moments.append(time.time())
        if len(moments) > 1:
            return {"data": [{"id": 1}], "next": None}
        until = datetime.now(UTC) + timedelta(seconds=3)
        return reply(429, Retry_After=format_datetime(until, usegmt=True) if as_date else "2")

    with PathApi(answer) as api:
        done = run(api.config(things(CURSOR)))
    assert (done.code, done.errors) == (0, [])
    assert ids(done) == [1]
    # A date has whole seconds.
    assert moments[1] - moments[0] >= 1.9
    assert len(moments) == 2
    assert any("answered 429), all requests wait" in line for line in done.warnings)


def test_an_api_that_is_down_for_good():
    with PathApi(lambda path, query: (500, {"error": "down"})) as api:
        done = run(api.config(things(), retry={"max_retries": 4, "backoff_factor": 0.01}))
        asked = len(api.asked)
    assert done.code == 1
    assert asked == 5
    assert len(done.errors) == 1
    assert "500" in done.errors[0]
    assert ids(done) == []


# --- secrets ------------------------------------------------------------------------------------

KEY = "q+key/with=odd&characters"


@pytest.mark.parametrize("case", ["refused", 400, 401, 500, "hung up", "looping"])
def test_no_key_is_shown(case):
    """Others showed the key in the query 2 to 8 times."""
    said = {
        "hung up": lambda path, query: 0.01,
        "looping": lambda path, query: {"data": rows(0, 9), "next": "a"},
    }
    answer = said.get(case, lambda path, query: (case, {"error": f"no: {KEY}"}))
    auth = {"type": "api_key", "name": "api_key", "api_key": KEY, "location": "query"}
    with PathApi(answer) as api:
        given = api.config(things(CURSOR), auth=auth)
        if case == "refused":
            with socket.create_server(("127.0.0.1", 0)) as taken:
                nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
            given = json.loads(json.dumps(given).replace(api.origin, nobody))
        done = run(given, env={"LOGLEVEL": "DEBUG"})
        keys = {value for _, query in api.asked for name, value in query if name == "api_key"}
    assert done.code == 1
    assert len(done.errors) == 1
    output = done.stdout.decode() + done.stderr
    assert "q+key" not in output
    assert not re.search(r"q(%2B|%2b| )key", output)
    assert keys == (set() if case == "refused" else {KEY})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize("way", [301, 307, 308, "link"])
def test_credentials_stay_at_their_origin(way, host):
    """Neither another port nor another host gets as much as a connection."""
    auth = {"type": "bearer", "token": "the-odd-token"}
    with socket.create_server((host, 0)) as stranger:
        foreign = f"http://{host}:{stranger.getsockname()[1]}/things?page=2"
        answer = reply(200, json.dumps({"data": rows(0, 9), "next": foreign}).encode())
        with ScriptedServer([answer if way == "link" else redirect(foreign, status=way)]) as api:
            client = {"base_url": api.origin, "auth": auth}
            entry = {"name": "odd", "client": client, "resources": [things("json_link")]}
            done = run({"apis": [entry]})
            asked = [received.headers["authorization"] for received in api.requests]
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.accept()
    assert asked == ["Bearer the-odd-token"]
    assert (done.code, len(done.errors)) == (1, 1)
    assert host in done.errors[0]
    assert "the-odd-token" not in done.stderr


# --- runs that are cut --------------------------------------------------------------------------

PAGES = 50


class Long:
    """5,000 rows on 50 pages by cursor, and a page at which the server fails or falls silent."""

    def __init__(self, stop_at, how):
        self.stop_at, self.how = stop_at, how
        self.pages = []

    def answer(self, path, query):
        page = number(query, "cursor")
        self.pages.append(page)
        if page == self.stop_at:
            return self.how
        following = {"next": str(page + 1)} if page < PAGES - 1 else {"next": None}
        return {"data": rows(page * 100, page * 100 + 100)} | following


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_failure_at_page_31(concurrency):
    """Others began anew, having kept 3,000 rows without a position, or none."""
    long = Long(30, (500, {"error": "down"}))
    with PathApi(long.answer) as api:
        given = api.config(things(CURSOR)) | {"concurrency": concurrency}
        failed = run(given)
        assert failed.code == 1
        assert ids(failed) == list(range(3000))
        long.stop_at, long.pages = None, []
        done = run(given, state=failed.state)
    assert (done.code, done.errors) == (0, [])
    assert ids(done) == list(range(3000, 5000))
    # One page is read again, to see whether its end is still there.
    assert sorted(long.pages) == list(range(29, PAGES))


def test_sigterm_midway():
    """Others: exit code 0, `STATE {}`, and everything again."""
    long = Long(25, 60.0)
    with PathApi(long.answer) as api:
        given = api.config(things(CURSOR))
        begun = start(given)
        begun.until(lambda: 25 in long.pages)
        begun.wrote('"id":2499}')
        begun.signal(signal.SIGTERM)
        cut = begun.end()
        long.stop_at, long.pages = None, []
        done = run(given, state=cut.state)
    assert cut.code == 143
    assert cut.messages[-1]["type"] == "STATE"
    assert (done.code, done.errors) == (0, [])
    found = ids(cut) + ids(done)
    assert len(found) == len(set(found)) == 5000
    assert sorted(long.pages) == list(range(24, PAGES))


def test_deletes_and_state_come_after_the_rows():
    """Others activate a version before its first row."""
    long = Long(None, None)
    with PathApi(long.answer) as api:
        done = run(api.config(things(CURSOR)) | {"emit_activate_version_messages": True})
    assert done.code == 0
    kinds = [message["type"] for message in done.messages]
    assert kinds.count("ACTIVATE_VERSION") == 1
    assert kinds.index("ACTIVATE_VERSION") > max(
        place for place, kind in enumerate(kinds) if kind == "RECORD"
    )
    # A position in the state never counts more rows than stand before it.
    written = 0
    for message in done.messages:
        written += message["type"] == "RECORD"
        if message["type"] == "STATE":
            mark = message["value"].get("bookmarks", {}).get(STREAM, {})
            assert mark.get("position", {"rows": 0})["rows"] <= written


@pytest.mark.parametrize(("incremental", "characters"), [({}, 0), ({"cursor_path": "id"}, 11)])
def test_a_parent_costs_the_state_little(incremental, characters, monkeypatch):
    """Others keep a bookmark for each parent, and write all of them again and again."""
    # A run that takes longer may write STATE more often.
    monkeypatch.setattr("tap_analytics.reporting.run.monotonic", lambda: 0.0)
    sizes = []
    for parents in (10, 300):
        answer, parts = parents_and_parts(parents)
        parts["endpoint"] |= {"incremental": incremental} if incremental else {}
        with PathApi(answer) as api:
            done = runs.run(api.config(things(), parts))
        assert done.error is None
        assert len(done.records("odd_parts")) == parents
        sizes.append((len(done.of("STATE", None)), len(json.dumps(done.state))))
    (few, small), (many, large) = sizes
    assert many <= few + 2
    assert large <= small + 290 * characters + 10
