from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from scripted_server import (
    ScriptedServer,
    UnhurriedStop,
    body_of,
    make_transport,
    people,
    reply,
)

from tap_analytics.transport.errors import (
    Unreachable,
)
from tap_analytics.transport.request import Request
from tap_analytics.transport.retry import RetryPolicy
from tap_analytics.transport.stats import Owned


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_cookies_are_not_kept():
    with ScriptedServer([reply(Set_Cookie="session=1")]) as server:
        transport = make_transport(server.origin)
        transport.fetch(people(server), body_of)
        transport.fetch(people(server), body_of)

    assert "cookie" not in server.requests[1].headers


def test_a_netrc_never_replaces_the_credentials(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer([reply()]) as server:
        make_transport(server.origin).fetch(people(server), body_of)

    assert "authorization" not in server.requests[0].headers


def test_the_environments_proxy_is_used(monkeypatch):
    with ScriptedServer([reply()]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        transport = make_transport("http://api.example.test")
        transport.fetch(Request(url="http://api.example.test/v2/people"), body_of)

    assert proxy.requests[0].target == "http://api.example.test/v2/people"


def test_a_dead_proxy_is_named_as_the_cause(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://user:hunter22@127.0.0.1:{free_port()}")
    transport = make_transport("http://api.example.test", retry=RetryPolicy(max_retries=0))
    with pytest.raises(Unreachable, match="HTTP_PROXY") as caught:
        transport.fetch(Request(url="http://api.example.test/v2/people"), body_of)

    assert "hunter22" not in str(caught.value)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_an_api_that_refuses_connections_is_given_up_for_all_its_streams(caplog):
    stop = UnhurriedStop()
    origin = f"http://127.0.0.1:{free_port()}"
    transport = make_transport(origin, stop=stop, retry=RetryPolicy(backoff_factor=1))
    request = Request(url=f"{origin}/v2/people")

    with pytest.raises(Unreachable) as caught:
        transport.fetch(request, body_of)
    with pytest.raises(Unreachable) as again:
        transport.fetch(replace(request, url=f"{origin}/v2/courses"), body_of)

    assert str(caught.value) == (
        "learning: GET /v2/people got no connection (refused), after 4 attempts. "
        "Check learning.base_url and the network."
    )
    assert str(again.value) == str(caught.value)
    assert len(stop.waits) == 3
    assert transport.stats.requests == 4


def test_an_api_that_answers_others_meanwhile_is_not_given_up():
    stop = UnhurriedStop()
    origin = f"http://127.0.0.1:{free_port()}"
    transport = make_transport(origin, stop=stop)
    stop.wait = lambda _: transport.stats.answered(Owned(), 200, size=1, seconds=0.1)

    with pytest.raises(Unreachable):
        transport.fetch(Request(url=f"{origin}/v2/people"), body_of)

    assert transport.unreachable is None


def test_an_unknown_host_is_told_from_a_refused_connection():
    transport = make_transport("http://nowhere.invalid", retry=RetryPolicy(max_retries=0))
    with pytest.raises(Unreachable, match="no address for the host name"):
        transport.fetch(Request(url="http://nowhere.invalid/v2/people"), body_of)
