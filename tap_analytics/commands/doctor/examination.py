"""All streams examined side by side, within the width and the pace of their APIs.

Of each API one stream goes first: what it meets of refused credentials or of a host that nobody
reaches holds for all of them, and is met once. Children follow with a row of their parent.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from tap_analytics.commands.doctor.dialects import dialect_of
from tap_analytics.commands.doctor.findings import (
    ApiReport,
    Level,
    Result,
    StreamReport,
    merged,
    note,
    warning,
    wrong,
)
from tap_analytics.commands.doctor.inquiry import BudgetSpent, Inquiry
from tap_analytics.commands.doctor.pager import Pager, Relation, changed_clause
from tap_analytics.commands.doctor.paging import examine_paging
from tap_analytics.commands.doctor.rates import rate_headers, throttled, too_fast
from tap_analytics.commands.doctor.refusals import SHARED, Extra, Refused, first_page, sentence
from tap_analytics.commands.doctor.rows import check_bookmark, check_keys, check_selector
from tap_analytics.commands.doctor.sizes import check_limit, check_total
from tap_analytics.errors import TapError, explain
from tap_analytics.pagination import PageNumber
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.transport.errors import Interrupted, OriginRefused, TransportError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.api import Api
    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.inquiry import Answer
    from tap_analytics.tap import TapAnalytics

T = t.TypeVar("T")

#: Parents that a child is tried with, where the first one is gone or has no rows.
_PARENTS = 2


class Examination:
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
        #: Contexts for the children of a stream, by its name; or why there are none.
        self._rows: dict[str, list[tuple[t.Any, Context | None]]] = {}

    def run(self) -> list[ApiReport]:
        """Examine everything; raises `Interrupted` when the tap is told to stop."""
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
        report = ApiReport(
            name=api.name,
            base_url=connection.base_url,
            is_declared=isinstance(streams[0], DeclaredStream),
        )
        found: dict[str, StreamReport] = {}
        waves: dict[int, list[AnalyticsStream]] = {}
        for stream in streams:
            waves.setdefault(len(self._parents(stream)), []).append(stream)
        leader, *others = waves.pop(0)
        found[leader.name], shared = self._lead(leader)
        if shared is None:
            for wave in (others, *(waves[depth] for depth in sorted(waves))):
                calls = [lambda stream=stream: self._examined(stream, found) for stream in wave]
                for stream, told in zip(
                    wave, self._side_by_side(calls, width=self._concurrency), strict=True
                ):
                    found[stream.name] = told
        else:
            found[leader.name].findings.remove(shared.finding)
            report.findings.append(shared.finding)
            for stream in streams:
                told = found.setdefault(stream.name, _blank(stream))
                told.unchecked = "the API could not be asked"
        report.credential = _credential(report, found.values())
        report.streams = [found[s.name] for s in streams if self._is_chosen(s)]
        _forbid_all(report)
        return report

    def _lead(self, stream: AnalyticsStream) -> tuple[StreamReport, Refused | None]:
        """Examine the first stream of an API; also return what holds for all the others."""
        report = _blank(stream)
        refused = self._examine(stream, report)
        self.done()
        is_shared = refused is not None and (
            refused.cause in SHARED or "base_url" in refused.finding.api
        )
        return report, refused if is_shared else None

    def _examined(self, stream: AnalyticsStream, known: dict[str, StreamReport]) -> StreamReport:
        report = _blank(stream)
        parents = self._parents(stream)
        if parents and not self._rows.get(parents[0].name):
            above = known[parents[0].name]
            failed = above.result in {Result.WRONG, Result.UNCHECKED}
            report.unchecked = f"its parent {above.name} {'failed' if failed else 'has no rows'}"
            if not self._is_chosen(parents[0]):
                report.findings += [f for f in above.findings if f.level is Level.WRONG]
        else:
            self._examine(stream, report)
        self.done()
        return report

    def _side_by_side(self, calls: Sequence[Callable[[], T]], *, width: int) -> list[T]:
        """Make calls at once; strictly one after the other where the tap is told to be serial."""
        if self._concurrency == 1 or len(calls) < 2:  # noqa: PLR2004 - one alone needs no thread
            return [call() for call in calls]
        with ThreadPoolExecutor(max_workers=min(width, len(calls))) as pool:
            return list(pool.map(lambda call: call(), calls))

    # --- one stream -----------------------------------------------------------------------------

    def _examine(self, stream: AnalyticsStream, report: StreamReport) -> Refused | None:
        """Ask and look; return why there was no first page, if there was none."""
        # A parent that is only needed for its rows is asked for one page.
        inquiry = Inquiry(stream) if self._is_chosen(stream) else Inquiry(stream, budget=1)
        refused = None
        try:
            self._look(inquiry, report)
        except Refused as error:
            report.findings.append(error.finding)
            refused = error
        except (Interrupted, BudgetSpent):
            if self.tap.stop.is_set:
                raise
        except Exception as error:  # noqa: BLE001 - a stream that fails must not stop the others
            report.findings.append(wrong("failed", sentence(explain(error))))
        report.requests = inquiry.spent
        for failure in inquiry.throttled[:1]:
            told = f"A request was answered {failure.status}, and had to wait."
            found = throttled(stream.connection, told, report.rate_headers)
            report.findings.append(found)
        report.findings[:0] = inquiry.findings
        _settle(stream, report)
        return refused

    def _look(self, inquiry: Inquiry, report: StreamReport) -> None:
        stream = inquiry.stream
        answer = check_selector(inquiry, self._first(inquiry, report), report)
        report.dialect = dialect_of(stream, answer.page.payload, answer.rows)
        report.rate_headers = rate_headers(answer.page.headers)
        if fast := too_fast(stream.connection, answer.page.headers):
            report.findings.append(fast)
        if not answer.rows:
            answer = _from_other_page(inquiry, answer, report)
        report.rows = len(answer.rows)
        if not answer.rows:
            if not any(finding.code == "selector" for finding in report.findings):
                text = "The server answers with no rows, so nothing more can be told."
                report.findings.append(note("empty", text))
            return
        rows = inquiry.processed(answer.rows)
        self._rows[stream.name] = [(row, inquiry.context) for row in rows]
        check_bookmark(stream, rows, report)
        pager = _paged(inquiry, answer, report)
        if pager is None:
            check_keys(inquiry, rows, report)
            return
        check_limit(pager)
        check_total(pager)
        # Rows that are read twice say nothing about their keys.
        fresh = [page for page in pager.further if pager.relation(page) is Relation.NEW]
        more = inquiry.processed([row for page in fresh[:1] for row in page.rows])
        check_keys(inquiry, [*rows, *more], report)

    def _first(self, inquiry: Inquiry, report: StreamReport) -> Answer:
        """Return the first page as a first run asks for it; of a child, below a parent's row."""
        stream = inquiry.stream
        first = stream.get_new_paginator().current_value or {}
        extras = _extras(stream)
        parents = self._parents(stream)
        if not parents:
            try:
                return first_page(inquiry, first, extras=extras)
            except Refused as refused:
                return _from_page_one(inquiry, refused, report)
        contexts = [
            below
            for row, context in self._rows[parents[0].name]
            for below in stream.contexts_below(parents[0], row, context)
        ][:_PARENTS]
        for number, context in enumerate(contexts, start=1):
            inquiry.context = context
            is_last = number == len(contexts)
            try:
                answer = first_page(inquiry, first, extras=extras)
            except Refused as refused:
                # The parent may be gone by now; another one may be there.
                if is_last or refused.cause != "missing":
                    raise
            else:
                if answer.rows or is_last:
                    break
        return answer


def _blank(stream: AnalyticsStream) -> StreamReport:
    return StreamReport(name=stream.name, path=stream.path or "")


def _extras(stream: AnalyticsStream) -> tuple[Extra, ...]:
    """Return what a first run sends beside paging: its order, and the server's own filter."""
    bookmark = stream.open_bookmark()
    window = {}
    if bookmark is not None and not stream.child_streams:
        window = stream.window(bookmark.start, bookmark.end)
    names = ", ".join(f"`{name}`" for name in window)
    change = {"endpoint": {"incremental": {"start_param": None}}}
    filtered = warning(
        "filter_refused",
        f"The server refuses the filter {names}; the tap reads without it.",
        resource=change if isinstance(stream, DeclaredStream) else {},
    )
    sorting = stream.ordering(newest=False)
    names = ", ".join(f"`{name}={value}`" for name, value in sorting.items())
    sorted_ = wrong(
        "order_refused", f"The server refuses the order {names}.", api={"sort_by": None}
    )
    return Extra(window, filtered), Extra(sorting, sorted_)


def _paged(inquiry: Inquiry, answer: Answer, report: StreamReport) -> Pager | None:
    """Examine the paging; None where the response names a next page that can't be asked for."""
    try:
        pager = Pager(inquiry=inquiry, first=answer, report=report)
    except OriginRefused as error:
        report.paging = "fails"
        report.findings.append(wrong("origin", sentence(explain(error))))
        return None
    try:
        if inquiry.left:
            examine_paging(pager)
    except (Interrupted, BudgetSpent):
        if inquiry.stream.connection.transport.stop.is_set:
            raise
    except (TransportError, TapError) as error:
        report.paging = "fails"
        text = f"The second page can't be had. {sentence(explain(error))}"
        report.findings.append(wrong("next_failed", text))
    return pager


def _from_other_page(inquiry: Inquiry, answer: Answer, report: StreamReport) -> Answer:
    """Where the first page is empty, the server may count from another number."""
    paging = inquiry.stream.paging
    if not isinstance(paging, PageNumber) or not isinstance(inquiry.stream, DeclaredStream):
        return answer
    base = paging.base_page - 1 if paging.base_page else 1
    try:
        other = inquiry.ask({**answer.page.query, paging.page_param: str(base)})
    except (TransportError, BudgetSpent):
        return answer
    if not other.rows:
        return answer
    # Without a base the tap looks at page 1 as well.
    tell = warning if paging.base_page is None else wrong
    text = f"The server counts pages from {base}, and the walk begins with another."
    report.findings.append(tell("base_page", text, paginator={"base_page": base}))
    return other


def _from_page_one(inquiry: Inquiry, refused: Refused, report: StreamReport) -> Answer:
    """Where page 0 is refused, the server may count from 1; raises the refusal if not."""
    paging = inquiry.stream.paging
    is_declared = isinstance(inquiry.stream, DeclaredStream)
    if refused.cause != "rejected" or not is_declared or not isinstance(paging, PageNumber):
        raise refused
    if paging.base_page:
        raise refused
    try:
        answer = inquiry.ask({paging.page_param: "1"})
    except (TransportError, BudgetSpent):
        raise refused from None
    text = "The server counts pages from 1 and refuses page 0."
    report.findings.append(wrong("base_page", text, paginator={"base_page": 1}))
    return answer


def _credential(report: ApiReport, streams: Iterable[StreamReport]) -> bool | None:
    """Say whether the credential is accepted: by an answer, or by the word of a refusal."""
    streams = tuple(streams)
    if any(stream.rows is not None for stream in streams):
        return True
    found = [*report.findings, *(f for stream in streams for f in stream.findings)]
    return False if any(finding.code == "credentials" for finding in found) else None


def _settle(stream: AnalyticsStream, report: StreamReport) -> None:
    """Put together what the findings ask to change in the declaration of a resource."""
    for finding in report.findings:
        report.resource = merged(report.resource, finding.resource)
    changes = [finding.paginator for finding in report.findings if finding.paginator]
    if changes and isinstance(stream, DeclaredStream):
        clause = changed_clause(stream.paging, changes)
        report.resource = merged(report.resource, {"endpoint": {"paginator": clause}})


def _forbid_all(report: ApiReport) -> None:
    """Where everything is forbidden it is the credential that lacks the permission."""
    asked = [stream for stream in report.streams if not stream.unchecked]
    forbidden = [f for stream in asked for f in stream.findings if f.code == "forbidden"]
    if not asked or len(forbidden) < len(asked) or len(asked) == 1:
        return
    for stream in asked:
        stream.findings = [f for f in stream.findings if f.code != "forbidden"]
    text = forbidden[0].text.partition(" Or name the stream")[0]
    report.findings.append(wrong("forbidden", f"Every stream is forbidden: {text}"))
