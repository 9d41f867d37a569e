from __future__ import annotations

import itertools
import logging
import math
import random
import threading
import time

import pytest
from support.patience import until
from support.transport import RushingClock, WatchedClock, make_throttle

from tap_analytics.transport.errors import Cancelled
from tap_analytics.transport.stop import StopSignal
from tap_analytics.transport.throttle import describe_wait


def make(stop=None, **settings):
    settings = {"concurrency": 8} | settings
    return make_throttle(stop=stop or StopSignal(), **settings)


def together(count, action):
    threads = [threading.Thread(target=action) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_never_more_in_flight_than_the_width():
    throttle = make(concurrency=3)
    lock = threading.Lock()
    flying, peaks = 0, []

    def send():
        nonlocal flying
        for _ in range(20):
            with throttle.slot():
                with lock:
                    flying += 1
                    peaks.append(flying)
                time.sleep(0)
                with lock:
                    flying -= 1

    together(8, send)

    assert len(peaks) == 160
    assert max(peaks) <= 3


class FastClock:
    """Real time, twenty times as fast."""

    def __call__(self):
        return time.monotonic() * 20


@pytest.mark.parametrize(("rate", "sends", "burst"), [(5, 24, 5), (1, 5, 1), (2.5, 11, 3)])
def test_the_rate_holds_in_every_sliding_second(rate, sends, burst):
    clock = FastClock()
    throttle = make(requests_per_second=rate, clock=clock)
    instants = []
    numbers = iter(range(sends))

    def send():
        for _ in numbers:
            with throttle.slot() as slot:
                time.sleep(random.random() * 0.01)  # connecting may take time
                instants.append(clock())
                slot.sent()

    together(6, send)

    instants.sort()
    gaps = [later - first for first, later in zip(instants, instants[burst:], strict=False)]
    assert len(instants) == sends
    assert min(gaps) > burst / rate


@pytest.mark.parametrize("rate", [0.4, 1, 1.9, 2.5, 3, 9.99, 10])
@pytest.mark.parametrize("latency", [0.0, 0.02, 0.3])
def test_the_rate_is_reached_and_never_exceeded(rate, latency):
    now = 0.0
    throttle = make(requests_per_second=rate, clock=lambda: now)
    arrivals, slots = [], []
    while now < 30:
        while slots and slots[0][0] <= now:
            slots.pop(0)[1].__exit__(None, None, None)
        delay = throttle._delay(now)
        if delay > 0:
            now = min([now + delay, *(end for end, _ in slots)])
            continue
        slot = throttle.slot().__enter__()
        slot.sent()
        slots.append((now + latency, slot))
        # Some arrive at once, some as late as the response or the margin allows.
        arrivals.append(now + min(latency, 0.05) * (len(arrivals) % 2))

    burst = math.ceil(rate)
    gaps = [later - first for first, later in zip(arrivals, arrivals[burst:], strict=False)]
    assert min(gaps) >= burst / rate - 1e-9
    slowest = burst / (burst / rate + min(latency, 0.05))
    assert len(arrivals) >= 30 * min(slowest, throttle.concurrency / (latency or 1)) - 1


def test_a_rate_below_one_spaces_requests():
    clock = FastClock()
    throttle = make(requests_per_second=0.5, clock=clock)
    instants = []
    for _ in range(3):
        with throttle.slot() as slot:
            instants.append(clock())
            slot.sent()

    assert all(later - first > 2.0 for first, later in itertools.pairwise(instants))


def test_a_request_counts_from_when_it_was_sent_not_from_when_it_passed():
    now = 0.0
    throttle = make(requests_per_second=1, clock=lambda: now)
    slot = throttle.slot()
    with slot:
        now = 30.0
        slot.sent()
        now = 30.5

    assert throttle._delay(now) == pytest.approx(0.55)
    now = 31.06
    assert throttle._delay(now) == 0.0


def test_a_response_shows_that_the_request_has_arrived():
    now = 0.0
    throttle = make(requests_per_second=1, clock=lambda: now)
    with throttle.slot() as slot:
        slot.sent()
        now = 0.01

    assert throttle._delay(now) == pytest.approx(1.0)


def test_a_pause_applies_to_all_requests_and_is_logged_once(caplog):
    clock = RushingClock()
    throttle = make(clock=clock)

    throttle.pause(30, reason="GET /people answered 429")
    throttle.pause(45, reason="GET /courses answered 429")
    throttle.pause(5, reason="GET /events answered 429")
    passed = []
    together(2, lambda: passed.append(throttle.slot().__enter__() and clock.now))

    assert min(passed) >= 46
    assert [record.getMessage() for record in caplog.records] == [
        "learning: throttled (GET /people answered 429), all requests wait 30.0 s"
    ]
    assert caplog.records[0].levelno == logging.WARNING
    assert throttle.throttled_count == 1
    assert throttle.throttled_seconds == pytest.approx(46, abs=1)


def test_pauses_are_logged_once_a_minute_with_their_sum(caplog):
    now = 0
    throttle = make(clock=lambda: now)
    while now < 75:
        throttle.pause(0.5, reason="GET /people answered 429")
        now += 3
    throttle.pause(90, reason="GET /people answered 429")

    first, second, third = (record.getMessage() for record in caplog.records)
    line = "learning: throttled (GET /people answered 429), all requests wait"
    assert first == f"{line} 0.5 s"
    assert second == f"{line} 0.5 s; 19 waits, 9.5 s in all, since the last such line"
    assert third.startswith(f"{line} 90 s (until ")
    assert third.endswith("; 4 waits, 2.0 s in all, since the last such line")


def test_width_halves_with_each_pause_and_recovers_step_by_step():
    clock = RushingClock()
    throttle = make(clock=clock)
    widths = []
    for _ in range(5):
        throttle.pause(1, reason="429")
        widths.append(throttle.width)
        clock.now += 10
    assert widths == [4, 2, 1, 1, 1]

    widths = []
    for _ in range(1 + 2 + 3 + 4 + 5 + 6 + 7 + 20):
        throttle.succeeded()
        widths.append(throttle.width)

    assert widths[:6] == [2, 2, 3, 3, 3, 4]
    assert widths[27] == 8
    assert max(widths) == 8


def test_a_throttle_has_the_seconds_of_its_pause_and_the_requests_in_flight():
    now = 100.0
    throttle = make(clock=lambda: now)
    assert (throttle.paused_for, throttle.in_flight) == (0.0, 0)
    with throttle.slot():
        assert throttle.in_flight == 1
        throttle.pause(30, reason="429")
    now = 112.0
    assert (throttle.paused_for, throttle.in_flight) == (18.0, 0)
    now = 131.0
    assert throttle.paused_for == 0.0


def test_a_pause_of_no_seconds_has_no_effect():
    throttle = make()
    throttle.pause(0, reason="429")
    assert (throttle.width, throttle.throttled_count) == (8, 0)


@pytest.mark.parametrize("closed_by", ["hold", "width", "rate"])
def test_stop_ends_the_wait_of_a_throttled_request(closed_by):
    stop, clock = StopSignal(), WatchedClock()
    width = 1 if closed_by == "width" else 8
    throttle = make(stop, concurrency=width, requests_per_second=0.001, clock=clock)
    if closed_by == "hold":
        throttle.pause(600, reason="429")
    else:
        throttle.slot().__enter__()
    outcome = []

    def send():
        with pytest.raises(Cancelled):
            throttle.slot().__enter__()
        outcome.append("interrupted")

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: all(clock.looks[thread] > 1 for thread in threads))
    stop.set()
    for thread in threads:
        thread.join()

    assert outcome == ["interrupted"] * 3


def test_long_waits_are_logged_with_their_end():
    assert describe_wait(5.21) == "5.2 s"
    assert describe_wait(90).startswith("90 s (until 20")
    assert describe_wait(1e30).endswith(" UTC)")
