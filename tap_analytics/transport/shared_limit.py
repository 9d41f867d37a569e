"""One limit of requests for all processes that use a token, kept in Redis or PostgreSQL.

pyrate-limiter spaces the requests by the time of the next one, which the store keeps. The pause
that a 429 asks one process for is kept beside it.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
import typing as t
from abc import ABC, abstractmethod
from importlib.util import find_spec

from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg_pool import ConnectionPool
    from pyrate_limiter import Rate, StateBucket
    from pyrate_limiter.abstracts import Decision, StateStore

    from tap_analytics.transport.request import HttpSettings, RateLimitStore

#: The part of a second by which the time from a grant to the arrival of its request may differ, and
#: the seconds of them by which an answer of the store may come later than they usually do.
MARGIN = 0.07
FRESH = 0.03
#: Parts of a second over which requests are spread.
STEPS = 50
#: Seconds for which a look at the pause of all processes is good.
PAUSE_CHECK = 0.1
#: Seconds after which a store that doesn't answer counts as gone.
TIMEOUT = 5
#: Seconds until another try, at least.
SOON = 0.01

#: Makes a key last so many milliseconds, if it would expire earlier.
_PROLONG = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], 1, 'PX', ARGV[1])
end
"""

_TABLE = "tap_analytics_rate_limits"
_CREATE = f"""
CREATE TABLE IF NOT EXISTS {_TABLE} (
    name text PRIMARY KEY,
    next bigint NOT NULL,
    paused_until timestamptz
)
"""
_ADD = f"INSERT INTO {_TABLE} VALUES (%s, 0, NULL) ON CONFLICT DO NOTHING"  # noqa: S608 - a constant
_READ = f"SELECT next FROM {_TABLE} WHERE name = %s"  # noqa: S608 - a constant
_LOCK = f"{_READ} FOR UPDATE"
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_WRITE = f"UPDATE {_TABLE} SET next = %s WHERE name = %s"  # noqa: S608 - a constant
_PAUSED = f"""
SELECT extract(epoch FROM paused_until - clock_timestamp()) FROM {_TABLE} WHERE name = %s
"""  # noqa: S608 - a constant
_PAUSE = f"""
UPDATE {_TABLE} SET paused_until =
    greatest(paused_until, clock_timestamp() + make_interval(secs => %s))
WHERE name = %s
"""  # noqa: S608 - a constant


class RateStore(ABC):
    """Spaces the requests of all processes, and holds their pause; raises its client's errors."""

    bucket: StateBucket
    #: Seconds that the store took lately: what it always takes moves all requests alike.
    _usual = 0.0

    @abstractmethod
    def __init__(self, url: str, name: str, rate: Rate) -> None:
        """Open the store for the limit of that name."""

    @abstractmethod
    def now(self) -> int:
        """Return the milliseconds since 1970 by the clock of the store."""

    def take(self) -> float:
        """Count a request and return 0, or return the seconds until there is room for one."""
        from pyrate_limiter import RateItem  # noqa: PLC0415 - an extra

        began = time.monotonic()
        item = RateItem("request", self.now())
        if not self.bucket.put(item):
            return max(SOON, t.cast("int", self.bucket.waiting(item)) / 1000)
        took, usual = time.monotonic() - began, self._usual
        self._usual = (usual + took) / 2
        # A request that is sent much later than it is counted meets those that follow.
        return SOON if took > usual + FRESH else 0.0

    @abstractmethod
    def paused_for(self) -> float:
        """Return the remaining seconds of the pause."""

    @abstractmethod
    def pause(self, seconds: float) -> None:
        """Make the pause last so many seconds from now, if it would end earlier."""


class RedisStore(RateStore):
    """A store in Redis; keys expire on their own."""

    @override
    def __init__(self, url: str, name: str, rate: Rate) -> None:
        import redis  # noqa: PLC0415 - an extra
        from pyrate_limiter import RedisStateStore, StateBucket  # noqa: PLC0415 - an extra

        self._client = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
        )
        self.bucket = StateBucket([rate], store=RedisStateStore(self._client, f"{name}:next"))
        self._pause = f"{name}:pause"

    @override
    def now(self) -> int:
        seconds, microseconds = self._client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    @override
    def paused_for(self) -> float:
        return max(0, self._client.pttl(self._pause)) / 1000

    @override
    def pause(self, seconds: float) -> None:
        self._client.eval(_PROLONG, 1, self._pause, math.ceil(seconds * 1000))


class PostgresStore(RateStore):
    """A store in PostgreSQL: a row for each limit in the table `tap_analytics_rate_limits`."""

    @override
    def __init__(self, url: str, name: str, rate: Rate) -> None:
        from psycopg_pool import ConnectionPool  # noqa: PLC0415 - an extra
        from pyrate_limiter import StateBucket  # noqa: PLC0415 - an extra

        options = {"connect_timeout": TIMEOUT, "options": f"-c statement_timeout={TIMEOUT}s"}
        self._pool = ConnectionPool(
            url, min_size=1, max_size=2, timeout=TIMEOUT, kwargs=options, open=True
        )
        self._name = name
        with self._pool.connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [_TABLE])
            connection.execute(_CREATE)
            connection.execute(_ADD, [name])
        self.bucket = StateBucket([rate], store=_state_in(self._pool, name))

    @override
    def now(self) -> int:
        # The state is read with the time by which it counts.
        return 0

    @override
    def paused_for(self) -> float:
        with self._pool.connection() as connection:
            row = connection.execute(_PAUSED, [self._name]).fetchone()
        return max(0.0, float((row and row[0]) or 0))

    @override
    def pause(self, seconds: float) -> None:
        with self._pool.connection() as connection:
            connection.execute(_PAUSE, [seconds, self._name])


def _state_in(pool: ConnectionPool, name: str) -> StateStore:
    """Return the state of a limit in a row, which is locked while a request is counted."""
    from pyrate_limiter import WallClock  # noqa: PLC0415 - an extra
    from pyrate_limiter.abstracts import StateStore  # noqa: PLC0415 - an extra

    class RowState(StateStore):
        is_async = False
        default_clock = WallClock()

        @override
        def check(self, algorithm: t.Any, rates: list[Rate], now: int, weight: int) -> Decision:
            with pool.connection() as connection:
                state = connection.execute(_LOCK, [name]).fetchone()
                ((now,),) = connection.execute(_NOW).fetchall()
                state, decision = algorithm.step(rates, state, now, weight)
                connection.execute(_WRITE, [*state, name])
            return t.cast("Decision", decision)

        @override
        def read(self, algorithm: t.Any, rates: list[Rate]) -> tuple[float, ...]:
            with pool.connection() as connection:
                return connection.execute(_READ, [name]).fetchone() or algorithm.initial(rates)

        @override
        def reset(self) -> None:
            with pool.connection() as connection:
                connection.execute(_WRITE, [0, name])

    return RowState()


STORES: dict[str, type[RateStore]] = {
    "redis": RedisStore,
    "rediss": RedisStore,
    "postgres": PostgresStore,
    "postgresql": PostgresStore,
}


#: Extras with the packages of a store, and these.
_EXTRAS = {
    RedisStore: ("redis", ("pyrate_limiter", "redis")),
    PostgresStore: ("postgres", ("pyrate_limiter", "psycopg_pool")),
}


def store_problems(url: str | None) -> list[str]:
    """Return what keeps a store from being used: packages that are not installed."""
    store = STORES.get((url or "").partition(":")[0])
    if store is None:
        return []
    extra, packages = _EXTRAS[store]
    if all(find_spec(package) for package in packages):
        return []
    return [f"`rate_limit_store` needs packages: install `tap-analytics[{extra}]`."]


class SharedLimit:
    """The limit of an API that several processes share, as one of them uses it.

    If the store can't be used, `lost` is called once, and nothing is limited here any more.
    """

    def __init__(
        self, http: HttpSettings, store: RateLimitStore, *, lost: Callable[[Exception], None]
    ) -> None:
        origin = hashlib.blake2b(http.base_url.encode(), digest_size=6).hexdigest()
        self._url = store.url
        self._name = f"tap_analytics:{origin}{store.credentials}"
        self._rate = http.requests_per_second
        self._lost = lost
        self._is_lost = False
        self._store: RateStore | None = None
        self._checked = self._paused_until = -math.inf
        #: One thread of a process asks at a time: the others would only be refused as well.
        self._turn = threading.Lock()

    def take(self) -> float:
        """Count a request and return 0, or return the seconds until it may be tried again."""
        if self._is_lost:
            return 0.0
        if not self._turn.acquire(blocking=False):
            return SOON
        try:
            store = self._open()
            if (paused := self._paused_for(store)) > 0:
                return paused
            return store.take() if self._rate else 0.0
        except Exception as error:  # noqa: BLE001 - each client has errors of its own
            self._lose(error)
            return 0.0
        finally:
            self._turn.release()

    def pause(self, seconds: float) -> None:
        """Let no process send a request for so many seconds."""
        if self._is_lost:
            return
        try:
            with self._turn:
                self._open().pause(seconds)
        except Exception as error:  # noqa: BLE001 - each client has errors of its own
            self._lose(error)

    def _open(self) -> RateStore:
        if self._store is None:
            scheme = self._url.partition(":")[0]
            self._store = STORES[scheme](self._url, self._name, _spaced(self._rate or 1))
        return self._store

    def _paused_for(self, store: RateStore) -> float:
        now = time.monotonic()
        if now - self._checked >= PAUSE_CHECK:
            self._paused_until, self._checked = now + store.paused_for(), now
        return max(0.0, self._paused_until - now)

    def _lose(self, error: Exception) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._lost(error)


def _spaced(requests_per_second: float) -> Rate:
    """Return a rate at which requests are spread over the second.

    One that arrives late then meets few that come after it.
    """
    from pyrate_limiter import Rate  # noqa: PLC0415 - an extra

    limit = max(1, math.ceil(requests_per_second))
    interval = math.ceil(1000 * (1 + MARGIN) * limit / requests_per_second)
    return Rate(limit, interval, burst=max(1, limit // STEPS))
