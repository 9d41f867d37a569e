"""The demo server as an object: started in a thread of its own, asked, changed and stopped."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import typing as t

from tap_analytics.demo import admin
from tap_analytics.demo.config import tap_config
from tap_analytics.demo.credentials import DEFAULT, Credentials
from tap_analytics.demo.data import change, filled
from tap_analytics.demo.dialects import DIALECTS, Site, natural_limits
from tap_analytics.demo.exact import encode
from tap_analytics.demo.faults import Faults
from tap_analytics.demo.request_log import Journal
from tap_analytics.demo.rows import expected, streams
from tap_analytics.demo.server import ClientConnection, ServerState

if t.TYPE_CHECKING:
    from collections import Counter
    from datetime import datetime
    from types import TracebackType

    from tap_analytics.demo.data.changes import Changes
    from tap_analytics.demo.faults import Fault
    from tap_analytics.demo.http import Answer, Request
    from tap_analytics.demo.request_log import Asked

T = t.TypeVar("T")
BACKLOG = 512


class DemoApi:
    """The five APIs on loopback; a context manager, or `start` and `stop`.

    Args:
        dialect: `real` as the services behave, `spec` as the specs describe them.
        scale: Size of the world; 1 is about 2,200 records.
        latency: Seconds every answer takes, however many requests wait side by side.
        seed: Decides the world's content.
        faults: What goes wrong, each a `Fault` or its JSON.
        rate_limits: True for the rates the services enforce, or (requests, seconds) by API name.
        empty: Streams without a single record.
        credentials: What a client has to show.

    Attributes:
        world: The records.
        deleted: Keys of deleted records by stream, over all changes.

    Raises:
        ValueError: The dialect, a fault or a stream name is unknown.
    """

    _thread: threading.Thread | None = None
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
        self.world = filled(seed=seed, scale=scale, empty=empty)
        self.credentials = credentials
        self.deleted: dict[str, list[t.Any]] = {}
        self._address = (host, port)
        self._limits = natural_limits(dialect) if rate_limits is True else rate_limits or {}
        self._journal = Journal()
        self._exchange = ServerState(
            answer=self._answer,
            private=admin.is_private,
            journal=self._journal,
            faults=Faults(faults),
            latency=latency,
        )

    def __enter__(self) -> t.Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen and answer, until `stop` or the end of the process.

        Raises:
            OSError: The address is taken or not ours.
        """
        listener = socket.create_server(self._address, backlog=BACKLOG)
        host, port = listener.getsockname()[:2]
        self._url = f"http://{host}:{port}"
        self._site = Site(
            self.world,
            dialect=self.dialect,
            url=self._url,
            credentials=self.credentials,
            limits=self._limits,
        )
        ready = threading.Event()
        run = self._run(listener, ready)
        self._thread = threading.Thread(
            target=asyncio.run, args=(run,), name="demo-api", daemon=True
        )
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

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
        """Names of all streams."""
        return streams(self.world)

    def rows(
        self, stream: str, *, parse_float: t.Callable[[str], t.Any] = float
    ) -> list[dict[str, t.Any]]:
        """Return what a tap has to deliver for a stream, in a copy.

        Args:
            stream: Such as `learning_people`.
            parse_float: As for `json.loads`; `Decimal` shows every digit the server sends.

        Raises:
            KeyError: There is no such stream.
        """
        text = self._calmly(lambda: encode(expected(self.world, stream, dialect=self.dialect)))
        return t.cast("list[dict[str, t.Any]]", json.loads(text, parse_float=parse_float))

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """Requests by (method, path)."""
        return self._calmly(self._journal.counts.copy)

    @property
    def requests(self) -> list[Asked]:
        """The last 100,000 requests, in the order of their arrival."""
        return self._calmly(lambda: list(self._journal.requests))

    @property
    def in_flight_max(self) -> int:
        """The most requests that waited for an answer at once."""
        return self._journal.in_flight_max

    def stats(self, *, with_requests: bool = False) -> dict[str, t.Any]:
        """Return the counts as JSON, without credentials."""
        return self._calmly(lambda: self._journal.summary(with_requests=with_requests))

    def reset_counts(self) -> None:
        """Forget what was asked; faults and world stay."""
        self._calmly(self._journal.clear)

    def set_faults(self, faults: t.Iterable[Fault | t.Mapping[str, t.Any]]) -> None:
        """Put other faults in the place of all there are."""
        self._exchange.faults = Faults(faults)

    def mutate(self, *, at: datetime | None = None, delete: bool = False) -> dict[str, list[t.Any]]:
        """Let the world change by one step, see `data.changes`, and return the changed keys.

        Args:
            at: The moment the changed records bear; by default shortly after the newest of all.
            delete: Whether a few records disappear as well; `deleted` tells which.

        Raises:
            ValueError: `at` lies before the newest record.
        """
        return self.step(at=at, delete=delete).changed

    def step(self, *, at: datetime | None = None, delete: bool = False) -> Changes:
        """Do as `mutate` does, and return what was changed and what was deleted."""
        return self._calmly(lambda: self._step(at=at, delete=delete))

    def _step(self, *, at: datetime | None, delete: bool) -> Changes:
        changes = change(self.world, at=at, delete=delete)
        for stream, keys in changes.deleted.items():
            self.deleted.setdefault(stream, []).extend(keys)
        if self._url:
            self._site.forget()
        return changes

    def _answer(self, request: Request, now: float) -> Answer:
        if admin.is_private(request):
            return admin.answer(self, request)
        return self._site.answer(request, now=now)

    def _calmly(self, act: t.Callable[[], T]) -> T:
        """Act between two requests: on the server's thread while it runs."""
        if self._thread is None or threading.current_thread() is self._thread:
            return act()

        async def acting() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(acting(), self._loop).result()

    async def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await self._loop.create_server(
            lambda: ClientConnection(self._exchange, self._loop), sock=listener
        )
        ready.set()
        await self._stopping.wait()
        server.close()
        for connection in tuple(self._exchange.open):
            connection.abort()
        await server.wait_closed()
