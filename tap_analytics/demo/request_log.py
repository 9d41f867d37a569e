"""Log of received requests: the last ones, and counts of all."""

from __future__ import annotations

import typing as t
from collections import Counter, deque

if t.TYPE_CHECKING:
    from tap_analytics.demo.messages import Request

#: Maximum number of logged requests; the counts include all.
REMEMBERED = 100_000


class LoggedRequest(t.NamedTuple):
    """A received request.

    `at` is in seconds of the monotonic clock. `headers` have lower-case names. `status` is 0 if no
    status line was sent.
    """

    method: str
    path: str
    params: t.Mapping[str, str]
    headers: t.Mapping[str, str]
    at: float
    status: int


class RequestLog:
    """Requests, their number by method and path, and how many were in flight at once."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Clear everything except the requests in flight."""
        self.requests: deque[LoggedRequest] = deque(maxlen=REMEMBERED)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[int] = Counter()
        self.bytes_sent = 0
        self.in_flight_max = self.in_flight

    def begin(self, request: Request, *, at: float, status: int) -> None:
        """Count a request, in flight until its response."""
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        self.counts[request.method, request.path] += 1
        self.statuses[status] += 1
        self.requests.append(
            LoggedRequest(request.method, request.path, request.params, request.headers, at, status)
        )

    def summary(self, *, with_requests: bool) -> dict[str, t.Any]:
        """Return the numbers as JSON; the requests in it leave out every credential."""
        numbers = {
            "requests_total": sum(self.counts.values()),
            "counts": {" ".join(logged): count for logged, count in sorted(self.counts.items())},
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "bytes_sent": self.bytes_sent,
            "in_flight_max": self.in_flight_max,
        }
        if with_requests:
            numbers["requests"] = [_without_credentials(logged) for logged in self.requests]
        return numbers


def _without_credentials(logged: LoggedRequest) -> dict[str, t.Any]:
    shown = logged._asdict()
    del shown["headers"]
    return shown | {"params": {k: v for k, v in logged.params.items() if k != "api_key"}}
