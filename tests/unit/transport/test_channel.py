from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
import tracemalloc
import zlib

import pytest
from support.patience import PATIENCE, until
from support.servers import ScriptedServer, cut, full_listener, redirect, reply, reset
from support.transport import body_of, make_transport, people

from tap_analytics.transport import body
from tap_analytics.transport.errors import Cancelled, Fatal, OriginRefused, Retriable, Unreachable
from tap_analytics.transport.request import Request
from tap_analytics.transport.stop import StopSignal

DATA = b'{"data": [' + b"1, " * 50_000 + b"2]}"


#: Statuses that may precede that of a response.
INTERIM = (100, 102, 103)


def one_attempt(server, **settings):
    return make_transport(server.origin, **settings).attempt(people(server), body_of)


def chunked(*parts, end=b"0\r\n\r\n"):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, DATA),
        chunked(DATA[:10], DATA[10:70_000], DATA[70_000:]),
        cut(b"HTTP/1.0 200 OK\r\n\r\n" + DATA),
        reply(200, gzip.compress(DATA), Content_Encoding="gzip"),
        reply(200, gzip.compress(DATA[:99]) + gzip.compress(DATA[99:]), Content_Encoding="gzip"),
        reply(200, zlib.compress(DATA), Content_Encoding="deflate"),
        reply(200, zlib.compress(DATA, wbits=-15), Content_Encoding="deflate"),
        reply(200, gzip.compress(zlib.compress(DATA)), Content_Encoding="Deflate, gzip"),
        reply(200, DATA, Content_Encoding="identity"),
        chunked(gzip.compress(DATA)).replace(b"\r\n", b"\r\nContent-Encoding: x-gzip\r\n", 1),
        *(b"HTTP/1.1 %d Wait\r\nX: y\r\n\r\n" % status + reply(200, DATA) for status in INTERIM),
    ],
    ids=[
        "length",
        "chunked",
        "until-close",
        "gzip",
        "members",
        "zlib",
        "raw",
        "twice",
        "identity",
        "chunked-gzip",
        *map(str, INTERIM),
    ],
)
def test_a_body_is_read_completely(answer):
    with ScriptedServer([answer]) as server:
        assert one_attempt(server) == DATA


def test_an_empty_response_has_an_empty_body():
    with ScriptedServer([b"HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"]) as server:
        transport = make_transport(server.origin)
        assert transport.attempt(people(server), body_of) == b""
        assert transport.attempt(people(server), body_of) == b""
    assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "cause", "text"),
    [
        (reset(), "server", "connection closed by the server"),
        (cut(b""), "server", "connection closed by the server"),
        (cut(reply(200, DATA)[:-1]), "body", "sent a truncated body"),
        (reset(reply(200, DATA)[:5000]), "", ""),
        (cut(chunked(DATA, end=b"")), "body", "sent a truncated body"),
        (cut(b"SSH-2.0-OpenSSH_9.9\r\n"), "server", "not HTTP"),
        (cut(chunked(end=b"-5\r\nabc")), "server", "not HTTP"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200, "server", "not HTTP"),
        (
            reply(200, DATA).replace(b"\r\n", b"\r\nno header\r\nLink: </2>; rel=next\r\n", 1),
            "server",
            "not HTTP",
        ),
        (
            reply(200, DATA, Content_Encoding=", ".join(["gzip"] * 20)),
            "body",
            "encoded too often",
        ),
        (
            reply(200, gzip.compress(DATA)[:-1], Content_Encoding="gzip"),
            "body",
            "truncated compressed body",
        ),
        (reply(200, b"\x1f\x8b nonsense", Content_Encoding="gzip"), "body", "damaged compressed"),
    ],
    ids=[
        *("reset", "closed", "short", "reset-in-body", "chunks", "other", "chunk-length"),
        *("interim", "header", "encodings", "gzip-short", "gzip-bad"),
    ],
)
def test_a_broken_response_is_retriable(answer, cause, text):
    with ScriptedServer([answer, reply(200, b"[1]")]) as server:
        transport = make_transport(server.origin)
        with pytest.raises(Retriable) as caught:
            transport.attempt(people(server), body_of)
        assert transport.attempt(people(server), body_of) == b"[1]"

    assert not cause or caught.value.cause == cause
    assert text in str(caught.value)


@pytest.mark.parametrize("end", [reset(), cut(b"")], ids=["reset", "closed"])
def test_a_connection_that_was_closed_while_idle_is_replaced_at_once(end):
    steps = iter([reply(200, b"[1]"), end, reply(200, b"[2]"), end, end, reply(200, b"[3]")])
    with ScriptedServer(lambda _: next(steps)) as server:
        transport = make_transport(server.origin)
        assert transport.attempt(people(server), body_of) == b"[1]"
        assert transport.attempt(people(server), body_of) == b"[2]"
        # Once: an idle connection was closed. Twice: the server responds to no request.
        with pytest.raises(Retriable, match="connection closed by the server"):
            transport.attempt(people(server), body_of)
        assert transport.attempt(people(server), body_of) == b"[3]"

    assert transport.stats.requests == len(server.requests) == 6


def test_an_idle_connection_is_replaced_once_however_many_were_closed():
    both = threading.Barrier(2)

    def step(connection):
        if len(server.requests) > 2:
            return reset()(connection)
        both.wait(PATIENCE)
        connection.sendall(reply())
        return True

    with ScriptedServer(lambda _: step) as server:
        transport = make_transport(server.origin)
        threads = [
            threading.Thread(target=transport.attempt, args=(people(server), body_of))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pytest.raises(Retriable, match="connection closed by the server"):
            transport.attempt(people(server), body_of)
    assert len(server.requests) == 4


def test_a_malformed_header_that_hides_no_other_is_ignored(caplog):
    odd = reply(200, b"[1]", X_Total="1").replace(b"\r\n", b"\r\n: nameless\r\n", 1)
    with ScriptedServer([odd]) as server:
        response = make_transport(server.origin).attempt(people(server), lambda r: r)
    assert (response.body, response.headers["X-Total"]) == (b"[1]", "1")
    assert "Failed to parse" not in caplog.text


def test_a_posted_body_is_not_resent():
    with ScriptedServer([reply(), reset(), reply()]) as server:
        transport = make_transport(server.origin)
        request = Request(method="POST", url=f"{server.origin}/search", body=b"{}")
        transport.attempt(request, body_of)
        with pytest.raises(Retriable):
            transport.attempt(request, body_of)
    assert len(server.requests) == 2


def test_the_deadline_holds_while_a_request_is_sent():
    # Connections are made, and nobody reads from them.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        request = Request(method="POST", url=f"{origin}/search", body=b"x" * 2**25)
        with pytest.raises(Retriable, match=r"no complete response within 0\.3 s"):
            make_transport(origin, timeout=0.3).attempt(request, body_of)


def test_a_body_that_is_announced_too_large_is_not_read():
    answer = cut(b"HTTP/1.1 200 OK\r\nContent-Length: 3145729\r\n\r\n")
    with ScriptedServer([answer]) as server, pytest.raises(Fatal, match="more than 3 MiB") as e:
        one_attempt(server, max_body=3 * 2**20)
    assert e.value.cause == "oversized"


@pytest.mark.parametrize(
    "answer",
    [
        chunked(*[b"x" * 2**20] * 5),
        reply(200, gzip.compress(b"x" * 5 * 2**20), Content_Encoding="gzip"),
    ],
    ids=["chunked", "inflated"],
)
def test_a_body_that_is_too_large_fails(answer):
    with ScriptedServer([answer, reply(200, b"[1]")]) as server:
        transport = make_transport(server.origin, max_body=3 * 2**20)
        with pytest.raises(Fatal, match="more than 3 MiB"):
            transport.attempt(people(server), body_of)
        assert transport.attempt(people(server), body_of) == b"[1]"


def test_decompression_takes_linear_time():
    empty = gzip.compress(b"", mtime=0)

    def pieces(members, padding=b""):
        calls = []
        headers = {"Content-Encoding": "gzip"}
        packed = (empty + padding) * members + gzip.compress(DATA)
        fed = body.unpack(packed, headers, max_body=2**20, where="", check=lambda: calls.append(1))
        assert fed == DATA
        return len(calls)

    assert pieces(2000) - pieces(1000) == 1000
    assert pieces(2000, b"\0") - pieces(1000, b"\0") == 1000

    def seconds(members):
        begun = time.thread_time()
        pieces(members, b"\0")
        return time.thread_time() - begun

    # Ten times the size takes about ten times as long; with copies of the rest, a hundred times.
    assert seconds(40_000) < 40 * max(seconds(4000), 1e-3)


def test_decompression_stops_at_the_maximum_size():
    packed = gzip.compress(b"0" * 100 * 2**20)
    tracemalloc.start()
    try:
        with pytest.raises(Fatal, match="more than 1 MiB"):
            body.unpack(
                packed, {"Content-Encoding": "gzip"}, max_body=2**20, where="", check=lambda: None
            )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_the_deadline_holds_while_a_body_is_decompressed():
    packed = gzip.compress(b"", mtime=0) * 2_000_000
    with (
        ScriptedServer([reply(200, packed, Content_Encoding="gzip")]) as server,
        pytest.raises(Retriable, match=r"no complete response within 0\.4 s"),
    ):
        one_attempt(server, timeout=0.4)


def test_stop_ends_decompression():
    stop = StopSignal()

    def check():
        stop.set()
        stop.check()

    packed = gzip.compress(DATA)
    with pytest.raises(Cancelled):
        body.unpack(packed, {"Content-Encoding": "gzip"}, max_body=9**9, where="", check=check)


def test_a_body_of_exactly_the_maximum_size_is_accepted():
    with ScriptedServer([reply(200, b"x" * 100), chunked(b"x" * 100)]) as server:
        transport = make_transport(server.origin, max_body=100)
        assert len(transport.attempt(people(server), body_of)) == 100
        assert len(transport.attempt(people(server), body_of)) == 100


def test_an_encoding_that_was_not_requested_is_named():
    with (
        ScriptedServer([reply(Content_Encoding="br")]) as server,
        pytest.raises(Fatal, match="encoded as 'br'") as caught,
    ):
        one_attempt(server)
    assert caught.value.cause == "body"


@pytest.mark.parametrize("where", ["silence", "headers", "body", "chunks"])
def test_the_deadline_holds_for_the_whole_response(where):
    with ScriptedServer(lambda _: steps[where]) as server:
        steps = {
            "silence": server.hang,
            "headers": server.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 60_000),
            "body": server.drip(reply(200, DATA)),
            "chunks": server.drip(chunked(*[b"x"] * 60_000)),
        }
        with pytest.raises(Retriable, match=r"no complete response within 0\.3 s") as caught:
            one_attempt(server, timeout=0.3)
        until(lambda: server.requests)

    assert caught.value.cause == "timeout"
    assert len(server.requests) == 1


def test_a_listener_that_never_accepts_is_unreachable():
    listener, clients = full_listener()
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with pytest.raises(Retriable, match=r"no connection \(no response\)") as caught:
            make_transport(origin, timeout=0.2).attempt(Request(url=f"{origin}/"), body_of)
    finally:
        for each in [*clients, listener]:
            each.close()
    assert caught.value.cause == "unreachable"


def test_stop_ends_the_wait_for_a_connection():
    stop = StopSignal()
    listener, clients = full_listener()
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    transport = make_transport(origin, stop=stop, timeout=600)

    def end_once_asked():
        until(lambda: transport.stats.requests)
        stop.set()

    ending = threading.Thread(target=end_once_asked)
    try:
        ending.start()
        with pytest.raises(Cancelled):
            transport.attempt(Request(url=f"{origin}/"), body_of)
    finally:
        ending.join()
        for each in [*clients, listener]:
            each.close()


def test_stop_ends_the_wait_for_a_response():
    stop = StopSignal()

    def script(received):
        stop.set()
        return server.hang

    with ScriptedServer(script) as server, pytest.raises(Cancelled):
        one_attempt(server, stop=stop, timeout=600)


def test_an_untrusted_certificate_is_final(tls, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with ScriptedServer([reply()], tls=tls) as server:
        transport = make_transport(server.origin)
        for _ in range(2):
            with pytest.raises(Unreachable, match=r"not trusted .*REQUESTS_CA_BUNDLE"):
                transport.fetch(people(server), body_of)

    assert server.connections == 1
    assert server.requests == []


def test_a_certificate_of_the_environments_bundle_is_trusted(tls, bundle, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with ScriptedServer([reply(200, DATA)], tls=tls) as server:
        transport = make_transport(server.origin)
        assert transport.fetch(people(server), body_of) == DATA
        assert transport.fetch(people(server), body_of) == DATA
    assert server.connections == 1


@pytest.mark.parametrize("name", ["missing.pem", "no-bundle.pem"])
def test_a_bundle_that_cannot_be_read_is_named(name, tls, tmp_path, monkeypatch):
    tmp_path.joinpath("no-bundle.pem").write_text("certificates")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / name))
    with ScriptedServer([reply()], tls=tls) as server:
        transport = make_transport(server.origin)
        for _ in range(2):
            with pytest.raises(Unreachable, match=r"the CA bundle .* Check .*REQUESTS_CA_BUNDLE"):
                transport.fetch(people(server), body_of)
    assert server.connections == 0


def test_a_redirect_from_https_to_http_is_refused(tls, bundle, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def script(received):
        return redirect(f"http://{received.headers['host']}/v2/people")

    with ScriptedServer(script, tls=tls) as server, pytest.raises(OriginRefused):
        make_transport(server.origin).fetch(people(server), body_of)
    assert len(server.requests) == 1


def test_the_deadline_holds_for_tls(tls, bundle, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with (
        ScriptedServer(lambda _: server.drip(reply(200, DATA)), tls=tls) as server,
        pytest.raises(Retriable, match="no complete response"),
    ):
        # The handshake is within it.
        one_attempt(server, timeout=1)


def test_a_server_without_tls_is_unreachable():
    with ScriptedServer([reply()]) as server:
        origin = server.origin.replace("http:", "https:")
        with pytest.raises(Retriable) as caught:
            make_transport(origin, timeout=0.5).attempt(Request(url=f"{origin}/"), body_of)
    assert caught.value.cause in {"unreachable", "server", "timeout"}


def test_tls_goes_through_the_environments_proxy(tls, bundle, monkeypatch):
    def tunnel(connection):
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(server.address) as onward:
            back = threading.Thread(target=pump, args=(onward, connection))
            back.start()
            pump(connection, onward)
            back.join()
        return False

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ScriptedServer([tunnel]) as proxy, ScriptedServer([reply(200, DATA)], tls=tls) as server:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        transport = make_transport(server.origin)
        assert transport.fetch(people(server), body_of) == DATA
        transport.close()

    [request] = proxy.requests
    assert (request.method, request.target) == ("CONNECT", server.origin.removeprefix("https://"))
    assert "x-api-key" not in request.headers
    assert server.requests[0].headers["x-api-key"] == "swordfish-4711"


def pump(source, sink):
    """Forward bytes until the source ends, then close the sink for writing."""
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
