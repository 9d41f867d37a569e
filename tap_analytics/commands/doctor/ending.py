"""Where the tap would stop after the first page: is there more, and how to get at it?"""

from __future__ import annotations

import typing as t

from tap_analytics.commands.doctor.findings import note, warning, wrong
from tap_analytics.commands.doctor.following import stands_still
from tap_analytics.commands.doctor.pager import Relation
from tap_analytics.commands.doctor.signs import signs, totals
from tap_analytics.pagination import End, HeaderCursor

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.pager import Pager
    from tap_analytics.commands.doctor.signs import Sign

#: Rows that a small page has, and rows it takes to tell where the next one begins.
_FEW, _ENOUGH = 2, 3


def examine_end(pager: Pager) -> None:
    """The first page names no next one; see that there is none, and that paging works at all."""
    pager.report.paging = "one page"
    if finds_more(pager):
        return
    if pager.is_full and pager.paginator.end is End.SINGLE:
        if finds_numbers(pager, code="next_missing"):
            return
        text = (
            f"The first page is full, and the response has nothing at `{_where(pager)}`. If it is "
            "not all there is, look up in the API's documentation how it pages."
        )
        if not says_more(pager):
            pager.find(warning("next_missing", text))
    elif pager.size >= _ENOUGH and pager.asked is not None:
        _try_few(pager)


def _where(pager: Pager) -> str:
    paging = pager.paging
    names = ("cursor_key",) if isinstance(paging, HeaderCursor) else ("cursor_path",)
    for name in (*names, "next_url_path", "links_next_key"):
        if hasattr(paging, name):
            return str(getattr(paging, name))
    return "the place of the next page"


def _try_few(pager: Pager) -> None:
    """Ask for two rows, so that a next page is named, and follow it."""
    few = pager.probe(pager.inquiry.limited(pager.first.page.query, _FEW))
    if few is None or len(few.rows) != _FEW:
        if few is not None and len(few.rows) == pager.size:
            param = pager.paging.limit_param
            text = f"The server ignores `{param}`: two rows were asked for, and all came."
            pager.find(note("limit_ignored", text))
        return
    following = pager.next_of(few)
    if following is None:
        found = signs(few.page)[:1]
        for sign in found:
            answer = pager.probe(pager.inquiry.limited(sign.query, _FEW))
            if answer is not None and answer.ids == pager.first.ids[2:4]:
                _tell_more(pager, sign)
        return
    answer = pager.probe(pager.inquiry.limited(following, _FEW))
    if answer is None:
        return
    if answer.ids == few.ids:
        stands_still(pager, following)
    elif answer.ids == pager.first.ids[2:4]:
        pager.report.paging = "honoured"


def finds_more(pager: Pager) -> bool:
    """Look for another way to the next page in the response, and try it."""
    found = signs(pager.first.page)
    for sign in found[:1]:
        answer = pager.probe(sign.query)
        if answer is not None and pager.relation(answer) in {Relation.NEW, Relation.OVERLAP}:
            _tell_more(pager, sign)
            return True
    return False


def _tell_more(pager: Pager, sign: Sign) -> None:
    pager.report.paging = "stops early"
    text = f"The tap would stop after the first page, but the response has {sign.where}."
    pager.find(wrong("next_missed", text, paginator=sign.paginator))


def finds_numbers(pager: Pager, *, code: str) -> bool:
    """Try the usual parameters of counted pages, for a response that names no next page."""
    clause = _numbers(pager)
    if clause is None:
        return False
    pager.report.paging = "stops early"
    text = f"The tap would stop after the first page, but there is more: {told(clause)}."
    pager.find(wrong(code, text, paginator=clause))
    return True


def _numbers(pager: Pager) -> dict[str, t.Any] | None:
    second = pager.probe({"page": "2"})
    if second is not None and pager.relation(second) is Relation.NEW:
        clause: dict[str, t.Any] = {"type": "page_number", "page_param": "page"}
        before = pager.probe({"page": "1"})
        if before is not None:
            is_first = pager.relation(before) is Relation.SAME
            # Rows without keys that differ each time may be the same ones, told anew.
            if not is_first and not _is_sure(pager):
                return None
            clause |= {"base_page": 1 if is_first else 0}
        return clause
    second = pager.probe({"offset": str(pager.size)}) if _is_sure(pager) else None
    if second is not None and pager.relation(second) is Relation.NEW:
        return {"type": "offset"}
    return None


def _is_sure(pager: Pager) -> bool:
    """Whether rows that look new are new ones."""
    return pager.is_keyed or bool(_said(pager))


def _said(pager: Pager) -> int:
    """Return the number of rows the response gives, if it is more than it holds."""
    return max((number for _, number in totals(pager.first.page) if number > pager.size), default=0)


def says_more(pager: Pager) -> bool:
    """Tell that there are more rows than the tap can get at."""
    said = _said(pager)
    if said:
        text = (
            f"The response says that there are {said} rows, holds {pager.size}, and names no "
            "next page. Look up in the API's documentation how it pages."
        )
        # What the tap looks at itself would fail the stream.
        is_known = (pager.paging.total(pager.first.page) or 0) > pager.size
        pager.find((wrong if is_known else warning)("next_missed", text))
    return bool(said)


def examine_single(pager: Pager) -> None:
    """See that a stream with a single page has no other."""
    pager.report.paging = "one page"
    if not (finds_more(pager) or finds_numbers(pager, code="next_missed")):
        says_more(pager)


_TOLD = {
    "cursor": "a cursor at `{cursor_path}`, sent back as `{cursor_param}`",
    "header_cursor": "a cursor in the header `{cursor_key}`",
    "header_link": "the `Link` header",
    "json_link": "a link at `{next_url_path}`",
    "offset": "row numbers in `offset`",
    "page_number": "page numbers in `page`",
    "single_page": "nothing that names another page",
}


def told(clause: dict[str, t.Any]) -> str:
    """Say what a paginator goes by."""
    return _TOLD[clause["type"]].format(**{"cursor_path": "", "cursor_param": "", **clause})
