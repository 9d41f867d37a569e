"""Checks of paging: whether a run reads all pages, and which paginator would.

Reading the first pages as a run does shows the problem. Other paginators are then tried in turn: a
suggested one has the same first page, reads more pages and has no worse verdict.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from tap_analytics.commands.doctor.findings import note, sentence, warning, wrong
from tap_analytics.commands.doctor.hints import TOTAL, counts, describe, hints, param_for
from tap_analytics.errors import explain
from tap_analytics.pagination import (
    Auto,
    Cursor,
    NumberedStrategy,
    PageNumber,
    SinglePage,
    StopReason,
    dig,
    whole_number,
)
from tap_analytics.pagination.placement import shown
from tap_analytics.reporting.numbers import plural
from tap_analytics.streams import APIS
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.transport.errors import OriginRefused, TransportError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_analytics.commands.doctor.findings import Finding, StreamReport
    from tap_analytics.commands.doctor.hints import Declaration
    from tap_analytics.commands.doctor.probe import Probe, Trial
    from tap_analytics.pagination import PageToken
    from tap_analytics.pagination.page import FetchedPage

#: Numbers after the end of any list.
_FAR_ROW, _FAR_PAGE = 10**9, 10**6
_CLAMPED = "After the end the server returns the last page again, so every run would fail."
_LOOK_UP = "Look up the pagination in the API's documentation, and declare it in `paginator`."

#: Largest page sizes that are worth a request to try, by API.
LARGEST = {api.name: api.largest_page_size for api in APIS if api.largest_page_size}


class PagingCheck:
    """Checks the paging of a stream by its first pages."""

    def __init__(self, probe: Probe, first: FetchedPage, report: StreamReport) -> None:
        self.probe = probe
        self.paging = probe.stream.paging
        self.first = first
        self.size = len(first.keys)
        self.report = report
        self.trial = probe.trial()
        #: The trial with the suggested paginator, if any.
        self.best = self.trial
        #: A paginator that advances but never ends.
        self.clamped: Declaration | None = None

    @property
    def is_counted(self) -> bool:
        """Whether pages are numbered, and the response names neither the next page nor the end."""
        is_end = self.trial.end in {StopReason.LINK, StopReason.OBJECT}
        if is_end or isinstance(self.trial.error, TransportError):
            return False
        is_named = self.paging.named(self.first.page) is not None
        return isinstance(self.paging, NumberedStrategy) and not is_named

    def add(self, finding: Finding) -> None:
        """Add a finding to the report."""
        self.report.findings.append(finding)

    def check_overlap(self) -> None:
        """Report repeated rows, unless the order isn't stable."""
        count = self.trial.repeated
        if count and self.trial.keys[1:] and self.is_stable():
            self.report.paging = "overlaps"
            text = (
                f"{plural(count, 'row')} on the first pages are repeated: the pages overlap, or "
                "the primary key isn't unique."
            )
            self.add(wrong("overlap", text))

    def is_stable(self) -> bool:
        """Whether a second request returns the same first page; adds a finding if not."""
        second = self.probe.fetch(self.first.page.query, uncached=True)
        is_same = second.keys == self.first.keys
        text = (
            "A second request for the first page returned other rows or another order, so rows can "
            "be missed. Set a stable order in `params`."
        )
        self.report.findings += [] if is_same else [wrong("unstable", text)]
        return is_same

    def echoed(self) -> Iterator[Declaration]:
        """Yield paginators for an offset or page number that the response contains."""
        offset, number, total = (
            whole_number(dig(self.first.page.payload, name)) for name in ("offset", "page", "total")
        )
        if offset is not None:
            yield {"type": "offset"}
        if number is not None:
            counted = {} if total is None else {"total_path": "total"}
            yield {"type": "page_number", "base_page": number, **counted}

    def suggest(
        self, problem: Finding, paginators: Iterable[Declaration], *, otherwise: str = ""
    ) -> None:
        """Add a finding with the first paginator that advances, if any does."""
        found = self.first_that_works(paginators)
        if found is None:
            self.add(replace(problem, text=f"{problem.text} {otherwise or _LOOK_UP}"))
            return
        how = describe(found) if "type" in found else f"`{found['cursor_param']}`"
        self.add(replace(problem, text=f"{problem.text} Paging by {how} works.", paginator=found))

    def first_that_works(self, paginators: Iterable[Declaration]) -> Declaration | None:
        """Return the first paginator that reads more, or the same with a better verdict.

        A paginator found by `auto` reads the same.
        """
        for paginator in paginators:
            probe = self.probe.changed(paginator=paginator)
            trial = None if probe is None else probe.trial()
            if probe is None or trial is None or not self._is_better(trial):
                continue
            if page_after_end(probe) is None:
                self.best = trial
                return paginator
            self.clamped = paginator
        return None

    def _is_better(self, trial: Trial) -> bool:
        now = self.trial
        reads_more = trial.reach > now.reach or trial.rank > now.rank or now.advances
        is_first = trial.keys[:1] == now.keys[:1]
        return trial.is_good and trial.is_no_worse(now) and is_first and reads_more


class LinkCheck:
    """Checks that links or cursors lead to all pages, and that the end is shown."""

    def __init__(self, check: PagingCheck) -> None:
        self.check = check
        self.probe, self.paging, self.trial = check.probe, check.paging, check.trial
        self.first, self.report = check.first, check.report

    def run(self) -> None:
        """Request what the first pages leave open."""
        trial = self.trial
        if trial.end is StopReason.OBJECT:
            self.report.paging = "one object"
        elif isinstance(trial.error, TransportError):
            self._report_failure(trial.error)
        elif trial.repeats_page:
            self._report_ignored()
        elif trial.repeats_token:
            self.report.paging = "repeats"
            text = "The cursor doesn't advance: the second page names itself as the next one."
            self.check.suggest(wrong("cursor_repeated", text), hints(self.first.page))
        elif not trial.advances:
            self._check_end()
        elif isinstance(self.paging, (Auto, SinglePage)):
            self._report_what_auto_found()
        else:
            self.report.paging = "advances"
            self.check.check_overlap()

    def _report_failure(self, error: TransportError) -> None:
        self.report.paging = "fails"
        text = sentence(explain(error))
        if isinstance(error, OriginRefused) or getattr(error, "status", 0) is None:
            self.check.add(wrong("link", text))
        elif self.trial.keys:
            self.check.add(wrong("next_failed", f"The second page can't be read. {text}"))

    def _report_ignored(self) -> None:
        self.report.paging = "repeats"
        if not isinstance(self.paging, Cursor):
            text = "The link to the next page leads back to the first page."
            self.check.add(wrong("cursor_ignored", text))
            return
        own = self.paging.cursor_param
        names = (param_for(self.paging.cursor_path), "cursor", "after")
        paginators = [{"cursor_param": name} for name in names if name != own][:1]
        problem = wrong(
            "cursor_ignored",
            f"The server ignores `{shown(own)}`: the second page repeats the first.",
        )
        unknown = "Look up the parameter's name in the API's documentation: `cursor_param`."
        self.check.suggest(problem, paginators, otherwise=unknown)

    # --- no next page is named ----------------------------------------------------------------

    def _report_what_auto_found(self) -> None:
        self.report.paging = "advances"
        found = self.check.first_that_works(self._candidates())
        if found is not None:
            text = f"`auto` found {describe(found)}. Declare it, so that it need not be detected."
            self.check.add(warning("auto", text, paginator=found))
        elif self.check.clamped:
            self.check.add(wrong("clamped", _CLAMPED))

    def _check_end(self) -> None:
        """Check that nothing follows the first page."""
        is_shown = self.trial.is_good and not isinstance(self.paging, SinglePage)
        found = self.check.first_that_works(
            hints(self.first.page)[:1] if is_shown else self._candidates()
        )
        counted = max((number for _, number in counts(self.first.page, TOTAL)), default=0)
        self.report.paging = "stops early" if found or self.check.clamped else "one page"
        text = "The tap would stop after the first page, but there are more rows"
        if found is not None:
            self.check.add(wrong("next_missed", f"{text}: {describe(found)}.", paginator=found))
        elif self.check.clamped:
            self.check.add(
                wrong("next_missed", f"{text}: {describe(self.check.clamped)}. {_CLAMPED}")
            )
        elif counted > self.check.size:
            text = f"The response reports {counted} rows, but names no next page. {_LOOK_UP}"
            self.check.add(wrong("next_missed", text))
        elif is_shown and isinstance(self.paging, Auto):
            text = "The response shows that this page is the last; check again when there are more."
            self.check.add(note("auto", text))

    def _candidates(self) -> Iterator[Declaration]:
        """Yield the paginators that the first page, or a smaller one, suggests."""
        query = self.first.page.query
        total = whole_number(dig(self.first.page.payload, "total"))
        counted = {} if total is None else {"total_path": "total"}
        yield from (paginator | counted for paginator in hints(self.first.page)[:2])
        if not self.trial.advances and self.probe.limit is not None and self.check.size > 1:
            # With a smaller limit the response may show how the API names the next page.
            smaller = self.probe.attempt(query, rows=self.check.size - 1)
            yield from hints(smaller.page)[:1] if smaller is not None else ()
        yield from self.check.echoed()
        if self._is_new({"page": "2"}):
            for base in (1, 0):
                yield {"type": "page_number", "page_param": "page", "base_page": base}
        if self._is_new({"offset": str(self.check.size)}):
            yield {"type": "offset"}

    def _is_new(self, token: PageToken) -> bool:
        page = self.probe.attempt(token)
        return page is not None and bool(page.keys) and not set(page.keys) & set(self.first.keys)


def page_after_end(probe: Probe) -> FetchedPage | None:
    """Return the page for a number after the end, if it has rows."""
    paging = probe.stream.paging
    if not isinstance(paging, NumberedStrategy):
        return None
    far = _FAR_PAGE if isinstance(paging, PageNumber) else _FAR_ROW
    page = probe.attempt({**paging.start(), paging.number_param: str(far)})
    return page if page is not None and page.keys else None


def check_limit(check: PagingCheck) -> None:
    """Report pages that are larger or smaller than the limit, although more rows follow."""
    limit, size = check.probe.limit, check.size
    if limit is None or check.report.paging in {"repeats", "other unit"}:
        return
    if size > limit:
        text = f"The server ignores the limit: it returned {size} rows for a limit of {limit}."
        check.add(warning("limit_ignored", text, **_limit_change(check.probe, size)))
    elif size < limit and check.best.advances:
        text = f"The server caps pages at {size} rows, below the limit of {limit}."
        change = _limit_change(check.probe, size)
        capped = note("limit_capped", f"{text} The tap advances by the number of rows received.")
        check.add(warning("limit_capped", text, **change) if change else capped)


def check_larger_limit(check: PagingCheck) -> None:
    """Report that the server sends more rows per page than are asked for."""
    probe, stream = check.probe, check.probe.stream
    largest = LARGEST.get(stream.api)
    if largest is None or probe.limit is None or not check.size == probe.limit < largest:
        return
    page = probe.attempt(stream.paging.start(), rows=largest)
    if page is not None and len(page.rows) > check.size:
        text = f"The server sends more than {probe.limit} rows per page, as many as are asked for."
        check.add(note("limit_small", text, api={"page_size": largest}))


def _limit_change(probe: Probe, rows: int) -> dict[str, t.Any]:
    """Return the change that sets the limit; none if the limit isn't configured."""
    stream = probe.stream
    if not isinstance(stream, DeclaredStream):
        given = (stream.config.get(stream.api) or {}).get("page_size")
        # A size that other streams of the API take isn't lowered for the one that caps it.
        is_usual = given is not None and given <= LARGEST.get(stream.api, 0)
        return {} if given is None or is_usual else {"api": {"page_size": rows}}
    if probe.changed(paginator={"limit": rows}) is None:
        # It is among the parameters.
        return {"resource": {"endpoint": {"params": {stream.paging.limit_param: rows}}}}
    return {"paginator": {"limit": rows}}
