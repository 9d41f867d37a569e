"""The demo server as an object with its own thread."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict
from decimal import Decimal

from tap_analytics.demo import admin
from tap_analytics.demo.data import change, filled
from tap_analytics.demo.dialects import DIALECTS
from tap_analytics.demo.expected_rows import expected, streams
from tap_analytics.demo.faults import Faults
from tap_analytics.demo.messages import encode
from tap_analytics.demo.server import Server
from tap_analytics.demo.site import Site, natural_limits
from tap_analytics.demo.tap_config import DEFAULT, Credentials, tap_config

if t.TYPE_CHECKING:
    from collections import Counter
    from datetime import datetime

    from tap_analytics.demo.data.changes import Changes
    from tap_analytics.demo.faults import Fault
    from tap_analytics.demo.messages import Request, Response
    from tap_analytics.demo.request_log import LoggedRequest


class DemoApi:
    """A server for the five APIs on localhost; a context manager, or `start` and `stop`.

    Args:
        dialect: `real` like the real services, `spec` like the specifications.
        scale: Size of the dataset; 1 is about 2,200 records.
        latency: Seconds that every response takes, concurrent requests included.
        seed: Seed of the records.
        faults: Faults to inject, each a `Fault` or its JSON.
        rate_limits: True for the limits of the services, or (requests, seconds) by API name.
        empty: Streams without a single record.
        credentials: Credentials that a client must send.

    Attributes:
        dataset: The records.
        deleted: Keys of deleted records by stream, over all changes.

    Raises:
        ValueError: The dialect, a fault or a stream name is unknown.
    """

    _url = ""

    def __init__(  # noqa: PLR0913 - keyword-only, and each has a default
        self,
        *,
        dialect: str = "real",
        scale: float = 1.0,
        latency: float = 0.0,
        seed: int = 7,
        faults: t.Iterable[Fault | t.Mapping[str, t.Any]] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        credentials: Credentials = DEFAULT,
        rate_limits: bool | t.Mapping[str, tuple[int, float]] = False,
        empty: t.Collection[str] = (),
    ) -> None:
        if dialect not in DIALECTS:
            raise ValueError(f"dialect {dialect!r} is unknown; known are {', '.join(DIALECTS)}")
        self.dialect = dialect
        self.dataset = filled(seed=seed, scale=scale, empty=empty)
        self.credentials = credentials
        self.deleted: dict[str, list[t.Any]] = {}
        self._address = (host, port)
        self._limits = natural_limits(dialect) if rate_limits is True else rate_limits or {}
        self._server = Server(
            self._respond, is_private=admin.is_private, faults=Faults(faults), latency=latency
        )
        self._log = self._server.log

    def __enter__(self) -> t.Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen and respond, until `stop` or the end of the process.

        Raises `OSError` if the address is in use or not available.
        """
        self._url = self._server.bind(*self._address)
        # Responses contain the address.
        self.dataset.changed()
        self._site = Site(
            self.dataset,
            dialect=self.dialect,
            url=self._url,
            credentials=self.credentials,
            limits=self._limits,
        )
        self._server.start()

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._server.stop()

    @property
    def url(self) -> str:
        """Where the server listens, without a slash at the end."""
        if not self._url:
            raise RuntimeError("the demo API has no address yet: start it first")
        return self._url

    @property
    def config(self) -> dict[str, t.Any]:
        """Tap configuration for all five APIs of this server."""
        return tap_config(self.url, dialect=self.dialect, credentials=self.credentials)

    @property
    def streams(self) -> list[str]:
        """Names of the streams of the specifications."""
        return streams(self.dataset)

    @property
    def extra_streams(self) -> list[str]:
        """Names of the streams beyond the specifications."""
        return sorted(self.dataset.extra)

    def rows(
        self, stream: str, *, parse_float: t.Callable[[str], t.Any] = float
    ) -> list[dict[str, t.Any]]:
        """Return a copy of the expected rows of a stream such as `learning_people`.

        `parse_float` is that of `json.loads`; `Decimal` keeps every digit sent. Raises
        `KeyError` for an unknown stream.
        """
        text = self._server.between(
            lambda: encode(expected(self.dataset, stream, dialect=self.dialect))
        )
        return t.cast("list[dict[str, t.Any]]", json.loads(text, parse_float=parse_float))

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """Requests by (method, path)."""
        return self._server.between(self._log.counts.copy)

    @property
    def requests(self) -> list[LoggedRequest]:
        """The last 100,000 requests in order of arrival."""
        return self._server.between(lambda: list(self._log.requests))

    @property
    def in_flight_max(self) -> int:
        """Maximum number of requests in flight at once."""
        return self._log.in_flight_max

    def stats(self, *, with_requests: bool = False) -> dict[str, t.Any]:
        """Return the counts as JSON, without credentials."""
        return self._server.between(lambda: self._log.summary(with_requests=with_requests))

    def reset_counts(self) -> None:
        """Clear the request log, but not faults and data."""
        self._server.between(self._log.clear)

    def set_faults(self, faults: t.Iterable[Fault | t.Mapping[str, t.Any]]) -> None:
        """Replace all faults by others."""
        self._server.faults = Faults(faults)

    def mutate(self, *, at: datetime | None = None, delete: bool = False) -> dict[str, list[t.Any]]:
        """Change the data, see `data.changes`, and return the changed keys.

        `at` is the modification time, by default shortly after the newest record; raises
        `ValueError` if it is earlier than that. With `delete`, a few records are deleted too.
        """
        return self.step(at=at, delete=delete).changed

    def step(self, *, at: datetime | None = None, delete: bool = False) -> Changes:
        """Like `mutate`, but return the changed and the deleted keys."""
        changes = self._server.between(lambda: change(self.dataset, at=at, delete=delete))
        for stream, keys in changes.deleted.items():
            self.deleted.setdefault(stream, []).extend(keys)
        return changes

    def _respond(self, request: Request, now: float) -> Response:
        if admin.is_private(request):
            return admin.respond(_routes(self), request)
        return self._site.respond(request, now=now)


def _routes(demo: DemoApi) -> admin.Routes:
    def stats(request: Request, _: str) -> object:
        return demo.stats(with_requests=request.params.get("requests") == "true")

    def reset(*_: object) -> object:
        demo.reset_counts()
        return {}

    def put_faults(request: Request, _: str) -> object:
        demo.set_faults(faults := admin.faults_of(request))
        return {"faults": len(faults)}

    return {
        ("GET", "stats"): stats,
        ("GET", "rows"): lambda _, stream: demo.rows(stream, parse_float=Decimal),
        ("GET", "config"): lambda *_: demo.config,
        ("POST", "reset"): reset,
        ("POST", "faults"): put_faults,
        ("POST", "mutate"): lambda request, _: asdict(demo.step(**admin.step_of(request))),
    }
