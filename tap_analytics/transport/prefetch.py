"""Pages read before they are needed: a cache that may be cold, wrong about the future, or full.

Speculation never decides: whoever takes a page names its request, and gets the same page,
or the same error after the same number of attempts, whether it was read ahead or not.
"""

from __future__ import annotations

import threading
import typing as t
from collections import deque

from tap_analytics.transport.errors import Retriable

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from tap_analytics.transport.request import Request, Response
    from tap_analytics.transport.session import Transport

T = t.TypeVar("T")

#: How long a worker without work stays, and the longest wait that does not look for a stop.
_IDLE = 1.0
_TICK = 0.05


class _Page(t.Generic[T]):
    """A page on its way."""

    def __init__(self, request: Request, decode: Callable[[Response], T]) -> None:
        self.request = request
        self.decode = decode
        self.is_done = False
        self.error: BaseException | None = None
        self.value: T | None = None


class Prefetcher(t.Generic[T]):
    """Reads pages of one API ahead, at most `concurrency` of them at a time.

    Keys are tuples whose first element is the owner, a tuple that begins with the stream.
    """

    def __init__(self, transport: Transport, *, concurrency: int) -> None:
        self._transport = transport
        self._concurrency = concurrency
        self._pages: dict[Hashable, _Page[T]] = {}
        self._queue: deque[_Page[T]] = deque()
        self._workers = 0
        self._idle = 0
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._arrival = threading.Condition(self._lock)

    def prefetch(self, key: Hashable, request: Request, decode: Callable[[Response], T]) -> bool:
        """Start to read a page; False if it is known already or there is no room."""
        with self._lock:
            is_full = self._concurrency == 1 or len(self._pages) >= self._concurrency
            if is_full or key in self._pages or self._transport.stop.is_set:
                return False
            self._pages[key] = page = _Page(request, decode)
            self._queue.append(page)
            if self._idle >= len(self._queue):
                self._work.notify()
            elif self._workers < self._concurrency:
                self._workers += 1
                threading.Thread(target=self._run, name="lookahead", daemon=True).start()
            return True

    def fetch(self, key: Hashable, request: Request, decode: Callable[[Response], T]) -> T:
        """Return the page that is needed now, read ahead or not."""
        page = self._arrived(key)
        if page is None:
            return self._transport.fetch(request, decode)
        if isinstance(page.error, Retriable):
            return self._transport.fetch(request, decode, failed=page.error)
        if page.error is not None:
            raise page.error
        return t.cast("T", page.value)

    def discard(self, owner: tuple[Hashable, ...]) -> None:
        """Forget the pages of owners that begin so, those in flight included."""
        with self._lock:
            keys = t.cast("list[tuple[t.Any, ...]]", [*self._pages])
            for key in [key for key in keys if key[0][: len(owner)] == owner]:
                page = self._pages.pop(key)
                if page in self._queue:
                    self._queue.remove(page)

    def _arrived(self, key: Hashable) -> _Page[T] | None:
        """Wait for a page under way; None where nobody has begun to read it."""
        with self._lock:
            page = self._pages.pop(key, None)
            if page is not None and page in self._queue:
                self._queue.remove(page)
                return None
            while page is not None and not page.is_done:
                self._transport.stop.check()
                self._arrival.wait(_TICK)
            return page

    def _run(self) -> None:
        while (page := self._next()) is not None:
            self._read(page)
            with self._lock:
                page.is_done = True
                self._arrival.notify_all()

    def _next(self) -> _Page[T] | None:
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

    def _read(self, page: _Page[T]) -> None:
        """Make the page's first attempt, the only one a page not needed yet is worth."""
        try:
            page.value = self._transport.attempt(page.request, page.decode)
        except Retriable as error:
            page.error = error
            seconds = error.retry_after or self._transport.policy(page.request).backoff_factor
            self._transport.pause_all(error, page.request, seconds=seconds)
        except BaseException as error:  # noqa: BLE001 - belongs to whoever takes the page
            page.error = error
