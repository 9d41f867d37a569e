"""The first pages of a stream: what all of it costs and brings, and how sure that is.

A total or the end of the stream shows it; without either, what was seen is a lower bound.
"""

from __future__ import annotations

import enum
import math
import typing as t
from contextlib import closing
from dataclasses import dataclass

from tap_analytics.pagination import NumberedStrategy, PageNumber
from tap_analytics.streams.scope import open_bookmark, open_reader, promises_deletes, read_children
from tap_analytics.transport.errors import BudgetSpent

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination.reader import PageReader
    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.records.rows import DictRows, Row


class Basis(enum.Enum):
    """What figures rest on, from the surest on; the value is the word users see."""

    EXACT = "exact"
    TOTAL = "total"
    SAMPLE = "sample"
    AT_LEAST = "at least"


def least_sure(bases: Iterable[Basis]) -> Basis:
    """Return what figures made of others rest on."""
    return max(bases, key=list(Basis).index, default=Basis.EXACT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the first pages have shown of a stream, or of several that are taken together."""

    #: Requests, rows that are read, and those of them that the run wants.
    requests: int = 0
    read: int = 0
    wanted: int = 0
    basis: Basis = Basis.EXACT
    #: Whether figures are extrapolated from a sample.
    estimated: bool = False
    #: Whether fewer rows may be wanted: the API doesn't filter as the tap does.
    bounded: bool = False
    #: Seconds a response took; 0 where none came.
    latency: float = 0.0
    #: Requests that can be under way at a time.
    parallel: int = 1
    #: The rows seen, each with the context it was read in.
    rows: Sequence[tuple[Row, Context | None]] = ()


def read_sample(stream: AnalyticsStream, context: Context | None, *, pages: int) -> Sample:
    """Read the first page, and further ones where they are allowed and of use.

    Raises what the reader raises; that no request is left ends it as well, once a page has come.
    """
    if stream.failure is not None:
        raise stream.failure
    bookmark = open_bookmark(stream)
    # Nothing may be asked for that isn't looked at.
    reader = open_reader(
        stream, context, bookmark=None if read_children(stream) else bookmark, max_rows=0
    )
    before = _asked(stream)
    rows, latency = _read(reader, pages=pages)
    asked = _asked(stream) - before
    read, requests, basis = _extent(reader, asked, whole=promises_deletes(stream))
    key, wants = stream.replication_key, [True] * len(rows)
    if bookmark is not None and key is not None:
        wants = bookmark.wanted(row.get(key) for row in rows)
    is_counted = reader.paginator.end is not None or basis is not Basis.TOTAL
    return Sample(
        requests=requests,
        read=read,
        wanted=sum(wants) if is_counted else read,
        basis=basis,
        estimated=basis is Basis.SAMPLE,
        bounded=not is_counted and _is_bounded(stream, reader, bookmark, wants),
        latency=latency,
        parallel=_parallel(reader),
        rows=[(row, context) for row in rows],
    )


def _asked(stream: AnalyticsStream) -> int:
    stats = stream.connection.transport.stats
    # The page that the schema was sampled from is one a sync asks for, too.
    return stats.requests - stats.retries - len(stream.samples)


def extrapolate(samples: Sequence[Sample], *, parents: int, basis: Basis) -> Sample:
    """Return what so many parents' children come to, if all are like those seen."""
    latencies = [each.latency for each in samples if each.latency]
    share = parents / len(samples) if samples else 0.0
    is_whole = len(samples) == parents and basis is Basis.EXACT
    if is_whole:
        basis = least_sure(each.basis for each in samples)
    elif basis is not Basis.AT_LEAST:
        basis = Basis.SAMPLE
    return Sample(
        requests=round(share * sum(each.requests for each in samples)),
        read=round(share * sum(each.read for each in samples)),
        wanted=round(share * sum(each.wanted for each in samples)),
        basis=basis,
        estimated=not is_whole or any(each.estimated for each in samples),
        bounded=any(each.bounded for each in samples),
        latency=math.fsum(latencies) / len(latencies) if latencies else 0.0,
        rows=[row for each in samples for row in each.rows],
    )


def _read(reader: PageReader, *, pages: int) -> tuple[list[Row], float]:
    """Return the rows of the first pages, and the seconds that a response took."""
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
    return rows, math.fsum(seconds) / len(seconds)


def _extent(reader: PageReader, asked: int, *, whole: bool) -> tuple[int, int, Basis]:
    """Return rows and requests of a whole stream, after its first pages took so many requests.

    `whole` says that a sync reads again all pages that rows may have moved to.
    """
    paginator, seen = reader.paginator, reader.paginator.seen
    is_likely = seen.total is not None or seen.first_page_short
    if paginator.end is not None or (paginator.confirming is not None and is_likely):
        more = reader.closing_cost(whole=whole)
        return seen.rows, asked + more, Basis.EXACT
    if seen.total is not None:
        per_page = max(1, seen.max_rows - seen.overlap)
        lacking = max(0, seen.total - seen.rows)
        pages = math.ceil(lacking / per_page)
        # Behind a last page that is full, the tap looks whether the total is right.
        more = pages + (lacking % per_page == 0)
        # By page number, only an empty page says that the total is not one of pages.
        if isinstance(paginator.paging, PageNumber):
            more = pages + 1 + (pages if whole and reader.guard.keyed else 0)
        return seen.total, asked + more, Basis.TOTAL
    # After a short page, the next is likely the empty one that shows the end.
    likely = seen.pages == 1 and seen.first_page_short
    return seen.rows, asked + 1, Basis.SAMPLE if likely else Basis.AT_LEAST


def _is_bounded(
    stream: AnalyticsStream, reader: PageReader, bookmark: Bookmark | None, wants: Sequence[bool]
) -> bool:
    """Whether the tap leaves out rows that the server doesn't."""
    if bookmark is None or (bookmark.start is None and bookmark.end is None):
        return not all(wants)
    window = stream.window(bookmark.start, bookmark.end)
    ignores_end = bookmark.end is not None and window == stream.window(bookmark.start, None)
    return not reader.is_filtered or ignores_end or not all(wants)


def _parallel(reader: PageReader) -> int:
    """Return how many pages can be asked for at a time: those that can be named ahead."""
    paging, following = reader.endpoint.paging, reader.paginator.current_value
    is_named = isinstance(paging, NumberedStrategy) and paging.number_param in following
    return reader.endpoint.connection.concurrency if is_named else 1
