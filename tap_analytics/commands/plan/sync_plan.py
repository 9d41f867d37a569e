"""Estimates of the requests, rows and time of a sync, made with a few requests.

The first page of a stream is read, and a second one if that may show the end. Children are
extrapolated from those of a few parents.
"""

from __future__ import annotations

import os
import typing as t
from collections import defaultdict
from dataclasses import dataclass, replace

from tap_analytics.commands.plan.sample import (
    Basis,
    Sample,
    extrapolate,
    least_certain,
    read_root,
    read_sample,
)
from tap_analytics.config.meltano import meltano_names
from tap_analytics.errors import TapError
from tap_analytics.streams.scope import (
    contexts_of,
    keeps_parent,
    open_bookmark,
    read_children,
    windows_of,
)
from tap_analytics.transport.errors import BudgetSpent, NotFound

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams import Stream

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination import PageToken
    from tap_analytics.tap import TapAnalytics
    from tap_analytics.transport.auth import Authenticator
    from tap_analytics.transport.connection import ApiConnection

T = t.TypeVar("T")

#: Maximum number of pages per stream, and of parents sampled per child stream.
PAGES = 2
PARENTS = 3
#: Further parents that a child stream is read below where those differ.
MORE_PARENTS = 9


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The estimate of one stream, or the error that prevented it."""

    stream: AnalyticsStream
    #: Name of the topmost parent; its own name if it has none.
    root: str
    figures: Sample
    error: Exception | None = None

    @property
    def seconds(self) -> float:
        """Minimum seconds to sync the stream."""
        waits = self.figures.requests * self.figures.latency / self.figures.parallel
        return max(waits, _paced(self.stream.connection, self.figures.requests))


class SyncPlan:
    """The estimates of all selected streams, or of every one, parents before children.

    The streams of the tap must not exist yet: creating them may make requests, which are counted.
    """

    def __init__(
        self,
        tap: TapAnalytics,
        *,
        selects: Callable[[str], bool] = lambda _: True,
        every: bool = False,
    ) -> None:
        self.tap = tap
        self.budget = tap.budget
        #: Whether a sync reads one stream after the other.
        self.is_serial = tap.config["concurrency"] == 1 or "max_requests" in tap.config
        self.estimates: list[Estimate] = []
        self._signed: set[Authenticator] = set()
        # A schema that isn't declared is inferred, with one request per stream.
        self.budget.grant(PAGES * sum(len(api.streams) for api in tap.apis.values()))
        tap.setup_mapper()
        for each in tap.streams.values():
            is_named = meltano_names(each.name, os.environ) is True
            each.selected = every or ((each.selected or is_named) and selects(each.name))
        for stream in tap.roots:
            self._plan(stream, root=stream.name)

    @property
    def left_out(self) -> list[Stream]:
        """The streams that are neither selected nor selected by default."""
        streams = self.tap.streams.values()
        return [each for each in streams if not (each.selected or each.selected_by_default)]

    @property
    def total(self) -> Sample:
        """The sum of all estimates; a lower bound if a stream failed."""
        found = [each.figures for each in self.estimates]
        failed = [Basis.AT_LEAST for each in self.estimates if each.error]
        return Sample(
            requests=sum(each.requests for each in found),
            wanted=sum(each.wanted for each in found),
            basis=least_certain([*failed, *(each.basis for each in found)]),
            estimated=any(each.estimated for each in found),
            bounded=any(each.bounded for each in found),
            requests_margin=sum(each.requests_margin for each in found),
            wanted_margin=sum(each.wanted_margin for each in found),
        )

    @property
    def seconds(self) -> float:
        """Minimum seconds of a sync; APIs and streams are read concurrently."""
        by_api: defaultdict[ApiConnection, list[Estimate]] = defaultdict(list)
        for each in self.estimates:
            by_api[each.stream.connection].append(each)
        add = sum if self.is_serial else max
        total = [0.0]
        for connection, found in by_api.items():
            trees: defaultdict[str, float] = defaultdict(float)
            for each in found:
                trees[each.root] += each.seconds
            requests = sum(each.figures.requests for each in found)
            total.append(max(_paced(connection, requests), add(trees.values())))
        return add(total)

    def _plan(
        self,
        stream: AnalyticsStream,
        *,
        root: str,
        parent: tuple[AnalyticsStream, Sample] | None = None,
    ) -> None:
        """Estimate a stream and its children."""
        try:
            is_divided = stream.is_divided or stream.meets_at is not None
            self._grant(stream, PARENTS if is_divided else PAGES)
            if parent is None and is_divided:
                seen = _sample_of(stream, stream.contexts or (None,), grant=self.budget.grant)
            elif parent is None:
                seen = read_root(stream, pages=PAGES, grant=self.budget.grant)
            else:
                seen = _sample_below(stream, *parent, grant=self.budget.grant)
        except Exception as error:  # noqa: BLE001 - a sync would fail with it too
            self._fail(stream, error, root=root)
            return
        # A parent that isn't selected is read, not written.
        figures = (
            seen if stream.selected else replace(seen, wanted=0, wanted_margin=0, bounded=False)
        )
        self.estimates.append(Estimate(stream=stream, root=root, figures=figures))
        for child in read_children(stream):
            self._plan(child, root=root, parent=(stream, seen))

    def _fail(self, stream: AnalyticsStream, error: Exception, *, root: str) -> None:
        """Add estimates with an error for a stream and its children."""
        if isinstance(error, BudgetSpent):
            error = TapError(
                "no page could be read with the few requests of a plan. Run `tap-analytics doctor`."
            )
        estimate = Estimate(stream=stream, root=root, figures=Sample(), error=error)
        self.estimates.append(estimate)
        for child in read_children(stream):
            self._fail(child, error, root=root)

    def _grant(self, stream: AnalyticsStream, requests: int) -> None:
        """Allow more requests: one less if the schema was inferred, one more for a token."""
        auth = stream.connection.auth.of(stream.name)
        tokens = 0 if auth in self._signed else auth.token_requests
        self._signed.add(auth)
        self.budget.grant(requests + tokens - len(stream.samples))


def _sample_below(
    stream: AnalyticsStream,
    parent: AnalyticsStream,
    parents: Sample,
    *,
    grant: Callable[[int], None],
) -> Sample:
    """Estimate a child stream from the children of a few parents, and of more if they differ."""
    contexts = [
        context
        for row, above in parents.rows
        if keeps_parent(parent, row)
        for context in contexts_of(stream, parent, row, above)
    ]
    read = len(parents.rows)
    number = round(parents.read * len(contexts) / read) if read else 0
    return _sample_of(stream, contexts, number=number, basis=parents.basis, grant=grant)


def _sample_of(
    stream: AnalyticsStream,
    contexts: Sequence[Context | None],
    *,
    number: int | None = None,
    basis: Basis = Basis.EXACT,
    grant: Callable[[int], None],
) -> Sample:
    """Estimate a stream from a few of its lists: of a context, or of a window of one.

    `number` is how many contexts there are.
    """
    lists = [(context, window) for context in contexts for window in _windows(stream, context)]
    chosen = _evenly_spaced(lists, PARENTS)
    samples = [_read_below(stream, *each) for each in chosen]
    if len({(each.requests - each.once, each.wanted) for each in samples}) > 1:
        rest = [each for each in lists if each not in chosen]
        more = _evenly_spaced(rest, MORE_PARENTS)
        grant(len(more))
        samples += [_read_below(stream, *each) for each in more]
    total = len(lists) if number is None else round(number * len(lists) / max(1, len(contexts)))
    found = extrapolate(samples, parents=total, basis=basis)
    return replace(found, parallel=stream.connection.concurrency)


def _windows(stream: AnalyticsStream, context: Context | None) -> Sequence[PageToken] | tuple[None]:
    """Return the windows to read a list in; None for one that is read at once."""
    if stream.meets_at is None:
        return (None,)
    bookmark = None if read_children(stream) else open_bookmark(stream)
    return [*windows_of(stream, bookmark and bookmark.below(context))]


def _evenly_spaced(lists: Sequence[T], count: int) -> Sequence[T]:
    step = max(1, (len(lists) - 1) // (count - 1))
    return lists[::step][:count]


def _read_below(
    stream: AnalyticsStream, context: Context | None, window: PageToken | None
) -> Sample:
    try:
        return read_sample(stream, context, pages=1, window=window)
    except NotFound:
        # The parent was deleted; a sync skips it.
        return Sample(requests=1)


def _paced(connection: ApiConnection, requests: int) -> float:
    """Return the seconds that requests take at the allowed rate."""
    return requests / connection.throttle.rate
