"""What a sync would cost: its requests, rows and time, from a few requests of its own.

A stream is asked for its first page, and for a second one where that may show the end. What
children cost is extrapolated from those of a few parents.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import dataclass, replace

from tap_analytics.commands.plan.sample import Basis, Sample, extrapolate, least_sure, read_sample
from tap_analytics.errors import TapError
from tap_analytics.streams.scope import keeps_parent, read_children
from tap_analytics.transport.auth import OAuth2ClientCredentials
from tap_analytics.transport.errors import BudgetSpent, NotFound

if t.TYPE_CHECKING:
    from tap_analytics.client import AnalyticsStream
    from tap_analytics.tap import TapAnalytics
    from tap_analytics.transport.connection import ApiConnection

#: Pages a stream is asked for at most, and parents that a child is asked for below.
PAGES = 2
PARENTS = 3


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What one stream would cost and bring, or why that can't be estimated."""

    stream: AnalyticsStream
    #: The name of the stream at the top of its parents: its own, if it has none.
    root: str
    figures: Sample
    error: Exception | None = None

    @property
    def seconds(self) -> float:
        """How long a sync takes for it at least."""
        waits = self.figures.requests * self.figures.latency / self.figures.parallel
        return max(waits, _paced(self.stream.connection, self.figures.requests))


class SyncPlan:
    """The estimates of all selected streams, parents before their children.

    The tap must not have looked at its streams yet: that may take requests, which count.
    """

    def __init__(self, tap: TapAnalytics) -> None:
        self.tap = tap
        self.budget = tap.budget
        #: Whether a sync reads one stream after the other.
        self.is_serial = tap.config["concurrency"] == 1 or "max_requests" in tap.config
        self.estimates: list[Estimate] = []
        self._signed: set[str] = set()
        # A schema that isn't declared is sampled, at a request a stream.
        self.budget.grant(PAGES * sum(len(api.streams) for api in tap.apis.values()))
        tap.setup_mapper()
        for stream in tap.roots:
            self._plan(stream, root=stream.name)

    @property
    def total(self) -> Sample:
        """The sum of all that could be planned; a lower bound where something could not."""
        found = [each.figures for each in self.estimates]
        failed = [Basis.AT_LEAST for each in self.estimates if each.error]
        return Sample(
            requests=sum(each.requests for each in found),
            wanted=sum(each.wanted for each in found),
            basis=least_sure([*failed, *(each.basis for each in found)]),
            estimated=any(each.estimated for each in found),
            bounded=any(each.bounded for each in found),
        )

    @property
    def seconds(self) -> float:
        """How long a sync takes at least: APIs are read side by side, as streams are."""
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
        """Estimate a stream, and the streams below it."""
        try:
            self._grant(stream, PARENTS if parent else PAGES)
            if parent is None:
                seen = read_sample(stream, None, pages=PAGES)
            else:
                seen = _sample_below(stream, *parent)
        except Exception as error:  # noqa: BLE001 - whatever it is, a sync would meet it as well
            self._fail(stream, error, root=root)
            return
        # A parent that isn't selected is read, not written.
        figures = seen if stream.selected else replace(seen, wanted=0, bounded=False)
        self.estimates.append(Estimate(stream=stream, root=root, figures=figures))
        for child in read_children(stream):
            self._plan(child, root=root, parent=(stream, seen))

    def _fail(self, stream: AnalyticsStream, error: Exception, *, root: str) -> None:
        """Say why a stream, and with it its children, can't be planned."""
        if isinstance(error, BudgetSpent):
            error = TapError(
                f"{stream.label}: the few requests a plan may send brought no page. Run "
                "`tap-analytics doctor`."
            )
        estimate = Estimate(stream=stream, root=root, figures=Sample(), error=error)
        self.estimates.append(estimate)
        for child in read_children(stream):
            self._fail(child, error, root=root)

    def _grant(self, stream: AnalyticsStream, requests: int) -> None:
        """Allow so many requests, less the one that sampled the schema, plus one for a token."""
        is_new = stream.api not in self._signed
        self._signed.add(stream.api)
        token = is_new and isinstance(stream.connection.auth, OAuth2ClientCredentials)
        self.budget.grant(requests + token - len(stream.samples))


def _sample_below(stream: AnalyticsStream, parent: AnalyticsStream, parents: Sample) -> Sample:
    """Extrapolate what a few parents' children cost."""
    contexts = [
        context
        for row, above in parents.rows
        if keeps_parent(parent, row)
        for context in stream.contexts_below(parent, row, above)
    ]
    samples = []
    # A few, from all over.
    step = max(1, (len(contexts) - 1) // (PARENTS - 1))
    for context in contexts[::step][:PARENTS]:
        try:
            samples.append(read_sample(stream, context, pages=1))
        except NotFound:
            # The parent is gone, and a sync skips it.
            samples.append(Sample(requests=1))
    read = len(parents.rows)
    number = round(parents.read * len(contexts) / read) if read else 0
    found = extrapolate(samples, parents=number, basis=parents.basis)
    return replace(found, parallel=stream.connection.concurrency)


def _paced(connection: ApiConnection, requests: int) -> float:
    """Return the seconds that so many requests take at the allowed rate."""
    return requests / connection.throttle.rate
