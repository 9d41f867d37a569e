"""A look at the first pages of a walk: what the whole of it costs and brings, and how sure that is.

A total or the end of the walk tells; without either, what was seen is a lower bound.
"""

from __future__ import annotations

import enum
import math
import typing as t
from dataclasses import dataclass

from tap_analytics.pagination import NumberedStrategy, PageNumber
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
    order = list(Basis)
    return max(bases, key=order.index, default=Basis.EXACT)


@dataclass(slots=True, kw_only=True)
class Sample:
    """What the first pages have shown of a walk, or of several that are taken together."""

    #: Requests, rows that are read, and those of them that the run wants.
    requests: int = 0
    read: int = 0
    wanted: int = 0
    basis: Basis = Basis.EXACT
    #: Whether figures are multiplied out from a sample.
    estimated: bool = False
    #: Whether fewer rows may be wanted: the API doesn't filter as the tap does.
    bounded: bool = False
    #: Seconds an answer took; 0 where none came.
    latency: float = 0.0
    #: Requests that can be under way at a time.
    parallel: int = 1
    #: The rows seen, each with the context it was read in.
    rows: Sequence[tuple[Row, Context | None]] = ()


def glimpse(
    stream: AnalyticsStream,
    walk: PageReader,
    bookmark: Bookmark | None,
    *,
    pages: int,
    whole: bool,
) -> Sample:
    """Read the first page, and further ones where they are allowed and of use.

    `whole` says that a sync looks again at all pages that rows may have moved to.
    Raises what the walk raises; that no request is left ends it as well, once a page has come.
    """
    seen = walk.paginator.seen
    stats, samples = stream.connection.transport.stats, len(stream.samples)
    before = stats.requests - stats.retries
    rows: list[Row] = []
    seconds: list[float] = []
    reading = t.cast("Generator[DictRows]", iter(walk))
    try:
        for page in reading:
            rows += page.dicts
            seconds.append(walk.elapsed)
            if seen.total is not None or seen.pages >= pages:
                break
    except BudgetSpent:
        if not seconds:
            raise
    finally:
        reading.close()
    # The page that the schema was sampled from is one a sync asks for, too.
    reused = samples - len(stream.samples)
    asked = stats.requests - stats.retries - before + reused
    read, requests, basis = _extent(walk, asked, whole=whole)
    key = stream.replication_key
    wants = [True] * len(rows)
    if bookmark is not None and key is not None:
        wants = bookmark.wanted(row.get(key) for row in rows)
    counted = walk.paginator.end is not None or basis is not Basis.TOTAL
    return Sample(
        requests=requests,
        read=read,
        wanted=sum(wants) if counted else read,
        basis=basis,
        estimated=basis is Basis.SAMPLE,
        bounded=not counted and bookmark is not None and _is_bounded(stream, walk, bookmark, wants),
        latency=math.fsum(seconds) / len(seconds),
        parallel=_parallel(walk),
        rows=[(row, walk.endpoint.context) for row in rows],
    )


def multiplied(glimpses: Sequence[Sample], *, parents: int, basis: Basis) -> Sample:
    """Return what so many parents' children come to, if all are like those seen."""
    waits = [each.latency for each in glimpses if each.latency]
    share = parents / len(glimpses) if glimpses else 0.0
    whole = len(glimpses) == parents and basis is Basis.EXACT
    if whole:
        basis = least_sure(each.basis for each in glimpses)
    elif basis is not Basis.AT_LEAST:
        basis = Basis.SAMPLE
    return Sample(
        requests=round(share * sum(each.requests for each in glimpses)),
        read=round(share * sum(each.read for each in glimpses)),
        wanted=round(share * sum(each.wanted for each in glimpses)),
        basis=basis,
        estimated=not whole or any(each.estimated for each in glimpses),
        bounded=any(each.bounded for each in glimpses),
        latency=math.fsum(waits) / len(waits) if waits else 0.0,
        rows=[row for each in glimpses for row in each.rows],
    )


def _extent(walk: PageReader, asked: int, *, whole: bool) -> tuple[int, int, Basis]:
    """Return rows and requests of a whole walk, after its first pages took so many requests."""
    paginator = walk.paginator
    seen = paginator.seen
    is_likely = seen.total is not None or seen.first_page_short
    if paginator.end is not None or (paginator.confirming is not None and is_likely):
        more = walk.confirmation + walk.rescan_cost(whole=whole)
        return seen.rows, asked + more, Basis.EXACT
    if seen.total is not None:
        per_page = max(1, seen.max_rows - seen.overlap)
        lacking = max(0, seen.total - seen.rows)
        # Behind a last page that is full, the tap looks whether the total is right.
        more = math.ceil(lacking / per_page) + (lacking % per_page == 0)
        # By page number, only an empty page says that the total is not one of pages.
        if isinstance(paginator.paging, PageNumber):
            pages = math.ceil(lacking / per_page)
            more = pages + 1 + (pages if whole and walk.guard.keyed else 0)
        return seen.total, asked + more, Basis.TOTAL
    # After a short page, the next is likely the empty one that shows the end.
    likely = seen.pages == 1 and seen.first_page_short
    return seen.rows, asked + 1, Basis.SAMPLE if likely else Basis.AT_LEAST


def _is_bounded(
    stream: AnalyticsStream, walk: PageReader, bookmark: Bookmark, wants: Sequence[bool]
) -> bool:
    """Whether the tap leaves out rows that the server doesn't."""
    if bookmark.start is None and bookmark.end is None:
        return not all(wants)
    asked = stream.window(bookmark.start, bookmark.end)
    halved = bookmark.end is not None and asked == stream.window(bookmark.start, None)
    return not walk.is_filtered or halved or not all(wants)


def _parallel(walk: PageReader) -> int:
    """Return how many pages can be asked for at a time: those that can be named ahead."""
    paging, following = walk.endpoint.paging, walk.paginator.current_value
    named = isinstance(paging, NumberedStrategy) and paging.number_param in following
    return walk.endpoint.connection.concurrency if named else 1
