"""Estimates of requests and rows from the first pages of a stream.

A total or the end of the stream gives the figures; without either, they are lower bounds.
"""

from __future__ import annotations

import enum
import math
import statistics
import typing as t
from contextlib import closing
from dataclasses import dataclass, replace

from tap_analytics.pagination import Auto, NumberedStrategy, PageNumber, StopReason
from tap_analytics.streams.scope import open_bookmark, open_reader, promises_deletes, read_children
from tap_analytics.transport.errors import BudgetSpent, Rejected

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination import PageToken
    from tap_analytics.pagination.paginator import Paginator
    from tap_analytics.pagination.reader import PageReader
    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.records.rows import DictRows, Row


class Basis(enum.Enum):
    """The basis of an estimate, most certain first; the value is shown to users."""

    EXACT = "exact"
    TOTAL = "total"
    SAMPLE = "sample"
    AT_LEAST = "at least"


def least_certain(bases: Iterable[Basis]) -> Basis:
    """Return the least certain basis."""
    return max(bases, key=list(Basis).index, default=Basis.EXACT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Estimates from the first pages of a stream, or sums of several."""

    #: Requests, rows read, and rows written.
    requests: int = 0
    #: Of the requests, those that a sync sends for one list of a stream and no further one.
    once: int = 0
    read: int = 0
    wanted: int = 0
    basis: Basis = Basis.EXACT
    #: Whether figures are extrapolated from a sample.
    estimated: bool = False
    #: Whether `wanted` is an upper bound: the API doesn't filter as the tap does.
    bounded: bool = False
    #: How far off extrapolated requests and rows may be: two standard errors.
    requests_margin: int = 0
    wanted_margin: int = 0
    #: Seconds per response; 0 without a response.
    latency: float = 0.0
    #: Rows of the largest page.
    per_page: int = 0
    #: Requests that can be in flight at once.
    parallel: int = 1
    #: The rows read, with their contexts.
    rows: Sequence[tuple[Row, Context | None]] = ()


def read_root(stream: AnalyticsStream, *, pages: int, grant: Callable[[int], None]) -> Sample:
    """Read the first pages of a stream without a parent, and those of its passes."""
    first, bookmark = read_sample(stream, None, pages=pages), open_bookmark(stream)
    whole = bookmark is None or bookmark.window.stored is None
    contexts = [*stream.passes(whole=whole)]
    if not contexts:
        return first
    grant(pages * len(contexts))
    passes = [_read_pass(stream, each, pages=pages) for each in contexts]
    found = extrapolate([first, *passes], parents=1 + len(passes), basis=Basis.EXACT)
    return replace(found, per_page=first.per_page, parallel=first.parallel)


def _read_pass(stream: AnalyticsStream, context: Context, *, pages: int) -> Sample:
    try:
        found = read_sample(stream, context, pages=pages)
    except Rejected:
        return Sample(requests=1)
    is_answered = stream.is_answered(context, [row for row, _ in found.rows])
    return found if is_answered else Sample(requests=1, latency=found.latency)


def read_sample(
    stream: AnalyticsStream,
    context: Context | None,
    *,
    pages: int,
    window: PageToken | None = None,
) -> Sample:
    """Read the first pages, until a total is known.

    Raises errors of the reader, and `BudgetSpent` if not even one page could be read.
    """
    if stream.failure is not None:
        raise stream.failure
    bookmark = None if stream.is_whole(context) else open_bookmark(stream)
    filtering = None if read_children(stream) else bookmark
    # `max_rows=0`: no prefetching of pages that aren't used.
    reader = open_reader(stream, context, bookmark=filtering, window=window, max_rows=0)
    before = _requests(stream)
    rows, latency = _read(reader, pages=pages)
    sent = _requests(stream) - before
    read, requests, basis = _extent(reader, sent, whole=promises_deletes(stream))
    wanted = _wanted(stream, rows, bookmark)
    is_counted = basis is not Basis.TOTAL
    return Sample(
        requests=requests,
        once=_learn_end(reader) if basis is Basis.EXACT else 0,
        read=read,
        wanted=sum(wanted) if is_counted else read,
        basis=basis,
        estimated=basis is Basis.SAMPLE,
        bounded=not is_counted and _is_bounded(stream, reader, bookmark, wanted),
        latency=latency,
        per_page=reader.paginator.seen.max_rows,
        parallel=_parallel(reader),
        rows=[(row, context) for row in rows],
    )


def _wanted(
    stream: AnalyticsStream, rows: Sequence[Row], bookmark: Bookmark | None
) -> Sequence[bool]:
    """Return of each row whether a sync writes it."""
    if bookmark is None or stream.replication_key is None:
        return [True] * len(rows)
    return bookmark.window.select(row.get(stream.replication_key) for row in rows)


def _requests(stream: AnalyticsStream) -> int:
    stats = stream.connection.transport.stats
    # A page read to infer the schema is also read by a sync.
    return stats.requests - stats.retries - len(stream.samples)


def extrapolate(samples: Sequence[Sample], *, parents: int, basis: Basis) -> Sample:
    """Extrapolate the samples of some parents to all parents."""
    latencies = [each.latency for each in samples if each.latency]
    share = parents / len(samples) if samples else 0.0
    is_whole = len(samples) == parents and basis is Basis.EXACT
    if is_whole:
        basis = least_certain(each.basis for each in samples)
    elif basis is not Basis.AT_LEAST:
        basis = Basis.SAMPLE
    once = sum(each.once for each in samples)
    return Sample(
        requests=round(share * sum(each.requests - each.once for each in samples)) + once,
        read=round(share * sum(each.read for each in samples)),
        wanted=round(share * sum(each.wanted for each in samples)),
        basis=basis,
        estimated=not is_whole or any(each.estimated for each in samples),
        requests_margin=_margin([each.requests - each.once for each in samples], parents),
        wanted_margin=_margin([each.wanted for each in samples], parents),
        bounded=any(each.bounded for each in samples),
        latency=math.fsum(latencies) / len(latencies) if latencies else 0.0,
        rows=[row for each in samples for row in each.rows],
    )


def _margin(values: Sequence[int], parents: int) -> int:
    """Return two standard errors of a sum that is extrapolated from the values of some parents."""
    count = len(values)
    if count < 2 or count >= parents:  # noqa: PLR2004 - one value doesn't differ
        return 0
    error = statistics.stdev(values) * math.sqrt((1 - count / parents) / count)
    return round(2 * error * parents)


def _read(reader: PageReader, *, pages: int) -> tuple[list[Row], float]:
    """Return the rows of the first pages, and the mean seconds per response."""
    rows: list[Row] = []
    seconds: list[float] = []
    seen = reader.paginator.seen
    with closing(t.cast("Generator[DictRows]", iter(reader))) as reading:
        try:
            for page in reading:
                rows += page.dicts
                seconds.append(reader.elapsed)
                if seen.total is not None or seen.pages >= pages:
                    break
        except BudgetSpent:
            if not seconds:
                raise
    return rows, math.fsum(seconds) / max(1, len(seconds))


def _extent(reader: PageReader, sent: int, *, whole: bool) -> tuple[int, int, Basis]:
    """Return rows, requests and basis for a whole stream; `sent` requests were sent so far.

    `whole`: a sync reads all pages again that rows may have moved to.
    """
    paginator, seen = reader.paginator, reader.paginator.seen
    if _is_undetected(paginator):
        return _undetected_extent(reader, sent, whole=whole)
    is_likely = seen.total is not None or seen.first_page_short
    if paginator.end is not None or (paginator.confirming is not None and is_likely):
        more = reader.closing_cost(whole=whole)
        return seen.rows, sent + more, Basis.EXACT
    if seen.total is not None:
        per_page = max(1, seen.max_rows - seen.overlap)
        lacking = max(0, seen.total - seen.rows)
        pages = math.ceil(lacking / per_page)
        # After a full last page, the tap requests one more page to verify the total.
        more = pages + (lacking % per_page == 0)
        # With page numbers, the total may count pages: only an empty page shows the end.
        if isinstance(paginator.paging, PageNumber):
            more = pages + 1 + (pages if whole and reader.guard.keyed else 0)
        return seen.total, sent + more, Basis.TOTAL
    # After a short page, the next is likely the empty one that shows the end.
    likely = seen.pages == 1 and seen.first_page_short
    return seen.rows, sent + 1, Basis.SAMPLE if likely else Basis.AT_LEAST


def _is_undetected(paginator: Paginator) -> bool:
    """Whether `auto` has still to try the next offset and the next page number."""
    is_single = paginator.end is StopReason.SINGLE and paginator.seen.rows > 0
    return is_single and isinstance(paginator.paging, Auto)


def _undetected_extent(reader: PageReader, sent: int, *, whole: bool) -> tuple[int, int, Basis]:
    """Return rows, requests and basis where the paging isn't detected; see `_extent`."""
    seen = reader.paginator.seen
    lacking = (seen.total or 0) - seen.rows
    if lacking <= 0:
        return seen.rows, max(sent, 2), Basis.AT_LEAST
    pages = math.ceil(lacking / seen.max_rows)
    moved = pages if whole and reader.guard.keyed else 0
    # One request finds out what the offset means.
    more = 1 + pages + (lacking % seen.max_rows == 0) + moved
    return seen.rows + lacking, sent + more, Basis.TOTAL


def _learn_end(reader: PageReader) -> int:
    """Learn what the requests that verify the end would show; return how many aren't repeated."""
    paginator, facts = reader.paginator, reader.paginator.facts
    if paginator.end is StopReason.SINGLE:
        once = 0 if facts.next_probed else reader.closing_cost(whole=False)
        paginator.learn(next_probed=True)
        return once
    if paginator.confirming is None or facts.total_proven or paginator.page is None:
        return 0
    paginator.learn(total_proven=paginator.seen.total is not None)
    following = paginator.paging.next_token(paginator.page, paginator.seen)
    return int(following is StopReason.TOTAL)


def _is_bounded(
    stream: AnalyticsStream, reader: PageReader, bookmark: Bookmark | None, wanted: Sequence[bool]
) -> bool:
    """Whether the tap drops rows that the server doesn't filter."""
    window = None if bookmark is None else bookmark.window
    if window is None or (window.start is None and window.end is None):
        return not all(wanted)
    params = stream.window(window.start, window.end)
    ignores_end = window.end is not None and params == stream.window(window.start, None)
    return not reader.is_filtered or ignores_end or not all(wanted)


def _parallel(reader: PageReader) -> int:
    """Return how many pages can be requested at once: more than one if tokens are predictable."""
    paging, following = reader.endpoint.paging, reader.paginator.current_value
    is_numbered = isinstance(paging, NumberedStrategy) and paging.number_param in following
    is_predictable = is_numbered or any(reader.paginator.predict(following))
    return reader.endpoint.connection.concurrency if is_predictable else 1
