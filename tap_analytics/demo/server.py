"""One connection of the demo: HTTP/1.1 kept alive, answers sent whole, late, in drops or never.

A request's bytes are read once: the same head, sent again, is found in a dictionary, and the
answer to it is bytes already. What a fault does to the sending is a method here.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import typing as t
from dataclasses import dataclass, field, replace
from email.utils import formatdate

from tap_analytics.demo.faults import ON_THE_WIRE, Faults, altered
from tap_analytics.demo.http import MAX_HEAD, Answer, Malformed, Request, read_head

if t.TYPE_CHECKING:
    from tap_analytics.demo.faults import Fault
    from tap_analytics.demo.request_log import Journal

END_OF_HEAD = b"\r\n\r\n"
MAX_BODY = 1_000_000
#: Heads remembered; a client that sends more different ones has them read again.
KEPT = 20_000
#: Drops per second of a dripping answer, unless it drips slower than a byte per drop.
DROPS = 20


@dataclass(kw_only=True)
class ServerState:
    """What all connections of a server share."""

    #: Answers a request that arrived at a moment of the loop's clock.
    answer: t.Callable[[Request, float], Answer]
    #: Whether a request is about the demo itself: those are not counted and don't fail.
    private: t.Callable[[Request], bool]
    journal: Journal
    faults: Faults
    latency: float = 0.0
    heads: dict[bytes, Request] = field(default_factory=dict)
    open: set[ClientConnection] = field(default_factory=set)

    def read(self, block: bytes) -> Request:
        """Read a head, or remember having read it."""
        if (request := self.heads.get(block)) is None:
            request = read_head(block)
            if len(self.heads) >= KEPT:
                self.heads.clear()
            self.heads[block] = request
        return request


class ClientConnection(asyncio.Protocol):
    """Takes requests one after the other and answers each before it looks at the next."""

    def __init__(self, exchange: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        self._exchange = exchange
        self._loop = loop
        self._received = b""
        self._request: Request | None = None
        self._counted = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = t.cast("asyncio.Transport", transport)
        self._exchange.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop passes it
        """End, whatever was under way."""
        self._exchange.open.discard(self)
        if self._timer:
            self._timer.cancel()
        self._leave()

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
        end = self._received.find(END_OF_HEAD)
        if end < 0:
            if len(self._received) > MAX_HEAD:
                raise Malformed("the request's head doesn't end", status=431)
            return None
        request = self._exchange.read(self._received[:end])
        start = end + len(END_OF_HEAD)
        stop = start + request.body_size
        if request.body_size > MAX_BODY:
            raise Malformed("the request's body is too large", status=413)
        if len(self._received) < stop:
            return None
        body, self._received = self._received[start:stop], self._received[stop:]
        return replace(request, body=body) if body else request

    def _serve(self, request: Request) -> None:
        exchange = self._exchange
        now = self._loop.time()
        answer = exchange.answer(request, now)
        self._request = request
        if exchange.private(request):
            self._send(answer)
            return
        fault = exchange.faults.due(request) if exchange.faults else None
        if fault:
            answer = altered(fault, request=request, answer=answer)
        silent = fault is not None and fault.action in {"reset", "hang"}
        self._counted = True
        exchange.journal.arrived(request, at=now, status=0 if silent else answer.status)
        spoiled = fault is not None and fault.action in ON_THE_WIRE
        send = self._spoiled(fault) if fault and spoiled else self._send
        if exchange.latency > 0:
            self._later(exchange.latency, lambda: send(answer))
        else:
            send(answer)

    def _send(self, answer: Answer) -> None:
        bodiless = self._request is not None and self._request.method == "HEAD"
        self._write(answer, upto=0 if bodiless else None)
        self._finish()

    def _write(self, answer: Answer, *, upto: int | None = None) -> None:
        """Write an answer, or only so many bytes of its body."""
        rest = answer.rest
        if upto is not None:
            rest = rest[: len(rest) - len(answer.body) + upto]
        data = b"".join((answer.status_line, _date_line(), rest))
        self._exchange.journal.bytes_sent += len(data)
        self._transport.write(data)

    def _finish(self) -> None:
        """Be ready for the next request, or close where the client asked for it."""
        keep_alive = self._request is None or self._request.keep_alive
        self._leave()
        if not keep_alive:
            self._transport.close()

    def _leave(self) -> None:
        self._request = None
        if self._counted:
            self._counted = False
            self._exchange.journal.left()

    def _later(self, seconds: float, act: t.Callable[[], None]) -> None:
        def then() -> None:
            act()
            self._advance()

        self._timer = self._loop.call_later(seconds, then)

    def _spoiled(self, fault: Fault) -> t.Callable[[Answer], None]:
        """Return the way of sending that a fault prescribes."""
        ways: dict[str, t.Callable[[Answer], None]] = {
            "delay": lambda answer: self._later(fault.seconds, lambda: self._send(answer)),
            "cut": lambda answer: self._cut(answer, upto=fault.part(answer.body)),
            "reset": lambda _: self._reset(),
            "reset_mid": lambda answer: self._reset_mid(answer, upto=fault.part(answer.body)),
            "drip": lambda answer: self._drip(answer, rate=fault.size or DROPS),
            "hang": lambda _: None,
        }
        return ways[fault.action]

    def _cut(self, answer: Answer, *, upto: int) -> None:
        self._write(answer, upto=upto)
        self._transport.close()

    def _reset_mid(self, answer: Answer, *, upto: int) -> None:
        self._write(answer, upto=upto)
        self._reset()

    def _reset(self) -> None:
        # Lingering for no time at all makes the kernel send a reset instead of a proper end.
        peer: socket.socket = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _drip(self, answer: Answer, *, rate: int) -> None:
        self._write(answer, upto=0)
        self._drop(answer.body, step=max(1, rate // DROPS), pause=max(1, rate // DROPS) / rate)

    def _drop(self, left: bytes, *, step: int, pause: float) -> None:
        if not left:
            self._finish()
            return
        self._transport.write(left[:step])
        self._exchange.journal.bytes_sent += len(left[:step])
        self._later(pause, lambda: self._drop(left[step:], step=step, pause=pause))


def _date_line() -> bytes:
    return f"Date: {formatdate(usegmt=True)}\r\n".encode()
