"""Connects sockets within a deadline: resolves the host, and tries its addresses in turn.

Name resolution has no timeout, so it runs in a thread, which is abandoned if it takes too long.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import threading
import time
import typing as t
from concurrent.futures import Future, wait

from urllib3.util.connection import allowed_gai_family

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Addresses: t.TypeAlias = list[tuple[t.Any, ...]]

#: Maximum seconds between checks for a stop signal.
SLICE = 0.05
#: Lookups in progress, shared by requests for the same name.
_pending: dict[tuple[str, int], Future[Addresses]] = {}
_lock = threading.Lock()


def connected(
    addresses: Addresses, options: Iterable[tuple[t.Any, ...]], *, remaining: Callable[[], float]
) -> socket.socket:
    """Connect to the first of some addresses that answers in its share of the time.

    `remaining` returns the seconds left, and raises where there are none.
    """
    failure: OSError = OSError("the host has no address")
    for number, (kind, type_, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(kind, type_, protocol)
        try:
            for option in options:
                sock.setsockopt(*option)
            share = remaining() / (len(addresses) - number)
            _connect(sock, address, remaining, until=time.monotonic() + share)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _connect(
    sock: socket.socket, address: tuple[t.Any, ...], remaining: Callable[[], float], *, until: float
) -> None:
    sock.settimeout(0)
    code = sock.connect_ex(address)
    # Windows has a code of its own for a connection that isn't made at once.
    if code in {errno.EINPROGRESS, errno.EWOULDBLOCK}:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_WRITE)
            while not selector.select(min(remaining(), SLICE)):
                if time.monotonic() >= until:
                    raise TimeoutError("no connection in time")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    sock.settimeout(remaining())


def addresses_of(host: str, port: int, *, remaining: Callable[[], float]) -> Addresses:
    """Return what `socket.getaddrinfo` does.

    A `TimeoutError` of `remaining` becomes the `socket.gaierror` of a name that isn't found.
    """
    try:
        # A numeric address takes no lookup.
        return _query(host, port, socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        lookup = _lookup(host, port)
    try:
        while not wait([lookup], min(remaining(), SLICE)).done:
            pass
    except TimeoutError as error:
        raise socket.gaierror(socket.EAI_AGAIN, "no answer in time") from error
    return lookup.result()


def _lookup(host: str, port: int) -> Future[Addresses]:
    with _lock:
        lookup = _pending.get((host, port))
        if lookup is None:
            lookup = _pending[host, port] = Future()
            thread = threading.Thread(target=_run, args=(host, port, lookup), name="lookup")
            thread.daemon = True
            thread.start()
        return lookup


def _run(host: str, port: int, lookup: Future[Addresses]) -> None:
    try:
        found = _query(host, port)
    except OSError as error:
        lookup.set_exception(error)
    except UnicodeError:
        lookup.set_exception(socket.gaierror(socket.EAI_NONAME, "not a host name"))
    else:
        lookup.set_result(found)
    with _lock:
        del _pending[host, port]


def _query(host: str, port: int, flags: int = 0) -> Addresses:
    return socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM, 0, flags)
