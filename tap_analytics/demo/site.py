"""The site: finds the service a path belongs to, asks for its key, enforces its rate.

An answer to one target is computed once and kept until the records change.
"""

from __future__ import annotations

import math
import typing as t
from collections import deque
from dataclasses import replace

from tap_analytics.demo.dialects import DIALECTS
from tap_analytics.demo.dialects.service import Refused, error_body
from tap_analytics.demo.messages import Answer

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import World
    from tap_analytics.demo.dialects.service import Service
    from tap_analytics.demo.messages import Request
    from tap_analytics.demo.settings import Credentials


class Window:
    """A sliding window over the requests that were granted."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._granted: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Grant a request and return 0, or return the seconds until one can be granted."""
        while self._granted and now - self._granted[0] >= self.seconds:
            self._granted.popleft()
        if len(self._granted) >= self.limit:
            return self.seconds - (now - self._granted[0])
        self._granted.append(now)
        return 0.0

    def headers(self, *, wait: float) -> dict[str, str]:
        """Return the state of the window; `RateLimit-Reset` is in seconds from now."""
        return {
            "RateLimit-Limit": f"{self.limit}, {self.limit};window={self.seconds:g}",
            "RateLimit-Remaining": str(self.limit - len(self._granted)),
            "RateLimit-Reset": str(math.ceil(wait)),
        }


class Site:
    """All services of one dialect over one world.

    `limits` are the rates to enforce as (requests, seconds) by API; an API that is not named
    answers as fast as it can.
    """

    def __init__(
        self,
        world: World,
        *,
        dialect: str,
        url: str,
        credentials: Credentials,
        limits: t.Mapping[str, tuple[int, float]],
    ) -> None:
        self._world = world
        self._services = [
            kind(world, url=url, credentials=credentials) for kind in DIALECTS[dialect]
        ]
        self._windows = {name: Window(*limit) for name, limit in limits.items()}

    def answer(self, request: Request, *, now: float) -> Answer:
        """Answer any request; `now` is in seconds of a monotonic clock."""
        for service in self._services:
            if request.path.startswith(f"{service.prefix}/"):
                return self._answer(service, request, now=now)
        return _refusal(request, 404, f"no API answers at {request.path}")

    def _answer(self, service: Service, request: Request, *, now: float) -> Answer:
        window, wait = self._windows.get(service.name), 0.0
        if not service.admits(request):
            answer = _refusal(request, 401, "The credentials were not accepted")
        elif request.method != "GET":
            answer = _refusal(request, 405, f"{request.method} is not allowed, GET is")
        elif window and (wait := window.wait(now)):
            answer = _refusal(request, 429, "Too many requests")
        else:
            answer = self._world.remember(request.target, lambda: self._granted(service, request))
            if window is None:
                return answer
        return self._with_rate(service, answer, wait=wait)

    def _granted(self, service: Service, request: Request) -> Answer:
        try:
            answer = service.answer(request)
        except Refused as refusal:
            answer = _refusal(request, refusal.status, refusal.message)
        return self._with_rate(service, answer, wait=0.0)

    def _with_rate(self, service: Service, answer: Answer, *, wait: float) -> Answer:
        """Add the state of the rate to an answer, for a service that tells it."""
        if not (service.tells_rate and service.rate):
            return answer
        window = self._windows.get(service.name) or Window(*service.rate)
        return replace(answer, headers={**answer.headers, **window.headers(wait=wait)})


def _refusal(request: Request, status: int, message: str) -> Answer:
    headers = {"Allow": "GET"} if status == 405 else {}  # noqa: PLR2004 - the status that demands it
    return Answer.json(error_body(request.path, status, message), status=status, headers=headers)


def natural_limits(dialect: str) -> dict[str, tuple[int, float]]:
    """Return the rates the services are known to enforce."""
    return {kind.name: kind.rate for kind in DIALECTS[dialect] if kind.rate}
