"""Lists that change while they are read, at any concurrency, against an oracle with every row."""

from __future__ import annotations

import json
import threading
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.examples import costly
from support.runs import STREAM, declared, run
from support.servers import InFlight, JsonApi, PathApi, ScriptedServer, reply

from tap_analytics.client import AnalyticsStream
from tap_analytics.demo import DemoApi
from tap_analytics.pagination import read_ahead
from tap_analytics.pagination.overlap_window import OverlapMatch, OverlapWindow
from tap_analytics.transport.request import Request

#: What differs between two dialects is the shape of rows and pages, never the rows.
DIALECTS = ("real", "spec")
RETRY = {"max_retries": 5, "backoff_factor": 0.01}


def config(origin, *, limit, concurrency=1, **paginator):
    given_paging = {"type": "offset", "limit": limit} | paginator
    return declared(origin, endpoint={"paginator": given_paging}, concurrency=concurrency)


class Moving:
    """A list of rows that changes between requests, and what of it was there all the time."""

    def __init__(self, count, changes, *, cap=None, total=False, link=False):
        self.table = list(range(count))
        self.stable = set(self.table)
        self.fresh = count
        self.changes = list(changes)
        self.cap = cap
        self.total = total
        self.link = link
        self.lock = threading.Lock()

    def answer(self, query):
        with self.lock:
            start, limit = int(query.get("offset", 0)), int(query["limit"])
            page = self.table[start : start + min(limit, self.cap or limit)]
            body = {"data": [{"id": number} for number in page]}
            if self.total:
                body["total"] = len(self.table)
            if self.link:
                end = start + len(page)
                more = end < len(self.table)
                body["links"] = {"next": f"/items?offset={end}&limit={limit}" if more else None}
            self.change()
            return body

    def change(self):
        if not self.changes:
            return
        kind, where = self.changes.pop(0)
        if kind == "insert":
            self.table.insert(where % (len(self.table) + 1), self.fresh)
            self.fresh += 1
        elif kind == "delete" and self.table:
            self.stable.discard(self.table.pop(where % len(self.table)))


changes = st.lists(
    st.tuples(st.sampled_from(["insert", "delete", "rest"]), st.integers(0, 60)), max_size=12
)


@costly(4)
@given(
    count=st.integers(0, 40),
    changes=changes,
    limit=st.integers(3, 12),
    cap=st.one_of(st.none(), st.integers(3, 12)),
    total=st.booleans(),
    link=st.booleans(),
    concurrency=st.just(1),
)
@example(
    count=4, changes=[("delete", 0)], limit=9, cap=3, total=True, link=False, concurrency=1
).via("a capped server, before its cap is known")
def test_no_row_is_lost_without_an_error_while_a_list_changes(
    *, count, changes, limit, cap, total, link, concurrency
):
    moving = Moving(count, changes, cap=cap, total=total, link=link)
    with JsonApi(moving.answer) as api:
        done = run(config(api.origin, limit=limit, concurrency=concurrency))
    assert done.error is not None or moving.stable <= set(done.ids())


@costly(8)
@given(count=st.integers(20, 150), changes=changes, total=st.booleans(), link=st.booleans())
def test_no_row_is_lost_without_an_error_while_a_list_that_is_read_ahead_changes(
    count, changes, total, link
):
    # More rows per page than there are changes: a page never repeats another one whole.
    moving = Moving(count, changes, total=total, link=link)
    with JsonApi(moving.answer) as api:
        done = run(config(api.origin, limit=15, concurrency=4))
    assert done.error is not None or moving.stable <= set(done.ids())


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("total", [False, True])
@pytest.mark.parametrize("deleted", [1, 3, 9])
def test_rows_deleted_in_front_of_the_reader_push_none_past_it(deleted, total, link):
    moving = Moving(40, [("delete", 0)], total=total, link=link)

    def answer(query):
        body = moving.answer(query)
        if int(query.get("offset", 0)) == 0:
            for _ in range(deleted - 1):
                moving.changes.append(("delete", 0))
                moving.change()
        return body

    with JsonApi(answer) as api:
        done = run(config(api.origin, limit=10))
    assert done.error is None
    assert sorted(done.ids()) == list(range(40))


def test_rows_inserted_in_front_of_the_reader_are_not_read_twice():
    moving = Moving(40, [("insert", 0), ("rest", 0), ("insert", 5)])
    with JsonApi(moving.answer) as api:
        done = run(config(api.origin, limit=10))
    assert done.error is None
    assert [number for number in done.ids() if number < 40] == list(range(40))


def test_a_server_that_knows_whole_pages_only_is_read_by_whole_pages():
    table = [{"id": number} for number in range(30)]

    def answer(query):
        start = int(query["offset"]) // 10 * 10
        return {"data": table[start : start + 10]}

    with JsonApi(answer) as api:
        done = run(config(api.origin, limit=10))
    assert done.error is None
    assert done.ids() == list(range(30))


def test_a_server_that_answers_odd_row_numbers_with_nothing_is_read_by_whole_pages():
    table = [{"id": number} for number in range(25)]

    def answer(query):
        start = int(query["offset"])
        return {"data": [] if start % 5 else table[start : start + 10]}

    with JsonApi(answer) as api:
        done = run(config(api.origin, limit=10))
    assert done.error is None
    assert done.ids() == list(range(25))
    assert len(api.requests) < 15


def test_a_server_that_refuses_odd_row_numbers_is_read_by_whole_pages():
    table = [{"id": number} for number in range(25)]

    def answer(query):
        start = int(query["offset"])
        if start % 5:
            return reply(400, b'{"error": "offset must be a multiple of limit"}')
        return {"data": table[start : start + 10]}

    with JsonApi(answer) as api:
        done = run(config(api.origin, limit=10))
    assert done.error is None
    assert done.ids() == list(range(25))


def test_rows_that_vanish_as_fast_as_they_are_read_end_in_an_error():
    unknown = iter(range(1000, 10**6))
    seen = set()

    def answer(query):
        start, limit = int(query["offset"]), int(query["limit"])
        seen.add(start)
        numbers = range(start, start + limit) if max(seen) < 60 else unknown
        return {"data": [{"id": next(iter(numbers)) + n} for n in range(limit)]}

    with JsonApi(answer) as api:
        done = run(config(api.origin, limit=3))
    assert "rows keep shifting while pages are being read" in done.failure()
    assert len(api.requests) < 60


# --- runs that are cut ------------------------------------------------------------------------


class Cut(Moving):
    """A moving list whose server gives up for good after some requests, until it is mended."""

    def __init__(self, *given_values, after, **more):
        super().__init__(*given_values, **more)
        self.left = after

    def answer(self, query):
        with self.lock:
            self.left -= 1
            is_cut = self.left < 0
        return reply(403, b"{}") if is_cut else super().answer(query)


@costly(4)
@given(
    count=st.integers(0, 40),
    changes=changes,
    limit=st.integers(3, 9),
    after=st.integers(1, 8),
    total=st.booleans(),
    between=st.lists(st.tuples(st.sampled_from(["insert", "delete"]), st.integers(0, 60))),
)
def test_a_run_that_is_cut_is_resumed_and_loses_no_row(
    *, count, changes, limit, after, total, between
):
    cut = Cut(count, changes, after=after, total=total)
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    with JsonApi(cut.answer) as api:
        given_config = config(api.origin, limit=limit)
        given_config["apis"][0]["resources"][0]["schema"] = schema
        first = run(given_config)
        cut.left = 10**6
        for change in between:
            cut.changes.insert(0, change)
            cut.change()
        second = run(given_config, state=first.state)
    assert second.error is not None or cut.stable <= {*first.ids(), *second.ids()}


@pytest.mark.parametrize("hours", [0, 24])
def test_a_run_that_is_cut_resumes_where_it_ended_if_that_is_wanted(hours):
    cut = Cut(40, [], after=3)
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    with JsonApi(cut.answer) as api:
        given_config = config(api.origin, limit=10) | {"resume_within_hours": hours}
        given_config["emit_activate_version_messages"] = True
        given_config["apis"][0]["resources"][0]["schema"] = schema
        first = run(given_config)
        cut.left = 10**6
        second = run(given_config, state=first.state)
    assert first.error is not None
    assert first.ids() == list(range(len(first.ids())))
    assert second.error is None
    if hours:
        assert first.ids() + second.ids() == list(range(40))
        versions = {message["version"] for each in (first, second) for message in each.of("RECORD")}
        assert versions == {second.of("ACTIVATE_VERSION")[0]["version"]}
    else:
        assert second.ids() == list(range(40))
        assert second.of("ACTIVATE_VERSION")[0]["version"] == second.of("RECORD")[0]["version"]
    assert "position" not in json.dumps(second.state)


@pytest.mark.parametrize(
    "spoil",
    [
        {"shape": "another"},
        {"at": "2020-01-01T00:00:00+00:00"},
        {"at": "never"},
        {"seam": "0" * 16},
        {"token": {"offset": "9999"}},
        {"token": None},
        {"surplus": 1},
    ],
    ids=str,
)
def test_a_position_that_does_not_hold_restarts_the_stream(spoil):
    cut = Cut(40, [], after=3)
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    with JsonApi(cut.answer) as api:
        given_config = config(api.origin, limit=10)
        given_config["apis"][0]["resources"][0]["schema"] = schema
        state = run(given_config).state
        state["bookmarks"][STREAM]["position"] |= spoil
        cut.left = 10**6
        second = run(given_config, state=state)
    assert second.error is None
    assert second.ids() == list(range(40))


# --- overlap ------------------------------------------------------------------------------------


def window_of(*pages):
    window = OverlapWindow()
    for page in pages:
        window.remember(page)
    return window


@pytest.mark.parametrize(
    ("page", "match"),
    [
        ("cd", OverlapMatch.MATCHED),
        ("c", OverlapMatch.MATCHED),
        ("bcd", OverlapMatch.INSERTED),
        ("de", OverlapMatch.DELETED),
        ("", OverlapMatch.DELETED),
        ("ab", OverlapMatch.INSERTED),
    ],
)
def test_the_first_rows_of_a_page_tell_how_it_follows(page, match):
    assert window_of("abc").match(list(page)) is match


def test_a_window_without_pages_has_no_row_to_compare_with():
    assert window_of([]).is_empty
    assert not window_of("ab").is_empty
    assert window_of("ab", "cd").fresh(["a", "x", "d"]) == [False, True, False]


def test_a_window_remembers_more_pages_the_smaller_they_are():
    small, large = (
        window_of(*([n, n + 1] for n in range(200))),
        window_of(*([range(n, n + 999)] for n in range(9))),
    )
    assert small.fresh([0]) == [False]
    assert large.fresh([range(999)]) == [False]


# --- any concurrency ------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_stream_is_byte_for_byte_the_same_at_any_concurrency(dialect):
    with DemoApi(dialect=dialect, scale=0.2) as demo:
        serial = run({**demo.config, "concurrency": 1})
        for stream in demo.streams:
            assert len(serial.records(stream)) == len(demo.rows(stream)), stream
        expected = serial.streams
        for concurrency in (2, 8, 16):
            assert run({**demo.config, "concurrency": concurrency}).streams == expected


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("size", [2, 7, 1000])
def test_the_page_size_decides_about_requests_never_about_rows(dialect, size):
    with DemoApi(dialect=dialect, scale=0.05) as demo:
        blocks = {
            name: {**block, "page_size": size}
            for name, block in demo.config.items()
            if name != "apis"
        }
        done = run({**blocks, "apis": demo.config["apis"], "concurrency": 4})
        assert done.error is None
        for stream in demo.streams:
            keys = done.tap.streams[stream].primary_keys
            names = [name for name in keys if name != "record_hash"]
            rows = [tuple(row[name] for name in names) for row in demo.rows(stream)]
            read = [tuple(row[name] for name in names) for row in done.records(stream)]
            assert sorted(set(read)) == sorted(set(rows)), stream


def test_faults_change_nothing_about_the_lines():
    with DemoApi(scale=0.1) as demo:
        calm = run({**demo.config, "concurrency": 1}).streams
        faults = [
            {"action": "status", "status": 503, "match": {"path": "courses"}, "after": 1},
            {"action": "reset", "match": {"path": "resources"}, "times": 3},
            {"action": "truncate_json", "match": {"path": "wiki"}, "times": 2},
            {"action": "empty", "match": {"path": "accounts"}, "times": 2},
            {"action": "html", "match": {"path": "declared"}, "times": 1},
        ]
        for concurrency in (1, 8):
            demo.set_faults(faults)
            blocks = {
                name: {**block, "retry": RETRY}
                for name, block in demo.config.items()
                if name != "apis"
            }
            apis = [{**api, "retry": RETRY} for api in demo.config["apis"]]
            done = run({**blocks, "apis": apis, "concurrency": concurrency})
            assert done.error is None
            assert done.streams == calm


def test_one_request_at_a_time_is_one_at_a_time():
    with DemoApi(scale=0.1, latency=0.001) as demo:
        run({**demo.config, "concurrency": 1})
        assert demo.in_flight_max == 1


def test_as_many_requests_are_in_flight_as_the_concurrency_and_never_more(monkeypatch):
    # Pages after one that came fast aren't prefetched.
    monkeypatch.setattr(read_ahead, "HANDOFF", -1)
    in_flight = InFlight(3, after=1)

    def answer(path, pairs):
        start = int(dict(pairs)["offset"])
        with in_flight.request():
            rows = [{"id": start + n} for n in range(min(10, 100 - start))]
            return {"data": rows, "total": 100}

    with PathApi(answer) as server:
        done = run(config(server.origin, limit=10, concurrency=3))
    assert done.error is None
    assert done.ids() == list(range(100))
    assert in_flight.most == 3


def test_what_was_read_ahead_never_decides():
    """Pages ahead of a walk that ends early bring no rows and no errors."""

    def answer(query):
        start = int(query["offset"])
        if start >= 8:
            return reply(500, b"{}")
        rows = [{"id": start + n} for n in range(min(4, 6 - start))]
        return {"data": rows, "links": {"next": None} if start + len(rows) >= 6 else {"next": "?"}}

    def honest(query):
        body = answer(query)
        if isinstance(body, dict) and body["links"]["next"]:
            del body["links"]
        return body

    with JsonApi(honest) as api:
        done = run(config(api.origin, limit=4, concurrency=8))
    assert done.error is None
    assert done.ids() == [0, 1, 2, 3, 4, 5]


# --- one page at a time -----------------------------------------------------------------------


def test_no_content_is_a_page_without_rows():
    with JsonApi(lambda _: reply(204, b"")) as api:
        done = run(config(api.origin, limit=10))
    assert done.error is None
    assert done.kinds == ["SCHEMA"]


def test_a_body_that_is_not_json_is_tried_again_and_then_reported():
    with JsonApi(lambda _: reply(200, b"<html>", Content_Type="text/html")) as api:
        done = run(config(api.origin, limit=10))
    assert len(api.requests) == 2
    assert "a web page (text/html)" in done.failure()
    assert "base_url" in done.failure()


def test_an_error_inside_a_success_is_tried_again_where_it_may_pass():
    answers = iter([{"errors": [{"code": 503, "message": "later"}]}, {"data": [{"id": 1}]}])
    with JsonApi(lambda _: next(answers)) as api:
        done = run(declared(api.origin, endpoint={"paginator": "single_page"}))
    assert done.ids() == [1]


@pytest.mark.parametrize("body", [{"id": 7, "name": "x"}, [{"id": 7, "name": "x"}]])
def test_one_object_is_one_row(body):
    with JsonApi(lambda _: body) as api:
        endpoint = {"paginator": "single_page", "data_selector": None}
        done = run(declared(api.origin, endpoint=endpoint))
    assert done.records() == [{"id": 7, "name": "x"}]


def test_the_sdks_own_way_to_ask_for_records_gives_the_same_rows():
    with DemoApi(scale=0.1) as demo:
        tap = run({"learning": demo.config["learning"]}, only=("learning_people",)).tap
        stream = tap.streams["learning_people"]
        rows = list(stream.request_records(None))
        assert isinstance(stream, AnalyticsStream)
        assert [row["id"] for row in rows] == [row["id"] for row in demo.rows("learning_people")]


def test_parents_that_are_read_ahead_leave_the_room_to_their_children(monkeypatch):
    monkeypatch.setattr(read_ahead, "HANDOFF", -1)
    parents = [{"id": number} for number in range(40)]

    def answer(query):
        if "offset" not in query:
            return {"data": [{"id": 1}]}
        start = int(query["offset"])
        return {"data": parents[start : start + 10], "total": len(parents)}

    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    resources = [
        {
            "name": "items",
            "endpoint": {"path": "/items", "paginator": {"type": "offset", "limit": 10}},
        },
        {"name": "bits", "endpoint": {"path": "/items/{item_id}/bits", "paginator": "single_page"}},
    ]
    for resource in resources:
        resource |= {"primary_key": "id", "schema": schema}
        resource["endpoint"]["data_selector"] = "data"
    with JsonApi(answer) as api:
        shop = {"name": "shop", "client": {"base_url": api.origin}, "resources": resources}
        done = run({"apis": [shop], "concurrency": 8})
    assert done.error is None
    before_children = api.paths[: next(n for n, path in enumerate(api.paths) if "bits" in path)]
    assert len(before_children) <= 2
    assert len(done.records("shop_bits")) == 40


def family(answer, *, concurrency, **top):
    """Run 20 parents in two pages, with two child streams below each."""

    def reply_to(received):
        path, query = urlsplit(received.target).path, received.query
        if path == "/items":
            start = int(query.get("cursor", 0))
            rows = [{"id": n, "size": n if n < 15 else None} for n in range(start, start + 10)]
            return reply(body=json.dumps({"data": rows, "next": None if start else "10"}).encode())
        return answer(path)

    def resource(name, path, paginator):
        endpoint = {"path": path, "paginator": paginator, "data_selector": "data"}
        fields = {"id": {"type": "integer"}, "size": {"type": ["integer", "null"]}}
        schema = {"type": "object", "properties": fields}
        return {"name": name, "primary_key": "id", "schema": schema, "endpoint": endpoint}

    cursor = {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"}
    resources = [
        resource("items", "/items", cursor),
        resource("bits", "/items/{item_id}/bits", "single_page"),
        resource("bolts", "/items/{item_id}/bolts", "single_page"),
    ]
    with ScriptedServer(reply_to) as server:
        shop = {"name": "shop", "client": {"base_url": server.origin}, "resources": resources}
        return run({"apis": [shop], "concurrency": concurrency, **top})


@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_a_filter_that_fails_on_parents_taken_early_fails_in_their_turn(concurrency):
    done = family(
        lambda _path: reply(body=b'{"data": [{"id": 1}]}'),
        concurrency=concurrency,
        stream_maps={"shop_items": {"__filter__": "size >= 0"}},
    )
    assert done.failure()
    assert len(done.records("shop_bits")) == len(done.records("shop_bolts")) == 10


def test_a_child_stream_that_failed_leaves_no_place_for_a_request_taken():
    done = family(
        lambda path: reply(400) if path.endswith("bits") else reply(body=b'{"data": [{"id": 1}]}'),
        concurrency=8,
    )
    assert done.failure("shop_bits")
    assert len(done.records("shop_bolts")) == 20
    ahead = done.tap.connections["shop"].prefetcher
    request = Request(url="http://127.0.0.1:1/", params=())
    assert all(ahead.prefetch((("other",), n), request, bytes) for n in range(8))
