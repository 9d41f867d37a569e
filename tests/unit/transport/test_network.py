from __future__ import annotations

import socket
import threading
from dataclasses import replace
from itertools import chain, repeat
from types import SimpleNamespace

import pytest
from support.patience import until
from support.servers import ScriptedServer, full_listener, redirect, reply
from support.transport import UnhurriedStop, body_of, make_transport, people
from walkthrough.postgres import free_port

from tap_analytics.transport.errors import Cancelled, Unreachable
from tap_analytics.transport.request import Request
from tap_analytics.transport.retry import RetryPolicy
from tap_analytics.transport.stats import StreamStats
from tap_analytics.transport.stop import StopSignal


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_cookies_are_not_stored():
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


def test_an_unreachable_proxy_is_named_as_the_cause(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://user:hunter22@127.0.0.1:{free_port()}")
    transport = make_transport("http://api.example.test", retry=RetryPolicy(max_retries=0))
    with pytest.raises(Unreachable, match="HTTP_PROXY") as caught:
        transport.fetch(Request(url="http://api.example.test/v2/people"), body_of)

    assert "hunter22" not in str(caught.value)


def test_an_api_that_refuses_connections_fails_all_its_streams(caplog):
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
        "Check `base_url` of learning and the network."
    )
    assert str(again.value) == str(caught.value)
    assert len(stop.waits) == 3
    assert transport.stats.requests == 4


def test_an_api_that_responds_to_other_requests_is_not_unreachable():
    stop = UnhurriedStop()
    origin = f"http://127.0.0.1:{free_port()}"
    transport = make_transport(origin, stop=stop)
    stop.wait = lambda _: transport.stats.received(StreamStats(), 200, size=1, seconds=0.1)

    with pytest.raises(Unreachable):
        transport.fetch(Request(url=f"{origin}/v2/people"), body_of)

    assert transport.unreachable is None


@pytest.fixture
def names(monkeypatch):
    """Resolves names without a name server; one name takes long."""
    known, looked_up = {"xn--bcher-kva.test": "127.0.0.1"}, []
    release = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *hints):
        if hints[-1] & socket.AI_NUMERICHOST:
            return real(host, port, *hints)
        looked_up.append(host)
        if host == "slow.test":
            release.wait()
        return real(known.get(host, "127.0.0.1"), port, *hints)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield looked_up
    release.set()


def test_the_deadline_holds_while_a_name_is_looked_up(names):
    with ScriptedServer([reply()]) as server:
        origin = f"http://slow.test:{server.address[1]}"
        transport = make_transport(origin, timeout=0.2, retry=RetryPolicy(backoff_factor=0))
        with pytest.raises(Unreachable, match="found no address for the host name, after 4"):
            transport.fetch(Request(url=f"{origin}/v2/people"), body_of)

    # Requests for the same name share a lookup.
    assert names == ["slow.test"]
    assert server.connections == 0


def test_a_name_that_was_not_found_is_looked_up_again(monkeypatch):
    real, looked_up = socket.getaddrinfo, []

    def getaddrinfo(host, port, *hints):
        if hints[-1] & socket.AI_NUMERICHOST:
            return real(host, port, *hints)
        looked_up.append(host)
        if len(looked_up) == 1:
            raise socket.gaierror(socket.EAI_AGAIN, "not now")
        return real("127.0.0.1", port, *hints)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with ScriptedServer([reply(200, b"[1]")]) as server:
        origin = f"http://api.test:{server.address[1]}"
        transport = make_transport(origin)
        assert transport.fetch(Request(url=f"{origin}/v2/people"), body_of) == b"[1]"
    assert len(looked_up) == 2


def test_each_address_gets_its_share_of_the_time(monkeypatch):
    # Where the first address begins, shortly before the end of its half, and there.
    ticks = chain([0.0, 29.0], repeat(30.0))
    clock = SimpleNamespace(monotonic=lambda: next(ticks))
    monkeypatch.setattr("tap_analytics.transport.resolver.time", clock)
    real = socket.getaddrinfo
    listener, clients = full_listener()
    with ScriptedServer([reply(200, b"[1]")]) as server:
        addresses = [listener.getsockname(), server.address]

        def getaddrinfo(host, port, *hints):
            if hints[-1] & socket.AI_NUMERICHOST:
                return real(host, port, *hints)
            return [found for each in addresses for found in real(*each, *hints)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        transport = make_transport("http://api.test", timeout=60)
        try:
            got = transport.attempt(Request(url="http://api.test/v2/people"), body_of)
        finally:
            for each in [*clients, listener]:
                each.close()
    assert got == b"[1]"


def test_stop_ends_the_wait_for_a_name(names):
    stop = StopSignal()
    transport = make_transport("http://slow.test", stop=stop, timeout=600)

    def end_once_asked():
        until(lambda: names)
        stop.set()

    ending = threading.Thread(target=end_once_asked)
    ending.start()
    with pytest.raises(Cancelled):
        transport.attempt(Request(url="http://slow.test/v2/people"), body_of)
    ending.join()


@pytest.mark.parametrize("host", ["bücher.test", "BÜCHER.test", "xn--bcher-kva.test"])
def test_an_internationalised_host_is_found(host, names):
    with ScriptedServer([b"", reply(200, b"[1]")]) as server:
        origin = f"http://{host}:{server.address[1]}"
        server._script[0] = redirect(f"//xn--bcher-kva.test:{server.address[1]}/v2/all")
        transport = make_transport(origin)
        assert transport.fetch(Request(url=f"{origin}/v2/people"), body_of) == b"[1]"

    assert set(names) == {"xn--bcher-kva.test"}
    hosts = {received.headers["host"] for received in server.requests}
    assert hosts == {f"xn--bcher-kva.test:{server.address[1]}"}


def test_an_internationalised_host_is_found_through_a_proxy(monkeypatch):
    with ScriptedServer([reply()]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        transport = make_transport("http://bücher.test")
        transport.fetch(Request(url="http://bücher.test/v2/people"), body_of)

    assert proxy.requests[0].target == "http://xn--bcher-kva.test/v2/people"


def test_an_unknown_host_and_a_refused_connection_are_different_errors():
    transport = make_transport("http://nowhere.invalid", retry=RetryPolicy(max_retries=0))
    with pytest.raises(Unreachable, match="no address for the host name"):
        transport.fetch(Request(url="http://nowhere.invalid/v2/people"), body_of)
