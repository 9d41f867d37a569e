"""A walk over the pages of one endpoint, in the order the server gives, each page proven.

The next page is asked for before this one is handed on, and pages that can be named are read
ahead. What was read ahead only warms a cache: the paginator, reading responses in order, says
which page comes next, so the rows are the same at any concurrency.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, replace
from itertools import islice

from singer_sdk.streams.core import Stream

from tap_analytics.completeness import PaginationError, Proof
from tap_analytics.pagination import End, Page, whole_number
from tap_analytics.payload import SelectorError, raise_error
from tap_analytics.resume import digest
from tap_analytics.rows import DictRows, StructRows
from tap_analytics.seam import Joint, Seam
from tap_analytics.transport.errors import Missing, Rejected
from tap_analytics.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.completeness import Verdict
    from tap_analytics.incremental import NewestFirst
    from tap_analytics.pagination import Offset, Query
    from tap_analytics.resume import Position
    from tap_analytics.rows import Codec, Row, Rows
    from tap_analytics.transport.request import Request, Response


#: Pages the reader goes back, at most, to find rows that moved past it.
STEPS_BACK = 8


@dataclass(slots=True, kw_only=True)
class Fetched:
    """A page as it came off the wire: decoded once, in the thread that fetched it."""

    page: Page
    rows: Rows
    #: The rows' primary keys; where they have none, one that stands for the page.
    keys: Sequence[Hashable]

    def keep(self, flags: Sequence[bool]) -> Fetched:
        """Return the page with the rows whose flag is set; the others had arrived before."""
        kept = [key for key, flag in zip(self.keys, flags, strict=True) if flag]
        page = replace(self.page, size=len(kept))
        return Fetched(page=page, rows=self.rows.keep(flags), keys=kept)


#: A page, and which of its rows are new where not all are.
Joined = tuple[Fetched, list[bool] | None]


class Walk:
    """Iterates over the pages of an endpoint: a list of processed rows for each.

    `window` holds the parameters of the server's own filter; they are dropped, with a warning,
    where the server refuses them. `order` says when rows that come newest first have passed the
    bookmark. Raises `PaginationError`, `SelectorError` and the transport's errors.
    """

    def __init__(  # noqa: PLR0913 - what a run decides, each by its name
        self,
        stream: AnalyticsStream,
        context: Context | None,
        *,
        window: Query | None = None,
        order: NewestFirst | None = None,
        sorting: Query | None = None,
        codec: Codec | None = None,
    ) -> None:
        self.stream = stream
        self.context = context
        self.window = window or {}
        self.order = order
        self.sorting = sorting or {}
        #: Decodes pages without building their rows, for streams that pass rows on as they are.
        self.codec = codec
        self.owner: tuple[Hashable, ...] = (stream.name, *(context or {}).values())
        self.paginator = stream.get_new_paginator()
        self.paginator.seen.asked = stream.page_size
        self.proof = Proof(
            paginator=self.paginator,
            label=stream.label,
            keyed=bool(stream.primary_keys),
        )
        joins = self.proof.keyed and stream.paging.overlaps
        self.seam = Seam(t.cast("Offset", stream.paging).offset_param) if joins else None
        self._lookahead = stream.connection.lookahead
        self._concurrency = stream.connection.concurrency
        self._width = 1
        #: Rows of the list that lie behind the reader.
        self._reached = 0
        self._first = self.paginator.current_value
        self._resumed: Fetched | None = None
        #: The page in hand: its token, its new keys, and the key of its last row.
        self.token: Query = self._first
        self.keys: Sequence[Hashable] = ()
        self.last_key: Hashable = None

    def __iter__(self) -> Iterator[Rows]:
        """Yield the rows of each page."""
        query: Query | None = self._first
        try:
            while query is not None:
                self.proof.ask(query)
                fetched = self._take_resumed() or self._joined(query)
                self.token = fetched.page.query
                self.keys = fetched.keys
                self.last_key = fetched.keys[-1] if fetched.keys else self.last_key
                query = self._advance(fetched)
                rows = self._process(fetched.rows)
                if query is not None and self.order is not None and self._passed(rows):
                    self.paginator.end, query = End.OLDER, None
                if query is not None and self._concurrency > 1:
                    self._read_ahead(query, fetched.page)
                yield rows
        finally:
            self._lookahead.drop(self.owner)

    def resume(self, position: Position) -> bool:
        """Go on behind a position of an earlier run; False if it doesn't hold any more."""
        self._first = position.token
        try:
            fetched = self._take(position.token)
        except (Rejected, Missing):
            fetched = None
        digests = [digest(key) for key in fetched.keys] if fetched else []
        if fetched is None or position.seam not in digests:
            self._first = self.paginator.current_value
            return False
        place = digests.index(position.seam)
        seen = self.paginator.seen
        seen.rows, seen.pages, seen.largest = position.rows, position.pages - 1, len(digests)
        if self.seam is not None and len(digests) > 1:
            self.seam.remember(fetched.keys)
            seen.overlap = 1
        self._resumed = fetched.keep([number > place for number in range(len(digests))])
        return True

    def _take_resumed(self) -> Fetched | None:
        fetched, self._resumed = self._resumed, None
        return fetched

    def warm(self) -> None:
        """Ask for the first page without waiting for it."""
        self._lookahead.want(*self._job(self.paginator.current_value))

    def sample(self) -> list[Row]:
        """Return the rows of the first page alone; the walk that comes later finds it again."""
        query = self.paginator.current_value
        fetched = self._fetch(query)
        self.stream.sampled = (self.request(query), fetched)
        rows = t.cast("DictRows", fetched.rows)
        return self._process(DictRows([dict(row) for row in rows.dicts])).dicts

    def request(self, query: Query) -> Request:
        """Return the request of a page."""
        return self.stream.request(self.context, {**self.sorting, **self.window, **query})

    @property
    def verdict(self) -> Verdict:
        """What the walk, once finished, can say about its completeness."""
        return self.proof.verdict()

    # --- seams ------------------------------------------------------------------------------

    def _joined(self, query: Query) -> Fetched:
        """Fetch a page and return what is new of it, rows that have moved meanwhile included."""
        seam = self.seam
        if seam is None:
            return self._fetch(query)
        start = whole_number(query.get(seam.param))
        early = seam.is_open and start is not None and start < self._reached
        try:
            fetched = self._fetch(query)
        except Rejected as error:
            if not early or seam.proven or error.status not in {400, 422}:
                raise
            fetched, early = self._realigned(query, seam), False
        fresh: list[bool] | None = None
        if early:
            fetched, fresh = self._judged(query, fetched, seam)
        elif seam.is_open and start == self._reached and fetched.keys:
            fetched, fresh = self._confirmed(fetched, seam)
        if not seam.is_open and fetched.page.received > 1:
            self.paginator.seen.overlap = 1
        seam.remember(fetched.keys)
        return fetched if fresh is None else fetched.keep(fresh)

    def _judged(self, query: Query, fetched: Fetched, seam: Seam) -> Joined:
        """Judge a page that begins a row early."""
        joint = seam.judge(fetched.keys)
        if joint is Joint.JOINED:
            seam.proven = True
            return fetched, [False, *([True] * (len(fetched.keys) - 1))]
        if joint is Joint.REPEATED and seam.proven:
            return self._beyond(fetched, seam)
        if joint is Joint.REPEATED:
            return self._confirmed(self._realigned(query, seam), seam)
        if joint is Joint.TORN and not fetched.keys and not seam.proven:
            # Some servers answer odd row numbers with nothing; so does a list that has shrunk.
            aligned = self._realigned(query, seam)
            if aligned.keys:
                return self._confirmed(aligned, seam)
            self.paginator.seen.overlap = 1
        self._lookahead.drop(self.owner)
        self.proof.moved()
        if joint is Joint.PUSHED:
            self.stream.logger.warning("Rows were inserted in front of the reader; going on.")
            return fetched, seam.fresh(fetched.keys)
        back = self._stepped_back(query, seam)
        fresh = seam.fresh(back.keys)
        # Nothing on this page and nothing new before it: that was the end.
        return (back, fresh) if fetched.keys or any(fresh) else (fetched, None)

    def _confirmed(self, fetched: Fetched, seam: Seam) -> Joined:
        """Judge a page asked for where the page before ended, which is mostly the end."""
        if seam.has_all(fetched.keys):
            return self._beyond(fetched, seam)
        if not fetched.keys or not self.paginator.seen.overlap:
            return fetched, None
        # The page before was short because the server caps its pages: this seam is open yet.
        early = {**fetched.page.query, seam.param: str(self._reached - 1)}
        self.proof.moved()
        return self._judged(early, self._fetch(early), seam)

    def _beyond(self, fetched: Fetched, seam: Seam) -> Joined:
        """Look behind a page of known rows: rows were inserted, or the server repeats itself."""
        end = self.stream.paging.reached(fetched.page, self.paginator.seen)
        self._lookahead.drop(self.owner)
        beyond = self._fetch({**fetched.page.query, seam.param: str(end)})
        if seam.has_all(beyond.keys):
            raise PaginationError(self.proof.repeated(fetched.page))
        self.proof.moved()
        self.stream.logger.warning("Rows were inserted in front of the reader; going on.")
        return beyond, seam.fresh(beyond.keys)

    def _realigned(self, query: Query, seam: Seam) -> Fetched:
        """Ask again where the page before ended: this server knows whole pages only."""
        self.paginator.seen.overlap = 0
        self._lookahead.drop(self.owner)
        return self._fetch({**query, seam.param: str(int(str(query[seam.param])) + 1)})

    def _stepped_back(self, query: Query, seam: Seam) -> Fetched:
        """Read backwards to a page that begins with a known row; return its new rows."""
        position = int(str(query[seam.param]))
        for step in range(1, STEPS_BACK + 1):
            position = max(0, position - max(2, self.stream.page_size or 0, seam.width) + 1)
            fetched = self._fetch({**query, seam.param: str(position)})
            fresh = seam.fresh(fetched.keys)
            if position == 0 or (fresh and not fresh[0]):
                seam.proven = True
                self.stream.logger.warning(
                    "Rows were deleted in front of the reader: stepped back to row %d, "
                    "found %d rows that had moved past it, with %d more requests.",
                    position,
                    sum(fresh),
                    step,
                )
                return fetched
        raise PaginationError(
            f"{self.stream.label}: rows move faster than they can be read: after {STEPS_BACK} "
            "steps back the reader found no row it knew. Read the stream at a quieter time."
        )

    # --- pages ------------------------------------------------------------------------------

    def _advance(self, fetched: Fetched) -> Query | None:
        admitted = self.proof.admit(fetched.page, hash(ENCODER.encode(fetched.keys)))
        query = self.paginator.receive(fetched.page)
        self._reached = self.stream.paging.reached(fetched.page, self.paginator.seen)
        if not admitted:
            self.paginator.seen.rows -= fetched.page.size
            fetched.rows = DictRows([])
        if query is None:
            return None
        # A link may repeat the credential of the request it answers; the next one is signed anew.
        secret = self.stream.connection.auth.param_names
        return {name: value for name, value in query.items() if name not in secret}

    @t.overload
    def _process(self, rows: DictRows) -> DictRows: ...
    @t.overload
    def _process(self, rows: StructRows) -> StructRows: ...
    def _process(self, rows: Rows) -> Rows:
        """Apply the stream's own `post_process` where it has one, and the parent's keys."""
        if isinstance(rows, StructRows):
            return rows
        dicts = rows.dicts
        if type(self.stream).post_process is not Stream.post_process:
            processed = (self.stream.post_process(row, self.context) for row in dicts)
            dicts = [row for row in processed if row is not None]
        for row in dicts if self.context else ():
            for name, value in (self.context or {}).items():
                row.setdefault(name, value)
        return DictRows(dicts)

    def _passed(self, rows: Rows) -> bool:
        order = t.cast("NewestFirst", self.order)
        return order.passed(rows.column(order.key))

    def _read_ahead(self, query: Query, page: Page) -> None:
        """Ask for the next page, and for more where they can be named.

        Without a total the width grows from page to page as long as pages are full, so that a
        short stream costs few requests that nobody needs.
        """
        asked = self.stream.page_size
        full = page.size > 0 and (asked is None or page.received >= asked)
        known = self.paginator.seen.total is not None
        grown = min(self._width * 2, self._concurrency) if full else 1
        self._width = self._concurrency if known else grown
        named = self.stream.paging.ahead(query, page, self.paginator.seen)
        for token in (query, *islice(named, self._width - 1)):
            self._lookahead.want(*self._job(token))

    def _fetch(self, query: Query) -> Fetched:
        try:
            return self._take(query)
        except Rejected as error:
            begun = self.paginator.seen.pages > 0
            if begun or not self.window or error.status not in {400, 422}:
                raise
            self.stream.logger.warning(
                "The server refuses the filter %s; reading without it.", ", ".join(self.window)
            )
            self.window = {}
            return self._take(query)

    def _take(self, query: Query) -> Fetched:
        owner, request, decode = self._job(query)
        sampled = self.stream.sampled
        if sampled is not None and sampled[0] == request:
            # A walk takes it once: asked for again, the page may have changed.
            self.stream.sampled = None
            return sampled[1]
        return t.cast("Fetched", self._lookahead.take(owner, request, decode))

    def _job(self, query: Query) -> tuple[t.Any, Request, t.Callable[[Response], Fetched]]:
        request = self.request(query)
        return (self.owner, request), request, functools.partial(self._decode, query)

    def _decode(self, query: Query, response: Response) -> Fetched:
        """Turn a response into a page; runs in the thread that fetched it."""
        payload, rows = self._read(query, response)
        return Fetched(
            page=Page(
                query=query,
                payload=payload,
                headers=response.headers,
                size=len(rows),
                received=len(rows),
                url=response.url,
            ),
            rows=rows,
            keys=rows.keys(self.stream.primary_keys),
        )

    def _read(self, query: Query, response: Response) -> tuple[t.Any, Rows]:
        """Return the envelope and the rows of a response."""
        stream, codec = self.stream, self.codec
        stream.connection.note_date(response.headers.get("Date"))
        is_first = query == self._first
        if codec is not None and not is_first and (fast := codec.decode(response.body)):
            envelope, structs = fast
            raise_error(envelope, has_rows=len(structs) > 0, label=stream.label)
            return envelope, structs
        try:
            payload = stream.decode(response)
            rows = stream.rows_of(payload, response)
        except SelectorError as error:
            raise PaginationError(f"{stream.label}: {error}") from None
        if codec is not None and is_first:
            codec.learn(rows)
        return payload, DictRows(rows)
