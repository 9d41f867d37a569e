"""Does paging advance? The second page tells, and a third settles what it leaves open."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.doctor.ending import (
    examine_end,
    examine_single,
    finds_more,
    finds_numbers,
    says_more,
    told,
)
from tap_analytics.commands.doctor.findings import note, warning
from tap_analytics.commands.doctor.following import follow
from tap_analytics.commands.doctor.numbered import examine_counted
from tap_analytics.commands.doctor.pager import clause_of
from tap_analytics.commands.doctor.signs import signs
from tap_analytics.pagination import (
    Auto,
    End,
    NumberedPaging,
    Offset,
    PageNumber,
    SinglePage,
    dig,
    next_link,
    whole_number,
)

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.pager import Pager
    from tap_analytics.pagination import Query


def examine_paging(pager: Pager) -> None:
    """Ask what there is to ask about the paging of a stream that has rows."""
    paging = pager.paging
    if isinstance(paging, NumberedPaging):
        _, link = next_link(pager.first.page)
        if link is None:
            examine_counted(pager)
        else:
            follow(pager, pager.following or {})
    elif isinstance(paging, Auto):
        _examine_auto(pager)
    elif isinstance(paging, SinglePage):
        examine_single(pager)
    elif pager.following is not None:
        follow(pager, pager.following)
    else:
        examine_end(pager)


# --- paging as the response shows it ------------------------------------------------------------


def _examine_auto(pager: Pager) -> None:
    """Find out which paginator it is, so that it can be written down."""
    following = pager.following
    if following is None:
        _examine_auto_end(pager)
        return
    clause = _shown(pager, following)
    follow(pager, following)
    if pager.report.paging == "advances":
        _write_down(pager, clause)


def _shown(pager: Pager, following: Query) -> dict[str, t.Any]:
    for sign in signs(pager.first.page):
        if sign.query == following:
            return sign.paginator
    payload = pager.first.page.payload
    total = {} if whole_number(dig(payload, "total")) is None else {"total_path": "total"}
    if "offset" in following:
        return clause_of(Offset())
    return clause_of(PageNumber(base_page=whole_number(dig(payload, "page")))) | total


def _examine_auto_end(pager: Pager) -> None:
    pager.report.paging = "one page"
    if pager.paginator.end is not End.SINGLE:
        text = "The response says that the first page is the last; ask again when there are more."
        pager.find(note("auto", text))
        return
    if finds_more(pager) or finds_numbers(pager, code="next_missed"):
        return
    if not says_more(pager):
        _write_down(pager, {"type": "single_page"})


def _write_down(pager: Pager, clause: dict[str, t.Any]) -> None:
    text = f"`auto` found {told(clause)}. Write it down, so that the tap need not guess."
    pager.find(warning("auto", text, paginator=clause))
