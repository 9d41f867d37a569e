from __future__ import annotations

import threading

import pytest
from support.patience import PATIENCE, until
from support.servers import ScriptedServer, reply
from support.transport import (
    RushingClock,
    UnhurriedStop,
    body_of,
    make_throttle,
    make_transport,
    people,
)

from tap_analytics.transport.errors import Cancelled, ErrorInBody, Fatal, NotFound
from tap_analytics.transport.prefetch import Prefetcher
from tap_analytics.transport.retry import RetryPolicy
from tap_analytics.transport.stop import StopSignal


def make(server, *, concurrency=4, **settings):
    transport = make_transport(server.origin, concurrency=concurrency, **settings)
    return Prefetcher(transport, concurrency=concurrency)


def page(server, number):
    return people(server, ("page", str(number)))


def echo(received):
    return reply(200, received.target.encode())


def numbers(server):
    return [received.target.rpartition("=")[2] for received in server.requests]


class Gate:
    """Responds with the target, after it was opened."""

    def __init__(self):
        self.opened = threading.Event()
        self.arrived = threading.Semaphore(0)

    def __call__(self, received):
        def step(connection):
            connection.sendall(echo(received))
            return True

        self.arrived.release()
        self.opened.wait(PATIENCE)
        return step


def test_a_prefetched_page_pauses_no_request_beyond_the_maximum():
    def script(received):
        return reply(429, Retry_After="99999") if received.target.endswith("=2") else echo(received)

    with ScriptedServer(script) as server:
        transport = make_transport(server.origin, stop=UnhurriedStop())
        ahead = Prefetcher(transport, concurrency=2)
        assert ahead.prefetch((("s",), 2), page(server, 2), body_of)
        with pytest.raises(Fatal, match="asks to wait 99999 s"):
            ahead.fetch((("s",), 2), page(server, 2), body_of)
        assert transport.fetch(page(server, 3), body_of) == b"/v2/people?page=3"

    assert transport.throttle.throttled_count == 0


def test_a_prefetched_page_needs_no_other_request():
    with ScriptedServer(echo) as server:
        ahead = make(server)
        assert ahead.prefetch((("s",), 1), page(server, 1), body_of)
        assert ahead.fetch((("s",), 1), page(server, 1), body_of) == b"/v2/people?page=1"
        assert numbers(server) == ["1"]
        assert ahead.fetch((("s",), 1), page(server, 1), body_of) == b"/v2/people?page=1"

    assert numbers(server) == ["1", "1"]


def test_a_page_that_was_not_prefetched_is_fetched():
    with ScriptedServer(echo) as server:
        assert make(server).fetch((("s",), 7), page(server, 7), body_of) == b"/v2/people?page=7"
    assert numbers(server) == ["7"]


def test_nothing_is_prefetched_at_concurrency_1():
    with ScriptedServer(echo) as server:
        ahead = make(server, concurrency=1)
        assert not ahead.prefetch((("s",), 1), page(server, 1), body_of)
    assert server.connections == 0


def test_at_most_as_many_pages_as_concurrency_are_prefetched():
    with ScriptedServer(echo) as server:
        ahead = make(server, concurrency=3)
        wanted = [ahead.prefetch((("s",), n), page(server, n), body_of) for n in (1, 1, 2, 3, 4)]
        assert wanted == [True, False, True, True, False]
        ahead.fetch((("s",), 2), page(server, 2), body_of)
        assert ahead.prefetch((("s",), 4), page(server, 4), body_of)
        for n in (1, 3, 4):
            ahead.fetch((("s",), n), page(server, n), body_of)

    assert sorted(numbers(server)) == ["1", "2", "3", "4"]


def test_pages_are_prefetched_concurrently_in_daemon_threads():
    gate = Gate()
    with ScriptedServer(gate) as server:
        server._lock = threading.Semaphore(8)
        ahead = make(server)
        for n in (1, 2, 3):
            ahead.prefetch((("s",), n), page(server, n), body_of)
        for _ in range(3):
            assert gate.arrived.acquire(timeout=PATIENCE)
        workers = [each for each in threading.enumerate() if each.name == "prefetch"]
        assert len(workers) >= 3
        assert all(worker.daemon for worker in workers)
        gate.opened.set()
        assert ahead.fetch((("s",), 3), page(server, 3), body_of) == b"/v2/people?page=3"


def test_a_failed_page_that_is_not_needed_gets_one_attempt():
    with ScriptedServer(lambda r: reply(503) if r.target.endswith("=2") else echo(r)) as server:
        ahead = make(server)
        ahead.prefetch((("s",), 2), page(server, 2), body_of)
        until(lambda: server.requests)
        ahead.fetch((("s",), 1), page(server, 1), body_of)
        ahead.discard(("s",))
        ahead.fetch((("s",), 1), page(server, 1), body_of)

    assert sorted(numbers(server)) == ["1", "1", "2"]


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_needed_page_gets_as_many_attempts_as_any(is_warm, caplog):
    with ScriptedServer([reply(503)]) as server:
        ahead = make(server)
        if is_warm:
            ahead.prefetch((("s",), 1), page(server, 1), body_of)
        with pytest.raises(Fatal, match="after 4 attempts"):
            ahead.fetch((("s",), 1), page(server, 1), body_of)

    assert len(server.requests) == 4
    retries = [record.getMessage().partition(",")[2][:13] for record in caplog.records]
    assert retries == [" retry 1 of 3", " retry 2 of 3", " retry 3 of 3"]


def test_a_failed_page_that_is_needed_recovers():
    with ScriptedServer([reply(503), reply(502), reply(200, b"[1]")]) as server:
        ahead = make(server)
        ahead.prefetch((("s",), 1), page(server, 1), body_of)
        assert ahead.fetch((("s",), 1), page(server, 1), body_of) == b"[1]"
    assert len(server.requests) == 3


def test_without_retries_a_failed_prefetch_is_final():
    with ScriptedServer([reply(503)]) as server:
        ahead = make(server, retry=RetryPolicy(max_retries=0))
        ahead.prefetch((("s",), 1), page(server, 1), body_of)
        with pytest.raises(Fatal, match="after 1 attempt"):
            ahead.fetch((("s",), 1), page(server, 1), body_of)
    assert len(server.requests) == 1


def test_a_final_error_is_raised_when_the_page_is_fetched():
    def decode(response):
        raise ErrorInBody("learning: API_ERROR")

    with ScriptedServer([reply(404), reply()]) as server:
        ahead = make(server)
        ahead.prefetch((("s",), 1), page(server, 1), body_of)
        with pytest.raises(NotFound):
            ahead.fetch((("s",), 1), page(server, 1), body_of)
        ahead.prefetch((("s",), 2), page(server, 2), decode)
        with pytest.raises(ErrorInBody):
            ahead.fetch((("s",), 2), page(server, 2), decode)
    assert len(server.requests) == 2


def test_a_throttled_page_pauses_all_requests_even_if_it_is_not_needed():
    stop = UnhurriedStop()
    throttle = make_throttle(concurrency=4, stop=stop, clock=RushingClock())
    with ScriptedServer([reply(429, Retry_After="40"), reply()]) as server:
        ahead = make(server, stop=stop, throttle=throttle)
        ahead.prefetch((("s",), 1), page(server, 1), body_of)
        until(lambda: throttle.throttled_count)
        ahead.discard(("s",))
        assert throttle.width == 2
        assert throttle.throttled_seconds == 40


def test_discarding_removes_only_the_pages_of_the_scope():
    gate = Gate()
    with ScriptedServer(gate) as server:
        server._lock = threading.Semaphore(8)
        ahead = make(server, concurrency=3)
        ahead.prefetch((("a",), 1), page(server, 1), body_of)
        ahead.prefetch((("a",), 2), page(server, 2), body_of)
        ahead.prefetch((("b",), 1), page(server, 3), body_of)
        for _ in range(3):
            assert gate.arrived.acquire(timeout=PATIENCE)
        ahead.discard(("a",))
        gate.opened.set()
        assert ahead.prefetch((("a",), 1), page(server, 4), body_of)
        assert ahead.fetch((("a",), 1), page(server, 4), body_of) == b"/v2/people?page=4"
        assert ahead.fetch((("b",), 1), page(server, 3), body_of) == b"/v2/people?page=3"
        assert ahead._pages == {}
    assert sorted(numbers(server)) == ["1", "2", "3", "4"]


@pytest.fixture
def busy():
    """A prefetcher whose two workers still wait for discarded pages."""
    gate = Gate()

    def script(received):
        return gate(received) if received.target[-1] in "12" else echo(received)

    with ScriptedServer(script) as server:
        server._lock = threading.Semaphore(8)
        ahead = Prefetcher(make_transport(server.origin, concurrency=8), concurrency=2)
        for n in (1, 2):
            ahead.prefetch((("a",), n), page(server, n), body_of)
            assert gate.arrived.acquire(timeout=PATIENCE)
        ahead.discard(("a",))
        yield server, ahead, gate
        gate.opened.set()


def test_a_queued_page_is_fetched_by_the_caller(busy):
    server, ahead, _ = busy
    assert ahead.prefetch((("b",), 5), page(server, 5), body_of)
    assert ahead.fetch((("b",), 5), page(server, 5), body_of) == b"/v2/people?page=5"
    assert (ahead._workers, ahead._idle) == (2, 0)
    assert sorted(numbers(server)) == ["1", "2", "5"]


def test_a_queued_page_is_discarded_without_a_request(busy):
    server, ahead, gate = busy
    ahead.prefetch((("b",), 5), page(server, 5), body_of)
    ahead.prefetch((("c",), 6), page(server, 6), body_of)
    ahead.discard(("b",))
    gate.opened.set()
    until(lambda: ahead._idle == 2)
    assert ahead.fetch((("c",), 6), page(server, 6), body_of) == b"/v2/people?page=6"
    assert sorted(numbers(server)) == ["1", "2", "6"]


def test_stop_ends_the_wait_for_a_page():
    stop = StopSignal()
    gate = Gate()
    with ScriptedServer(gate) as server:
        ahead = make(server, stop=stop)
        ahead.prefetch((("s",), 1), page(server, 1), body_of)
        assert gate.arrived.acquire(timeout=PATIENCE)
        stop.set()
        with pytest.raises(Cancelled):
            ahead.fetch((("s",), 1), page(server, 1), body_of)
        assert not ahead.prefetch((("s",), 2), page(server, 2), body_of)
        gate.opened.set()


def test_an_idle_worker_ends(monkeypatch):
    monkeypatch.setattr("tap_analytics.transport.prefetch._IDLE", 0.01)
    with ScriptedServer(echo) as server:
        ahead = make(server)
        for n in (1, 2):
            ahead.prefetch((("s",), n), page(server, n), body_of)
            ahead.fetch((("s",), n), page(server, n), body_of)
            until(lambda: not ahead._workers)
        assert (ahead._workers, ahead._idle) == (0, 0)
