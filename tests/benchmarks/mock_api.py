"""A mock API that is never the bottleneck: pages encoded once, served from memory.

    python mock_api.py --rows 200000 --page 1000 --latency 0.1

prints its port and serves `/offset` (offset and limit, with and without a total), `/pages`
(page numbers from 1), `/cursor` and `/s<N>` (as many cursor streams as asked), `/parents` and
`/parents/<id>/children`; `/_stats` tells requests and the maximum in flight.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
from urllib.parse import parse_qs


def row(number: int) -> dict[str, object]:
    """Return a record of about 600 bytes: nested, with a list, dates and decimals."""
    return {
        "id": number,
        "name": f"Customer {number} of the northern district",
        "email": f"customer.{number}@example.com",
        "status": ("active", "churned", "trial")[number % 3],
        "created_at": f"2023-0{number % 9 + 1}-1{number % 9}T08:{number % 60:02d}:00Z",
        "updated_at": f"2024-0{number % 9 + 1}-2{number % 9}T18:{number % 60:02d}:30.{number % 1000:03d}Z",
        "mrr": number % 9973 + 0.25,
        "score": round(number % 1000 / 7, 4),
        "seats": number % 50,
        "owner": {"id": f"u-{number % 97}", "name": "Saskia Brandt", "active": True},
        "tags": ["north", "pilot", f"t{number % 10}"],
        "items": [
            {"sku": f"A-{number % 100}", "quantity": number % 7, "price": 12.5},
            {"sku": f"B-{number % 100}", "quantity": number % 5, "price": 3.75},
        ],
        "address": {"street": "Havenstraat 12", "city": "Rotterdam", "zip": "3011 AA"},
        "note": None,
        "external_id": f"ext-{number:08d}",
    }


class Pages:
    """The encoded rows, and pages cut from them."""

    def __init__(self, rows: int) -> None:
        self.count = rows
        self.encoded = [json.dumps(row(number), separators=(",", ":")) for number in range(rows)]

    @functools.cache  # noqa: B019 - lives as long as the process
    def page(self, start: int, size: int, tail: str) -> bytes:
        body = f'{{"data":[{",".join(self.encoded[start : start + size])}]{tail}}}'.encode()
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    pages: Pages
    latency: float
    stats = {"requests": 0, "in_flight": 0, "max_in_flight": 0}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while b"\r\n\r\n" in self.rest:
            head, self.rest = self.rest.split(b"\r\n\r\n", 1)
            target = head.split(b" ", 2)[1].decode()
            stats = self.stats
            stats["requests"] += target != "/_stats"
            stats["in_flight"] += 1
            stats["max_in_flight"] = max(stats["max_in_flight"], stats["in_flight"])
            answer = self.answer(target)
            if self.latency and target != "/_stats":
                asyncio.get_running_loop().call_later(self.latency, self.send, answer)
            else:
                self.send(answer)

    def send(self, answer: bytes) -> None:
        self.stats["in_flight"] -= 1
        self.transport.write(answer)  # type: ignore[attr-defined]

    def answer(self, target: str) -> bytes:
        path, _, query = target.partition("?")
        given = {name: values[0] for name, values in parse_qs(query).items()}
        limit = int(given.get("limit", 100))
        count = self.pages.count
        if path == "/_stats":
            body = json.dumps(self.stats).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        if path.endswith("/children"):
            parent = int(path.split("/")[2])
            return self.pages.page(parent, 2, ',"total":2')
        if path == "/pages":
            start = (int(given.get("page", 1)) - 1) * limit
            return self.pages.page(start, limit, "")
        start = int(given.get("offset", given.get("cursor", 0)))
        if path.startswith(("/cursor", "/s")):
            following = start + limit
            tail = f',"next":"{following}"' if following < count else ',"next":null'
            return self.pages.page(start, limit, tail)
        tail = "" if path == "/offset-no-total" else f',"total":{count}'
        return self.pages.page(start, limit, tail)


async def serve() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    Connection.pages = Pages(options.rows)
    Connection.latency = options.latency
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", options.port)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the caller reads it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
