"""Connections with one deadline for a request and its complete response.

Socket timeouts limit only the time between two reads, so a slow server could block a run. Here each
read gets the remaining time, in slices short enough to notice a stop signal.
"""

from __future__ import annotations

import functools
import io
import socket
import ssl
import threading
import time
import typing as t
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from http.client import HTTPException, HTTPResponse, parse_headers
from pathlib import Path

import requests
import requests.adapters
from typing_extensions import override
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from tap_analytics.transport.errors import Unreachable
from tap_analytics.transport.resolver import SLICE, addresses_of, connected

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.transport.request import HttpSettings

_BUFFER_BYTES = 64 * 1024
#: Interim statuses, and their maximum number.
_INTERIM = frozenset({100, *range(102, 200)})
_MOST_INTERIM = 100
#: Defects that make the parser drop the remaining headers.
_HEADERS_LOST = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect)


class _Current(threading.local):
    deadline: Deadline


_current = _Current()


class Deadline:
    """The deadline of one request; a context manager for the connections of this thread."""

    def __init__(self, http: HttpSettings, *, sent: Callable[[], None]) -> None:
        self.started = time.monotonic()
        self.sent = sent
        #: Whether the connection was used before, and no response has begun.
        self.was_idle = False
        self.responses: list[HTTPResponse] = []
        self._end = self.started + http.timeout
        self._stop = http.stop

    def __enter__(self) -> None:
        _current.deadline = self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            # The libraries leave some of them open if a response is unusable.
            for response in self.responses:
                response.close()
        del _current.deadline

    def remaining(self) -> float:
        """Return the seconds left, or raise `TimeoutError` or `Cancelled`."""
        self._stop.check()
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline of the request has passed")
        return seconds


class _Source(io.RawIOBase):
    """A file of a socket, which `http.client` also uses as the socket itself."""

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
        deadline = _current.deadline
        while True:
            self._sock.settimeout(min(deadline.remaining(), SLICE))
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                continue

    @override
    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(HTTPResponse):
    @override
    def __init__(self, sock: socket.socket, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(t.cast("socket.socket", _Source(sock)), *args, **kwargs)
        _current.deadline.responses.append(self)

    @override
    def begin(self) -> None:
        super().begin()
        defects = self.msg.defects
        if any(isinstance(defect, _HEADERS_LOST) for defect in defects):
            # A link or a total may be among the lost ones.
            raise HTTPException("headers after a malformed line")
        # Otherwise urllib3 logs them with a traceback.
        defects.clear()

    def _read_status(self) -> tuple[str, int, str]:
        """Read the final status, after interim ones."""
        for _ in range(_MOST_INTERIM):
            own: t.Any = super()
            line: tuple[str, int, str] = own._read_status()  # noqa: SLF001 - no public method reads it
            if line[1] not in _INTERIM:
                return line
            parse_headers(self.fp)
        raise HTTPException("too many interim responses")


class _Connection(HTTPConnection):
    response_class = _Response
    #: Whether a response has come over it: the server may close it while it is idle.
    _served = False

    @override
    def _new_conn(self) -> socket.socket:
        self._served = False
        # `_dns_host` is what urllib3 has subclasses use.
        host, remaining = self._dns_host.strip("[]"), _current.deadline.remaining
        try:
            found = addresses_of(host, self.port or 0, remaining=remaining)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        try:
            return connected(found, self.socket_options or (), remaining=remaining)
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    @override
    def request(self, *args: t.Any, **kwargs: t.Any) -> None:
        self.timeout = _current.deadline.remaining()
        _current.deadline.was_idle = self._served
        super().request(*args, **kwargs)

    @override
    def getresponse(self) -> t.Any:
        _current.deadline.sent()
        response = super().getresponse()
        _current.deadline.was_idle = False
        self._served = True
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class Adapter(requests.adapters.HTTPAdapter):
    """The connections to an origin, with the proxy and the CA bundle of the environment.

    `.netrc` is ignored, because it would replace the credentials of the API.
    """

    def __init__(self, name: str, origin: str, *, connections: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)
        self._name = name
        self._origin = origin

    @override
    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    @override
    def proxy_manager_for(self, proxy: str, **kwargs: t.Any) -> t.Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager

    @functools.cached_property
    def _environment(self) -> tuple[bool | str | None, dict[str, str]]:
        """The CA bundle, or whether certificates are verified, and the proxies by scheme."""
        with requests.Session() as session:
            found = session.merge_environment_settings(self._origin, {}, None, None, None)
        return found["verify"], dict(found["proxies"])

    @functools.cached_property
    def pool(self) -> HTTPConnectionPool:
        """The connections; raises `Unreachable` where the CA bundle can't be read."""
        verify, proxies = self._environment
        if self._origin.startswith("https:") and isinstance(verify, str):
            self._check_bundle(Path(verify))
        request = requests.PreparedRequest()
        request.url = self._origin
        adapter: t.Any = self
        pool = adapter.get_connection_with_tls_context(request, verify, proxies)
        adapter.cert_verify(pool, self._origin, verify, None)
        return t.cast("HTTPConnectionPool", pool)

    def url_of(self, request: requests.PreparedRequest) -> str:
        """Return the URL for the request line: the path, or for an HTTP proxy the whole URL."""
        proxies = self._environment[1]
        return self.request_url(request, proxies) if proxies else request.path_url

    def _check_bundle(self, bundle: Path) -> None:
        """Read the CA bundle, because later errors don't name the reason."""
        try:
            if bundle.is_dir():
                ssl.create_default_context(capath=bundle)
            else:
                ssl.create_default_context(cafile=bundle)
        except (OSError, ValueError):
            raise Unreachable(
                f"{self._name}: the CA bundle that the environment names can't be read",
                hint="Check the path in `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE`.",
            ) from None
