"""A transport for one server, with clocks and stop signals of tests."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import Counter
from dataclasses import replace

from tap_analytics.transport.auth import Authenticator
from tap_analytics.transport.request import HttpSettings, Request, Response
from tap_analytics.transport.retry import RetryPolicy
from tap_analytics.transport.session import Transport
from tap_analytics.transport.stop import StopSignal
from tap_analytics.transport.throttle import Throttle

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from support.servers import ScriptedServer


class UnhurriedStop(StopSignal):
    """Notes the waits instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.check()
        self.waits.append(seconds)


class RushingClock:
    """A clock that is a second further on each time it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


class WatchedClock:
    """A clock that tests set; counts how often each thread has looked at it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks: Counter[threading.Thread] = Counter()

    def __call__(self) -> float:
        self.looks[threading.current_thread()] += 1
        return self.now


def signed(request: Request) -> Request:
    others = tuple(header for header in request.headers if header[0] != "X-Api-Key")
    return replace(request, headers=(*others, ("X-Api-Key", "swordfish-4711")))


class Signing(Authenticator):
    """Credentials made of two functions."""

    def __init__(self, sign: Callable[[Request], Request], renew: Callable[[], bool]) -> None:
        self._sign, self._renew = sign, renew

    def __call__(self, request: Request) -> Request:
        return self._sign(request)

    def renew(self) -> bool:
        return self._renew()


def make_throttle(*, clock: Callable[[], float] = time.monotonic, **settings: t.Any) -> Throttle:
    return Throttle(http_settings("http://api.test", **settings), clock=clock)


def make_transport(origin: str, **settings: t.Any) -> Transport:
    auth = Signing(settings.pop("sign", signed), settings.pop("renew", lambda: False))
    throttle = settings.pop("throttle", None)
    return Transport(http_settings(origin, **settings), auth, throttle=throttle)


def http_settings(origin: str, **settings: t.Any) -> HttpSettings:
    defaults: dict[str, t.Any] = {
        "name": "learning",
        "base_url": origin,
        "retry": RetryPolicy(backoff_factor=0.01),
        "timeout": 10.0,
        "user_agent": "tap-analytics/test",
        "concurrency": 4,
    }
    settings["stop"] = settings.get("stop") or StopSignal()
    return HttpSettings(**defaults | settings)


def people(server: ScriptedServer, *params: tuple[str, str]) -> Request:
    return Request(url=f"{server.origin}/v2/people", params=params)


def body_of(response: Response) -> bytes:
    return response.body
