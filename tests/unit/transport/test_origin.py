from __future__ import annotations

import pytest
from support.servers import ScriptedServer, redirect, reply
from support.transport import body_of, make_transport, people

from tap_analytics.transport.errors import (
    Fatal,
    OriginRefused,
    Rejected,
)
from tap_analytics.transport.request import Request


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("is_absolute", [True, False])
def test_a_redirect_within_the_origin_is_followed_signed(status, is_absolute):
    def script(received):
        if received.target == "/v3/people?page=2&x=":
            return reply(200, b"[3]")
        start = f"http://{received.headers['host'].upper()}" if is_absolute else ""
        return redirect(f"{start}/v3/people?page=2&x=#top", status=status)

    with ScriptedServer(script) as server:
        transport = make_transport(server.origin)
        assert transport.fetch(people(server), body_of) == b"[3]"

    assert (transport.stats.requests, transport.stats.retries) == (2, 0)
    assert [r.headers["x-api-key"] for r in server.requests] == ["swordfish-4711"] * 2


def test_a_redirect_to_another_origin_gets_no_credentials_and_no_request():
    with (
        ScriptedServer([reply()]) as other,
        ScriptedServer([redirect(f"{other.origin}/v2/people?k=1")]) as server,
        pytest.raises(OriginRefused) as caught,
    ):
        make_transport(server.origin).fetch(people(server), body_of)

    assert other.connections == 0
    assert len(server.requests) == 1
    assert str(caught.value) == (
        f"learning: GET /v2/people is redirected to another origin, {other.origin}. "
        "If the API has moved there, set `base_url` of learning to it."
    )


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("https://{host}/v2/people", "Use https in `base_url` of learning"),
        ("http://user:pw@{host}:{port}/", "another origin, http://***@"),
        ("//evil.example/", "another origin, http://evil.example"),
        ("ftp://{host}/", "malformed"),
        ("http://[::1/", "malformed"),
        ("http://{host}:99999/", "malformed"),
    ],
)
def test_invalid_redirects_are_refused(location, text):
    def script(received):
        host, port = received.headers["host"].split(":")
        return redirect(location.format(host=host, port=port))

    with ScriptedServer(script) as server, pytest.raises(Fatal) as caught:
        make_transport(server.origin).fetch(people(server), body_of)

    assert text in str(caught.value)
    assert "pw" not in str(caught.value)
    assert len(server.requests) == 1


def test_a_redirect_to_itself_ends_at_once():
    with (
        ScriptedServer([redirect("/v2/people")]) as server,
        pytest.raises(Rejected, match="redirected too many times"),
    ):
        make_transport(server.origin).fetch(people(server), body_of)
    assert len(server.requests) == 1


def test_the_number_of_redirects_is_limited():
    def script(received):
        return redirect(f"/{len(received.target) * 'x'}")

    with ScriptedServer(script) as server, pytest.raises(Rejected, match="too many times"):
        make_transport(server.origin).fetch(people(server), body_of)
    assert len(server.requests) == 6


def test_a_post_is_not_redirected():
    with ScriptedServer([redirect("/other", status=307)]) as server:
        request = Request(method="POST", url=f"{server.origin}/search", body=b"{}")
        with pytest.raises(Rejected, match="GET only"):
            make_transport(server.origin).fetch(request, body_of)
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["http://evil.example/v2", "http://[", "/v2/people"])
def test_a_request_outside_of_the_origin_is_not_sent(url):
    with (
        ScriptedServer([reply()]) as server,
        pytest.raises(OriginRefused, match="leave the configured origin"),
    ):
        make_transport(server.origin).fetch(Request(url=url), body_of)
    assert server.connections == 0


def test_a_host_that_begins_with_the_name_of_the_origin_is_refused():
    with ScriptedServer([reply()]) as server:
        transport = make_transport(server.origin)
        with pytest.raises(OriginRefused):
            transport.fetch(Request(url=f"{server.origin}@evil.example/"), body_of)
    assert server.connections == 0
