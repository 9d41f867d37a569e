"""Requests of the checks of one stream: single pages, or the first pages as a run reads them.

Responses are cached, so that a page costs one request.
"""

from __future__ import annotations

import contextlib
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field, fields, replace

from typing_extensions import override

from tap_analytics.commands.doctor.findings import merged
from tap_analytics.config.declarations.paginators import PAGINATORS, declared_at
from tap_analytics.errors import PaginationError
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.pagination.fetcher import PageFetcher
from tap_analytics.records.rows import DictRows, MissingKeyError
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.streams.scope import open_bookmark, open_reader
from tap_analytics.transport.errors import BudgetSpent, Cancelled, Retriable, TransportError
from tap_analytics.transport.prefetch import Prefetcher

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination import PageToken, PagingStrategy, StopReason
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.pagination.reader import PageReader
    from tap_analytics.records.rows import Row
    from tap_analytics.transport.request import Request, Response
    from tap_analytics.transport.session import Transport

#: Maximum number of requests per stream, failed ones included; most streams need a few.
BUDGET = 20
#: Seconds; an API that requests a longer pause isn't checked.
MAX_PAUSE = 60.0
#: Maximum number of pages with rows that a trial reads.
PAGES = 2
_WORST_FIRST = (Verdict.SHORT, Verdict.UNVERIFIED, Verdict.CONSISTENT, Verdict.VERIFIED)


class Recorder(Prefetcher[t.Any]):
    """Replaces the prefetcher of an API: sends each request once and caches the response."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, concurrency=1)
        #: Remaining requests by stream name.
        self.remaining: defaultdict[str, int] = defaultdict(lambda: BUDGET)
        #: The last 429 of each stream, if a later attempt succeeded.
        self.throttled: dict[str, Retriable] = {}
        self._cache: dict[Hashable, Response | TransportError] = {}

    @override
    def fetch(self, key: Hashable, request: Request, decode: Callable[[Response], t.Any]) -> t.Any:
        return decode(self.response(request))

    def response(self, request: Request) -> Response:
        """Return the response; raises errors of the transport, and `BudgetSpent`."""
        key = _cache_key(request)
        if key not in self._cache:
            try:
                self._cache[key] = self._send(request)
            except TransportError as error:
                self._cache[key] = error
        cached = self._cache[key]
        if isinstance(cached, TransportError):
            raise cached
        return cached

    def evict(self, request: Request) -> None:
        """Remove a response from the cache."""
        self._cache.pop(_cache_key(request), None)

    def _send(self, request: Request) -> Response:
        """Send a request; retry at most twice if it is throttled."""
        stream = request.stream
        for is_last in (False, False, True):
            if self.remaining[stream] <= 0:
                raise BudgetSpent
            self.remaining[stream] -= 1
            try:
                return self._transport.attempt(request, lambda response: response)
            except Retriable as error:
                seconds = error.retry_after or self._transport.policy(request).backoff_factor
                is_final = is_last or seconds > MAX_PAUSE or not self.remaining[stream]
                if error.cause != "throttled" or is_final:
                    raise
                self.throttled[stream] = error
                self._transport.pause_all(error, request)
        raise AssertionError("the last attempt returns or raises")


class Trial:
    """Reads the first pages of a stream as a run does, with the same verdicts."""

    def __init__(self, reader: PageReader) -> None:
        #: Rows and row keys of each page that has rows.
        self.rows: list[list[Row]] = []
        self.keys: list[list[Hashable]] = []
        self.error: Exception | None = None
        self._reader = reader
        self._paginator = reader.paginator
        pages = t.cast("Generator[DictRows]", iter(reader))
        try:
            with contextlib.closing(pages), contextlib.suppress(BudgetSpent):
                self._read(pages)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - a run would fail with it too
            self.error = error

    def _read(self, pages: Iterator[DictRows]) -> None:
        for page in pages:
            if page:
                self.rows.append(page.dicts)
                self.keys.append(list(self._reader.distinct_keys))
            is_open = self._paginator.end is None and self._paginator.confirming is None
            if is_open and len(self.rows) >= PAGES:
                return

    @property
    def end(self) -> StopReason | None:
        """Why the stream ended, if it did."""
        return None if self.error else self._paginator.end

    @property
    def verdict(self) -> Verdict:
        """The verdict of a run, as far as pages were read."""
        if self.end is not None:
            return self._reader.finding().verdict
        return Verdict.UNVERIFIED if self.missing else Verdict.CONSISTENT

    @property
    def missing(self) -> str:
        """The evidence missing for a good verdict."""
        found = self._reader.finding().missing if self.end else self._reader.guard.standing_doubt()
        return found or ""

    @property
    def seen(self) -> int:
        """The number of distinct rows."""
        return len({key for page in self.keys for key in page})

    @property
    def repeated(self) -> int:
        """The number of rows with a repeated primary key."""
        has_key = self._reader.endpoint.primary_keys
        return sum(map(len, self.keys)) - self.seen if has_key else 0

    @property
    def repeats_token(self) -> bool:
        """Whether the token of the next page is the current one."""
        return self.end is None and self._paginator.current_value == self._paginator.token

    @property
    def is_good(self) -> bool:
        """Whether a run would neither fail nor be of doubtful completeness."""
        return not (self.error or self.repeated or self.missing or self.repeats_token)

    @property
    def advances(self) -> bool:
        """Whether the second page has other rows than the first."""
        return len(self.keys) > 1 and not set(self.keys[1]) <= set(self.keys[0])

    @property
    def repeats_page(self) -> bool:
        """Whether the second page has the rows of the first."""
        return not self.advances and (len(self.keys) > 1 or isinstance(self.error, PaginationError))

    @property
    def rank(self) -> int:
        """A number that is higher for a better verdict."""
        fails = self.error or self.repeated or self.repeats_token
        return -1 if fails else _WORST_FIRST.index(self.verdict)

    @property
    def reach(self) -> int:
        """The number of distinct rows, not counting the overlap of pages as lost rows."""
        return self.seen + (0 if self.end or self.error else self._paginator.seen.overlap)

    def is_no_worse(self, other: Trial) -> bool:
        """Whether verdict and number of rows are at least as good."""
        return self.rank >= other.rank and self.reach >= other.reach


def _cache_key(request: Request) -> Hashable:
    params = frozenset(request.params)
    return (request.stream, request.method, request.url, params, request.body, request.headers)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Requests pages of a stream in one context, with its own or other settings.

    Raises errors of the transport, and `BudgetSpent`.
    """

    #: The stream as configured.
    origin: AnalyticsStream
    #: The stream with other settings of its resource.
    stream: AnalyticsStream
    #: Keys merged into the declaration of the resource.
    resource: Mapping[str, t.Any] = field(default_factory=dict)
    context: Context | None = None
    #: Parameters of every page: the order, and the filter by bookmark.
    extras: PageToken = field(default_factory=dict)

    @property
    def recorder(self) -> Recorder:
        """The cached responses of the API."""
        return t.cast("Recorder", self.origin.connection.prefetcher)

    @property
    def limit(self) -> int | None:
        """Rows requested per page; None if no limit is sent."""
        return self.stream.page_size if self.stream.paging.limit_param else None

    # --- single pages -------------------------------------------------------------------------

    def fetch(
        self, token: PageToken, *, rows: int | None = None, uncached: bool = False
    ) -> FetchedPage:
        """Return a page, from the cache unless `uncached`; `rows` overrides the limit.

        The page is empty if the selector finds no rows.
        """
        param = self.stream.paging.limit_param
        limit: PageToken = {param: str(rows)} if rows and self.limit and param else {}
        endpoint = replace(self.stream.endpoint(self.context), parse=self._parse)
        if uncached:
            self.recorder.evict(endpoint.build({**self.extras, **token}))
        extras = {**self.extras, **limit}
        try:
            return PageFetcher(endpoint=endpoint, sorting=extras).fetch(token)
        except MissingKeyError:
            endpoint = replace(endpoint, primary_keys=())
            return PageFetcher(endpoint=endpoint, sorting=extras).fetch(token)

    def _parse(self, response: Response) -> tuple[t.Any, list[Row]]:
        try:
            return self.stream.parser.parse(response)
        except PaginationError:
            return self.stream.parser.decode(response), []

    def attempt(self, token: PageToken, *, rows: int | None = None) -> FetchedPage | None:
        """Return a page; None if the request fails or no request is left."""
        try:
            return self.fetch(token, rows=rows)
        except (TransportError, BudgetSpent):
            return None

    def processed(self, rows: list[Row]) -> list[Row]:
        """Return rows as a run would write them."""
        return self.stream.endpoint(self.context, self.extras).process_copy(DictRows(rows))

    # --- other settings -------------------------------------------------------------------------

    def changed(
        self,
        resource: Mapping[str, t.Any] | None = None,
        paginator: Mapping[str, t.Any] | None = None,
    ) -> Probe | None:
        """Return a probe with keys merged into the declaration; None if the result is invalid."""
        changes = merged(self.resource, resource or {})
        if not paginator:
            return self._redeclared(changes)
        declared = self._paginator(paginator)
        found = self._redeclared(merged(changes, {"endpoint": {"paginator": declared}}))
        if found is None and "limit" not in paginator:
            # The limit may be in `params` already, and must not be repeated.
            declared.pop("limit", None)
            found = self._redeclared(merged(changes, {"endpoint": {"paginator": declared}}))
        return found

    def _redeclared(self, resource: Mapping[str, t.Any]) -> Probe | None:
        origin = self.origin
        if not isinstance(origin, DeclaredStream):
            return None
        [api] = [entry for entry in origin.config["apis"] if entry["name"] == origin.api]
        resources = [{"name": origin.resource.name, **resource}]
        stream = origin.redeclared(merged(api, {"resources": resources}))
        return None if stream is None else replace(self, stream=stream, resource=resource)

    def _paginator(self, change: Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the paginator with keys merged into it; another type keeps only the limit."""
        now = declaration_of(self.stream.paging)
        kind = change.get("type", now["type"])
        if kind != now["type"]:
            now = {key: now[key] for key in ("limit", "limit_param") if key in now}
        return {"type": kind, **now, **change}

    # --- the first pages ----------------------------------------------------------------------

    def trial(self) -> Trial:
        """Read the first pages as a run reads them; the stream stays as it is."""
        bookmark = None if self.origin.child_streams else open_bookmark(self.stream)
        return Trial(open_reader(self.stream, self.context, bookmark=bookmark))


def declaration_of(paging: PagingStrategy) -> dict[str, t.Any]:
    """Return the declaration of a paginator, without defaults."""
    kind, own = next(
        (kind, each.fields)
        for base in type(paging).__mro__
        for kind, each in PAGINATORS.items()
        if each.makes is base
    )
    defaults = {each.name: each.default for each in fields(type(paging))}
    keys = [key for key in own if key in defaults]
    given = {key: getattr(paging, key) for key in keys}
    declared: dict[str, t.Any] = {"type": kind}
    for name, value in given.items():
        if value != defaults[name]:
            is_param = name.endswith("_param") and value is not None
            declared |= declared_at(name, value) if is_param else {name: value}
    return declared
