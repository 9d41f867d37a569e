from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support.servers import ScriptedServer, reply
from support.transport import body_of, make_transport, people

from tap_analytics.transport.errors import (
    Cancelled,
    CredentialsRefused,
    Fatal,
    Forbidden,
    NotFound,
    Rejected,
)
from tap_analytics.transport.request import Request
from tap_analytics.transport.retry import RetryPolicy
from tap_analytics.transport.stop import StopSignal


def test_a_request_is_signed_and_its_whole_response_read():
    with ScriptedServer([reply(200, b'{"data": [1]}', X_Total="1")]) as server:
        transport = make_transport(server.origin, headers={"X-Extra": "yes"})
        response = transport.fetch(people(server, ("a b", "c&d"), ("e", "")), lambda r: r)

    sent = server.requests[0]
    assert sent.target == "/v2/people?a+b=c%26d&e="
    assert sent.headers["x-api-key"] == "swordfish-4711"
    assert sent.headers["x-extra"] == "yes"
    assert sent.headers["user-agent"] == "tap-analytics/test"
    assert response.status == 200
    assert response.body == b'{"data": [1]}'
    assert response.headers["x-total"] == "1"
    assert response.url == f"{server.origin}/v2/people"
    assert response.elapsed > 0
    assert transport.stats.requests == 1
    assert transport.stats.statuses == {200: 1}
    assert transport.stats.bytes == 13


def test_a_body_is_posted_as_json():
    with ScriptedServer([reply()]) as server:
        request = Request(method="POST", url=f"{server.origin}/search", body=b'{"q": 1}')
        make_transport(server.origin).fetch(request, body_of)

    assert server.requests[0].body == b'{"q": 1}'
    assert server.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://me:secret@api.example.com/v2/people?key=1#x", "GET /v2/people"),
        ("https://api.example.com", "GET /"),
        ("https://api.example.com?next=http://other/", "GET /"),
        ("/v2/people", "GET /v2/people"),
    ],
)
def test_a_label_shows_neither_host_nor_credentials_nor_query(url, label):
    assert Request(url=url, params=(("a", "b"),)).label == label


def test_one_connection_serves_requests_one_after_the_other():
    with ScriptedServer([reply(), reply(404), reply()]) as server:
        transport = make_transport(server.origin)
        transport.fetch(people(server), body_of)
        with pytest.raises(NotFound):
            transport.fetch(people(server), body_of)
        transport.fetch(people(server), body_of)

    assert server.connections == 1


@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [
        (400, Rejected, "rejected"),
        (401, CredentialsRefused, "credentials"),
        (403, Forbidden, "forbidden"),
        (404, NotFound, "missing"),
        (408, Rejected, "rejected"),
        (422, Rejected, "rejected"),
        (501, Fatal, "server"),
        (599, Fatal, "server"),
        (304, Rejected, "rejected"),
    ],
)
def test_refusals_are_not_retried(status, kind, cause):
    with ScriptedServer([reply(status, b"")]) as server, pytest.raises(kind) as caught:
        make_transport(server.origin).fetch(people(server), body_of)

    assert len(server.requests) == 1
    assert (caught.value.cause, caught.value.status) == (cause, status)
    assert f"learning: GET /v2/people answered {status}" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"errors": [{"title": "Unauthorized", "detail": "Not accepted"}]}', "Not accepted"),
        (b'{"errors": [{"title": "Unauthorized"}]}', "Unauthorized"),
        (b'{"_errors": [{"code": 401, "message": "token rejected"}]}', "token rejected"),
        (b'{"error": "credentials\\n missing"}', "credentials missing"),
        (b'{"error": {"code": 7, "message": "nested"}}', "nested"),
        (b'{"errors": [], "message": "plain"}', "plain"),
        (b'{"API_ERROR": "WRONG", "API_ERROR_DESCRIPTION": "why"}', "WRONG why"),
    ],
)
def test_an_error_quotes_the_apis_own_message(body, said):
    with (
        ScriptedServer([reply(401, body)]) as server,
        pytest.raises(CredentialsRefused) as caught,
    ):
        make_transport(server.origin).fetch(people(server), body_of)

    assert str(caught.value) == (
        f'learning: GET /v2/people answered 401 Unauthorized ("{said}"). '
        "Check the credentials of learning."
    )


@pytest.mark.parametrize("body", [b"<html>Nothing here</html>", b"[]", b"7", b"{", b"[" * 10**4])
def test_an_error_quotes_nothing_else(body):
    with (
        ScriptedServer([reply(401, body)]) as server,
        pytest.raises(CredentialsRefused) as caught,
    ):
        make_transport(server.origin).fetch(people(server), body_of)

    assert "answered 401 Unauthorized. Check" in str(caught.value)


def test_a_long_message_is_cut():
    with (
        ScriptedServer([reply(400, json.dumps({"message": "x" * 5000}).encode())]) as server,
        pytest.raises(Rejected) as caught,
    ):
        make_transport(server.origin).fetch(people(server), body_of)

    assert "x" * 199 + "…" in str(caught.value)
    assert "x" * 200 not in str(caught.value)


def test_hints_of_the_api_override_the_general_ones():
    with ScriptedServer([reply(401)]) as server:
        transport = make_transport(server.origin, hints={"credentials": "Check {name}.api_key."})
        with pytest.raises(CredentialsRefused, match=r"Check learning\.api_key\.$"):
            transport.fetch(people(server), body_of)


def test_a_header_that_cannot_be_sent_is_refused_without_being_shown():
    with ScriptedServer([reply()]) as server:
        request = replace(people(server), headers=(("X-Key", "secr\net-\u20ac"),))
        with pytest.raises(Rejected, match="malformed") as caught:
            make_transport(server.origin).fetch(request, body_of)
    assert "secr" not in str(caught.value)
    assert len(server.requests) == 0


def test_a_stopping_run_sends_nothing():
    stop = StopSignal()
    stop.set()
    with ScriptedServer([reply()]) as server, pytest.raises(Cancelled):
        make_transport(server.origin, stop=stop).fetch(people(server), body_of)
    assert server.connections == 0


def test_stop_ends_the_wait_before_a_retry():
    stop = StopSignal()

    def script(received):
        stop.set()
        return reply(503)

    with ScriptedServer(script) as server:
        transport = make_transport(server.origin, stop=stop, retry=RetryPolicy(backoff_factor=600))
        with pytest.raises(Cancelled):
            transport.fetch(people(server), body_of)
    assert len(server.requests) == 1
