"""The throttle of an API: requests in flight, requests per second, and the pause after a 429.

All streams and threads of an API share it, so one 429 pauses them all.
"""

from __future__ import annotations

import copy
import logging
import math
import threading
import time
import typing as t
from collections import deque
from functools import partial

from tap_analytics.transport.errors import Cancelled, one_line
from tap_analytics.transport.redaction import redact
from tap_analytics.transport.shared_limit import SharedLimit
from tap_analytics.transport.stats import Timeline, Waiting

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.transport.request import HttpSettings

#: Seconds by which the time that requests need to arrive may differ.
_MARGIN = 0.05
#: The longest uninterrupted sleep, for a `StopSignal` must end it within a tenth of a second.
_TICK = 0.05
#: Seconds between two log lines about pauses; a longer pause is logged at once, with its end.
_ANNOUNCED = 60.0
#: Maximum seconds whose end can be formatted as a date.
_LONGEST = 2.0**37


class Throttle:
    """Limits the requests of an API: in flight, by rate, and during pauses."""

    def __init__(self, http: HttpSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.concurrency = http.concurrency
        #: Requests that may be in flight now.
        self.width = http.concurrency
        self.throttled_seconds = 0.0
        self.throttled_count = 0
        #: Requests that have passed and have no response yet.
        self.in_flight = 0
        self._name = http.name
        self._stop = http.stop
        self._clock = clock
        self._logger = logging.getLogger("tap-analytics").getChild(http.name)
        self._limit = RateLimit(http.requests_per_second)
        #: What limits all processes together; None for this process alone.
        self._shared: SharedLimit | None = None
        if http.rate_limit_store is not None:
            share = http.requests_per_second / http.rate_limit_store.processes
            lost = partial(self._lose_shared, share=share)
            self._shared = SharedLimit(http, http.rate_limit_store, lost=lost)
        self._successes = 0
        self._paused_until = -math.inf
        self._pauses = PauseLog(http.name)
        self._change = threading.Condition(threading.Lock())
        self._timeline = Timeline(clock())

    @property
    def rate(self) -> float:
        """Requests per second that surely may pass; infinite where there is no cap."""
        return self._limit.rate

    @property
    def paused_for(self) -> float:
        """Remaining seconds of the pause; 0 if there is none."""
        return max(0.0, self._paused_until - self._clock())

    def slot(self, paused: Waiting | None = None) -> Slot:
        """Return the right to send one request, to be used as a context.

        Entering waits until the request may pass, and raises `Cancelled` when the run is stopping.
        `paused` counts the time it waits for a pause to end.
        """
        return Slot(self, paused or Waiting())

    def timeline(self) -> Timeline:
        """Return a copy of the requests in flight up to now."""
        with self._change:
            self._timeline.advance(self._clock())
            return copy.deepcopy(self._timeline)

    def pause(self, seconds: float, *, reason: str) -> None:
        """Delay all requests for `seconds`, and allow fewer at a time afterwards.

        Refusals of requests that were in flight when the pause began belong to the same one:
        they can only prolong it.
        """
        if seconds <= 0:
            return
        with self._change:
            now = self._clock()
            is_new = now >= self._paused_until
            until = max(self._paused_until, now + seconds)
            added = until - max(self._paused_until, now)
            self.throttled_seconds += added
            self._paused_until = until
            self._timeline.pause(now, until=until)
            if is_new:
                self.throttled_count += 1
                self.width = max(1, self.width // 2)
                self._successes = 0
            line = self._pauses.line(now, seconds, reason) if is_new else ""
            if not line:
                self._pauses.leave_out(added, is_new=is_new)
        if self._shared is not None:
            self._shared.pause(seconds)
        if line:
            self._logger.warning("%s", line)

    def succeeded(self) -> None:
        """Count a success; as many in a row as the width widen it by one."""
        if self.width >= self.concurrency:
            return
        with self._change:
            self._successes += 1
            if self._successes >= self.width:
                self._successes = 0
                self.width = min(self.concurrency, self.width + 1)
                self._change.notify()

    def enter(self, slot: Slot) -> None:
        """Wait until `slot` may pass."""
        self._await_own(slot)
        if self._shared is not None:
            try:
                self._await_shared(self._shared)
            except Cancelled:
                self.leave(slot)
                raise

    def _await_shared(self, shared: SharedLimit) -> None:
        while (seconds := shared.take()) > 0:
            self._stop.check()
            with self._change:
                self._change.wait(min(seconds, _TICK))

    def _lose_shared(self, error: Exception, *, share: float) -> None:
        """Limit this process to its share, once the requests of the last second don't count."""
        with self._change:
            self._limit = RateLimit(share)
            self._paused_until = max(self._paused_until, self._clock() + 1 + _MARGIN)
        rate = f" at {share:g} requests per second, its share" if share else ""
        self._logger.warning(
            "%s: the rate limit store can't be used: %s. This run continues%s.",
            *(self._name, one_line(redact(str(error))) or type(error).__name__, rate),
        )

    def _await_own(self, slot: Slot) -> None:
        with self._change:
            is_paused = False
            try:
                while True:
                    self._stop.check()
                    now = self._clock()
                    delay = self._delay(now)
                    if is_paused != (now < self._paused_until):
                        is_paused = not is_paused
                        (slot.paused.begin if is_paused else slot.paused.end)(now)
                    if delay <= 0:
                        break
                    self._change.wait(min(delay, _TICK))
            except Cancelled:
                if is_paused:
                    slot.paused.end(self._clock())
                raise
            self.in_flight += 1
            self._timeline.sent(now)
            self._limit.add(slot)

    def sent(self, slot: Slot) -> None:
        """Record the moment a request went out."""
        self._limit.sent(slot, self._clock())

    def leave(self, slot: Slot) -> None:
        """Make room for another request."""
        with self._change:
            now = self._clock()
            self._limit.arrived(slot, now)
            self.in_flight -= 1
            self._timeline.ended(now, failed=slot.failed)
            self._change.notify()

    def _delay(self, now: float) -> float:
        """Return the seconds for which surely no request may pass; 0 if one may."""
        if now < self._paused_until:
            return self._paused_until - now
        return _TICK if self.in_flight >= self.width else self._limit.delay(now)


class RateLimit:
    """A limit of requests per second (0: unlimited) that holds for every sliding second.

    It holds as the server sees it, so a request counts from the moment it passes until a second
    after it has surely arrived. A fraction, such as 1.9, holds for the time in which 2 requests
    make that rate. Not thread-safe.
    """

    def __init__(self, requests_per_second: float) -> None:
        #: Requests that may pass within the window's seconds; 0 for any number.
        self._burst = math.ceil(max(0.0, requests_per_second))
        self._window = self._burst / requests_per_second if self._burst else 0.0
        #: In order of passing, which need not be the order of sending.
        self._counted: deque[Slot] = deque()

    @property
    def rate(self) -> float:
        """Requests per second that surely may pass; infinite where there is no cap."""
        return self._burst / (self._window + _MARGIN) if self._burst else math.inf

    def add(self, slot: Slot) -> None:
        """Count a request that passes."""
        if self._burst:
            self._counted.append(slot)

    def sent(self, slot: Slot, now: float) -> None:
        """Begin the second of a request that was sent; only the first call has an effect."""
        if slot.counts_until == math.inf:
            slot.counts_until = now + self._window + _MARGIN

    def arrived(self, slot: Slot, now: float) -> None:
        """End the second of a request early: a response shows that it had arrived."""
        slot.counts_until = min(slot.counts_until, now + self._window)

    def delay(self, now: float) -> float:
        """Return the seconds until a request may pass."""
        while self._counted and self._counted[0].counts_until <= now:
            self._counted.popleft()
        if len(self._counted) < self._burst or not self._burst:
            return 0.0
        ends = [slot.counts_until for slot in self._counted if slot.counts_until > now]
        return 0.0 if len(ends) < self._burst else min(ends) - now


class Slot:
    """The permission to send one request."""

    __slots__ = ("_throttle", "counts_until", "failed", "paused")

    def __init__(self, throttle: Throttle, paused: Waiting) -> None:
        self._throttle = throttle
        self.paused = paused
        #: When it no longer counts for the rate; infinite until it is sent.
        self.counts_until = math.inf
        #: True until there is a successful response.
        self.failed = True

    def __enter__(self) -> Slot:  # noqa: PYI034 - never subclassed
        self._throttle.enter(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._throttle.leave(self)

    def sent(self) -> None:
        """Record that the request is on its way; otherwise leaving the slot does."""
        self._throttle.sent(self)


class PauseLog:
    """The log lines about the pauses of an API. Not thread-safe."""

    def __init__(self, name: str) -> None:
        self._name = name
        #: When a pause was last logged, and the pauses and their seconds since then.
        self._logged = -math.inf
        self._unlogged, self._unlogged_seconds = 0, 0.0

    def line(self, now: float, seconds: float, reason: str) -> str:
        """Return the line of a pause and of those that were left out; empty if none is due."""
        if now - self._logged < _ANNOUNCED and seconds <= _ANNOUNCED:
            return ""
        line = f"{self._name}: throttled ({reason}), all requests wait {describe_wait(seconds)}"
        if self._unlogged:
            waits = "1 wait" if self._unlogged == 1 else f"{self._unlogged} waits"
            total = f"{self._unlogged_seconds:.1f} s"
            line += f"; {waits}, {total} in all, since the last such line"
        self._logged, self._unlogged, self._unlogged_seconds = now, 0, 0.0
        return line

    def leave_out(self, seconds: float, *, is_new: bool) -> None:
        """Keep the seconds of a pause for the next line; one that is not new goes on."""
        self._unlogged += is_new
        self._unlogged_seconds += seconds


def describe_wait(seconds: float) -> str:
    """Return a wait as text; a long one with the time it ends, in UTC."""
    if seconds <= _ANNOUNCED:
        return f"{seconds:.1f} s"
    seconds = min(seconds, _LONGEST)
    end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + seconds))
    return f"{seconds:.0f} s (until {end} UTC)"
