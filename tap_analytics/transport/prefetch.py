"""Prefetching of pages.

The result of a fetch is the same with and without prefetching: the same page, or the same error
after the same number of attempts.
"""

from __future__ import annotations

import threading
import typing as t
from collections import deque
from concurrent.futures import Future, wait

from tap_analytics.transport.errors import Retriable

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from tap_analytics.transport.request import Request, Response
    from tap_analytics.transport.session import Transport

T = t.TypeVar("T")

#: Seconds that an idle worker waits, and the longest wait between checks for a stop signal.
_IDLE = 1.0
_TICK = 0.05


class _Page(t.NamedTuple):
    """A page being fetched."""

    request: Request
    decode: Callable[[Response], t.Any]
    result: Future[t.Any]


class Prefetcher(t.Generic[T]):
    """Prefetches pages of one API, at most `concurrency` at a time.

    Keys are tuples whose first element is the scope, a tuple that begins with the stream.
    """

    def __init__(self, transport: Transport, *, concurrency: int) -> None:
        self._transport = transport
        self._concurrency = concurrency
        self._pages: dict[Hashable, _Page] = {}
        self._queue: deque[_Page] = deque()
        self._workers = 0
        self._idle = 0
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)

    def prefetch(self, key: Hashable, request: Request, decode: Callable[[Response], T]) -> bool:
        """Start to fetch a page; return False if it is known or too many are prefetched."""
        with self._lock:
            is_full = self._concurrency == 1 or len(self._pages) >= self._concurrency
            if is_full or key in self._pages or self._transport.http.stop.is_set:
                return False
            self._pages[key] = page = _Page(request, decode, Future())
            self._queue.append(page)
            if self._idle >= len(self._queue):
                self._work.notify()
            elif self._workers < self._concurrency:
                self._workers += 1
                threading.Thread(target=self._run, name="prefetch", daemon=True).start()
            return True

    def fetch(self, key: Hashable, request: Request, decode: Callable[[Response], T]) -> T:
        """Return a page, prefetched or not."""
        page = self._take(key)
        if page is None:
            return self._transport.fetch(request, decode)
        while not page.result.done():
            self._transport.http.stop.check()
            wait([page.result], _TICK)
        error = page.result.exception()
        if isinstance(error, Retriable):
            return self._transport.fetch(request, decode, failed=error)
        return t.cast("T", page.result.result())

    def discard(self, scope: tuple[Hashable, ...]) -> None:
        """Discard the pages of scopes with a prefix, including those in flight."""
        with self._lock:
            keys = t.cast("list[tuple[t.Any, ...]]", [*self._pages])
            for key in [key for key in keys if key[0][: len(scope)] == scope]:
                page = self._pages.pop(key)
                if page in self._queue:
                    self._queue.remove(page)

    def _take(self, key: Hashable) -> _Page | None:
        """Remove and return a page that is being fetched, or has been; None for any other."""
        with self._lock:
            page = self._pages.pop(key, None)
            if page is not None and page in self._queue:
                self._queue.remove(page)
                return None
            return page

    def _run(self) -> None:
        while (page := self._next()) is not None:
            try:
                # One attempt only, because the page may not be needed; retries are up to `fetch`.
                decoded = self._transport.attempt(page.request, page.decode)
            except BaseException as error:  # noqa: BLE001 - belongs to whoever fetches the page
                if isinstance(error, Retriable):
                    self._transport.pause_all(error, page.request)
                page.result.set_exception(error)
            else:
                page.result.set_result(decoded)

    def _next(self) -> _Page | None:
        """Return the next page to read; None after a while without any."""
        with self._lock:
            self._idle += 1
            if not self._queue:
                self._work.wait(_IDLE)
            self._idle -= 1
            if self._queue:
                return self._queue.popleft()
            self._workers -= 1
            return None
