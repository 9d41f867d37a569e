"""The addresses of a host name, within the time there is.

What looks names up has no deadline, so a thread does, and is left behind where it takes too long.
"""

from __future__ import annotations

import socket
import threading
import typing as t

from urllib3.util.connection import allowed_gai_family

if t.TYPE_CHECKING:
    from collections.abc import Callable

Addresses: t.TypeAlias = list[tuple[t.Any, ...]]


class _Lookup:
    """A name being looked up, for all who want to know it meanwhile."""

    def __init__(self, host: str, port: int) -> None:
        self._where = host, port
        self._done = threading.Event()
        self._found: Addresses | OSError = []

    def result(self, wait: Callable[[], float]) -> Addresses:
        try:
            while not self._done.wait(wait()):
                pass
        except TimeoutError as error:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer in time") from error
        if isinstance(self._found, OSError):
            raise self._found
        return self._found

    def run(self) -> None:
        try:
            self._found = _asked(*self._where)
        except OSError as error:
            self._found = error
        except UnicodeError:
            self._found = socket.gaierror(socket.EAI_NONAME, "not a host name")
        with _lock:
            del _pending[self._where]
        self._done.set()


_pending: dict[tuple[str, int], _Lookup] = {}
_lock = threading.Lock()


def addresses_of(host: str, port: int, *, wait: Callable[[], float]) -> Addresses:
    """Return what `socket.getaddrinfo` does.

    `wait` says how long the next wait may be, and raises where the time is over: a `TimeoutError`
    becomes the `socket.gaierror` of a name that isn't found.
    """
    try:
        # What is an address already takes no asking.
        return _asked(host, port, socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        return _lookup(host, port).result(wait)


def _lookup(host: str, port: int) -> _Lookup:
    with _lock:
        lookup = _pending.get((host, port))
        if lookup is None:
            lookup = _pending[host, port] = _Lookup(host, port)
            threading.Thread(target=lookup.run, name="lookup", daemon=True).start()
        return lookup


def _asked(host: str, port: int, flags: int = 0) -> Addresses:
    return socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM, 0, flags)
