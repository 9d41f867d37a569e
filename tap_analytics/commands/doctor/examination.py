"""All streams examined side by side, within the width and the pace of their APIs.

Of each API one stream goes first: what it meets of refused credentials or of a host that nobody
reaches holds for all of them, and is met once. Children follow with a row of their parent.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from tap_analytics.commands.doctor.checkup import StreamCheck
from tap_analytics.commands.doctor.findings import ApiReport, Level, Result, StreamReport, wrong
from tap_analytics.commands.doctor.recorder import Recorder
from tap_analytics.commands.doctor.refusals import SHARED
from tap_analytics.errors import TapError
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.transport.auth import NoAuth

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.refusals import Refused
    from tap_analytics.streams.api import Api
    from tap_analytics.tap import TapAnalytics

T = t.TypeVar("T")

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
        self._checkups: dict[str, StreamCheck] = {}

    def run(self) -> list[ApiReport]:
        """Examine everything; raises `Cancelled` when the tap is told to stop."""
        wanted = [api for api in self.tap.apis.values() if self._wanted(api)]
        calls = [lambda api=api: self._api(api) for api in wanted]
        return self._side_by_side(calls, width=len(calls))

    def _wanted(self, api: Api) -> list[AnalyticsStream]:
        """Return the streams to examine in an API's own order, with the parents they need."""
        chosen = [s for s in self.streams if s.api == api.name and self._is_chosen(s)]
        names = {stream.name for stream in chosen}
        for stream in chosen:
            names |= {parent.name for parent in self._parents(stream)}
        order = api.stream_names
        found = [stream for stream in self.streams if stream.name in names]
        return sorted(found, key=lambda stream: order.index(stream.name))

    def _is_chosen(self, stream: AnalyticsStream) -> bool:
        return not self.only or stream.name in self.only

    def _parents(self, stream: AnalyticsStream) -> list[AnalyticsStream]:
        """Return the parent of a stream, and that one's parent, and so on."""
        found: list[AnalyticsStream] = []
        while (kind := stream.parent_stream_type) is not None:
            stream = t.cast("AnalyticsStream", self.tap.streams_by_type[kind])
            found.append(stream)
        return found

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
        waves: dict[int, list[AnalyticsStream]] = {}
        for stream in streams:
            waves.setdefault(len(self._parents(stream)), []).append(stream)
        leader, *others = waves.pop(0)
        found = {leader.name: self._examined(leader)}
        if (shared := self._shared(leader)) is None:
            for wave in (others, *(waves[depth] for depth in sorted(waves))):
                calls = [lambda stream=stream: self._examined(stream) for stream in wave]
                told = self._side_by_side(calls, width=self._concurrency)
                found |= {stream.name: each for stream, each in zip(wave, told, strict=True)}
        else:
            found[leader.name].findings.remove(shared.finding)
            report.findings.append(shared.finding)
            for stream in streams:
                blank = StreamReport(name=stream.name, path=stream.path or "")
                found.setdefault(stream.name, blank).unchecked = "the API could not be asked"
        if report.has_credential:
            report.credential = _credential(shared, found.values())
        report.streams = [found[s.name] for s in streams if self._is_chosen(s)]
        _forbid_all(report)
        return report

    def _shared(self, leader: AnalyticsStream) -> Refused | None:
        """Return what the first stream of an API met that holds for all the others."""
        refused = self._checkups[leader.name].refused
        return refused if refused is not None and refused.cause in SHARED else None

    def _examined(self, stream: AnalyticsStream) -> StreamReport:
        checkup = StreamCheck(stream)
        if not self._is_chosen(stream):
            # A parent that is only needed for its rows is asked for one page.
            checkup.recorder.left[stream.name] = 1
        self._checkups[stream.name] = checkup
        if parents := self._parents(stream):
            above = self._checkups[parents[0].name]
            checkup.contexts = self._contexts(stream, above, checkup.report)
        if checkup.contexts:
            checkup.run()
        self.done()
        return checkup.report

    def _contexts(
        self, stream: AnalyticsStream, above: StreamCheck, report: StreamReport
    ) -> Sequence[Context]:
        """Return the contexts below the first rows of a parent; report why there are none."""
        try:
            below = (
                stream.contexts_below(above.stream, row, above.context)
                for row in above.rows[:_PARENTS]
            )
            if found := [context for contexts in below for context in contexts]:
                return found
        except TapError as error:
            report.findings.append(wrong("parent_field", str(error)))
        parent = above.report
        has_failed = parent.result in {Result.WRONG, Result.UNCHECKED}
        why = "failed" if has_failed and not above.rows else "has no row that leads to it"
        report.unchecked = f"its parent {parent.name} {why}"
        if not above.rows and not self._is_chosen(above.stream):
            report.findings += [f for f in parent.findings if f.level is Level.WRONG]
        return []

    def _side_by_side(self, calls: Sequence[Callable[[], T]], *, width: int) -> list[T]:
        """Make calls at once; strictly one after the other where the tap is told to be serial."""
        if self._concurrency == 1 or len(calls) < 2:  # noqa: PLR2004 - one alone needs no thread
            return [call() for call in calls]
        with ThreadPoolExecutor(max_workers=min(width, len(calls))) as pool:
            return list(pool.map(lambda call: call(), calls))


def _credential(shared: Refused | None, streams: Iterable[StreamReport]) -> bool | None:
    """Say whether the credential is accepted: by an answer, or by the word of a refusal."""
    if any(stream.rows is not None for stream in streams):
        return True
    return False if shared is not None and shared.cause == "credentials" else None


def _forbid_all(report: ApiReport) -> None:
    """Where everything is forbidden it is the credential that lacks the permission."""
    asked = [stream for stream in report.streams if not stream.unchecked]
    forbidden = [f for stream in asked for f in stream.findings if f.code == "forbidden"]
    if not asked or len(forbidden) < len(asked) or len(asked) == 1:
        return
    for stream in asked:
        stream.findings = [f for f in stream.findings if f.code != "forbidden"]
        stream.unchecked = "it is forbidden"
    text = forbidden[0].text.partition(" Or name the stream")[0]
    report.findings.append(wrong("forbidden", f"Every stream is forbidden: {text}"))
