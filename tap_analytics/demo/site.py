"""Dispatches requests to services; checks credentials and rate limits.

Responses are cached by target until the records change.
"""

from __future__ import annotations

import math
import typing as t
from collections import deque
from dataclasses import replace

from tap_analytics.demo.dialects import DIALECTS
from tap_analytics.demo.dialects.service import Refused, error_body
from tap_analytics.demo.messages import Response

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Dataset
    from tap_analytics.demo.dialects.service import Service
    from tap_analytics.demo.messages import Request
    from tap_analytics.demo.tap_config import Credentials


class Window:
    """A sliding window over the accepted requests."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._granted: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Accept a request and return 0, or return the seconds until one can be accepted."""
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
    """All services of one dialect over one dataset.

    `limits` are the rates to enforce as (requests, seconds) by API; an API that is not named
    has no limit.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        dialect: str,
        url: str,
        credentials: Credentials,
        limits: t.Mapping[str, tuple[int, float]],
    ) -> None:
        self._world = dataset
        self._services = [
            kind(dataset, url=url, credentials=credentials) for kind in DIALECTS[dialect]
        ]
        self._windows = {name: Window(*limit) for name, limit in limits.items()}

    def respond(self, request: Request, *, now: float) -> Response:
        """Respond to any request; `now` is in seconds of a monotonic clock."""
        for service in self._services:
            if request.path.startswith(f"{service.prefix}/"):
                return self._respond(service, request, now=now)
        return _refusal(request, 404, f"no API at {request.path}")

    def _respond(self, service: Service, request: Request, *, now: float) -> Response:
        window, wait = self._windows.get(service.name), 0.0
        if not service.admits(request):
            response = _refusal(request, 401, "The credentials were not accepted")
        elif request.method != "GET":
            response = _refusal(request, 405, f"{request.method} is not allowed, GET is")
        elif window and (wait := window.wait(now)):
            response = _refusal(request, 429, "Too many requests")
        else:
            response = self._world.remember(request.target, lambda: self._granted(service, request))
            if window is None:
                return response
        return self._with_rate(service, response, wait=wait)

    def _granted(self, service: Service, request: Request) -> Response:
        try:
            response = service.respond(request)
        except Refused as refusal:
            response = _refusal(request, refusal.status, refusal.message)
        return self._with_rate(service, response, wait=0.0)

    def _with_rate(self, service: Service, response: Response, *, wait: float) -> Response:
        """Add rate-limit headers to a response, if the service sends them."""
        if not (service.sends_rate and service.rate):
            return response
        window = self._windows.get(service.name) or Window(*service.rate)
        return replace(response, headers={**response.headers, **window.headers(wait=wait)})


def _refusal(request: Request, status: int, message: str) -> Response:
    headers = {"Allow": "GET"} if status == 405 else {}  # noqa: PLR2004 - the status that demands it
    return Response.json(error_body(request.path, status, message), status=status, headers=headers)


def natural_limits(dialect: str) -> dict[str, tuple[int, float]]:
    """Return the known rate limits of the services."""
    return {kind.name: kind.rate for kind in DIALECTS[dialect] if kind.rate}
