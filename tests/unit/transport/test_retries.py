from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, formatdate
from functools import partial

import pytest
from support.patience import until
from support.servers import ScriptedServer, reply
from support.transport import (
    RushingClock,
    UnhurriedStop,
    WatchedClock,
    body_of,
    http_settings,
    make_throttle,
    make_transport,
    people,
)

from tap_analytics.transport.connection import send_for_token
from tap_analytics.transport.errors import (
    Cancelled,
    CredentialsRefused,
    ErrorInBody,
    Fatal,
    Retriable,
    Unreachable,
)
from tap_analytics.transport.oauth import OAuth2ClientCredentials
from tap_analytics.transport.retry import RetryPolicy
from tap_analytics.transport.stop import StopSignal


def test_retries_are_counted_logged_and_limited(caplog):
    stop = UnhurriedStop()
    with ScriptedServer([reply(503, b"")]) as server:
        transport = make_transport(server.origin, stop=stop, retry=RetryPolicy(backoff_factor=5))
        with pytest.raises(Fatal, match="answered 503 Service Unavailable, after 4 attempts") as e:
            transport.fetch(people(server), body_of)

    assert len(server.requests) == 4
    assert (e.value.cause, e.value.status) == ("server", 503)
    for waited, computed in zip(stop.waits, [5, 10, 20], strict=True):
        assert computed - 0.5 < waited <= computed + 1
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" in ")[0] for line in lines] == [
        f"learning: GET /v2/people answered 503, retry {number} of 3" for number in (1, 2, 3)
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert transport.stats.retries == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_successful_retry_is_no_error(status):
    with ScriptedServer([reply(status), reply(status), reply(200, b"[1]")]) as server:
        assert make_transport(server.origin).fetch(people(server), body_of) == b"[1]"

    assert len(server.requests) == 3


def test_only_the_statuses_of_the_policy_are_retried():
    policy = RetryPolicy(backoff_factor=0.01, statuses=frozenset({429}))
    with ScriptedServer([reply(503)]) as server, pytest.raises(Fatal, match="answered 503"):
        make_transport(server.origin, retry=policy).fetch(people(server), body_of)
    assert len(server.requests) == 1


def test_no_retries_means_one_attempt():
    with ScriptedServer([reply(503)]) as server:
        transport = make_transport(server.origin, retry=RetryPolicy(max_retries=0))
        with pytest.raises(Fatal, match="after 1 attempt"):
            transport.fetch(people(server), body_of)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("headers", "status", "at_least", "at_most"),
    [
        ({"Retry_After": "120"}, 429, 120, 121),
        ({"Retry_After": "120"}, 503, 120, 121),
        ({"RateLimit_Reset": "17"}, 429, 17, 19),
        ({"X_RateLimit_Reset": "17", "X_RateLimit_Remaining": "0"}, 503, 17, 19),
        ({"Retry_After": formatdate(2e9 + 30, usegmt=True), "Date": formatdate(2e9)}, 503, 30, 31),
        ({"Retry_After": "0"}, 429, 2, 3),
        ({}, 429, 2, 3),
    ],
)
def test_retry_after_pauses_all_requests(headers, status, at_least, at_most, monkeypatch):
    holds = []
    with ScriptedServer([reply(status, **headers), reply()]) as server:
        transport = make_transport(server.origin, retry=RetryPolicy())
        monkeypatch.setattr(
            transport.throttle, "pause", lambda *args, **kw: holds.append((args, kw))
        )
        transport.fetch(people(server), body_of)

    [((seconds,), described)] = holds
    # Counted from the response, so a little of the wait has passed.
    assert at_least - 0.5 <= seconds <= at_most
    assert described == {"reason": f"GET /v2/people answered {status}"}


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"Retry_After": "3601"}, 429, "3601 s (until 2026-01-01 01:00:01 UTC)"),
        ({"Retry_After": "3601"}, 503, "3601 s (until 2026-01-01 01:00:01 UTC)"),
        (
            {"Retry_After": "Thu, 31 Dec 2099 23:59:59 GMT"},
            429,
            "s (until 2099-12-31 23:59:59 UTC)",
        ),
        ({"X_RateLimit_Reset": "4102444800"}, 429, "s (until 2100-01-01 00:00:00 UTC)"),
        ({"Retry_After": "9" * 400}, 429, "137438953472 s (until "),
    ],
)
def test_a_retry_after_beyond_the_maximum_fails_at_once(headers, status, reason, monkeypatch):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    # How late a response is read would move the end of the wait.
    monkeypatch.setattr("tap_analytics.transport.throttle.time.time", now.timestamp)
    stop = UnhurriedStop()
    date = {"Date": format_datetime(now, usegmt=True)}
    with ScriptedServer([reply(status, **headers, **date)]) as server:
        transport = make_transport(server.origin, stop=stop)
        with pytest.raises(Fatal) as caught:
            transport.fetch(people(server), body_of)
        again = replace(people(server), url=f"{server.origin}/v2/courses")
        with pytest.raises(Fatal) as other:
            transport.fetch(again, body_of)

    assert len(server.requests) == 2
    assert stop.waits == []
    assert transport.throttle.throttled_count == 0
    text = str(caught.value)
    assert f"answered {status}" in text
    assert ", after 1 attempt, and asks to wait " in text
    assert reason in text
    assert text.endswith(
        "which is more than 3600 s. Run again later, or raise `retry.max_retry_after` of learning."
    )
    assert str(other.value) == text


def test_a_wait_counts_from_the_failure():
    stop = UnhurriedStop()
    failed = Retriable("learning: GET /v2/people answered 503", cause="server")
    failed.failed_at -= 3
    with ScriptedServer([reply(200, b"[1]")]) as server:
        transport = make_transport(server.origin, stop=stop, retry=RetryPolicy(backoff_factor=5))
        assert transport.fetch(people(server), body_of, failed=failed) == b"[1]"

    [waited] = stop.waits
    assert 1.5 < waited <= 3


def test_a_retry_after_up_to_the_maximum_is_waited():
    policy = RetryPolicy(max_retry_after=10)
    stop = UnhurriedStop()
    with ScriptedServer([reply(503, Retry_After="10"), reply(200, b"[1]")]) as server:
        throttle = make_throttle(concurrency=1, stop=stop, clock=RushingClock())
        transport = make_transport(server.origin, retry=policy, stop=stop, throttle=throttle)
        assert transport.fetch(people(server), body_of) == b"[1]"


def test_the_retry_after_of_a_token_url_is_honoured(caplog):
    stop = UnhurriedStop()
    steps = iter([reply(429, b"", Retry_After="7"), reply(200, b'{"access_token": "t1"}')])

    def script(received):
        return next(steps) if received.target == "/token" else reply(200, b"[1]")

    with ScriptedServer(script) as server:
        auth = OAuth2ClientCredentials(
            token_url=f"{server.origin}/token", client_id="a", client_secret="b"
        )
        auth.bind(partial(send_for_token, http_settings(server.origin, stop=stop)))
        throttle = make_throttle(concurrency=1, stop=stop, clock=RushingClock())
        transport = make_transport(server.origin, sign=auth, throttle=throttle, stop=stop)
        assert transport.fetch(people(server), body_of) == b"[1]"

    assert 6.5 <= throttle.throttled_seconds <= 8.5
    assert "the token URL failed: POST /token answered 429 Too Many Requests" in caplog.text


def test_an_api_that_is_down_gets_one_attempt_of_each_further_request():
    stop = UnhurriedStop()
    with ScriptedServer([reply(503, b"")]) as server:
        transport = make_transport(server.origin, stop=stop)
        texts = set()
        for path in ("people", "courses", "events"):
            request = replace(people(server), url=f"{server.origin}/v2/{path}")
            with pytest.raises(Fatal) as caught:
                transport.fetch(request, body_of)
            texts.add(str(caught.value))

    assert [received.target for received in server.requests] == [
        *["/v2/people"] * 4,
        *("/v2/courses", "/v2/events"),
    ]
    assert len(stop.waits) == 3
    [text] = texts
    assert text.startswith(
        "learning: GET /v2/people answered 503 Service Unavailable, after 4 attempts. Try again"
    )


@pytest.mark.parametrize("served", [reply(200), reply(404)], ids=["200", "404"])
def test_any_successful_response_restores_the_retries(served):
    def script(received):
        return served if received.target == "/v2/courses" else reply(503, b"")

    with ScriptedServer(script) as server:
        transport = make_transport(server.origin, stop=UnhurriedStop())
        for path in ("people", "courses", "events"):
            request = replace(people(server), url=f"{server.origin}/v2/{path}")
            with contextlib.suppress(Fatal):
                transport.fetch(request, body_of)

    received_by_path = Counter(received.target for received in server.requests)
    assert received_by_path == {"/v2/people": 4, "/v2/courses": 1, "/v2/events": 4}


def test_an_endpoint_that_fails_while_others_are_served_is_no_outage():
    def script(received):
        if received.target == "/v2/people":
            return reply(503, b"")
        return reply()

    stop = UnhurriedStop()
    with ScriptedServer(script) as server:
        transport = make_transport(server.origin, stop=stop)
        others = replace(people(server), url=f"{server.origin}/v2/courses")
        stop.wait = lambda _: transport.fetch(others, body_of)
        with pytest.raises(Fatal):
            transport.fetch(people(server), body_of)

    assert transport.outage is None


def test_an_outage_of_another_kind_is_reported_separately():
    statuses = iter([503] * 4 + [500])
    with ScriptedServer(lambda _: reply(next(statuses), b"")) as server:
        transport = make_transport(server.origin, stop=UnhurriedStop())
        with pytest.raises(Fatal, match="503 Service Unavailable, after 4 attempts"):
            transport.fetch(people(server), body_of)
        with pytest.raises(Fatal, match="500 Internal Server Error, after 1 attempt"):
            transport.fetch(people(server), body_of)


def test_no_retry_waits_for_an_api_that_another_stream_has_given_up():
    stop = UnhurriedStop()

    def script(received):
        transport.unreachable = Unreachable("learning: GET /v2/courses got no connection")
        return reply(503)

    with ScriptedServer(script) as server:
        transport = make_transport(server.origin, stop=stop)
        with pytest.raises(Unreachable, match="courses"):
            transport.fetch(people(server), body_of)

    assert stop.waits == []


def test_a_429_keeps_other_requests_from_being_sent():
    stop = StopSignal()
    clock = WatchedClock()
    throttle = make_throttle(concurrency=4, stop=stop, clock=clock)
    with ScriptedServer([reply(429, Retry_After="600")]) as server:
        transport = make_transport(server.origin, stop=stop, throttle=throttle)
        threads = [
            threading.Thread(target=interrupted, args=(transport, people(server))) for _ in range(2)
        ]
        threads[0].start()
        until(lambda: throttle.throttled_count)
        threads[1].start()
        # It has seen that it has to wait, and looks again.
        until(lambda: clock.looks[threads[1]] > 1)
        assert len(server.requests) == 1
        stop.set()
        for thread in threads:
            thread.join()

    assert len(server.requests) == 1


def interrupted(transport, request):
    with pytest.raises(Cancelled):
        transport.fetch(request, body_of)


def test_a_decoder_may_ask_for_another_attempt_or_forbid_it():
    answers = iter(
        [Retriable("learning: not JSON", cause="body"), ErrorInBody("learning: API_ERROR")]
    )

    def decode(response):
        raise next(answers)

    with ScriptedServer([reply()]) as server, pytest.raises(ErrorInBody, match="API_ERROR"):
        make_transport(server.origin).fetch(people(server), decode)
    assert len(server.requests) == 2


def test_a_bug_in_the_decoder_is_raised_unchanged():
    with ScriptedServer([reply()]) as server, pytest.raises(ZeroDivisionError):
        make_transport(server.origin).fetch(people(server), lambda _: 1 // 0)
    assert len(server.requests) == 1


def test_credentials_are_renewed_once():
    tokens = ["old", "new"]

    def sign(request):
        return replace(request, headers=(("Authorization", f"Bearer {tokens[0]}"),))

    def renew():
        return bool(tokens.pop(0))

    def script(received):
        return reply(200 if received.headers["authorization"] == "Bearer new" else 401)

    with ScriptedServer(script) as server:
        transport = make_transport(server.origin, sign=sign, renew=renew)
        transport.fetch(people(server), body_of)
        transport.fetch(people(server), body_of)

    sent = [received.headers["authorization"] for received in server.requests]
    assert sent == ["Bearer old", "Bearer new", "Bearer new"]


@pytest.mark.parametrize(("renewed", "requests"), [(True, 2), (False, 1)])
def test_renewed_credentials_that_are_refused_too_are_the_end(renewed, requests):
    with ScriptedServer([reply(401)]) as server, pytest.raises(CredentialsRefused):
        make_transport(server.origin, renew=lambda: renewed).fetch(people(server), body_of)
    assert len(server.requests) == requests
