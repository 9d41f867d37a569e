"""Requests in flight over time, and how long answers took: exact counts in bounded memory.

Time goes into a fixed number of buckets. A run that outlasts them has each two merged into one of
twice the width, so a minute costs what a week costs, and no count is ever lost or guessed.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: Buckets at most; an even number, for they are merged in pairs.
BUCKETS = 240
#: Seconds of a bucket to begin with.
FINEST = 0.01
#: Latencies are counted in steps of a ratio: so many to each doubling, from `SHORTEST` seconds on.
STEPS = 8
SHORTEST = 0.0001
#: The last step takes everything that is longer, which is more than a day.
LONGEST_STEP = 30 * STEPS


@dataclass(slots=True)
class Bucket:
    """What happened in a stretch of time."""

    #: Requests that passed the gate.
    sent: int = 0
    #: Requests that ended without an answer of success.
    failed: int = 0
    #: Most requests in flight at once.
    peak: int = 0
    #: Requests in flight times seconds.
    busy: float = 0.0
    #: Seconds in which nobody might pass.
    held: float = 0.0

    def absorb(self, later: Bucket) -> None:
        """Take in the bucket that follows."""
        self.sent += later.sent
        self.failed += later.failed
        self.peak = max(self.peak, later.peak)
        self.busy += later.busy
        self.held += later.held


class Timeline:
    """What flew when; whoever changes it holds the lock of the gate it belongs to."""

    def __init__(self, began: float) -> None:
        #: On the gate's clock.
        self.began = began
        #: Seconds of each bucket.
        self.width = FINEST
        self.buckets = [Bucket()]
        self._flying = 0
        self._held_until = -math.inf
        self._at = began

    def left(self, now: float) -> None:
        """Note that a request has passed the gate."""
        self.advance(now)
        self._flying += 1
        bucket = self.buckets[-1]
        bucket.sent += 1
        bucket.peak = max(bucket.peak, self._flying)

    def landed(self, now: float, *, failed: bool) -> None:
        """Note that a request has ended."""
        self.advance(now)
        self._flying -= 1
        self.buckets[-1].failed += failed

    def hold(self, now: float, *, until: float) -> None:
        """Note that nobody may pass until then."""
        self.advance(now)
        self._held_until = until

    def advance(self, now: float) -> None:
        """Give the time since the last change to the buckets it fell into."""
        while True:
            end = self.began + len(self.buckets) * self.width
            upto = min(now, end)
            if (seconds := upto - self._at) > 0:
                bucket = self.buckets[-1]
                bucket.busy += self._flying * seconds
                bucket.held += max(0.0, min(upto, self._held_until) - self._at)
                self._at = upto
            if now < end:
                return
            if len(self.buckets) == BUCKETS:
                self._merge()
            self.buckets.append(Bucket(peak=self._flying))

    def stretches(self) -> Iterator[tuple[Bucket, float]]:
        """Yield the buckets with the seconds of each; the last one may not be over."""
        for number, bucket in enumerate(self.buckets):
            yield bucket, min(self.width, self._at - self.began - number * self.width)

    def _merge(self) -> None:
        for earlier, later in zip(self.buckets[::2], self.buckets[1::2], strict=True):
            earlier.absorb(later)
        del self.buckets[1::2]
        self.width *= 2


class Latency:
    """How long answers took, counted in steps of a ratio."""

    def __init__(self) -> None:
        self.counts = [0] * (LONGEST_STEP + 1)
        self.longest = 0.0
        self.total = 0.0

    def record(self, seconds: float) -> None:
        """Count an answer."""
        step = 0 if seconds <= SHORTEST else int(STEPS * math.log2(seconds / SHORTEST))
        self.counts[min(step, LONGEST_STEP)] += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def quantile(self, share: float) -> float:
        """Return the seconds that a share of the answers took at most, to within a step."""
        sought = math.ceil(share * sum(self.counts))
        passed = 0
        for step, count in enumerate(self.counts):
            passed += count
            if count and passed >= sought:
                return min(step_start(step + 1), self.longest)
        return 0.0


class Waiting:
    """Seconds during which at least one of several was waiting."""

    __slots__ = ("_since", "_waiting", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._waiting = 0
        self._since = 0.0

    def begin(self, now: float) -> None:
        """Note that one begins to wait."""
        if not self._waiting:
            self._since = now
        self._waiting += 1

    def end(self, now: float) -> None:
        """Note that one has done with waiting."""
        self._waiting -= 1
        if not self._waiting:
            self.seconds += now - self._since


def step_start(step: int) -> float:
    """Return the seconds at which a step of `Latency` begins."""
    return float(SHORTEST * 2 ** (step / STEPS))
