"""Where the tap would stop after the first page: is there more, and how to get at it?"""

from __future__ import annotations

import typing as t

from tap_analytics.commands.doctor.findings import note, warning, wrong
from tap_analytics.commands.doctor.pager import FAR_PAGE, FAR_ROW, Relation
from tap_analytics.commands.doctor.signs import signs, totals
from tap_analytics.pagination import Auto, SinglePage

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.pager import Pager

_CLAMPED = "Beyond the end the server answers the last page again, so no run would end well."
#: Rows it takes to ask for fewer.
_ENOUGH = 2


def examine_end(pager: Pager) -> None:
    """The first page names no next one: see that there is none.

    Where the rule of evidence has nothing to go by, or only the user's own word, the usual ways to
    the next page are tried.
    """
    goes_on = pager.now.rows > pager.size
    pager.report.paging = "advances" if goes_on else "one page"
    is_shown = pager.now.is_good and not isinstance(pager.paging, SinglePage)
    if goes_on:
        clause = numbers(pager)
        if clause is not None and _is_clamped(pager, clause):
            pager.find(wrong("clamped", _CLAMPED))
        else:
            write_down(pager, clause)
    elif _finds_sign(pager) or (not is_shown and _finds_numbers(pager)):
        pager.report.paging = "stops early"
    elif said := max((n for _, n in totals(pager.first.page) if n > pager.size), default=0):
        text = (
            f"The response says that there are {said} rows, holds {pager.size}, and names no "
            "next page. Look up in the API's documentation how it pages."
        )
        pager.find(wrong("next_missed", text))
    elif is_shown and isinstance(pager.paging, Auto):
        text = "The response shows that the first page is the last; ask again when there are more."
        pager.find(note("auto", text))


def _finds_sign(pager: Pager) -> bool:
    """Look for another way to the next page in the response, and try it."""
    text = "The tap would stop after the first page, but the response has"
    for sign in signs(pager.first.page)[:1]:
        answer = pager.probe(sign.query)
        if answer is not None and pager.relation(answer) in {Relation.NEW, Relation.OVERLAP}:
            pager.find(wrong("next_missed", f"{text} {sign.where}.", paginator=sign.paginator))
            return True
    if pager.now.is_good or pager.asked is None or pager.size < _ENOUGH:
        return False
    # Asked for fewer rows, the server may show how it names the next page.
    cut = pager.probe(pager.inquiry.limited(pager.first.page.query, pager.size - 1))
    for sign in signs(cut.page)[:1] if cut is not None else ():
        answer = pager.probe(sign.query)
        if answer is not None and answer.ids[:1] == pager.first.ids[-1:]:
            text = f"With fewer rows than there are, the response has {sign.where}."
            pager.find(wrong("next_missed", text, paginator=sign.paginator))
            return True
    return False


def _finds_numbers(pager: Pager) -> bool:
    """Try the usual parameters of counted pages."""
    clause = numbers(pager)
    if clause is None:
        return False
    text = f"The tap would stop after the first page, but there is more: {told(clause)}."
    if _is_clamped(pager, clause):
        text, clause = f"{text} {_CLAMPED}", {}
    pager.find(wrong("next_missed", text, paginator=clause))
    return True


def _is_clamped(pager: Pager, clause: dict[str, t.Any]) -> bool:
    """Whether a number that no list reaches is answered with rows."""
    name = clause.get("page_param", "offset")
    far = pager.probe({name: str(FAR_PAGE if "page_param" in clause else FAR_ROW)})
    return far is not None and bool(far.rows)


def numbers(pager: Pager) -> dict[str, t.Any] | None:
    """Return the paginator by page or row number that leads to further rows."""
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
    says_more = any(number > pager.size for _, number in totals(pager.first.page))
    return pager.is_keyed or says_more


_TOLD = {
    "cursor": "a cursor at `{cursor_path}`, sent back as `{cursor_param}`",
    "header_cursor": "a cursor in the header `{cursor_key}`",
    "header_link": "the `Link` header",
    "json_link": "a link at `{next_url_path}`",
    "offset": "row numbers in `offset`",
    "page_number": "page numbers in `page`",
}


def told(clause: dict[str, t.Any]) -> str:
    """Say what a paginator goes by."""
    return _TOLD[clause["type"]].format(**{"cursor_path": "", "cursor_param": "", **clause})


def write_down(pager: Pager, clause: dict[str, t.Any] | None) -> None:
    """Suggest the paginator that `auto` came to."""
    if clause is not None:
        text = f"`auto` found {told(clause)}. Write it down, so that the tap need not guess."
        pager.find(warning("auto", text, paginator=clause))
