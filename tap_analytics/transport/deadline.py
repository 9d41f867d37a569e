"""Connections on which one deadline holds for a whole exchange, and on which a stop is heeded.

Sockets know only the time between two reads, so a server that drips bytes could hang a run.
Here each read gets what is left of the exchange's time, in slices short enough to notice a stop.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import socket
import threading
import time
import typing as t
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from http.client import HTTPException, HTTPResponse, parse_headers

import requests
import requests.adapters
from typing_extensions import override
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from tap_analytics.transport.resolver import addresses_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_analytics.transport.settings import HttpSettings

#: The longest wait on a socket that does not look for a stop, in seconds.
_SLICE = 0.05
_BUFFER_BYTES = 64 * 1024
#: Statuses that another one follows, and how often they may before it is taken for a flood.
_INTERIM = frozenset({100, *range(102, 200)})
_MOST_INTERIM = 100
#: Defects of a header that cost those behind it.
_HEADERS_LOST = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect)


class DeadlinePassed(TimeoutError):  # noqa: N818 - what happened, in the words of its users
    """The exchange has taken longer than it may."""


class Deadline:
    """One request and its answer, as the connection that carries it sees them."""

    def __init__(self, http: HttpSettings, *, sent: Callable[[], None]) -> None:
        self.started = time.monotonic()
        self.sent = sent
        self.answers: list[HTTPResponse] = []
        #: Whether it goes over a connection that served another, and nothing has come yet.
        self.was_idle = False
        self._end = self.started + http.timeout
        self._stop = http.stop

    def remaining(self) -> float:
        """Return the seconds left, or raise `DeadlinePassed` or `Cancelled`."""
        self._stop.check()
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise DeadlinePassed("the deadline of the exchange has passed")
        return seconds

    def slice(self) -> float:
        """Return the seconds the next wait may take."""
        return min(self.remaining(), _SLICE)

    def abandon(self) -> None:
        """Close what the libraries forget where an answer turns out to be unusable."""
        for answer in self.answers:
            answer.close()


class _Current(threading.local):
    exchange: Deadline


_current = _Current()


@contextlib.contextmanager
def carrying(exchange: Deadline) -> Iterator[None]:
    """Let the connections this thread uses obey `exchange`."""
    _current.exchange = exchange
    try:
        yield
    except BaseException:
        exchange.abandon()
        raise
    finally:
        del _current.exchange


class _Source(io.RawIOBase):
    """The bytes of a socket; also what `http.client` takes for the socket itself."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        # Counted by the socket: it stays open until this file is closed.
        self._file = sock.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, _BUFFER_BYTES)

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: t.Any) -> int:
        exchange = _current.exchange
        while True:
            self._sock.settimeout(exchange.slice())
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                continue

    @override
    def close(self) -> None:
        self._file.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        source = t.cast("socket.socket", _Source(sock))
        super().__init__(source, debuglevel, method=method, url=url)
        _current.exchange.answers.append(self)

    @override
    def begin(self) -> None:
        super().begin()
        defects = self.msg.defects
        if any(isinstance(defect, _HEADERS_LOST) for defect in defects):
            # A link or a total may be among them, and nobody would miss it.
            raise HTTPException("headers behind a line that is none")
        # Else urllib3 would log them, with a traceback.
        defects.clear()

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status of the answer itself, behind any that only announce it."""
        for _ in range(_MOST_INTERIM):
            own: t.Any = super()
            line: tuple[str, int, str] = own._read_status()  # noqa: SLF001 - the only place there is
            if line[1] not in _INTERIM:
                return line
            parse_headers(self.fp)
        raise HTTPException("no answer behind all that announce one")


class _Plain(HTTPConnection):
    response_class = _Answer
    #: Whether an answer has come over it: whoever serves it may close it while it is idle.
    _served = False

    @override
    def _new_conn(self) -> socket.socket:
        self._served = False
        return _connected(self)

    @override
    def request(self, *args: t.Any, **kwargs: t.Any) -> None:
        self.timeout = _current.exchange.remaining()
        _current.exchange.was_idle = self._served
        super().request(*args, **kwargs)

    @override
    def getresponse(self) -> t.Any:
        _current.exchange.sent()
        answer = super().getresponse()
        _current.exchange.was_idle = False
        self._served = True
        return answer


class _Encrypted(_Plain, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


class Adapter(requests.adapters.HTTPAdapter):
    """Sends to one origin: what depends only on the origin is worked out once."""

    def __init__(self, *, connections: int) -> None:
        self._pool: t.Any = None
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)

    @override
    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _use_our_connections(self.poolmanager)

    @override
    def proxy_manager_for(self, proxy: str, **kwargs: t.Any) -> t.Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            _use_our_connections(manager)
        return manager

    @override
    def send(self, request: t.Any, *args: t.Any, **settings: t.Any) -> requests.Response:
        """Send a request; raises what `requests` raises, and from the second on what urllib3 does.

        The first one finds the way, proxies and certificates included; without a proxy, nothing
        has to be looked up again.
        """
        if self._pool is None or settings.get("proxies"):
            return super().send(request, *args, **settings)
        answer = self._pool.urlopen(
            request.method,
            request.path_url,
            body=request.body,
            headers=request.headers,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            retries=self.max_retries,
            timeout=settings["timeout"],
        )
        return self.build_response(request, answer)

    @override
    def get_connection_with_tls_context(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    @override
    def build_response(self, req: t.Any, resp: t.Any) -> requests.Response:
        """Carry the raw answer, which is all that is asked for: no cookies, no encoding."""
        response = requests.Response()
        response.status_code = resp.status
        response.raw = resp
        return response

    @override
    def close(self) -> None:
        self._pool = None
        super().close()

    @override
    def request_url(self, request: t.Any, proxies: t.Any) -> str:
        return super().request_url(request, proxies) if proxies else request.path_url


def _use_our_connections(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}


def _connected(connection: HTTPConnection) -> socket.socket:
    """Connect to the first of the host's addresses that answers in its share of the time."""
    host = connection._dns_host.strip("[]")  # noqa: SLF001 - urllib3's own name for subclasses
    try:
        found = addresses_of(host, connection.port or 0, wait=_current.exchange.slice)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    failure: OSError = OSError("the host has no address")
    for number, (kind, type_, protocol, _, address) in enumerate(found):
        sock = socket.socket(kind, type_, protocol)
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            _connect(sock, address=address, share=1 / (len(found) - number))
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise NewConnectionError(connection, str(failure)) from failure


def _connect(sock: socket.socket, *, address: tuple[t.Any, ...], share: float) -> None:
    exchange = _current.exchange
    end = time.monotonic() + exchange.remaining() * share
    sock.settimeout(0)
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        writable = select.poll()
        writable.register(sock, select.POLLOUT)
        while not writable.poll(exchange.slice() * 1000):
            if time.monotonic() >= end:
                raise DeadlinePassed("no connection in time")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    sock.settimeout(exchange.remaining())
