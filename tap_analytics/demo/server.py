"""The HTTP/1.1 server: keep-alive, and responses that are delayed, cut or slow on purpose."""

from __future__ import annotations

import asyncio
import functools
import socket
import struct
import threading
import typing as t
from dataclasses import replace
from email.utils import formatdate

from tap_analytics.demo.faults import Faults, altered
from tap_analytics.demo.messages import MAX_HEAD, Malformed, Request, Response, read_head
from tap_analytics.demo.request_log import RequestLog

if t.TYPE_CHECKING:
    from tap_analytics.demo.faults import Fault

T = t.TypeVar("T")
END_OF_HEAD = b"\r\n\r\n"
MAX_BODY = 1_000_000
#: Writes per second of a `drip` response, unless its rate is below a byte per write.
DROPS = 20


class Server:
    """Serves connections in its own thread.

    `respond` gets a request and its time of arrival by the clock of the loop. Private requests, for
    the demo itself, are neither logged nor affected by faults.
    """

    _thread: threading.Thread | None = None

    def __init__(
        self,
        respond: t.Callable[[Request, float], Response],
        *,
        is_private: t.Callable[[Request], bool],
        faults: Faults,
        latency: float,
    ) -> None:
        self.respond = respond
        self.is_private = is_private
        self.faults = faults
        self.latency = latency
        self.log = RequestLog()
        self.open: set[asyncio.StreamWriter] = set()

    def bind(self, host: str, port: int) -> str:
        """Bind an address and return its URL; raises `OSError` if it is in use or not available."""
        self._listener = socket.create_server((host, port))
        host, port = self._listener.getsockname()[:2]
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Start to serve."""
        ready = threading.Event()
        target = functools.partial(asyncio.run, self._run(ready))
        self._thread = threading.Thread(target=target, name="demo-api", daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

    def between(self, act: t.Callable[[], T]) -> T:
        """Call a function between two requests, in the thread of the server if it runs."""
        if self._thread is None or threading.current_thread() is self._thread:
            return act()

        async def acting() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(acting(), self._loop).result()

    async def _run(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(
            lambda reader, writer: _Connection(self, reader, writer).serve(),
            sock=self._listener,
            limit=MAX_HEAD,
        )
        ready.set()
        await self._stopping.wait()
        server.close()
        for writer in tuple(self.open):
            writer.transport.abort()
        await server.wait_closed()


class _Connection:
    """Reads requests in sequence, and responds to each before the next."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer

    async def serve(self) -> None:
        self._server.open.add(self._writer)
        try:
            while request := await self._read():
                await self._respond(request)
                if not request.keep_alive or self._writer.is_closing():
                    break
        except Malformed as mistake:
            body = {"error": str(mistake)}
            self._write(Response.json(body, status=mistake.status, headers={"Connection": "close"}))
        except (asyncio.CancelledError, asyncio.IncompleteReadError, OSError):
            # Closed by the client or the server.
            pass
        finally:
            self._server.open.discard(self._writer)
            self._writer.close()

    async def _read(self) -> Request | None:
        try:
            head = await self._reader.readuntil(END_OF_HEAD)
        except asyncio.LimitOverrunError:
            raise Malformed("the request's head doesn't end", status=431) from None
        request = read_head(head.removesuffix(END_OF_HEAD))
        if request.body_size > MAX_BODY:
            raise Malformed("the request's body is too large", status=413)
        body = await self._reader.readexactly(request.body_size)
        return replace(request, body=body) if body else request

    async def _respond(self, request: Request) -> None:
        server, now = self._server, asyncio.get_running_loop().time()
        response = server.respond(request, now)
        upto = 0 if request.method == "HEAD" else None
        if server.is_private(request):
            self._write(response, upto=upto)
            return
        fault = server.faults.due(request)
        if fault:
            response = altered(fault, request=request, response=response)
        is_silent = fault is not None and fault.action in {"reset", "hang"}
        server.log.begin(request, at=now, status=0 if is_silent else response.status)
        try:
            if server.latency:
                await asyncio.sleep(server.latency)
            if fault is None or not await self._disturb(fault, response):
                self._write(response, upto=upto)
        finally:
            server.log.in_flight -= 1

    def _write(self, response: Response, *, upto: int | None = None) -> None:
        """Write a response, or a part of its body."""
        date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        self._put(b"".join((response.status_line, date, response.head, response.body[:upto])))

    def _put(self, data: bytes) -> None:
        self._server.log.bytes_sent += len(data)
        self._writer.write(data)

    async def _disturb(self, fault: Fault, response: Response) -> bool:
        """Send a response with a fault; return whether nothing more is to be sent."""
        if fault.action == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault.action == "hang":
            await self._reader.read()
        elif fault.action == "drip":
            rate = fault.size or DROPS
            step = max(1, rate // DROPS)
            self._write(response, upto=0)
            for start in range(0, len(response.body), step):
                self._put(response.body[start : start + step])
                await asyncio.sleep(step / rate)
        elif fault.action in {"cut", "reset_mid"}:
            self._write(response, upto=fault.part(response.body))
        if fault.action in {"cut", "hang"}:
            self._writer.close()
        elif fault.action in {"reset", "reset_mid"}:
            self._reset()
        return fault.action in {"drip", "cut", "hang", "reset", "reset_mid"}

    def _reset(self) -> None:
        # A linger time of 0 makes the kernel send a reset instead of a FIN.
        peer: socket.socket = self._writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
