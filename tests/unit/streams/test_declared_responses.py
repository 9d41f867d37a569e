"""What a declared API does with responses: `response_actions` and `wait_time_header`."""

from __future__ import annotations

import json
import logging
from email.utils import formatdate

import pytest
from support.runs import declared, run
from support.servers import ScriptedServer, reply

ROWS = [{"id": n} for n in range(1, 31)]
IDS = [row["id"] for row in ROWS]
BUSY = reply(200, b'{"status": "busy, come again", "data": []}')
GONE = reply(410, b'{"message": "archived"}')
DENIED = reply(403, b'{"message": "quota of the hour is used up"}')


class Pages(ScriptedServer):
    """A list of 30 rows in pages of 10; `odd` gives other answers, by row and how often asked."""

    def __init__(self, odd=None, *, total=True):
        super().__init__(self._respond)
        self.odd, self.total, self.times = odd or (lambda _row, _time: None), total, {}

    def _respond(self, received):
        row = int(received.query["offset"])
        self.times[row] = self.times.get(row, 0) + 1
        if (answer := self.odd(row, self.times[row])) is not None:
            return answer
        body = {"data": ROWS[row : row + 10]} | ({"total": len(ROWS)} if self.total else {})
        return reply(200, json.dumps(body).encode())

    def config(self, *, actions=None, concurrency=1, handler=None, **top):
        endpoint = {
            "paginator": {"type": "offset", "limit": 10, "total_path": "total"},
            "response_actions": actions,
            "error_handler": handler,
        }
        schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
        return declared(
            self.origin, endpoint=endpoint, schema=schema, concurrency=concurrency, **top
        )


def verdict(done, stream="shop_items"):
    found = done.tap.run.results[stream]
    return found.verdict.value, found.finding.missing or ""


def both(server, **words):
    """Run at both widths; both write the same."""
    runs = []
    for concurrency in (1, 8):
        server.times.clear()
        runs.append(run(server.config(concurrency=concurrency, **words)))
    assert runs[0].records() == runs[1].records()
    assert runs[0].failure() == runs[1].failure()
    return runs[0]


# --- retry ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        (BUSY, {"content": "come again", "action": "retry"}),
        (BUSY, {"status_code": 200, "content": "come again", "action": "retry"}),
        (GONE, {"status_code": 410, "action": "retry"}),
        (DENIED, {"status_code": 403, "content": "quota", "action": "retry"}),
        (DENIED, {"status_code": "4xx", "content": "quota", "action": "retry"}),
        (BUSY, {"filter": "@.status == 'busy, come again'", "action": "retry"}),
        (BUSY, {"status_code": "2xx", "filter": "@.status && !@.total", "action": "retry"}),
        # A body that isn't JSON has no members.
        (reply(404, b"<html>"), {"status_code": 404, "filter": "!@.total", "action": "retry"}),
    ],
)
def test_a_response_that_is_to_be_retried_is(answer, action):
    # The second page is odd once.
    with Pages(lambda row, time: answer if 0 < row < 20 and time == 1 else None) as api:
        done = both(api, actions=[action])
    assert done.error is None
    assert done.ids() == IDS
    assert verdict(done)[0] == "verified"


def test_a_response_that_stays_so_fails_the_stream():
    with Pages(lambda row, _: BUSY if row > 0 else None) as api:
        done = both(api, actions=[{"content": "busy", "action": "retry"}])
    assert "answered 200 OK" in done.failure()
    assert "after 2 attempts" in done.failure()


@pytest.mark.parametrize(
    "action",
    [
        {"status_code": 403, "content": "another text", "action": "retry"},
        {"status_code": 402, "content": "quota", "action": "retry"},
        {"status_code": "5xx", "content": "quota", "action": "retry"},
        {"status_code": 403, "filter": "@.message == 'quota'", "action": "retry"},
        {"content": "quota", "filter": "@.messages", "action": "retry"},
    ],
)
def test_status_content_and_filter_must_all_fit(action):
    with Pages(lambda row, time: DENIED if row > 0 and time == 1 else None) as api:
        done = both(api, actions=[action])
    assert "answered 403 Forbidden" in done.failure()


# --- fail -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 503])
def test_a_response_that_is_to_fail_is_not_retried(status):
    answer = reply(status, b'{"data": [], "message": "no licence"}')
    with Pages(lambda row, _: answer if 0 < row < 20 else None) as api:
        done = both(api, actions=[{"content": "no licence", "action": "fail"}])
        assert max(api.times.values()) == 1
    assert f"answered {status} " in done.failure()
    assert "no licence" in done.failure()


def test_the_first_action_that_fits_counts():
    fail = {"status_code": 410, "action": "fail"}
    retry = {"status_code": 410, "action": "retry"}
    with Pages(lambda row, time: GONE if row and time == 1 else None) as api:
        assert both(api, actions=[retry, fail]).error is None
        assert "410" in both(api, actions=[fail, retry]).failure()


# --- ignore -----------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [GONE, BUSY, reply(404, b"{}"), reply(500, b"")])
def test_a_list_ends_at_an_ignored_response_without_proof(answer, caplog):
    actions = [
        *({"status_code": status, "action": "ignore"} for status in (410, 404, 500)),
        {"content": "busy", "action": "ignore"},
    ]
    # The third page and all behind it.
    with Pages(lambda row, _: answer if row >= 18 else None, total=False) as api:
        done = both(api, actions=actions)
    assert done.error is None
    assert done.ids() == IDS[:19]
    found, missing = verdict(done)
    assert found == "unverified"
    assert "`response_actions` ignores, so rows may be missing" in missing
    assert "`response_actions` ignores" in caplog.text


def test_an_ignored_response_does_not_excuse_rows_that_the_total_counts():
    with Pages(lambda row, _: GONE if row >= 18 else None) as api:
        done = both(api, actions=[{"status_code": 410, "action": "ignore"}])
    assert "the API counts 30 rows and gave 19 of them" in done.failure()


def test_an_ignored_first_response_is_an_empty_list_without_proof():
    with Pages(lambda *_: GONE) as api:
        done = both(api, actions=[{"status_code": 410, "action": "ignore"}])
        given = api.config(actions=[{"status_code": 410, "action": "ignore"}])
        # The schema is sampled from the same page.
        del given["apis"][0]["resources"][0]["schema"]
        sampled = run(given)
    for each in (done, sampled):
        assert each.error is None
        assert each.records() == []
        assert len(each.of("SCHEMA")) == 1
        assert verdict(each)[0] == "unverified"


def test_what_is_ignored_can_be_made_an_error():
    with Pages(lambda *_: GONE) as api:
        given = {"actions": [{"status_code": 410, "action": "ignore"}], "on_unverified": "fail"}
        done = both(api, **given)
    assert "`response_actions` ignores" in done.failure()


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("ignored", [(2,), (1, 2, 3)])
def test_a_parent_whose_list_is_ignored_is_skipped(ignored, concurrency):
    statuses = [403 if parent in ignored else 200 for parent in (1, 2, 3)]
    actions = [{"status_code": 403, "action": "ignore"}]
    done = parts_below(actions, statuses=statuses, concurrency=concurrency)
    assert done.error is None
    assert done.ids("shop_parts") == [n * 10 for n in (1, 2, 3) if n not in ignored]
    assert verdict(done)[0] == "consistent"
    assert verdict(done, "shop_parts")[0] == "unverified"
    assert f"/items/{ignored[0]}/parts answered 403" in verdict(done, "shop_parts")[1]


def parts_below(actions, *, statuses, concurrency=1):
    """Return the run of three parents, whose lists are answered with these statuses."""

    def answer(received):
        if received.path == "/items":
            return reply(200, b'{"data": [{"id": 1}, {"id": 2}, {"id": 3}]}')
        parent = int(received.path.split("/")[2])
        return reply(statuses[parent - 1], json.dumps([{"id": parent * 10}]).encode())

    parts = {
        "name": "parts",
        "primary_key": "id",
        "endpoint": {
            "path": "/items/{resources.items.id}/parts",
            "paginator": "single_page",
            "response_actions": actions,
        },
    }
    with ScriptedServer(answer) as api:
        single = {"paginator": "single_page"}
        return run(declared(api.origin, endpoint=single, children=[parts], concurrency=concurrency))


def test_a_404_below_a_parent_can_be_made_an_error():
    skipped = parts_below([], statuses=(200, 404, 200))
    assert skipped.error is None
    assert skipped.ids("shop_parts") == [10, 30]
    done = parts_below([{"status_code": 404, "action": "fail"}], statuses=(200, 404, 200))
    assert "answered 404 Not Found" in done.failure("shop_parts")


# --- empty ------------------------------------------------------------------------------------

EMPTY = {"status_code": 410, "action": "empty"}


def test_a_response_that_is_declared_empty_is_a_page_without_rows():
    with Pages(lambda row, _: GONE if row >= len(ROWS) else None, total=False) as server:
        done = both(server, actions=[EMPTY])
    assert (done.error, done.ids(), verdict(done)) == (None, IDS, ("consistent", ""))


def test_a_response_that_is_declared_empty_does_not_excuse_rows_that_the_total_counts():
    with Pages(lambda row, _: GONE if row >= 19 else None) as server:
        done = both(server, actions=[EMPTY])
    assert (done.code, len(done.ids()) < len(IDS)) == (1, True)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_window_that_is_declared_empty_moves_the_bookmark(concurrency):
    def answer(received):
        day = received.query["day"]
        if day == "2024-01-02":
            return GONE
        return reply(200, json.dumps({"data": [{"id": day, "at": day}]}).encode())

    days = {"initial_value": "2024-01-01", "end_value": "2024-01-04", "step": "P1D"}
    key = {"cursor_path": "at", "start_param": "day", "convert": "date"} | days
    endpoint = {"paginator": "single_page", "incremental": key, "response_actions": [EMPTY]}
    with ScriptedServer(answer) as server:
        done = run(declared(server.origin, endpoint=endpoint, concurrency=concurrency))
    assert (done.ids(), verdict(done)[0]) == (["2024-01-01", "2024-01-03"], "consistent")
    assert done.bookmark() == "2024-01-03"


# --- waiting ----------------------------------------------------------------------------------


#: When a response is sent, by its `Date`.
SENT = 1_767_225_600
WAITS = {
    "seconds": "0.2",
    "epoch": f"{SENT + 0.2}",
    "date": formatdate(SENT + 1, usegmt=True),
}


@pytest.mark.parametrize(
    ("form", "place"), [*((form, "error_handler") for form in WAITS), ("seconds", "retry")]
)
def test_a_header_of_the_apis_own_says_how_long_to_wait(form, place, caplog):
    caplog.set_level(logging.DEBUG)
    asked = []

    def odd(row, turn):
        if row == 9 and turn == 1:
            asked.append(row)
            sent = formatdate(SENT, usegmt=True)
            return reply(503, b"", X_Wait=WAITS[form], Retry_After="3000", Date=sent)
        return None

    handler = {"wait_time_header": "X-Wait", "max_retry_after": 30}
    with Pages(odd) as api:
        given = api.config(handler=handler if place == "error_handler" else None)
        if place == "retry":
            given["apis"][0]["retry"] |= handler
        done = run(given)
    assert done.ids() == IDS
    assert asked != []
    assert "throttled" in caplog.text
