"""A server of scripted bytes on loopback, and a transport that talks to it.

A script is a list of steps, one per request in the order of arrival (the last step repeats),
or a function from the request to its step. A step is bytes, or a function that is given the
connection; it returns False to close it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import typing as t
from dataclasses import dataclass, replace

from tap_analytics.transport.auth import Authenticator
from tap_analytics.transport.request import HttpSettings, Request, Response
from tap_analytics.transport.retry import RetryPolicy
from tap_analytics.transport.session import Transport
from tap_analytics.transport.stop import StopSignal

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    Step = bytes | Callable[[socket.socket], bool]
    Script = list[Step] | Callable[["Received"], Step]


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def reply(status: int = 200, body: bytes = b'{"data": []}', **headers: str) -> bytes:
    """Return a whole answer; header names are written with underscores."""
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(location: str, *, status: int = 302) -> bytes:
    return reply(status, b"", Location=location)


def cut(part: bytes) -> Step:
    """Send only `part`, then close."""

    def step(connection: socket.socket) -> bool:
        connection.sendall(part)
        return False

    return step


def reset(part: bytes = b"") -> Step:
    """Send `part`, then reset the connection."""

    def step(connection: socket.socket) -> bool:
        connection.sendall(part)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return step


def full_listener():
    """Return a listener whose backlog is full, so that further connections hang."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    clients = []
    for _ in range(4):
        client = socket.socket()
        client.settimeout(0.05)
        client.connect_ex(listener.getsockname())
        clients.append(client)
    return listener, clients


class ScriptedServer:
    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.closing = threading.Event()
        self._script = script
        self._tls = tls
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.address[1]}"

    def __enter__(self) -> t.Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        # Wakes the thread in accept(), which closing alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def drip(self, data: bytes) -> Step:
        """Send byte by byte, slowly, for as long as the server is up."""

        def step(connection: socket.socket) -> bool:
            for byte in data:
                connection.sendall(bytes([byte]))
                if self.closing.wait(0.02):
                    break
            return True

        return step

    def hang(self, connection: socket.socket) -> bool:
        """Never answer."""
        self.closing.wait()
        return False

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            with connection, connection.makefile("rb") as stream:
                while (received := _read(stream)) and self._answer(connection, received):
                    pass

    def _answer(self, connection: socket.socket, received: Received) -> bool:
        with self._lock:
            self.requests.append(received)
            if callable(self._script):
                step = self._script(received)
            else:
                step = self._script[min(len(self.requests), len(self._script)) - 1]
        if callable(step):
            return step(connection)
        connection.sendall(step)
        return True


def _read(stream: t.BinaryIO) -> Received | None:
    line = stream.readline()
    if not line:
        return None
    method, target, _ = line.decode().split()
    headers = {}
    while (line := stream.readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Received(method, target, headers, stream.read(int(headers.get("content-length", 0))))


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


def signed(request: Request) -> Request:
    others = tuple(header for header in request.headers if header[0] != "X-Api-Key")
    return replace(request, headers=(*others, ("X-Api-Key", "swordfish-4711")))


class Signing(Authenticator):
    """Credentials made of two functions."""

    def __init__(self, sign: Callable[[Request], Request], renew: Callable[[], bool]) -> None:
        self._sign, self._renew = sign, renew

    def __call__(self, request: Request) -> Request:
        return self._sign(request)

    def secrets(self) -> tuple[str, ...]:
        return ()

    def renew(self) -> bool:
        return self._renew()


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
