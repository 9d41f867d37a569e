"""A run with `max_requests`: never one request more, and repeated runs complete."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import costly
from support.lists import LIMIT, by_cursor, by_offset
from support.runs import STREAM, declared, discover, run
from support.servers import JsonApi, ScriptedServer, redirect, reply

from tap_analytics.demo import DemoApi
from tap_analytics.records.rows import DictRows

WIDTHS = (1, 2, 8)


def rows_of(count):
    return [{"id": number} for number in range(count)]


def by_page(rows):
    def answer(query):
        start = (int(query["page"]) - 1) * LIMIT
        return {"data": rows[start : start + LIMIT]}

    return answer


KINDS = {
    "offset": ({"type": "offset", "limit": LIMIT}, by_offset),
    "offset without total": (
        {"type": "offset", "limit": LIMIT, "total_path": None},
        lambda rows: by_offset(rows, total=False),
    ),
    "cursor": ({"type": "cursor", "limit": LIMIT}, by_cursor),
    "page number": ({"type": "page_number", "base_page": 1, "limit": LIMIT}, by_page),
}
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}


def config(api, kind, *, concurrency, requests):
    made = declared(
        api.origin,
        endpoint={"paginator": KINDS[kind][0]},
        schema=SCHEMA,
        concurrency=concurrency,
    )
    return made | {"max_requests": requests}


def errors(caplog):
    return [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]


# --- never one more -----------------------------------------------------------------------------


@given(
    width=st.sampled_from(WIDTHS),
    requests=st.integers(1, 40),
    kind=st.sampled_from(sorted(KINDS)),
    count=st.integers(0, 150),
)
@costly(4)
def test_no_run_sends_more_than_its_budget(width, requests, kind, count):
    with JsonApi(KINDS[kind][1](rows_of(count))) as api:
        done = run(config(api, kind, concurrency=width, requests=requests))
    assert len(api.requests) <= requests
    assert done.ids() == list(range(count))[: len(done.ids())]
    if done.error is None:
        assert len(done.ids()) == count


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("requests", [1, 3, 7, 20])
def test_retries_and_redirects_stay_within_the_budget(width, requests):
    served = []

    def answer(received):
        path, _, query = received.target.partition("?")
        if path == "/items":
            return redirect(f"/moved?{query}")
        served.append(query)
        if len(served) % 2:
            return reply(500)
        start = int(query.partition("offset=")[2].partition("&")[0])
        body = {"data": rows_of(200)[start : start + LIMIT], "total": 200}
        return reply(200, json.dumps(body).encode())

    with ScriptedServer(answer) as api:
        done = run(config(api, "offset", concurrency=width, requests=requests))
    assert len(api.requests) <= requests
    assert done.error is not None


@pytest.mark.parametrize("width", WIDTHS)
def test_the_budget_holds_over_all_apis(width):
    with DemoApi() as demo:
        config = demo.config | {"concurrency": width, "max_requests": 9}
        catalog = discover(demo.config)
        demo.reset_counts()
        done = run(config, catalog=catalog)
        assert demo.stats()["requests_total"] == 9
    assert done.error is not None


# --- run after run ------------------------------------------------------------------------------


def until_complete(config, *, runs):
    """Run again and again from where the last run ended; return all runs."""
    state, found = None, []
    while len(found) < runs:
        found.append(run(config, state=state))
        state = found[-1].state or state
        if found[-1].error is None:
            return found
    raise AssertionError(f"not complete after {runs} runs: {state}")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_small_budgets_add_up_to_the_whole(kind, width):
    with JsonApi(KINDS[kind][1](rows_of(123))) as api:
        done = until_complete(config(api, kind, concurrency=width, requests=4), runs=12)
    assert len(done) > 2
    assert sorted({each for one in done for each in one.ids()}) == list(range(123))
    assert all("position" in one.state["bookmarks"][STREAM] for one in done[:-1])
    # A position that was taken back has no time: four requests don't suffice for a second look.
    left = done[-1].state.get("bookmarks", {}).get(STREAM, {})
    assert left == ({"position": {"at": None}} if kind == "page number" else {})
    assert (done[-1].verdict() == "unverified") == (kind == "page number")


@pytest.mark.parametrize("requests", [12, 40])
@pytest.mark.parametrize("kind", ["offset", "offset without total", "page number"])
def test_nothing_that_was_read_ahead_is_wasted_at_the_end_of_a_budget(kind, requests):
    with JsonApi(KINDS[kind][1](rows_of(900))) as api:
        done = run(config(api, kind, concurrency=8, requests=requests))
    # By row number, every page but the first begins with the last row of the one before.
    stride = LIMIT if kind == "page number" else LIMIT - 1
    assert len(done.ids()) == LIMIT + (requests - 1) * stride


def two_streams(origin):
    endpoint = {"path": "/others", "data_selector": "data", "paginator": KINDS["cursor"][0]}
    others = {"name": "others", "endpoint": endpoint, "primary_key": "id", "schema": SCHEMA}
    made = declared(
        origin,
        endpoint={"paginator": KINDS["cursor"][0]},
        schema=SCHEMA,
        children=[others],
        emit_activate_version_messages=True,
    )
    return made | {"max_requests": 10}


def test_a_stream_that_is_through_is_left_out_until_the_others_are(caplog):
    caplog.set_level(logging.INFO)
    with JsonApi(by_cursor(rows_of(80))) as api:
        first, second = until_complete(two_streams(api.origin), runs=2)
        asked_again = api.paths[10:].count("/items")
        third = run(two_streams(api.origin), state=second.state)
    assert asked_again == 0
    assert (first.ids(), second.ids()) == (list(range(80)), [])
    assert len(first.of("ACTIVATE_VERSION")) == 1
    assert len(second.of("ACTIVATE_VERSION")) == 0
    assert len(second.of("ACTIVATE_VERSION", "shop_others")) == 1
    assert "finished" in first.state["bookmarks"][STREAM]
    assert second.state == {"bookmarks": {}}
    # What follows a complete run is a run like any other.
    assert third.ids() == list(range(80))


def test_what_was_left_out_is_read_again_where_its_shape_has_changed():
    with JsonApi(by_cursor(rows_of(80))) as api:
        first = run(two_streams(api.origin))
        changed = two_streams(api.origin) | {"stream_maps": {STREAM: {"double": "id * 2"}}}
        second = run(changed, state=first.state)
    assert second.ids() == list(range(20))


def test_marks_older_than_a_position_may_be_are_not_heeded():
    with JsonApi(by_cursor(rows_of(80))) as api:
        first = run(two_streams(api.origin))
        state = json.loads(json.dumps(first.state))
        state["bookmarks"][STREAM]["finished"]["at"] = "2024-01-01T00:00:00+00:00"
        second = run(two_streams(api.origin), state=state)
    assert second.ids() == list(range(30))


def test_a_mark_that_no_longer_holds_is_overwritten_where_a_run_fails():
    """Where Meltano merges states, what is missing would stay, and null could take no object."""
    state = {"bookmarks": {STREAM: {"finished": {"at": "2024-01-01T00:00:00Z"}}}}
    with JsonApi(lambda _: reply(403)) as api:
        failed = run(two_streams(api.origin), state=state)
    assert failed.state["bookmarks"][STREAM] == {"finished": {"at": None}}
    with JsonApi(by_cursor(rows_of(20))) as api:
        complete = run(two_streams(api.origin), state=failed.state)
    assert complete.state == {"bookmarks": {}}


def test_without_a_budget_marks_are_cleared_and_everything_is_read():
    with JsonApi(by_cursor(rows_of(80))) as api:
        first = run(two_streams(api.origin))
        whole = two_streams(api.origin)
        del whole["max_requests"]
        second = run(whole, state=first.state)
    assert second.error is None
    assert second.ids() == list(range(80))
    assert second.state == {"bookmarks": {}}


def test_a_stream_whose_child_failed_is_not_left_out_by_the_next_run():
    """The request limit is reached below the items of another API."""

    def answer(received):
        path = received.target.partition("?")[0]
        if path.endswith("/bits") and is_down:
            return reply(403)
        found = rows_of(3) if path.count("/") == 1 else rows_of(1)
        return reply(200, json.dumps({"data": found}).encode())

    with ScriptedServer(answer) as api:
        given = with_children(api.origin, concurrency=1, requests=4)
        other = json.loads(json.dumps(given["apis"][0]).replace("parts", "bits"))
        given["apis"].append(other | {"name": "other"})
        is_down = True
        first = run(given)
        is_down = False
        second = run(given | {"max_requests": 100}, state=first.state)
    assert "403" in first.failure("other_bits")
    assert first.tap.run.results["shop_parts"].budget_exhausted
    assert second.ids("other_bits") == [0, 0, 0]


def test_what_was_left_out_is_no_better_for_it(tmp_path):
    """The items of one API are shown to be all, their parts aren't; then the limit is reached."""

    def answer(received):
        status = 202 if "parts" in received.target else 200
        return reply(status, json.dumps({"data": rows_of(1), "next": None}).encode())

    with ScriptedServer(answer) as api:
        given = with_children(api.origin, concurrency=1, requests=3)
        for resource in given["apis"][0]["resources"]:
            resource["endpoint"]["paginator"] = "json_link"
        given["apis"].append(given["apis"][0] | {"name": "other"})
        first = run(given)
        path = tmp_path / "summary.json"
        run(given | {"max_requests": 100, "summary_path": str(path)}, state=first.state)
    told = json.loads(path.read_bytes())["streams"]["other_parts"]
    assert first.verdict("other_items") == "consistent"
    assert first.verdict("other_parts") == "unverified"
    assert (told["rows"], told["verdict"]) == (0, "unverified")
    assert told["doubt"]


# --- what is told -------------------------------------------------------------------------------


def test_one_line_names_the_unfinished_and_says_that_the_next_run_resumes(caplog, tmp_path):
    path = tmp_path / "summary.json"
    with JsonApi(by_cursor(rows_of(80))) as api:
        first = run(two_streams(api.origin) | {"summary_path": str(path)})
    assert errors(caplog) == [
        (
            "Request limit reached (max_requests: 10) [not finished: shop_others]. "
            "The next run resumes here."
        )
    ]
    assert "shop_others" in str(first.error)
    summary = json.loads(path.read_bytes())
    assert summary["exit_code"] == 1
    told = {name: one["status"] for name, one in summary["streams"].items()}
    assert told == {STREAM: "complete", "shop_others": "unfinished"}
    assert summary["streams"]["shop_others"]["error"] is None
    assert first.of("ACTIVATE_VERSION", "shop_others") == []


def test_a_stream_that_fails_is_distinguished_from_one_that_is_not_finished(caplog):
    def answer(received):
        if received.target.startswith("/items"):
            return reply(403)
        start = int(received.target.partition("cursor=")[2] or 0)
        body = {"data": rows_of(300)[start : start + LIMIT], "cursors": {"next": start + LIMIT}}
        return reply(200, json.dumps(body).encode())

    with ScriptedServer(answer) as api:
        done = run(two_streams(api.origin))
    told = errors(caplog)
    assert len(told) == 2
    assert "403" in told[0]
    assert "[not finished: shop_others]" in told[1]
    assert done.failure("shop_others") == ""


def family(count):
    """Answer with parents in one page, and with one row below each."""

    def answer(received):
        path = received.target.partition("?")[0]
        found = rows_of(count) if path == "/items" else [{"id": int(path.split("/")[2])}]
        return reply(200, json.dumps({"data": found}).encode())

    return ScriptedServer(answer)


def with_children(origin, *, concurrency, requests):
    endpoint = {"path": "/items/{item_id}/parts", "data_selector": "data"}
    child = {"name": "parts", "endpoint": endpoint | {"paginator": "single_page"}}
    made = declared(
        origin,
        endpoint={"paginator": "single_page"},
        schema=SCHEMA,
        children=[child | {"primary_key": "id", "schema": SCHEMA}],
        concurrency=concurrency,
    )
    return made | {"max_requests": requests}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_budget_too_small_for_children_says_that_it_never_ends(width, caplog):
    with family(20) as api:
        done = run(with_children(api.origin, concurrency=width, requests=15))
        assert len(api.requests) == 15
    [line] = errors(caplog)
    assert line == (
        "Request limit reached (max_requests: 15) "
        "[not finished: shop_items, shop_parts]. The next run would end at the same point, "
        "because shop_items, shop_parts can't be resumed: raise max_requests; "
        "`tap-analytics plan` shows how many are needed."
    )
    assert done.state == {}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_budget_that_is_just_enough_is_enough(width):
    with family(20) as api:
        done = run(with_children(api.origin, concurrency=width, requests=21))
    assert done.error is None
    assert done.ids("shop_parts") == list(range(20))


def test_a_budget_of_one_says_that_it_gets_nowhere(caplog):
    with JsonApi(by_cursor(rows_of(80))) as api:
        first = run(config(api, "cursor", concurrency=1, requests=1))
        caplog.clear()
        second = run(config(api, "cursor", concurrency=1, requests=1), state=first.state)
    assert (first.ids(), second.ids()) == (list(range(LIMIT)), [])
    [line] = errors(caplog)
    assert "The next run would end at the same point: raise max_requests" in line
    assert second.state == first.state


def test_a_stream_that_was_left_out_is_no_progress(caplog):
    with JsonApi(by_cursor(rows_of(80))) as api:
        first = run(two_streams(api.origin))
        caplog.clear()
        run(two_streams(api.origin) | {"max_requests": 1}, state=first.state)
    [line] = errors(caplog)
    assert "[not finished: shop_others]. The next run would end at the same point" in line


def test_where_nothing_is_resumed_the_line_says_so(caplog):
    with JsonApi(by_cursor(rows_of(80))) as api:
        never = config(api, "cursor", concurrency=1, requests=3) | {"resume_within_hours": 0}
        run(never)
    [line] = errors(caplog)
    assert "no run resumes another" in line


def test_rows_without_a_key_of_the_apis_are_found_again_by_another_process():
    # Were it a hash of this process, it would be another one in each run.
    [digest] = DictRows([{"a": 1}]).digests()
    assert digest == bytes.fromhex("2c6b113b8dd15ffbded9860b43eb0c6c")
