"""The site: finds the service a path belongs to, asks for its key, minds its rate.

An answer to one target is computed once and kept until the world changes.
"""

from __future__ import annotations

import math
import typing as t
from collections import deque
from dataclasses import replace

from tap_analytics.demo.dialects.declared import Declared
from tap_analytics.demo.dialects.errors import Refused, error
from tap_analytics.demo.dialects.experimentation import Experimentation
from tap_analytics.demo.dialects.learning import Learning
from tap_analytics.demo.dialects.spec import (
    SpecExperimentation,
    SpecLearning,
    SpecSuccess,
    SpecWiki,
)
from tap_analytics.demo.dialects.success import Success
from tap_analytics.demo.dialects.wiki import Wiki

if t.TYPE_CHECKING:
    from tap_analytics.demo.credentials import Credentials
    from tap_analytics.demo.data import World
    from tap_analytics.demo.dialects.service import Service
    from tap_analytics.demo.http import Answer, Request

DIALECTS: dict[str, tuple[type[Service], ...]] = {
    "real": (Learning, Experimentation, Wiki, Success, Declared),
    "spec": (SpecLearning, SpecExperimentation, SpecWiki, SpecSuccess, Declared),
}
#: Answers kept; a client that asks for more different pages has them computed again.
KEPT = 20_000


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
        """Tell the state of the window; `RateLimit-Reset` is in seconds from now."""
        return {
            "RateLimit-Limit": f"{self.limit}, {self.limit};window={self.seconds:g}",
            "RateLimit-Remaining": str(self.limit - len(self._granted)),
            "RateLimit-Reset": str(math.ceil(wait)),
        }


class Site:
    """All services of one dialect over one world.

    Args:
        limits: The rates to enforce as (requests, seconds) by API; an API that is not named
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
        self.services = [
            kind(world, url=url, credentials=credentials) for kind in DIALECTS[dialect]
        ]
        self._windows = {name: Window(*limit) for name, limit in limits.items()}
        self._kept: dict[str, Answer] = {}

    def forget(self) -> None:
        """Drop the answers that a changed world makes wrong."""
        self._kept.clear()

    def answer(self, request: Request, *, now: float) -> Answer:
        """Answer any request; `now` is in seconds of a monotonic clock."""
        service = self._service(request.path)
        if service is None:
            return error(request.path, 404, f"no API answers at {request.path}")
        if not service.admits(request):
            refusal = error(request.path, 401, "The credentials were not accepted")
            return self._told(service, refusal)
        if request.method != "GET":
            message = f"{request.method} is not allowed, GET is"
            refusal = error(request.path, 405, message, {"Allow": "GET"})
            return self._told(service, refusal)
        window = self._windows.get(service.name)
        if window is None:
            return self._granted(service, request)
        if wait := window.wait(now):
            refusal = error(request.path, 429, "Too many requests")
            return self._told(service, refusal, wait=wait)
        return self._told(service, self._granted(service, request))

    def _service(self, path: str) -> Service | None:
        for service in self.services:
            if path.startswith(f"{service.prefix}/"):
                return service
        return None

    def _granted(self, service: Service, request: Request) -> Answer:
        if (kept := self._kept.get(request.target)) is not None:
            return kept
        try:
            answer = service.answer(request)
        except Refused as refusal:
            answer = error(request.path, refusal.status, refusal.message)
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[request.target] = told = self._told(service, answer)
        return told

    def _told(self, service: Service, answer: Answer, *, wait: float = 0.0) -> Answer:
        """Add the state of the rate to an answer, for a service that tells it."""
        if not (service.tells_rate and service.rate):
            return answer
        window = self._windows.get(service.name) or Window(*service.rate)
        return replace(answer, headers={**answer.headers, **window.headers(wait=wait)})


def natural_limits(dialect: str) -> dict[str, tuple[int, float]]:
    """Return the rates the services are known to enforce."""
    return {kind.name: kind.rate for kind in DIALECTS[dialect] if kind.rate}
