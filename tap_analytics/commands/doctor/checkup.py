"""One stream examined: its first page, its rows, its paging, and what a run would make of it."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.doctor.findings import (
    Level,
    StreamReport,
    merged,
    note,
    warning,
    wrong,
)
from tap_analytics.commands.doctor.inquiry import Probe
from tap_analytics.commands.doctor.pager import Pager, Relation, changed_clause
from tap_analytics.commands.doctor.paging import examine_paging
from tap_analytics.commands.doctor.rates import rate_headers, throttled, too_fast
from tap_analytics.commands.doctor.recorder import BudgetSpent
from tap_analytics.commands.doctor.refusals import Extra, Refused, first_page, sentence
from tap_analytics.commands.doctor.rows import check_bookmark, check_keys, check_selector
from tap_analytics.commands.doctor.sizes import check_limit, check_total
from tap_analytics.commands.doctor.trial import changed, tried
from tap_analytics.errors import TapError, explain
from tap_analytics.pagination import PageNumber
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.streams.scope import open_bookmark, ordering, window_of
from tap_analytics.transport.errors import Cancelled, OriginRefused, Rejected, TransportError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.findings import Finding
    from tap_analytics.commands.doctor.inquiry import Answer
    from tap_analytics.commands.doctor.recorder import Recorder
    from tap_analytics.commands.doctor.trial import Trial
    from tap_analytics.records.payload import Row


class StreamCheck:
    """The examination of one stream; raises `Cancelled` alone."""

    def __init__(self, stream: AnalyticsStream) -> None:
        self.stream = stream
        #: Those that a child is tried in: below its first parents.
        self.contexts: Sequence[Context | None] = (None,)
        self.report = StreamReport(name=stream.name, path=stream.path or "")
        #: The first page's rows as a run would write them.
        self.rows: list[Row] = []
        #: Why there is no first page.
        self.refused: Refused | None = None
        self._inquiry = Probe(stream)

    @property
    def recorder(self) -> Recorder:
        """What the API's server was asked, and has answered."""
        return t.cast("Recorder", self.stream.connection.lookahead)

    @property
    def context(self) -> Context | None:
        """The context the rows were read in."""
        return self._inquiry.context

    def run(self) -> None:
        """Ask and look."""
        findings = self.report.findings
        try:
            self._look()
        except Refused as refused:
            self.refused = refused
            findings.append(refused.finding)
        except Cancelled:
            raise
        except BudgetSpent:
            pass
        except Exception as error:  # noqa: BLE001 - a stream that fails must not stop the others
            findings.append(wrong("failed", sentence(explain(error))))
        findings[:0] = self._inquiry.findings
        self._judge()
        connection = self.stream.connection
        is_told = any(finding.code == "throttled" for finding in findings)
        for failure in () if is_told else self.recorder.throttled[self.stream.name][:1]:
            told = f"A request was answered {failure.status}, and had to wait."
            findings.append(throttled(connection, told, self.report.rate_headers))
        self.report.requests = connection.transport.stats.of(self.stream.name).requests

    def _look(self) -> None:
        inquiry, report = self._inquiry, self.report
        answer = check_selector(inquiry, self._first(), report)
        stream = inquiry.stream
        report.rate_headers = rate_headers(answer.page.headers)
        if fast := too_fast(stream.connection, answer.page.headers):
            report.findings.append(fast)
        if not answer.rows:
            answer = self._from_other_page(answer)
        report.rows = len(answer.rows)
        if not answer.rows:
            if not any(finding.code == "selector" for finding in report.findings):
                text = "The server answers with no rows, so nothing more can be told."
                report.findings.append(note("empty", text))
            return
        self.rows = inquiry.processed(answer.rows)
        check_bookmark(stream, self.rows, report)
        pager = self._paged(answer)
        if pager is None:
            check_keys(inquiry, self.rows, report)
            return
        check_limit(pager)
        check_total(pager)
        # Rows that are read twice say nothing about their keys.
        fresh = [page for page in pager.further if pager.relation(page) is Relation.NEW]
        more = inquiry.processed([row for page in fresh[:1] for row in page.rows])
        check_keys(inquiry, [*self.rows, *more], report)

    # --- the first page -------------------------------------------------------------------------

    def _first(self) -> Answer:
        """Return the first page as a first run asks for it; of a child, below a parent's row."""
        stream, inquiry = self.stream, self._inquiry
        first = stream.get_new_paginator().current_value or {}
        extras = _extras(stream)
        for number, context in enumerate(self.contexts, start=1):
            inquiry.context = context
            is_last = number == len(self.contexts)
            try:
                answer = first_page(inquiry, first, extras=extras)
            except Refused as refused:
                if is_last or refused.cause != "missing":
                    return self._from_page_one(refused)
                # The parent may be gone by now; another one may be there.
                continue
            if answer.rows or is_last:
                break
        return answer

    def _from_page_one(self, refused: Refused) -> Answer:
        """Where page 0 is refused, the server may count from 1; raises the refusal if not."""
        paging = self._page_number
        if refused.cause != "rejected" or paging is None or paging.base_page:
            raise refused
        try:
            answer = self._inquiry.ask({paging.page_param: "1"})
        except (TransportError, BudgetSpent):
            raise refused from None
        text = "The server counts pages from 1 and refuses page 0."
        finding = wrong("base_page", text, paginator={"base_page": 1})
        self.report.findings.append(finding)
        return answer

    def _from_other_page(self, answer: Answer) -> Answer:
        """Where the first page is empty, the server may count from another number."""
        paging = self._page_number
        if paging is None:
            return answer
        base = paging.base_page - 1 if paging.base_page else 1
        try:
            other = self._inquiry.ask({**answer.page.query, paging.page_param: str(base)})
        except (TransportError, BudgetSpent):
            return answer
        if not other.rows:
            return answer
        # Without a base the tap looks at page 1 as well.
        tell = warning if paging.base_page is None else wrong
        text = f"The server counts pages from {base}, and the walk begins with another."
        self.report.findings.append(tell("base_page", text, paginator={"base_page": base}))
        return other

    @property
    def _page_number(self) -> PageNumber | None:
        """The paging, if it counts pages from a number that can be configured."""
        paging = self.stream.paging
        is_declared = isinstance(self.stream, DeclaredStream)
        return paging if is_declared and isinstance(paging, PageNumber) else None

    # --- what follows ---------------------------------------------------------------------------

    def _paged(self, answer: Answer) -> Pager | None:
        """Examine the paging; None where the next page that is named can't be asked for."""
        inquiry, report = self._inquiry, self.report
        try:
            now = tried(inquiry.stream, self.context)
            pager = Pager(inquiry=inquiry, first=answer, report=report, now=now)
        except (OriginRefused, Rejected) as error:
            told = explain(error)
            report.paging = "fails"
            report.findings.append(wrong("link", sentence(f"{told[0].upper()}{told[1:]}")))
            return None
        try:
            examine_paging(pager)
        except BudgetSpent:
            pass
        except (TransportError, TapError) as error:
            report.paging = "fails"
            text = f"The second page can't be had. {sentence(explain(error))}"
            report.findings.append(wrong("next_failed", text))
        return pager

    # --- what a run would make of it --------------------------------------------------------------

    def _judge(self) -> None:
        """Say whether a run would prove that it is complete, and keep what makes it no worse."""
        findings = self.report.findings
        now = tried(self.stream, self.context)
        is_told = self.refused or any(each.level is Level.WRONG for each in findings)
        if not now.is_good and not is_told:
            findings.append(_doubt(now, label=self.stream.label))
        self._suggest(now)

    def _suggest(self, best: Trial) -> None:
        """Put together the words that, laid over the resource, were tried and are no worse."""
        kept: list[Finding] = []
        for finding in self.report.findings:
            if not (finding.resource or finding.paginator):
                continue
            words = self._words([*kept, finding])
            stream = changed(self.stream, words)
            result = None if stream is None else tried(stream, self.context)
            if result is not None and result.is_no_worse(best):
                kept, best, self.report.resource = [*kept, finding], result, words
        if best.unkeyed:
            self.report.resource = {}

    def _words(self, findings: Sequence[Finding]) -> dict[str, t.Any]:
        """Return what findings ask to change in the declaration of the resource."""
        words: dict[str, t.Any] = {}
        for finding in findings:
            words = merged(words, finding.resource)
        changes = [finding.paginator for finding in findings if finding.paginator]
        if changes and isinstance(self.stream, DeclaredStream):
            clause = changed_clause(self.stream, changes)
            words = merged(words, {"endpoint": {"paginator": clause}})
        return words


def _extras(stream: AnalyticsStream) -> tuple[Extra, ...]:
    """Return what a first run sends beside paging: its order, and the server's own filter."""
    bookmark = open_bookmark(stream)
    window = {}
    if bookmark is not None and not stream.child_streams:
        window = window_of(stream, bookmark)
    names = ", ".join(f"`{name}`" for name in window)
    change = {"endpoint": {"incremental": {"start_param": None}}}
    filtered = warning(
        "filter_refused",
        f"The server refuses the filter {names}; the tap reads without it.",
        resource=change if isinstance(stream, DeclaredStream) else {},
    )
    sorting = ordering(stream, newest=False)
    names = ", ".join(f"`{name}={value}`" for name, value in sorting.items())
    text = f"The server refuses the order {names}."
    return Extra(window, filtered), Extra(
        sorting, wrong("order_refused", text, api={"sort_by": None})
    )


def _doubt(trial: Trial, *, label: str) -> Finding:
    """Say for what a run would fail, or doubt that it is complete."""
    if trial.failure:
        told = trial.failure.removeprefix(f"{label}: ")
        return wrong("failed", f"A run fails: {sentence(told)}")
    if trial.unkeyed:
        text = (
            f"{trial.unkeyed} rows of the first pages have the primary key of an earlier row, or "
            "none: the order isn't stable, or the key isn't unique."
        )
        return wrong("key_repeated", text)
    verdict = (trial.verdict or Verdict.UNVERIFIED).value
    return wrong(verdict, sentence(f"A run would be {verdict}: {trial.missing}"))
