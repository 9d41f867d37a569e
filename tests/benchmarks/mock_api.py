"""A mock API that is never the bottleneck: rows encoded once, pages served from memory.

    python mock_api.py --rows 200000 --latency 0.1

prints its port and serves, each row under `data`: `/offset` with a total and `/offset-no-total`,
`/pages` numbered from 1, `/links` the same with a link to the next page, `/cursor` and `/s<N>` with
as many cursor streams as are asked for, `/parents` and the two rows of `/parents/<id>/children`.
`/_stats` tells how many requests there were and how many were open at once, at most, since it was
last asked.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import sys
import typing as t
from urllib.parse import parse_qsl

from dataset import child, row

STATS = "/_stats"


def response(body: str) -> bytes:
    """Return a whole HTTP response."""
    encoded = body.encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:"
    return f"{head} {len(encoded)}\r\n\r\n".encode() + encoded


def encode(value: object) -> str:
    """Encode as compactly as most APIs do."""
    return json.dumps(value, separators=(",", ":"))


class Api:
    """Everything that can be asked for."""

    def __init__(self, rows: int) -> None:
        self.count = rows
        self.encoded = [encode(row(number)) for number in range(rows)]

    def answer(self, path: str, query: dict[str, str]) -> bytes:
        """Answer a request."""
        if path.endswith("/children"):
            return self.children(int(path.split("/")[2]))
        limit = int(query.get("limit", 100))
        if path == "/pages":
            return self.page((int(query.get("page", 1)) - 1) * limit, limit, "")
        if path == "/links":
            number = int(query.get("page", 1))
            more = number * limit < self.count
            link = f'"next":"/links?page={number + 1}"' if more else ""
            return self.page((number - 1) * limit, limit, f',"links":{{{link}}}')
        if path.startswith(("/cursor", "/s")):
            start = int(query.get("cursor", 0))
            following = f'"{start + limit}"' if start + limit < self.count else "null"
            return self.page(start, limit, f',"next":{following}')
        total = "" if path == "/offset-no-total" else f',"total":{self.count}'
        return self.page(int(query.get("offset", 0)), limit, total)

    @functools.cache  # noqa: B019 - lives as long as the process
    def page(self, start: int, size: int, tail: str) -> bytes:
        """Return a page of rows; `tail` is what stands beside them."""
        return response(f'{{"data":[{",".join(self.encoded[start : start + size])}]{tail}}}')

    @functools.cache  # noqa: B019 - lives as long as the process
    def children(self, parent: int) -> bytes:
        """Return the one page below a parent."""
        return response(encode({"data": [child(2 * parent), child(2 * parent + 1)]}))


class ApiConnection(asyncio.Protocol):
    """One keep-alive connection."""

    api: t.ClassVar[Api]
    latency: t.ClassVar[float]
    requests: t.ClassVar[int] = 0
    open: t.ClassVar[int] = 0
    most_open: t.ClassVar[int] = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = t.cast("asyncio.Transport", transport)
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while b"\r\n\r\n" in self.rest:
            head, self.rest = self.rest.split(b"\r\n\r\n", 1)
            path, _, query = head.split(b" ", 2)[1].decode().partition("?")
            if path == STATS:
                self.transport.write(self.stats())
            else:
                self.receive(path, dict(parse_qsl(query)))

    def receive(self, path: str, query: dict[str, str]) -> None:
        cls = ApiConnection
        cls.requests += 1
        cls.open += 1
        cls.most_open = max(cls.most_open, cls.open)
        answer = self.api.answer(path, query)
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self.send, answer)
        else:
            self.send(answer)

    def send(self, answer: bytes) -> None:
        ApiConnection.open -= 1
        self.transport.write(answer)

    @staticmethod
    def stats() -> bytes:
        told = response(
            encode({"requests": ApiConnection.requests, "most_open": ApiConnection.most_open})
        )
        ApiConnection.requests = ApiConnection.most_open = 0
        return told


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    options = parser.parse_args()
    ApiConnection.api = Api(options.rows)
    ApiConnection.latency = options.latency
    server = await asyncio.get_running_loop().create_server(
        ApiConnection, "127.0.0.1", options.port
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
