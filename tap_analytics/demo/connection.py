"""One connection: HTTP/1.1 kept alive, responses sent whole, late, in drops or never."""

from __future__ import annotations

import asyncio
import socket
import struct
import typing as t
from dataclasses import dataclass, field, replace
from email.utils import formatdate

from tap_analytics.demo.faults import Faults, altered
from tap_analytics.demo.messages import MAX_HEAD, Malformed, Request, Response, read_head

if t.TYPE_CHECKING:
    from tap_analytics.demo.faults import Fault
    from tap_analytics.demo.request_log import RequestLog

END_OF_HEAD = b"\r\n\r\n"
MAX_BODY = 1_000_000
#: Drops per second of a dripping response, unless it drips slower than a byte per drop.
DROPS = 20


@dataclass(kw_only=True)
class ServerState:
    """What all connections of a server share."""

    #: Responds to a request that arrived at a moment of the loop's clock.
    respond: t.Callable[[Request, float], Response]
    #: Whether a request is about the demo itself: those are not counted and don't fail.
    is_private: t.Callable[[Request], bool]
    log: RequestLog
    faults: Faults
    latency: float = 0.0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def listen(self, listener: socket.socket) -> asyncio.Server:
        """Serve all connections to a socket."""
        return await asyncio.start_server(
            lambda reader, writer: _Connection(self, reader, writer).serve(),
            sock=listener,
            limit=MAX_HEAD,
        )


class _Connection:
    """Takes requests one after the other and responds to each before it looks at the next."""

    def __init__(
        self, state: ServerState, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._state = state
        self._reader = reader
        self._writer = writer

    async def serve(self) -> None:
        self._state.open.add(self._writer)
        try:
            while request := await self._read():
                await self._respond(request)
                if not request.keep_alive or self._writer.is_closing():
                    break
        except Malformed as mistake:
            body = {"error": str(mistake)}
            self._write(Response.json(body, status=mistake.status, headers={"Connection": "close"}))
        except (asyncio.CancelledError, asyncio.IncompleteReadError, OSError):
            # The client or the server has ended.
            pass
        finally:
            self._state.open.discard(self._writer)
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
        state, now = self._state, asyncio.get_running_loop().time()
        response = state.respond(request, now)
        upto = 0 if request.method == "HEAD" else None
        if state.is_private(request):
            self._write(response, upto=upto)
            return
        fault = state.faults.due(request)
        if fault:
            response = altered(fault, request=request, response=response)
        is_silent = fault is not None and fault.action in {"reset", "hang"}
        state.log.begin(request, at=now, status=0 if is_silent else response.status)
        try:
            if state.latency:
                await asyncio.sleep(state.latency)
            if fault is None or not await self._disturb(fault, response):
                self._write(response, upto=upto)
        finally:
            state.log.in_flight -= 1

    def _write(self, response: Response, *, upto: int | None = None) -> None:
        """Write a response, or only so many bytes of its body."""
        date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        self._put(b"".join((response.status_line, date, response.head, response.body[:upto])))

    def _put(self, data: bytes) -> None:
        self._state.log.bytes_sent += len(data)
        self._writer.write(data)

    async def _disturb(self, fault: Fault, response: Response) -> bool:
        """Send a response the way that a fault prescribes; return whether it is done with."""
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
        # Lingering for no time at all makes the kernel send a reset instead of a proper end.
        peer: socket.socket = self._writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
