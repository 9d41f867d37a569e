"""What a sync would cost: its requests, rows and time, from a few requests of its own.

A stream is asked for its first page, and for a second one where that may show the end. What
children cost is multiplied out from those of a few parents.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import dataclass

from tap_analytics.commands.plan.sample import Basis, Sample, glimpse, least_sure, multiplied
from tap_analytics.errors import TapError, explain
from tap_analytics.streams.scope import (
    is_optional,
    keeps_parent,
    open_bookmark,
    open_reader,
    promises_deletes,
    read_children,
)
from tap_analytics.transport.auth import OAuth2ClientCredentials
from tap_analytics.transport.errors import BudgetSpent, NotFound

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.tap import TapAnalytics
    from tap_analytics.transport.connection import ApiConnection

#: Requests a stream is worth, and those its parents' sample is worth instead.
PAGES = 2
PARENTS = 3


@dataclass(slots=True, kw_only=True)
class Estimate:
    """What one stream would cost and bring."""

    name: str
    api: str
    #: The stream without a parent that it hangs on: itself, if it has none.
    root: str
    requests: int = 0
    rows: int = 0
    basis: Basis = Basis.EXACT
    #: Whether the figures are multiplied out from a sample.
    estimated: bool = False
    #: Whether fewer rows may come.
    bounded: bool = False
    seconds: float = 0.0
    error: str | None = None
    #: Whether a sync puts up with the error.
    forgiven: bool = False


class Plan:
    """The estimates of all selected streams, parents before their children.

    The tap must not have looked at its streams yet: that may take requests, which count.
    """

    def __init__(self, tap: TapAnalytics) -> None:
        self.tap = tap
        self.budget = tap.budget
        self.estimates: list[Estimate] = []
        self._signed: set[str] = set()
        # A schema that isn't declared is sampled, at a request a stream.
        self.budget.grant(PAGES * sum(len(api.streams) for api in tap.apis.values()))
        tap.setup_mapper()
        for stream in tap.roots:
            self._plan_root(stream)

    @property
    def total(self) -> Estimate:
        """The sum of all that could be planned; a lower bound where something could not."""
        bases = [Basis.AT_LEAST if each.error else each.basis for each in self.estimates]
        return Estimate(
            name="Sum",
            api="",
            root="",
            requests=sum(each.requests for each in self.estimates),
            rows=sum(each.rows for each in self.estimates),
            basis=least_sure(bases),
            estimated=any(each.estimated for each in self.estimates),
            bounded=any(each.bounded for each in self.estimates),
            seconds=self._seconds(),
        )

    @property
    def is_serial(self) -> bool:
        """Whether a sync reads one stream after the other."""
        return self.tap.config["concurrency"] == 1 or "max_requests" in self.tap.config

    def _seconds(self) -> float:
        """How long a sync takes at least."""
        by_api: defaultdict[str, list[Estimate]] = defaultdict(list)
        for estimate in self.estimates:
            by_api[estimate.api].append(estimate)
        each = [self._api_seconds(name, found) for name, found in by_api.items()]
        return sum(each) if self.is_serial else max(each, default=0.0)

    def _api_seconds(self, name: str, estimates: Sequence[Estimate]) -> float:
        trees: defaultdict[str, float] = defaultdict(float)
        for estimate in estimates:
            trees[estimate.root] += estimate.seconds
        waits = sum(trees.values()) if self.is_serial else max(trees.values())
        paced = _paced(self.tap.connection(name), sum(one.requests for one in estimates))
        return max(paced, waits)

    # --- streams ----------------------------------------------------------------------------

    def _plan_root(self, stream: AnalyticsStream) -> None:
        estimate = Estimate(name=stream.name, api=stream.api, root=stream.name)
        self.estimates.append(estimate)
        try:
            seen = self._look(stream, None, pages=PAGES)
        except Exception as error:  # noqa: BLE001 - whatever it is, a sync would meet it as well
            self._fail(stream, estimate, error)
            return
        self._settle(stream, estimate, seen)
        for child in read_children(stream):
            self._plan_child(child, stream, seen, root=stream.name)

    def _plan_child(
        self, stream: AnalyticsStream, parent: AnalyticsStream, parents: Sample, *, root: str
    ) -> None:
        """Multiply out what a few parents' children cost."""
        estimate = Estimate(name=stream.name, api=stream.api, root=root)
        self.estimates.append(estimate)
        try:
            below = [
                context
                for row, above in parents.rows
                if keeps_parent(parent, row)
                for context in stream.contexts_below(parent, row, above)
            ]
            self._grant(stream, PARENTS)
            sample = [self._look_below(stream, context) for context in _spread(below)]
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(stream, estimate, error)
            return
        read = len(parents.rows)
        number = round(parents.read * len(below) / read) if read else 0
        seen = multiplied(sample, parents=number, basis=parents.basis)
        seen.parallel = stream.connection.concurrency
        self._settle(stream, estimate, seen)
        for child in read_children(stream):
            self._plan_child(child, stream, seen, root=root)

    def _settle(self, stream: AnalyticsStream, estimate: Estimate, seen: Sample) -> None:
        estimate.requests = seen.requests
        # A parent that isn't selected is read, not written.
        estimate.rows = seen.wanted if stream.selected else 0
        estimate.basis, estimate.estimated = seen.basis, seen.estimated
        estimate.bounded = seen.bounded and stream.selected
        waits = seen.requests * seen.latency / seen.parallel
        estimate.seconds = max(waits, _paced(stream.connection, seen.requests))

    def _fail(self, stream: AnalyticsStream, estimate: Estimate, error: Exception) -> None:
        """Tell why a stream, and with it its children, can't be planned."""
        if isinstance(error, BudgetSpent):
            error = TapError(
                f"{stream.label}: the few requests a plan may send brought no page. Run "
                "`tap-analytics doctor`."
            )
        estimate.error, estimate.forgiven = explain(error), is_optional(stream, error)
        for child in read_children(stream):
            below = Estimate(name=child.name, api=child.api, root=estimate.root)
            self.estimates.append(below)
            self._fail(child, below, error)

    # --- requests ---------------------------------------------------------------------------

    def _look(self, stream: AnalyticsStream, context: Context | None, *, pages: int) -> Sample:
        if stream.failure is not None:
            raise stream.failure
        if context is None:
            self._grant(stream, pages)
        bookmark = open_bookmark(stream)
        filtered = None if read_children(stream) else bookmark
        # Nothing may be asked for that isn't looked at.
        walk = open_reader(stream, context, bookmark=filtered, max_rows=0)
        return glimpse(stream, walk, bookmark, pages=pages, whole=promises_deletes(stream))

    def _look_below(self, stream: AnalyticsStream, context: Context) -> Sample:
        try:
            return self._look(stream, context, pages=1)
        except NotFound:
            # The parent is gone, which a sync passes over.
            return Sample(requests=1)

    def _grant(self, stream: AnalyticsStream, requests: int) -> None:
        """Allow so many requests, less the one that sampled the schema, plus one for a token."""
        fresh = stream.api not in self._signed
        self._signed.add(stream.api)
        token = fresh and isinstance(stream.connection.auth, OAuth2ClientCredentials)
        self.budget.grant(requests + token - len(stream.samples))


def _spread(contexts: Sequence[Context]) -> Sequence[Context]:
    """Choose a few, from all over."""
    step = max(1, (len(contexts) - 1) // (PARENTS - 1))
    return contexts[::step][:PARENTS]


def _paced(connection: ApiConnection, requests: int) -> float:
    """Return the seconds that so many requests take at the allowed pace."""
    return requests / connection.throttle.rate
