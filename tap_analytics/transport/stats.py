"""Statistics of the requests of an API: counters, and requests in flight over time.

Time is divided into a fixed number of buckets. When they are full, each two are merged into one of
twice the width, so memory is bounded and counts stay exact.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

#: Maximum number of buckets; even, because they are merged in pairs.
BUCKETS = 240
#: Initial seconds per bucket.
FINEST = 0.01
#: Latencies are counted in steps of a constant ratio: 8 to each doubling, from `SHORTEST` seconds.
STEPS = 8
SHORTEST = 0.0001
#: The last step takes everything that is longer, which is more than a day.
LONGEST_STEP = 30 * STEPS


class Latency:
    """A histogram of response times in steps of a constant ratio."""

    def __init__(self) -> None:
        self.counts = [0] * (LONGEST_STEP + 1)
        self.longest = 0.0
        self.total = 0.0

    def record(self, seconds: float) -> None:
        """Count a response."""
        step = 0 if seconds <= SHORTEST else int(STEPS * math.log2(seconds / SHORTEST))
        self.counts[min(step, LONGEST_STEP)] += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def quantile(self, share: float) -> float:
        """Return the seconds that a share of the responses took at most, to within a step."""
        counted = list(accumulate(self.counts))
        step = bisect_left(counted, max(1, math.ceil(share * counted[-1])))
        return min(step_start(step + 1), self.longest)


def step_start(step: int) -> float:
    """Return the seconds at which a step of `Latency` begins."""
    return float(SHORTEST * 2 ** (step / STEPS))


class Waiting:
    """Seconds during which at least one of several was waiting."""

    __slots__ = ("_since", "_waiting", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._waiting = 0
        self._since = 0.0

    def begin(self, now: float) -> None:
        """Count one more that waits."""
        if not self._waiting:
            self._since = now
        self._waiting += 1

    def end(self, now: float) -> None:
        """Count one fewer that waits."""
        self._waiting -= 1
        if not self._waiting:
            self.seconds += now - self._since


@dataclass(slots=True)
class StreamStats:
    """Figures of the requests made for one stream."""

    requests: int = 0
    retries: int = 0
    #: Of bodies as they were sent.
    bytes: int = 0
    #: Time in which a request of the stream waited for a pause to end.
    paused: Waiting = field(default_factory=Waiting)


@dataclass
class Stats:
    """Figures of all requests of an API."""

    requests: int = 0
    retries: int = 0
    #: Of bodies as they were sent.
    bytes: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latency: Latency = field(default_factory=Latency)
    streams: dict[str, StreamStats] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def responses(self) -> int:
        """The number of complete responses."""
        return self.statuses.total()

    def of(self, stream: str) -> StreamStats:
        """Return the figures of a stream."""
        found = self.streams.get(stream)
        if found is None:
            with self._lock:
                found = self.streams.setdefault(stream, StreamStats())
        return found

    def sent(self, stream: StreamStats, *, is_retry: bool) -> None:
        """Count a request."""
        with self._lock:
            self.requests += 1
            stream.requests += 1
            if is_retry:
                self.retries += 1
                stream.retries += 1

    def received(self, stream: StreamStats, status: int, *, size: int, seconds: float) -> None:
        """Count a complete response."""
        with self._lock:
            self.statuses[status] += 1
            self.bytes += size
            stream.bytes += size
            self.latency.record(seconds)


@dataclass(slots=True)
class Bucket:
    """Requests in an interval."""

    #: Requests that were sent.
    sent: int = 0
    #: Requests that ended without a response of success.
    failed: int = 0
    #: Maximum number of requests in flight at once.
    peak: int = 0
    #: Requests in flight times seconds.
    busy: float = 0.0
    #: Seconds in which no request might be sent.
    paused: float = 0.0

    def merge(self, later: Bucket) -> None:
        """Add the bucket that follows."""
        self.sent += later.sent
        self.failed += later.failed
        self.peak = max(self.peak, later.peak)
        self.busy += later.busy
        self.paused += later.paused


class Timeline:
    """Requests in flight over time; changed only with the lock of the throttle."""

    def __init__(self, began: float) -> None:
        #: On the throttle's clock.
        self.began = began
        #: Seconds of each bucket.
        self.width = FINEST
        self.buckets = [Bucket()]
        self._in_flight = 0
        self._paused_until = -math.inf
        self._at = began

    def sent(self, now: float) -> None:
        """Count a request that was sent."""
        self.advance(now)
        self._in_flight += 1
        bucket = self.buckets[-1]
        bucket.sent += 1
        bucket.peak = max(bucket.peak, self._in_flight)

    def ended(self, now: float, *, failed: bool) -> None:
        """Count a request that has ended."""
        self.advance(now)
        self._in_flight -= 1
        self.buckets[-1].failed += failed

    def pause(self, now: float, *, until: float) -> None:
        """Record that no request may be sent until then."""
        self.advance(now)
        self._paused_until = until

    def advance(self, now: float) -> None:
        """Add the time since the last change to the buckets it fell into."""
        while True:
            end = self.began + len(self.buckets) * self.width
            upto = min(now, end)
            if (seconds := upto - self._at) > 0:
                bucket = self.buckets[-1]
                bucket.busy += self._in_flight * seconds
                bucket.paused += max(0.0, min(upto, self._paused_until) - self._at)
                self._at = upto
            if now < end:
                return
            if len(self.buckets) == BUCKETS:
                self._merge()
            self.buckets.append(Bucket(peak=self._in_flight))

    def _merge(self) -> None:
        for earlier, later in zip(self.buckets[::2], self.buckets[1::2], strict=True):
            earlier.merge(later)
        del self.buckets[1::2]
        self.width *= 2
