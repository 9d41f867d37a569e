"""The least a tap can do: fetch, decode and write RECORD lines, with urllib3 and orjson.

    python bare_loop.py BASE_URL offset|cursor PAGE_SIZE [THREADS]

No schema, no state, no selection, no check: what it takes is what no tap in Python can undercut
by much. With threads it is told the total and asks for all pages by itself.
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import orjson
import urllib3

HEAD = b'{"type":"RECORD","stream":"items","record":'


def emit(rows: list[dict[str, object]]) -> None:
    """Write a page in one go."""
    lines = b"}\n".join(HEAD + orjson.dumps(row) for row in rows)
    sys.stdout.buffer.write(lines + b"}\n")
    sys.stdout.buffer.flush()


def serial(base: str, shape: str, size: int) -> None:
    """Read one page after the other."""
    pool = urllib3.PoolManager()
    position: str | int | None = 0
    while position is not None:
        url = f"{base}/{shape}?limit={size}&{shape}={position}"
        page = orjson.loads(pool.request("GET", url).data)
        emit(page["data"])
        if shape == "cursor":
            position = page["next"]
        else:
            position = int(position) + size
            if position >= page["total"]:
                position = None


def threaded(base: str, size: int, threads: int) -> None:
    """Read pages on threads and write them in order; there is always a page for an idle thread."""
    pool = urllib3.PoolManager(maxsize=threads)

    def fetch(start: int) -> dict[str, object]:
        url = f"{base}/offset?limit={size}&offset={start}"
        return orjson.loads(pool.request("GET", url).data)

    first = fetch(0)
    emit(first["data"])
    with ThreadPoolExecutor(threads) as executor:
        window: deque[Future[dict[str, object]]] = deque()
        for start in range(size, first["total"], size):
            window.append(executor.submit(fetch, start))
            if len(window) >= 2 * threads:
                emit(window.popleft().result()["data"])
        for future in window:
            emit(future.result()["data"])


if __name__ == "__main__":
    base, shape, size, *rest = sys.argv[1:]
    if rest:
        threaded(base, int(size), int(rest[0]))
    else:
        serial(base, shape, int(size))
