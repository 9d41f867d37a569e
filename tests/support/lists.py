"""Servers of lists by tens: answers to queries, and children below the rows of a list."""

from __future__ import annotations

import json
import typing as t

from support.servers import Received, ScriptedServer, reply

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    Row = dict[str, t.Any]
    Answer = Callable[[dict[str, str]], dict[str, t.Any]]

LIMIT = 10
SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "at": {"type": "string"}},
}


def rows_of(count: int) -> list[Row]:
    return [{"id": number, "at": f"2024-01-{1 + number % 28:02d}"} for number in range(count)]


def by_offset(rows: Sequence[Row], *, total: bool = True) -> Answer:
    def answer(query: dict[str, str]) -> dict[str, t.Any]:
        start = int(query["offset"])
        body: dict[str, t.Any] = {"data": rows[start : start + LIMIT]}
        return body | ({"total": len(rows)} if total else {})

    return answer


def by_cursor(rows: Sequence[Row]) -> Answer:
    def answer(query: dict[str, str]) -> dict[str, t.Any]:
        start = int(query.get("cursor", 0))
        following = str(start + LIMIT) if start + LIMIT < len(rows) else None
        return {"data": rows[start : start + LIMIT], "cursors": {"next": following}}

    return answer


def family(
    parents: int, below: Callable[[int], int], *, deleted: Collection[int] = ()
) -> ScriptedServer:
    """Serve pages of parents at `/items`, and as many children of each as `below` returns."""

    def answer(received: Received) -> bytes:
        if received.path == "/items":
            found = by_offset(rows_of(parents))(received.query)
        else:
            parent = int(received.path.split("/")[2])
            if parent in deleted:
                return reply(404)
            first = sum(map(below, range(parent)))
            found = {"data": [{"id": first + number} for number in range(below(parent))]}
        return reply(200, json.dumps(found).encode())

    return ScriptedServer(answer)
