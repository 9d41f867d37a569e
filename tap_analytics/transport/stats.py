"""What an API was asked and has answered: plain counters, for the whole API and by owner."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from tap_analytics.transport.timeline import Latency, Waiting


@dataclass(slots=True)
class StreamStats:
    """What was asked for one owner."""

    requests: int = 0
    retries: int = 0
    #: Of bodies as they were sent.
    bytes: int = 0
    #: Time in which a request of the owner stood before a gate that a 429 had closed.
    held: Waiting = field(default_factory=Waiting)


@dataclass
class Stats:
    """What an API was asked and has answered so far."""

    requests: int = 0
    retries: int = 0
    #: Of bodies as they were sent.
    bytes: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latency: Latency = field(default_factory=Latency)
    owners: dict[str, StreamStats] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def answers(self) -> int:
        """The number of complete answers."""
        return self.statuses.total()

    def owner(self, name: str) -> StreamStats:
        """Return the figures of an owner."""
        found = self.owners.get(name)
        if found is None:
            with self._lock:
                found = self.owners.setdefault(name, StreamStats())
        return found

    def asked(self, owner: StreamStats, *, again: bool) -> None:
        """Count a request, which repeats one that failed or doesn't."""
        with self._lock:
            self.requests += 1
            owner.requests += 1
            if again:
                self.retries += 1
                owner.retries += 1

    def answered(self, owner: StreamStats, status: int, *, size: int, seconds: float) -> None:
        """Count a complete answer."""
        with self._lock:
            self.statuses[status] += 1
            self.bytes += size
            owner.bytes += size
            self.latency.record(seconds)
