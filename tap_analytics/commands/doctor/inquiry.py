"""What one stream's server is asked: pages as its own requests name them, or as a probe does."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from tap_analytics.pagination import Page
from tap_analytics.records.payload import SelectorError, raise_error
from tap_analytics.records.rows import DictRows, UnusableKeyError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.findings import Finding
    from tap_analytics.commands.doctor.recorder import Recorder
    from tap_analytics.pagination import PageToken
    from tap_analytics.records.payload import Row
    from tap_analytics.transport.request import Request, Response


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One page as it was answered, its rows as they are selected."""

    page: Page
    rows: list[Row]
    #: What tells the rows apart: their primary keys, else their content.
    ids: list[Hashable]


class Probe:
    """One stream, in one context, and what its server is asked.

    Raises what the transport raises, and `BudgetSpent` for a request too many.
    """

    def __init__(self, stream: AnalyticsStream) -> None:
        #: The stream as configured, or as a suggestion changes it.
        self.stream = stream
        self.context: Context | None = None
        #: Parameters that go along with every page: the order, and the server's own filter.
        self.extras: PageToken = {}
        #: What the way to the first page has shown.
        self.findings: list[Finding] = []
        #: Method and path of the last request, as errors name it.
        self.label = ""
        self._recorder = t.cast("Recorder", stream.connection.lookahead)

    @property
    def limit(self) -> int | None:
        """Rows asked for per page; None where no limit is sent."""
        return self.stream.page_size if self.stream.paging.limit_param else None

    def limited(self, query: PageToken, rows: int) -> PageToken:
        """Return a query that asks for so many rows, where a limit is sent at all."""
        param = self.stream.paging.limit_param
        return {**query, param: str(rows)} if self.limit and param else query

    def ask(
        self,
        query: PageToken,
        *,
        alter: Callable[[Request], Request] = lambda request: request,
        anew: bool = False,
    ) -> Answer:
        """Return the page a query names, from memory unless it is to be asked for `anew`."""
        request = alter(self.stream.endpoint(self.context).build({**self.extras, **query}))
        self.label = request.label
        return self._read(query, self._recorder.response(request, anew=anew))

    def reselect(self, answer: Answer, stream: AnalyticsStream) -> Answer:
        """Go on with a stream that selects other rows, of this answer and of all that follow."""
        self.stream = stream
        return self._answer(answer.page)

    def processed(self, rows: list[Row]) -> list[Row]:
        """Return the rows as a run would write them."""
        done = (self.stream.post_process(dict(row), self.context) for row in rows)
        kept = [row for row in done if row is not None]
        return [{**(self.context or {}), **row} for row in kept]

    def _read(self, query: PageToken, response: Response) -> Answer:
        payload = self.stream.parser.decode(response)
        page = Page(
            query=query,
            payload=payload,
            headers=response.headers,
            size=0,
            url=response.url,
        )
        return self._answer(page)

    def _answer(self, page: Page) -> Answer:
        try:
            rows = [] if page.payload is None else self.stream.select(page.payload)
        except SelectorError:
            raise_error(page.payload, has_rows=False, label=self.stream.label)
            return Answer(page=page, rows=[], ids=[])
        raise_error(page.payload, has_rows=bool(rows), label=self.stream.label)
        page = replace(page, size=len(rows), received=len(rows))
        return Answer(page=page, rows=rows, ids=self._ids(rows))

    def _ids(self, rows: list[Row]) -> list[Hashable]:
        keys = self.stream.primary_keys
        own = [name for name in keys if name not in (self.context or {})]
        if own and all(row.get(name) is not None for row in rows for name in own):
            with contextlib.suppress(UnusableKeyError):
                return DictRows(rows).keys(own)
        return DictRows(rows).digests()
