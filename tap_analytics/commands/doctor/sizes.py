"""How much comes, and how much there is: the limit the server keeps to, and the total it gives."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.doctor.findings import note, warning
from tap_analytics.commands.doctor.pager import limit_in_params
from tap_analytics.commands.doctor.signs import totals
from tap_analytics.pagination import NumberedStrategy, Offset
from tap_analytics.streams.declared import DeclaredStream

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.pager import Pager


def check_limit(pager: Pager) -> None:
    """Tell that pages are larger or smaller than asked for, though there is more."""
    asked, size = pager.asked, pager.size
    if asked is None or pager.report.paging in {"repeats", "other unit"}:
        return
    if size > asked:
        text = f"The server ignores the limit: {size} rows came for {asked}."
        pager.find(warning("limit_ignored", text, **_limit(pager, size)))
    elif size < asked and pager.further:
        text = f"The server caps its pages at {size} rows, for {asked} that were asked for."
        change = _limit(pager, size)
        if change:
            pager.find(warning("limit_capped", text, **change))
        else:
            pager.find(note("limit_capped", f"{text} The tap moves by what arrives."))


def _limit(pager: Pager, rows: int) -> dict[str, t.Any]:
    """Return the change that asks for so many rows; none where nobody chose the limit."""
    stream = pager.inquiry.stream
    if not isinstance(stream, DeclaredStream):
        given = stream.config.get(stream.api) or {}
        return {"api": {"page_size": rows}} if "page_size" in given else {}
    if limit_in_params(stream):
        return {"resource": {"endpoint": {"params": {stream.paging.limit_param: rows}}}}
    return {"paginator": {"limit": rows}}


def check_total(pager: Pager) -> None:
    """See whether the response gives the number of all rows, where the paginator looks for it."""
    paging = pager.paging
    given = paging.total(pager.first.page)
    is_right = given is not None and given >= pager.seen
    pager.report.total = given if is_right else next(iter(_totals(pager).values()), None)
    if not isinstance(paging, NumberedStrategy) or not pager.is_declared:
        return
    where = f"`{paging.total_path}`"
    if given is not None and not is_right:
        better = checked_total(pager)
        text = f"{where} says {given}, and there are more rows: it counts something else."
        # A total that counts something else is passed over, and may yet turn out to be one.
        change = {"total_path": better} if better else {}
        pager.find(warning("total_wrong", text + _at(better), paginator=change))
    elif given is None and (better := checked_total(pager)):
        text = "The response gives the number of all rows"
        text += f", but not at {where}." if paging.total_path else ", which the tap could check."
        pager.find(warning("total_path", text + _at(better), paginator={"total_path": better}))


def _totals(pager: Pager) -> dict[str, int]:
    """Return what may be the number of all rows, by where it stands."""
    return {
        path: number
        for path, number in totals(pager.first.page)
        if number >= pager.seen and (number > pager.size or "total" in path.lower())
    }


def checked_total(pager: Pager) -> str | None:
    """Return where the number of all rows stands: one behind which no row is, and the last is."""
    if not isinstance(pager.paging, Offset):
        return None
    for path, number in list(_totals(pager).items())[:1]:
        last = pager.probe({**pager.first.page.query, pager.paging.offset_param: str(number - 1)})
        if last is not None and len(last.rows) == 1:
            return path
    return None


def _at(better: str | None) -> str:
    return f" It stands at `{better}`." if better else ""
