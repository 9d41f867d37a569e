"""Does paging advance? The second page tells, and a third settles what it leaves open."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.doctor.ending import examine_end, write_down
from tap_analytics.commands.doctor.following import follow
from tap_analytics.commands.doctor.numbered import Counted
from tap_analytics.commands.doctor.pager import clause_of
from tap_analytics.commands.doctor.signs import signs
from tap_analytics.pagination import (
    Auto,
    NumberedStrategy,
    Offset,
    PageNumber,
    StopReason,
    dig,
    whole_number,
)

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.pager import Pager
    from tap_analytics.pagination import PageToken


def examine_paging(pager: Pager) -> None:
    """Ask what there is to ask about the paging of a stream that has rows."""
    following, is_counted = pager.following, isinstance(pager.paging, NumberedStrategy)
    if pager.paginator.end is StopReason.OBJECT:
        pager.report.paging = "one object"
    elif following is not None and (not is_counted or pager.is_named):
        follow(pager, following)
        if isinstance(pager.paging, Auto) and pager.report.paging == "advances":
            write_down(pager, _shown(pager, following))
    elif is_counted and pager.now.end is not StopReason.LINK:
        Counted(pager).examine()
    else:
        examine_end(pager)


def _shown(pager: Pager, following: PageToken) -> dict[str, t.Any]:
    """Return the paginator that `auto` came to, so that it can be written down."""
    payload = pager.first.page.payload
    total = {} if whole_number(dig(payload, "total")) is None else {"total_path": "total"}
    for sign in signs(pager.first.page):
        if sign.query == following:
            return sign.paginator | total
    if "offset" in following:
        return clause_of(Offset())
    return clause_of(PageNumber(base_page=whole_number(dig(payload, "page")))) | total
