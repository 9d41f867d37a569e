"""All streams examined side by side, within the concurrency and the rate of their APIs.

Of each API one stream goes first: a credential that is refused, or a host that can't be reached,
holds for all of them, and is met once. Children follow with a row of their parent.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from tap_analytics.commands.doctor.access import SHARED
from tap_analytics.commands.doctor.findings import ApiReport, Level, wrong
from tap_analytics.commands.doctor.probe import Recorder
from tap_analytics.commands.doctor.stream_check import StreamCheck
from tap_analytics.errors import TapError
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.transport.auth import NoAuth

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.access import Refused
    from tap_analytics.streams.api import Api
    from tap_analytics.tap import TapAnalytics

T = t.TypeVar("T")
U = t.TypeVar("U")

#: Parents that a child is tried with, where the first one is gone or has no rows.
_PARENTS = 2


class Doctor:
    """Examines the streams of a tap, or those that are named and the parents they need."""

    def __init__(
        self,
        tap: TapAnalytics,
        *,
        only: Sequence[str] = (),
        done: Callable[[], object] = lambda: None,
    ) -> None:
        self.tap = tap
        self.only = set(only)
        #: Called when a stream has been examined.
        self.done = done
        self.streams = [t.cast("AnalyticsStream", each) for each in tap.streams.values()]
        self._concurrency: int = tap.config["concurrency"]
        self._checks: dict[str, StreamCheck] = {}

    def run(self) -> list[ApiReport]:
        """Examine everything; raises `Cancelled` when the tap is told to stop."""
        wanted = [api for api in self.tap.apis.values() if self._wanted(api)]
        return self._side_by_side(self._api, wanted, width=len(wanted))

    def _wanted(self, api: Api) -> list[AnalyticsStream]:
        """Return the streams to examine in an API's own order, with the parents they need."""
        chosen = [s for s in self.streams if s.api == api.name and self._is_chosen(s)]
        names = {each.name for stream in chosen for each in (stream, *self._parents(stream))}
        found = [stream for stream in self.streams if stream.name in names]
        return sorted(found, key=lambda stream: api.stream_names.index(stream.name))

    def _is_chosen(self, stream: AnalyticsStream) -> bool:
        return not self.only or stream.name in self.only

    def _parents(self, stream: AnalyticsStream) -> list[AnalyticsStream]:
        """Return the parent of a stream, and that one's parent, and so on."""
        found: list[AnalyticsStream] = []
        while (kind := stream.parent_stream_type) is not None:
            stream = t.cast("AnalyticsStream", self.tap.streams_by_type[kind])
            found.append(stream)
        return found

    def _side_by_side(self, call: Callable[[U], T], values: Sequence[U], *, width: int) -> list[T]:
        """Call with each value, at once; strictly in turn where the tap is told to be serial."""
        if self._concurrency == 1 or len(values) < 2:  # noqa: PLR2004 - one alone needs no thread
            return [call(value) for value in values]
        with ThreadPoolExecutor(max_workers=min(width, len(values))) as pool:
            return list(pool.map(call, values))

    # --- one API --------------------------------------------------------------------------------

    def _api(self, api: Api) -> ApiReport:
        streams = self._wanted(api)
        connection = self.tap.connection(api.name)
        connection.lookahead = Recorder(connection.transport)
        report = ApiReport(
            name=api.name,
            base_url=connection.base_url,
            is_declared=isinstance(streams[0], DeclaredStream),
            has_credential=not isinstance(connection.auth, NoAuth),
        )
        levels: dict[int, list[AnalyticsStream]] = {}
        for stream in streams:
            levels.setdefault(len(self._parents(stream)), []).append(stream)
        leader = levels[0].pop(0)
        self._examine(leader)
        refused = self._checks[leader.name].refused
        shared = refused if refused is not None and refused.cause in SHARED else None
        if shared is None:
            for depth in sorted(levels):
                self._side_by_side(self._examine, levels[depth], width=self._concurrency)
        else:
            self._checks[leader.name].report.findings.remove(shared.finding)
            report.findings.append(shared.finding)
            for stream in streams:
                check = self._checks.setdefault(stream.name, StreamCheck(stream))
                check.report.unchecked = "the API could not be asked"
        if report.has_credential:
            report.credential = self._is_accepted(streams, shared)
        report.streams = [self._checks[s.name].report for s in streams if self._is_chosen(s)]
        _forbid_all(report)
        return report

    def _is_accepted(
        self, streams: Sequence[AnalyticsStream], shared: Refused | None
    ) -> bool | None:
        """Say whether the credential is accepted, where a response or a refusal shows it."""
        if any(self._checks[stream.name].report.rows is not None for stream in streams):
            return True
        return False if shared is not None and shared.cause == "credentials" else None

    def _examine(self, stream: AnalyticsStream) -> None:
        check = self._checks[stream.name] = StreamCheck(stream)
        if not self._is_chosen(stream):
            # A parent that is only needed for its rows is asked for one page.
            check.probe.recorder.left[stream.name] = 1
        if parents := self._parents(stream):
            check.contexts = self._contexts(check, self._checks[parents[0].name])
        if check.contexts:
            check.run()
        self.done()

    def _contexts(self, check: StreamCheck, above: StreamCheck) -> Sequence[Context]:
        """Return the contexts below the first rows of a parent; report why there are none."""
        report, parent = check.report, above.report
        try:
            found = [
                context
                for row in above.rows[:_PARENTS]
                for context in check.stream.contexts_below(above.stream, row, above.context)
            ]
        except TapError as error:
            found = []
            report.findings.append(wrong("parent_field", str(error)))
        if found:
            return found
        has_failed = (parent.is_wrong or parent.unchecked) and not above.rows
        why = "failed" if has_failed else "has no row that leads to it"
        report.unchecked = f"its parent {parent.name} {why}"
        if not above.rows and not self._is_chosen(above.stream):
            report.findings += [f for f in parent.findings if f.level is Level.WRONG]
        return []


def _forbid_all(report: ApiReport) -> None:
    """Where everything is forbidden it is the credential that lacks the permission."""
    checked = [stream for stream in report.streams if not stream.unchecked]
    forbidden = [f for stream in checked for f in stream.findings if f.code == "forbidden"]
    if len(forbidden) < len(checked) or len(checked) < 2:  # noqa: PLR2004 - one may be the only one
        return
    for stream in checked:
        stream.findings = [f for f in stream.findings if f.code != "forbidden"]
        stream.unchecked = "it is forbidden"
    text = forbidden[0].text.partition(" Or name the stream")[0]
    report.findings.append(wrong("forbidden", f"Every stream is forbidden: {text}"))
