"""Servers on loopback: one of scripted bytes, and two that answer with JSON.

A script is a list of steps, one per request in the order of arrival (the last step repeats),
or a function from the request to its step. A step is bytes, or a function that is given the
connection; it returns False to close it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import typing as t
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

from support.patience import PATIENCE

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    Step = bytes | Callable[[socket.socket], bool]
    Script = list[Step] | Callable[["Received"], Step]


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        return dict(self.pairs)


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


class InFlight:
    """Counts requests under way; after some, `together` wait for each other before any goes on.

    Fewer at a time never come to an end of the wait, and fail.
    """

    def __init__(self, together: int, *, after: int = 0) -> None:
        self.most = 0
        self._before, self._now = 0, 0
        self._waiting = range(after, after + together)
        self._together = threading.Barrier(together)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        with self._lock:
            number, self._before = self._before, self._before + 1
            self._now += 1
            self.most = max(self.most, self._now)
        if number in self._waiting:
            self._together.wait(PATIENCE)
        yield
        with self._lock:
            self._now -= 1


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


class JsonApi(ScriptedServer):
    """Answers each request with what a function makes of its query: JSON, or bytes as they are."""

    def __init__(self, answer: Callable[[dict[str, str]], t.Any]) -> None:
        super().__init__(lambda received: self._reply(answer(received.query)))

    @staticmethod
    def _reply(answered: t.Any) -> bytes:
        return (
            answered if isinstance(answered, bytes) else reply(200, json.dumps(answered).encode())
        )

    @property
    def queries(self) -> list[dict[str, str]]:
        """The queries of all requests, in the order of their arrival."""
        return [received.query for received in self.requests]

    @property
    def paths(self) -> list[str]:
        return [received.path for received in self.requests]


class PathApi(ScriptedServer):
    """Answers what `answer(path, pairs)` returns: a JSON value, (status, JSON value), or bytes.

    `pairs` is the query as a list, so that repeated parameters can be told. A float in the place
    of a value is a number of seconds to keep silent, and then hang up. Answers are made side by
    side.
    """

    #: The `Date` of answers, where it isn't the machine's.
    date: str | None = None

    def __init__(self, answer: Callable[[str, list[tuple[str, str]]], t.Any]) -> None:
        super().__init__(lambda received: lambda peer: self._send(peer, received))
        self._make = answer

    @property
    def asked(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Path and query of all requests, in the order of their arrival."""
        return [(received.path, received.pairs) for received in self.requests]

    def _send(self, connection: socket.socket, received: Received) -> bool:
        made = self._make(received.path, received.pairs)
        if isinstance(made, float):
            self.closing.wait(made)
            return False
        if isinstance(made, bytes):
            connection.sendall(made)
            return True
        status, value = made if isinstance(made, tuple) else (200, made)
        headers = {"Content_Type": "application/json", "Date": self.date or formatdate(usegmt=True)}
        connection.sendall(reply(status, json.dumps(value).encode(), **headers))
        return True

    def config(self, *resources: t.Any, auth: t.Any = None, **settings: t.Any) -> dict[str, t.Any]:
        """Return the configuration of a declared API `odd` at this address."""
        client = {"base_url": self.origin} | ({"auth": auth} if auth else {})
        entry = {
            "name": "odd",
            "client": client,
            "resource_defaults": {"primary_key": "id"},
            "resources": list(resources),
            "retry": {"backoff_factor": 0, "max_retries": 1},
        }
        return {"apis": [entry | settings]}
