"""Answers of one API, each asked for once: what is asked again is answered from memory.

So whatever looks at a page, a probe or a run's own page reader, costs a request at most once.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict

from typing_extensions import override

from tap_analytics.transport.errors import Retriable, TransportError
from tap_analytics.transport.prefetch import Prefetcher

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from tap_analytics.transport.request import Request, Response
    from tap_analytics.transport.session import Transport

#: Requests per stream, those that fail included; where nothing is in doubt, a few are enough.
BUDGET = 20
#: Seconds; an API that asks for a longer pause is left alone instead.
PATIENCE = 60.0


class BudgetSpent(Exception):  # noqa: N818 - not an error: what is left open stays open
    """No request is left for this stream."""


class Recorder(Prefetcher[t.Any]):
    """Takes pages in place of an API's read-ahead, one attempt each."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, concurrency=1)
        #: Requests that streams may still make, by name.
        self.left: defaultdict[str, int] = defaultdict(lambda: BUDGET)
        #: Answers that said to wait, though a later one came, by stream.
        self.throttled: defaultdict[str, list[Retriable]] = defaultdict(list)
        self._answers: dict[Hashable, Response | TransportError] = {}

    @override
    def fetch(self, key: Hashable, request: Request, decode: Callable[[Response], t.Any]) -> t.Any:
        return decode(self.response(request))

    def response(self, request: Request, *, anew: bool = False) -> Response:
        """Return the answer; raises what the transport raises, and `BudgetSpent`."""
        if anew:
            return self._asked(request)
        same = (request.method, request.url, frozenset(request.params), request.json)
        key = (*same, request.headers, request.stream)
        known = self._answers.get(key)
        if known is None:
            try:
                known = self._asked(request)
            except TransportError as error:
                known = error
            self._answers[key] = known
        if isinstance(known, TransportError):
            raise known
        return known

    def _asked(self, request: Request) -> Response:
        """Send a request; one that is told to wait is sent again, twice at most."""
        for is_last in (False, False, True):
            if self.left[request.stream] <= 0:
                raise BudgetSpent
            self.left[request.stream] -= 1
            try:
                return self._transport.attempt(request, lambda response: response)
            except Retriable as error:
                if error.cause != "throttled":
                    raise
                seconds = error.retry_after or self._transport.policy(request).backoff_factor
                if is_last or seconds > PATIENCE or not self.left[request.stream]:
                    raise
                self.throttled[request.stream].append(error)
                self._transport.pause_all(error, request, seconds=seconds)
        raise AssertionError("the last attempt returns or raises")
