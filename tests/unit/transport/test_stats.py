from __future__ import annotations

import random
import threading

import pytest
from support.patience import until
from support.servers import ScriptedServer, reply
from support.transport import (
    UnhurriedStop,
    WatchedClock,
    body_of,
    make_throttle,
    make_transport,
    people,
)

from tap_analytics.transport.errors import Cancelled
from tap_analytics.transport.stats import BUCKETS, STEPS, Latency, Stats, Timeline, Waiting
from tap_analytics.transport.stop import StopSignal

WEEK = 7 * 24 * 3600.0


def flown(flights, *, until):
    """Return the timeline of requests, each given by its start and end."""
    line = Timeline(0.0)
    events = sorted([(begin, True) for begin, _ in flights] + [(end, False) for _, end in flights])
    for moment, is_begin in events:
        if is_begin:
            line.sent(moment)
        else:
            line.ended(moment, failed=False)
    line.advance(until)
    return line


@pytest.mark.parametrize("length", [0.5, 60.0, WEEK])
def test_a_timeline_of_any_length_has_exact_counts(length):
    chance = random.Random(4711)
    begins = [chance.uniform(0, length * 0.9) for _ in range(3000)]
    flights = [(begin, begin + chance.uniform(0, length * 0.1)) for begin in begins]

    line = flown(flights, until=length)

    assert len(line.buckets) <= BUCKETS
    assert sum(bucket.sent for bucket in line.buckets) == len(flights)
    total = sum(end - begin for begin, end in flights)
    assert sum(bucket.busy for bucket in line.buckets) == pytest.approx(total)
    for number, bucket in enumerate(line.buckets):
        begin, end = number * line.width, (number + 1) * line.width
        sent = sum(begin <= start < end for start, _ in flights)
        assert bucket.sent == sent
        assert bucket.busy <= bucket.peak * line.width + 1e-6


def test_the_peak_of_a_bucket_is_the_most_in_flight_at_once():
    line = flown([(1.0, 5.0), (2.0, 3.0), (2.5, 6.0), (5.5, 7.0)], until=8.0)

    assert max(bucket.peak for bucket in line.buckets) == 3
    last = line.buckets[-1]
    assert (last.peak, last.busy) == (0, 0.0)


def test_pauses_are_counted_for_as_long_as_they_lasted():
    line = Timeline(100.0)
    line.pause(103.0, until=109.0)
    line.pause(105.0, until=110.0)
    line.advance(300.0)
    line.pause(301.0, until=900.0)
    line.advance(302.0)

    assert sum(bucket.paused for bucket in line.buckets) == pytest.approx(8.0)


def test_a_long_pause_costs_no_more_buckets_than_a_short_one():
    line = flown([(0.0, 0.1), (WEEK, WEEK + 1)], until=2 * WEEK)

    assert len(line.buckets) <= BUCKETS
    assert [bucket.sent for bucket in line.buckets if bucket.sent] == [1, 1]


# --- latency --------------------------------------------------------------------------------


def test_quantiles_are_right_to_within_a_step():
    chance = random.Random(4711)
    taken = sorted(chance.lognormvariate(-3, 1) for _ in range(5000))
    latency = Latency()
    for seconds in taken:
        latency.record(seconds)

    step = 2 ** (1 / STEPS)
    for share in (0.5, 0.95):
        exact = taken[int(share * len(taken)) - 1]
        assert exact <= latency.quantile(share) * 1.0001
        assert latency.quantile(share) <= exact * step * 1.0001
    assert latency.longest == taken[-1]
    assert latency.quantile(1) == taken[-1]
    assert sum(latency.counts) == len(taken)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e9])
def test_responses_of_any_latency_are_counted(seconds):
    latency = Latency()
    latency.record(seconds)

    assert sum(latency.counts) == 1
    assert latency.quantile(0.5) <= max(seconds, 1e-3)


def test_no_responses_have_no_quantiles():
    assert Latency().quantile(0.95) == 0.0


# --- who waited -----------------------------------------------------------------------------


def test_time_in_which_several_requests_wait_is_counted_once():
    waiting = Waiting()
    waiting.begin(1.0)
    waiting.begin(2.0)
    waiting.end(4.0)
    waiting.end(5.0)
    waiting.begin(7.0)
    waiting.end(8.0)

    assert waiting.seconds == 5.0


def test_time_of_a_pause_is_counted_and_time_in_the_queue_is_not():
    clock = WatchedClock()
    throttle = make_throttle(concurrency=1, stop=StopSignal(), clock=clock)
    held, queued = Waiting(), Waiting()
    throttle.pause(10.0, reason="a 429")

    def wait(waiting):
        with throttle.slot(waiting):
            pass

    first = threading.Thread(target=wait, args=(held,))
    first.start()
    until(lambda: clock.looks[first] > 1)
    clock.now = 12.0
    first.join()
    with throttle.slot():
        second = threading.Thread(target=wait, args=(queued,))
        second.start()
        until(lambda: clock.looks[second] > 1)
        clock.now = 20.0
    second.join()

    assert held.seconds == 12.0
    assert queued.seconds == 0.0
    assert sum(bucket.paused for bucket in throttle.timeline().buckets) == pytest.approx(10.0)


def test_a_wait_that_a_stop_ends_is_counted_as_well():
    clock, stop = WatchedClock(), StopSignal()
    throttle = make_throttle(concurrency=1, stop=stop, clock=clock)
    held = Waiting()
    throttle.pause(60.0, reason="a 429")

    def wait():
        with pytest.raises(Cancelled), throttle.slot(held):
            pass

    waiter = threading.Thread(target=wait)
    waiter.start()
    until(lambda: clock.looks[waiter] > 1)
    clock.now = 3.0
    stop.set()
    waiter.join()

    assert held.seconds == 3.0


# --- a transport's figures ------------------------------------------------------------------


def test_figures_take_no_more_memory_for_more_requests():
    stats, line = Stats(), Timeline(0.0)

    def held():
        return len(line.buckets), len(stats.latency.counts), len(stats.streams), len(stats.statuses)

    def send(numbers):
        for number in numbers:
            owner = stats.of(f"stream_{number % 7}")
            line.sent(number * 0.01)
            stats.sent(owner, is_retry=number % 10 == 0)
            stats.received(owner, 200, size=3, seconds=number % 100 / 1000)
            line.ended(number * 0.01 + 0.005, failed=False)

    send(range(5_000))
    before = held()
    send(range(5_000, 50_000))

    assert before[1:] == held()[1:] == (len(stats.latency.counts), 7, 1)
    assert held()[0] <= BUCKETS
    assert sum(owned.requests for owned in stats.streams.values()) == stats.requests == 50_000
    assert sum(owned.retries for owned in stats.streams.values()) == stats.retries == 5_000
    assert sum(stats.latency.counts) == stats.responses


def test_requests_and_retries_are_counted_for_their_stream():
    answers = [reply(503), reply(503), reply(), reply(), reply(404)]
    with ScriptedServer(answers) as server:
        transport = make_transport(server.origin, stop=UnhurriedStop())
        made = people(server)
        for owner in ("first", "second"):
            transport.fetch(type(made)(url=made.url, stream=owner), body_of)
        with pytest.raises(Exception, match="404"):
            transport.fetch(type(made)(url=made.url, stream="second"), body_of)
        received = len(server.requests)

    stats, line = transport.stats, transport.throttle.timeline()
    assert (stats.of("first").requests, stats.of("first").retries) == (3, 2)
    assert (stats.of("second").requests, stats.of("second").retries) == (2, 0)
    assert stats.requests == received == sum(bucket.sent for bucket in line.buckets)
    assert sum(bucket.failed for bucket in line.buckets) == 3
