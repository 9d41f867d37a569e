"""One stream examined: its first page, its rows, its paging, and what a run would make of it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from tap_analytics.commands.doctor.access import (
    Refused,
    first_page,
    rate_headers,
    throttled,
    too_fast,
)
from tap_analytics.commands.doctor.findings import StreamReport, note, sentence, warning, wrong
from tap_analytics.commands.doctor.numbers import NumberCheck, check_total
from tap_analytics.commands.doctor.paging import PagingCheck, check_limit
from tap_analytics.commands.doctor.probe import Probe, RequestsSpent
from tap_analytics.commands.doctor.rows import check_bookmark, check_keys, check_selector
from tap_analytics.errors import explain
from tap_analytics.pagination import PageNumber
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.transport.errors import Cancelled

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.findings import Finding
    from tap_analytics.commands.doctor.probe import Trial
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.records.rows import DictRows, Row


class StreamCheck:
    """The examination of one stream; raises `Cancelled` alone."""

    def __init__(
        self, stream: AnalyticsStream, contexts: Sequence[Context | None] = (None,)
    ) -> None:
        self.stream = stream
        #: Those that a child is tried in: below its first parents.
        self.contexts = contexts
        self.report = StreamReport(name=stream.name, path=stream.path or "")
        #: The first page's rows as a run would write them, and the context they were read in.
        self.rows: list[Row] = []
        self.context: Context | None = None
        #: Why there is no first page.
        self.refused: Refused | None = None
        self.probe = Probe.of(stream)
        #: What a run makes of the first pages, once what is wrong with the rows is put right.
        self._trial: Trial | None = None

    def run(self) -> None:
        """Ask for pages, and report what they show."""
        report, stream = self.report, self.stream
        try:
            self._check()
        except Refused as refused:
            self.refused = refused
            report.findings.append(refused.finding)
        except Cancelled:
            raise
        except RequestsSpent:
            pass
        except Exception as error:  # noqa: BLE001 - a stream that fails must not stop the others
            report.findings.append(wrong("failed", sentence(explain(error))))
        self._judge()
        is_reported = any(finding.code == "throttled" for finding in report.findings)
        for failure in () if is_reported else self.probe.recorder.throttled[stream.name][:1]:
            text = f"A request was answered {failure.status}, and had to wait."
            report.findings.append(throttled(stream.connection, text, report.rate_headers))
        report.requests = stream.connection.transport.stats.of(stream.name).requests

    def _check(self) -> None:
        report = self.report
        probe, page = self._first()
        report.rate_headers = rate_headers(page.page.headers)
        if fast := too_fast(self.stream.connection, page.page.headers):
            report.findings.append(fast)
        probe, page = self._with_rows(probe, page)
        report.rows = len(page.rows)
        if not page.rows:
            if not any(finding.code == "selector" for finding in report.findings):
                text = "The server answers with no rows, so nothing more can be checked."
                report.findings.append(note("empty", text))
            return
        raw = t.cast("DictRows", page.rows).dicts
        self.rows = probe.processed(raw)
        check_bookmark(probe.stream, self.rows, report)
        probe = check_keys(probe, self.rows, report)
        paging = PagingCheck(probe, probe.fetch(page.page.query), report)
        self._trial = paging.trial
        NumberCheck(paging).run() if paging.is_counted else paging.check_links()
        check_limit(paging)
        check_total(paging)
        # Rows that are read twice say nothing about their keys.
        if report.key == "unique" and paging.trial.advances and not paging.trial.unkeyed:
            more = paging.trial.rows[1]
            check_keys(probe, [*self.rows, *more], report)

    # --- the first page -------------------------------------------------------------------------

    def _first(self) -> tuple[Probe, FetchedPage]:
        """Return the first page as a first run asks for it; of a child, below a parent's row."""
        for number, context in enumerate(self.contexts, start=1):
            self.context = context
            probe = replace(self.probe, context=context)
            is_last = number == len(self.contexts)
            try:
                probe, page, findings = first_page(probe)
            except Refused as refused:
                if not is_last and refused.cause == "missing":
                    # The parent may be gone by now; another one may be there.
                    continue
                return self._from_page_one(probe, refused)
            if page.rows or is_last or page.page.payload is None:
                break
        self.report.findings += findings
        return probe, page

    def _from_page_one(self, probe: Probe, refused: Refused) -> tuple[Probe, FetchedPage]:
        """Where page 0 is refused, the server may count from 1; raises the refusal if not."""
        paging = probe.stream.paging
        is_zero = isinstance(paging, PageNumber) and not paging.base_page
        other = probe.changed(paginator={"base_page": 1}) if is_zero else None
        page = other.attempt(other.stream.paging.start()) if other else None
        if other is None or page is None or refused.cause != "rejected":
            raise refused
        text = "The server counts pages from 1 and refuses page 0."
        self.report.findings.append(wrong("base_page", text, paginator={"base_page": 1}))
        return other, page

    def _with_rows(self, probe: Probe, page: FetchedPage) -> tuple[Probe, FetchedPage]:
        """Return the probe and the first page with its rows, wherever they really are."""
        probe = check_selector(probe, page, self.report)
        page = probe.fetch(page.page.query)
        paging = probe.stream.paging
        if page.rows or not isinstance(paging, PageNumber):
            return probe, page
        base = paging.base_page - 1 if paging.base_page else 1
        other = probe.changed(paginator={"base_page": base})
        found = other.attempt(other.stream.paging.start()) if other else None
        if other is None or found is None or not found.rows:
            return probe, page
        # Without a base the tap looks at page 1 as well.
        tell = warning if paging.base_page is None else wrong
        text = f"The server counts pages from {base}, and the tap begins with another."
        self.report.findings.append(tell("base_page", text, paginator={"base_page": base}))
        return other, found

    # --- what a run would make of it --------------------------------------------------------------

    def _judge(self) -> None:
        """Report what a run would fail for, and keep the suggestions that make it no worse."""
        report = self.report
        best = replace(self.probe, context=self.context)
        trial = best.trial()
        seen = self._trial or trial
        if not (seen.is_good or self.refused or report.is_wrong):
            report.findings.append(_doubt(seen, label=self.stream.label))
        for finding in report.findings:
            if not (finding.resource or finding.paginator):
                continue
            other = best.changed(finding.resource, finding.paginator)
            result = None if other is None else other.trial()
            if other is not None and result is not None and result.is_no_worse(trial):
                best, trial = other, result
        report.resource = {} if trial.unkeyed else dict(best.words)


def _doubt(trial: Trial, *, label: str) -> Finding:
    """Return for what a run would fail, or why it may be incomplete."""
    if trial.error:
        text = explain(trial.error).removeprefix(f"{label}: ")
        return wrong("failed", f"A run fails: {sentence(text)}")
    if trial.unkeyed:
        text = (
            f"{trial.unkeyed} rows of the first pages have the primary key of an earlier row, or "
            "none: the order isn't stable, or the key isn't unique."
        )
        return wrong("key_repeated", text)
    verdict = (trial.verdict or Verdict.UNVERIFIED).value
    return wrong(verdict, f"A run would be {verdict}: {sentence(trial.missing)}")
