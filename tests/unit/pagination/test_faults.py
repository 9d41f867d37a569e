"""Every paginator under every fault: either exactly the rows, or an error.

The oracle is the list the server pages through. Faults meet requests by their number, so at a
concurrency above 1 they meet another page each time.
"""

from __future__ import annotations

import gzip
import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import event, example, given
from hypothesis import strategies as st
from support.examples import costly
from support.runs import STREAM, declared, run
from support.servers import ScriptedServer, cut, redirect, reply, reset

SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
MAX_RETRIES = 3


@dataclass(frozen=True)
class Api:
    """A list, and how its server pages through it: never more than `cap` rows at once."""

    paging: str
    count: int
    limit: int
    cap: int | None

    @property
    def rows(self):
        # Enough text that half a page is seldom a whole one.
        return [{"id": number, "name": f"row {number}"} for number in range(self.count)]

    @property
    def paginator(self):
        kinds = {
            "offset with total": {"type": "offset", "total_path": "total"},
            "offset": {"type": "offset"},
            "page from 0": {"type": "page_number", "base_page": 0},
            "page from 1": {"type": "page_number", "base_page": 1},
            "cursor": {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"},
            "json_link": {"type": "json_link", "next_url_path": "next"},
            "header_cursor": {
                "type": "header_cursor",
                "cursor_key": "X-Next",
                "cursor_param": "cursor",
            },
            "header_link": {"type": "header_link"},
            "auto": {"type": "auto"},
            "page in the body": {
                "type": "page_number",
                "base_page": 1,
                "page_body_path": "page",
                "limit_body_path": "limit",
            },
            "cursor in the body": {
                "type": "cursor",
                "cursor_path": "next",
                "cursor_body_path": "cursor",
                "limit_body_path": "limit",
            },
            "last row": {"type": "cursor", "cursor_path": "data[-1].id", "cursor_param": "after"},
            "unknown unit": {"type": "offset", "offset_param": "page"},
        }
        return kinds[self.paging] | {"limit": self.limit}

    @property
    def endpoint(self):
        method = "POST" if self.paging.endswith("body") else "GET"
        return {"method": method, "paginator": self.paginator}

    def page(self, query):
        """Return the answer without faults: the body, and the headers beside it."""
        size = min(int(query["limit"]), self.cap or self.count + 1)
        start = self._start(query, size)
        body, headers = {"data": self.rows[start : start + size]}, {}
        following = start + size if start + size < self.count else None
        link = f"/items?cursor={following}&limit={self.limit}"
        if self.paging == "offset with total":
            body["total"] = self.count
        elif self.paging in {"cursor", "cursor in the body"}:
            body["next"] = following and str(following)
        elif self.paging in {"json_link", "auto"}:
            body["next"] = following and link
        elif self.paging == "header_cursor" and following:
            headers["X_Next"] = str(following)
        elif self.paging == "header_link":
            headers["Link"] = '</items>; rel="first"'
            if following:
                headers["Link"] += f', <{link}>; rel="next"'
        return json.dumps(body).encode(), headers

    def _start(self, query, size):
        if self.paging.startswith("offset"):
            return int(query["offset"])
        if self.paging == "last row":
            return int(query.get("after", -1)) + 1
        if self.paging == "unknown unit":
            return (int(query["page"]) - 1) * size if query["page"] != "0" else self.count
        if self.paging.startswith("page"):
            return (int(query["page"]) - self.paginator["base_page"]) * size
        return int(query.get("cursor", 0))


class Faulty(ScriptedServer):
    """Pages through a list; request number n meets the fault of that number."""

    def __init__(self, api, faults):
        self.met = []
        self._faults = faults
        self._api = api
        super().__init__(self._step)

    def _step(self, received):
        sent = json.loads(received.body) if received.body else {}
        body, headers = self._api.page({**received.query, **sent})
        whole = reply(200, body, **headers)
        fault = self._faults.get(len(self.requests))
        if fault is None:
            return whole
        self.met.append(fault)
        if fault == "redirect to itself":
            return redirect(received.target)
        return getattr(self, fault, None) or FAULTS[fault](body, whole)

    def dripping(self, connection):
        """Send a whole answer, but so slowly that the timeout comes first."""
        return self.drip(reply(200, b" " * 500))(connection)

    def refused(self, connection):
        """Hang up and listen no longer: whoever connects from now on is refused."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            if each is not connection:
                each.shutdown(socket.SHUT_RDWR)
        return False


def now(_body, _whole):
    return reply(429, b"{}", Retry_After=format_datetime(datetime.now(UTC), usegmt=True))


def packed_and_cut(body, _whole):
    packed = gzip.compress(body, mtime=0)
    return reply(200, packed[: len(packed) // 2], Content_Encoding="gzip")


def status(code, body=b"", **headers):
    return lambda _body, _whole: reply(code, body, **headers)


BUSY = b'{"error": {"code": 503, "message": "busy"}}'
FAULTS = {
    "429 in seconds": status(429, Retry_After="0"),
    "429 by date": now,
    "429": status(429),
    "500": status(500, b'{"error": "down"}'),
    "502": status(502, b"<html>bad gateway</html>"),
    "503": status(503, Retry_After="0"),
    "504": status(504),
    "reset before": lambda _body, _whole: reset(),
    "closed before": lambda _body, _whole: cut(b""),
    "reset in the body": lambda _body, whole: reset(whole[: -len(whole) // 4]),
    "closed in the body": lambda _body, whole: cut(whole[:-1]),
    "JSON cut short": lambda body, _whole: reply(200, body[: len(body) // 2]),
    "empty 200": status(200),
    "HTML 200": status(200, b"<!doctype html><title>Sign in</title>"),
    "gzip cut short": packed_and_cut,
    "busy in 200": status(200, BUSY),
    "text instead of JSON": lambda body, _whole: reply(200, body[1:], Content_Type="text/plain"),
}
#: No attempt helps against these.
FINAL = {
    "NDJSON": status(200, b'{"id": 1}\n{"id": 2}\n', Content_Type="application/x-ndjson"),
    "CSV": status(200, b"id,name\n1,a\n", Content_Type="text/csv"),
    "asked to wait for years": status(429, Retry_After="99999999"),
    "error in 200": status(200, b'{"error": {"message": "no such thing"}}'),
    "refused": None,
    "redirect to itself": None,
}
FAULTS |= FINAL
#: These wait for the timeout, so few runs meet them.
SLOW_FAULTS = ("dripping", "hang")

apis = st.builds(
    Api,
    paging=st.sampled_from(
        [
            *("offset with total", "offset", "page from 0", "page from 1"),
            *("cursor", "header_cursor", "json_link", "header_link", "auto"),
            *("page in the body", "cursor in the body", "last row", "unknown unit"),
        ]
    ),
    count=st.integers(0, 40),
    limit=st.integers(1, 12),
    cap=st.none() | st.integers(1, 12),
)
#: Single faults anywhere, and a burst that may outlast the retries.
scattered = st.dictionaries(st.integers(1, 20), st.sampled_from(sorted(FAULTS)), max_size=4)
bursts = st.builds(
    lambda first, length, kind: dict.fromkeys(range(first, first + length), kind),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from(sorted(FAULTS)),
)
matrix = given(
    api=apis,
    faults=scattered | bursts,
    concurrency=st.sampled_from([1, 4]),
    sampled=st.booleans(),
)
#: Answers that never end, among others, on walks of a few pages.
dragging = given(
    api=apis,
    faults=st.dictionaries(
        st.integers(1, 4),
        st.sampled_from(SLOW_FAULTS) | st.sampled_from(sorted(FAULTS)),
        min_size=1,
        max_size=3,
    ),
    concurrency=st.sampled_from([1, 4]),
)


def check(api, faults, concurrency, sampled, *, timeout=None):
    with Faulty(api, faults) as server:
        endpoint = api.endpoint
        schema = {} if sampled else {"schema": SCHEMA}
        timed = {"request_timeout": timeout} if timeout else {}
        more = schema | timed
        config = declared(server.origin, endpoint=endpoint, concurrency=concurrency, **more)
        config["apis"][0]["retry"] = {"max_retries": MAX_RETRIES, "backoff_factor": 0}
        done = run(config, catalog=None)
    ids, wanted = done.ids(), list(range(api.count))
    event("failed" if done.error else "whole")
    assert (done.error is None) == (done.failure() == ""), done.failure()
    if done.error is None:
        assert ids == wanted, f"{len(ids)} of {len(wanted)} rows and exit 0"
        assert done.verdict() != "short"
        # A header that never came proves nothing: no page has less than a single row, and
        # the answer to a page with a row less may have been a fault.
        is_silent = api.paging == "header_cursor" and (api.count == 1 or bool(server.met))
        assert done.verdict() in {"verified", "consistent"} or is_silent
    else:
        assert ids == wanted[: len(ids)], "rows out of order before the error"
        assert server.met or timeout, done.failure()
    # On a busy machine, other answers than the slow ones may time out as well.
    hopeful = len(server.met) <= MAX_RETRIES and not FINAL.keys() & set(server.met)
    if hopeful and not timeout:
        # No request can have met more faults than it has retries.
        assert done.error is None, done.failure()
    assert STREAM in done.tap.run.results


@example(api=Api("offset", 4, 3, 2), faults={2: "JSON cut short"}, concurrency=4, sampled=False)
@example(api=Api("header_link", 9, 3, None), faults={3: "refused"}, concurrency=1, sampled=True)
@matrix
def test_a_run_extracts_every_row_or_fails(api, faults, concurrency, sampled):
    check(api, faults, concurrency, sampled)


@costly(10)
@example(api=Api("cursor", 9, 3, None), faults={2: "dripping", 3: "hang"}, concurrency=1).via(
    "the timeout twice, then the page"
)
@dragging
def test_a_run_whose_answers_never_end_extracts_every_row_or_fails(api, faults, concurrency):
    check(api, faults, concurrency, sampled=False, timeout=0.4)
