"""The checks of all streams of a tap.

One stream of each API is checked first: a refused credential or an unreachable host affects all of
them and is reported once. Children are checked below the first rows of their parent.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby

from tap_analytics.commands.doctor.access import (
    SHARED,
    Refused,
    first_page,
    ignored,
    rate_headers,
    throttled,
    too_fast,
)
from tap_analytics.commands.doctor.findings import (
    ApiReport,
    StreamReport,
    note,
    sentence,
    warning,
    wrong,
)
from tap_analytics.commands.doctor.page_numbers import NumberCheck, check_total
from tap_analytics.commands.doctor.paging import (
    LinkCheck,
    PagingCheck,
    check_larger_limit,
    check_limit,
)
from tap_analytics.commands.doctor.probe import Probe, Recorder
from tap_analytics.commands.doctor.rows import check_bookmark, check_keys, check_selector
from tap_analytics.errors import TapError, explain
from tap_analytics.pagination import PageNumber, StopReason
from tap_analytics.reporting.numbers import plural
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.streams.scope import contexts_of
from tap_analytics.transport.auth import NoAuth
from tap_analytics.transport.errors import BudgetSpent, Cancelled

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.findings import Finding
    from tap_analytics.commands.doctor.probe import Trial
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.records.rows import DictRows, Row
    from tap_analytics.streams.api import Api
    from tap_analytics.tap import TapAnalytics

T = t.TypeVar("T")
U = t.TypeVar("U")

#: Parents tried for a child, if the first is deleted or has no children.
_PARENTS = 2


class Doctor:
    """Checks the selected streams of a tap, or those in `only` and the parents they need."""

    def __init__(
        self,
        tap: TapAnalytics,
        *,
        only: Sequence[str] = (),
        done: Callable[[], object] = lambda: None,
    ) -> None:
        self.tap = tap
        self.only = set(only)
        #: Called after each stream.
        self.done = done
        self.streams = [t.cast("AnalyticsStream", each) for each in tap.streams.values()]
        self._concurrency: int = tap.config["concurrency"]
        self._checks: dict[str, StreamCheck] = {}

    def run(self) -> list[ApiReport]:
        """Run all checks; raises `Cancelled` if the tap is stopped."""
        apis = [api for api in self.tap.apis.values() if self._chosen(api)]
        return self._map(self._api, apis, width=len(apis))

    def _chosen(self, api: Api) -> list[AnalyticsStream]:
        """Return the streams to check, in the order of the API, with the parents they need."""
        chosen = [s for s in self.streams if s.api == api.name and self._is_chosen(s)]
        names = {each.name for stream in chosen for each in (stream, *self._parents(stream))}
        found = [stream for stream in self.streams if stream.name in names]
        return sorted(found, key=lambda stream: api.stream_names.index(stream.name))

    def _is_chosen(self, stream: AnalyticsStream) -> bool:
        return stream.name in self.only if self.only else stream.selected_by_default

    def _parents(self, stream: AnalyticsStream) -> list[AnalyticsStream]:
        """Return the ancestors of a stream, nearest first."""
        found: list[AnalyticsStream] = []
        while (kind := stream.parent_stream_type) is not None:
            stream = t.cast("AnalyticsStream", self.tap.streams_by_type[kind])
            found.append(stream)
        return found

    def _depth(self, stream: AnalyticsStream) -> int:
        return len(self._parents(stream))

    def _map(self, call: Callable[[U], T], values: Sequence[U], *, width: int) -> list[T]:
        """Call with each value concurrently; in sequence if `concurrency` is 1."""
        if self._concurrency == 1 or len(values) < 2:  # noqa: PLR2004 - one needs no thread
            return [call(value) for value in values]
        with ThreadPoolExecutor(max_workers=min(width, len(values))) as pool:
            return list(pool.map(call, values))

    # --- one API ------------------------------------------------------------------------------

    def _api(self, api: Api) -> ApiReport:
        streams = self._chosen(api)
        connection = self.tap.connections[api.name]
        connection.prefetcher = Recorder(connection.transport)
        report = ApiReport(
            name=api.name,
            base_url=connection.base_url,
            is_declared=isinstance(streams[0], DeclaredStream),
            has_credential=not isinstance(connection.auth, NoAuth),
        )
        first, *others = sorted(streams, key=self._depth)
        self._examine(first)
        refused = self._checks[first.name].refused
        if refused is not None and refused.cause in SHARED:
            self._checks[first.name].report.findings.remove(refused.finding)
            report.findings.append(refused.finding)
            report.credential = False if refused.cause == "credentials" else None
            for stream in streams:
                check = self._checks.setdefault(stream.name, StreamCheck(stream))
                check.report.unchecked = "the API can't be reached or refuses access"
        else:
            for _, level in groupby(others, key=self._depth):
                self._map(self._examine, [*level], width=self._concurrency)
        reports = [self._checks[stream.name].report for stream in streams]
        if report.has_credential and any(each.rows is not None for each in reports):
            report.credential = True
        report.streams = [each for each in reports if not self.only or each.name in self.only]
        _merge_forbidden(report)
        return report

    def _examine(self, stream: AnalyticsStream) -> None:
        check = self._checks[stream.name] = StreamCheck(stream)
        if not self._is_chosen(stream):
            # One page is enough for a parent that is only needed for its rows.
            check.probe.recorder.remaining[stream.name] = 1
        if parents := self._parents(stream):
            check.contexts = self._contexts(check, self._checks[parents[0].name])
        if check.contexts:
            check.run()
        self.done()

    def _contexts(self, check: StreamCheck, parent: StreamCheck) -> Sequence[Context]:
        """Return child contexts of the first rows of a parent; report why there are none."""
        report = check.report
        skipped: list[TapError] = []
        try:
            found = [
                context
                for row in parent.rows[:_PARENTS]
                for context in contexts_of(
                    check.stream, parent.stream, row, parent.context, skipped.append
                )
            ]
        except TapError as error:
            found, skipped = [], [error]
        if found:
            return found
        report.findings += [wrong("parent_field", str(error)) for error in skipped[:1]]
        has_failed = (parent.report.is_wrong or parent.report.unchecked) and not parent.rows
        why = "failed" if has_failed else "has no row with a child context"
        report.unchecked = f"its parent {parent.stream.name} {why}"
        if not parent.rows and not self._is_chosen(parent.stream):
            report.findings += [f for f in parent.report.findings if f.level == "wrong"]
        return []


def _merge_forbidden(report: ApiReport) -> None:
    """Report once if all streams are forbidden: the credential lacks the permission."""
    checked = [stream for stream in report.streams if not stream.unchecked]
    forbidden = [f for stream in checked for f in stream.findings if f.code == "forbidden"]
    if len(forbidden) < len(checked) or len(checked) < 2:  # noqa: PLR2004 - one may be the only one
        return
    for stream in checked:
        stream.findings = [f for f in stream.findings if f.code != "forbidden"]
        stream.unchecked = "it is forbidden"
    text = forbidden[0].text.partition(" Or add the stream")[0]
    report.findings.append(wrong("forbidden", f"Every stream is forbidden: {text}"))


class StreamCheck:
    """The checks of one stream; raises only `Cancelled`."""

    def __init__(self, stream: AnalyticsStream) -> None:
        self.stream = stream
        #: Contexts to try for a child: those of its first parents.
        self.contexts: Sequence[Context | None] = stream.contexts[:_PARENTS] or (None,)
        self.report = StreamReport(name=stream.name, path=stream.path or "")
        #: The first page's rows as a run would write them, and the context they were read in.
        self.rows: list[Row] = []
        self.context: Context | None = None
        #: Why there is no first page.
        self.refused: Refused | None = None
        self.probe = Probe(origin=stream, stream=stream)
        #: The first pages as a run reads them, with errors in the row settings corrected.
        self._trial: Trial | None = None

    def run(self) -> None:
        """Request pages and report problems."""
        report, stream = self.report, self.stream
        try:
            self._check()
        except Refused as refused:
            self.refused = refused
            known = report.findings
            report.findings += [each for each in (refused.finding,) if each not in known]
        except Cancelled:
            raise
        except BudgetSpent:
            pass
        except Exception as error:  # noqa: BLE001 - must not stop the other streams
            report.findings.append(wrong("failed", sentence(explain(error))))
        self._judge()
        is_reported = any(finding.code == "throttled" for finding in report.findings)
        failure = self.probe.recorder.throttled.get(stream.name)
        if failure is not None and not is_reported:
            text = f"A request was throttled with status {failure.status}."
            report.findings.append(throttled(stream.connection, text, report.rate_headers))
        report.requests = stream.connection.transport.stats.of(stream.name).requests

    def _check(self) -> None:
        report = self.report
        probe, page = self._first()
        report.rate_headers = rate_headers(page.page.headers)
        report.findings += too_fast(self.stream.connection, page.page.headers)
        report.rows = len(page.rows)
        if not page.rows:
            text = "The response has no rows, so nothing more can be checked."
            is_explained = any(finding.code == "selector" for finding in report.findings)
            report.findings += [] if is_explained else [note("empty", text)]
            return
        self.rows = probe.processed(t.cast("DictRows", page.rows).dicts)
        if not self.rows:
            report.findings.append(note("empty", "`processing_steps` leave out all rows."))
            return
        check_bookmark(probe.stream, self.rows, report)
        probe = check_keys(probe, self.rows, report)
        paging = PagingCheck(probe, probe.fetch(page.page.query), report)
        self._trial = paging.trial
        (NumberCheck if paging.is_counted else LinkCheck)(paging).run()
        check_limit(paging)
        check_larger_limit(paging)
        check_total(paging)
        # Rows that were read twice don't show whether keys are unique.
        if report.key == "unique" and paging.trial.advances and not paging.trial.repeated:
            check_keys(probe, [*self.rows, *paging.trial.rows[1]], report)

    # --- the first page -----------------------------------------------------------------------

    def _first(self) -> tuple[Probe, FetchedPage]:
        """Return the first page of a first run; for a child, below its first parents."""
        for number, context in enumerate(self.contexts, start=1):
            self.context = context
            probe = replace(self.probe, context=context)
            is_last = number == len(self.contexts)
            try:
                probe, page = first_page(probe, self.report)
            except Refused as refused:
                # The parent may have been deleted; try another one.
                if refused.cause in {"missing", "ignored"} and not is_last:
                    is_ignored = refused.cause == "ignored"
                    self.report.findings += [refused.finding] if is_ignored else []
                    continue
                other = self._rebased(probe) if refused.cause == "rejected" else None
                if other is None:
                    raise
                probe, page = other
            if page.rows or is_last:
                break
        probe = check_selector(probe, page, self.report)
        page = probe.fetch(page.page.query)
        return (None if page.rows else self._rebased(probe, empty=True)) or (probe, page)

    def _rebased(self, probe: Probe, *, empty: bool = False) -> tuple[Probe, FetchedPage] | None:
        """Return the first page with another base page, if the server numbers pages from there."""
        paging = probe.stream.paging
        if not isinstance(paging, PageNumber):
            return None
        base = paging.base_page - 1 if paging.base_page else 1
        other = probe.changed(paginator={"base_page": base})
        page = other.attempt(other.stream.paging.start()) if other else None
        if other is None or page is None or (empty and not page.rows):
            return None
        # Without a `base_page` the tap tries page 1 after an empty page 0.
        kind = warning if empty and paging.base_page is None else wrong
        text = f"The server numbers pages from {base}, and the tap starts with another page."
        self.report.findings.append(kind("base_page", text, paginator={"base_page": base}))
        return other, page

    # --- verdict of a run ---------------------------------------------------------------------

    def _judge(self) -> None:
        """Report why a run would fail; keep only suggestions that don't make the result worse."""
        report = self.report
        best = replace(self.probe, context=self.context)
        trial = best.trial()
        seen = self._trial or trial
        if not (seen.is_good or self.refused or report.is_wrong):
            report.findings.append(_doubt(seen, self.stream))
        for finding in report.findings:
            is_suggested = finding.resource or finding.paginator
            other = best.changed(finding.resource, finding.paginator) if is_suggested else None
            if other is not None and other.trial().is_no_worse(trial):
                best, trial = other, other.trial()
        report.resource = {} if trial.repeated else dict(best.resource)


def _doubt(trial: Trial, stream: AnalyticsStream) -> Finding:
    """Return why a run would fail or may be incomplete."""
    if trial.error:
        text = explain(trial.error).removeprefix(f"{stream.label}: ")
        return wrong("failed", f"A run would fail: {sentence(text)}")
    if trial.repeated:
        text = (
            f"{plural(trial.repeated, 'row')} on the first pages are repeated: the order isn't "
            "stable, or the primary key isn't unique."
        )
        return wrong("key_repeated", text)
    if trial.end is StopReason.IGNORED:
        return ignored(stream, "The next page has a response", "stops there")
    verdict = trial.verdict.value
    return wrong(verdict, f"A run would be {verdict}: {sentence(trial.missing)}")
