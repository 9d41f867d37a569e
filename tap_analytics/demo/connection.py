"""One connection of the demo: HTTP/1.1 kept alive, answers sent whole, late, in drops or never.

What a fault does to the sending is done here.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import typing as t
from dataclasses import dataclass, field, replace
from email.utils import formatdate

from tap_analytics.demo.faults import ON_THE_WIRE, Faults, altered
from tap_analytics.demo.messages import MAX_HEAD, Answer, Malformed, Request, read_head

if t.TYPE_CHECKING:
    from tap_analytics.demo.faults import Fault
    from tap_analytics.demo.request_log import RequestLog

END_OF_HEAD = b"\r\n\r\n"
MAX_BODY = 1_000_000
#: Drops per second of a dripping answer, unless it drips slower than a byte per drop.
DROPS = 20


@dataclass(kw_only=True)
class ServerState:
    """What all connections of a server share."""

    #: Answers a request that arrived at a moment of the loop's clock.
    answer: t.Callable[[Request, float], Answer]
    #: Whether a request is about the demo itself: those are not counted and don't fail.
    is_private: t.Callable[[Request], bool]
    log: RequestLog
    faults: Faults
    latency: float = 0.0
    open: set[ClientConnection] = field(default_factory=set)


class ClientConnection(asyncio.Protocol):
    """Takes requests one after the other and answers each before it looks at the next."""

    def __init__(self, state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        self._state = state
        self._loop = loop
        self._received = b""
        self._request: Request | None = None
        self._counted = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = t.cast("asyncio.Transport", transport)
        self._state.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop passes it
        """End, whatever was under way."""
        self._state.open.discard(self)
        if self._timer:
            self._timer.cancel()
        self._end_request()

    def data_received(self, data: bytes) -> None:
        """Take what came; a request under way is finished first."""
        self._received += data
        self._advance()

    def abort(self) -> None:
        """Drop the connection without another word."""
        self._transport.abort()

    def _advance(self) -> None:
        try:
            while self._request is None and not self._transport.is_closing():
                if (request := self._take()) is None:
                    return
                self._serve(request)
        except Malformed as mistake:
            body = {"error": str(mistake)}
            self._write(Answer.json(body, status=mistake.status, headers={"Connection": "close"}))
            self._transport.close()

    def _take(self) -> Request | None:
        """Take a whole request from what was received, if there is one."""
        head, end, rest = self._received.partition(END_OF_HEAD)
        if not end:
            if len(head) > MAX_HEAD:
                raise Malformed("the request's head doesn't end", status=431)
            return None
        request = read_head(head)
        if request.body_size > MAX_BODY:
            raise Malformed("the request's body is too large", status=413)
        if len(rest) < request.body_size:
            return None
        body, self._received = rest[: request.body_size], rest[request.body_size :]
        return replace(request, body=body) if body else request

    def _serve(self, request: Request) -> None:
        state, now = self._state, self._loop.time()
        answer = state.answer(request, now)
        self._request = request
        if state.is_private(request):
            self._send(answer)
            return
        fault = state.faults.due(request)
        if fault:
            answer = altered(fault, request=request, answer=answer)
        silent = fault is not None and fault.action in {"reset", "hang"}
        self._counted = True
        state.log.begin(request, at=now, status=0 if silent else answer.status)

        def send() -> None:
            if fault and fault.action in ON_THE_WIRE:
                self._disturb(fault, answer)
            else:
                self._send(answer)

        if state.latency > 0:
            self._later(state.latency, send)
        else:
            send()

    def _send(self, answer: Answer) -> None:
        is_head = self._request is not None and self._request.method == "HEAD"
        self._write(answer, upto=0 if is_head else None)
        self._finish()

    def _write(self, answer: Answer, *, upto: int | None = None) -> None:
        """Write an answer, or only so many bytes of its body."""
        date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        self._put(b"".join((answer.status_line, date, answer.head, answer.body[:upto])))

    def _put(self, data: bytes) -> None:
        self._state.log.bytes_sent += len(data)
        self._transport.write(data)

    def _finish(self) -> None:
        """Be ready for the next request, or close where the client asked for it."""
        keep_alive = self._request is None or self._request.keep_alive
        self._end_request()
        if not keep_alive:
            self._transport.close()

    def _end_request(self) -> None:
        self._request = None
        self._state.log.in_flight -= self._counted
        self._counted = False

    def _later(self, seconds: float, act: t.Callable[[], None]) -> None:
        def then() -> None:
            act()
            self._advance()

        self._timer = self._loop.call_later(seconds, then)

    def _disturb(self, fault: Fault, answer: Answer) -> None:
        """Send an answer the way that a fault prescribes; one that hangs is never sent."""
        part = fault.part(answer.body)
        if fault.action == "delay":
            self._later(fault.seconds, lambda: self._send(answer))
        elif fault.action == "cut":
            self._write(answer, upto=part)
            self._transport.close()
        elif fault.action == "drip":
            rate = fault.size or DROPS
            step = max(1, rate // DROPS)
            self._write(answer, upto=0)
            self._drip(answer.body, step=step, pause=step / rate)
        elif fault.action == "reset_mid":
            self._write(answer, upto=part)
            self._reset()
        elif fault.action == "reset":
            self._reset()

    def _reset(self) -> None:
        # Lingering for no time at all makes the kernel send a reset instead of a proper end.
        peer: socket.socket = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _drip(self, left: bytes, *, step: int, pause: float) -> None:
        if not left:
            self._finish()
            return
        self._put(left[:step])
        self._later(pause, lambda: self._drip(left[step:], step=step, pause=pause))
