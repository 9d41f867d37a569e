"""The gate every request of an API passes: width, pace, and the pause a 429 asks for.

One gate serves all streams and threads of an API, so one refusal holds everybody.
"""

from __future__ import annotations

import copy
import logging
import math
import threading
import time
import typing as t
from collections import deque

from tap_analytics.transport.errors import Cancelled
from tap_analytics.transport.timeline import Timeline, Waiting

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tap_analytics.transport.errors import StopSignal

#: One request may spend this much less time on the way than another.
_MARGIN = 0.05
#: The longest uninterrupted sleep, for `StopSignal` must be heeded in a tenth of a second.
_TICK = 0.05
_ANNOUNCED = 60.0
#: Seconds that no calendar has to tell the end of.
_LONGEST = 2.0**37


class Throttle:
    """The gate of one API.

    `requests_per_second` (0 = no cap) holds for every sliding second as the server sees it, so a
    request counts from the moment it passes the gate until a second after it has surely arrived.
    A fraction, such as 1.9, holds for the time in which 2 requests make that rate.
    """

    def __init__(
        self,
        *,
        name: str,
        concurrency: int,
        requests_per_second: float = 0,
        stop: StopSignal,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.concurrency = concurrency
        self.width = concurrency
        self.throttled_seconds = 0.0
        self.throttled_count = 0
        self._name = name
        self._stop = stop
        self._clock = clock
        self._logger = logging.getLogger("tap-analytics").getChild(name)
        self._window, self._burst = _pace(requests_per_second)
        self._sends: deque[Slot] = deque()
        self._flying = 0
        self._successes = 0
        self._held_until = -math.inf
        self._change = threading.Condition(threading.Lock())
        self._timeline = Timeline(clock())

    @property
    def rate(self) -> float:
        """Requests per second that surely may pass; infinite where there is no cap."""
        return self._burst / (self._window + _MARGIN) if self._burst else math.inf

    def slot(self, held: Waiting | None = None) -> Slot:
        """Return the right to send one request, to be used as a context.

        Entering waits for the gate and raises `Cancelled` when the run is stopping.
        `held` counts the time the request stands before a gate that a hold has closed.
        """
        return Slot(self, held or Waiting())

    def timeline(self) -> Timeline:
        """Return a copy of what flew when, up to now."""
        with self._change:
            self._timeline.advance(self._clock())
            return copy.deepcopy(self._timeline)

    def pause(self, seconds: float, *, reason: str) -> None:
        """Let nobody pass for `seconds`, and fewer at a time afterwards.

        Refusals of requests that flew while the gate closed belong to the same hold:
        they can only prolong it.
        """
        if seconds <= 0:
            return
        with self._change:
            now = self._clock()
            is_new = now >= self._held_until
            until = max(self._held_until, now + seconds)
            self.throttled_seconds += until - max(self._held_until, now)
            self._held_until = until
            self._timeline.hold(now, until=until)
            if is_new:
                self.throttled_count += 1
                self.width = max(1, self.width // 2)
                self._successes = 0
        if is_new:
            self._logger.warning(
                "%s: throttled (%s), all requests wait %s",
                self._name,
                reason,
                describe_wait(seconds),
            )

    @property
    def paused_for(self) -> float:
        """Seconds that the gate stays closed because the API asked for it; 0 while it is open."""
        return max(0.0, self._held_until - self._clock())

    @property
    def in_flight(self) -> int:
        """Requests that have passed the gate and are not answered yet."""
        return self._flying

    def succeeded(self) -> None:
        """Count a success; as many in a row as the gate is wide widen it by one."""
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
        with self._change:
            is_held = False
            try:
                while True:
                    self._stop.check()
                    now = self._clock()
                    delay = self._delay(now)
                    if is_held != (now < self._held_until):
                        is_held = not is_held
                        (slot.held.begin if is_held else slot.held.end)(now)
                    if delay <= 0:
                        break
                    self._change.wait(min(delay, _TICK))
            except Cancelled:
                if is_held:
                    slot.held.end(self._clock())
                raise
            self._flying += 1
            self._timeline.left(now)
            if self._burst:
                self._sends.append(slot)

    def sent(self, slot: Slot) -> None:
        """Note the moment a request went out, which is when its second begins."""
        if slot.sent_at is None:
            slot.sent_at = self._clock()
            slot.counts_until = slot.sent_at + self._window + _MARGIN

    def leave(self, slot: Slot) -> None:
        """Make room for another request."""
        with self._change:
            self.sent(slot)
            now = self._clock()
            # An answer that came sooner says that the request had arrived.
            slot.counts_until = min(slot.counts_until, now + self._window)
            self._flying -= 1
            self._timeline.landed(now, failed=slot.failed)
            self._change.notify()

    def _delay(self, now: float) -> float:
        """Return how long the gate stays closed for sure; 0 if it is open."""
        if now < self._held_until:
            return self._held_until - now
        if self._flying >= self.width:
            return _TICK
        if not self._burst:
            return 0.0
        # In order of passing, which need not be the order of sending: the first may linger.
        while self._sends and self._sends[0].counts_until <= now:
            self._sends.popleft()
        if len(self._sends) < self._burst:
            return 0.0
        ends = [slot.counts_until for slot in self._sends if slot.counts_until > now]
        return 0.0 if len(ends) < self._burst else min(ends) - now


class Slot:
    """The right to send one request."""

    __slots__ = ("_throttle", "counts_until", "failed", "held", "sent_at")

    def __init__(self, throttle: Throttle, held: Waiting) -> None:
        self._throttle = throttle
        self.held = held
        self.sent_at: float | None = None
        #: When it no longer counts for the rate.
        self.counts_until = math.inf
        #: Until an answer of success is there.
        self.failed = True

    def __enter__(self) -> Slot:  # noqa: PYI034 - never subclassed
        self._throttle.enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._throttle.leave(self)

    def sent(self) -> None:
        """Say that the request is on its way; otherwise leaving the slot says so."""
        self._throttle.sent(self)


def describe_wait(seconds: float) -> str:
    """Return a wait as people read it; a long one with the time it ends, in UTC."""
    if seconds <= _ANNOUNCED:
        return f"{seconds:.1f} s"
    seconds = min(seconds, _LONGEST)
    end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + seconds))
    return f"{seconds:.0f} s (until {end} UTC)"


def _pace(requests_per_second: float) -> tuple[float, int]:
    """Return a window in seconds and the number of requests it may hold, 0 for any number."""
    if requests_per_second <= 0:
        return 0.0, 0
    burst = math.ceil(requests_per_second)
    return burst / requests_per_second, burst
