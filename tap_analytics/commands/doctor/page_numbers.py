"""Checks of page numbers and offsets: does the server use the number, and what is its unit?

Small pages show the unit: with pages of two rows, the next number starts one row later if it counts
rows, and two rows later if it counts pages.
"""

from __future__ import annotations

import typing as t

from tap_analytics.commands.doctor.findings import note, warning, wrong
from tap_analytics.commands.doctor.hints import PAGES, TOTAL, counts, hints
from tap_analytics.commands.doctor.paging import page_after_end
from tap_analytics.config.declarations.paginators import declared_at
from tap_analytics.pagination import (
    NumberedStrategy,
    Offset,
    PageNumber,
    UnknownUnit,
    dig,
    whole_number,
)
from tap_analytics.pagination.placement import shown
from tap_analytics.streams.declared import DeclaredStream

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.findings import Finding
    from tap_analytics.commands.doctor.hints import Declaration
    from tap_analytics.commands.doctor.paging import PagingCheck
    from tap_analytics.pagination.page import FetchedPage

#: Rows of a small page, and rows the first page must have to locate one in it.
_SMALL, _ENOUGH = 2, 3


class NumberCheck:
    """Checks what the page number or offset of a stream means to its server."""

    def __init__(self, check: PagingCheck) -> None:
        self.check = check
        self.trial, self.report = check.trial, check.report
        self.paging = t.cast("NumberedStrategy", check.paging)
        self.param = self.paging.number_param
        self.base = self.paging.base_page if isinstance(self.paging, PageNumber) else None
        self.by_page = isinstance(self.paging, PageNumber)
        self.began = whole_number(check.first.page.query.get(self.param)) or 0
        can_shrink = check.probe.limit is not None and check.size >= _ENOUGH
        #: Rows of a small page, where the limit can be lowered.
        self.rows = _SMALL if can_shrink else None

    def run(self) -> None:
        """Request other pages if the first pages leave a question open."""
        trial = self.trial
        self.report.paging = "advances" if trial.advances else "one page"
        if trial.is_good and isinstance(self.paging, UnknownUnit):
            # A run finds out what the number counts.
            return
        is_doubtful = not trial.is_good or (self.by_page and trial.advances)
        if is_doubtful and not self.check.is_stable():
            return
        if trial.is_good and self.by_page and self._has_other_base():
            return
        if trial.is_good and trial.advances:
            self._check_clamped()
        elif self.rows or not trial.is_good:
            self._check_step()

    def _page(self, number: int, rows: int | None = None) -> FetchedPage | None:
        token = {**self.check.first.page.query, self.param: str(number)}
        return self.check.probe.attempt(token, rows=rows)

    def _has_other_base(self) -> bool:
        """Report whether the server numbers pages from one less or one more; return the answer."""
        if self.base == 0 or not isinstance(self.check.probe.stream, DeclaredStream):
            return False
        other = self._page(self.began - 1 if self.began else 1)
        keys, first = [] if other is None else list(other.keys), list(self.check.first.keys)
        if self.began and keys and not set(keys) & set(first):
            base, kind = self.began - 1, wrong
            text = f"The server numbers pages from {base}: the first page would be lost."
        elif not self.began and keys == first:
            base, kind = 1, warning
            text = "The server numbers pages from 1, and returns the first page for page 0."
        else:
            return False
        self.check.add(kind("base_page", text, paginator={"base_page": base}))
        return True

    # --- after the end ------------------------------------------------------------------------

    def _names_end(self) -> bool:
        """Whether the response names the end, so that the tap requests no page after it."""
        total, path = self.paging.total(self.check.first.page), self.paging.total_path or ""
        if not self.by_page:
            return total is not None and total >= self.trial.seen
        # With page numbers, only a number of pages names the end.
        count = whole_number(dig(self.check.first.page.payload, path))
        return self.base is not None and count is not None and total is None

    def _check_clamped(self) -> None:
        """Check that a number after the end returns no rows."""
        far = None if self._names_end() else page_after_end(self.check.probe)
        if far is None:
            return
        self.report.paging = "clamped"
        path = self._counted_pages(far) if self.by_page else checked_total(self.check)
        base = {"base_page": self.began} if self.by_page else {}
        text = "After the end the server returns the last page again, not an empty one."
        text += "" if path else " The response has no total, so no setting helps."
        change = {"total_path": path, **base} if path else {}
        self.check.add(wrong("clamped", text, paginator=change))

    def _counted_pages(self, last: FetchedPage) -> str | None:
        """Return the path of the number of pages, if that page is the last one."""
        found = counts(self.check.first.page, PAGES)
        pages = ((path, self._page(self.began + count - 1)) for path, count in found)
        return next((path for path, page in pages if page and page.keys == last.keys), None)

    # --- unit of the number -------------------------------------------------------------------

    def _check_step(self) -> None:
        """Check by how many rows the next number advances: one, a page, or none."""
        size = self.rows or self.check.size
        step, count = self._step(1)
        expected, other = (size, 1) if self.by_page else (1, size)
        if step == expected:
            self._report_used(count)
        elif step == other:
            self._report_unit(base=0)
        elif step == 0 and self._step(2)[0] == size:
            self._report_unit(base=self.began + 1)
        elif step == 0:
            self._report_ignored(is_whole=count == self.check.size)
        elif count == 0 and self.by_page and self.rows:
            self._report_limit_ignored()

    def _step(self, ahead: int) -> tuple[int | None, int | None]:
        """Return how many rows of the first page precede a small page, and the rows of that page.

        All rows precede a page that shares no row with the first.
        """
        page, keys = self._page(self.began + ahead, self.rows), list(self.check.first.keys)
        if page is None or not page.keys:
            return None, None if page is None else 0
        first = page.keys[0]
        return keys.index(first) if first in keys else len(keys), len(page.keys)

    def _report_used(self, count: int | None) -> None:
        if self.trial.is_good:
            self.report.paging = "honoured"
            if self.rows and count and count > self.rows:
                self._report_limit_ignored()
        elif self.trial.repeated:
            self.check.check_overlap()
        else:
            self._check_clamped()

    def _report_limit_ignored(self) -> None:
        limit = shown(self.paging.limit_param or "")
        text = f"The server ignores `{limit}`: the page is larger."
        self.check.add(note("limit_ignored", text))

    def _report_unit(self, *, base: int) -> None:
        """Report a number with another unit, or another first number."""
        self.report.paging = "advances" if self.by_page and base else "other unit"
        self.check.add(_unit_finding(self.paging, self.check.first, base=base))

    def _report_ignored(self, *, is_whole: bool) -> None:
        """Report a number that is ignored, and try other paginators."""
        self.report.paging = "repeats"
        usual = {"type": "offset" if self.by_page else "page_number"}
        others = [*hints(self.check.first.page)[:1], *self.check.echoed(), usual]
        # If the end is shown in another way, no rows are lost as long as one page has all of them.
        kind = warning if self.trial.is_good else wrong
        text = f"The server ignores `{shown(self.param)}`: the second page repeats the first."
        # Never suggested as a setting: only the user can know that all rows are on one page.
        hint = "If the API returns all rows at once, declare `single_page`." if is_whole else ""
        self.check.suggest(kind("number_ignored", text), others, otherwise=hint)


def _unit_finding(paging: NumberedStrategy, first: FetchedPage, *, base: int) -> Finding:
    param = shown(paging.number_param)
    change: Declaration = {}
    if paging.total(first.page) is not None:
        change["total_path"] = paging.total_path
    if not isinstance(paging, PageNumber):
        text = f"`{param}` counts pages from {base}, not rows."
        change |= {"type": "page_number", "base_page": base}
        change |= declared_at("page_param", paging.number_param)
        return wrong("unit", text, paginator=change)
    if base:
        text = f"The server numbers pages from {base}."
        return wrong("base_page", text, paginator={"base_page": base})
    text = f"`{param}` counts rows, not pages"
    change |= {"type": "offset"} | declared_at("offset_param", paging.number_param)
    return wrong("unit", f"{text}.", paginator=change)


# --- totals -----------------------------------------------------------------------------------


def check_total(check: PagingCheck) -> None:
    """Check whether the response has the total where the paginator looks for it."""
    paging = check.paging
    given = paging.total(check.first.page)
    is_right = given is not None and given >= check.best.seen
    check.report.total = given if is_right else next(iter(_totals(check).values()), None)
    is_numbered = isinstance(paging, NumberedStrategy)
    if is_right or not is_numbered or not isinstance(check.probe.stream, DeclaredStream):
        return
    better = checked_total(check)
    change = {"total_path": better} if better else {}
    at = f" It is at `{better}`." if better else ""
    where = f"`{paging.total_path}`"
    if given is not None:
        text = f"{where} is {given}, but there are more rows: it isn't the total."
        check.add(warning("total_wrong", text + at, paginator=change))
    elif better:
        text = "The response has a total"
        text += f", but not at {where}." if paging.total_path else ", which the tap could verify."
        check.add(warning("total_path", text + at, paginator=change))


def _totals(check: PagingCheck) -> dict[str, int]:
    """Return possible totals by path."""
    return {
        path: number
        for path, number in counts(check.first.page, TOTAL)
        if number >= check.best.seen and (number > check.size or "total" in path.lower())
    }


def checked_total(check: PagingCheck) -> str | None:
    """Return the path of a total, confirmed by a request for the row before it."""
    if not isinstance(check.paging, Offset):
        return None
    for path, number in list(_totals(check).items())[:1]:
        row = {check.paging.offset_param: str(number - 1)}
        last = check.probe.attempt({**check.first.page.query, **row})
        if last is not None and len(last.keys) == 1:
            return path
    return None
