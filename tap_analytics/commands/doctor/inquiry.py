"""What one stream's server is asked: three requests at most, one attempt each."""

from __future__ import annotations

import contextlib
import functools
import typing as t
from dataclasses import dataclass, replace

from tap_analytics.pagination import Page
from tap_analytics.payload import SelectorError, raise_error, select_rows
from tap_analytics.rows import DictRows, UnusableKeyError
from tap_analytics.transport.errors import Retriable

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.findings import Finding
    from tap_analytics.pagination import Query
    from tap_analytics.payload import Row
    from tap_analytics.transport.request import Request, Response

#: Requests per stream, those that fail included.
BUDGET = 3
#: Seconds; an API that asks for a longer pause is left alone instead.
PATIENCE = 60.0


class BudgetSpent(Exception):  # noqa: N818 - not an error: what is left open stays open
    """No request is left for this stream."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One page as it was answered, its rows as they are selected."""

    page: Page
    rows: list[Row]
    #: What tells the rows apart: their primary keys, else their content.
    ids: list[Hashable]
    #: Where the request was led, if it was redirected.
    led_to: str | None = None


class Inquiry:
    """One stream, in one context, and the requests that may be spent on it.

    Raises what the transport raises, and `BudgetSpent` for a request too many.
    """

    def __init__(self, stream: AnalyticsStream, *, budget: int = BUDGET) -> None:
        self.stream = stream
        self.context: Context | None = None
        #: Parameters that go along with every page: the order, and the server's own filter.
        self.extras: Query = {}
        #: Members that lead to the rows, where the stream's own selector does not.
        self.path: tuple[str, ...] | None = None
        self.spent = 0
        #: Answers that said to wait, though a later one came.
        self.throttled: list[Retriable] = []
        #: What the way to the first page has shown.
        self.findings: list[Finding] = []
        self._budget = budget
        #: Method and path of the last request, as errors name it.
        self.label = ""
        self._url: str | None = None

    @property
    def left(self) -> int:
        """The number of requests that may still be made."""
        return max(0, self._budget - self.spent)

    @property
    def limit(self) -> int | None:
        """Rows asked for per page; None where no limit is sent."""
        return self.stream.page_size if self.stream.paging.limit_param else None

    def limited(self, query: Query, rows: int) -> Query:
        """Return a query that asks for so many rows, where a limit is sent at all."""
        param = self.stream.paging.limit_param
        return {**query, param: str(rows)} if self.limit and param else query

    def ask(
        self, query: Query, *, alter: Callable[[Request], Request] = lambda request: request
    ) -> Answer:
        """Return the page a query names; one that is told to wait is asked for once more."""
        request = alter(self.stream.request(self.context, {**self.extras, **query}))
        if self._url is not None:
            request = replace(request, url=self._url)
        self.label = request.label
        while True:
            if not self.left:
                raise BudgetSpent
            self.spent += 1
            transport = self.stream.connection.transport
            try:
                return transport.attempt(request, functools.partial(self._read, query, request))
            except Retriable as error:
                if error.cause != "throttled":
                    raise
                seconds = error.retry_after or transport.policy(request).backoff_factor
                if seconds > PATIENCE or not self.left:
                    raise
                self.throttled.append(error)
                transport.hold_everybody(error, request, seconds=seconds)

    def select(self, payload: t.Any) -> list[Row]:  # noqa: ANN401 - any JSON value
        """Return the rows of a payload."""
        if payload is None:
            return []
        if self.path is not None:
            return select_rows(payload, self.path)
        return self.stream.select(payload)

    def reselect(self, answer: Answer, path: tuple[str, ...]) -> Answer:
        """Take the rows from another place, of this answer and of all that follow."""
        self.path = path
        return self._answer(answer.page, led_to=answer.led_to)

    def processed(self, rows: list[Row]) -> list[Row]:
        """Return the rows as a run would write them."""
        done = (self.stream.post_process(dict(row), self.context) for row in rows)
        kept = [row for row in done if row is not None]
        return [{**(self.context or {}), **row} for row in kept]

    def _read(self, query: Query, request: Request, response: Response) -> Answer:
        payload = self.stream.decode(response)
        page = Page(
            query=query,
            payload=payload,
            headers=response.headers,
            size=0,
            url=response.url,
        )
        led_to = None if response.url == request.url else response.url
        if led_to is not None:
            # What follows goes there at once; the detour was a request as well.
            self._url = led_to
            self.spent += 1
        return self._answer(page, led_to=led_to)

    def _answer(self, page: Page, *, led_to: str | None) -> Answer:
        try:
            rows = self.select(page.payload)
        except SelectorError:
            raise_error(page.payload, has_rows=False, label=self.stream.label)
            return Answer(page=page, rows=[], ids=[], led_to=led_to)
        raise_error(page.payload, has_rows=bool(rows), label=self.stream.label)
        page = replace(page, size=len(rows), received=len(rows))
        return Answer(page=page, rows=rows, ids=self._ids(rows), led_to=led_to)

    def _ids(self, rows: list[Row]) -> list[Hashable]:
        keys = self.stream.primary_keys
        own = [name for name in keys if name not in (self.context or {})]
        if own and all(row.get(name) is not None for row in rows for name in own):
            with contextlib.suppress(UnusableKeyError):
                return DictRows(rows).keys(own)
        return DictRows(rows).digests()
