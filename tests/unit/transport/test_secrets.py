"""A secret that a server sends back in any form is shown nowhere.

The log, the metrics, STATE and the summary are walked at DEBUG, and what a debugger or a crash
report would show: tracebacks with their causes, and the `repr` of every part of the run.
"""

from __future__ import annotations

import base64
import gc
import json
import logging
import traceback
from urllib.parse import quote

import pytest
from support.runs import STREAM, declared, run
from support.servers import JsonApi, cut, redirect, reply, reset

from tap_analytics.errors import SyncFailedError

KEY = "canary/4711+key&="
ECHO = json.dumps({"message": f"you sent {KEY}", "error": {"message": KEY}}).encode()
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}
#: How to authenticate with the key, or with what is issued for a token: the key.
AUTHS = {
    "query": {"type": "api_key", "name": "key", "api_key": KEY, "location": "query"},
    "header": {"type": "api_key", "name": "X-Key", "api_key": KEY},
    "bearer": {"type": "bearer", "token": KEY},
    "basic": {"type": "basic", "username": "us", "password": KEY},
    "cookie": {"type": "api_key", "name": "sid", "api_key": KEY, "location": "cookie"},
    "refresh token": {
        "type": "oauth2_refresh_token",
        "access_token_url": "{origin}/token?issue=1",
        "client_id": "app",
        "refresh_token": "a refresh token",
    },
    "login": {
        "type": "session_token",
        "login": {"url": "{origin}/login?issue=1", "json": {"pin": "a pin"}},
        "session_token_path": "access_token",
        "location": "query",
        "name": "key",
    },
}
#: Responses to the second page; the first has a row.
ANSWERS = {
    "401": reply(401, ECHO),
    "403": reply(403, ECHO),
    "404": reply(404, ECHO),
    "400": reply(400, f"refused {KEY}".encode()),
    "429": reply(429, ECHO, Retry_After="0"),
    "500": reply(500, ECHO),
    "status line": b"HTTP/1.1 999 " + KEY.encode() + b"\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": cut(KEY.encode() + b"\r\n\r\n"),
    "odd length": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\nX: " + KEY.encode() + b"\r\n\r\n",
    "closed": cut(b""),
    "reset": reset(),
    "cut": cut(reply(200, ECHO)[:-4]),
    "damaged gzip": reply(200, ECHO, Content_Encoding="gzip"),
    "odd encoding": reply(200, ECHO, Content_Encoding="br"),
    "web page": reply(200, f"<html>{KEY}".encode()),
    "in band": reply(200, ECHO),
    "no rows": reply(200, json.dumps({KEY: [], "x": KEY}).encode()),
    "text": reply(200, json.dumps({"data": KEY}).encode()),
    "no key": reply(200, json.dumps({"data": [{"name": KEY}]}).encode()),
    "redirect": redirect(f"http://127.0.0.2:9/?key={quote(KEY, safe='')}"),
    "user info": redirect(f"http://us:{quote(KEY, safe='')}@127.0.0.2:9/"),
    "foreign link": {"data": [{"id": 2}], "next": f"http://127.0.0.2:9/{quote(KEY)}?k={KEY}"},
    "same token": {"data": [{"id": 2}], "next": f"/items?page=2&key={quote(KEY, safe='')}"},
}
#: Responses with an address are tested with each authentication, the others with one each.
ADDRESSES = {"redirect", "user info", "foreign link", "same token"}
PAIRS = [
    (case, auth)
    for number, case in enumerate(ANSWERS)
    for place, auth in enumerate(AUTHS)
    if case in ADDRESSES or place == number % len(AUTHS)
]


def forms():
    """Return the spellings of the key, alone and as a password."""
    yield from {KEY, quote(KEY, safe=""), quote(KEY), json.dumps(KEY)[1:-1]}
    for text in (KEY, f"us:{KEY}"):
        yield base64.b64encode(text.encode()).decode().rstrip("=")


def parts_of(tap):
    """Yield the objects a debugger would show: those of the tap, and the errors."""
    connection = tap.connections["shop"]
    stream = tap.streams[STREAM]
    yield from (tap, stream, connection, connection.http, connection.auth, connection.transport)
    yield from (connection.transport.stats, connection.throttle, connection.prefetcher)
    yield from (stream.paging, stream.resource, tap.run.results)
    yield from tap.run.results.values()
    for outcome in tap.run.results.values():
        error = outcome.failure
        while error is not None:
            yield error
            yield vars(error)
            error = error.__cause__ or error.__context__


def shown_of(done):
    """Return all that a failed run shows in this process."""
    yield from (repr(part) for part in parts_of(done.tap))
    yield "".join(line.decode() for line in done.lines)
    yield "".join(traceback.format_exception(done.error))
    for outcome in done.tap.run.results.values():
        yield "".join(traceback.format_exception(outcome.failure))


@pytest.mark.parametrize(("case", "auth"), PAIRS)
def test_no_failure_shows_the_key(case, auth, caplog, monkeypatch, tmp_path):
    monkeypatch.setenv("LOGLEVEL", "DEBUG")
    caplog.set_level(logging.DEBUG)
    summary = tmp_path / "summary.json"

    def answer(query):
        if "issue" in query:
            # Neither is in the configuration.
            return {"access_token": KEY, "refresh_token": f"{KEY}2"}
        if "page" in query:
            return ANSWERS[case]
        return {"data": [{"id": 1}], "next": "/items?page=2"}

    with JsonApi(answer) as api:
        endpoint = {"paginator": {"type": "json_link", "next_url_path": "next"}}
        config = declared(api.origin, endpoint=endpoint, schema=SCHEMA)
        config["apis"][0]["client"]["auth"] = json.loads(
            json.dumps(AUTHS[auth]).replace("{origin}", api.origin)
        )
        done = run(config | {"summary_path": str(summary)})
        gc.collect()

    assert isinstance(done.error, SyncFailedError), done.failure()
    assert done.records() != []
    assert done.state != {}
    assert "METRIC" in caplog.text
    assert "urllib3" in {record.name.partition(".")[0] for record in caplog.records}
    logged = "".join(repr(vars(record)) for record in caplog.records)
    output = [caplog.text, logged, summary.read_text("utf-8"), *shown_of(done)]
    assert [form for form in forms() for text in output if form in text] == []


def test_the_check_for_keys_detects_one():
    with JsonApi(lambda _: {"data": [{"id": 1, "note": KEY}]}) as api:
        done = run(declared(api.origin, endpoint={"paginator": "single_page"}))

    assert [text for text in shown_of(done) if KEY in text] != []
